//! `waxseal serve`: the daemon.
//!
//! Two runtimes: one thread answers, and does nothing that could delay an answer; the others look
//! up. What is asked and not in memory goes from the first to the second, and comes back.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};
use sd_notify::NotifyState;
use smtp_types::UnixTime;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::answering::{Answering, Pulse};
use super::gating::{self, Beside, Gating};
use super::signing_keys::{self, Memory, SigningKeys};
use super::{banner, wiring};
use crate::answer::SocketmapCounters;
use crate::collect::{Collector, WaysIn};
use crate::config::{self, Collect, Config, LogFormat, LogLevel};
use crate::gate::Gate;
use crate::keys::Signers;
use crate::listen::{self, Listener, Opened, Role};
use crate::observe::{Bounds, Observer, Validation};
use crate::report::{Reporter, ReporterSettings};
use crate::sender::{Clock, OverrideFile, Sender};
use crate::store::{OpenNote, Store};

/// While validation is not proved, the resolver is probed this often.
const PROBE_AGAIN: Duration = Duration::from_secs(30);

/// How long the answering thread may take to finish at the end.
const FINISH_TIMEOUT: Duration = Duration::from_secs(20);

/// The verb with its flags.
pub(super) fn command() -> Command {
    Command::new("serve")
        .about("Run the daemon: tell the mail server how to encrypt to each domain")
        .long_about(
            "Run the daemon: tell the mail server how to encrypt to each domain. Needs no \
             settings. Exit code: 0 after SIGTERM or SIGINT, 64 if a setting or a socket is wrong.",
        )
        .arg(super::explain::at_arg())
        .arg(
            Arg::new("quiet")
                .long("quiet")
                .action(ArgAction::SetTrue)
                .help("Do not print what is served."),
        )
        .arg(config::config_file_arg())
        .args(config::all_args())
}

/// Runs the verb.
pub(super) fn run(matches: &ArgMatches) -> io::Result<ExitCode> {
    let Some(loaded) = wiring::load(matches) else { return Ok(ExitCode::from(super::USAGE)) };
    log_to_stderr(loaded.config.log.level, loaded.config.log.format);
    for warning in loaded.warnings() {
        tracing::warn!("{warning}");
    }
    raise_file_limit();
    let typed = |id: &str| matches.value_source(id) == Some(clap::parser::ValueSource::CommandLine);
    // Whoever shows the daemon another Internet wants nothing of this one in it, nor its memory
    // in the state folder of this machine.
    let has_memory =
        !typed("dns.resolver") || loaded.origin("state_dir") != config::Origin::Default;
    let at = matches.get_one::<u64>("at").copied().map(UnixTime);
    match start(&loaded.config, at, has_memory) {
        Ok(daemon) => daemon.run(matches.get_flag("quiet")),
        Err(problems) => {
            for problem in problems {
                anstream::eprintln!("waxseal: {problem}");
            }
            Ok(ExitCode::from(super::USAGE))
        }
    }
}

fn log_to_stderr(level: LogLevel, format: LogFormat) {
    let level = match level {
        LogLevel::Error => tracing::Level::ERROR,
        LogLevel::Warn => tracing::Level::WARN,
        LogLevel::Info => tracing::Level::INFO,
        LogLevel::Debug => tracing::Level::DEBUG,
        LogLevel::Trace => tracing::Level::TRACE,
    };
    let ansi = io::IsTerminal::is_terminal(&io::stderr()) && std::env::var_os("NO_COLOR").is_none();
    let lines =
        tracing_subscriber::fmt().with_max_level(level).with_writer(io::stderr).with_target(false);
    match format {
        LogFormat::Text if std::env::var_os("JOURNAL_STREAM").is_some() => {
            // The journal has its own clock.
            lines.with_ansi(false).without_time().init();
        }
        LogFormat::Text => lines.with_ansi(ansi).init(),
        LogFormat::Json => lines.json().init(),
    }
}

/// The daemon, all its parts made and nothing running yet.
struct Daemon {
    config: Config,
    looking_up: Runtime,
    answering: Runtime,
    listeners: Vec<(Role, Listener)>,
    collecting: Option<Collecting>,
    sender: Arc<Sender>,
    keys: Option<SigningKeys>,
    reporter: Option<Arc<Reporter>>,
    gating: Option<Gating>,
    /// For those who judge mail, and report.
    observer: Observer,
    clock: Clock,
    socketmap: Arc<SocketmapCounters>,
}

