//! What must hold for every chain: what was sealed validates, however many have sealed and whatever
//! they have changed before; and whatever is changed behind the last of them, it does not.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod crypto;
mod world;

use std::sync::LazyLock;

use crypto::{AwsLc, AwsLcKey};
use proptest::prelude::*;
use sender_auth::arc::{
    ChainFailure, ChainResult, ChainStatus, Outcome, SealError, SealOptions, Sealer,
    ValidateLimits, Validator,
};
use sender_auth::authres::{
    AuthenticationResults, AuthservId, Keyword, MethodResult, PropertyName,
};
use sender_auth::dkim::{Selector, SignWith};
use smtp_types::{DomainName, UnixTime};
use world::{World, read, txt};

const NOW: UnixTime = UnixTime(1_800_000_000);

static KEYS: LazyLock<[(&str, AwsLcKey); 3]> = LazyLock::new(|| {
    [
        ("one.example", AwsLcKey::ed25519(&[1; 32])),
        ("two.example", AwsLcKey::new_rsa()),
        ("three.example", AwsLcKey::ed25519(&[3; 32])),
    ]
});

static WORLD: LazyLock<World> = LazyLock::new(|| {
    KEYS.iter().fold(World::default(), |world, (domain, key)| {
        world.key(&format!("s._domainkey.{domain}"), &key.record().to_string())
    })
});

fn validate(message: &[u8]) -> ChainResult {
    let (header, body) = read(message);
    let mut validator = Validator::new(&header, &AwsLc, ValidateLimits::default());
    validator.push(&body);
    let hashed = validator.finish();
    let mut known = WORLD.known.clone();
    if let Err(need) = hashed.evaluate(&known, &AwsLc, NOW) {
        need.dns.into_iter().for_each(|question| known.add_dns(question, txt(&[])));
    }
    hashed.evaluate(&known, &AwsLc, NOW).unwrap()
}

fn seal(message: &[u8], chain: ChainStatus, who: usize, helo: &str) -> Result<Vec<u8>, SealError> {
    let (domain, key) = &KEYS[who];
    let domain = DomainName::parse(domain).unwrap();
    let with = SignWith { domain: domain.clone(), selector: Selector::parse("s").unwrap(), key };
    let (header, body) = read(message);
    let options = SealOptions::new(NOW);
    let mut sealer = Sealer::new(&header, chain, &AwsLc, with, &options)?;
    sealer.push(&body);
    let spf = MethodResult::new(Keyword::SPF, Keyword::PASS)
        .with_reason(helo)
        .with_property(PropertyName::SMTP_HELO, helo);
    let authserv_id = AuthservId::from(&domain);
    let set = sealer.finish(&AuthenticationResults { authserv_id, results: vec![spf] })?;
    let fields = [&set.seal, &set.message_signature, &set.authentication_results];
    let fields: Vec<u8> =
        fields.iter().flat_map(|field| [field.octets(), b"\r\n"].concat()).collect();
    Ok([&fields, message].concat())
}

/// One server on the way.
#[derive(Clone, Debug)]
struct Hop {
    who: usize,
    helo: String,
    subject: Option<String>,
    footer: Option<String>,
}

fn hop() -> impl Strategy<Value = Hop> {
    // Not only white space, which would be no change.
    let (helo, subject) = ("\\PC{0,40}", prop::option::of("[a-z][a-z ]{0,19}"));
    (0..3_usize, helo, subject, prop::option::of("\\PC{1,40}"))
        .prop_map(|(who, helo, subject, footer)| Hop { who, helo, subject, footer })
}

fn message() -> impl Strategy<Value = String> {
    let line = prop_oneof!["[a-z ]{0,30}", "\\PC{0,30}", Just(String::new())];
    ("[a-z \t]{0,30}", prop::collection::vec(line, 0..6)).prop_map(|(subject, lines)| {
        let header = format!("From: a@author.example\r\nTo: b@c.example\r\nSubject: {subject}");
        format!("{header}\r\n\r\n{}", lines.join("\r\n"))
    })
}

