//! Where all ways in meet: a mail is judged, counted, and handed over to be read and stored.
//!
//! Whoever brings a mail waits here until it lies on the disk, and may then say that it has arrived.
//! How many wait is bounded, so that a flood costs its senders time and not us memory. What cannot be
//! taken now has a [`Lack`]: it has to come again, and nothing of it was kept.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sender_auth::{HeaderLimits, Incoming, Limits, MessageReader, Part};
use smtp_types::{DomainName, EmailAddress, Known, UnixTime};
use tokio::sync::Semaphore;

use super::accept::{Accepted, Arrival, Authenticity, Grade, Intake, Way};
use super::authenticity::{Bringer, Claim, Judgment, judge};
use super::bounce::{self, Notice};
use super::counters::{IntakeCount, IntakeCounters};
use super::quota::{Bearer, Quota};
use crate::crypto::AwsLc;
use crate::observe::Observer;
use crate::report::{Reporter, is_return_path};
use crate::sender::Clock;

/// How many mails are worked on at once.
const AT_ONCE: usize = 8;

/// How many may wait for that.
const MAX_WAITING: usize = 200;

/// How long one may wait. A mail server waits 10 min behind the final dot.
const PATIENCE: Duration = Duration::from_mins(2);

/// How long keys and policies are asked for.
const LOOK_UP: Duration = Duration::from_secs(30);

/// How many octets of a body are hashed in one go.
const PIECE: usize = 64 * 1024;

const DAY: u64 = 86_400;

/// What the desk works with.
pub struct DeskParts {
    /// Reads and stores.
    pub intake: Arc<Intake>,
    /// Asks the DNS.
    pub observer: Observer,
    /// Verifies signatures.
    pub crypto: Arc<AwsLc>,
    /// Who wants to know of letters that did not arrive, if anybody.
    pub reporter: Option<Arc<Reporter>>,
    /// What time it is.
    pub clock: Clock,
}

/// What the operator has set for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeskSettings {
    /// How many mails a day one sender may bring.
    pub quota: u64,
    /// What becomes of a mail when the DNS does not say who its author is.
    pub on_unknown: OnUnknown,
    /// From whom our own reports go.
    pub reports_from: Option<EmailAddress>,
}

/// What becomes of a mail when the DNS does not say who its author is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnUnknown {
    /// It has to come again: it would be kept aside for nothing else.
    Later,
    /// It is taken, with a lower grade.
    Take,
}

/// A mail, or a document, and how it came.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The way in.
    pub way: Way,
    /// How it is called, for people.
    pub name: String,
    /// Who brought it, if that is known.
    pub bringer: Option<Bringer>,
    /// Whom it is about, if the way in says so.
    pub about: Option<DomainName>,
    /// To whom it came; may be empty.
    pub recipients: Vec<EmailAddress>,
    /// The octets as they came.
    pub octets: Vec<u8>,
}

/// Why a mail was not taken. It has to come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// Too much is waiting.
    Busy,
    /// Its sender has brought enough for today.
    Quota,
    /// The disk does not take it.
    Disk,
    /// The DNS does not say who its author is.
    Dns,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Busy => "too much is waiting",
            Self::Quota => "enough for today from this sender",
            Self::Disk => "it cannot be stored now",
            Self::Dns => "the DNS does not say who the author is",
        })
    }
}

impl std::error::Error for Lack {}

impl Lack {
    const fn count(self) -> IntakeCount {
        match self {
            Self::Busy => IntakeCount::Busy,
            Self::Quota => IntakeCount::Quota,
            Self::Disk => IntakeCount::Disk,
            Self::Dns => IntakeCount::Dns,
        }
    }
}

/// The place where mails are taken in.
pub struct Desk {
    parts: DeskParts,
    settings: DeskSettings,
    counters: Arc<IntakeCounters>,
    quota: Mutex<Quota>,
    places: Semaphore,
    waiting: AtomicUsize,
}

