//! Text with macros in it: the grammar (RFC 7208 §7.1 to §7.3). What a macro becomes is said in
//! `expand`.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::num::NonZeroU32;

use super::record::{RecordError, RecordFault, Span};

/// `macro-string = *( macro-expand / macro-literal )`, or an `explain-string`, which may have
/// spaces, too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct MacroString {
    pub(super) parts: Box<[Part]>,
}

/// A piece of a macro string.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Part {
    /// Visible ASCII but `%`; in an explanation spaces, too.
    Literal(Box<str>),
    /// `%%`
    Percent,
    /// `%_`
    Space,
    /// `%-`
    UrlSpace,
    /// `%{…}`
    Expand(Macro),
}

/// `"%{" macro-letter transformers *delimiter "}"`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Macro {
    pub(super) letter: Letter,
    pub(super) escape: Escape,
    /// How many parts on the right are kept; all if there is no number.
    pub(super) keep: Option<NonZeroU32>,
    pub(super) order: Order,
    /// What the value is split at; nothing stands for a dot.
    pub(super) delimiters: Box<str>,
}

/// §7.2
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Letter {
    /// `s`
    Sender,
    /// `l`
    LocalPart,
    /// `o`
    SenderDomain,
    /// `d`
    Domain,
    /// `i`
    Ip,
    /// `p`
    ValidatedName,
    /// `v`
    IpVersion,
    /// `h`
    Helo,
    /// `c`
    ClientIp,
    /// `r`
    Receiver,
    /// `t`
    Time,
}

/// §7.3: upper-case letters are URL-escaped after expansion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Escape {
    Verbatim,
    Url,
}

/// In which order the parts of a value are joined again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Order {
    AsIs,
    Reversed,
}

/// Where a macro string stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In a term of a record.
    Term,
    /// In the text that `exp` leads to.
    Explanation,
}

/// `delimiter = "." / "-" / "+" / "," / "/" / "_" / "="`
const DELIMITERS: &str = ".-+,/_=";

impl MacroString {
    /// Reads the text that `exp` leads to (RFC 7208 §6.2).
    ///
    /// # Errors
    /// The first fault, with its place.
    pub fn parse_explanation(text: &[u8]) -> Result<Self, RecordError> {
        Self::parse(Span::ascii(text)?, Place::Explanation)
    }

    pub(super) fn parse(span: Span<'_>, place: Place) -> Result<Self, RecordError> {
        let mut parts = Vec::new();
        let mut rest = span;
        while !rest.text.is_empty() {
            let end = rest.text.find('%').unwrap_or(rest.text.len());
            if end > 0 {
                parts.push(parse_literal(rest.to(end), place)?);
                rest = rest.from(end);
                continue;
            }
            let (part, behind) = parse_macro_expand(rest, place)?;
            parts.push(part);
            rest = behind;
        }
        Ok(Self { parts: parts.into_boxed_slice() })
    }

    /// Whether a macro with this letter is in it.
    pub(super) fn names(&self, letter: Letter) -> bool {
        self.macros().any(|one| one.letter == letter)
    }

    pub(super) fn macros(&self) -> impl Iterator<Item = &Macro> {
        self.parts.iter().filter_map(|part| match part {
            Part::Expand(one) => Some(one),
            _ => None,
        })
    }
}

/// `macro-literal = %x21-24 / %x26-7E`; an explanation has `SP`, too.
fn parse_literal(span: Span<'_>, place: Place) -> Result<Part, RecordError> {
    let stranger = span.text.char_indices().find(|(_, c)| match place {
        Place::Term => !c.is_ascii_graphic(),
        Place::Explanation => !c.is_ascii_graphic() && *c != ' ',
    });
    match stranger {
        Some((index, found)) => {
            Err(span.from(index).fault(RecordFault::Macro(MacroFault::Character { found })))
        }
        None => Ok(Part::Literal(span.text.into())),
    }
}

/// §7.3: a `%` that is not followed by `{`, `%`, `-` or `_` is a syntax error. `span` begins with
/// `%`. Returns what is behind, too.
fn parse_macro_expand(span: Span<'_>, place: Place) -> Result<(Part, Span<'_>), RecordError> {
    let part = match span.text.as_bytes().get(1) {
        Some(b'%') => Part::Percent,
        Some(b'_') => Part::Space,
        Some(b'-') => Part::UrlSpace,
        Some(b'{') => {
            let Some(end) = span.text.find('}') else {
                return Err(span.fault(RecordFault::Macro(MacroFault::Open)));
            };
            let one = parse_macro(span.to(end).from(2), place)?;
            return Ok((Part::Expand(one), span.from(end + 1)));
        }
        _ => return Err(span.fault(RecordFault::Macro(MacroFault::Percent))),
    };
    Ok((part, span.from(2)))
}

