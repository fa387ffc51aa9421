//! How the core asks for what it does not know yet.
//!
//! Protocol code reads like its standard, top to bottom, over a table of answers. A missing
//! answer leaves by `?` as a [`Need`]. The caller, who can do IO, satisfies everything in it at
//! once, adds the answers to [`Known`], and evaluates again, until the result is `Ok`.
//! Evaluating again is cheap; looking up is not. So look-ups run side by side, and the code that
//! wants them stays a straight line.
//!
//! Evaluation ends, because each round adds at least one answer and the number of questions that
//! one domain can lead to is bounded by whoever asks (hosts per domain, aliases per name).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::fmt;

use crate::{DnsQuestion, DnsReply, HttpsQuestion, HttpsReply};

/// All that has been answered so far. Failures are answers.
#[derive(Clone, Debug, Default)]
pub struct Known {
    dns: BTreeMap<DnsQuestion, DnsReply>,
    https: BTreeMap<HttpsQuestion, HttpsReply>,
}

impl Known {
    /// What the DNS said.
    ///
    /// # Errors
    /// The question, if it has not been asked.
    pub fn dns(&self, question: &DnsQuestion) -> Result<&DnsReply, Need> {
        self.dns
            .get(question)
            .ok_or_else(|| Need { dns: BTreeSet::from([question.clone()]), ..Need::default() })
    }

    /// What the web server said.
    ///
    /// # Errors
    /// The question, if it has not been asked.
    pub fn https(&self, question: &HttpsQuestion) -> Result<&HttpsReply, Need> {
        self.https
            .get(question)
            .ok_or_else(|| Need { https: BTreeSet::from([question.clone()]), ..Need::default() })
    }

    /// Adds what the DNS said. A second answer to a question replaces the first.
    pub fn add_dns(&mut self, question: DnsQuestion, reply: DnsReply) {
        self.dns.insert(question, reply);
    }

    /// Adds what the web server said. A second answer to a question replaces the first.
    pub fn add_https(&mut self, question: HttpsQuestion, reply: HttpsReply) {
        self.https.insert(question, reply);
    }

    /// Every DNS question that was answered, with its answer, in the order of the names.
    pub fn all_dns(&self) -> impl Iterator<Item = (&DnsQuestion, &DnsReply)> {
        self.dns.iter()
    }

    /// Every HTTPS question that was answered, with its answer, in the order of the hosts.
    pub fn all_https(&self) -> impl Iterator<Item = (&HttpsQuestion, &HttpsReply)> {
        self.https.iter()
    }
}

/// The questions that must be answered before an evaluation can go on. Never empty as an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// Questions to the DNS.
    pub dns: BTreeSet<DnsQuestion>,
    /// Questions to web servers.
    pub https: BTreeSet<HttpsQuestion>,
}

impl Need {
    /// Both together.
    #[must_use]
    pub fn and(mut self, mut other: Self) -> Self {
        self.dns.append(&mut other.dns);
        self.https.append(&mut other.https);
        self
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for question in &self.dns {
            write!(f, "{separator}{question}")?;
            separator = ", ";
        }
        for question in &self.https {
            write!(f, "{separator}{question}")?;
            separator = ", ";
        }
        Ok(())
    }
}

/// Both results, or all that either needs: the two are looked up side by side.
///
/// # Errors
/// The union of the needs.
pub fn both<A, B>(first: Result<A, Need>, second: Result<B, Need>) -> Result<(A, B), Need> {
    match (first, second) {
        (Ok(first), Ok(second)) => Ok((first, second)),
        (Err(need), Ok(_)) | (Ok(_), Err(need)) => Err(need),
        (Err(first), Err(second)) => Err(first.and(second)),
    }
}

/// Every result, or all that any of them needs: all are looked up side by side.
///
/// # Errors
/// The union of the needs.
pub fn all<T>(results: impl IntoIterator<Item = Result<T, Need>>) -> Result<Vec<T>, Need> {
    let mut values = Vec::new();
    let mut missing: Option<Need> = None;
    for result in results {
        match result {
            Ok(value) => values.push(value),
            Err(need) => {
                missing = Some(match missing {
                    Some(missing) => missing.and(need),
                    None => need,
                });
            }
        }
    }
    missing.map_or(Ok(values), Err)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DnsFailure, DomainName, RecordType};
    use alloc::string::ToString;

    fn question(name: &str, record_type: RecordType) -> DnsQuestion {
        DnsQuestion::new(DomainName::parse(name).unwrap(), record_type)
    }

    #[test]
    fn needs_are_united_and_failures_satisfy_them() {
        let mut known = Known::default();
        let a = question("mx1.test", RecordType::A);
        let aaaa = question("mx1.test", RecordType::Aaaa);
        let need = both(known.dns(&a), known.dns(&aaaa)).unwrap_err();
        assert_eq!(need.to_string(), "A mx1.test, AAAA mx1.test");

        let failure = DnsFailure::Temporary { detail: "timeout".into() };
        known.add_dns(a.clone(), Err(failure.clone()));
        assert_eq!(known.dns(&a), Ok(&Err(failure)));
        let need = all([known.dns(&a), known.dns(&aaaa)]).unwrap_err();
        assert_eq!(need.to_string(), "AAAA mx1.test");
    }
}
