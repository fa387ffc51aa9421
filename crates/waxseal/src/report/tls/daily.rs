//! When a day is over: which domains get a TLS report, where it goes, and putting it into the
//! outbox.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{StreamExt, stream};
use smtp_types::{Known, UnixTime};
use tlsrpt::{Day, NoReport, Record, Summary, Traffic, decide};

use super::super::return_path::new_token;
use super::super::{
    ASK_AGAIN, CONTACT, MARGIN, ReportCount, Reporter, may_wait, outbox, random, schedule,
};
use super::TlsReporting;
use super::destination::{Place, Wish, places, wish};
use super::ledger::Ledger;
use super::letter::{Work, report_id, submitter};
use crate::store::{NewLetter, OpenTlsDay, StoreError};

/// How many domains are read at once, and how many are looked up side by side.
const BATCH: u32 = 1_000;
const SIMULTANEOUS: usize = 32;

/// What a day of a domain came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// A report was made.
    Reported,
    /// There was nothing to tell, or it must not be told.
    No(NoReport),
    /// The domain does not want reports.
    NotWanted,
    /// The DNS did not say in time whether it does.
    DnsFailed,
    /// There is no place that can be reached.
    NoPlace,
    /// There is no key to sign with.
    Unsigned,
    /// It could not be made.
    NotMade,
}

impl Outcome {
    /// The word in the store.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::No(why) => why.code(),
            Self::NotWanted => "not-wanted",
            Self::DnsFailed => "dns-failed",
            Self::NoPlace => "no-place",
            Self::Unsigned => "unsigned",
            Self::NotMade => "not-made",
        }
    }
}

/// What is decided about a day.
enum Verdict {
    Close(Outcome),
    Send(Vec<NewLetter>),
    /// Look at it again in an hour; if it is too late for that, it comes to this.
    Wait(Outcome),
}

/// The ledgers of the days that one round is about.
type Ledgers = tokio::sync::Mutex<HashMap<u32, Arc<Mutex<Ledger>>>>;

impl Reporter {
    /// Makes all TLS reports of days that are over at `now`. Returns how many.
    pub(in crate::report) async fn make_tls_due(&self, now: UnixTime) -> Result<usize, StoreError> {
        let Some(settings) = self.settings.tls else { return Ok(0) };
        let today = Day::of(UnixTime(now.0.saturating_sub(MARGIN))).number();
        let Some(last) = today.checked_sub(1) else { return Ok(0) };
        let ledgers = Ledgers::default();
        let mut made = 0;
        loop {
            let days = self.store.open_tls_days(last, now, 2 * ASK_AGAIN, BATCH).await?;
            if days.is_empty() {
                return Ok(made);
            }
            let mut closed = stream::iter(days)
                .map(|open| self.finish_tls_day(open, settings, &ledgers, now))
                .buffer_unordered(SIMULTANEOUS);
            while let Some(outcome) = closed.next().await {
                made += usize::from(outcome? == Some(Outcome::Reported));
            }
        }
    }

    /// Closes or postpones a day of one domain; `None` if it stays open.
    async fn finish_tls_day(
        &self,
        open: OpenTlsDay,
        settings: TlsReporting,
        ledgers: &Ledgers,
        now: UnixTime,
    ) -> Result<Option<Outcome>, StoreError> {
        let ledger = self.ledger(open.day, settings, ledgers).await?;
        let (outcome, letters) = match self.verdict(&open, settings, &ledger, now).await? {
            Verdict::Send(letters) => (Outcome::Reported, letters),
            Verdict::Wait(_) if may_wait(open.day, now) => {
                self.tls_counters.add(ReportCount::Postponed, 1);
                let next_look = UnixTime(now.0.saturating_add(ASK_AGAIN));
                self.store.postpone_tls_day(open.day, open.domain, next_look).await?;
                return Ok(None);
            }
            Verdict::Close(outcome) | Verdict::Wait(outcome) => (outcome, Vec::new()),
        };
        let suppressed = letters.iter().filter(|letter| letter.first_try.is_none()).count();
        let (day, domain) = (open.day, open.domain.clone());
        if !self.store.close_tls_day(open, outcome.as_str(), letters).await? {
            // Another process was faster, or something was added: as if we had not looked at it.
            // What the ledger has counted is in nobody's outbox.
            ledgers.lock().await.remove(&day);
            return Ok(None);
        }
        let count = match outcome {
            Outcome::Reported => ReportCount::Made,
            _ => ReportCount::NotMade,
        };
        self.tls_counters.add(count, 1);
        self.tls_counters.add(ReportCount::Suppressed, u64::try_from(suppressed).unwrap_or(0));
        tracing::debug!(%domain, "TLS reports: {}", outcome.as_str());
        Ok(Some(outcome))
    }

    async fn ledger(
        &self,
        day: u32,
        settings: TlsReporting,
        ledgers: &Ledgers,
    ) -> Result<Arc<Mutex<Ledger>>, StoreError> {
        let mut ledgers = ledgers.lock().await;
        if let Some(ledger) = ledgers.get(&day) {
            return Ok(Arc::clone(ledger));
        }
        let number = Day::since_epoch(day);
        let (begin, end) = (number.begin(), number.end());
        let letters = self.store.letters_of_day(outbox::TLS_REPORT, day, begin, end).await?;
        let ledger = Arc::new(Mutex::new(Ledger::new(number, settings.per_host, letters)));
        ledgers.insert(day, Arc::clone(&ledger));
        Ok(ledger)
    }

