//! A DNS made of text, for the tests: one line for one answer.
//!
//! `name type state data | data`, where the state is `secure`, `insecure`, `indeterminate`, or a
//! failure: `bogus`, `temporary`, `permanent`. The data `nxdomain` says that the name does not
//! exist, none that there are no such records, and `-> name` before them that the name is an
//! alias. What is not listed is not expected to be asked, but for addresses: those do not exist.

use std::collections::BTreeMap;

use smtp_dane::{Discovery, discover, parse_records};
use smtp_types::{
    DnsAnswer, DnsFailure, DnsReply, Dnssec, DomainName, Known, Mx, NextHop, RecordData,
};

/// The questions of each round, in the order of the names.
pub(crate) type Rounds = Vec<String>;

/// Evaluates until all needs are met.
pub(crate) fn look_up(next_hop: &str, world: &str) -> (Discovery, Rounds) {
    let world = read(world);
    let next_hop = NextHop::parse(next_hop).unwrap();
    let mut known = Known::default();
    let mut rounds = Vec::new();
    loop {
        match discover(&known, &next_hop) {
            Ok(discovery) => return (discovery, rounds),
            Err(need) => {
                rounds.push(need.to_string());
                for question in need.dns {
                    let text = question.to_string();
                    let no_address = || {
                        let is_address = text.starts_with('A');
                        assert!(is_address, "{text} was not expected");
                        answer(question.name.as_str(), "insecure", "")
                    };
                    let reply = world.get(&text).cloned().unwrap_or_else(no_address);
                    known.add_dns(question, reply);
                }
            }
        }
    }
}

fn read(world: &str) -> BTreeMap<String, DnsReply> {
    let lines = world.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let mut words = line.splitn(4, ' ');
            let [name, record_type, state] = [(); 3].map(|()| words.next().unwrap());
            let data = words.next().unwrap_or_default();
            (format!("{record_type} {name}"), answer(name, state, data))
        })
        .collect()
}

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

fn answer(asked: &str, state: &str, data: &str) -> DnsReply {
    let detail = "as the test wants it".to_owned();
    let dnssec = match state {
        "secure" => Dnssec::Secure,
        "insecure" => Dnssec::Insecure,
        "indeterminate" => Dnssec::Indeterminate,
        "bogus" => return Err(DnsFailure::Bogus { detail }),
        "temporary" => return Err(DnsFailure::Temporary { detail }),
        "permanent" => return Err(DnsFailure::Permanent { detail }),
        other => panic!("{other}?"),
    };
    let (canonical_name, data) = match data.strip_prefix("-> ") {
        Some(rest) => rest.split_once(' ').unwrap_or((rest, "")),
        None => (asked, data),
    };
    let records = data.split('|').map(str::trim);
    let records = records.filter(|record| !record.is_empty() && *record != "nxdomain");
    Ok(DnsAnswer {
        dnssec,
        canonical_name: name(canonical_name).into(),
        name_exists: data != "nxdomain",
        records: records.map(record).collect(),
        ttl: 300,
    })
}

fn record(text: &str) -> RecordData {
    if let Ok(address) = text.parse() {
        return RecordData::Address(address);
    }
    match text.split(' ').collect::<Vec<_>>()[..] {
        [alias] => RecordData::Cname(name(alias)),
        [preference, exchange] => RecordData::Mx(Mx {
            preference: preference.parse().unwrap(),
            exchange: (exchange != ".").then(|| name(exchange).into()),
        }),
        _ => RecordData::Tlsa(parse_records(text).unwrap().remove(0)),
    }
}
