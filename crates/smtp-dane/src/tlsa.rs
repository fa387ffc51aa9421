//! One TLSA record, understood (RFC 6698 §2.1, with the acronyms of RFC 7218).

use alloc::vec::Vec;
use core::fmt;

use smtp_types::TlsaRdata;

use crate::certificate::{Certificate, is_public_key};

/// What a record speaks of, and what else must hold (RFC 6698 §2.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CertUsage {
    /// 0: an authority of the web; its chain must be valid, too. Not usable for SMTP.
    PkixTa,
    /// 1: a server certificate of an authority of the web. Not usable for SMTP.
    PkixEe,
    /// 2: the trust anchor of the server's certificate.
    DaneTa,
    /// 3: the server's certificate or key itself.
    DaneEe,
}

impl CertUsage {
    /// The usage with this number, if RFC 6698 §7.2 knows it.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::PkixTa),
            1 => Some(Self::PkixEe),
            2 => Some(Self::DaneTa),
            3 => Some(Self::DaneEe),
            _ => None,
        }
    }

    /// The number in the record.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::PkixTa => 0,
            Self::PkixEe => 1,
            Self::DaneTa => 2,
            Self::DaneEe => 3,
        }
    }

    /// The acronym, for example `DANE-EE` (RFC 7218 §2.1).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PkixTa => "PKIX-TA",
            Self::PkixEe => "PKIX-EE",
            Self::DaneTa => "DANE-TA",
            Self::DaneEe => "DANE-EE",
        }
    }
}

/// Which part of a certificate is compared (RFC 6698 §2.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Selector {
    /// 0: the whole certificate.
    Cert,
    /// 1: the public key with its algorithm, `SubjectPublicKeyInfo`.
    Spki,
}

impl Selector {
    /// The selector with this number, if RFC 6698 §7.3 knows it.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Cert),
            1 => Some(Self::Spki),
            _ => None,
        }
    }

    /// The number in the record.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Cert => 0,
            Self::Spki => 1,
        }
    }

    /// The acronym, for example `SPKI` (RFC 7218 §2.2).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cert => "Cert",
            Self::Spki => "SPKI",
        }
    }
}

/// How the selected part is given (RFC 6698 §2.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MatchingType {
    /// 0: as it is.
    Full,
    /// 1: its SHA-256 digest.
    Sha256,
    /// 2: its SHA-512 digest.
    Sha512,
}

impl MatchingType {
    /// The matching type with this number, if RFC 6698 §7.4 knows it.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Full),
            1 => Some(Self::Sha256),
            2 => Some(Self::Sha512),
            _ => None,
        }
    }

    /// The number in the record.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Full => 0,
            Self::Sha256 => 1,
            Self::Sha512 => 2,
        }
    }

    /// The acronym, for example `SHA2-256` (RFC 7218 §2.3).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "Full",
            Self::Sha256 => "SHA2-256",
            Self::Sha512 => "SHA2-512",
        }
    }

    /// How many octets a digest of this type has; `None` for [`Full`](Self::Full).
    #[must_use]
    pub const fn digest_octets(self) -> Option<usize> {
        match self {
            Self::Full => None,
            Self::Sha256 => Some(32),
            Self::Sha512 => Some(64),
        }
    }
}

/// A well-formed record: its numbers are known, and its data are what they say.
///
/// That does not make it usable for SMTP; see [`usable`](crate::usable). Printed, it is the
/// presentation form of RFC 6698 §2.2; parsed again, it is the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tlsa {
    usage: CertUsage,
    selector: Selector,
    matching_type: MatchingType,
    data: Vec<u8>,
}

impl Tlsa {
    /// Understands a record as it stands in the DNS.
    ///
    /// # Errors
    /// The first of its parts, from left to right, that means nothing.
    pub fn parse(rdata: &TlsaRdata) -> Result<Self, TlsaFault> {
        let usage =
            CertUsage::from_number(rdata.usage).ok_or(TlsaFault::Usage { found: rdata.usage })?;
        let selector = Selector::from_number(rdata.selector)
            .ok_or(TlsaFault::Selector { found: rdata.selector })?;
        let matching_type = MatchingType::from_number(rdata.matching_type)
            .ok_or(TlsaFault::MatchingType { found: rdata.matching_type })?;
        check_data(selector, matching_type, &rdata.data)?;
        Ok(Self { usage, selector, matching_type, data: rdata.data.clone() })
    }

    /// What the record speaks of.
    #[must_use]
    pub const fn usage(&self) -> CertUsage {
        self.usage
    }

    /// Which part of a certificate is compared.
    #[must_use]
    pub const fn selector(&self) -> Selector {
        self.selector
    }

    /// How the selected part is given.
    #[must_use]
    pub const fn matching_type(&self) -> MatchingType {
        self.matching_type
    }

    /// The certificate association data: a digest, a certificate or a public key.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The record as it stands in the DNS.
    #[must_use]
    pub fn to_rdata(&self) -> TlsaRdata {
        TlsaRdata {
            usage: self.usage.number(),
            selector: self.selector.number(),
            matching_type: self.matching_type.number(),
            data: self.data.clone(),
        }
    }
}

