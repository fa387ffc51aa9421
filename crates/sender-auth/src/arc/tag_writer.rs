//! Writing the two fields that are lists of tags, folded to 76 columns.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// How many columns a line has behind its indent.
const COLUMNS: usize = 72;
const INDENT: &str = "    ";

/// A tag with its value.
pub(super) struct TagToWrite {
    pub(super) name: &'static str,
    pub(super) value: String,
}

impl TagToWrite {
    pub(super) fn new(name: &'static str, value: impl Into<String>) -> Self {
        Self { name, value: value.into() }
    }
}

/// What stands behind the colon of the field, in the order of the names, as most sealers write it.
/// `signature` is the value of `b=`, in Base64. It has lines of its own, so that all around it is the
/// same with and without.
pub(super) fn write(field_name: &str, mut tags: Vec<TagToWrite>, signature: &str) -> String {
    tags.push(TagToWrite::new("b", signature));
    tags.sort_by_key(|tag| tag.name);
    let mut folded = Folded { text: String::new(), column: field_name.len() + 1 };
    for (index, tag) in tags.iter().enumerate() {
        let end = if index + 1 < tags.len() { ";" } else { "" };
        match tag.name {
            "b" => {
                folded.new_line();
                folded.word("b=");
                folded.base64(&tag.value);
                folded.push(end);
                folded.new_line();
            }
            "h" => {
                folded.names(&tag.value);
                folded.push(end);
            }
            name => folded.word(&format!("{name}={}{end}", tag.value)),
        }
    }
    folded.text
}

struct Folded {
    text: String,
    /// How many columns of the last line are taken, its indent left out.
    column: usize,
}

impl Folded {
    /// Adds a word, with a space or a fold before it.
    fn word(&mut self, word: &str) {
        if self.column + 1 + word.len() > COLUMNS && self.column > 0 {
            self.new_line();
        }
        if self.column > 0 {
            self.push(" ");
        }
        self.push(word);
    }

    /// Adds `h=`, folded between the names (RFC 6376 §3.5).
    fn names(&mut self, names: &str) {
        let mut names = names.split(':');
        self.word(&format!("h={}", names.next().unwrap_or_default()));
        for name in names {
            self.push(":");
            if self.column + name.len() + 1 > COLUMNS {
                self.new_line();
            }
            self.push(name);
        }
    }

    /// Adds Base64, folded where a line is full.
    fn base64(&mut self, text: &str) {
        let mut rest = text;
        while !rest.is_empty() {
            if self.column >= COLUMNS {
                self.new_line();
            }
            let (line, behind) = rest.split_at(rest.len().min(COLUMNS - self.column));
            self.push(line);
            rest = behind;
        }
    }

    fn new_line(&mut self) {
        self.text.push_str("\r\n");
        self.text.push_str(INDENT);
        self.column = 0;
    }

    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.column += text.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_folded() {
        let tags = || {
            let names = ["From"; 20].join(":");
            alloc::vec![
                TagToWrite::new("i", "1"),
                TagToWrite::new("h", names),
                TagToWrite::new("a", "x")
            ]
        };
        let text = write("ARC-Message-Signature", tags(), &"A".repeat(100));
        let behind = [
            ";\r\n    h=From:From:From:From:From:From:From:From:From:From:From:From:From:From:\r\n    ",
            "From:From:From:From:From:From; i=1",
        ]
        .concat();
        let signature = [&"A".repeat(70), "\r\n    ", &"A".repeat(30)].concat();
        assert_eq!(text, [" a=x;\r\n    b=", &signature, &behind].concat());
        let unsigned = write("ARC-Message-Signature", tags(), "");
        assert_eq!(unsigned, [" a=x;\r\n    b=", &behind].concat());
    }
}
