//! The role `sender` over real sockets: what it tells about domains in mode testing, and about
//! policies that cannot be had.

use std::sync::Arc;
use std::time::Duration;

use domain::base::iana::Rtype;
use rcgen::SanType;
use smtp_types::NextHop;
use tlsrpt::ResultType;
use tokio::runtime::Handle;
use tokio::sync::mpsc::Receiver;
use tokio::sync::mpsc::error::TryRecvError;
use transport_policy::Settings;

use super::dns_server::{DnsServer, Response, a, mx, txt};
use super::https_server::{Authority, HttpsServer, LOCALHOST_V4, ok};
use super::name;
use super::smtp_server::{Manners, SmtpServer};
use crate::answer::Answers;
use crate::config::OnDeadline;
use crate::observe::{
    Authorities, FetchSettings, MxProbeSettings, MxProber, Observer, PolicyFetcher,
};
use crate::sender::{Clock, Observation, OverrideFile, Sender, SenderSettings};

/// Two domains with one mail host, and the policy host of each.
const DOMAINS: [&str; 2] = ["example.test", "other.test"];
const MX: &str = "mx.example.test";

/// Everything that the role meets, and the role.
struct World {
    _dns: DnsServer,
    web: HttpsServer,
    mail: SmtpServer,
    sender: Arc<Sender>,
    observations: Receiver<Observation>,
}

impl World {
    /// All policy hosts serve `policy`; the mail host has a certificate for `certified`.
    async fn new(policy: &[u8], certified: &str) -> Self {
        let authority = Authority::new();
        let names = |names: &[&str]| {
            let names = names.iter().map(|name| SanType::DnsName((*name).try_into().unwrap()));
            names.collect()
        };
        let web = authority.issue(|params| {
            params.subject_alt_names = names(&["mta-sts.example.test", "mta-sts.other.test"]);
        });
        let web = web.server(rustls::ALL_VERSIONS);
        let web = HttpsServer::start("127.0.0.1:0", web, ok("", policy)).await;
        let mail = authority.issue(|params| params.subject_alt_names = names(&[certified]));
        let mail = SmtpServer::start(mail.server(rustls::ALL_VERSIONS), Manners::GOOD).await;
        let dns = DnsServer::start(|query| {
            let owner = query.name.trim_end_matches('.');
            let records = match query.record_type {
                Rtype::TXT if owner.starts_with("_mta-sts.") => {
                    vec![txt(owner, 60, &["v=STSv1; id=1;"])]
                }
                Rtype::MX if DOMAINS.contains(&owner) => vec![mx(owner, 60, 10, MX)],
                Rtype::A if owner == MX || owner.starts_with("mta-sts.") => {
                    vec![a(owner, 60, LOCALHOST_V4)]
                }
                _ => vec![],
            };
            Some(Response::records(records).to(query))
        })
        .await;

        let resolver = Arc::new(dns.resolver());
        let authorities = Authorities::File(authority.file.path().into());
        let fetch = FetchSettings {
            authorities: authorities.clone(),
            port: web.address.port(),
            allow_private: true,
            ..FetchSettings::default()
        };
        let fetcher = PolicyFetcher::new(Arc::clone(&resolver), fetch).unwrap();
        let probe = MxProbeSettings {
            authorities,
            port: mail.address.port(),
            allow_private: true,
            name: Some(name("mail.example.com")),
            ..MxProbeSettings::default()
        };
        let prober = MxProber::new(Arc::clone(&resolver), probe).unwrap();
        let settings = SenderSettings {
            decision: Settings::default(),
            deadline: Duration::from_secs(30),
            on_deadline: OnDeadline::Defer,
            refresh: Duration::from_secs(86_400),
            cache_entries: 1000,
        };
        let observer = Observer::new(resolver, Arc::new(fetcher));
        let overrides = OverrideFile::none();
        let handle = Handle::current();
        let sender = Sender::new(settings, Clock::System, observer, None, overrides, handle);
        sender.probe_with(prober);
        let observations = sender.observations().unwrap();
        tokio::spawn(Arc::clone(&sender).work());
        Self { _dns: dns, web, mail, sender, observations }
    }

    /// Asks as a mail server does, with nothing fresh in memory.
    async fn ask(&self, domain: &str) {
        self.sender.forget_answers();
        let domain = name(domain);
        self.sender.look_up(NextHop::Domain { domain, port: 25 }).await;
    }

