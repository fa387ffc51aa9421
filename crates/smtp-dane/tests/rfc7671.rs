//! RFC 7671 for a sender, clause by clause: what matches, and what must hold besides. Each name
//! carries the section; lay the file beside the standard and tick off.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod chain;

use chain::{
    Authority, HOST, authority_params, issue, names, options, params, record, root, server, verify,
};
use rcgen::{
    CertificateParams, CertifiedIssuer, GeneralSubtree, IsCa, KeyPair, NameConstraints,
    date_time_ymd,
};
use rustls_pki_types::CertificateDer;
use smtp_dane::{PathOptions, Tlsa, VerifyError};
use smtp_types::CertificateFault;

/// A self-signed certificate of version 1, as `openssl x509 -req` makes them.
const VERSION_1: &str = "\
    3082012b3081d30214532247c4faff6d03fbf58ba76e81ae7128a50dcc300a06082a8648ce3d04030230\
    193117301506035504030c0e6d782e6578616d706c652e636f6d301e170d323631313231323030353037\
    5a170d3336313131383230303530375a30193117301506035504030c0e6d782e6578616d706c652e636f\
    6d3059301306072a8648ce3d020106082a8648ce3d0301070342000468ff65d73397c1628b4fcd69e34c\
    53a7cba599660151c178ce3b7582deabf384c48976e92c75d7476c60a0862e00aac996942f9bac3131d2\
    33f16fde0358f41b300a06082a8648ce3d0403020347003044022054085a50996df97f66fab523fe19e5\
    8f8dd78d0dd05a335b4e7d174bb0c98f2e0220602f1933abb47033f10fbf00d82b9a5cd5544c3887a454\
    0c36f391aecf5686ff";

fn octets(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn below(subject: &str, issuer: &Authority) -> Authority {
    let key = KeyPair::generate().unwrap();
    CertifiedIssuer::signed_by(authority_params(subject), key, issuer).unwrap()
}

fn self_signed(params: &CertificateParams) -> CertificateDer<'static> {
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
}

fn path_fault(fault: CertificateFault) -> Result<(usize, usize), VerifyError> {
    Err(VerifyError::Path(fault))
}

fn wrong_name(presented: &[&str]) -> Result<(usize, usize), VerifyError> {
    let presented = presented.iter().map(|&name| name.to_owned()).collect();
    path_fault(CertificateFault::WrongName { presented })
}

fn with(change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = params("a server", &[HOST]);
    change(&mut params);
    params
}

fn expired() -> CertificateParams {
    with(|params| params.not_after = date_time_ymd(2026, 2, 1))
}

const EVERY_KIND: [[u8; 2]; 6] = [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]];

mod s5_1_dane_ee {
    use super::*;

    #[test]
    fn s5_1_the_certificate_or_its_key_is_enough() {
        let certificate = server(&[HOST], &root("an authority"));
        let other = server(&[HOST], &root("an authority"));
        for [selector, matching_type] in EVERY_KIND {
            let records = [record([3, selector, matching_type], &certificate)];
            assert_eq!(verify(&[&certificate], &records), Ok((0, 0)));
            assert_eq!(verify(&[&other], &records), Err(VerifyError::NoMatch));
        }
    }

    #[test]
    fn s5_1_names_dates_and_issuer_do_not_count() {
        let strange = with(|params| {
            params.subject_alt_names.clear();
            params.not_after = date_time_ymd(2001, 1, 1);
            params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
        });
        let certificate = self_signed(&strange);
        for [selector, matching_type] in EVERY_KIND {
            let records = [record([3, selector, matching_type], &certificate)];
            assert_eq!(verify(&[&certificate], &records), Ok((0, 0)));
        }
    }

    #[test]
    fn s5_1_only_the_servers_own_certificate_matches() {
        let authority = root("an authority");
        let certificate = server(&[HOST], &authority);
        let records = [record([3, 1, 1], authority.der())];
        assert_eq!(verify(&[&certificate, authority.der()], &records), Err(VerifyError::NoMatch));
    }

    #[test]
    fn s5_1_a_certificate_that_no_verifier_reads_still_matches() {
        let certificate = CertificateDer::from(octets(VERSION_1));
        assert!(webpki::EndEntityCert::try_from(&certificate).is_err());
        // By `openssl x509 -pubkey | openssl pkey -pubin -outform DER | sha256sum`.
        let text = "3 1 1 2ed991cc77989e3de951dfb966ea2adc67144793d410d218cb33ab501420c27d";
        let records = [Tlsa::parse_presentation(text).unwrap()];
        assert_eq!(verify(&[&certificate], &records), Ok((0, 0)));
        let records = [record([3, 0, 0], &certificate)];
        assert_eq!(verify(&[&certificate], &records), Ok((0, 0)));
        // What is no certificate at all has octets, too, but no key.
        let junk = CertificateDer::from(vec![0x30, 0x03, 1, 2, 3]);
        let records = [record([3, 0, 1], &junk)];
        assert_eq!(verify(&[&junk], &records), Ok((0, 0)));
        let records = [Tlsa::parse_presentation(text).unwrap()];
        assert_eq!(verify(&[&junk], &records), Err(VerifyError::NoMatch));
    }

