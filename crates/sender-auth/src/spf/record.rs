//! The record of a domain (RFC 7208 §3, §4.5 and §4.6): which text it is, and what stands in it.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use smtp_types::Position;

use super::domain_spec::DomainSpec;
use super::macro_string::MacroFault;
use super::term::{Directive, Mechanism, Term, UnknownModifier};

/// `version = "v=spf1"`
pub(super) const VERSION: &str = "v=spf1";

/// The one record out of all texts found at a domain's name.
///
/// §4.5: records that do not begin with exactly `v=spf1`, ended by a space or the end of the
/// record, are discarded. None left is `none`, and more than one `permerror`.
///
/// # Errors
/// [`NoRecord`] says why there is none.
pub fn select<'t>(texts: impl IntoIterator<Item = &'t [u8]>) -> Result<&'t [u8], NoRecord> {
    let mut ours = texts.into_iter().filter(|text| has_version(text));
    let record = ours.next().ok_or(NoRecord::Absent)?;
    match ours.count() {
        0 => Ok(record),
        more => Err(NoRecord::Several { count: more + 1 }),
    }
}

pub(super) fn has_version(text: &[u8]) -> bool {
    text.split_at_checked(VERSION.len()).is_some_and(|(version, rest)| {
        version.eq_ignore_ascii_case(VERSION.as_bytes()) && (rest.is_empty() || rest[0] == b' ')
    })
}

/// Why none of the texts at a name is the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRecord {
    /// No text begins with `v=spf1`.
    Absent,
    /// More than one does.
    Several {
        /// How many.
        count: usize,
    },
}

impl fmt::Display for NoRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => write!(f, "no SPF record"),
            Self::Several { count } => {
                write!(
                    f,
                    "expected one record that begins with \"{VERSION}\", found {count} (RFC 7208 §4.5)"
                )
            }
        }
    }
}

impl core::error::Error for NoRecord {}

/// A record without a fault in its syntax.
///
/// Printed, its modifiers stand behind the directives, where RFC 7208 §6 wants them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    directives: Vec<Directive>,
    redirect: Option<DomainSpec>,
    explanation: Option<DomainSpec>,
    unknown_modifiers: Vec<UnknownModifier>,
}

impl Record {
    /// Reads one record, its strings joined already.
    ///
    /// # Errors
    /// The first fault, with its place. §4.6: a fault anywhere is `permerror`, whatever stands
    /// before it.
    pub fn parse(text: &[u8]) -> Result<Self, RecordError> {
        let span = Span::ascii(text)?;
        let mut record = Self::default();
        for term in terms(span)? {
            record.add(term, Term::parse(term)?)?;
        }
        Ok(record)
    }

    /// §6: `redirect` and `exp` "MUST NOT appear in a record more than once each".
    fn add(&mut self, span: Span<'_>, term: Term) -> Result<(), RecordError> {
        let repeated = |modifier| Err(span.fault(RecordFault::Repeated { modifier }));
        match term {
            Term::Directive(directive) => self.directives.push(directive),
            Term::Redirect(_) if self.redirect.is_some() => return repeated("redirect"),
            Term::Redirect(domain) => self.redirect = Some(domain),
            Term::Explanation(_) if self.explanation.is_some() => return repeated("exp"),
            Term::Explanation(domain) => self.explanation = Some(domain),
            Term::Unknown(modifier) => self.unknown_modifiers.push(modifier),
        }
        Ok(())
    }

    /// The directives in their order.
    #[must_use]
    pub fn directives(&self) -> &[Directive] {
        &self.directives
    }

    /// Whose record counts if no directive matches (§6.1). §5.1: nobody's if there is an `all`.
    #[must_use]
    pub fn redirect(&self) -> Option<&DomainSpec> {
        let all = self.directives.iter().any(|it| it.mechanism == Mechanism::All);
        self.redirect.as_ref().filter(|_| !all)
    }

    /// Where the text stands that tells a refused sender why (§6.2).
    #[must_use]
    pub const fn explanation(&self) -> Option<&DomainSpec> {
        self.explanation.as_ref()
    }

    /// Modifiers that RFC 7208 does not know, in their order. They have no effect (§6).
    #[must_use]
    pub fn unknown_modifiers(&self) -> &[UnknownModifier] {
        &self.unknown_modifiers
    }
}

/// `record = version terms *SP`, `terms = *( 1*SP ( directive / modifier ) )`: the terms of a
/// record, each with its place. Only spaces stand between them.
pub(super) fn terms(span: Span<'_>) -> Result<impl Iterator<Item = Span<'_>>, RecordError> {
    if !has_version(span.text.as_bytes()) {
        let found = span.text.split(' ').next().unwrap_or_default();
        return Err(span.fault(RecordFault::Version { found: found.into() }));
    }
    let rest = span.from(VERSION.len());
    let mut offset = 0;
    Ok(rest.text.split(' ').filter_map(move |text| {
        let term = Span { text, offset: rest.offset + offset };
        offset += text.len() + 1;
        (!text.is_empty()).then_some(term)
    }))
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(VERSION)?;
        self.directives.iter().try_for_each(|directive| write!(f, " {directive}"))?;
        if let Some(domain) = &self.redirect {
            write!(f, " redirect={domain}")?;
        }
        if let Some(domain) = &self.explanation {
            write!(f, " exp={domain}")?;
        }
        self.unknown_modifiers.iter().try_for_each(|modifier| write!(f, " {modifier}"))
    }
}

