//! What an aggregate report says (RFC 9990 §3.1): who reports, what was published, what was seen.
//!
//! A report is about one policy domain on one day. It is a table: each [`Record`] says that so
//! many messages had these properties, its [`Row`]. A row has nothing in it that belongs to one
//! message only, and no field for an address of a person: a domain is all that the types can hold.
//!
//! The order of fields is that of the schema (RFC 9990 Appendix A). [`write_xml`](super::write_xml)
//! prints a report.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::net::IpAddr;

use smtp_types::{DnsName, DomainName, EmailAddress};

use super::{
    AlignmentMode, Coarseness, Day, Discovery, Disposition, DkimResult, DmarcResult, FailureOption,
    Policy, ReasonType, Remark, ReportId, SpfResult, Testing, Text,
};

/// How many DKIM signatures a row names at most (RFC 9990 §3.1.3).
pub const MAX_SIGNATURES: usize = 100;

/// How many reasons a row names at most; there are five types, and no more are kept.
const MAX_REASONS: usize = 5;

/// An aggregate report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Who reports.
    pub metadata: Metadata,
    /// The period.
    pub day: Day,
    /// The policy of the domain, as last seen on that day (RFC 9990 §3.1).
    pub policy: PolicyPublished,
    /// What was seen; a report without records says nothing and is not schema-valid.
    pub records: Vec<Record>,
}

impl Report {
    /// How many messages it is about. Saturates.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.records.iter().fold(0, |sum, record| sum.saturating_add(record.count))
    }
}

/// Who reports (RFC 9990 §3.1.1.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The name of the reporting organization.
    pub org_name: Text,
    /// Where to ask about the report.
    pub email: EmailAddress,
    /// More about where to ask, for example an address of the web.
    pub extra_contact_info: Option<Text>,
    /// The name of the report.
    pub report_id: ReportId,
    /// Faults of the DMARC record that were met (RFC 9990 §3.1.5).
    pub errors: Vec<Remark>,
    /// Name and version of the program that made the report.
    pub generator: Option<Text>,
}

/// The policy that was found (RFC 9990 §3.1.1.5).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyPublished {
    /// Where the record stands: the DMARC policy domain, without `_dmarc`.
    pub domain: DomainName,
    /// For mail from the domain itself.
    pub p: Policy,
    /// For mail from domains below it, if the record says so.
    pub sp: Option<Policy>,
    /// For mail from domains below it that do not exist, if the record says so.
    pub np: Option<Policy>,
    /// The alignment mode of DKIM. The default is relaxed.
    pub adkim: AlignmentMode,
    /// The alignment mode of SPF. The default is relaxed.
    pub aspf: AlignmentMode,
    /// How the record was found. The default is the tree walk.
    pub discovery: Discovery,
    /// When failure reports are wanted. Empty if the record does not say, which means `0`.
    pub fo: BTreeSet<FailureOption>,
    /// Whether the policy is only tested. The default is no.
    pub testing: Testing,
}

impl PolicyPublished {
    /// A policy of which only `p` is given; all other tags have their defaults.
    #[must_use]
    pub const fn new(domain: DomainName, p: Policy) -> Self {
        Self {
            domain,
            p,
            sp: None,
            np: None,
            adkim: AlignmentMode::Relaxed,
            aspf: AlignmentMode::Relaxed,
            discovery: Discovery::TreeWalk,
            fo: BTreeSet::new(),
            testing: Testing::No,
        }
    }

    /// Whether this is what the record asks for in one of its three cases (the domain itself, a
    /// domain below it, one that does not exist).
    #[must_use]
    pub fn may_ask_for(&self, disposition: Disposition) -> bool {
        let sp = self.sp.unwrap_or(self.p);
        [self.p, sp, self.np.unwrap_or(sp)].iter().any(|policy| match policy {
            Policy::None => disposition == Disposition::None,
            Policy::Quarantine => disposition == Disposition::Quarantine,
            Policy::Reject => disposition == Disposition::Reject,
        })
    }
}

/// So many messages were like this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What they had in common.
    pub row: Row,
    /// How many they were.
    pub count: u64,
}