    #[test]
    fn s5_1_one_of_several_records_is_enough() {
        let now = server(&[HOST], &root("an authority"));
        let next = server(&[HOST], &root("an authority"));
        let records = [record([3, 1, 1], &next), record([3, 1, 1], &now)];
        assert_eq!(verify(&[&now], &records), Ok((1, 0)));
        assert_eq!(verify(&[&next], &records), Ok((0, 0)));
    }
}

mod s5_2_dane_ta {
    use super::*;

    #[test]
    fn s5_2_any_certificate_of_the_chain_may_be_the_anchor() {
        let root = root("a root");
        let middle = below("a middle", &root);
        let low = below("a low one", &middle);
        let certificate = server(&[HOST], &low);
        let chain = [&certificate, low.der(), middle.der(), root.der()];
        for [selector, matching_type] in EVERY_KIND {
            for depth in 1..4 {
                let records = [record([2, selector, matching_type], chain[depth])];
                let found = verify(&chain, &records);
                assert_eq!(found, Ok((0, depth)), "2 {selector} {matching_type}");
            }
        }
    }

    #[test]
    fn s5_2_the_order_of_the_chain_does_not_matter() {
        let root = root("a root");
        let middle = below("a middle", &root);
        let certificate = server(&[HOST], &middle);
        let records = [record([2, 1, 1], root.der())];
        assert_eq!(verify(&[&certificate, root.der(), middle.der()], &records), Ok((0, 2)));
    }

    #[test]
    fn s5_2_a_matching_anchor_that_did_not_issue_is_not_enough() {
        let (ours, theirs) = (root("ours"), root("theirs"));
        let certificate = server(&[HOST], &theirs);
        let records = [record([2, 0, 1], ours.der())];
        let chain = [&certificate, theirs.der(), ours.der()];
        assert_eq!(verify(&chain, &records), path_fault(CertificateFault::UnknownIssuer));
    }

    #[test]
    fn s5_2_an_issuer_of_the_same_name_is_not_enough() {
        let (ours, theirs) = (root("the authority"), root("the authority"));
        let certificate = server(&[HOST], &theirs);
        let records = [record([2, 0, 1], ours.der())];
        let found = verify(&[&certificate, ours.der()], &records);
        assert!(matches!(found, Err(VerifyError::Path(CertificateFault::Other { .. }))));
    }

    #[test]
    fn s5_2_dates_count() {
        let root = root("a root");
        let records = [record([2, 1, 1], root.der())];
        let expired = issue(&expired(), &root);
        let chain = [&expired, root.der()];
        assert_eq!(verify(&chain, &records), path_fault(CertificateFault::Expired));
        let early = with(|params| params.not_before = date_time_ymd(2026, 12, 31));
        let early = issue(&early, &root);
        let chain = [&early, root.der()];
        assert_eq!(verify(&chain, &records), path_fault(CertificateFault::NotYetValid));

        let mut params = authority_params("a middle");
        params.not_after = date_time_ymd(2026, 2, 1);
        let key = KeyPair::generate().unwrap();
        let middle = CertifiedIssuer::signed_by(params, key, &root).unwrap();
        let certificate = server(&[HOST], &middle);
        let chain = [&certificate, middle.der(), root.der()];
        assert_eq!(verify(&chain, &records), path_fault(CertificateFault::Expired));
        // As the trust anchor itself its dates do not count (RFC 5280 §6.1).
        let records = [record([2, 1, 1], middle.der())];
        assert_eq!(verify(&chain, &records), Ok((0, 1)));
    }

    #[test]
    fn s5_2_names_count() {
        let root = root("a root");
        let records = [record([2, 1, 1], root.der())];
        let certificate = server(&["mail.attacker.example"], &root);
        assert_eq!(
            verify(&[&certificate, root.der()], &records),
            wrong_name(&["mail.attacker.example"])
        );
    }

