//! What must hold for DMARC with every input: readers never panic, print ∘ parse is the identity,
//! the linter agrees with the reader, walks are bounded, and the order of answers does not matter.

use std::collections::BTreeSet;

use proptest::prelude::*;
use sender_auth::dmarc::{
    Author, AuthorDomain, DkimIdentity, DmarcResult, Identities, IdentityResult,
    MAX_AUTHOR_DOMAINS, MAX_QUERIES, Policy, Record, ReportKind, SpfIdentity, evaluate,
    evaluate_message, lint_record, select, verify_report_addresses, walk,
};
use sender_auth::{Header, HeaderField};
use smtp_types::{
    DnsAnswer, DnsFailure, DnsQuestion, DnsReply, Dnssec, DomainName, Known, Need, RecordData,
    Severity,
};

/// Text that comes close to a record, so that the deeper rules are reached.
fn record_like() -> impl Strategy<Value = String> {
    let tag = prop_oneof![
        "(p|sp|np|P) ?= ?(none|quarantine|reject|Reject|x)?",
        "(adkim|aspf)=(r|s|x)",
        "(t|psd)=[ynux]",
        "fo=[01ds:]{1,5}",
        "(rua|ruf)=(mailto:a@b.test|https://b.test|mailto:|x)(!10m)?(,mailto:c@d.test)?",
        "[a-z]{1,4}=[ -:<-~]{0,9}",
        "\\PC{0,9}",
    ];
    let tags = prop::collection::vec(tag, 0..6).prop_map(|tags| tags.join("; "));
    let version = prop_oneof![
        8 => Just("v=DMARC1; "),
        1 => Just("V =\tDMARC1;"),
        1 => Just("v=dmarc1; "),
    ];
    (version, tags).prop_map(|(version, tags)| [version, &tags].concat())
}

/// Values of `From` made of what its grammar is made of, and what attackers add.
fn from_like() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => Just(&b"a@good.test"[..]),
        4 => Just(&b"b@evil.test"[..]),
        2 => Just(&b"<"[..]),
        2 => Just(&b">"[..]),
        2 => Just(&b", "[..]),
        1 => Just(&b"\""[..]),
        1 => Just(&b"("[..]),
        1 => Just(&b")"[..]),
        1 => Just(&b"\\"[..]),
        1 => Just(&b":"[..]),
        1 => Just(&b";"[..]),
        1 => Just(&b"@"[..]),
        1 => Just(&b"."[..]),
        1 => Just(&b"["[..]),
        1 => Just(&b"\r\n "[..]),
        1 => Just(&b"\0"[..]),
        1 => Just(&b"\r"[..]),
        1 => Just(&b"=?utf-8?q?a=40good.test?="[..]),
        1 => Just(&b"\xc3\xa4\xff"[..]),
        1 => Just(&b" x "[..]),
    ];
    prop::collection::vec(piece, 0..9).prop_map(|pieces| pieces.concat())
}

/// A short domain; few labels, so that domains meet.
fn domain() -> impl Strategy<Value = DomainName> {
    prop::collection::vec("[ab]", 0..11).prop_map(|mut labels| {
        labels.push("test".into());
        DomainName::parse(&labels.join(".")).expect("made of labels")
    })
}

/// What the DNS says to one question, made of the name and a seed.
fn reply(question: &DnsQuestion, seed: u64) -> DnsReply {
    const TEXTS: [&str; 8] = [
        "v=DMARC1; p=reject",
        "v=DMARC1; p=none; sp=quarantine; np=reject; t=y",
        "v=DMARC1; p=quarantine; psd=y",
        "v=DMARC1; p=reject; psd=n; adkim=s",
        "v=DMARC1; adkim=s",
        "v=DMARC1; rua=mailto:a@a.test,mailto:b@b.test",
        "v=DMARC1; p=none; p=none",
        "v=spf1 -all",
    ];
    let text = question.to_string();
    let number = text.bytes().fold(seed, |sum, octet| {
        sum.wrapping_mul(31).wrapping_add(u64::from(octet)).rotate_left(7)
    });
    let detail = String::from("made up");
    match number % 32 {
        0 => return Err(DnsFailure::Temporary { detail }),
        1 => return Err(DnsFailure::Permanent { detail }),
        2 => return Err(DnsFailure::Bogus { detail }),
        _ => {}
    }
    let count = usize::from(number % 3 != 0) + usize::from(number % 11 == 0);
    let first = usize::try_from(number / 7 % 8).unwrap_or_default();
    let text = |index: usize| TEXTS.get((first + index) % TEXTS.len());
    let texts = (0..count).filter_map(text);
    Ok(DnsAnswer {
        dnssec: Dnssec::Insecure,
        canonical_name: question.name.clone(),
        name_exists: count > 0,
        records: texts.map(|text| RecordData::Txt(text.as_bytes().into())).collect(),
        ttl: 60,
    })
}

