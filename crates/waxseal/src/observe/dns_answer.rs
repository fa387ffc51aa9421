//! What the message of a resolver says: records at the end of an alias chain, or their absence.
//!
//! Only the answer section counts, and in it only what stands at the name asked for or at the end
//! of the aliases that start there; records at other names are ignored, whatever they say. The
//! whole is a pure function of the message. Counts are bounded, for the zone's owner chooses them.

use bytes::Bytes;
use domain::base::iana::{Class, Rcode, Rtype};
use domain::base::wire::ParseError;
use domain::base::{
    Message, Name, NameBuilder, ParsedName, ParsedRecord, ToName, Ttl, UnknownRecordData,
};
use domain::rdata::{A, Aaaa, Cname, Mx as MxData, Ptr, Soa, Txt};
use smtp_types::{
    DnsAnswer, DnsFailure, DnsName, DnsQuestion, Dnssec, DomainName, Mx, RecordData, RecordType,
    TlsaRdata,
};

use super::printable::printable;

/// How many aliases one after the other are followed. BIND and unbound allow about as many.
const MAX_ALIASES: usize = 16;

/// How many records of the type asked for are taken, at most.
const fn max_records(record_type: RecordType) -> usize {
    match record_type {
        RecordType::A | RecordType::Aaaa | RecordType::Mx | RecordType::Ptr | RecordType::Tlsa => {
            100
        }
        // A message has no more than 65,535 octets; large companies have dozens of texts at their name.
        RecordType::Txt => 512,
        RecordType::Cname => 1,
    }
}

/// For how long absence is believed if the response has no SOA record, in seconds.
const DEFAULT_NEGATIVE_TTL: u32 = 60;

/// The type as the wire names it.
pub(super) const fn rtype(record_type: RecordType) -> Rtype {
    match record_type {
        RecordType::A => Rtype::A,
        RecordType::Aaaa => Rtype::AAAA,
        RecordType::Cname => Rtype::CNAME,
        RecordType::Mx => Rtype::MX,
        RecordType::Ptr => Rtype::PTR,
        RecordType::Tlsa => Rtype::TLSA,
        RecordType::Txt => Rtype::TXT,
    }
}

/// Reads a response with the code NOERROR or NXDOMAIN. `dnssec` is how far the whole message can
/// be trusted. In `notes` it writes, for people, what it left out and why.
///
/// # Errors
/// [`DnsFailure::Temporary`] if the message is malformed, its aliases loop or do not end, or if it
/// is a referral, which a recursive resolver never sends.
pub(super) fn read_answer(
    question: &DnsQuestion,
    message: &Message<Bytes>,
    dnssec: Dnssec,
    notes: &mut Vec<String>,
) -> Result<DnsAnswer, DnsFailure> {
    let section = message.answer().and_then(Iterator::collect).map_err(malformed)?;
    let section: Vec<ParsedRecord<'_, Bytes>> = section;
    let chain = Chain::follow(question, &section, notes)?;

    let mut records = Vec::new();
    let mut ttl = chain.ttl;
    let here = section.iter().filter(|record| {
        record.rtype() == rtype(question.record_type)
            && record.class() == Class::IN
            && record.owner() == chain.end
    });
    let mut found = 0;
    for record in here {
        found += 1;
        if found > max_records(question.record_type) {
            continue;
        }
        ttl = ttl.min(seconds(record.ttl()));
        match read_data(question.record_type, record).map_err(malformed)? {
            Ok(data) => records.push(data),
            Err(note) => notes.push(note),
        }
    }
    if found > max_records(question.record_type) {
        let taken = max_records(question.record_type);
        notes.push(format!("took the first {taken} of {found} records"));
    }
    if found == 0 {
        ttl = ttl.min(negative_ttl(message, &chain.end)?);
    }
    Ok(DnsAnswer {
        dnssec,
        canonical_name: chain.canonical_name,
        name_exists: message.header().rcode() != Rcode::NXDOMAIN,
        records,
        ttl,
    })
}

/// Whether an alias leads out of the message: neither records nor the word that there are none.
pub(super) fn leaves_alias_open(
    question: &DnsQuestion,
    message: &Message<Bytes>,
    answer: &DnsAnswer,
) -> bool {
    let says_none = || {
        let authority = message.authority();
        authority.is_ok_and(|section| section.flatten().any(|record| record.rtype() == Rtype::SOA))
    };
    answer.records.is_empty()
        && answer.name_exists
        && answer.canonical_name != question.name
        && !says_none()
}

/// The aliases from the name asked for to the name that has the records.
struct Chain {
    end: Name<Vec<u8>>,
    canonical_name: DnsName,
    /// The least of the aliases, `u32::MAX` without any.
    ttl: u32,
}

