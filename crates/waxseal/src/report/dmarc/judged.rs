//! From a message that was judged to what a report says of it: pure.

use std::net::IpAddr;

use sender_auth::dkim::{DkimResult, SignatureResult};
use sender_auth::dmarc::{
    self, Alignment, AppliedPolicy, CheckedIdentity, Evaluation, Misalignment, TestMode,
};
use sender_auth::report::guard::{
    Circumstances, Client, Contact, Envelope, Outcome, ReportAddresses, Wish, kind, trigger,
};
use sender_auth::report::{
    AlignmentMode, AuthResults, Disposition, DkimAuth, DkimResult as ReportedDkim, DmarcResult,
    EnvelopeTo, FailureOption, Identifiers, Looks, Observation, Policy, PolicyEvaluated,
    PolicyPublished, Reason, ReasonType, Reasons, Remark, Row, Signature, SignatureAlignment,
    Signatures, SpfAuth, SpfResult as ReportedSpf, Testing, Trigger,
};
use sender_auth::spf::SpfResult;
use sender_auth::{Authentication, Header};
use smtp_types::{DnsName, DomainName, EmailAddress, UnixTime};

use crate::gate::decide::{Action, Decision, Reason as Why};

/// How many recipients are looked at, to know whether a message is a report.
const MAX_RECIPIENTS: usize = 100;

/// A message that was judged.
#[derive(Clone, Copy, Debug)]
pub struct Judged<'j> {
    /// When it came.
    pub at: UnixTime,
    /// The address of the client.
    pub address: IpAddr,
    /// Whether the client is one of ours.
    pub client: Client,
    /// The return path as it came, without angle brackets; empty if it is null.
    pub mail_from: &'j [u8],
    /// The recipients as they came, without angle brackets.
    pub recipients: &'j [&'j [u8]],
    /// The header.
    pub header: &'j Header,
    /// What the checks have found.
    pub authentication: &'j Authentication,
    /// Whether it looks forwarded.
    pub looks: &'j Looks,
    /// What DMARC came to here, and why.
    pub decision: &'j Decision,
    /// What was done with it in the end, by anyone who had a say: whoever refuses it as spam, or
    /// for an attachment, says so here.
    pub outcome: Outcome,
}

/// What a report says of a message, for one domain that people see as its author.
pub(super) struct Seen<'j> {
    /// The row, and when, and the policy. Its trigger is that of a stranger.
    pub(super) observation: Observation,
    /// The policy as it was found.
    pub(super) policy: &'j AppliedPolicy,
}

