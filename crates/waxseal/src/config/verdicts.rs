//! What the operator wants otherwise for the mail of single domains, and whom he trusts.
//!
//! The file is two lists of tables:
//!
//! ```toml
//! [[verdict]]
//! domain = "partner.example"         # or "*.partner.example": any name below it
//! action = "accept"                  # or quarantine, reject: if its mail does not pass DMARC
//! comment = "their DKIM key is broken, ticket 4711"
//! until = 2026-12-31                 # the end of that day in UTC; may be left out
//!
//! [[forwarder]]
//! domain = "lists.example.org"       # whoever seals with ARC, the d= of the seal
//! comment = "our mailing lists"      # so that the next operator knows why
//! ```
//!
//! An exact domain beats a pattern, and a longer pattern beats a shorter one. An entry whose day
//! has passed is as if it were not there.

use std::path::Path;

use smtp_types::{DomainName, UnixTime};

use super::by_domain::{ByDomain, Scope, Scoped};
use super::document::Document;
use super::entry::{self, Entry};
use super::error::ConfigError;
use super::watched::FileContent;
use crate::gate::decide::Action;

/// All entries of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalVerdicts {
    /// What happens to mail that does not pass, by the domain of its author.
    pub verdicts: ByDomain<LocalVerdict>,
    /// Who is trusted, by the domain of the seal.
    pub forwarders: ByDomain<Forwarder>,
}

/// What happens to mail of one domain that does not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalVerdict {
    /// For whom.
    pub scope: Scope,
    /// What: accept, quarantine or reject.
    pub action: Action,
    /// Why. Never empty.
    pub comment: String,
    /// The last second in which it holds; `None` is forever.
    pub until: Option<UnixTime>,
    /// The line of the file in which it begins.
    pub line: usize,
}

/// A forwarder that is trusted to tell what it has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarder {
    /// Who.
    pub scope: Scope,
    /// Why. Never empty.
    pub comment: String,
    /// The last second in which it holds; `None` is forever.
    pub until: Option<UnixTime>,
    /// The line of the file in which it begins.
    pub line: usize,
}

impl Scoped for LocalVerdict {
    fn scope(&self) -> &Scope {
        &self.scope
    }

    fn until(&self) -> Option<UnixTime> {
        self.until
    }
}

impl Scoped for Forwarder {
    fn scope(&self) -> &Scope {
        &self.scope
    }

    fn until(&self) -> Option<UnixTime> {
        self.until
    }
}

impl FileContent for LocalVerdicts {
    const NAME: &'static str = "local verdicts";

    fn read(path: &Path) -> Result<Self, Vec<ConfigError>> {
        let text = entry::read_text("verdict.local", path)?;
        Self::parse(&path.display().to_string(), &text)
    }

    fn count(&self) -> usize {
        self.verdicts.iter().count() + self.forwarders.iter().count()
    }
}

impl LocalVerdicts {
    /// Reads the text of the file `file_name`.
    ///
    /// # Errors
    /// All that is wrong, in the order of the text.
    pub fn parse(file_name: &str, text: &str) -> Result<Self, Vec<ConfigError>> {
        let (mut document, table) = Document::parse(file_name, text);
        let mut found = Self::default();
        for entry in Entry::all(&mut document, table.get_ref(), &["verdict", "forwarder"]) {
            match entry.list() {
                "verdict" => {
                    let Some(verdict) = read_verdict(&mut document, &entry) else { continue };
                    let what = verdict.scope.to_string();
                    if let Err(first) = found.verdicts.insert(verdict) {
                        entry.refuse_duplicate(&mut document, what, first.line);
                    }
                }
                _ => {
                    let Some(forwarder) = read_forwarder(&mut document, &entry) else { continue };
                    let what = forwarder.scope.to_string();
                    if let Err(first) = found.forwarders.insert(forwarder) {
                        entry.refuse_duplicate(&mut document, what, first.line);
                    }
                }
            }
        }
        let errors = document.finish();
        if errors.is_empty() { Ok(found) } else { Err(errors) }
    }