/// The collector with its sockets, not running yet.
struct Collecting {
    collector: Arc<Collector>,
    ways: WaysIn,
}

/// Lets the program open as many files as the system allows it at all: 4096 connections do not fit
/// under the usual limit of 1024. What the system does not allow stays as it is.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// Makes all parts, or says everything that stands in the way.
fn start(config: &Config, at: Option<UnixTime>, has_memory: bool) -> Result<Daemon, Vec<String>> {
    let one = |error: &dyn std::fmt::Display| vec![error.to_string()];
    // What is counted needs a place that outlives the program.
    let config = &match has_memory {
        true => config.clone(),
        false => Config { collect: Collect::nowhere(), ..config.clone() },
    };
    let observer = wiring::observer(config, at).map_err(|error| one(&error))?;
    // Whoever shows the daemon another Internet wants answers of it, and nothing else.
    let prober = match config.sender.probe_testing && has_memory {
        true => Some(wiring::mx_prober(config, &observer.resolver).map_err(|error| one(&error))?),
        false => None,
    };
    let overrides = OverrideFile::open(config.sender.overrides.as_deref())?;
    let looking_up = Builder::new_multi_thread()
        .thread_name("look-up")
        .enable_all()
        .build()
        .map_err(|error| one(&error))?;
    let answering =
        Builder::new_current_thread().enable_all().build().map_err(|error| one(&error))?;
    let Opened { listeners, datagrams } = {
        let _within = answering.enter();
        let told = |errors: Vec<listen::ListenError>| -> Vec<String> {
            errors.iter().map(ToString::to_string).collect()
        };
        listen::inherited().and_then(|inherited| listen::open(config, inherited)).map_err(told)?
    };
    let store = match has_memory {
        true => {
            let (store, note) = Store::open(&config.state_dir).map_err(|error| one(&error))?;
            let path = store.path().display();
            match note {
                Some(note @ OpenNote::Created) => tracing::info!(%path, "store: {note}"),
                Some(note @ OpenNote::Mended { .. }) => tracing::warn!(%path, "store: {note}"),
                None => {}
            }
            Some(Arc::new(store))
        }
        false => None,
    };
    let has_milter = listeners.iter().any(|(role, _)| *role == Role::Milter);
    let memory = if has_memory { Memory::Kept } else { Memory::None };
    let clock = at.map_or(Clock::System, Clock::Fixed);
    let judging = Observer { bounds: Bounds::SENDER_AUTH, ..observer.clone() };
    let reporting = ReporterSettings::of(config).zip(store.clone());
    let keys = match has_milter || reporting.is_some() {
        true => Some(SigningKeys::open(config, memory).map_err(|error| one(&error))?),
        false => None,
    };
    let signers = keys.as_ref().map(|keys| Arc::clone(&keys.signers));
    let reporter = reporting
        .map(|(settings, store)| Reporter::new(settings, store, judging.clone(), signers.clone()));
    let gating = match signers.filter(|_| has_milter) {
        Some(signers) => {
            let (observer, reporter) = (judging.clone(), reporter.clone());
            Some(Gating::new(config, memory, Beside { observer, signers, reporter, clock })?)
        }
        None => None,
    };
    let settings = wiring::sender_settings(config);
    let sender = Sender::new(
        settings,
        clock,
        observer,
        store.clone(),
        overrides,
        looking_up.handle().clone(),
    );
    if let Some(prober) = prober {
        sender.probe_with(prober);
    }
    let (streams, listeners): (Vec<_>, Vec<_>) =
        listeners.into_iter().partition(|(role, _)| *role == Role::TlsLines);
    let streams = streams.into_iter().map(|(_, listener)| listener).collect();
    let postfix_log = config.collect.postfix_log.clone();
    let ways = WaysIn { datagrams, streams, postfix_log, own: sender.observations() };
    ways.prepare(config).iter().for_each(|warning| tracing::warn!("{warning}"));
    let collecting = store.map(|store| Collecting {
        collector: Collector::new(store, clock, config.reports.retention),
        ways,
    });
    let config = config.clone();
    let socketmap = Arc::default();
    Ok(Daemon {
        config,
        looking_up,
        answering,
        listeners,
        collecting,
        sender,
        keys,
        reporter,
        gating,
        observer: judging,
        clock,
        socketmap,
    })
}