    #[test]
    fn s5_2_the_rules_of_paths_hold() {
        let root = root("a root");
        let records = [record([2, 1, 1], root.der())];
        // A server is no authority.
        let key = KeyPair::generate().unwrap();
        let server_params = params("a server", &["elsewhere.example"]);
        let not_authority = CertifiedIssuer::signed_by(server_params, key, &root).unwrap();
        let certificate = server(&[HOST], &not_authority);
        let chain = [&certificate, not_authority.der(), root.der()];
        assert!(matches!(verify(&chain, &records), Err(VerifyError::Path(_))));
        // Name constraints bind.
        let mut middle = authority_params("a middle");
        middle.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![GeneralSubtree::DnsName("example.net".into())],
            excluded_subtrees: Vec::new(),
        });
        let key = KeyPair::generate().unwrap();
        let middle = CertifiedIssuer::signed_by(middle, key, &root).unwrap();
        let certificate = server(&[HOST], &middle);
        let chain = [&certificate, middle.der(), root.der()];
        assert!(matches!(verify(&chain, &records), Err(VerifyError::Path(_))));
        // And a name outside of the alternative names does not get around them.
        let certificate = issue(&params(HOST, &[]), &middle);
        let chain = [&certificate, middle.der(), root.der()];
        assert_eq!(verify(&chain, &records), wrong_name(&[]));
    }

    #[test]
    fn s5_2_a_self_signed_server_may_be_its_own_anchor() {
        let certificate = self_signed(&params("a server", &[HOST]));
        let records = [record([2, 1, 1], &certificate)];
        assert_eq!(verify(&[&certificate], &records), Ok((0, 0)));
        let past = self_signed(&expired());
        let records = [record([2, 1, 1], &past)];
        assert_eq!(verify(&[&past], &records), path_fault(CertificateFault::Expired));
        // One that others issued is no anchor.
        let certificate = server(&[HOST], &root("a root"));
        let records = [record([2, 1, 1], &certificate)];
        assert_eq!(verify(&[&certificate], &records), path_fault(CertificateFault::UnknownIssuer));
    }

    #[test]
    fn s5_2_a_leaf_of_version_1_cannot_be_verified_by_a_path() {
        let certificate = CertificateDer::from(octets(VERSION_1));
        let root = root("a root");
        let records = [record([2, 1, 1], root.der())];
        let found = verify(&[&certificate, root.der()], &records);
        assert!(matches!(found, Err(VerifyError::Path(CertificateFault::Other { .. }))));
    }

    #[test]
    fn s5_2_2_the_server_must_send_the_anchor_of_a_digest() {
        let root = root("a root");
        let middle = below("a middle", &root);
        let certificate = server(&[HOST], &middle);
        for kind in [[2, 0, 1], [2, 1, 1], [2, 0, 2], [2, 1, 2]] {
            let records = [record(kind, root.der())];
            let chain = [&certificate, middle.der()];
            assert_eq!(verify(&chain, &records), Err(VerifyError::NoMatch));
            // Unless whoever verifies has it from elsewhere.
            let additional = [root.der().clone()];
            let options = PathOptions { additional: &additional, ..options() };
            let chain = chain.map(Clone::clone);
            let found = smtp_dane::verify(&chain, &records, &names(), &options).unwrap();
            assert_eq!(found.depth, 2);
        }
    }

    #[test]
    fn s5_2_3_a_certificate_or_bare_key_in_the_record_need_not_be_sent() {
        let root = root("a root");
        let middle = below("a middle", &root);
        let certificate = server(&[HOST], &middle);
        for kind in [[2, 0, 0], [2, 1, 0]] {
            let records = [record(kind, root.der())];
            assert_eq!(verify(&[&certificate, middle.der()], &records), Ok((0, 2)));
            let records = [record(kind, middle.der())];
            assert_eq!(verify(&[&certificate], &records), Ok((0, 1)));
            let elsewhere = server(&["elsewhere.example"], &middle);
            assert_eq!(verify(&[&elsewhere], &records), wrong_name(&["elsewhere.example"]));
            let stranger = server(&[HOST], &super::root("a middle"));
            assert_eq!(verify(&[&stranger], &records), Err(VerifyError::NoMatch));
        }
    }

    #[test]
    fn s5_2_dane_ee_goes_first_and_either_is_enough() {
        let root = root("a root");
        let certificate = issue(&expired(), &root);
        let chain = [&certificate, root.der()];
        let records = [record([2, 1, 1], root.der()), record([3, 1, 1], &certificate)];
        assert_eq!(verify(&chain, &records), Ok((1, 0)));
        let valid = server(&[HOST], &root);
        assert_eq!(verify(&[&valid, root.der()], &records), Ok((0, 1)));
    }
}

mod s5_3_s5_4_pkix {
    use super::*;

    #[test]
    fn s5_3_s5_4_pkix_usages_match_nothing() {
        let root = root("a root");
        let certificate = server(&[HOST], &root);
        let records = [record([1, 1, 1], &certificate), record([0, 1, 1], root.der())];
        let found = verify(&[&certificate, root.der()], &records);
        assert_eq!(found, Err(VerifyError::NoMatch));
    }
}

mod s9_digest_algorithm_agility {
    use super::*;

    #[test]
    fn s9_the_strongest_digest_of_a_usage_and_selector_decides() {
        let certificate = server(&[HOST], &root("a root"));
        let other = server(&[HOST], &root("a root"));
        let weak = record([3, 1, 1], &certificate);
        let records = [weak.clone(), record([3, 1, 2], &other)];
        assert_eq!(verify(&[&certificate], &records), Err(VerifyError::NoMatch));
        let records = [weak.clone(), record([3, 1, 2], &other), record([3, 1, 2], &certificate)];
        assert_eq!(verify(&[&certificate], &records), Ok((2, 0)));
        // Another selector or usage is another matter, and Full(0) always counts.
        let records = [weak.clone(), record([3, 0, 2], &other), record([2, 1, 2], &other)];
        assert_eq!(verify(&[&certificate], &records), Ok((0, 0)));
        let records = [record([3, 1, 0], &certificate), record([3, 1, 2], &other)];
        assert_eq!(verify(&[&certificate], &records), Ok((0, 0)));
    }
}
