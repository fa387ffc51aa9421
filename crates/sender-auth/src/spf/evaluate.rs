//! `check_host()` (RFC 7208 §4): from a domain to its record, and through the record's terms.

use alloc::boxed::Box;
use alloc::string::{String, ToString};

use smtp_types::{DnsName, DnsQuestion, DnsReply, Known, Need, RecordType, UnixTime, both};

use super::domain_spec::DomainSpec;
use super::expand::{NoName, UNKNOWN, Values};
use super::identity::{Client, NoDomain, Query};
use super::outcome::{Evaluation, Match, Problem, Referral, SpfResult};
use super::record::{NoRecord, Record, select};
use super::term::{Directive, Mechanism};
use super::trace::{Event, Found, Outcome, Trace};

/// How much a record may cost (§4.6.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many terms may look something up. The default is 10; the RFC wants no other number.
    pub lookups: u8,
    /// How many of them may find nothing. The default is 2.
    pub void_lookups: u8,
    /// How many mail exchangers one `mx` may lead to. The default is 10.
    pub mx_names: u8,
    /// How many names of the client's address are looked at. The default is 10.
    pub ptr_names: u8,
    /// How many octets of an explanation are kept. The default is 400, so that a reply line of
    /// SMTP (512 octets) has space for more. With 0 no explanation is looked up.
    pub explanation_octets: usize,
    /// How many steps of the trace are kept. The default is 500.
    pub trace_steps: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            lookups: 10,
            void_lookups: 2,
            mx_names: 10,
            ptr_names: 10,
            explanation_octets: 400,
            trace_steps: 500,
        }
    }
}

/// Who checks, and when: what the macros of an explanation may tell the sender (§7.2).
#[derive(Clone, Copy, Debug)]
pub struct Receiver<'r> {
    /// The name of the receiving mail server; empty if it shall not be told.
    pub host_name: &'r str,
    /// The time of the check.
    pub now: UnixTime,
}

/// The results for both identities of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// For the name that the client gave itself (§2.3).
    pub helo: Evaluation,
    /// For the return path (§2.4): the one that DMARC builds on.
    pub mail_from: Evaluation,
}

/// Checks both identities, side by side.
///
/// # Errors
/// What must be looked up first.
pub fn verify(
    known: &Known,
    client: Client<'_>,
    receiver: &Receiver<'_>,
    limits: &Limits,
) -> Result<Verification, Need> {
    let helo = Query::helo(client.ip, client.helo);
    let mail_from = Query::mail_from(client.ip, client.helo, client.mail_from);
    let (helo, mail_from) = both(
        check_host(known, &helo, receiver, limits),
        check_host(known, &mail_from, receiver, limits),
    )?;
    Ok(Verification { helo, mail_from })
}

/// Checks one identity.
///
/// # Errors
/// What must be looked up first. It may hold questions that turn out not to matter: those of the
/// terms behind the one that waits, so that few rounds are needed.
pub fn check_host(
    known: &Known,
    query: &Query,
    receiver: &Receiver<'_>,
    limits: &Limits,
) -> Result<Evaluation, Need> {
    let spent = Spent { lookups: 0, void_lookups: 0 };
    let mut check = Check { known, query, receiver, limits, spent, trace: Trace::default() };
    let verdict = match check.initial_domain() {
        Ok(verdict) => verdict,
        Err(Exit::Need(need)) => return Err(need),
        Err(Exit::Problem(problem)) => Verdict::of(problem),
    };
    let explanation = match (verdict.result, &verdict.explanation) {
        (SpfResult::Fail, Some(source)) => check.explain(source)?,
        _ => None,
    };
    Ok(Evaluation {
        identity: query.identity,
        domain: query.domain.as_ref().ok().cloned(),
        result: verdict.result,
        matched: verdict.matched,
        problem: verdict.problem,
        explanation,
        lookups: check.spent.lookups,
        void_lookups: check.spent.void_lookups,
        trace: check.trace,
    })
}

/// An evaluation under way.
pub(super) struct Check<'c> {
    pub(super) known: &'c Known,
    pub(super) query: &'c Query,
    pub(super) receiver: &'c Receiver<'c>,
    pub(super) limits: &'c Limits,
    pub(super) spent: Spent,
    pub(super) trace: Trace,
}

/// What counts against the limits, over all records together.
#[derive(Clone, Copy)]
pub(super) struct Spent {
    pub(super) lookups: u8,
    pub(super) void_lookups: u8,
}

/// The record that is evaluated.
#[derive(Clone, Copy)]
pub(super) struct Scope<'s> {
    pub(super) domain: &'s DnsName,
    pub(super) depth: usize,
}

/// Why evaluation does not go on (§4.6.2: "an exception").
pub(super) enum Exit {
    Need(Need),
    Problem(Problem),
}

impl From<Need> for Exit {
    fn from(need: Need) -> Self {
        Self::Need(need)
    }
}

