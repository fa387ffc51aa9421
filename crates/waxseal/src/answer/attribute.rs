//! What stands in an `OK` reply behind the level: `name=value` pairs, as values.
//!
//! Postfix splits a policy at commas and white space, and takes every piece for an attribute;
//! braces keep a value with spaces together (`TLS_README`, "smtp_tls_policy_maps"). A policy host
//! that could put a space, a comma or a brace into a reply could therefore add attributes of its
//! own: `protocols=TLSv1`, or `tafile=` with a file of its choice. So no text is ever copied into a
//! reply. A reply is a list of [`Attribute`]s, and an attribute can only be made of names that were
//! parsed ([`DomainName`], [`MxPattern`]) or of a [`PolicyLine`], which checks what it takes.

use std::fmt;

use mta_sts::MxPattern;
use smtp_types::DomainName;

/// One attribute of a policy, as Postfix reads it. Printed, it needs a space before the next one.
#[derive(Clone, Copy, Debug)]
pub(super) enum Attribute<'a> {
    /// `match`: the names of which a certificate must have one. Never empty.
    Match(&'a [CertificateName<'a>]),
    /// `servername=hostname`: SNI with the name of the MX host (RFC 8461 §4.2). Since Postfix 3.4.
    ServernameHostname,
    /// `policy_type=sts`: the policy is from MTA-STS. This and all below since Postfix 3.10.
    PolicyTypeSts,
    /// `policy_domain`: whose policy it is.
    PolicyDomain(&'a DomainName),
    /// `mx_host_pattern`: one host or wildcard that MX hosts must match; there may be several.
    MxHostPattern(&'a MxPattern),
    /// `policy_string`: one line of the policy, for TLS reports; there may be several.
    PolicyString(PolicyLine<'a>),
}

impl fmt::Display for Attribute<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Match(names) => {
                f.write_str("match=")?;
                names.iter().enumerate().try_for_each(|(index, name)| {
                    let separator = if index == 0 { "" } else { ":" };
                    write!(f, "{separator}{name}")
                })
            }
            Self::ServernameHostname => f.write_str("servername=hostname"),
            Self::PolicyTypeSts => f.write_str("policy_type=sts"),
            Self::PolicyDomain(domain) => write!(f, "policy_domain={domain}"),
            Self::MxHostPattern(pattern) => write!(f, "mx_host_pattern={pattern}"),
            Self::PolicyString(line) => write!(f, "{{ policy_string = {} }}", line.0),
        }
    }
}

/// A name in a `match` list: a host, or all names below a domain.
///
/// Postfix writes the latter with a dot in front, and means names at any depth; MTA-STS means
/// exactly one label (RFC 8461 §4.1). Postfix 3.10.5 and later go by `mx_host_pattern` instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CertificateName<'a> {
    below: bool,
    name: &'a DomainName,
}

/// Words that are no names in a `match` list: Postfix puts something else in their place.
const MATCH_WORDS: [&str; 3] = ["hostname", "nexthop", "dot-nexthop"];

impl<'a> CertificateName<'a> {
    /// The name for a pattern of a policy; `None` for a "host" such as `hostname`, which Postfix
    /// would take for "whatever the MX host is called". No public certificate has such a name, so
    /// nothing is lost without it.
    pub(super) fn from_pattern(pattern: &'a MxPattern) -> Option<Self> {
        let name = Self { below: pattern.is_wildcard(), name: pattern.name() };
        let is_word = !name.below && MATCH_WORDS.contains(&name.name.as_str());
        (!is_word).then_some(name)
    }

    /// The name as the operator fixed it, with Postfix's words as Postfix reads them.
    pub(super) const fn from_operator((name, below): &'a (DomainName, bool)) -> Self {
        Self { below: *below, name }
    }
}

impl fmt::Display for CertificateName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.below { "." } else { "" }, self.name)
    }
}

/// A line of a policy that is safe between braces: printable ASCII without braces.
///
/// Extensions of a policy may hold any printable Unicode (RFC 8461 §3.2). A line that is not safe
/// is left out of the reply: a report without it is only a little poorer.
#[derive(Clone, Copy, Debug)]
pub(super) struct PolicyLine<'a>(&'a str);

impl<'a> PolicyLine<'a> {
    /// `None` if the line is empty or holds an octet that is not safe.
    pub(super) fn new(line: &'a str) -> Option<Self> {
        let safe = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'{' && byte != b'}';
        let line = line.trim_matches(' ');
        (!line.is_empty() && line.bytes().all(safe)).then_some(Self(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_no_names() {
        let pattern = |text| MxPattern::parse(text).unwrap();
        for word in ["hostname", "nexthop", "dot-nexthop", "HOSTNAME"] {
            assert_eq!(CertificateName::from_pattern(&pattern(word)), None, "{word}");
        }
        for (text, printed) in [
            ("mail.example.com", "mail.example.com"),
            ("*.example.com", ".example.com"),
            ("*.nexthop", ".nexthop"),
            ("nexthop.example", "nexthop.example"),
        ] {
            let pattern = pattern(text);
            assert_eq!(CertificateName::from_pattern(&pattern).unwrap().to_string(), printed);
        }
    }

    #[test]
    fn lines() {
        for line in ["mode: enforce", "note: a=b, c;d \"e\" \\", "x: ="] {
            assert_eq!(PolicyLine::new(line).unwrap().0, line);
        }
        for line in
            ["", "  ", "note: {", "note: } exclude=aNULL { x = y", "note: ü", "a\tb", "a\nb"]
        {
            assert!(PolicyLine::new(line).is_none(), "{line:?}");
        }
    }
}
