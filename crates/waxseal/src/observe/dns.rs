//! Questions to the one recursive resolver, and what its answers are worth.
//!
//! DNSSEC is not validated here. That is the work of the resolver (unbound, BIND, Knot), which
//! says by the AD bit that it has done it (RFC 4035 §3.2.3). So everything hangs on two things:
//! that nobody sits between us and the resolver, and that it really validates. The first is
//! [`Trust`], the second is proved by probing ([`Validation`]). While either is missing, every
//! answer is [`Dnssec::Indeterminate`], and DANE is off.
//!
//! A resolver tells bogus data and its own trouble by the same SERVFAIL. The two are told apart by
//! the extended error (RFC 8914), and where there is none, by asking again with checking disabled:
//! if data comes then, it was the check that failed.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use domain::base::Message;
use domain::base::iana::OptRcode;
use smtp_types::{DnsAnswer, DnsFailure, DnsQuestion, DnsReply, Dnssec};

use super::dns_answer::{leaves_alias_open, read_answer, rtype, wire_name};
use super::dns_transport::{Checking, Transport};
use super::extended_error::{ExtendedErrors, Meaning};
use super::probe::Probes;
use super::resolv_conf::DNS_PORT;
use super::validation::{Trust, Validation};

/// How many times the end of an alias is asked for, if the resolver leaves it open.
const MAX_OPEN_ALIASES: usize = 8;

/// How to reach the resolver, and how far to trust it.
#[derive(Clone, Debug)]
pub struct ResolverSettings {
    /// Its address and port. The default is 127.0.0.1, port 53.
    pub address: SocketAddr,
    /// How long one try may take, 1 ms to 60 s. The default is 2 s.
    pub timeout: Duration,
    /// How many times a question is sent before the resolver counts as silent, 1 to 100. The
    /// default is 2.
    pub tries: u8,
    /// Whether nobody can sit between us and the resolver. The default is [`Trust::Loopback`].
    pub trust: Trust,
    /// The names by which validation is proved.
    pub probes: Probes,
}

impl Default for ResolverSettings {
    fn default() -> Self {
        Self {
            address: (Ipv4Addr::LOCALHOST, DNS_PORT).into(),
            timeout: Duration::from_secs(2),
            tries: 2,
            trust: Trust::default(),
            probes: Probes::default(),
        }
    }
}

/// The one recursive resolver.
///
/// A new one is [`Validation::Unproved`] or [`Validation::Untrusted`]; call
/// [`prove`](Self::prove) before the first answer that matters, and again from time to time.
pub struct Resolver {
    pub(super) settings: ResolverSettings,
    pub(super) transport: Transport,
    pub(super) validation: ArcSwap<Validation>,
}

/// A reply, and what was left out of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotedReply {
    /// What the resolver said.
    pub reply: DnsReply,
    /// Records that do not count, each with the reason; for people.
    pub notes: Vec<String>,
}

impl Resolver {
    /// A resolver by `settings`. Sends nothing yet.
    #[must_use]
    pub fn new(settings: ResolverSettings) -> Self {
        let transport = Transport::new(settings.address, settings.timeout, settings.tries);
        let validation = match settings.trust.covers(settings.address.ip()) {
            true => Validation::Unproved,
            false => Validation::Untrusted { address: settings.address },
        };
        Self { settings, transport, validation: ArcSwap::from_pointee(validation) }
    }

