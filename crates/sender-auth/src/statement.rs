//! The results of a message in the words of an Authentication-Results field (RFC 8601 §2.7).
//!
//! One statement for each check, each signature and each domain that people see, with what was
//! looked at and a comment that says why. Nothing of the local part of an address gets in: whoever
//! reads the message has it already, and everybody else need not (RFC 8601 §7.4).

use alloc::string::ToString;
use alloc::vec::Vec;
use core::net::IpAddr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::arc::ChainStatus;
use crate::authentication::Authentication;
use crate::authres::{
    AuthenticationResults, AuthservId, Keyword, MethodResult, PropertyName, signature_prefixes,
};
use crate::dkim::SignatureResult;
use crate::dmarc::{Author, Evaluation, MessageEvaluation};
use crate::iprev::Iprev;
use crate::spf;

/// How many signatures are told of.
const MAX_SIGNATURES: usize = 20;

/// The field for a message that came from `client`; `None` if nothing is known of a connection.
#[must_use]
pub fn statement(
    authentication: &Authentication,
    authserv_id: AuthservId,
    client: Option<IpAddr>,
) -> AuthenticationResults {
    let Authentication { author, spf, iprev, dkim, arc, dmarc } = authentication;
    let mut results = Vec::new();
    results.extend(spf.as_ref().map(of_spf));
    if let (Some(iprev), Some(client)) = (iprev, client) {
        results.push(of_iprev(iprev, client));
    }
    results.extend(of_dkim(dkim));
    if arc.status() != ChainStatus::None {
        results.push(arc.to_method_result(client));
    }
    results.extend(of_dmarc(author, dmarc));
    AuthenticationResults { authserv_id, results }
}

/// §2.7.2: the identity that DMARC builds on. For a null reverse-path that is the HELO name.
fn of_spf(verification: &spf::Verification) -> MethodResult {
    let spf::Verification { helo, mail_from } = verification;
    let told = MethodResult::new(Keyword::SPF, keyword(mail_from.result.as_str()))
        .with_comment(&mail_from.to_string());
    let domain = |evaluation: &spf::Evaluation| evaluation.domain.as_ref().map(ToString::to_string);
    let told = match domain(mail_from) {
        Some(domain) => told.with_property(PropertyName::SMTP_MAILFROM, &domain),
        None => told,
    };
    match domain(helo) {
        Some(domain) => told.with_property(PropertyName::SMTP_HELO, &domain),
        None => told,
    }
}

/// §2.7.3.
fn of_iprev(iprev: &Iprev, client: IpAddr) -> MethodResult {
    let told = MethodResult::new(Keyword::IPREV, keyword(iprev.as_str()));
    let told = match iprev {
        Iprev::Pass { name } => told.with_comment(name.as_str()),
        Iprev::Fail | Iprev::Temperror | Iprev::Permerror => told,
    };
    told.with_property(PropertyName::POLICY_IPREV, &client.to_string())
}

/// §2.7.1, one for each signature.
fn of_dkim(signatures: &[SignatureResult]) -> Vec<MethodResult> {
    if signatures.is_empty() {
        return Vec::from([MethodResult::new(Keyword::DKIM, Keyword::NONE)]);
    }
    let signatures = signatures.iter().take(MAX_SIGNATURES);
    let encoded: Vec<_> = signatures
        .clone()
        .map(|one| one.signature.as_ref().map(|one| BASE64_STANDARD.encode(one.octets())))
        .map(Option::unwrap_or_default)
        .collect();
    let prefixes = signature_prefixes(encoded.iter().map(|text| &**text));
    signatures.zip(prefixes).map(|(signature, prefix)| of_signature(signature, &prefix)).collect()
}

fn of_signature(signature: &SignatureResult, prefix: &str) -> MethodResult {
    let mut told = MethodResult::new(Keyword::DKIM, keyword(signature.result().as_str()))
        .with_comment(&comment(signature));
    if let Some(domain) = &signature.domain {
        told = told.with_property(PropertyName::HEADER_D, domain.as_str());
    }
    if let Some(selector) = &signature.selector {
        told = told.with_property(PropertyName::HEADER_S, selector.as_str());
    }
    if let Some(signature) = &signature.signature {
        told = told.with_property(PropertyName::HEADER_A, signature.algorithm.as_str());
    }
    if prefix.is_empty() {
        return told;
    }
    told.with_property(PropertyName::HEADER_B, prefix)
}

/// Why, and what to beware of.
fn comment(signature: &SignatureResult) -> alloc::string::String {
    let mut comment = signature.reason.to_string();
    if let Some(bits) = signature.key_bits {
        comment.push_str(&alloc::format!(", {bits} bit key"));
    }
    if signature.testing {
        comment.push_str(", only tested by its owner (t=y)");
    }
    if signature.unsigned_body_octets > 0 {
        let octets = signature.unsigned_body_octets;
        comment.push_str(&alloc::format!(", {octets} octets behind the signed body (l=)"));
    }
    if !signature.unsigned_fields.is_empty() {
        let fields = signature.unsigned_fields.join(", ");
        comment.push_str(&alloc::format!(", unsigned second {fields}"));
    }
    comment
}

/// One for each domain that people see (RFC 9989 §9.2).
fn of_dmarc(author: &Author, evaluation: &MessageEvaluation) -> Vec<MethodResult> {
    let mut told: Vec<MethodResult> = evaluation.evaluations.iter().map(of_domain).collect();
    if let Some(fault) = author.fault() {
        let result = keyword(evaluation.result.as_str());
        told.push(MethodResult::new(Keyword::DMARC, result).with_comment(&fault.to_string()));
    }
    told
}

fn of_domain(evaluation: &Evaluation) -> MethodResult {
    let told = MethodResult::new(Keyword::DMARC, keyword(evaluation.result.as_str()));
    let told = match &evaluation.policy {
        Some(policy) => {
            let (published, requested) = (policy.published.as_str(), policy.requested.as_str());
            let comment = alloc::format!(
                "{}={published}, asked for: {requested}; {}",
                policy.tag.as_str(),
                evaluation.cause
            );
            told.with_comment(&comment).with_property(PropertyName::POLICY_DMARC, published)
        }
        None => told.with_comment(&evaluation.cause.to_string()),
    };
    told.with_property(PropertyName::HEADER_FROM, evaluation.author.as_str())
}

/// A word of ours, which always is a keyword.
fn keyword(word: &str) -> Keyword {
    Keyword::parse(word).unwrap_or(Keyword::NONE)
}
