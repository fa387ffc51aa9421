//! JSON out: reports (RFC 8460 §4.4) and events, in I-JSON (RFC 7493), always the same octets for
//! the same value.
//!
//! Members are in the order of the standard, and what is not there is left out, never `null`.
//! `mx-host` is a list, as erratum 6241 and all large senders have it.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt::{Display, Write as _};

use crate::{Event, Failure, FailureDetail, Outcome, Policy, PolicyReport, PolicyType, Report};
use crate::{ResultType, Session};

/// The greatest number that every reader of I-JSON takes exactly (RFC 7493 §2.2): 2^53 - 1.
const MAX_NUMBER: u64 = (1 << 53) - 1;

impl Report {
    /// The report as it is sent: one line of JSON.
    ///
    /// Counts above 2^53 - 1 are written as that, and characters that I-JSON forbids as U+FFFD.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut json = String::with_capacity(1024);
        object(&mut json, |report| {
            report.text("organization-name", self.organization.as_deref());
            object(report.value("date-range"), |range| {
                range.display("start-datetime", self.period.begin);
                range.display("end-datetime", self.period.end);
            });
            report.text("contact-info", self.contact.as_deref());
            report.text("report-id", Some(&self.id));
            list(report.value("policies"), &self.policies, write_policy_report);
        });
        json
    }
}

impl Event {
    /// The event as one line of JSON, in the form of a datagram: what
    /// [`parse_datagram`](crate::parse_datagram) reads.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut json = String::with_capacity(512);
        object(&mut json, |event| {
            event.text("dpv", Some("1"));
            event.text("d", Some(self.domain.as_str()));
            event.text("pr", self.record.as_deref());
            list(event.value("policies"), &self.sessions, write_session);
        });
        json
    }
}

fn write_policy_report(json: &mut String, report: &PolicyReport) {
    object(json, |member| {
        object(member.value("policy"), |policy| write_policy(policy, &report.policy));
        object(member.value("summary"), |summary| {
            summary.number("total-successful-session-count", report.summary.successes);
            summary.number("total-failure-session-count", report.summary.failures);
        });
        if !report.details.is_empty() {
            list(member.value("failure-details"), &report.details, write_detail);
        }
    });
}

fn write_policy(member: &mut Object<'_>, policy: &Policy) {
    member.text("policy-type", Some(policy.kind.as_str()));
    member.texts("policy-string", &policy.strings);
    member.text("policy-domain", policy.domain.as_ref().map(smtp_types::DomainName::as_str));
    member.texts("mx-host", &policy.mx);
}

fn write_detail(json: &mut String, detail: &FailureDetail) {
    let FailureDetail { failure, sessions } = detail;
    object(json, |member| {
        member.text("result-type", Some(failure.result.as_str()));
        member.maybe("sending-mta-ip", failure.sending_ip);
        member.text("receiving-mx-hostname", failure.mx_hostname.as_deref());
        member.text("receiving-mx-helo", failure.mx_helo.as_deref());
        member.maybe("receiving-ip", failure.receiving_ip);
        member.number("failed-session-count", *sessions);
        member.text("additional-information", failure.additional_information.as_deref());
        member.text("failure-reason-code", failure.reason.as_deref());
    });
}

fn write_session(json: &mut String, session: &Session) {
    let Session { policy, outcome, failures } = session;
    object(json, |member| {
        member.number("policy-type", policy_code(&policy.kind));
        member.text("policy-domain", policy.domain.as_ref().map(smtp_types::DomainName::as_str));
        member.texts("policy-string", &policy.strings);
        member.texts("mx-host", &policy.mx);
        if !failures.is_empty() {
            list(member.value("failure-details"), failures, write_failure);
        }
        member.number("t", failures.len() as u64);
        member.number("f", u64::from(*outcome == Outcome::Failure));
    });
}

