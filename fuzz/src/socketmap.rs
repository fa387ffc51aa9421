//! What goes over the socket: frames in, replies out.

use mta_sts::Policy;
use smtp_types::NextHop;
use transport_policy::{Answer, Decision};
use waxseal::answer::netstring::{Decoded, decode, encode};
use waxseal::answer::{MapName, Replies};

/// The limit of the server, and a small one that is met more often.
const LIMITS: [usize; 2] = [10_000, 20];

/// Frames: what is decoded encodes to the same octets, what is encoded decodes to the same
/// payload, and a beginning of a frame is never taken for an error.
pub fn netstring(data: &[u8]) {
    for limit in LIMITS {
        let mut rest = data;
        while let Ok(Decoded::Frame { payload, octets }) = decode(rest, limit) {
            assert!(payload.len() <= limit);
            let (frame, after) = rest.split_at(octets);
            assert_eq!(framed(payload), frame);
            for end in [0, 1, octets / 2, octets - 1] {
                assert_eq!(decode(&frame[..end], limit), Ok(Decoded::Partial));
            }
            rest = after;
        }
    }
    let frame = framed(data);
    let whole = Decoded::Frame { payload: data, octets: frame.len() };
    assert_eq!(decode(&frame, data.len()), Ok(whole));
}

fn framed(payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    encode(payload, &mut frame);
    frame
}

/// Replies for a policy: printable ASCII, one of the three words of Postfix in front, and the
/// names that Postfix will match are the policy's own.
pub fn socketmap_reply(data: &[u8]) {
    let Ok(policy) = Policy::parse(data) else {
        return;
    };
    let Ok(next_hop) = NextHop::parse("example.com") else {
        return;
    };
    let mut names: Vec<String> = policy.mx().iter().map(postfix_name).collect();
    names.sort();
    names.dedup();
    let decision = Decision { answer: Answer::Secure(policy), reasons: Vec::new() };
    let replies = Replies::new(&next_hop, &decision);
    for map in [MapName::Query, MapName::QueryWithTlsrpt, MapName::Sts] {
        let reply = replies.reply(map);
        assert!(reply.bytes().all(|octet| octet == b' ' || octet.is_ascii_graphic()), "{reply}");
        if reply.starts_with("TEMP ") {
            continue;
        }
        let words: Vec<&str> = reply.split(' ').collect();
        let ["OK", "secure", list, ..] = words.as_slice() else {
            panic!("expected \"OK secure match=…\", found {reply:?}");
        };
        let list = list.strip_prefix("match=").expect("secure has its match list in front");
        let mut matched: Vec<String> = list.split(':').map(str::to_owned).collect();
        matched.sort();
        matched.dedup();
        assert!(matched.iter().all(|name| names.contains(name)), "{reply}");
        if map != MapName::QueryWithTlsrpt {
            assert!(!reply.contains(['{', '}']), "{reply}");
        }
        check_braces(reply);
    }
}

/// Postfix matches `.example.com` against names below it.
fn postfix_name(pattern: &mta_sts::MxPattern) -> String {
    let dot = if pattern.is_wildcard() { "." } else { "" };
    format!("{dot}{}", pattern.name())
}

/// Postfix counts braces (`extpar`): they must open and close, one deep.
fn check_braces(reply: &str) {
    let mut is_open = false;
    for brace in reply.chars().filter(|c| ['{', '}'].contains(c)) {
        assert_ne!(is_open, brace == '{', "{reply}");
        is_open = brace == '{';
    }
    assert!(!is_open, "{reply}");
}
