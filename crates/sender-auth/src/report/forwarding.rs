//! Whether a message that fails looks forwarded.
//!
//! Most failures of DMARC are no forgery: a message was sent on by somebody, so that SPF sees the
//! wrong address, or was changed by a mailing list, so that DKIM breaks. Whoever reads reports
//! wants to tell these from forgeries. Nothing proves that a message is harmless, but some signs
//! cannot be made by whoever forges a domain, and others anybody can write. Those are kept apart:
//!
//! - [proven](Weight::Proven): the signature of the From domain holds although the domain's own
//!   return path came from a strange address; a forwarder that the operator knows; a chain of ARC
//!   that ends in a sealer whom the operator trusts and says that the message had passed before;
//! - [claimed](Weight::Claimed): header fields of lists and of resending, a rewritten return path,
//!   a signature of the From domain that does not hold. A forger writes all of them in a minute.
//!
//! A message [looks forwarded](Looks::Forwarded) only if something is proven. The result explains:
//! in header fields, in counters, and as a reason in reports. It decides nothing.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use smtp_types::DomainName;

use super::aggregate::Reason;
use super::{DkimResult, ReasonType, Remark, SpfResult};
use crate::Header;

/// What is known of a message when the question is asked.
#[derive(Clone, Copy, Debug)]
pub struct Signs<'s> {
    /// SPF for the return path.
    pub spf: SpfResult,
    /// Whether the return path belongs to the From domain.
    pub return_path: ReturnPath,
    /// The best signature of the From domain.
    pub author_signature: AuthorSignature,
    /// What ARC says.
    pub arc: ArcSign<'s>,
    /// Whether the operator has named the sending server as a forwarder.
    pub server: Server,
    /// The header.
    pub header: &'s Header,
}

/// Whose return path it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReturnPath {
    /// Its domain is aligned with the From domain.
    Aligned,
    /// It belongs to others.
    Other,
    /// It belongs to others, and its local part shows that it was rewritten (SRS).
    Rewritten,
    /// It is null.
    Null,
}

impl ReturnPath {
    /// The kind of a return path that is not aligned, by its local part: `SRS0=` and `SRS1=`, also
    /// with `+` or `-` instead of `=`, mark one that a forwarder has rewritten.
    #[must_use]
    pub fn not_aligned(local_part: &str) -> Self {
        let marked = local_part.get(..4).is_some_and(|mark| {
            mark.eq_ignore_ascii_case("srs0") || mark.eq_ignore_ascii_case("srs1")
        });
        let separated = matches!(local_part.as_bytes().get(4), Some(b'=' | b'+' | b'-'));
        if marked && separated { Self::Rewritten } else { Self::Other }
    }
}

/// The best signature whose domain is aligned with the From domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AuthorSignature {
    /// There is none.
    Absent,
    /// There is one, with this result.
    Present(DkimResult),
}

/// What ARC says of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArcSign<'s> {
    /// There is no chain, it does not hold, nobody whom the operator trusts has sealed it, or it
    /// does not say that the message passed.
    Nothing,
    /// The chain holds, and this sealer, whom the operator trusts, says that the message had passed
    /// DMARC when it came to him.
    PassedBefore {
        /// The sealer.
        sealer: &'s DomainName,
    },
}

/// Whether the operator knows the sending server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Server {
    /// It is on the operator's list of forwarders.
    KnownForwarder,
    /// It is not.
    Unknown,
}

/// How a message looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Looks {
    /// It came from a server that the From domain's SPF names.
    Direct,
    /// Somebody has sent it on. At least one piece of evidence is proven.
    Forwarded {
        /// All of it.
        evidence: BTreeSet<Evidence>,
    },
    /// Nothing is proven, either way.
    Unknown {
        /// What is claimed.
        evidence: BTreeSet<Evidence>,
    },
}

/// One sign that a message was forwarded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Evidence {
    /// A trusted sealer says that the message had passed before.
    TrustedArc {
        /// The sealer.
        sealer: DomainName,
    },
    /// The operator has named the server as a forwarder.
    KnownForwarder,
    /// The signature of the From domain holds, and the return path of the From domain came from an
    /// address that its SPF does not name.
    SurvivingSignature,
    /// There is a signature of the From domain that does not hold.
    BrokenSignature,
    /// There is a `List-Id`, `List-Post` or `Precedence: list`.
    ListFields,
    /// There are `Resent-` fields.
    ResentFields,
    /// The return path was rewritten.
    RewrittenReturnPath,
}

