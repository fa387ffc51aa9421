//! What is said to the mail server: the replies of the socketmap protocol for one next hop.
//!
//! A reply is `OK level attributes`, `NOTFOUND ` (the space belongs to it), `TEMP reason` or
//! `PERM reason` (`socketmap_table(5)`). The name of the map that is asked says what the asker
//! understands ([`MapName`]); [`Replies`] holds what to say under each of them, ready to be sent.
//!
//! Replies are kept for every domain in memory, so they are small: those without a name in them
//! take no allocation, and one allocation serves the others under all map names.

use std::fmt::Write as _;
use std::sync::Arc;

use mta_sts::{Mode, MxPattern, Policy};
use smtp_types::{DomainName, NextHop};
use transport_policy::{Answer, Decision, Level, LocalMatch};

use super::attribute::{Attribute, CertificateName, PolicyLine};

/// The most octets of a reply. Postfix takes up to 100,000 (`socketmap_max_reply_size`).
pub const MAX_REPLY_OCTETS: usize = 99_999;

/// The most octets of a reason: Postfix logs no more than that.
const MAX_REASON_OCTETS: usize = 200;

/// Under which name the map is asked, the last part of `socketmap:inet:127.0.0.1:8642:NAME`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MapName {
    /// `QUERY`, and every name not listed below: what Postfix before 3.10 understands.
    Query,
    /// `QUERYwithTLSRPT`: with what Postfix 3.10 and later need to hold MX hosts to the policy's
    /// patterns, and to report.
    QueryWithTlsrpt,
    /// `STS`: MTA-STS only, for sendmail, which looks after DANE itself.
    Sts,
}

impl MapName {
    /// All names.
    pub const ALL: [Self; 3] = [Self::Query, Self::QueryWithTlsrpt, Self::Sts];

    /// Reads a name; upper and lower case are equal, as users of postfix-tlspol know it. A name
    /// without a meaning of its own is [`MapName::Query`]: postfix-mta-sts-resolver lets
    /// its users choose one freely.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if text.eq_ignore_ascii_case("QUERYwithTLSRPT") {
            return Self::QueryWithTlsrpt;
        }
        if text.eq_ignore_ascii_case("STS") {
            return Self::Sts;
        }
        Self::Query
    }

    /// The name as it stands in the documentation.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Query => "QUERY",
            Self::QueryWithTlsrpt => "QUERYwithTLSRPT",
            Self::Sts => "STS",
        }
    }
}

/// What a reply tells the mail server, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReplyKind {
    /// `OK` and a level.
    Level(Level),
    /// `NOTFOUND `: no policy.
    NotFound,
    /// `TEMP`: ask again later. The mail waits.
    Temporary,
    /// `PERM`: the question is none. The mail waits, too.
    Permanent,
}

impl ReplyKind {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::Level(Level::May),
        Self::Level(Level::Encrypt),
        Self::Level(Level::Dane),
        Self::Level(Level::DaneOnly),
        Self::Level(Level::Secure),
        Self::NotFound,
        Self::Temporary,
        Self::Permanent,
    ];

    /// The place in [`ALL`](Self::ALL).
    pub(super) const fn index(self) -> usize {
        match self {
            Self::Level(Level::May) => 0,
            Self::Level(Level::Encrypt) => 1,
            Self::Level(Level::Dane) => 2,
            Self::Level(Level::DaneOnly) => 3,
            Self::Level(Level::Secure) => 4,
            Self::NotFound => 5,
            Self::Temporary => 6,
            Self::Permanent => 7,
        }
    }

    /// Postfix's word for the level, or `notfound`, `temp`, `perm`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Level(level) => level.as_str(),
            Self::NotFound => "notfound",
            Self::Temporary => "temp",
            Self::Permanent => "perm",
        }
    }
}

/// The replies for one next hop, one for each [`MapName`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replies(Form);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    NoPolicy,
    /// A level without attributes.
    Level(Level),
    /// The whole reply, `TEMP` and the reason.
    Temporary(Arc<str>),
    Secure(Secure),
}

/// `OK secure match=…`. The plain reply is the beginning of the extended one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Secure {
    extended: Arc<str>,
    plain_octets: u32,
    /// The mode of the policy, or `None` if the operator fixed the names.
    mode: Option<Mode>,
}

