//! RFC 7672 for a sender, clause by clause. Each name carries the section; lay the file beside
//! the standard and tick off.
//!
//! Longer than other files: one file for one standard, so that the two can be laid side by side.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

mod chain;
mod world;

use smtp_dane::{
    Discovery, HostDane, MAX_HOSTS, MxLookup, NoAddress, NoDane, ReferenceIdentifiers, Unusable,
};
use smtp_types::{DnsFailure, Dnssec, DomainName};
use world::look_up;

/// A usable record, shortened to what the tests look at.
const TLSA: &str = "3 1 1 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

/// `example.com` with one host, whose addresses and records are as given.
fn one_host(lines: &str) -> (HostDane, Vec<String>) {
    let world = format!("example.com MX secure 10 mx.example.com\n{lines}");
    let (discovery, rounds) = look_up("example.com", &world);
    assert_eq!(discovery.mx, MxLookup::Records { dnssec: Dnssec::Secure });
    (dane(&discovery).clone(), rounds)
}

fn dane(discovery: &Discovery) -> &HostDane {
    assert_eq!(discovery.hosts.len(), 1);
    &discovery.hosts[0].dane
}

/// The TLSA base domain and the names, the base domain first.
fn usable(dane: &HostDane) -> (String, Vec<String>) {
    let HostDane::Usable { base_domain, names, records, .. } = dane else { panic!("{dane:?}") };
    assert!(!records.is_empty());
    assert_eq!(names.base_domain(), Some(base_domain));
    (base_domain.to_string(), names.iter().map(ToString::to_string).collect())
}

fn base_domain(dane: &HostDane) -> String {
    usable(dane).0
}

fn failed(dane: &HostDane) -> (String, Dnssec) {
    let HostDane::Failed { question, failure } = dane else { panic!("{dane:?}") };
    (question.to_string(), failure.dnssec())
}

const ADDRESSES: &str = "A mx.example.com, AAAA mx.example.com";

mod s2_1_dns {
    use super::*;

    #[test]
    fn s2_1_1_insecure_and_indeterminate_are_both_no_dane() {
        for (state, dnssec) in
            [("insecure", Dnssec::Insecure), ("indeterminate", Dnssec::Indeterminate)]
        {
            let (dane, _) = one_host(&format!("mx.example.com A {state} 192.0.2.1"));
            assert_eq!(dane, HostDane::NotApplicable(NoDane::AddressNotSecure(dnssec)));
        }
    }

    #[test]
    fn s2_1_1_bogus_is_never_taken_for_insecure() {
        let (dane, _) = one_host("mx.example.com A bogus\nmx.example.com AAAA bogus");
        assert_eq!(failed(&dane), ("A mx.example.com".into(), Dnssec::Bogus));
        let lines = "mx.example.com A secure 192.0.2.1\n_25._tcp.mx.example.com TLSA bogus";
        let (dane, _) = one_host(lines);
        assert_eq!(failed(&dane), ("TLSA _25._tcp.mx.example.com".into(), Dnssec::Bogus));
        let (discovery, rounds) = look_up("example.com", "example.com MX bogus");
        assert!(matches!(discovery.mx, MxLookup::Failed(DnsFailure::Bogus { .. })));
        assert_eq!((discovery.hosts.len(), rounds.len()), (0, 1));
    }

    #[test]
    fn s2_1_2_a_failed_tlsa_look_up_in_a_signed_zone_is_no_absence() {
        for state in ["bogus", "temporary", "permanent"] {
            let (dane, _) = one_host(&format!(
                "mx.example.com A secure 192.0.2.1\n_25._tcp.mx.example.com TLSA {state}"
            ));
            assert_eq!(failed(&dane).0, "TLSA _25._tcp.mx.example.com");
        }
    }

