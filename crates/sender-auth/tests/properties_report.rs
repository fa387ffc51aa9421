//! What must hold for every message that is counted, and every report that is made of them: sums
//! are exact in any order, lines read as they were written, XML is well-formed, nobody is named.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod report_xml;

use std::net::IpAddr;

use proptest::prelude::*;
use report_xml::{check, read, rfc7489, rfc9990, word_fits};
use sender_auth::report::forwarding::{
    ArcSign, AuthorSignature, ReturnPath, Server, Signs, Weight,
};
use sender_auth::report::guard::{Circumstances, Contact, Kind, Outcome, Wish, trigger};
use sender_auth::report::*;
use sender_auth::{Header, HeaderField};
use smtp_types::{DnsName, DomainName, EmailAddress, UnixTime};

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

fn one_of<T: Copy + std::fmt::Debug>(all: &'static [T]) -> impl Strategy<Value = T> {
    (0..all.len()).prop_map(|index| all[index])
}

/// Few different values, so that rows meet.
fn domain() -> impl Strategy<Value = DomainName> {
    prop_oneof![
        Just("example.com"),
        Just("a.example.com"),
        Just("xn--bcher-kva.test"),
        Just("b.test")
    ]
    .prop_map(name)
}

/// Names of the DNS with everything that can be in them.
fn dns_name() -> impl Strategy<Value = DnsName> {
    prop_oneof![
        3 => Just("s1.example.com".to_owned()),
        1 => "[ -~]{1,20}",
    ]
    .prop_filter_map("a name", |text| DnsName::parse(&text).ok())
}

fn remark() -> impl Strategy<Value = Option<Remark>> {
    prop_oneof![
        2 => Just(String::new()),
        1 => "\\PC{1,30}",
        1 => "[<>&\"'/%,: -~]{1,30}",
    ]
    .prop_map(|text| Remark::parse(&text).ok())
}

fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u8>().prop_map(|last| [192, 0, 2, last].into()),
        any::<u32>().prop_map(|all| all.to_be_bytes().into()),
        any::<u128>().prop_map(|all| all.to_be_bytes().into()),
        any::<u32>().prop_map(|all| u128::from(all).to_be_bytes().into()),
    ]
}

fn signature() -> impl Strategy<Value = Signature> {
    const ALIGNMENTS: &[SignatureAlignment] =
        &[SignatureAlignment::Strict, SignatureAlignment::Relaxed, SignatureAlignment::None];
    let auth = (dns_name(), dns_name(), one_of(DkimResult::ALL), remark());
    (auth, one_of(ALIGNMENTS)).prop_map(|((domain, selector, result, human_result), alignment)| {
        Signature { auth: DkimAuth { domain, selector, result, human_result }, alignment }
    })
}

fn row() -> impl Strategy<Value = Row> {
    let results = (one_of(Disposition::ALL), one_of(DmarcResult::ALL), one_of(DmarcResult::ALL));
    let reasons = prop::collection::vec((one_of(ReasonType::ALL), remark()), 0..4);
    let identifiers = (domain(), prop::option::of(domain()), prop::option::of(domain()));
    let spf = prop::option::of((dns_name(), one_of(SpfResult::ALL), remark()));
    let signatures = prop::collection::vec(signature(), 0..4);
    (address(), results, reasons, identifiers, signatures, spf).prop_map(
        |(
            address,
            (disposition, dkim, spf),
            reasons,
            (from, return_path, to),
            signatures,
            auth,
        )| {
            let mut row = Row::new(address, from).evaluated(dkim, spf);
            row.evaluated.disposition = disposition;
            let reasons = reasons.into_iter().map(|(kind, comment)| Reason { kind, comment });
            row.evaluated.reasons = Reasons::new(reasons);
            row.identifiers.envelope_from = return_path;
            row.identifiers.envelope_to = to.map_or(EnvelopeTo::Withheld, EnvelopeTo::Domain);
            row.auth_results.dkim = Signatures::new(signatures);
            row.auth_results.spf =
                auth.map(|(domain, result, human_result)| SpfAuth { domain, result, human_result });
            row
        },
    )
}

