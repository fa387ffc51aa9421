//! From the lines of a case to the answers that the core takes.

use e2e::case::{Answer, Case, DnsLine, HttpsAnswer, Kind, Obstacle, Security};
use smtp_types::{
    CertificateFault, DnsAnswer, DnsFailure, DnsQuestion, DnsReply, Dnssec, DomainName,
    HttpsFailure, HttpsReply, Known, Mx, RecordData, RecordType, TlsaRdata,
};
use std::net::{IpAddr, Ipv4Addr};

/// The lines of a `[dns]` section.
pub(crate) type DnsAnswers<'a> = &'a [DnsLine];

const RECEIVER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 25));
const ROGUE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 66));
const RECEIVER_KEY: [u8; 32] = [0x5a; 32];

/// Everything that the case says about one time.
pub(crate) fn known(
    case: &Case,
    dns: DnsAnswers<'_>,
    https: Option<&HttpsAnswer>,
) -> Result<Known, String> {
    let mut known = Known::default();
    for line in dns {
        let question = DnsQuestion::new(name(&line.name)?, record_type(line.kind));
        let same = |other: &&DnsLine| other.name == line.name && other.kind == line.kind;
        let records: Vec<&DnsLine> = dns.iter().filter(same).collect();
        let reply = reply(line, &records)?;
        known.add_dns(question, reply);
    }
    if let Some(https) = https {
        let domain = name(&case.domain)?;
        let question = mta_sts::policy_question(&domain).map_err(|error| error.to_string())?;
        known.add_https(question, https_reply(https));
    }
    Ok(known)
}

fn reply(line: &DnsLine, records: &[&DnsLine]) -> Result<DnsReply, String> {
    let dnssec = match line.security {
        Security::Secure => Dnssec::Secure,
        Security::Insecure => Dnssec::Insecure,
        Security::Bogus => {
            return Ok(Err(DnsFailure::Bogus { detail: "the case says so".to_owned() }));
        }
        Security::Temporary => {
            return Ok(Err(DnsFailure::Temporary { detail: "the case says so".to_owned() }));
        }
    };
    let mut data = Vec::new();
    for record in records {
        match &record.answer {
            Answer::Record(text) => data.push(record_data(record.kind, text)?),
            Answer::NoData | Answer::NxDomain | Answer::Withheld => {}
        }
    }
    Ok(Ok(DnsAnswer {
        dnssec,
        canonical_name: name(&line.name)?.into(),
        name_exists: line.answer != Answer::NxDomain,
        records: data,
        ttl: 300,
    }))
}

fn record_data(kind: Kind, text: &str) -> Result<RecordData, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let unreadable = || format!("expected the data of a {} record, found {text}", kind.word());
    Ok(match (kind, words.as_slice()) {
        (Kind::Mx, [preference, host]) => RecordData::Mx(Mx {
            preference: preference.parse().map_err(|_| unreadable())?,
            exchange: match *host {
                "." => None,
                host => Some(name(host.trim_end_matches('.'))?.into()),
            },
        }),
        (Kind::A | Kind::Aaaa, ["@receiver"]) => RecordData::Address(RECEIVER),
        (Kind::A | Kind::Aaaa, ["@rogue"]) => RecordData::Address(ROGUE),
        (Kind::A | Kind::Aaaa, [address]) => {
            RecordData::Address(address.parse().map_err(|_| unreadable())?)
        }
        (Kind::Tlsa, [usage, selector, matching_type, "@receiver-key"]) => {
            let number = |word: &str| word.parse::<u8>().map_err(|_| unreadable());
            RecordData::Tlsa(TlsaRdata {
                usage: number(usage)?,
                selector: number(selector)?,
                matching_type: number(matching_type)?,
                data: RECEIVER_KEY.to_vec(),
            })
        }
        (Kind::Txt, _) => {
            let text = text.trim_matches('"');
            RecordData::Txt(text.as_bytes().into())
        }
        (Kind::Cname, [target]) => RecordData::Cname(name(target.trim_end_matches('.'))?),
        (Kind::Mx | Kind::A | Kind::Aaaa | Kind::Tlsa | Kind::Cname, _) => {
            return Err(unreadable());
        }
    })
}

fn https_reply(https: &HttpsAnswer) -> HttpsReply {
    match https.obstacle {
        Some(Obstacle::Unreachable) => {
            Err(HttpsFailure::Unreachable { detail: "the case says so".to_owned() })
        }
        Some(Obstacle::CertificateName) => {
            let fault = CertificateFault::WrongName { presented: Vec::new() };
            Err(HttpsFailure::Certificate(fault))
        }
        Some(Obstacle::CertificateUntrusted) => {
            Err(HttpsFailure::Certificate(CertificateFault::UnknownIssuer))
        }
        None => Ok(smtp_types::HttpsAnswer {
            status: https.status,
            content_type: Some(https.media_type.clone()),
            body: https.body.clone().into_bytes(),
            issuer: None,
        }),
    }
}

fn record_type(kind: Kind) -> RecordType {
    match kind {
        Kind::Mx => RecordType::Mx,
        Kind::A => RecordType::A,
        Kind::Aaaa => RecordType::Aaaa,
        Kind::Tlsa => RecordType::Tlsa,
        Kind::Txt => RecordType::Txt,
        Kind::Cname => RecordType::Cname,
    }
}

fn name(text: &str) -> Result<DomainName, String> {
    DomainName::parse(text).map_err(|error| format!("{text}: {error}"))
}
