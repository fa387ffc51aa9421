//! The domain of a term: a macro string that ends like a domain name (RFC 7208 §7.1).

use core::fmt;

use super::macro_string::{Letter, MacroString, Part, Place};
use super::record::{RecordError, RecordFault, Span};

/// `domain-spec = macro-string domain-end`. What it becomes is the term's target name (§4.8).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DomainSpec(MacroString);

impl DomainSpec {
    pub(super) fn parse(span: Span<'_>) -> Result<Self, RecordError> {
        if span.text.is_empty() {
            return Err(span.fault(RecordFault::DomainEmpty));
        }
        let text = MacroString::parse(span, Place::Term)?;
        if !has_domain_end(&text) {
            return Err(span.fault(RecordFault::DomainEnd { found: span.text.into() }));
        }
        Ok(Self(text))
    }

    pub(super) const fn text(&self) -> &MacroString {
        &self.0
    }

    /// Whether the name of the client by reverse look-up (`%{p}`) is part of it.
    pub(super) fn names_validated_name(&self) -> bool {
        self.0.names(Letter::ValidatedName)
    }

    /// Whether the sender's local part is part of it.
    pub(super) fn names_local_part(&self) -> bool {
        self.0.names(Letter::Sender) || self.0.names(Letter::LocalPart)
    }

    /// Whether it ends in a dot.
    pub(super) fn has_final_dot(&self) -> bool {
        matches!(self.0.parts.last(), Some(Part::Literal(text)) if text.ends_with('.'))
    }
}

/// `domain-end = ( "." toplabel [ "." ] ) / macro-expand`. It is looked at before expansion, never
/// after.
fn has_domain_end(text: &MacroString) -> bool {
    match text.parts.last() {
        Some(Part::Literal(tail)) => {
            let tail = tail.strip_suffix('.').unwrap_or(tail);
            tail.rsplit_once('.').is_some_and(|(_, label)| is_top_label(label))
        }
        Some(_) => true,
        None => false,
    }
}

/// `toplabel = ( *alphanum ALPHA *alphanum ) / ( 1*alphanum "-" *( alphanum / "-" ) alphanum )`:
/// letters, digits and inner hyphens, and not digits alone.
fn is_top_label(label: &str) -> bool {
    let octets = label.as_bytes();
    let outer = octets.first().zip(octets.last());
    outer.is_some_and(|(first, last)| first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric())
        && octets.iter().all(|octet| octet.is_ascii_alphanumeric() || *octet == b'-')
        && !octets.iter().all(u8::is_ascii_digit)
}

impl fmt::Display for DomainSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn domain_specs() {
        for text in [
            "a.example",
            "a.example.",
            ".example",
            "a..example",
            "_spf.example",
            "foo:bar/baz.example",
            "foo.example.xn--zckzah",
            "a.1-2",
            "a.1a",
            "%{d}",
            "a%%",
            "a%_",
            "a%-",
            "%{i}.%{d2}",
            "%{d}.com",
            "%{d}.com.",
            "192.0.2.1.%{d}",
        ] {
            assert_eq!(DomainSpec::parse(Span { text, offset: 0 }).unwrap().to_string(), text);
        }
        for text in [
            "",
            ".",
            "museum",
            "museum.",
            "foo-bar",
            "-all",
            "111.222.33.44",
            "abc.123",
            "example.-com",
            "example.com-",
            "example.com:8080",
            "example.com/24",
            "%{d}.",
            "%{d}com",
            "%{d}.1",
            "a.exa_mple",
            "a.b..",
        ] {
            assert!(DomainSpec::parse(Span { text, offset: 0 }).is_err(), "{text}");
        }
    }
}
