//! Holding the chain that a server presents against its records (RFC 7671 §5.1 and §5.2, RFC 7672
//! §3.1 and §3.2).

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor};
use sha2::{Digest, Sha256, Sha512};
use smtp_types::{CertificateFault, TlsaRdata, UnixTime};
use webpki::{EndEntityCert, Error, KeyUsage, anchor_from_trusted_cert};

use crate::certificate::{Certificate, sequence_content};
use crate::{CertUsage, MatchingType, ReferenceIdentifiers, Rejected, Selector, Tlsa, usable};

/// How many certificates of a presented chain are looked at; webpki builds no longer paths.
pub const MAX_CHAIN: usize = 10;

/// What a path to a DANE-TA(2) trust anchor is built and judged with.
#[derive(Clone, Copy)]
pub struct PathOptions<'a> {
    /// Certificates that the server did not send and that may complete its chain. The default is
    /// none: a server has to send all, its trust anchor included (RFC 7671 §5.2.2).
    pub additional: &'a [CertificateDer<'a>],
    /// The signature algorithms that are good enough, for example
    /// `webpki::ALL_VERIFICATION_ALGS`.
    pub algorithms: &'a [&'a dyn SignatureVerificationAlgorithm],
    /// The time at which certificates must be valid.
    pub now: UnixTime,
}

/// How a chain was authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// The index of the record in the records given.
    pub record: usize,
    /// How far from the server's certificate what matched is: 0 is that certificate itself.
    pub depth: usize,
}

