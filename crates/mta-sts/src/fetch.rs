//! Which response of the policy host is a policy (RFC 8461 §3.3).

use alloc::boxed::Box;
use core::fmt;
use core::time::Duration;

use smtp_types::{
    CertificateFault, DomainName, DomainNameError, HttpsFailure, HttpsQuestion, HttpsReply,
};

use crate::{Policy, PolicyError};

/// The longest policy that is read. §3.3: "a suggested maximum policy size 64 kilobytes".
pub const MAX_POLICY_OCTETS: usize = 64 * 1024;

/// How long a fetch may take. §3.3: "A suggested timeout is one minute".
pub const FETCH_TIMEOUT: Duration = Duration::from_secs(60);

/// Where the policy of a domain is served: `https://mta-sts.<domain>/.well-known/mta-sts.txt`.
///
/// # Errors
/// If the domain is so long that the host's name has more than 253 octets.
pub fn policy_question(domain: &DomainName) -> Result<HttpsQuestion, DomainNameError> {
    Ok(HttpsQuestion { host: domain.below("mta-sts")?, path: "/.well-known/mta-sts.txt" })
}

/// The policy in a response.
///
/// The certificate was judged by whoever fetched (§3.3: valid for the policy host by DNS-ID, not
/// expired, from a trusted authority); a bad one arrives here as a failure.
///
/// # Errors
/// [`FetchError`] says what the response lacks.
pub fn accept(reply: &HttpsReply) -> Result<Policy, FetchError> {
    let answer = reply.as_ref().map_err(|failure| FetchError::Https(failure.clone()))?;
    // §3.3: "HTTP 3xx redirects MUST NOT be followed", and only 200 carries a policy.
    if answer.status != 200 {
        return Err(FetchError::Status { found: answer.status });
    }
    // §3.2: senders validate the media type, because web servers let untrusted users host other
    // content.
    if !answer.content_type.as_deref().is_some_and(is_text_plain) {
        return Err(FetchError::MediaType { found: answer.content_type.as_deref().map(Box::from) });
    }
    if answer.body.len() > MAX_POLICY_OCTETS {
        return Err(FetchError::Https(HttpsFailure::TooLarge { limit: MAX_POLICY_OCTETS }));
    }
    Policy::parse(&answer.body).map_err(FetchError::Policy)
}

/// `text/plain` in any case, with any parameters (RFC 9110 §8.3.1).
fn is_text_plain(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case("text/plain")
}

/// Why a fetch gave no policy. An unexpired cached one stays in force (RFC 8461 §5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchError {
    /// There was no valid response.
    Https(HttpsFailure),
    /// A status other than 200; redirects count as failures.
    Status {
        /// The status code.
        found: u16,
    },
    /// A media type other than `text/plain`, or none.
    MediaType {
        /// The `Content-Type` field, if there was one.
        found: Option<Box<str>>,
    },
    /// The body is not a policy.
    Policy(PolicyError),
}

impl FetchError {
    /// A stable name for machines.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Https(failure) => match failure {
                HttpsFailure::Dns(_) => "policy-host-dns",
                HttpsFailure::NoAddress => "policy-host-no-address",
                HttpsFailure::AddressRefused { .. } => "policy-host-address-refused",
                HttpsFailure::Unreachable { .. } => "policy-host-unreachable",
                HttpsFailure::Certificate(_) => "policy-host-certificate",
                HttpsFailure::Tls { .. } => "policy-host-tls",
                HttpsFailure::Timeout { .. } => "policy-host-timeout",
                HttpsFailure::TooLarge { .. } => "policy-too-large",
                HttpsFailure::Protocol { .. } => "policy-host-http",
            },
            Self::Status { .. } => "policy-http-status",
            Self::MediaType { .. } => "policy-media-type",
            Self::Policy(_) => "policy-invalid",
        }
    }

    /// The fault of the policy host's certificate, if that is what failed.
    #[must_use]
    pub const fn certificate_fault(&self) -> Option<&CertificateFault> {
        match self {
            Self::Https(HttpsFailure::Certificate(fault)) => Some(fault),
            _ => None,
        }
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Https(failure) => failure.fmt(f),
            Self::Status { found: found @ 300..=399 } => {
                write!(
                    f,
                    "status: expected 200, found {found}: redirects are not followed (RFC 8461 §3.3)"
                )
            }
            Self::Status { found } => {
                write!(f, "status: expected 200, found {found} (RFC 8461 §3.3)")
            }
            Self::MediaType { found: Some(found) } => {
                write!(f, "media type: expected text/plain, found {found:?} (RFC 8461 §3.2)")
            }
            Self::MediaType { found: None } => {
                write!(f, "media type: expected text/plain, found none (RFC 8461 §3.2)")
            }
            Self::Policy(error) => write!(f, "policy: {error}"),
        }
    }
}

impl core::error::Error for FetchError {}
