//! The same case files without network: their answers are given to the decision, and what it says
//! is compared with the answer that Postfix must get.
//!
//! A case with a healthy time is judged twice, an hour apart, and the second time remembers what
//! the first has learned. A question that a case does not answer fails it: the decision asks for
//! something that nobody thought of.

mod answers;

use answers::{DnsAnswers, known};
use e2e::case::{Case, HttpsAnswer};
use e2e::load;
use mta_sts::Refresh;
use smtp_types::{NextHop, UnixTime};
use std::process::ExitCode;
use transport_policy::{Answer, Decision, Memory, Settings, decide, gather};

const EARLIER: UnixTime = UnixTime(1_800_000_000);
const AT_DELIVERY: UnixTime = UnixTime(1_800_003_600);

fn main() -> ExitCode {
    let cases = match load::all() {
        Ok(cases) => cases,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let mut failed = 0;
    for case in cases.iter().map(|numbered| &numbered.case) {
        if let Err(difference) = judge(case) {
            failed += 1;
            println!("FAILED {}: {difference}", case.name());
        }
    }
    println!("{} passed, {failed} failed", cases.len() - failed);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Decides a case, and compares.
fn judge(case: &Case) -> Result<(), String> {
    let mut memory = Memory::default();
    if let Some(earlier) = &case.earlier {
        (_, memory) = at(case, &earlier.dns, earlier.https.as_ref(), &memory, EARLIER)?;
    }
    let (decision, _) = at(case, &case.dns, case.https.as_ref(), &memory, AT_DELIVERY)?;
    let found = query_reply(&decision.answer);
    if found == case.expect.query {
        return Ok(());
    }
    let reasons: Vec<String> = decision.reasons.iter().map(ToString::to_string).collect();
    let expected = &case.expect.query;
    Err(format!("expected {expected}, found {found}, because: {}", reasons.join("; ")))
}

/// The decision at one time, and what is remembered after it.
fn at(
    case: &Case,
    dns: DnsAnswers<'_>,
    https: Option<&HttpsAnswer>,
    memory: &Memory,
    now: UnixTime,
) -> Result<(Decision, Memory), String> {
    let next_hop = NextHop::parse(&case.domain).map_err(|error| error.to_string())?;
    let known = known(case, dns, https)?;
    let facts = gather(&known, &next_hop, memory, Refresh::IfChanged, now)
        .map_err(|need| format!("the case has no answer to the question {need}"))?;
    let policy = facts.sts.to_cache(now).or_else(|| memory.policy.clone());
    let decision = decide(&facts, Settings::default(), None);
    Ok((decision, Memory { policy, failed: None }))
}

/// What Postfix's plain question is answered with.
fn query_reply(answer: &Answer) -> String {
    match answer {
        Answer::NoPolicy => "NOTFOUND".to_owned(),
        Answer::Defer => "TEMP".to_owned(),
        Answer::Dane | Answer::DaneOnly => format!("OK {}", answer.as_str()),
        Answer::Secure(policy) => {
            let names = policy.mx().iter().map(|pattern| {
                let dot = if pattern.is_wildcard() { "." } else { "" };
                format!("{dot}{}", pattern.name())
            });
            let names: Vec<String> = names.collect();
            format!("OK secure match={} servername=hostname", names.join(":"))
        }
        Answer::Fixed(_) => "an answer by the operator, of whom no case speaks".to_owned(),
    }
}
