//! RFC 8689 for a client, clause by clause. Each name carries the section.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod script;

use script::{EHLO, GREETING, READY, play, play_from, session};
use smtp_starttls::{Extension, Failure, Letter, RequireTls, TlsRequired};
use smtp_types::EmailAddress;

fn letter() -> Letter {
    let address = |text: &str| EmailAddress::parse(text).unwrap();
    let recipients = [address("b@example.org")].into();
    let sender = Some(address("a@example.com"));
    Letter::new(sender, recipients, RequireTls::Yes, b"x".to_vec()).unwrap()
}

#[test]
fn s2_the_parameter_of_mail_has_no_value() {
    let played = play_from(session(&["RequireTLS"]).deliver(letter()).unwrap(), &[]);
    assert_eq!(played.sent, ["MAIL FROM:<a@example.com> REQUIRETLS\r\n"]);
}

#[test]
fn s4_2_1_without_the_offer_the_letter_stays() {
    let failure = session(&["STARTTLS"]).deliver(letter()).unwrap_err();
    assert_eq!(failure, Failure::Missing { extension: Extension::RequireTls });
    assert!(failure.may_quit());
}

#[test]
fn s4_2_1_an_offer_in_clear_does_not_count() {
    let ehlo = EHLO.replace("SIZE", "REQUIRETLS");
    let handshake = play(&[GREETING, &ehlo, READY]).handshake();
    let session = play_from(handshake.established(), &["250 mx.example.org\r\n"]).session();
    assert!(session.deliver(letter()).is_err());
}

#[test]
fn s3_tls_required_no() {
    let letter = b"From: a@example.com\r\nTLS-Required: No\r\n\r\n";
    assert_eq!(TlsRequired::of_letter(letter), TlsRequired::No);
    let twice = b"TLS-Required: No\r\nTLS-Required: No\r\n\r\n";
    assert_eq!(TlsRequired::of_letter(twice), TlsRequired::AsPolicy);
}
