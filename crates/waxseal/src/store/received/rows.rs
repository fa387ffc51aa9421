//! What is written. Texts are numbered within one report, so that a report of many records holds
//! each text once; the store gives them their numbers in its dictionary.

use std::collections::HashMap;
use std::net::IpAddr;

use smtp_types::UnixTime;

/// The kinds of reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReceivedKind {
    /// A report about TLS (RFC 8460).
    Tls,
    /// An aggregate report of DMARC (RFC 9990).
    Dmarc,
    /// A failure report of DMARC (RFC 9991), of which only the counts are kept.
    Failure,
}

impl ReceivedKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Tls, Self::Dmarc, Self::Failure];

    /// The word for it in the store and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tls => "tls-rpt",
            Self::Dmarc => "dmarc-aggregate",
            Self::Failure => "dmarc-failure",
        }
    }

    /// The kind with this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// The number of a text within one report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TextNumber(u32);

/// The texts of one report, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    numbers: HashMap<Box<str>, TextNumber>,
    texts: Vec<Box<str>>,
}

impl Texts {
    /// The number of a text.
    pub fn number(&mut self, text: &str) -> TextNumber {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = TextNumber(u32::try_from(self.texts.len()).unwrap_or(u32::MAX));
        self.texts.push(text.into());
        self.numbers.insert(text.into(), number);
        number
    }

    /// All of them, in the order of their numbers.
    #[must_use]
    pub fn all(&self) -> &[Box<str>] {
        &self.texts
    }
}

impl TextNumber {
    /// Its place in [`Texts::all`].
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A report on its way into the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewReceived {
    /// Its kind.
    pub kind: ReceivedKind,
    /// Whom it is about.
    pub domain: TextNumber,
    /// Who reports: the name of the organization, or what else there is of it.
    pub organization: TextNumber,
    /// Where to ask back.
    pub contact: Option<TextNumber>,
    /// The domain that has proved to be the author.
    pub submitter: Option<TextNumber>,
    /// The id that its author gave it; may be empty.
    pub name: String,
    /// The first second that it is about.
    pub begins: UnixTime,
    /// The last second that it is about.
    pub ends: UnixTime,
    /// When it came.
    pub received: UnixTime,
    /// The way it came.
    pub way: &'static str,
    /// How sure its author is.
    pub grade: &'static str,
    /// The same for a greater number means surer.
    pub grade_rank: u8,
    /// SHA-256 of reporter, id, domains and period.
    pub identity: [u8; 32],
    /// SHA-256 of all that it says.
    pub content: [u8; 32],
    /// Its sums.
    pub totals: ReceivedTotals,
    /// The DMARC policy that the reporter has found.
    pub policy: Option<TextNumber>,
    /// What is wrong with its form, one in each line.
    pub quirks: String,
    /// The policies of a report about TLS.
    pub policies: Vec<NewPolicy>,
    /// What failed under them.
    pub failures: Vec<NewFailure>,
    /// The records of an aggregate report.
    pub records: Vec<NewRecord>,
    /// The texts that all of this refers to.
    pub texts: Texts,
}

/// The sums of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceivedTotals {
    /// Sessions that succeeded, or messages that passed DMARC.
    pub good: u64,
    /// Sessions that failed, or messages that did not pass.
    pub bad: u64,
    /// Messages with an aligned pass of DKIM.
    pub dkim_pass: u64,
    /// Messages with an aligned pass of SPF.
    pub spf_pass: u64,
    /// Messages that were put into quarantine.
    pub quarantined: u64,
    /// Messages that were refused.
    pub rejected: u64,
}

/// A policy of a report about TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPolicy {
    /// The policy domain.
    pub domain: TextNumber,
    /// The policy in the line form of crate `tlsrpt`.
    pub policy: TextNumber,
    /// Sessions that succeeded.
    pub good: u64,
    /// Sessions that failed.
    pub bad: u64,
}

/// A failure of a report about TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFailure {
    /// The place of its policy in the report.
    pub policy: u32,
    /// The result type.
    pub result: TextNumber,
    /// Who sent.
    pub sending_ip: Option<IpAddr>,
    /// To which host.
    pub mx: Option<TextNumber>,
    /// At which address.
    pub receiving_ip: Option<IpAddr>,
    /// What the host called itself.
    pub helo: Option<TextNumber>,
    /// What the reporter's TLS library said.
    pub reason: Option<TextNumber>,
    /// How many sessions.
    pub sessions: u64,
}

/// Which of DKIM and SPF gave an aligned pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Aligned {
    /// DKIM did.
    pub dkim: bool,
    /// SPF did.
    pub spf: bool,
}

impl Aligned {
    pub(super) const fn to_column(self) -> u8 {
        self.dkim as u8 | (self.spf as u8) << 1
    }

    pub(super) const fn from_column(bits: u8) -> Self {
        Self { dkim: bits & 1 != 0, spf: bits & 2 != 0 }
    }
}

/// A record of an aggregate report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRecord {
    /// Who sent.
    pub source: Option<IpAddr>,
    /// How many messages.
    pub messages: u64,
    /// What was done: 0 unknown, 1 none, 2 pass, 3 quarantine, 4 reject.
    pub disposition: u8,
    /// Which of DKIM and SPF gave an aligned pass.
    pub aligned: Aligned,
    /// The domain of the From field.
    pub header_from: Option<TextNumber>,
    /// The domain of the return path.
    pub envelope_from: Option<TextNumber>,
    /// The domain of the recipient.
    pub envelope_to: Option<TextNumber>,
    /// All results of DKIM and SPF.
    pub auth: TextNumber,
    /// Why something else was done than asked for.
    pub reasons: TextNumber,
}

/// Something that could not be read, or not as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAside {
    /// When it came.
    pub received: UnixTime,
    /// The way it came.
    pub way: &'static str,
    /// How it is called.
    pub name: String,
    /// Why it was kept aside, one reason in each line.
    pub problems: String,
    /// SHA-256 of its octets.
    pub digest: [u8; 32],
    /// How many octets it has.
    pub size: u64,
    /// Its octets, packed with gzip.
    pub packed: Vec<u8>,
}

/// What came of one report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Its number in the store.
    pub id: i64,
    /// Its kind.
    pub kind: ReceivedKind,
    /// What came of it.
    pub outcome: TakenOutcome,
}

/// What came of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakenOutcome {
    /// It is new.
    New,
    /// It was there; the number is that of the first.
    Duplicate,
    /// The same report was there with other contents, and counts no more.
    Replaced,
    /// The same report is there with other contents from a surer author. This one does not count.
    Doubtful,
}

impl TakenOutcome {
    /// The word for it in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Duplicate => "duplicate",
            Self::Replaced => "replaced",
            Self::Doubtful => "doubtful",
        }
    }
}

/// What came of one mail or file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TakenIn {
    /// Its reports, in their order.
    pub reports: Vec<Taken>,
    /// Whether it had been kept aside before.
    pub was_aside: bool,
}