impl Daemon {
    /// Runs until a signal ends it.
    fn run(self, quiet: bool) -> io::Result<ExitCode> {
        let Self {
            config,
            looking_up,
            answering,
            listeners,
            collecting,
            sender,
            keys,
            reporter,
            gating,
            observer,
            clock,
            socketmap,
        } = self;
        let mut addresses: Vec<_> = listeners
            .iter()
            .filter_map(|(role, listener)| Some((*role, listener.local_address().ok()?)))
            .collect();
        let ways = collecting.iter().map(|collecting| &collecting.ways);
        addresses.extend(
            ways.clone()
                .flat_map(|ways| &ways.streams)
                .filter_map(|listener| Some((Role::TlsLines, listener.local_address().ok()?))),
        );
        let datagrams: Vec<_> = ways
            .flat_map(|ways| &ways.datagrams)
            .filter_map(|socket| socket.local_address().ok())
            .collect();
        let resolver = Arc::clone(&sender.observer().resolver);
        let mut signals = looking_up.block_on(async { Signals::new() })?;
        let (stop, stopped) = watch::channel(false);
        // First of all: what comes before somebody receives it waits in a short queue of the kernel.
        let collector = collecting.as_ref().map(|collecting| Arc::clone(&collecting.collector));
        let collection = collecting.map(|Collecting { collector, ways }| {
            let running = collector.run(ways, stopped.clone());
            looking_up.spawn(async {
                if let Err(error) = running.await {
                    tracing::error!(%error, "collect: TLS sessions are not counted");
                }
            })
        });
        // A silent resolver makes this take some seconds, in which somebody may want to stop us.
        let proved = looking_up.block_on(async {
            tokio::select! {
                validation = resolver.prove() => Some(validation),
                () = signals.end() => None,
            }
        });
        let Some(validation) = proved else {
            let _ = stop.send(true);
            looking_up.block_on(collected(collection));
            return Ok(ExitCode::SUCCESS);
        };
        say(&validation);

        let (ended, mut answering_ended) = oneshot::channel::<()>();
        let pulse = Arc::new(Pulse::default());
        let (milters, listeners): (Vec<_>, Vec<_>) =
            listeners.into_iter().partition(|(role, _)| *role == Role::Milter);
        let milters = milters.into_iter().map(|(_, listener)| listener).collect();
        let watched = gating.as_ref().map(Gating::watched);
        let signers = keys.as_ref().map(|keys| Arc::clone(&keys.signers));
        let rereading = Rereading {
            gate: gating.as_ref().map(|gating| Arc::clone(&gating.gate)),
            signers: signers.clone(),
        };
        if let Some(keys) = keys {
            looking_up.spawn(keys.run(observer, clock));
        }
        // It is stopped later than the gate: what is judged last is counted, too.
        let (stop_reporting, reporting_stopped) = watch::channel(false);
        let reporting = reporter
            .clone()
            .map(|reporter| looking_up.spawn(reporter.run(clock, reporting_stopped)));
        let gate = gating.map(|gating| looking_up.spawn(gating.run(milters, stopped.clone())));
        let answers = Answering {
            config: config.clone(),
            sender: Arc::clone(&sender),
            gate: watched,
            signers,
            reporter,
            collector,
            socketmap,
            pulse: Arc::clone(&pulse),
            stopped,
        };
        thread::Builder::new().name("answer".to_owned()).spawn(move || {
            answering.block_on(answers.run(listeners));
            drop(ended);
        })?;

        if !quiet {
            let (config, sender, validation) =
                (config.clone(), Arc::clone(&sender), validation.clone());
            // It asks Postfix for its settings, and nobody should wait for that.
            thread::spawn(move || {
                banner::print(&config, &addresses, &datagrams, &sender, &validation)
            });
        }
        looking_up.spawn(Arc::clone(&sender).work());
        looking_up.spawn(prove_again(Arc::clone(&sender), validation, config.dns.probe_interval));
        let outcome = looking_up.block_on(until_ended(
            signals,
            &sender,
            rereading,
            &pulse,
            &mut answering_ended,
        ));
        let _ = sd_notify::notify(&[NotifyState::Stopping]);
        let _ = stop.send(true);
        looking_up.block_on(async {
            // What was asked before the end is answered, if it does not take too long.
            let finished = async {
                let _ = answering_ended.await;
                if let Some(gate) = gate {
                    let _ = gate.await;
                }
            };
            let _ = tokio::time::timeout(FINISH_TIMEOUT, finished).await;
            let _ = stop_reporting.send(true);
            if let Some(reporting) = reporting {
                let _ = tokio::time::timeout(FINISH_TIMEOUT, reporting).await;
            }
            collected(collection).await;
            sender.finish().await;
        });
        looking_up.shutdown_timeout(Duration::from_secs(1));
        outcome
    }
}

