//! The role `reporter`: tells the owners of other domains what was seen of them.
//!
//! There are two kinds of reports, and this role makes both, once a day for each domain that asks:
//!
//! | kind | tells | is asked for by | made by |
//! |---|---|---|---|
//! | DMARC (RFC 9990) | what mail came in a domain's name | its DMARC record | `dmarc`, from what the gate judges |
//! | TLS (RFC 8460) | what became of our TLS sessions with its mail servers | its TLSRPT record | `tls`, from what [`collect`](crate::collect) counts |
//!
//! What was counted lies in the [`store`](crate::store). When the day is over,
//! [`Reporter::make_due`] makes reports and puts letters into the outbox, in one transaction with the
//! end of the day. [`Reporter::deliver_due`] hands the letters to the mail server, or to a web server
//! if a TLSRPT record wants that, spread over the night, again and again for a day if need be; the
//! same octets each time. What is refused for good, or comes back to the return path of a letter
//! ([`Reporter::bounced`]), keeps others from going there.
//!
//! All functions take the time as an argument; only [`Reporter::run`] has a clock.

pub(crate) mod complaint;
mod counters;
mod dmarc;
mod message;
mod outbox;
mod post;
mod return_path;
mod schedule;
mod submit;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sender_auth::dmarc::walk;
use sender_auth::report::guard::ReportAddresses;
use sender_auth::report::{Day, Permit, Profile, Schema, Text};
use smtp_types::{DomainName, EmailAddress, Known, UnixTime};
use tokio::sync::{OnceCell, watch};

pub use counters::{ReportCount, ReportCounters};
pub use dmarc::{Judged, group, is_due, report};
pub use outbox::Bounce;
pub use tls::{TlsHttps, TlsReporting, tls_report};

use crate::config::{self, Config};
use crate::crypto::AwsLc;
use crate::keys::{DomainSigner, Signers};
use crate::observe::Observer;
use crate::sender::Clock;
use crate::store::{Carrier, Store, StoreError};
use complaint::Complaint;
use return_path::new_token;

/// How often counts are brought to the disk.
const FLUSH: Duration = Duration::from_secs(1);

/// And how often while the disk does not take them.
const FLUSH_AGAIN: Duration = Duration::from_secs(10);

/// How often it is looked for days that are over.
const MAKE: Duration = Duration::from_secs(60);

/// How often it is looked for letters to deliver.
const DELIVER: Duration = Duration::from_secs(5);

/// How often it is looked for what is old.
const TIDY: Duration = Duration::from_secs(3600);

/// How long a letter that is under way may take when the program ends.
const GRACE: Duration = Duration::from_secs(5);

/// For how long it is remembered that a domain has sent something good.
const CONTACT: Duration = Duration::from_secs(90 * 86_400);

/// How long after its end a day is looked at, in seconds: what was counted then is on the disk.
const MARGIN: u64 = 300;

/// How long a report waits before the DNS is asked again, in seconds.
const ASK_AGAIN: u64 = 3600;

/// How long after the end of its day a report waits for the DNS at most, in seconds.
const WAIT_FOR_DNS: u64 = 24 * 3600;

/// Who reports, as reports and letters say it.
#[derive(Clone, Debug)]
pub struct Author {
    /// From whom letters go.
    pub from: EmailAddress,
    /// The name of the organization.
    pub organization: Text,
    /// Where people ask.
    pub contact: EmailAddress,
    /// How DMARC reports are written.
    pub schema: Schema,
}

/// What the operator set for the role.
#[derive(Clone, Debug)]
pub struct ReporterSettings {
    /// Who reports.
    pub author: Author,
    /// The mail server that delivers.
    pub submit: SocketAddr,
    /// Addresses of this installation that have to do with reports.
    pub addresses: ReportAddresses,
    /// How long ended letters are kept.
    pub retention: Duration,
    /// That failure reports may be sent, if they may.
    pub permit: Option<Permit>,
    /// The name under which results are given in failure reports.
    pub authserv_id: DomainName,
    /// Whether DMARC reports are made.
    pub dmarc: bool,
    /// How TLS reports are sent, if they are made.
    pub tls: Option<TlsReporting>,
}