/// A part of a record, and where it begins: ASCII, so that octets are characters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span<'t> {
    pub(super) text: &'t str,
    pub(super) offset: usize,
}

impl<'t> Span<'t> {
    /// §3.1: a record is ASCII.
    pub(super) fn ascii(text: &'t [u8]) -> Result<Self, RecordError> {
        match core::str::from_utf8(text) {
            Ok(text) if text.is_ascii() => Ok(Self { text, offset: 0 }),
            _ => {
                let offset = text.iter().position(|octet| !octet.is_ascii()).unwrap_or(0);
                let octet = text.get(offset).copied().unwrap_or_default();
                Err(Span { text: "", offset }.fault(RecordFault::NotAscii { octet }))
            }
        }
    }

    /// The part before `index`.
    pub(super) fn to(self, index: usize) -> Self {
        Self { text: self.text.get(..index).unwrap_or(self.text), offset: self.offset }
    }

    /// The part from `index` on.
    pub(super) fn from(self, index: usize) -> Self {
        let text = self.text.get(index..).unwrap_or_default();
        Self { text, offset: self.offset + self.text.len() - text.len() }
    }

    pub(super) const fn position(self) -> Position {
        Position { line: 1, column: self.offset + 1 }
    }

    pub(super) const fn fault(self, fault: RecordFault) -> RecordError {
        RecordError { position: self.position(), fault }
    }
}

/// Why a text is not a record, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordError {
    /// The place of the fault; records have one line.
    pub position: Position,
    /// The fault.
    pub fault: RecordFault,
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.position, self.fault, self.fault.clause())
    }
}

impl core::error::Error for RecordError {}

/// What can be wrong with a record. The consequence is always `permerror` (RFC 7208 §4.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordFault {
    /// An octet above 127.
    NotAscii {
        /// The octet.
        octet: u8,
    },
    /// It does not begin with `v=spf1` and a space.
    Version {
        /// The first word.
        found: Box<str>,
    },
    /// A term that is no modifier and has no mechanism's name.
    Mechanism {
        /// The name.
        found: Box<str>,
    },
    /// A modifier whose name is none.
    ModifierName {
        /// The name.
        found: Box<str>,
    },
    /// Nothing, or no colon, behind a mechanism that needs a value.
    Argument {
        /// The mechanism as written.
        mechanism: Box<str>,
    },
    /// Something behind `all`.
    ArgumentOfAll {
        /// What stands there.
        found: Box<str>,
    },
    /// Nothing where a domain should be.
    DomainEmpty,
    /// A domain that ends neither in a macro nor in a dot and a label.
    DomainEnd {
        /// The domain.
        found: Box<str>,
    },
    /// Not an IPv4 address.
    Ip4Network {
        /// What stands there.
        found: Box<str>,
    },
    /// Not an IPv6 address.
    Ip6Network {
        /// What stands there.
        found: Box<str>,
    },
    /// Not a length of a prefix.
    Prefix {
        /// The greatest length.
        limit: u8,
        /// What stands there.
        found: Box<str>,
    },
    /// A fault in a macro.
    Macro(MacroFault),
    /// `redirect` or `exp` for the second time.
    Repeated {
        /// Which of the two.
        modifier: &'static str,
    },
}

impl RecordFault {
    /// A stable name for machines.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotAscii { .. } => "spf-not-ascii",
            Self::Version { .. } => "spf-version",
            Self::Mechanism { .. } => "spf-mechanism",
            Self::ModifierName { .. } => "spf-modifier-name",
            Self::Argument { .. } => "spf-argument-missing",
            Self::ArgumentOfAll { .. } => "spf-argument-unexpected",
            Self::DomainEmpty => "spf-domain-empty",
            Self::DomainEnd { .. } => "spf-domain-end",
            Self::Ip4Network { .. } => "spf-ip4-network",
            Self::Ip6Network { .. } => "spf-ip6-network",
            Self::Prefix { .. } => "spf-prefix",
            Self::Macro(fault) => fault.code(),
            Self::Repeated { .. } => "spf-modifier-repeated",
        }
    }

    /// The rule that it breaks.
    #[must_use]
    pub const fn clause(&self) -> &'static str {
        match self {
            Self::NotAscii { .. } => "RFC 7208 §3.1",
            Self::Version { .. } => "RFC 7208 §4.5",
            Self::Mechanism { .. } | Self::ModifierName { .. } | Self::Argument { .. } => {
                "RFC 7208 §4.6.1"
            }
            Self::ArgumentOfAll { .. } => "RFC 7208 §5.1",
            Self::DomainEmpty | Self::DomainEnd { .. } => "RFC 7208 §7.1",
            Self::Ip4Network { .. } | Self::Ip6Network { .. } | Self::Prefix { .. } => {
                "RFC 7208 §5.6"
            }
            Self::Macro(MacroFault::OnlyInExplanations { .. }) => "RFC 7208 §7.2",
            Self::Macro(MacroFault::Percent | MacroFault::Zero) => "RFC 7208 §7.3",
            Self::Macro(_) => "RFC 7208 §7.1",
            Self::Repeated { .. } => "RFC 7208 §6",
        }
    }
}

