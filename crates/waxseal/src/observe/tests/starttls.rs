//! What is seen of a mail host, and what it is worth.

use std::sync::Arc;
use std::time::Duration;

use domain::base::iana::Rtype;
use rcgen::{CertificateParams, IsCa, SanType};
use rustls::ServerConfig;
use smtp_dane::{ReferenceIdentifiers, Tlsa};
use smtp_starttls::{Extension, Failure};
use smtp_types::{CertificateFault, UnixTime};
use transport_policy::SessionFailure;

use super::dns_server::{DnsServer, Response, a};
use super::https_server::{Authority, Identity, LOCALHOST_V4, valid_from_to};
use super::name;
use super::smtp_server::{Manners, SmtpServer, Then};
use crate::observe::starttls::{Possession, TlsVersion};
use crate::observe::{Authorities, MxObservation, MxProbeSettings, MxProber, Unseen};

const MX: &str = "mx.example.test";
const NOW: UnixTime = UnixTime(1_800_000_000);

/// A certificate for the host.
fn for_host(params: &mut CertificateParams) {
    for_name(params, MX);
}

fn for_name(params: &mut CertificateParams, name: &str) {
    params.subject_alt_names = vec![SanType::DnsName(name.try_into().unwrap())];
}

fn tls(authority: &Authority, change: impl FnOnce(&mut CertificateParams)) -> ServerConfig {
    authority.issue(change).server(rustls::ALL_VERSIONS)
}

async fn dns() -> DnsServer {
    DnsServer::start(|query| {
        let records = match query.record_type {
            Rtype::A => vec![a(MX, 60, LOCALHOST_V4)],
            _ => vec![],
        };
        Some(Response::records(records).to(query))
    })
    .await
}

fn settings(authority: &Authority, port: u16) -> MxProbeSettings {
    MxProbeSettings {
        authorities: Authorities::File(authority.file.path().into()),
        port,
        allow_private: true,
        name: Some(name("mail.example.com")),
        ..MxProbeSettings::default()
    }
}

/// A probe of one server, and who did it.
async fn probe_with(
    server: &SmtpServer,
    settings: MxProbeSettings,
) -> (MxProber, Result<MxObservation, Unseen>) {
    let dns = dns().await;
    let settings = MxProbeSettings { port: server.address.port(), ..settings };
    let prober = MxProber::new(Arc::new(dns.resolver()), settings).unwrap();
    let seen = prober.probe(&name(MX)).await;
    (prober, seen)
}

/// What enforcing would make of a server with this certificate.
async fn judged(authority: &Authority, tls: ServerConfig) -> Result<(), SessionFailure> {
    let server = SmtpServer::start(tls, Manners::GOOD).await;
    let (prober, seen) = probe_with(&server, settings(authority, 0)).await;
    prober.verify_webpki(&seen.unwrap(), NOW)
}

/// How the dialogue fails with a server of such manners, and what the server hears.
async fn failure(manners: Manners) -> (Failure, Vec<String>) {
    let authority = Authority::new();
    let server = SmtpServer::start(tls(&authority, for_host), manners).await;
    let (prober, seen) = probe_with(&server, settings(&authority, 0)).await;
    let seen = seen.unwrap();
    let Err(SessionFailure::Dialogue(failure)) = prober.verify_webpki(&seen, NOW) else {
        panic!("{:?}", seen.outcome);
    };
    (failure, server.heard_of(1).await.commands)
}

#[tokio::test]
async fn a_good_host_is_seen_and_left_with_quit() {
    let authority = Authority::new();
    for (versions, version) in [
        (&[&rustls::version::TLS12][..], TlsVersion::Tls12),
        (&[&rustls::version::TLS13][..], TlsVersion::Tls13),
    ] {
        let identity = authority.issue(for_host);
        let server = SmtpServer::start(identity.server(versions), Manners::GOOD).await;
        let (prober, seen) = probe_with(&server, settings(&authority, 0)).await;
        let seen = seen.unwrap();
        assert_eq!(prober.verify_webpki(&seen, NOW), Ok(()));
        assert_eq!(seen.address, server.address.ip());
        assert_eq!(seen.local_address, Some(server.address.ip()));
        let in_clear = seen.in_clear.as_ref().unwrap();
        assert_eq!(in_clear.hello.server_name(), Some(MX));

        let tls = seen.outcome.as_ref().unwrap();
        assert_eq!((tls.version, &tls.possession), (version, &Possession::Proved));
        assert_eq!(tls.chain.len(), 1);
        assert!(tls.cipher.starts_with("TLS"), "{}", tls.cipher);
        let capabilities = tls.capabilities.as_ref().unwrap();
        assert!(capabilities.offer(Extension::RequireTls));
        assert!(!capabilities.offer(Extension::Starttls));

        let heard = server.heard_of(1).await;
        let ehlo = "EHLO mail.example.com";
        assert_eq!(heard.commands, [ehlo, "STARTTLS", "*EHLO mail.example.com", "*QUIT"]);
        assert_eq!(heard.names, [MX]);
    }
}

