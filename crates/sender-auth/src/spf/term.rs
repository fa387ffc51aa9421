//! The terms of a record: directives and modifiers (RFC 7208 §4.6.1, §5 and §6).

use alloc::boxed::Box;
use core::fmt;

use super::domain_spec::DomainSpec;
use super::macro_string::{MacroString, Place};
use super::network::{DualPrefix, Ip4Network, Ip6Network};
use super::outcome::SpfResult;
use super::record::{RecordError, RecordFault, Span};

/// `directive = [ qualifier ] mechanism`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Directive {
    /// What the result is if the mechanism matches.
    pub qualifier: Qualifier,
    /// What is looked at.
    pub mechanism: Mechanism,
}

/// `qualifier = "+" / "-" / "?" / "~"`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Qualifier {
    /// `+`, the default.
    Pass,
    /// `-`
    Fail,
    /// `~`
    Softfail,
    /// `?`
    Neutral,
}

/// `mechanism = ( all / include / a / mx / ptr / ip4 / ip6 / exists )`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// Always matches (§5.1).
    All,
    /// Matches if the record of another domain says `pass` (§5.2).
    Include {
        /// The other domain.
        domain: DomainSpec,
    },
    /// Matches the addresses of a name (§5.3).
    A {
        /// The name; the current domain if there is none.
        domain: Option<DomainSpec>,
        /// How many bits of the addresses count.
        prefix: DualPrefix,
    },
    /// Matches the addresses of the mail exchangers of a name (§5.4).
    Mx {
        /// The name; the current domain if there is none.
        domain: Option<DomainSpec>,
        /// How many bits of the addresses count.
        prefix: DualPrefix,
    },
    /// Matches if the client's name is in a domain (§5.5). Nobody should publish it.
    Ptr {
        /// The domain; the current one if there is none.
        domain: Option<DomainSpec>,
    },
    /// Matches IPv4 addresses (§5.6).
    Ip4 {
        /// The addresses.
        network: Ip4Network,
    },
    /// Matches IPv6 addresses (§5.6).
    Ip6 {
        /// The addresses.
        network: Ip6Network,
    },
    /// Matches if a name has an IPv4 address (§5.7).
    Exists {
        /// The name.
        domain: DomainSpec,
    },
}

/// `unknown-modifier = name "=" macro-string`. It has no effect (§6).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UnknownModifier {
    /// The name as written.
    pub name: Box<str>,
    /// The value.
    pub value: MacroString,
}

/// One term of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Term {
    Directive(Directive),
    Redirect(DomainSpec),
    Explanation(DomainSpec),
    Unknown(UnknownModifier),
}

impl Term {
    /// §4.6.1: "Modifiers always contain an equals ('=') character immediately after the name, and
    /// before any ":" or "/" characters". All other terms are directives.
    pub(super) fn parse(span: Span<'_>) -> Result<Self, RecordError> {
        match span.text.find(['=', ':', '/']) {
            Some(index) if span.text.as_bytes().get(index) == Some(&b'=') => {
                Self::parse_modifier(span.to(index), span.from(index + 1))
            }
            _ => Directive::parse(span).map(Self::Directive),
        }
    }

    /// `modifier = redirect / explanation / unknown-modifier`, where an unknown one never has the
    /// name of a known one.
    fn parse_modifier(name: Span<'_>, value: Span<'_>) -> Result<Self, RecordError> {
        if name.text.eq_ignore_ascii_case("redirect") {
            return DomainSpec::parse(value).map(Self::Redirect);
        }
        if name.text.eq_ignore_ascii_case("exp") {
            return DomainSpec::parse(value).map(Self::Explanation);
        }
        if !is_modifier_name(name.text) {
            return Err(name.fault(RecordFault::ModifierName { found: name.text.into() }));
        }
        let value = MacroString::parse(value, Place::Term)?;
        Ok(Self::Unknown(UnknownModifier { name: name.text.into(), value }))
    }
}

/// `name = ALPHA *( ALPHA / DIGIT / "-" / "_" / "." )`
fn is_modifier_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_.".contains(&octet))
}

impl Directive {
    fn parse(span: Span<'_>) -> Result<Self, RecordError> {
        let (qualifier, rest) = match span.text.as_bytes().first() {
            Some(b'+') => (Qualifier::Pass, span.from(1)),
            Some(b'-') => (Qualifier::Fail, span.from(1)),
            Some(b'~') => (Qualifier::Softfail, span.from(1)),
            Some(b'?') => (Qualifier::Neutral, span.from(1)),
            _ => (Qualifier::Pass, span),
        };
        Ok(Self { qualifier, mechanism: Mechanism::parse(rest)? })
    }
}

