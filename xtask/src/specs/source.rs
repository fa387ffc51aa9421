//! The source as text: which functions and tests there are.

use crate::error::StepError;
use crate::tree;

/// All Rust files that rows can speak of, with their paths relative to the root.
pub(crate) struct Source {
    files: Vec<(String, String)>,
}

impl Source {
    /// Reads everything below `crates/` and `e2e/`.
    pub(crate) fn read() -> Result<Self, StepError> {
        let mut files = Vec::new();
        for folder in ["crates", "e2e"] {
            for path in tree::files(&tree::root().join(folder), "rs")? {
                files.push((tree::relative(&path), tree::read(&path)?));
            }
        }
        Ok(Self { files })
    }

    /// The files in `crates/*/src`: path and text.
    pub(crate) fn crates(&self) -> impl Iterator<Item = (&str, &str)> {
        let files = self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        files.filter(|(path, _)| path.starts_with("crates/") && path.contains("/src/"))
    }

    /// Whether `krate::…::Type::name` exists: a file of the crate has a function or constant of
    /// this name, and the type's name too if the path has one.
    pub(crate) fn has_function(&self, path: &str) -> bool {
        let parts: Vec<&str> = path.split("::").collect();
        let [krate, between @ .., name] = parts.as_slice() else {
            return false;
        };
        let folder = format!("crates/{}/src/", krate.replace('_', "-"));
        let of_type = between.last().filter(|part| part.starts_with(|c: char| c.is_uppercase()));
        self.crates().filter(|(path, _)| path.starts_with(&folder)).any(|(_, text)| {
            let word = if name.starts_with(|c: char| c.is_uppercase()) { "const" } else { "fn" };
            defines(text, word, name) && of_type.is_none_or(|of_type| text.contains(of_type))
        })
    }

    /// Whether a test function of this name exists, or, for a name with a slash, such a file.
    pub(crate) fn has_test(&self, name: &str) -> bool {
        if name.contains('/') {
            return tree::root().join(name).is_file();
        }
        self.files.iter().any(|(_, text)| has_test_function(text, name))
    }
}

/// Whether `text` has `word name` with an end behind the name.
fn defines(text: &str, word: &str, name: &str) -> bool {
    let definition = format!("{word} {name}");
    text.match_indices(&definition).any(|(offset, _)| {
        let behind = text[offset + definition.len()..].chars().next();
        !behind.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

/// Whether `text` has `fn name(` with a test attribute in one of the lines before, or as a test of
/// `proptest!`, which has the attribute too.
fn has_test_function(text: &str, name: &str) -> bool {
    let mut marked = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[") {
            marked |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        } else if line.contains("fn ") {
            if marked && defines(line, "fn", name) {
                return true;
            }
            marked = false;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> Source {
        let text = "pub const LIMIT: usize = 1;\nimpl Policy {\n    pub fn parse(body: &[u8]) {}\n}\n\
                    #[test]\nfn s3_1_one() {}\nfn no_test() {}\n\
                    #[tokio::test(flavor = \"x\")]\n#[should_panic]\nasync fn waits() {}\n";
        Source { files: vec![("crates/mta-sts/src/policy.rs".into(), text.into())] }
    }

    #[test]
    fn functions_are_found_by_crate_type_and_name() {
        let has = |path: &str| source().has_function(path);
        assert!(has("mta_sts::Policy::parse"));
        assert!(has("mta_sts::policy::parse"));
        assert!(has("mta_sts::LIMIT"));
        assert!(!has("mta_sts::Record::parse"));
        assert!(!has("mta_sts::Policy::pars"));
        assert!(!has("tlsrpt::Policy::parse"));
        assert!(!has("parse"));
    }

    #[test]
    fn tests_are_found_by_name_and_attribute() {
        let has = |name: &str| source().has_test(name);
        assert!(has("s3_1_one"));
        assert!(has("waits"));
        assert!(!has("no_test"));
        assert!(!has("s3_1"));
        assert!(has("xtask/Cargo.toml"));
        assert!(!has("e2e/cases/there-is-none.case"));
    }
}
