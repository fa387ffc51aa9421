//! The proof that the resolver validates: questions whose right answer is known.
//!
//! A signed name must come with the AD bit, and a name with false signatures must be refused. The
//! names belong to others, and may be out of order on any day. So a name that gives nothing proves
//! nothing, and one refusal of a bogus name is enough, though another one may have been mended.

use std::fmt;

use bytes::Bytes;
use domain::base::iana::{OptRcode, Rtype};
use domain::base::{Message, Name};
use futures_util::future::{join, join_all};
use smtp_types::{DnsFailure, DomainName};
use tokio::time::timeout;

use super::dns::{Resolver, explain_server_failure};
use super::dns_answer::wire_name;
use super::dns_transport::Checking;
use super::validation::{Disproof, Validation};

/// The names by which validation is proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probes {
    /// Zones that are signed; their SOA records are asked for. The default is the root and `org`.
    pub signed: Vec<Zone>,
    /// Names with A records whose signatures are false. The default is `dnssec-failed.org`,
    /// `rhybar.cz` and `brokendnssec.net`.
    pub bogus: Vec<DomainName>,
}

impl Default for Probes {
    fn default() -> Self {
        let bogus = ["dnssec-failed.org", "rhybar.cz", "brokendnssec.net"];
        Self {
            signed: [".", "org"].into_iter().filter_map(Zone::parse).collect(),
            bogus: bogus.into_iter().filter_map(|name| DomainName::parse(name).ok()).collect(),
        }
    }
}

/// A zone's name; unlike a [`DomainName`] it may be the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Zone {
    /// `.`
    Root,
    /// Any other.
    Named(DomainName),
}

impl Zone {
    /// `.` or a domain name; `None` if it is neither.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "." => Some(Self::Root),
            _ => DomainName::parse(text).ok().map(Self::Named),
        }
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("."),
            Self::Named(name) => name.fmt(f),
        }
    }
}

/// What a probe has shown. `Silent` is no answer, or one that shows nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Validates,
    DoesNotValidate,
    Silent,
}

impl Resolver {
    /// Proves whether the resolver validates, keeps the outcome for all answers from now on, and
    /// returns it. All probes are asked at once; takes as long as one question at most. A resolver
    /// at an untrusted address is not asked. Silence shows nothing and changes nothing: what was
    /// shown before stays in force.
    pub async fn prove(&self) -> Validation {
        if !self.settings.trust.covers(self.settings.address.ip()) {
            return Validation::Untrusted { address: self.settings.address };
        }
        match self.probe().await {
            Validation::Unproved => self.validation.load().as_ref().clone(),
            shown => {
                self.validation.store(shown.clone().into());
                shown
            }
        }
    }

    async fn probe(&self) -> Validation {
        let Probes { signed, bogus } = &self.settings.probes;
        let (signed_outcomes, bogus_outcomes) = join(
            join_all(signed.iter().map(|zone| self.probe_signed(zone))),
            join_all(bogus.iter().map(|name| self.probe_bogus(name))),
        )
        .await;
        let signed = signed.iter().map(Zone::to_string).zip(signed_outcomes);
        let bogus = bogus.iter().map(DomainName::to_string).zip(bogus_outcomes);
        judge(&signed.collect::<Vec<_>>(), &bogus.collect::<Vec<_>>())
    }

    async fn probe_signed(&self, zone: &Zone) -> Outcome {
        let name = match zone {
            Zone::Root => Ok(Name::root_vec()),
            Zone::Named(name) => wire_name(&name.into()),
        };
        let Ok(name) = name else {
            return Outcome::Silent;
        };
        let exchange = self.transport.exchange(&name, Rtype::SOA, Checking::Enabled);
        let Ok(Ok(message)) = timeout(self.limit(), exchange).await else {
            return Outcome::Silent;
        };
        let header = message.header();
        if message.opt_rcode() != OptRcode::NOERROR || !has_record(&message, Rtype::SOA) {
            return Outcome::Silent;
        }
        match (header.ad(), header.aa()) {
            (true, _) => Outcome::Validates,
            // A server does not confirm the zones that it holds itself (RFC 4035 §3.1.6), such as
            // a local copy of the root (RFC 8806).
            (false, true) => Outcome::Silent,
            (false, false) => Outcome::DoesNotValidate,
        }
    }

