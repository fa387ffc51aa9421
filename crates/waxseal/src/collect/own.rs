//! What no mail server can see: policies that cannot be had, and policies in mode testing.
//!
//! The role `sender` finds these out when it looks a domain up, and tells each once, when it is
//! found: a fetch that failed, not again for each letter that is answered from memory; a mail host
//! in mode testing once in an hour. Here they become sessions like those that mail servers tell.
//!
//! What Postfix reports by itself must not be counted a second time. Which that is follows from what
//! it is told:
//!
//! | found | Postfix is told | Postfix makes and reports | here |
//! |---|---|---|---|
//! | policy cannot be fetched or is invalid, or the certificate of its host is | "not found", or the policy that is remembered | a session, under no policy or that one; of the failure it knows nothing | counted |
//! | the same with `on_sts_error = "defer"` | "try later" | nothing, for there is no session | counted |
//! | mode testing: a host fails the policy, or meets it | "not found" | a session, under no policy | counted, under that policy |
//! | mode enforce: a host fails the policy | the policy | the failure | not told by `sender` |
//! | no TLSA record of a host is usable | level `dane`; it looks for itself | a session, with `tlsa-invalid` | not told by `sender` |
//!
//! So a *failure* is counted by exactly one of the two. One *letter* may stand under two policies,
//! as a success without policy (Postfix) and as a failure of the policy (here); a report has an entry
//! for each policy (RFC 8460 §4.4), and its reader sees that mail came through, and that it would
//! not under `enforce`.
//!
//! No reply of ours has `policy_failure` (see `answer`): Postfix would make mail wait that RFC 8461
//! §5.1 wants delivered, and it would report the failure. If that ever changes, the first two rows
//! must not be counted here.

use mta_sts::MxPattern;
use smtp_types::DomainName;
use tlsrpt::{Event, Failure, Outcome, Policy, PolicyType, Session};

use crate::sender::Observation;

/// How many lines of a policy a report gets; as many as of one that Postfix tells.
const MAX_LINES: usize = 100;

/// The session that an observation counts as.
#[must_use]
pub fn event(observation: &Observation) -> Event {
    let Observation { policy_domain: domain, policy, mx, failure, .. } = observation;
    let failures = failure.iter().map(|failure| {
        let reason = Some(failure.reason_code.as_str().into());
        let bare = Failure { reason, ..Failure::of(failure.result_type.clone()) };
        match mx {
            None => bare,
            Some(mx) => Failure {
                sending_ip: mx.sending,
                mx_hostname: Some(mx.host.as_str().into()),
                // As of what mail servers tell: a name or nothing.
                mx_helo: mx.helo.as_deref().filter(|name| is_name(name)).map(Into::into),
                receiving_ip: mx.receiving,
                ..bare
            },
        }
    });
    let session = Session {
        policy: sts(domain, policy.as_ref()),
        outcome: if failure.is_some() { Outcome::Failure } else { Outcome::Success },
        failures: failures.collect(),
    };
    // Its record is looked up when the report is made.
    Event { domain: domain.clone(), record: None, sessions: vec![session] }
}

fn is_name(text: &str) -> bool {
    DomainName::parse(text).is_ok()
}

/// The policy in the words of reports, as Postfix tells it after it was told by us. One that could
/// not be had has no text.
fn sts(domain: &DomainName, policy: Option<&mta_sts::Policy>) -> Policy {
    let lines = policy.into_iter().flat_map(mta_sts::Policy::lines);
    let patterns = policy.map(mta_sts::Policy::mx).unwrap_or_default().iter();
    Policy {
        kind: PolicyType::Sts,
        domain: Some(domain.clone()),
        strings: lines.take(MAX_LINES).map(Into::into).collect(),
        mx: patterns.map(MxPattern::to_string).take(MAX_LINES).map(Into::into).collect(),
    }
    .canonical()
}

#[cfg(test)]
mod tests {
    use smtp_types::UnixTime;
    use tlsrpt::ResultType;

    use super::*;
    use crate::sender::{ObservedFailure, ObservedMx};

    fn observation() -> Observation {
        let domain = DomainName::parse("a.test").unwrap();
        let (at, policy, mx) = (UnixTime(86_400), None, None);
        Observation { at, policy_domain: domain, policy, mx, failure: None }
    }

    fn failed(result_type: ResultType, reason_code: &str) -> Option<ObservedFailure> {
        let (reason_code, detail) = (reason_code.to_owned(), String::new());
        Some(ObservedFailure { result_type, reason_code, detail })
    }

    /// Policy, outcome and failures of the one session, as lines.
    fn session(observation: &Observation) -> (String, Outcome, Vec<String>) {
        let event = event(observation);
        assert_eq!((event.domain, event.record), (observation.policy_domain.clone(), None));
        let [session] = &*event.sessions else { panic!("one session") };
        let failures = session.failures.iter().map(Failure::to_line).collect();
        (session.policy.to_line(), session.outcome, failures)
    }

    #[test]
    fn a_policy_that_cannot_be_had() {
        for (result, code) in [
            (ResultType::StsPolicyFetchError, "status-500"),
            (ResultType::StsPolicyInvalid, "several-records"),
            (ResultType::StsWebpkiInvalid, "certificate-expired"),
        ] {
            let expected = format!("f1 {result} - - - - - {code}");
            let observation = Observation { failure: failed(result, code), ..observation() };
            let policy = "p1 sts a.test - -".to_owned();
            assert_eq!(session(&observation), (policy, Outcome::Failure, vec![expected]));
        }
    }

    #[test]
    fn a_host_in_mode_testing() {
        let text = b"version: STSv1\nmode: testing\nmx: mx.a.test\nmx: *.b.test\nmax_age: 86400\n";
        let meets = Observation {
            policy: Some(mta_sts::Policy::parse(text).unwrap()),
            mx: Some(ObservedMx {
                host: DomainName::parse("mx.a.test").unwrap(),
                helo: Some("mail.a.test".to_owned()),
                receiving: "192.0.2.1".parse().ok(),
                sending: "2001:db8::1".parse().ok(),
            }),
            ..observation()
        };
        let policy = "p1 sts a.test *.b.test,mx.a.test \
                      version:%20STSv1,mode:%20testing,mx:%20mx.a.test,mx:%20*.b.test,\
                      max_age:%2086400"
            .to_owned();
        assert_eq!(session(&meets), (policy.clone(), Outcome::Success, vec![]));
        let failure = failed(ResultType::CertificateExpired, "certificate-expired");
        let mut fails = Observation { failure, ..meets };
        let failure = "f1 certificate-expired 2001:db8::1 mx.a.test mail.a.test 192.0.2.1 - \
                       certificate-expired";
        assert_eq!(session(&fails), (policy, Outcome::Failure, vec![failure.to_owned()]));
        for odd in ["jane@a.test", "hello!", ""] {
            fails.mx.as_mut().unwrap().helo = Some(odd.to_owned());
            assert!(session(&fails).2[0].contains(" mx.a.test - 192.0.2.1 "), "{odd}");
        }
    }
}