/// Authenticates a server by its usable records.
///
/// DANE-EE(3) comes first, because it asks for less. Its match is the whole proof: "the expiration
/// date of the server certificate MUST be ignored" (RFC 7672 §3.1.1), names are not checked
/// (§3.2.1), and the certificate need not even be one that a verifier can read.
///
/// DANE-TA(2) names a trust anchor. It may be any certificate of the chain, or one that stands
/// whole in the record, or a bare key in the record (RFC 7671 §5.2.3); a path must lead to it,
/// valid at `now`, and the server's certificate must bear one of `names` (RFC 7672 §3.2.2). As
/// RFC 5280 §6.1 has it, the dates of the trust anchor itself do not count. A self-signed server
/// certificate can be its own trust anchor, unless it says that it is an authority.
///
/// Records with other usages match nothing.
///
/// # Errors
/// [`VerifyError`] says what is missing. The server must then not get the mail.
pub fn verify(
    chain: &[CertificateDer<'_>],
    records: &[Tlsa],
    names: &ReferenceIdentifiers,
    options: &PathOptions<'_>,
) -> Result<Match, VerifyError> {
    let leaf = chain.first().ok_or(VerifyError::NoCertificate)?;
    let records = strongest_digests(records);
    if let Some(record) = matching(&records, CertUsage::DaneEe, leaf) {
        return Ok(Match { record, depth: 0 });
    }
    let certificates: Vec<_> = chain.iter().take(MAX_CHAIN).chain(options.additional).collect();
    let anchors = anchors(&records, &certificates);
    let found = path(&certificates, &anchors, options)?;
    let constrained = anchors.iter().any(|anchor| anchor.anchor.name_constraints.is_some());
    check_names(&certificates, constrained, names)?;
    Ok(found)
}

/// RFC 7671 §9, digest algorithm agility: of the records with one usage and selector, those with
/// the strongest digest count, and those with matching type Full(0) always do.
fn strongest_digests(records: &[Tlsa]) -> Vec<(usize, &Tlsa)> {
    let is_weaker = |weak: &Tlsa, strong: &Tlsa| {
        weak.usage() == strong.usage()
            && weak.selector() == strong.selector()
            && weak.matching_type() == MatchingType::Sha256
            && strong.matching_type() == MatchingType::Sha512
    };
    records
        .iter()
        .enumerate()
        .filter(|(_, record)| !records.iter().any(|other| is_weaker(record, other)))
        .collect()
}

/// The first record with this usage that matches this certificate.
fn matching(
    records: &[(usize, &Tlsa)],
    usage: CertUsage,
    certificate: &CertificateDer<'_>,
) -> Option<usize> {
    // At most six kinds of records, however many there are, and each is digested once.
    [Selector::Cert, Selector::Spki]
        .into_iter()
        .flat_map(|selector| {
            [MatchingType::Full, MatchingType::Sha256, MatchingType::Sha512]
                .map(|matching_type| (selector, matching_type))
        })
        .find_map(|(selector, matching_type)| {
            let mut alike = records
                .iter()
                .filter(|(_, record)| {
                    record.usage() == usage
                        && record.selector() == selector
                        && record.matching_type() == matching_type
                })
                .peekable();
            alike.peek()?;
            let data = association_data(certificate, selector, matching_type)?;
            alike.find(|(_, record)| record.data() == data).map(|(index, _)| *index)
        })
}

/// RFC 6698 §2.1: the selected part of the certificate, as it is or digested. `None` if the
/// certificate has no such part.
fn association_data(
    certificate: &[u8],
    selector: Selector,
    matching_type: MatchingType,
) -> Option<Vec<u8>> {
    let selected = match selector {
        Selector::Cert => certificate,
        Selector::Spki => Certificate::read(certificate)?.public_key,
    };
    Some(match matching_type {
        MatchingType::Full => selected.to_vec(),
        MatchingType::Sha256 => Sha256::digest(selected).to_vec(),
        MatchingType::Sha512 => Sha512::digest(selected).to_vec(),
    })
}

/// A trust anchor that a DANE-TA(2) record names.
struct Anchor {
    /// The index of the record.
    record: usize,
    /// The certificate that matched; `None` if the anchor stands only in the record.
    certificate: Option<usize>,
    anchor: TrustAnchor<'static>,
}

/// Every trust anchor that the records name: certificates that match, certificates in records,
/// and bare keys in records.
fn anchors(records: &[(usize, &Tlsa)], certificates: &[&CertificateDer<'_>]) -> Vec<Anchor> {
    let mut anchors = Vec::new();
    for (index, certificate) in certificates.iter().enumerate() {
        let Some(record) = matching(records, CertUsage::DaneTa, certificate) else {
            continue;
        };
        anchors.extend(anchor_from_trusted_cert(certificate).ok().map(|anchor| Anchor {
            record,
            certificate: Some(index),
            anchor: anchor.to_owned(),
        }));
    }
    for (record, tlsa) in records {
        if tlsa.usage() != CertUsage::DaneTa || tlsa.matching_type() != MatchingType::Full {
            continue;
        }
        let record = *record;
        let from_record = |anchor| Anchor { record, certificate: None, anchor };
        match tlsa.selector() {
            Selector::Cert => {
                let certificate = CertificateDer::from(tlsa.data());
                let anchor = anchor_from_trusted_cert(&certificate);
                anchors.extend(anchor.ok().map(|anchor| from_record(anchor.to_owned())));
            }
            Selector::Spki => {
                let anchor = |issuer| from_record(bare_key(issuer, tlsa.data()));
                anchors.extend(issuers(certificates).into_iter().map(anchor));
            }
        }
    }
    anchors
}

/// RFC 7671 §5.2.3: a bare key has no name, so it may be that of any issuer in the chain; whether
/// it is, the signature tells.
fn bare_key(issuer: &[u8], public_key: &[u8]) -> TrustAnchor<'static> {
    let anchor = TrustAnchor {
        subject: sequence_content(issuer).into(),
        subject_public_key_info: sequence_content(public_key).into(),
        name_constraints: None,
    };
    anchor.to_owned()
}

fn issuers<'c>(certificates: &[&'c CertificateDer<'_>]) -> BTreeSet<&'c [u8]> {
    certificates
        .iter()
        .filter_map(|certificate| Some(Certificate::read(certificate)?.issuer))
        .collect()
}

/// A valid path from the server's certificate to one of the anchors.
fn path(
    certificates: &[&CertificateDer<'_>],
    anchors: &[Anchor],
    options: &PathOptions<'_>,
) -> Result<Match, VerifyError> {
    let (Some((leaf, others)), false) = (certificates.split_first(), anchors.is_empty()) else {
        return Err(VerifyError::NoMatch);
    };
    let others: Vec<_> = others.iter().map(|other| CertificateDer::from(other.as_ref())).collect();
    let trusted: Vec<_> = anchors.iter().map(|anchor| anchor.anchor.clone()).collect();
    let now = rustls_pki_types::UnixTime::since_unix_epoch(Duration::from_secs(options.now.0));

    let leaf = CertificateDer::from(leaf.as_ref());
    let leaf = EndEntityCert::try_from(&leaf).map_err(|error| VerifyError::Path(fault(&error)))?;
    let path = leaf
        .verify_for_usage(
            options.algorithms,
            &trusted,
            &others,
            now,
            KeyUsage::server_auth(),
            None,
            None,
        )
        .map_err(|error| match error {
            // No certificate matched, and no key in a record signed anything.
            Error::UnknownIssuer | Error::InvalidSignatureForPublicKey
                if anchors.iter().all(|anchor| anchor.certificate.is_none()) =>
            {
                VerifyError::NoMatch
            }
            error => VerifyError::Path(fault(&error)),
        })?;
    let reached = anchors.iter().find(|anchor| anchor.anchor == *path.anchor());
    let anchor = reached.ok_or(VerifyError::NoMatch)?;
    let depth = match anchor.certificate {
        Some(0) => 0,
        Some(_) | None => path.intermediate_certificates().count() + 1,
    };
    Ok(Match { record: anchor.record, depth })
}

/// RFC 7672 §3.2.3: only the DNS-IDs count if there are any, else the CN-ID.
///
/// Name constraints are checked by webpki, and on DNS-IDs only; so a CN-ID counts only where no
/// certificate constrains names.
fn check_names(
    certificates: &[&CertificateDer<'_>],
    constrained: bool,
    names: &ReferenceIdentifiers,
) -> Result<(), VerifyError> {
    let mut parsed = certificates.iter().map(|der| Certificate::read(der));
    let leaf = parsed.next().flatten();
    let constrained = constrained || parsed.flatten().any(|one| one.has_name_constraints());
    let mut presented: Vec<&str> = leaf.iter().flat_map(Certificate::dns_ids).collect();
    if presented.is_empty() && !constrained {
        presented.extend(leaf.and_then(|leaf| leaf.common_name()));
    }
    if presented.iter().any(|name| names.matches(name)) {
        return Ok(());
    }
    let presented = presented.into_iter().take(MAX_NAMES).map(printable).collect();
    Err(VerifyError::Path(CertificateFault::WrongName { presented }))
}

/// How many names of a certificate an error repeats.
const MAX_NAMES: usize = 8;

/// A name as others wrote it, safe to show: escaped, and no longer than a name can be.
fn printable(name: &str) -> String {
    name.escape_default().take(253).collect()
}

fn fault(error: &Error) -> CertificateFault {
    match error {
        Error::CertExpired { .. } => CertificateFault::Expired,
        Error::CertNotValidYet { .. } => CertificateFault::NotYetValid,
        Error::UnknownIssuer => CertificateFault::UnknownIssuer,
        other => CertificateFault::Other { detail: other.to_string() },
    }
}

/// Why a server is not authenticated by its records. It must not get the mail: try the next
/// host, or later (RFC 7672 §2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VerifyError {
    /// The server showed no certificate.
    NoCertificate,
    /// No record matches any certificate of the chain: the records are out of date, or the
    /// server is not the one that they speak of.
    NoMatch,
    /// A DANE-TA(2) record names a trust anchor, but the server's certificate is not good under
    /// it.
    Path(CertificateFault),
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCertificate => write!(f, "the server showed no certificate"),
            Self::NoMatch => write!(f, "no TLSA record matches the certificates of the server"),
            Self::Path(fault) => {
                write!(f, "not valid under the trust anchor of the TLSA record: {fault}")
            }
        }
    }
}

