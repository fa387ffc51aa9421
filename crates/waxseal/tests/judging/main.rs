//! From a message and a table of DNS answers to what counts, what is decided, and what is said.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod world;

use sender_auth::arc::ChainStatus;
use sender_auth::authres::{AuthservId, MethodResult, PropertyName};
use sender_auth::report::forwarding::Looks;
use sender_auth::statement;
use waxseal::gate::answer::refusal;
use waxseal::gate::decide::{Action, Asked, Author, Dmarc, Matrix, Reason, Spf, decide};
use waxseal::gate::facts::{facts, identified, looks};
use waxseal::gate::verdict::{Identified, Unidentified};

use world::{LETTER, NOW, World, name};

const REJECT: &str = "v=DMARC1; p=reject";

#[test]
fn a_signed_letter_passes_and_its_author_is_identified() {
    let world = World::new().dmarc("good.test", REJECT);
    let letter = world.signed("good.test", LETTER);
    let authentication = world.judged(&letter);
    let facts = facts(&authentication, &world.local, NOW);
    assert_eq!((facts.author, facts.dmarc, facts.spf), (Author::One, Dmarc::Pass, Spf::Other));
    assert_eq!(identified(&authentication), Identified::Yes { by: name("good.test") });
    let decision = decide(&facts, &Matrix::default());
    assert_eq!(decision.reason, Reason::Passed);
    assert_eq!(refusal(&decision, &authentication, ""), None);
}

#[test]
fn spf_alone_passes_and_identifies_nobody() {
    let world =
        World::new().dmarc("good.test", REJECT).spf("good.test", "v=spf1 ip4:192.0.2.1 -all");
    let authentication = world.judged(LETTER);
    let facts = facts(&authentication, &world.local, NOW);
    assert_eq!(facts.dmarc, Dmarc::Pass);
    assert_eq!(identified(&authentication), Identified::No { because: Unidentified::SpfOnly });
}

#[test]
fn what_keeps_an_author_from_being_identified_is_named() {
    let world = World::new().dmarc("good.test", REJECT);
    let unidentified = |letter: &str| match identified(&world.judged(letter)) {
        Identified::No { because } => because,
        Identified::Yes { by } => panic!("identified by {by}"),
    };
    assert_eq!(unidentified(LETTER), Unidentified::NoSignature);
    assert_eq!(unidentified(&world.signed("other.test", LETTER)), Unidentified::NotAligned);
    let two = LETTER.replace("From: ", "From: b@other.test, ");
    assert_eq!(unidentified(&world.signed("good.test", &two)), Unidentified::NoAuthor);
    let testing = World::new().dmarc("good.test", REJECT).testing_keys();
    let letter = testing.signed("good.test", LETTER);
    let because = Unidentified::TestKey;
    assert_eq!(identified(&testing.judged(&letter)), Identified::No { because });
    // And what is only tested does not count (RFC 6376 §3.6.1).
    let facts = facts(&testing.judged(&letter), &testing.local, NOW);
    assert_eq!(facts.dmarc, Dmarc::Fail(Asked::Reject));
}

#[test]
fn a_refusal_names_the_domain_the_checks_and_the_help() {
    let world =
        World::new().dmarc("good.test", REJECT).spf("good.test", "v=spf1 ip4:192.0.2.9 -all");
    let authentication = world.judged(LETTER);
    let decision = decide(&facts(&authentication, &world.local, NOW), &Matrix::default());
    assert_eq!(decision.action, Action::Reject);
    let refusal = refusal(&decision, &authentication, "see https://mx.test/help").unwrap();
    assert_eq!(
        refusal.to_string(),
        "550 5.7.26 DMARC: this message says that it is from good.test, and neither SPF nor DKIM \
         confirms it; the owner of that domain asks for its refusal\n\
         SPF: fail for good.test, by -all\n\
         DKIM: none, the message is not signed\n\
         see https://mx.test/help"
    );
}