impl Judged<'_> {
    /// What is to be told of the message: for nearly all messages of one domain or none.
    ///
    /// Nothing is told of a message that was deferred, for it comes again.
    pub(super) fn seen(&self, own: &ReportAddresses) -> Vec<Seen<'_>> {
        if self.decision.action == Action::Defer {
            return Vec::new();
        }
        let evaluations = self.authentication.dmarc.evaluations.iter();
        let policies = evaluations.filter_map(|found| Some((found, found.policy.as_ref()?)));
        let mut seen = Vec::new();
        for (evaluation, policy) in policies {
            let row = self.row(evaluation, policy);
            let dmarc = if row.passed() { DmarcResult::Pass } else { DmarcResult::Fail };
            let trigger = self.trigger(policy, dmarc, own);
            let policy_published = published(policy);
            let observation = Observation { at: self.at, policy: policy_published, row, trigger };
            seen.push(Seen { observation, policy });
        }
        seen
    }

    /// As if nothing was known of the domain: whether it has ever sent anything good is asked when
    /// the day is over.
    fn trigger(
        &self,
        policy: &AppliedPolicy,
        dmarc: DmarcResult,
        own: &ReportAddresses,
    ) -> Trigger {
        let wants = policy.record.rua().iter().any(|uri| uri.address().is_some());
        if !wants {
            return trigger(Circumstances {
                wish: Wish::Nothing,
                kind: sender_auth::report::guard::Kind::Ordinary,
                outcome: self.outcome,
                dmarc,
                contact: Contact::None,
            });
        }
        let mail_from = address(self.mail_from);
        let recipients: Vec<EmailAddress> =
            self.recipients.iter().take(MAX_RECIPIENTS).filter_map(|to| address(to)).collect();
        let envelope = Envelope {
            client: self.client,
            mail_from: mail_from.as_ref(),
            recipients: &recipients,
        };
        trigger(Circumstances {
            wish: Wish::Reports,
            kind: kind(envelope, self.header, own),
            outcome: self.outcome,
            dmarc,
            contact: Contact::None,
        })
    }

    fn row(&self, evaluation: &Evaluation, policy: &AppliedPolicy) -> Row {
        let passed = |one: &CheckedIdentity| one.is_aligned_pass();
        let result = |passed| if passed { DmarcResult::Pass } else { DmarcResult::Fail };
        let dkim = result(evaluation.dkim.iter().any(passed));
        let spf = result(evaluation.spf.as_ref().is_some_and(passed));
        let mut row = Row::new(self.address, evaluation.author.clone()).evaluated(dkim, spf);
        let (disposition, reasons) = self.applied(row.passed(), policy);
        row.evaluated = PolicyEvaluated { disposition, dkim, spf, reasons };
        row.identifiers = Identifiers {
            header_from: evaluation.author.clone(),
            envelope_from: domain_of(self.mail_from),
            envelope_to: EnvelopeTo::Withheld,
        };
        let signatures = self.authentication.dkim.iter();
        let signatures = signatures.filter_map(|one| signature(one, evaluation));
        row.auth_results = AuthResults {
            dkim: Signatures::new(signatures),
            spf: self.authentication.spf.as_ref().and_then(|spf| {
                Some(SpfAuth {
                    domain: spf.mail_from.domain.as_ref()?.into(),
                    result: reported_spf(spf.mail_from.result),
                    human_result: None,
                })
            }),
        };
        row
    }

    /// What was done with the message because of DMARC (RFC 9990 §3.1.1.9), and why something else
    /// than its owner asks for (§3.1.6).
    fn applied(&self, passed: bool, policy: &AppliedPolicy) -> (Disposition, Reasons) {
        let because = |kind, comment: &str| Reason { kind, comment: Remark::parse(comment).ok() };
        if passed {
            let enforcing = policy.requested != dmarc::Policy::None;
            // Of several authors, another may have failed, or the number itself is refused.
            return match self.decision.action {
                Action::Quarantine | Action::Reject => (
                    disposition(self.decision.action),
                    Reasons::new([because(ReasonType::LocalPolicy, "several authors")]),
                ),
                Action::Accept | Action::Defer if enforcing => {
                    (Disposition::Pass, Reasons::default())
                }
                Action::Accept | Action::Defer => (Disposition::None, Reasons::default()),
            };
        }
        let mut reasons = Vec::new();
        let applied = disposition(self.decision.action);
        match &self.decision.reason {
            Why::Vouched(_) => reasons.push(
                self.looks.reason().unwrap_or_else(|| because(ReasonType::TrustedForwarder, "")),
            ),
            Why::Local(_) => reasons.push(because(ReasonType::LocalPolicy, "override")),
            Why::NoAuthor => reasons.push(because(ReasonType::LocalPolicy, "no single author")),
            Why::SeveralAuthors => {
                reasons.push(because(ReasonType::LocalPolicy, "several authors"));
            }
            Why::Temperror => reasons.push(because(ReasonType::Other, "temporary error")),
            Why::Passed | Why::NoPolicy | Why::Asked(_) | Why::SpfFail => {
                if applied != asked(policy.requested) {
                    reasons.push(because(ReasonType::LocalPolicy, ""));
                }
            }
        }
        let tests = policy.record.test_mode() == TestMode::Testing;
        if tests && policy.requested != policy.published && reasons.is_empty() {
            reasons.push(because(ReasonType::PolicyTestMode, ""));
        }
        (applied, Reasons::new(reasons))
    }
}

const fn disposition(action: Action) -> Disposition {
    match action {
        Action::Accept | Action::Defer => Disposition::None,
        Action::Quarantine => Disposition::Quarantine,
        Action::Reject => Disposition::Reject,
    }
}

const fn asked(policy: dmarc::Policy) -> Disposition {
    match policy {
        dmarc::Policy::None => Disposition::None,
        dmarc::Policy::Quarantine => Disposition::Quarantine,
        dmarc::Policy::Reject => Disposition::Reject,
    }
}