impl Desk {
    /// An empty desk.
    #[must_use]
    pub fn new(parts: DeskParts, settings: DeskSettings) -> Self {
        let quota = Mutex::new(Quota::new(settings.quota));
        Self {
            parts,
            settings,
            counters: Arc::default(),
            quota,
            places: Semaphore::new(AT_ONCE),
            waiting: AtomicUsize::new(0),
        }
    }

    /// What was counted.
    #[must_use]
    pub fn counters(&self) -> &Arc<IntakeCounters> {
        &self.counters
    }

    /// The clock that the mails are judged by.
    #[must_use]
    pub const fn clock(&self) -> Clock {
        self.parts.clock
    }

    /// Takes in a mail. When it returns, the mail is on the disk, whatever is in it.
    ///
    /// # Errors
    /// A [`Lack`]: nothing was kept, and it has to come again.
    pub async fn take(&self, delivery: Delivery) -> Result<(), Lack> {
        let way = delivery.way.as_str();
        let taken = self.take_in_turn(delivery).await;
        if let Err(lack) = taken {
            self.counters.add(lack.count(), 1);
            tracing::warn!(way, "intake: told to come again: {lack}");
        }
        taken
    }

    async fn take_in_turn(&self, delivery: Delivery) -> Result<(), Lack> {
        let _waiting = Waiting::begin(&self.waiting).ok_or(Lack::Busy)?;
        let place = tokio::time::timeout(PATIENCE, self.places.acquire()).await;
        let Ok(Ok(_place)) = place else { return Err(Lack::Busy) };
        let now = self.parts.clock.now();
        if self.is_bounce(&delivery, now).await? {
            return Ok(());
        }
        let (authenticity, bearer) = match delivery.way {
            Way::Https => (Self::of_token(), Bearer::Claimed(None)),
            _ => self.judge(&delivery, now).await?,
        };
        self.count_grade(&authenticity);
        if !self.quota().take(&bearer, now.0 / DAY) {
            return Err(Lack::Quota);
        }
        let Delivery { way, name, about, octets, .. } = delivery;
        let arrival = Arrival { way, name, about, authenticity };
        match self.parts.intake.accept(octets, arrival, now).await {
            Ok(accepted) => {
                self.count(&accepted);
                Ok(())
            }
            Err(error) => {
                self.quota().give_back(&bearer);
                tracing::error!(%error, "intake: cannot store what has come");
                Err(Lack::Disk)
            }
        }
    }

    /// Whether the mail is a notice about a letter of ours. Then its address gets no others.
    async fn is_bounce(&self, delivery: &Delivery, now: UnixTime) -> Result<bool, Lack> {
        let (Some(reporter), Some(from)) = (&self.parts.reporter, &self.settings.reports_from)
        else {
            return Ok(false);
        };
        let ours: Vec<_> =
            delivery.recipients.iter().filter(|one| is_return_path(from, one)).collect();
        let notice = if ours.is_empty() { None } else { bounce::read(&delivery.octets) };
        let Some(notice) = notice else { return Ok(false) };
        if let Notice::Failed { reason } = &notice {
            for recipient in ours {
                if let Err(error) = reporter.bounced(recipient, reason, now).await {
                    tracing::error!(%error, "intake: cannot store that a letter came back");
                    return Err(Lack::Disk);
                }
            }
        }
        self.counters.add(IntakeCount::Bounce, 1);
        Ok(true)
    }

    /// Who the author is.
    async fn judge(
        &self,
        delivery: &Delivery,
        now: UnixTime,
    ) -> Result<(Authenticity, Bearer), Lack> {
        let Some(judgment) = self.judgment(delivery, now).await else {
            let unknown = Grade::Unauthenticated;
            let authenticity = Authenticity { tls: unknown, dmarc: unknown, submitter: None };
            return match self.settings.on_unknown {
                OnUnknown::Later => Err(Lack::Dns),
                OnUnknown::Take => Ok((authenticity, Bearer::Claimed(None))),
            };
        };
        let authenticity = judgment.authenticity();
        tracing::debug!(way = delivery.way.as_str(), name = %delivery.name, "intake: {judgment}");
        let bearer = match &authenticity.submitter {
            Some(domain) => Bearer::Proved(domain.clone()),
            None if judgment.is_temporary() && self.settings.on_unknown == OnUnknown::Later => {
                return Err(Lack::Dns);
            }
            None => Bearer::Claimed(judgment.author.clone()),
        };
        Ok((authenticity, bearer))
    }

