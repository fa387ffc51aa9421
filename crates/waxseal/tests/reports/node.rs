//! One installation: a store, a reporter, keys, and mail that comes in.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use sender_auth::dkim::Reason as DkimReason;
use sender_auth::dmarc::{DmarcResult, Policy};
use sender_auth::report::guard::{Client, Outcome};
use sender_auth::report::{Looks, Permit, Profile, Schema, Text};
use sender_auth::{Authentication, Header, HeaderLimits, Incoming, MessageReader, Part, spf};
use smtp_types::{DomainName, EmailAddress, Known, UnixTime};
use tempfile::TempDir;
use waxseal::config::Config;
use waxseal::crypto::AwsLc;
use waxseal::gate::decide::{Action, Asked, Decision, Reason};
use waxseal::keys::{
    DnsObservation, FreshKeys, KeyStore, Rules, SelectorPrefix, Signers, Subdomains, Target,
    record_text,
};
use waxseal::observe::{
    Bounds, FetchSettings, Observer, PolicyFetcher, Resolver, ResolverSettings,
};
use waxseal::report::{Judged, ReportCount, Reporter, ReporterSettings};
use waxseal::store::{ReportView, Store};

use crate::dns::Dns;
use crate::mail_server::MailServer;

/// 2027-01-15 08:00:00 UTC.
pub(crate) const NOW: UnixTime = UnixTime(1_800_000_000);
pub(crate) const MINUTE: u64 = 60;
pub(crate) const HOUR: u64 = 60 * MINUTE;
pub(crate) const DAY: u64 = 24 * HOUR;

pub(crate) fn at(seconds: u64) -> UnixTime {
    UnixTime(NOW.0 + seconds)
}

pub(crate) fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

/// One installation.
pub(crate) struct Node {
    pub(crate) folder: TempDir,
    pub(crate) mail_server: MailServer,
    pub(crate) observer: Observer,
    pub(crate) settings: ReporterSettings,
    pub(crate) store: Arc<Store>,
    pub(crate) reporter: Arc<Reporter>,
    signers: Arc<Signers>,
}

/// A message that comes in.
pub(crate) struct Mail<'m> {
    pub(crate) at: UnixTime,
    pub(crate) address: &'m str,
    pub(crate) mail_from: &'m str,
    pub(crate) to: &'m str,
    pub(crate) message: &'m [u8],
    pub(crate) outcome: Outcome,
}

impl<'m> Mail<'m> {
    /// From 192.0.2.1, accepted unless DMARC says otherwise.
    pub(crate) fn new(at: UnixTime, mail_from: &'m str, message: &'m [u8]) -> Self {
        let (address, to, outcome) = ("192.0.2.1", "jane@us.test", Outcome::Accepted);
        Self { at, address, mail_from, to, message, outcome }
    }
}

/// An ordinary message of somebody at this domain.
pub(crate) fn message(domain: &str) -> Vec<u8> {
    format!("From: <joe@{domain}>\r\nTo: <jane@us.test>\r\nSubject: hello\r\n\r\nHello!\r\n").into()
}

impl Node {
    /// An installation that reports as `dmarc@DOMAIN`, with keys that the DNS shows.
    pub(crate) fn new(domain: &str, dns: &Dns) -> Self {
        Self::with(domain, dns, |_| {})
    }

    pub(crate) fn with(
        domain: &str,
        dns: &Dns,
        change: impl FnOnce(&mut ReporterSettings),
    ) -> Self {
        Self::on_the_web(domain, dns, FetchSettings::default(), change)
    }

    /// The same with these settings for web servers.
    pub(crate) fn on_the_web(
        domain: &str,
        dns: &Dns,
        fetch: FetchSettings,
        change: impl FnOnce(&mut ReporterSettings),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mail_server = MailServer::start();
        publish_keys(folder.path(), domain, dns);
        dns.say(&[&format!("_dmarc.{domain} TXT v=DMARC1; p=reject")]);
        let observer = observer(dns, fetch);
        let mut config = Config::default();
        config.reports.from = Some(EmailAddress::parse(&format!("dmarc@{domain}")).unwrap());
        config.reports.organization = Some(Text::parse("Example <&> Receiver").unwrap());
        config.reports.submit = mail_server.address;
        let mut settings = ReporterSettings::of(&config).unwrap();
        change(&mut settings);
        let signers = Arc::new(Signers::open(folder.path(), Subdomains::Parent).unwrap());
        let store = Arc::new(Store::open(folder.path()).unwrap().0);
        let reporter = Reporter::new(
            settings.clone(),
            Arc::clone(&store),
            observer.clone(),
            Some(Arc::clone(&signers)),
        );
        Self { folder, mail_server, observer, settings, store, reporter, signers }
    }

