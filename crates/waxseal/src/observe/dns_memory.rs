//! Answers of the DNS that are asked for again and again, kept for as long as they hold.
//!
//! The resolver has a cache, and a better one. But each question to it costs two system calls, a
//! socket of its own, and a message to be written and read: about 80 µs, and a message that comes
//! in wants to know seven things, most of them those of the message before.
//!
//! What is kept holds for its TTL, which a resolver counts down, and for five minutes at most, so
//! that an operator who empties the resolver's cache does not wait for long. Failures are not kept.

use std::time::{Duration, Instant};

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use smtp_types::{DnsAnswer, DnsQuestion, RecordData};

/// The longest time for which an answer is kept.
const LONGEST: Duration = Duration::from_mins(5);

/// How many octets all answers may take: 32 MiB.
const CAPACITY: u64 = 32 * 1024 * 1024;

/// How many octets an answer takes besides its records, with its place in the table.
const OVERHEAD: usize = 250;

/// How many answers there are, more or less, when it is full.
const ANSWERS: usize = 100_000;

/// Answers that hold still. Bounded by the octets that they take.
pub struct DnsMemory {
    answers: Cache<DnsQuestion, Kept, Octets>,
}

#[derive(Clone)]
struct Kept {
    answer: DnsAnswer,
    until: Instant,
}

#[derive(Clone)]
struct Octets;

impl Weighter<DnsQuestion, Kept> for Octets {
    fn weight(&self, question: &DnsQuestion, kept: &Kept) -> u64 {
        let names = question.name.as_str().len() + kept.answer.canonical_name.as_str().len();
        let records = kept.answer.records.iter().map(|record| {
            let beside = match record {
                RecordData::Txt(text) => text.len(),
                RecordData::Tlsa(tlsa) => tlsa.data.len(),
                RecordData::Cname(name) | RecordData::Ptr(name) => name.as_str().len(),
                RecordData::Mx(mx) => mx.exchange.as_ref().map_or(0, |name| name.as_str().len()),
                RecordData::Address(_) => 0,
            };
            size_of::<RecordData>() + beside
        });
        u64::try_from(OVERHEAD + names + records.sum::<usize>()).unwrap_or(u64::MAX)
    }
}

impl Default for DnsMemory {
    fn default() -> Self {
        Self { answers: Cache::with_weighter(ANSWERS, CAPACITY, Octets) }
    }
}

impl DnsMemory {
    /// The answer, if it is known and holds at `now`.
    pub(super) fn recall(&self, question: &DnsQuestion, now: Instant) -> Option<DnsAnswer> {
        let kept = self.answers.get(question)?;
        (now < kept.until).then_some(kept.answer)
    }

    /// Keeps an answer that came at `now`.
    pub(super) fn keep(&self, question: &DnsQuestion, answer: &DnsAnswer, now: Instant) {
        let life = Duration::from_secs(answer.ttl.into()).min(LONGEST);
        if !life.is_zero() {
            let kept = Kept { answer: answer.clone(), until: now + life };
            self.answers.insert(question.clone(), kept);
        }
    }
}

#[cfg(test)]
mod tests {
    use smtp_types::{DnsName, Dnssec, RecordType};

    use super::*;

    fn question(number: usize) -> DnsQuestion {
        let name = DnsName::parse(&format!("n{number}.example.com")).unwrap();
        DnsQuestion::new(name, RecordType::Txt)
    }

    fn answer(question: &DnsQuestion, ttl: u32, octets: usize) -> DnsAnswer {
        DnsAnswer {
            dnssec: Dnssec::Secure,
            canonical_name: question.name.clone(),
            name_exists: true,
            records: vec![RecordData::Txt(vec![b'x'; octets].into())],
            ttl,
        }
    }

    #[test]
    fn an_answer_holds_for_its_ttl_and_five_minutes_at_most() {
        let (memory, begin) = (DnsMemory::default(), Instant::now());
        for (number, ttl, holds) in [(0, 0, 0), (1, 1, 1), (2, 300, 300), (3, u32::MAX, 300)] {
            let question = question(number);
            let answer = answer(&question, ttl, 10);
            memory.keep(&question, &answer, begin);
            let at = |seconds| memory.recall(&question, begin + Duration::from_secs(seconds));
            assert_eq!(at(holds), None, "{ttl}");
            if let Some(before) = holds.checked_sub(1) {
                assert_eq!(at(before), Some(answer), "{ttl}");
            }
        }
    }

    #[test]
    fn the_last_answer_counts() {
        let (memory, begin) = (DnsMemory::default(), Instant::now());
        let question = question(0);
        for octets in [10, 20] {
            memory.keep(&question, &answer(&question, 60, octets), begin);
        }
        assert_eq!(memory.recall(&question, begin), Some(answer(&question, 60, 20)));
    }

    #[test]
    fn great_answers_do_not_fill_the_memory() {
        let (memory, begin) = (DnsMemory::default(), Instant::now());
        for number in 0..2_000 {
            let question = question(number);
            memory.keep(&question, &answer(&question, 60, 60_000), begin);
        }
        assert!(memory.answers.weight() <= CAPACITY);
        assert!(memory.answers.len() > 100, "{}", memory.answers.len());
    }
}
