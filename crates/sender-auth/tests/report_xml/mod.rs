//! A reader of XML for tests only: strict, without attributes but `xmlns`, and a checker that holds
//! a report against the element tables of a schema.
//!
//! It is no reader for what others send. It wants exactly what a strict writer writes, so that a
//! character too much or an element in the wrong place is seen.

use std::collections::BTreeMap;

/// An element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) namespace: Option<String>,
    pub(crate) children: Vec<Element>,
    pub(crate) text: String,
}

impl Element {
    /// The text of the element at this path of names, the first of each name.
    pub(crate) fn at(&self, path: &str) -> Option<&str> {
        self.find(path).map(|element| element.text.as_str())
    }

    pub(crate) fn find(&self, path: &str) -> Option<&Element> {
        path.split('/').try_fold(self, |element, name| {
            element.children.iter().find(|child| child.name == name)
        })
    }

    pub(crate) fn all<'e>(&'e self, name: &'e str) -> impl Iterator<Item = &'e Element> {
        self.children.iter().filter(move |child| child.name == name)
    }
}

/// Reads a document, or says what is not well-formed.
pub(crate) fn read(document: &str) -> Result<Element, String> {
    let illegal = |c: &char| !matches!(c, '\t' | '\n' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..);
    if let Some(c) = document.chars().find(illegal) {
        return Err(format!("a character that XML does not have: {c:?}"));
    }
    let declaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
    let rest = document.strip_prefix(declaration).ok_or("no declaration")?;
    let (element, rest) = element(rest)?;
    if rest == "\n" { Ok(element) } else { Err(format!("behind the root: {rest:?}")) }
}

fn element(text: &str) -> Result<(Element, &str), String> {
    let inside = text.strip_prefix('<').ok_or_else(|| format!("no element: {text:.40}"))?;
    let (tag, mut rest) = inside.split_once('>').ok_or("an open tag")?;
    let (name, namespace) = match tag.split_once(' ') {
        None => (tag, None),
        Some((name, attribute)) => {
            let value = attribute.strip_prefix("xmlns=\"").and_then(|v| v.strip_suffix('"'));
            (name, Some(value.ok_or_else(|| format!("attribute {attribute}"))?.to_owned()))
        }
    };
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
        return Err(format!("name {name:?}"));
    }
    let mut element =
        Element { name: name.to_owned(), namespace, children: Vec::new(), text: String::new() };
    loop {
        let (text, behind) = rest.split_at(rest.find('<').ok_or("an open element")?);
        element.text.push_str(&unescape(text)?);
        if let Some(end) = behind.strip_prefix("</") {
            let (end_name, behind) = end.split_once('>').ok_or("an open end tag")?;
            if end_name != name {
                return Err(format!("<{name}> ends as </{end_name}>"));
            }
            if !element.children.is_empty() {
                if !element.text.trim().is_empty() {
                    return Err(format!("text beside elements in <{name}>"));
                }
                element.text.clear();
            }
            return Ok((element, behind));
        }
        let (child, behind) = self::element(behind)?;
        element.children.push(child);
        rest = behind;
    }
}

fn unescape(text: &str) -> Result<String, String> {
    if text.contains("]]>") || text.contains('>') {
        return Err("a bare > in text".to_owned());
    }
    let mut parts = text.split('&');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (entity, rest) = part.split_once(';').ok_or("a bare & in text")?;
        plain.push(match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            "#13" => '\r',
            other => return Err(format!("entity {other:?}")),
        });
        plain.push_str(rest);
    }
    Ok(plain)
}

/// What a schema says of one element: the children in their order, and for each of them how often
/// it may be there (`1`, `?`, `*`, `+`); or the words that its text may be.
pub(crate) type Table = BTreeMap<&'static str, Vec<(&'static str, char)>>;

/// Holds an element and all below it against the tables. `words` is asked for the text of leaves.
pub(crate) fn check(
    element: &Element,
    path: &str,
    table: &Table,
    words: &dyn Fn(&str, &str) -> bool,
) {
    let here = format!("{path}/{}", element.name);
    let Some(rules) = table.get(here.as_str()) else {
        assert!(element.children.is_empty(), "{here}: expected text, found elements");
        assert!(words(&here, &element.text), "{here}: {:?}", element.text);
        return;
    };
    let mut children = element.children.iter().peekable();
    for (name, often) in rules {
        let mut count = 0;
        while children.next_if(|child| child.name == *name).is_some() {
            count += 1;
        }
        let fits = match often {
            '1' => count == 1,
            '?' => count <= 1,
            '+' => count >= 1,
            _ => true,
        };
        assert!(fits, "{here}: {name} is there {count} times, expected {often}");
    }
    assert!(children.next().is_none(), "{here}: out of order: {:?}", element.children);
    element.children.iter().for_each(|child| check(child, &here, table, words));
}