    /// The program dies and begins again, on the same disk.
    pub(crate) fn restart(self) -> Self {
        let Self { folder, mail_server, observer, settings, store, reporter, signers } = self;
        drop((store, reporter));
        let store = Arc::new(Store::open(folder.path()).unwrap().0);
        let shared = (Arc::clone(&store), observer.clone(), Some(Arc::clone(&signers)));
        let reporter = Reporter::new(settings.clone(), shared.0, shared.1, shared.2);
        Self { folder, mail_server, observer, settings, store, reporter, signers }
    }

    /// Another process on the same store.
    pub(crate) fn twin(&self) -> Arc<Reporter> {
        let signers = Some(Arc::clone(&self.signers));
        let observer = self.observer.clone();
        Reporter::new(self.settings.clone(), Arc::clone(&self.store), observer, signers)
    }

    /// A message comes in and is judged.
    pub(crate) async fn receive(&self, mail: Mail<'_>) -> Authentication {
        let address = mail.address.parse().unwrap();
        let (header, authentication) = authenticate(&self.observer, &mail, address).await;
        let decision = decision(&authentication);
        self.reporter.observe(&Judged {
            at: mail.at,
            address,
            client: Client::Other,
            mail_from: mail.mail_from.as_bytes(),
            recipients: &[mail.to.as_bytes()],
            header: &header,
            authentication: &authentication,
            looks: &Looks::Direct,
            decision: &decision,
            outcome: match decision.action {
                Action::Reject if mail.outcome == Outcome::Accepted => Outcome::Refused,
                _ => mail.outcome,
            },
        });
        authentication
    }

    /// Several messages of a domain that all pass, from 192.0.2.1.
    pub(crate) async fn receive_good(&self, at: UnixTime, domain: &str, count: usize) {
        let (from, message) = (format!("joe@{domain}"), message(domain));
        for _ in 0..count {
            let got = self.receive(Mail::new(at, &from, &message)).await;
            assert_eq!(got.dmarc.result, DmarcResult::Pass, "{domain}: {:?}", got.dmarc);
        }
        assert!(self.reporter.flush().await);
    }

    /// What the day of `at` brought is reported early on the next day: how many reports.
    pub(crate) async fn end_day(&self, at: UnixTime) -> usize {
        assert!(self.reporter.flush().await);
        self.reporter.make_due(morning_after(at)).await.unwrap()
    }

    /// All letters with their states, the oldest first.
    pub(crate) fn letters(&self) -> Vec<(String, String)> {
        let letters = self.view().letters(None, 1000).unwrap();
        letters.into_iter().rev().map(|one| (one.recipient, one.state)).collect()
    }

    pub(crate) fn view(&self) -> ReportView {
        ReportView::open(self.folder.path()).unwrap().unwrap()
    }

    pub(crate) fn count(&self, count: ReportCount) -> u64 {
        self.reporter.counters().get(count)
    }
}

/// Ten minutes into the next day.
pub(crate) fn morning_after(at: UnixTime) -> UnixTime {
    UnixTime((at.0 / DAY + 1) * DAY + 10 * MINUTE)
}

/// A domain whose mail passes by SPF from 192.0.2.1, with this record.
pub(crate) fn publish(dns: &Dns, domain: &str, record: &str) {
    dns.say(&[
        &format!("{domain} TXT v=spf1 ip4:192.0.2.1 -all"),
        &format!("{domain} A 192.0.2.1"),
        &format!("_dmarc.{domain} TXT {record}"),
    ]);
}

fn publish_keys(folder: &Path, domain: &str, dns: &Dns) {
    let keys = KeyStore::new(folder);
    let domain = name(domain);
    let fresh = FreshKeys::generate().unwrap();
    let prefix = SelectorPrefix::default();
    keys.announce(&domain, Target::NewDomain, fresh, &prefix, NOW).unwrap();
    let made = keys.read(&domain).unwrap().unwrap();
    let shown: BTreeMap<_, _> =
        made.keys().map(|(key, _)| (key.selector.clone(), DnsObservation::Matches)).collect();
    let visit = keys.visit(&domain, &shown.into_iter().collect(), NOW, &Rules::default());
    for (key, _) in visit.unwrap().unwrap().keys.keys() {
        let text = record_text(&key.public);
        dns.say(&[&format!("{}._domainkey.{domain} TXT {text}", key.selector)]);
    }
}