/// Answers all questions of a round at once.
fn run<T>(seed: u64, evaluate: impl Fn(&Known) -> Result<T, Need>) -> (T, usize, usize) {
    let mut known = Known::default();
    let (mut rounds, mut asked) = (0, BTreeSet::new());
    loop {
        match evaluate(&known) {
            Ok(value) => return (value, rounds, asked.len()),
            Err(need) => {
                rounds += 1;
                for question in need.dns {
                    assert!(asked.insert(question.clone()), "{question} was asked before");
                    let reply = reply(&question, seed);
                    known.add_dns(question, reply);
                }
            }
        }
    }
}

/// Answers one question at a time, the last first.
fn run_slowly<T>(seed: u64, evaluate: impl Fn(&Known) -> Result<T, Need>) -> T {
    let mut known = Known::default();
    loop {
        match evaluate(&known) {
            Ok(value) => return value,
            Err(need) => {
                if let Some(question) = need.dns.into_iter().next_back() {
                    let reply = reply(&question, seed);
                    known.add_dns(question, reply);
                }
            }
        }
    }
}

fn identities() -> impl Strategy<Value = Identities> {
    let result = || {
        prop_oneof![
            Just(IdentityResult::Pass),
            Just(IdentityResult::Fail),
            Just(IdentityResult::TemporaryError),
        ]
    };
    let spf = (domain(), result()).prop_map(|(domain, result)| SpfIdentity { domain, result });
    let dkim = (domain(), result()).prop_map(|(domain, result)| DkimIdentity {
        domain,
        selector: "s".into(),
        result,
    });
    (prop::option::of(spf), prop::collection::vec(dkim, 0..4))
        .prop_map(|(spf, dkim)| Identities { spf, dkim })
}