#[tokio::test]
async fn without_a_name_ehlo_has_the_address() {
    let authority = Authority::new();
    let server = SmtpServer::start(tls(&authority, for_host), Manners::GOOD).await;
    let nameless = MxProbeSettings { name: None, ..settings(&authority, 0) };
    let (_, seen) = probe_with(&server, nameless).await;
    assert!(seen.unwrap().outcome.is_ok());
    assert_eq!(server.heard_of(1).await.commands[0], "EHLO [127.0.0.1]");
}

#[tokio::test]
async fn certificates_are_judged_as_the_web_does() {
    let authority = Authority::new();
    assert_eq!(judged(&authority, tls(&authority, for_host)).await, Ok(()));
    let wildcard = tls(&authority, |params| for_name(params, "*.example.test"));
    assert_eq!(judged(&authority, wildcard).await, Ok(()));

    let fault = |judged: Result<(), SessionFailure>| match judged {
        Err(SessionFailure::Certificate(fault)) => fault,
        other => panic!("expected a certificate's fault, found {other:?}"),
    };
    let other_name = tls(&authority, |params| for_name(params, "mx.other.test"));
    let expected = CertificateFault::WrongName { presented: vec!["mx.other.test".into()] };
    assert_eq!(fault(judged(&authority, other_name).await), expected);

    let expired = tls(&authority, |params| {
        for_host(params);
        valid_from_to(params, 2020, 2021);
    });
    assert_eq!(fault(judged(&authority, expired).await), CertificateFault::Expired);

    // Another authority, which only bears the name of the trusted one.
    let impostor = tls(&Authority::new(), for_host);
    let found = fault(judged(&authority, impostor).await);
    assert!(matches!(found, CertificateFault::Other { .. }), "{found:?}");
    let own = Identity::self_signed(IsCa::NoCa).server(rustls::ALL_VERSIONS);
    assert_eq!(fault(judged(&authority, own).await), CertificateFault::UnknownIssuer);
}

#[tokio::test]
async fn tlsa_records_judge_instead_of_authorities() {
    let authority = Authority::new();
    let identity = Identity::self_signed(IsCa::NoCa);
    let server = SmtpServer::start(identity.server(rustls::ALL_VERSIONS), Manners::GOOD).await;
    let (prober, seen) = probe_with(&server, settings(&authority, 0)).await;
    let seen = seen.unwrap();
    let names = ReferenceIdentifiers::new(name(MX));
    let judged = |record: &str| {
        let record = Tlsa::parse_presentation(record).unwrap();
        prober.verify_dane(&seen, &[record], &names, NOW)
    };
    let chain = &seen.outcome.as_ref().unwrap().chain;
    let hex: String = chain[0].iter().map(|octet| format!("{octet:02x}")).collect();
    assert_eq!(judged(&format!("3 0 0 {hex}")).unwrap().depth, 0);
    let other = format!("3 1 1 {}", "00".repeat(32));
    let expected = SessionFailure::Dane(smtp_dane::VerifyError::NoMatch);
    assert_eq!(judged(&other), Err(expected));
}

#[tokio::test]
async fn no_starttls() {
    let ehlo = "250-mx.example.test\r\n250 SIZE\r\n";
    let (found, heard) = failure(Manners { ehlo, ..Manners::GOOD }).await;
    assert_eq!(found.code(), "starttls-not-offered");
    assert_eq!(heard, ["EHLO mail.example.com", "QUIT"]);

    let (found, heard) = failure(Manners { ehlo: "502 No\r\n", ..Manners::GOOD }).await;
    assert_eq!(found.code(), "starttls-not-offered");
    assert_eq!(heard.last().unwrap(), "QUIT");

    let ehlo = "250-mx.example.test\r\n250 XXXXXXXA\r\n";
    let (found, _) = failure(Manners { ehlo, ..Manners::GOOD }).await;
    assert_eq!(found.code(), "starttls-overwritten");
}