/// What a piece of evidence is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Weight {
    /// Whoever forges the domain cannot make it.
    Proven,
    /// Anybody can write it.
    Claimed,
}

impl Evidence {
    /// What it is worth.
    #[must_use]
    pub const fn weight(&self) -> Weight {
        match self {
            Self::TrustedArc { .. } | Self::KnownForwarder | Self::SurvivingSignature => {
                Weight::Proven
            }
            Self::BrokenSignature
            | Self::ListFields
            | Self::ResentFields
            | Self::RewrittenReturnPath => Weight::Claimed,
        }
    }

    /// A stable name for header fields and counters.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::TrustedArc { .. } => "trusted-arc",
            Self::KnownForwarder => "known-forwarder",
            Self::SurvivingSignature => "surviving-signature",
            Self::BrokenSignature => "broken-signature",
            Self::ListFields => "list-fields",
            Self::ResentFields => "resent-fields",
            Self::RewrittenReturnPath => "rewritten-return-path",
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TrustedArc { sealer } => write!(f, "{}={sealer}", self.as_str()),
            _ => f.write_str(self.as_str()),
        }
    }
}

impl Looks {
    /// How a message looks.
    #[must_use]
    pub fn of(signs: Signs<'_>) -> Self {
        if signs.spf == SpfResult::Pass && signs.return_path == ReturnPath::Aligned {
            return Self::Direct;
        }
        let evidence: BTreeSet<Evidence> = proven(signs).chain(claimed(signs)).collect();
        if evidence.iter().any(|one| one.weight() == Weight::Proven) {
            return Self::Forwarded { evidence };
        }
        Self::Unknown { evidence }
    }

    /// `direct`, `forwarded` or `unknown`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Forwarded { .. } => "forwarded",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// All evidence, what is proven first.
    pub fn evidence(&self) -> impl Iterator<Item = &Evidence> {
        let evidence = match self {
            Self::Direct => None,
            Self::Forwarded { evidence } | Self::Unknown { evidence } => Some(evidence),
        };
        evidence.into_iter().flatten()
    }

    /// The reason for a report, if a policy was not applied because of this (RFC 9990 §3.1.6).
    /// `None` if nothing is proven: then this cannot have been the reason.
    ///
    /// With fields of a list it is a mailing list. Without, a known forwarder and a trusted sealer
    /// are on "a locally maintained list of known and trusted forwarders".
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        let Self::Forwarded { evidence } = self else {
            return None;
        };
        let listed = evidence
            .iter()
            .any(|one| matches!(one, Evidence::TrustedArc { .. } | Evidence::KnownForwarder));
        let kind = if evidence.contains(&Evidence::ListFields) {
            ReasonType::MailingList
        } else if listed {
            ReasonType::TrustedForwarder
        } else {
            ReasonType::Other
        };
        // Names of evidence only, and so a handful of texts: they are part of what is counted.
        let proven = evidence.iter().filter(|one| one.weight() == Weight::Proven);
        let proven: Vec<&str> = proven.map(Evidence::as_str).collect();
        let comment = Remark::parse(&format!("forwarded: {}", proven.join(" "))).ok();
        Some(Reason { kind, comment })
    }
}

/// For a header field or a line of a log: `forwarded (known-forwarder, list-fields)`.
impl fmt::Display for Looks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let evidence: Vec<String> = self.evidence().map(ToString::to_string).collect();
        f.write_str(self.as_str())?;
        if evidence.is_empty() { Ok(()) } else { write!(f, " ({})", evidence.join(", ")) }
    }
}

fn proven(signs: Signs<'_>) -> impl Iterator<Item = Evidence> {
    let arc = match signs.arc {
        ArcSign::PassedBefore { sealer } => Some(Evidence::TrustedArc { sealer: sealer.clone() }),
        ArcSign::Nothing => None,
    };
    let known = (signs.server == Server::KnownForwarder).then_some(Evidence::KnownForwarder);
    let strange = matches!(signs.spf, SpfResult::Fail | SpfResult::SoftFail);
    let survives = signs.author_signature == AuthorSignature::Present(DkimResult::Pass)
        && signs.return_path == ReturnPath::Aligned
        && strange;
    let survives = survives.then_some(Evidence::SurvivingSignature);
    arc.into_iter().chain(known).chain(survives)
}

