//! One table of a list of tables, such as `[[override]]`, on its way in.

use std::ops::Range;
use std::path::Path;

use smtp_types::{DomainName, UnixTime};
use toml::Spanned;
use toml::de::DeTable;

use super::date;
use super::document::Document;
use super::error::{ConfigError, Fault};
use super::kind::Refusal;

/// The text of a file that a setting names.
///
/// # Errors
/// That it cannot be read, or is no text.
pub(super) fn read_text(setting: &str, path: &Path) -> Result<String, Vec<ConfigError>> {
    let bytes = std::fs::read(path).map_err(|error| {
        let key = setting.into();
        vec![ConfigError { key, ..ConfigError::unreadable(path, &error.to_string()) }]
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        vec![ConfigError::not_utf8(&path.display().to_string(), error.as_bytes(), at)]
    })
}

/// One table of a list.
pub(super) struct Entry<'a> {
    /// The name of the list.
    list: &'static str,
    span: Range<usize>,
    table: &'a DeTable<'a>,
}

impl<'a> Entry<'a> {
    /// The tables of the file, which may hold these lists and nothing else. What is none is noted.
    pub(super) fn all(
        document: &mut Document<'_>,
        file: &'a DeTable<'a>,
        lists: &'static [&'static str],
    ) -> Vec<Self> {
        let mut entries = Vec::new();
        let tables = lists.iter().map(|list| format!("[[{list}]]")).collect::<Vec<_>>();
        let expected = format!("a list of tables {}", tables.join(" and "));
        for (name, value) in file {
            let Some(list) = lists.iter().find(|list| ***list == **name.get_ref()) else {
                let hint = format!("the file is {expected}");
                document.add(name.get_ref(), name.span(), Fault::UnknownKey, Some(&hint));
                continue;
            };
            let Some(items) = value.get_ref().as_array() else {
                let refusal = Refusal::new(value, format!("a list of tables [[{list}]]"));
                document.refuse(list, refusal, None);
                continue;
            };
            for item in items {
                match item.get_ref().as_table() {
                    Some(table) => entries.push(Self { list, span: item.span(), table }),
                    None => document.refuse(list, Refusal::new(item, "a table"), None),
                }
            }
        }
        entries
    }

    /// The name of the list that it stands in.
    pub(super) const fn list(&self) -> &'static str {
        self.list
    }

    /// The line in which it begins, from 1.
    pub(super) fn line(&self, document: &Document<'_>) -> usize {
        document.line_of(self.span.start)
    }

    /// The value of `name`, if it is there.
    pub(super) fn get(&self, name: &str) -> Option<&'a Spanned<toml::de::DeValue<'a>>> {
        self.table.get(name)
    }

    /// Notes every key that is none of these.
    pub(super) fn refuse_unknown(&self, document: &mut Document<'_>, keys: &[&str]) {
        for name in self.table.keys() {
            if !keys.contains(&&**name.get_ref()) {
                let key = self.key(name.get_ref());
                let hint = format!("the keys are {}", keys.join(", "));
                document.add(&key, name.span(), Fault::UnknownKey, Some(&hint));
            }
        }
    }

    /// A text that must be there.
    pub(super) fn read_text<T>(
        &self,
        document: &mut Document<'_>,
        name: &str,
        expected: &str,
        parse: fn(&str) -> Option<T>,
    ) -> Option<T> {
        let key = self.key(name);
        let Some(value) = self.table.get(name) else {
            let expected = expected.into();
            document.add(&key, self.span.clone(), Fault::Missing { expected }, None);
            return None;
        };
        let parsed = value.get_ref().as_str().and_then(parse);
        if parsed.is_none() {
            document.refuse(&key, Refusal::new(value, expected), None);
        }
        parsed
    }

    /// `comment`, which must be there and say something.
    pub(super) fn read_comment(&self, document: &mut Document<'_>) -> Option<String> {
        self.read_text(document, "comment", "a text that says why", |text| {
            (!text.trim().is_empty()).then(|| text.to_owned())
        })
    }

    /// `until`: the end date, or that there is none; `None`, and noted, if it is wrong.
    pub(super) fn read_until(&self, document: &mut Document<'_>) -> Option<Option<UnixTime>> {
        let Some(value) = self.table.get("until") else {
            return Some(None);
        };
        let until = date::last_second(value.get_ref());
        if until.is_none() {
            let refusal = Refusal::new(value, "a date such as 2026-12-31");
            document.refuse(&self.key("until"), refusal, None);
            return None;
        }
        Some(until)
    }

    /// Notes that another entry, which begins in `first_line`, is for the same domain.
    pub(super) fn refuse_duplicate(
        &self,
        document: &mut Document<'_>,
        what: String,
        first_line: usize,
    ) {
        let fault = Fault::Duplicate { what, first_line: Some(first_line) };
        let span = self.table.get("domain").map(Spanned::span);
        let span = span.unwrap_or_else(|| self.span.clone());
        document.add(&self.key("domain"), span, fault, None);
    }

    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.list)
    }
}

/// `example.com`, or `*.example.com`.
pub(super) fn scope(text: &str) -> Option<super::Scope> {
    match text.strip_prefix("*.") {
        Some(domain) => DomainName::parse(domain).ok().map(super::Scope::Below),
        None => DomainName::parse(text).ok().map(super::Scope::Exact),
    }
}
