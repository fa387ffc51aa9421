//! Policies and failures as one line of text each, so that any store can count by them.
//!
//! A store that counts needs a key that is equal exactly when two policies or two failures are
//! equal. That is what `to_line` gives: one line of printable ASCII, always the same for the same
//! value. `from_line` reads it back, and reads nothing else: what it accepts prints as itself. So
//! counting needs no more than a table with a text for a key, and no library for serialization.
//!
//! ```text
//! p1 sts example.com *.example.net,mail.example.com version:%20STSv1,mode:%20enforce
//! f1 certificate-expired 192.0.2.1 mail.example.com - 198.51.100.7 - certificate_has_expired
//! ```
//!
//! A policy: type, domain, mx patterns, strings. A failure: result type, sending address, MX host,
//! its EHLO name, its address, additional information, reason. `-` stands for nothing, lists are
//! separated by commas, and everything but letters, digits and `.:*_-` is written `%XX`.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};
use core::net::IpAddr;

use smtp_types::DomainName;

use crate::{Failure, Policy, PolicyType, ResultType};

/// The first word of a policy; another form would begin with another.
const POLICY: &str = "p1";

/// The first word of a failure.
const FAILURE: &str = "f1";

impl Policy {
    /// The policy as one line of printable ASCII without a line end. Equal policies give equal
    /// lines; bring them into their [canonical](Self::canonical) form first.
    #[must_use]
    pub fn to_line(&self) -> String {
        let mut line = Line::new(POLICY);
        line.text(Some(self.kind.as_str()));
        line.text(self.domain.as_ref().map(DomainName::as_str));
        line.list(&self.mx);
        line.list(&self.strings);
        line.0
    }

    /// Reads what [`to_line`](Self::to_line) has written, and nothing else.
    ///
    /// # Errors
    /// The first field that is not as it must be.
    pub fn from_line(line: &str) -> Result<Self, LineError> {
        let mut fields = Fields::of(line, POLICY)?;
        let policy = Self {
            kind: PolicyType::parse(&fields.required("policy-type")?),
            domain: fields.maybe("policy-domain", |text| DomainName::parse(&text).ok())?,
            mx: fields.list("mx-host")?,
            strings: fields.list("policy-string")?,
        };
        fields.end()?;
        same(&policy.to_line(), line).map(|()| policy)
    }
}

impl Failure {
    /// The failure as one line of printable ASCII without a line end. Equal failures give equal
    /// lines.
    #[must_use]
    pub fn to_line(&self) -> String {
        let mut line = Line::new(FAILURE);
        line.text(Some(self.result.as_str()));
        line.address(self.sending_ip);
        line.text(self.mx_hostname.as_deref());
        line.text(self.mx_helo.as_deref());
        line.address(self.receiving_ip);
        line.text(self.additional_information.as_deref());
        line.text(self.reason.as_deref());
        line.0
    }

    /// Reads what [`to_line`](Self::to_line) has written, and nothing else.
    ///
    /// # Errors
    /// The first field that is not as it must be.
    pub fn from_line(line: &str) -> Result<Self, LineError> {
        let mut fields = Fields::of(line, FAILURE)?;
        let failure = Self {
            result: ResultType::parse(&fields.required("result-type")?),
            sending_ip: fields.maybe("sending-mta-ip", |text| text.parse().ok())?,
            mx_hostname: fields.maybe("receiving-mx-hostname", Some)?,
            mx_helo: fields.maybe("receiving-mx-helo", Some)?,
            receiving_ip: fields.maybe("receiving-ip", |text| text.parse().ok())?,
            additional_information: fields.maybe("additional-information", Some)?,
            reason: fields.maybe("failure-reason-code", Some)?,
        };
        fields.end()?;
        same(&failure.to_line(), line).map(|()| failure)
    }
}

/// Why a text is not a line of ours. Such a row of a store was not written by this program, or was
/// damaged; it is not counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineError {
    /// It begins with another word than `p1` or `f1`.
    Form {
        /// The word that was expected.
        expected: &'static str,
    },
    /// A field is missing, or is not what it must be.
    Field {
        /// Its name in a report.
        field: &'static str,
    },
    /// It says the same as a line of ours, but not in the same octets.
    NotCanonical,
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form { expected } => write!(f, "expected a line that begins with {expected:?}"),
            Self::Field { field } => write!(f, "{field}: expected one such field, found another"),
            Self::NotCanonical => write!(f, "expected the canonical form, found another"),
        }
    }
}

impl core::error::Error for LineError {}

fn same(printed: &str, line: &str) -> Result<(), LineError> {
    if printed == line { Ok(()) } else { Err(LineError::NotCanonical) }
}

/// A line while it is written.
struct Line(String);

impl Line {
    fn new(form: &str) -> Self {
        let mut line = String::with_capacity(96);
        line.push_str(form);
        Self(line)
    }

