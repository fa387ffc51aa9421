//! What can fail in a session with a mail host, by its policy.

use alloc::string::String;
use core::fmt;

use smtp_dane::VerifyError;
use smtp_starttls::Failure;
use smtp_types::CertificateFault;

/// Why a session does not give what the policy of the domain asks for. In mode enforce, or with
/// DANE, the host would not get the mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionFailure {
    /// The MTA-STS policy does not name the host (RFC 8461 §4.1). Nobody needs to connect for this.
    MxNotAllowed,
    /// There was no handshake.
    Dialogue(Failure),
    /// The handshake failed, for another reason than the certificate.
    Handshake {
        /// What went wrong.
        detail: String,
    },
    /// The certificate is not one that the web would trust for the host (RFC 8461 §4.2).
    Certificate(CertificateFault),
    /// No TLSA record authenticates the host (RFC 7672 §2.2).
    Dane(VerifyError),
}

impl SessionFailure {
    /// The failure in one word, as the `failure-reason-code` of a report (RFC 8460 §4.3).
    #[must_use]
    pub const fn reason_code(&self) -> &'static str {
        match self {
            Self::MxNotAllowed => "mx-not-in-policy",
            Self::Dialogue(failure) => failure.code(),
            Self::Handshake { .. } => "tls-handshake-failure",
            Self::Certificate(fault) | Self::Dane(VerifyError::Path(fault)) => match fault {
                CertificateFault::Expired => "certificate-expired",
                CertificateFault::NotYetValid => "certificate-not-yet-valid",
                CertificateFault::WrongName { .. } => "certificate-wrong-name",
                CertificateFault::UnknownIssuer => "certificate-unknown-issuer",
                CertificateFault::Wildcard => "certificate-wildcard",
                CertificateFault::Other { .. } => "certificate-invalid",
            },
            Self::Dane(VerifyError::NoCertificate) => "no-certificate",
            Self::Dane(VerifyError::NoMatch) => "tlsa-no-match",
        }
    }
}

impl fmt::Display for SessionFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MxNotAllowed => {
                write!(
                    f,
                    "MX host: expected one that the policy names, found another (RFC 8461 §4.1)"
                )
            }
            Self::Dialogue(failure) => failure.fmt(f),
            Self::Handshake { detail } => write!(f, "TLS: {detail}"),
            Self::Certificate(fault) => write!(f, "certificate: {fault}"),
            Self::Dane(error) => write!(f, "DANE: {error}"),
        }
    }
}

impl core::error::Error for SessionFailure {}
