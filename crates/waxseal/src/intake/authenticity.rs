//! Whether the author of a mail with reports is who he says he is. The rules, and nothing else:
//! which keys and policies are asked for is said here, and somebody else asks the DNS.
//!
//! Anyone can send a report in anyone's name, and a false one makes its reader hunt for faults that
//! are none, or miss those that are. The two standards bind a report to a domain in two ways, and
//! which of them counts is known only when the mail was unpacked, so both are judged:
//!
//! - **About TLS** (RFC 8460 §3): a DKIM signature "by the reporting domain", without `l=`, which
//!   would leave room for somebody else's words, and by a key that serves reports (`s=tlsrpt`, or no
//!   `s=` at all). The reporting domain is that of `From` or of `TLS-Report-Submitter`; a domain of
//!   the same organization speaks for it (RFC 9989 §4.10.2).
//! - **About DMARC** (RFC 9990 §4): DMARC passes for the mail itself.
//!
//! Whether what stands in the report fits to the domain that has signed is asked where the report is
//! read. A report that came by HTTPS has no author; see [`https`](super::https).

use std::fmt;

use sender_auth::crypto::Crypto;
use sender_auth::dkim::{DkimResult, ServiceType, SignatureResult};
use sender_auth::dmarc::{Author, AuthorDomain, DmarcResult, TreeWalk, walk};
use sender_auth::{Authentication, Header, HeaderField, Limits, Received, spf};
use smtp_types::{DomainName, Known, Need, UnixTime, both};

use super::accept::{Authenticity, Grade};

/// Who the mail says has made the reports in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The domain of `From`, if there is exactly one.
    pub author: Option<DomainName>,
    /// That of `TLS-Report-Submitter` (RFC 8460 §5.3), if there is exactly one such field.
    pub submitter: Option<DomainName>,
}

impl Claim {
    /// Reads the header.
    #[must_use]
    pub fn read(header: &Header) -> Self {
        let author = match Author::read(header).domain() {
            AuthorDomain::One(domain) => Some(domain.clone()),
            AuthorDomain::Several(_) | AuthorDomain::Unclear(_) => None,
        };
        let mut fields = header.named("TLS-Report-Submitter");
        let submitter = match (fields.next().map(HeaderField::value), fields.next()) {
            (Some(value), None) => str::from_utf8(value).ok(),
            _ => None,
        };
        let submitter = submitter.and_then(|text| DomainName::parse(text.trim()).ok());
        Self { author, submitter }
    }

    fn domains(&self) -> impl Iterator<Item = &DomainName> {
        self.author.iter().chain(&self.submitter)
    }
}

/// Who brought the mail, as far as that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bringer {
    /// From which address it came, if not from this machine.
    pub address: std::net::IpAddr,
    /// By which name the client went.
    pub hello: String,
    /// The return path.
    pub sender: String,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgment {
    /// By the rules for reports about TLS.
    pub tls: TlsJudgment,
    /// What DMARC says of the mail.
    pub dmarc: DmarcResult,
    /// The domain of `From`.
    pub author: Option<DomainName>,
}

/// What RFC 8460 §3 says of a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsJudgment {
    /// This domain has signed, and speaks for one that the mail claims.
    Signed {
        /// `d=`.
        by: DomainName,
    },
    /// There is no signature.
    Unsigned,
    /// The signatures that are fine are of other domains.
    Stranger {
        /// `d=` of the first.
        by: DomainName,
    },
    /// The DNS does not say: later it may.
    Unknown {
        /// What failed.
        reason: String,
    },
    /// A signature counts for nothing: broken, of a key for something else, or with `l=`.
    Broken {
        /// Why, of the first.
        reason: String,
    },
}

impl TlsJudgment {
    /// How good it is.
    #[must_use]
    pub const fn grade(&self) -> Grade {
        match self {
            Self::Signed { .. } => Grade::Authenticated,
            Self::Unsigned | Self::Stranger { .. } | Self::Unknown { .. } => Grade::Unauthenticated,
            Self::Broken { .. } => Grade::Failed,
        }
    }
}

impl fmt::Display for TlsJudgment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signed { by } => write!(f, "signed by {by}"),
            Self::Unsigned => write!(f, "DKIM-Signature: expected one, found none"),
            Self::Stranger { by } => {
                write!(
                    f,
                    "d=: expected the domain that From or TLS-Report-Submitter names, found {by}"
                )
            }
            Self::Unknown { reason } | Self::Broken { reason } => f.write_str(reason),
        }
    }
}

impl Judgment {
    /// Whether it may be another one later, for the DNS has failed.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self.tls, TlsJudgment::Unknown { .. }) || self.dmarc == DmarcResult::Temperror
    }

    /// The grades, and the domain that was proved: that of the signature, or that of `From`.
    #[must_use]
    pub fn authenticity(&self) -> Authenticity {
        let dmarc = match self.dmarc {
            DmarcResult::Pass => Grade::Authenticated,
            DmarcResult::None | DmarcResult::Temperror => Grade::Unauthenticated,
            DmarcResult::Permerror | DmarcResult::Fail => Grade::Failed,
        };
        let submitter = match &self.tls {
            TlsJudgment::Signed { by } => Some(by.clone()),
            _ => self.author.clone().filter(|_| dmarc == Grade::Authenticated),
        };
        Authenticity { tls: self.tls.grade(), dmarc, submitter }
    }
}