    async fn probe_bogus(&self, name: &DomainName) -> Outcome {
        let Ok(name) = wire_name(&name.into()) else {
            return Outcome::Silent;
        };
        let probe = async {
            let exchange = |checking| self.transport.exchange(&name, Rtype::A, checking);
            let Ok(message) = exchange(Checking::Enabled).await else {
                return Outcome::Silent;
            };
            match message.opt_rcode() {
                OptRcode::SERVFAIL => {
                    match explain_server_failure(&message, exchange(Checking::Disabled)).await {
                        DnsFailure::Bogus { .. } => Outcome::Validates,
                        DnsFailure::Temporary { .. } | DnsFailure::Permanent { .. } => {
                            Outcome::Silent
                        }
                    }
                }
                // With the AD bit its signatures fit by now: the name has been mended.
                OptRcode::NOERROR if message.header().ad() => Outcome::Silent,
                OptRcode::NOERROR if has_record(&message, Rtype::A) => Outcome::DoesNotValidate,
                _ => Outcome::Silent,
            }
        };
        timeout(self.limit(), probe).await.unwrap_or(Outcome::Silent)
    }
}

fn has_record(message: &Message<Bytes>, record_type: Rtype) -> bool {
    message
        .answer()
        .is_ok_and(|section| section.flatten().any(|record| record.rtype() == record_type))
}

/// What all probes together show. A signed name without AD weighs most: then nothing of what the
/// resolver says can be told from the word of one that does not validate.
fn judge(signed: &[(String, Outcome)], bogus: &[(String, Outcome)]) -> Validation {
    let first = |probes: &[(String, Outcome)], wanted| {
        probes.iter().find(|(_, outcome)| *outcome == wanted).map(|(name, _)| name.clone())
    };
    if let Some(name) = first(signed, Outcome::DoesNotValidate) {
        return Validation::Disproved { why: Disproof::SignedWithoutAd { name } };
    }
    let refused = first(bogus, Outcome::Validates).is_some();
    if let Some(name) = first(bogus, Outcome::DoesNotValidate).filter(|_| !refused) {
        return Validation::Disproved { why: Disproof::BogusAnswered { name } };
    }
    match (first(signed, Outcome::Validates), refused) {
        (Some(_), true) => Validation::Proved,
        (Some(_), false) => Validation::Plausible,
        (None, _) => Validation::Unproved,
    }
}

#[cfg(test)]
mod tests {
    use super::Outcome::{DoesNotValidate, Silent, Validates};
    use super::*;

    #[test]
    fn outcomes_of_all_probes_together() {
        let table = [
            ([Validates, Silent], [Silent, Validates], "proved"),
            ([Validates, Validates], [DoesNotValidate, Validates], "proved"), // one was mended
            ([Validates, Silent], [Silent, Silent], "plausible"),
            ([Silent, Silent], [Silent, Silent], "unproved"),
            ([Silent, Silent], [Silent, Validates], "unproved"), // the AD bit was never seen
            ([Validates, DoesNotValidate], [Validates, Validates], "disproved"),
            ([Validates, Validates], [DoesNotValidate, Silent], "disproved"),
            ([Silent, Silent], [DoesNotValidate, Silent], "disproved"),
        ];
        for (signed, bogus, expected) in table {
            let named = |outcomes: [Outcome; 2]| outcomes.map(|outcome| ("x".into(), outcome));
            let validation = judge(&named(signed), &named(bogus));
            assert_eq!(validation.as_str(), expected, "{signed:?} {bogus:?}");
        }
    }

    #[test]
    fn default_names() {
        let probes = Probes::default();
        assert_eq!(probes.signed.len(), 2);
        assert_eq!(probes.bogus.len(), 3);
        assert_eq!(Zone::parse("a b"), None);
    }
}
