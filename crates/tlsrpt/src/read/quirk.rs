//! What is odd about a report that was read all the same.
//!
//! Only a fraction of what large senders send is to the letter of RFC 8460. So the reader takes
//! what it can understand, and names each liberty: a person who looks at a strange number must see
//! that it came as a string, or that the sums did not fit.

use alloc::boxed::Box;
use core::fmt;

/// One kind of oddity in one member of a report, wherever it occurs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quirk {
    /// What is odd.
    pub kind: QuirkKind,
    /// The member, in the words of RFC 8460 §4.4; or `report` for the whole.
    pub field: &'static str,
    /// Where it was found first.
    pub first: Place,
    /// What stood there first, at most 80 octets of it. It comes from the network: show it escaped.
    pub found: Box<str>,
    /// How often it was found.
    pub count: u64,
}

impl fmt::Display for Quirk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, field, first, found, count } = self;
        write!(f, "{first}{field}: {kind}")?;
        if !found.is_empty() {
            write!(f, ", found {found:?}")?;
        }
        if *count > 1 {
            write!(f, " ({count} times)")?;
        }
        Ok(())
    }
}

/// A part of a report, both numbers from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Which of the `policies`.
    pub policy: Option<usize>,
    /// Which of its `failure-details`.
    pub detail: Option<usize>,
}

impl fmt::Display for Place {
    /// As the beginning of a path: `policies[0].failure-details[3].`, or nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(policy) = self.policy {
            write!(f, "policies[{policy}].")?;
        }
        if let Some(detail) = self.detail {
            write!(f, "failure-details[{detail}].")?;
        }
        Ok(())
    }
}

/// What can be odd about a report. The consequence of each is told with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QuirkKind {
    /// A byte order mark in front (RFC 8259 §8.1 forbids it); passed over.
    ByteOrderMark,
    /// Octets that are not UTF-8; replaced by U+FFFD.
    NotUtf8,
    /// Something behind the report; passed over.
    TrailingText,
    /// A known member in another spelling, such as `mx-host-pattern`; taken for the known one.
    MemberName,
    /// A member that RFC 8460 does not know; passed over.
    UnknownMember,
    /// The same member twice (RFC 7493 §2.3 forbids it); the first counts.
    RepeatedMember,
    /// A required member is missing; it is taken for unknown, zero or none.
    Missing,
    /// `null`; as if it were missing.
    Null,
    /// An empty string where something must stand; as if it were missing.
    Empty,
    /// A value of a type that cannot be understood; as if it were missing.
    WrongType,
    /// A number where a string must stand; its digits are taken.
    NumberForText,
    /// A string where a number must stand; its digits are taken.
    TextForNumber,
    /// A number that is no count: negative, with a fraction, or beyond 64 bits; the nearest is
    /// taken.
    NotACount,
    /// A string where a list of strings must stand; a list of one. RFC 8460 itself has such an
    /// example for `mx-host`.
    TextForList,
    /// A string that holds the text of a JSON list; that list is taken.
    ListInText,
    /// An mx pattern with `mx:` in front, as in the policy; without it.
    MxPrefix,
    /// A text that is not an address of a host, or is one in brackets; left out, or without them.
    Address,
    /// A text that is not a domain name; left out.
    Domain,
    /// `contact-info` is not an e-mail address; kept as it is.
    Contact,
    /// A date-time that is not one of RFC 3339, but can be understood; without a zone it is UTC.
    DateForm,
    /// The period ends at midnight, in the first second of the next day; kept as it is.
    EndAtMidnight,
    /// The period does not end after its begin; kept as it is.
    EndBeforeBegin,
    /// The period is longer than a day (RFC 8460 §4.1); kept as it is.
    LongPeriod,
    /// A policy type or result type with capitals or underscores; taken for the known one.
    WordForm,
    /// A policy type or result type that RFC 8460 does not know; kept as it is.
    UnknownWord,
    /// The whole reply to EHLO instead of the name in it; the name is taken.
    EhloReply,
    /// The failed sessions of the details are not those of the summary; both are kept. More of them
    /// need not be a fault: a session may have had two failures.
    SumMismatch,
    /// A text beyond any use; cut.
    TooLong,
    /// More items than are kept; passed over.
    TooMany,
}

impl QuirkKind {
    /// A stable name for machines.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::ByteOrderMark => "byte-order-mark",
            Self::NotUtf8 => "not-utf-8",
            Self::TrailingText => "trailing-text",
            Self::MemberName => "member-name",
            Self::UnknownMember => "unknown-member",
            Self::RepeatedMember => "repeated-member",
            Self::Missing => "missing",
            Self::Null => "null",
            Self::Empty => "empty",
            Self::WrongType => "wrong-type",
            Self::NumberForText => "number-for-text",
            Self::TextForNumber => "text-for-number",
            Self::NotACount => "not-a-count",
            Self::TextForList => "text-for-list",
            Self::ListInText => "list-in-text",
            Self::MxPrefix => "mx-prefix",
            Self::Address => "address",
            Self::Domain => "domain",
            Self::Contact => "contact",
            Self::DateForm => "date-form",
            Self::EndAtMidnight => "end-at-midnight",
            Self::EndBeforeBegin => "end-before-begin",
            Self::LongPeriod => "long-period",
            Self::WordForm => "word-form",
            Self::UnknownWord => "unknown-word",
            Self::EhloReply => "ehlo-reply",
            Self::SumMismatch => "sum-mismatch",
            Self::TooLong => "too-long",
            Self::TooMany => "too-many",
        }
    }
}

impl fmt::Display for QuirkKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ByteOrderMark => "expected no byte order mark",
            Self::NotUtf8 => "expected UTF-8",
            Self::TrailingText => "expected nothing behind the report",
            Self::MemberName => "expected this name",
            Self::UnknownMember => "expected a member of RFC 8460",
            Self::RepeatedMember => "expected this member once",
            Self::Missing => "expected this member, found none",
            Self::Null => "expected a value, found null",
            Self::Empty => "expected a text, found an empty one",
            Self::WrongType => "expected another type",
            Self::NumberForText => "expected a string",
            Self::TextForNumber => "expected a number",
            Self::NotACount => "expected a whole number of 0 or more",
            Self::TextForList => "expected a list of strings",
            Self::ListInText => "expected a list, and not its text",
            Self::MxPrefix => "expected a pattern without \"mx:\"",
            Self::Address => "expected an IP address",
            Self::Domain => "expected a domain name",
            Self::Contact => "expected an e-mail address",
            Self::DateForm => "expected a date-time of RFC 3339 with its zone",
            Self::EndAtMidnight => "expected the last second of the day",
            Self::EndBeforeBegin => "expected an end after the begin",
            Self::LongPeriod => "expected one day",
            Self::WordForm => "expected lower case and hyphens",
            Self::UnknownWord => "expected a word of RFC 8460",
            Self::EhloReply => "expected the name of the host",
            Self::SumMismatch => "expected the failed sessions of the summary",
            Self::TooLong => "expected a shorter text",
            Self::TooMany => "expected fewer items",
        })
    }
}