    async fn verdict(
        &self,
        open: &OpenTlsDay,
        settings: TlsReporting,
        ledger: &Mutex<Ledger>,
        now: UnixTime,
    ) -> Result<Verdict, StoreError> {
        let mail = self.store.mail_of(open.day, open.domain.clone()).await?;
        let begin = Day::since_epoch(open.day).begin();
        let is_known = mail.last_good.is_some_and(|good| begin.since(good) <= CONTACT);
        let traffic = Traffic {
            sessions: Summary { successes: open.sessions, failures: 0 },
            report_mails: locked(ledger).mails_to(&open.domain),
            accepted: u64::from(is_known),
            refused: mail.spam,
        };
        if let Err(why) = decide(&traffic) {
            return Ok(Verdict::Close(Outcome::No(why)));
        }
        let record = match self.wish(open, now).await {
            Wish::Reports(record) => record,
            Wish::Nothing => return Ok(Verdict::Close(Outcome::NotWanted)),
            Wish::Unknown => return Ok(Verdict::Wait(Outcome::DnsFailed)),
        };
        let places = places(&record, settings.https);
        if places.is_empty() {
            return Ok(Verdict::Close(Outcome::NoPlace));
        }
        let signer = self.signer(self.settings.author.from.domain());
        let by_mail = |place: &Place| matches!(place, Place::Mail(_));
        let places: Vec<Place> =
            places.into_iter().filter(|place| signer.is_some() || !by_mail(place)).collect();
        if places.is_empty() {
            return Ok(Verdict::Wait(Outcome::Unsigned));
        }
        self.tls_letters(open, places, ledger, now).await
    }

    /// Who wants reports now. If the DNS does not say, it is asked again for a day; then the record
    /// counts that the mail server has seen.
    async fn wish(&self, open: &OpenTlsDay, now: UnixTime) -> Wish {
        let mut known = Known::default();
        let found = self.observer.evaluate(&mut known, |known| wish(known, &open.domain)).await;
        match found.unwrap_or(Wish::Unknown) {
            Wish::Unknown if !may_wait(open.day, now) => {
                let seen = open.record.as_ref().map(|seen| Record::parse(seen.text.as_bytes()));
                match seen {
                    Some(Ok(record)) => Wish::Reports(record),
                    Some(Err(_)) => Wish::Nothing,
                    None => Wish::Unknown,
                }
            }
            found => found,
        }
    }

    /// One letter for each place that may get one. To those that refuse reports it is not sent; that
    /// is noted.
    async fn tls_letters(
        &self,
        open: &OpenTlsDay,
        places: Vec<Place>,
        ledger: &Mutex<Ledger>,
        now: UnixTime,
    ) -> Result<Verdict, StoreError> {
        let node = self.node().await?;
        let author = self.settings.author.clone();
        let submitter = submitter(&author).domain().clone();
        let id = |number| report_id(open.day, &open.domain, &node, &submitter, number);
        let Some(name) = id(0) else { return Ok(self.not_made(open, "its id would be too long")) };
        let (mut letters, mut to, mut held_back) = (Vec::new(), Vec::new(), None);
        for place in places {
            let suppressed = self.store.suppressed_until(place.recipient(), now).await?;
            let first_try = match suppressed {
                Some(_) => None,
                None => match locked(ledger).admit(place.host(), &open.domain) {
                    Ok(()) => Some(schedule::first_try(now, random())),
                    Err(why) => {
                        held_back = Some(why);
                        continue;
                    }
                },
            };
            let (Some(message_id), Some(token)) = (id(letters.len()), new_token()) else {
                return Ok(self.not_made(open, "no random numbers"));
            };
            letters.push(NewLetter {
                kind: outbox::TLS_REPORT,
                report_id: name.to_string(),
                domain: open.domain.to_string(),
                day: Some(open.day),
                recipient: place.recipient(),
                host: place.host().to_string(),
                token,
                created: now,
                first_try,
                message: Vec::new(),
            });
            to.push((place, message_id));
        }
        if let (true, Some(why)) = (letters.is_empty(), held_back) {
            tracing::warn!(domain = %open.domain, "TLS reports: none was made: {why}");
            return Ok(Verdict::Close(Outcome::No(why)));
        }
        let rows = self.store.tls_rows_of(open.day, open.domain.clone()).await?;
        let signer = self.signer(author.from.domain());
        let (day, domain) = (open.day, open.domain.clone());
        let work =
            Work { author, day, domain, rows, report_id: name, node, places: to, signer, now };
        let crypto = Arc::clone(&self.crypto);
        match tokio::task::spawn_blocking(move || work.octets(&crypto)).await {
            Ok(Ok(octets)) => {
                letters.iter_mut().zip(octets).for_each(|(letter, octets)| letter.message = octets);
                Ok(Verdict::Send(letters))
            }
            Ok(Err(error)) => Ok(self.not_made(open, &error)),
            Err(_) => Ok(self.not_made(open, "the program is ending, or has a defect")),
        }
    }

    fn not_made(&self, open: &OpenTlsDay, error: &str) -> Verdict {
        tracing::error!(domain = %open.domain, "TLS reports: no report was made: {error}");
        Verdict::Wait(Outcome::NotMade)
    }
}

fn locked(ledger: &Mutex<Ledger>) -> std::sync::MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}
