//! Every combination of what DANE and MTA-STS can say, decided.
//!
//! `matrix.in` holds the words, `matrix.ref` the decisions, one combination a line; the columns
//! are the decision with default settings, with `mixed = dane`, with `on_sts_error = defer`, and
//! with an override `require`. A change of the decision function shows as a diff of that file.
//! `UPDATE=1 cargo test -p transport-policy --test matrix` writes it anew.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

use std::fmt::Write as _;
use std::path::Path;

use mta_sts::{CachedPolicy, Policy, PolicyId, Refresh};
use smtp_types::{
    DnsAnswer, DnsFailure, DnsQuestion, DnsReply, Dnssec, DomainName, HttpsAnswer, HttpsFailure,
    Known, Mx, NextHop, RecordData, RecordType, TlsaRdata, UnixTime,
};
use transport_policy::{
    Answer, Facts, LocalPolicy, LocalRule, Memory, MixedHosts, OnStsError, Settings, decide, gather,
};

const NOW: UnixTime = UnixTime(1_800_000_000);

/// One combination.
#[derive(Clone, Copy)]
struct World<'w> {
    mx: &'w str,
    hosts: [&'w str; 2],
    sts: &'w str,
}

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

fn answer(question: &DnsQuestion, dnssec: Dnssec, records: Vec<RecordData>) -> DnsReply {
    let canonical_name = question.name.clone();
    Ok(DnsAnswer { dnssec, canonical_name, name_exists: true, records, ttl: 300 })
}

fn temporary() -> DnsReply {
    Err(DnsFailure::Temporary { detail: "timeout".into() })
}

fn bogus() -> DnsReply {
    Err(DnsFailure::Bogus { detail: "signature expired".into() })
}

impl<'w> World<'w> {
    fn next_hop(self) -> NextHop {
        let text = if self.mx == "smart-host" { "[mx1.test]" } else { "domain.test" };
        NextHop::parse(text).unwrap()
    }

    fn dns(self, question: &DnsQuestion) -> DnsReply {
        let unsigned_or =
            |signed| if self.mx == "unchecked" { Dnssec::Indeterminate } else { signed };
        let text = question.name.as_str();
        match question.record_type {
            RecordType::Mx => self.mx_reply(question),
            RecordType::Txt => match self.sts {
                "record!" => temporary(),
                "absent" | "kept-enforce" => answer(question, Dnssec::Insecure, vec![]),
                _ => answer(
                    question,
                    Dnssec::Insecure,
                    vec![RecordData::Txt((*b"v=STSv1; id=1").into())],
                ),
            },
            RecordType::A => match self.host(text) {
                "gone" => answer(question, unsigned_or(Dnssec::Secure), vec![]),
                "address!" => temporary(),
                kind => {
                    let zone = if kind == "unsigned" { Dnssec::Insecure } else { Dnssec::Secure };
                    let address = RecordData::Address([192, 0, 2, 1].into());
                    answer(question, unsigned_or(zone), vec![address])
                }
            },
            RecordType::Ptr | RecordType::Aaaa => match self.host(text) {
                "address!" => temporary(),
                _ => answer(question, unsigned_or(Dnssec::Secure), vec![]),
            },
            RecordType::Tlsa => match self.host(text.strip_prefix("_25._tcp.").unwrap()) {
                "usable" => answer(question, Dnssec::Secure, vec![tlsa(3)]),
                "unusable" => answer(question, Dnssec::Secure, vec![tlsa(1)]),
                "tlsa!" => temporary(),
                "bogus!" => bogus(),
                _ => answer(question, Dnssec::Secure, vec![]),
            },
            RecordType::Cname => panic!("no host is an alias: {question}"),
        }
    }

    fn mx_reply(self, question: &DnsQuestion) -> DnsReply {
        let mx =
            |host: &str| RecordData::Mx(Mx { preference: 10, exchange: Some(name(host).into()) });
        let both = vec![mx("mx1.test"), mx("mx2.test")];
        match self.mx {
            "secure" => answer(question, Dnssec::Secure, both),
            "insecure" => answer(question, Dnssec::Insecure, both),
            "unchecked" => answer(question, Dnssec::Indeterminate, both),
            "implicit" => answer(question, Dnssec::Secure, vec![]),
            "null" => {
                let null = RecordData::Mx(Mx { preference: 0, exchange: None });
                answer(question, Dnssec::Secure, vec![null])
            }
            "no-domain" => answer(question, Dnssec::Secure, vec![])
                .map(|answer| DnsAnswer { name_exists: false, ..answer }),
            "bogus" => bogus(),
            "temporary" => temporary(),
            word => panic!("matrix.in: mx: unknown word {word:?}"),
        }
    }