    fn text(&mut self, text: Option<&str>) {
        self.0.push(' ');
        match text {
            Some(text) => encode(&mut self.0, text),
            None => self.0.push('-'),
        }
    }

    fn address(&mut self, address: Option<IpAddr>) {
        match address {
            // Writing to a String cannot fail; an address has no character to be encoded.
            Some(address) => {
                let _ = write!(self.0, " {address}");
            }
            None => self.text(None),
        }
    }

    fn list(&mut self, texts: &[Box<str>]) {
        if texts.is_empty() {
            return self.text(None);
        }
        self.0.push(' ');
        for (index, text) in texts.iter().enumerate() {
            if index > 0 {
                self.0.push(',');
            }
            encode(&mut self.0, text);
        }
    }
}

fn encode(line: &mut String, text: &str) {
    if text == "-" {
        line.push_str("%2D"); // a dash alone stands for nothing
        return;
    }
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || b".:*_-".contains(&octet) {
            line.push(char::from(octet));
        } else {
            const HEX: &[u8; 16] = b"0123456789ABCDEF";
            line.push('%');
            line.push(char::from(HEX[usize::from(octet >> 4)]));
            line.push(char::from(HEX[usize::from(octet & 15)]));
        }
    }
}

fn decode(text: &str) -> Option<Box<str>> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        if octet != b'%' {
            octets.push(octet);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        octets.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(octets).ok().map(String::into_boxed_str)
}

/// The fields of a line, one after the other.
struct Fields<'l>(core::str::Split<'l, char>);

impl<'l> Fields<'l> {
    fn of(line: &'l str, form: &'static str) -> Result<Self, LineError> {
        let mut fields = line.split(' ');
        match fields.next() {
            Some(found) if found == form => Ok(Self(fields)),
            _ => Err(LineError::Form { expected: form }),
        }
    }

    fn next(&mut self, field: &'static str) -> Result<&'l str, LineError> {
        self.0.next().ok_or(LineError::Field { field })
    }

    fn required(&mut self, field: &'static str) -> Result<Box<str>, LineError> {
        decode(self.next(field)?).ok_or(LineError::Field { field })
    }

    fn maybe<T>(
        &mut self,
        field: &'static str,
        read: impl FnOnce(Box<str>) -> Option<T>,
    ) -> Result<Option<T>, LineError> {
        match self.next(field)? {
            "-" => Ok(None),
            text => decode(text).and_then(read).map(Some).ok_or(LineError::Field { field }),
        }
    }

    fn list(&mut self, field: &'static str) -> Result<Vec<Box<str>>, LineError> {
        match self.next(field)? {
            "-" => Ok(Vec::new()),
            texts => texts
                .split(',')
                .map(|text| decode(text).ok_or(LineError::Field { field }))
                .collect(),
        }
    }

    fn end(mut self) -> Result<(), LineError> {
        self.0.next().map_or(Ok(()), |_| Err(LineError::NotCanonical))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies() {
        let good = |line: &str| {
            let policy = Policy::from_line(line).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!(policy.to_line(), line);
            policy
        };
        let sts = good("p1 sts example.com *.a.test,b.test version:%20STSv1,mode:%20enforce");
        assert_eq!(sts.mx, ["*.a.test".into(), "b.test".into()]);
        assert_eq!(sts.strings[1], "mode: enforce".into());
        assert_eq!(good("p1 no-policy-found - - -").domain, None);
        assert_eq!(good("p1 %20 - - %2D").strings, ["-".into()]);
        assert_eq!(good("p1 tlsa a.test - ").strings, ["".into()]);

        let bad = |line: &str, error| assert_eq!(Policy::from_line(line), Err(error), "{line}");
        bad("f1 sts a.test - -", LineError::Form { expected: "p1" });
        bad("p1 sts a..test - -", LineError::Field { field: "policy-domain" });
        bad("p1 sts a.test -", LineError::Field { field: "policy-string" });
        bad("p1 sts A.test - -", LineError::NotCanonical);
        bad("p1 sts a.test - - -", LineError::NotCanonical);
        bad("p1 sts a.test - %61", LineError::NotCanonical);
        bad("p1 sts a.test - %2d", LineError::NotCanonical);
        bad("p1 sts a.test - %ff", LineError::Field { field: "policy-string" });
    }

    #[test]
    fn failures() {
        let line = "f1 certificate-expired 192.0.2.1 mx.a.test - 2001:db8::1 - has%20expired";
        let failure = Failure::from_line(line).unwrap();
        assert_eq!(failure.to_line(), line);
        assert_eq!(failure.reason.as_deref(), Some("has expired"));
        let unknown = Failure::of(ResultType::ValidationFailure);
        assert_eq!(unknown.to_line(), "f1 validation-failure - - - - - -");
        assert_eq!(Failure::from_line(&unknown.to_line()), Ok(unknown));
        let bad = "f1 validation-failure 1.2.3 - - - - -";
        assert_eq!(Failure::from_line(bad), Err(LineError::Field { field: "sending-mta-ip" }));
    }
}
