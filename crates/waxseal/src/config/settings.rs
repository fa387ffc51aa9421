//! The configuration in force, as types: what every other part of the program reads.
//!
//! Nothing here can be wrong: an address is an address and a duration lies within its limits,
//! for [`keys`](super::KEYS) lets nothing else in. The default of a key stands here, in
//! [`Config::default`]; what the key means to an operator stands in its line of the table.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use sender_auth::report::{Schema, Text};
use smtp_types::{DomainName, EmailAddress};
use tlsrpt::REPORTS_PER_HOST;
use transport_policy::{MixedHosts, OnStsError};

use crate::gate::NotStrict;
use crate::gate::attachment::rules::Rules;
use crate::gate::decide::Matrix;
use crate::gate::milter::{MilterSettings, OnFault};
use crate::intake::RequireAuthor;
use crate::keys::{Schedule, SelectorPrefix, Subdomains};
use crate::listen::ListenAddress;
use crate::report::TlsHttps;

/// The folder that a path stands below if it begins with `STATE_DIR/`.
pub(super) const STATE_DIR: &str = "STATE_DIR";

/// All settings. Each field is the key of the same name in `waxseal.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where the program keeps what must outlive it.
    pub state_dir: PathBuf,
    /// How strict to be where the standards leave a choice.
    pub profile: Profile,
    /// `[dns]`: whom to ask, and how far to trust the answer.
    pub dns: Dns,
    /// `[socketmap]`: the mail server's question.
    pub socketmap: Socketmap,
    /// `[http]`: metrics, health and the decision API.
    pub http: Http,
    /// `[line]`: the one-line protocol for Exim.
    pub line: Line,
    /// `[sender]`: how mail to others is protected.
    pub sender: Sender,
    /// `[fetch]`: how a policy is fetched.
    pub fetch: Fetch,
    /// `[gate]`: the milter.
    pub gate: Gate,
    /// `[verdict]`: what happens to incoming mail.
    pub verdict: Verdict,
    /// `[dkim]`: keys that sign mail, and when they change.
    pub dkim: Dkim,
    /// `[attachments]`: what happens to kinds of attachments.
    pub attachments: Rules,
    /// `[collect]`: TLS sessions of our own, counted for reports.
    pub collect: Collect,
    /// `[reports]`: what is told to the owners of other domains.
    pub reports: Reports,
    /// `[intake]`: what others report about domains of ours.
    pub intake: Intake,
    /// `[log]`: what the program says about itself.
    pub log: Log,
}

/// `[dns]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dns {
    /// The resolver to ask.
    pub resolver: Resolver,
    /// Whose word on DNSSEC counts.
    pub trust: Trust,
    /// How long one try may take; 100 ms to 30 s.
    pub timeout: Duration,
    /// How many tries a question gets; 1 to 5.
    pub tries: usize,
    /// Names that a validating resolver must call secure.
    pub probe_signed: Vec<ProbeName>,
    /// Names that a validating resolver must refuse.
    pub probe_bogus: Vec<ProbeName>,
    /// How often the resolver is probed again; 10 s to 1 day.
    pub probe_interval: Duration,
}

/// `[socketmap]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socketmap {
    /// Where the mail server finds us. No two listeners of the program are equal.
    pub listen: Vec<ListenAddress>,
    /// The permission bits of unix sockets for mail servers; 0 to 0o777.
    pub unix_mode: u32,
    /// How many connections may be open at once; 1 to 100 000.
    pub max_connections: usize,
    /// How long a connection may be silent between two requests; more than 100 s.
    pub idle_timeout: Duration,
    /// How long a request may take from its first octet to its last; 1 s to 1 min.
    pub read_timeout: Duration,
}

/// `[http]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// Where metrics and health are read.
    pub listen: Vec<ListenAddress>,
    /// Where the decision API is reached.
    pub api: Vec<ListenAddress>,
}

/// `[line]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where Exim finds us.
    pub listen: Vec<ListenAddress>,
}

/// `[sender]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// When the mail server gets its answer at the latest; 100 ms to 90 s.
    pub deadline: Duration,
    /// What it is told if the facts are not complete by then.
    pub on_deadline: OnDeadline,
    /// What counts if only a part of the hosts of a domain has TLSA records.
    pub mixed: MixedHosts,
    /// What happens if a policy was announced and cannot be fetched, and none is known.
    pub on_sts_error: OnStsError,
    /// The operator's override file.
    pub overrides: Option<PathBuf>,
    /// How old a policy gets before it is fetched again; 1 h to 7 days.
    pub refresh: Duration,
    /// How many domains are kept in memory; 1 000 to 10 000 000.
    pub cache_entries: usize,
    /// Whether DANE is used.
    pub dane: DaneUse,
    /// Whether the mail hosts of domains in mode testing are looked at.
    pub probe_testing: bool,
}