impl Chain {
    fn follow(
        question: &DnsQuestion,
        section: &[ParsedRecord<'_, Bytes>],
        notes: &mut Vec<String>,
    ) -> Result<Self, DnsFailure> {
        let mut chain = Self {
            end: wire_name(&question.name)?,
            canonical_name: question.name.clone(),
            ttl: u32::MAX,
        };
        if question.record_type == RecordType::Cname {
            return Ok(chain);
        }
        let mut passed = Vec::new();
        while let Some(alias) = section.iter().find(|record| {
            record.rtype() == Rtype::CNAME
                && record.class() == Class::IN
                && record.owner() == chain.end
        }) {
            let target = alias_target(alias).map_err(malformed)?;
            passed.push(chain.end);
            if passed.contains(&target) {
                return Err(temporary(format!(
                    "alias loop: {} leads back to {target}",
                    question.name
                )));
            }
            if passed.len() > MAX_ALIASES {
                return Err(temporary(format!(
                    "more than {MAX_ALIASES} aliases one after the other from {}",
                    question.name
                )));
            }
            chain.ttl = chain.ttl.min(seconds(alias.ttl()));
            match DomainName::parse(&target.to_string()) {
                Ok(name) => chain.canonical_name = name.into(),
                Err(error) => notes.push(format!(
                    "alias target {:?} is not a domain name: {error}",
                    printable(target.to_string().as_bytes(), 253)
                )),
            }
            chain.end = target;
        }
        Ok(chain)
    }
}

fn alias_target(record: &ParsedRecord<'_, Bytes>) -> Result<Name<Vec<u8>>, ParseError> {
    let record = record.to_record::<Cname<ParsedName<Bytes>>>()?.ok_or(ParseError::ShortInput)?;
    Ok(record.data().cname().to_name())
}

/// The record's data, or a note why it does not count.
fn read_data(
    record_type: RecordType,
    record: &ParsedRecord<'_, Bytes>,
) -> Result<Result<RecordData, String>, ParseError> {
    // `to_record` gives None only for another type than the one that stands in the record.
    let short = ParseError::ShortInput;
    Ok(match record_type {
        RecordType::A => {
            let record = record.to_record::<A>()?.ok_or(short)?;
            Ok(RecordData::Address(record.data().addr().into()))
        }
        RecordType::Aaaa => {
            let record = record.to_record::<Aaaa>()?.ok_or(short)?;
            Ok(RecordData::Address(record.data().addr().into()))
        }
        RecordType::Cname => target(&alias_target(record)?).map(RecordData::Cname),
        RecordType::Mx => {
            let record = record.to_record::<MxData<ParsedName<Bytes>>>()?.ok_or(short)?;
            let preference = record.data().preference();
            let exchange = record.data().exchange();
            match exchange.is_root() {
                true => Ok(None),
                false => name(exchange).map(Some),
            }
            .map(|exchange| RecordData::Mx(Mx { preference, exchange }))
        }
        RecordType::Ptr => {
            let record = record.to_record::<Ptr<ParsedName<Bytes>>>()?.ok_or(short)?;
            target(record.data().ptrdname()).map(RecordData::Ptr)
        }
        RecordType::Tlsa => {
            let record = record.to_record::<UnknownRecordData<Bytes>>()?.ok_or(short)?;
            let [usage, selector, matching_type, data @ ..] = &record.data().data()[..] else {
                return Err(short);
            };
            Ok(RecordData::Tlsa(TlsaRdata {
                usage: *usage,
                selector: *selector,
                matching_type: *matching_type,
                data: data.to_vec(),
            }))
        }
        RecordType::Txt => {
            let record = record.to_record::<Txt<Bytes>>()?.ok_or(short)?;
            let strings: Vec<&[u8]> = record.data().iter().collect();
            Ok(RecordData::Txt(strings.concat().into()))
        }
    })
}

/// A name that can be asked for, or a note why it is none.
fn name(name: &impl ToString) -> Result<DnsName, String> {
    let text = name.to_string();
    // Escapes stand for octets that no name of ours has.
    let parsed = if text.contains('\\') { None } else { DnsName::parse(&text).ok() };
    parsed.ok_or_else(|| {
        let found = printable(text.as_bytes(), 253);
        format!("record left out, its target {found:?} is not a name that can be asked for")
    })
}

/// A name that a record leads to, or a note why it is none.
fn target(name: &impl ToString) -> Result<DomainName, String> {
    let text = name.to_string();
    DomainName::parse(&text).map_err(|error| {
        let found = printable(text.as_bytes(), 253);
        format!("record left out, its target {found:?} is not a domain name: {error}")
    })
}

/// For how long absence may be kept: the lesser of the SOA record's TTL and its MINIMUM field
/// (RFC 2308 §5).
fn negative_ttl(message: &Message<Bytes>, name: &Name<Vec<u8>>) -> Result<u32, DnsFailure> {
    let authority = message.authority().map_err(malformed)?;
    for record in authority.limit_to_in::<Soa<ParsedName<Bytes>>>() {
        let record = record.map_err(malformed)?;
        if name.ends_with(record.owner()) {
            return Ok(seconds(record.ttl()).min(seconds(record.data().minimum())));
        }
    }
    // NS without SOA is a referral (RFC 2308 §2.2), which a resolver that recurses never sends.
    let is_referral = authority.flatten().any(|record| record.rtype() == Rtype::NS);
    if is_referral && !message.header().ra() {
        return Err(temporary(
            "no answer but a referral: the server does not recurse (RA=0)".into(),
        ));
    }
    Ok(DEFAULT_NEGATIVE_TTL)
}

/// "Treat as zero if the most significant bit is set" (RFC 2181 §8).
fn seconds(ttl: Ttl) -> u32 {
    match ttl.as_secs() {
        seconds if seconds > i32::MAX.unsigned_abs() => 0,
        seconds => seconds,
    }
}

/// The name as the wire has it.
pub(super) fn wire_name(name: &DnsName) -> Result<Name<Vec<u8>>, DnsFailure> {
    let cannot = |error: String| DnsFailure::Permanent {
        detail: format!("{name} cannot be asked: {error}"),
    };
    let mut wire = NameBuilder::new_vec();
    for label in name.labels() {
        wire.append_label(label.as_bytes()).map_err(|error| cannot(error.to_string()))?;
    }
    wire.into_name().map_err(|error| cannot(error.to_string()))
}

fn malformed(error: ParseError) -> DnsFailure {
    temporary(format!("malformed response: {error}"))
}

fn temporary(detail: String) -> DnsFailure {
    DnsFailure::Temporary { detail }
}
