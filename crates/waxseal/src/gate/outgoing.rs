//! Mail of ours, on its way out: it is signed by every active key of its author's domain.

use std::sync::Arc;

use sender_auth::crypto::Crypto;
use sender_auth::dkim::{
    BodyHash, Canonicalization, Lapse, SignOptions, SignWith, Signature, Signer, not_strict,
};
use sender_auth::dmarc::{Author, AuthorDomain};
use sender_auth::{Header, HeaderField};

use super::milter::{Envelope, Refusal, Verdict};
use super::role::{NotStrict, Shared, on_top, remove_all};
use super::seal;
use crate::crypto::{AwsLc, SigningKey};
use crate::keys::DomainSigner;

type Hash = <AwsLc as Crypto>::Sha256;

/// What sendmail adds to a message that has none, behind its milters (op.me, "H": the fields with
/// `?D?` and `?M?` in sendmail.cf). A signature that covers their absence would break by that. Where
/// they are there, they are signed as always. Postfix adds them in front of its milters, so what is
/// absent there stays absent, and is signed as such.
const ADDED_LATER: [&str; 2] = ["Date", "Message-ID"];

/// A message of ours whose body is still coming.
pub(super) struct Outgoing {
    header: Header,
    signer: Option<Arc<DomainSigner>>,
    body: BodyHash<Hash>,
}

impl Outgoing {
    pub(super) fn new(shared: &Shared, header: Header) -> Self {
        let author = Author::read(&header);
        let signer = match author.domain() {
            AuthorDomain::One(domain) => shared.parts.signers.current().signer(domain).cloned(),
            AuthorDomain::Several(_) | AuthorDomain::Unclear(_) => None,
        };
        let signer = signer.filter(|signer| !is_signed(&header, signer));
        let body = BodyHash::new(Canonicalization::Relaxed, None, shared.parts.crypto.sha256());
        Self { header, signer, body }
    }

    pub(super) fn body(&mut self, octets: &[u8]) {
        if self.signer.is_some() {
            self.body.push(octets);
        }
    }

    pub(super) fn verdict(self, shared: &Shared, envelope: &Envelope) -> Verdict {
        let Self { header, signer, body } = self;
        let mut changes = remove_all(&header, seal::FIELD);
        let Some(signer) = signer else {
            shared.counters.count_unsigned();
            return Verdict::Accept { changes };
        };
        let queue_id = queue_id(envelope);
        let adds_fields = !envelope.macros.are_of_postfix();
        let lapses = lapses(&header, adds_fields);
        match shared.settings.not_strict {
            _ if lapses.is_empty() => {}
            NotStrict::Sign => {
                tracing::warn!(%queue_id, "signed a message that is not strict: {lapses}");
            }
            NotStrict::Leave => {
                tracing::warn!(%queue_id, "not signed, for it is not strict: {lapses}");
                shared.counters.count_unsigned();
                return Verdict::Accept { changes };
            }
            NotStrict::Refuse => {
                tracing::warn!(%queue_id, "refused a message that is not strict: {lapses}");
                return refused(&lapses).map_or_else(|| shared.fault(), Verdict::Refuse);
            }
        }
        let crypto = &*shared.parts.crypto;
        let with = signer
            .keys
            .iter()
            .map(|key| {
                let selector = key.selector.clone();
                SignWith { domain: signer.domain.clone(), selector, key: &key.key }
            })
            .collect::<Vec<SignWith<'_, SigningKey>>>();
        let mut options = SignOptions::new(shared.parts.clock.now());
        if adds_fields {
            options.fields = options.fields.only_if_present(&ADDED_LATER);
        }
        let signed = Signer::new(&header, crypto, with, options)
            .and_then(|signing| signing.finish_with(&body.finish()));
        match signed {
            Ok(fields) => {
                shared.counters.count_signed();
                changes.extend(fields.iter().rev().filter_map(on_top));
                tracing::info!(%queue_id, domain = %signer.domain, "signed");
                Verdict::Accept { changes }
            }
            Err(error) => {
                tracing::error!(%queue_id, domain = %signer.domain, %error, "not signed");
                shared.fault()
            }
        }
    }
}

/// In what a header is not strict; a `Date` that the mail server is about to add is not missing.
fn lapses(header: &Header, adds_fields: bool) -> String {
    let found = not_strict(header).into_iter().filter(|found| {
        let is_added = ADDED_LATER.iter().any(|name| found.field.eq_ignore_ascii_case(name));
        !(adds_fields && is_added && found.lapse == Lapse::Missing)
    });
    let found: Vec<_> = found.map(|found| found.to_string()).collect();
    found.join("; ")
}

/// What whoever sends it can do about it. Names of fields may be of any octets.
fn refused(lapses: &str) -> Option<Refusal> {
    let lapses: String = lapses.chars().filter(|c| matches!(c, ' '..='~')).take(300).collect();
    let text = format!("This message does not keep to RFC 5322, so it is not signed: {lapses}");
    Refusal::new(550, "5.6.0", &text).ok()
}

/// Whether the message has a signature by one of these keys already: a report of ours, or a message
/// that came by a content filter.
fn is_signed(header: &Header, signer: &DomainSigner) -> bool {
    let is_ours = |field: &HeaderField| {
        Signature::parse(field).is_ok_and(|signature| {
            signature.domain == signer.domain
                && signer.keys.iter().any(|key| key.selector == signature.selector)
        })
    };
    header.named(sender_auth::dkim::SIGNATURE_FIELD).any(is_ours)
}

/// The mail server's name for the message, fit for the log.
pub(super) fn queue_id(envelope: &Envelope) -> String {
    let octets = envelope.macros.value("i").unwrap_or_default();
    octets.iter().take(64).map(|octet| char::from(*octet)).filter(char::is_ascii_graphic).collect()
}
