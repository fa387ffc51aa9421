//! Questions to a resolver: what comes back becomes the right value, whatever it is.
//!
//! Longer than other files: one place for everything that a resolver can say.

use std::time::{Duration, Instant};

use bytes::Bytes;
use domain::base::iana::{Rcode, Rtype};
use domain::base::{Message, MessageBuilder, Name};
use proptest::prelude::{any, proptest};
use smtp_types::{DnsFailure, DnsName, Dnssec, Mx, RecordData, RecordType, TlsaRdata};

use super::dns_server::{DnsServer, Response, a, cname, mx, record, soa, txt};
use super::{name, question};
use crate::observe::dns_answer::read_answer;
use crate::observe::extended_error::ExtendedErrors;
use crate::observe::{Resolver, ResolverSettings, Trust};

fn temporary(reply: Result<smtp_types::DnsAnswer, DnsFailure>) -> String {
    match reply {
        Err(DnsFailure::Temporary { detail }) => detail,
        other => panic!("expected a temporary failure, found {other:?}"),
    }
}

fn bogus(reply: Result<smtp_types::DnsAnswer, DnsFailure>) -> String {
    match reply {
        Err(DnsFailure::Bogus { detail }) => detail,
        other => panic!("expected bogus, found {other:?}"),
    }
}

#[tokio::test]
async fn the_query_asks_for_recursion_and_for_the_ad_bit_with_edns() {
    let server = DnsServer::always(Response::records(vec![])).await;
    let _ = server.resolver().ask(&question("mx.test", RecordType::Tlsa)).await;
    let query = &server.queries()[0];
    assert_eq!((query.name.as_str(), query.record_type), ("mx.test", Rtype::TLSA));
    assert!(query.recursion_desired && query.authentic_data && !query.checking_disabled);
    assert_eq!(query.udp_payload_size, Some(1232));
    assert!(!query.tcp);
}

#[tokio::test]
async fn ad_is_secure_and_no_ad_is_insecure() {
    let response = Response::records(vec![a("mx.test", 300, [192, 0, 2, 1])]);
    let server = DnsServer::always(response.clone().secure()).await;
    let answer = server.resolver().ask(&question("mx.test", RecordType::A)).await.unwrap();
    assert_eq!(answer.dnssec, Dnssec::Secure);
    assert_eq!(answer.records, [RecordData::Address([192, 0, 2, 1].into())]);
    assert_eq!((answer.ttl, answer.name_exists), (300, true));
    assert_eq!(answer.canonical_name, name("mx.test"));

    let server = DnsServer::always(response).await;
    let answer = server.resolver().ask(&question("mx.test", RecordType::A)).await.unwrap();
    assert_eq!(answer.dnssec, Dnssec::Insecure);
}

#[tokio::test]
async fn ad_of_an_untrusted_resolver_is_indeterminate() {
    let response = Response::records(vec![a("mx.test", 300, [192, 0, 2, 1])]).secure();
    let server = DnsServer::always(response).await;
    let resolver = Resolver::new(ResolverSettings { trust: Trust::No, ..server.settings() });
    let answer = resolver.ask(&question("mx.test", RecordType::A)).await.unwrap();
    assert_eq!(answer.dnssec, Dnssec::Indeterminate);
}

#[tokio::test]
async fn truncation_over_udp_is_followed_by_tcp() {
    let server = DnsServer::start(|query| {
        let records = vec![txt("big.test", 60, &["over TCP"])];
        let response = Response::records(records).secure();
        Some(match query.tcp {
            true => response.to(query),
            false => Response { truncated: true, ..Response::records(vec![]) }.to(query),
        })
    })
    .await;
    let answer = server.resolver().ask(&question("big.test", RecordType::Txt)).await.unwrap();
    assert_eq!(answer.txt().collect::<Vec<_>>(), [b"over TCP"]);
    assert_eq!(answer.dnssec, Dnssec::Secure);
    assert!(server.queries()[1].tcp && server.queries()[1].udp_payload_size == Some(1232));
}

#[tokio::test]
async fn truncation_and_silence_over_tcp_is_temporary() {
    let server = DnsServer::start(|query| {
        let truncated = Response { truncated: true, ..Response::records(vec![]) };
        (!query.tcp).then(|| truncated.to(query))
    })
    .await;
    let reply = server.impatient_resolver().ask(&question("big.test", RecordType::Txt)).await;
    assert!(temporary(reply).ends_with("silence over TCP"));
}

