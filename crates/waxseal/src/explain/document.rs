//! The machine's form of an explanation.

use std::collections::BTreeMap;

use mta_sts::Source;
use serde::{Deserialize, Serialize};
use smtp_dane::{HostDane, MxLookup};
use smtp_types::{DnsReply, HttpsReply, NextHop, RecordData};
use transport_policy::{Facts, result_types};

use crate::answer::MapName;
use crate::observe::{Question, Resolver};
use crate::sender::{Alarm, Evaluation};
use crate::store::StoredPolicy;

/// The number of the schema. It grows when a field changes its meaning or goes; new fields may
/// come at any time.
pub const SCHEMA: u32 = 1;

/// One explanation. Times are RFC 3339 in UTC, spans are seconds where the name does not say
/// otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// The number of the schema.
    pub schema: u32,
    /// The release that made the document.
    pub waxseal: String,
    /// The next hop as Postfix writes it.
    pub next_hop: String,
    /// The policy domain.
    pub domain: String,
    /// When it was evaluated.
    pub at: String,
    /// `daemon`, or `own look-up`: by which eyes and which memory.
    pub source: String,
    /// `none`, `defer`, or a level: `may`, `encrypt`, `dane`, `dane-only`, `secure`.
    pub decision: String,
    /// What led there, in order.
    pub reasons: Vec<Code>,
    /// What a mail server is told, for each socketmap name.
    pub replies: BTreeMap<String, String>,
    /// For how many seconds the answer is given again without a look-up.
    pub fresh_for: u64,
    /// What was found, and what was known before.
    pub facts: FactsPart,
    /// Who was asked.
    pub resolver: ResolverPart,
    /// Every question, in the order of the answers.
    pub look_ups: Vec<LookUpPart>,
}

/// What was found, and what was known before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactsPart {
    /// The hosts. Missing if they could not be looked up within bounds.
    pub mx: Option<MxPart>,
    /// The policy. Missing if it could not be looked up within bounds.
    pub sts: Option<StsPart>,
    /// What was remembered of the policy beforehand.
    pub remembered: Option<RememberedPart>,
    /// Where memory and world disagree.
    pub disagreements: Vec<Code>,
    /// Since when they disagree, as far as the daemon has seen it.
    pub disagreement_since: Option<String>,
    /// What a TLS report calls the failures (RFC 8460 §4.3).
    pub result_types: Vec<String>,
}

/// A stable word for machines, with a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    /// The word.
    pub code: String,
    /// The sentence.
    pub text: String,
}

/// How the hosts were found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MxPart {
    /// `records`, `implicit`, `smart-host`, `null`, `no-such-domain` or `failed`.
    pub lookup: String,
    /// The security state of the MX records, or of their absence.
    pub dnssec: Option<String>,
    /// Why the look-up failed.
    pub failure: Option<String>,
    /// The hosts, most preferred first.
    pub hosts: Vec<HostPart>,
    /// How many more there are.
    pub hosts_left_out: usize,
}

/// One host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostPart {
    /// Its name.
    pub host: String,
    /// The preference of its MX record.
    pub preference: u16,
    /// `usable`, `unusable`, `none`, `failed` or `unreachable`.
    pub dane: String,
    /// The circumstances, for people.
    pub detail: String,
    /// Where its TLSA records stand.
    pub tlsa_base_domain: Option<String>,
    /// The usable TLSA records.
    pub tlsa: Vec<String>,
    /// Whether the MTA-STS policy allows it, if one applies.
    pub sts_match: Option<bool>,
}

/// What MTA-STS says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StsPart {
    /// The id of today's record.
    pub record_id: Option<String>,
    /// Why there is no record.
    pub record_failure: Option<String>,
    /// `enforce`, `testing` or `none`, of the policy that applies.
    pub mode: Option<String>,
    /// The id of the policy that applies.
    pub id: Option<String>,
    /// The hosts that it allows.
    pub mx: Vec<String>,
    /// For how many seconds it may be kept.
    pub max_age: Option<u64>,
    /// `live`, `cache` or `cache-only`.
    pub source: Option<String>,
    /// Why it could not be fetched.
    pub fetch_failure: Option<String>,
}

/// What was remembered of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RememberedPart {
    /// Its mode.
    pub mode: String,
    /// Its id.
    pub id: String,
    /// When it was fetched.
    pub fetched: String,
    /// Until when it binds.
    pub expires: String,
    /// Whether it still binds.
    pub binds: bool,
    /// How many seconds ago it was fetched.
    pub age: u64,
    /// Who issued the policy host's certificate.
    pub issuer: Option<String>,
    /// When it is fetched again ahead of time.
    pub refresh_at: String,
    /// How many refreshes failed in a row.
    pub failures: u32,
    /// Why the last one failed.
    pub last_error: Option<String>,
}

