//! The elements of an aggregate report, and what may stand in what (RFC 9990 Appendix A, RFC 7489
//! Appendix C).

/// An element that a reader knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Element {
    /// What stands around the root: the document.
    Document,
    Feedback,
    Version,
    Metadata,
    OrgName,
    Email,
    Contact,
    ReportId,
    DateRange,
    Begin,
    End,
    Error,
    Generator,
    Published,
    PolicyDomain,
    P,
    Sp,
    Np,
    Adkim,
    Aspf,
    Discovery,
    Fo,
    Testing,
    Pct,
    Record,
    Row,
    SourceIp,
    Count,
    Evaluated,
    Disposition,
    AlignedDkim,
    AlignedSpf,
    Reason,
    ReasonType,
    Comment,
    Identifiers,
    HeaderFrom,
    EnvelopeFrom,
    EnvelopeTo,
    AuthResults,
    Dkim,
    DkimDomain,
    Selector,
    DkimResult,
    DkimHuman,
    Spf,
    SpfDomain,
    Scope,
    SpfResult,
    SpfHuman,
    /// Where a schema allows anything: `extension`, and what is foreign in `auth_results`.
    Extension,
    /// Anything else.
    Unknown,
}

use Element as E;

impl Element {
    /// The element of this name in this one. The name has no prefix and is in lower case.
    pub(super) fn below(self, name: &str) -> Element {
        let known: &[(&str, Element)] = match self {
            E::Document => &[("feedback", E::Feedback)],
            E::Feedback => &[
                ("record", E::Record),
                ("version", E::Version),
                ("report_metadata", E::Metadata),
                ("policy_published", E::Published),
                ("extension", E::Extension),
            ],
            E::Metadata => &[
                ("org_name", E::OrgName),
                ("email", E::Email),
                ("extra_contact_info", E::Contact),
                ("report_id", E::ReportId),
                ("date_range", E::DateRange),
                ("error", E::Error),
                ("generator", E::Generator),
            ],
            E::DateRange => &[("begin", E::Begin), ("end", E::End)],
            E::Published => &[
                ("domain", E::PolicyDomain),
                ("p", E::P),
                ("sp", E::Sp),
                ("np", E::Np),
                ("adkim", E::Adkim),
                ("aspf", E::Aspf),
                ("discovery_method", E::Discovery),
                ("fo", E::Fo),
                ("testing", E::Testing),
                ("pct", E::Pct),
            ],
            E::Record => &[
                ("row", E::Row),
                ("identifiers", E::Identifiers),
                ("identities", E::Identifiers),
                ("auth_results", E::AuthResults),
            ],
            E::Row => &[
                ("source_ip", E::SourceIp),
                ("count", E::Count),
                ("policy_evaluated", E::Evaluated),
            ],
            E::Evaluated => &[
                ("disposition", E::Disposition),
                ("dkim", E::AlignedDkim),
                ("spf", E::AlignedSpf),
                ("reason", E::Reason),
            ],
            E::Reason => &[("type", E::ReasonType), ("comment", E::Comment)],
            E::Identifiers => &[
                ("header_from", E::HeaderFrom),
                ("envelope_from", E::EnvelopeFrom),
                ("envelope_to", E::EnvelopeTo),
            ],
            E::AuthResults => &[("dkim", E::Dkim), ("spf", E::Spf)],
            E::Dkim => &[
                ("domain", E::DkimDomain),
                ("selector", E::Selector),
                ("result", E::DkimResult),
                ("human_result", E::DkimHuman),
            ],
            E::Spf => &[
                ("domain", E::SpfDomain),
                ("scope", E::Scope),
                ("result", E::SpfResult),
                ("human_result", E::SpfHuman),
            ],
            E::Extension => return E::Extension,
            _ => &[],
        };
        match known.iter().find(|(word, _)| *word == name) {
            Some((_, element)) => *element,
            None if self == E::AuthResults => E::Extension,
            None => E::Unknown,
        }
    }