    #[test]
    fn s2_1_2_a_host_whose_addresses_fail_is_failed() {
        let (dane, rounds) = one_host("mx.example.com A temporary\nmx.example.com AAAA temporary");
        assert_eq!(failed(&dane), ("A mx.example.com".into(), Dnssec::Indeterminate));
        assert_eq!(rounds, ["MX example.com", ADDRESSES]);
        // Without an address in the other family it is not known that there is none.
        let (dane, _) = one_host("mx.example.com AAAA temporary");
        assert_eq!(failed(&dane).0, "AAAA mx.example.com");
        // What is bogus is said first.
        let (dane, _) = one_host("mx.example.com A temporary\nmx.example.com AAAA bogus");
        assert_eq!(failed(&dane).0, "AAAA mx.example.com");
    }

    #[test]
    fn s2_1_2_one_address_family_is_enough() {
        for state in ["temporary", "bogus", "permanent", "insecure nxdomain", "secure"] {
            for (good, broken) in [("A secure 192.0.2.1", "AAAA"), ("AAAA secure 2001:db8::1", "A")]
            {
                let (dane, _) = one_host(&format!(
                    "mx.example.com {good}
                     mx.example.com {broken} {state}
                     _25._tcp.mx.example.com TLSA secure {TLSA}"
                ));
                assert_eq!(base_domain(&dane), "mx.example.com");
            }
        }
    }

    #[test]
    fn s2_1_2_one_failed_host_does_not_stop_the_others() {
        let (discovery, _) = look_up(
            "example.com",
            &format!(
                "example.com MX secure 10 mx.example.com | 20 b.example.com | 30 c.example.com
                 mx.example.com A bogus
                 mx.example.com AAAA bogus
                 b.example.com A secure 192.0.2.2
                 _25._tcp.b.example.com TLSA secure {TLSA}
                 c.example.com A insecure nxdomain"
            ),
        );
        let [first, second, third] = &discovery.hosts[..] else { panic!("{discovery:?}") };
        assert_eq!(failed(&first.dane).1, Dnssec::Bogus);
        assert_eq!(base_domain(&second.dane), "b.example.com");
        assert_eq!(third.dane, HostDane::Unreachable { why: NoAddress::NoSuchName });
    }
}

mod s2_2_tls_discovery {
    use super::*;

    #[test]
    fn s2_2_unusable_records_still_make_tls_mandatory() {
        let (dane, _) = one_host(
            "mx.example.com A secure 192.0.2.1
             _25._tcp.mx.example.com TLSA secure 1 1 1 00 | 3 1 1 00 | 3 9 9 00",
        );
        let HostDane::Unusable { base_domain, rejected } = dane else { panic!("{dane:?}") };
        assert_eq!((base_domain, rejected.len()), (name("mx.example.com"), 3));
    }

    #[test]
    fn s2_2_one_usable_record_is_enough() {
        let (dane, _) = one_host(&format!(
            "mx.example.com A secure 192.0.2.1
             _25._tcp.mx.example.com TLSA secure 1 1 1 00 | {TLSA}"
        ));
        let HostDane::Usable { records, rejected, .. } = dane else { panic!("{dane:?}") };
        assert_eq!((records.len(), rejected.len()), (1, 1));
        assert_eq!(records[0].to_string(), TLSA);
    }
}

mod s2_2_1_mx_resolution {
    use super::*;

    #[test]
    fn s2_2_1_three_rounds_whatever_the_number_of_hosts() {
        let world = format!(
            "example.com MX secure 10 a.example.com | 10 b.example.com
             a.example.com A secure 192.0.2.1
             b.example.com A secure 192.0.2.2
             _25._tcp.a.example.com TLSA secure {TLSA}
             _25._tcp.b.example.com TLSA secure"
        );
        let (discovery, rounds) = look_up("example.com", &world);
        assert_eq!(
            rounds,
            [
                "MX example.com",
                "A a.example.com, AAAA a.example.com, A b.example.com, AAAA b.example.com",
                "TLSA _25._tcp.a.example.com, TLSA _25._tcp.b.example.com",
            ]
        );
        assert_eq!(base_domain(&discovery.hosts[0].dane), "a.example.com");
        assert_eq!(discovery.hosts[1].dane, HostDane::NotApplicable(NoDane::TlsaAbsent));
    }

