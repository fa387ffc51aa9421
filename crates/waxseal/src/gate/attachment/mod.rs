//! Which kinds of attachments a message has, by what is in them and not by what they are called.
//!
//! A name is chosen by the sender; the first octets of a Windows program are not. So a
//! [`Scanner`] reads the body of a message as it streams by, walks its MIME structure, undoes the
//! transfer encodings, and looks at the octets of every part: programs, documents with macros,
//! archives and what is in them. The result, [`Attachments`], is judged by [`decide`]: a small
//! table of what to do with each class of attachment, for senders who are identified and for those
//! who are not.
//!
//! ```
//! use sender_auth::{Header, HeaderField};
//! use waxseal::gate::attachment::{Action, Identified, Limits, Rules, Scanner, decide};
//!
//! let field = HeaderField::parse(b"Content-Transfer-Encoding: base64")?;
//! let header = Header::new(vec![field]);
//! let mut scanner = Scanner::new(&header, Limits::default());
//! scanner.push(b"f0VMRgIBAQAAAAAA\r\n");
//! let attachments = scanner.finish();
//! assert_eq!(attachments.found[0].to_string(), "part 1: a Linux or BSD program (ELF)");
//! let decision = decide(&attachments, Identified::No, &Rules::default());
//! assert_eq!(decision.action, Action::Reject);
//! # Ok::<(), sender_auth::HeaderFieldError>(())
//! ```
//!
//! What it is not: a virus scanner. It knows no malware, and there is much that it does not look
//! into: formats other than zip, gzip, tar and TNEF, what is packed more than twice, what is
//! encrypted or sealed, what is embedded in PDF, in OLE2 documents and in saved Outlook messages
//! (`.msg`). But it says of all archives, and of what is locked, that they are there. Scripts
//! without a mark (batch, JScript, VBScript, HTA) are text, and DOS `.com` files are octets;
//! content does not tell them.
//!
//! Memory is bounded whatever the message: less than 100 KiB for a part, twice to four times as
//! much while an archive in it is unpacked, a few MiB at the very worst. Time is linear. How the
//! message is cut into pieces makes no difference to the result. There is no IO here.

mod decode;
mod kind;
mod mime;
pub mod rules;
mod search;
mod sniff;
mod words;

use std::fmt;

use sender_auth::Header;

pub use kind::{
    Archive, Class, Incomplete, Kind, Locked, Macro, Program, Sealed, Unreadable, Wrapper,
};
pub use rules::{Action, Cause, Decision, Identified, Rule, Rules, decide};

use mime::Walker;
use search::Search;

/// Looks at a message that comes piece by piece.
#[derive(Debug)]
pub struct Scanner {
    walker: Walker,
    search: Search,
}

impl Scanner {
    /// A scanner at the beginning of the body of a message with this header.
    #[must_use]
    pub fn new(header: &Header, limits: Limits) -> Self {
        let mut search = Search::new(limits);
        let walker = Walker::new(header, &mut search);
        Self { walker, search }
    }

    /// Takes the next piece of the body, cut anywhere. Lines end in LF or CRLF.
    pub fn push(&mut self, body: &[u8]) {
        self.walker.push(body, &mut self.search);
    }

    /// The message is at its end.
    #[must_use]
    pub fn finish(mut self) -> Attachments {
        self.walker.finish(&mut self.search);
        self.search.attachments
    }
}

/// How far a message is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How deep multiparts and attached messages may be nested. The default is 20.
    pub depth: usize,
    /// How many parts there may be in all. The default is 1,000.
    pub parts: usize,
    /// How many entries of archives are looked at in all. The default is 10,000.
    pub entries: usize,
    /// How many octets are unpacked in all. The default is 64 MiB, a fifth of a second's work.
    pub inflated: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 20, parts: 1_000, entries: 10_000, inflated: 64 * 1024 * 1024 }
    }
}

/// What was found in a message, in the order of the parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attachments {
    /// What was found: of each kind the first few.
    pub found: Vec<Found>,
    /// How many more findings there were, all of kinds that are in `found`.
    pub further: usize,
    /// The first limit that the message went beyond. `None` if all of it was looked at.
    pub incomplete: Option<Incomplete>,
}

/// One thing that was recognized.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The number of the part as in IMAP (RFC 9051 §6.4.5), for example `1.2`. Empty for the
    /// message as a whole.
    pub part: String,
    /// What it is.
    pub kind: Kind,
    /// What it was packed in, if it was not the part itself.
    pub wrapper: Option<Wrapper>,
    /// Its name in the wrapper. At most 100 printable characters.
    pub entry: Option<String>,
    /// The name that the sender gave to the part. At most 100 printable characters.
    pub declared_name: Option<String>,
    /// The media type that the sender gave to the part. At most 100 printable characters.
    pub declared_type: Option<String>,
}

impl fmt::Display for Found {
    /// A phrase for people, for example `part 2 ("a.zip", application/zip): a Windows program (PE)
    /// in a zip archive ("b.exe")`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part.as_str() {
            "" => write!(f, "message")?,
            part => write!(f, "part {part}")?,
        }
        match (&self.declared_name, &self.declared_type) {
            (Some(name), Some(of_type)) => write!(f, " ({name:?}, {of_type})")?,
            (Some(name), None) => write!(f, " ({name:?})")?,
            (None, Some(of_type)) => write!(f, " ({of_type})")?,
            (None, None) => {}
        }
        write!(f, ": {}", self.kind)?;
        if let Some(wrapper) = &self.wrapper {
            write!(f, " {wrapper}")?;
        }
        self.entry.as_ref().map_or(Ok(()), |entry| write!(f, " ({entry:?})"))
    }
}
