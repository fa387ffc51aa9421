//! Moves to other mail hosts, replayed against senders with caches of every age: no letter is
//! refused at any hour; and if any step is left out, something is wrong.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::collections::BTreeSet;
use std::time::Duration;

use mta_sts::{Mode, Policy};
use rollout::{Move, MoveStep, duration, plan_move};
use smtp_types::DomainName;

const HOUR: Duration = Duration::from_secs(3_600);
const RECORD_TTL: u32 = 2;
const MX_TTL: u32 = 12;
/// In hours; two days.
const MAX_AGE: u32 = 48;

fn hosts(names: &[&str]) -> BTreeSet<DomainName> {
    names.iter().map(|name| DomainName::parse(name).unwrap()).collect()
}

fn policy(mode: &str, mx: &[&str]) -> Policy {
    let mx: String = mx.iter().map(|pattern| format!("mx: {pattern}\n")).collect();
    let seconds = (MAX_AGE * HOUR).as_secs();
    let text = format!("version: STSv1\nmode: {mode}\n{mx}max_age: {seconds}\n");
    Policy::parse(text.as_bytes()).unwrap()
}

fn change(from: &[&str], to: &[&str], policy: Option<Policy>) -> Move {
    Move {
        from: hosts(from),
        to: hosts(to),
        policy,
        remembered: MAX_AGE * HOUR,
        record_ttl: RECORD_TTL * HOUR,
        mx_ttl: MX_TTL * HOUR,
    }
}

/// The world at an hour. Each step takes one; the TTLs are longer than a few steps.
#[derive(Clone)]
struct Hour {
    policy: Option<Policy>,
    id: u32,
    mx: BTreeSet<DomainName>,
    working: BTreeSet<DomainName>,
}

/// The hours of a plan, with as many before and behind it as caches can span.
fn history(change: &Move, steps: &[MoveStep]) -> Result<Vec<Hour>, String> {
    let mut now = Hour {
        policy: change.policy.clone(),
        id: 1,
        mx: change.from.clone(),
        working: change.from.clone(),
    };
    let mut pending = false;
    let quiet = (MAX_AGE + RECORD_TTL + MX_TTL + 2) as usize;
    let mut hours = vec![now.clone(); quiet];
    for step in steps {
        match step {
            MoveStep::CheckHosts(new) => now.working.extend(new.iter().cloned()),
            MoveStep::Serve(policy) => {
                if pending {
                    return Err("a policy without its id".into());
                }
                now.policy = Some(policy.clone());
                pending = true;
            }
            MoveStep::PublishNewId if !pending => return Err("an id without a policy".into()),
            MoveStep::PublishNewId => {
                now.id += 1;
                pending = false;
            }
            MoveStep::Wait { .. } | MoveStep::ChangeMx(_) | MoveStep::ReleaseHosts(_)
                if pending =>
            {
                return Err("a policy without its id".into());
            }
            MoveStep::Wait { span, .. } => {
                let whole = span.as_secs() / HOUR.as_secs();
                hours.extend(vec![now.clone(); usize::try_from(whole).unwrap()]);
            }
            MoveStep::ChangeMx(mx) => now.mx = mx.clone(),
            MoveStep::ReleaseHosts(old) => now.working.retain(|host| !old.contains(host)),
        }
        hours.push(now.clone());
    }
    hours.extend(vec![now; quiet]);
    Ok(hours)
}

/// Runs one sender: what its caches hold at the beginning is `age` hours old.
fn send(hours: &[Hour], age: usize, checks: bool) -> Result<(), String> {
    let mut cached: Option<(usize, Policy, u32)> = None;
    let (mut record, mut mx) = ((0, hours[0].id), (0, hours[0].mx.clone()));
    for (hour, world) in hours.iter().enumerate().skip(age) {
        if hour - mx.0 >= MX_TTL as usize {
            mx = (hour, world.mx.clone());
        }
        if hour - record.0 >= RECORD_TTL as usize {
            record = (hour, world.id);
        }
        let valid = cached.as_ref().filter(|(at, ..)| hour - at < MAX_AGE as usize);
        let news = valid.is_none_or(|(.., id)| checks && *id != record.1);
        if news {
            cached = world.policy.clone().map(|policy| (hour, policy, record.1));
        }
        let policy = cached.as_ref().map(|(_, policy, _)| policy);
        let enforced = policy.filter(|policy| policy.mode() == Mode::Enforce);
        let takes = |host: &&DomainName| {
            world.working.contains(*host) && enforced.is_none_or(|policy| policy.allows(host))
        };
        if mx.1.iter().find(takes).is_none() {
            return Err(format!("refused at hour {hour}, caches of {age} hours"));
        }
    }
    Ok(())
}

