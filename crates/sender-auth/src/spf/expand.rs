//! What macros become (RFC 7208 §7.2 and §7.3), and the name that a domain becomes (§4.8).

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write;
use core::net::{IpAddr, Ipv6Addr};

use smtp_types::{DnsName, UnixTime};

use super::domain_spec::DomainSpec;
use super::macro_string::{Escape, Letter, Macro, MacroString, Order, Part};
use super::outcome::Problem;

/// The greatest length of a name as text (§7.3).
const MAX_NAME: usize = 253;

/// How many macros of one text are expanded. Names and explanations are short, so only a text made
/// to cost time has more; those furthest from where reading begins become nothing.
const MAX_MACROS: usize = 256;

/// What stands for a name that is not known (§7.2).
pub(super) const UNKNOWN: &str = "unknown";

/// What the letters stand for.
pub(super) struct Values<'v> {
    pub(super) local_part: &'v str,
    pub(super) sender_domain: &'v str,
    pub(super) domain: &'v str,
    pub(super) ip: IpAddr,
    pub(super) validated_name: &'v str,
    pub(super) helo: &'v str,
    pub(super) receiver: &'v str,
    pub(super) now: UnixTime,
}

/// What should be asked for, if it is no name.
pub(super) struct NoName {
    pub(super) text: String,
    pub(super) why: Problem,
}

impl DomainSpec {
    /// The target name (§4.8).
    ///
    /// RFC 8616 §4: a local part that is not ASCII makes no name. Whoever else sends what makes
    /// none (an empty label, one that is too long, a control character) is told by the caller.
    pub(super) fn target_name(&self, values: &Values<'_>) -> Result<DnsName, NoName> {
        if self.names_local_part() && !values.local_part.is_ascii() {
            return Err(NoName { text: self.to_string(), why: Problem::LocalPartNotAscii });
        }
        let expanded = self.text().expand_end(values);
        let name = without_left_labels(expanded.strip_suffix('.').unwrap_or(&expanded));
        DnsName::parse(name).map_err(|error| {
            let text = name.chars().take(MAX_NAME + 1).collect();
            NoName { text, why: Problem::TargetName(error) }
        })
    }
}

/// §7.3: "the left side is truncated to fit, by removing successive domain labels (and their
/// following dots) until the total length does not exceed 253 characters".
fn without_left_labels(name: &str) -> &str {
    let mut name = name;
    while name.len() > MAX_NAME
        && let Some((_, rest)) = name.split_once('.')
    {
        name = rest;
    }
    name
}

impl MacroString {
    /// As much of the expansion as fits into `limit` octets, from the beginning.
    pub(super) fn expand_start(&self, values: &Values<'_>, limit: usize) -> String {
        let mut expanded = String::new();
        for part in bounded(self.parts.iter()) {
            expanded.push_str(&part.expand(values));
            if expanded.len() > limit {
                expanded.truncate(expanded.floor_char_boundary(limit));
                break;
            }
        }
        expanded
    }

    /// The end of the expansion, longer than any name if the whole is: what is further left makes
    /// no difference to a name.
    fn expand_end(&self, values: &Values<'_>) -> String {
        let mut pieces = Vec::new();
        let mut octets = 0;
        for part in bounded(self.parts.iter().rev()) {
            if octets > MAX_NAME + 1 {
                break;
            }
            let piece = part.expand(values);
            octets += piece.len();
            pieces.push(piece);
        }
        pieces.reverse();
        pieces.concat()
    }
}

fn bounded<'p>(parts: impl Iterator<Item = &'p Part>) -> impl Iterator<Item = &'p Part> {
    let mut macros = 0;
    parts.take_while(move |part| {
        macros += usize::from(matches!(part, Part::Expand(_)));
        macros <= MAX_MACROS
    })
}

impl Part {
    fn expand<'p>(&'p self, values: &'p Values<'_>) -> Cow<'p, str> {
        match self {
            Self::Literal(text) => Cow::Borrowed(text),
            Self::Percent => Cow::Borrowed("%"),
            Self::Space => Cow::Borrowed(" "),
            Self::UrlSpace => Cow::Borrowed("%20"),
            Self::Expand(one) => one.expand(values),
        }
    }
}

