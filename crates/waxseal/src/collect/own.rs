//! What no mail server can see: failures before a session, and those of policies in testing mode.
//!
//! The role `sender` finds them when it looks a domain up. Each look-up or probe is one observation,
//! and each observation is counted once: not once for each letter that is answered from memory
//! afterwards. What Postfix reports by itself must not be counted here as well. Which that is
//! follows from what Postfix is told:
//!
//! | found | Postfix is told | Postfix makes and reports | here |
//! |---|---|---|---|
//! | policy cannot be fetched, is invalid, bad certificate of the policy host | "not found", or the policy that is remembered | a session, under no policy or that one; the failure is unknown to it | counted |
//! | the same, `on_sts_error = "defer"` | "try later" | nothing: no session | counted |
//! | the same, if a reply ever has `policy_failure` | that | a failure of this type, for each letter | not counted |
//! | signatures of MX or TLSA records are bogus | "try later" | nothing | counted |
//! | no TLSA record is usable | level `dane`, and it looks for itself | a session, `tlsa-invalid` | not counted |
//! | the same, and mail waits for another reason | "try later" | nothing | counted |
//! | policy in testing mode: a host fails it, or meets it | "not found" | a session, under no policy | counted, under that policy |
//! | policy in mode enforce: a host fails it | the policy | the failure | not counted |
//!
//! So a failure is counted by exactly one of the two. A *letter* may stand in two rows, a success
//! without policy (Postfix) and a failure of the policy (here), as RFC 8460 §4.4 has one entry for
//! each policy that applies; the owner of the domain sees that mail came through, and that it would
//! not under `enforce`.
//!
//! Today no reply has `policy_failure` (`answer`), because it would make mail wait that RFC 8461 §5
//! wants delivered. This function knows it all the same, so that nobody has to remember.

use smtp_types::DomainName;
use tlsrpt::{Event, Failure, Outcome, Policy, ResultType, Session};

/// One look-up or one probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The domain that mail goes to.
    pub domain: DomainName,
    /// The text of its TLSRPT record; `None` if nobody has asked for it.
    pub record: Option<Box<str>>,
    /// The policy that was looked for or held against: of MTA-STS without its text if there was
    /// none to be had.
    pub policy: Policy,
    /// How it was found out.
    pub source: Source,
    /// What became of mail.
    pub mail: Mail,
    /// What failed; `None` if nothing did.
    pub failure: Option<Failure>,
}

/// How something was found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// By asking DNS and the policy host.
    LookUp,
    /// By a connection of our own to a mail server of a domain whose policy is in testing mode.
    TestingProbe,
}

/// What became of mail because of what the mail server was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mail {
    /// It waits, and there is no session.
    Waits,
    /// It goes, and the mail server reports its sessions as far as it sees.
    Goes,
    /// It waits, and the mail server reports why, for it was told in `policy_failure`.
    WaitsReported,
}

/// The session that an observation counts as; `None` if it is for the mail server to report it, or
/// nothing happened.
#[must_use]
pub fn event(observation: &Observation) -> Option<Event> {
    let Observation { domain, record, policy, source, mail, failure } = observation;
    let is_ours = match (source, mail, failure.as_ref().map(|failure| &failure.result)) {
        (_, Mail::WaitsReported, _) => false,
        (Source::TestingProbe, _, _) => true,
        (Source::LookUp, _, None) => false,
        (Source::LookUp, _, Some(result)) if is_of_policy(result) => true,
        (Source::LookUp, Mail::Waits, Some(result)) => is_of_dns(result),
        (Source::LookUp, Mail::Goes, Some(_)) => false,
    };
    let outcome = if failure.is_some() { Outcome::Failure } else { Outcome::Success };
    is_ours.then(|| Event {
        domain: domain.clone(),
        record: record.clone(),
        sessions: vec![Session {
            policy: policy.clone(),
            outcome,
            failures: failure.iter().cloned().collect(),
        }],
    })
}

/// RFC 8460 §4.3.2.2: the policy itself was not to be had.
fn is_of_policy(result: &ResultType) -> bool {
    matches!(
        result,
        ResultType::StsPolicyFetchError
            | ResultType::StsPolicyInvalid
            | ResultType::StsWebpkiInvalid
    )
}

/// RFC 8460 §4.3.2.1: DNS did not give what DANE needs.
fn is_of_dns(result: &ResultType) -> bool {
    matches!(result, ResultType::DnssecInvalid | ResultType::DaneRequired | ResultType::TlsaInvalid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ResultType::{
        CertificateExpired, DaneRequired, DnssecInvalid, StarttlsNotSupported, StsPolicyFetchError,
        StsPolicyInvalid, StsWebpkiInvalid, TlsaInvalid,
    };

    fn counted(source: Source, mail: Mail, result: Option<ResultType>) -> Option<Outcome> {
        let domain = DomainName::parse("a.test").unwrap();
        let policy = Policy::none_of(domain.clone());
        let failure = result.map(Failure::of);
        let record = Some("v=TLSRPTv1; rua=mailto:a@b.test".into());
        let observation = Observation { domain, record, policy, source, mail, failure };
        let event = event(&observation)?;
        assert_eq!((&event.domain, &event.record), (&observation.domain, &observation.record));
        let [session] = &*event.sessions else { panic!("{event:?}") };
        assert_eq!(session.policy, observation.policy);
        assert_eq!(session.failures, Vec::from_iter(observation.failure));
        Some(session.outcome)
    }

    /// The table above.
    #[test]
    fn a_failure_is_counted_by_us_or_by_the_mail_server() {
        let by_us = Some(Outcome::Failure);
        for result in [StsPolicyFetchError, StsPolicyInvalid, StsWebpkiInvalid] {
            for mail in [Mail::Goes, Mail::Waits] {
                assert_eq!(counted(Source::LookUp, mail, Some(result.clone())), by_us);
            }
            assert_eq!(counted(Source::LookUp, Mail::WaitsReported, Some(result)), None);
        }
        for result in [DnssecInvalid, TlsaInvalid, DaneRequired] {
            assert_eq!(counted(Source::LookUp, Mail::Waits, Some(result.clone())), by_us);
            assert_eq!(counted(Source::LookUp, Mail::Goes, Some(result)), None);
        }
        for result in [CertificateExpired, StarttlsNotSupported] {
            assert_eq!(counted(Source::TestingProbe, Mail::Goes, Some(result.clone())), by_us);
            for mail in [Mail::Goes, Mail::Waits] {
                assert_eq!(counted(Source::LookUp, mail, Some(result.clone())), None);
            }
        }
        assert_eq!(counted(Source::TestingProbe, Mail::Goes, None), Some(Outcome::Success));
        assert_eq!(counted(Source::LookUp, Mail::Goes, None), None);
    }
}