impl ReporterSettings {
    /// What the configuration says; `None` if it does not say from whom reports go.
    #[must_use]
    pub fn of(config: &Config) -> Option<Self> {
        let reports = &config.reports;
        let from = reports.from.clone()?;
        let domain = || Text::parse(from.domain().as_str()).ok();
        let profile = match config.profile {
            config::Profile::Bsi => Profile::Bsi,
            config::Profile::Standard => Profile::Own,
        };
        Some(Self {
            author: Author {
                organization: reports.organization.clone().or_else(domain)?,
                contact: reports.contact.clone().unwrap_or_else(|| from.clone()),
                schema: reports.schema,
                from: from.clone(),
            },
            submit: reports.submit,
            addresses: ReportAddresses {
                senders: vec![from.clone()],
                intakes: reports.intakes.clone(),
            },
            retention: reports.retention,
            permit: Permit::grant(profile, reports.failure_notice.as_ref()).ok(),
            authserv_id: config.gate.authserv_id.clone().unwrap_or_else(|| from.domain().clone()),
            dmarc: reports.dmarc,
            tls: TlsReporting::of(config),
        })
    }
}

/// The role. Shared with the gate, which tells it what it judges.
pub struct Reporter {
    settings: ReporterSettings,
    store: Arc<Store>,
    observer: Observer,
    signers: Option<Arc<Signers>>,
    crypto: Arc<AwsLc>,
    dmarc: dmarc::Heard,
    counters: ReportCounters,
    tls_counters: ReportCounters,
    disk: Complaint,
    mail_server: Complaint,
    keys: Complaint,
    /// The name of this installation in report ids.
    node: OnceCell<String>,
}

