//! RFC 5321 for a client, clause by clause, as far as it needs the dialogue. Each name carries the
//! section.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]
#![expect(clippy::panic, reason = "a test may fail loudly")]

mod script;

use script::{EHLO, GREETING, READY, play, play_from, session};
use smtp_starttls::{
    Delivery, Extension, Failure, Letter, Outcome, ReplyFault, RequireTls, Stage, Step,
};
use smtp_types::EmailAddress;

fn letter(recipients: &[&str], content: &str) -> Letter {
    let address = |text: &str| EmailAddress::parse(text).unwrap();
    let recipients = recipients.iter().map(|recipient| address(recipient)).collect();
    let sender = Some(address("a@example.com"));
    Letter::new(sender, recipients, RequireTls::No, content.into()).unwrap()
}

/// What the client says, and what became of the letter.
fn deliver(letter: Letter, replies: &[&str]) -> (Vec<String>, Delivery) {
    let offered = session(&["8BITMIME", "SMTPUTF8"]);
    let played = play_from(offered.deliver(letter).unwrap(), replies);
    match played.end {
        Ok(Step::Delivered(delivery)) => (played.sent, delivery),
        end => panic!("expected a delivery, found {end:?}"),
    }
}

#[test]
fn s2_3_8_only_cr_lf_ends_a_line() {
    let failure = play(&["220 mx.example.org\n"]).failure();
    assert_eq!(failure.code(), "smtp-malformed");
    let text = "greeting: line 1, column 19: end of line: expected CR LF, found LF alone \
                (RFC 5321 §2.3.8)";
    assert_eq!(failure.to_string(), text);
}

#[test]
fn s3_1_the_server_speaks_first() {
    let played = play(&[]);
    assert!(played.sent.is_empty());
    assert_eq!(played.failure(), Failure::Closed { stage: Stage::Greeting, octets: 0 });
    assert_eq!(play(&["220-mx"]).failure(), Failure::Closed { stage: Stage::Greeting, octets: 6 });
}

#[test]
fn s3_1_a_server_may_refuse_with_its_first_word() {
    for reply in ["554 No SMTP service here\r\n", "421 mx.example.org Too busy\r\n"] {
        let failure = play(&[reply]).failure();
        assert!(failure.may_quit());
        assert!(matches!(&failure, Failure::Refused { stage: Stage::Greeting, .. }), "{failure}");
    }
    let failure = play(&["354 Go ahead\r\n"]).failure();
    assert_eq!(failure.to_string(), "greeting: expected 220, 4yz or 5yz, found 354 Go ahead");
}

#[test]
fn s3_2_helo_where_ehlo_is_unknown() {
    let played = play(&[GREETING, "502 Not implemented\r\n", "250 mx.example.org\r\n"]);
    assert_eq!(played.sent, ["EHLO mail.example.com\r\n", "HELO mail.example.com\r\n"]);
    // A mail server, and one without STARTTLS.
    assert_eq!(played.failure().code(), "starttls-not-offered");

    let failure = play(&[GREETING, "502 No\r\n", "550 Go away\r\n"]).failure();
    assert!(matches!(failure, Failure::Refused { stage: Stage::Helo, .. }), "{failure}");
}

#[test]
fn s3_2_a_temporary_refusal_of_ehlo_is_no_word_on_extensions() {
    let played = play(&[GREETING, "450 Later\r\n"]);
    assert_eq!(played.sent.len(), 1);
    let failure = played.failure();
    assert!(matches!(failure, Failure::Refused { stage: Stage::Ehlo, .. }), "{failure}");
}

#[test]
fn s3_3_a_letter() {
    let content = "Subject: x\r\n\r\n.dot\r\n";
    let (sent, delivery) = deliver(
        letter(&["b@example.org", "c@example.org"], content),
        &["250 Ok\r\n", "250 Ok\r\n", "251 Will forward\r\n", "354 Go\r\n", "250 Queued\r\n"],
    );
    assert_eq!(
        sent,
        [
            "MAIL FROM:<a@example.com>\r\n",
            "RCPT TO:<b@example.org>\r\n",
            "RCPT TO:<c@example.org>\r\n",
            "DATA\r\n",
            "Subject: x\r\n\r\n..dot\r\n.\r\n",
        ]
    );
    assert!(matches!(delivery.outcome(), Outcome::Accepted(_)), "{delivery:?}");
    assert!(delivery.refused().is_empty());
}

#[test]
fn s3_3_the_letter_goes_only_after_354() {
    let offered = session(&[]);
    let step = offered.deliver(letter(&["b@example.org"], "x")).unwrap();
    let played = play_from(step, &["250 Ok\r\n", "250 Ok\r\n", "250 Ok\r\n"]);
    assert!(!played.sent.iter().any(|sent| sent.contains("x\r\n.")), "{:?}", played.sent);
    let failure = played.failure();
    assert_eq!(failure.to_string(), "DATA: expected 354, 4yz or 5yz, found 250 Ok");
}

#[test]
fn s3_3_recipients_are_refused_one_by_one() {
    let (sent, delivery) = deliver(
        letter(&["b@example.org", "c@example.org"], "x\r\n"),
        &["250 Ok\r\n", "550 Unknown\r\n", "250 Ok\r\n", "354 Go\r\n", "250 Queued\r\n"],
    );
    assert_eq!(sent.len(), 5);
    assert_eq!(delivery.refused().len(), 1);
    assert_eq!(delivery.refused()[0].recipient.to_string(), "b@example.org");
    assert!(matches!(delivery.outcome(), Outcome::Accepted(_)));
}