    /// `None` if nothing was found out: the look-ups took too long, or were too many.
    async fn judgment(&self, delivery: &Delivery, now: UnixTime) -> Option<Judgment> {
        let (claim, incoming) = read(&delivery.octets, &self.parts.crypto)?;
        let bringer = delivery.bringer.as_ref();
        let crypto = &*self.parts.crypto;
        let mut known = Known::default();
        let evaluated = self
            .parts
            .observer
            .evaluate(&mut known, |known| judge(&incoming, &claim, bringer, known, crypto, now));
        match tokio::time::timeout(LOOK_UP, evaluated).await {
            Ok(Ok(judgment)) => Some(judgment),
            Ok(Err(error)) => {
                tracing::warn!(name = %delivery.name, %error, "intake: author not verified");
                None
            }
            Err(_) => {
                let limit = LOOK_UP.as_secs();
                tracing::warn!(name = %delivery.name, "intake: author not verified in {limit} s");
                None
            }
        }
    }

    /// Whoever knows the secret path has read it in our DNS, as anybody can.
    const fn of_token() -> Authenticity {
        let unknown = Grade::Unauthenticated;
        Authenticity { tls: unknown, dmarc: unknown, submitter: None }
    }

    fn count_grade(&self, authenticity: &Authenticity) {
        let grades = [authenticity.tls, authenticity.dmarc];
        let count = match () {
            () if grades.contains(&Grade::Authenticated) => IntakeCount::Authenticated,
            () if grades.contains(&Grade::Failed) => IntakeCount::Failed,
            () => IntakeCount::Unauthenticated,
        };
        self.counters.add(count, 1);
    }

    fn count(&self, accepted: &Accepted) {
        self.counters.add(IntakeCount::Stored, 1);
        let reports = u64::try_from(accepted.reports.len()).unwrap_or(u64::MAX);
        self.counters.add(IntakeCount::Report, reports);
        if !accepted.faults.is_empty() {
            self.counters.add(IntakeCount::Aside, 1);
        }
    }

    fn quota(&self) -> MutexGuard<'_, Quota> {
        self.quota.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who waits.
struct Waiting<'d>(&'d AtomicUsize);

impl<'d> Waiting<'d> {
    fn begin(waiting: &'d AtomicUsize) -> Option<Self> {
        let room = |now: usize| (now < AT_ONCE + MAX_WAITING).then_some(now + 1);
        waiting.try_update(Relaxed, Relaxed, room).ok().map(|_| Self(waiting))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// Header and body, ready to be judged. `None` for a header beyond all bounds.
fn read(octets: &[u8], crypto: &AwsLc) -> Option<(Claim, sender_auth::Received)> {
    let mut reader = MessageReader::new(HeaderLimits::default());
    let mut begun = None;
    let mut add = |parts: Vec<Part>| {
        for part in parts {
            match (part, &mut begun) {
                (Part::Header(header), _) => {
                    let incoming = Incoming::new(&header, crypto, &Limits::default());
                    begun = Some((Claim::read(&header), incoming));
                }
                (Part::Body(octets), Some((_, incoming))) => incoming.push(&octets),
                (Part::Body(_), None) => {}
            }
        }
    };
    for piece in octets.chunks(PIECE) {
        add(reader.push(piece).ok()?);
    }
    add(reader.finish().ok()?);
    let (claim, incoming) = begun?;
    Some((claim, incoming.finish()))
}

/// The domain that a report by HTTPS is about, for people.
#[must_use]
pub(super) fn name_of_post(domain: &DomainName) -> String {
    format!("POST for {domain}")
}