/// The policy in the words of reports.
fn published(policy: &AppliedPolicy) -> PolicyPublished {
    let record = &policy.record;
    let word = |policy| match policy {
        dmarc::Policy::None => Policy::None,
        dmarc::Policy::Quarantine => Policy::Quarantine,
        dmarc::Policy::Reject => Policy::Reject,
    };
    let mode = |mode| match mode {
        dmarc::AlignmentMode::Relaxed => AlignmentMode::Relaxed,
        dmarc::AlignmentMode::Strict => AlignmentMode::Strict,
    };
    let options = [
        (dmarc::FailureOption::All, FailureOption::All),
        (dmarc::FailureOption::Any, FailureOption::Any),
        (dmarc::FailureOption::Dkim, FailureOption::Dkim),
        (dmarc::FailureOption::Spf, FailureOption::Spf),
    ];
    let p = record.policy().unwrap_or(dmarc::Policy::None);
    let mut published = PolicyPublished::new(policy.domain.clone(), word(p));
    published.sp = record.sp().map(word);
    published.np = record.np().map(word);
    published.adkim = mode(record.dkim_alignment());
    published.aspf = mode(record.spf_alignment());
    published.testing = match record.test_mode() {
        TestMode::Testing => Testing::Yes,
        TestMode::Applied => Testing::No,
    };
    if let Some(wanted) = record.failure_options() {
        let wanted = options.into_iter().filter(|(option, _)| wanted.contains(*option));
        published.fo = wanted.map(|(_, option)| option).collect();
    }
    published
}

/// A signature that names a domain and a selector; others are of no use to anybody.
fn signature(result: &SignatureResult, evaluation: &Evaluation) -> Option<Signature> {
    let domain = result.domain.as_ref()?;
    let selector = DnsName::parse(result.selector.as_ref()?.as_str()).ok()?;
    let auth = DkimAuth {
        domain: domain.into(),
        selector,
        result: reported_dkim(result.result()),
        human_result: None,
    };
    Some(Signature { auth, alignment: alignment(domain, evaluation) })
}

/// Whatever `adkim` asks for.
fn alignment(domain: &DomainName, evaluation: &Evaluation) -> SignatureAlignment {
    if *domain == evaluation.author {
        return SignatureAlignment::Strict;
    }
    let found = evaluation.dkim.iter().find(|one| one.domain == *domain);
    match found.and_then(|found| found.alignment.as_ref()) {
        Some(Alignment::Relaxed { .. }) => SignatureAlignment::Relaxed,
        Some(Alignment::None(Misalignment::StrictMode)) => {
            let organization = evaluation.organizational_domain.as_ref().ok();
            let rest = organization.and_then(|org| domain.as_str().strip_suffix(org.as_str()));
            match rest {
                Some(rest) if rest.is_empty() || rest.ends_with('.') => SignatureAlignment::Relaxed,
                _ => SignatureAlignment::None,
            }
        }
        Some(Alignment::Strict | Alignment::None(_) | Alignment::Unknown(_)) | None => {
            SignatureAlignment::None
        }
    }
}

const fn reported_spf(result: SpfResult) -> ReportedSpf {
    match result {
        SpfResult::None => ReportedSpf::None,
        SpfResult::Neutral => ReportedSpf::Neutral,
        SpfResult::Pass => ReportedSpf::Pass,
        SpfResult::Fail => ReportedSpf::Fail,
        SpfResult::Softfail => ReportedSpf::SoftFail,
        SpfResult::Temperror => ReportedSpf::TempError,
        SpfResult::Permerror => ReportedSpf::PermError,
    }
}

const fn reported_dkim(result: DkimResult) -> ReportedDkim {
    match result {
        DkimResult::None => ReportedDkim::None,
        DkimResult::Pass => ReportedDkim::Pass,
        DkimResult::Fail => ReportedDkim::Fail,
        DkimResult::Policy => ReportedDkim::Policy,
        DkimResult::Neutral => ReportedDkim::Neutral,
        DkimResult::TempError => ReportedDkim::TempError,
        DkimResult::PermError => ReportedDkim::PermError,
    }
}

/// An address as far as it matters: one that is not null but that we cannot read is that of
/// somebody, so its local part is replaced, and an unreadable domain, too.
pub(super) fn address(octets: &[u8]) -> Option<EmailAddress> {
    if octets.is_empty() {
        return None;
    }
    let read = |text: &str| EmailAddress::parse(text).ok();
    let domain = || read(&format!("unreadable@{}", domain_of(octets)?));
    std::str::from_utf8(octets)
        .ok()
        .and_then(read)
        .or_else(domain)
        .or_else(|| read("unreadable@unreadable.invalid"))
}

/// What stands behind the last `@`, if it is a domain.
fn domain_of(octets: &[u8]) -> Option<DomainName> {
    let text = std::str::from_utf8(octets).ok()?;
    DomainName::parse(text.rsplit_once('@')?.1).ok()
}

#[cfg(test)]
mod tests;