impl core::error::Error for VerifyError {}

/// What records and chain come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgment {
    /// Authenticated.
    Pass {
        /// The record that matched.
        record: Tlsa,
        /// How far from the server's certificate: 0 is that certificate itself.
        depth: usize,
    },
    /// Not authenticated.
    Fail {
        /// Why not.
        why: VerifyError,
    },
    /// No record is usable: TLS is mandatory, and any certificate will do (RFC 7672 §2.2).
    Unusable {
        /// The records, each with the reason; empty if there is none at all.
        why: Vec<Rejected>,
    },
}

impl Judgment {
    /// `pass`, `fail` or `unusable`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Pass { .. } => "pass",
            Self::Fail { .. } => "fail",
            Self::Unusable { .. } => "unusable",
        }
    }
}

/// Sorts out the records as they stand in the DNS, then verifies.
#[must_use]
pub fn judge(
    chain: &[CertificateDer<'_>],
    records: &[TlsaRdata],
    names: &ReferenceIdentifiers,
    options: &PathOptions<'_>,
) -> Judgment {
    let mut set = usable(records);
    if set.records.is_empty() {
        return Judgment::Unusable { why: set.rejected };
    }
    match verify(chain, &set.records, names, options) {
        Ok(found) => {
            Judgment::Pass { record: set.records.swap_remove(found.record), depth: found.depth }
        }
        Err(why) => Judgment::Fail { why },
    }
}
