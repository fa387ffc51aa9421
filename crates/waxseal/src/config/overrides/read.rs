//! Reads the override file.

use std::path::Path;

use smtp_types::DomainName;

use super::{MatchName, Override, OverrideLevel, OverridePolicy, Overrides};
use crate::config::document::Document;
use crate::config::entry::{self, Entry};
use crate::config::error::ConfigError;
use crate::config::kind::Refusal;
use crate::config::watched::FileContent;

const KEYS: [&str; 5] = ["domain", "policy", "match", "comment", "until"];

impl FileContent for Overrides {
    const NAME: &'static str = "overrides";

    fn read(path: &Path) -> Result<Self, Vec<ConfigError>> {
        let text = entry::read_text("sender.overrides", path)?;
        Self::parse(&path.display().to_string(), &text)
    }

    fn count(&self) -> usize {
        self.iter().count()
    }
}

impl Overrides {
    /// Reads the text of the file `file_name`.
    ///
    /// # Errors
    /// All that is wrong, in the order of the text. The overrides that were in force before
    /// should stay then.
    pub fn parse(file_name: &str, text: &str) -> Result<Self, Vec<ConfigError>> {
        let (mut document, table) = Document::parse(file_name, text);
        let mut overrides = Self::default();
        for entry in Entry::all(&mut document, table.get_ref(), &["override"]) {
            let Some(found) = read_override(&mut document, &entry) else { continue };
            let what = found.scope.to_string();
            if let Err(first) = overrides.insert(found) {
                entry.refuse_duplicate(&mut document, what, first.line);
            }
        }
        let errors = document.finish();
        if errors.is_empty() { Ok(overrides) } else { Err(errors) }
    }
}

/// All of an `[[override]]`; `None`, and all noted, if something is wrong.
fn read_override(document: &mut Document<'_>, entry: &Entry<'_>) -> Option<Override> {
    entry.refuse_unknown(document, &KEYS);
    let scope = entry.read_text(document, "domain", "a domain name, or *. and one", entry::scope);
    let policy = entry.read_text(document, "policy", POLICIES, policy);
    let matches = read_matches(document, entry, policy.as_ref());
    let comment = entry.read_comment(document);
    let until = entry.read_until(document);
    Some(Override {
        scope: scope?,
        policy: match policy? {
            OverridePolicy::Fixed(OverrideLevel::Secure { .. }) => {
                OverridePolicy::Fixed(OverrideLevel::Secure { matches: matches? })
            }
            policy => policy,
        },
        comment: comment?,
        until: until?,
        line: entry.line(document),
    })
}

/// The names of `match`, none if it is not there; `None`, and noted, if something is wrong.
fn read_matches(
    document: &mut Document<'_>,
    entry: &Entry<'_>,
    policy: Option<&OverridePolicy>,
) -> Option<Vec<MatchName>> {
    const KEY: &str = "override.match";
    const NAMES: &str = "host names, or domains with a dot in front";
    let Some(value) = entry.get("match") else {
        return Some(Vec::new());
    };
    let is_secure =
        matches!(policy, None | Some(OverridePolicy::Fixed(OverrideLevel::Secure { .. })));
    if !is_secure {
        let refusal = Refusal::new(value, "no match without policy = \"secure\"");
        document.refuse(KEY, refusal, None);
        return None;
    }
    let items = value.get_ref().as_array().filter(|items| !items.is_empty());
    let Some(items) = items else {
        document.refuse(KEY, Refusal::new(value, format!("a list of {NAMES}")), None);
        return None;
    };
    let mut names = Vec::new();
    for item in items {
        match item.get_ref().as_str().and_then(match_name) {
            Some(name) => names.push(name),
            None => document.refuse(KEY, Refusal::new(item, NAMES), None),
        }
    }
    (names.len() == items.len()).then_some(names)
}

const POLICIES: &str = "\"require\", \"off\", \"may\", \"encrypt\", \"dane\", \"dane-only\" or \
                        \"secure\"";

fn policy(text: &str) -> Option<OverridePolicy> {
    Some(match text {
        "require" => OverridePolicy::Require,
        "off" => OverridePolicy::Off,
        "may" => OverridePolicy::Fixed(OverrideLevel::May),
        "encrypt" => OverridePolicy::Fixed(OverrideLevel::Encrypt),
        "dane" => OverridePolicy::Fixed(OverrideLevel::Dane),
        "dane-only" => OverridePolicy::Fixed(OverrideLevel::DaneOnly),
        "secure" => OverridePolicy::Fixed(OverrideLevel::Secure { matches: Vec::new() }),
        _ => return None,
    })
}

