//! Taking in a mail or a file: read, checked against the settings, stored.
//!
//! Every way in calls [`Intake::accept`] with the octets as they came and with what it knows about
//! who sent them. When it returns, everything is on the disk: the reports in their tables, and what
//! could not be read beside them with its reason. So whoever called may say that the mail has
//! arrived. An error means that nothing was kept, and that the mail has to come again.
//!
//! Reading is work for a processor, so it is done apart from what answers mail servers, and only a
//! few are read at once, which bounds the memory.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use mail_parser::{HeaderValue, MessageParser};
use smtp_types::{DomainName, UnixTime};
use tokio::sync::Semaphore;

use super::draft::{self, is_within};
use super::{Fault, Limits};
use crate::config::Config;
use crate::store::{
    NewAside, NewPolicy, NewReceived, ReceivedKind, Store, StoreError, Taken, TakenIn, TextNumber,
};

/// How many mails are read at once.
const READERS: usize = 2;

/// The field that says whom a report about TLS is about (RFC 8460 §5.3).
const FIELD: &str = "TLS-Report-Domain";

/// How the line of a policy of DANE begins.
const TLSA_POLICY: &str = "p1 tlsa ";

/// How many reports are removed in one transaction.
const REMOVED_AT_ONCE: u32 = 500;

/// How much of a mail is looked at for its header.
const MAX_HEADER: usize = 64 * 1024;

/// How many reasons are kept with something that could not be read.
const MAX_PROBLEMS: usize = 20;

/// Where something came from, and what is known about who sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The way it came.
    pub way: Way,
    /// How it is called, for people: a path, or the number of a message in a mailbox. May be empty.
    /// At most 200 characters are kept.
    pub name: String,
    /// Whom it is about, if the way in says so: the path of a POST does.
    pub about: Option<DomainName>,
    /// What was found about its author.
    pub authenticity: Authenticity,
}

impl Arrival {
    /// A file that the operator has handed over. Nothing was checked, for the keys that signed it
    /// may be gone.
    #[must_use]
    pub fn file(name: impl Into<String>) -> Self {
        let authenticity = Authenticity::unchecked();
        Self { way: Way::File, name: name.into(), about: None, authenticity }
    }
}

/// The ways in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `waxseal reports import`.
    File,
    /// The listener for SMTP.
    Smtp,
    /// The listener for LMTP.
    Lmtp,
    /// A mailbox that is read.
    Imap,
    /// A POST of a report about TLS (RFC 8460 §5.4).
    Https,
}

impl Way {
    /// The word for it in the store and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Smtp => "smtp",
            Self::Lmtp => "lmtp",
            Self::Imap => "imap",
            Self::Https => "https",
        }
    }
}

/// How sure it is that the author is who he says he is, from bad to good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// It was checked, and is not so: a signature is broken, DMARC failed.
    Failed,
    /// It was checked, and nothing says who he is.
    Unauthenticated,
    /// It was not checked. The operator vouches for files that he imports.
    Unchecked,
    /// It was checked, and is so.
    Authenticated,
}

impl Grade {
    /// The word for it in the store and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Unauthenticated => "unauthenticated",
            Self::Unchecked => "unchecked",
            Self::Authenticated => "authenticated",
        }
    }
}

/// What was found about the author of a mail. Which kind of report is in it is not known yet, so
/// there is a grade by the rules of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticity {
    /// By RFC 8460 §3: a signature of the reporting domain, without `l=`, with a key for reports.
    pub tls: Grade,
    /// By RFC 9990 §4: DMARC passes for the author's domain.
    pub dmarc: Grade,
    /// The domain that has proved to be the author: that of the signature, or of the From field.
    pub submitter: Option<DomainName>,
}

impl Authenticity {
    /// Nothing was checked.
    #[must_use]
    pub const fn unchecked() -> Self {
        Self { tls: Grade::Unchecked, dmarc: Grade::Unchecked, submitter: None }
    }
}

/// What is done with reports whose author is not proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequireAuthor {
    /// They count like any other.
    No,
    /// They are stored and shown with their grade. Those that have failed explain nothing.
    Warn,
    /// They are kept aside. Files that the operator imports are not meant.
    Yes,
}