fn policy() -> impl Strategy<Value = PolicyPublished> {
    let below = (prop::option::of(one_of(Policy::ALL)), prop::option::of(one_of(Policy::ALL)));
    let modes = (one_of(AlignmentMode::ALL), one_of(AlignmentMode::ALL), one_of(Discovery::ALL));
    let fo = prop::collection::btree_set(one_of(FailureOption::ALL), 0..4);
    (one_of(Policy::ALL), below, modes, fo, one_of(Testing::ALL)).prop_map(
        |(p, (sp, np), (adkim, aspf, discovery), fo, testing)| PolicyPublished {
            domain: name("example.com"),
            p,
            sp,
            np,
            adkim,
            aspf,
            discovery,
            fo,
            testing,
        },
    )
}

fn observation() -> impl Strategy<Value = Observation> {
    const TRIGGERS: &[Trigger] = &[
        Trigger::Counts,
        Trigger::Optional(Unwanted::Spam),
        Trigger::Optional(Unwanted::Stranger),
        Trigger::Never(Untold::OwnReport),
    ];
    (0..90_000_u64, policy(), row(), one_of(TRIGGERS)).prop_map(|(at, policy, row, trigger)| {
        Observation { at: UnixTime(at), policy, row, trigger }
    })
}

fn accumulation(observations: &[Observation]) -> Accumulation {
    // The smallest limits, so that rows become coarser; rows of 512 octets and more meet them soon.
    let mut seen = Accumulation::new(Limits::new(0, 0));
    observations.iter().cloned().for_each(|one| seen.observe(one));
    seen
}

fn merged(parts: impl IntoIterator<Item = Accumulation>) -> Accumulation {
    let mut all = Accumulation::new(Limits::new(0, 0));
    parts.into_iter().for_each(|part| all.merge(part));
    all
}

fn metadata(text: Option<Text>) -> Metadata {
    let org_name = text.clone().unwrap_or_else(|| Text::parse("Receiver").unwrap());
    Metadata {
        org_name,
        email: EmailAddress::parse("dmarc@mx.example.net").unwrap(),
        extra_contact_info: text.clone(),
        report_id: ReportId::parse("1@mx.example.net").unwrap(),
        errors: Vec::new(),
        generator: text,
    }
}