    /// Where the resolver is.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.settings.address
    }

    /// What the last proof has shown.
    #[must_use]
    pub fn validation(&self) -> Arc<Validation> {
        self.validation.load_full()
    }

    /// Asks one question. Costs at most one `timeout` more than all tries together, by default
    /// 6 s; a silent resolver costs the tries, by default 4 s.
    ///
    /// # Errors
    /// [`DnsFailure::Bogus`] if the resolver refuses the data because of their signatures,
    /// [`DnsFailure::Permanent`] if it refuses or does not understand the question, and
    /// [`DnsFailure::Temporary`] for everything else, malformed responses included.
    pub async fn ask(&self, question: &DnsQuestion) -> DnsReply {
        self.ask_noting(question).await.reply
    }

    /// As [`ask`](Self::ask), with what was left out of the reply.
    pub async fn ask_noting(&self, question: &DnsQuestion) -> NotedReply {
        let limit = self.limit();
        let mut notes = Vec::new();
        let reply = match tokio::time::timeout(limit, self.look_up(question, &mut notes)).await {
            Ok(reply) => reply,
            Err(_) => Err(DnsFailure::Temporary {
                detail: format!(
                    "resolver {}: no answer within {} s",
                    self.settings.address,
                    limit.as_secs_f32()
                ),
            }),
        };
        NotedReply { reply, notes }
    }

    /// How long one question may take in all: the tries, and one more for TCP or for a second
    /// question with checking disabled.
    pub(super) fn limit(&self) -> Duration {
        self.settings.timeout * (u32::from(self.settings.tries) + 1)
    }

    /// A resolver follows aliases by itself (RFC 1034 §5.3.3). One that leaves an end open is
    /// asked for that end; the whole is then as secure as its weakest part.
    async fn look_up(
        &self,
        question: &DnsQuestion,
        notes: &mut Vec<String>,
    ) -> Result<DnsAnswer, DnsFailure> {
        let (mut answer, mut open) = self.look_up_once(question, notes).await?;
        for _ in 0..MAX_OPEN_ALIASES {
            if !open {
                return Ok(answer);
            }
            let end = DnsQuestion::new(answer.canonical_name.clone(), question.record_type);
            let (next, still_open) = self.look_up_once(&end, notes).await?;
            let dnssec = answer.dnssec.max(next.dnssec);
            answer = DnsAnswer { dnssec, ttl: answer.ttl.min(next.ttl), ..next };
            open = still_open;
        }
        let detail = format!("aliases of {} do not end", question.name);
        Err(DnsFailure::Temporary { detail })
    }

    /// One question, and whether its answer is an alias without its end.
    async fn look_up_once(
        &self,
        question: &DnsQuestion,
        notes: &mut Vec<String>,
    ) -> Result<(DnsAnswer, bool), DnsFailure> {
        let name = wire_name(&question.name)?;
        let record_type = rtype(question.record_type);
        let message = self.transport.exchange(&name, record_type, Checking::Enabled).await?;
        match message.opt_rcode() {
            OptRcode::NOERROR | OptRcode::NXDOMAIN => {
                let dnssec = self.security_state(&message);
                let answer = read_answer(question, &message, dnssec, notes)?;
                let open = leaves_alias_open(question, &message, &answer);
                Ok((answer, open))
            }
            OptRcode::SERVFAIL => {
                let unchecked = self.transport.exchange(&name, record_type, Checking::Disabled);
                Err(explain_server_failure(&message, unchecked).await)
            }
            // The resolver's owner has said no (REFUSED), or it does not know our kind of question
            // (NOTIMP) or EDNS (FORMERR, BADVERS): the same question again meets the same answer.
            code @ (OptRcode::REFUSED
            | OptRcode::NOTIMP
            | OptRcode::FORMERR
            | OptRcode::BADVERS) => {
                Err(DnsFailure::Permanent { detail: self.refusal(code, &message) })
            }
            code => Err(DnsFailure::Temporary { detail: self.refusal(code, &message) }),
        }
    }

    /// The AD bit stands for the whole message, aliases included (RFC 4035 §3.2.3), if the
    /// resolver is believed at all.
    fn security_state(&self, message: &Message<Bytes>) -> Dnssec {
        match (self.validation.load().is_believed(), message.header().ad()) {
            (true, true) => Dnssec::Secure,
            (true, false) => Dnssec::Insecure,
            (false, _) => Dnssec::Indeterminate,
        }
    }

    fn refusal(&self, code: OptRcode, message: &Message<Bytes>) -> String {
        let errors = ExtendedErrors::of(message);
        format!("resolver {}: {code}{errors}", self.settings.address)
    }
}

/// What a SERVFAIL means. `unchecked` is the same question with checking disabled; it is sent only
/// if the response does not explain itself.
pub(super) async fn explain_server_failure(
    message: &Message<Bytes>,
    unchecked: impl Future<Output = Result<Message<Bytes>, DnsFailure>>,
) -> DnsFailure {
    let errors = ExtendedErrors::of(message);
    match errors.meaning() {
        Meaning::Bogus => {
            return DnsFailure::Bogus { detail: format!("SERVFAIL{errors}") };
        }
        Meaning::Network => {
            return DnsFailure::Temporary { detail: format!("SERVFAIL{errors}") };
        }
        Meaning::Unknown => {}
    }
    match unchecked.await {
        Ok(message) if has_answer(&message) => DnsFailure::Bogus {
            detail: format!("SERVFAIL{errors}, and an answer when checking is disabled (CD=1)"),
        },
        Ok(_) | Err(_) => DnsFailure::Temporary { detail: format!("SERVFAIL{errors}") },
    }
}

fn has_answer(message: &Message<Bytes>) -> bool {
    matches!(message.opt_rcode(), OptRcode::NOERROR | OptRcode::NXDOMAIN)
}