fn replay(change: &Move, steps: &[MoveStep]) -> Result<(), String> {
    let hours = history(change, steps)?;
    for age in 0..=(MAX_AGE + RECORD_TTL) as usize {
        for checks in [false, true] {
            send(&hours, age, checks)?;
        }
    }
    let end = hours.last().unwrap();
    if end.mx != change.to || end.working != change.to {
        return Err("the hosts are not as wanted".into());
    }
    let Some(policy) = end.policy.as_ref().filter(|policy| policy.mode() != Mode::None) else {
        return Ok(());
    };
    let idle = policy.mx().iter().any(|one| !change.to.iter().any(|host| one.matches(host)));
    let missing = change.to.iter().any(|host| !policy.allows(host));
    if idle || missing { Err("the policy is not as wanted".into()) } else { Ok(()) }
}

fn moves() -> Vec<Move> {
    let (a, b, c) = ("a.old.example", "b.old.example", "c.new.example");
    vec![
        change(&[a], &[c], Some(policy("enforce", &[a]))),
        change(&[a, b], &[c], Some(policy("enforce", &["*.old.example"]))),
        change(&[a, b], &[b, c], Some(policy("enforce", &[a, b]))),
        change(&[a], &[c], Some(policy("testing", &[a]))),
        change(&[a], &[c], Some(policy("enforce", &[a, "*.new.example"]))),
        change(&[a, b], &[a], Some(policy("enforce", &[a, b]))),
        change(&[a], &[c], None),
    ]
}

#[test]
fn no_letter_is_refused_in_any_move() {
    for change in moves() {
        let steps = plan_move(&change);
        assert_eq!(replay(&change, &steps), Ok(()), "{steps:#?}");
        assert!(steps.iter().all(|step| !step.to_string().is_empty()));
    }
}

#[test]
fn without_any_one_step_something_is_wrong() {
    for change in moves() {
        // Under testing nobody is refused: waiting for its caches only keeps reports clean.
        if change.policy.as_ref().is_some_and(|policy| policy.mode() == Mode::Testing) {
            continue;
        }
        let steps = plan_move(&change);
        for left_out in 0..steps.len() {
            let mut fewer = steps.clone();
            let step = fewer.remove(left_out);
            // If a host stays, mail goes there meanwhile; waiting spares it the whole load.
            let stays = change.from.intersection(&change.to).next().is_some();
            if stays && matches!(step, MoveStep::Wait { .. }) {
                continue;
            }
            assert!(replay(&change, &fewer).is_err(), "{step} can be left out of {steps:#?}");
        }
    }
}

#[test]
fn half_the_wait_is_not_enough() {
    let change = &moves()[0];
    for index in 0..plan_move(change).len() {
        let mut steps = plan_move(change);
        if let MoveStep::Wait { span, .. } = &mut steps[index] {
            *span /= 2;
            assert!(replay(change, &steps).is_err(), "{steps:#?}");
        }
    }
}

#[test]
fn a_move_takes_as_long_as_caches_hold() {
    let steps = plan_move(&moves()[0]);
    assert_eq!(duration(&steps), (RECORD_TTL + MAX_AGE + MX_TTL) * HOUR);
    assert!(plan_move(&change(&["a.example"], &["a.example"], None)).is_empty());
    assert!(plan_move(&change(&["a.example"], &[], None)).is_empty());
    let printed: Vec<String> = steps.iter().map(ToString::to_string).collect();
    assert_eq!(
        printed[1],
        "serve the policy with these hosts, and see it from outside: a.old.example c.new.example"
    );
    assert_eq!(printed[3], "wait 2 d 2 h: policies without the new hosts are remembered");
}