/// The message after all hops, with the instance of the last that changed it.
fn forward(message: &str, hops: &[Hop]) -> (Vec<u8>, usize) {
    let (mut message, mut changed_by) = (message.as_bytes().to_vec(), 0);
    for (index, hop) in hops.iter().enumerate() {
        let status = validate(&message).status();
        let before = message.clone();
        if let Some(subject) = &hop.subject {
            let new = format!("\nSubject: {subject} ");
            message = String::from_utf8(message).unwrap().replacen("\nSubject: ", &new, 1).into();
        }
        if let Some(footer) = &hop.footer {
            message.extend_from_slice(format!("\r\n.{footer}").as_bytes());
        }
        if message != before {
            changed_by = index + 1;
        }
        message = seal(&message, status, hop.who, &hop.helo).unwrap();
    }
    (message, changed_by)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_sealed_validates(message in message(), hops in prop::collection::vec(hop(), 1..7)) {
        let (message, changed_by) = forward(&message, &hops);
        let result = validate(&message);
        let expected = if changed_by <= 1 { 0 } else { u8::try_from(changed_by).unwrap() };
        prop_assert_eq!(result.outcome, Outcome::Pass { oldest_pass: expected });
        prop_assert_eq!(result.sets.len(), hops.len());
        for (set, hop) in result.sets.iter().zip(&hops) {
            prop_assert_eq!(set.sealer.as_ref().unwrap().domain.as_str(), KEYS[hop.who].0);
            let results = set.authentication_results.as_ref().unwrap();
            let expected = MethodResult::new(Keyword::SPF, Keyword::PASS)
                .with_reason(&hop.helo)
                .with_property(PropertyName::SMTP_HELO, &hop.helo);
            prop_assert_eq!(&results.results, &[expected]);
        }
    }

    #[test]
    fn no_octet_can_be_changed(
        message in message(),
        hops in prop::collection::vec(hop(), 1..4),
        places in prop::collection::vec(any::<prop::sample::Index>(), 12),
    ) {
        // The whole message is signed or sealed: the chain's fields, From, To, Subject and the body.
        let (message, _) = forward(&message, &hops);
        for place in places {
            let mut changed = message.clone();
            // No letter becomes the same one in another case, and no white space other white space.
            changed[place.index(message.len())] ^= 1;
            let status = validate(&changed).status();
            prop_assert_ne!(status, ChainStatus::Pass, "{}", changed.escape_ascii());
        }
    }

    #[test]
    fn no_set_can_be_left_out_or_exchanged(
        message in message(),
        hops in prop::collection::vec(hop(), 2..5),
        one in any::<prop::sample::Index>(),
        other in any::<prop::sample::Index>(),
    ) {
        let (message, _) = forward(&message, &hops);
        let (header, body) = read(&message);
        let print = |fields: &[sender_auth::HeaderField]| {
            let header: Vec<u8> =
                fields.iter().flat_map(|field| [field.octets(), b"\r\n"].concat()).collect();
            [&header, &b"\r\n"[..], &body].concat()
        };
        let fields = header.fields().to_vec();
        let (one, other) = (one.index(hops.len() * 3), other.index(hops.len() * 3));
        let mut without = fields.clone();
        without.remove(one);
        prop_assert_eq!(validate(&print(&without)).status(), ChainStatus::Fail);
        // The order of fields in the header means nothing.
        let mut swapped = fields.clone();
        swapped.swap(one, other);
        prop_assert_eq!(validate(&print(&swapped)).status(), ChainStatus::Pass);
        let mut doubled = fields;
        doubled.push(doubled[one].clone());
        prop_assert_eq!(validate(&print(&doubled)).status(), ChainStatus::Fail);
    }

    #[test]
    fn a_chain_that_failed_is_sealed_once_more_and_never_again(
        message in message(),
        hops in prop::collection::vec(hop(), 1..4),
    ) {
        let (mut message, _) = forward(&message, &hops);
        message.extend_from_slice(b"\r\n.changed");
        let status = validate(&message).status();
        prop_assert_eq!(status, ChainStatus::Fail);
        let message = seal(&message, status, 0, "").unwrap();
        prop_assert_eq!(validate(&message).outcome, Outcome::Fail(ChainFailure::FailedBefore));
        let again = seal(&message, ChainStatus::Pass, 1, "");
        prop_assert_eq!(again, Err(SealError::FailedBefore));
    }

    #[test]
    fn any_header_is_judged_without_panic(
        fields in prop::collection::vec(
            ("ARC-(Seal|Message-Signature|Authentication-Results)",
             "( ?(i|a|cv|d|s|b|bh|h|c|l|t|x)=(1|2|none|pass|fail|rsa-sha256|a.b|from|AAAA|relaxed|\\PC{0,4});?){0,9}"),
            0..9,
        ),
        rest in "\\PC{0,40}",
    ) {
        let fields: String =
            fields.iter().map(|(name, value)| format!("{name}: {value}{rest}\r\n")).collect();
        let message = format!("{fields}From: a@b.example\r\n\r\nbody");
        let result = validate(message.as_bytes());
        let expected = if fields.is_empty() { ChainStatus::None } else { ChainStatus::Fail };
        prop_assert_eq!(result.status(), expected);
        // There is a set for what comes next, or a reason why there is none.
        match seal(message.as_bytes(), result.status(), 0, "") {
            Ok(sealed) => {
                let status = validate(&sealed).status();
                let expected = if fields.is_empty() { ChainStatus::Pass } else { ChainStatus::Fail };
                prop_assert_eq!(status, expected);
            }
            Err(error) => prop_assert_eq!(error, SealError::FailedBefore),
        }
    }
}