impl Reporter {
    /// The role, ready to count. Without `signers`, or without keys for the domain of the sender,
    /// letters are not signed here; somebody else has to.
    #[must_use]
    pub fn new(
        settings: ReporterSettings,
        store: Arc<Store>,
        observer: Observer,
        signers: Option<Arc<Signers>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            settings,
            store,
            observer,
            signers,
            crypto: Arc::default(),
            dmarc: dmarc::Heard::default(),
            counters: ReportCounters::default(),
            tls_counters: ReportCounters::default(),
            disk: Complaint::default(),
            mail_server: Complaint::default(),
            keys: Complaint::default(),
            node: OnceCell::new(),
        })
    }

    /// What became of DMARC reports.
    #[must_use]
    pub fn counters(&self) -> &ReportCounters {
        &self.counters
    }

    /// What became of TLS reports.
    #[must_use]
    pub fn tls_counters(&self) -> &ReportCounters {
        &self.tls_counters
    }

    /// Whether the disk takes what is counted; if not, memory holds it as long as there is room.
    #[must_use]
    pub fn disk_is_fine(&self) -> bool {
        !self.disk.is_raised()
    }

    fn complain(&self, error: &StoreError) {
        self.counters.add(ReportCount::StoreFailures, 1);
        self.disk.raise(&format!("reports: the disk does not take what is counted: {error}"));
    }

    /// Works until `stop` says true, and then brings to the disk what was counted. Run it once, as a
    /// task.
    pub async fn run(self: Arc<Self>, clock: Clock, stop: watch::Receiver<bool>) {
        let stopped = || stop.clone();
        let mut asked_to_stop = stop.clone();
        let work = async {
            tokio::join!(
                self.keep_counting(stopped()),
                self.keep_making(clock, stopped()),
                self.keep_delivering(Carrier::Mail, clock, stopped()),
                self.keep_delivering(Carrier::Https, clock, stopped()),
                self.keep_tidy(clock, stopped()),
                self.tell_failures(clock, stopped()),
            );
        };
        tokio::pin!(work);
        tokio::select! {
            () = &mut work => {}
            () = ended(&mut asked_to_stop) => {
                let _ = tokio::time::timeout(GRACE, work).await;
            }
        }
        self.flush().await;
    }

    async fn keep_counting(&self, mut stop: watch::Receiver<bool>) {
        let mut wait = FLUSH;
        while goes_on(&mut stop, wait).await {
            wait = if self.flush().await { FLUSH } else { FLUSH_AGAIN };
        }
    }

    async fn keep_making(&self, clock: Clock, mut stop: watch::Receiver<bool>) {
        self.advise().await;
        loop {
            if let Err(error) = self.make_due(clock.now()).await {
                self.complain(&error);
            }
            if !goes_on(&mut stop, MAKE).await {
                return;
            }
        }
    }

    /// Makes all reports of days that are over at `now`. Returns how many. Days that were made are
    /// closed for good, so it does no harm to call this too often, or with a clock that jumps.
    ///
    /// # Errors
    /// If SQLite cannot read or write. What was made until then stays made.
    pub async fn make_due(&self, now: UnixTime) -> Result<usize, StoreError> {
        let dmarc = self.make_dmarc_due(now).await?;
        Ok(dmarc + self.make_tls_due(now).await?)
    }

    /// Who signs for the domain of the sender. RFC 9990 §3.5.2 wants reports that pass DMARC, and
    /// RFC 8460 §3 wants TLS reports to be ignored that are not signed.
    fn signer(&self, domain: &DomainName) -> Option<Arc<DomainSigner>> {
        let signer = self.signers.as_ref().and_then(|all| all.current().signer(domain).cloned());
        match signer {
            Some(_) => self.keys.clear("reports: they are signed now"),
            None => self.keys.raise(&format!(
                "reports: there is no DKIM key for {domain}, so DMARC reports are not signed here, \
                 and receivers may ignore them; TLS reports are not mailed at all, for receivers \
                 must ignore them then; `waxseal dkim add {domain}` makes keys"
            )),
        }
        signer
    }

    /// The name of this installation: two that report for one organization need two.
    async fn node(&self) -> Result<String, StoreError> {
        let made = async {
            let fresh = new_token().unwrap_or_default().into_bytes();
            let octets = self.store.secret("node", fresh).await?;
            Ok(String::from_utf8_lossy(&octets).chars().take(8).collect())
        };
        self.node.get_or_try_init(|| made).await.cloned()
    }

    /// Tells the operator if reports about our reports are to be expected.
    async fn advise(&self) {
        let domain = self.settings.author.from.domain();
        let mut known = Known::default();
        let found = self.observer.evaluate(&mut known, |known| walk(known, domain)).await;
        let Ok(walk) = found else { return };
        let organization = walk.organizational_domain().ok();
        let record = walk.record_at(domain).or_else(|| walk.record_at(organization.as_ref()?));
        match record {
            Some(record) if record.rua().is_empty() => {}
            Some(_) => tracing::warn!(
                "reports.from: {domain} asks for reports itself, so others will report about our \
                 reports; use a subdomain with a DMARC record of its own without rua"
            ),
            None => tracing::warn!(
                "reports.from: {domain} has no DMARC record, so our reports cannot pass DMARC, as \
                 RFC 9990 wants it"
            ),
        }
    }

    async fn keep_delivering(
        &self,
        carrier: Carrier,
        clock: Clock,
        mut stop: watch::Receiver<bool>,
    ) {
        while goes_on(&mut stop, DELIVER).await {
            if let Err(error) = self.deliver_by(carrier, clock.now()).await {
                self.complain(&error);
            }
        }
    }

    /// Nothing is deleted in the first hour: at boot the machine's clock may be years ahead, until
    /// somebody sets it right.
    async fn keep_tidy(&self, clock: Clock, mut stop: watch::Receiver<bool>) {
        let start = Instant::now();
        while goes_on(&mut stop, TIDY).await {
            if start.elapsed() >= TIDY
                && let Err(error) = self.tidy(clock.now()).await
            {
                self.complain(&error);
            }
        }
    }

    /// Forgets what is old.
    ///
    /// # Errors
    /// If SQLite cannot write.
    pub async fn tidy(&self, now: UnixTime) -> Result<(), StoreError> {
        let before = |span: Duration| UnixTime(now.0.saturating_sub(span.as_secs()));
        let ended = before(self.settings.retention);
        self.store.delete_old_reports(Day::of(ended).number(), ended, before(CONTACT)).await
    }
}

/// Waits; false if the program is to end.
async fn goes_on(stop: &mut watch::Receiver<bool>, pause: Duration) -> bool {
    tokio::time::timeout(pause, ended(stop)).await.is_err()
}

/// Is ready when the program is to end, also if whoever could say so is gone.
async fn ended(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Whether it is not too late to look at the day once more.
fn may_wait(day: u32, now: UnixTime) -> bool {
    now.since(Day::since_epoch(day).end()).as_secs() < WAIT_FOR_DNS
}

/// For spreading only: without randomness nothing is spread.
fn random() -> u16 {
    let mut octets = [0; 2];
    let _ = getrandom::fill(&mut octets);
    u16::from_be_bytes(octets)
}
