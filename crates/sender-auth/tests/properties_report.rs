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

/// Names of elements, most of which a report has.
const NAMES: [&str; 16] = [
    "feedback",
    "record",
    "row",
    "count",
    "source_ip",
    "policy_evaluated",
    "disposition",
    "dkim",
    "spf",
    "auth_results",
    "result",
    "reason",
    "type",
    "xs:schema",
    "Record",
    "other",
];

/// Tells the reader what is in an element.
fn feed(
    reader: &mut AggregateReader,
    element: &report_xml::Element,
    records: &mut Vec<ReceivedRecord>,
) {
    reader.open(&element.name).unwrap();
    reader.text(&element.text);
    for child in &element.children {
        feed(reader, child, records);
    }
    records.extend(reader.close(&element.name));
}

/// The row without what a reader takes as something else: white space at the ends of names, and
/// remarks that are not plain ASCII.
fn readable(mut row: Row) -> Row {
    let plain = |remark: &mut Option<Remark>| {
        remark.take_if(|remark| !remark.as_str().is_ascii());
    };
    let bad = |name: &DnsName| DnsName::parse(name.as_str().trim()).as_ref() != Ok(name);
    let signatures = row
        .auth_results
        .dkim
        .as_slice()
        .iter()
        .cloned()
        .filter_map(|mut auth| {
            plain(&mut auth.human_result);
            (!bad(&auth.domain) && !bad(&auth.selector))
                .then_some(Signature { auth, alignment: SignatureAlignment::None })
        })
        .collect::<Vec<_>>();
    row.auth_results.dkim = Signatures::new(signatures);
    row.auth_results.spf.take_if(|auth| bad(&auth.domain));
    if let Some(auth) = &mut row.auth_results.spf {
        plain(&mut auth.human_result);
    }
    row.evaluated.reasons =
        Reasons::new(row.evaluated.reasons.iter().cloned().map(|mut reason| {
            plain(&mut reason.comment);
            reason
        }));
    row
}

/// What a reader must make of a record.
fn as_received(record: &Record) -> ReceivedRecord {
    let row = &record.row;
    let told = |name: &DnsName| Some(DnsName::parse(&name.as_str().replace('@', "?")).unwrap());
    ReceivedRecord {
        source_ip: Some(row.source_ip()),
        count: record.count,
        disposition: Some(row.evaluated.disposition),
        dkim: Some(row.evaluated.dkim),
        spf: Some(row.evaluated.spf),
        reasons: row
            .evaluated
            .reasons
            .iter()
            .map(|reason| ReceivedReason {
                kind: GivenReason::parse(reason.kind.as_str()).unwrap(),
                comment: reason.comment.clone(),
            })
            .collect(),
        header_from: Some(row.identifiers.header_from.clone()),
        envelope_from: row.identifiers.envelope_from.clone(),
        envelope_to: match &row.identifiers.envelope_to {
            EnvelopeTo::Withheld => None,
            EnvelopeTo::Domain(domain) => Some(domain.clone()),
        },
        dkim_results: row
            .auth_results
            .dkim
            .as_slice()
            .iter()
            .map(|auth| ReceivedDkim {
                domain: told(&auth.domain),
                selector: told(&auth.selector),
                result: Some(auth.result),
                human_result: auth.human_result.clone(),
            })
            .collect(),
        spf_results: row
            .auth_results
            .spf
            .iter()
            .map(|auth| ReceivedSpf {
                domain: told(&auth.domain),
                scope: Some(SpfScope::MailFrom),
                result: Some(auth.result),
                human_result: auth.human_result.clone(),
            })
            .collect(),
    }
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
    fn what_is_written_reads_back_equal_and_without_quirks(
        rows in prop::collection::vec(row(), 1..6),
        policy in policy(),
    ) {
        let mut seen = Accumulation::new(Limits::default());
        for row in rows {
            let seen_policy = PolicySeen { at: UnixTime(1), policy: policy.clone() };
            seen.add(Day::since_epoch(0), seen_policy, readable(row), Tally { messages: 2, triggers: 1 });
        }
        let report = seen.groups().next().unwrap().to_report(metadata(None));
        let feedback = read(&write_xml(&report, Schema::Rfc9990)).unwrap();
        let mut reader = AggregateReader::new(ReadLimits::default(), UnixTime(1_800_000_000));
        reader.namespace(feedback.namespace.as_deref().unwrap());
        let mut records = Vec::new();
        feed(&mut reader, &feedback, &mut records);
        let found = reader.finish().unwrap();
        prop_assert_eq!(found.quirks.iter().map(ToString::to_string).collect::<Vec<_>>(), Vec::<String>::new());
        prop_assert_eq!(&records, &report.records.iter().map(as_received).collect::<Vec<_>>());
        prop_assert_eq!(found.totals.messages, report.messages());
        prop_assert_eq!(found.totals.records, report.records.len() as u64);
        prop_assert_eq!(found.namespace, Namespace::Dmarc2);
        prop_assert_eq!(found.metadata.org_name.as_ref(), Some(&report.metadata.org_name));
        prop_assert_eq!(found.metadata.email.as_ref(), Some(&report.metadata.email));
        let id = found.metadata.report_id.as_ref().map(Text::as_str);
        prop_assert_eq!(id, Some(report.metadata.report_id.as_str()));
        prop_assert_eq!(found.metadata.begin, Some(report.day.begin()));
        prop_assert_eq!(found.metadata.end, Some(report.day.end()));
        let PolicyPublished { domain, p, sp, np, adkim, aspf, discovery, fo, testing } = report.policy;
        prop_assert_eq!(found.policy, ReceivedPolicy {
            domain: Some(domain), p: Some(p), sp, np, adkim: Some(adkim), aspf: Some(aspf),
            discovery: Some(discovery), fo, testing: Some(testing), pct: None,
        });
    }

    #[test]
    fn any_elements_are_read_within_bounds(
        steps in prop::collection::vec((0_usize..3, 0_usize..NAMES.len(), "\\PC{0,8}"), 0..200),
    ) {
        let limits = ReadLimits { depth: 8, text: 16, records: 4, results: 2 };
        let mut reader = AggregateReader::new(limits, UnixTime(0));
        let mut records = Vec::new();
        for (step, name, text) in steps {
            match step {
                0 => if reader.open(NAMES[name]).is_err() { return Ok(()) },
                1 => reader.text(&text),
                _ => records.extend(reader.close(NAMES[name])),
            }
        }
        records.extend(reader.cut_off());
        prop_assert!(records.len() <= 4);
        prop_assert!(records.iter().all(|record| record.dkim_results.len() <= 2));
        let Ok(report) = reader.finish() else { return Ok(()) };
        prop_assert_eq!(report.totals.records, records.len() as u64);
        let sum = records.iter().fold(0_u64, |sum, record| sum.saturating_add(record.count));
        prop_assert_eq!(report.totals.messages, sum);
        let Totals { messages, none, pass, quarantine, reject, unknown, .. } = report.totals;
        let parts = [none, pass, quarantine, reject, unknown];
        prop_assert_eq!(parts.iter().fold(0_u64, |sum, part| sum.saturating_add(*part)), messages);
        prop_assert!(report.quirks.iter().all(|quirk| quirk.found.chars().count() <= 82));
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
