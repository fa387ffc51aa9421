//! Failure reports (RFC 9991): what is told of a single message, at once, to those who ask for it.
//!
//! They exist only with a [`Permit`], which the BSI profile never
//! grants. What a message leaves in memory is what redaction keeps, and no body; few wait at a time;
//! and how many are sent is limited by address, by minute and by day. A domain that has never sent
//! anything good gets none, and neither does anybody about reports, bounces or spam.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sender_auth::Header;
use sender_auth::dkim::SignOptions;
use sender_auth::dmarc::{Psd, Record, ReportKind, verify_report_addresses};
use sender_auth::report::{
    Admission, Budget, Day, DeliveryResult, Disposition, FailureReport, Incident, Incidents,
    Letter, Observation, Permit, Publisher, RedactionKey, ReportId, Row, SpfRecord, Trigger,
    Unwanted, wants_failure_report,
};
use sender_auth::spf::Event;
use smtp_types::{DnsName, DomainName, EmailAddress, Known, UnixTime};
use tokio::sync::watch;

use super::super::message::sign;
use super::super::return_path::new_token;
use super::super::{CONTACT, ReportCount, Reporter, goes_on};
use super::judged::{Judged, Seen, address};
use super::letter::user_agent;
use crate::sender::Clock;
use crate::store::{NewLetter, StoreError};

/// How many failures wait to be told. There are enough of them, so what does not fit is left out.
const WAITING: usize = 64;

/// How often it is looked for failures to be told.
const TELL: Duration = Duration::from_secs(1);

/// The fields that redaction keeps something of.
const FIELDS: [&str; 4] = ["From", "Date", "Message-ID", "DKIM-Signature"];

/// The kind of letter.
const KIND: &str = "dmarc-failure";

/// Failures that may be told.
pub(super) struct Failures {
    waiting: Mutex<VecDeque<Failure>>,
    incidents: Mutex<Incidents>,
}

impl Default for Failures {
    fn default() -> Self {
        Self { waiting: Mutex::default(), incidents: Mutex::new(Incidents::new(Budget::default())) }
    }
}

/// One message that failed.
struct Failure {
    at: UnixTime,
    domain: DomainName,
    record: Record,
    row: Row,
    mail_from: Option<EmailAddress>,
    spf_records: Vec<(DnsName, Box<str>)>,
    header: Header,
}

impl Failures {
    /// Remembers a message if the owner of its domain wants to know of it.
    pub(super) fn consider(&self, judged: &Judged<'_>, seen: &Seen<'_>) {
        let Observation { policy, row, trigger, .. } = &seen.observation;
        let is_told = matches!(trigger, Trigger::Counts | Trigger::Optional(Unwanted::Stranger));
        let publisher = match seen.policy.record.psd() {
            Psd::Yes => Publisher::PublicSuffix,
            Psd::No | Psd::Unknown => Publisher::Organization,
        };
        let is_asked = seen.policy.record.ruf().iter().any(|uri| uri.address().is_some());
        if !is_told || !is_asked || !wants_failure_report(policy, publisher, row) {
            return;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= WAITING {
            return;
        }
        let fields = FIELDS.iter().flat_map(|name| judged.header.named(name));
        waiting.push_back(Failure {
            at: judged.at,
            domain: policy.domain.clone(),
            record: seen.policy.record.clone(),
            row: row.clone(),
            mail_from: address(judged.mail_from),
            spf_records: spf_records(judged),
            header: fields.cloned().collect(),
        });
    }

    fn next(&self) -> Option<Failure> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    fn admit(&self, row: &Row, to: &EmailAddress, now: UnixTime) -> Admission {
        let mut incidents = self.incidents.lock().unwrap_or_else(PoisonError::into_inner);
        incidents.admit(Incident::of(row), to, now)
    }
}

/// The records that SPF has read, as its trace tells.
fn spf_records(judged: &Judged<'_>) -> Vec<(DnsName, Box<str>)> {
    let Some(spf) = &judged.authentication.spf else { return Vec::new() };
    let mut records = Vec::new();
    let mut current = None;
    for step in spf.mail_from.trace.steps() {
        match &step.event {
            Event::Domain { domain } => current = Some(domain),
            Event::Record { text } => {
                records.extend(current.map(|domain| (domain.clone(), text.clone())));
            }
            _ => {}
        }
    }
    records
}

impl Reporter {
    /// Makes letters of failures, as long as the program runs.
    pub(in crate::report) async fn tell_failures(
        &self,
        clock: Clock,
        mut stop: watch::Receiver<bool>,
    ) {
        while goes_on(&mut stop, TELL).await {
            if let Err(error) = self.make_failures(clock.now()).await {
                self.complain(&error);
            }
        }
    }

