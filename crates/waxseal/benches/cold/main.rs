//! What the first question about a domain costs: `cargo bench -p waxseal --bench cold`.
//!
//! The world is on loopback, with latency added where a real one has it: a DNS server, and a
//! policy host with a certificate for each domain. Beside the role `sender`, as the daemon runs
//! it, store included, stands the floor: the least that anybody must do for an uncached MTA-STS
//! domain, one step after the other, and no DANE (TXT, address, TCP, TLS, one GET, parse).
//!
//! Shown are the median of the time for one domain, domains in a second, and the rounds of
//! questions: what depends on nothing else is asked at the same time, so the number of rounds,
//! not that of questions, decides how long a distant world takes.

#![expect(clippy::unwrap_used, reason = "a benchmark may fail loudly")]

mod floor;
mod world;

use std::sync::Arc;
use std::time::{Duration, Instant};

use smtp_types::NextHop;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use transport_policy::Settings;
use waxseal::config::OnDeadline;
use waxseal::observe::{
    Authorities, FetchSettings, Observer, PolicyFetcher, Resolver, ResolverSettings,
};
use waxseal::sender::{Clock, OverrideFile, Sender, SenderSettings};
use waxseal::store::Store;
use world::{Latency, World};

/// How many domains are asked for in one measurement; each only once, so that it is cold.
const DOMAINS: usize = 400;

/// How many times each is measured; the median counts.
const TURNS: usize = 3;

fn main() {
    // `cargo test` runs benchmarks, too, to see that they work; then one short turn is enough.
    let is_test = !std::env::args().any(|argument| argument == "--bench");
    let (domains, turns) = if is_test { (4, 1) } else { (DOMAINS, TURNS) };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        println!("{:<34}{:>6}{:>11}{:>12}{:>9}{:>7}", "", "", "floor", "waxseal", "", "");
        println!(
            "{:<34}{:>6}{:>11}{:>12}{:>9}{:>7}",
            "world", "at once", "p50 ms", "p50 ms", "ratio", "rounds"
        );
        let near = Latency { dns: Duration::ZERO, https: Duration::ZERO };
        let far = Latency { dns: Duration::from_millis(10), https: Duration::from_millis(40) };
        for (title, kind, latency, at_once) in [
            ("MTA-STS, no latency", "policy", near, 1),
            ("MTA-STS, no latency", "policy", near, 16),
            ("MTA-STS, DNS 10 ms, HTTPS 40 ms", "policy", far, 1),
            ("MTA-STS, DNS 10 ms, HTTPS 40 ms", "policy", far, 16),
            ("no policy, no latency", "plain", near, 1),
            ("no policy, no latency", "plain", near, 16),
            ("no policy, DNS 10 ms", "plain", far, 1),
        ] {
            measure(title, kind, latency, at_once, domains, turns).await;
        }
    });
}

async fn measure(
    title: &str,
    kind: &str,
    latency: Latency,
    at_once: usize,
    domains: usize,
    turns: usize,
) {
    let (mut floors, mut ours, mut rates, mut rounds) = (vec![], vec![], vec![], 0);
    for turn in 0..turns {
        let names: Vec<String> =
            (0..domains).map(|number| format!("{kind}{number}-{turn}.test")).collect();
        let world = World::start(latency, &names).await;
        let floor = floor::Floor::new(&world);
        let (floor_times, _) = run(&names, at_once, move |name| {
            let floor = floor.clone();
            async move { floor.look_up(&name).await }
        })
        .await;
        let scratch = tempfile::tempdir().unwrap();
        let sender = sender(&world, scratch.path());
        let first = sender.explain(NextHop::parse(&format!("{kind}x.test")).unwrap()).await;
        rounds = first.unwrap().effort.rounds;
        let (times, rate) = run(&names, at_once, move |name| {
            let sender = Arc::clone(&sender);
            async move {
                let evaluation = sender.explain(NextHop::parse(&name).unwrap()).await.unwrap();
                let expected = if name.starts_with("policy") { "secure" } else { "none" };
                assert_eq!(evaluation.decision.answer.as_str(), expected, "{name}");
            }
        })
        .await;
        floors.push(median(floor_times));
        ours.push(median(times));
        rates.push(rate);
    }
    let (floor, ours) = (median(floors), median(ours));
    let milliseconds = |time: Duration| format!("{:.2}", time.as_secs_f64() * 1000.0);
    println!(
        "{title:<34}{at_once:>6}{:>11}{:>12}{:>9.2}{rounds:>7}   {:.0} domains/s",
        milliseconds(floor),
        milliseconds(ours),
        ours.as_secs_f64() / floor.as_secs_f64(),
        median(rates),
    );
}

/// Looks up every name once, `at_once` at a time. Returns each time, and names in a second.
async fn run<F: Future<Output = ()> + Send + 'static>(
    names: &[String],
    at_once: usize,
    look_up: impl Fn(String) -> F,
) -> (Vec<Duration>, f64) {
    let start = Instant::now();
    let mut running = JoinSet::new();
    let mut times = Vec::with_capacity(names.len());
    for name in names {
        if running.len() >= at_once {
            times.push(running.join_next().await.unwrap().unwrap());
        }
        let work = look_up(name.clone());
        running.spawn(async move {
            let start = Instant::now();
            work.await;
            start.elapsed()
        });
    }
    times.extend(running.join_all().await);
    #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
    let rate = names.len() as f64 / start.elapsed().as_secs_f64();
    (times, rate)
}

fn median<T: PartialOrd + Copy>(mut values: Vec<T>) -> T {
    values.sort_by(|a, b| a.partial_cmp(b).unwrap());
    values[values.len() / 2]
}

fn sender(world: &World, state: &std::path::Path) -> Arc<Sender> {
    let settings = ResolverSettings { address: world.dns, ..ResolverSettings::default() };
    let resolver = Arc::new(Resolver::new(settings));
    let fetch = FetchSettings {
        authorities: Authorities::File(world.authority.clone()),
        port: world.https.port(),
        allow_private: true,
        ..FetchSettings::default()
    };
    let fetcher = Arc::new(PolicyFetcher::new(Arc::clone(&resolver), fetch).unwrap());
    let (store, _) = Store::open(state).unwrap();
    let settings = SenderSettings {
        decision: Settings::default(),
        deadline: Duration::from_secs(10),
        on_deadline: OnDeadline::Defer,
        refresh: Duration::from_secs(86_400),
        cache_entries: 10_000,
    };
    let observer = Observer::new(resolver, fetcher);
    let overrides = OverrideFile::none();
    Sender::new(
        settings,
        Clock::System,
        observer,
        Some(std::sync::Arc::new(store)),
        overrides,
        Handle::current(),
    )
}