/// The settings of the intake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntakeSettings {
    /// What is taken in of one mail or file.
    pub limits: Limits,
    /// Domains of ours; those below them are ours, too. Empty: any domain is taken for ours.
    pub domains: Vec<DomainName>,
    /// What is done with reports whose author is not proved.
    pub require_author: RequireAuthor,
    /// How long reports are kept after they came; default 400 days.
    pub retention: Duration,
    /// How many octets may be kept aside in all; default 256 MiB. Beyond it the oldest lose their
    /// octets, and keep their reason.
    pub aside_octets: u64,
}

impl IntakeSettings {
    /// By these settings.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self {
            domains: config.intake.domains.clone(),
            require_author: config.intake.require_author,
            retention: config.intake.retention,
            ..Self::default()
        }
    }
}

impl Default for IntakeSettings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            domains: Vec::new(),
            require_author: RequireAuthor::Warn,
            retention: Duration::from_hours(400 * 24),
            aside_octets: 256 * 1024 * 1024,
        }
    }
}

/// What came of a mail or a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its reports, in their order.
    pub reports: Vec<Taken>,
    /// Why it was kept aside, or a part of it; empty if it was read as a whole.
    pub faults: Vec<Fault>,
    /// Whether it had been kept aside before, octet for octet.
    pub was_aside: bool,
}

/// The intake: reads, and hands over to the store.
pub struct Intake {
    settings: IntakeSettings,
    store: Arc<Store>,
    readers: Semaphore,
}

impl Intake {
    /// With these settings, into this store.
    #[must_use]
    pub fn new(settings: IntakeSettings, store: Arc<Store>) -> Self {
        Self { settings, store, readers: Semaphore::new(READERS) }
    }

    /// Takes in one mail or one document. When it returns, all of it is on the disk.
    ///
    /// # Errors
    /// If the store cannot write: a full disk, above all. Then nothing was kept.
    pub async fn accept(
        &self,
        octets: Vec<u8>,
        arrival: Arrival,
        now: UnixTime,
    ) -> Result<Accepted, StoreError> {
        let settings = self.settings.clone();
        let incoming = {
            let _permit = self.readers.acquire().await.map_err(|_| StoreError::Closed)?;
            let read = move || read_in(&octets, &arrival, &settings, now);
            tokio::task::spawn_blocking(read).await.map_err(|_| StoreError::Closed)?
        };
        let faults = incoming.faults.clone();
        let taken = self.store.take_in(incoming.reports, incoming.aside).await?;
        Ok(Accepted::of(taken, faults))
    }

    /// Forgets what is older than the settings allow, a little at a time. To be called about once
    /// an hour.
    ///
    /// # Errors
    /// If the store cannot write.
    pub async fn forget(&self, now: UnixTime) -> Result<(), StoreError> {
        let before = UnixTime(now.0.saturating_sub(self.settings.retention.as_secs()));
        let aside = self.settings.aside_octets;
        while self.store.forget_received(before, aside, REMOVED_AT_ONCE).await? {}
        Ok(())
    }
}

impl Accepted {
    pub(crate) fn of(taken: TakenIn, faults: Vec<Fault>) -> Self {
        Self { reports: taken.reports, faults, was_aside: taken.was_aside }
    }
}

/// A mail or a file that was read and is not stored yet.
pub(crate) struct Incoming {
    /// Its reports.
    pub(crate) reports: Vec<NewReceived>,
    /// What is kept aside of it.
    pub(crate) aside: Option<NewAside>,
    /// Why.
    pub(crate) faults: Vec<Fault>,
}

/// Reads a mail or a file.
pub(crate) fn read_in(
    octets: &[u8],
    arrival: &Arrival,
    settings: &IntakeSettings,
    now: UnixTime,
) -> Incoming {
    let (mut reports, mut faults) = draft::of(octets, arrival, &settings.limits, now);
    reports.retain_mut(|report| match refusal(report, arrival, settings, octets) {
        Some(problem) => {
            faults.push(Fault { place: String::new(), offset: None, problem });
            false
        }
        None => true,
    });
    let aside = (!faults.is_empty()).then(|| aside(octets, arrival, &faults, now));
    Incoming { reports, aside, faults }
}

