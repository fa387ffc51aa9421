//! What a report of somebody else says: the model of [`aggregate`](super::super::aggregate), in
//! which everything can be missing.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::net::IpAddr;

use smtp_types::{DnsName, DomainName, EmailAddress, UnixTime};

use super::super::words::words;
use super::super::{
    AlignmentMode, Discovery, Disposition, DkimResult, DmarcResult, FailureOption, Policy, Remark,
    SpfResult, Testing, Text,
};
use super::Quirks;

/// An aggregate report that somebody else has made, without its records: those were handed out
/// while it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceivedReport {
    /// The namespace that it names.
    pub namespace: Namespace,
    /// Who reports.
    pub metadata: ReceivedMetadata,
    /// The policy that he has found.
    pub policy: ReceivedPolicy,
    /// The sums over all records.
    pub totals: Totals,
    /// What was not as it should be.
    pub quirks: Quirks,
}

/// The namespace of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Namespace {
    /// None, or that of RFC 7489 or its drafts, or one that nobody knows.
    #[default]
    Older,
    /// That of RFC 9990, `urn:ietf:params:xml:ns:dmarc-2.0`. Some reporters used it years before.
    Dmarc2,
}

/// Who reports, and about which time (RFC 9990 §3.1.1.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceivedMetadata {
    /// The name of the reporting organization.
    pub org_name: Option<Text>,
    /// Where to ask about the report.
    pub email: Option<EmailAddress>,
    /// More about where to ask.
    pub extra_contact_info: Option<Text>,
    /// The name of the report, in whatever form.
    pub report_id: Option<Text>,
    /// The first second of the period.
    pub begin: Option<UnixTime>,
    /// The last second of the period.
    pub end: Option<UnixTime>,
    /// What the reporter found wrong with the DMARC record; at most 16.
    pub errors: Vec<Text>,
    /// Name and version of the program that made the report.
    pub generator: Option<Text>,
}

/// The policy that the reporter has found (RFC 9990 §3.1.1.5, RFC 7489 Appendix C).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceivedPolicy {
    /// Where the record stands: the DMARC policy domain.
    pub domain: Option<DomainName>,
    /// For mail from the domain itself.
    pub p: Option<Policy>,
    /// For mail from domains below it.
    pub sp: Option<Policy>,
    /// For mail from domains below it that do not exist.
    pub np: Option<Policy>,
    /// The alignment mode of DKIM. `None`: not said, which means relaxed.
    pub adkim: Option<AlignmentMode>,
    /// The alignment mode of SPF. `None`: not said, which means relaxed.
    pub aspf: Option<AlignmentMode>,
    /// How the record was found.
    pub discovery: Option<Discovery>,
    /// When failure reports are wanted. Empty if not said.
    pub fo: BTreeSet<FailureOption>,
    /// Whether the policy is only tested.
    pub testing: Option<Testing>,
    /// To how many percent of the mail the policy applies, 0 to 100; RFC 7489 only.
    pub pct: Option<u8>,
}

/// The sums over all records. All but `records` count messages. They saturate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// How many records there are.
    pub records: u64,
    /// How many messages they are about.
    pub messages: u64,
    /// With disposition `none`.
    pub none: u64,
    /// With disposition `pass`.
    pub pass: u64,
    /// With disposition `quarantine`.
    pub quarantine: u64,
    /// With disposition `reject`.
    pub reject: u64,
    /// Without a disposition, or with one that nobody knows.
    pub unknown: u64,
    /// With an aligned pass of DKIM.
    pub dkim_pass: u64,
    /// With an aligned pass of SPF.
    pub spf_pass: u64,
    /// With an aligned pass of DKIM or SPF, or both.
    pub dmarc_pass: u64,
}