/// Waits until the collector has brought to the disk what it counted, but not for ever.
async fn collected(collection: Option<JoinHandle<()>>) {
    let Some(collection) = collection else { return };
    match tokio::time::timeout(FINISH_TIMEOUT, collection).await {
        Ok(Ok(())) => {}
        Ok(Err(fault)) => tracing::error!(%fault, "collect: it has ended: a fault of ours"),
        Err(_) => tracing::error!("collect: the disk does not take what was counted in time"),
    }
}

/// Probes the resolver again and again; answers made under another state are forgotten.
async fn prove_again(sender: Arc<Sender>, first: Validation, interval: Duration) {
    let mut before = first;
    loop {
        let proved = matches!(before, Validation::Proved | Validation::Plausible);
        tokio::time::sleep(if proved { interval } else { interval.min(PROBE_AGAIN) }).await;
        let validation = sender.observer().resolver.prove().await;
        if validation != before {
            say(&validation);
            sender.forget_answers();
            before = validation;
        }
    }
}

fn say(validation: &Validation) {
    match validation {
        Validation::Proved | Validation::Plausible => tracing::info!("{validation}"),
        Validation::Unproved => tracing::warn!("{validation}"),
        Validation::Disproved { .. } | Validation::Untrusted { .. } => {
            tracing::error!("{validation}");
        }
    }
}

/// What the operator may change while the daemon runs, besides overrides.
struct Rereading {
    gate: Option<Arc<Gate>>,
    signers: Option<Arc<Signers>>,
}

/// What is said to us from outside.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// From now on they are heard. Must be called within a runtime.
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Is ready when the program is to end.
    async fn end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Waits for a signal that ends the program. SIGHUP reads overrides, local verdicts and DKIM keys
/// again.
async fn until_ended(
    signals: Signals,
    sender: &Sender,
    rereading: Rereading,
    pulse: &Pulse,
    answering_ended: &mut oneshot::Receiver<()>,
) -> io::Result<ExitCode> {
    let Signals { mut terminate, mut interrupt, mut hang_up } = signals;
    let watchdog = sd_notify::watchdog_enabled();
    let mut beat =
        tokio::time::interval(watchdog.map_or(Duration::from_secs(3600), |span| span / 2));
    let mut counted_before = 0;
    let _ = sd_notify::notify(&[NotifyState::Ready]);
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(ExitCode::SUCCESS),
            _ = interrupt.recv() => return Ok(ExitCode::SUCCESS),
            _ = hang_up.recv() => {
                if sender.overrides().reload() {
                    sender.forget_answers();
                }
                if let Some(gate) = rereading.gate.clone() {
                    tokio::spawn(gating::reread(gate));
                }
                if let Some(signers) = rereading.signers.clone() {
                    tokio::spawn(signing_keys::reread(signers));
                }
            }
            _ = &mut *answering_ended => {
                tracing::error!("the answering thread has ended: a fault of ours");
                return Ok(ExitCode::FAILURE);
            }
            _ = beat.tick() => {
                let count = pulse.count();
                if count != counted_before {
                    let _ = sd_notify::notify(&[NotifyState::Watchdog]);
                }
                counted_before = count;
            }
        }
    }
}
