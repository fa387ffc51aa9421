//! Paths in the documents exist.
//!
//! A map that names streets that are gone is worse than no map. In `ARCHITECTURE.md` every code
//! span that looks like a path must be one, from the root of the project or from the source of the
//! program; and in every document every link to a file of the project must lead to it.

use std::path::Path;

use crate::error::StepError;
use crate::tree;

/// The document whose code spans are held to be paths.
const MAP: &str = "ARCHITECTURE.md";
/// Where its paths may begin.
const BASES: [&str; 2] = ["", "crates/waxseal/src"];

/// Checks all documents.
pub(crate) fn check() -> Result<(), StepError> {
    let root = tree::root();
    let mut faults = Vec::new();
    let map = tree::read(&root.join(MAP))?;
    for (line, path) in code_paths(&map) {
        if !BASES.iter().any(|base| root.join(base).join(path).exists()) {
            faults.push(format!("{MAP}:{line}: expected a file or folder, found no {path}"));
        }
    }
    let mut documents: Vec<_> =
        tree::entries(root)?.into_iter().filter(|path| is_markdown(path)).collect();
    documents.extend(tree::files(&root.join("docs"), "md")?);
    documents.extend(tree::files(&root.join("e2e"), "md")?);
    documents.extend(tree::files(&root.join("contrib"), "md")?);
    for document in &documents {
        let folder = document.parent().unwrap_or(root);
        for (line, target) in links(&tree::read(document)?) {
            if !folder.join(&target).exists() {
                let document = tree::relative(document);
                faults.push(format!("{document}:{line}: expected a file, found no {target}"));
            }
        }
    }
    StepError::from_faults("documents must name what exists", faults)?;
    println!("{} documents", documents.len());
    Ok(())
}

fn is_markdown(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "md")
}

/// The paths in code spans, with their line numbers; fenced blocks are left out.
fn code_paths(markdown: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (number, line) in prose(markdown) {
        let spans = line.split('`').skip(1).step_by(2);
        found.extend(spans.filter(|span| is_path(span)).map(|span| (number, span)));
    }
    found
}

/// A relative path: a slash in it, and nothing that no path of ours has.
fn is_path(span: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    span.contains('/') && !span.starts_with(['/', '-']) && span.chars().all(plain)
}

/// The targets of `[text](target)` that are files of the project, without `#section`.
fn links(markdown: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in prose(markdown) {
        for rest in line.split("](").skip(1) {
            let Some((target, _)) = rest.split_once(')') else {
                continue;
            };
            let file = target.split('#').next().unwrap_or_default();
            if !file.is_empty() && !file.contains(':') {
                found.push((number, file.to_owned()));
            }
        }
    }
    found
}

/// The lines outside of fenced code blocks, numbered from 1.
fn prose(markdown: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    markdown.lines().enumerate().filter_map(move |(index, line)| {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            return None;
        }
        (!fenced).then_some((index + 1, line))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_spans_that_are_paths() {
        let text = "see `crates/mta-sts` and\n```\n`a/b`\n```\n`docs/x.md`, `cargo test`, `a::b`, \
                    `/etc/postfix`, `crates/*/src`, `serve`, `http://x/y`";
        assert_eq!(code_paths(text), [(1, "crates/mta-sts"), (5, "docs/x.md")]);
    }

    #[test]
    fn links_to_files() {
        let text = "[a](docs/a.md#top) and [b](https://b.example/) [c](#here)\n[d](../d.md) [e](e";
        assert_eq!(links(text), [(1, "docs/a.md".to_owned()), (2, "../d.md".to_owned())]);
    }
}