const NOT_FOUND: &str = "NOTFOUND ";

impl Replies {
    /// The replies that say what was decided.
    ///
    /// Three policies cannot be said in a reply, and become `TEMP`: one whose hosts take more than
    /// [`MAX_REPLY_OCTETS`], one without hosts, and one with nothing but words that Postfix does
    /// not take for names (`hostname`). A policy that fits only without `mx_host_pattern`s gets the
    /// plain reply under every name; of a policy that fits only in part, the last lines are not
    /// sent as `policy_string`.
    #[must_use]
    pub fn new(next_hop: &NextHop, decision: &Decision) -> Self {
        Self(match &decision.answer {
            Answer::NoPolicy => Form::NoPolicy,
            Answer::Defer => temporary(&obstacles(decision)),
            Answer::Dane => Form::Level(Level::Dane),
            Answer::DaneOnly => Form::Level(Level::DaneOnly),
            Answer::Secure(policy) => secure(next_hop.policy_domain(), policy),
            Answer::Fixed(fixed) => by_operator(fixed),
        })
    }

    /// No policy, whatever is asked: `NOTFOUND `.
    #[must_use]
    pub const fn no_policy() -> Self {
        Self(Form::NoPolicy)
    }

    /// `TEMP` and a reason, of which up to 200 octets are kept; what is not printable ASCII
    /// becomes `?`. For what hinders a decision, rather than being one.
    #[must_use]
    pub fn temporary(reason: &str) -> Self {
        Self(temporary(reason))
    }

    /// The reply to a question under this map name: what stands in the netstring.
    #[must_use]
    pub fn reply(&self, map: MapName) -> &str {
        match (&self.0, map) {
            (Form::Temporary(reply), _) => reply,
            (Form::Secure(secure), MapName::QueryWithTlsrpt) => &secure.extended,
            (Form::Secure(secure), MapName::Query | MapName::Sts) => secure.plain(),
            (Form::NoPolicy, _) => NOT_FOUND,
            (Form::Level(Level::Secure), _) => "OK secure",
            (Form::Level(_), MapName::Sts) => NOT_FOUND,
            (Form::Level(Level::May), _) => "OK may",
            (Form::Level(Level::Encrypt), _) => "OK encrypt",
            (Form::Level(Level::Dane), _) => "OK dane",
            (Form::Level(Level::DaneOnly), _) => "OK dane-only",
        }
    }

    /// What the reply under this map name tells the mail server.
    #[must_use]
    pub const fn kind(&self, map: MapName) -> ReplyKind {
        match (&self.0, map) {
            (Form::NoPolicy, _) => ReplyKind::NotFound,
            (Form::Temporary(_), _) => ReplyKind::Temporary,
            (Form::Secure(_), _) => ReplyKind::Level(Level::Secure),
            (Form::Level(Level::Secure), _) => ReplyKind::Level(Level::Secure),
            (Form::Level(_), MapName::Sts) => ReplyKind::NotFound,
            (Form::Level(level), _) => ReplyKind::Level(*level),
        }
    }

    /// The `match` list as Postfix reads it, names and `.domain`s with `:` between them. `None` at
    /// any level but `secure`, and if the mail server's own default applies.
    #[must_use]
    pub fn match_list(&self) -> Option<&str> {
        let Form::Secure(secure) = &self.0 else {
            return None;
        };
        secure.plain().split(' ').find_map(|word| word.strip_prefix("match="))
    }

    /// The mode of the MTA-STS policy that is behind `secure`: testing if the operator requires
    /// more than the domain does. `None` if no policy is.
    #[must_use]
    pub const fn sts_mode(&self) -> Option<Mode> {
        match &self.0 {
            Form::Secure(secure) => secure.mode,
            Form::NoPolicy | Form::Level(_) | Form::Temporary(_) => None,
        }
    }

    /// How many octets of memory this takes, its allocation included.
    #[must_use]
    pub fn octets(&self) -> usize {
        let allocated = match &self.0 {
            Form::NoPolicy | Form::Level(_) => 0,
            Form::Temporary(reply) => reply.len(),
            Form::Secure(secure) => secure.extended.len(),
        };
        size_of::<Self>() + allocated
    }
}