impl Macro {
    /// §7.3: the value is split, turned round, shortened on the left, joined by dots, and escaped,
    /// in this order.
    fn expand<'v>(&self, values: &'v Values<'_>) -> Cow<'v, str> {
        let value = values.of(self.letter);
        let plain = self.keep.is_none() && self.order == Order::AsIs && self.delimiters.is_empty();
        let value = if plain { value } else { Cow::Owned(self.transform(&value)) };
        match self.escape {
            Escape::Verbatim => value,
            Escape::Url => Cow::Owned(url_escape(&value)),
        }
    }

    fn transform(&self, value: &str) -> String {
        let delimiters = if self.delimiters.is_empty() { "." } else { &*self.delimiters };
        let mut parts: Vec<&str> = value.split(|c| delimiters.contains(c)).collect();
        if self.order == Order::Reversed {
            parts.reverse();
        }
        let keep =
            self.keep.map_or(parts.len(), |keep| keep.get().try_into().unwrap_or(usize::MAX));
        let first = parts.len().saturating_sub(keep);
        parts.split_off(first).join(".")
    }
}

impl Values<'_> {
    fn of(&self, letter: Letter) -> Cow<'_, str> {
        match letter {
            Letter::Sender => Cow::Owned(format!("{}@{}", self.local_part, self.sender_domain)),
            Letter::LocalPart => Cow::Borrowed(self.local_part),
            Letter::SenderDomain => Cow::Borrowed(self.sender_domain),
            Letter::Domain => Cow::Borrowed(self.domain),
            Letter::Ip => Cow::Owned(dotted(self.ip)),
            Letter::ValidatedName => Cow::Borrowed(self.validated_name),
            Letter::IpVersion => Cow::Borrowed(match self.ip {
                IpAddr::V4(_) => "in-addr",
                IpAddr::V6(_) => "ip6",
            }),
            Letter::Helo => Cow::Borrowed(self.helo),
            Letter::ClientIp => Cow::Owned(self.ip.to_string()),
            Letter::Receiver => Cow::Borrowed(self.receiver),
            Letter::Time => Cow::Owned(self.now.0.to_string()),
        }
    }
}

/// §7.3: an IPv4 address as always, an IPv6 address as its hexadecimal digits with dots between.
fn dotted(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => nibbles(ip),
    }
}

fn nibbles(ip: Ipv6Addr) -> String {
    let digits = format!("{:032X}", ip.to_bits());
    let mut dotted = String::with_capacity(63);
    for digit in digits.chars() {
        if !dotted.is_empty() {
            dotted.push('.');
        }
        dotted.push(digit);
    }
    dotted
}

/// Where the names of an address stand: `in-addr.arpa` (RFC 1035 §3.5) or `ip6.arpa`
/// (RFC 3596 §2.5).
pub(super) fn reverse_name(ip: IpAddr) -> String {
    let (labels, top) = match ip {
        IpAddr::V4(_) => (dotted(ip), "in-addr.arpa"),
        IpAddr::V6(_) => (dotted(ip), "ip6.arpa"),
    };
    let mut name: Vec<&str> = labels.rsplit('.').collect();
    name.push(top);
    name.join(".")
}

