//! RFC 3207 for a client, clause by clause, attacks included. Each name carries the section.

mod script;

use script::{EHLO, GREETING, READY, play, play_from};
use smtp_starttls::{Extension, Failure, Stage};

#[test]
fn s4_the_whole_way() {
    let played = play(&[GREETING, EHLO, READY]);
    assert_eq!(played.sent, ["EHLO mail.example.com\r\n", "STARTTLS\r\n"]);
    let handshake = played.handshake();
    assert_eq!(handshake.in_clear().hello.server_name(), Some("mx.example.org"));
    let within = play_from(handshake.established(), &["250-mx.example.org\r\n250 REQUIRETLS\r\n"]);
    assert_eq!(within.sent, ["EHLO mail.example.com\r\n"]);
    let session = within.session();
    assert!(session.capabilities().offer(Extension::RequireTls));
    assert_eq!(session.hello().server_name(), Some("mx.example.org"));
}

#[test]
fn s2_no_starttls_among_the_keywords() {
    let failure = play(&[GREETING, "250-mx.example.org\r\n250 SIZE\r\n"]).failure();
    assert!(failure.may_quit());
    assert_eq!(
        failure.to_string(),
        "EHLO: expected STARTTLS, found 250 mx.example.org / SIZE (RFC 3207 §2)"
    );
}

#[test]
fn s6_an_offer_that_was_overwritten_is_told() {
    let failure = play(&[GREETING, "250-mx.example.org\r\n250 XXXXXXXA\r\n"]).failure();
    assert_eq!(failure.code(), "starttls-overwritten");
    assert_eq!(
        failure.to_string(),
        "EHLO: expected STARTTLS, found \"XXXXXXXA\" in its place (RFC 3207 §2)"
    );
}

#[test]
fn s4_only_220_begins_tls() {
    for reply in [
        "454 TLS not available due to temporary reason\r\n",
        "501 Syntax error\r\n",
        "502 Not implemented\r\n",
        "503 Bad sequence\r\n",
        "530 Must not\r\n",
        "421 Closing\r\n",
    ] {
        let failure = play(&[GREETING, EHLO, reply]).failure();
        assert!(matches!(failure, Failure::StarttlsRefused { .. }), "{reply}: {failure}");
        assert!(failure.may_quit());
    }
    for reply in ["250 Ok\r\n", "221 Bye\r\n", "354 Go\r\n"] {
        let failure = play(&[GREETING, EHLO, reply]).failure();
        assert!(
            matches!(failure, Failure::Unexpected { stage: Stage::Starttls, .. }),
            "{reply}: {failure}"
        );
        assert!(!failure.may_quit());
    }
}

#[test]
fn s4_the_end_instead_of_220() {
    let failure = play(&[GREETING, EHLO]).failure();
    assert_eq!(failure, Failure::Closed { stage: Stage::Starttls, octets: 0 });
}

/// CVE-2011-0411, CVE-2021-38371 and their like.
#[test]
fn s4_nothing_stands_between_220_and_the_handshake() {
    for injected in ["250-x\r\n250 AUTH PLAIN\r\n", "\r\n", "x", "\x16\x03\x01"] {
        let reply = format!("{READY}{injected}");
        let failure = play(&[GREETING, EHLO, &reply]).failure();
        assert_eq!(failure, Failure::Injected { octets: injected.len() });
        assert!(!failure.may_quit());
    }
}

#[test]
fn s4_replies_ahead_of_their_commands_do_not_hide_an_injection() {
    let all = format!("{GREETING}{EHLO}{READY}250 x\r\n");
    let played = play(&[&all]);
    assert_eq!(played.sent, ["EHLO mail.example.com\r\n", "STARTTLS\r\n"]);
    assert_eq!(played.failure(), Failure::Injected { octets: 7 });
}

#[test]
fn s4_a_reply_of_many_lines_is_one_reply() {
    play(&[GREETING, EHLO, "220-Ready\r\n220 to start TLS\r\n"]).handshake();
}

#[test]
fn s4_2_what_was_said_in_clear_is_forgotten() {
    let ehlo = "250-mx.example.org\r\n250-STARTTLS\r\n250-REQUIRETLS\r\n250 AUTH PLAIN\r\n";
    let handshake = play(&[GREETING, ehlo, READY]).handshake();
    let session =
        play_from(handshake.established(), &["250-mx.example.org\r\n250 SIZE\r\n"]).session();
    assert!(session.capabilities().keywords().eq(["SIZE"]));
}

#[test]
fn s4_2_starttls_within_tls_is_ignored() {
    let handshake = play(&[GREETING, EHLO, READY]).handshake();
    let played = play_from(handshake.established(), &[EHLO]);
    assert_eq!(played.sent, ["EHLO mail.example.com\r\n"]);
    let quit = play_from(played.session().quit(), &["221 Bye\r\n"]);
    assert_eq!(quit.sent, ["QUIT\r\n"]);
}

#[test]
fn s4_2_a_server_that_knows_no_ehlo_within_tls() {
    let handshake = play(&[GREETING, EHLO, READY]).handshake();
    let step = handshake.established();
    let played = play_from(step.clone(), &["502 No\r\n", "250 mx.example.org\r\n"]);
    assert_eq!(played.sent.last().unwrap(), "HELO mail.example.com\r\n");
    assert_eq!(played.session().capabilities().keywords().count(), 0);

    let failure = play_from(step.clone(), &["502 No\r\n", "502 No\r\n"]).failure();
    assert!(matches!(failure, Failure::Refused { stage: Stage::HeloInTls, .. }), "{failure}");
    let failure = play_from(step, &["421 Not with that certificate\r\n"]).failure();
    assert!(matches!(failure, Failure::Refused { stage: Stage::EhloInTls, .. }), "{failure}");
}
