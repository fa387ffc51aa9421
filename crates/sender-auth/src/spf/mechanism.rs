//! The mechanisms that ask the DNS (RFC 7208 §5): one function for one mechanism.
//!
//! §5: a failure of the DNS is `temperror` for the whole evaluation, except where a mechanism says
//! otherwise; a name that does not exist is one without records.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use smtp_types::{DnsFailure, DnsName, DnsQuestion, DnsReply, Need, RecordType, all};

use super::domain_spec::DomainSpec;
use super::evaluate::{Check, Exit, Scope, no_record};
use super::expand::{NoName, UNKNOWN, reverse_name};
use super::network::DualPrefix;
use super::outcome::{Problem, Referral};
use super::trace::{Event, Found};

impl<'c> Check<'c> {
    /// §5.2: matches if the other domain's record says `pass`; an error there is one here, and so
    /// is a domain without a record.
    pub(super) fn include(&mut self, scope: Scope<'_>, spec: &DomainSpec) -> Result<bool, Exit> {
        self.count_lookup()?;
        match self.target_name(scope, spec)? {
            Ok(domain) => self.included(scope, &domain),
            // RFC 8616 §4: such terms "do not match anything".
            Err(none) if none.why == Problem::LocalPartNotAscii => {
                self.note_not_asked(scope, none);
                Ok(false)
            }
            Err(none) => Err(no_record(Referral::Include, none)),
        }
    }

    /// §5.3: "If any address matches, the mechanism matches."
    pub(super) fn a(
        &mut self,
        scope: Scope<'_>,
        spec: Option<&DomainSpec>,
        prefix: DualPrefix,
    ) -> Result<bool, Exit> {
        self.count_lookup()?;
        let Some(name) = self.name_to_ask(scope, spec)? else {
            return Ok(false);
        };
        let question = self.address_question(name);
        let addresses = match self.ask(scope.depth, &question)? {
            Ok(answer) => answer.addresses(),
            Err(failure) => return Err(temperror(question, failure)),
        };
        let addresses: Vec<IpAddr> = addresses.collect();
        if addresses.is_empty() {
            self.count_void_lookup()?;
        }
        Ok(addresses.iter().any(|address| prefix.joins(*address, self.query.ip)))
    }

    /// §5.4: the addresses of every mail exchanger; never those of the domain itself. The order of
    /// the hosts is open, so one that matches comes first, and one that fails comes last.
    pub(super) fn mx(
        &mut self,
        scope: Scope<'_>,
        spec: Option<&DomainSpec>,
        prefix: DualPrefix,
    ) -> Result<bool, Exit> {
        self.count_lookup()?;
        let Some(name) = self.name_to_ask(scope, spec)? else {
            return Ok(false);
        };
        let question = DnsQuestion::new(name.clone(), RecordType::Mx);
        let answer = match self.ask(scope.depth, &question)? {
            Ok(answer) => answer,
            Err(failure) => return Err(temperror(question, failure)),
        };
        if answer.mx().next().is_none() {
            self.count_void_lookup()?;
            return Ok(false);
        }
        // The root as a host says that no mail is taken (RFC 7505 §3); it has no address.
        let hosts = answer.mx().filter_map(|mx| mx.exchange.as_ref());
        let questions: Vec<_> = hosts.map(|host| self.address_question(host.clone())).collect();
        let limit = self.limits.mx_names;
        if questions.len() > limit.into() {
            // §4.6.4: "the "mx" mechanism MUST produce a "permerror" result".
            let count = questions.len();
            return Err(Exit::Problem(Problem::MxLimit { domain: name, count, limit }));
        }
        self.any_host_matches(scope, &questions, prefix)
    }

    fn any_host_matches(
        &mut self,
        scope: Scope<'_>,
        questions: &[DnsQuestion],
        prefix: DualPrefix,
    ) -> Result<bool, Exit> {
        let replies = self.ask_all(scope.depth, questions)?;
        let addresses: Vec<IpAddr> =
            replies.iter().flat_map(|reply| reply.iter()).flat_map(|it| it.addresses()).collect();
        if addresses.iter().any(|address| prefix.joins(*address, self.query.ip)) {
            return Ok(true);
        }
        for (question, reply) in questions.iter().zip(&replies) {
            if let Err(failure) = reply {
                return Err(temperror(question.clone(), failure));
            }
        }
        if addresses.is_empty() && !questions.is_empty() {
            self.count_void_lookup()?;
        }
        Ok(false)
    }

    /// §5.5: matches if a name of the client's address that leads back to it is the target or
    /// below it. Failures of the DNS only mean that there is no such name.
    pub(super) fn ptr(
        &mut self,
        scope: Scope<'_>,
        spec: Option<&DomainSpec>,
    ) -> Result<bool, Exit> {
        self.count_lookup()?;
        let Some(target) = self.name_to_ask(scope, spec)? else {
            return Ok(false);
        };
        let names = self.names_of_client(scope)?;
        if names == NamesOfClient::Void {
            self.count_void_lookup()?;
        }
        Ok(names.validated().iter().any(|name| *name == target || is_below(name, &target)))
    }