/// `[fetch]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// How long a fetch may take in all; 1 s to 2 min.
    pub timeout: Duration,
    /// How many octets a policy may have; 1024 to 1048576.
    pub max_body: usize,
    /// The port of policy hosts.
    pub https_port: u16,
    /// The certificates that are trusted instead of the system's.
    pub ca: Option<PathBuf>,
    /// Whether a policy host may have a private address.
    pub allow_private: bool,
}

/// `[gate]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    /// Where the mail server finds the milter.
    pub listen: Vec<ListenAddress>,
    /// The permission bits of unix sockets; 0 to 0o777.
    pub unix_mode: u32,
    /// How many connections may be open at once; 1 to 100 000.
    pub max_connections: usize,
    /// How long the mail server may be silent; 1 s to 1 day.
    pub idle_timeout: Duration,
    /// How long verifying may take after the last octet; 1 s to 250 s.
    pub deadline: Duration,
    /// What happens to a message that we fail to judge.
    pub on_fault: OnFault,
    /// What happens to mail of ours that is not strictly RFC 5322.
    pub not_strict: NotStrict,
    /// The name under which verdicts are given; `None` is the mail server's.
    pub authserv_id: Option<DomainName>,
    /// Clients whose mail is outgoing.
    pub networks: Vec<IpNet>,
    /// What is added to a refusal.
    pub help: String,
}

/// `[verdict]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What happens in each case.
    pub matrix: Matrix,
    /// The file of local verdicts.
    pub local: Option<PathBuf>,
}

/// `[dkim]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dkim {
    /// What the selectors of new keys begin with.
    pub prefix: SelectorPrefix,
    /// Who signs for a domain without keys below one with keys.
    pub subdomains: Subdomains,
    /// How old keys get that sign; 30 to 1100 days, or `None` for no end.
    pub lifetime: Option<Duration>,
    /// How long before that the next keys are made; 1 to 28 days.
    pub announce_before: Duration,
    /// How long the DNS must have shown them before they sign; 1 h to 14 days.
    pub publish_wait: Duration,
    /// How long old keys stay in the DNS after that; 1 to 90 days.
    pub retire_after: Duration,
}

/// `[collect]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collect {
    /// Where mail servers send datagrams; unix sockets only.
    pub socket: Vec<ListenAddress>,
    /// Where others send lines.
    pub stream: Vec<ListenAddress>,
    /// The permission bits of both; 0 to 0o777.
    pub unix_mode: u32,
    /// The group that the sockets for datagrams belong to.
    pub group: String,
    /// The log of a Postfix without the library.
    pub postfix_log: Option<PathBuf>,
}

impl Collect {
    /// No way in.
    #[must_use]
    pub fn nowhere() -> Self {
        Self {
            socket: vec![],
            stream: vec![],
            unix_mode: 0o660,
            group: "postfix".to_owned(),
            postfix_log: None,
        }
    }

    /// Whether there is any way in for what mail servers tell.
    #[must_use]
    pub fn has_way_in(&self) -> bool {
        !self.socket.is_empty() || !self.stream.is_empty() || self.postfix_log.is_some()
    }
}

/// `[reports]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reports {
    /// From whom reports go; `None` is no reports. The local part has at most 40 octets.
    pub from: Option<EmailAddress>,
    /// Whether DMARC reports are made.
    pub dmarc: bool,
    /// Whether TLS reports are made.
    pub tls: bool,
    /// Whether, and to whom, TLS reports go by https.
    pub tls_https: TlsHttps,
    /// How many TLS reports about a day a host gets; 0 is none.
    pub tls_per_host: usize,
    /// Where others send reports about our domains.
    pub intakes: Vec<EmailAddress>,
    /// The name of the organization; `None` is the domain of `from`.
    pub organization: Option<Text>,
    /// Where people ask; `None` is `from`.
    pub contact: Option<EmailAddress>,
    /// The mail server that delivers reports.
    pub submit: SocketAddr,
    /// How DMARC reports are written.
    pub schema: Schema,
    /// How long ended reports are kept; 1 to 365 days.
    pub retention: Duration,
    /// On what ground failure reports are sent; `None` is no failure reports.
    pub failure_notice: Option<Text>,
}

/// `[intake]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intake {
    /// Domains of ours; empty is any.
    pub domains: Vec<DomainName>,
    /// What is done with reports whose author is not proved.
    pub require_author: RequireAuthor,
    /// How long received reports are kept; 1 day to 10 years.
    pub retention: Duration,
}

/// `[log]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// The least important message that is still written.
    pub level: LogLevel,
    /// How a message is written.
    pub format: LogFormat,
}

