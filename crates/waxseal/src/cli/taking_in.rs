//! The intake of `waxseal serve`: all ways in that are configured, and the desk behind them.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::answer::http;
use crate::config::{Config, HostPort, ImapAfter, ImapTls};
use crate::crypto::AwsLc;
use crate::intake::authenticity::Bringer;
use crate::intake::desk::{Delivery, Desk, DeskParts, DeskSettings, Lack, OnUnknown};
use crate::intake::https::{self, Words};
use crate::intake::imap::{self, After, ImapSettings, Password, Security};
use crate::intake::smtp::{
    self, Dialect, Envelope, Mail, Recipients, Reply, SmtpCounters, SmtpSettings,
};
use crate::intake::{Intake, IntakeSettings, RequireAuthor, Way};
use crate::listen::{ListenAddress, Listener, Role};
use crate::metrics::WatchedIntake;
use crate::observe::{Bounds, Observer, tls_client};
use crate::report::Reporter;
use crate::sender::Clock;
use crate::store::Store;

/// How often what is old is forgotten.
const TIDY: Duration = Duration::from_hours(1);

/// How many octets a mail may have. Large mail providers take in as much.
const MAX_MAIL: usize = 25 * 1024 * 1024;

/// The port of IMAP over TLS (RFC 8314 §7.3), and without.
const IMAPS: u16 = 993;
const IMAP: u16 = 143;

/// The role with all that runs for it.
pub(super) struct TakingIn {
    desk: Arc<Desk>,
    intake: Arc<Intake>,
    smtp: SmtpSettings,
    smtp_counters: Arc<SmtpCounters>,
    words: Option<Words>,
    imap: Option<ImapSettings>,
}

impl TakingIn {
    /// Makes the parts.
    ///
    /// # Errors
    /// All that stands in the way.
    pub(super) fn new(
        config: &Config,
        clock: Clock,
        observer: &Observer,
        store: Arc<Store>,
        reporter: Option<Arc<Reporter>>,
        listeners: &[(Role, ListenAddress)],
    ) -> Result<Self, Vec<String>> {
        let one = |error: &dyn std::fmt::Display| vec![error.to_string()];
        let settings = IntakeSettings::of(config);
        let on_unknown = match settings.require_author {
            RequireAuthor::Yes => OnUnknown::Later,
            RequireAuthor::No | RequireAuthor::Warn => OnUnknown::Take,
        };
        let message = MAX_MAIL.min(settings.limits.input);
        let intake = Arc::new(Intake::new(settings, store));
        let reports_from = config.reports.from.clone();
        let parts = DeskParts {
            intake: Arc::clone(&intake),
            observer: Observer { bounds: Bounds::SENDER_AUTH, ..observer.clone() },
            crypto: Arc::new(AwsLc::new()),
            reporter,
            clock,
        };
        let quota = u64::try_from(config.intake.quota).unwrap_or(u64::MAX);
        let desk_settings = DeskSettings { quota, on_unknown, reports_from };
        let desk = Arc::new(Desk::new(parts, desk_settings));
        let is_mail = |role: Role| matches!(role, Role::Lmtp | Role::Smtp);
        let open = listeners.iter().find(|(role, one)| is_mail(*role) && one.is_open_to_others());
        if let (Some((role, address)), true) = (open, config.intake.recipients.is_empty()) {
            // The configuration was checked; a socket of systemd was not.
            let key = role.key();
            return Err(vec![format!("{key}: {address}: expected intake.recipients, found none")]);
        }
        let words = match listeners.iter().any(|(role, _)| *role == Role::Https) {
            true => Some(Words::open(&config.state_dir).map_err(|error| one(&error))?),
            false => None,
        };
        let imap = match &config.intake.imap {
            Some(server) => Some(imap_settings(config, server, message)?),
            None => None,
        };
        let smtp = smtp_settings(config, message);
        Ok(Self { desk, intake, smtp, smtp_counters: Arc::default(), words, imap })
    }

    /// What of it is shown to those who watch.
    pub(super) fn watched(&self) -> WatchedIntake {
        WatchedIntake {
            intake: Arc::clone(self.desk.counters()),
            smtp: Arc::clone(&self.smtp_counters),
            has_mailbox: self.imap.is_some(),
        }
    }

