//! One connection of a mail server: reads packets, asks the judge, writes what comes out.
//!
//! Whoever is at the other end, a connection takes a bounded amount of memory (one packet, and what
//! [`MilterLimits`](super::MilterLimits) lets the session keep) and of time (see [`End`]).

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use futures_util::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, interval_at, sleep, sleep_until, timeout};

use super::counters::{MilterCounters, VerdictKind};
use super::envelope::Envelope;
use super::judge::{Judge, MessageInProgress, Verdict};
use super::packet::{self, Decoded, PacketError};
use super::reply::{self, Reply};
use super::serve::{MilterSettings, OnFault};
use super::session::{Answer, Event, Session, SessionError};
use crate::listen::Connection;

/// How much room there is to read into when nothing waits: enough for an envelope.
const SMALL_READ: usize = 4 * 1024;

/// How much room there is to read into when a packet has begun, and the most that is kept for a
/// connection between messages.
const BIG_READ: usize = 64 * 1024;

/// Why a connection came to its end.
#[derive(Debug)]
pub(super) enum End {
    /// The mail server has gone.
    Closed,
    /// Nothing came for [`MilterSettings::idle_timeout`].
    Idle,
    /// We are about to stop.
    Stopping,
    /// What came is no packet. Whoever is there is at fault.
    Packet(PacketError),
    /// The mail server did not keep to the protocol, or can do too little.
    Session(SessionError),
    /// A packet was begun and not finished within [`MilterSettings::read_timeout`].
    SlowPacket,
    /// A reply was not taken within [`MilterSettings::write_timeout`].
    SlowReader,
    /// The connection broke.
    Broken(io::Error),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => write!(f, "closed by the mail server"),
            Self::Idle => write!(f, "nothing came for too long"),
            Self::Stopping => write!(f, "the server stops"),
            Self::Packet(error) => error.fmt(f),
            Self::Session(error) => error.fmt(f),
            Self::SlowPacket => write!(f, "a packet was begun and not finished in time"),
            Self::SlowReader => write!(f, "replies were not read in time"),
            Self::Broken(error) => write!(f, "connection broken: {error}"),
        }
    }
}

/// One connection.
pub(super) struct Conversation<'s, J: Judge> {
    connection: Connection,
    settings: &'s MilterSettings,
    counters: &'s MilterCounters,
    session: Session,
    judging: Judging<'s, J>,
    input: BytesMut,
    /// When the packet that is not whole was begun.
    packet_since: Option<Instant>,
    output: Vec<u8>,
}

impl<'s, J: Judge> Conversation<'s, J> {
    pub(super) fn new(
        connection: Connection,
        judge: &'s J,
        settings: &'s MilterSettings,
        counters: &'s MilterCounters,
    ) -> Self {
        Self {
            connection,
            settings,
            counters,
            session: Session::new(settings.limits),
            judging: Judging { judge, counters, message: None },
            input: BytesMut::new(),
            packet_since: None,
            output: Vec::new(),
        }
    }

    /// Goes on until the connection ends, or until `stop` is ready and no message has begun.
    pub(super) async fn run(mut self, mut stop: Pin<&mut impl Future<Output = ()>>) -> End {
        loop {
            let taken = self.take_all().await;
            // Also what comes before a fault of the mail server gets its answers.
            let end = match (taken, self.write().await) {
                (Ok(()), Ok(())) => match self.read(stop.as_mut()).await {
                    Ok(()) => continue,
                    Err(end) => end,
                },
                (Err(end), _) | (Ok(()), Err(end)) => end,
            };
            self.judging.abort();
            return end;
        }
    }

    /// Takes every whole packet of the input.
    async fn take_all(&mut self) -> Result<(), End> {
        loop {
            let decoded = packet::decode(&self.input, self.settings.limits.packet_octets);
            let (packet, octets) = match decoded.map_err(End::Packet)? {
                Decoded::Packet { packet, octets } => (packet, octets),
                Decoded::Partial => return Ok(()),
            };
            let step = self.session.take(packet).map_err(End::Session)?;
            let is_at_end = matches!(step.event, Event::End(_));
            match step.event {
                Event::Noted => {}
                Event::Agreed(agreement) => agreement.write(&mut self.output),
                Event::Begun => {
                    self.judging.abort();
                    self.judging.begin(self.session.envelope());
                }
                Event::Header(header) => self.judging.tell(|message| {
                    message.header(self.session.envelope(), header);
                }),
                Event::Body(octets) | Event::End(octets) if octets.is_empty() => {}
                Event::Body(octets) | Event::End(octets) => {
                    self.judging.tell(|message| message.body(octets));
                }
                Event::Aborted => self.judging.abort(),
                Event::Quit => return Err(End::Closed),
            }
            if step.answer == Answer::Continue {
                Reply::Continue.write(&mut self.output);
            }
            self.input.advance(octets);
            self.packet_since = None;
            if is_at_end {
                self.write().await?;
                self.end_message().await?;
            }
        }
    }