impl fmt::Display for RecordFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAscii { octet } => write!(f, "expected ASCII, found the octet {octet:#04x}"),
            Self::Version { found } => {
                write!(f, "v: expected \"{VERSION}\" and a space, found {found:?}")
            }
            Self::Mechanism { found } => write!(
                f,
                "mechanism: expected one of all, include, a, mx, ptr, ip4, ip6, exists, found {found:?}"
            ),
            Self::ModifierName { found } => write!(
                f,
                "modifier: expected a name of a letter, then letters, digits, -, _ and ., found {found:?}"
            ),
            Self::Argument { mechanism } => {
                write!(f, "{}: expected a colon and a value behind it", mechanism.escape_debug())
            }
            Self::ArgumentOfAll { found } => {
                write!(f, "all: expected nothing behind it, found {found:?}")
            }
            Self::DomainEmpty => write!(f, "domain: expected a name, found nothing"),
            Self::DomainEnd { found } => {
                write!(
                    f,
                    "domain: expected it to end in a macro or a top-level domain, found {found:?}"
                )
            }
            Self::Ip4Network { found } => {
                write!(f, "ip4: expected an IPv4 address, found {found:?}")
            }
            Self::Ip6Network { found } => {
                write!(f, "ip6: expected an IPv6 address, found {found:?}")
            }
            Self::Prefix { limit, found } => {
                write!(f, "prefix: expected a length of 0 to {limit}, found {found:?}")
            }
            Self::Macro(fault) => fault.fmt(f),
            Self::Repeated { modifier } => {
                write!(f, "{modifier}: expected it once, found it again")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn good(text: &str, printed: &str) {
        let record = Record::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{text:?}: {e}"));
        assert_eq!(record.to_string(), printed, "{text:?}");
        assert_eq!(Record::parse(printed.as_bytes()), Ok(record), "{text:?}");
    }

    fn bad(text: &[u8], message: &str) {
        assert_eq!(Record::parse(text).unwrap_err().to_string(), message);
    }

    #[test]
    fn records() {
        good("v=spf1", "v=spf1");
        good("V=SPF1  A  -ALL ", "v=spf1 a -all");
        good("v=spf1 redirect=a.test", "v=spf1 redirect=a.test");
        good("v=spf1 exp=%{d} redirect=a.test x=y mx", "v=spf1 mx redirect=a.test exp=%{d} x=y");
        good("v=spf1 all -all", "v=spf1 all -all");
        good("v=spf1 x=1 X=2 x=1", "v=spf1 x=1 X=2 x=1");
        bad(
            b"v=spf1 \xc3\xa4",
            "line 1, column 8: expected ASCII, found the octet 0xc3 (RFC 7208 §3.1)",
        );
        bad(
            b"v=spf10 a",
            "line 1, column 1: v: expected \"v=spf1\" and a space, found \"v=spf10\" (RFC 7208 §4.5)",
        );
        bad(
            b"v=spf1 a\tmx",
            "line 1, column 8: mechanism: expected one of all, include, a, mx, ptr, ip4, ip6, \
             exists, found \"a\\tmx\" (RFC 7208 §4.6.1)",
        );
        bad(
            b"v=spf1 exp=a.test EXP=a.test",
            "line 1, column 19: exp: expected it once, found it again (RFC 7208 §6)",
        );
        bad(
            b"v=spf1  a  include:",
            "line 1, column 20: domain: expected a name, found nothing (RFC 7208 §7.1)",
        );
    }

    #[test]
    fn all_makes_redirect_void_wherever_it_stands() {
        let record = |text: &str| Record::parse(text.as_bytes()).unwrap();
        assert!(record("v=spf1 redirect=a.test").redirect().is_some());
        assert!(record("v=spf1 redirect=a.test -all").redirect().is_none());
        assert!(record("v=spf1 -all redirect=a.test").redirect().is_none());
    }

    #[test]
    fn selection() {
        let one = |texts: &[&'static [u8]]| select(texts.iter().copied());
        assert_eq!(one(&[b"x", b"v=spf1 -all", b"v=spf10"]), Ok(&b"v=spf1 -all"[..]));
        assert_eq!(one(&[b"\xff", b"V=SPF1"]), Ok(&b"V=SPF1"[..]));
        assert_eq!(one(&[b" v=spf1", b"v=spf1\t-all", b"v=spf1-all", b""]), Err(NoRecord::Absent));
        assert_eq!(one(&[b"v=spf1", b"v=spf1 a"]), Err(NoRecord::Several { count: 2 }));
    }
}
