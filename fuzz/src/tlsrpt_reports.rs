//! Reports of others, and what our own are made of.

use tlsrpt::{
    Event, Failure, FileName, MAX_DATAGRAM, Policy, Report, ReportId, Subject, parse_datagram,
    parse_postfix_line, read_report, read_report_with,
};

use crate::text;

/// A datagram: printed and read it is the same, and every bound holds.
pub fn tlsrpt_datagram(data: &[u8]) {
    let Ok(datagram) = parse_datagram(data) else {
        return;
    };
    // Printing replaces what I-JSON forbids, so the first round may change something.
    let Some(once) = printed_event(&datagram.event) else {
        return;
    };
    if let Some(twice) = printed_event(&once) {
        assert_eq!(twice, once);
    }
    assert!(!once.sessions.is_empty());
    for session in &once.sessions {
        assert!(session.policy.domain.is_some());
        assert_eq!(session.policy.clone().canonical(), session.policy);
        for failure in &session.failures {
            let texts = [&failure.reason, &failure.mx_helo, &failure.mx_hostname];
            for text in texts.into_iter().flatten() {
                assert!(text.len() <= 256 && !text.contains(['\r', '\n', '@']), "{text:?}");
            }
        }
    }
}

fn printed_event(event: &Event) -> Option<Event> {
    let json = event.to_json();
    (json.len() <= MAX_DATAGRAM).then(|| match parse_datagram(json.as_bytes()) {
        Ok(datagram) => datagram.event,
        Err(error) => panic!("{json}: {error}"),
    })
}

/// A report: printed and read it is the same, and reading it piece by piece gives the same pieces.
pub fn tlsrpt_report(data: &[u8]) {
    let Ok(read) = read_report(data) else {
        return;
    };
    let mut pieces = 0;
    let streamed = read_report_with(data, &mut |_, _| pieces += 1).map(|read| read.quirks);
    assert_eq!(streamed.as_ref(), Ok(&read.quirks));
    assert_eq!(
        pieces,
        read.report.policies.iter().map(|policy| policy.details.len()).sum::<usize>()
    );
    for quirk in &read.quirks {
        assert!(quirk.found.len() <= 80 && quirk.count > 0, "{quirk:?}");
        assert!(!quirk.to_string().contains(char::is_control), "{quirk:?}");
    }
    // Two liberties may be taken again in what they gave.
    let is_nested = |policy: &Policy| {
        policy.mx.iter().any(|pattern| pattern.starts_with("mx:"))
            || [&policy.mx, &policy.strings]
                .iter()
                .any(|texts| texts[..].iter().any(|text| text.starts_with('[')))
    };
    if read.report.policies.iter().any(|report| is_nested(&report.policy)) {
        return;
    }
    let once = printed_report(&read.report);
    assert_eq!(printed_report(&once), once);
}

fn printed_report(report: &Report) -> Report {
    let json = report.to_json();
    match read_report(json.as_bytes()) {
        Ok(read) => read.report,
        Err(error) => panic!("{json}: {error}"),
    }
}

/// A row of the store: what is read prints as itself.
pub fn tlsrpt_line(data: &[u8]) {
    let Some(line) = text(data) else {
        return;
    };
    if let Ok(policy) = Policy::from_line(line) {
        assert_eq!(policy.to_line(), line);
    }
    if let Ok(failure) = Failure::from_line(line) {
        assert_eq!(failure.to_line(), line);
    }
}

/// Names of files, subjects, ids and lines of a log: printed and read they are the same.
pub fn tlsrpt_names(data: &[u8]) {
    let Some(text) = text(data) else {
        return;
    };
    if let Ok(name) = FileName::parse(text) {
        let plain = name.unique_id.as_ref().is_none_or(|id| !id.contains(['/', '\\', '.']));
        if plain {
            assert_eq!(FileName::parse(&name.to_string()).as_ref(), Ok(&name));
        }
    }
    if let Some(subject) = Subject::parse(text) {
        assert!(!subject.report_id.contains(char::is_whitespace));
        if !subject.report_id.contains(['<', '>']) {
            assert_eq!(Subject::parse(&subject.to_string()), Some(subject));
        }
    }
    if let Ok(id) = ReportId::parse(text) {
        assert_eq!(ReportId::parse(&id.to_string()).as_ref(), Ok(&id));
    }
    if let Some(Ok(session)) = parse_postfix_line(text) {
        let reason = session.failure.as_ref().and_then(|failure| failure.reason.as_deref());
        assert!(reason.is_none_or(|reason| reason.len() <= 256 && !reason.contains('@')));
        let event = session.into_event(
            Policy::none_of(smtp_types::DomainName::parse("a.test").expect("a name")),
            None,
        );
        assert_eq!(event.sessions.len(), 1);
    }
}
