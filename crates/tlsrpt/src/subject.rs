//! The subject of a mail with a report (RFC 8460 §5.3).

use alloc::boxed::Box;
use core::fmt;

use smtp_types::DomainName;

/// `Report Domain: example.net Submitter: example.com Report-ID: <id@example.com>`
///
/// Displayed on one line; whoever writes the mail folds it at its blanks (RFC 5322 §2.2.3). What
/// stands in the report counts more than its subject (RFC 8460 §5.6).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    /// The policy domain that the report is about.
    pub domain: DomainName,
    /// The domain of the submitter's contact.
    pub submitter: DomainName,
    /// The id of the report, without angle brackets. Others write anything; empty if nothing.
    pub report_id: Box<str>,
}

impl Subject {
    /// Reads a subject. Lenient: folded or not, in any case, with anything in front, with or without
    /// angle brackets or an id. `None` if it is the subject of something else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (_, rest) = split_at_label(text, "report domain:")?;
        let (domain, rest) = split_at_label(rest, "submitter:")?;
        let (submitter, id) = split_at_label(rest, "report-id:").unwrap_or((rest, ""));
        let id = id.trim();
        let bare = id.strip_prefix('<').and_then(|id| id.split('>').next()).unwrap_or(id);
        Some(Self {
            domain: DomainName::parse(domain.trim()).ok()?,
            submitter: DomainName::parse(submitter.trim()).ok()?,
            report_id: bare.split_whitespace().collect::<alloc::string::String>().into(),
        })
    }
}

/// What stands before and behind a label, the blanks of which may be any white space.
fn split_at_label<'t>(text: &'t str, label: &str) -> Option<(&'t str, &'t str)> {
    text.char_indices().find_map(|(index, _)| {
        let end = behind_label(&text[index..], label)?;
        Some((&text[..index], &text[index + end..]))
    })
}

/// Where a label ends with which the text begins.
fn behind_label(text: &str, label: &str) -> Option<usize> {
    let mut rest = text;
    for (index, word) in label.split(' ').enumerate() {
        if index > 0 {
            rest = rest.strip_prefix(char::is_whitespace)?.trim_start();
        }
        let (found, after) = rest.split_at_checked(word.len())?;
        if !found.eq_ignore_ascii_case(word) {
            return None;
        }
        rest = after;
    }
    Some(text.len() - rest.len())
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { domain, submitter, report_id } = self;
        write!(f, "Report Domain: {domain} Submitter: {submitter} Report-ID: <{report_id}>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn subjects() {
        let text = "Report Domain: example.net Submitter: example.com Report-ID: <1.a@example.com>";
        let parsed = Subject::parse(text).unwrap();
        assert_eq!((&*parsed.report_id, parsed.to_string().as_str()), ("1.a@example.com", text));
        for odd in [
            "Report Domain: example.net\r\n Submitter: example.com\r\n Report-ID:\r\n <1.a@example.com>",
            "[External] REPORT  DOMAIN:example.net submitter:example.com report-id: 1.a@example.com",
            "Report Domain: example.net Submitter: example.com Report-ID: <1.a@exa\r\n mple.com> ",
        ] {
            assert_eq!(Subject::parse(odd).as_ref(), Some(&parsed), "{odd:?}");
        }
        let without = Subject::parse("Report Domain: a.test Submitter: b.test").unwrap();
        assert_eq!(&*without.report_id, "");
        for other in [
            "",
            "Hello",
            "Report Domain: example.net",
            "Report Domain: a b Submitter: c.test",
            "Report Domain: \u{fc} Submitter: ",
        ] {
            assert_eq!(Subject::parse(other), None, "{other:?}");
        }
    }
}