    /// Entries whose day has passed, as they stand in the file.
    #[must_use]
    pub fn expired(&self, now: UnixTime) -> Vec<String> {
        let verdicts = self.verdicts.expired(now).map(|entry| entry.scope.to_string());
        verdicts.chain(self.forwarders.expired(now).map(|entry| entry.scope.to_string())).collect()
    }

    /// Why a sealer is trusted at the time `now`; `None` if it is not.
    #[must_use]
    pub fn trusted(&self, sealer: &DomainName, now: UnixTime) -> Option<&Forwarder> {
        self.forwarders.find(sealer, now)
    }
}

const DOMAIN: &str = "a domain name, or *. and one";

fn read_verdict(document: &mut Document<'_>, entry: &Entry<'_>) -> Option<LocalVerdict> {
    entry.refuse_unknown(document, &["domain", "action", "comment", "until"]);
    let scope = entry.read_text(document, "domain", DOMAIN, entry::scope);
    let expected = "\"accept\", \"quarantine\" or \"reject\"";
    let action = entry.read_text(document, "action", expected, action);
    let comment = entry.read_comment(document);
    let until = entry.read_until(document);
    let line = entry.line(document);
    Some(LocalVerdict { scope: scope?, action: action?, comment: comment?, until: until?, line })
}

fn read_forwarder(document: &mut Document<'_>, entry: &Entry<'_>) -> Option<Forwarder> {
    entry.refuse_unknown(document, &["domain", "comment", "until"]);
    let scope = entry.read_text(document, "domain", DOMAIN, entry::scope);
    let comment = entry.read_comment(document);
    let until = entry.read_until(document);
    Some(Forwarder { scope: scope?, comment: comment?, until: until?, line: entry.line(document) })
}

fn action(text: &str) -> Option<Action> {
    [Action::Accept, Action::Quarantine, Action::Reject]
        .into_iter()
        .find(|action| action.as_str() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
        [[verdict]]
        domain = "partner.example"
        action = "accept"
        comment = "ticket 4711"
        until = 1970-01-01

        [[forwarder]]
        domain = "*.lists.example"
        comment = "our lists"

        [[verdict]]
        domain = "*.example"
        action = "reject"
        comment = "never seen mail from there"
    "#;

    #[test]
    fn entries_hold_for_their_domains_until_their_day() {
        let local = LocalVerdicts::parse("local.toml", FILE).unwrap();
        let name = |text| DomainName::parse(text).unwrap();
        let action = |domain, now| Some(local.verdicts.find(&name(domain), UnixTime(now))?.action);
        assert_eq!(action("partner.example", 86_399), Some(Action::Accept));
        assert_eq!(action("partner.example", 86_400), Some(Action::Reject));
        assert_eq!(action("other.test", 0), None);
        let trusted = |domain| local.trusted(&name(domain), UnixTime(0)).map(|f| &*f.comment);
        assert_eq!(trusted("a.lists.example"), Some("our lists"));
        assert_eq!(trusted("lists.example"), None);
        assert_eq!(local.expired(UnixTime(86_400)), ["partner.example"]);
        assert_eq!(local.count(), 3);
    }

    #[test]
    fn all_errors_are_told() {
        let text = "[[verdict]]\ndomain = \"a.test\"\naction = \"defer\"\ncomment = \"c\"\n\
                    [[forwarder]]\ndomain = \"a.test\"\naction = \"accept\"\ncomment = \"c\"\n\
                    [[forwarder]]\ndomain = \"A.test\"\ncomment = \"c\"\n[other]\n";
        let errors = LocalVerdicts::parse("l.toml", text).unwrap_err();
        let lines: Vec<_> = errors.iter().map(ConfigError::line).collect();
        assert_eq!(
            lines,
            [
                "l.toml:3:10: verdict.action: expected \"accept\", \"quarantine\" or \"reject\", \
                 found \"defer\"",
                "l.toml:7:1: forwarder.action: there is no such key",
                "l.toml:10:10: forwarder.domain: a.test stands here a second time, the first is in line 5",
                "l.toml:12:2: other: there is no such key",
            ]
        );
    }
}
