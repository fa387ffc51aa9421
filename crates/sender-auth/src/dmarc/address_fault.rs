//! What can be wrong with the addresses of a header field.

use core::fmt;

use smtp_types::DomainNameError;

/// What is wrong with an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressFault {
    /// An address literal, `a@[192.0.2.1]`: no domain has sent it.
    Literal,
    /// An address without a domain, `<root>`.
    NoDomain,
    /// The empty address `<>`, which only a return path can be.
    Null,
    /// What stands behind the `@` is no domain name.
    Domain(DomainNameError),
    /// The domain is not UTF-8.
    NotUtf8,
    /// More addresses than anyone reads.
    TooMany {
        /// How many are read.
        limit: usize,
    },
    /// Against the grammar of addresses.
    Syntax(SyntaxFault),
}

impl fmt::Display for AddressFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal => write!(f, "expected a domain, found an address literal"),
            Self::NoDomain => write!(f, "expected an address with a domain, found none"),
            Self::Null => write!(f, "expected an address, found \"<>\""),
            Self::Domain(error) => error.fmt(f),
            Self::NotUtf8 => write!(f, "expected a domain in UTF-8, found other octets"),
            Self::TooMany { limit } => write!(f, "expected at most {limit} addresses, found more"),
            Self::Syntax(fault) => fault.fmt(f),
        }
    }
}

/// What the grammar of addresses does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyntaxFault {
    /// An octet that stands nowhere in a field: NUL, a bare CR or LF, a control character in a word.
    Octet {
        /// The octet.
        found: u8,
    },
    /// A special character, or a word, where none can be.
    Unexpected {
        /// Its first octet.
        found: u8,
    },
    /// The field ends within something.
    End {
        /// What should end it.
        expected: char,
    },
    /// Comments within comments, too deep.
    CommentDepth {
        /// How deep they may be.
        limit: usize,
    },
}

impl fmt::Display for SyntaxFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Octet { found } => {
                write!(f, "expected printable characters, found the octet 0x{found:02x}")
            }
            Self::Unexpected { found } if found.is_ascii() => {
                let found = char::from(*found);
                write!(f, "expected the end of an address, found {found:?}")
            }
            Self::Unexpected { found } => {
                write!(f, "expected the end of an address, found the octet 0x{found:02x}")
            }
            Self::End { expected } => write!(f, "expected {expected:?}, found the end"),
            Self::CommentDepth { limit } => {
                write!(f, "expected comments at most {limit} deep, found more")
            }
        }
    }
}
