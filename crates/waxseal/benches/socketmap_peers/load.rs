//! The client: on each connection a batch of questions, all its replies, the next batch.

use std::cell::RefCell;
use std::error::Error;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;
use waxseal::answer::netstring::{self, Decoded};

use crate::table::{asked_for, domain};

/// What to do.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) address: SocketAddr,
    pub(crate) connections: usize,
    pub(crate) pipelined: usize,
    pub(crate) duration: Duration,
    pub(crate) domains: usize,
}

/// The part of the time that is not measured, at the beginning.
const WARM_UP: f64 = 0.15;

/// Asks, and prints one line: `answers`, `seconds`, `p50_ns`, `p99_ns` of the measured part, and
/// `total` answers.
pub(crate) async fn run(plan: Plan) -> Result<(), Box<dyn Error>> {
    let questions: Rc<Vec<Vec<u8>>> = Rc::new(
        (0..plan.domains)
            .map(|index| {
                let mut question = Vec::new();
                let text = format!("QUERY {}", domain(index));
                netstring::encode(text.as_bytes(), &mut question);
                question
            })
            .collect(),
    );
    let sequence = Rc::new(asked_for(plan.domains));
    let mut streams = Vec::new();
    for _ in 0..plan.connections {
        let stream = TcpStream::connect(plan.address).await?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    let begin = Instant::now();
    let measured = begin + plan.duration.mul_f64(WARM_UP);
    let end = begin + plan.duration;
    let latencies = Rc::new(RefCell::new(Latencies::default()));
    let clients = LocalSet::new();
    let mut running = Vec::new();
    for (number, stream) in streams.into_iter().enumerate() {
        let client = Client {
            stream,
            questions: Rc::clone(&questions),
            sequence: Rc::clone(&sequence),
            // Connections begin at places far from each other.
            next: number * 7_919,
            latencies: Rc::clone(&latencies),
        };
        running.push(clients.spawn_local(client.run(plan.pipelined, measured, end)));
    }
    clients.await;
    let mut total = 0;
    for client in running {
        total += client.await??;
    }
    let latencies = latencies.borrow();
    println!(
        "answers={} seconds={} p50_ns={} p99_ns={} total={total}",
        latencies.count,
        (end - measured).as_secs_f64(),
        latencies.at(0.50),
        latencies.at(0.99),
    );
    Ok(())
}

/// Asks for every domain once, on 64 connections.
pub(crate) async fn fill(address: SocketAddr, domains: usize) -> Result<(), Box<dyn Error>> {
    const CONNECTIONS: usize = 64;
    let mut asking = tokio::task::JoinSet::new();
    for first in 0..CONNECTIONS {
        asking.spawn(async move {
            let mut stream = TcpStream::connect(address).await?;
            let mut reply = vec![0; 65_536];
            for index in (first..domains).step_by(CONNECTIONS) {
                let mut question = Vec::new();
                netstring::encode(format!("QUERY {}", domain(index)).as_bytes(), &mut question);
                stream.write_all(&question).await?;
                let octets = stream.read(&mut reply).await?;
                if count_replies(&reply[..octets])?.0 != 1 {
                    return Err(std::io::Error::other("expected one reply"));
                }
            }
            Ok(())
        });
    }
    while let Some(done) = asking.join_next().await {
        done??;
    }
    Ok(())
}

struct Client {
    stream: TcpStream,
    questions: Rc<Vec<Vec<u8>>>,
    sequence: Rc<Vec<usize>>,
    next: usize,
    latencies: Rc<RefCell<Latencies>>,
}

impl Client {
    /// How many answers there were.
    async fn run(
        mut self,
        pipelined: usize,
        measured: Instant,
        end: Instant,
    ) -> std::io::Result<u64> {
        let (mut output, mut input) = (Vec::new(), vec![0; 65_536]);
        let mut total = 0;
        loop {
            output.clear();
            for _ in 0..pipelined {
                let index = self.sequence[self.next % self.sequence.len()];
                output.extend_from_slice(&self.questions[index]);
                self.next += 1;
            }
            let asked = Instant::now();
            if asked >= end {
                return Ok(total);
            }
            self.stream.write_all(&output).await?;
            let (mut answered, mut filled) = (0, 0);
            while answered < pipelined {
                let octets = self.stream.read(&mut input[filled..]).await?;
                if octets == 0 {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
                filled += octets;
                let (count, taken) = count_replies(&input[..filled])?;
                input.copy_within(taken..filled, 0);
                filled -= taken;
                answered += count;
                let now = Instant::now();
                if asked >= measured && now < end {
                    self.latencies.borrow_mut().add(now - asked, count);
                }
            }
            total += answered as u64;
        }
    }
}

/// How many replies there are, all of which must be the expected kind, and how many octets they
/// take.
fn count_replies(octets: &[u8]) -> std::io::Result<(usize, usize)> {
    let (mut count, mut taken) = (0, 0);
    loop {
        match netstring::decode(&octets[taken..], 100_000) {
            Ok(Decoded::Frame { payload, octets }) if payload.starts_with(b"OK secure match=") => {
                count += 1;
                taken += octets;
            }
            Ok(Decoded::Partial) => return Ok((count, taken)),
            Ok(Decoded::Frame { .. }) | Err(_) => {
                return Err(std::io::Error::other("not the expected reply"));
            }
        }
    }
}

/// How many answers took how long: 32 classes for each doubling, so a class is 3 % wide.
struct Latencies {
    classes: Vec<u64>,
    count: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { classes: vec![0; 64 * 32], count: 0 }
    }
}

impl Latencies {
    fn add(&mut self, latency: Duration, count: usize) {
        let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX).max(32);
        let doubling = nanoseconds.ilog2();
        let place = (nanoseconds >> (doubling - 5)) & 31;
        self.classes[(doubling * 32) as usize + place as usize] += count as u64;
        self.count += count as u64;
    }

    /// The latency in nanoseconds that this part of the answers kept to.
    fn at(&self, part: f64) -> u64 {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "counts are far below 2^52"
        )]
        let wanted = (self.count as f64 * part) as u64;
        let mut sum = 0;
        for (index, count) in (0_u64..).zip(&self.classes) {
            sum += count;
            if sum > wanted {
                return (32 + index % 32) << (index / 32).saturating_sub(5);
            }
        }
        0
    }
}
