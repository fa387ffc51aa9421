//! Postfix's log as a second source, for builds without the TLSRPT client library.
//!
//! Postfix 3.10 and later write one line for each handshake:
//!
//! ```text
//! ... postfix/smtp[123]: TLSRPT: status=success, domain=example.com, receiving_mx=mx.example.com[192.0.2.1]
//! ... TLSRPT: status=failure, domain=example.com, receiving_mx=mx.example.com[192.0.2.1], failure_type=validation_failure, failure_reason=self-signed_certificate
//! ```
//!
//! A line does not say which policy the session was under; whoever decided about the policy knows,
//! and gives it to [`LoggedSession::into_event`].
//!
//! Logs hold texts of strangers. So the words `TLSRPT: status=` count only at the beginning of the
//! message, behind the first `]: `, where no stranger's text can stand.

use alloc::boxed::Box;
use alloc::vec;
use core::fmt;
use core::net::IpAddr;

use smtp_types::{DomainName, DomainNameError};

use crate::privacy::without_addresses;
use crate::{Event, Failure, Outcome, Policy, ResultType, Session};

/// What such a message begins with.
const MARK: &str = "TLSRPT: status=";

/// How long a reason may be, in octets.
const MAX_REASON: usize = 256;

/// What one line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedSession {
    /// The domain that gets the report.
    pub domain: DomainName,
    /// The host, if it has a name.
    pub mx_hostname: Option<DomainName>,
    /// Its address.
    pub receiving_ip: Option<IpAddr>,
    /// What failed; `None` if nothing did.
    pub failure: Option<Failure>,
}

impl LoggedSession {
    /// The event, once it is known which policy the session was under, and, where it is known, the
    /// text of the domain's TLSRPT record.
    #[must_use]
    pub fn into_event(self, policy: Policy, record: Option<Box<str>>) -> Event {
        let outcome = match self.failure {
            Some(_) => Outcome::Failure,
            None => Outcome::Success,
        };
        let failures = self.failure.into_iter().collect();
        let session = Session { policy: policy.canonical(), outcome, failures };
        Event { domain: self.domain, record, sessions: vec![session] }
    }
}

/// Reads one line of a log; `None` if it is about something else.
///
/// # Errors
/// If it is such a line, but not as Postfix writes it.
pub fn parse_postfix_line(line: &str) -> Option<Result<LoggedSession, LogLineError>> {
    let message = line.split_once("]: ").map_or(line, |(_, message)| message);
    let fields = message.trim_end().strip_prefix(MARK)?;
    Some(parse_fields(fields))
}

fn parse_fields(fields: &str) -> Result<LoggedSession, LogLineError> {
    let (status, fields) = fields.split_once(", ").ok_or(LogLineError::Missing("domain"))?;
    let fields = fields.strip_prefix("domain=").ok_or(LogLineError::Missing("domain"))?;
    let (domain, host) =
        fields.split_once(", receiving_mx=").ok_or(LogLineError::Missing("receiving_mx"))?;
    let domain = DomainName::parse(domain).map_err(LogLineError::Domain)?;
    // A host without a name is its address in brackets, so the last bracket is that of the address.
    let (host, rest) = match host.split_once("], ") {
        Some(parts) => parts,
        None => (host.strip_suffix(']').ok_or(LogLineError::Missing("receiving_mx"))?, ""),
    };
    let (name, address) = host.rsplit_once('[').ok_or(LogLineError::Missing("receiving_mx"))?;
    let mx_hostname = DomainName::parse(name).ok();
    let receiving_ip = address.parse().ok();
    let failure = match status {
        "success" => None,
        "failure" => {
            let rest =
                rest.strip_prefix("failure_type=").ok_or(LogLineError::Missing("failure_type"))?;
            let (kind, reason) = match rest.split_once(", failure_reason=") {
                Some((kind, reason)) => (kind, Some(reason)),
                None => (rest, None),
            };
            let reason = reason.map(|reason| without_addresses(reason.trim()));
            Some(Failure {
                mx_hostname: mx_hostname.as_ref().map(|name| name.as_str().into()),
                receiving_ip,
                reason: reason.map(|text| text[..text.floor_char_boundary(MAX_REASON)].into()),
                ..Failure::of(result_type(kind)?)
            })
        }
        other => return Err(LogLineError::Status(other.into())),
    };
    Ok(LoggedSession { domain, mx_hostname, receiving_ip, failure })
}

