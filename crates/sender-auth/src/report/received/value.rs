//! Values of elements, read leniently: what was meant, and what is wrong with how it was said.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::IpAddr;

use smtp_types::{DnsName, DomainName};

use super::super::{Disposition, DkimResult, Remark, SpfResult, Text};
use super::QuirkKind;

/// How many characters a text may have, as [`Text`] has it.
const MAX_CHARACTERS: usize = 500;

/// How many characters of something wrong are shown.
const MAX_SHOWN: usize = 80;

/// What was understood, and what was wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Value<T> {
    pub(super) value: Option<T>,
    pub(super) quirk: Option<QuirkKind>,
}

impl<T> Value<T> {
    pub(super) const fn good(value: T) -> Self {
        Self { value: Some(value), quirk: None }
    }

    const fn odd(value: T, quirk: QuirkKind) -> Self {
        Self { value: Some(value), quirk: Some(quirk) }
    }

    pub(super) const fn bad(quirk: QuirkKind) -> Self {
        Self { value: None, quirk: Some(quirk) }
    }
}

/// A word of a list, in any case.
pub(super) fn word<T>(text: &str, parse: fn(&str) -> Option<T>) -> Value<T> {
    if let Some(value) = parse(text) {
        return Value::good(value);
    }
    match parse(&text.to_ascii_lowercase()) {
        Some(value) => Value::odd(value, QuirkKind::LetterCase),
        None => Value::bad(QuirkKind::UnknownWord),
    }
}

/// A result of DKIM, in any case, also with the words of the drafts before RFC 7489 ("Many
/// implementations use 'error'") and of common use.
pub(super) fn dkim_result(text: &str) -> Value<DkimResult> {
    let read = word(text, DkimResult::parse);
    let old = match text.to_ascii_lowercase().as_str() {
        "error" | "tempfail" => DkimResult::TempError,
        "unknown" | "permfail" | "invalid" => DkimResult::PermError,
        "hardfail" => DkimResult::Fail,
        _ => return read,
    };
    Value::odd(old, QuirkKind::OldWord)
}

/// A result of SPF; see [`dkim_result`].
pub(super) fn spf_result(text: &str) -> Value<SpfResult> {
    let read = word(text, SpfResult::parse);
    let old = match text.to_ascii_lowercase().as_str() {
        "error" | "tempfail" => SpfResult::TempError,
        "unknown" | "permfail" | "invalid" => SpfResult::PermError,
        "hardfail" => SpfResult::Fail,
        "soft_fail" | "soft-fail" => SpfResult::SoftFail,
        _ => return read,
    };
    Value::odd(old, QuirkKind::OldWord)
}

/// A disposition, also as the drafts have it ("none" was "monitor").
pub(super) fn disposition(text: &str) -> Value<Disposition> {
    match text {
        "monitor" => Value::odd(Disposition::None, QuirkKind::OldWord),
        _ => word(text, Disposition::parse),
    }
}

/// A number. A plus sign and a fraction are dropped; what does not fit is the greatest that does.
pub(super) fn number(text: &str) -> Value<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = whole.strip_prefix('+').unwrap_or(whole);
    let is_number = |text: &str| text.bytes().all(|octet| octet.is_ascii_digit());
    if digits.is_empty() || !is_number(digits) || !is_number(fraction) {
        return Value::bad(QuirkKind::NotANumber);
    }
    match digits.parse() {
        Ok(value) if digits == text => Value::good(value),
        Ok(value) => Value::odd(value, QuirkKind::NumberForm),
        Err(_) => Value::odd(u64::MAX, QuirkKind::NumberForm),
    }
}

/// An IP address; one of IPv4 that is mapped into IPv6 is IPv4.
pub(super) fn address(text: &str) -> Value<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let bare = match bare.get(..5) {
        Some(prefix) if prefix.eq_ignore_ascii_case("ipv6:") => &bare[5..],
        _ => bare,
    };
    match bare.parse::<IpAddr>() {
        Ok(address) => Value::good(address.to_canonical()),
        Err(_) => Value::bad(QuirkKind::NotAnAddress),
    }
}

/// A place of mail. Of an address of mail, the domain.
pub(super) fn domain(text: &str) -> Value<DomainName> {
    let text = text.trim_start_matches('<').trim_end_matches('>');
    match text.rsplit_once('@') {
        Some((_, domain)) => match DomainName::parse(domain) {
            Ok(domain) => Value::odd(domain, QuirkKind::AddressForDomain),
            Err(_) => Value::bad(QuirkKind::NotADomain),
        },
        None => DomainName::parse(text).map_or(Value::bad(QuirkKind::NotADomain), Value::good),
    }
}

/// A name of the DNS. Of an address of mail, the domain.
pub(super) fn dns_name(text: &str) -> Value<DnsName> {
    match text.rsplit_once('@') {
        Some((_, domain)) => match DnsName::parse(domain) {
            Ok(domain) => Value::odd(domain, QuirkKind::AddressForDomain),
            Err(_) => Value::bad(QuirkKind::NotADomain),
        },
        None => match DnsName::parse(text) {
            Ok(name) => Value::good(name),
            // U-labels: a mail domain in Unicode is one in the DNS, too.
            Err(_) => domain_as_dns_name(text),
        },
    }
}

fn domain_as_dns_name(text: &str) -> Value<DnsName> {
    match DomainName::parse(text) {
        Ok(name) => Value::good(name.into()),
        Err(_) => Value::bad(QuirkKind::NotADomain),
    }
}

