//! DMARC: records, the `From` field, report addresses, and whole evaluations.

use sender_auth::dmarc::{
    Author, AuthorDomain, DkimIdentity, DmarcResult, Identities, IdentityResult,
    MAX_ALIGNMENT_WALKS, MAX_AUTHOR_DOMAINS, MAX_QUERIES, Policy, Record, ReportUri, evaluate,
    lint_record, select,
};
use sender_auth::{Header, HeaderField};
use smtp_types::{
    DnsAnswer, DnsFailure, DnsQuestion, DnsReply, Dnssec, DomainName, EmailAddress, Known,
    RecordData,
};

use crate::{is_valid, text};

/// A policy record: printed and read it is the same, and without an error of the linter there is a
/// policy.
pub fn dmarc_record(data: &[u8]) {
    let selected = select([data]);
    let valid = is_valid(&lint_record(data), &[]);
    let Ok(record) = selected else {
        assert!(!valid, "the linter has no error for what is discarded: {selected:?}");
        return;
    };
    assert!(!valid || record.policy().is_some(), "{record}");
    let printed = record.to_string();
    assert_eq!(Record::parse(printed.as_bytes()).as_ref(), Ok(&record));
    assert_eq!(is_valid(&lint_record(printed.as_bytes()), &[]), record.policy().is_some());
    // A second text that counts makes both useless; one that does not count changes nothing.
    assert!(select([data, data]).is_err());
    assert_eq!(select([b"v=spf1 -all", data]), Ok(record));
}

/// The fields `From` of a message, one in each piece between 0xff octets: one domain, several, or a
/// fault; and what is shown in plain sight is seen.
pub fn dmarc_author(data: &[u8]) {
    let values = data.split(|octet| *octet == 0xff);
    let fields = values.filter_map(|value| HeaderField::new(b"From", value).ok());
    let header: Header = fields.collect();
    let author = Author::read(&header);
    assert!(author.domains().len() <= MAX_AUTHOR_DOMAINS);
    match author.domain() {
        AuthorDomain::One(domain) => {
            assert_eq!(header.fields().len(), 1);
            assert!(author.mailboxes().iter().all(|mailbox| mailbox.domain == *domain));
        }
        AuthorDomain::Several(domains) => assert!(domains.len() > 1),
        AuthorDomain::Unclear(fault) => assert!(!fault.to_string().contains(char::is_control)),
    }
    for domain in author.domains() {
        assert_eq!(DomainName::parse(domain.as_str()).as_ref(), Ok(domain));
    }
    assert!(author.hints().iter().all(|hint| !hint.to_string().contains(char::is_control)));
    // Another field makes it a fault, and hides nothing that was seen.
    let mut more = header.clone();
    more.push(HeaderField::new(b"from", b" <last@shown.test>").expect("a field"));
    let more = Author::read(&more);
    let is_full = more.domains().len() == MAX_AUTHOR_DOMAINS;
    assert!(is_full || author.domains().iter().all(|domain| more.domains().contains(domain)));
    assert!(is_full || more.domains().iter().any(|domain| domain.as_str() == "shown.test"));
    assert_eq!(matches!(more.domain(), AuthorDomain::One(_)), header.fields().is_empty());
}

/// A URI of `rua`: printed and read it is the same, and a mailbox is an address that prints.
pub fn dmarc_report_uri(data: &[u8]) {
    let Some(uri) = text(data).and_then(|text| ReportUri::parse(text).ok()) else {
        return;
    };
    assert_eq!(ReportUri::parse(uri.as_str()).as_ref(), Ok(&uri));
    assert!(uri.as_str().bytes().all(|octet| octet.is_ascii_graphic()));
    assert!(!uri.as_str().contains([',', ';', '!']));
    if let Some(address) = uri.address() {
        assert_eq!(EmailAddress::parse(&address.to_string()).as_ref(), Ok(address));
    }
}

/// An evaluation: the first line is the Author Domain, the second the domains that have signed, the
/// others what the DNS says, one for each question as they come; `!` and `?` are failures.
pub fn dmarc_evaluation(data: &[u8]) {
    let mut lines = data.split(|octet| *octet == b'\n');
    let author = lines.next().and_then(text).and_then(|line| DomainName::parse(line).ok());
    let (Some(author), Some(signers)) = (author, lines.next().and_then(text)) else {
        return;
    };
    let signers = signers.split(' ').filter_map(|signer| DomainName::parse(signer).ok());
    let dkim = signers.take(40).map(|domain| DkimIdentity {
        domain,
        selector: "s".into(),
        result: IdentityResult::Pass,
    });
    let identities = Identities { spf: None, dkim: dkim.collect() };
    let mut known = Known::default();
    let mut asked = 0;
    let evaluation = loop {
        let need = match evaluate(&known, &author, &identities) {
            Ok(evaluation) => break evaluation,
            Err(need) => need,
        };
        for question in need.dns {
            asked += 1;
            let reply = reply(&question, lines.next().unwrap_or_default());
            known.add_dns(question, reply);
        }
    };
    assert!(asked <= MAX_QUERIES * (MAX_ALIGNMENT_WALKS + 1) + 3);
    assert!(evaluation.walk.steps().len() <= MAX_QUERIES);
    let passes = evaluation.dkim.iter().any(|identity| identity.is_aligned_pass());
    assert_eq!(evaluation.result == DmarcResult::Pass, passes);
    assert!(evaluation.disposition() == Policy::None || evaluation.result == DmarcResult::Fail);
    assert!(evaluation.result != DmarcResult::Fail || evaluation.policy.is_some());
    // Who has signed for the very domain passes, or there is no policy to pass.
    let signed_itself = identities.dkim.iter().any(|dkim| dkim.domain == author);
    assert!(!signed_itself || passes || evaluation.policy.is_none());
}

fn reply(question: &DnsQuestion, line: &[u8]) -> DnsReply {
    let detail = String::from("made up");
    match line {
        b"!" => return Err(DnsFailure::Temporary { detail }),
        b"?" => return Err(DnsFailure::Permanent { detail }),
        _ => {}
    }
    let texts = line.split(|octet| *octet == b'|').filter(|text| !text.is_empty());
    let records: Vec<_> = texts.map(|text| RecordData::Txt(text.into())).collect();
    Ok(DnsAnswer {
        dnssec: Dnssec::Insecure,
        canonical_name: question.name.clone(),
        name_exists: !records.is_empty(),
        records,
        ttl: 60,
    })
}
