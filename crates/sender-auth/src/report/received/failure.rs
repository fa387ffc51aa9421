//! Counting failure reports of others: what happened how often, and nothing about whom.
//!
//! A failure report (RFC 9991, RFC 6591) is a mail of three parts. The middle one, of the type
//! `message/feedback-report`, has fields as a header has them. Of these only what is needed to
//! count is read here: which domain, from where, when, what failed, how often. Who sent and who
//! received the message, its subject and its id are passed over and cannot come out, and the third
//! part, a piece of somebody's mail, is not looked at.

use alloc::string::String;
use core::fmt;
use core::net::IpAddr;

use smtp_types::{DomainName, UnixTime};

use super::super::DeliveryResult;
use super::super::words::words;
use super::quirk::{QuirkKind, Quirks};
use super::value::{self, Value};

/// How many octets of the part are read. No fields need more; what is behind is passed over.
const MAX_OCTETS: usize = 64 * 1024;

words! {
    /// What failed (RFC 6591 §3.3; `dmarc` is of RFC 9991 §4).
    AuthFailure {
        /// An author domain signing practice (RFC 5617).
        Adsp = "adsp",
        /// The hash of the body does not match.
        BodyHash = "bodyhash",
        /// The key was revoked.
        Revoked = "revoked",
        /// The signature does not hold.
        Signature = "signature",
        /// SPF did not pass.
        Spf = "spf",
        /// Nothing gave an aligned pass.
        Dmarc = "dmarc",
    }
}

/// What can be counted of a failure report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceivedFailure {
    /// The domain that the report is about.
    pub reported_domain: Option<DomainName>,
    /// The address that sent the message.
    pub source_ip: Option<IpAddr>,
    /// When the message arrived there.
    pub arrival: Option<UnixTime>,
    /// What failed.
    pub failure: Option<AuthFailure>,
    /// What became of the message.
    pub delivery: Option<DeliveryResult>,
    /// How many like messages the report stands for; 1 if it does not say.
    pub incidents: u64,
    /// What was not as it should be. The path is the name of a field.
    pub quirks: Quirks,
}

/// Reads the part `message/feedback-report`, decoded.
///
/// # Errors
/// [`FailureReadError`] if it is none about a failed authentication.
pub fn read_failure(part: &[u8]) -> Result<ReceivedFailure, FailureReadError> {
    let kept = &part[..part.len().min(MAX_OCTETS)];
    let text = String::from_utf8_lossy(kept);
    let mut report = ReceivedFailure { incidents: 1, ..ReceivedFailure::default() };
    let mut kind: Option<String> = None;
    for (name, text) in fields(&text) {
        match name.to_ascii_lowercase().as_str() {
            "feedback-type" => kind = kind.or(Some(text.to_ascii_lowercase())),
            "reported-domain" if report.reported_domain.is_none() => {
                let read = value::domain(&text);
                report.reported_domain = report.take("Reported-Domain", &text, read);
            }
            "source-ip" if report.source_ip.is_none() => {
                report.source_ip = report.take("Source-IP", &text, value::address(&text));
            }
            // RFC 5965 §3.2 has both names.
            "arrival-date" | "received-date" if report.arrival.is_none() => {
                let read = match mail_date(&text) {
                    Some(time) => Value::good(time),
                    None => Value::bad(QuirkKind::NotANumber),
                };
                report.arrival = report.take("Arrival-Date", &text, read);
            }
            "auth-failure" if report.failure.is_none() => {
                let read = value::word(&text, AuthFailure::parse);
                report.failure = report.take("Auth-Failure", &text, read);
            }
            "delivery-result" if report.delivery.is_none() => {
                let read = value::word(&text, DeliveryResult::parse);
                report.delivery = report.take("Delivery-Result", &text, read);
            }
            "incidents" => {
                let read = report.take("Incidents", &text, value::number(&text));
                report.incidents = read.unwrap_or(1).max(1);
            }
            _ => {}
        }
    }
    match kind.as_deref() {
        None if report.failure.is_none() && report.reported_domain.is_none() => {
            return Err(FailureReadError::NotAReport);
        }
        None => report.quirks.add(QuirkKind::Missing, "Feedback-Type", None, ""),
        Some("auth-failure") => {}
        Some("auth_failure" | "auth failure" | "authfailure") => {
            report.quirks.add(QuirkKind::OldWord, "Feedback-Type", None, "");
        }
        Some(other) => {
            return Err(FailureReadError::OtherKind { found: value::shown(other) });
        }
    }
    // RFC 6591 §3.1 and RFC 9991 §4: these must be there.
    for (field, is_missing) in [
        ("Reported-Domain", report.reported_domain.is_none()),
        ("Source-IP", report.source_ip.is_none()),
        ("Auth-Failure", report.failure.is_none()),
    ] {
        let is_named = report.quirks.iter().any(|quirk| quirk.path == field);
        if is_missing && !is_named {
            report.quirks.add(QuirkKind::Missing, field, None, "");
        }
    }
    Ok(report)
}

impl ReceivedFailure {
    fn take<T>(&mut self, field: &'static str, text: &str, read: Value<T>) -> Option<T> {
        if let Some(kind) = read.quirk {
            self.quirks.add(kind, field, None, text);
        }
        read.value
    }
}