    /// Makes letters of the failures that wait. Returns how many.
    ///
    /// # Errors
    /// If SQLite cannot read or write. What was not made by then is not made.
    pub async fn make_failures(&self, now: UnixTime) -> Result<usize, StoreError> {
        let mut made = 0;
        while let Some(failure) = self.dmarc.failures.next() {
            let Some(permit) = &self.settings.permit else { return Ok(0) };
            let good = self.store.last_good(failure.domain.clone()).await?;
            if good.is_none_or(|good| now.since(good) > CONTACT) {
                continue;
            }
            for to in self.addresses(&failure).await {
                made += usize::from(self.tell(&failure, permit, &to, now).await?);
            }
        }
        Ok(made)
    }

    /// To whom it may be told (RFC 9991 §5). What the DNS cannot say now is not waited for: the next
    /// failure comes soon enough.
    async fn addresses(&self, failure: &Failure) -> Vec<EmailAddress> {
        let mut known = Known::default();
        let checked = self.observer.evaluate(&mut known, |known| {
            verify_report_addresses(
                known,
                &failure.domain,
                failure.record.ruf(),
                ReportKind::Failure,
            )
        });
        let checked = checked.await.unwrap_or_default();
        checked.iter().flat_map(|one| one.outcome.addresses().to_vec()).collect()
    }

    async fn tell(
        &self,
        failure: &Failure,
        permit: &Permit,
        to: &EmailAddress,
        now: UnixTime,
    ) -> Result<bool, StoreError> {
        if self.store.suppressed_until(to.to_string(), now).await?.is_some() {
            self.counters.add(ReportCount::Suppressed, 1);
            return Ok(false);
        }
        let Admission::Send { incidents } = self.dmarc.failures.admit(&failure.row, to, now) else {
            self.counters.add(ReportCount::FailuresHeld, 1);
            return Ok(false);
        };
        let fresh = [new_token(), new_token()].into_iter().flatten().collect::<String>();
        let key = self.store.secret("redaction", fresh.into_bytes()).await?;
        let from = &self.settings.author.from;
        let (Ok(key), Some(token), Some(user_agent)) =
            (RedactionKey::new(&key), new_token(), user_agent())
        else {
            return Ok(false);
        };
        let Ok(id) = ReportId::parse(&format!("{token}@{}", from.domain())) else {
            return Ok(false);
        };
        let records = failure.spf_records.iter().map(|(domain, text)| SpfRecord { domain, text });
        let records: Vec<_> = records.collect();
        let message = FailureReport {
            permit,
            letter: Letter { from, to, date: now, message_id: &id },
            user_agent: &user_agent,
            authserv_id: &self.settings.authserv_id,
            policy_domain: &failure.domain,
            row: &failure.row,
            arrival: failure.at,
            mail_from: failure.mail_from.as_ref(),
            delivery: delivery(failure.row.evaluated.disposition),
            incidents,
            spf_records: &records,
            header: &failure.header,
            key: &key,
        };
        let message = message.write(&*self.crypto);
        let signer = self.signer(from.domain());
        let options = SignOptions::new(now);
        let message = match sign(message, signer.as_deref(), &self.crypto, options) {
            Ok(message) => message,
            Err(error) => {
                tracing::error!("reports: no failure report was made: {error}");
                return Ok(false);
            }
        };
        let letter = NewLetter {
            kind: KIND,
            report_id: id.to_string(),
            domain: failure.domain.to_string(),
            day: Some(Day::of(failure.at).number()),
            recipient: to.to_string(),
            host: to.domain().to_string(),
            token,
            created: now,
            first_try: Some(now),
            message,
        };
        self.store.post(letter).await?;
        self.counters.add(ReportCount::Made, 1);
        Ok(true)
    }
}

const fn delivery(disposition: Disposition) -> DeliveryResult {
    match disposition {
        Disposition::None | Disposition::Pass => DeliveryResult::Delivered,
        Disposition::Quarantine => DeliveryResult::Policy,
        Disposition::Reject => DeliveryResult::Reject,
    }
}
