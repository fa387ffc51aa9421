//! RFC 8463, Ed25519 for DKIM, clause by clause. Each name carries the section.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod crypto;
mod world;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::{AwsLc, AwsLcKey, TestVectors};
use sender_auth::dkim::{
    Algorithm, KeyFailure, KeyRecord, KeyRecordFault, Reason, Selector, SignOptions, SignWith,
    Signature, SignatureResult, Signer,
};
use smtp_types::{DomainName, UnixTime};
use world::{World, above, read, sign_as};

/// Appendix A.3, both signatures.
const MESSAGE: &str = "\
DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :
 date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.  Are you hungry yet?

Joe.
";

fn world() -> World {
    World::default()
        .key("brisbane._domainkey.football.example.com", ED25519)
        .key("test._domainkey.football.example.com", RSA)
}

fn reasons(results: &[SignatureResult]) -> Vec<&Reason> {
    results.iter().map(|result| &result.reason).collect()
}

#[test]
fn appendix_a_both_signatures_verify() {
    let by_library = world().verify(&AwsLc, MESSAGE.as_bytes());
    assert_eq!(reasons(&by_library), [&Reason::Verified; 2]);
    assert_eq!(by_library, world().verify(&TestVectors, MESSAGE.as_bytes()));
    let sizes: Vec<_> = by_library.iter().map(|result| result.key_bits).collect();
    assert_eq!(sizes, [Some(256), Some(1024)]);
    let changed = MESSAGE.replace("Joe SixPack", "Joe Sixpack");
    let by_library = world().verify(&AwsLc, changed.as_bytes());
    assert_eq!(reasons(&by_library), [&Reason::SignatureMismatch; 2]);
    assert_eq!(by_library, world().verify(&TestVectors, changed.as_bytes()));
}

#[test]
fn s3_ed25519_signs_the_sha_256_of_the_header() {
    // Appendix A.1 has the private key: signing again gives the very octets of Appendix A.3.
    let seed = STANDARD.decode("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=").unwrap();
    let key = AwsLcKey::ed25519(&seed.try_into().unwrap());
    assert_eq!(key.record(), KeyRecord::parse(ED25519.as_bytes()).unwrap());
    let unsigned = MESSAGE.split_at(MESSAGE.find("From:").unwrap()).1;
    let tags = "v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n d=football.example.com; \
                i=@football.example.com;\r\n q=dns/txt; s=brisbane; t=1528637909; h=from : to \
                :\r\n subject : date : message-id : from : subject : date";
    let field = sign_as(&AwsLc, &key, tags, unsigned.as_bytes());
    let (header, _) = read(MESSAGE.as_bytes());
    let printed = Signature::parse(&header.fields()[0]).unwrap();
    assert_eq!(Signature::parse(&field).unwrap().octets(), printed.octets());
}

#[test]
fn s4_the_record_has_the_key_and_nothing_around_it() {
    let wrapped = "k=ed25519; p=MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    let error = KeyRecord::parse(wrapped.as_bytes()).unwrap_err();
    assert_eq!(error.fault, KeyRecordFault::Ed25519Wrapped);
    let world = world().key("brisbane._domainkey.football.example.com", wrapped);
    let results = world.verify(&AwsLc, MESSAGE.as_bytes());
    assert_eq!(results[0].reason, Reason::Key(KeyFailure::Invalid(error)));
    assert_eq!(results[1].reason, Reason::Verified);
}

#[test]
fn s5_both_kinds_of_signatures_are_made_at_once() {
    let (rsa, ed25519) = (AwsLcKey::new_rsa(), AwsLcKey::ed25519(&[5; 32]));
    let unsigned = MESSAGE.split_at(MESSAGE.find("From:").unwrap()).1;
    let (header, body) = read(unsigned.as_bytes());
    let with = [("e", &ed25519), ("r", &rsa)].map(|(selector, key)| SignWith {
        domain: DomainName::parse("example.com").unwrap(),
        selector: Selector::parse(selector).unwrap(),
        key,
    });
    let options = SignOptions::new(UnixTime(1_700_000_000));
    let mut signer = Signer::new(&header, &AwsLc, with.into(), options).unwrap();
    signer.push(&body);
    let fields = signer.finish().unwrap();
    let world = World::default()
        .key("e._domainkey.example.com", &ed25519.record().to_string())
        .key("r._domainkey.example.com", &rsa.record().to_string());
    let results = world.verify(&AwsLc, &above(&fields, unsigned.as_bytes()));
    assert_eq!(reasons(&results), [&Reason::Verified; 2]);
    let algorithms = results.iter().map(|result| result.signature.as_ref().unwrap().algorithm);
    assert!(algorithms.eq([Algorithm::Ed25519Sha256, Algorithm::RsaSha256]));
}

const ED25519: &str = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
const RSA: &str = "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3i\
    dY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3\
    rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB";