#[test]
fn s3_3_without_recipients_there_is_no_data() {
    let (sent, delivery) =
        deliver(letter(&["b@example.org"], "x\r\n"), &["250 Ok\r\n", "450 Later\r\n"]);
    assert!(!sent.iter().any(|sent| sent == "DATA\r\n"));
    let Outcome::Refused { stage, reply } = delivery.outcome() else { panic!("{delivery:?}") };
    assert_eq!((*stage, reply.code().number()), (Stage::Recipient, 450));
}

#[test]
fn s4_1_1_1_keywords_are_case_insensitive() {
    let ehlo = "250-mx.example.org\r\n250-size\r\n250 StartTls\r\n";
    play(&[GREETING, ehlo, READY]).handshake();
}

#[test]
fn s4_1_1_1_the_first_line_is_no_keyword() {
    let failure = play(&[GREETING, "250-STARTTLS\r\n250 SIZE\r\n"]).failure();
    assert_eq!(failure.code(), "starttls-not-offered");
}

#[test]
fn s4_1_1_10_quit_waits_for_the_reply() {
    let quit = session(&[]).quit();
    let played = play_from(quit.clone(), &["221 Bye\r\n"]);
    assert_eq!(played.sent, ["QUIT\r\n"]);
    assert!(matches!(played.end, Ok(Step::Closed)));
    let failure = play_from(quit, &[]).failure();
    assert_eq!(failure, Failure::Closed { stage: Stage::Quit, octets: 0 });
}

#[test]
fn s4_1_1_4_refused_letters_are_told_with_their_stage() {
    let whole = ["250 Ok\r\n", "250 Ok\r\n", "354 Go\r\n", "554 Refused\r\n"];
    let refused = |count: usize, last: &'static str| {
        let replies = [&whole[..count], &[last]].concat();
        let (_, delivery) = deliver(letter(&["b@example.org"], "x"), &replies);
        match delivery.outcome() {
            Outcome::Refused { stage, .. } => *stage,
            outcome @ Outcome::Accepted(_) => panic!("{outcome:?}"),
        }
    };
    assert_eq!(refused(0, "451 Later\r\n"), Stage::Mail);
    assert_eq!(refused(1, "550 No\r\n"), Stage::Recipient);
    assert_eq!(refused(2, "554 No valid recipients\r\n"), Stage::Data);
    assert_eq!(refused(3, "554 Spam\r\n"), Stage::Letter);
}

#[test]
fn s4_2_1_all_lines_have_one_code() {
    let failure = play(&[GREETING, "250-mx.example.org\r\n251 STARTTLS\r\n"]).failure();
    let Failure::Malformed { stage: Stage::Ehlo, error } = failure else { panic!("{failure}") };
    assert!(matches!(error.fault, ReplyFault::MixedCodes { .. }), "{error}");
}

#[test]
fn s4_2_1_the_space_before_no_text_may_be_missing() {
    play(&["220\r\n", "250-mx.example.org\r\n250 STARTTLS\r\n", "220\r\n"]).handshake();
}

#[test]
fn s4_2_1_the_first_digit_decides() {
    play(&["299 Welcome\r\n", EHLO, READY]).handshake();
}

#[test]
fn s4_5_2_dots_are_doubled() {
    let (sent, _) = deliver(
        letter(&["b@example.org"], ".\r\n..\r\n"),
        &["250 Ok\r\n", "250 Ok\r\n", "354 Go\r\n", "250 Queued\r\n"],
    );
    assert_eq!(sent.last().unwrap(), "..\r\n...\r\n.\r\n");
}

#[test]
fn s4_5_5_the_null_reverse_path() {
    let recipients = [EmailAddress::parse("b@example.org").unwrap()].into();
    let letter = Letter::new(None, recipients, RequireTls::No, b"x".to_vec()).unwrap();
    let played = play_from(session(&[]).deliver(letter).unwrap(), &[]);
    assert_eq!(played.sent, ["MAIL FROM:<>\r\n"]);
}

/// RFC 6152 §3 and RFC 6531 §3.2 as well: what a letter needs is said, or it does not go.
#[test]
fn s2_2_a_letter_that_needs_an_extension_goes_only_where_it_is_offered() {
    let eight_bit = letter(&["b@example.org"], "S: x\r\n\r\nGrüße\r\n");
    let missing = session(&[]).deliver(eight_bit.clone()).unwrap_err();
    assert_eq!(missing, Failure::Missing { extension: Extension::EightBitMime });
    let (sent, _) = deliver(eight_bit, &["450 Later\r\n"]);
    assert_eq!(sent, ["MAIL FROM:<a@example.com> BODY=8BITMIME\r\n"]);

    let utf8 = letter(&["grüße@example.org"], "x");
    let missing = session(&["8BITMIME"]).deliver(utf8.clone()).unwrap_err();
    assert_eq!(missing.to_string(), "EHLO: expected SMTPUTF8, found no such offer");
    let (sent, _) = deliver(utf8, &["450 Later\r\n"]);
    assert_eq!(sent, ["MAIL FROM:<a@example.com> SMTPUTF8\r\n"]);
}
