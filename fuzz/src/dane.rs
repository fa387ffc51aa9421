//! TLSA records, and chains of certificates held against them.

use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use smtp_dane::{
    Judgment, PathOptions, ReferenceIdentifiers, Tlsa, judge, lint_tlsa, parse_records, usable,
};
use smtp_types::{DomainName, TlsaRdata, UnixTime};

use crate::{is_valid, text};

/// A time at which the certificates of the corpus are valid: 2027-01-15.
const NOW: UnixTime = UnixTime(1_800_000_000);

/// TLSA records as text: what was read prints and reads the same, and the linter agrees.
pub fn tlsa_record(data: &[u8]) {
    let Some(text) = text(data) else {
        return;
    };
    let records = parse_records(text);
    let understood = records.as_ref().is_ok_and(|records| {
        !records.is_empty() && records.iter().all(|record| Tlsa::parse(record).is_ok())
    });
    assert_eq!(understood, is_valid(&lint_tlsa(text), &[]), "reader and linter disagree");
    if let Ok(record) = Tlsa::parse_presentation(text) {
        assert_eq!(Tlsa::parse_presentation(&record.to_string()).as_ref(), Ok(&record));
        assert_eq!(records, Ok(vec![record.to_rdata()]));
    }
}

/// A TLSA record as the DNS has it: understood, it is what it was; and it is usable or rejected.
pub fn tlsa_rdata(data: &[u8]) {
    let Some(rdata) = rdata(data) else {
        return;
    };
    let set = usable([&rdata]);
    assert_eq!(set.records.len() + set.rejected.len(), 1);
    if let Ok(record) = Tlsa::parse(&rdata) {
        assert_eq!(record.to_rdata(), rdata);
        assert_eq!(Tlsa::parse_presentation(&record.to_string()), Ok(record));
    }
}

/// A chain and its records, one after another: `C` or `T`, two octets of length, then a
/// certificate or the data of a record.
///
/// Whatever they are, a record that holds the digest of the first certificate authenticates it,
/// and one that holds another digest does not.
pub fn dane_chain(data: &[u8]) {
    let (mut chain, mut records) = (Vec::new(), Vec::new());
    let mut rest = data;
    while let [kind, high, low, behind @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(behind.len());
        let (content, after) = behind.split_at(length);
        match kind {
            b'C' => chain.push(CertificateDer::from(content)),
            _ => records.extend(rdata(content)),
        }
        rest = after;
    }
    let Ok(name) = DomainName::parse("mx.example.com") else {
        return;
    };
    let names = ReferenceIdentifiers::new(name);
    let options =
        PathOptions { additional: &[], algorithms: webpki::ALL_VERIFICATION_ALGS, now: NOW };
    let judgment = judge(&chain, &records, &names, &options);
    if let Judgment::Pass { record, depth } = judgment {
        assert!(depth <= smtp_dane::MAX_CHAIN, "{depth}");
        assert!(records.contains(&record.to_rdata()), "{record}");
    }

    let Some(leaf) = chain.first() else {
        return;
    };
    let mut digest = Sha256::digest(leaf).to_vec();
    let by_digest = |data| TlsaRdata { usage: 3, selector: 0, matching_type: 1, data };
    let right = judge(&chain, &[by_digest(digest.clone())], &names, &options);
    assert!(matches!(right, Judgment::Pass { depth: 0, .. }), "{right:?}");
    digest[0] ^= 1;
    let wrong = judge(&chain, &[by_digest(digest)], &names, &options);
    assert!(matches!(wrong, Judgment::Fail { .. }), "{wrong:?}");
}

fn rdata(octets: &[u8]) -> Option<TlsaRdata> {
    let [usage, selector, matching_type, data @ ..] = octets else {
        return None;
    };
    let (usage, selector, matching_type) = (*usage, *selector, *matching_type);
    Some(TlsaRdata { usage, selector, matching_type, data: data.to_vec() })
}
