//! Which server is connected to, and whether it is the right one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use domain::base::iana::{Rcode, Rtype};
use rcgen::{BasicConstraints, DnType, IsCa, SanType};
use smtp_types::{CertificateFault, DnsFailure, HttpsFailure, HttpsReply, UnixTime};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::dns_server::{DnsServer, Response, a};
use super::https_server::{
    Authority, HOST, HttpsServer, Identity, LOCALHOST_V4, LOCALHOST_V6, PATH, addresses, fetch,
    fetch_from, ok, settings, valid_from_to,
};
use crate::observe::{Authorities, FetchSettings, FetchSettingsError, PolicyFetcher};

const POLICY: &[u8] = b"version: STSv1\r\nmode: enforce\r\nmx: mx.test\r\nmax_age: 86400\r\n";

fn fault(reply: HttpsReply) -> CertificateFault {
    match reply {
        Err(HttpsFailure::Certificate(fault)) => fault,
        other => panic!("expected a certificate's fault, found {other:?}"),
    }
}

#[tokio::test]
async fn a_good_host_gives_its_policy_with_the_issuer() {
    let authority = Authority::new();
    let tls = authority.issue(|_| {}).server(rustls::ALL_VERSIONS);
    let server = HttpsServer::start("127.0.0.1:0", tls, ok("", POLICY)).await;
    let dns = DnsServer::start(addresses(vec![LOCALHOST_V4], vec![])).await;
    let port = server.address.port();
    let answer = fetch(&dns, settings(&authority, port)).await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.content_type.as_deref(), Some("text/plain"));
    assert_eq!(answer.body, POLICY);
    assert_eq!(answer.issuer.as_deref(), Some("Test Authority"));

    let version = env!("CARGO_PKG_VERSION");
    let expected = format!(
        "SNI {HOST}\r\nGET {PATH} HTTP/1.1\r\nhost: {HOST}:{port}\r\n\
         user-agent: waxseal/{version}\r\nconnection: close\r\n\r\n"
    );
    assert_eq!(server.requests(), [expected]);
}

#[tokio::test]
async fn tls_1_2_only_is_enough() {
    let authority = Authority::new();
    let tls = authority.issue(|_| {}).server(&[&rustls::version::TLS12]);
    let server = HttpsServer::start("127.0.0.1:0", tls, ok("", POLICY)).await;
    let dns = DnsServer::start(addresses(vec![LOCALHOST_V4], vec![])).await;
    let reply = fetch(&dns, settings(&authority, server.address.port())).await;
    assert_eq!(reply.unwrap().body, POLICY);
}

#[tokio::test]
async fn a_host_that_knows_no_tls_1_2_fails_in_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // The alert protocol_version, in a record of TLS 1.0.
            let _ = stream.write_all(b"\x15\x03\x01\x00\x02\x02\x46").await;
        }
    });
    let dns = DnsServer::start(addresses(vec![LOCALHOST_V4], vec![])).await;
    let reply = fetch(&dns, settings(&Authority::new(), port)).await;
    let Err(HttpsFailure::Tls { detail }) = &reply else {
        panic!("{reply:?}");
    };
    assert!(detail.contains("ProtocolVersion"), "{detail}");
}

#[tokio::test]
async fn an_expired_certificate() {
    let authority = Authority::new();
    let identity = authority.issue(|params| valid_from_to(params, 2000, 2001));
    let reply = fetch_from(&authority, &identity, ok("", POLICY), |settings| settings).await;
    assert_eq!(fault(reply), CertificateFault::Expired);
}

#[tokio::test]
async fn an_expired_certificate_was_good_in_its_time() {
    let authority = Authority::new();
    let identity = authority.issue(|params| valid_from_to(params, 2000, 2001));
    let at = |at| move |settings| FetchSettings { at: Some(UnixTime(at)), ..settings };
    let june_2000 = 960_000_000;
    let reply = fetch_from(&authority, &identity, ok("", POLICY), at(june_2000)).await;
    assert_eq!(reply.unwrap().body, POLICY);
    let year_1999 = 930_000_000;
    let reply = fetch_from(&authority, &identity, ok("", POLICY), at(year_1999)).await;
    assert_eq!(fault(reply), CertificateFault::NotYetValid);
}

#[tokio::test]
async fn a_certificate_that_is_not_valid_yet() {
    let authority = Authority::new();
    let identity = authority.issue(|params| valid_from_to(params, 2900, 3000));
    let reply = fetch_from(&authority, &identity, ok("", POLICY), |settings| settings).await;
    assert_eq!(fault(reply), CertificateFault::NotYetValid);
}

#[tokio::test]
async fn a_certificate_for_another_name_shows_its_names() {
    let authority = Authority::new();
    let identity = authority.issue(|params| {
        params.subject_alt_names = ["www.example.test", "example.test"]
            .map(|name| SanType::DnsName(name.try_into().unwrap()))
            .into();
    });
    let reply = fetch_from(&authority, &identity, ok("", POLICY), |settings| settings).await;
    let presented = vec!["www.example.test".into(), "example.test".into()];
    assert_eq!(fault(reply), CertificateFault::WrongName { presented });
}

