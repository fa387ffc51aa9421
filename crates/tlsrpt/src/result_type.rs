//! What can come of a session, in the words that reports use (RFC 8460 §4.3).

use alloc::boxed::Box;
use core::fmt;

/// Why a session failed. Which failure leads to which is decided in one place, in
/// `transport-policy`.
///
/// Others may send types that later standards define; each of them is kept as
/// [`Other`](Self::Other).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResultType {
    /// The host did not offer STARTTLS (§4.3.1).
    StarttlsNotSupported,
    /// The certificate is made for other names than MTA-STS or DANE want (§4.3.1).
    CertificateHostMismatch,
    /// The certificate is past its end (§4.3.1).
    CertificateExpired,
    /// The certificate is not trusted for another reason: unknown authority, broken chain, name
    /// constraints (§4.3.1). The failure reason code should say which.
    CertificateNotTrusted,
    /// DANE: "None of the records in the RRset were found to be valid" (§4.3.2.1).
    TlsaInvalid,
    /// DANE: the resolver gave no valid records (§4.3.2.1).
    DnssecInvalid,
    /// DANE: the sender demands TLSA records of this host, and there are none that DNSSEC
    /// validates (§4.3.2.1; RFC 7672 §6).
    DaneRequired,
    /// MTA-STS: the policy could not be fetched, for example because the policy host is down
    /// (§4.3.2.2).
    StsPolicyFetchError,
    /// MTA-STS: what was fetched is not a policy (§4.3.2.2).
    StsPolicyInvalid,
    /// MTA-STS: the certificate of the policy host is not valid (§4.3.2.2).
    StsWebpkiInvalid,
    /// Any other failure of TLS (§4.3.3). The failure reason code should say which.
    ValidationFailure,
    /// A type that RFC 8460 does not know, as written. Only others' reports have such.
    Other(Box<str>),
}

impl ResultType {
    /// All types of RFC 8460, in its order.
    pub const ALL: [Self; 11] = [
        Self::StarttlsNotSupported,
        Self::CertificateHostMismatch,
        Self::CertificateExpired,
        Self::CertificateNotTrusted,
        Self::TlsaInvalid,
        Self::DnssecInvalid,
        Self::DaneRequired,
        Self::StsPolicyFetchError,
        Self::StsPolicyInvalid,
        Self::StsWebpkiInvalid,
        Self::ValidationFailure,
    ];

    /// Reads a type; one that is unknown is kept.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text {
            "starttls-not-supported" => Self::StarttlsNotSupported,
            "certificate-host-mismatch" => Self::CertificateHostMismatch,
            "certificate-expired" => Self::CertificateExpired,
            "certificate-not-trusted" => Self::CertificateNotTrusted,
            "tlsa-invalid" => Self::TlsaInvalid,
            "dnssec-invalid" => Self::DnssecInvalid,
            "dane-required" => Self::DaneRequired,
            "sts-policy-fetch-error" => Self::StsPolicyFetchError,
            "sts-policy-invalid" => Self::StsPolicyInvalid,
            "sts-webpki-invalid" => Self::StsWebpkiInvalid,
            "validation-failure" => Self::ValidationFailure,
            other => Self::Other(other.into()),
        }
    }

    /// The type as reports write it, for example `certificate-expired`.
    #[must_use]
    pub const fn as_str(&self) -> &str {
        match self {
            Self::StarttlsNotSupported => "starttls-not-supported",
            Self::CertificateHostMismatch => "certificate-host-mismatch",
            Self::CertificateExpired => "certificate-expired",
            Self::CertificateNotTrusted => "certificate-not-trusted",
            Self::TlsaInvalid => "tlsa-invalid",
            Self::DnssecInvalid => "dnssec-invalid",
            Self::DaneRequired => "dane-required",
            Self::StsPolicyFetchError => "sts-policy-fetch-error",
            Self::StsPolicyInvalid => "sts-policy-invalid",
            Self::StsWebpkiInvalid => "sts-webpki-invalid",
            Self::ValidationFailure => "validation-failure",
            Self::Other(text) => text,
        }
    }
}

impl fmt::Display for ResultType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_read_as_written() {
        for known in ResultType::ALL {
            assert_eq!(ResultType::parse(known.as_str()), known);
            assert!(!matches!(known, ResultType::Other(_)));
        }
        for other in ["", "Certificate-Expired", "quantum-failure"] {
            let kept = ResultType::parse(other);
            assert_eq!((kept.as_str(), &kept), (other, &ResultType::Other(other.into())));
        }
    }
}
