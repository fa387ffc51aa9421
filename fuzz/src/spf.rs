//! SPF: records, explanations, and whole evaluations in a DNS that an attacker owns.

use sender_auth::spf::{
    Limits, MacroString, Problem, Query, Receiver, Record, SpfResult, check_host, lint_record,
    select,
};
use smtp_types::{
    DnsAnswer, DnsFailure, DnsQuestion, DnsReply, Dnssec, DomainName, Known, Mx, RecordData,
    RecordType, UnixTime,
};

use crate::{is_valid, text};

/// A record: printed and read it is the same, and the linter agrees with the reader.
pub fn spf_record(data: &[u8]) {
    let parsed = Record::parse(data);
    assert_eq!(parsed.is_ok(), is_valid(&lint_record(data), &[]), "{parsed:?}");
    if let Ok(record) = &parsed {
        let printed = record.to_string();
        assert_eq!(Record::parse(printed.as_bytes()).as_ref(), Ok(record), "{printed}");
        assert_eq!(select([b"x", data, b"v=spf10"]), Ok(data));
        assert!(select([data, data]).is_err());
    }
    // A fault behind makes a record invalid as a whole, and a term with no effect does not.
    let with = |term: &[u8]| Record::parse(&[data, b" ", term].concat());
    assert!(with(b"all:").is_err());
    assert_eq!(with(b"x=y").is_ok(), parsed.is_ok());
}

/// The text of an explanation: printed and read it is the same.
pub fn spf_explanation(data: &[u8]) {
    if let Ok(parsed) = MacroString::parse_explanation(data) {
        let printed = parsed.to_string();
        assert_eq!(MacroString::parse_explanation(printed.as_bytes()), Ok(parsed), "{printed}");
    }
}

/// An evaluation. The first lines are the return path, the name of the client, and its address;
/// the others are the texts of a DNS in which every name exists in some way. It ends soon, within
/// all limits, and in the same way if each question is asked by itself.
pub fn spf_evaluation(data: &[u8]) {
    let Some(text) = text(data) else {
        return;
    };
    let mut lines = text.split('\n');
    let (sender, helo) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let Some(ip) = lines.next().and_then(|line| line.parse().ok()) else {
        return;
    };
    let texts: Vec<&str> = lines.collect();
    let query = Query::mail_from(ip, helo, sender);
    let receiver = Receiver { host_name: "mx.receiver.test", now: UnixTime(1_800_000_000) };
    let limits = Limits::default();

    let mut results = [true, false].map(|together| {
        let mut known = Known::default();
        let mut rounds = 0;
        loop {
            match check_host(&known, &query, &receiver, &limits) {
                Ok(evaluation) => return evaluation,
                Err(need) => {
                    let count = if together { need.dns.len() } else { 1 };
                    assert!(count > 0, "no question");
                    for question in need.dns.into_iter().rev().take(count) {
                        let reply = reply(&question, &texts);
                        known.add_dns(question, reply);
                    }
                    rounds += 1;
                    assert!(rounds <= 200, "no end");
                }
            }
        }
    });
    let [evaluation, single] = &mut results;
    assert_eq!(evaluation, single);
    assert!(evaluation.lookups <= limits.lookups);
    assert!(evaluation.void_lookups <= limits.void_lookups);
    assert!(evaluation.trace.steps().len() <= limits.trace_steps);
    assert_eq!(evaluation.domain.as_ref().ok_or(()), query.domain().map_err(|_| ()));
    let problem = evaluation.problem.as_ref().map(Problem::result);
    assert!(problem.is_none_or(|result| result == evaluation.result));
    assert_eq!(
        evaluation.matched.is_none() && evaluation.problem.is_none(),
        evaluation.result == SpfResult::Neutral && evaluation.matched.is_none()
    );
    if let Some(explanation) = &evaluation.explanation {
        assert_eq!(evaluation.result, SpfResult::Fail);
        assert!(explanation.len() <= limits.explanation_octets);
        assert!(explanation.bytes().all(|octet| matches!(octet, b' '..=b'~')), "{explanation:?}");
    }
    let told = format!("{evaluation}{}", evaluation.trace);
    assert!(told.chars().all(|c| c == '\n' || !c.is_control()), "{told:?}");
}

/// What the attacker's DNS says: which of it depends on the octets of the name.
fn reply(question: &DnsQuestion, texts: &[&str]) -> DnsReply {
    let name = question.name.as_str();
    let sum = name.bytes().fold(0_usize, |sum, octet| sum * 31 % 65_521 + usize::from(octet));
    let detail = String::new();
    if sum.is_multiple_of(17) {
        return Err(DnsFailure::Temporary { detail });
    }
    let name_of = |number: usize| DomainName::parse(&format!("{}.test", number % 7)).ok();
    let records = match question.record_type {
        _ if sum.is_multiple_of(5) => Vec::new(),
        RecordType::A => vec![RecordData::Address([192, 0, 2, (sum % 4) as u8].into())],
        RecordType::Aaaa => {
            vec![RecordData::Address([0x2001, 0xdb8, 0, 0, 0, 0, 0, (sum % 4) as u16].into())]
        }
        RecordType::Mx => (0..sum % 13)
            .map(|n| {
                RecordData::Mx(Mx { preference: 10, exchange: name_of(sum + n).map(Into::into) })
            })
            .collect(),
        RecordType::Ptr => {
            (0..sum % 13).filter_map(|n| name_of(sum + n)).map(RecordData::Ptr).collect()
        }
        RecordType::Txt if texts.is_empty() => Vec::new(),
        RecordType::Txt => {
            let text = texts[sum % texts.len()].as_bytes();
            vec![RecordData::Txt(text.into())]
        }
        RecordType::Cname | RecordType::Tlsa => Vec::new(),
    };
    Ok(DnsAnswer {
        dnssec: Dnssec::Insecure,
        canonical_name: question.name.clone(),
        name_exists: !records.is_empty(),
        records,
        ttl: 0,
    })
}
