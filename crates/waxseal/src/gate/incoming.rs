//! Mail from outside: who has sent it, what happens to it, and what others are told of that.
//!
//! All that can be looked up without the body is looked up while the body comes. When the last
//! octet is there, the answers are, too, in most cases, and the verdict costs a signature check.

use std::net::IpAddr;
use std::sync::Arc;

use sender_auth::authres::{AuthservId, removals};
use sender_auth::crypto::Crypto;
use sender_auth::dmarc::DmarcResult;
use sender_auth::report::forwarding::Looks;
use sender_auth::report::guard;
use sender_auth::{Authentication, Header, HeaderField, Limits, Received, spf, statement};
use smtp_types::{Known, UnixTime};
use tokio::task::JoinHandle;

use super::attachment::{Attachments, Scanner, rules};
use super::decide::{Action, Decision, decide};
use super::facts::{facts, identified, looks};
use super::milter::macros::is_postfix;
use super::milter::{Change, Envelope, FieldName, QuarantineReason, Verdict as Said};
use super::outgoing::queue_id;
use super::role::{Shared, on_top, remove_all};
use super::verdict::{DkimVerdict, Identified, Tls, Verdict};
use super::{answer, seal};
use crate::crypto::AwsLc;
use crate::observe::ObserveError;
use crate::report;

type Hash = <AwsLc as Crypto>::Sha256;

/// The word for a rule about attachments, beside those of [`Reason`](super::decide::Reason).
const ATTACHMENT: &str = "attachment";

/// A message from outside whose body is still coming.
pub(super) struct Incoming {
    header: Header,
    client: Client,
    at: UnixTime,
    checks: sender_auth::Incoming<Hash>,
    scanner: Scanner,
    early: Early,
}

/// Who brings it.
#[derive(Clone)]
struct Client {
    ip: Option<IpAddr>,
    helo: String,
    mail_from: String,
}

impl Client {
    fn of(envelope: &Envelope) -> Self {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        Self {
            ip: envelope.client.address.ip(),
            helo: text(envelope.client.helo.as_deref().unwrap_or_default()),
            mail_from: text(envelope.sender()),
        }
    }

    fn for_spf(&self) -> Option<spf::Client<'_>> {
        let ip = self.ip?;
        Some(spf::Client { ip, helo: &self.helo, mail_from: &self.mail_from })
    }
}

/// The look-ups that run while the body comes. They end with the message.
struct Early(JoinHandle<Known>);

impl Drop for Early {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Incoming {
    pub(super) fn new(shared: &Arc<Shared>, envelope: &Envelope, header: Header) -> Self {
        let client = Client::of(envelope);
        let at = shared.parts.clock.now();
        let limits = Limits::default();
        let checks = sender_auth::Incoming::new(&header, &*shared.parts.crypto, &limits);
        let scanner = Scanner::new(&header, super::attachment::Limits::default());
        let early = look_up_early(shared, &checks, client.clone(), at);
        Self { header, client, at, checks, scanner, early }
    }

    pub(super) fn body(&mut self, octets: &[u8]) {
        self.checks.push(octets);
        self.scanner.push(octets);
    }

    pub(super) async fn verdict(self, shared: &Arc<Shared>, envelope: &Envelope) -> Said {
        let Self { header, client, at, checks, scanner, early } = self;
        let received = checks.finish();
        let attachments = scanner.finish();
        let queue_id = queue_id(envelope);
        let evaluated = evaluate(shared, &received, &client, at, early);
        let authentication = match tokio::time::timeout(shared.settings.deadline, evaluated).await {
            Ok(Ok(authentication)) => authentication,
            Ok(Err(error)) => {
                // Somebody's zones want more look-ups than a message may cost.
                tracing::warn!(%queue_id, %error, "not verified");
                return shared.fault();
            }
            Err(_) => {
                let limit = shared.settings.deadline.as_secs();
                tracing::warn!(%queue_id, "not verified: no result within {limit} s");
                return shared.fault();
            }
        };
        let judged = Judged::new(shared, authentication, &header, &client, attachments, at);
        judged.said(shared, envelope, &header, &client, queue_id)
    }
}

/// Asks for all that can be known without the body.
fn look_up_early(
    shared: &Arc<Shared>,
    checks: &sender_auth::Incoming<Hash>,
    client: Client,
    at: UnixTime,
) -> Early {
    let (shared, early) = (Arc::clone(shared), checks.early());
    Early(tokio::spawn(async move {
        let mut known = Known::default();
        let (limits, receiver) = (Limits::default(), spf::Receiver { host_name: "", now: at });
        let asked = shared.parts.observer.evaluate(&mut known, |known| {
            early.evaluate(known, client.for_spf(), &receiver, &limits)
        });
        // What is missing is asked for again, and an error then is told.
        let _ = tokio::time::timeout(shared.settings.deadline, asked).await;
        known
    }))
}

async fn evaluate(
    shared: &Shared,
    received: &Received,
    client: &Client,
    at: UnixTime,
    mut early: Early,
) -> Result<Authentication, ObserveError> {
    let mut known = (&mut early.0).await.unwrap_or_default();
    let (limits, receiver) = (Limits::default(), spf::Receiver { host_name: "", now: at });
    let crypto = &*shared.parts.crypto;
    let evaluation =
        |known: &Known| received.evaluate(known, crypto, client.for_spf(), &receiver, &limits);
    shared.parts.observer.evaluate(&mut known, evaluation).await
}

/// A message with all that was found out about it, and what follows.
struct Judged {
    authentication: Authentication,
    decision: Decision,
    identified: Identified,
    looks: Looks,
    attachments: Attachments,
    at: UnixTime,
}

impl Judged {
    fn new(
        shared: &Shared,
        authentication: Authentication,
        header: &Header,
        client: &Client,
        attachments: Attachments,
        at: UnixTime,
    ) -> Self {
        let local = shared.parts.local.current();
        let facts = facts(&authentication, &local, at);
        let decision = decide(&facts, &shared.settings.matrix);
        let identified = identified(&authentication);
        let looks = looks(&authentication, facts.forwarder.as_ref(), &client.mail_from, header);
        Self { authentication, decision, identified, looks, attachments, at }
    }