/// RFC 9990 Appendix A.
pub(crate) fn rfc9990() -> Table {
    let row = "/feedback/record/row";
    table(&[
        ("/feedback", "version? report_metadata1 policy_published1 extension? record+"),
        (
            "/feedback/report_metadata",
            "org_name1 email1 extra_contact_info? report_id1 date_range1 error? generator?",
        ),
        ("/feedback/report_metadata/date_range", "begin1 end1"),
        (
            "/feedback/policy_published",
            "domain1 p1 sp? np? adkim? aspf? discovery_method? fo? testing?",
        ),
        ("/feedback/record", "row1 identifiers1 auth_results1"),
        (row, "source_ip1 count1 policy_evaluated1"),
        ("/feedback/record/row/policy_evaluated", "disposition1 dkim1 spf1 reason*"),
        ("/feedback/record/row/policy_evaluated/reason", "type1 comment?"),
        ("/feedback/record/identifiers", "header_from1 envelope_from? envelope_to?"),
        ("/feedback/record/auth_results", "dkim* spf?"),
        ("/feedback/record/auth_results/dkim", "domain1 selector1 result1 human_result?"),
        ("/feedback/record/auth_results/spf", "domain1 scope? result1 human_result?"),
    ])
}

/// RFC 7489 Appendix C, in the order in which this writer has the elements that may stand in any.
pub(crate) fn rfc7489() -> Table {
    let mut all = rfc9990();
    let changed = table(&[
        ("/feedback", "version1 report_metadata1 policy_published1 record+"),
        (
            "/feedback/report_metadata",
            "org_name1 email1 extra_contact_info? report_id1 date_range1 error*",
        ),
        ("/feedback/policy_published", "domain1 adkim? aspf? p1 sp1 pct1 fo1"),
        ("/feedback/record/identifiers", "header_from1 envelope_from1 envelope_to?"),
        ("/feedback/record/auth_results", "dkim* spf+"),
        ("/feedback/record/auth_results/spf", "domain1 scope1 result1"),
    ]);
    all.extend(changed);
    all
}

fn table(rows: &[(&'static str, &'static str)]) -> Table {
    let rule = |word: &'static str| {
        let (name, often) = word.split_at(word.len() - 1);
        (name, often.chars().next().unwrap())
    };
    rows.iter().map(|(path, rules)| (*path, rules.split_whitespace().map(rule).collect())).collect()
}

/// Whether the text of an element is one that the schema allows. `old` is RFC 7489.
pub(crate) fn word_fits(path: &str, text: &str, old: bool) -> bool {
    let one_of = |words: &str| words.split(' ').any(|word| word == text);
    let results = "none pass fail neutral temperror permerror";
    match path.rsplit_once('/').map_or(path, |(_, name)| name) {
        "version" => text == "1.0",
        "begin" | "end" | "count" | "pct" => text.parse::<u64>().is_ok(),
        "source_ip" => {
            text.parse::<std::net::IpAddr>().is_ok_and(|address| address.to_canonical() == address)
        }
        "p" | "sp" | "np" => one_of("none quarantine reject"),
        "adkim" | "aspf" => one_of("r s"),
        "discovery_method" => one_of("psl treewalk"),
        "testing" => one_of("y n"),
        "fo" => text.split(':').all(|one| ["0", "1", "d", "s"].contains(&one)),
        "disposition" if old => one_of("none quarantine reject"),
        "disposition" => one_of("none pass quarantine reject"),
        "type" if old => {
            one_of("forwarded sampled_out trusted_forwarder mailing_list local_policy other")
        }
        "type" => one_of("local_policy mailing_list other policy_test_mode trusted_forwarder"),
        "scope" => text == "mfrom",
        "result" if path.contains("/spf") => one_of(results) || text == "softfail",
        "result" => one_of(results) || text == "policy",
        "dkim" | "spf" => one_of("pass fail"),
        "envelope_from" => true,
        _ => !text.is_empty(),
    }
}
