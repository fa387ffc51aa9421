//! When a day is over: which domains get a report, where it goes, and putting it into the outbox.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use sender_auth::dmarc::{
    CheckedReportAddress, Record, ReportAddress, ReportKind, StepFailure, verify_report_addresses,
    walk,
};
use sender_auth::report::Day;
use smtp_types::{EmailAddress, Known, Need, UnixTime};

use super::super::return_path::new_token;
use super::super::{ASK_AGAIN, CONTACT, MARGIN, ReportCount, Reporter, may_wait, random, schedule};
use super::letter::{Addressee, Work, report_id};
use crate::observe::Observer;
use crate::store::{NewLetter, OpenDay, StoreError};

/// How many domains are read at once, and how many are looked up side by side.
const BATCH: u32 = 200;
const SIMULTANEOUS: usize = 8;

/// The kind of letter.
const KIND: &str = "dmarc-aggregate";

/// What a day of a domain came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// A report was made.
    Reported,
    /// Nothing that came is a reason for a report.
    NoReason,
    /// The domain does not want reports any more.
    NotWanted,
    /// There is no address to which it may go.
    NoAddress,
    /// The DNS did not say in time where it may go.
    DnsFailed,
    /// It could not be made.
    NotMade,
}

impl Outcome {
    /// The word in the store.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::NoReason => "no-reason",
            Self::NotWanted => "not-wanted",
            Self::NoAddress => "no-address",
            Self::DnsFailed => "dns-failed",
            Self::NotMade => "not-made",
        }
    }
}

/// Where a report goes.
enum Destination {
    Addresses(Vec<EmailAddress>),
    Nowhere(Outcome),
    /// Nobody knows yet.
    Wait,
}

impl Reporter {
    /// Makes all reports of days that are over at `now`. Returns how many.
    pub(in crate::report) async fn make_dmarc_due(
        &self,
        now: UnixTime,
    ) -> Result<usize, StoreError> {
        let today = Day::of(UnixTime(now.0.saturating_sub(MARGIN))).number();
        let Some(last) = today.checked_sub(1) else { return Ok(0) };
        let mut made = 0;
        loop {
            let days = self.store.open_days(last, now, 2 * ASK_AGAIN, BATCH).await?;
            if days.is_empty() {
                return Ok(made);
            }
            let mut closed = stream::iter(days)
                .map(|open| self.finish_day(open, now))
                .buffer_unordered(SIMULTANEOUS);
            while let Some(outcome) = closed.next().await {
                made += usize::from(outcome? == Some(Outcome::Reported));
            }
        }
    }

    /// Closes or postpones a day of one domain; `None` if it stays open.
    async fn finish_day(
        &self,
        open: OpenDay,
        now: UnixTime,
    ) -> Result<Option<Outcome>, StoreError> {
        if !is_due(&open) {
            return self.close(&open, Outcome::NoReason, Vec::new()).await;
        }
        let addresses = match destination(&self.observer, &open, now).await {
            Destination::Addresses(addresses) => addresses,
            Destination::Nowhere(outcome) => {
                return self.close(&open, outcome, Vec::new()).await;
            }
            Destination::Wait => return self.postpone(&open, now).await.map(|()| None),
        };
        match self.letters(&open, addresses, now).await? {
            Ok(letters) => self.close(&open, Outcome::Reported, letters).await,
            Err(error) => {
                tracing::error!(domain = %open.domain, "reports: no report was made: {error}");
                match may_wait(open.day, now) {
                    true => self.postpone(&open, now).await.map(|()| None),
                    false => self.close(&open, Outcome::NotMade, Vec::new()).await,
                }
            }
        }
    }

    async fn postpone(&self, open: &OpenDay, now: UnixTime) -> Result<(), StoreError> {
        self.counters.add(ReportCount::Postponed, 1);
        let next_look = UnixTime(now.0.saturating_add(ASK_AGAIN));
        self.store.postpone(open.day, open.domain.clone(), next_look).await
    }

    /// `None` if it is not as it was read: another process was faster, or something was added. Then
    /// it is as if we had not looked at it.
    async fn close(
        &self,
        open: &OpenDay,
        outcome: Outcome,
        letters: Vec<NewLetter>,
    ) -> Result<Option<Outcome>, StoreError> {
        let suppressed = letters.iter().filter(|letter| letter.first_try.is_none()).count();
        if !self.store.close_day(open.clone(), outcome.as_str(), letters).await? {
            return Ok(None);
        }
        let count = match outcome {
            Outcome::Reported => ReportCount::Made,
            _ => ReportCount::NotMade,
        };
        self.counters.add(count, 1);
        self.counters.add(ReportCount::Suppressed, u64::try_from(suppressed).unwrap_or(0));
        tracing::debug!(domain = %open.domain, "reports: {}", outcome.as_str());
        Ok(Some(outcome))
    }