/// The resolver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolverPart {
    /// Its address.
    pub address: String,
    /// `proved`, `plausible`, `unproved`, `disproved` or `untrusted`.
    pub validation: String,
    /// Whether its word on DNSSEC is believed.
    pub believed: bool,
    /// The same for people.
    pub text: String,
}

/// One question with its answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookUpPart {
    /// The question.
    pub question: String,
    /// In which round it was asked.
    pub round: usize,
    /// How long the answer took.
    pub milliseconds: u64,
    /// The security state of a DNS answer.
    pub dnssec: Option<String>,
    /// For how many seconds a DNS answer may be kept.
    pub ttl: Option<u32>,
    /// The records, or the status of a web server.
    pub records: Vec<String>,
    /// Why there is no answer.
    pub failure: Option<String>,
    /// What was left out of the answer.
    pub notes: Vec<String>,
}

impl Document {
    /// Shows an evaluation. `alarm` is what the daemon has seen before.
    #[must_use]
    pub fn new(
        next_hop: &NextHop,
        evaluation: &Evaluation,
        resolver: &Resolver,
        alarm: Option<&Alarm>,
        source: &str,
    ) -> Self {
        let Evaluation { at, decision, replies, fresh_for, .. } = evaluation;
        Self {
            schema: SCHEMA,
            waxseal: env!("CARGO_PKG_VERSION").to_owned(),
            next_hop: next_hop.to_string(),
            domain: next_hop.policy_domain().to_string(),
            at: at.to_string(),
            source: source.to_owned(),
            decision: decision.answer.as_str().to_owned(),
            reasons: decision.reasons.iter().map(|one| code(one.code(), one)).collect(),
            replies: MapName::ALL
                .into_iter()
                .map(|map| (map.as_str().to_owned(), replies.reply(map).to_owned()))
                .collect(),
            fresh_for: fresh_for.as_secs(),
            facts: facts_part(evaluation, alarm),
            resolver: resolver_part(resolver),
            look_ups: look_ups(evaluation),
        }
    }
}

fn code(code: &str, sentence: &dyn ToString) -> Code {
    Code { code: code.to_owned(), text: sentence.to_string() }
}

fn facts_part(evaluation: &Evaluation, alarm: Option<&Alarm>) -> FactsPart {
    let facts = evaluation.facts.as_ref();
    FactsPart {
        mx: facts.map(mx_part),
        sts: facts.map(|facts| sts_part(&facts.sts)),
        remembered: evaluation.remembered.as_ref().map(|one| remembered_part(one, evaluation)),
        disagreements: evaluation.disagreements.iter().map(|one| code(one.code(), one)).collect(),
        disagreement_since: alarm.map(|alarm| alarm.since.to_string()),
        result_types: facts
            .map(|facts| result_types(facts).iter().map(ToString::to_string).collect())
            .unwrap_or_default(),
    }
}

fn mx_part(facts: &Facts) -> MxPart {
    let (lookup, dnssec, failure) = match &facts.dane.mx {
        MxLookup::Records { dnssec } => ("records", Some(*dnssec), None),
        MxLookup::Implicit { dnssec } => ("implicit", Some(*dnssec), None),
        MxLookup::SmartHost => ("smart-host", None, None),
        MxLookup::NullMx => ("null", None, None),
        MxLookup::NoSuchDomain { dnssec } => ("no-such-domain", Some(*dnssec), None),
        MxLookup::Failed(failure) => ("failed", Some(failure.dnssec()), Some(failure.to_string())),
    };
    let policy = facts.sts.applied.as_ref().map(|applied| &applied.policy);
    let hosts = facts.dane.hosts.iter().map(|found| {
        let sts_match = policy.filter(|policy| !policy.mx().is_empty());
        let mut part = host_part(&found.dane);
        part.host = found.host.to_string();
        part.preference = found.preference;
        part.sts_match = sts_match.map(|policy| policy.allows(&found.host));
        part
    });
    MxPart {
        lookup: lookup.to_owned(),
        dnssec: dnssec.map(|state| state.as_str().to_owned()),
        failure,
        hosts: hosts.collect(),
        hosts_left_out: facts.dane.hosts_left_out,
    }
}

/// What DANE says of a host; its name is filled in by the caller.
fn host_part(dane: &HostDane) -> HostPart {
    let (word, detail, base_domain, tlsa) = match dane {
        HostDane::Unreachable { why } => ("unreachable", why.to_string(), None, Vec::new()),
        HostDane::Failed { question, failure } => {
            ("failed", format!("{question}: {failure}"), None, Vec::new())
        }
        HostDane::NotApplicable(why) => ("none", why.to_string(), None, Vec::new()),
        HostDane::Unusable { base_domain, rejected } => {
            let why: Vec<_> = rejected.iter().map(ToString::to_string).collect();
            ("unusable", why.join("; "), Some(base_domain), Vec::new())
        }
        HostDane::Usable { base_domain, records, rejected, .. } => {
            let detail = match (records.len(), rejected.len()) {
                (1, 0) => "1 usable TLSA record".to_owned(),
                (usable, 0) => format!("{usable} usable TLSA records"),
                (usable, not) => format!("{usable} usable TLSA records, {not} unusable"),
            };
            let records = records.iter().map(ToString::to_string).collect();
            ("usable", detail, Some(base_domain), records)
        }
    };
    HostPart {
        host: String::new(),
        preference: 0,
        dane: word.to_owned(),
        detail,
        tlsa_base_domain: base_domain.map(ToString::to_string),
        tlsa,
        sts_match: None,
    }
}