/// RFC 6698 §2.1.4: the data are "raw data" for matching type 0, else a digest.
fn check_data(
    selector: Selector,
    matching_type: MatchingType,
    data: &[u8],
) -> Result<(), TlsaFault> {
    if let Some(expected) = matching_type.digest_octets() {
        return match data.len() {
            found if found == expected => Ok(()),
            found => Err(TlsaFault::DigestLength { matching_type, found }),
        };
    }
    match selector {
        Selector::Cert if Certificate::read(data).is_none() => Err(TlsaFault::NotCertificate),
        Selector::Spki if !is_public_key(data) => Err(TlsaFault::NotPublicKey),
        Selector::Cert | Selector::Spki => Ok(()),
    }
}

/// The presentation form: three numbers and lower-case hex (RFC 6698 §2.2).
impl fmt::Display for Tlsa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [usage, selector, matching_type] =
            [self.usage.number(), self.selector.number(), self.matching_type.number()];
        write!(f, "{usage} {selector} {matching_type} ")?;
        self.data.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

/// What can be wrong with the parts of a record. The consequence is always the same: a sender
/// cannot use the record, and looks at the others (RFC 7672 §2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsaFault {
    /// A certificate usage that nobody has defined.
    Usage {
        /// The number.
        found: u8,
    },
    /// A selector that nobody has defined.
    Selector {
        /// The number.
        found: u8,
    },
    /// A matching type that nobody has defined.
    MatchingType {
        /// The number.
        found: u8,
    },
    /// The data are shorter or longer than the digest.
    DigestLength {
        /// The digest.
        matching_type: MatchingType,
        /// How many octets there are.
        found: usize,
    },
    /// Selector 0 and matching type 0, and the data are no certificate.
    NotCertificate,
    /// Selector 1 and matching type 0, and the data are no public key.
    NotPublicKey,
}

impl TlsaFault {
    /// A stable name for machines.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Usage { .. } => "tlsa-usage",
            Self::Selector { .. } => "tlsa-selector",
            Self::MatchingType { .. } => "tlsa-matching-type",
            Self::DigestLength { .. } => "tlsa-digest-length",
            Self::NotCertificate => "tlsa-not-certificate",
            Self::NotPublicKey => "tlsa-not-public-key",
        }
    }

    /// The section of RFC 6698 that is broken.
    #[must_use]
    pub const fn clause(&self) -> &'static str {
        match self {
            Self::Usage { .. } => "RFC 6698 §2.1.1",
            Self::Selector { .. } => "RFC 6698 §2.1.2",
            Self::MatchingType { .. } | Self::DigestLength { .. } => "RFC 6698 §2.1.3",
            Self::NotCertificate | Self::NotPublicKey => "RFC 6698 §2.1.4",
        }
    }
}

impl fmt::Display for TlsaFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage { found } => write!(f, "certificate usage: expected 0 to 3, found {found}"),
            Self::Selector { found } => write!(f, "selector: expected 0 or 1, found {found}"),
            Self::MatchingType { found } => {
                write!(f, "matching type: expected 0 to 2, found {found}")
            }
            Self::DigestLength { matching_type, found } => {
                let expected = matching_type.digest_octets().unwrap_or_default();
                let digest = matching_type.as_str();
                write!(f, "data: expected {expected} octets for {digest}, found {found}")
            }
            Self::NotCertificate => {
                write!(f, "data: expected a certificate, found something else")
            }
            Self::NotPublicKey => {
                write!(
                    f,
                    "data: expected a public key (SubjectPublicKeyInfo), found something else"
                )
            }
        }
    }
}

impl core::error::Error for TlsaFault {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec;

    fn rdata(usage: u8, selector: u8, matching_type: u8, data: &[u8]) -> TlsaRdata {
        TlsaRdata { usage, selector, matching_type, data: data.to_vec() }
    }

    fn bad(rdata: &TlsaRdata, fault: &TlsaFault) {
        assert_eq!(Tlsa::parse(rdata).as_ref(), Err(fault), "{rdata:?}");
    }

    #[test]
    fn records() {
        for usage in 0..4 {
            for selector in 0..2 {
                for (matching_type, length) in [(1, 32), (2, 64)] {
                    let rdata = rdata(usage, selector, matching_type, &vec![0xab; length]);
                    let tlsa = Tlsa::parse(&rdata).unwrap();
                    assert_eq!(tlsa.to_rdata(), rdata);
                    let numbers = alloc::format!("{usage} {selector} {matching_type} ");
                    assert_eq!(tlsa.to_string(), numbers + &"ab".repeat(length));
                }
            }
        }
        let digest = [0; 32];
        bad(&rdata(4, 1, 1, &digest), &TlsaFault::Usage { found: 4 });
        bad(&rdata(255, 1, 1, &digest), &TlsaFault::Usage { found: 255 }); // private use
        bad(&rdata(3, 2, 1, &digest), &TlsaFault::Selector { found: 2 });
        bad(&rdata(3, 1, 3, &digest), &TlsaFault::MatchingType { found: 3 });
        let length = |matching_type, found| TlsaFault::DigestLength { matching_type, found };
        bad(&rdata(3, 1, 1, &[]), &length(MatchingType::Sha256, 0));
        bad(&rdata(3, 1, 1, &[0; 31]), &length(MatchingType::Sha256, 31));
        bad(&rdata(3, 1, 2, &digest), &length(MatchingType::Sha512, 32));
        bad(&rdata(2, 0, 0, &digest), &TlsaFault::NotCertificate);
        bad(&rdata(3, 1, 0, &[]), &TlsaFault::NotPublicKey);
    }
}
