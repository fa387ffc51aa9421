//! Which kinds of attachments a message has.

use sender_auth::{Header, HeaderLimits, MessageReader, Part};
use waxseal::gate::attachment::{
    Action, Attachments, Identified, Limits, Rules, Scanner, Wrapper, decide,
};

/// Small ones, so that inputs meet them.
const LIMITS: Limits = Limits { depth: 6, parts: 20, entries: 20, inflated: 100_000 };

/// A whole message: every cutting gives the same result, which has bounds, is fit for people, and
/// is judged by the strictest of its findings.
pub fn attachment_scanner(data: &[u8]) {
    let Some((header, body)) = read(data) else {
        return;
    };
    let attachments = scan(&header, &body, &[usize::MAX]);
    assert_eq!(scan(&header, &body, &[1]), attachments);
    let sizes: Vec<usize> = data.iter().take(5).map(|octet| usize::from(*octet) + 1).collect();
    assert_eq!(scan(&header, &body, &sizes), attachments);
    check_bounds(&attachments);
    check_decision(&attachments);
}

fn read(data: &[u8]) -> Option<(Header, Vec<u8>)> {
    let mut reader = MessageReader::new(HeaderLimits::default());
    let mut parts = reader.push(data).ok()?;
    parts.extend(reader.finish().ok()?);
    let (mut header, mut body) = (None, Vec::new());
    for part in parts {
        match part {
            Part::Header(read) => header = Some(read),
            Part::Body(octets) => body.extend(octets),
        }
    }
    header.map(|header| (header, body))
}

fn scan(header: &Header, body: &[u8], sizes: &[usize]) -> Attachments {
    let mut scanner = Scanner::new(header, LIMITS);
    let mut rest = body;
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, behind) = rest.split_at((*size).min(rest.len()));
        scanner.push(piece);
        rest = behind;
    }
    scanner.finish()
}

fn check_bounds(attachments: &Attachments) {
    for found in &attachments.found {
        let same = attachments.found.iter().filter(|other| other.kind == found.kind).count();
        assert!(same <= 4, "{found:?}");
        assert!(!found.to_string().contains(char::is_control), "{found:?}");
        let names = [&found.entry, &found.declared_name, &found.declared_type];
        assert!(names.into_iter().flatten().all(|name| (1..=100).contains(&name.chars().count())));
        assert!(found.part.split('.').count() <= 4 * (LIMITS.depth + 1), "{found:?}");
        assert!(found.entry.is_none() || found.wrapper.is_some(), "{found:?}");
        assert!(found.wrapper.is_none_or(|wrapper| Wrapper::ALL.contains(&wrapper)));
    }
    assert!(attachments.further == 0 || !attachments.found.is_empty());
}

fn check_decision(attachments: &Attachments) {
    let rules = Rules::default();
    for identified in [Identified::Yes, Identified::No] {
        let decision = decide(attachments, identified, &rules);
        let actions = attachments.found.iter().map(|found| rules.of(found.kind.class()));
        let strictest = actions.map(|rule| rule.action(identified)).max().unwrap_or(Action::Pass);
        assert!(decision.action >= strictest, "{decision:?}");
        assert_eq!(decision.cause.is_none(), decision.action == Action::Pass);
        assert!(decision.action == strictest || attachments.incomplete.is_some());
    }
    let action = |identified| decide(attachments, identified, &rules).action;
    assert!(action(Identified::Yes) <= action(Identified::No));
}