#[tokio::test]
async fn truncation_over_tcp_too_is_temporary() {
    let server = DnsServer::always(Response { truncated: true, ..Response::records(vec![]) }).await;
    let reply = server.resolver().ask(&question("big.test", RecordType::Txt)).await;
    assert!(temporary(reply).ends_with("response over TCP is truncated"));
}

#[tokio::test]
async fn servfail_with_the_extended_error_6_is_bogus() {
    let server = DnsServer::always(Response {
        extended_error: Some((6, "no key\nmatches")),
        ..Response::code(Rcode::SERVFAIL)
    })
    .await;
    let detail = bogus(server.resolver().ask(&question("bogus.test", RecordType::Mx)).await);
    let expected = "SERVFAIL, extended error 6 (DNSSEC bogus): \"no key\u{fffd}matches\"";
    assert_eq!(detail, expected);
    assert_eq!(server.queries().len(), 1);
}

#[tokio::test]
async fn servfail_with_an_answer_when_checking_is_disabled_is_bogus() {
    let server = DnsServer::start(|query| {
        Some(match query.checking_disabled {
            true => Response::records(vec![a("bogus.test", 60, [192, 0, 2, 1])]).to(query),
            false => Response::code(Rcode::SERVFAIL).to(query),
        })
    })
    .await;
    let detail = bogus(server.resolver().ask(&question("bogus.test", RecordType::A)).await);
    assert_eq!(detail, "SERVFAIL, and an answer when checking is disabled (CD=1)");
}

#[tokio::test]
async fn servfail_with_a_denial_when_checking_is_disabled_is_bogus() {
    let server = DnsServer::start(|query| {
        Some(match query.checking_disabled {
            true => Response::code(Rcode::NXDOMAIN).to(query),
            false => Response::code(Rcode::SERVFAIL).to(query),
        })
    })
    .await;
    bogus(server.resolver().ask(&question("bogus.test", RecordType::A)).await);
}

#[tokio::test]
async fn servfail_with_and_without_checking_is_temporary() {
    let server = DnsServer::always(Response::code(Rcode::SERVFAIL)).await;
    let reply = server.resolver().ask(&question("lame.test", RecordType::A)).await;
    assert_eq!(temporary(reply), "SERVFAIL");
    assert_eq!(server.queries().len(), 2);
}

#[tokio::test]
async fn servfail_for_unreachable_servers_is_temporary() {
    let server = DnsServer::always(Response {
        extended_error: Some((22, "")),
        ..Response::code(Rcode::SERVFAIL)
    })
    .await;
    let reply = server.resolver().ask(&question("lame.test", RecordType::A)).await;
    assert_eq!(temporary(reply), "SERVFAIL, extended error 22 (no reachable authority)");
    assert_eq!(server.queries().len(), 1);
}

#[tokio::test]
async fn refused_and_not_implemented_are_permanent() {
    for code in [Rcode::REFUSED, Rcode::NOTIMP, Rcode::FORMERR] {
        let server = DnsServer::always(Response::code(code)).await;
        let reply = server.resolver().ask(&question("x.test", RecordType::A)).await;
        let Err(DnsFailure::Permanent { detail }) = reply else {
            panic!("{code}: {reply:?}");
        };
        assert_eq!(detail, format!("resolver {}: {code}", server.address));
    }
}

#[tokio::test]
async fn a_silent_resolver_costs_its_tries_and_is_temporary() {
    let server = DnsServer::start(|_| None).await;
    let start = Instant::now();
    let reply = server.impatient_resolver().ask(&question("x.test", RecordType::A)).await;
    assert!(temporary(reply).ends_with("no answer in 2 tries of 0.2 s"));
    assert!(start.elapsed() >= Duration::from_millis(400));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    let [first, second] = &server.queries()[..] else {
        panic!("expected two queries");
    };
    assert_ne!(first.message.header().id(), second.message.header().id());
    assert_ne!(first.client, second.client);
}

#[tokio::test]
async fn a_lost_query_is_sent_again() {
    let server = DnsServer::start({
        let lost = std::sync::atomic::AtomicBool::new(false);
        move |query| {
            let first = !lost.swap(true, std::sync::atomic::Ordering::SeqCst);
            let response = Response::records(vec![a("x.test", 60, [192, 0, 2, 1])]);
            (!first).then(|| response.to(query))
        }
    })
    .await;
    let reply = server.impatient_resolver().ask(&question("x.test", RecordType::A)).await;
    assert_eq!(reply.unwrap().records.len(), 1);
}