proptest! {
    #[test]
    fn any_octets_are_read_without_panic(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Record::parse(&octets);
        let _ = select([&octets[..], b"v=DMARC1; p=none"]);
        let _ = lint_record(&octets);
        if let Ok(field) = HeaderField::new(b"From", &octets) {
            let author = Author::read(&Header::new(vec![field]));
            let _ = author.hints();
        }
    }

    #[test]
    fn a_record_printed_and_read_is_the_same(text in record_like()) {
        let selected = select([text.as_bytes()]);
        if let Ok(record) = &selected {
            let printed = record.to_string();
            prop_assert_eq!(&Record::parse(printed.as_bytes()).ok(), &Some(record.clone()));
            // A second text that counts makes both useless; one that does not changes nothing.
            prop_assert!(select([text.as_bytes(), text.as_bytes()]).is_err());
            prop_assert_eq!(&select([b"v=spf1 -all", text.as_bytes()]).ok(), &Some(record.clone()));
            // What is printed is what every reader takes.
            let errors = lint_record(printed.as_bytes());
            let is_clean = errors.iter().all(|one| one.severity < Severity::Error);
            prop_assert_eq!(is_clean, record.policy().is_some(), "{}", printed);
        }
    }

    #[test]
    fn without_an_error_of_the_linter_all_of_a_record_is_taken(text in record_like()) {
        let findings = lint_record(text.as_bytes());
        prop_assert!(findings.is_sorted_by_key(|finding| finding.position));
        let has_error = findings.iter().any(|finding| finding.severity == Severity::Error);
        let policy = select([text.as_bytes()]).ok().and_then(|record| record.policy());
        // No error: there is a policy. No policy: there is an error.
        prop_assert!(has_error || policy.is_some(), "{text}");
    }

    #[test]
    fn an_author_is_one_domain_several_or_a_fault(values in prop::collection::vec(from_like(), 0..3)) {
        let fields = values.iter().filter_map(|value| HeaderField::new(b"From", value).ok());
        let header: Header = fields.collect();
        let author = Author::read(&header);
        let count = author.domains().len();
        prop_assert!(count <= MAX_AUTHOR_DOMAINS);
        match author.domain() {
            AuthorDomain::One(domain) => {
                prop_assert_eq!(author.domains(), [domain.clone()]);
                prop_assert!(author.mailboxes().iter().all(|mailbox| mailbox.domain == *domain));
                prop_assert_eq!(header.fields().len(), 1);
            }
            AuthorDomain::Several(domains) => prop_assert!(domains.len() > 1),
            AuthorDomain::Unclear(fault) => prop_assert!(!fault.to_string().is_empty()),
        }
        for domain in author.domains() {
            prop_assert!(DomainName::parse(domain.as_str()).is_ok_and(|read| read == *domain));
        }
        // Every domain behind an unquoted, uncommented address is seen, whatever is around it.
        let plain = |value: &Vec<u8>| !value.iter().any(|octet| b"\"()\\[:".contains(octet));
        let shows = |value: &Vec<u8>, address: &[u8]| {
            plain(value) && value.windows(address.len()).any(|window| window == address)
        };
        for (address, domain) in [(&b"<a@good.test>"[..], "good.test"), (b"<b@evil.test>", "evil.test")] {
            if values.iter().any(|value| shows(value, address)) {
                prop_assert!(author.domains().iter().any(|seen| seen.as_str() == domain));
            }
        }
    }

    #[test]
    fn a_walk_asks_eight_questions_at_most(start in domain(), seed: u64) {
        let (walked, rounds, asked) = run(seed, |known| walk(known, &start));
        prop_assert_eq!(rounds, 1);
        prop_assert!(asked <= MAX_QUERIES && walked.steps().len() <= asked);
        if let Ok(organization) = walked.organizational_domain() {
            let is_above = start.as_str().ends_with(organization.as_str());
            prop_assert!(is_above, "{} {}", start, organization);
            // The Organizational Domain of an Organizational Domain is itself.
            let (again, _, _) = run(seed, |known| walk(known, &organization));
            if let Ok(again) = again.organizational_domain() {
                prop_assert_eq!(again, organization);
            }
        }
    }

    #[test]
    fn the_order_of_answers_does_not_matter(
        author in domain(),
        identities in identities(),
        seed: u64,
    ) {
        let (evaluation, rounds, asked) = run(seed, |known| evaluate(known, &author, &identities));
        let slowly = run_slowly(seed, |known| evaluate(known, &author, &identities));
        prop_assert_eq!(&evaluation, &slowly);
        prop_assert!(rounds <= 2);
        prop_assert!(asked <= MAX_QUERIES * 6 + 3);
        // A wish is heard only of a message that fails, and it fails only if there is a policy.
        if evaluation.disposition() > Policy::None {
            prop_assert_eq!(evaluation.result, DmarcResult::Fail);
        }
        prop_assert!(evaluation.result != DmarcResult::Fail || evaluation.policy.is_some());
        let mut passes = evaluation.spf.iter().chain(&evaluation.dkim);
        let passes = passes.any(|one| one.is_aligned_pass());
        prop_assert_eq!(evaluation.result == DmarcResult::Pass, passes);
    }

    #[test]
    fn another_author_never_makes_a_message_better(
        first in domain(),
        second in domain(),
        identities in identities(),
        seed: u64,
    ) {
        let message = |from: &str| {
            let field = HeaderField::new(b"From", from.as_bytes()).expect("a field");
            let author = Author::read(&Header::new(vec![field]));
            run(seed, |known| evaluate_message(known, &author, &identities)).0
        };
        let alone = message(&format!("a@{first}"));
        for from in [
            format!("a@{first}, b@{second}"),
            format!("b@{second}, a@{first}"),
            format!("a@{first} <b@{second}>"),
            format!("<a@{first}><b@{second}>"),
        ] {
            let both = message(&from);
            prop_assert!(both.result >= alone.result, "{}", from);
            prop_assert!(both.disposition() >= alone.disposition(), "{}", from);
        }
    }

    #[test]
    fn reports_leave_the_organization_only_with_consent(
        policy_domain in domain(),
        host in domain(),
        seed: u64,
    ) {
        let record = Record::parse(format!("v=DMARC1; rua=mailto:a@{host}").as_bytes());
        let record = record.expect("a record");
        let check = |known: &Known| {
            verify_report_addresses(known, &policy_domain, record.rua(), ReportKind::Aggregate)
        };
        let (checked, rounds, _) = run(seed, check);
        prop_assert!(rounds <= 3);
        prop_assert_eq!(&checked, &run_slowly(seed, check));
        for address in checked.iter().flat_map(|one| one.outcome.addresses()) {
            prop_assert_eq!(address.domain(), &host);
        }
    }
}