/// What messages have in common that are counted together (RFC 9990 §3.1.1.7).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Row {
    pub(super) coarseness: Coarseness,
    pub(super) source_ip: IpAddr,
    /// What was decided.
    pub evaluated: PolicyEvaluated,
    /// The domains that the messages name.
    pub identifiers: Identifiers,
    /// What SPF and DKIM said, whatever DMARC makes of it.
    pub auth_results: AuthResults,
}

impl Row {
    /// A row for an address and a From domain. All the rest says "nothing": disposition none, both
    /// results fail, no signatures, no result of SPF, null return path, recipient withheld.
    #[must_use]
    pub const fn new(source_ip: IpAddr, header_from: DomainName) -> Self {
        Self {
            coarseness: Coarseness::Exact,
            source_ip: source_ip.to_canonical(),
            evaluated: PolicyEvaluated {
                disposition: Disposition::None,
                dkim: DmarcResult::Fail,
                spf: DmarcResult::Fail,
                reasons: Reasons(BTreeSet::new()),
            },
            identifiers: Identifiers {
                header_from,
                envelope_from: None,
                envelope_to: EnvelopeTo::Withheld,
            },
            auth_results: AuthResults { dkim: Signatures(Vec::new()), spf: None },
        }
    }

    /// The same row with the results of DMARC.
    #[must_use]
    pub const fn evaluated(mut self, dkim: DmarcResult, spf: DmarcResult) -> Self {
        self.evaluated.dkim = dkim;
        self.evaluated.spf = spf;
        self
    }

    /// The address that connected. An IPv4 address that came mapped into IPv6 is IPv4.
    #[must_use]
    pub const fn source_ip(&self) -> IpAddr {
        self.source_ip
    }

    /// How much of what was seen is no longer in it.
    #[must_use]
    pub const fn coarseness(&self) -> Coarseness {
        self.coarseness
    }

    /// Whether DMARC passed: DKIM or SPF gave an aligned pass.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.evaluated.dkim == DmarcResult::Pass || self.evaluated.spf == DmarcResult::Pass
    }
}

/// What was decided about the messages of a row (RFC 9990 §3.1.1.9).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyEvaluated {
    /// What was done with them.
    pub disposition: Disposition,
    /// Whether DKIM gave an aligned pass; not what an override made of it.
    pub dkim: DmarcResult,
    /// Whether SPF gave an aligned pass; not what an override made of it.
    pub spf: DmarcResult,
    /// Why something else was done than the domain asks for.
    pub reasons: Reasons,
}

/// The reasons of an override: a set, at most five.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reasons(BTreeSet<Reason>);

impl Reasons {
    /// These reasons. Of more than five, the first five in the order of the standard's words.
    #[must_use]
    pub fn new(reasons: impl IntoIterator<Item = Reason>) -> Self {
        let all: BTreeSet<Reason> = reasons.into_iter().collect();
        Self(all.into_iter().take(MAX_REASONS).collect())
    }

    /// The reasons in the order of the standard's words.
    pub fn iter(&self) -> impl Iterator<Item = &Reason> {
        self.0.iter()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Why something else was done than the domain asks for (RFC 9990 §3.1.1.14).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reason {
    /// The kind of reason.
    pub kind: ReasonType,
    /// More, for people.
    pub comment: Option<Remark>,
}

/// The domains that messages name (RFC 9990 §3.1.1.10).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identifiers {
    /// The domain in the From field.
    pub header_from: DomainName,
    /// The domain of the return path. `None` if the return path is null or names no domain.
    pub envelope_from: Option<DomainName>,
    /// The domain of the recipient.
    pub envelope_to: EnvelopeTo,
}

/// Whether a row names the domain of the recipient.
///
/// It tells the owner of the From domain where its mail went after it was forwarded, which is
/// nobody's business by default. So it is withheld unless the operator switches it on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EnvelopeTo {
    /// It is not named.
    Withheld,
    /// It is this.
    Domain(DomainName),
}

/// What SPF and DKIM said (RFC 9990 §3.1.1.11).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuthResults {
    /// The DKIM signatures.
    pub dkim: Signatures,
    /// SPF for the MAIL FROM identity, the only one that DMARC uses. `None` if it was not checked.
    pub spf: Option<SpfAuth>,
}

/// Up to 100 DKIM signatures in the order in which RFC 9990 §3.1.3 prefers them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signatures(pub(super) Vec<DkimAuth>);