impl Secure {
    fn plain(&self) -> &str {
        self.extended.get(..self.plain_octets as usize).unwrap_or(&self.extended)
    }
}

/// What stands in the way of a decision, for the log of the mail server.
fn obstacles(decision: &Decision) -> String {
    let obstacles: Vec<String> = decision
        .reasons
        .iter()
        .filter(|reason| reason.is_obstacle())
        .map(ToString::to_string)
        .collect();
    match obstacles.is_empty() {
        true => "what must be known could not be found out".to_owned(),
        false => obstacles.join("; "),
    }
}

fn temporary(reason: &str) -> Form {
    let reason = reason.chars().take(MAX_REASON_OCTETS).map(|c| match c {
        ' '..='~' => c,
        _ => '?',
    });
    Form::Temporary("TEMP ".chars().chain(reason).collect::<String>().into())
}

/// The operator's level. Only `secure` has names: Postfix refuses `match` elsewhere, and all mail
/// with it.
fn by_operator(fixed: &LocalMatch) -> Form {
    if fixed.level != Level::Secure || fixed.names.is_empty() {
        return Form::Level(fixed.level);
    }
    let names: Vec<_> = fixed.names.iter().map(CertificateName::from_operator).collect();
    let mut reply = Text::new();
    reply.push(Attribute::Match(&names));
    match reply.fits() {
        true => reply.into_form(None),
        false => temporary("the override names too many hosts for one reply"),
    }
}

/// RFC 8461 §4: an MX host must match a pattern of the policy, and its certificate must name it.
fn secure(domain: &DomainName, policy: &Policy) -> Form {
    let mut patterns: Vec<&MxPattern> = Vec::with_capacity(policy.mx().len());
    let mut seen = std::collections::HashSet::with_capacity(policy.mx().len());
    patterns.extend(policy.mx().iter().filter(|pattern| seen.insert(*pattern)));
    patterns.retain(|pattern| CertificateName::from_pattern(pattern).is_some());
    let names: Vec<_> =
        patterns.iter().filter_map(|pattern| CertificateName::from_pattern(pattern)).collect();
    if names.is_empty() {
        return temporary("the MTA-STS policy names no host that a certificate can name");
    }

    let mut reply = Text::new();
    reply.push(Attribute::Match(&names));
    reply.push(Attribute::ServernameHostname);
    if !reply.fits() {
        return temporary("the MTA-STS policy names too many hosts for one reply");
    }
    reply.plain_octets = reply.text.len();

    // Postfix wants all of these, or none.
    reply.push(Attribute::PolicyTypeSts);
    reply.push(Attribute::PolicyDomain(domain));
    for pattern in patterns {
        reply.push(Attribute::MxHostPattern(pattern));
    }
    let mut lines = 0;
    for line in policy.lines() {
        let Some(line) = PolicyLine::new(&line) else {
            continue;
        };
        let octets = reply.text.len();
        reply.push(Attribute::PolicyString(line));
        if !reply.fits() {
            reply.text.truncate(octets);
            break;
        }
        lines += 1;
    }
    if lines == 0 {
        reply.text.truncate(reply.plain_octets);
    }
    reply.into_form(Some(policy.mode()))
}

/// A reply in the making.
struct Text {
    text: String,
    plain_octets: usize,
}

impl Text {
    fn new() -> Self {
        Self { text: "OK secure".to_owned(), plain_octets: 0 }
    }

    fn push(&mut self, attribute: Attribute<'_>) {
        let written = write!(self.text, " {attribute}");
        debug_assert_eq!(written, Ok(()), "writing to a String cannot fail");
    }

    fn fits(&self) -> bool {
        self.text.len() <= MAX_REPLY_OCTETS
    }

    fn into_form(self, mode: Option<Mode>) -> Form {
        let plain_octets = if self.plain_octets == 0 { self.text.len() } else { self.plain_octets };
        Form::Secure(Secure {
            extended: self.text.into(),
            plain_octets: u32::try_from(plain_octets).unwrap_or(u32::MAX),
            mode,
        })
    }
}
