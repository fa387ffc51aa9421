//! A DNS made of text, for the tests of SPF: one line for one record, `name type data`.
//!
//! The data `temporary`, `bogus` and `permanent` are failures, `nothing` says that the name exists
//! and has no such record. A name that is nowhere does not exist. A space inside a name is
//! written as ␣.

use std::collections::BTreeMap;

use sender_auth::spf::{Evaluation, Limits, Query, Receiver, check_host};
use smtp_types::{
    DnsAnswer, DnsFailure, DnsName, DnsQuestion, DnsReply, Dnssec, DomainName, Known, Mx,
    RecordData, UnixTime,
};

/// Who checks in all tests.
pub(crate) const RECEIVER: Receiver<'static> =
    Receiver { host_name: "mx.receiver.test", now: UnixTime(1_800_000_000) };

/// What the DNS says: the lines of each name.
pub(crate) struct World {
    lines: BTreeMap<String, Vec<(String, String)>>,
}

impl World {
    pub(crate) fn read(text: &str) -> Self {
        let mut lines: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for line in text.lines().map(str::trim_start).filter(|line| !line.is_empty()) {
            let mut words = line.splitn(3, ' ');
            let [name, record_type] = [(); 2].map(|()| words.next().unwrap().to_owned());
            let name = name.replace('\u{2423}', " ");
            let data = words.next().unwrap_or_default().to_owned();
            lines.entry(name.to_lowercase()).or_default().push((record_type, data));
        }
        Self { lines }
    }

    pub(crate) fn reply(&self, question: &DnsQuestion) -> DnsReply {
        let lines = self.lines.get(question.name.as_str());
        let mut records = Vec::new();
        let of_type = |line: &&(String, String)| line.0 == question.record_type.as_str();
        for (record_type, data) in lines.into_iter().flatten().filter(of_type) {
            let detail = "as the test wants it".to_owned();
            match data.as_str() {
                "temporary" => return Err(DnsFailure::Temporary { detail }),
                "permanent" => return Err(DnsFailure::Permanent { detail }),
                "bogus" => return Err(DnsFailure::Bogus { detail }),
                "nothing" => {}
                data => records.push(record(record_type, data)),
            }
        }
        Ok(DnsAnswer {
            dnssec: Dnssec::Insecure,
            canonical_name: question.name.clone(),
            name_exists: lines.is_some(),
            records,
            ttl: 300,
        })
    }

    /// Evaluates until all needs are met. Returns what was asked in each round, too.
    pub(crate) fn evaluate(&self, query: &Query, limits: &Limits) -> (Evaluation, Vec<String>) {
        let mut known = Known::default();
        let mut rounds = Vec::new();
        loop {
            match check_host(&known, query, &RECEIVER, limits) {
                Ok(evaluation) => return (evaluation, rounds),
                Err(need) => {
                    assert!(!need.dns.is_empty() && need.https.is_empty());
                    rounds.push(need.to_string());
                    for question in need.dns {
                        let reply = self.reply(&question);
                        known.add_dns(question, reply);
                    }
                }
            }
        }
    }
}

fn record(record_type: &str, data: &str) -> RecordData {
    match record_type {
        "A" | "AAAA" => RecordData::Address(data.parse().unwrap()),
        "TXT" => RecordData::Txt(data.as_bytes().into()),
        "PTR" => RecordData::Ptr(DomainName::parse(data).unwrap()),
        "MX" => {
            let exchange = (data != ".").then(|| DnsName::parse(data).unwrap());
            RecordData::Mx(Mx { preference: 10, exchange })
        }
        other => unreachable!("{other}?"),
    }
}