/// The fields, unfolded and without comments at their ends.
fn fields(text: &str) -> impl Iterator<Item = (&str, String)> {
    let mut lines = text.lines().peekable();
    core::iter::from_fn(move || {
        loop {
            let line = lines.next()?;
            let Some((name, first)) = line.split_once(':') else { continue };
            let mut value = String::from(first.trim());
            while let Some(folded) = lines.next_if(|line| line.starts_with([' ', '\t'])) {
                value.push(' ');
                value.push_str(folded.trim());
            }
            return Some((name.trim(), String::from(value.trim())));
        }
    })
}

/// A date as RFC 5322 §3.3 has it, with the obsolete zones of §4.3: `Sat, 21 Nov 2026 19:30:00
/// +0100 (CET)`. Seconds may be missing, and so may the day of the week.
fn mail_date(text: &str) -> Option<UnixTime> {
    let text = text.split_once('(').map_or(text, |(date, _)| date);
    let text = text.split_once(',').map_or(text, |(_, date)| date);
    let mut words = text.split_ascii_whitespace();
    let day: u64 = words.next()?.parse().ok().filter(|day| (1..=31).contains(day))?;
    let month = month(words.next()?)?;
    let year: u64 = words.next()?.parse().ok().filter(|year| (1970..=9999).contains(year))?;
    let mut clock = words.next()?.split(':').map(|part| part.parse::<u64>().ok());
    let (hour, minute) = (clock.next()??, clock.next()??);
    let second = clock.next().unwrap_or(Some(0))?;
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let local = (days_before(year, month) + day - 1) * 86_400 + hour * 3600 + minute * 60 + second;
    let (east, offset) = zone(words.next().unwrap_or("+0000"))?;
    let seconds = if east { local.saturating_sub(offset) } else { local.saturating_add(offset) };
    Some(UnixTime(seconds))
}

/// The month from 1.
fn month(word: &str) -> Option<u64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let short = word.get(..3)?;
    let at = MONTHS.iter().position(|month| month.eq_ignore_ascii_case(short))?;
    u64::try_from(at + 1).ok()
}

/// How many days there are from 1970-01-01 to the first of a month.
fn days_before(year: u64, month: u64) -> u64 {
    const BEFORE: [u64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let last = year - 1;
    let leap_days = (last / 4 - last / 100 + last / 400) - 477;
    let at = usize::try_from(month).unwrap_or_default().saturating_sub(1);
    let in_year = BEFORE.get(at).copied().unwrap_or_default();
    (year - 1970) * 365 + leap_days + in_year + u64::from(is_leap && month > 2)
}

/// Whether a zone is east of UTC, and how many seconds.
fn zone(word: &str) -> Option<(bool, u64)> {
    let hours_west = match word {
        "EDT" => 4,
        "EST" | "CDT" => 5,
        "CST" | "MDT" => 6,
        "MST" | "PDT" => 7,
        "PST" => 8,
        _ => 0,
    };
    let Some(digits) = word.strip_prefix(['+', '-']) else {
        return Some((false, hours_west * 3600));
    };
    if digits.len() != 4 || !digits.bytes().all(|octet| octet.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes): (u64, u64) = (digits[..2].parse().ok()?, digits[2..].parse().ok()?);
    Some((word.starts_with('+'), hours * 3600 + minutes * 60))
}

/// Why something is not a failure report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FailureReadError {
    /// It has none of the fields of one.
    NotAReport,
    /// It is feedback of another kind, for example a complaint about spam (RFC 5965).
    OtherKind {
        /// Its kind, shortened.
        found: String,
    },
}

impl fmt::Display for FailureReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAReport => {
                write!(f, "feedback report: expected the field Feedback-Type, found none")
            }
            Self::OtherKind { found } => {
                write!(f, "Feedback-Type: expected auth-failure, found {found:?}")
            }
        }
    }
}

impl core::error::Error for FailureReadError {}

#[cfg(test)]
mod tests {
    use super::super::super::date::mail_date as print;
    use super::*;

    #[test]
    fn dates() {
        for time in [0, 951_782_400, 1_795_289_400, 4_102_444_799] {
            assert_eq!(mail_date(&print(UnixTime(time))), Some(UnixTime(time)));
        }
        let same = Some(UnixTime(1_795_289_400));
        for good in [
            "Sat, 21 Nov 2026 20:30:00 +0100 (CET)",
            "21 Nov 2026 19:30 +0000",
            "Sat, 21 november 2026 14:30:00 EST",
            "Sat, 21 Nov 2026 19:30:00",
        ] {
            assert_eq!(mail_date(good), same, "{good}");
        }
        for bad in [
            "",
            "yesterday",
            "32 Nov 2026 19:30:00 +0000",
            "21 Nov 1 19:30:00 +0000",
            "21 Nov 99999 19:30:00 +0000",
            "21 Nov 2026 24:00:00 +0000",
            "21 Nov 2026 19:30:00 +1",
            "21 ñov 2026 19:30:00",
        ] {
            assert_eq!(mail_date(bad), None, "{bad}");
        }
    }
}