    /// What the mail server is told, the rest of the world by header fields, counters and log.
    fn said(
        self,
        shared: &Shared,
        envelope: &Envelope,
        header: &Header,
        client: &Client,
        queue_id: String,
    ) -> Said {
        let by_content = self.by_content(shared);
        let verdict = self.verdict(envelope, queue_id, &by_content);
        shared.counters.count(&verdict);
        tracing::info!(queue_id = %verdict.queue_id, "{verdict}");
        let said = match (&self.refusal(shared), by_content.action) {
            (Some(refusal), _) => Said::Refuse(refusal.clone()),
            (None, rules::Action::Reject) => {
                shared.counters.count_refused_attachment();
                let cause = by_content.cause.map(|cause| cause.to_string()).unwrap_or_default();
                match answer::refused_attachment(&cause, &shared.settings.help) {
                    Some(refusal) => Said::Refuse(refusal),
                    None => shared.fault(),
                }
            }
            (None, _) => {
                Said::Accept { changes: self.changes(shared, envelope, header, client, &verdict) }
            }
        };
        self.report(shared, envelope, header, client, by_content.action);
        shared.recent.add(verdict);
        said
    }

    /// What the owner of the author's domain may want to know.
    fn report(
        &self,
        shared: &Shared,
        envelope: &Envelope,
        header: &Header,
        client: &Client,
        by_content: rules::Action,
    ) {
        let (Some(reporter), Some(address)) = (&shared.parts.reporter, client.ip) else { return };
        let recipients: Vec<_> = envelope.recipient_addresses().collect();
        let outcome = match (self.decision.action, by_content) {
            (_, rules::Action::Reject) => guard::Outcome::RefusedAsSpam,
            (Action::Reject | Action::Defer, _) => guard::Outcome::Refused,
            (Action::Accept | Action::Quarantine, _) => guard::Outcome::Accepted,
        };
        reporter.observe(&report::Judged {
            at: self.at,
            address,
            client: guard::Client::Other,
            mail_from: envelope.sender(),
            recipients: &recipients,
            header,
            authentication: &self.authentication,
            looks: &self.looks,
            decision: &self.decision,
            outcome,
        });
    }

    fn refusal(&self, shared: &Shared) -> Option<super::milter::Refusal> {
        answer::refusal(&self.decision, &self.authentication, &shared.settings.help)
    }

    fn by_content(&self, shared: &Shared) -> rules::Decision<'_> {
        let identified = match self.identified {
            Identified::Yes { .. } => rules::Identified::Yes,
            Identified::No { .. } => rules::Identified::No,
        };
        rules::decide(&self.attachments, identified, &shared.settings.attachments)
    }

    fn verdict(
        &self,
        envelope: &Envelope,
        queue_id: String,
        by_content: &rules::Decision<'_>,
    ) -> Verdict {
        let Authentication { author, spf, dkim, arc, dmarc, .. } = &self.authentication;
        let wanted = match by_content.action {
            rules::Action::Pass => Action::Accept,
            rules::Action::Quarantine => Action::Quarantine,
            rules::Action::Reject => Action::Reject,
        };
        let Decision { action, reason } = &self.decision;
        let (action, reason, explanation) = match &by_content.cause {
            Some(cause) if wanted > *action => (wanted, ATTACHMENT, cause.to_string()),
            _ => (*action, reason.code(), reason.to_string()),
        };
        let failed = dmarc.result == DmarcResult::Fail;
        let kinds = self.attachments.found.iter().map(|found| found.kind.class().as_str());
        let mut kinds: Vec<String> = kinds.map(str::to_owned).collect();
        kinds.sort_unstable();
        kinds.dedup();
        Verdict {
            at: self.at,
            queue_id,
            action,
            reason,
            explanation,
            identified: self.identified.clone(),
            author: author.domains().first().cloned(),
            spf: spf.as_ref().map_or("none", |spf| spf.mail_from.result.as_str()),
            dkim: dkim
                .iter()
                .filter_map(|signature| {
                    Some(DkimVerdict {
                        domain: signature.domain.as_ref()?.to_string(),
                        selector: signature.selector.as_ref()?.to_string(),
                        result: signature.result().as_str(),
                    })
                })
                .collect(),
            arc: arc.status().as_str(),
            dmarc: dmarc.result.as_str(),
            asked: failed.then(|| dmarc.disposition().as_str()),
            forwarded: match &self.looks {
                Looks::Forwarded { evidence } => evidence.iter().map(ToString::to_string).collect(),
                Looks::Direct | Looks::Unknown { .. } => Vec::new(),
            },
            tls: tls(envelope),
            attachments: kinds,
            warning: author.hints().first().map(ToString::to_string),
        }
    }