/// What a record says.
pub(super) struct Verdict {
    result: SpfResult,
    matched: Option<Match>,
    problem: Option<Problem>,
    explanation: Option<ExplanationSource>,
}

/// Where an explanation is to be had, if it comes to that.
pub(super) struct ExplanationSource {
    pub(super) domain: DnsName,
    pub(super) spec: DomainSpec,
}

impl Verdict {
    fn of(problem: Problem) -> Self {
        let result = problem.result();
        Self { result, matched: None, problem: Some(problem), explanation: None }
    }

    /// §4.7: "If none of the mechanisms match and there is no "redirect" modifier", the result is
    /// `neutral`.
    const fn neutral() -> Self {
        Self { result: SpfResult::Neutral, matched: None, problem: None, explanation: None }
    }
}

impl<'c> Check<'c> {
    /// §4.3: without a well-formed domain the result is `none`.
    fn initial_domain(&mut self) -> Result<Verdict, Exit> {
        match &self.query.domain {
            Ok(domain) => self.domain(Scope { domain: &domain.into(), depth: 0 }),
            Err(error) => Ok(Verdict::of(Problem::Domain(error.clone()))),
        }
    }

    /// `check_host()` itself: the record of one domain, as it is evaluated recursively.
    pub(super) fn domain(&mut self, scope: Scope<'_>) -> Result<Verdict, Exit> {
        self.note(scope.depth, Event::Domain { domain: scope.domain.clone() });
        let verdict = match self.record(scope)? {
            Ok(record) => self.directives(scope, &record)?,
            Err(none) => Verdict::of(none),
        };
        let (domain, result) = (scope.domain.clone(), verdict.result);
        self.note(scope.depth, Event::Ended { domain, result });
        Ok(verdict)
    }

    /// §4.4 to §4.6: one TXT record, well-formed as a whole before anything of it is evaluated.
    fn record(&mut self, scope: Scope<'_>) -> Result<Result<Record, Problem>, Exit> {
        // §4.3, for the domains of `include` and `redirect`.
        if scope.domain.labels().nth(1).is_none() {
            let found = scope.domain.as_str().into();
            return Ok(Err(Problem::Domain(NoDomain::SingleLabel { found })));
        }
        let domain = || scope.domain.clone();
        let question = DnsQuestion::new(domain(), RecordType::Txt);
        let answer = match self.ask(scope.depth, &question)? {
            Ok(answer) => answer,
            // §4.4: "terminates immediately with the result "temperror"".
            Err(failure) => {
                return Err(Exit::Problem(Problem::Dns { question, failure: failure.clone() }));
            }
        };
        let text = match select(answer.txt()) {
            Ok(text) => text,
            Err(NoRecord::Absent) => {
                let name_exists = answer.name_exists;
                return Ok(Err(Problem::NoRecord { domain: domain(), name_exists }));
            }
            Err(NoRecord::Several { count }) => {
                return Err(Exit::Problem(Problem::SeveralRecords { domain: domain(), count }));
            }
        };
        let shown = text.escape_ascii().to_string().into_boxed_str();
        self.note(scope.depth, Event::Record { text: shown });
        Record::parse(text)
            .map(Ok)
            .map_err(|error| Exit::Problem(Problem::Record { domain: domain(), error }))
    }

    /// §4.6.2: "Each mechanism is considered in turn from left to right."
    fn directives(&mut self, scope: Scope<'_>, record: &Record) -> Result<Verdict, Exit> {
        for (index, directive) in record.directives().iter().enumerate() {
            let matches = match self.mechanism(scope, &directive.mechanism) {
                Ok(matches) => matches,
                Err(Exit::Need(need)) => {
                    return Err(Exit::Need(self.look_ahead(need, scope, record, index + 1)));
                }
                Err(problem) => return Err(problem),
            };
            self.note_test(scope.depth, directive, matches);
            if matches {
                let domain = scope.domain.clone();
                let source = |spec: &DomainSpec| ExplanationSource {
                    domain: scope.domain.clone(),
                    spec: spec.clone(),
                };
                return Ok(Verdict {
                    result: directive.qualifier.result(),
                    matched: Some(Match { domain, directive: directive.clone() }),
                    problem: None,
                    explanation: record.explanation().map(source),
                });
            }
        }
        match record.redirect() {
            Some(target) => self.redirect(scope, target),
            None => Ok(Verdict::neutral()),
        }
    }

    fn mechanism(&mut self, scope: Scope<'_>, mechanism: &Mechanism) -> Result<bool, Exit> {
        match mechanism {
            Mechanism::All => Ok(true),
            Mechanism::Include { domain } => self.include(scope, domain),
            Mechanism::A { domain, prefix } => self.a(scope, domain.as_ref(), *prefix),
            Mechanism::Mx { domain, prefix } => self.mx(scope, domain.as_ref(), *prefix),
            Mechanism::Ptr { domain } => self.ptr(scope, domain.as_ref()),
            Mechanism::Ip4 { network } => Ok(network.contains(self.query.ip)),
            Mechanism::Ip6 { network } => Ok(network.contains(self.query.ip)),
            Mechanism::Exists { domain } => self.exists(scope, domain),
        }
    }

