//! Words and special characters of structured header fields (RFC 5322 §3.2), the obsolete forms
//! (§4.1) and UTF-8 (RFC 6532) included.
//!
//! The grammar of addresses is made of these. They are cut octet by octet, comments within comments
//! are counted and not called, so work and memory are linear in the length.

use alloc::vec::Vec;

use super::address_fault::{AddressFault, SyntaxFault};

/// How deep comments may stand in each other.
pub(crate) const MAX_COMMENT_DEPTH: usize = 32;

/// A word or a special character.
#[derive(Clone, Debug)]
pub(crate) struct Token<'v> {
    pub(crate) offset: usize,
    /// White space or a comment stands before it.
    pub(crate) is_apart: bool,
    pub(crate) kind: Kind<'v>,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind<'v> {
    /// `1*atext`, with all octets above 127 (RFC 6532 §3.2).
    Atom(&'v [u8]),
    /// A quoted string without its quotes and backslashes.
    Quoted(Vec<u8>),
    /// `[…]`
    Literal,
    /// One of `,:;<>@.`
    Special(u8),
    /// `(…)`, without the outer parentheses and all backslashes.
    Comment(Vec<u8>),
}

/// A fault, and the octet where it stands.
pub(crate) type Fault = (usize, AddressFault);

pub(crate) const fn syntax(offset: usize, fault: SyntaxFault) -> Fault {
    (offset, AddressFault::Syntax(fault))
}

/// Cuts a value into words and special characters.
pub(crate) fn tokens(value: &[u8]) -> Result<Vec<Token<'_>>, Fault> {
    let mut tokens = Vec::new();
    let mut offset = 0;
    let mut is_apart = false;
    while let Some(octet) = value.get(offset) {
        let start = offset;
        let kind = match *octet {
            b' ' | b'\t' => {
                offset += 1;
                is_apart = true;
                continue;
            }
            b'\r' | b'\n' => {
                offset = fold(value, offset)?;
                is_apart = true;
                continue;
            }
            b'(' => {
                let (text, end) = comment(value, offset)?;
                offset = end;
                Kind::Comment(text)
            }
            b'"' => {
                let (text, end) = quoted(value, offset)?;
                offset = end;
                Kind::Quoted(text)
            }
            b'[' => {
                offset = literal(value, offset)?;
                Kind::Literal
            }
            b',' | b':' | b';' | b'<' | b'>' | b'@' | b'.' => {
                offset += 1;
                Kind::Special(*octet)
            }
            found if is_atext(found) => {
                let rest = value.get(offset..).unwrap_or_default();
                let length = rest.iter().take_while(|octet| is_atext(**octet)).count();
                offset += length;
                Kind::Atom(rest.get(..length).unwrap_or_default())
            }
            found if found.is_ascii_graphic() => {
                return Err(syntax(offset, SyntaxFault::Unexpected { found }));
            }
            found => return Err(syntax(offset, SyntaxFault::Octet { found })),
        };
        let is_comment = matches!(kind, Kind::Comment(_));
        tokens.push(Token { offset: start, is_apart, kind });
        is_apart = is_comment;
    }
    Ok(tokens)
}

/// `atext` (RFC 5322 §3.2.3), and UTF-8 (RFC 6532 §3.2).
const fn is_atext(octet: u8) -> bool {
    octet.is_ascii_alphanumeric()
        || octet >= 0x80
        || matches!(
            octet,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'/'
                | b'='
                | b'?'
                | b'^'
                | b'_'
                | b'`'
                | b'{'
                | b'|'
                | b'}'
                | b'~'
        )
}

/// `CRLF WSP`, or CRLF at the end; a CR or LF alone is neither.
fn fold(value: &[u8], offset: usize) -> Result<usize, Fault> {
    match value.get(offset..).unwrap_or_default() {
        [b'\r', b'\n', b' ' | b'\t', ..] | [b'\r', b'\n'] => Ok(offset + 2),
        rest => {
            let found = rest.first().copied().unwrap_or_default();
            Err(syntax(offset, SyntaxFault::Octet { found }))
        }
    }
}

/// The text of a comment, comments in it included, and where it ends.
fn comment(value: &[u8], start: usize) -> Result<(Vec<u8>, usize), Fault> {
    let mut text = Vec::new();
    let mut depth = 0_usize;
    let mut offset = start;
    loop {
        let Some(octet) = value.get(offset) else {
            return Err(syntax(value.len(), SyntaxFault::End { expected: ')' }));
        };
        match octet {
            b'(' if depth == MAX_COMMENT_DEPTH => {
                let limit = MAX_COMMENT_DEPTH;
                return Err(syntax(offset, SyntaxFault::CommentDepth { limit }));
            }
            b'(' => depth += 1,
            b')' if depth == 1 => return Ok((text, offset + 1)),
            b')' => depth -= 1,
            _ => {
                offset = content(value, offset, ')', &mut text)?;
                continue;
            }
        }
        if offset != start {
            text.push(*octet);
        }
        offset += 1;
    }
}

/// The text of a quoted string, and where it ends.
fn quoted(value: &[u8], start: usize) -> Result<(Vec<u8>, usize), Fault> {
    let mut text = Vec::new();
    let mut offset = start + 1;
    loop {
        match value.get(offset) {
            None => return Err(syntax(value.len(), SyntaxFault::End { expected: '"' })),
            Some(b'"') => return Ok((text, offset + 1)),
            Some(_) => offset = content(value, offset, '"', &mut text)?,
        }
    }
}

/// Where a domain literal ends.
fn literal(value: &[u8], start: usize) -> Result<usize, Fault> {
    let mut offset = start + 1;
    loop {
        match value.get(offset) {
            None => return Err(syntax(value.len(), SyntaxFault::End { expected: ']' })),
            Some(b']') => return Ok(offset + 1),
            Some(b'[') => {
                return Err(syntax(offset, SyntaxFault::Unexpected { found: b'[' }));
            }
            Some(_) => offset = content(value, offset, ']', &mut Vec::new())?,
        }
    }
}

/// One character within a comment, a quoted string or a literal: itself, a quoted pair, or a fold,
/// which is as if it was not there. Control characters are obsolete there (RFC 5322 §4.1), but for
/// NUL, CR and LF, which mail programs cut texts at.
fn content(value: &[u8], offset: usize, end: char, text: &mut Vec<u8>) -> Result<usize, Fault> {
    let octet_at = |offset: usize| value.get(offset).copied();
    let fault = |offset, found| Err(syntax(offset, SyntaxFault::Octet { found }));
    match octet_at(offset).unwrap_or_default() {
        b'\r' | b'\n' => fold(value, offset),
        0 => fault(offset, 0),
        b'\\' => match octet_at(offset + 1) {
            None => Err(syntax(value.len(), SyntaxFault::End { expected: end })),
            Some(found @ (0 | b'\r' | b'\n')) => fault(offset + 1, found),
            Some(octet) => {
                text.push(octet);
                Ok(offset + 2)
            }
        },
        octet => {
            text.push(octet);
            Ok(offset + 1)
        }
    }
}