fn observer(dns: &Dns, fetch: FetchSettings) -> Observer {
    let resolver = Arc::new(Resolver::new(ResolverSettings {
        address: dns.address,
        timeout: Duration::from_secs(5),
        ..ResolverSettings::default()
    }));
    let fetcher = PolicyFetcher::new(Arc::clone(&resolver), fetch).unwrap();
    let mut observer = Observer::new(resolver, Arc::new(fetcher));
    observer.bounds = Bounds::SENDER_AUTH;
    observer
}

/// Header and body of a message.
pub(crate) fn cut(message: &[u8]) -> (Header, Vec<u8>) {
    let mut reader = MessageReader::new(HeaderLimits::default());
    let mut parts = reader.push(message).unwrap();
    parts.extend(reader.finish().unwrap());
    let mut parts = parts.into_iter();
    let Some(Part::Header(header)) = parts.next() else { panic!("no header") };
    let body = parts.flat_map(|part| match part {
        Part::Body(octets) => octets,
        Part::Header(_) => panic!("two headers"),
    });
    (header, body.collect())
}

pub(crate) async fn authenticate(
    observer: &Observer,
    mail: &Mail<'_>,
    address: IpAddr,
) -> (Header, Authentication) {
    let crypto = AwsLc::new();
    let limits = sender_auth::Limits::default();
    let (header, body) = cut(mail.message);
    let mut incoming = Incoming::new(&header, &crypto, &limits);
    incoming.push(&body);
    let received = incoming.finish();
    let client = spf::Client { ip: address, helo: "client.test", mail_from: mail.mail_from };
    let receiver = spf::Receiver { host_name: "mx.us.test", now: mail.at };
    let mut known = Known::default();
    let evaluated = observer.evaluate(&mut known, |known| {
        received.evaluate(known, &crypto, Some(client), &receiver, &limits)
    });
    (header, evaluated.await.unwrap())
}

/// As the gate decides by default.
fn decision(authentication: &Authentication) -> Decision {
    let (action, reason) = match (authentication.dmarc.result, authentication.dmarc.disposition()) {
        (DmarcResult::Pass, _) => (Action::Accept, Reason::Passed),
        (DmarcResult::Temperror, _) => (Action::Defer, Reason::Temperror),
        (DmarcResult::Fail, Policy::Reject) => (Action::Reject, Reason::Asked(Asked::Reject)),
        (DmarcResult::Fail, Policy::Quarantine) => {
            (Action::Quarantine, Reason::Asked(Asked::Quarantine))
        }
        (DmarcResult::Fail, Policy::None) => (Action::Accept, Reason::Asked(Asked::Nothing)),
        (DmarcResult::None | DmarcResult::Permerror, _) => (Action::Accept, Reason::NoPolicy),
    };
    Decision { action, reason }
}

/// The XML in a report mail.
pub(crate) fn xml_of(mail: &[u8]) -> String {
    let (_, body) = cut(mail);
    let body = String::from_utf8(body).unwrap();
    let (_, attached) = body.split_once("filename=").unwrap();
    let (_, base64) = attached.split_once("\r\n\r\n").unwrap();
    let base64: String = base64.lines().take_while(|line| !line.starts_with("--")).collect();
    let mut xml = String::new();
    GzDecoder::new(&*STANDARD.decode(base64).unwrap()).read_to_string(&mut xml).unwrap();
    xml
}

/// Which of the signatures of a message hold: `d=` and the key type.
pub(crate) fn signatures(authentication: &Authentication) -> Vec<(String, bool)> {
    let signatures = authentication.dkim.iter();
    let holds = |reason: &DkimReason| matches!(reason, DkimReason::Verified);
    signatures.map(|one| (one.domain.as_ref().unwrap().to_string(), holds(&one.reason))).collect()
}

/// With the permit for failure reports.
pub(crate) fn permitted(settings: &mut ReporterSettings) {
    let notice = Text::parse("contract with the owners of the domains").unwrap();
    settings.permit = Some(Permit::grant(Profile::Own, Some(&notice)).unwrap());
}

pub(crate) fn old_schema(settings: &mut ReporterSettings) {
    settings.author.schema = Schema::Rfc7489;
}