    #[test]
    fn s2_2_1_an_insecure_mx_does_not_hide_the_records_of_its_hosts() {
        let (discovery, _) = look_up(
            "example.com",
            &format!(
                "example.com MX insecure 10 mx.example.net
                 mx.example.net A secure 192.0.2.1
                 _25._tcp.mx.example.net TLSA secure {TLSA}"
            ),
        );
        assert_eq!(discovery.mx, MxLookup::Records { dnssec: Dnssec::Insecure });
        assert_eq!(base_domain(dane(&discovery)), "mx.example.net");
    }

    #[test]
    fn s2_2_1_hosts_are_sorted_by_preference_and_named_once() {
        let (discovery, _) = look_up(
            "example.com",
            "example.com MX insecure 20 b.test | 10 c.test | 20 a.test | 5 b.test",
        );
        let hosts: Vec<_> =
            discovery.hosts.iter().map(|host| (host.preference, host.host.as_str())).collect();
        assert_eq!(hosts, [(5, "b.test"), (10, "c.test"), (20, "a.test")]);
    }

    #[test]
    fn s2_2_1_at_most_32_hosts_are_looked_at_and_the_others_counted() {
        let mx: Vec<_> = (0..40).map(|n| format!("{n} h{n}.test")).collect();
        let world = format!("example.com MX insecure {}", mx.join(" | "));
        let (discovery, rounds) = look_up("example.com", &world);
        assert_eq!((discovery.hosts.len(), discovery.hosts_left_out), (MAX_HOSTS, 8));
        assert_eq!(discovery.hosts[31].host, name("h31.test"));
        assert!(!rounds[1].contains("h32.test"));
    }

    #[test]
    fn s2_2_1_no_mx_records_make_the_domain_the_host() {
        for (state, dnssec) in [("secure", Dnssec::Secure), ("insecure", Dnssec::Insecure)] {
            let (discovery, _) = look_up(
                "example.com",
                &format!(
                    "example.com MX {state}
                     example.com A secure 192.0.2.1
                     _25._tcp.example.com TLSA secure {TLSA}"
                ),
            );
            assert_eq!(discovery.mx, MxLookup::Implicit { dnssec });
            assert_eq!(base_domain(dane(&discovery)), "example.com");
        }
    }

    #[test]
    fn s2_2_1_a_domain_that_does_not_exist_has_no_implicit_mx() {
        let (discovery, rounds) = look_up("example.com", "example.com MX secure nxdomain");
        assert_eq!(discovery.mx, MxLookup::NoSuchDomain { dnssec: Dnssec::Secure });
        assert_eq!((discovery.hosts.len(), rounds.len()), (0, 1));
    }

    #[test]
    fn s2_2_1_a_null_mx_has_no_hosts() {
        let (discovery, rounds) = look_up("example.com", "example.com MX insecure 0 .");
        assert_eq!(discovery.mx, MxLookup::NullMx);
        assert_eq!((discovery.hosts.len(), rounds.len()), (0, 1));
        // Among others it is none (RFC 7505 §3).
        let (discovery, _) = look_up("example.com", "example.com MX insecure 0 . | 10 a.test");
        assert_eq!(discovery.hosts.len(), 1);
    }

    #[test]
    fn s2_2_1_another_port_still_means_mx() {
        let (discovery, rounds) = look_up(
            "example.com:2525",
            &format!(
                "example.com MX secure 10 mx.example.com
                 mx.example.com A secure 192.0.2.1
                 _2525._tcp.mx.example.com TLSA secure {TLSA}"
            ),
        );
        assert_eq!(rounds[2], "TLSA _2525._tcp.mx.example.com");
        assert_eq!(base_domain(dane(&discovery)), "mx.example.com");
    }
}

mod s2_2_2_non_mx_destinations {
    use super::*;

    #[test]
    fn s2_2_2_a_smart_host_is_not_looked_up_as_mx() {
        let (discovery, rounds) = look_up(
            "[relay.test]:587",
            &format!(
                "relay.test A secure 192.0.2.1
                 _587._tcp.relay.test TLSA secure {TLSA}"
            ),
        );
        assert_eq!(discovery.mx, MxLookup::SmartHost);
        assert_eq!(rounds, ["A relay.test, AAAA relay.test", "TLSA _587._tcp.relay.test"]);
        assert_eq!(usable(dane(&discovery)), ("relay.test".into(), vec!["relay.test".to_owned()]));
    }