#[tokio::test]
async fn no_resolver_at_the_port_is_temporary_at_once() {
    let server = DnsServer::start(|_| None).await;
    let timeout = Duration::from_secs(60);
    let resolver = Resolver::new(ResolverSettings { timeout, ..server.settings() });
    drop(server);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let start = Instant::now();
    let detail = temporary(resolver.ask(&question("x.test", RecordType::A)).await);
    assert!(detail.contains("refused"), "{detail}");
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn messages_with_another_identifier_or_question_and_garbage_are_ignored() {
    type Spoil = fn(&mut Vec<u8>);
    let spoils: [(&str, Spoil); 4] = [
        ("identifier", |octets| octets[0] ^= 1),
        ("question", |octets| octets[13] ^= 1),
        ("query, not response", |octets| octets[2] &= 0x7f),
        ("garbage", |octets| *octets = b"garbage".to_vec()),
    ];
    for (what, spoil) in spoils {
        let server = DnsServer::start(move |query| {
            let mut octets = Response::records(vec![a("x.test", 60, [192, 0, 2, 1])]).to(query);
            spoil(&mut octets);
            Some(octets)
        })
        .await;
        let reply = server.impatient_resolver().ask(&question("x.test", RecordType::A)).await;
        assert!(reply.is_err(), "{what}: {reply:?}");
        temporary(reply);
    }
}

#[tokio::test]
async fn a_message_cut_off_in_its_answer_is_temporary() {
    let whole = Response::records(vec![a("x.test", 60, [192, 0, 2, 1])]);
    let server = DnsServer::start(move |query| {
        let mut octets = whole.to(query);
        octets.truncate(octets.len() - 20);
        Some(octets)
    })
    .await;
    let reply = server.resolver().ask(&question("x.test", RecordType::A)).await;
    assert!(temporary(reply).starts_with("malformed response"));
}

#[tokio::test]
async fn malformed_records_are_temporary() {
    let table = [
        (RecordType::A, Rtype::A, &b"abc"[..]),
        (RecordType::Aaaa, Rtype::AAAA, b"abcd"),
        (RecordType::Mx, Rtype::MX, b"\x00"),
        (RecordType::Tlsa, Rtype::TLSA, b"\x03\x01"),
        (RecordType::Txt, Rtype::TXT, b"\x09short"),
        (RecordType::Cname, Rtype::CNAME, b"\x09short"),
    ];
    for (record_type, rtype, data) in table {
        let response = Response::records(vec![record("x.test", 60, rtype, data)]);
        let server = DnsServer::always(response).await;
        let reply = server.resolver().ask(&question("x.test", record_type)).await;
        assert!(temporary(reply).starts_with("malformed response"), "{rtype}");
    }
}

#[tokio::test]
async fn aliases_are_followed_and_the_least_ttl_counts() {
    let response = Response::records(vec![
        a("mx.hosted.test", 300, [192, 0, 2, 1]),
        cname("Mid.test", 20, "mx.hosted.test"),
        cname("mx.test", 100, "mid.TEST"),
        a("other.test", 5, [198, 51, 100, 1]), // not asked for: ignored
        cname("other2.test", 5, "mx.test"),
    ])
    .secure();
    let server = DnsServer::always(response).await;
    let answer = server.resolver().ask(&question("mx.test", RecordType::A)).await.unwrap();
    assert_eq!(answer.canonical_name, name("mx.hosted.test"));
    assert_eq!(answer.records, [RecordData::Address([192, 0, 2, 1].into())]);
    assert_eq!(answer.ttl, 20);
}

#[tokio::test]
async fn an_open_alias_is_asked_for_its_end_and_the_weakest_part_counts() {
    let server = DnsServer::start(|query| {
        let response = match query.name.as_str() {
            "mx.test" => Response::records(vec![cname("mx.test", 100, "mx.hosted.test")]).secure(),
            _ => Response::records(vec![a("mx.hosted.test", 30, [192, 0, 2, 7])]),
        };
        Some(response.to(query))
    })
    .await;
    let answer = server.resolver().ask(&question("mx.test", RecordType::A)).await.unwrap();
    assert_eq!(answer.records, [RecordData::Address([192, 0, 2, 7].into())]);
    assert_eq!((answer.canonical_name, answer.ttl), (name("mx.hosted.test").into(), 30));
    assert_eq!(answer.dnssec, Dnssec::Insecure);
    assert_eq!(server.queries().len(), 2);
}

#[tokio::test]
async fn open_aliases_without_end_are_temporary() {
    let server = DnsServer::start(|query| {
        let next = format!("x{}", query.name);
        Some(Response::records(vec![cname(&query.name, 60, &next)]).to(query))
    })
    .await;
    let detail = temporary(server.resolver().ask(&question("mx.test", RecordType::A)).await);
    assert_eq!(detail, "aliases of mx.test do not end");
}

#[tokio::test]
async fn a_question_for_the_alias_itself_is_not_followed() {
    let response = Response::records(vec![cname("mx.test", 100, "mid.test")]);
    let server = DnsServer::always(response).await;
    let answer = server.resolver().ask(&question("mx.test", RecordType::Cname)).await.unwrap();
    assert_eq!(answer.records, [RecordData::Cname(name("mid.test"))]);
    assert_eq!(answer.canonical_name, name("mx.test"));
}

#[tokio::test]
async fn alias_loops_are_temporary_with_their_names() {
    let server = DnsServer::always(Response::records(vec![
        cname("a.test", 60, "b.test"),
        cname("b.test", 60, "a.test"),
    ]))
    .await;
    let detail = temporary(server.resolver().ask(&question("a.test", RecordType::A)).await);
    assert_eq!(detail, "alias loop: a.test leads back to a.test");

    let server = DnsServer::always(Response::records(vec![cname("a.test", 60, "a.test")])).await;
    temporary(server.resolver().ask(&question("a.test", RecordType::A)).await);
}

#[tokio::test]
async fn more_than_16_aliases_are_temporary() {
    let chain = |length: usize| {
        let mut records: Vec<_> = (0..length)
            .map(|i| cname(&format!("n{i}.test"), 60, &format!("n{}.test", i + 1)))
            .collect();
        records.push(a(&format!("n{length}.test"), 60, [192, 0, 2, 1]));
        Response::records(records)
    };
    let server = DnsServer::always(chain(16)).await;
    let answer = server.resolver().ask(&question("n0.test", RecordType::A)).await.unwrap();
    assert_eq!(answer.canonical_name, name("n16.test"));

    let server = DnsServer::always(chain(17)).await;
    let detail = temporary(server.resolver().ask(&question("n0.test", RecordType::A)).await);
    assert_eq!(detail, "more than 16 aliases one after the other from n0.test");
}

#[tokio::test]
async fn nxdomain_and_nodata_are_told_apart_and_take_their_ttl_from_the_soa() {
    let absent = |code, authority| Response { authority, ..Response::code(code) };
    let table = [
        (absent(Rcode::NXDOMAIN, vec![soa("test", 900, 300)]), false, 300),
        (absent(Rcode::NOERROR, vec![soa("test", 120, 300)]), true, 120),
        (absent(Rcode::NOERROR, vec![soa(".", 120, 100)]), true, 100),
        (absent(Rcode::NOERROR, vec![soa("unrelated.example", 7, 7)]), true, 60),
        (absent(Rcode::NXDOMAIN, vec![]), false, 60),
        (absent(Rcode::NOERROR, vec![soa("test", u32::MAX, u32::MAX)]), true, 0),
    ];
    for (response, exists, ttl) in table {
        let server = DnsServer::always(response).await;
        let answer = server.resolver().ask(&question("x.test", RecordType::Mx)).await.unwrap();
        assert_eq!((answer.name_exists, answer.ttl), (exists, ttl));
        assert!(answer.records.is_empty());
    }
}

#[tokio::test]
async fn an_alias_to_nothing_has_the_name_of_the_nothing() {
    let server = DnsServer::always(Response {
        code: Rcode::NXDOMAIN,
        authority: vec![soa("hosted.test", 900, 300)],
        ..Response::records(vec![cname("x.test", 50, "gone.hosted.test")])
    })
    .await;
    let answer = server.resolver().ask(&question("x.test", RecordType::Txt)).await.unwrap();
    assert_eq!(answer.canonical_name, name("gone.hosted.test"));
    assert_eq!((answer.name_exists, answer.ttl), (false, 50));
}

#[tokio::test]
async fn a_referral_of_a_server_that_does_not_recurse_is_temporary() {
    let ns = record("test", 60, Rtype::NS, b"\x02ns\x04test\x00");
    let server = DnsServer::always(Response {
        recursion_available: false,
        authority: vec![ns],
        ..Response::records(vec![])
    })
    .await;
    let detail = temporary(server.resolver().ask(&question("x.test", RecordType::Txt)).await);
    assert!(detail.contains("does not recurse"));
}

#[tokio::test]
async fn mx_with_the_root_and_with_targets_that_are_no_names() {
    let server = DnsServer::always(Response::records(vec![mx("null.test", 60, 0, ".")])).await;
    let answer = server.resolver().ask(&question("null.test", RecordType::Mx)).await.unwrap();
    let null = Mx { preference: 0, exchange: None };
    assert_eq!(answer.mx().collect::<Vec<_>>(), [&null]);

    let server = DnsServer::always(Response::records(vec![
        mx("x.test", 60, 10, "192.0.2.1."),
        mx("x.test", 60, 20, "a\\032b.test."),
        mx("x.test", 60, 30, "MX_3.Test."),
    ]))
    .await;
    let noted = server.resolver().ask_noting(&question("x.test", RecordType::Mx)).await;
    let at = |preference, text| Mx { preference, exchange: DnsName::parse(text).ok() };
    let kept = [at(10, "192.0.2.1"), at(30, "mx_3.test")];
    assert_eq!(noted.reply.unwrap().mx().cloned().collect::<Vec<_>>(), kept);
    assert_eq!(noted.notes.len(), 1);
    assert!(noted.notes[0].contains("b.test"), "{}", noted.notes[0]);
}

#[tokio::test]
async fn tlsa_as_it_stands_and_txt_joined() {
    let server = DnsServer::start(|query| {
        Some(match query.record_type {
            Rtype::TLSA => Response::records(vec![
                record("x.test", 60, Rtype::TLSA, b"\x03\x01\x01abc"),
                record("x.test", 60, Rtype::TLSA, b"\xff\xfe\xfd"),
            ])
            .to(query),
            _ => Response::records(vec![txt("x.test", 60, &["v=STSv1; ", "id=1", ""])]).to(query),
        })
    })
    .await;
    let resolver = server.resolver();
    let answer = resolver.ask(&question("x.test", RecordType::Tlsa)).await.unwrap();
    let tlsa = |usage, selector, matching_type, data: &[u8]| TlsaRdata {
        usage,
        selector,
        matching_type,
        data: data.to_vec(),
    };
    let expected = [tlsa(3, 1, 1, b"abc"), tlsa(255, 254, 253, b"")];
    assert!(answer.tlsa().eq(&expected));
    let answer = resolver.ask(&question("x.test", RecordType::Txt)).await.unwrap();
    assert_eq!(answer.txt().collect::<Vec<_>>(), [b"v=STSv1; id=1"]);
}

#[tokio::test]
async fn huge_answers_are_cut_to_their_bounds() {
    let server = DnsServer::start(|query| {
        if !query.tcp {
            return Some(Response { truncated: true, ..Response::records(vec![]) }.to(query));
        }
        let records = (0..1000_u16).map(|i| match query.record_type {
            Rtype::MX => mx("x.test", 60, i, "mx.test"),
            Rtype::TXT => txt("x.test", 60, &["x"]),
            _ => record("x.test", 60, Rtype::TLSA, b"\x03\x01\x01abc"),
        });
        Some(Response::records(records.collect()).to(query))
    })
    .await;
    let table = [(RecordType::Mx, 100), (RecordType::Tlsa, 100), (RecordType::Txt, 512)];
    for (record_type, count) in table {
        let noted = server.resolver().ask_noting(&question("x.test", record_type)).await;
        assert_eq!(noted.reply.unwrap().records.len(), count);
        assert_eq!(noted.notes, [format!("took the first {count} of 1000 records")]);
    }
}

proptest! {
    /// Whatever the octets are, reading them ends, and in one of the expected values.
    #[test]
    fn spoiled_messages_are_read_without_panic(
        spoils in proptest::collection::vec((0..400_usize, any::<u8>()), 0..12),
        length in 12..400_usize,
    ) {
        let builder = MessageBuilder::new_vec();
        let mut builder = builder.question();
        builder.push((Name::vec_from_str("x.test").unwrap(), Rtype::MX)).unwrap();
        let mut builder = builder.answer();
        for record in [
            cname("x.test", 60, "y.test"),
            mx("y.test", 60, 1, "mx.y.test"),
            txt("y.test", 60, &["one", "two"]),
            record("y.test", 60, Rtype::TLSA, b"\x03\x01\x01abc"),
            a("y.test", 60, [192, 0, 2, 1]),
        ] {
            builder.push(record).unwrap();
        }
        let mut builder = builder.authority();
        builder.push(soa("test", 60, 60)).unwrap();
        let mut octets = builder.finish();
        for (place, octet) in spoils {
            if let Some(place) = octets.get_mut(place) {
                *place = octet;
            }
        }
        octets.truncate(length);
        let message = Message::from_octets(Bytes::from(octets)).unwrap();
        for record_type in [RecordType::A, RecordType::Mx, RecordType::Tlsa, RecordType::Txt] {
            let question = question("x.test", record_type);
            let _ = read_answer(&question, &message, Dnssec::Insecure, &mut Vec::new());
        }
        let _ = ExtendedErrors::of(&message).to_string();
    }
}