    /// Runs until `stopped`, and stores what has come.
    pub(super) async fn run(
        self,
        listeners: Vec<(Role, Listener)>,
        stopped: watch::Receiver<bool>,
    ) {
        let Self { desk, intake, smtp, smtp_counters, words, imap } = self;
        let clock = desk.clock();
        let mut running = JoinSet::new();
        let mut mail = Vec::new();
        let mut posts = Vec::new();
        for (role, listener) in listeners {
            match role {
                Role::Lmtp => mail.push((Dialect::Lmtp, listener)),
                Role::Smtp => mail.push((Dialect::Smtp, listener)),
                Role::Https => posts.push(listener),
                Role::Socketmap
                | Role::Http
                | Role::Api
                | Role::Line
                | Role::Milter
                | Role::TlsLines => {}
            }
        }
        if let Some(words) = words {
            let routes = https::routes(Arc::clone(&desk), words);
            for listener in posts {
                running.spawn(http::serve(listener, routes.clone(), stopped.clone()));
            }
        }
        if let Some(settings) = imap {
            running.spawn(imap::watch(settings, Arc::clone(&desk), stopped.clone()));
        }
        running.spawn(tidy(intake, clock, stopped.clone()));
        let store = move |dialect, address, mail| take(Arc::clone(&desk), dialect, address, mail);
        running.spawn(smtp::serve(mail, smtp, smtp_counters, stopped, store));
        while let Some(ended) = running.join_next().await {
            if let Err(fault) = ended {
                tracing::error!(%fault, "intake: a part has ended: a fault of ours");
            }
        }
    }
}

async fn tidy(intake: Arc<Intake>, clock: Clock, mut stopped: watch::Receiver<bool>) {
    while tokio::time::timeout(TIDY, stopped.wait_for(|stop| *stop)).await.is_err() {
        if let Err(error) = intake.forget(clock.now()).await {
            tracing::error!(%error, "intake: what is old cannot be forgotten");
        }
    }
}

/// A mail by SMTP or LMTP. What was taken is on the disk when this returns.
async fn take(desk: Arc<Desk>, dialect: Dialect, address: Option<IpAddr>, mail: Mail) -> Reply {
    let Mail { envelope, octets } = mail;
    let Envelope { hello, sender, recipients, forwarded } = envelope;
    let way = match dialect {
        Dialect::Smtp => Way::Smtp,
        Dialect::Lmtp => Way::Lmtp,
    };
    let bringer = address.or(forwarded.address).map(|address| {
        let hello = forwarded.helo.unwrap_or(hello);
        Bringer { address, hello, sender: sender.clone() }
    });
    let name = String::new();
    let delivery = Delivery { way, name, bringer, about: None, recipients, octets };
    match desk.take(delivery).await {
        Ok(()) => Reply::new(250, "2.0.0 stored"),
        Err(Lack::Quota) => Reply::new(452, "4.7.0 enough for today, try again later"),
        Err(Lack::Busy) => Reply::new(451, "4.3.2 too much is waiting, try again later"),
        Err(Lack::Disk) => Reply::new(451, "4.3.0 cannot be stored now, try again later"),
        Err(Lack::Dns) => Reply::new(451, "4.4.3 author not known now, try again later"),
    }
}

fn smtp_settings(config: &Config, message: usize) -> SmtpSettings {
    let intake = &config.intake;
    let recipients = match intake.recipients.as_slice() {
        [] => Recipients::All,
        listed => {
            Recipients::Listed { intakes: listed.to_vec(), reporter: config.reports.from.clone() }
        }
    };
    let mut settings = SmtpSettings {
        max_connections: intake.max_connections,
        command_timeout: intake.command_timeout,
        message_timeout: intake.message_timeout,
        recipients,
        host: host_name(),
        ..SmtpSettings::default()
    };
    settings.limits.message = message;
    settings
}

/// The name of this machine, as far as it fits into a greeting.
fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let is_name = smtp_types::DomainName::parse(&name).is_ok();
    if is_name { name } else { "localhost".to_owned() }
}

fn imap_settings(
    config: &Config,
    server: &HostPort,
    message: usize,
) -> Result<ImapSettings, Vec<String>> {
    let intake = &config.intake;
    let one = |error: &dyn std::fmt::Display| vec![error.to_string()];
    let path = intake.imap_password_file.clone().unwrap_or_default();
    let password = Password::read(&path).map_err(|error| one(&error))?;
    let (security, port) = match intake.imap_tls {
        ImapTls::Implicit => {
            let tls = tls_client(intake.imap_ca.as_deref())
                .map_err(|error| vec![format!("intake.imap_ca: {error}")])?;
            (Security::Tls(tls), IMAPS)
        }
        ImapTls::None => (Security::None, IMAP),
    };
    Ok(ImapSettings {
        host: server.host.clone(),
        port: server.port.unwrap_or(port),
        security,
        user: intake.imap_user.clone(),
        password,
        folder: intake.imap_folder.clone(),
        after: match intake.imap_after {
            ImapAfter::Flag => After::Flag,
            ImapAfter::Move => After::Move(intake.imap_move_to.clone()),
            ImapAfter::Keep => After::Keep,
        },
        message,
    })
}
