//! Finding the clauses that a source file cites: `RFC 8461 §3.2`, `RFC 8461 §3.1 and §3.2`.
//!
//! A `§` without an RFC in front of it is the crate's own standard, named at the head of its file;
//! it is not looked at here.

/// A clause, and where it is cited.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Citation {
    /// The line, from 1.
    pub(crate) line: usize,
    /// The number of the RFC.
    pub(crate) rfc: u32,
    /// The section, without `§`.
    pub(crate) section: String,
}

/// What may stand between two sections of one RFC.
const JOINTS: [&str; 4] = [", and ", " and ", ", ", " to "];

/// All citations of a file, in the order of the text.
pub(crate) fn find(source: &str) -> Vec<Citation> {
    let text = without_comment_marks(source);
    let mut found = Vec::new();
    for (offset, _) in text.match_indices("RFC ") {
        let behind = &text[offset + "RFC ".len()..];
        let digits = behind.len() - behind.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let Ok(rfc) = behind[..digits].parse() else {
            continue;
        };
        let line = text[..offset].matches('\n').count() + 1;
        let sections = sections(&behind[digits..].replace('\n', " "));
        found.extend(sections.into_iter().map(|section| Citation { line, rfc, section }));
    }
    found
}

/// The sections that follow the number of an RFC at once.
fn sections(text: &str) -> Vec<String> {
    let mut sections = Vec::new();
    let mut rest = text.strip_prefix(' ').unwrap_or(text);
    while let Some(behind) = rest.strip_prefix('§') {
        let end = behind
            .find(|c: char| !(c.is_ascii_digit() || c.is_ascii_uppercase() || c == '.'))
            .unwrap_or(behind.len());
        // A full stop behind a section is none of its own.
        let section = behind[..end].trim_end_matches('.');
        if section.is_empty() {
            break;
        }
        sections.push(section.to_owned());
        rest = &behind[section.len()..];
        rest = JOINTS.iter().find_map(|joint| rest.strip_prefix(joint)).unwrap_or(rest);
    }
    sections
}

/// The lines without what makes them comments, so that a citation may run over their end.
fn without_comment_marks(source: &str) -> String {
    let lines = source.lines().map(|line| {
        let line = line.trim();
        let text = line.strip_prefix("//").unwrap_or(line);
        text.strip_prefix(['!', '/']).unwrap_or(text).trim_start()
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cited(source: &str) -> Vec<(usize, u32, String)> {
        find(source).into_iter().map(|one| (one.line, one.rfc, one.section)).collect()
    }

    #[test]
    fn citations() {
        let one = |rfc, section: &str| vec![(1, rfc, section.to_owned())];
        assert_eq!(cited("/// see RFC 8461 §3.2."), one(8461, "3.2"));
        assert_eq!(cited("(RFC 4033 §5)"), one(4033, "5"));
        assert_eq!(cited("clause: \"RFC 8461 §3.3\","), one(8461, "3.3"));
        assert_eq!(cited("// RFC 3339 and RFC 7672 alone, §4"), []);
        assert_eq!(
            cited("RFC 8461 §3.1 and §3.2, RFC 1035 §2.3.4"),
            [(1, 8461, "3.1".into()), (1, 8461, "3.2".into()), (1, 1035, "2.3.4".into())]
        );
        assert_eq!(cited("RFC 8461 §5, §5.1"), [(1, 8461, "5".into()), (1, 8461, "5.1".into())]);
    }

    #[test]
    fn a_citation_may_run_over_the_end_of_a_line() {
        let source = "fn a() {}\n    /// As RFC 8461\n    /// §10.2 says\n//! RFC\n//! 8460 §3";
        assert_eq!(cited(source), [(2, 8461, "10.2".into())]);
    }
}