impl Totals {
    /// Adds a record.
    pub(super) const fn add(&mut self, record: &ReceivedRecord) {
        let count = record.count;
        self.records = self.records.saturating_add(1);
        self.messages = self.messages.saturating_add(count);
        let disposition = match record.disposition {
            Some(Disposition::None) => &mut self.none,
            Some(Disposition::Pass) => &mut self.pass,
            Some(Disposition::Quarantine) => &mut self.quarantine,
            Some(Disposition::Reject) => &mut self.reject,
            None => &mut self.unknown,
        };
        *disposition = disposition.saturating_add(count);
        if matches!(record.dkim, Some(DmarcResult::Pass)) {
            self.dkim_pass = self.dkim_pass.saturating_add(count);
        }
        if matches!(record.spf, Some(DmarcResult::Pass)) {
            self.spf_pass = self.spf_pass.saturating_add(count);
        }
        if record.passed() {
            self.dmarc_pass = self.dmarc_pass.saturating_add(count);
        }
    }
}

/// So many messages were like this, says the reporter (RFC 9990 §3.1.1.7).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceivedRecord {
    /// The address that connected.
    pub source_ip: Option<IpAddr>,
    /// How many messages. 0 if that was no number.
    pub count: u64,
    /// What was done with them.
    pub disposition: Option<Disposition>,
    /// Whether DKIM gave an aligned pass.
    pub dkim: Option<DmarcResult>,
    /// Whether SPF gave an aligned pass.
    pub spf: Option<DmarcResult>,
    /// Why something else was done than the domain asks for.
    pub reasons: Vec<ReceivedReason>,
    /// The domain in the From field.
    pub header_from: Option<DomainName>,
    /// The domain of the return path. `None` also if the return path is null.
    pub envelope_from: Option<DomainName>,
    /// The domain of the recipient.
    pub envelope_to: Option<DomainName>,
    /// The DKIM signatures, in the order of the report.
    pub dkim_results: Vec<ReceivedDkim>,
    /// What SPF said; one, or by RFC 7489 also one for HELO.
    pub spf_results: Vec<ReceivedSpf>,
}

impl ReceivedRecord {
    /// Whether DMARC passed: DKIM or SPF gave an aligned pass.
    #[must_use]
    pub const fn passed(&self) -> bool {
        matches!(self.dkim, Some(DmarcResult::Pass)) || matches!(self.spf, Some(DmarcResult::Pass))
    }
}

words! {
    /// Why something else was done than the domain asks for: the types of RFC 9990 §3.1.6 and the
    /// two that only RFC 7489 Appendix C has.
    GivenReason {
        /// The receiver's own rules exempted the message.
        LocalPolicy = "local_policy",
        /// The message came through a mailing list.
        MailingList = "mailing_list",
        /// Something else, or a type that nobody knows.
        Other = "other",
        /// The domain only tests its policy (`t=y`).
        PolicyTestMode = "policy_test_mode",
        /// The message came from a forwarder that the receiver knows and trusts.
        TrustedForwarder = "trusted_forwarder",
        /// The message was forwarded, as far as the receiver can tell (RFC 7489).
        Forwarded = "forwarded",
        /// The message was among those that `pct` spares (RFC 7489).
        SampledOut = "sampled_out",
    }
}

words! {
    /// Which identity SPF was checked for (RFC 7489 Appendix C; RFC 9990 has the first only).
    SpfScope {
        /// The return path.
        MailFrom = "mfrom",
        /// The name in HELO or EHLO.
        Helo = "helo",
    }
}

/// One reason of an override.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedReason {
    /// Its kind.
    pub kind: GivenReason,
    /// More, for people.
    pub comment: Option<Remark>,
}

/// One DKIM signature (RFC 9990 §3.1.1.12).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceivedDkim {
    /// Its domain, the tag `d`.
    pub domain: Option<DnsName>,
    /// Its selector, the tag `s`; optional in RFC 7489.
    pub selector: Option<DnsName>,
    /// What came of it.
    pub result: Option<DkimResult>,
    /// More, for people.
    pub human_result: Option<Remark>,
}

/// One result of SPF (RFC 9990 §3.1.1.13).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceivedSpf {
    /// The domain that was checked.
    pub domain: Option<DnsName>,
    /// For which identity, if that is said.
    pub scope: Option<SpfScope>,
    /// What came of it.
    pub result: Option<SpfResult>,
    /// More, for people.
    pub human_result: Option<Remark>,
}