    /// Forged fields out, ours in. The last that is inserted stands on top.
    fn changes(
        &self,
        shared: &Shared,
        envelope: &Envelope,
        header: &Header,
        client: &Client,
        verdict: &Verdict,
    ) -> Vec<Change> {
        let mut changes = remove_all(header, seal::FIELD);
        let message_id = header.named("Message-ID").next();
        let message_id = message_id.map(HeaderField::value).unwrap_or_default();
        let sealed = shared.parts.seal.field_value(verdict, message_id);
        changes.extend(field(seal::FIELD, &sealed));
        if let Some(id) = shared.authserv_id(envelope) {
            changes.extend(forged(header, &id));
            let told = statement(&self.authentication, id, client.ip);
            changes.extend(field(sender_auth::authres::FIELD_NAME, &told.to_value()));
        }
        if verdict.action == Action::Quarantine {
            let reason = QuarantineReason::new(&format!("waxseal: {}", verdict.reason));
            changes.extend(reason.ok().map(|reason| Change::Quarantine { reason }));
        }
        changes
    }
}

fn field(name: &str, value: &str) -> Option<Change> {
    on_top(&HeaderField::new(name.as_bytes(), value.as_bytes()).ok()?)
}

/// RFC 8601 §5: fields that claim to be of our making.
fn forged(header: &Header, id: &AuthservId) -> Vec<Change> {
    let Ok(name) = FieldName::new(sender_auth::authres::FIELD_NAME.as_bytes()) else {
        return Vec::new();
    };
    removals(header, id)
        .into_iter()
        .filter_map(|removal| std::num::NonZeroU32::new(removal.index))
        .map(|occurrence| Change::RemoveHeader { occurrence, name: name.clone() })
        .collect()
}

/// What the mail server says of the connection.
fn tls(envelope: &Envelope) -> Tls {
    tls_by(|name| {
        let value = envelope.macros.value(name)?;
        let text: String = String::from_utf8_lossy(value).chars().take(200).collect();
        Some(text.chars().map(|c| if matches!(c, ' '..='~') { c } else { '?' }).collect())
    })
}

/// The same by its macros. sendmail tells of any certificate, and by `verify` whether it believes it
/// (op.me, "STARTTLS"); Postfix has no such macro, and tells only of certificates that it believes
/// (MILTER_README, "cert_subject").
fn tls_by(value: impl Fn(&str) -> Option<String>) -> Tls {
    let Some(version) = value("tls_version") else { return Tls::None };
    let is_believed = match value("verify") {
        Some(verify) => verify == "OK",
        None => value("v").is_some_and(|version| is_postfix(version.as_bytes())),
    };
    match value("cert_subject") {
        Some(subject) if is_believed => Tls::Authenticated { version, subject },
        _ => Tls::Encrypted { version },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_authenticated_if_its_certificate_is_believed() {
        let tls = |macros: &[(&str, &str)]| {
            let found = |name: &str| macros.iter().find(|(known, _)| *known == name);
            tls_by(|name| found(name).map(|(_, value)| (*value).to_owned()))
        };
        let (version, subject) = (("tls_version", "TLSv1.3"), ("cert_subject", "mail.test"));
        let (postfix, sendmail) = (("v", "Postfix 3.10.13"), ("v", "8.18.1"));
        assert_eq!(tls(&[postfix]), Tls::None);
        assert_eq!(tls(&[postfix, subject]), Tls::None);
        for (macros, expected) in [
            (&[postfix, version][..], "encrypted"),
            (&[postfix, version, subject], "authenticated"),
            (&[sendmail, version, subject], "encrypted"),
            (&[sendmail, version, subject, ("verify", "OK")], "authenticated"),
            (&[sendmail, version, subject, ("verify", "FAIL")], "encrypted"),
            (&[postfix, version, subject, ("verify", "FAIL")], "encrypted"),
            (&[sendmail, version, ("verify", "OK")], "encrypted"),
        ] {
            assert_eq!(tls(macros).as_str(), expected, "{macros:?}");
        }
    }
}
