//! One connection of a mail server: reads requests, writes replies, in order.
//!
//! All requests that have arrived are answered into one buffer, and the buffer goes out by one
//! write. A request whose replies are not in memory holds up those behind it and none before it:
//! what is in the buffer goes out first, then its look-up is awaited.
//!
//! Whoever is at the other end, a connection takes a bounded amount of memory (one request, and
//! replies up to [`WRITE_AT`] and one more) and of time (see [`End`]).

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use smtp_types::NextHop;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::counters::ReplyCount;
use super::netstring::{self, Decoded, NetstringError};
use super::request::{MAX_REQUEST_OCTETS, Request, next_hop};
use super::{Answers, MapName, Replies, ReplyKind, SocketmapCounters, SocketmapSettings};
use crate::listen::Connection;

/// From how many octets on replies are written although more requests wait.
const WRITE_AT: usize = 65_536;

/// How much room for replies a connection keeps while it is silent.
const KEEP_OCTETS: usize = 16_384;

/// Why a connection came to its end.
#[derive(Debug)]
pub(super) enum End {
    /// The mail server hung up.
    Closed,
    /// Nothing came for [`SocketmapSettings::idle_timeout`].
    Idle,
    /// We are about to stop.
    Stopping,
    /// What came is no netstring. The client is at fault.
    Malformed(NetstringError),
    /// A request was begun and not finished within [`SocketmapSettings::read_timeout`].
    SlowRequest,
    /// Replies were not taken within [`SocketmapSettings::write_timeout`].
    SlowReader,
    /// The connection broke.
    Broken(io::Error),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => write!(f, "closed by the client"),
            Self::Idle => write!(f, "nothing came for too long"),
            Self::Stopping => write!(f, "the server stops"),
            Self::Malformed(error) => error.fmt(f),
            Self::SlowRequest => write!(f, "a request was begun and not finished in time"),
            Self::SlowReader => write!(f, "replies were not read in time"),
            Self::Broken(error) => write!(f, "connection broken: {error}"),
        }
    }
}

/// One connection.
pub(super) struct Session<'s, A> {
    connection: Connection,
    answers: &'s A,
    settings: SocketmapSettings,
    counters: &'s SocketmapCounters,
    input: Input,
    output: Output,
    timer: Pin<Box<Sleep>>,
    wait: Wait,
    /// Whether a request was finished since the timer was set. The timer is not set anew for each
    /// request: when it fires and this is true, it is. So a time limit is kept to between once and
    /// twice its length, and costs a busy connection nothing.
    progress: bool,
}

/// What the timer is set for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    Request,
    RestOfRequest,
}

impl<'s, A: Answers> Session<'s, A> {
    pub(super) fn new(
        connection: Connection,
        answers: &'s A,
        settings: SocketmapSettings,
        counters: &'s SocketmapCounters,
    ) -> Self {
        Self {
            connection,
            answers,
            settings,
            counters,
            input: Input::default(),
            output: Output::default(),
            timer: Box::pin(tokio::time::sleep(settings.idle_timeout)),
            wait: Wait::Request,
            progress: false,
        }
    }

    /// Answers until the connection ends, or until `stop` is ready and nothing is left to answer.
    pub(super) async fn run(mut self, mut stop: Pin<&mut impl Future<Output = ()>>) -> End {
        loop {
            let answered = self.answer_all().await;
            // The good requests in front of a malformed one get their replies.
            if let Err(end) = self.write().await {
                return end;
            }
            if let Err(end) = answered {
                return end;
            }
            if let Err(end) = self.read(stop.as_mut()).await {
                return end;
            }
        }
    }

    /// Answers every whole request in the input. If it ends the connection, the output still holds
    /// what can be written.
    async fn answer_all(&mut self) -> Result<(), End> {
        loop {
            let decoded = netstring::decode(self.input.waiting(), MAX_REQUEST_OCTETS);
            let (payload, octets) = match decoded.map_err(End::Malformed)? {
                Decoded::Frame { payload, octets } => (payload, octets),
                Decoded::Partial => return Ok(()),
            };
            let question = answer(payload, self.answers, &mut self.output);
            self.input.consume(octets);
            self.progress = true;
            if let Some((map, next_hop)) = question {
                self.counters.add_looked_up();
                self.write().await?;
                let replies = self.answers.look_up(next_hop).await;
                self.output.push(&replies, map);
            }
            if self.output.octets.len() >= WRITE_AT {
                self.write().await?;
            }
        }
    }