impl Mechanism {
    fn parse(span: Span<'_>) -> Result<Self, RecordError> {
        let end = span.text.find([':', '/']).unwrap_or(span.text.len());
        let (name, rest) = (span.to(end), span.from(end));
        let named = |known: &str| name.text.eq_ignore_ascii_case(known);
        if named("all") {
            parse_nothing(rest)?;
            return Ok(Self::All);
        }
        if named("include") {
            return Ok(Self::Include { domain: DomainSpec::parse(argument(name, rest)?)? });
        }
        if named("a") {
            let (domain, prefix) = parse_host(rest)?;
            return Ok(Self::A { domain, prefix });
        }
        if named("mx") {
            let (domain, prefix) = parse_host(rest)?;
            return Ok(Self::Mx { domain, prefix });
        }
        if named("ptr") {
            let domain = match rest.text.is_empty() {
                true => None,
                false => Some(DomainSpec::parse(argument(name, rest)?)?),
            };
            return Ok(Self::Ptr { domain });
        }
        if named("ip4") {
            return Ok(Self::Ip4 { network: Ip4Network::parse(argument(name, rest)?)? });
        }
        if named("ip6") {
            return Ok(Self::Ip6 { network: Ip6Network::parse(argument(name, rest)?)? });
        }
        if named("exists") {
            return Ok(Self::Exists { domain: DomainSpec::parse(argument(name, rest)?)? });
        }
        Err(name.fault(RecordFault::Mechanism { found: name.text.into() }))
    }

    /// The name of the mechanism.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Include { .. } => "include",
            Self::A { .. } => "a",
            Self::Mx { .. } => "mx",
            Self::Ptr { .. } => "ptr",
            Self::Ip4 { .. } => "ip4",
            Self::Ip6 { .. } => "ip6",
            Self::Exists { .. } => "exists",
        }
    }

    /// What the mechanism looks up, if it names it.
    #[must_use]
    pub const fn domain(&self) -> Option<&DomainSpec> {
        match self {
            Self::Include { domain } | Self::Exists { domain } => Some(domain),
            Self::A { domain, .. } | Self::Mx { domain, .. } | Self::Ptr { domain } => {
                domain.as_ref()
            }
            Self::All | Self::Ip4 { .. } | Self::Ip6 { .. } => None,
        }
    }

    /// §4.6.4: `include`, `a`, `mx`, `ptr` and `exists` ask the DNS and are counted.
    #[must_use]
    pub const fn looks_up(&self) -> bool {
        !matches!(self, Self::All | Self::Ip4 { .. } | Self::Ip6 { .. })
    }
}

/// `all = "all"`, and nothing behind it.
fn parse_nothing(rest: Span<'_>) -> Result<(), RecordError> {
    match rest.text.is_empty() {
        true => Ok(()),
        false => Err(rest.fault(RecordFault::ArgumentOfAll { found: rest.text.into() })),
    }
}

/// What stands behind the colon that must be there.
fn argument<'t>(name: Span<'t>, rest: Span<'t>) -> Result<Span<'t>, RecordError> {
    match rest.text.starts_with(':') {
        true => Ok(rest.from(1)),
        false => Err(rest.fault(RecordFault::Argument { mechanism: name.text.into() })),
    }
}

/// `[ ":" domain-spec ] [ dual-cidr-length ]`. A domain may have slashes, but its end has none; so
/// the length begins at the first slash behind the last dot or brace.
fn parse_host(rest: Span<'_>) -> Result<(Option<DomainSpec>, DualPrefix), RecordError> {
    let last_dot = rest.text.rfind(['.', '}']).unwrap_or(0);
    let slash = rest.from(last_dot).text.find('/');
    let end = slash.map_or(rest.text.len(), |index| last_dot + index);
    let (domain, prefix) = (rest.to(end), rest.from(end));
    let domain = match domain.text.is_empty() {
        true => None,
        false => Some(DomainSpec::parse(domain.from(1))?),
    };
    Ok((domain, DualPrefix::parse(prefix)?))
}

impl Qualifier {
    /// The result if the mechanism matches (RFC 7208 §4.6.2).
    #[must_use]
    pub const fn result(self) -> SpfResult {
        match self {
            Self::Pass => SpfResult::Pass,
            Self::Fail => SpfResult::Fail,
            Self::Softfail => SpfResult::Softfail,
            Self::Neutral => SpfResult::Neutral,
        }
    }
}