    /// §6.1: the result of the other domain counts, its explanation, too (§6.2); without a record
    /// there it is `permerror`.
    fn redirect(&mut self, scope: Scope<'_>, spec: &DomainSpec) -> Result<Verdict, Exit> {
        self.count_lookup()?;
        self.note(scope.depth, Event::Redirected { lookups: self.spent.lookups });
        let verdict = match self.target_name(scope, spec)? {
            Ok(domain) => self.domain(Scope { domain: &domain, depth: scope.depth + 1 })?,
            Err(none) => return Err(no_record(Referral::Redirect, none)),
        };
        match (verdict.result, verdict.problem) {
            (SpfResult::None, Some(why)) => {
                let target = spec.to_string();
                Err(no_record(Referral::Redirect, NoName { text: target, why }))
            }
            (_, problem) => Ok(Verdict { problem, ..verdict }),
        }
    }

    /// What a recursive evaluation means to `include` (§5.2): whether it matches, or why there is
    /// no telling.
    pub(super) fn included(&mut self, scope: Scope<'_>, target: &DnsName) -> Result<bool, Exit> {
        let verdict = self.domain(Scope { domain: target, depth: scope.depth + 1 })?;
        match (verdict.result, verdict.problem) {
            (SpfResult::Pass, _) => Ok(true),
            (_, Some(why)) => {
                let text = target.as_str().into();
                Err(no_record(Referral::Include, NoName { text, why }))
            }
            (_, None) => Ok(false),
        }
    }

    /// The name that a term leads to: its domain expanded, or the current domain (§4.8).
    pub(super) fn target_name(
        &mut self,
        scope: Scope<'_>,
        spec: &DomainSpec,
    ) -> Result<Result<DnsName, NoName>, Exit> {
        let validated_name = match spec.names_validated_name() {
            true => {
                self.count_lookup()?;
                self.validated_name(scope)?
            }
            false => UNKNOWN.into(),
        };
        Ok(spec.target_name(&self.values(scope.domain, &validated_name)))
    }

    /// What the macro letters stand for in a record of `domain`.
    pub(super) fn values<'v>(&'v self, domain: &'v DnsName, validated_name: &'v str) -> Values<'v> {
        let host_name = self.receiver.host_name;
        Values {
            local_part: &self.query.local_part,
            sender_domain: self.query.domain.as_ref().map_or("", |domain| domain.as_str()),
            domain: domain.as_str(),
            ip: self.query.ip,
            validated_name,
            helo: &self.query.helo,
            receiver: if host_name.is_empty() { UNKNOWN } else { host_name },
            now: self.receiver.now,
        }
    }

    /// Asks the DNS and writes down what it said.
    pub(super) fn ask(
        &mut self,
        depth: usize,
        question: &DnsQuestion,
    ) -> Result<&'c DnsReply, Need> {
        let reply = self.known.dns(question)?;
        let found = Found::of(question, reply);
        self.note(depth, Event::Asked { question: question.clone(), found });
        Ok(reply)
    }

    /// §4.6.4: "SPF implementations MUST limit the total number of those terms to 10".
    pub(super) fn count_lookup(&mut self) -> Result<(), Exit> {
        let limit = self.limits.lookups;
        if self.spent.lookups >= limit {
            return Err(Exit::Problem(Problem::LookupLimit { limit }));
        }
        self.spent.lookups += 1;
        Ok(())
    }

    /// §4.6.4: "SPF implementations SHOULD limit "void lookups" to two." It is terms that are
    /// counted, and one that finds nothing counts once, however many names it went through.
    pub(super) fn count_void_lookup(&mut self) -> Result<(), Exit> {
        let limit = self.limits.void_lookups;
        if self.spent.void_lookups >= limit {
            return Err(Exit::Problem(Problem::VoidLookupLimit { limit }));
        }
        self.spent.void_lookups += 1;
        Ok(())
    }

    pub(super) fn note(&mut self, depth: usize, event: Event) {
        self.trace.push(self.limits.trace_steps, depth, event);
    }

    fn note_test(&mut self, depth: usize, directive: &Directive, matches: bool) {
        let Spent { lookups, void_lookups } = self.spent;
        let outcome = if matches { Outcome::Match } else { Outcome::NoMatch };
        let directive = directive.clone();
        self.note(depth, Event::Tested { directive, outcome, lookups, void_lookups });
    }
}

/// §5.2 and §6.1: a target without a record is `permerror`.
pub(super) fn no_record(referral: Referral, none: NoName) -> Exit {
    let target: Box<str> = String::into_boxed_str(none.text);
    Exit::Problem(Problem::NoRecordAtTarget { referral, target, why: Box::new(none.why) })
}
