//! The outbox: letters go out, by mail or by https, and what comes back is remembered.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use smtp_types::{EmailAddress, UnixTime};

use super::counters::ReportCounters;
use super::post::{is_https, post};
use super::return_path::{printable, token_of, with_token};
use super::schedule::{LONGEST_WAIT, next_try_after, suppress};
use super::submit::{NotTaken, PATIENCE, Submission, submit};
use super::{ReportCount, Reporter, TlsHttps};
use crate::store::{Carrier, Claimed, EndState, Sent, Settlement, StoreError};

/// The kind of letter that is a TLS report.
pub(super) const TLS_REPORT: &str = "tls-rpt";

/// How many times a refusal is doubted.
const DOUBTS: u32 = 3;

/// How many letters are under way at the same time, and how many of them to one host.
const SIMULTANEOUS: usize = 8;
const SIMULTANEOUS_HTTPS: usize = 32;
const PER_HOST: usize = 2;

/// What a message to one of our return paths means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bounce {
    /// It is about a letter to this address, which gets no others until then.
    Suppressed {
        /// The address.
        address: String,
        /// Until when.
        until: UnixTime,
    },
    /// It is about no letter that we know.
    Unknown,
}

impl Reporter {
    /// Tries all letters that are due at `now`. Returns how many were taken, by the mail server or by
    /// whoever wants them by https.
    ///
    /// A letter counts as tried before it is sent. If the program dies in between, it is tried
    /// again later: it may arrive twice, with the same octets and the same ids, and never not at
    /// all.
    ///
    /// # Errors
    /// If SQLite cannot read or write.
    pub async fn deliver_due(&self, now: UnixTime) -> Result<usize, StoreError> {
        let (mail, https) =
            tokio::join!(self.deliver_by(Carrier::Mail, now), self.deliver_by(Carrier::Https, now));
        Ok(mail? + https?)
    }

    /// The same for the letters of one carrier.
    pub(super) async fn deliver_by(
        &self,
        carrier: Carrier,
        now: UnixTime,
    ) -> Result<usize, StoreError> {
        let simultaneous = match carrier {
            Carrier::Mail => SIMULTANEOUS,
            Carrier::Https => SIMULTANEOUS_HTTPS,
        };
        let mut delivered = 0;
        loop {
            let claimed = self
                .store
                .claim_letters(carrier, now, simultaneous, PER_HOST, LONGEST_WAIT)
                .await?;
            if claimed.is_empty() {
                let size = self.store.outbox_size(now).await?;
                self.counters.set_size(size.waiting, size.suppressed_addresses);
                return Ok(delivered);
            }
            let mut tried = stream::iter(claimed)
                .map(|letter| self.deliver(letter, now))
                .buffer_unordered(simultaneous);
            while let Some(settled) = tried.next().await {
                delivered += usize::from(settled? == Settlement::Delivered);
            }
        }
    }

    async fn deliver(&self, letter: Claimed, now: UnixTime) -> Result<Settlement, StoreError> {
        let taken = match is_https(&letter.recipient) {
            true => {
                let https = self.settings.tls.map_or(TlsHttps::Verified, |tls| tls.https);
                let body = letter.message.clone();
                post(&self.observer.fetcher, &letter.recipient, body, https).await
            }
            false => self.mail(&letter).await,
        };
        let settlement = self.judge(&letter, taken.as_ref().err(), now);
        self.store.settle_letter(letter.id, settlement.clone(), now).await?;
        if let Err(NotTaken::Recipient(reason)) = taken {
            self.store.suppress(letter.recipient, reason, now, suppress).await?;
        }
        Ok(settlement)
    }

    /// Hands a letter to the mail server.
    async fn mail(&self, letter: &Claimed) -> Result<(), NotTaken> {
        let from = &self.settings.author.from;
        let return_path = with_token(from, &letter.token).unwrap_or_else(|| from.clone());
        let taken = match EmailAddress::parse(&letter.recipient) {
            Ok(recipient) => {
                let submission = Submission {
                    server: self.settings.submit,
                    hello: from.domain(),
                    return_path: &return_path,
                    recipient: &recipient,
                    message: &letter.message,
                    patience: PATIENCE,
                };
                submit(submission).await
            }
            Err(error) => Err(NotTaken::Letter(error.to_string())),
        };
        match &taken {
            Ok(()) => self.mail_server.clear("reports: the mail server takes them again"),
            Err(NotTaken::Server(error)) => {
                self.mail_server.raise(&format!("reports: the mail server takes none: {error}"));
            }
            Err(_) => {}
        }
        taken
    }

    /// What follows from a try.
    fn judge(&self, letter: &Claimed, why: Option<&NotTaken>, now: UnixTime) -> Settlement {
        let Claimed { kind, recipient, tries, first_try, .. } = letter;
        let counters = self.counters_of(kind);
        let again = |pause| next_try_after(now, *first_try, *tries, random(), pause);
        let (next_try, state, error) = match why {
            None => {
                counters.add(ReportCount::Delivered, 1);
                return Settlement::Delivered;
            }
            Some(NotTaken::Server(error) | NotTaken::Later(error)) => {
                (again(Duration::ZERO), EndState::Expired, error)
            }
            Some(NotTaken::After { error, pause }) => (again(*pause), EndState::Expired, error),
            Some(NotTaken::Doubtful(error)) => {
                let next = again(Duration::ZERO).filter(|_| *tries < DOUBTS);
                (next, EndState::Failed, error)
            }
            Some(NotTaken::Letter(error) | NotTaken::Recipient(error)) => {
                (None, EndState::Failed, error)
            }
        };
        let error = error.clone();
        if let Some(next_try) = next_try {
            counters.add(ReportCount::Deferred, 1);
            tracing::debug!(%recipient, "reports: tried again later: {error}");
            return Settlement::Retry { next_try, error };
        }
        let count = match state {
            EndState::Expired => ReportCount::Expired,
            EndState::Failed | EndState::Suppressed => ReportCount::Failed,
        };
        counters.add(count, 1);
        tracing::warn!(%recipient, "reports: {}: {error}", state.as_str());
        Settlement::Ended { state, error }
    }

    fn counters_of(&self, kind: &str) -> &ReportCounters {
        if kind == TLS_REPORT { &self.tls_counters } else { &self.counters }
    }

    /// Tells the reporter that a message says that a letter did not arrive: `recipient` is the
    /// address to which it came, `reason` what it says. For messages that report a failure for good,
    /// not for those that report a delay.
    ///
    /// # Errors
    /// If SQLite cannot read or write.
    pub async fn bounced(
        &self,
        recipient: &EmailAddress,
        reason: &str,
        now: UnixTime,
    ) -> Result<Bounce, StoreError> {
        let Some(token) = token_of(&self.settings.author.from, recipient) else {
            return Ok(Bounce::Unknown);
        };
        let Some(Sent { id, kind, recipient: address }) = self.store.sent_as(token).await? else {
            return Ok(Bounce::Unknown);
        };
        self.counters_of(&kind).add(ReportCount::Bounced, 1);
        let error = format!("bounced: {}", printable(reason));
        let settlement = Settlement::Ended { state: EndState::Failed, error: error.clone() };
        self.store.settle_letter(id, settlement, now).await?;
        let until = self.store.suppress(address.clone(), error, now, suppress).await?;
        tracing::info!(%address, "reports: bounced, none until {until}");
        Ok(Bounce::Suppressed { address, until })
    }
}

/// For spreading only: without randomness nothing is spread.
fn random() -> u8 {
    let mut octet = [0];
    let _ = getrandom::fill(&mut octet);
    octet[0]
}
