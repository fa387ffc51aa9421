//! What must hold for every message: canonical forms are what a slow and plain reading of the
//! standard makes of them, however a body is cut; what was signed verifies; and whatever of it is
//! changed, it does not.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod crypto;
mod world;

use std::sync::LazyLock;

use crypto::{AwsLc, AwsLcKey};
use proptest::prelude::*;
use sender_auth::crypto::{Crypto, Sha256};
use sender_auth::dkim::{
    BodyHash, Canonicalization, DkimResult, FieldsToSign, KeyRecord, SIGNATURE_FIELD, Selector,
    SignOptions, SignWith, Signature, Signer, header_field, lint_key_record, select_key,
};
use sender_auth::{Header, HeaderField};
use smtp_types::{DomainName, Severity};
use world::{World, above, read, words};

/// RFC 6376 §3.4.3 and §3.4.4, as slow as they can be said.
fn plain_body(how: Canonicalization, body: &[u8]) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = vec![Vec::new()];
    let mut rest = body;
    while let [octet, behind @ ..] = rest {
        if let [b'\r', b'\n', behind @ ..] = rest {
            lines.push(Vec::new());
            rest = behind;
        } else {
            lines.last_mut().unwrap().push(*octet);
            rest = behind;
        }
    }
    if how == Canonicalization::Relaxed {
        lines.iter_mut().for_each(|line| *line = plain_line(line));
    }
    while lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    if lines.is_empty() && how == Canonicalization::Simple {
        lines.push(Vec::new());
    }
    lines.into_iter().flat_map(|line| [line, b"\r\n".to_vec()].concat()).collect()
}

fn plain_line(line: &[u8]) -> Vec<u8> {
    let is_space = |octet: &u8| matches!(octet, b' ' | b'\t');
    let mut out: Vec<u8> = Vec::new();
    for octet in line {
        if !is_space(octet) {
            out.push(*octet);
        } else if out.last() != Some(&b' ') {
            out.push(b' ');
        }
    }
    while out.last().is_some_and(is_space) {
        out.pop();
    }
    out
}

/// RFC 6376 §3.4.2, likewise.
fn plain_field(field: &HeaderField) -> Vec<u8> {
    let unfolded: Vec<u8> = field.value().to_vec();
    let unfolded = String::from_utf8_lossy(&unfolded).replace("\r\n", "");
    let value = plain_line(unfolded.as_bytes());
    let value = value.strip_prefix(b" ").unwrap_or(&value);
    [&field.name().to_ascii_lowercase(), &b":"[..], value, b"\r\n"].concat()
}

fn hash_of(how: Canonicalization, limit: Option<u64>, pieces: &[&[u8]]) -> ([u8; 32], u64) {
    let mut hash = BodyHash::new(how, limit, AwsLc.sha256());
    pieces.iter().for_each(|piece| hash.push(piece));
    let digest = hash.finish();
    (digest.digest, digest.canonical_octets)
}

fn plain_hash(octets: &[u8]) -> [u8; 32] {
    let mut sha256 = AwsLc.sha256();
    sha256.update(octets);
    sha256.finish()
}

/// A body with everything that canonicalization cares about.
fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => "[a-z]{1,9}".prop_map(String::into_bytes),
        1 => "[a-z ]{60,200}".prop_map(String::into_bytes),
        1 => "([a-z]{1,70} {1,3}){1,20}".prop_map(String::into_bytes),
        1 => "[ \t]{1,80}".prop_map(String::into_bytes),
        3 => Just(b"\r\n".to_vec()),
        2 => Just(b" ".to_vec()),
        1 => Just(b"\t".to_vec()),
        1 => Just(b"\r".to_vec()),
        1 => Just(b"\n".to_vec()),
        1 => prop::collection::vec(any::<u8>(), 1..4),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

fn hows() -> impl Strategy<Value = Canonicalization> {
    prop_oneof![Just(Canonicalization::Simple), Just(Canonicalization::Relaxed)]
}