    #[test]
    fn s2_2_2_no_tlsa_query_in_an_unsigned_zone() {
        let (_, rounds) = one_host("mx.example.com A insecure 192.0.2.1");
        assert_eq!(rounds, ["MX example.com", ADDRESSES]);
        // Nor where there is no address to connect to.
        let (dane, rounds) = one_host("mx.example.com A secure");
        assert_eq!(dane, HostDane::Unreachable { why: NoAddress::NoRecords });
        assert_eq!(rounds.len(), 2);
    }

    #[test]
    fn s2_2_2_addresses_secure_through_an_alias_try_its_end_first() {
        let (dane, rounds) = one_host(&format!(
            "mx.example.com A secure -> host.example.net 192.0.2.1
             _25._tcp.host.example.net TLSA secure {TLSA}"
        ));
        assert_eq!(rounds[2..], ["TLSA _25._tcp.host.example.net"]);
        assert_eq!(base_domain(&dane), "host.example.net");
    }

    #[test]
    fn s2_2_2_and_then_its_beginning() {
        for at_the_end in ["secure", "secure nxdomain", "insecure", "indeterminate"] {
            let (dane, rounds) = one_host(&format!(
                "mx.example.com A secure -> host.example.net 192.0.2.1
                 _25._tcp.host.example.net TLSA {at_the_end}
                 _25._tcp.mx.example.com TLSA secure {TLSA}"
            ));
            assert_eq!(
                rounds[2..],
                ["TLSA _25._tcp.host.example.net", "TLSA _25._tcp.mx.example.com"]
            );
            assert_eq!(base_domain(&dane), "mx.example.com");
        }
    }

    #[test]
    fn s2_2_2_a_failure_at_the_end_of_an_alias_is_not_passed_over() {
        for state in ["bogus", "temporary"] {
            let (dane, rounds) = one_host(&format!(
                "mx.example.com A secure -> host.example.net 192.0.2.1
                 _25._tcp.host.example.net TLSA {state}"
            ));
            assert_eq!(failed(&dane).0, "TLSA _25._tcp.host.example.net");
            assert_eq!(rounds.len(), 3);
        }
    }

    #[test]
    fn s2_2_2_unusable_records_at_the_end_of_an_alias_are_records() {
        let (dane, _) = one_host(
            "mx.example.com A secure -> host.example.net 192.0.2.1
             _25._tcp.host.example.net TLSA secure 3 1 1 00",
        );
        assert!(matches!(dane, HostDane::Unusable { .. }));
    }

    #[test]
    fn s2_2_2_a_secure_alias_into_an_unsigned_zone_keeps_its_records() {
        let (dane, rounds) = one_host(&format!(
            "mx.example.com A insecure -> host.unsigned.test 192.0.2.1
             mx.example.com AAAA temporary
             mx.example.com CNAME secure host.unsigned.test
             _25._tcp.mx.example.com TLSA secure {TLSA}"
        ));
        assert_eq!(
            rounds,
            ["MX example.com", ADDRESSES, "CNAME mx.example.com", "TLSA _25._tcp.mx.example.com"]
        );
        assert_eq!(base_domain(&dane), "mx.example.com");
    }

    #[test]
    fn s2_2_2_an_insecure_alias_has_no_dane() {
        let lines = "mx.example.com A insecure -> host.unsigned.test 192.0.2.1";
        for alias in ["insecure host.unsigned.test", "indeterminate host.unsigned.test", "secure"] {
            let (dane, rounds) = one_host(&format!("{lines}\nmx.example.com CNAME {alias}"));
            assert_eq!(
                dane,
                HostDane::NotApplicable(NoDane::AliasNotSecure(Dnssec::Insecure)),
                "{alias}"
            );
            assert_eq!(rounds.len(), 3, "no TLSA query");
        }
        let (dane, _) = one_host(&format!("{lines}\nmx.example.com CNAME bogus"));
        assert_eq!(failed(&dane), ("CNAME mx.example.com".into(), Dnssec::Bogus));
    }
}

mod s2_2_3_tlsa_resolution {
    use super::*;