proptest! {
    #[test]
    fn a_row_printed_and_read_is_the_same(row in row()) {
        let line = row.to_line();
        prop_assert!(line.bytes().all(|octet| octet.is_ascii_graphic() || octet == b' '));
        prop_assert_eq!(Row::from_line(&line), Ok(row));
    }

    #[test]
    fn a_policy_printed_and_read_is_the_same(policy in policy()) {
        prop_assert_eq!(PolicyPublished::from_line(&policy.to_line()), Ok(policy));
    }

    #[test]
    fn what_a_row_is_read_from_is_what_it_prints(row in row(), at in any::<prop::sample::Index>(), with in "[ -~]{0,2}") {
        let mut line = row.to_line();
        let at = at.index(line.len());
        line.replace_range(at..=at, &with);
        if let Ok(other) = Row::from_line(&line) {
            prop_assert_eq!(other.to_line(), line);
        }
    }

    #[test]
    fn any_text_is_read_without_panic(text in "\\PC{0,80}") {
        let _ = Row::from_line(&text);
        let _ = PolicyPublished::from_line(&text);
        if let Ok(id) = ReportId::parse(&text) {
            prop_assert!(!id.as_str().contains([' ', '<', '>', '\r', '\n', '!']) || id.as_str().contains('!'));
        }
        if let Ok(remark) = Remark::parse(&text) {
            prop_assert!(!remark.as_str().contains('@'));
        }
    }

    #[test]
    fn coarser_twice_is_the_coarser_of_both(
        row in row(),
        first in one_of(Coarseness::ALL),
        second in one_of(Coarseness::ALL),
    ) {
        let domain = name("example.com");
        let once = row.clone().coarsened(first.max(second), &domain);
        let twice = row.clone().coarsened(first, &domain).coarsened(second, &domain);
        prop_assert_eq!(&once, &twice);
        prop_assert_eq!(once.passed(), row.passed());
        prop_assert_eq!(once.evaluated.disposition, row.evaluated.disposition);
        prop_assert_eq!(once.evaluated.reasons.is_empty(), row.evaluated.reasons.is_empty());
    }

    #[test]
    fn reports_are_well_formed_and_fit_both_schemas(
        rows in prop::collection::vec(row(), 1..6),
        policy in policy(),
        text in "\\PC{1,40}",
    ) {
        let mut seen = Accumulation::new(Limits::default());
        for row in rows {
            let seen_policy = PolicySeen { at: UnixTime(1), policy: policy.clone() };
            seen.add(Day::since_epoch(0), seen_policy, row, Tally { messages: 2, triggers: 1 });
        }
        let report = seen.groups().next().unwrap().to_report(metadata(Text::parse(&text).ok()));
        for (schema, table) in [(Schema::Rfc9990, rfc9990()), (Schema::Rfc7489, rfc7489())] {
            let old = schema == Schema::Rfc7489;
            let xml = write_xml(&report, schema);
            let feedback = read(&xml).unwrap_or_else(|error| panic!("{error}: {xml}"));
            check(&feedback, "", &table, &|path, text| word_fits(path, text, old));
            prop_assert_eq!(feedback.all("record").count(), report.records.len());
            let org_name = feedback.at("report_metadata/org_name");
            prop_assert_eq!(org_name, Some(report.metadata.org_name.as_str()));
            prop_assert_eq!(write_xml(&report, schema), xml);
        }
    }

    #[test]
    fn no_report_names_a_mailbox_or_a_recipient(rows in prop::collection::vec(row(), 1..6), policy in policy()) {
        let mut seen = Accumulation::new(Limits::default());
        for mut row in rows {
            row.identifiers.envelope_to = EnvelopeTo::Withheld;
            let seen_policy = PolicySeen { at: UnixTime(1), policy: policy.clone() };
            seen.add(Day::since_epoch(0), seen_policy, row, Tally { messages: 2, triggers: 1 });
        }
        let report = seen.groups().next().unwrap().to_report(metadata(None));
        let xml = write_xml(&report, Schema::default());
        prop_assert!(!xml.contains("envelope_to"));
        let ours = ["<email>dmarc@mx.example.net</email>", "<report_id>1@mx.example.net</report_id>"];
        let rest = ours.iter().fold(xml, |xml, ours| xml.replace(ours, ""));
        prop_assert!(!rest.contains('@'), "{}", rest);
    }

    #[test]
    fn ids_in_subjects_and_file_names_stay_what_they_are(id in "[ -~]{1,20}", gzipped in prop::collection::vec(any::<u8>(), 0..300)) {
        let Ok(report_id) = ReportId::parse(&id) else { return Ok(()) };
        let mut seen = Accumulation::new(Limits::default());
        seen.observe(Observation {
            at: UnixTime(1),
            policy: PolicyPublished::new(name("example.com"), Policy::None),
            row: Row::new([192, 0, 2, 1].into(), name("example.com")),
            trigger: Trigger::Counts,
        });
        let metadata = Metadata { report_id, ..metadata(None) };
        let report = seen.groups().next().unwrap().to_report(metadata);
        let to = EmailAddress::parse("rua@example.com").unwrap();
        let letter = Letter {
            from: &report.metadata.email,
            to: &to,
            date: UnixTime(2),
            message_id: &report.metadata.report_id,
        };
        let submitter = name("mx.example.net");
        let mail = AggregateMail { letter, submitter: &submitter, report: &report, gzipped: &gzipped, notice: None };
        let octets = mail.write(usize::MAX).unwrap();
        prop_assert_eq!(mail.write(octets.len()).unwrap().len(), octets.len());
        prop_assert!(mail.write(octets.len() - 1).is_err());
        let text = String::from_utf8(octets).unwrap();
        prop_assert_eq!(text.matches("\r\n--=_report").count(), 3);
        prop_assert_eq!(file_name(&report, &submitter).matches('!').count() >= 3, true);
        let file = file_name(&report, &submitter);
        prop_assert!(file.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"!.-_".contains(&octet)));
    }

    #[test]
    fn only_what_is_proven_looks_forwarded_and_gives_a_reason(
        spf in one_of(SpfResult::ALL),
        path in one_of(&[ReturnPath::Aligned, ReturnPath::Other, ReturnPath::Rewritten, ReturnPath::Null]),
        dkim in prop::option::of(one_of(DkimResult::ALL)),
        arc in any::<bool>(),
        known in any::<bool>(),
        fields in prop::collection::vec(prop_oneof![Just("List-Id: x"), Just("Resent-To: x"), Just("Precedence: list")], 0..3),
    ) {
        let sealer = name("forwarder.test");
        let header: Header =
            fields.iter().map(|field| HeaderField::parse(field.as_bytes()).unwrap()).collect();
        let looks = Looks::of(Signs {
            spf,
            return_path: path,
            author_signature: dkim.map_or(AuthorSignature::Absent, AuthorSignature::Present),
            arc: if arc { ArcSign::PassedBefore { sealer: &sealer } } else { ArcSign::Nothing },
            server: if known { Server::KnownForwarder } else { Server::Unknown },
            header: &header,
        });
        let proven = looks.evidence().any(|one| one.weight() == Weight::Proven);
        prop_assert_eq!(matches!(looks, Looks::Forwarded { .. }), proven);
        prop_assert_eq!(looks.reason().is_some(), proven);
        prop_assert_eq!(looks == Looks::Direct, spf == SpfResult::Pass && path == ReturnPath::Aligned);
        let sorted: Vec<_> = looks.evidence().map(|one| one.weight()).collect();
        prop_assert!(sorted.is_sorted());
    }

    #[test]
    fn spam_reports_and_strangers_alone_lead_to_nothing(
        wish in one_of(&[Wish::Reports, Wish::Nothing]),
        kind in one_of(&[Kind::OwnReport, Kind::Report, Kind::Bounce, Kind::Ordinary]),
        outcome in one_of(&[Outcome::Accepted, Outcome::Refused, Outcome::RefusedAsSpam]),
        dmarc in one_of(DmarcResult::ALL),
        contact in one_of(&[Contact::Good, Contact::None]),
    ) {
        let found = trigger(Circumstances { wish, kind, outcome, dmarc, contact });
        let good = outcome == Outcome::Accepted && dmarc == DmarcResult::Pass;
        let counts = wish == Wish::Reports
            && kind == Kind::Ordinary
            && outcome != Outcome::RefusedAsSpam
            && (good || contact == Contact::Good);
        prop_assert_eq!(found == Trigger::Counts, counts);
        let never = wish == Wish::Nothing || kind == Kind::OwnReport;
        prop_assert_eq!(matches!(found, Trigger::Never(_)), never);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn accumulations_add_up_the_same_in_any_order(
        observations in prop::collection::vec(observation(), 0..800),
        cuts in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
    ) {
        let mut cuts = [cuts.0.index(observations.len() + 1), cuts.1.index(observations.len() + 1)];
        cuts.sort_unstable();
        let [first, second, third] =
            [&observations[..cuts[0]], &observations[cuts[0]..cuts[1]], &observations[cuts[1]..]];
        let whole = accumulation(&observations);
        let part = |part: &[Observation]| accumulation(part);
        let forward = merged([part(first), part(second), part(third)]);
        prop_assert_eq!(&forward, &whole);
        prop_assert_eq!(&merged([part(third), part(second), part(first)]), &whole);
        let right = merged([part(second), part(third)]);
        prop_assert_eq!(&merged([part(first), right]), &whole);
        let mut reversed = observations.clone();
        reversed.reverse();
        prop_assert_eq!(&accumulation(&reversed), &whole);

        // Every message that is told is in one row.
        let told = observations.iter().filter(|one| !matches!(one.trigger, Trigger::Never(_)));
        let triggers = observations.iter().filter(|one| one.trigger == Trigger::Counts).count();
        let sums = whole.groups().fold(Tally::default(), |sum, group| sum.plus(group.tally()));
        prop_assert_eq!(sums.messages, told.count() as u64);
        prop_assert_eq!(sums.triggers, triggers as u64);

        // And so it is if a store has kept the lines.
        let mut stored = Accumulation::new(Limits::new(0, 0));
        for group in whole.groups() {
            prop_assert!(group.rows().filter(|(row, _)| row.passed()).count() <= 256);
            prop_assert!(group.rows().filter(|(row, _)| !row.passed()).count() <= 256);
            for (row, tally) in group.rows() {
                let row = Row::from_line(&row.to_line()).unwrap();
                stored.add(group.day(), group.policy().clone(), row, tally);
            }
        }
        prop_assert_eq!(&stored, &whole);
    }
}