#[tokio::test]
async fn a_certificate_with_the_name_as_common_name_only() {
    let authority = Authority::new();
    let identity = authority.issue(|params| {
        params.subject_alt_names.clear();
        params.distinguished_name.push(DnType::CommonName, HOST);
    });
    let reply = fetch_from(&authority, &identity, ok("", POLICY), |settings| settings).await;
    let presented = Vec::new();
    assert_eq!(fault(reply), CertificateFault::WrongName { presented });
}

#[tokio::test]
async fn a_certificate_for_the_address_only() {
    let authority = Authority::new();
    let identity = authority.issue(|params| {
        params.subject_alt_names = vec![SanType::IpAddress(LOCALHOST_V4.into())];
    });
    let reply = fetch_from(&authority, &identity, ok("", POLICY), |settings| settings).await;
    let CertificateFault::WrongName { presented } = fault(reply) else {
        panic!("expected a wrong name");
    };
    assert_eq!(presented, ["IpAddress(127.0.0.1)"]);
}

fn with_names(authority: &Authority, names: &[&str]) -> Identity {
    let names = names.iter().map(|name| SanType::DnsName((*name).try_into().unwrap()));
    authority.issue(|params| params.subject_alt_names = names.collect())
}

#[tokio::test]
async fn a_wildcard_covers_one_label_unless_it_is_refused() {
    let authority = Authority::new();
    let refuse = |settings| FetchSettings { refuse_wildcard: true, ..settings };
    let wildcard = with_names(&authority, &["*.example.test"]);
    let reply = fetch_from(&authority, &wildcard, ok("", POLICY), |settings| settings).await;
    assert_eq!(reply.unwrap().body, POLICY);
    let reply = fetch_from(&authority, &wildcard, ok("", POLICY), refuse).await;
    assert_eq!(fault(reply), CertificateFault::Wildcard);

    let both = with_names(&authority, &["*.example.test", "MTA-STS.Example.Test"]);
    let reply = fetch_from(&authority, &both, ok("", POLICY), refuse).await;
    assert_eq!(reply.unwrap().body, POLICY);

    let two_labels = with_names(&authority, &["*.test"]);
    let reply = fetch_from(&authority, &two_labels, ok("", POLICY), refuse).await;
    let presented = vec!["*.test".into()];
    assert_eq!(fault(reply), CertificateFault::WrongName { presented });
}

#[tokio::test]
async fn self_signed_certificates() {
    let authority = Authority::new();
    // As rcgen makes them, and as OpenSSL does.
    for is_ca in [IsCa::NoCa, IsCa::Ca(BasicConstraints::Unconstrained)] {
        let identity = Identity::self_signed(is_ca);
        let reply = fetch_from(&authority, &identity, ok("", POLICY), |settings| settings).await;
        assert_eq!(fault(reply), CertificateFault::UnknownIssuer);
    }
}

#[tokio::test]
async fn an_authority_that_is_not_trusted() {
    let authority = Authority::new();
    let identity = authority.issue(|_| {});
    let system = |settings| FetchSettings { authorities: Authorities::System, ..settings };
    let reply = fetch_from(&authority, &identity, ok("", POLICY), system).await;
    assert_eq!(fault(reply), CertificateFault::UnknownIssuer);
}

#[tokio::test]
async fn an_authority_that_has_the_name_of_a_trusted_one() {
    let identity = Authority::new().issue(|_| {});
    let reply = fetch_from(&Authority::new(), &identity, ok("", POLICY), |same| same).await;
    let detail = "a signature does not fit the key of its alleged issuer".into();
    assert_eq!(fault(reply), CertificateFault::Other { detail });
}

#[tokio::test]
async fn a_private_address_is_refused() {
    let dns = DnsServer::start(addresses(vec![[10, 0, 0, 1]], vec![LOCALHOST_V6])).await;
    let authority = Authority::new();
    let settings = FetchSettings { allow_private: false, ..settings(&authority, 443) };
    let address = LOCALHOST_V6.into();
    let expected = Err(HttpsFailure::AddressRefused { address });
    assert_eq!(fetch(&dns, settings).await, expected);
}

#[tokio::test]
async fn the_checked_address_is_the_one_connected_to() {
    let authority = Authority::new();
    let tls = authority.issue(|_| {}).server(rustls::ALL_VERSIONS);
    let server = HttpsServer::start("127.0.0.1:0", tls, ok("", POLICY)).await;
    // The first question for A is answered with the server, any later one with another address.
    let asked = AtomicBool::new(false);
    let dns = DnsServer::start(move |query| {
        let address = match query.record_type {
            Rtype::A if !asked.swap(true, Ordering::SeqCst) => vec![a(HOST, 0, LOCALHOST_V4)],
            Rtype::A => vec![a(HOST, 0, [127, 0, 0, 2])],
            _ => vec![],
        };
        Some(Response::records(address).to(query))
    })
    .await;
    let reply = fetch(&dns, settings(&authority, server.address.port())).await;
    assert_eq!(reply.unwrap().body, POLICY);
    assert_eq!(dns.queries().len(), 2); // AAAA and A, once each
}

