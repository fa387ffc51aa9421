//! The mail server: SMTP sessions side by side, each with a connection of its own, as Postfix does
//! it, and message after message in each, without the pauses that SMTP clients make.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;
use waxseal::gate::milter::packet::{self, Decoded};

use crate::session::{MESSAGES_PER_SESSION, Message, all_but_end, client, end, negotiation, quit};

/// What to do.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) address: SocketAddr,
    /// How many SMTP sessions there are at once.
    pub(crate) connections: usize,
    pub(crate) until: Until,
}

/// When it ends.
#[derive(Clone, Copy)]
pub(crate) enum Until {
    Time(Duration),
    Messages(u64),
}

/// The part of the time that is not measured, at the beginning.
const WARM_UP: f64 = 0.15;

/// What all sessions share.
struct Shared {
    plan: Plan,
    messages: Vec<Message>,
    begin: Instant,
    /// How many messages have been begun.
    begun: Cell<u64>,
    finished: RefCell<Vec<Finished>>,
}

/// One message that was accepted.
struct Finished {
    at: Instant,
    /// From the first packet of the message to the verdict: what it adds to the SMTP session.
    whole: Duration,
    /// From the end of the message to the verdict.
    verdict: Duration,
}

/// Prints one line: messages, seconds, and latencies of the measured part, and `total` messages.
pub(crate) async fn run(plan: Plan, messages: Vec<Message>) -> Result<(), Box<dyn Error>> {
    let begin = Instant::now();
    let (begun, finished) = (Cell::new(0), RefCell::default());
    let shared = Rc::new(Shared { plan, messages, begin, begun, finished });
    let sessions = LocalSet::new();
    let running: Vec<_> = (0..plan.connections)
        .map(|_| sessions.spawn_local(Rc::clone(&shared).sessions()))
        .collect();
    sessions.await;
    for sessions in running {
        sessions.await??;
    }
    let finished = shared.finished.borrow();
    let elapsed = begin.elapsed();
    let measured_from = begin + elapsed.mul_f64(WARM_UP);
    let measured: Vec<&Finished> = finished.iter().filter(|one| one.at >= measured_from).collect();
    let whole = sorted(measured.iter().map(|one| one.whole));
    let verdict = sorted(measured.iter().map(|one| one.verdict));
    println!(
        "messages={} seconds={} whole_p50_us={} whole_p99_us={} verdict_p50_us={} \
         verdict_p99_us={} total={}",
        measured.len(),
        elapsed.mul_f64(1.0 - WARM_UP).as_secs_f64(),
        at(&whole, 50),
        at(&whole, 99),
        at(&verdict, 50),
        at(&verdict, 99),
        finished.len(),
    );
    Ok(())
}

fn sorted(times: impl Iterator<Item = Duration>) -> Vec<Duration> {
    let mut times: Vec<Duration> = times.collect();
    times.sort_unstable();
    times
}

/// In microseconds.
fn at(sorted: &[Duration], percent: usize) -> u128 {
    let index = sorted.len().saturating_sub(1) * percent / 100;
    sorted.get(index).map_or(0, Duration::as_micros)
}

impl Shared {
    /// One session after the other.
    async fn sessions(self: Rc<Self>) -> std::io::Result<()> {
        while !self.is_done() {
            let mut stream = TcpStream::connect(self.plan.address).await?;
            stream.set_nodelay(true)?;
            let mut input = Vec::new();
            stream.write_all(&negotiation()).await?;
            expect(&mut stream, &mut input, b'O').await?;
            let mut output = Vec::new();
            client(self.begun.get() / MESSAGES_PER_SESSION, &mut output);
            for _ in 0..MESSAGES_PER_SESSION {
                if self.is_done() {
                    break;
                }
                self.message(&mut stream, &mut input, &mut output).await?;
            }
            quit(&mut output);
            stream.write_all(&output).await?;
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        match self.plan.until {
            Until::Time(time) => self.begin.elapsed() >= time,
            Until::Messages(count) => self.begun.get() >= count,
        }
    }

    async fn message(
        &self,
        stream: &mut TcpStream,
        input: &mut Vec<u8>,
        output: &mut Vec<u8>,
    ) -> std::io::Result<()> {
        let number = self.begun.replace(self.begun.get() + 1);
        let index = usize::try_from(number).unwrap_or_default() % self.messages.len();
        all_but_end(number, &self.messages[index], output);
        let begin = Instant::now();
        stream.write_all(output).await?;
        output.clear();
        // A packet of its own, as the dot that ends the message is a line of its own.
        let ended = Instant::now();
        stream.write_all(&end()).await?;
        expect(stream, input, b'a').await?;
        let at = Instant::now();
        let finished = Finished { at, whole: at - begin, verdict: at - ended };
        self.finished.borrow_mut().push(finished);
        Ok(())
    }
}

/// Reads replies up to this one. Changes of the message come before it, and must say that it was
/// verified if they say anything.
async fn expect(stream: &mut TcpStream, input: &mut Vec<u8>, code: u8) -> std::io::Result<()> {
    loop {
        while let Ok(Decoded::Packet { packet, octets }) = packet::decode(input, 1_000_000) {
            let found = packet.code;
            let says = |words: &[u8]| packet.payload.windows(words.len()).any(|part| part == words);
            let is_verdict = says(b"Authentication-Results");
            let passes = says(b"dkim=pass") && says(b"spf=pass") && says(b"dmarc=pass");
            if is_verdict && !passes {
                return Err(unexpected(found, packet.payload));
            }
            if !matches!(found, b'i' | b'm' | b'p') && found != code {
                return Err(unexpected(found, packet.payload));
            }
            input.drain(..octets);
            if found == code {
                return Ok(());
            }
        }
        if stream.read_buf(input).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn unexpected(code: u8, payload: &[u8]) -> std::io::Error {
    let code = char::from(code);
    std::io::Error::other(format!("not the expected reply: {code} {}", payload.escape_ascii()))
}