    async fn observation(&mut self) -> Observation {
        self.observations.recv().await.unwrap()
    }
}

const TESTING: &[u8] =
    b"version: STSv1\r\nmode: testing\r\nmx: mx.example.test\r\nmax_age: 86400\r\n";

#[tokio::test]
async fn a_certificate_that_enforcing_would_refuse_is_told() {
    let mut world = World::new(TESTING, "mx.wrong.test").await;
    world.ask("example.test").await;
    let told = world.observation().await;
    assert_eq!(told.policy_domain, name("example.test"));
    assert!(told.policy.unwrap().allows(&name(MX)));
    let mx = told.mx.unwrap();
    assert_eq!((mx.host, mx.helo.as_deref()), (name(MX), Some(MX)));
    assert_eq!(mx.receiving, Some(world.mail.address.ip()));
    assert_eq!(mx.sending, Some(world.mail.address.ip()));
    let failure = told.failure.unwrap();
    assert_eq!(failure.result_type, ResultType::CertificateHostMismatch);
    assert_eq!(failure.reason_code, "certificate-wrong-name");
    assert_eq!(failure.detail, "certificate: made for another name (mx.wrong.test)");

    // Nobody is told twice within the hour, and a domain that shares the host costs no connection.
    world.ask("example.test").await;
    world.ask("other.test").await;
    let told = world.observation().await;
    assert_eq!(told.policy_domain, name("other.test"));
    assert!(told.failure.is_some());
    assert_eq!(world.observations.try_recv(), Err(TryRecvError::Empty));
    let heard = world.mail.heard_of(1).await;
    assert_eq!(heard.connections, 1);
    let ehlo = "EHLO mail.example.com";
    assert_eq!(heard.commands, [ehlo, "STARTTLS", "*EHLO mail.example.com", "*QUIT"]);
    assert_eq!(world.sender.counters().probes.get(), 1);
    assert_eq!(world.sender.counters().testing_failures.get(), 2);
}

#[tokio::test]
async fn a_good_host_is_told_as_a_success() {
    let mut world = World::new(TESTING, MX).await;
    world.ask("example.test").await;
    let told = world.observation().await;
    assert_eq!((told.mx.unwrap().host, told.failure), (name(MX), None));
}

#[tokio::test]
async fn a_host_that_the_policy_does_not_name_is_told_without_a_connection() {
    let policy = b"version: STSv1\r\nmode: testing\r\nmx: mx.other.test\r\nmax_age: 86400\r\n";
    let mut world = World::new(policy, MX).await;
    world.ask("example.test").await;
    let told = world.observation().await;
    let mx = told.mx.unwrap();
    assert_eq!((mx.host, mx.receiving, mx.sending), (name(MX), None, None));
    let failure = told.failure.unwrap();
    assert_eq!(failure.result_type, ResultType::ValidationFailure);
    assert_eq!(failure.reason_code, "mx-not-in-policy");
    world.ask("example.test").await;
    assert_eq!(world.observations.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(world.sender.counters().probes.get(), 0);
}

#[tokio::test]
async fn hosts_of_a_domain_that_enforces_are_left_alone() {
    let policy = b"version: STSv1\r\nmode: enforce\r\nmx: mx.example.test\r\nmax_age: 86400\r\n";
    let mut world = World::new(policy, "mx.wrong.test").await;
    world.ask("example.test").await;
    assert_eq!(world.observations.try_recv(), Err(TryRecvError::Empty));
}

#[tokio::test]
async fn a_policy_that_is_none_is_told_when_it_was_fetched_and_not_again() {
    let mut world = World::new(b"version: STSv1\r\nmode: enforce\r\n", MX).await;
    world.ask("example.test").await;
    let told = world.observations.try_recv().unwrap();
    assert_eq!((told.policy_domain, told.policy), (name("example.test"), None));
    assert_eq!(told.mx, None);
    let failure = told.failure.unwrap();
    assert_eq!(failure.result_type, ResultType::StsPolicyInvalid);
    assert_eq!(failure.reason_code, "policy-invalid");
    // The failure is remembered, and the policy host is left alone.
    world.ask("example.test").await;
    assert_eq!(world.web.requests().len(), 1);
    assert_eq!(world.observations.try_recv(), Err(TryRecvError::Empty));
}
