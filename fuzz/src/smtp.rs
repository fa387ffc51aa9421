//! What mail servers say to a client.

use smtp_starttls::{
    Capabilities, ClientName, Dialogue, Letter, MAX_LINES, MAX_REPLY, Reply, ReplyReader,
    RequireTls, Step,
};
use smtp_types::{DomainName, EmailAddress};

/// Replies: printed and read they are the same, they are within their bounds, and what is shown of
/// them is one line.
pub fn smtp_reply(data: &[u8]) {
    for reply in replies(data) {
        assert!((200..600).contains(&reply.code().number()));
        assert!((1..=MAX_LINES).contains(&reply.lines().count()));
        assert!(!reply.to_string().contains(char::is_control));
        let offered = Capabilities::from_ehlo(&reply);
        assert!(offered.keywords().count() < reply.lines().count());
        // With the space before an empty text it may be longer than it came.
        if reply.to_octets().len() <= MAX_REPLY {
            assert_eq!(replies(&reply.to_octets()), [reply]);
        }
    }
}

fn replies(octets: &[u8]) -> Vec<Reply> {
    let mut reader = ReplyReader::new();
    let read = octets.iter().map_while(|octet| reader.push(*octet).ok());
    read.flatten().collect()
}

/// A server that says everything at once, and one that says it octet by octet: the client says the
/// same to both, up to the handshake; and it never shakes hands while octets are left.
pub fn smtp_dialogue(data: &[u8]) {
    let (at_once, injected) = drive(&mut data.chunks(data.len().max(1)));
    let (bit_by_bit, _) = drive(&mut data.chunks(1));
    if injected {
        assert!(at_once.ends_with(b"STARTTLS\r\n"));
        assert!(bit_by_bit.starts_with(&at_once));
    } else {
        assert_eq!(at_once, bit_by_bit);
    }
}

/// What the client says, with one letter within TLS; and whether somebody injected something.
fn drive(pieces: &mut dyn Iterator<Item = &[u8]>) -> (Vec<u8>, bool) {
    let Ok(domain) = DomainName::parse("mail.example.com") else { return Default::default() };
    let mut said = Vec::new();
    let mut step = Step::Read(Dialogue::open(ClientName::Domain(domain)));
    loop {
        let next = match step {
            Step::Send { octets, then } => {
                said.extend(octets);
                then.resume()
            }
            Step::Read(dialogue) => match pieces.next() {
                Some(piece) => dialogue.receive(piece),
                None => return (said, false),
            },
            Step::StartTls(handshake) => Ok(handshake.established()),
            Step::Ready(session) => match letter() {
                Some(letter) => session.deliver(letter),
                None => Ok(session.quit()),
            },
            Step::Delivered(delivery) => {
                assert!(delivery.refused().len() <= 2);
                Ok(delivery.quit())
            }
            Step::Closed => return (said, false),
        };
        step = match next {
            Ok(step) => step,
            Err(failure) => {
                assert!(!failure.to_string().contains(char::is_control), "{failure:?}");
                return (said, matches!(failure, smtp_starttls::Failure::Injected { .. }));
            }
        };
    }
}

fn letter() -> Option<Letter> {
    let address = |text| EmailAddress::parse(text).ok();
    let recipients = vec![address("b@example.org")?, address("c@example.org")?];
    Letter::new(address("a@example.com"), recipients, RequireTls::Yes, b".x\r\n".to_vec()).ok()
}
