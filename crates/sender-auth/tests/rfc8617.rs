//! RFC 8617, clause by clause, for whoever validates a chain and whoever seals one. Each name
//! carries the section; lay the file beside the standard and tick off.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

mod crypto;
mod world;

use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::{AwsLc, AwsLcKey};
use sender_auth::arc::{
    ArcFieldFault, ChainFailure, ChainResult, ChainStatus, FieldKind, FieldNames, FieldNamesError,
    FieldsToCover, MessageSignatureState, Outcome, SealError, SealOptions, SealedSet, Sealer,
    SignatureFailure, ValidateLimits, Validator,
};
use sender_auth::authres::{
    AuthenticationResults, AuthservId, Keyword, MethodResult, PropertyName,
};
use sender_auth::crypto::{Crypto, Sha256, SigningKey};
use sender_auth::dkim::{
    BodyHash, Canonicalization, FieldsToSign, KeyFailure, Selector, SignWith, SignatureFault,
    header_field,
};
use sender_auth::{Header, HeaderField};
use smtp_types::{DnsFailure, DnsQuestion, DomainName, Known, UnixTime};
use world::{World, read, txt};

const NOW: UnixTime = UnixTime(1_800_000_000);

const MESSAGE: &str = "From: Author <a@author.example>\r\nTo: list@list.example\r\n\
    Subject: A  subject\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\nMIME-Version: 1.0\r\n\r\n\
    Hello,\r\n\r\nthis is  the body. \r\n";

static KEY: LazyLock<AwsLcKey> = LazyLock::new(|| AwsLcKey::ed25519(&[7; 32]));

/// A DNS with the key of everyone.
fn world() -> World {
    let record = KEY.record().to_string();
    ["one.example", "two.example", "three.example"]
        .iter()
        .fold(World::default(), |world, domain| {
            world.key(&format!("s._domainkey.{domain}"), &record)
        })
}

fn validate_in(world: &World, message: &str, limits: ValidateLimits) -> ChainResult {
    let (header, body) = read(message.as_bytes());
    let mut validator = Validator::new(&header, &AwsLc, limits);
    let announced: Vec<_> = validator.questions().collect();
    body.chunks(5).for_each(|piece| validator.push(piece));
    let hashed = validator.finish();
    let mut known = world.known.clone();
    if let Err(need) = hashed.evaluate(&known, &AwsLc, world.now) {
        for question in need.dns {
            assert!(announced.contains(&question), "{question} was not announced");
            known.add_dns(question, txt(&[]));
        }
    }
    hashed.evaluate(&known, &AwsLc, world.now).unwrap()
}

fn validate(message: &str) -> ChainResult {
    validate_in(&world(), message, ValidateLimits::default())
}

fn failure(message: &str) -> ChainFailure {
    match validate(message).outcome {
        Outcome::Fail(failure) => failure,
        outcome => panic!("{outcome:?}\n{message}"),
    }
}

fn with<'k>(domain: &str, key: &'k AwsLcKey) -> SignWith<'k, AwsLcKey> {
    let (domain, selector) = (DomainName::parse(domain).unwrap(), Selector::parse("s").unwrap());
    SignWith { domain, selector, key }
}

fn results(authserv_id: &str) -> AuthenticationResults {
    let authserv_id = AuthservId::new(authserv_id).unwrap();
    let spf = MethodResult::new(Keyword::SPF, Keyword::PASS)
        .with_property(PropertyName::SMTP_MAILFROM, "author.example");
    AuthenticationResults { authserv_id, results: vec![spf] }
}

fn try_seal(
    message: &str,
    chain: ChainStatus,
    domain: &str,
    options: &SealOptions,
) -> Result<SealedSet, SealError> {
    let (header, body) = read(message.as_bytes());
    let mut sealer = Sealer::new(&header, chain, &AwsLc, with(domain, &KEY), options)?;
    body.chunks(3).for_each(|piece| sealer.push(piece));
    sealer.finish(&results(&format!("mx.{domain}")))
}

/// The message with a set on top of it.
fn put(set: &SealedSet, message: &str) -> String {
    let fields = [&set.seal, &set.message_signature, &set.authentication_results];
    let text = |field: &HeaderField| String::from_utf8(field.octets().to_vec()).unwrap() + "\r\n";
    fields.iter().map(|field| text(field)).collect::<String>() + message
}

/// Validates and seals, as a server that forwards.
fn forward(message: &str, domain: &str) -> String {
    let status = validate(message).status();
    put(&try_seal(message, status, domain, &SealOptions::new(NOW)).unwrap(), message)
}

fn chain_of(count: usize) -> String {
    let domains = ["one.example", "two.example", "three.example"];
    let forwarders = domains.iter().cycle().take(count);
    forwarders.fold(MESSAGE.to_owned(), |message, domain| forward(&message, domain))
}