    /// One letter for each address. To those that refuse reports it is not sent; that is noted.
    async fn letters(
        &self,
        open: &OpenDay,
        addresses: Vec<EmailAddress>,
        now: UnixTime,
    ) -> Result<Result<Vec<NewLetter>, String>, StoreError> {
        let node = self.node().await?;
        let author = self.settings.author.clone();
        let submitter = author.from.domain().clone();
        let id = |number| report_id(open, &node, &submitter, number);
        let Some(name) = id(0) else { return Ok(Err("its id would be too long".into())) };
        let (mut letters, mut addressees) = (Vec::new(), Vec::new());
        for (number, to) in addresses.into_iter().enumerate() {
            let (Some(message_id), Some(token)) = (id(number), new_token()) else {
                return Ok(Err("no random numbers".into()));
            };
            let suppressed = self.store.suppressed_until(to.to_string(), now).await?;
            let first_try = match suppressed {
                Some(_) => None,
                None => Some(schedule::first_try(now, random())),
            };
            letters.push(NewLetter {
                kind: KIND,
                report_id: name.to_string(),
                domain: open.domain.to_string(),
                day: Some(open.day),
                recipient: to.to_string(),
                host: to.domain().to_string(),
                token,
                created: now,
                first_try,
                message: Vec::new(),
            });
            addressees.push(Addressee { to, message_id });
        }
        let rows = self.store.rows_of(open.day, open.domain.clone()).await?;
        let signer = self.signer(author.from.domain());
        let open = open.clone();
        let work = Work { author, open, rows, report_id: name, addressees, signer, now };
        let crypto = Arc::clone(&self.crypto);
        let messages = tokio::task::spawn_blocking(move || work.messages(&crypto)).await;
        let messages = match messages {
            Ok(Ok(messages)) => messages,
            Ok(Err(error)) => return Ok(Err(error)),
            Err(_) => return Ok(Err("the program is ending, or has a defect".into())),
        };
        letters.iter_mut().zip(messages).for_each(|(letter, message)| letter.message = message);
        Ok(Ok(letters))
    }
}

/// Whether anything speaks for a report. A stranger's failing mail alone does not: anybody can send
/// it, in any name.
pub fn is_due(open: &OpenDay) -> bool {
    let day = Day::since_epoch(open.day).begin();
    let is_known = open.last_good.is_some_and(|good| day.since(good) <= CONTACT);
    open.triggers > 0 || (open.strangers > 0 && is_known)
}

/// Who wants the report, and whether it may go there (RFC 9990 §4). A record that is gone wants
/// none. If the DNS fails, the record counts that was seen with the messages; and what cannot be
/// known of an address is waited for.
async fn destination(observer: &Observer, open: &OpenDay, now: UnixTime) -> Destination {
    let mut known = Known::default();
    let evaluated = observer.evaluate(&mut known, |known| checked(known, open)).await;
    let checked = match evaluated {
        Ok(Some(checked)) => checked,
        Ok(None) => return Destination::Nowhere(Outcome::NotWanted),
        // Whoever publishes a record that nobody can look up to its end gets nothing.
        Err(_) => return Destination::Nowhere(Outcome::NoAddress),
    };
    let is_open = |one: &CheckedReportAddress| matches!(one.outcome, ReportAddress::Deferred(_));
    let is_unknown = checked.iter().any(is_open);
    if is_unknown && may_wait(open.day, now) {
        return Destination::Wait;
    }
    let mut addresses: Vec<EmailAddress> = Vec::new();
    for address in checked.iter().flat_map(|one| one.outcome.addresses()) {
        if !addresses.contains(address) {
            addresses.push(address.clone());
        }
    }
    match addresses.is_empty() {
        false => Destination::Addresses(addresses),
        true if is_unknown => Destination::Nowhere(Outcome::DnsFailed),
        true => Destination::Nowhere(Outcome::NoAddress),
    }
}

/// The addresses of the record, each checked; `None` if there is no record that wants reports.
fn checked(known: &Known, open: &OpenDay) -> Result<Option<Vec<CheckedReportAddress>>, Need> {
    let walk = walk(known, &open.domain)?;
    let record = match walk.steps().first().map(|step| &step.found) {
        Some(Ok(record)) => record.clone(),
        Some(Err(StepFailure::Dns(_))) => match Record::parse(open.record.as_bytes()) {
            Ok(record) => record,
            Err(_) => return Ok(None),
        },
        Some(Err(StepFailure::None(_) | StepFailure::NameTooLong)) | None => return Ok(None),
    };
    if record.rua().is_empty() {
        return Ok(None);
    }
    verify_report_addresses(known, &open.domain, record.rua(), ReportKind::Aggregate).map(Some)
}
