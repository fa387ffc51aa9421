//! Asking early: what the terms behind the one that waits will ask first.
//!
//! Terms are tried one after the other, but most of what they ask can be told beforehand. So when
//! an answer is missing, the first questions of the following terms go out with it, as many as the
//! limit still allows. That changes how many rounds an evaluation takes, and nothing else.

use smtp_types::{DnsName, DnsQuestion, Need, RecordType};

use super::domain_spec::DomainSpec;
use super::evaluate::{Check, Scope};
use super::expand::{UNKNOWN, reverse_name};
use super::record::Record;
use super::term::Mechanism;

impl Check<'_> {
    /// `need`, and the first questions of the terms from the directive `next` on.
    pub(super) fn look_ahead(
        &self,
        need: Need,
        scope: Scope<'_>,
        record: &Record,
        next: usize,
    ) -> Need {
        let mut need = need;
        let mut left = self.limits.lookups.saturating_sub(self.spent.lookups);
        for directive in record.directives().iter().skip(next) {
            let mechanism = &directive.mechanism;
            // What matches for certain is the end.
            let ends = match mechanism {
                Mechanism::All => true,
                Mechanism::Ip4 { network } => network.contains(self.query.ip),
                Mechanism::Ip6 { network } => network.contains(self.query.ip),
                _ => left == 0,
            };
            if ends {
                return need;
            }
            if mechanism.looks_up() {
                left -= 1;
                need = self.and_if_unknown(need, self.first_question(scope, mechanism));
            }
        }
        match record.redirect() {
            Some(spec) if left > 0 => {
                let name = self.foreseen_name(scope, Some(spec));
                let question = name.map(|name| DnsQuestion::new(name, RecordType::Txt));
                self.and_if_unknown(need, question)
            }
            _ => need,
        }
    }

    fn and_if_unknown(&self, mut need: Need, question: Option<DnsQuestion>) -> Need {
        if let Some(question) = question
            && self.known.dns(&question).is_err()
        {
            need.dns.insert(question);
        }
        need
    }

    fn first_question(&self, scope: Scope<'_>, mechanism: &Mechanism) -> Option<DnsQuestion> {
        let name = || self.foreseen_name(scope, mechanism.domain());
        Some(match mechanism {
            Mechanism::All | Mechanism::Ip4 { .. } | Mechanism::Ip6 { .. } => return None,
            Mechanism::Include { .. } => DnsQuestion::new(name()?, RecordType::Txt),
            Mechanism::A { .. } => self.address_question(name()?),
            Mechanism::Mx { .. } => DnsQuestion::new(name()?, RecordType::Mx),
            Mechanism::Exists { .. } => DnsQuestion::new(name()?, RecordType::A),
            Mechanism::Ptr { .. } => {
                let name = DnsName::parse(&reverse_name(self.query.ip)).ok()?;
                DnsQuestion::new(name, RecordType::Ptr)
            }
        })
    }

    /// The name that a term leads to, if that does not hang on an answer (`%{p}`).
    fn foreseen_name(&self, scope: Scope<'_>, spec: Option<&DomainSpec>) -> Option<DnsName> {
        match spec {
            None => Some(scope.domain.clone()),
            Some(spec) if spec.names_validated_name() => None,
            Some(spec) => spec.target_name(&self.values(scope.domain, UNKNOWN)).ok(),
        }
    }
}