/// Host names only, for the name goes into the reply to the mail server.
fn match_name(text: &str) -> Option<MatchName> {
    let (text, below) = match text.strip_prefix('.') {
        Some(domain) => (domain, true),
        None => (text, false),
    };
    let name = DomainName::parse(text).ok().filter(DomainName::is_host_name)?;
    Some(if below { MatchName::Below(name) } else { MatchName::Host(name) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn good(body: &str, domain: &str, policy: &str, matches: &[&str], until: &str) {
        let text = format!("[[override]]\n{body}\ncomment = \"c\"\n");
        let overrides = Overrides::parse("o.toml", &text).unwrap();
        let found = overrides.iter().next().unwrap();
        assert_eq!(found.scope.to_string(), domain, "{body}");
        assert_eq!(found.policy.to_string(), policy, "{body}");
        let found_until = found.until.map_or(String::new(), |time| time.to_string());
        assert_eq!(found_until, until, "{body}");
        let found_matches = match &found.policy {
            OverridePolicy::Fixed(OverrideLevel::Secure { matches }) => matches.as_slice(),
            _ => &[],
        };
        let found_matches: Vec<_> = found_matches.iter().map(ToString::to_string).collect();
        assert_eq!(found_matches, matches, "{body}");
    }

    fn bad(text: &str, expected: &str) {
        let errors = Overrides::parse("o.toml", text).unwrap_err();
        let rendered: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(rendered.join("\n"), expected.trim_matches('\n'), "{text}");
    }

    #[test]
    fn policies() {
        for policy in ["require", "off", "may", "encrypt", "dane", "dane-only", "secure"] {
            let body = format!("domain = \"Example.COM\"\npolicy = \"{policy}\"");
            good(&body, "example.com", policy, &[], "");
        }
        good(
            "domain = \"*.dané.test\"\npolicy = \"secure\"\nmatch = [\"mx.A\", \".b.c\"]\n\
             until = \"2026-12-31\"",
            "*.xn--dan-dma.test",
            "secure",
            &["mx.a", ".b.c"],
            "2026-12-31T23:59:59Z",
        );
        good(
            "domain = \"a.test\"\npolicy = \"off\"\nuntil = 2028-02-29",
            "a.test",
            "off",
            &[],
            "2028-02-29T23:59:59Z",
        );
        assert_eq!(Overrides::parse("o.toml", ""), Ok(Overrides::default()));
    }

    #[test]
    fn all_errors_are_told_in_the_order_of_the_text() {
        bad(
            r#"[[override]]
domain = "*"
policy = "required"
coment = "c"
until = 2026-02-30

[[override]]
domain = "a.test"
policy = "off"
match = ["x"]
comment = " "
"#,
            r#"
error: override.comment: expected a text that says why, found nothing
  --> o.toml:1:1
   |
 1 | [[override]]
   | ^^^^^^^^^^^^
error: override.domain: expected a domain name, or *. and one, found "*"
  --> o.toml:2:10
   |
 2 | domain = "*"
   |          ^^^
error: override.policy: expected "require", "off", "may", "encrypt", "dane", "dane-only" or "secure", found "required"
  --> o.toml:3:10
   |
 3 | policy = "required"
   |          ^^^^^^^^^^
error: override.coment: there is no such key
  --> o.toml:4:1
   |
 4 | coment = "c"
   | ^^^^^^
  = the keys are domain, policy, match, comment, until
error: this is not TOML: invalid date, expected day between 01 and 28
  --> o.toml:5:9
   |
 5 | until = 2026-02-30
   |         ^^^^^^^^^^
error: override.match: expected no match without policy = "secure", found a list
  --> o.toml:10:9
   |
10 | match = ["x"]
   |         ^^^^^
error: override.comment: expected a text that says why, found " "
  --> o.toml:11:11
   |
11 | comment = " "
   |           ^^^
"#,
        );
    }

    #[test]
    fn duplicates_strangers_and_wrong_shapes() {
        bad(
            r#"other = 1
[[override]]
domain = "a.test"
policy = "secure"
match = ["a_b.test", "*.test", 3]
comment = "c"
[[override]]
domain = "b.test"
policy = "off"
comment = "c"
[[override]]
domain = "B.test."
policy = "dane"
comment = "c"
until = "tomorrow"
[[override]]
domain = "B.test"
policy = "dane"
comment = "c"
"#,
            r#"
error: other: there is no such key
  --> o.toml:1:1
   |
 1 | other = 1
   | ^^^^^
  = the file is a list of tables [[override]]
error: override.match: expected host names, or domains with a dot in front, found "a_b.test"
  --> o.toml:5:10
   |
 5 | match = ["a_b.test", "*.test", 3]
   |          ^^^^^^^^^^
error: override.match: expected host names, or domains with a dot in front, found "*.test"
  --> o.toml:5:22
   |
 5 | match = ["a_b.test", "*.test", 3]
   |                      ^^^^^^^^
error: override.match: expected host names, or domains with a dot in front, found the number 3
  --> o.toml:5:32
   |
 5 | match = ["a_b.test", "*.test", 3]
   |                                ^
error: override.until: expected a date such as 2026-12-31, found "tomorrow"
  --> o.toml:15:9
   |
15 | until = "tomorrow"
   |         ^^^^^^^^^^
error: override.domain: b.test stands here a second time, the first is in line 7
  --> o.toml:17:10
   |
17 | domain = "B.test"
   |          ^^^^^^^^
"#,
        );
        bad(
            "override = 1",
            "
error: override: expected a list of tables [[override]], found the number 1
  --> o.toml:1:12
   |
 1 | override = 1
   |            ^
",
        );
    }

    proptest! {
        #[test]
        fn never_panics(text in "([a-z\\[\\]{}=\"'.*\\n 0-9ü-]|\\[\\[override\\]\\]\n|domain = |until = ){0,60}") {
            let _ = Overrides::parse("o.toml", &text);
        }
    }
}