    /// The way to it from below the root.
    pub(super) const fn path(self) -> &'static str {
        match self {
            E::Document | E::Unknown => "document",
            E::Feedback => "feedback",
            E::Version => "version",
            E::Metadata => "report_metadata",
            E::OrgName => "report_metadata/org_name",
            E::Email => "report_metadata/email",
            E::Contact => "report_metadata/extra_contact_info",
            E::ReportId => "report_metadata/report_id",
            E::DateRange => "report_metadata/date_range",
            E::Begin => "report_metadata/date_range/begin",
            E::End => "report_metadata/date_range/end",
            E::Error => "report_metadata/error",
            E::Generator => "report_metadata/generator",
            E::Published => "policy_published",
            E::PolicyDomain => "policy_published/domain",
            E::P => "policy_published/p",
            E::Sp => "policy_published/sp",
            E::Np => "policy_published/np",
            E::Adkim => "policy_published/adkim",
            E::Aspf => "policy_published/aspf",
            E::Discovery => "policy_published/discovery_method",
            E::Fo => "policy_published/fo",
            E::Testing => "policy_published/testing",
            E::Pct => "policy_published/pct",
            E::Record => "record",
            E::Row => "record/row",
            E::SourceIp => "record/row/source_ip",
            E::Count => "record/row/count",
            E::Evaluated => "record/row/policy_evaluated",
            E::Disposition => "record/row/policy_evaluated/disposition",
            E::AlignedDkim => "record/row/policy_evaluated/dkim",
            E::AlignedSpf => "record/row/policy_evaluated/spf",
            E::Reason => "record/row/policy_evaluated/reason",
            E::ReasonType => "record/row/policy_evaluated/reason/type",
            E::Comment => "record/row/policy_evaluated/reason/comment",
            E::Identifiers => "record/identifiers",
            E::HeaderFrom => "record/identifiers/header_from",
            E::EnvelopeFrom => "record/identifiers/envelope_from",
            E::EnvelopeTo => "record/identifiers/envelope_to",
            E::AuthResults => "record/auth_results",
            E::Dkim => "record/auth_results/dkim",
            E::DkimDomain => "record/auth_results/dkim/domain",
            E::Selector => "record/auth_results/dkim/selector",
            E::DkimResult => "record/auth_results/dkim/result",
            E::DkimHuman => "record/auth_results/dkim/human_result",
            E::Spf => "record/auth_results/spf",
            E::SpfDomain => "record/auth_results/spf/domain",
            E::Scope => "record/auth_results/spf/scope",
            E::SpfResult => "record/auth_results/spf/result",
            E::SpfHuman => "record/auth_results/spf/human_result",
            E::Extension => "extension",
        }
    }

    /// Whether others stand in it, and no text.
    pub(super) const fn is_parent(self) -> bool {
        matches!(
            self,
            E::Document
                | E::Feedback
                | E::Metadata
                | E::DateRange
                | E::Published
                | E::Record
                | E::Row
                | E::Evaluated
                | E::Reason
                | E::Identifiers
                | E::AuthResults
                | E::Dkim
                | E::Spf
        )
    }

    /// Whether there may be several in their parent. Of `error`, RFC 7489 has any number.
    pub(super) const fn may_repeat(self) -> bool {
        matches!(
            self,
            E::Record | E::Reason | E::Dkim | E::Spf | E::Error | E::Extension | E::Unknown
        )
    }

    /// Whether it may be empty: a null return path, and text that says nothing.
    pub(super) const fn may_be_empty(self) -> bool {
        matches!(
            self,
            E::EnvelopeFrom
                | E::Comment
                | E::DkimHuman
                | E::SpfHuman
                | E::Error
                | E::Contact
                | E::Generator
                | E::Extension
                | E::Unknown
        )
    }

    /// Its bit in a set of elements.
    pub(super) const fn bit(self) -> u64 {
        1 << self as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_by_where_they_stand() {
        assert_eq!(E::Evaluated.below("dkim"), E::AlignedDkim);
        assert_eq!(E::AuthResults.below("dkim"), E::Dkim);
        assert_eq!(E::AuthResults.below("arc"), E::Extension);
        assert_eq!(E::Record.below("identities"), E::Identifiers);
        assert_eq!(E::Record.below("record"), E::Unknown);
        assert_eq!(E::Unknown.below("count"), E::Unknown);
        assert!((E::Unknown as u64) < 64, "each has a bit of its own");
    }
}