/// `macro-letter transformers *delimiter`; letters of either case, as everywhere in ABNF.
fn parse_macro(span: Span<'_>, place: Place) -> Result<Macro, RecordError> {
    let fault = |at: Span<'_>, fault| Err(at.fault(RecordFault::Macro(fault)));
    let first = span.text.chars().next();
    let Some((letter, written)) = first.and_then(|c| Some((Letter::parse(c)?, c))) else {
        return fault(span, MacroFault::Letter { found: first });
    };
    if place == Place::Term && letter.is_for_explanations() {
        return fault(span, MacroFault::OnlyInExplanations { found: written });
    }
    let rest = span.from(1);
    let digits = rest.text.len() - rest.text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let keep = match parse_digits(rest.to(digits).text) {
        Ok(keep) => keep,
        Err(zero) => return fault(rest, zero),
    };
    let rest = rest.from(digits);
    let (order, delimiters) = match rest.text.strip_prefix(['r', 'R']) {
        Some(_) => (Order::Reversed, rest.from(1)),
        None => (Order::AsIs, rest),
    };
    let stranger = delimiters.text.char_indices().find(|(_, c)| !DELIMITERS.contains(*c));
    if let Some((index, found)) = stranger {
        return fault(delimiters.from(index), MacroFault::Delimiter { found });
    }
    let escape = if written.is_ascii_uppercase() { Escape::Url } else { Escape::Verbatim };
    Ok(Macro { letter, escape, keep, order, delimiters: delimiters.text.into() })
}

/// §7.3: "If a DIGIT is specified, the value MUST be nonzero." Numbers that are greater than any
/// count of parts mean all parts.
fn parse_digits(digits: &str) -> Result<Option<NonZeroU32>, MacroFault> {
    if digits.is_empty() {
        return Ok(None);
    }
    let number = digits.bytes().fold(0_u32, |number, digit| {
        number.saturating_mul(10).saturating_add(u32::from(digit.saturating_sub(b'0')))
    });
    NonZeroU32::new(number).map(Some).ok_or(MacroFault::Zero)
}

impl Letter {
    const fn parse(c: char) -> Option<Self> {
        Some(match c.to_ascii_lowercase() {
            's' => Self::Sender,
            'l' => Self::LocalPart,
            'o' => Self::SenderDomain,
            'd' => Self::Domain,
            'i' => Self::Ip,
            'p' => Self::ValidatedName,
            'v' => Self::IpVersion,
            'h' => Self::Helo,
            'c' => Self::ClientIp,
            'r' => Self::Receiver,
            't' => Self::Time,
            _ => return None,
        })
    }

    const fn as_char(self) -> char {
        match self {
            Self::Sender => 's',
            Self::LocalPart => 'l',
            Self::SenderDomain => 'o',
            Self::Domain => 'd',
            Self::Ip => 'i',
            Self::ValidatedName => 'p',
            Self::IpVersion => 'v',
            Self::Helo => 'h',
            Self::ClientIp => 'c',
            Self::Receiver => 'r',
            Self::Time => 't',
        }
    }

    /// §7.2: `c`, `r` and `t` are allowed only in explanations.
    const fn is_for_explanations(self) -> bool {
        matches!(self, Self::ClientIp | Self::Receiver | Self::Time)
    }
}

impl fmt::Display for MacroString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            Part::Literal(text) => f.write_str(text),
            Part::Percent => f.write_str("%%"),
            Part::Space => f.write_str("%_"),
            Part::UrlSpace => f.write_str("%-"),
            Part::Expand(one) => one.fmt(f),
        })
    }
}

impl fmt::Display for Macro {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = match self.escape {
            Escape::Verbatim => self.letter.as_char(),
            Escape::Url => self.letter.as_char().to_ascii_uppercase(),
        };
        write!(f, "%{{{letter}")?;
        if let Some(keep) = self.keep {
            write!(f, "{keep}")?;
        }
        if self.order == Order::Reversed {
            f.write_str("r")?;
        }
        write!(f, "{}}}", self.delimiters)
    }
}