fn write_failure(json: &mut String, failure: &Failure) {
    object(json, |member| {
        member.number("c", failure_code(&failure.result));
        member.maybe("s", failure.sending_ip);
        member.text("n", failure.mx_hostname.as_deref());
        member.text("h", failure.mx_helo.as_deref());
        member.maybe("r", failure.receiving_ip);
        member.text("a", failure.additional_information.as_deref());
        member.text("f", failure.reason.as_deref());
    });
}

/// The policy types of a datagram. It has none for types that RFC 8460 does not know; no event of
/// ours has such.
const fn policy_code(kind: &PolicyType) -> u64 {
    match kind {
        PolicyType::Tlsa => 1,
        PolicyType::Sts => 2,
        PolicyType::NoPolicyFound | PolicyType::Other(_) => 9,
    }
}

/// The failures of a datagram. One that RFC 8460 does not know is a general one (§4.3.3).
pub(crate) const fn failure_code(result: &ResultType) -> u64 {
    match result {
        ResultType::StarttlsNotSupported => 201,
        ResultType::CertificateHostMismatch => 202,
        ResultType::CertificateNotTrusted => 203,
        ResultType::CertificateExpired => 204,
        ResultType::ValidationFailure | ResultType::Other(_) => 205,
        ResultType::StsPolicyFetchError => 301,
        ResultType::StsPolicyInvalid => 302,
        ResultType::StsWebpkiInvalid => 303,
        ResultType::TlsaInvalid => 304,
        ResultType::DnssecInvalid => 305,
        ResultType::DaneRequired => 306,
    }
}

/// An object while it is written.
struct Object<'j> {
    json: &'j mut String,
    is_first: bool,
}

fn object(json: &mut String, write: impl FnOnce(&mut Object<'_>)) {
    json.push('{');
    write(&mut Object { json, is_first: true });
    json.push('}');
}

fn list<T>(json: &mut String, items: &[T], write: impl Fn(&mut String, &T)) {
    json.push('[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        write(json, item);
    }
    json.push(']');
}

impl Object<'_> {
    /// Writes a name; the value is to follow.
    fn value(&mut self, name: &str) -> &mut String {
        if !core::mem::take(&mut self.is_first) {
            self.json.push(',');
        }
        string(self.json, name);
        self.json.push(':');
        self.json
    }

    fn text(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            string(self.value(name), text);
        }
    }

    fn texts(&mut self, name: &str, texts: &[Box<str>]) {
        if !texts.is_empty() {
            list(self.value(name), texts, |json, text| string(json, text));
        }
    }

    fn maybe(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.display(name, value);
        }
    }

    /// Only for what has no character that JSON escapes: addresses and times.
    fn display(&mut self, name: &str, value: impl Display) {
        // Writing to a String cannot fail.
        let _ = write!(self.value(name), "\"{value}\"");
    }

    fn number(&mut self, name: &str, number: u64) {
        let _ = write!(self.value(name), "{}", number.min(MAX_NUMBER));
    }
}

/// RFC 8259 §7, and RFC 7493 §2.1: no noncharacters.
fn string(json: &mut String, text: &str) {
    json.push('"');
    for c in text.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(json, "\\u{:04x}", u32::from(c));
            }
            c if is_noncharacter(c) => json.push(char::REPLACEMENT_CHARACTER),
            c => json.push(c),
        }
    }
    json.push('"');
}

fn is_noncharacter(c: char) -> bool {
    let code = u32::from(c);
    (0xfdd0..=0xfdef).contains(&code) || code & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings() {
        let table = [
            ("", "\"\""),
            ("a\"b\\c", "\"a\\\"b\\\\c\""),
            ("a\r\n\t\u{1}\u{7f}\u{9f}", "\"a\\r\\n\\t\\u0001\\u007f\\u009f\""),
            ("ü</script>", "\"ü</script>\""),
            ("\u{ffff}\u{1fffe}\u{fdd0}", "\"\u{fffd}\u{fffd}\u{fffd}\""),
        ];
        for (text, expected) in table {
            let mut json = String::new();
            string(&mut json, text);
            assert_eq!(json, expected);
        }
    }
}