/// Result types with underscores; a hyphen is taken, too.
fn result_type(word: &str) -> Result<ResultType, LogLineError> {
    let same = |known: &ResultType| {
        known.as_str().len() == word.len()
            && known
                .as_str()
                .bytes()
                .zip(word.bytes())
                .all(|(a, b)| a == b || (a, b) == (b'-', b'_'))
    };
    let known = ResultType::ALL.into_iter().find(same);
    known.ok_or_else(|| LogLineError::FailureType(word.into()))
}

/// Why a line of the log cannot be counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogLineError {
    /// A field does not stand where Postfix writes it.
    Missing(&'static str),
    /// `status` is neither `success` nor `failure`.
    Status(Box<str>),
    /// `domain` is not one.
    Domain(DomainNameError),
    /// `failure_type` is none of RFC 8460.
    FailureType(Box<str>),
}

impl fmt::Display for LogLineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(field) => write!(f, "{field}: expected this field, found none"),
            Self::Status(found) => {
                write!(f, "status: expected success or failure, found {found:?}")
            }
            Self::Domain(error) => write!(f, "domain: {error}"),
            Self::FailureType(found) => {
                write!(f, "failure_type: expected a result type of RFC 8460, found {found:?}")
            }
        }
    }
}

impl core::error::Error for LogLineError {}

#[cfg(test)]
mod tests {
    use super::*;

    const PREFIX: &str = "Nov 22 01:02:03 mail postfix/smtp[123]: ";

    #[test]
    fn lines() {
        let good = |line: &str| parse_postfix_line(line).unwrap().unwrap();
        let success = good(
            "TLSRPT: status=success, domain=Example.com, receiving_mx=mx.example.com[2001:db8::1]\n",
        );
        assert_eq!((success.domain.as_str(), success.failure), ("example.com", None));
        assert_eq!(success.receiving_ip, "2001:db8::1".parse().ok());
        let text = "TLSRPT: status=failure, domain=example.org, receiving_mx=mail.example.org\
                    [192.0.2.1], failure_type=validation_failure, failure_reason=no, not\u{e4}";
        let failure = good(&alloc::format!("{PREFIX}{text}")).failure.unwrap();
        assert_eq!(failure.result, ResultType::ValidationFailure);
        assert_eq!(failure.reason.as_deref(), Some("no, not\u{e4}"));
        let bare = good(
            "TLSRPT: status=failure, domain=a.test, receiving_mx=[192.0.2.1][192.0.2.1], \
             failure_type=starttls_not_supported",
        );
        assert_eq!(bare.failure.unwrap().result, ResultType::StarttlsNotSupported);
        assert_eq!((bare.mx_hostname, bare.receiving_ip), (None, "192.0.2.1".parse().ok()));
    }

    #[test]
    fn other_lines_are_none() {
        let said = "7D1: to=<a@b.test>, status=bounced (host mx[192.0.2.1]: said: 550 no) ";
        for line in [
            "",
            "connect from mx[192.0.2.1]",
            "TLSRPT: ",
            &alloc::format!("{PREFIX}{said}]: TLSRPT: status=success, domain=victim.test, "),
            &alloc::format!("{PREFIX}said: TLSRPT: status=success, domain=victim.test, "),
        ] {
            assert_eq!(parse_postfix_line(line), None, "{line}");
        }
    }

    #[test]
    fn faults() {
        let bad = |fields: &str, error| {
            let line = alloc::format!("{PREFIX}{MARK}{fields}");
            assert_eq!(parse_postfix_line(&line), Some(Err(error)), "{fields}");
        };
        bad("success", LogLineError::Missing("domain"));
        bad("success, domain=a.test", LogLineError::Missing("receiving_mx"));
        bad("success, domain=a.test, receiving_mx=x", LogLineError::Missing("receiving_mx"));
        bad("success, domain=, receiving_mx=x[y]", LogLineError::Domain(DomainNameError::Empty));
        bad("odd, domain=a.test, receiving_mx=x[y]", LogLineError::Status("odd".into()));
        bad("failure, domain=a.test, receiving_mx=x[y]", LogLineError::Missing("failure_type"));
        bad(
            "failure, domain=a.test, receiving_mx=x[y], failure_type=z",
            LogLineError::FailureType("z".into()),
        );
    }
}