    /// Says what becomes of the message.
    async fn end_message(&mut self) -> Result<(), End> {
        let verdict = match self.judging.message.take() {
            Some(InProgress::Sound(message)) => {
                let verdict = self.verdict(message).await;
                if verdict.is_err() {
                    self.counters.add_aborted();
                }
                verdict?
            }
            Some(InProgress::Faulty) | None => None,
        };
        let Some(verdict) = verdict else {
            self.counters.add_verdict(VerdictKind::Fault);
            let reply = match self.settings.on_fault {
                OnFault::Defer => Reply::Tempfail,
                OnFault::Accept => Reply::Accept,
            };
            reply.write(&mut self.output);
            return Ok(());
        };
        self.counters.add_verdict(VerdictKind::of(&verdict));
        match &verdict {
            Verdict::Accept { changes } => {
                reply::write_changes(changes, self.session.leading_space(), &mut self.output);
                Reply::Accept.write(&mut self.output);
            }
            Verdict::Refuse(refusal) => Reply::Refuse(refusal).write(&mut self.output),
            Verdict::Discard => Reply::Discard.write(&mut self.output),
        }
        Ok(())
    }

    /// Waits for the verdict, and keeps the mail server waiting. `None` is a fault of ours.
    async fn verdict(&mut self, message: J::Message) -> Result<Option<Verdict>, End> {
        let Self { connection, session, settings, output, .. } = self;
        let envelope = session.envelope();
        let verdict = AssertUnwindSafe(async move { message.verdict(envelope).await });
        let mut verdict = pin!(verdict.catch_unwind());
        let mut deadline = pin!(sleep(settings.verdict_timeout));
        let period = settings.progress_period;
        let mut progress = interval_at(Instant::now() + period, period);
        loop {
            tokio::select! {
                verdict = &mut verdict => {
                    if verdict.is_err() {
                        log_fault(envelope, "the verdict panicked");
                    }
                    return Ok(verdict.ok());
                }
                () = &mut deadline => {
                    log_fault(envelope, "the verdict took too long");
                    return Ok(None);
                }
                _ = progress.tick() => {
                    Reply::Progress.write(output);
                    write_in_time(connection, output, settings.write_timeout).await?;
                }
            }
        }
    }

    async fn write(&mut self) -> Result<(), End> {
        if self.output.is_empty() {
            return Ok(());
        }
        write_in_time(&mut self.connection, &mut self.output, self.settings.write_timeout).await
    }

    /// Reads once, at least one octet.
    async fn read(&mut self, stop: Pin<&mut impl Future<Output = ()>>) -> Result<(), End> {
        let Self { connection, session, settings, input, packet_since, .. } = self;
        let is_between = input.is_empty();
        let (room, deadline, too_late) = if is_between {
            if input.capacity() > BIG_READ && !session.is_in_message() {
                *input = BytesMut::new();
            }
            (SMALL_READ, Instant::now() + settings.idle_timeout, End::Idle)
        } else {
            let since = packet_since.get_or_insert_with(Instant::now);
            (BIG_READ, *since + settings.read_timeout, End::SlowPacket)
        };
        input.reserve(room);
        tokio::select! {
            // What has come before the stop is still taken.
            biased;
            read = connection.read_buf(input) => match read {
                Ok(0) => Err(End::Closed),
                Ok(_) => Ok(()),
                Err(error) => Err(End::Broken(error)),
            },
            () = stop, if is_between && !session.is_in_message() => Err(End::Stopping),
            () = sleep_until(deadline) => Err(too_late),
        }
    }
}

/// Writes all of `output` and empties it.
async fn write_in_time(
    connection: &mut Connection,
    output: &mut Vec<u8>,
    limit: Duration,
) -> Result<(), End> {
    let written = timeout(limit, connection.write_all(output)).await;
    output.clear();
    match written {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(End::Broken(error)),
        Err(_) => Err(End::SlowReader),
    }
}

/// The judge, and the message that it judges.
struct Judging<'s, J: Judge> {
    judge: &'s J,
    counters: &'s MilterCounters,
    message: Option<InProgress<J::Message>>,
}

/// A message of which a part is known.
enum InProgress<M> {
    /// It can be judged.
    Sound(M),
    /// We have failed. What comes of it goes nowhere.
    Faulty,
}

impl<J: Judge> Judging<'_, J> {
    fn begin(&mut self, envelope: &Envelope) {
        let begun = catch_unwind(AssertUnwindSafe(|| self.judge.begin(envelope)));
        if begun.is_err() {
            log_fault(envelope, "the judge panicked at the begin");
        }
        self.message = Some(begun.map_or(InProgress::Faulty, InProgress::Sound));
    }

    /// Lets go of a message that goes no further, if there is one.
    fn abort(&mut self) {
        if self.message.take().is_some() {
            self.counters.add_aborted();
        }
    }

    /// Tells the message something. One that has panicked is not asked again.
    fn tell(&mut self, something: impl FnOnce(&mut J::Message)) {
        let Some(InProgress::Sound(message)) = &mut self.message else {
            return;
        };
        if catch_unwind(AssertUnwindSafe(|| something(message))).is_err() {
            tracing::error!("milter: the judge panicked in a message: a fault of ours");
            self.message = Some(InProgress::Faulty);
        }
    }
}

/// A fault of ours, with what it takes to find the message.
fn log_fault(envelope: &Envelope, fault: &'static str) {
    let queue_id = envelope.macros.value("i").unwrap_or_default().escape_ascii();
    tracing::error!(%queue_id, "milter: {fault}: a fault of ours");
}