impl fmt::Display for Directive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let qualifier = match self.qualifier {
            Qualifier::Pass => "",
            Qualifier::Fail => "-",
            Qualifier::Softfail => "~",
            Qualifier::Neutral => "?",
        };
        write!(f, "{qualifier}{}", self.mechanism)
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        if let Some(domain) = self.domain() {
            write!(f, ":{domain}")?;
        }
        match self {
            Self::A { prefix, .. } | Self::Mx { prefix, .. } => prefix.fmt(f),
            Self::Ip4 { network } => write!(f, ":{network}"),
            Self::Ip6 { network } => write!(f, ":{network}"),
            Self::All | Self::Include { .. } | Self::Ptr { .. } | Self::Exists { .. } => Ok(()),
        }
    }
}

impl fmt::Display for UnknownModifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.value)
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directive(directive) => directive.fmt(f),
            Self::Redirect(domain) => write!(f, "redirect={domain}"),
            Self::Explanation(domain) => write!(f, "exp={domain}"),
            Self::Unknown(modifier) => modifier.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn good(text: &str, printed: &str) {
        let term = Term::parse(Span { text, offset: 0 }).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(term.to_string(), printed);
        assert_eq!(Term::parse(Span { text: printed, offset: 0 }), Ok(term));
    }

    fn bad(text: &str, column: usize, code: &str) {
        let error = Term::parse(Span { text, offset: 0 }).expect_err(text);
        assert_eq!((error.position.column, error.fault.code()), (column, code), "{text}");
    }

    #[test]
    fn directives() {
        good("all", "all");
        good("+ALL", "all");
        good("-all", "-all");
        good("?Include:_spf.example.", "?include:_spf.example.");
        good("a", "a");
        good("~a/24//64", "~a/24//64");
        good("a//64", "a//64");
        good("a/32", "a");
        good("a:foo:bar/baz.example.com", "a:foo:bar/baz.example.com");
        good("a:%{d/}/24", "a:%{d/}/24");
        good("MX:mail.example./20", "mx:mail.example./20");
        good("ptr", "ptr");
        good("ptr:example.com", "ptr:example.com");
        good("ip4:192.0.2.0/24", "ip4:192.0.2.0/24");
        good("IP6:2001:DB8::/32", "ip6:2001:db8::/32");
        good("exists:%{ir}.%{v}._spf.%{d2}", "exists:%{ir}.%{v}._spf.%{d2}");
        good("exists:a=b.example", "exists:a=b.example");
    }

    #[test]
    fn modifiers() {
        good("redirect=_spf.example", "redirect=_spf.example");
        good("EXP=explain.%{d}", "exp=explain.%{d}");
        good("moo.cow-far_out=man:dog/cat", "moo.cow-far_out=man:dog/cat");
        good("x=", "x=");
        good("include=a.example", "include=a.example"); // unknown, and ignored
    }

    #[test]
    fn faults() {
        bad("moo", 1, "spf-mechanism");
        bad("-moo:x", 2, "spf-mechanism");
        bad("", 1, "spf-mechanism");
        bad("--all", 2, "spf-mechanism");
        bad("all.", 1, "spf-mechanism");
        bad("all:foobar", 4, "spf-argument-unexpected");
        bad("-all/8", 5, "spf-argument-unexpected");
        bad("include", 8, "spf-argument-missing");
        bad("include:", 9, "spf-domain-empty");
        bad("include:a.example/24", 9, "spf-domain-end");
        bad("a:", 3, "spf-domain-empty");
        bad("a:museum", 3, "spf-domain-end");
        bad("a:museum/24", 3, "spf-domain-end");
        bad("a/24/64", 3, "spf-prefix");
        bad("mx:a.example/33", 14, "spf-prefix");
        bad("mx//129", 5, "spf-prefix");
        bad("ptr/0", 4, "spf-argument-missing");
        bad("ptr:", 5, "spf-domain-empty");
        bad("ip4", 4, "spf-argument-missing");
        bad("ip4:1.2.3", 5, "spf-ip4-network");
        bad("ip4:1.2.3.4:25", 5, "spf-ip4-network");
        bad("ip6::CAFE::BABE", 5, "spf-ip6-network");
        bad("ip6:::1.1.1.1//33", 15, "spf-prefix");
        bad("exists", 7, "spf-argument-missing");
        bad("exists:a.example/24", 8, "spf-domain-end");
        bad("redirect:a.example", 1, "spf-mechanism");
        bad("redirect=", 10, "spf-domain-empty");
        bad("redirect=-all", 10, "spf-domain-end");
        bad("-redirect=a.example", 1, "spf-modifier-name");
        bad("exp=", 5, "spf-domain-empty");
        bad("=all", 1, "spf-modifier-name");
        bad("1up=foo", 1, "spf-modifier-name");
        bad("moo.cow/far_out=man", 1, "spf-mechanism");
        bad("foo=%abc", 5, "spf-macro-percent");
        bad("foo=%{t}", 7, "spf-macro-explanation");
    }
}