/// What can be wrong with a macro string. In a record the consequence is `permerror`; in an
/// explanation, that there is none (RFC 7208 §6.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MacroFault {
    /// A `%` without `{`, `%`, `_` or `-` behind it.
    Percent,
    /// A `%{` without `}`.
    Open,
    /// No letter that stands for something.
    Letter {
        /// What stands there; `None` is the end.
        found: Option<char>,
    },
    /// `c`, `r` or `t` in a term.
    OnlyInExplanations {
        /// The letter.
        found: char,
    },
    /// The number of parts to keep is zero.
    Zero,
    /// Something that is neither a number, `r`, nor a delimiter.
    Delimiter {
        /// The character.
        found: char,
    },
    /// A character that no macro string has.
    Character {
        /// The character.
        found: char,
    },
}

impl MacroFault {
    /// A stable name for machines.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Percent => "spf-macro-percent",
            Self::Open => "spf-macro-open",
            Self::Letter { .. } => "spf-macro-letter",
            Self::OnlyInExplanations { .. } => "spf-macro-explanation",
            Self::Zero => "spf-macro-zero",
            Self::Delimiter { .. } => "spf-macro-delimiter",
            Self::Character { .. } => "spf-character",
        }
    }
}

impl fmt::Display for MacroFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percent => {
                write!(f, "macro: expected {{, %, _ or - behind %, found none of them")
            }
            Self::Open => write!(f, "macro: expected }} behind %{{, found none"),
            Self::Letter { found } => {
                write!(f, "macro: expected one of slodiphv, found ")?;
                match found {
                    Some(found) => write!(f, "{found:?}"),
                    None => write!(f, "nothing"),
                }
            }
            Self::OnlyInExplanations { found } => {
                write!(
                    f,
                    "macro: expected one of slodiphv, found {found:?}, which is only for explanations"
                )
            }
            Self::Zero => write!(f, "macro: expected a number of parts above zero, found zero"),
            Self::Delimiter { found } => {
                write!(
                    f,
                    "macro: expected digits, r, delimiters ({DELIMITERS}) and }}, found {found:?}"
                )
            }
            Self::Character { found } => {
                write!(f, "expected visible ASCII, found {found:?}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn good(text: &str) {
        let parsed = MacroString::parse(Span { text, offset: 0 }, Place::Term).unwrap();
        assert_eq!(parsed.to_string(), text);
    }

    fn bad(text: &str, column: usize, fault: MacroFault) {
        let error = MacroString::parse(Span { text, offset: 0 }, Place::Term).expect_err(text);
        let expected = (column, RecordFault::Macro(fault));
        assert_eq!((error.position.column, error.fault), expected, "{text}");
    }

    #[test]
    fn macro_strings() {
        for text in ["", "a.example", "%%%_%-", "%{s}", "%{D2}", "%{l1r-+,/_=.}", "!$&~}{"] {
            good(text);
        }
        let printed =
            |text| MacroString::parse(Span { text, offset: 0 }, Place::Term).unwrap().to_string();
        assert_eq!(printed("%{i007R.}"), "%{i7r.}");
        assert_eq!(printed("%{d99999999999999999999}"), "%{d4294967295}");

        bad("%", 1, MacroFault::Percent);
        bad("a%(ir).b", 2, MacroFault::Percent);
        bad("%{d", 1, MacroFault::Open);
        bad("%{}", 3, MacroFault::Letter { found: None });
        bad("%{x}", 3, MacroFault::Letter { found: Some('x') });
        bad("%{c}", 3, MacroFault::OnlyInExplanations { found: 'c' });
        bad("%{T}", 3, MacroFault::OnlyInExplanations { found: 'T' });
        bad("%{d0}", 4, MacroFault::Zero);
        bad("%{d000r}", 4, MacroFault::Zero);
        bad("%{dr2}", 5, MacroFault::Delimiter { found: '2' });
        bad("%{d.r}", 5, MacroFault::Delimiter { found: 'r' });
        bad("a\u{7}b", 2, MacroFault::Character { found: '\u{7}' });
        bad("a b", 2, MacroFault::Character { found: ' ' });
    }

    #[test]
    fn explanations_have_spaces_and_three_letters_more() {
        let parse = |text: &str| MacroString::parse_explanation(text.as_bytes());
        let text = " %{c} is not for %{r} at %{t} ";
        assert_eq!(parse(text).unwrap().to_string(), text);
        assert!(parse("a\tb").is_err());
        assert!(parse("\u{feff}a").is_err());
        assert!(parse("%{x}").is_err());
    }
}