/// Why a report that can be read is not taken.
fn refusal(
    report: &mut NewReceived,
    arrival: &Arrival,
    settings: &IntakeSettings,
    octets: &[u8],
) -> Option<String> {
    let named = || arrival.about.clone().or_else(|| named_domain(octets));
    if let Err(told) = find_domain(report, &settings.domains, named) {
        let told = if told.is_empty() { "none" } else { &told };
        return Some(format!("expected a domain of ours, found {told}"));
    }
    let is_proved = report.grade == Grade::Authenticated.as_str();
    let is_required = settings.require_author == RequireAuthor::Yes && arrival.way != Way::File;
    (is_required && !is_proved)
        .then(|| format!("expected an author who is proved, found one who is {}", report.grade))
}

/// Finds the domain that a report is about. What the report says counts most (RFC 8460 §5.6). But
/// policies of DANE are those of mail hosts (§4.4), which may serve many domains, and be somebody
/// else's: a report that names no other leaves it to the mail around it (§5.3), or to the place that
/// it was posted to. `named` is whom these say it is about.
///
/// # Errors
/// What the report says, if there is nothing of `ours`.
fn find_domain(
    report: &mut NewReceived,
    ours: &[DomainName],
    named: impl FnOnce() -> Option<DomainName>,
) -> Result<(), String> {
    let is_ours = |domain: &DomainName| ours.iter().any(|one| is_within(domain, one));
    let is_taken =
        |name: &str| ours.is_empty() || DomainName::parse(name).is_ok_and(|d| is_ours(&d));
    let texts = report.texts.all();
    let text = |number: TextNumber| texts.get(number.index()).map_or("", |text| text);
    let is_of_host = |policy: &NewPolicy| text(policy.policy).starts_with(TLSA_POLICY);
    let is_tls = report.kind == ReceivedKind::Tls;
    let names_hosts_only = is_tls && report.policies.iter().all(is_of_host);
    let told = text(report.domain).to_owned();
    let mut domains =
        [report.domain].into_iter().chain(report.policies.iter().map(|policy| policy.domain));
    let said = domains.find(|domain| is_taken(text(*domain)));
    if let Some(domain) = said.filter(|_| !names_hosts_only) {
        report.domain = domain;
        return Ok(());
    }
    let named = is_tls.then(named).flatten().filter(|name| is_taken(name.as_str()));
    report.domain = match (named, said) {
        (Some(name), _) => report.texts.number(name.as_str()),
        (None, Some(domain)) => domain,
        (None, None) => return Err(told),
    };
    Ok(())
}

/// Whom a mail with a report about TLS says it is about.
fn named_domain(octets: &[u8]) -> Option<DomainName> {
    let start = octets.get(..octets.len().min(MAX_HEADER))?;
    let parser = MessageParser::new().with_minimal_headers().header_raw(FIELD);
    let message = parser.parse_headers(start)?;
    let named = match message.header(FIELD) {
        Some(HeaderValue::Text(name)) => DomainName::parse(name.trim()).ok(),
        _ => None,
    };
    named.or_else(|| Some(tlsrpt::Subject::parse(message.subject()?)?.domain))
}

fn aside(octets: &[u8], arrival: &Arrival, faults: &[Fault], now: UnixTime) -> NewAside {
    let problems = faults.iter().take(MAX_PROBLEMS).map(|fault| draft::plain(&fault.to_string()));
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    // Into memory, so it cannot fail.
    let packed = packed.write_all(octets).and_then(|()| packed.finish()).unwrap_or_default();
    NewAside {
        received: now,
        way: arrival.way.as_str(),
        name: draft::plain(&arrival.name),
        problems: problems.collect::<Vec<_>>().join("\n"),
        digest: draft::digest(octets),
        size: u64::try_from(octets.len()).unwrap_or(u64::MAX),
        packed,
    }
}