proptest! {
    #[test]
    fn a_body_is_what_the_standard_says_however_it_is_cut(
        body in bodies(),
        how in hows(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut begin = 0;
        for cut in cuts.into_iter().chain([body.len()]) {
            pieces.push(&body[begin..cut]);
            begin = cut;
        }
        let plain = plain_body(how, &body);
        prop_assert_eq!(hash_of(how, None, &pieces), (plain_hash(&plain), plain.len() as u64));
        let limit = plain.len() / 2;
        let limited = hash_of(how, Some(limit as u64), &pieces);
        prop_assert_eq!(limited, (plain_hash(&plain[..limit]), plain.len() as u64));
    }

    #[test]
    fn canonical_forms_stay_as_they_are(body in bodies(), how in hows()) {
        let once = plain_body(how, &body);
        prop_assert_eq!(hash_of(how, None, &[&once]), hash_of(how, None, &[&body]));
    }

    #[test]
    fn a_field_is_what_the_standard_says(
        name in "[A-Za-z-]{1,12}[ \t]{0,2}",
        value in "([ -~\t]|\r\n |\r\n\t){0,80}",
    ) {
        let field = HeaderField::new(name.as_bytes(), value.as_bytes()).unwrap();
        let mut out = Vec::new();
        header_field(Canonicalization::Relaxed, &field, &mut out);
        prop_assert_eq!(out.escape_ascii().to_string(), plain_field(&field).escape_ascii().to_string());
        let again = HeaderField::parse(out.strip_suffix(b"\r\n").unwrap()).unwrap();
        let mut twice = Vec::new();
        header_field(Canonicalization::Relaxed, &again, &mut twice);
        prop_assert_eq!(out, twice);
    }
}

/// One key of each kind, and the world that publishes them.
static KEYS: LazyLock<(AwsLcKey, AwsLcKey, World)> = LazyLock::new(|| {
    let (rsa, ed25519) = (AwsLcKey::new_rsa(), AwsLcKey::ed25519(&[7; 32]));
    let world = World::default()
        .key("r._domainkey.example.com", &rsa.record().to_string())
        .key("e._domainkey.example.com", &ed25519.record().to_string());
    (rsa, ed25519, world)
});

fn sign(message: &[u8], options: SignOptions) -> Vec<HeaderField> {
    let (rsa, ed25519, _) = &*KEYS;
    let with = [("r", rsa), ("e", ed25519)].map(|(selector, key)| SignWith {
        domain: DomainName::parse("example.com").unwrap(),
        selector: Selector::parse(selector).unwrap(),
        key,
    });
    let (header, body) = read(message);
    let mut signer = Signer::new(&header, &AwsLc, with.into(), options).unwrap();
    body.chunks(7).for_each(|piece| signer.push(piece));
    signer.finish().unwrap()
}

fn results(message: &[u8]) -> Vec<DkimResult> {
    words(&KEYS.2.verify(&AwsLc, message))
}

/// A header with `From` and some others, some of them twice.
fn headers() -> impl Strategy<Value = String> {
    let field = "(To|Cc|Subject|Date|X-Other|Received|List-Id): ?[!-~ \t]{0,30}(\r\n [!-~]{1,20})?";
    prop::collection::vec(field, 0..8).prop_map(|mut fields| {
        fields.insert(fields.len() / 2, "From: Joe <joe@example.com>".into());
        fields.join("\r\n") + "\r\n"
    })
}

fn options() -> impl Strategy<Value = SignOptions> {
    (hows(), hows(), prop::option::of(1..1_000_000_u64)).prop_map(|(header, body, lifetime)| {
        SignOptions {
            header_canonicalization: header,
            body_canonicalization: body,
            lifetime: lifetime.map(std::time::Duration::from_secs),
            ..SignOptions::new(KEYS.2.now)
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_was_signed_verifies_and_what_was_changed_does_not(
        header in headers(),
        body in bodies(),
        options in options(),
        at in any::<prop::sample::Index>(),
        bit in 0..8_u8,
    ) {
        let message = [header.as_bytes(), b"\r\n", &body].concat();
        let fields = sign(&message, options.clone());
        for field in &fields {
            prop_assert!(field.octets().split(|octet| *octet == b'\n').all(|line| line.len() <= 79));
            prop_assert!(Signature::parse(field).is_ok());
        }
        let signed = above(&fields, &message);
        prop_assert_eq!(results(&signed), [DkimResult::Pass; 2]);

        // What is signed is the canonical form: a change that it does not show changes nothing,
        // every other is found.
        let form = |message: &[u8]| {
            let (header, body) = read(message);
            let mut form = plain_body(options.body_canonicalization, &body);
            for field in header.fields().iter().filter(|field| !field.is(SIGNATURE_FIELD)) {
                if ["From", "To", "Cc", "Subject", "Date", "List-Id"].iter().any(|name| field.is(name)) {
                    header_field(options.header_canonicalization, field, &mut form);
                }
            }
            form
        };
        let mut changed = message.clone();
        let index = at.index(changed.len());
        changed[index] ^= 1 << bit;
        if form(&changed) != form(&message) {
            let changed = above(&fields, &changed);
            prop_assert!(!results(&changed).contains(&DkimResult::Pass));
        }
    }

    #[test]
    fn no_octet_of_a_signature_can_be_changed(
        at in any::<prop::sample::Index>(),
        bit in 0..8_u8,
        options in options(),
    ) {
        let message = b"From: joe@example.com\r\n\r\nHi.\r\n";
        let fields = sign(message, options.clone());
        let octets = fields[0].octets();
        let begin = SIGNATURE_FIELD.len() + 1;
        let index = begin + at.index(octets.len() - begin);
        let mut changed = octets.to_vec();
        changed[index] ^= 1 << bit;
        let Ok(changed) = HeaderField::parse(&changed) else {
            return Ok(());
        };
        // The value of b= may be folded in another way; nothing else may differ.
        let unsigned = |field: &HeaderField| {
            let mut form = Vec::new();
            header_field(options.header_canonicalization, field, &mut form);
            let begin = form.windows(3).rposition(|window| window == b" b=");
            form.truncate(begin.unwrap_or_default());
            form
        };
        let same = Signature::parse(&changed).is_ok_and(|signature| {
            let original = Signature::parse(&fields[0]).unwrap();
            signature.octets() == original.octets() && unsigned(&changed) == unsigned(&fields[0])
        });
        if !same {
            let signed = above(&[changed], message);
            prop_assert_ne!(results(&signed)[..1].to_vec(), [DkimResult::Pass]);
        }
    }

    #[test]
    fn no_field_of_an_oversigned_name_can_be_added(
        header in headers(),
        name in prop::sample::select(vec!["From", "To", "CC", "subject", "Date", "Reply-To", "MIME-Version"]),
        on_top in any::<bool>(),
        options in options(),
    ) {
        let body = "\r\nHi.\r\n";
        let fields = sign((header.clone() + body).as_bytes(), options);
        let added = format!("{name}: else@example.net\r\n");
        let message = if on_top { added + &header } else { header + &added } + body;
        let signed = above(&fields, message.as_bytes());
        prop_assert_eq!(results(&signed), [DkimResult::Fail; 2]);
        // A field that nobody signs changes nothing, nor does a trace field.
        let other = format!("X-Other: 1\r\nReceived: 2\r\n{message}");
        prop_assert_eq!(results(&above(&fields, other.as_bytes())), [DkimResult::Fail; 2]);
    }
}

/// Text that comes close to a key record, so that the deeper rules are reached.
fn record_like() -> impl Strategy<Value = String> {
    let tag = prop_oneof![
        4 => "(v|h|k|n|p|s|t|g|K) ?= ?(DKIM1|rsa|ed25519|sha256|sha1:sha256|y|s|y:s|\\*|email|tlsrpt)?",
        1 => Just("p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=".to_owned()),
        1 => Just("k=ed25519".to_owned()),
        1 => Just("v=DKIM1".to_owned()),
        1 => "\\PC{0,12}",
    ];
    prop::collection::vec(tag, 0..6).prop_map(|tags| tags.join(";"))
}

proptest! {
    #[test]
    fn any_octets_are_read_without_panic(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = KeyRecord::parse(&octets);
        let _ = select_key([&octets[..], b"v=DKIM1; p="]);
        let _ = lint_key_record(&octets);
        if let Ok(field) = HeaderField::new(b"DKIM-Signature", &octets) {
            let _ = Signature::parse(&field);
            let header: Header = [field].into_iter().collect();
            let _ = FieldsToSign::default();
            let _ = sender_auth::dkim::not_strict(&header);
        }
    }

    #[test]
    fn a_record_printed_and_read_is_the_same(text in record_like()) {
        let parsed = KeyRecord::parse(text.as_bytes());
        if let Ok(record) = &parsed {
            prop_assert_eq!(&KeyRecord::parse(record.to_string().as_bytes()).unwrap(), record);
        }
        let findings = lint_key_record(text.as_bytes());
        let valid = findings.iter().all(|finding| finding.severity < Severity::Error);
        let usable = parsed.as_ref().is_ok_and(|record| record.allows_sha256());
        prop_assert_eq!(usable, valid, "{:?} {:?}", parsed, findings);
    }
}