fn sts_part(found: &mta_sts::Discovery) -> StsPart {
    let applied = found.applied.as_ref();
    let policy = applied.map(|applied| &applied.policy);
    StsPart {
        record_id: found.record.as_ref().ok().map(|record| record.id().to_string()),
        record_failure: found.record.as_ref().err().map(ToString::to_string),
        mode: policy.map(|policy| policy.mode().as_str().to_owned()),
        id: applied.map(|applied| applied.id.to_string()),
        mx: policy
            .map(|policy| policy.mx().iter().map(ToString::to_string).collect())
            .unwrap_or_default(),
        max_age: policy.map(|policy| policy.max_age().as_secs()),
        source: applied.map(|applied| {
            let word = match applied.source {
                Source::Live => "live",
                Source::Cache => "cache",
                Source::CacheOnly => "cache-only",
            };
            word.to_owned()
        }),
        fetch_failure: found
            .fetched
            .as_ref()
            .and_then(|one| one.as_ref().err())
            .map(ToString::to_string),
    }
}

fn remembered_part(stored: &StoredPolicy, evaluation: &Evaluation) -> RememberedPart {
    let StoredPolicy { cached, refresh_at, failures, last_error, .. } = stored;
    RememberedPart {
        mode: cached.policy.mode().as_str().to_owned(),
        id: cached.id.to_string(),
        fetched: cached.fetched.to_string(),
        expires: cached.expires().to_string(),
        binds: cached.is_unexpired(evaluation.at),
        age: evaluation.at.since(cached.fetched).as_secs(),
        issuer: cached.issuer.clone(),
        refresh_at: refresh_at.to_string(),
        failures: *failures,
        last_error: last_error.clone(),
    }
}

fn resolver_part(resolver: &Resolver) -> ResolverPart {
    let validation = resolver.validation();
    ResolverPart {
        address: resolver.address().to_string(),
        validation: validation.as_str().to_owned(),
        believed: validation.is_believed(),
        text: validation.to_string(),
    }
}

fn look_ups(evaluation: &Evaluation) -> Vec<LookUpPart> {
    let parts = evaluation.effort.asked.iter().map(|asked| {
        let mut part = match &asked.question {
            Question::Dns(question) => {
                evaluation.known.dns(question).map(dns_part).unwrap_or_default()
            }
            Question::Https(question) => {
                evaluation.known.https(question).map(https_part).unwrap_or_default()
            }
        };
        part.question = asked.question.to_string();
        part.round = asked.round;
        part.milliseconds = u64::try_from(asked.duration.as_millis()).unwrap_or(u64::MAX);
        part.notes.clone_from(&asked.notes);
        part
    });
    parts.collect()
}

fn dns_part(reply: &DnsReply) -> LookUpPart {
    match reply {
        Ok(answer) => {
            let mut records: Vec<_> = answer.records.iter().map(record_text).collect();
            if !answer.name_exists {
                records.push("NXDOMAIN".to_owned());
            }
            let dnssec = Some(answer.dnssec.as_str().to_owned());
            LookUpPart { dnssec, ttl: Some(answer.ttl), records, ..LookUpPart::default() }
        }
        Err(failure) => LookUpPart {
            dnssec: Some(failure.dnssec().as_str().to_owned()),
            failure: Some(failure.to_string()),
            ..LookUpPart::default()
        },
    }
}

fn https_part(reply: &HttpsReply) -> LookUpPart {
    match reply {
        Ok(answer) => {
            let text = format!("status {}, {} octets", answer.status, answer.body.len());
            LookUpPart { records: vec![text], ..LookUpPart::default() }
        }
        Err(failure) => LookUpPart { failure: Some(failure.to_string()), ..LookUpPart::default() },
    }
}

/// A record as in a zone file; texts with everything escaped that could harm a terminal.
fn record_text(record: &RecordData) -> String {
    match record {
        RecordData::Address(address) => address.to_string(),
        RecordData::Cname(name) | RecordData::Ptr(name) => name.to_string(),
        RecordData::Mx(mx) => {
            let host = mx.exchange.as_ref().map_or(".", |host| host.as_str());
            format!("{} {host}", mx.preference)
        }
        RecordData::Tlsa(tlsa) => {
            let digits: String = tlsa.data.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{} {} {} {digits}", tlsa.usage, tlsa.selector, tlsa.matching_type)
        }
        RecordData::Txt(text) => format!("\"{}\"", text.escape_ascii()),
    }
}
