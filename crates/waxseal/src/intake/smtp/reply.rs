//! What a client is told: a number, an enhanced code (RFC 3463) and words of ours. Nothing that a
//! client has said is ever said back, so nothing can be smuggled into a reply.

use std::fmt;

/// A reply of one or more lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    lines: Vec<String>,
}

impl Reply {
    /// A reply of one line.
    #[must_use]
    pub fn new(code: u16, text: &str) -> Self {
        Self { code, lines: vec![text.to_owned()] }
    }

    /// A reply with a line for each text; without any, there is one empty line.
    #[must_use]
    pub fn of_lines(code: u16, lines: Vec<String>) -> Self {
        Self { code, lines }
    }

    /// The number.
    #[must_use]
    pub const fn code(&self) -> u16 {
        self.code
    }

    /// Whether it tells of an error.
    #[must_use]
    pub const fn is_error(&self) -> bool {
        self.code >= 400
    }
}

/// RFC 5321 §4.2: as it goes over the wire.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((last, rest)) = self.lines.split_last() else {
            return write!(f, "{}\r\n", self.code);
        };
        rest.iter().try_for_each(|line| write!(f, "{}-{line}\r\n", self.code))?;
        write!(f, "{} {last}\r\n", self.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        assert_eq!(Reply::new(250, "2.0.0 ok").to_string(), "250 2.0.0 ok\r\n");
        let many = Reply::of_lines(250, vec!["a".into(), "SIZE 1".into()]);
        assert_eq!(many.to_string(), "250-a\r\n250 SIZE 1\r\n");
        assert_eq!(Reply::of_lines(250, vec![]).to_string(), "250\r\n");
    }
}