#[tokio::test]
async fn one_family_that_is_broken_does_not_stop_the_other() {
    let authority = Authority::new();
    for at in ["127.0.0.1:0", "[::1]:0"] {
        let tls = authority.issue(|_| {}).server(rustls::ALL_VERSIONS);
        let server = HttpsServer::start(at, tls, ok("", POLICY)).await;
        let dns = DnsServer::start(addresses(vec![LOCALHOST_V4], vec![LOCALHOST_V6])).await;
        let reply = fetch(&dns, settings(&authority, server.address.port())).await;
        assert_eq!(reply.unwrap().body, POLICY, "{at}");
    }
}

#[tokio::test]
async fn a_family_whose_look_up_fails_does_not_stop_the_other() {
    let authority = Authority::new();
    let tls = authority.issue(|_| {}).server(rustls::ALL_VERSIONS);
    let server = HttpsServer::start("[::1]:0", tls, ok("", POLICY)).await;
    let v6 = addresses(vec![], vec![LOCALHOST_V6]);
    let dns = DnsServer::start(move |query| match query.record_type {
        Rtype::A => Some(Response::code(Rcode::SERVFAIL).to(query)),
        _ => v6(query),
    })
    .await;
    let reply = fetch(&dns, settings(&authority, server.address.port())).await;
    assert_eq!(reply.unwrap().body, POLICY);
}

#[tokio::test]
async fn an_address_that_accepts_and_keeps_silent_costs_a_moment() {
    let authority = Authority::new();
    let tls = authority.issue(|_| {}).server(rustls::ALL_VERSIONS);
    let server = HttpsServer::start("127.0.0.1:0", tls, ok("", POLICY)).await;
    let port = server.address.port();
    let silent = TcpListener::bind(("::1", port)).await.unwrap();
    let dns = DnsServer::start(addresses(vec![LOCALHOST_V4], vec![LOCALHOST_V6])).await;
    let start = Instant::now();
    let reply = fetch(&dns, settings(&authority, port)).await;
    assert_eq!(reply.unwrap().body, POLICY);
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    drop(silent);
}

#[tokio::test]
async fn an_address_with_a_wrong_certificate_does_not_stop_a_good_one() {
    let authority = Authority::new();
    let good = authority.issue(|_| {}).server(rustls::ALL_VERSIONS);
    let good = HttpsServer::start("127.0.0.1:0", good, ok("", POLICY)).await;
    let port = good.address.port();
    let wrong = Identity::self_signed(IsCa::NoCa).server(rustls::ALL_VERSIONS);
    let wrong = HttpsServer::start(&format!("[::1]:{port}"), wrong, ok("", b"forged")).await;
    let dns = DnsServer::start(addresses(vec![LOCALHOST_V4], vec![LOCALHOST_V6])).await;
    let reply = fetch(&dns, settings(&authority, port)).await;
    assert_eq!(reply.unwrap().body, POLICY);
    assert!(wrong.requests().is_empty());

    // When all fail, the certificate is told and not the connection that was refused.
    drop(good);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let reply = fetch(&dns, settings(&authority, port)).await;
    assert_eq!(fault(reply), CertificateFault::UnknownIssuer);
}

#[tokio::test]
async fn nobody_at_the_port_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let dns = DnsServer::start(addresses(vec![LOCALHOST_V4], vec![])).await;
    let reply = fetch(&dns, settings(&Authority::new(), port)).await;
    assert!(matches!(reply, Err(HttpsFailure::Unreachable { .. })), "{reply:?}");
}

#[tokio::test]
async fn no_address_and_failing_look_ups() {
    let authority = Authority::new();
    let dns = DnsServer::start(addresses(vec![], vec![])).await;
    let reply = fetch(&dns, settings(&authority, 443)).await;
    assert_eq!(reply, Err(HttpsFailure::NoAddress));

    let dns = DnsServer::start(|query| {
        let response = match query.record_type {
            Rtype::A => Response::records(vec![]),
            _ => Response::code(Rcode::SERVFAIL),
        };
        Some(response.to(query))
    })
    .await;
    let reply = fetch(&dns, settings(&authority, 443)).await;
    let temporary = matches!(reply, Err(HttpsFailure::Dns(DnsFailure::Temporary { .. })));
    assert!(temporary, "{reply:?}");
}

#[tokio::test]
async fn files_of_authorities_that_are_none() {
    let dns = DnsServer::start(|_| None).await;
    let error = |path: &std::path::Path| {
        let settings = FetchSettings {
            authorities: Authorities::File(path.into()),
            ..FetchSettings::default()
        };
        match PolicyFetcher::new(dns.resolver().into(), settings) {
            Ok(_) => panic!("expected an error"),
            Err(error) => error,
        }
    };
    let missing = error(std::path::Path::new("/nonexistent/ca.pem"));
    assert!(matches!(missing, FetchSettingsError::Read { .. }));
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(error(file.path()).to_string().ends_with("expected PEM certificates, found none"));
    let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    std::fs::write(file.path(), pem).unwrap();
    assert!(error(file.path()).to_string().contains("certificate 1: "));
}