fn claimed(signs: Signs<'_>) -> impl Iterator<Item = Evidence> {
    let broken = matches!(
        signs.author_signature,
        AuthorSignature::Present(DkimResult::Fail | DkimResult::Neutral | DkimResult::PermError)
    );
    let has = |name: &str| signs.header.named(name).next().is_some();
    let precedence = signs
        .header
        .named("Precedence")
        .any(|field| field.value().trim_ascii().eq_ignore_ascii_case(b"list"));
    let list = has("List-Id") || has("List-Post") || precedence;
    let resent = ["Resent-From", "Resent-Sender", "Resent-To", "Resent-Date", "Resent-Message-ID"];
    let rewritten = signs.return_path == ReturnPath::Rewritten;
    [
        broken.then_some(Evidence::BrokenSignature),
        list.then_some(Evidence::ListFields),
        resent.iter().any(|name| has(name)).then_some(Evidence::ResentFields),
        rewritten.then_some(Evidence::RewrittenReturnPath),
    ]
    .into_iter()
    .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HeaderField;

    fn header(fields: &[&str]) -> Header {
        fields.iter().map(|field| HeaderField::parse(field.as_bytes()).unwrap()).collect()
    }

    fn check(signs: Signs<'_>, looks: &str, evidence: &str, reason: Option<ReasonType>) {
        let found = Looks::of(signs);
        let shown = match evidence {
            "" => looks.to_string(),
            _ => format!("{looks} ({})", evidence.replace(' ', ", ")),
        };
        assert_eq!(found.to_string(), shown, "{signs:?}");
        let comment = found.reason().map(|reason| {
            assert!(reason.comment.is_some());
            reason.kind
        });
        assert_eq!(comment, reason, "{signs:?}");
    }

    #[test]
    fn signs() {
        let (plain, list) = (header(&["From: a@b.test"]), header(&["List-ID: <l.test>"]));
        let resent = header(&["resent-from: a@b.test", "Precedence: LIST"]);
        let sealer = DomainName::parse("forwarder.test").unwrap();
        let nothing = Signs {
            spf: SpfResult::Fail,
            return_path: ReturnPath::Aligned,
            author_signature: AuthorSignature::Absent,
            arc: ArcSign::Nothing,
            server: Server::Unknown,
            header: &plain,
        };
        let arc = ArcSign::PassedBefore { sealer: &sealer };
        let signed = |result| AuthorSignature::Present(result);
        let holds = Signs { author_signature: signed(DkimResult::Pass), ..nothing };
        let breaks = Signs { author_signature: signed(DkimResult::Fail), ..nothing };

        check(nothing, "unknown", "", None);
        check(Signs { spf: SpfResult::Pass, arc, ..nothing }, "direct", "", None);
        check(holds, "forwarded", "surviving-signature", Some(ReasonType::Other));
        // Somebody who sends for the domain with a return path of his own: nothing was forwarded.
        check(Signs { return_path: ReturnPath::Other, ..holds }, "unknown", "", None);
        check(Signs { spf: SpfResult::Neutral, ..holds }, "unknown", "", None);
        check(Signs { spf: SpfResult::TempError, ..holds }, "unknown", "", None);
        check(
            Signs { arc, ..breaks },
            "forwarded",
            "trusted-arc=forwarder.test broken-signature",
            Some(ReasonType::TrustedForwarder),
        );
        check(
            Signs { arc, header: &list, ..breaks },
            "forwarded",
            "trusted-arc=forwarder.test broken-signature list-fields",
            Some(ReasonType::MailingList),
        );
        check(
            Signs { server: Server::KnownForwarder, return_path: ReturnPath::Rewritten, ..nothing },
            "forwarded",
            "known-forwarder rewritten-return-path",
            Some(ReasonType::TrustedForwarder),
        );
        // What anybody can write proves nothing.
        check(
            Signs { header: &resent, return_path: ReturnPath::Rewritten, ..breaks },
            "unknown",
            "broken-signature list-fields resent-fields rewritten-return-path",
            None,
        );
    }

    #[test]
    fn rewritten_return_paths() {
        for local_part in ["SRS0=x=y=example.com=jane", "srs1+x=y==z", "SRS0-abc"] {
            assert_eq!(ReturnPath::not_aligned(local_part), ReturnPath::Rewritten);
        }
        for local_part in ["", "SRS", "SRS0", "SRS0x=", "jane", "SRSÄ=x", "bounce+srs0=x"] {
            assert_eq!(ReturnPath::not_aligned(local_part), ReturnPath::Other, "{local_part}");
        }
    }
}
