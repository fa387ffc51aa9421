//! What an SMTP client is told when its message is not taken.

use std::fmt;

/// The most octets of a line: an SMTP reply line has at most 512 with its code and its end
/// (RFC 5321 §4.5.3.1.5), and mail servers put a few words of their own around ours.
pub const MAX_LINE_OCTETS: usize = 400;

/// The most lines.
pub const MAX_LINES: usize = 8;

/// An SMTP reply that refuses a message: for now (4xx) or for good (5xx), with an enhanced status
/// code, in one line or several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    code: u16,
    status: Box<str>,
    lines: Vec<Box<str>>,
}

impl Refusal {
    /// Makes a reply. `code` is 400 to 599, `status` is an enhanced status code of its class, such
    /// as `5.7.26` (RFC 3463 §2), and `text` is printable ASCII, its lines separated by `\n`.
    /// What a stranger has chosen must be made fit before.
    ///
    /// # Errors
    /// What of it is not so.
    pub fn new(code: u16, status: &str, text: &str) -> Result<Self, RefusalError> {
        if !(400..=599).contains(&code) {
            return Err(RefusalError::Code { found: code });
        }
        if !is_status_of(code, status) {
            return Err(RefusalError::Status { code });
        }
        let lines: Vec<Box<str>> = text.split('\n').map(Box::from).collect();
        if lines.len() > MAX_LINES {
            return Err(RefusalError::TooManyLines);
        }
        for line in &lines {
            if let Some(found) = line.chars().find(|c| !matches!(c, ' '..='~')) {
                return Err(RefusalError::Text { found });
            }
            if line.trim().is_empty() {
                return Err(RefusalError::EmptyLine);
            }
            if line.len() > MAX_LINE_OCTETS {
                return Err(RefusalError::LineTooLong);
            }
        }
        Ok(Self { code, status: status.into(), lines })
    }

    /// The code.
    #[must_use]
    pub const fn code(&self) -> u16 {
        self.code
    }

    /// Whether it is for good.
    #[must_use]
    pub const fn is_permanent(&self) -> bool {
        self.code >= 500
    }

    /// As it goes to the mail server: SMTP reply lines without the last line end. sendmail takes
    /// the text for a format and refuses it if there is a single `%` in it; Postfix, too, reads
    /// `%%` as one.
    pub(super) fn to_milter(&self) -> String {
        let last = self.lines.len().saturating_sub(1);
        let mut octets = String::new();
        for (number, line) in self.lines.iter().enumerate() {
            let (joint, end) = if number < last { ('-', "\r\n") } else { (' ', "") };
            let (code, status) = (self.code, &self.status);
            octets.push_str(&format!("{code}{joint}{status} {}{end}", line.replace('%', "%%")));
        }
        octets
    }
}

/// As SMTP shows it, its lines separated by `\n`.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.code, self.status, self.lines.join("\n"))
    }
}

/// Class, subject and detail, the class being that of the code (RFC 3463 §2).
fn is_status_of(code: u16, status: &str) -> bool {
    let mut parts = status.split('.');
    let class = parts.next().and_then(|class| class.parse::<u16>().ok());
    let is_number = |part: &str| {
        matches!(part.len(), 1..=3)
            && part.bytes().all(|octet| octet.is_ascii_digit())
            && (part == "0" || !part.starts_with('0'))
    };
    let rest: Vec<&str> = parts.collect();
    status.starts_with(['4', '5'])
        && class == Some(code / 100)
        && rest.len() == 2
        && rest.into_iter().all(is_number)
}

/// Why something is no reply that refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalError {
    /// The code is not one of refusal.
    Code {
        /// The code.
        found: u16,
    },
    /// The status is not an enhanced status code of the code's class.
    Status {
        /// The code.
        code: u16,
    },
    /// Something in the text is not printable ASCII.
    Text {
        /// What.
        found: char,
    },
    /// A line has nothing in it.
    EmptyLine,
    /// A line has more than [`MAX_LINE_OCTETS`].
    LineTooLong,
    /// There are more lines than [`MAX_LINES`].
    TooManyLines,
}

impl fmt::Display for RefusalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code { found } => write!(f, "code: expected 400 to 599, found {found}"),
            Self::Status { code } => {
                write!(f, "status: expected {}.SUBJECT.DETAIL, found something else", code / 100)
            }
            Self::Text { found } => write!(f, "text: expected printable ASCII, found {found:?}"),
            Self::EmptyLine => write!(f, "text: expected words on every line, found an empty one"),
            Self::LineTooLong => {
                write!(f, "text: expected lines of at most {MAX_LINE_OCTETS} octets, found more")
            }
            Self::TooManyLines => {
                write!(f, "text: expected at most {MAX_LINES} lines, found more")
            }
        }
    }
}

impl std::error::Error for RefusalError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(code: u16, status: &str, text: &str, sent: &str) {
        assert_eq!(Refusal::new(code, status, text).unwrap().to_milter(), sent);
    }

    fn bad(code: u16, status: &str, text: &str, message: &str) {
        assert_eq!(Refusal::new(code, status, text).unwrap_err().to_string(), message);
    }

    #[test]
    fn replies() {
        good(550, "5.7.26", "no", "550 5.7.26 no");
        good(451, "4.7.0", "later", "451 4.7.0 later");
        good(550, "5.7.1", "100% sure %s", "550 5.7.1 100%% sure %%s");
        good(554, "5.6.0", "a\nb\nc", "554-5.6.0 a\r\n554-5.6.0 b\r\n554 5.6.0 c");
        good(599, "5.999.0", &"x".repeat(400), &format!("599 5.999.0 {}", "x".repeat(400)));
        let refusal = Refusal::new(550, "5.7.1", "a\nb%").unwrap();
        assert_eq!(refusal.to_string(), "550 5.7.1 a\nb%");
        assert!(refusal.is_permanent());
        assert!(!Refusal::new(499, "4.7.1", "a").unwrap().is_permanent());
    }

    #[test]
    fn what_is_none() {
        bad(399, "4.7.1", "x", "code: expected 400 to 599, found 399");
        bad(600, "5.7.1", "x", "code: expected 400 to 599, found 600");
        for status in [
            "4.7.1", "5.7", "5.7.1.1", "5..1", "5.7.", "5.7.01", "5.7.1000", "5.7.a", "", "+5.7.1",
            "05.7.1", "5.7.1 ",
        ] {
            bad(550, status, "x", "status: expected 5.SUBJECT.DETAIL, found something else");
        }
        for (text, found) in [
            ("a\rb", "'\\r'"),
            ("a\0", "'\\0'"),
            ("ä", "'ä'"),
            ("a\tb", "'\\t'"),
            ("a\u{7f}", "'\\u{7f}'"),
        ] {
            bad(550, "5.7.1", text, &format!("text: expected printable ASCII, found {found}"));
        }
        for text in ["", "a\n", "\na", "a\n \nb"] {
            bad(550, "5.7.1", text, "text: expected words on every line, found an empty one");
        }
        bad(
            550,
            "5.7.1",
            &"x".repeat(401),
            "text: expected lines of at most 400 octets, found more",
        );
        bad(550, "5.7.1", &["x"; 9].join("\n"), "text: expected at most 8 lines, found more");
    }
}