#[tokio::test]
async fn starttls_refused() {
    let starttls = "454 4.7.0 TLS not available\r\n";
    let manners = Manners { starttls, then: Then::Commands, ..Manners::GOOD };
    let (found, heard) = failure(manners).await;
    assert_eq!(found.code(), "starttls-refused");
    assert_eq!(heard, ["EHLO mail.example.com", "STARTTLS", "QUIT"]);
}

#[tokio::test]
async fn octets_behind_the_reply_to_starttls() {
    let starttls = "220 Ready\r\n250-mx.example.test\r\n250 AUTH PLAIN\r\n";
    let manners = Manners { starttls, then: Then::Commands, ..Manners::GOOD };
    let (found, heard) = failure(manners).await;
    assert_eq!(found, Failure::Injected { octets: 37 });
    assert_eq!(heard, ["EHLO mail.example.com", "STARTTLS"]);
}

#[tokio::test]
async fn who_wants_no_session_or_speaks_no_smtp() {
    let (found, heard) = failure(Manners { greeting: "554 No\r\n", ..Manners::GOOD }).await;
    assert_eq!(found.code(), "smtp-refused");
    assert_eq!(heard, ["QUIT"]);
    let greeting = "SSH-2.0-OpenSSH_10.0\r\n";
    let (found, heard) = failure(Manners { greeting, ..Manners::GOOD }).await;
    assert_eq!(found.code(), "smtp-malformed");
    assert!(heard.is_empty());
}

#[tokio::test]
async fn a_handshake_that_fails() {
    let authority = Authority::new();
    for then in [Then::Babble, Then::End] {
        let manners = Manners { then, ..Manners::GOOD };
        let server = SmtpServer::start(tls(&authority, for_host), manners).await;
        let (prober, seen) = probe_with(&server, settings(&authority, 0)).await;
        let seen = seen.unwrap();
        assert!(seen.in_clear.is_some());
        let judged = prober.verify_webpki(&seen, NOW);
        assert!(matches!(judged, Err(SessionFailure::Handshake { .. })), "{judged:?}");
    }
}

#[tokio::test]
async fn a_silent_server_runs_into_the_limit() {
    let authority = Authority::new();
    let manners = Manners { greeting: "", ..Manners::GOOD };
    let server = SmtpServer::start(tls(&authority, for_host), manners).await;
    let impatient =
        MxProbeSettings { timeout: Duration::from_millis(100), ..settings(&authority, 0) };
    let (_, seen) = probe_with(&server, impatient).await;
    assert_eq!(seen.unwrap_err(), Unseen::Timeout { seconds: 0 });
}

#[tokio::test]
async fn a_certificate_counts_although_the_server_says_no_more() {
    let authority = Authority::new();
    let manners = Manners { within: "", ..Manners::GOOD };
    let server = SmtpServer::start(tls(&authority, for_host), manners).await;
    let (prober, seen) = probe_with(&server, settings(&authority, 0)).await;
    let seen = seen.unwrap();
    assert_eq!(prober.verify_webpki(&seen, NOW), Ok(()));
    assert!(seen.outcome.unwrap().capabilities.is_err());
}

#[tokio::test]
async fn private_addresses_are_not_connected_to() {
    let authority = Authority::new();
    let server = SmtpServer::start(tls(&authority, for_host), Manners::GOOD).await;
    let strict = MxProbeSettings { allow_private: false, ..settings(&authority, 0) };
    let (_, seen) = probe_with(&server, strict).await;
    let address = server.address.ip();
    assert_eq!(seen.unwrap_err(), Unseen::AddressRefused { address });
}

#[tokio::test]
async fn nobody_there() {
    let authority = Authority::new();
    // Bound, so that nobody else gets the port, and without a listener.
    let nobody = tokio::net::TcpSocket::new_v4().unwrap();
    nobody.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = nobody.local_addr().unwrap().port();
    let dns = dns().await;
    let prober = MxProber::new(Arc::new(dns.resolver()), settings(&authority, port)).unwrap();
    let seen = prober.probe(&name(MX)).await;
    assert!(matches!(seen, Err(Unseen::Unreachable { .. })), "{seen:?}");
}
