//! Timelines: files in which days have events and expectations.

use std::fs;
use std::path::Path;

use rollout::sts::{Goal, ReportAddress, StepBack};

use crate::world::{World, intent, name, probe};

/// `day N: words`, sorted by day. Events of a day happen at its beginning, expectations at its end.
#[test]
fn every_timeline_runs_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sts/timelines");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|one| one.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 6);
    let faults: Vec<String> = paths.iter().filter_map(|path| run(path).err()).collect();
    assert_eq!(faults, [""; 0]);
}

fn run(path: &Path) -> Result<(), String> {
    let text = fs::read_to_string(path).unwrap();
    let mut world = World::new(&["mx1.example.com"]);
    let mut today = 0;
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let (day, words) =
            line.strip_prefix("day ").and_then(|rest| rest.split_once(": ")).unwrap();
        let day: u64 = day.parse().unwrap();
        assert!(day >= today, "{path:?}:{}: days go on", index + 1);
        world.run_days(day - today);
        today = day;
        let words: Vec<&str> = words.split_whitespace().collect();
        let place = |fault| format!("{}:{}: {fault}", path.display(), index + 1);
        play(&mut world, &words).map_err(place)?;
    }
    Ok(())
}

fn play(world: &mut World, words: &[&str]) -> Result<(), String> {
    match words {
        ["declare", "climb", hosts @ ..] => world.intent = intent(hosts, Goal::FULL),
        ["declare", "testing", hosts @ ..] => world.intent = intent(hosts, Goal::Testing),
        ["declare", "withdraw"] => world.intent = intent(&[], Goal::Withdraw),
        ["mx", hosts @ ..] => {
            world.mx = hosts.iter().map(|host| (name(host), probe("good"))).collect();
        }
        ["follow-mx"] => world.follow_mx = true,
        ["probe", host, found] => drop(world.mx.insert(name(host), probe(found))),
        ["report", reporter] => world.report(reporter, &[]),
        ["report", reporter, failure, count] => {
            world.report(reporter, &[(failure, count.parse().unwrap())]);
        }
        ["reports", "missing"] => world.report_address = ReportAddress::Missing,
        ["step-back", "never"] => world.settings.step_back = StepBack::Never,
        ["step-back", "reports"] => world.settings.step_back = StepBack::OnReportsToo,
        ["policy-host", "down"] => world.host_down = true,
        ["policy-host", "up"] => world.host_down = false,
        ["lag", server, days] => {
            let days: u64 = days.parse().unwrap();
            world.servers[server.parse::<usize>().unwrap()].lag = days * 86_400;
        }
        ["forget-log"] => world.log.clear(),
        ["expect", "said", code] if !world.said(code) => {
            return Err(format!(
                "expected {code}, found {:?}",
                world.log.iter().rev().take(5).collect::<Vec<_>>()
            ));
        }
        ["expect", "silent", code] if world.said(code) => return Err(format!("{code} was said")),
        ["expect", "said" | "silent", _] => {}
        ["expect", "hosts", hosts @ ..] => {
            let found: Vec<String> = world
                .state
                .policy()
                .map(|policy| policy.mx().iter().map(ToString::to_string).collect())
                .unwrap_or_default();
            if found != hosts {
                return Err(format!("expected {hosts:?}, found {found:?}"));
            }
        }
        ["expect", "mx", hosts @ ..] => {
            let found: Vec<&str> = world.mx.keys().map(|host| host.as_str()).collect();
            if found != hosts {
                return Err(format!("expected {hosts:?}, found {found:?}"));
            }
        }
        ["expect", "no", "refusal"] if !world.refused.is_empty() => {
            return Err(format!("{:?}", world.refused));
        }
        ["expect", "no", "refusal"] => {}
        ["expect", level @ ..] if world.level() != level.join(" ") => {
            return Err(format!(
                "expected {}, found {}: {:?}",
                level.join(" "),
                world.level(),
                world.log.last()
            ));
        }
        ["expect", ..] => {}
        _ => return Err(format!("unknown words {words:?}")),
    }
    Ok(())
}
