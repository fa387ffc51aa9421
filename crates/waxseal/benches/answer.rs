//! What one answer costs, step by step, without sockets.

#![expect(clippy::unwrap_used, reason = "a benchmark may fail loudly")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mta_sts::{Policy, Refresh};
use smtp_types::{
    DnsAnswer, DnsName, DnsQuestion, Dnssec, Known, Mx, NextHop, RecordData, RecordType, UnixTime,
};
use transport_policy::{Answer, Decision, Memory, Reason, Settings, decide, gather};
use waxseal::answer::netstring::{self, Decoded};
use waxseal::answer::{MapName, Replies};

const POLICY: &str =
    "version: STSv1\nmode: enforce\nmx: mail.example.com\nmx: *.mx.example.net\nmax_age: 604800\n";

fn frames(criterion: &mut Criterion) {
    let mut sixteen = Vec::new();
    for _ in 0..16 {
        netstring::encode(b"QUERY mail-000001.example.com", &mut sixteen);
    }
    let mut group = criterion.benchmark_group("netstring");
    group.throughput(Throughput::Elements(16));
    group.bench_function("decode 16 requests", |bencher| {
        bencher.iter(|| {
            let (mut rest, mut octets_sum) = (black_box(sixteen.as_slice()), 0);
            while let Ok(Decoded::Frame { payload, octets }) = netstring::decode(rest, 10_000) {
                octets_sum += payload.len();
                rest = &rest[octets..];
            }
            octets_sum
        });
    });
    let replies = secure();
    let mut output = Vec::with_capacity(16_384);
    group.bench_function("encode 16 replies", |bencher| {
        bencher.iter(|| {
            output.clear();
            for _ in 0..16 {
                let reply = black_box(&replies).reply(MapName::QueryWithTlsrpt);
                netstring::encode(reply.as_bytes(), &mut output);
            }
            output.len()
        });
    });
    group.finish();
}

fn keys(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("next hop");
    for key in ["example.com", "[Smart.Example.com]:587", "dané.test", "192.0.2.1"] {
        group
            .bench_function(key, |bencher| bencher.iter(|| NextHop::parse(black_box(key)).is_ok()));
    }
    group.finish();
}

fn policies(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("policy");
    let hosts: String = (0..2_500).map(|index| format!("mx: mail{index}.example.com\n")).collect();
    let longest = POLICY.replace("mx: mail.example.com\n", &hosts);
    for (name, text) in [("usual", POLICY), ("60 KiB", &longest)] {
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(format!("parse, {name}"), |bencher| {
            bencher.iter(|| Policy::parse(black_box(text).as_bytes()).is_ok());
        });
        let decision = decision(Policy::parse(text.as_bytes()).unwrap());
        let next_hop = NextHop::parse("example.com").unwrap();
        group.bench_function(format!("build replies, {name}"), |bencher| {
            bencher.iter(|| Replies::new(black_box(&next_hop), black_box(&decision)));
        });
    }
    group.finish();
}

/// A domain with two hosts and nothing published: what most domains are.
fn decisions(criterion: &mut Criterion) {
    let next_hop = NextHop::parse("example.com").unwrap();
    let memory = Memory::default();
    let now = UnixTime(1_800_000_000);
    let mut known = Known::default();
    let facts = loop {
        match gather(&known, &next_hop, &memory, Refresh::IfChanged, now) {
            Ok(facts) => break facts,
            Err(need) => {
                for question in need.dns {
                    let reply = published(&question);
                    known.add_dns(question, Ok(reply));
                }
            }
        }
    };
    criterion.bench_function("gather", |bencher| {
        bencher.iter(|| {
            gather(black_box(&known), &next_hop, &memory, Refresh::IfChanged, now).is_ok()
        });
    });
    criterion.bench_function("decide", |bencher| {
        bencher.iter(|| decide(black_box(&facts), Settings::default(), None));
    });
}

/// Two mail hosts with an address each, in an unsigned zone.
fn published(question: &DnsQuestion) -> DnsAnswer {
    let mx = |host: &str| {
        let exchange = Some(DnsName::parse(host).unwrap());
        RecordData::Mx(Mx { preference: 10, exchange })
    };
    let records = match question.record_type {
        RecordType::Mx => vec![mx("mx1.example.com"), mx("mx2.example.com")],
        RecordType::A => vec![RecordData::Address([192, 0, 2, 1].into())],
        RecordType::Aaaa
        | RecordType::Ptr
        | RecordType::Cname
        | RecordType::Tlsa
        | RecordType::Txt => vec![],
    };
    DnsAnswer {
        dnssec: Dnssec::Insecure,
        canonical_name: question.name.clone(),
        name_exists: true,
        records,
        ttl: 3600,
    }
}

fn decision(policy: Policy) -> Decision {
    Decision { answer: Answer::Secure(policy), reasons: vec![Reason::NoDane] }
}

fn secure() -> Replies {
    let policy = Policy::parse(POLICY.as_bytes()).unwrap();
    Replies::new(&NextHop::parse("example.com").unwrap(), &decision(policy))
}

criterion_group!(benches, frames, keys, policies, decisions);
criterion_main!(benches);