/// A set that is made as one likes, with signatures that fit all the same.
struct Forged {
    results: &'static str,
    message_signature: Vec<(&'static str, String)>,
    seal: Vec<(&'static str, String)>,
}

impl Forged {
    /// The first set of a message, without anything strange.
    fn new() -> Self {
        let tags = |tags: &[(&'static str, &str)]| {
            tags.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
        };
        Self {
            results: "i=1; mx.one.example; none",
            message_signature: tags(&[
                ("i", "1"),
                ("a", "ed25519-sha256"),
                ("c", "relaxed/relaxed"),
                ("d", "one.example"),
                ("s", "s"),
                ("h", "from:to:subject"),
            ]),
            seal: tags(&[
                ("i", "1"),
                ("a", "ed25519-sha256"),
                ("cv", "none"),
                ("d", "one.example"),
                ("s", "s"),
            ]),
        }
    }

    /// The same with another value in the message signature; an empty name of a value is none.
    fn message_tag(mut self, name: &'static str, value: &str) -> Self {
        set_tag(&mut self.message_signature, name, value);
        self
    }

    fn seal_tag(mut self, name: &'static str, value: &str) -> Self {
        set_tag(&mut self.seal, name, value);
        self
    }

    fn results(self, results: &'static str) -> Self {
        Self { results, ..self }
    }

    fn put_on(&self, message: &str) -> String {
        let (header, body) = read(message.as_bytes());
        let get = |name: &str| {
            let tag = self.message_signature.iter().find(|(tag, _)| *tag == name);
            tag.map_or("", |(_, value)| value.as_str())
        };
        let (header_form, body_form) = get("c").split_once('/').unwrap_or(("simple", "simple"));
        let form = |word: &str| match word {
            "relaxed" => Canonicalization::Relaxed,
            _ => Canonicalization::Simple,
        };
        let mut hash = BodyHash::new(form(body_form), get("l").parse().ok(), AwsLc.sha256());
        hash.push(&body);
        let body_hash = STANDARD.encode(hash.finish().digest);

        let mut signed = Vec::new();
        let mut left: Vec<_> = header.fields().iter().rev().collect();
        for name in get("h").split(':') {
            if let Some(index) = left.iter().position(|field| field.is(name)) {
                header_field(form(header_form), left.remove(index), &mut signed);
            }
        }
        let mut tags = self.message_signature.clone();
        tags.push(("bh", body_hash));
        let message_signature =
            signed_field("ARC-Message-Signature", &tags, form(header_form), signed);

        let results = format!("ARC-Authentication-Results: {}", self.results);
        let mut sealed = Vec::new();
        for name in ["ARC-Authentication-Results", "ARC-Message-Signature", "ARC-Seal"] {
            // At most one set is there already.
            for field in header.named(name) {
                header_field(Canonicalization::Relaxed, field, &mut sealed);
            }
        }
        for field in [&results, &message_signature] {
            let field = HeaderField::parse(field.as_bytes()).unwrap();
            header_field(Canonicalization::Relaxed, &field, &mut sealed);
        }
        let seal = signed_field("ARC-Seal", &self.seal, Canonicalization::Relaxed, sealed);
        format!("{seal}\r\n{message_signature}\r\n{results}\r\n{message}")
    }
}

fn set_tag(tags: &mut Vec<(&'static str, String)>, name: &'static str, value: &str) {
    tags.retain(|(tag, _)| *tag != name);
    tags.push((name, value.to_owned()));
}

fn signed_field(
    name: &str,
    tags: &[(&str, String)],
    form: Canonicalization,
    mut message: Vec<u8>,
) -> String {
    let list: String = tags.iter().map(|(name, value)| format!("{name}={value}; ")).collect();
    let field = format!("{name}: {list}b=");
    header_field(form, &HeaderField::parse(field.as_bytes()).unwrap(), &mut message);
    message.truncate(message.len() - 2);
    let mut sha256 = AwsLc.sha256();
    sha256.update(&message);
    field + &STANDARD.encode(KEY.sign(&sha256.finish()).unwrap())
}

fn forged(change: impl Fn(Forged) -> Forged) -> ChainResult {
    validate(&change(Forged::new()).put_on(MESSAGE))
}

fn passes(result: &ChainResult) -> bool {
    matches!(result.outcome, Outcome::Pass { .. })
}

mod s4_1_fields {
    use super::*;

    #[test]
    fn s4_1_1_what_the_results_say_does_not_matter() {
        assert!(passes(&forged(|set| set)));
        let result = forged(|set| set.results("i=1; nothing that anyone could read"));
        assert!(passes(&result));
        assert!(result.sets[0].authentication_results.is_err());
        let result = forged(|set| set.results("i=1; mx.one.example; spf=pass smtp.helo=x"));
        let read = result.sets[0].authentication_results.as_ref().unwrap();
        assert_eq!(read.results[0].property(&PropertyName::SMTP_HELO).unwrap().as_str(), "x");
    }

    #[test]
    fn s4_1_1_the_instance_comes_first_and_comments_may_stand_around_it() {
        assert!(passes(&forged(|set| set.results("(a) i (b) = (c) 1 (d) ; mx; none"))));
        for results in ["mx; i=1; none", "i=1 mx; none", "I=1; mx; none", "mx; none", "i=; mx"] {
            let found = forged(|set| set.results(results)).outcome;
            let is_field = matches!(
                found,
                Outcome::Fail(ChainFailure::Field { kind: FieldKind::AuthenticationResults, .. })
            );
            assert!(is_field, "{results:?}: {found:?}");
        }
    }

    #[test]
    fn s4_1_2_a_version_is_ignored() {
        assert!(passes(&forged(|set| set.message_tag("v", "7"))));
    }

    #[test]
    fn s4_1_2_the_tags_are_those_of_dkim() {
        for form in ["relaxed/relaxed", "relaxed/simple", "simple/relaxed", "simple/simple"] {
            assert!(passes(&forged(|set| set.message_tag("c", form))), "{form}");
        }
        for (tag, value) in [
            ("a", "rsa-md5"),
            ("c", "strict"),
            ("d", ""),
            ("d", "not a domain"),
            ("s", ""),
            ("t", "x"),
            ("q", "http"),
            ("h", "from:a b"),
            ("a b", "c"),
        ] {
            let found = forged(|set| set.message_tag(tag, value)).outcome;
            assert!(matches!(found, Outcome::Fail(_)), "{tag}={value}: {found:?}");
        }
        for tag in ["a", "d", "s", "h"] {
            let mut set = Forged::new();
            set.message_signature.retain(|(name, _)| *name != tag);
            let ChainFailure::MessageSignature { instance: 1, reason } =
                failure(&set.put_on(MESSAGE))
            else {
                panic!("{tag}");
            };
            let SignatureFailure::Malformed(error) = reason else { panic!("{tag}: {reason:?}") };
            assert_eq!(error.fault, ArcFieldFault::Tag(SignatureFault::Missing { tag }));
        }
    }

    #[test]
    fn s4_1_2_sha_1_proves_nothing() {
        for change in [
            |set: Forged| set.message_tag("a", "rsa-sha1"),
            |set: Forged| set.seal_tag("a", "rsa-sha1"),
        ] {
            let (ChainFailure::MessageSignature { reason, .. } | ChainFailure::Seal { reason, .. }) =
                failure(&change(Forged::new()).put_on(MESSAGE))
            else {
                panic!("another failure");
            };
            let SignatureFailure::Malformed(error) = reason else { panic!("{reason:?}") };
            assert_eq!(error.fault, ArcFieldFault::Tag(SignatureFault::Sha1));
        }
    }

    #[test]
    fn s4_1_2_a_message_signature_signs_no_seal() {
        let found = failure(&Forged::new().message_tag("h", "from:arc-seal").put_on(MESSAGE));
        let ChainFailure::MessageSignature { reason: SignatureFailure::Malformed(error), .. } =
            found
        else {
            panic!("{found:?}");
        };
        assert_eq!(error.fault, ArcFieldFault::SealSigned);
    }

    #[test]
    fn s4_1_2_other_fields_of_arc_are_tolerated_as_early_sealers_signed_them() {
        let second = Forged::new()
            .results("i=2; mx.one.example; none")
            .message_tag("i", "2")
            .message_tag("h", "from:arc-message-signature:arc-authentication-results")
            .seal_tag("i", "2")
            .seal_tag("cv", "pass");
        let result = validate(&second.put_on(&Forged::new().put_on(MESSAGE)));
        assert_eq!(result.outcome, Outcome::Pass { oldest_pass: 0 });
    }

    #[test]
    fn s4_1_2_fewer_signed_fields_are_said() {
        let report = |names: &str| {
            let result = forged(|set| set.message_tag("h", names));
            assert!(passes(&result), "{names:?}");
            result.sets[0].covers_from
        };
        assert!(report("from:to::date:x-absent:from"));
        assert!(!report("to"));
        assert!(!report(""));
    }

    #[test]
    fn s4_1_2_a_limit_of_the_body_is_said() {
        let result = forged(|set| set.message_tag("l", "5"));
        assert!(passes(&result));
        assert_eq!(result.sets[0].body_limit, Some(5));
        let added = Forged::new().message_tag("l", "5").put_on(MESSAGE) + "added\r\n";
        assert!(passes(&validate(&added)));
        let found = failure(&Forged::new().message_tag("l", "5000").put_on(MESSAGE));
        let ChainFailure::MessageSignature { reason, .. } = found else { panic!("{found:?}") };
        assert!(matches!(reason, SignatureFailure::BodyShorterThanLimit { limit: 5000, .. }));
    }

    #[test]
    fn s4_1_3_a_seal_names_no_fields() {
        let found = failure(&Forged::new().seal_tag("h", "from").put_on(MESSAGE));
        let ChainFailure::Seal { reason: SignatureFailure::Malformed(error), .. } = found else {
            panic!("{found:?}");
        };
        assert_eq!(error.fault, ArcFieldFault::SealNamesFields);
    }

    #[test]
    fn s4_1_3_unknown_tags_of_a_seal_are_ignored() {
        assert!(passes(&forged(|set| set.seal_tag("c", "simple").seal_tag("x_1", "y"))));
    }

    #[test]
    fn s4_1_3_a_seal_has_its_status() {
        let mut set = Forged::new();
        set.seal.retain(|(name, _)| *name != "cv");
        for message in [
            set.put_on(MESSAGE),
            Forged::new().seal_tag("cv", "").put_on(MESSAGE),
            Forged::new().seal_tag("cv", "None").put_on(MESSAGE),
            Forged::new().seal_tag("cv", "true").put_on(MESSAGE),
        ] {
            let found = failure(&message);
            assert!(
                matches!(found, ChainFailure::Field { kind: FieldKind::Seal, .. }),
                "{found:?}"
            );
        }
    }

    #[test]
    fn s4_1_3_only_the_relaxed_form_is_used() {
        let message = forward(MESSAGE, "one.example");
        let folded = message
            .replace("ARC-Seal: a=", "aRC-seal\t:\r\n\t a=")
            .replace("cv=none;", "cv=none;\r\n   ");
        assert_ne!(folded, message);
        assert!(passes(&validate(&folded)));
        // White space between the words means nothing, but where there was none it does.
        let found = failure(&message.replace("mx.one.example;", "mx.one.example ;"));
        assert!(matches!(found, ChainFailure::Seal { .. }), "{found:?}");
    }

    #[test]
    fn s4_1_4_domains_may_be_u_labels() {
        let world =
            World::default().key("s._domainkey.xn--dan-dma.test", &KEY.record().to_string());
        let message =
            Forged::new().message_tag("d", "dané.test").seal_tag("d", "dané.test").put_on(MESSAGE);
        assert!(passes(&validate_in(&world, &message, ValidateLimits::default())));
    }
}

mod s4_2_sets {
    use super::*;

    #[test]
    fn s4_2_1_instances_are_1_to_50() {
        for instance in ["0", "51", "99", "100", "001", "-1", "x", ""] {
            let found = failure(
                &Forged::new()
                    .message_tag("i", instance)
                    .seal_tag("i", instance)
                    .results("i=1; mx; none")
                    .put_on(MESSAGE),
            );
            let ChainFailure::Field { error, .. } = found else { panic!("{instance}: {found:?}") };
            let found = instance.into();
            assert_eq!(error.fault, ArcFieldFault::Instance { found }, "{instance}");
        }
        let found = failure(&Forged::new().results("i=51; mx; none").put_on(MESSAGE));
        let ChainFailure::Field { error, .. } = &found else { panic!("{found:?}") };
        assert_eq!(error.fault, ArcFieldFault::Instance { found: "51".into() });
        assert_eq!(found.step(), 1);
        assert!(passes(&forged(|set| set.message_tag("i", "01"))));
    }

    #[test]
    fn s4_2_1_fifty_sets_are_a_chain_and_no_more_are_made() {
        let message = chain_of(50);
        let result = validate(&message);
        assert!(passes(&result), "{:?}", result.outcome);
        assert_eq!(result.sets.len(), 50);
        let more = try_seal(&message, ChainStatus::Pass, "one.example", &SealOptions::new(NOW));
        assert_eq!(more, Err(SealError::ChainIsFull));
    }

    #[test]
    fn s4_2_1_each_set_has_each_field_once() {
        let message = chain_of(2);
        let fields: Vec<String> = {
            let (header, _) = read(message.as_bytes());
            let text = |field: &HeaderField| String::from_utf8(field.octets().to_vec()).unwrap();
            header.fields().iter().take(6).map(text).collect()
        };
        for (index, field) in fields.iter().enumerate() {
            let field = format!("{field}\r\n");
            let instance = if index < 3 { 2 } else { 1 };
            let missing = failure(&message.replacen(&field, "", 1));
            assert!(
                matches!(missing, ChainFailure::Missing { instance: i, .. } if i == instance),
                "{field}: {missing:?}"
            );
            let repeated = failure(&(field.clone() + &message));
            assert!(
                matches!(repeated, ChainFailure::Repeated { instance: i, .. } if i == instance),
                "{field}: {repeated:?}"
            );
            assert_eq!((missing.step(), repeated.step()), (3, 3));
        }
    }
}

mod s5_1_sealing {
    use super::*;

    fn sealed(message: &str, chain: ChainStatus) -> SealedSet {
        try_seal(message, chain, "one.example", &SealOptions::new(NOW)).unwrap()
    }

    #[test]
    fn s5_1_the_first_set_has_instance_1_and_no_chain_before_it() {
        for chain in [ChainStatus::None, ChainStatus::Pass, ChainStatus::Fail] {
            let set = sealed(MESSAGE, chain);
            assert_eq!((set.instance, set.chain_status), (1, ChainStatus::None));
        }
        let message = forward(MESSAGE, "one.example");
        assert!(message.starts_with("ARC-Seal: a=ed25519-sha256;\r\n    b="));
        assert!(message.contains(";\r\n    cv=none; d=one.example; i=1; s=s; t="));
        assert_eq!(validate(&message).outcome, Outcome::Pass { oldest_pass: 0 });
    }

    #[test]
    fn s5_1_step_2_behind_a_failed_chain_nothing_is_sealed() {
        let broken = chain_of(1).replace("Hello", "Hallo");
        let failed = put(&sealed(&broken, ChainStatus::Fail), &broken);
        assert_eq!(failure(&failed), ChainFailure::FailedBefore);
        for chain in [ChainStatus::None, ChainStatus::Pass, ChainStatus::Fail] {
            let more = try_seal(&failed, chain, "two.example", &SealOptions::new(NOW));
            assert_eq!(more, Err(SealError::FailedBefore));
        }
    }

    #[test]
    fn s5_1_step_3_the_instance_is_one_more_than_the_highest() {
        assert_eq!(sealed(&chain_of(3), ChainStatus::Pass).instance, 4);
        let (seal, rest) =
            chain_of(2).split_once("\r\nARC-M").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        assert!(seal.contains("; i=2; "));
        let set = sealed(&format!("ARC-M{rest}"), ChainStatus::Fail);
        assert_eq!((set.instance, set.chain_status), (3, ChainStatus::Fail));
    }

    #[test]
    fn s5_1_step_4_the_status_is_that_of_validation() {
        // A mailing list validates, changes the message, and seals what it found.
        let message = chain_of(1);
        let changed = message.replace("Subject: ", "Subject: [list] ") + "footer\r\n";
        let set = sealed(&changed, validate(&message).status());
        assert_eq!(set.chain_status, ChainStatus::Pass);
        let result = validate(&put(&set, &changed));
        assert_eq!(result.outcome, Outcome::Pass { oldest_pass: 2 });
        // What was not validated as pass does not become one.
        assert_eq!(sealed(&message, ChainStatus::None).chain_status, ChainStatus::Fail);
        let broken = message.replace("cv=none", "cv=pass");
        assert_eq!(sealed(&broken, ChainStatus::Pass).chain_status, ChainStatus::Fail);
    }

    #[test]
    fn s5_1_1_fields_are_sealed_from_the_first_set_on_each_in_its_order() {
        let message = chain_of(3);
        for needle in ["i=1; mx", "i=2; mx", "i=3; mx"] {
            let found = failure(&message.replacen(needle, &needle.replace("mx", "my"), 1));
            assert!(matches!(found, ChainFailure::Seal { instance: 3, .. }), "{found:?}");
        }
        // Where in the header they stand does not matter.
        let (header, body) = read(message.as_bytes());
        let mut fields = header.fields().to_vec();
        fields[..9].reverse();
        let mut shuffled = String::new();
        for field in &fields {
            shuffled += std::str::from_utf8(field.octets()).unwrap();
            shuffled += "\r\n";
        }
        shuffled += "\r\n";
        shuffled += std::str::from_utf8(&body).unwrap();
        assert!(passes(&validate(&shuffled)));
    }

    #[test]
    fn s5_1_2_a_failed_chain_is_sealed_by_a_seal_over_its_own_set_only() {
        let broken = chain_of(2).replace("Hello", "Hallo");
        let set = sealed(&broken, validate(&broken).status());
        assert_eq!((set.instance, set.chain_status), (3, ChainStatus::Fail));
        // As if it were the only set: the same fields with cv=none and instance 1 would pass. Here
        // the signature itself is looked at.
        let mut sealed = Vec::new();
        header_field(Canonicalization::Relaxed, &set.authentication_results, &mut sealed);
        header_field(Canonicalization::Relaxed, &set.message_signature, &mut sealed);
        let seal = String::from_utf8(set.seal.octets().to_vec()).unwrap();
        let (tags, behind) = seal.split_once("b=").unwrap();
        let (signature, behind) = behind.split_once(';').unwrap();
        let empty = HeaderField::parse(format!("{tags}b=;{behind}").as_bytes()).unwrap();
        header_field(Canonicalization::Relaxed, &empty, &mut sealed);
        sealed.truncate(sealed.len() - 2);
        let mut sha256 = AwsLc.sha256();
        sha256.update(&sealed);
        let signature: String = signature.split_whitespace().collect();
        let signature = STANDARD.decode(signature).unwrap();
        assert_eq!(KEY.sign(&sha256.finish()).unwrap(), signature);
    }

    #[test]
    fn s4_1_2_dkim_signatures_are_covered_and_trace_fields_are_not() {
        let message = format!(
            "Authentication-Results: mx; none\r\nDKIM-Signature: v=1; a=x\r\nReceived: x\r\n\
             DKIM-Signature: v=1; a=y\r\n{MESSAGE}"
        );
        let message = forward(&message, "one.example");
        let (header, _) = read(message.as_bytes());
        let signature = header.named("ARC-Message-Signature").next().unwrap();
        let text: String =
            std::str::from_utf8(signature.value()).unwrap().split_whitespace().collect();
        let names = text.split(';').find_map(|tag| tag.strip_prefix("h=")).unwrap();
        let count = |name: &str| names.split(':').filter(|n| n.eq_ignore_ascii_case(name)).count();
        assert_eq!((count("DKIM-Signature"), count("From"), count("Subject")), (2, 2, 2));
        for name in ["Received", "Authentication-Results", "ARC-Seal", "ARC-Message-Signature"] {
            assert_eq!(count(name), 0, "{name}");
        }
        let without = message.replacen("DKIM-Signature: v=1; a=y\r\n", "", 1);
        assert!(matches!(failure(&without), ChainFailure::MessageSignature { .. }));
        let without = message.replacen("Authentication-Results: mx; none\r\n", "", 1);
        assert!(passes(&validate(&without)));
    }

    #[test]
    fn s4_1_2_a_choice_of_fields_keeps_to_what_is_forbidden() {
        let exactly = |names: &[&'static str]| FieldNames::new(names.iter().copied());
        for name in [
            "ARC-Seal",
            "arc-message-signature",
            "ARC-Authentication-Results",
            "authentication-results",
        ] {
            let error = FieldNamesError::Excluded { found: name.into() };
            assert_eq!(exactly(&["from", name]), Err(error));
        }
        assert_eq!(exactly(&["to"]), Err(FieldNamesError::FromMissing));
        let mut options = SealOptions::new(NOW);
        options.fields = FieldsToCover::Exactly(exactly(&["mime-version", "from", "to"]).unwrap());
        let set = try_seal(MESSAGE, ChainStatus::None, "one.example", &options).unwrap();
        let text = String::from_utf8(set.message_signature.octets().to_vec()).unwrap();
        assert!(text.contains("h=mime-version:from:to;"), "{text}");
        assert!(passes(&validate(&put(&set, MESSAGE))));
    }

    #[test]
    fn s5_1_both_kinds_of_keys_seal() {
        static RSA: LazyLock<AwsLcKey> = LazyLock::new(AwsLcKey::new_rsa);
        let (header, body) = read(MESSAGE.as_bytes());
        let options = SealOptions::new(NOW);
        let with = with("rsa.example", &RSA);
        let mut sealer = Sealer::new(&header, ChainStatus::None, &AwsLc, with, &options).unwrap();
        sealer.push(&body);
        let set = sealer.finish(&results("mx.rsa.example")).unwrap();
        let message = put(&set, MESSAGE);
        assert!(message.contains("ARC-Seal: a=rsa-sha256;"));
        let world = world().key("s._domainkey.rsa.example", &RSA.record().to_string());
        assert!(passes(&validate_in(&world, &message, ValidateLimits::default())));
    }

    #[test]
    fn s5_1_what_we_could_not_validate_is_not_sealed() {
        let (header, body) = read(MESSAGE.as_bytes());
        let options = SealOptions::new(NOW);
        let with = with("one.example", &KEY);
        let mut sealer = Sealer::new(&header, ChainStatus::None, &AwsLc, with, &options).unwrap();
        sealer.push(&body);
        let mut many = results("mx.one.example");
        many.results = vec![many.results[0].clone().with_reason(&"long ".repeat(100)); 200];
        let error = sealer.finish(&many).unwrap_err();
        assert!(matches!(error, SealError::ResultsTooLong { octets } if octets > 65_536));
    }

    #[test]
    fn s5_1_no_line_is_longer_than_78_columns() {
        let names = ["X-Some-Rather-Long-Name-Of-A-Header-Field"; 30];
        let mut options = SealOptions::new(NOW);
        let fields = FieldsToSign::new(["From"].into_iter().chain(names), []).unwrap();
        options.fields = FieldsToCover::Choice(fields);
        let message = names.map(|name| format!("{name}: 1\r\n")).concat() + MESSAGE;
        let set = try_seal(&message, ChainStatus::None, "one.example", &options).unwrap();
        for field in [&set.seal, &set.message_signature, &set.authentication_results] {
            let text = std::str::from_utf8(field.octets()).unwrap();
            assert!(text.split("\r\n").all(|line| line.len() <= 78), "{text}");
        }
        assert!(passes(&validate(&put(&set, &message))));
    }
}

mod s5_2_validating {
    use super::*;

    #[test]
    fn s5_2_step_1_without_sets_there_is_no_chain() {
        for message in [MESSAGE, "", "\r\n", "Hello\r\n", "ARC-Sealed: i=1\r\n\r\n"] {
            let result = validate(message);
            assert_eq!((result.outcome, result.sets), (Outcome::None, vec![]));
        }
    }

    #[test]
    fn s5_2_step_2_a_seal_that_says_fail_ends_all() {
        let found = failure(&chain_of(2).replacen("cv=pass", "cv=fail", 1));
        assert_eq!((found.step(), found), (2, ChainFailure::FailedBefore));
        // Also if the rest is no chain.
        let alone = "ARC-Seal: i=7; cv=fail\r\nARC-Seal: nonsense\r\n".to_owned() + MESSAGE;
        assert_eq!(failure(&alone), ChainFailure::FailedBefore);
    }

    #[test]
    fn s5_2_step_3_instances_have_no_gaps() {
        let message = chain_of(3);
        let (header, body) = read(message.as_bytes());
        let fields = header.fields().iter().enumerate();
        let without_2: Header = fields
            .filter(|(index, _)| !(3..6).contains(index))
            .map(|(_, field)| field.clone())
            .collect();
        let mut validator = Validator::new(&without_2, &AwsLc, ValidateLimits::default());
        validator.push(&body);
        let result = validator.finish().evaluate(&Known::default(), &AwsLc, NOW).unwrap();
        let kind = FieldKind::AuthenticationResults;
        let expected = ChainFailure::Missing { kind, instance: 2 };
        assert_eq!(result.outcome, Outcome::Fail(expected));
    }

    #[test]
    fn s5_2_step_3_the_first_status_is_none_and_the_others_are_pass() {
        let message = chain_of(3);
        let wrong = |instance: u8, from: &str, to: &str, found| {
            // The newest stands on top.
            let seals: Vec<_> = message.match_indices("ARC-Seal:").collect();
            let (place, _) = seals[seals.len() - usize::from(instance)];
            let (before, rest) = message.split_at(place);
            let changed = before.to_owned() + &rest.replacen(from, to, 1);
            assert_eq!(failure(&changed), ChainFailure::ChainStatus { instance, found });
        };
        wrong(1, "cv=none", "cv=pass", ChainStatus::Pass);
        wrong(1, "cv=none", "cv=fail", ChainStatus::Fail);
        wrong(2, "cv=pass", "cv=none", ChainStatus::None);
        wrong(2, "cv=pass", "cv=fail", ChainStatus::Fail);
        wrong(3, "cv=pass", "cv=none", ChainStatus::None);
    }

    #[test]
    fn s5_2_step_4_the_newest_message_signature_must_fit() {
        let message = chain_of(2);
        let reason = |message: &str| match failure(message) {
            ChainFailure::MessageSignature { instance: 2, reason } => reason,
            other => panic!("{other:?}"),
        };
        assert_eq!(reason(&message.replace("Hello", "Hallo")), SignatureFailure::BodyChanged);
        assert_eq!(reason(&message.replace("A  sub", "B sub")), SignatureFailure::Mismatch);
        let added = message.replace("To: list", "From: other@example\r\nTo: list");
        assert_eq!(reason(&added), SignatureFailure::Mismatch);
        let report = validate(&message.replace("Hello", "Hallo"));
        let state = MessageSignatureState::Failed(SignatureFailure::BodyChanged);
        assert_eq!(report.sets[1].message_signature, state);
        assert_eq!(report.sets[0].message_signature, MessageSignatureState::NotEvaluated);
        // White space does not count.
        assert!(passes(&validate(
            &message.replace("A  sub", "A \r\n sub").replace("is  the", "is the")
        )));
    }

    #[test]
    fn s5_2_step_4_times_count() {
        let day = Duration::from_secs(24 * 60 * 60);
        let after = |seconds: u64| NOW.plus(day).plus(Duration::from_secs(seconds)).0.to_string();
        let reason = |set: Forged| match failure(&set.put_on(MESSAGE)) {
            ChainFailure::MessageSignature { reason, .. } | ChainFailure::Seal { reason, .. } => {
                reason
            }
            other => panic!("{other:?}"),
        };
        let expired = reason(Forged::new().message_tag("x", "1799999999"));
        assert_eq!(expired, SignatureFailure::Expired { at: UnixTime(1_799_999_999) });
        assert!(passes(&forged(|set| set.message_tag("x", "1800000000"))));
        assert!(passes(&forged(|set| set.message_tag("t", &after(0)).seal_tag("t", &after(0)))));
        let future = SignatureFailure::FromTheFuture { at: UnixTime(1_800_086_401) };
        assert_eq!(reason(Forged::new().message_tag("t", &after(1))), future);
        assert_eq!(reason(Forged::new().seal_tag("t", &after(1))), future);
    }

    #[test]
    fn s5_2_step_5_the_oldest_pass_says_since_when_the_message_is_the_same() {
        let list = |message: &str, domain: &str| {
            let changed = message.replace("Subject: ", "Subject: [x] ");
            let status = validate(message).status();
            put(&try_seal(&changed, status, domain, &SealOptions::new(NOW)).unwrap(), &changed)
        };
        let oldest = |message: &str| match validate(message).outcome {
            Outcome::Pass { oldest_pass } => oldest_pass,
            other => panic!("{other:?}"),
        };
        let one = forward(MESSAGE, "one.example");
        assert_eq!(oldest(&one), 0);
        let two = list(&one, "two.example");
        assert_eq!(oldest(&two), 2);
        let three = forward(&two, "three.example");
        assert_eq!(oldest(&three), 2);
        let states: Vec<_> =
            validate(&three).sets.into_iter().map(|set| set.message_signature).collect();
        let failed = MessageSignatureState::Failed(SignatureFailure::Mismatch);
        let verified = MessageSignatureState::Verified;
        assert_eq!(states, [failed, verified.clone(), verified]);
    }

    #[test]
    fn s5_2_step_5_older_message_signatures_are_bounded() {
        let message = chain_of(4);
        for (message_signatures, oldest_pass) in [(0, 4), (1, 4), (2, 3), (3, 2), (4, 0), (9, 0)] {
            let limits = ValidateLimits { message_signatures, ..ValidateLimits::default() };
            let result = validate_in(&world(), &message, limits);
            assert_eq!(result.outcome, Outcome::Pass { oldest_pass }, "{message_signatures}");
        }
    }

    #[test]
    fn s5_2_step_6_every_seal_must_fit() {
        let message = chain_of(3);
        for instance in 1..=3_u8 {
            // The newest stands on top.
            let seals: Vec<_> = message.match_indices("ARC-Seal:").collect();
            let (place, _) = seals[seals.len() - usize::from(instance)];
            let (before, rest) = message.split_at(place);
            let (tags, signature) = rest.split_once("b=").unwrap();
            let first = if signature.starts_with('A') { "B" } else { "A" };
            let changed = format!("{before}{tags}b={first}{}", &signature[1..]);
            let found = failure(&changed);
            // What is wrong in an older seal is seen by the newer ones first.
            let reason = SignatureFailure::Mismatch;
            assert_eq!(found, ChainFailure::Seal { instance: 3, reason });
            assert_eq!(found.step(), 6);
        }
        let oldest = message.rfind("ARC-Seal: a=ed25519-sha256").unwrap();
        let (newer, oldest) = message.split_at(oldest);
        let unsigned = [newer, &oldest.replacen("a=ed25519-sha256", "a=x", 1)].concat();
        let found = failure(&unsigned);
        let ChainFailure::Seal { instance: 1, reason } = found else { panic!("{found:?}") };
        assert!(matches!(reason, SignatureFailure::Malformed(_)));
    }

    #[test]
    fn s5_2_step_6_a_seal_of_one_chain_does_not_fit_another() {
        let one = chain_of(2);
        let other =
            forward(&forward(&MESSAGE.replace("Hello", "Hallo"), "one.example"), "two.example");
        let seal = |message: &str| message.split_once("ARC-M").unwrap().0.to_owned();
        let swapped = one.replacen(&seal(&one), &seal(&other), 1);
        assert_ne!(swapped, one);
        assert!(matches!(failure(&swapped), ChainFailure::Seal { instance: 2, .. }));
    }

    #[test]
    fn s5_2_1_all_failures_are_permanent() {
        let message = chain_of(2);
        let down = Err(DnsFailure::Temporary { detail: "timeout".into() });
        let world = world().txt("s._domainkey.one.example", down);
        let result = validate_in(&world, &message, ValidateLimits::default());
        let Outcome::Fail(ChainFailure::Seal { instance: 1, reason }) = result.outcome else {
            panic!("{:?}", result.outcome);
        };
        assert!(matches!(reason, SignatureFailure::Key(KeyFailure::Dns(_))));
        // A key that is gone only shortens what is known of the message, if its seal is known.
        let empty = World::default();
        let result = validate_in(&empty, &message, ValidateLimits::default());
        let Outcome::Fail(ChainFailure::MessageSignature { instance: 2, reason }) = result.outcome
        else {
            panic!("{:?}", result.outcome);
        };
        assert_eq!(reason, SignatureFailure::Key(KeyFailure::Absent));
    }

    #[test]
    fn s5_2_keys_are_asked_for_at_once_and_only_if_nothing_else_fails() {
        let message = chain_of(2);
        let need = |message: &str| {
            let (header, body) = read(message.as_bytes());
            let mut validator = Validator::new(&header, &AwsLc, ValidateLimits::default());
            validator.push(&body);
            let found = validator.finish().evaluate(&Known::default(), &AwsLc, NOW);
            found.map_or_else(|need| need.to_string(), |_| String::new())
        };
        let both = "TXT s._domainkey.one.example, TXT s._domainkey.two.example";
        assert_eq!(need(&message), both);
        for changed in [
            message.replace("Hello", "Hallo"),
            message.replace("cv=pass", "cv=none"),
            message.replacen("ARC-Seal: a=", "ARC-Seal: h=from; a=", 1),
            message.replacen("; i=1; ", "; i=3; ", 1),
        ] {
            assert_eq!(need(&changed), "", "{changed}");
        }
    }

    #[test]
    fn s5_2_short_keys_prove_nothing() {
        // 512 bits; RFC 8301 §3.2.
        let short = "p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBANmBe10IgY+u7h3enWTukkqtUD5PR52Tb/mPfjC0QJTocVBq6Za/PlzfV+Py92VaCak19F4WrbVTK5Gg5tW220MCAwEAAQ==";
        let world = World::default().key("s._domainkey.one.example", short);
        let message = Forged::new().message_tag("a", "rsa-sha256").put_on(MESSAGE);
        let result = validate_in(&world, &message, ValidateLimits::default());
        let reason = SignatureFailure::Key(KeyFailure::TooShort { bits: 512 });
        let expected = ChainFailure::MessageSignature { instance: 1, reason };
        assert_eq!(result.outcome, Outcome::Fail(expected));
    }

    #[test]
    fn s5_2_header_and_body_forms_are_bounded() {
        let limits = ValidateLimits { header_octets: 500, ..ValidateLimits::default() };
        let long = MESSAGE.replace("A  subject", &"long ".repeat(100));
        let found = validate_in(&world(), &Forged::new().put_on(&long), limits).outcome;
        let Outcome::Fail(ChainFailure::MessageSignature { reason, .. }) = found else {
            panic!("{found:?}");
        };
        assert_eq!(reason, SignatureFailure::HeaderTooLong);
        let long = Forged::new().seal_tag("x", &"long ".repeat(100));
        let found = validate_in(&world(), &long.put_on(MESSAGE), limits).outcome;
        let Outcome::Fail(ChainFailure::Seal { reason, .. }) = found else { panic!("{found:?}") };
        assert_eq!(reason, SignatureFailure::HeaderTooLong);
    }
}

mod s6_communication {
    use super::*;

    #[test]
    fn s6_the_result_is_reported_with_the_client_and_the_oldest_pass() {
        let client = Some("192.0.2.1".parse().unwrap());
        let value = |message: &str| {
            let authserv_id = AuthservId::new("mx").unwrap();
            let results = vec![validate(message).to_method_result(client)];
            AuthenticationResults { authserv_id, results }.to_value()
        };
        assert_eq!(value(MESSAGE), " mx;\r\n    arc=none smtp.remote-ip=192.0.2.1");
        assert_eq!(
            value(&chain_of(1)),
            " mx;\r\n    arc=pass smtp.remote-ip=192.0.2.1 header.oldest-pass=0"
        );
        assert_eq!(
            value(&chain_of(1).replace("Hello", "Hallo")),
            " mx;\r\n    arc=fail reason=\"instance 1: message signature: the body has changed\"\r\n    \
             smtp.remote-ip=192.0.2.1"
        );
    }

    #[test]
    fn s6_what_was_reported_can_be_sealed_later() {
        let status = |text: &str| {
            let results = AuthenticationResults::parse(text.as_bytes()).unwrap();
            ChainStatus::reported_in(&results)
        };
        assert_eq!(status("mx; spf=pass; arc=pass"), Some(ChainStatus::Pass));
        assert_eq!(status("mx; arc=fail"), Some(ChainStatus::Fail));
        assert_eq!(status("mx; arc=none"), Some(ChainStatus::None));
        assert_eq!(status("mx; arc=temperror"), None);
        assert_eq!(status("mx; none"), None);
    }

    #[test]
    fn s7_2_who_sealed_and_signed_is_reported() {
        let sets = validate(&chain_of(2)).sets;
        let sealers: Vec<_> =
            sets.iter().map(|set| set.sealer.as_ref().unwrap().domain.as_str()).collect();
        assert_eq!(sealers, ["one.example", "two.example"]);
        assert_eq!(sets[1].message_signer, sets[1].sealer);
        assert_eq!(sets[1].chain_status, ChainStatus::Pass);
        assert_eq!(sets[1].sealed_at, Some(NOW));
        let found = sets[0].authentication_results.as_ref().unwrap();
        assert_eq!(found, &results("mx.one.example"));
    }
}

#[test]
fn s5_2_questions_name_the_keys_of_the_chain() {
    let (header, _) = read(chain_of(2).as_bytes());
    let validator = Validator::new(&header, &AwsLc, ValidateLimits::default());
    let mut names: Vec<_> =
        validator.questions().map(|question: DnsQuestion| question.to_string()).collect();
    names.sort();
    names.dedup();
    assert_eq!(names, ["TXT s._domainkey.one.example", "TXT s._domainkey.two.example"]);
}