impl Default for Config {
    fn default() -> Self {
        let loopback = |port| ListenAddress::Tcp((Ipv4Addr::LOCALHOST, port).into());
        let in_state_dir = |name| ListenAddress::Unix(Path::new(STATE_DIR).join(name));
        let schedule = Schedule::default();
        Self {
            state_dir: "/var/lib/waxseal".into(),
            profile: Profile::Standard,
            dns: Dns {
                resolver: Resolver::System,
                trust: Trust::Loopback,
                timeout: Duration::from_secs(2),
                tries: 2,
                probe_signed: vec![ProbeName::Root],
                probe_bogus: ["dnssec-failed.org", "rhybar.cz"]
                    .into_iter()
                    .filter_map(|name| DomainName::parse(name).ok())
                    .map(ProbeName::Domain)
                    .collect(),
                probe_interval: Duration::from_mins(10),
            },
            socketmap: Socketmap {
                listen: vec![loopback(8642), in_state_dir("socketmap")],
                unix_mode: 0o666,
                max_connections: 4096,
                idle_timeout: Duration::from_secs(150),
                read_timeout: Duration::from_secs(10),
            },
            http: Http { listen: vec![loopback(8643)], api: vec![in_state_dir("api")] },
            line: Line { listen: vec![] },
            sender: Sender {
                deadline: Duration::from_secs(10),
                on_deadline: OnDeadline::Defer,
                mixed: MixedHosts::Sts,
                on_sts_error: OnStsError::Deliver,
                overrides: None,
                refresh: Duration::from_hours(24),
                cache_entries: 200_000,
                dane: DaneUse::Auto,
                probe_testing: true,
            },
            fetch: Fetch {
                timeout: Duration::from_mins(1),
                max_body: 65_536,
                https_port: 443,
                ca: None,
                allow_private: false,
            },
            gate: Gate {
                listen: vec![],
                unix_mode: 0o660,
                max_connections: 1_000,
                idle_timeout: MilterSettings::default().idle_timeout,
                deadline: Duration::from_secs(30),
                on_fault: OnFault::Defer,
                not_strict: NotStrict::Sign,
                authserv_id: None,
                networks: ["127.0.0.0/8", "::1/128"]
                    .into_iter()
                    .filter_map(|network| network.parse().ok())
                    .collect(),
                help: String::new(),
            },
            verdict: Verdict { matrix: Matrix::default(), local: None },
            dkim: Dkim {
                prefix: SelectorPrefix::default(),
                subdomains: Subdomains::Parent,
                lifetime: schedule.lifetime,
                announce_before: schedule.announce_before,
                publish_wait: schedule.publish_wait,
                retire_after: schedule.retire_after,
            },
            attachments: Rules::default(),
            collect: Collect::nowhere(),
            reports: Reports {
                from: None,
                dmarc: true,
                tls: true,
                tls_https: TlsHttps::Verified,
                tls_per_host: REPORTS_PER_HOST as usize,
                intakes: vec![],
                organization: None,
                contact: None,
                submit: (Ipv4Addr::LOCALHOST, 25).into(),
                schema: Schema::Rfc9990,
                retention: Duration::from_hours(30 * 24),
                failure_notice: None,
            },
            intake: Intake {
                domains: vec![],
                require_author: RequireAuthor::Warn,
                retention: Duration::from_hours(400 * 24),
            },
            log: Log { level: LogLevel::Info, format: LogFormat::Text },
        }
    }
}

/// The resolver to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolver {
    /// The first name server of `/etc/resolv.conf`.
    System,
    /// The resolver at this address.
    Address(SocketAddr),
}

impl fmt::Display for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("system"),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// A name that the resolver is probed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeName {
    /// The root of the DNS, which is no [`DomainName`], for no mail goes there.
    Root,
    /// Any other name.
    Domain(DomainName),
}

impl fmt::Display for ProbeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("."),
            Self::Domain(name) => name.fmt(f),
        }
    }
}

/// How strict to be where the standards leave a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// As the RFCs say.
    Standard,
    /// As BSI TR-03108 says.
    Bsi,
}

/// Whose word on DNSSEC counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// That of a resolver on this machine.
    Loopback,
    /// That of any resolver: the operator vouches for the way to it.
    Yes,
    /// Nobody's.
    No,
}

/// What the mail server is told if the facts are not complete in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDeadline {
    /// Try again later.
    Defer,
    /// There is no policy.
    Deliver,
}

/// Whether DANE is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DaneUse {
    /// Whenever the resolver was proved to validate.
    Auto,
    /// Never.
    Off,
}

/// How important a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// Protection or service is lost.
    Error,
    /// Somebody should look at it.
    Warn,
    /// What happens in normal operation.
    Info,
    /// Each decision with its reasons.
    Debug,
    /// Each look-up.
    Trace,
}

/// How a message is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One line for people.
    Text,
    /// One JSON object on a line.
    Json,
}