/// Free text as one line: what is no character of a line is a space, and there is a bound.
pub(super) fn text(text: &str) -> Value<Text> {
    let mut quirk = None;
    let mut line: String = text.chars().take(MAX_CHARACTERS).map(plain).collect();
    if text.chars().nth(MAX_CHARACTERS).is_some() {
        quirk = Some(QuirkKind::TextTooLong);
    } else if text.chars().any(|c| plain(c) != c && !matches!(c, '\r' | '\n' | '\t')) {
        quirk = Some(QuirkKind::ControlCharacters);
    } else if text.contains(['\r', '\n', '\t']) {
        // Text that was folded over lines.
        line = line.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    }
    Value { value: Text::parse(line.trim()).ok(), quirk }
}

/// The same without what could name a mailbox.
pub(super) fn remark(found: &str) -> Value<Remark> {
    const AT: [char; 3] = ['@', '\u{FF20}', '\u{FE6B}'];
    let Value { value, quirk } = text(found);
    let quirk = if found.contains(AT) { Some(QuirkKind::AddressInText) } else { quirk };
    let value = value.and_then(|line| {
        let line = line
            .as_str()
            .split(' ')
            .map(|word| if word.contains(AT) { "(address)" } else { word })
            .collect::<Vec<_>>()
            .join(" ");
        Remark::parse(line.chars().take(MAX_CHARACTERS).collect::<String>().trim()).ok()
    });
    Value { value, quirk }
}

/// Something wrong, as it can be shown: one line, short, and nobody's address.
pub(super) fn shown(found: &str) -> String {
    let found = found.trim();
    let (prefix, found) = match found.char_indices().rfind(|(_, c)| *c == '@') {
        Some((at, _)) => ("…", &found[at..]),
        None => ("", found),
    };
    let mut line = prefix.to_string();
    line.extend(found.chars().take(MAX_SHOWN).map(plain));
    if found.chars().nth(MAX_SHOWN).is_some() {
        line.push('…');
    }
    line
}

/// A space for what a line of text does not have: control characters, line ends, and characters
/// that change the direction of what follows.
fn plain(c: char) -> char {
    match c {
        '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => ' ',
        '\u{2028}' | '\u{2029}' | '\u{FEFF}' | '\u{FFFE}' | '\u{FFFF}' => ' ',
        c if c.is_control() => ' ',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn numbers() {
        assert_eq!(number("12"), Value::good(12));
        assert_eq!(number("007"), Value::good(7));
        assert_eq!(number("1538204542.75"), Value::odd(1_538_204_542, QuirkKind::NumberForm));
        assert_eq!(number("+3"), Value::odd(3, QuirkKind::NumberForm));
        let huge = number("99999999999999999999999");
        assert_eq!(huge, Value::odd(u64::MAX, QuirkKind::NumberForm));
        for bad in ["", "-1", "1e3", "0x10", "1,000", "one", ".5", "1.x", "٣"] {
            assert_eq!(number(bad), Value::bad(QuirkKind::NotANumber), "{bad:?}");
        }
    }

    #[test]
    fn words_of_drafts() {
        assert_eq!(spf_result("softfail"), Value::good(SpfResult::SoftFail));
        assert_eq!(spf_result("Pass"), Value::odd(SpfResult::Pass, QuirkKind::LetterCase));
        assert_eq!(spf_result("hardfail"), Value::odd(SpfResult::Fail, QuirkKind::OldWord));
        assert_eq!(spf_result("UNKNOWN"), Value::odd(SpfResult::PermError, QuirkKind::OldWord));
        assert_eq!(dkim_result("error"), Value::odd(DkimResult::TempError, QuirkKind::OldWord));
        assert_eq!(dkim_result("maybe"), Value::bad(QuirkKind::UnknownWord));
    }

    #[test]
    fn addresses_of_hosts() {
        for good in ["192.0.2.1", "2001:db8::1", "[192.0.2.1]", "IPv6:2001:db8::1"] {
            assert!(address(good).value.is_some(), "{good:?}");
        }
        assert_eq!(address("::ffff:192.0.2.1").value, "192.0.2.1".parse().ok());
        for bad in ["", "192.0.2", "192.0.2.1:25", "192.0.2.0/24", "999.0.0.1", "localhost"] {
            assert_eq!(address(bad), Value::bad(QuirkKind::NotAnAddress), "{bad:?}");
        }
    }

    #[test]
    fn nobody_is_named() {
        let read = domain("jane@example.com");
        assert_eq!(read.quirk, Some(QuirkKind::AddressForDomain));
        assert_eq!(read.value, DomainName::parse("example.com").ok());
        let read = remark("for jane@example.com, and joe@example.com");
        assert_eq!(read.quirk, Some(QuirkKind::AddressInText));
        assert_eq!(read.value.unwrap().as_str(), "for (address) and (address)");
        assert_eq!(shown("jane@example.com joe@@bad..name"), "…@bad..name");
    }

    #[test]
    fn texts_are_one_plain_line() {
        let read = text("a\u{1b}[31mb\u{202e}c\0");
        assert_eq!(read.value.unwrap().as_str(), "a [31mb c");
        assert_eq!(read.quirk, Some(QuirkKind::ControlCharacters));
        assert_eq!(text("a\r\n  b").value.unwrap().as_str(), "a b");
        let long = text(&"ä".repeat(501));
        assert_eq!(long.quirk, Some(QuirkKind::TextTooLong));
        assert_eq!(long.value.unwrap().as_str().chars().count(), 500);
        assert_eq!(shown(&"x".repeat(1000)), format!("{}…", "x".repeat(80)));
    }
}