    #[test]
    fn s2_2_3_an_insecure_tlsa_answer_is_no_dane() {
        let (dane, _) = one_host(&format!(
            "mx.example.com A secure 192.0.2.1
             _25._tcp.mx.example.com TLSA insecure {TLSA}"
        ));
        assert_eq!(dane, HostDane::NotApplicable(NoDane::TlsaNotSecure(Dnssec::Insecure)));
    }

    #[test]
    fn s2_2_3_the_tlsa_name_may_be_an_alias() {
        let (dane, _) = one_host(&format!(
            "mx.example.com A secure 192.0.2.1
             _25._tcp.mx.example.com TLSA secure -> tlsa.example.net {TLSA}"
        ));
        assert_eq!(base_domain(&dane), "mx.example.com");
    }

    #[test]
    fn s2_2_3_a_name_that_is_too_long_has_no_records() {
        let host = ["a".repeat(61).as_str(); 4].join(".");
        let (discovery, rounds) =
            look_up(&format!("[{host}]"), &format!("{host} A secure 192.0.2.1"));
        assert_eq!(dane(&discovery), &HostDane::NotApplicable(NoDane::NameTooLong));
        assert_eq!(rounds.len(), 1);
    }
}

mod s3_1_certificate_usages {
    use super::*;
    use crate::chain::{HOST, names, options, rdata, root, server};
    use smtp_dane::{CertUsage, Judgment, Tlsa, VerifyError, judge};
    use smtp_types::TlsaRdata;

    #[test]
    fn s3_1_3_pkix_usages_are_unusable() {
        let (dane, _) = one_host(&format!(
            "mx.example.com A secure 192.0.2.1
             _25._tcp.mx.example.com TLSA secure {} | {}",
            TLSA.replacen('3', "0", 1),
            TLSA.replacen('3', "1", 1),
        ));
        let HostDane::Unusable { rejected, .. } = dane else { panic!("{dane:?}") };
        let reasons: Vec<_> = rejected.into_iter().map(|rejected| rejected.reason).collect();
        let reason = |usage| Unusable::PkixUsage { usage };
        assert_eq!(reasons, [reason(CertUsage::PkixTa), reason(CertUsage::PkixEe)]);
    }

    #[test]
    fn s3_1_what_cannot_be_used_is_told_from_what_does_not_match() {
        let certificate = server(&[HOST], &root("a root"));
        let chain = [certificate.clone()];
        let judged = |records: &[TlsaRdata]| judge(&chain, records, &names(), &options());
        let good = rdata([3, 1, 1], &certificate);
        let short = TlsaRdata { data: vec![1, 2, 3], ..good.clone() };
        let pkix = TlsaRdata { usage: 1, ..good.clone() };
        let record = Tlsa::parse(&good).unwrap();

        let unusable = [short.clone(), pkix.clone()];
        let Judgment::Unusable { why } = judged(&unusable) else { panic!("{unusable:?}") };
        assert_eq!(why[1].record, pkix);
        assert!(matches!(why[0].reason, Unusable::Malformed(_)));
        assert_eq!(judged(&[]), Judgment::Unusable { why: Vec::new() });
        assert_eq!(judged(&[short.clone(), good]), Judgment::Pass { record, depth: 0 });
        let other = rdata([3, 1, 1], &server(&[HOST], &root("a root")));
        assert_eq!(judged(&[short, other]), Judgment::Fail { why: VerifyError::NoMatch });
    }
}

mod s3_2_certificate_matching {
    use super::*;
    use crate::chain::{self, HOST, issue, params, record, root, server, verify};
    use smtp_dane::VerifyError;
    use smtp_types::CertificateFault;

    /// Whether a certificate with these DNS-IDs is good for the names of the tests.
    fn is_good_for(presented: &[&str]) -> bool {
        let root = root("a root");
        let certificate = server(presented, &root);
        verify(&[&certificate, root.der()], &[record([2, 1, 1], root.der())]).is_ok()
    }

    #[test]
    fn s3_2_1_dane_ee_checks_no_names() {
        let certificate = server(&["elsewhere.example"], &root("a root"));
        assert_eq!(verify(&[&certificate], &[record([3, 1, 1], &certificate)]), Ok((0, 0)));
    }