    /// §5.7: matches if there is any A record, whatever the family of the client.
    pub(super) fn exists(&mut self, scope: Scope<'_>, spec: &DomainSpec) -> Result<bool, Exit> {
        self.count_lookup()?;
        let Some(name) = self.name_to_ask(scope, Some(spec))? else {
            return Ok(false);
        };
        let question = DnsQuestion::new(name, RecordType::A);
        let exists = match self.ask(scope.depth, &question)? {
            Ok(answer) => answer.addresses().next().is_some(),
            Err(failure) => return Err(temperror(question, failure)),
        };
        if !exists {
            self.count_void_lookup()?;
        }
        Ok(exists)
    }

    /// §7.3: what `%{p}` becomes: the domain itself, else a name below it, else any validated
    /// name, else `unknown`.
    pub(super) fn validated_name(&mut self, scope: Scope<'_>) -> Result<String, Need> {
        let names = self.names_of_client(scope)?;
        let names = names.validated();
        let best = names
            .iter()
            .find(|name| *name == scope.domain)
            .or_else(|| names.iter().find(|name| is_below(name, scope.domain)))
            .or_else(|| names.first());
        Ok(best.map_or(UNKNOWN, |name| name.as_str()).into())
    }

    /// §5.5: the names of the client's address of which an address look-up leads back to it. All
    /// but the first ten are ignored (§4.6.4), and so is every name whose look-up fails.
    fn names_of_client(&mut self, scope: Scope<'_>) -> Result<NamesOfClient, Need> {
        let Ok(name) = DnsName::parse(&reverse_name(self.query.ip)) else {
            return Ok(NamesOfClient::Found(Vec::new()));
        };
        let question = DnsQuestion::new(name, RecordType::Ptr);
        let names: Vec<DnsName> = match self.ask(scope.depth, &question)? {
            Ok(answer) if answer.ptr().next().is_none() => return Ok(NamesOfClient::Void),
            Ok(answer) => {
                answer.ptr().take(self.limits.ptr_names.into()).cloned().map(Into::into).collect()
            }
            Err(_) => return Ok(NamesOfClient::Found(Vec::new())),
        };
        let questions: Vec<_> =
            names.iter().map(|name| self.address_question(name.clone())).collect();
        let replies = self.ask_all(scope.depth, &questions)?;
        let ip = self.query.ip;
        let leads_back = |reply: &DnsReply| {
            reply.as_ref().is_ok_and(|answer| answer.addresses().any(|address| address == ip))
        };
        let validated = names.into_iter().zip(replies).filter(|(_, reply)| leads_back(reply));
        Ok(NamesOfClient::Found(validated.map(|(name, _)| name).collect()))
    }

    /// The name that a term leads to. `None` if none can be asked for: nothing has such a name, so
    /// the mechanism does not match.
    fn name_to_ask(
        &mut self,
        scope: Scope<'_>,
        spec: Option<&DomainSpec>,
    ) -> Result<Option<DnsName>, Exit> {
        let Some(spec) = spec else {
            return Ok(Some(scope.domain.clone()));
        };
        match self.target_name(scope, spec)? {
            Ok(name) => Ok(Some(name)),
            Err(none) => {
                self.note_not_asked(scope, none);
                Ok(None)
            }
        }
    }

    fn note_not_asked(&mut self, scope: Scope<'_>, none: NoName) {
        let NoName { text, why } = none;
        self.note(scope.depth, Event::NotAsked { text: text.into_boxed_str(), why });
    }

    /// All questions side by side.
    fn ask_all(
        &mut self,
        depth: usize,
        questions: &[DnsQuestion],
    ) -> Result<Vec<&'c DnsReply>, Need> {
        let known = self.known;
        let replies = all(questions.iter().map(|question| known.dns(question)))?;
        for (question, reply) in questions.iter().zip(&replies) {
            let found = Found::of(question, reply);
            self.note(depth, Event::Asked { question: question.clone(), found });
        }
        Ok(replies)
    }

    /// §5: A records for an IPv4 client, AAAA records for an IPv6 client.
    pub(super) fn address_question(&self, name: impl Into<DnsName>) -> DnsQuestion {
        match self.query.ip {
            IpAddr::V4(_) => DnsQuestion::new(name, RecordType::A),
            IpAddr::V6(_) => DnsQuestion::new(name, RecordType::Aaaa),
        }
    }
}

/// The names of the client's address.
#[derive(PartialEq, Eq)]
enum NamesOfClient {
    /// The address has none.
    Void,
    /// Those that lead back to it.
    Found(Vec<DnsName>),
}

impl NamesOfClient {
    fn validated(&self) -> &[DnsName] {
        match self {
            Self::Void => &[],
            Self::Found(names) => names,
        }
    }
}

fn is_below(name: &DnsName, domain: &DnsName) -> bool {
    name.as_str().strip_suffix(domain.as_str()).is_some_and(|rest| rest.ends_with('.'))
}

fn temperror(question: DnsQuestion, failure: &DnsFailure) -> Exit {
    Exit::Problem(Problem::Dns { question, failure: failure.clone() })
}
