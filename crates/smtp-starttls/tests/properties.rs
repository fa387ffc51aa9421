//! What must hold for every input: no panic, print ∘ parse is the identity, and it does not matter
//! how the network cuts what the server says.

mod script;

use proptest::prelude::*;
use smtp_starttls::{
    Capabilities, Dialogue, MAX_LINES, MAX_REPLY, Reply, ReplyError, ReplyReader, Step, TlsRequired,
};

/// All replies that octets hold, and the fault that ends them.
fn read(octets: &[u8]) -> (Vec<Reply>, Option<ReplyError>) {
    let mut reader = ReplyReader::new();
    let mut replies = Vec::new();
    for octet in octets {
        match reader.push(*octet) {
            Ok(reply) => replies.extend(reply),
            Err(error) => return (replies, Some(error)),
        }
    }
    (replies, None)
}

/// What the client says to a server that says `octets` in these pieces, and how it ends.
fn drive(pieces: &[&[u8]]) -> (Vec<u8>, String) {
    let mut pieces = pieces.iter();
    let mut said = Vec::new();
    let mut step = Step::Read(Dialogue::open(script::name()));
    loop {
        let next = match step {
            Step::Send { octets, then } => {
                said.extend(octets);
                then.resume()
            }
            Step::Read(dialogue) => match pieces.next() {
                Some(piece) => dialogue.receive(piece),
                None => return (said, dialogue.closed().to_string()),
            },
            Step::StartTls(handshake) => {
                return (said, format!("handshake {:?}", handshake.in_clear()));
            }
            end => return (said, format!("{end:?}")),
        };
        step = match next {
            Ok(step) => step,
            Err(failure) => return (said, failure.to_string()),
        };
    }
}

/// Text that comes close to what servers say.
fn server_like() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        Just("220 mx.example.org\r\n".to_owned()),
        Just("250-mx.example.org\r\n250 STARTTLS\r\n".to_owned()),
        Just("250-mx.example.org\r\n250-size\r\n".to_owned()),
        "(220|250|354|421|454|502|554)[ -](STARTTLS|[a-z. ]{0,9})\r\n",
        "\\PC{0,6}(\r\n|\n)",
    ];
    prop::collection::vec(line, 0..7).prop_map(|lines| lines.concat())
}

/// Cuts octets at these places.
fn cut<'o>(octets: &'o [u8], places: &[prop::sample::Index]) -> Vec<&'o [u8]> {
    let mut places: Vec<usize> = places.iter().map(|place| place.index(octets.len() + 1)).collect();
    places.extend([0, octets.len()]);
    places.sort_unstable();
    places.windows(2).map(|ends| &octets[ends[0]..ends[1]]).collect()
}

proptest! {
    #[test]
    fn any_octets_are_read_without_panic(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        let (replies, _) = read(&octets);
        for reply in &replies {
            let _ = Capabilities::from_ehlo(reply);
            prop_assert!(!reply.to_string().contains(char::is_control));
        }
        let _ = drive(&[&octets]);
        let _ = TlsRequired::of_letter(&octets);
    }

    #[test]
    fn a_reply_printed_and_read_is_the_same(text in server_like()) {
        for reply in read(text.as_bytes()).0 {
            prop_assert!(reply.lines().count() <= MAX_LINES);
            prop_assert!(reply.to_octets().len() <= MAX_REPLY + MAX_LINES);
            prop_assert_eq!(read(&reply.to_octets()), (vec![reply], None));
        }
    }

    /// Up to the handshake. What comes behind the reply to STARTTLS is an injection if it comes at
    /// once, and else belongs to TLS, which does not take it; so here nothing comes behind it.
    #[test]
    fn it_does_not_matter_how_octets_are_cut(
        text in server_like(),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let octets = text.as_bytes();
        let whole = drive(&[octets]);
        prop_assume!(!whole.1.contains("more octets in clear"));
        prop_assert_eq!(drive(&cut(octets, &places)), whole.clone());
        prop_assert_eq!(drive(&octets.chunks(1).collect::<Vec<_>>()), whole);
    }

    #[test]
    fn nothing_behind_the_reply_to_starttls_is_ever_used(
        injected in prop::collection::vec(any::<u8>(), 1..40),
    ) {
        let server = [script::GREETING, script::EHLO, script::READY].concat();
        let (said, end) = drive(&[server.as_bytes(), &injected]);
        prop_assert!(end.starts_with("handshake"), "{}", end);
        prop_assert!(said.ends_with(b"STARTTLS\r\n"));
        let together = [server.as_bytes(), &injected].concat();
        let (_, end) = drive(&[&together]);
        let expected = format!("found {} more octets in clear", injected.len());
        prop_assert!(end.contains(&expected), "{}", end);
    }
}