    #[test]
    fn s3_2_2_behind_a_secure_mx_base_domain_and_next_hop_count() {
        let (dane, _) = one_host(&format!(
            "mx.example.com A secure -> host.example.net 192.0.2.1
             _25._tcp.host.example.net TLSA secure {TLSA}"
        ));
        assert_eq!(usable(&dane).1, ["host.example.net", "example.com"]);
        for good in [HOST, "example.com", "MX.Example.COM"] {
            assert!(is_good_for(&["elsewhere.example", good]), "{good}");
        }
        assert!(!is_good_for(&["elsewhere.example", "a.example.com", "com"]));
    }

    #[test]
    fn s3_2_2_the_name_that_the_next_hop_is_an_alias_of_counts_too() {
        let (discovery, _) = look_up(
            "example.com",
            &format!(
                "example.com MX secure -> example.net 10 mx.example.net
                 mx.example.net A secure 192.0.2.1
                 _25._tcp.mx.example.net TLSA secure {TLSA}"
            ),
        );
        let names = usable(dane(&discovery)).1;
        assert_eq!(names, ["mx.example.net", "example.com", "example.net"]);
    }

    #[test]
    fn s3_2_2_behind_an_insecure_mx_only_the_host_counts() {
        let (discovery, _) = look_up(
            "example.com",
            &format!(
                "example.com MX insecure 10 mx.example.net
                 mx.example.net A secure 192.0.2.1
                 _25._tcp.mx.example.net TLSA secure {TLSA}"
            ),
        );
        assert_eq!(usable(dane(&discovery)).1, ["mx.example.net"]);
    }

    #[test]
    fn s3_2_2_without_mx_the_original_name_counts_beside_its_expansion() {
        for (next_hop, mx) in [("[relay.test]", ""), ("relay.test", "relay.test MX secure")] {
            let (discovery, _) = look_up(
                next_hop,
                &format!(
                    "{mx}
                     relay.test A secure -> host.example.net 192.0.2.1
                     _25._tcp.host.example.net TLSA secure {TLSA}"
                ),
            );
            assert_eq!(usable(dane(&discovery)).1, ["host.example.net", "relay.test"]);
        }
    }

    #[test]
    fn s3_2_3_a_wildcard_is_the_whole_first_label() {
        assert!(is_good_for(&["*.example.com"]));
        assert!(is_good_for(&["*.com"])); // the next-hop domain
        assert!(!is_good_for(&["*.mx.example.com"]));
        let names = ReferenceIdentifiers::new(name(HOST));
        assert!(names.matches("*.EXAMPLE.com"));
        for bad in ["m*.example.com", "*x.example.com", "*", "*.", "*.*.com", "mx.*.com", ""] {
            assert!(!names.matches(bad), "{bad}");
        }
        assert!(!names.matches("*.com"), "one label only");
    }

    #[test]
    fn s3_2_3_the_common_name_counts_only_without_dns_ids() {
        let root = root("a root");
        let records = [record([2, 1, 1], root.der())];
        let good = issue(&params(HOST, &[]), &root);
        assert_eq!(verify(&[&good, root.der()], &records), Ok((0, 1)));
        let wildcard = issue(&params("*.example.com", &[]), &root);
        assert_eq!(verify(&[&wildcard, root.der()], &records), Ok((0, 1)));
        let hidden = issue(&params(HOST, &["elsewhere.example"]), &root);
        let presented = vec!["elsewhere.example".to_owned()];
        let fault = CertificateFault::WrongName { presented };
        assert_eq!(verify(&[&hidden, root.der()], &records), Err(VerifyError::Path(fault)));
        let hostile = issue(&params("a\u{1b}[2J", &[]), &root);
        let presented = vec!["a\\u{1b}[2J".to_owned()];
        let fault = CertificateFault::WrongName { presented };
        assert_eq!(
            verify(&[&hostile, root.der()], &records),
            Err(VerifyError::Path(fault)),
            "what is shown is escaped"
        );
        assert_eq!(chain::names().iter().count(), 2);
    }
}