impl Signatures {
    /// These signatures, best first: those that pass and are strictly aligned, those that pass and
    /// are aligned, others that pass, all others. Equal ones are one; the rest behind the
    /// hundredth is left out. Equal sets give equal values, whatever their order was.
    #[must_use]
    pub fn new(signatures: impl IntoIterator<Item = Signature>) -> Self {
        let best: BTreeSet<(u8, DkimAuth)> =
            signatures.into_iter().map(|one| (one.preference(), one.auth)).collect();
        Self(best.into_iter().map(|(_, auth)| auth).take(MAX_SIGNATURES).collect())
    }

    /// The signatures, best first.
    #[must_use]
    pub fn as_slice(&self) -> &[DkimAuth] {
        &self.0
    }
}

/// A DKIM signature with what decides its place in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// What the report says of it.
    pub auth: DkimAuth,
    /// How its domain is related to the From domain.
    pub alignment: SignatureAlignment,
}

impl Signature {
    /// The place in RFC 9990 §3.1.3, from 1.
    const fn preference(&self) -> u8 {
        match (self.auth.result, self.alignment) {
            (DkimResult::Pass, SignatureAlignment::Strict) => 1,
            (DkimResult::Pass, SignatureAlignment::Relaxed) => 2,
            (DkimResult::Pass, SignatureAlignment::None) => 3,
            _ => 4,
        }
    }
}

/// How the domain of a signature is related to the From domain, whatever `adkim` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SignatureAlignment {
    /// They are the same.
    Strict,
    /// Their organizational domains are the same.
    Relaxed,
    /// They have nothing to do with each other.
    None,
}

/// One DKIM signature in a report (RFC 9990 §3.1.1.12).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DkimAuth {
    /// Its domain, the tag `d`.
    pub domain: DnsName,
    /// Its selector, the tag `s`.
    pub selector: DnsName,
    /// What came of it.
    pub result: DkimResult,
    /// More, for people.
    pub human_result: Option<Remark>,
}

/// SPF in a report (RFC 9990 §3.1.1.13). The scope is always MAIL FROM.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpfAuth {
    /// The domain that was checked. For a null return path that of HELO (RFC 7208 §2.4).
    pub domain: DnsName,
    /// What came of it.
    pub result: SpfResult,
    /// More, for people.
    pub human_result: Option<Remark>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn name(text: &str) -> DomainName {
        DomainName::parse(text).unwrap()
    }

    fn signature(domain: &str, result: DkimResult, alignment: SignatureAlignment) -> Signature {
        let domain = DnsName::parse(domain).unwrap();
        let selector = DnsName::parse("s").unwrap();
        Signature { auth: DkimAuth { domain, selector, result, human_result: None }, alignment }
    }

    #[test]
    fn signatures_are_ordered_once_and_bounded() {
        use SignatureAlignment::{None, Relaxed, Strict};
        let all = [
            signature("a.test", DkimResult::Fail, Strict),
            signature("b.test", DkimResult::Pass, None),
            signature("mail.z.test", DkimResult::Pass, Relaxed),
            signature("z.test", DkimResult::Pass, Strict),
            signature("z.test", DkimResult::Pass, Strict),
        ];
        let ordered = Signatures::new(all.clone());
        let domains: Vec<_> = ordered.as_slice().iter().map(|one| one.domain.as_str()).collect();
        assert_eq!(domains, ["z.test", "mail.z.test", "b.test", "a.test"]);
        assert_eq!(Signatures::new(all.into_iter().rev()), ordered);

        let many = (0..300).map(|n| signature(&format!("d{n}.test"), DkimResult::Fail, None));
        let best = signature("z.test", DkimResult::Pass, Strict);
        let bounded = Signatures::new(many.chain([best.clone()]));
        assert_eq!(bounded.as_slice().len(), MAX_SIGNATURES);
        assert_eq!(bounded.as_slice()[0], best.auth);
    }

    #[test]
    fn a_mapped_address_is_ipv4() {
        let row = Row::new("::ffff:192.0.2.1".parse().unwrap(), name("example.com"));
        assert_eq!(row.source_ip(), "192.0.2.1".parse::<IpAddr>().unwrap());
    }
}
