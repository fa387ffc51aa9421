//! The proof that the resolver validates, against resolvers that do and that do not.

use std::sync::{Arc, Mutex};

use domain::base::iana::{Rcode, Rtype};
use smtp_types::{Dnssec, RecordType};

use super::dns_server::{DnsServer, Query, Response, a, soa};
use super::question;
use crate::observe::{Disproof, Resolver, ResolverSettings, Trust, Validation};

const BOGUS: [&str; 3] = ["dnssec-failed.org", "rhybar.cz", "brokendnssec.net"];

/// A resolver on the Internet: `signed` is how it gives the SOA records of signed zones.
fn internet(query: &Query, signed: impl Fn(Response) -> Response, validates: bool) -> Response {
    if query.record_type == Rtype::SOA {
        return signed(Response::records(vec![soa(&query.name, 60, 60)]));
    }
    if BOGUS.contains(&query.name.as_str()) && validates && !query.checking_disabled {
        return Response::code(Rcode::SERVFAIL);
    }
    Response::records(vec![a(&query.name, 60, [192, 0, 2, 1])])
}

async fn state(resolver: &Resolver) -> Dnssec {
    let reply = resolver.ask(&question("mx.test", RecordType::A)).await;
    reply.unwrap().dnssec
}

#[tokio::test]
async fn a_validating_resolver_is_proved() {
    let server =
        DnsServer::start(|query| Some(internet(query, Response::secure, true).to(query))).await;
    let resolver = server.resolver();
    assert_eq!(*resolver.validation(), Validation::Unproved);
    assert_eq!(resolver.prove().await, Validation::Proved);
    assert_eq!(*resolver.validation(), Validation::Proved);
    assert_eq!(state(&resolver).await, Dnssec::Insecure);
}

#[tokio::test]
async fn a_resolver_without_ad_for_the_root_is_disproved_and_everything_is_indeterminate() {
    let server =
        DnsServer::start(|query| Some(internet(query, |signed| signed, true).to(query))).await;
    let resolver = server.resolver();
    let why = Disproof::SignedWithoutAd { name: ".".into() };
    assert_eq!(resolver.prove().await, Validation::Disproved { why });
    assert_eq!(state(&resolver).await, Dnssec::Indeterminate);
    assert!(resolver.validation().to_string().contains("DANE is OFF"));
}

#[tokio::test]
async fn a_resolver_that_gives_bogus_names_is_disproved() {
    let server =
        DnsServer::start(|query| Some(internet(query, Response::secure, false).to(query))).await;
    let why = Disproof::BogusAnswered { name: BOGUS[0].into() };
    assert_eq!(server.resolver().prove().await, Validation::Disproved { why });
}

#[tokio::test]
async fn a_private_network_with_a_signed_root_is_plausible() {
    let server = DnsServer::start(|query| {
        Some(match query.record_type {
            Rtype::SOA => internet(query, Response::secure, true).to(query),
            _ => Response::code(Rcode::NXDOMAIN).secure().to(query),
        })
    })
    .await;
    assert_eq!(server.resolver().prove().await, Validation::Plausible);
}

#[tokio::test]
async fn an_own_copy_of_the_root_is_no_disproof() {
    let own = |signed| Response { authoritative: true, ..signed };
    let server = DnsServer::start(move |query| Some(internet(query, own, true).to(query))).await;
    assert_eq!(server.resolver().prove().await, Validation::Unproved);
}

#[tokio::test]
async fn a_resolver_that_answers_no_probe_is_unproved_and_its_ad_believed() {
    let server = DnsServer::start(|query| {
        Some(match query.name.as_str() {
            "mx.test" => Response::records(vec![a("mx.test", 60, [192, 0, 2, 1])]).secure(),
            _ => Response::code(Rcode::REFUSED),
        })
        .map(|response| response.to(query))
    })
    .await;
    let resolver = server.resolver();
    assert_eq!(resolver.prove().await, Validation::Unproved);
    assert_eq!(state(&resolver).await, Dnssec::Secure);
}

#[tokio::test]
async fn a_silent_resolver_is_unproved_in_the_time_of_one_question() {
    let server = DnsServer::start(|_| None).await;
    let start = std::time::Instant::now();
    assert_eq!(server.impatient_resolver().prove().await, Validation::Unproved);
    assert!(start.elapsed().as_millis() < 2000, "{:?}", start.elapsed());
}

#[tokio::test]
async fn an_untrusted_resolver_is_not_asked() {
    let server = DnsServer::start(|_| None).await;
    let resolver = Resolver::new(ResolverSettings { trust: Trust::No, ..server.settings() });
    let address = server.address;
    assert_eq!(resolver.prove().await, Validation::Untrusted { address });
    assert!(server.queries().is_empty());
}

#[tokio::test]
async fn a_proof_is_replaced_by_the_next_one_and_kept_in_silence() {
    #[derive(Clone, Copy)]
    enum Now {
        Validates,
        DoesNot,
        IsSilent,
    }
    let now = Arc::new(Mutex::new(Now::Validates));
    let server = DnsServer::start({
        let now = now.clone();
        move |query| {
            let validates = match *now.lock().unwrap() {
                Now::Validates => true,
                Now::DoesNot => false,
                Now::IsSilent if query.name == "mx.test" => false,
                Now::IsSilent => return Some(Response::code(Rcode::SERVFAIL).to(query)),
            };
            Some(internet(query, Response::secure, validates).to(query))
        }
    })
    .await;
    let resolver = server.resolver();
    assert_eq!(resolver.prove().await, Validation::Proved);
    *now.lock().unwrap() = Now::IsSilent;
    assert_eq!(resolver.prove().await, Validation::Proved);
    *now.lock().unwrap() = Now::DoesNot;
    assert!(!resolver.prove().await.is_believed());
    *now.lock().unwrap() = Now::IsSilent;
    assert!(!resolver.prove().await.is_believed());
    assert_eq!(state(&resolver).await, Dnssec::Indeterminate);
}