    fn host(self, host: &str) -> &'w str {
        self.hosts[usize::from(host == "mx2.test")]
    }

    fn memory(self) -> Memory {
        let policy = (self.sts == "kept-enforce").then(|| CachedPolicy {
            policy: Policy::parse(self.policy().as_bytes()).unwrap(),
            id: PolicyId::parse("1").unwrap(),
            fetched: UnixTime(NOW.0 - 1000),
            issuer: None,
        });
        Memory { policy, failed: None }
    }

    fn policy(self) -> String {
        let mode = match self.sts {
            "kept-enforce" => "enforce",
            mode => mode,
        };
        format!("version: STSv1\nmode: {mode}\nmx: *.test\nmax_age: 604800\n")
    }

    fn facts(self) -> Facts {
        let mut known = Known::default();
        loop {
            let need =
                match gather(&known, &self.next_hop(), &self.memory(), Refresh::IfChanged, NOW) {
                    Ok(facts) => return facts,
                    Err(need) => need,
                };
            for question in need.dns {
                let reply = self.dns(&question);
                known.add_dns(question, reply);
            }
            for question in need.https {
                let reply = match self.sts {
                    "policy!" => Err(HttpsFailure::NoAddress),
                    _ => Ok(HttpsAnswer {
                        status: 200,
                        content_type: Some("text/plain".into()),
                        body: self.policy().into(),
                        issuer: None,
                    }),
                };
                known.add_https(question, reply);
            }
        }
    }
}

fn tlsa(usage: u8) -> RecordData {
    RecordData::Tlsa(TlsaRdata { usage, selector: 1, matching_type: 1, data: vec![7; 32] })
}

/// The four columns of a line.
fn decisions(facts: &Facts) -> [String; 4] {
    let require = LocalPolicy { rule: LocalRule::Require, comment: "partner".into() };
    let default = Settings::default();
    let columns = [
        decide(facts, default, None),
        decide(facts, Settings { mixed: MixedHosts::Dane, ..default }, None),
        decide(facts, Settings { on_sts_error: OnStsError::Defer, ..default }, None),
        decide(facts, default, Some(&require)),
    ];
    columns.map(|decision| {
        assert!(!decision.reasons.is_empty(), "a decision without a reason: {facts:?}");
        decision.answer.as_str().to_owned()
    })
}

fn words<'t>(text: &'t str, key: &str) -> Vec<&'t str> {
    let lines = text.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    lines.flat_map(str::split_whitespace).collect()
}

fn worlds(input: &str) -> impl Iterator<Item = World<'_>> {
    let (hosts, sts) = (words(input, "hosts"), words(input, "sts"));
    words(input, "mx").into_iter().flat_map(move |mx| {
        let sts = sts.clone();
        hosts.clone().into_iter().flat_map(move |hosts| {
            let (first, second) = hosts.split_once(',').unwrap();
            sts.clone().into_iter().map(move |sts| World { mx, hosts: [first, second], sts })
        })
    })
}

#[test]
fn every_combination_is_decided_as_the_reference_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let input = std::fs::read_to_string(folder.join("matrix.in")).unwrap();
    let mut table = String::from(
        "# mx         hosts                sts          | default    mixed=dane sts!=defer require\n",
    );
    for world in worlds(&input) {
        let [default, mixed, on_error, require] = decisions(&world.facts());
        let World { mx, hosts: [first, second], sts } = world;
        let hosts = format!("{first},{second}");
        let line = format!(
            "{mx:<12} {hosts:<20} {sts:<12} | {default:<10} {mixed:<10} {on_error:<10} {require}"
        );
        writeln!(table, "{}", line.trim_end()).unwrap();
    }
    let reference = folder.join("matrix.ref");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&reference, &table).unwrap();
    }
    let expected = std::fs::read_to_string(&reference).unwrap_or_default();
    for (line, (found, expected)) in table.lines().zip(expected.lines()).enumerate() {
        assert_eq!(found, expected, "matrix.ref, line {}", line + 1);
    }
    assert_eq!(table.lines().count(), expected.lines().count(), "matrix.ref: number of lines");
}

/// What must hold in every line, whatever the reference file says.
#[test]
fn no_combination_weakens_a_known_protection() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let input = std::fs::read_to_string(folder.join("matrix.in")).unwrap();
    for world in worlds(&input) {
        let facts = world.facts();
        let at = || format!("{} {:?} {}", world.mx, world.hosts, world.sts);
        for mixed in [MixedHosts::Sts, MixedHosts::Dane] {
            for on_sts_error in [OnStsError::Deliver, OnStsError::Defer] {
                let answer = decide(&facts, Settings { mixed, on_sts_error }, None).answer;
                let enforced = world.sts.ends_with("enforce");
                if enforced && mixed == MixedHosts::Sts {
                    assert!(answer.is_authenticated() || answer == Answer::Defer, "{}", at());
                }
                if matches!(world.mx, "bogus" | "temporary") {
                    assert_eq!(answer, Answer::Defer, "{}", at());
                }
                let signed_mx = matches!(world.mx, "secure" | "smart-host");
                if signed_mx && world.hosts[0] == "usable" {
                    assert_ne!(answer, Answer::NoPolicy, "{}", at());
                }
            }
        }
        let require = LocalPolicy { rule: LocalRule::Require, comment: String::new() };
        let answer = decide(&facts, Settings::default(), Some(&require)).answer;
        assert!(answer.is_authenticated() || answer == Answer::Defer, "require: {}", at());
        let off = LocalPolicy { rule: LocalRule::Off, comment: String::new() };
        assert_eq!(decide(&facts, Settings::default(), Some(&off)).answer, Answer::NoPolicy);
    }
}
