//! What a server says (RFC 3501 §7): a line, with literals in it.

/// How many octets a line may have: the numbers of half a million mails.
const MAX_LINE: usize = 4 * 1024 * 1024;

/// A line with the literals that were in it. Behind the text of each literal `{length}` stands the
/// next text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// The texts between the literals: one more than literals.
    pub texts: Vec<Vec<u8>>,
    /// The literals.
    pub literals: Vec<Vec<u8>>,
}

/// A response is longer than is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// How a command has ended, or a state of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// `OK`.
    Ok,
    /// `NO`: it cannot be done.
    No,
    /// `BAD`: it was not understood.
    Bad,
    /// `PREAUTH`: the server knows who we are.
    Preauth,
    /// `BYE`: the server closes.
    Bye,
}

/// A response, as far as it is needed here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// The end of a command.
    Done {
        /// The tag of the command.
        tag: String,
        /// How it has ended.
        status: Status,
        /// What is said about it.
        text: String,
    },
    /// `+`: the server waits for more.
    Continue,
    /// A state of the server, with a code such as `UIDVALIDITY 1`; the code may be empty.
    State {
        /// Which.
        status: Status,
        /// What stands in brackets.
        code: String,
        /// What is said about it.
        text: String,
    },
    /// What the server can do, in upper case.
    Capability(Vec<String>),
    /// How many mails there are.
    Exists(u32),
    /// The numbers of mails that were searched.
    Search(Vec<u32>),
    /// What was fetched of a mail.
    Fetch {
        /// Its UID.
        uid: Option<u32>,
        /// How many octets it has.
        size: Option<u64>,
        /// All of it.
        body: Option<Vec<u8>>,
    },
    /// Anything else.
    Other,
}

impl Response {
    /// Takes the first line with its literals out of what has come, and says how many octets it has;
    /// `None` if it is not all there. Its literals may have `limit` octets together.
    ///
    /// # Errors
    /// [`TooLong`].
    pub fn take_line(input: &[u8], limit: usize) -> Result<Option<(Line, usize)>, TooLong> {
        let mut line = Line::default();
        let (mut at, mut octets) = (0_usize, 0_usize);
        loop {
            let rest = input.get(at..).unwrap_or_default();
            let Some(length) = memchr::memchr(b'\n', rest) else {
                return if rest.len() > MAX_LINE { Err(TooLong) } else { Ok(None) };
            };
            let text = rest.get(..length).unwrap_or_default();
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            line.texts.push(text.to_vec());
            at += length + 1;
            let Some(literal) = announced_literal(text) else { return Ok(Some((line, at))) };
            let literal = usize::try_from(literal).map_err(|_| TooLong)?;
            octets = octets.checked_add(literal).ok_or(TooLong)?;
            if octets > limit || at > limit.saturating_add(MAX_LINE) {
                return Err(TooLong);
            }
            let Some(found) = input.get(at..at.saturating_add(literal)) else { return Ok(None) };
            line.literals.push(found.to_vec());
            at += literal;
        }
    }

    /// Reads a line. `None` if it is no response at all.
    #[must_use]
    pub fn parse(line: Line) -> Option<Self> {
        let first = line.texts.first()?;
        let text = String::from_utf8_lossy(first).into_owned();
        if text.starts_with('+') {
            return Some(Self::Continue);
        }
        let (tag, rest) = text.split_once(' ')?;
        if tag != "*" {
            let (status, text) = rest.split_once(' ').unwrap_or((rest, ""));
            let status = Status::parse(status)?;
            return Some(Self::Done { tag: tag.to_owned(), status, text: text.to_owned() });
        }
        let (word, behind) = rest.split_once(' ').unwrap_or((rest, ""));
        if let Some(status) = Status::parse(word) {
            let (code, text) = match behind.strip_prefix('[').and_then(|rest| rest.split_once(']'))
            {
                Some((code, text)) => (code, text.trim_start()),
                None => ("", behind),
            };
            return Some(Self::State { status, code: code.to_owned(), text: text.to_owned() });
        }
        if let Ok(number) = word.parse::<u32>() {
            let kind = behind.split(' ').next().unwrap_or_default();
            return Some(match kind.to_ascii_uppercase().as_str() {
                "EXISTS" => Self::Exists(number),
                "FETCH" => fetch(line),
                _ => Self::Other,
            });
        }
        Some(match word.to_ascii_uppercase().as_str() {
            "CAPABILITY" => Self::Capability(capabilities(behind)),
            "SEARCH" => {
                Self::Search(behind.split(' ').filter_map(|one| one.parse().ok()).collect())
            }
            _ => Self::Other,
        })
    }
}

impl Status {
    fn parse(word: &str) -> Option<Self> {
        Some(match word.to_ascii_uppercase().as_str() {
            "OK" => Self::Ok,
            "NO" => Self::No,
            "BAD" => Self::Bad,
            "PREAUTH" => Self::Preauth,
            "BYE" => Self::Bye,
            _ => return None,
        })
    }
}