#[test]
fn a_silent_dns_defers_and_tells_nothing_of_our_resolver() {
    let world = World::new().silent("good.test");
    let authentication = world.judged(LETTER);
    let decision = decide(&facts(&authentication, &world.local, NOW), &Matrix::default());
    assert_eq!((decision.action, &decision.reason), (Action::Defer, &Reason::Temperror));
    assert_eq!(
        refusal(&decision, &authentication, "").unwrap().to_string(),
        "451 4.4.3 DMARC: the DNS of good.test does not answer; please try again later"
    );
}

#[test]
fn a_trusted_forwarder_vouches_for_what_it_has_changed() {
    let world = World::new().dmarc("good.test", REJECT);
    let letter = world.signed("good.test", LETTER);
    let results = [MethodResult::new(
        sender_auth::authres::Keyword::DMARC,
        sender_auth::authres::Keyword::PASS,
    )
    .with_property(PropertyName::HEADER_FROM, "good.test")];
    let sealed = world.sealed("lists.test", &letter, ChainStatus::None, &results);
    let forwarded = sealed.replacen("Subject: ", "Subject: [list] ", 1);
    // The list seals what it sends, so its own signature holds over what it has changed.
    let changed = letter.replacen("Subject: ", "Subject: [list] ", 1);
    let honest = world.sealed("lists.test", &changed, ChainStatus::None, &results);

    let untrusted = world.judged(&honest);
    assert_eq!(facts(&untrusted, &world.local, NOW).forwarder, None);

    let trusting = world.trusting("lists.test");
    let authentication = trusting.judged(&honest);
    let found = facts(&authentication, &trusting.local, NOW);
    assert_eq!(found.dmarc, Dmarc::Fail(Asked::Reject));
    let voucher = found.forwarder.clone().unwrap();
    assert_eq!(voucher.sealer, name("lists.test"));
    assert_eq!(decide(&found, &Matrix::default()).action, Action::Accept);
    let header = World::header(&honest);
    let seen = looks(&authentication, Some(&voucher), "x@lists.test", &header);
    assert!(matches!(seen, Looks::Forwarded { .. }), "{seen:?}");

    // Whoever changes it behind the list breaks its seal.
    assert_eq!(facts(&trusting.judged(&forwarded), &trusting.local, NOW).forwarder, None);
    // And what the list says of another author does not count (RFC 8617 §7.2).
    let other = [MethodResult::new(
        sender_auth::authres::Keyword::DMARC,
        sender_auth::authres::Keyword::PASS,
    )
    .with_property(PropertyName::HEADER_FROM, "other.test")];
    let lying = trusting.sealed("lists.test", &changed, ChainStatus::None, &other);
    assert_eq!(facts(&trusting.judged(&lying), &trusting.local, NOW).forwarder, None);
}

#[test]
fn s2_7_the_statement_says_every_check_and_no_local_part() {
    let world =
        World::new().dmarc("good.test", REJECT).spf("good.test", "v=spf1 ip4:192.0.2.1 -all");
    let letter = world.signed("good.test", LETTER);
    let authentication = world.judged(&letter);
    let id = AuthservId::new("mx.test").unwrap();
    let value = statement(&authentication, id, Some("192.0.2.1".parse().unwrap())).to_value();
    let unfolded = value.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "mx.test; spf=pass",
        "smtp.mailfrom=good.test",
        "iprev=fail policy.iprev=192.0.2.1",
        "dkim=pass",
        "header.d=good.test header.s=s header.a=ed25519-sha256 header.b=",
        "dmarc=pass",
        "policy.dmarc=reject header.from=good.test",
    ] {
        assert!(unfolded.contains(part), "{part}: {unfolded}");
    }
    assert!(!unfolded.contains("alice"), "{unfolded}");
    assert!(value.lines().all(|line| line.len() <= 78), "{value}");
}