    /// Writes all of the output.
    async fn write(&mut self) -> Result<(), End> {
        self.counters.add_replies(&mut self.output.counted);
        let mut rest = self.output.octets.as_slice();
        let mut timer = None;
        let written = poll_fn(|task| {
            while !rest.is_empty() {
                match Pin::new(&mut self.connection).poll_write(task, rest) {
                    Poll::Ready(Ok(octets)) if octets > 0 => {
                        rest = rest.get(octets..).unwrap_or_default();
                    }
                    Poll::Ready(Ok(_)) => {
                        return Poll::Ready(Err(End::Broken(io::ErrorKind::WriteZero.into())));
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(End::Broken(error))),
                    Poll::Pending => {
                        let timer = timer.get_or_insert_with(|| {
                            Box::pin(tokio::time::sleep(self.settings.write_timeout))
                        });
                        ready!(timer.as_mut().poll(task));
                        return Poll::Ready(Err(End::SlowReader));
                    }
                }
            }
            Poll::Ready(Ok(()))
        })
        .await;
        // Also what could not be written: it must not be tried again from its beginning.
        self.output.octets.clear();
        self.output.octets.shrink_to(KEEP_OCTETS);
        written
    }

    /// Reads once, at least one octet.
    async fn read(&mut self, mut stop: Pin<&mut impl Future<Output = ()>>) -> Result<(), End> {
        match (self.wait, self.input.waiting().is_empty()) {
            (Wait::Request, true) | (Wait::RestOfRequest, false) => {}
            // There was progress, so the timer will be set anew when it fires.
            (Wait::RestOfRequest, true) => self.wait = Wait::Request,
            (Wait::Request, false) => {
                self.wait = Wait::RestOfRequest;
                self.set_timer();
            }
        }
        poll_fn(|task| {
            let mut into = ReadBuf::new(self.input.room());
            if let Poll::Ready(read) = Pin::new(&mut self.connection).poll_read(task, &mut into) {
                read.map_err(End::Broken)?;
                let octets = into.filled().len();
                self.input.add(octets);
                return Poll::Ready(if octets == 0 { Err(End::Closed) } else { Ok(()) });
            }
            if stop.as_mut().poll(task).is_ready() {
                return Poll::Ready(Err(End::Stopping));
            }
            self.poll_timer(task).map(Err)
        })
        .await
    }

    fn poll_timer(&mut self, task: &mut Context<'_>) -> Poll<End> {
        loop {
            ready!(self.timer.as_mut().poll(task));
            if !self.progress {
                return Poll::Ready(match self.wait {
                    Wait::Request => End::Idle,
                    Wait::RestOfRequest => End::SlowRequest,
                });
            }
            self.set_timer();
        }
    }

    fn set_timer(&mut self) {
        let timeout: Duration = match self.wait {
            Wait::Request => self.settings.idle_timeout,
            Wait::RestOfRequest => self.settings.read_timeout,
        };
        self.timer.as_mut().reset(Instant::now() + timeout);
        self.progress = false;
    }
}

/// Answers a request if that needs no look-up; else says what to look up. A canonical key whose
/// replies are fresh takes no allocation.
fn answer(
    payload: &[u8],
    answers: &impl Answers,
    output: &mut Output,
) -> Option<(MapName, NextHop)> {
    let (map, key) = match Request::parse(payload) {
        Request::Question { map, key } => (map, key),
        Request::NoPolicy => {
            output.push(&Replies::no_policy(), MapName::Query);
            return None;
        }
        Request::NoKey => {
            output.push_no_key();
            return None;
        }
    };
    if let Some(replies) = answers.fresh(key) {
        output.push(&replies, map);
        return None;
    }
    let Some((next_hop, canonical)) = next_hop(key) else {
        output.push(&Replies::no_policy(), map);
        return None;
    };
    if let Some(replies) = canonical.and_then(|canonical| answers.fresh(&canonical)) {
        output.push(&replies, map);
        return None;
    }
    Some((map, next_hop))
}

/// Replies that have not been written.
#[derive(Default)]
struct Output {
    octets: Vec<u8>,
    counted: ReplyCount,
}

impl Output {
    fn push(&mut self, replies: &Replies, map: MapName) {
        netstring::encode(replies.reply(map).as_bytes(), &mut self.octets);
        self.counted.add(replies.kind(map));
    }

    fn push_no_key(&mut self) {
        netstring::encode(b"PERM expected a map name, a space and a key", &mut self.octets);
        self.counted.add(ReplyKind::Permanent);
    }
}

/// What has been read and not been answered. It starts small; only a long request makes it grow,
/// and it cannot grow for long, because a request has a greatest length.
#[derive(Default)]
struct Input {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Input {
    /// How much room there is to read into when nothing waits.
    const SIZE: usize = 4_096;

    fn waiting(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    fn consume(&mut self, octets: usize) {
        self.start = self.end.min(self.start + octets);
    }

    /// Room for at least one octet, behind what waits.
    fn room(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            self.buffer.resize(Self::SIZE, 0);
            self.buffer.shrink_to(Self::SIZE);
        } else if self.end == self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            if self.end > Self::SIZE / 2 {
                self.buffer.resize(self.end + Self::SIZE, 0);
            }
        }
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    fn add(&mut self, octets: usize) {
        self.end = self.buffer.len().min(self.end + octets);
    }
}
