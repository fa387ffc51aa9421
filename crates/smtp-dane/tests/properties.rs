//! What must hold for every input: readers never panic, print ∘ parse is the identity, and no
//! record matches what it does not speak of.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod chain;

use chain::{HOST, NOW, name, names, options, rdata, record, root, server, verify};
use proptest::prelude::*;
use rustls_pki_types::CertificateDer;
use smtp_dane::{
    Judgment, MAX_CHAIN, PathOptions, ReferenceIdentifiers, Tlsa, judge, lint_tlsa, parse_records,
    usable,
};
use smtp_types::{Severity, TlsaRdata, UnixTime};

/// Text that comes close to a record, so that the deeper rules are reached.
fn record_like() -> impl Strategy<Value = String> {
    prop_oneof![
        "(_25._tcp.mx.example. )?([0-9]{1,4} )?(IN )?(TLSA )?\\(?[0-4] [0-2] [1-2] [0-9a-fA-F]{64}( ?[0-9a-f]{64})?\\)?( ;.*)?",
        "[0-9]{1,3} [01] [0-3] ([0-9a-g]{1,4} ?){0,9}\n?",
        "\\PC{0,60}",
    ]
}

fn any_rdata() -> impl Strategy<Value = TlsaRdata> {
    let length = prop_oneof![Just(32_usize), Just(64), 0..80_usize];
    (0..5_u8, 0..3_u8, 0..4_u8, length, any::<u8>()).prop_map(
        |(usage, selector, matching_type, length, octet)| TlsaRdata {
            usage,
            selector,
            matching_type,
            data: vec![octet; length],
        },
    )
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic(text in "(?s).{0,200}") {
        let _ = Tlsa::parse_presentation(&text);
        let _ = parse_records(&text);
        let _ = lint_tlsa(&text);
    }

    #[test]
    fn a_record_printed_and_read_is_the_same(text in record_like()) {
        let parsed = Tlsa::parse_presentation(&text);
        if let Ok(tlsa) = &parsed {
            prop_assert_eq!(&Tlsa::parse_presentation(&tlsa.to_string()).unwrap(), tlsa);
            prop_assert_eq!(&Tlsa::parse(&tlsa.to_rdata()).unwrap(), tlsa);
        }
        // The reader and the linter agree.
        let findings = lint_tlsa(&text);
        let valid = findings.iter().all(|finding| finding.severity < Severity::Error);
        let several = parse_records(&text).is_ok_and(|records| records.len() > 1);
        prop_assert!(several || parsed.is_ok() == valid, "{:?} {:?}", parsed, findings);
    }

    #[test]
    fn every_record_is_usable_or_rejected(records in prop::collection::vec(any_rdata(), 0..9)) {
        let set = usable(&records);
        prop_assert_eq!(set.records.len() + set.rejected.len(), records.len());
        for tlsa in &set.records {
            prop_assert!(records.contains(&tlsa.to_rdata()));
        }
    }

    #[test]
    fn any_octets_are_judged_without_panic(
        certificates in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..4),
        records in prop::collection::vec(any_rdata(), 0..9),
    ) {
        let chain: Vec<_> = certificates.into_iter().map(CertificateDer::from).collect();
        let judgment = judge(&chain, &records, &names(), &options());
        let is_pass = matches!(judgment, Judgment::Pass { .. });
        prop_assert!(!is_pass);
    }

    #[test]
    fn a_broken_certificate_is_judged_without_panic(
        places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let authority = root("a root");
        let certificate = server(&[HOST], &authority);
        let mut octets = certificate.to_vec();
        for (place, octet) in places {
            let place = place.index(octets.len());
            octets[place] = octet;
        }
        let whole = CertificateDer::from(octets.clone());
        octets.truncate(cut.index(octets.len()));
        let records = [record([2, 1, 1], authority.der()), record([2, 1, 0], authority.der())];
        for broken in [whole, CertificateDer::from(octets)] {
            let found = verify(&[&broken, authority.der()], &records);
            // Whatever is signed is signed: only an unchanged certificate passes.
            prop_assert_eq!(found.is_ok(), broken == certificate);
        }
    }
}

#[test]
fn flipping_any_bit_of_the_data_makes_a_record_fail() {
    let authority = root("a root");
    let certificate = server(&[HOST], &authority);
    let chain = [&certificate, authority.der()];
    for (usage, subject) in [(3, &certificate), (2, authority.der())] {
        for [selector, matching_type] in [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]] {
            let good = rdata([usage, selector, matching_type], subject);
            let judged = |rdata: &TlsaRdata| {
                let chain = chain.map(Clone::clone);
                judge(&chain, std::slice::from_ref(rdata), &names(), &options())
            };
            assert!(matches!(judged(&good), Judgment::Pass { .. }));
            for index in 0..good.data.len() {
                let mut bad = good.clone();
                bad.data[index] ^= 1 << (index % 8);
                let is_pass = matches!(judged(&bad), Judgment::Pass { .. });
                // A whole certificate as trust anchor counts by its name and key only, so other
                // parts of it, such as its serial number, may differ.
                let is_anchor = (usage, selector, matching_type) == (2, 0, 0);
                assert!(!is_pass || is_anchor, "{usage} {selector} {matching_type}, octet {index}");
            }
        }
    }
}

#[test]
fn long_chains_and_many_records_cost_little() {
    let authority = root("a root");
    let certificate = server(&[HOST], &authority);
    let mut chain = vec![&certificate; MAX_CHAIN];
    chain.push(authority.der());
    let mut records = vec![record([2, 1, 0], root("another").der()); 1000];
    records.push(record([2, 1, 1], authority.der()));
    // The anchor stands beyond what is looked at.
    assert!(verify(&chain, &records).is_err());
}

#[test]
fn the_end_of_time_is_a_time() {
    let authority = root("a root");
    let chain = [server(&[HOST], &authority), authority.der().clone()];
    let records = [record([2, 1, 1], authority.der())];
    let names = ReferenceIdentifiers::new(name(HOST));
    for (now, is_ok) in [(NOW, true), (UnixTime(0), false), (UnixTime(u64::MAX), false)] {
        let options = PathOptions { now, ..options() };
        assert_eq!(smtp_dane::verify(&chain, &records, &names, &options).is_ok(), is_ok);
    }
}