/// In one line, for the log.
impl fmt::Display for Judgment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "for reports about TLS: {}; DMARC: {}", self.tls, self.dmarc.as_str())
    }
}

/// Judges a mail that has come to its end.
///
/// # Errors
/// What must be looked up first.
pub fn judge<C: Crypto>(
    received: &Received,
    claim: &Claim,
    bringer: Option<&Bringer>,
    known: &Known,
    crypto: &C,
    now: UnixTime,
) -> Result<Judgment, Need> {
    let client = bringer.map(|bringer| spf::Client {
        ip: bringer.address,
        helo: &bringer.hello,
        mail_from: &bringer.sender,
    });
    let (limits, receiver) = (Limits::default(), spf::Receiver { host_name: "", now });
    let evaluated = received.evaluate(known, crypto, client, &receiver, &limits);
    let signatures = received.signatures_for(ServiceType::TlsRpt, known, crypto, now);
    let (Authentication { dmarc, .. }, signatures) = both(evaluated, signatures)?;
    let tls = judge_tls(&signatures, claim, known)?;
    Ok(Judgment { tls, dmarc: dmarc.result, author: claim.author.clone() })
}

/// RFC 8460 §3: a valid signature, by the reporting domain, without `l=`.
fn judge_tls(
    signatures: &[SignatureResult],
    claim: &Claim,
    known: &Known,
) -> Result<TlsJudgment, Need> {
    let (mut stranger, mut unknown, mut broken) = (None, None, None);
    for signature in signatures {
        match what_counts(signature) {
            Ok(by) => match speaks_for(by, claim, known)? {
                Speaks::Yes => return Ok(TlsJudgment::Signed { by: by.clone() }),
                Speaks::No => stranger = stranger.or(Some(by.clone())),
                Speaks::Unknown => unknown = unknown.or(Some(format!("{by}: the DNS has failed"))),
            },
            Err(reason) if signature.result() == DkimResult::TempError => {
                unknown = unknown.or(Some(reason));
            }
            Err(reason) => broken = broken.or(Some(reason)),
        }
    }
    Ok(match (unknown, stranger, broken) {
        (Some(reason), ..) => TlsJudgment::Unknown { reason },
        (None, Some(by), _) => TlsJudgment::Stranger { by },
        (None, None, Some(reason)) => TlsJudgment::Broken { reason },
        (None, None, None) => TlsJudgment::Unsigned,
    })
}

/// The domain that has signed, if the signature counts; else why not.
fn what_counts(signature: &SignatureResult) -> Result<&DomainName, String> {
    if signature.result() != DkimResult::Pass {
        return Err(format!("DKIM-Signature: {}", signature.reason));
    }
    if signature.testing {
        // RFC 6376 §3.6.1 `t=y`: as if it were not signed.
        return Err("DKIM-Signature: the domain only tests its keys (t=y)".into());
    }
    if signature.signature.as_ref().is_none_or(|one| one.body_limit.is_some()) {
        return Err("l=: expected none in the signature of a report, found one".into());
    }
    if let Some(field) = signature.unsigned_fields.first() {
        return Err(format!("h=: expected every {field} field, found one that is not signed"));
    }
    signature.domain.as_ref().ok_or_else(|| "d=: expected a domain".to_owned())
}

/// Whether a domain speaks for one that is claimed.
enum Speaks {
    Yes,
    No,
    Unknown,
}

/// RFC 9989 §4.10.2: the same domain, or the same organizational domain. No walk is made for a
/// domain that is neither above nor below nor beside the other.
fn speaks_for(by: &DomainName, claim: &Claim, known: &Known) -> Result<Speaks, Need> {
    if claim.domains().any(|claimed| claimed == by) {
        return Ok(Speaks::Yes);
    }
    let near: Vec<&DomainName> =
        claim.domains().filter(|claimed| shared_labels(by, claimed) >= 2).collect();
    if near.is_empty() {
        return Ok(Speaks::No);
    }
    let walks = near.into_iter().map(|claimed| walk(known, claimed));
    let (own, walks) = both(walk(known, by), smtp_types::all(walks))?;
    let organization = |walk: &TreeWalk| walk.organizational_domain();
    let Ok(own) = organization(&own) else { return Ok(Speaks::Unknown) };
    let mut speaks = Speaks::No;
    for walk in &walks {
        match organization(walk) {
            Ok(other) if other == own => return Ok(Speaks::Yes),
            Ok(_) => {}
            Err(_) => speaks = Speaks::Unknown,
        }
    }
    Ok(speaks)
}

/// How many labels two names have in common, from the right.
fn shared_labels(one: &DomainName, other: &DomainName) -> usize {
    let labels = one.as_str().rsplit('.').zip(other.as_str().rsplit('.'));
    labels.take_while(|(one, other)| one == other).count()
}