/// §7.3: "URL escaping MUST be performed for characters not in the "unreserved" set"
/// (RFC 3986 §2.3).
fn url_escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for octet in value.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
            escaped.push(char::from(octet));
        } else {
            // Writing to a string does not fail.
            let _ = write!(escaped, "%{octet:02X}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::macro_string::Place;
    use super::super::record::Span;
    use super::*;

    const VALUES: Values<'_> = Values {
        local_part: "strong-bad",
        sender_domain: "email.example.com",
        domain: "email.example.com",
        ip: IpAddr::V4(core::net::Ipv4Addr::new(192, 0, 2, 3)),
        validated_name: "mx.example.org",
        helo: "mx.example.org",
        receiver: "mx.example.net",
        now: UnixTime(1_800_000_000),
    };

    fn expand(text: &str, values: &Values<'_>) -> String {
        let parsed = MacroString::parse(Span { text, offset: 0 }, Place::Explanation).unwrap();
        let expanded = parsed.expand_start(values, usize::MAX);
        assert_eq!(parsed.expand_end(values), expanded, "{text}");
        expanded
    }

    fn good(text: &str, expected: &str) {
        assert_eq!(expand(text, &VALUES), expected, "{text}");
    }

    /// The table of RFC 7208 §7.4, and some more.
    #[test]
    fn expansions() {
        good("%{s}", "strong-bad@email.example.com");
        good("%{o}", "email.example.com");
        good("%{d}", "email.example.com");
        good("%{d4}", "email.example.com");
        good("%{d3}", "email.example.com");
        good("%{d2}", "example.com");
        good("%{d1}", "com");
        good("%{dr}", "com.example.email");
        good("%{d2r}", "example.email");
        good("%{l}", "strong-bad");
        good("%{l-}", "strong.bad");
        good("%{lr}", "strong-bad");
        good("%{lr-}", "bad.strong");
        good("%{l1r-}", "strong");
        good("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com");
        good("%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com");
        good("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net");

        good("%{S}", "strong-bad%40email.example.com");
        good("%{S2}", "example.com");
        good(
            "%{p} %{h} %{c} %{r} %{t}%%%_%-",
            "mx.example.org mx.example.org 192.0.2.3 mx.example.net 1800000000% %20",
        );
    }

    #[test]
    fn consecutive_delimiters_leave_empty_parts() {
        let values = Values { local_part: "-a--b-", ..VALUES };
        assert_eq!(expand("%{l-}", &values), ".a..b.");
        assert_eq!(expand("%{l2-}", &values), "b.");
        assert_eq!(expand("%{lr-}", &values), ".b..a.");
    }

    #[test]
    fn ipv6() {
        let values = Values { ip: "2001:db8::cb01".parse().unwrap(), ..VALUES };
        let nibbles = "1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2";
        assert_eq!(expand("%{ir}.%{v}", &values), format!("{nibbles}.ip6"));
        assert_eq!(expand("%{c}", &values), "2001:db8::cb01");
        assert_eq!(reverse_name(values.ip), format!("{nibbles}.ip6.arpa"));
        assert_eq!(reverse_name(VALUES.ip), "3.2.0.192.in-addr.arpa");
    }

    #[test]
    fn escapes_are_of_octets() {
        let values = Values { local_part: "~jack&jill=up-a_b3.ä", ..VALUES };
        assert_eq!(expand("%{L}", &values), "~jack%26jill%3Dup-a_b3.%C3%A4");
    }

    fn target(text: &str, values: &Values<'_>) -> Result<String, Problem> {
        let spec = DomainSpec::parse(Span { text, offset: 0 }).unwrap();
        spec.target_name(values).map(|name| name.to_string()).map_err(|none| none.why)
    }

    #[test]
    fn names_are_truncated_on_the_left() {
        let long = format!("a.%{{d}}.{}%{{d}}", "%{d}.".repeat(20));
        let name = target(&long, &VALUES).unwrap();
        assert_eq!(name, alloc::vec!["email.example.com"; 14].join("."));
        assert_eq!(name.len(), 251);
        let exact = format!("bc.{}", alloc::vec!["email.example.com"; 14].join("."));
        assert_eq!(target(&format!("%{{d}}.c.{name}"), &VALUES).unwrap(), format!("c.{name}"));
        assert_eq!(target(&exact, &VALUES).unwrap(), name);
        assert!(
            target(&format!("{}.com", "a".repeat(300)), &VALUES).is_ok_and(|name| name == "com")
        );
    }

    #[test]
    fn what_is_no_name() {
        assert_eq!(target("%{d}.example.", &VALUES).unwrap(), "email.example.com.example");
        assert!(target("a..example", &VALUES).is_err());
        assert!(target(&format!("{}.example", "a".repeat(64)), &VALUES).is_err());
        let german = Values { local_part: "jürgen", helo: "ä", ..VALUES };
        assert_eq!(target("%{l}.example", &german), Err(Problem::LocalPartNotAscii));
        assert_eq!(target("%{S}.example", &german), Err(Problem::LocalPartNotAscii));
        assert!(matches!(target("%{h}.example", &german), Err(Problem::TargetName(_))));
        assert_eq!(target("%{o}.example", &german).unwrap(), "email.example.com.example");
    }
}