/// The words of a list of capabilities, in upper case.
pub(super) fn capabilities(text: &str) -> Vec<String> {
    text.split(' ').filter(|word| !word.is_empty()).map(str::to_ascii_uppercase).collect()
}

/// RFC 3501 §7.4.2: items and values, in any order. A value that is needed is a number or a literal.
fn fetch(line: Line) -> Response {
    let Line { texts, literals } = line;
    let (mut uid, mut size, mut body) = (None, None, None);
    let mut literals = literals.into_iter();
    for text in texts {
        let text = String::from_utf8_lossy(&text).into_owned();
        let words: Vec<&str> =
            text.split([' ', '(', ')']).filter(|word| !word.is_empty()).collect();
        for pair in words.windows(2) {
            let [name, value] = pair else { continue };
            match name.to_ascii_uppercase().as_str() {
                "UID" => uid = value.parse().ok().or(uid),
                "RFC822.SIZE" => size = value.parse().ok().or(size),
                _ => {}
            }
        }
        let Some(literal) = literals.next() else { continue };
        // The literal belongs to the item before its length.
        let item = words.iter().rev().nth(1).map(|name| name.to_ascii_uppercase());
        if item.is_some_and(|name| name == "BODY[]") {
            body = Some(literal);
        }
    }
    Response::Fetch { uid, size, body }
}

/// How many octets of a literal follow a line that ends like this.
#[must_use]
pub(super) fn announced_literal(line: &[u8]) -> Option<u64> {
    let rest = line.strip_suffix(b"}")?;
    let begin = rest.iter().rposition(|octet| *octet == b'{')?;
    let digits = rest.get(begin + 1..)?;
    let digits = digits.strip_suffix(b"+").unwrap_or(digits);
    let is_number = (1..=19).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| is_number)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<Response> {
        Response::parse(Line { texts: vec![text.as_bytes().to_vec()], literals: vec![] })
    }

    #[test]
    fn responses() {
        let table = [
            ("* 23 EXISTS", Response::Exists(23)),
            ("* SEARCH 2 84 882", Response::Search(vec![2, 84, 882])),
            ("* SEARCH", Response::Search(vec![])),
            (
                "* CAPABILITY IMAP4rev1 idle",
                Response::Capability(vec!["IMAP4REV1".into(), "IDLE".into()]),
            ),
            ("* FLAGS (\\Seen)", Response::Other),
            ("* 5 EXPUNGE", Response::Other),
            ("+ idling", Response::Continue),
            (
                "* OK [UIDVALIDITY 7] fine",
                Response::State {
                    status: Status::Ok,
                    code: "UIDVALIDITY 7".into(),
                    text: "fine".into(),
                },
            ),
            (
                "* bye now",
                Response::State { status: Status::Bye, code: String::new(), text: "now".into() },
            ),
            (
                "A1 NO [ALERT] full",
                Response::Done {
                    tag: "A1".into(),
                    status: Status::No,
                    text: "[ALERT] full".into(),
                },
            ),
            (
                "* 1 FETCH (FLAGS (\\Seen) RFC822.SIZE 44 UID 9)",
                Response::Fetch { uid: Some(9), size: Some(44), body: None },
            ),
        ];
        for (text, expected) in table {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
        for text in ["", "*", "A1", "A1 PERHAPS x"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn bodies() {
        let line = Line {
            texts: vec![
                b"* 1 FETCH (BODY[] {3}".to_vec(),
                b" UID 7 BODY[HEADER] {1}".to_vec(),
                b")".to_vec(),
            ],
            literals: vec![b"abc".to_vec(), b"x".to_vec()],
        };
        let expected = Response::Fetch { uid: Some(7), size: None, body: Some(b"abc".to_vec()) };
        assert_eq!(Response::parse(line), Some(expected));
    }

    #[test]
    fn responses_end_where_their_last_line_ends() {
        let end = |input: &[u8]| Response::take_line(input, 100).map(|one| one.map(|(_, end)| end));
        assert_eq!(end(b"* OK\r\n* 1"), Ok(Some(6)));
        assert_eq!(end(b"* OK"), Ok(None));
        assert_eq!(end(b"a {3}\r\nx\ny)\r\nb"), Ok(Some(13)));
        assert_eq!(end(b"a {3}\r\nx\n"), Ok(None));
        assert_eq!(end(b"a {0}\r\n"), Ok(None));
        assert_eq!(end(b"a {101}\r\n"), Err(TooLong));
        assert_eq!(end(&vec![b'x'; MAX_LINE + 1]), Err(TooLong));
    }

    #[test]
    fn literals() {
        assert_eq!(announced_literal(b"* 1 FETCH (BODY[] {310}"), Some(310));
        assert_eq!(announced_literal(b"{0+}"), Some(0));
        for line in [&b""[..], b"}", b"{}", b"{1} ", b"{-1}", b"{99999999999999999999}"] {
            assert_eq!(announced_literal(line), None, "{}", line.escape_ascii());
        }
    }
}
