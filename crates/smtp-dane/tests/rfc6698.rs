//! RFC 6698 for a sender, clause by clause, as far as RFC 7671 and 7672 do not say more. Each name
//! carries the section; lay the file beside the standard and tick off.

use smtp_dane::{
    CertUsage, MatchingType, Selector, Tlsa, TlsaFault, parse_records, tlsa_question, usable,
};
use smtp_types::{DomainName, TlsaRdata};

fn rdata(usage: u8, selector: u8, matching_type: u8, octets: usize) -> TlsaRdata {
    TlsaRdata { usage, selector, matching_type, data: vec![0xab; octets] }
}

mod s2_1_data_format {
    use super::*;

    #[test]
    fn s2_1_1_four_certificate_usages() {
        let usage = |number| Tlsa::parse(&rdata(number, 1, 1, 32)).map(|tlsa| tlsa.usage());
        assert_eq!(usage(0), Ok(CertUsage::PkixTa));
        assert_eq!(usage(1), Ok(CertUsage::PkixEe));
        assert_eq!(usage(2), Ok(CertUsage::DaneTa));
        assert_eq!(usage(3), Ok(CertUsage::DaneEe));
        for number in 4..=255 {
            assert_eq!(usage(number), Err(TlsaFault::Usage { found: number }));
        }
    }

    #[test]
    fn s2_1_2_two_selectors() {
        let selector = |number| Tlsa::parse(&rdata(3, number, 1, 32)).map(|tlsa| tlsa.selector());
        assert_eq!(selector(0), Ok(Selector::Cert));
        assert_eq!(selector(1), Ok(Selector::Spki));
        for number in 2..=255 {
            assert_eq!(selector(number), Err(TlsaFault::Selector { found: number }));
        }
    }

    #[test]
    fn s2_1_3_three_matching_types() {
        let matching_type = |number, octets| {
            Tlsa::parse(&rdata(3, 1, number, octets)).map(|tlsa| tlsa.matching_type())
        };
        assert_eq!(matching_type(1, 32), Ok(MatchingType::Sha256));
        assert_eq!(matching_type(2, 64), Ok(MatchingType::Sha512));
        for number in 3..=255 {
            assert_eq!(matching_type(number, 32), Err(TlsaFault::MatchingType { found: number }));
        }
    }

    #[test]
    fn s2_1_4_the_data_are_what_the_numbers_say() {
        for (matching_type, octets) in [(1, 0), (1, 31), (1, 33), (1, 64), (2, 32), (2, 65)] {
            assert!(Tlsa::parse(&rdata(3, 1, matching_type, octets)).is_err());
        }
        assert_eq!(Tlsa::parse(&rdata(3, 0, 0, 100)), Err(TlsaFault::NotCertificate));
        assert_eq!(Tlsa::parse(&rdata(3, 1, 0, 100)), Err(TlsaFault::NotPublicKey));
    }
}

mod s2_2_presentation_format {
    use super::*;

    const HEX: &str = "d2abde240d7cd3ee6b4b28c54df034b97983a1d16e8a410e4561cb106618e971";

    #[test]
    fn s2_2_numbers_are_8_bit_and_decimal() {
        for text in ["256 1 1 00", "-1 1 1 00", "0x3 1 1 00", "DANE-EE 1 1 00", "3.0 1 1 00"] {
            assert!(parse_records(text).is_err(), "{text}");
        }
        assert_eq!(parse_records("003 01 255 00").unwrap()[0].matching_type, 255);
    }

    #[test]
    fn s2_2_white_space_is_allowed_in_the_hex() {
        let (start, end) = HEX.split_at(13);
        let spaced = Tlsa::parse_presentation(&format!("0 0 1 {start} \t {end}")).unwrap();
        assert_eq!(spaced.to_string(), format!("0 0 1 {HEX}"));
    }

    #[test]
    fn s2_3_the_examples_of_the_standard_are_read() {
        let text = "
            _443._tcp.www.example.com. IN TLSA (
               0 0 1 d2abde240d7cd3ee6b4b28c54df034b9
                     7983a1d16e8a410e4561cb106618e971 )
            _443._tcp.www.example.com. IN TLSA (
               1 1 2 92003ba34942dc74152e2f2c408d29ec
                     a5a520e7f2e06bb944f4dca346baf63c
                     1b177615d466f6c4b71c216a50292bd5
                     8c9ebdd2f74e38fe51ffd48c43326cbc )";
        let records = parse_records(text).unwrap();
        let parsed: Vec<_> = records.iter().map(|rdata| Tlsa::parse(rdata).unwrap()).collect();
        assert_eq!(parsed[0].to_string(), format!("0 0 1 {HEX}"));
        assert_eq!(parsed[1].matching_type(), MatchingType::Sha512);
    }
}

mod s3_domain_names {
    use super::*;

    #[test]
    fn s3_port_and_transport_stand_before_the_host() {
        let host = DomainName::parse("mail.example.com").unwrap();
        assert_eq!(tlsa_question(25, &host).unwrap().to_string(), "TLSA _25._tcp.mail.example.com");
        let host = DomainName::parse(&["a".repeat(61).as_str(); 4].join(".")).unwrap();
        assert!(tlsa_question(25, &host).is_err());
    }
}

mod s4_use {
    use super::*;

    #[test]
    fn s4_1_records_that_mean_nothing_are_marked_unusable_and_the_others_count() {
        let records = [rdata(3, 1, 1, 5), rdata(3, 1, 1, 32), rdata(77, 1, 1, 32)];
        let set = usable(&records);
        assert_eq!((set.records.len(), set.rejected.len()), (1, 2));
        assert_eq!(set.rejected[0].record, records[0]);
        assert_eq!(
            set.rejected[1].to_string(),
            "77 1 1 …: certificate usage: expected 0 to 3, found 77 (RFC 6698 §2.1.1)"
        );
    }
}
