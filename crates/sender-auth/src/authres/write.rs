//! Writing the field: by the grammar to the letter, folded to 78 columns (RFC 5322 §2.1.1).

use alloc::string::String;

use super::cursor::{is_dot_atom, is_international, is_token};
use super::model::{AuthenticationResults, MethodResult};
use super::words::{AuthservId, Comment};
use super::{FIELD_NAME, Value};

/// Where a line ends if it can: one of the 78 columns is left for a semicolon.
const COLUMNS: usize = 77;
/// What stands before a statement, and before a word that had no place behind the last one.
const INDENT: &str = "    ";

impl AuthenticationResults {
    /// What stands behind the colon of an `Authentication-Results` field, the space in front
    /// included. Lines end in CRLF; there is none behind the last. (A milter wants LF instead.)
    #[must_use]
    pub fn to_value(&self) -> String {
        self.write(FIELD_NAME, None)
    }

    /// The same for the field `name`, with an ARC instance in front (RFC 8617 §4.1.1).
    pub(crate) fn write(&self, name: &str, instance: Option<u8>) -> String {
        let mut folded = Folded { text: String::new(), column: name.len() + 1 };
        if let Some(instance) = instance {
            folded.word(&alloc::format!("i={instance};"));
        }
        folded.id(&self.authserv_id);
        if self.results.is_empty() {
            folded.push(";");
            folded.word("none");
        }
        for result in &self.results {
            folded.push(";");
            folded.new_line();
            folded.method_result(result);
        }
        folded.text
    }
}

/// Text that is folded while it grows.
struct Folded {
    text: String,
    /// How many columns of the last line are taken.
    column: usize,
}

impl Folded {
    fn id(&mut self, id: &AuthservId) {
        if id.as_str().chars().all(is_token) {
            self.word(id.as_str());
        } else {
            self.word("\"");
            self.escaped(id.as_str(), '"', '"');
        }
    }

    fn method_result(&mut self, info: &MethodResult) {
        self.push(info.method.as_str());
        if info.method_version != 1 {
            self.push(&alloc::format!("/{}", info.method_version));
        }
        self.push("=");
        self.push(info.result.as_str());
        if let Some(comment) = &info.comment {
            self.comment(comment);
        }
        if let Some(reason) = &info.reason {
            self.pair("reason=", reason, is_plain_reason);
        }
        for property in &info.properties {
            let name = alloc::format!("{}.{}=", property.name.ptype, property.name.property);
            self.pair(&name, &property.value, is_plain_value);
        }
    }

    fn comment(&mut self, comment: &Comment) {
        self.word("(");
        self.escaped(comment.as_str(), '(', ')');
    }

    /// A name with its value, in quotes if it cannot do without.
    fn pair(&mut self, name: &str, value: &Value, is_plain: fn(&str) -> bool) {
        if is_plain(value.as_str()) {
            self.word(&alloc::format!("{name}{value}"));
        } else {
            self.word(&alloc::format!("{name}\""));
            self.escaped(value.as_str(), '"', '"');
        }
    }

    /// Text up to `close`, folded at its own spaces, for there a fold can be undone. A backslash
    /// stands before whatever would end the text or begin another.
    fn escaped(&mut self, text: &str, open: char, close: char) {
        let mut word = String::new();
        let mut before = ' ';
        for c in text.chars() {
            if c == ' ' && before != ' ' {
                self.words_of_text(&mut word);
            }
            if c == open || c == close || c == '\\' {
                word.push('\\');
            }
            word.push(c);
            before = c;
        }
        word.push(close);
        self.words_of_text(&mut word);
    }

    /// Adds what begins with a space or continues the word before.
    fn words_of_text(&mut self, word: &mut String) {
        let columns = word.chars().count();
        if word.starts_with(' ') && self.column + columns > COLUMNS {
            self.text.push_str("\r\n");
            self.column = 0;
        }
        self.push(word);
        word.clear();
    }

    /// Adds a word behind a space, on a new line if it does not fit.
    fn word(&mut self, word: &str) {
        if self.column + 1 + word.chars().count() > COLUMNS {
            self.new_line();
        } else {
            self.push(" ");
        }
        self.push(word);
    }

    fn new_line(&mut self) {
        self.text.push_str("\r\n");
        self.column = 0;
        self.push(INDENT);
    }

    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.column += text.chars().count();
    }
}

/// `value = token / quoted-string` (RFC 2045 §5.1)
fn is_plain_reason(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_token)
}

/// A token, or `[ [ local-part ] "@" ] domain-name`: an address must not stand in quotes
/// (RFC 8601 §2.2).
fn is_plain_value(text: &str) -> bool {
    let (local_part, domain) = match text.rsplit_once('@') {
        Some((local_part, domain)) => (Some(local_part), domain),
        None => (None, text),
    };
    let is_domain = domain.split('.').all(|label| !label.is_empty() && label.chars().all(is_label));
    is_plain_reason(text)
        || (is_domain
            && local_part
                .is_none_or(|part| part.is_empty() || is_dot_atom(part) || is_quoted_string(part)))
}

fn is_label(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_' || is_international(c)
}

/// A local part in quotes, its inner quotes escaped.
fn is_quoted_string(text: &str) -> bool {
    let Some(inner) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) else {
        return false;
    };
    let mut escaped = false;
    for c in inner.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return false,
            _ => {}
        }
    }
    !escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authres::{Keyword, PropertyName};
    use alloc::vec;

    fn one(result: MethodResult) -> AuthenticationResults {
        let authserv_id = AuthservId::new("mx.example.com").unwrap();
        AuthenticationResults { authserv_id, results: vec![result] }
    }

    fn mailfrom(value: &str) -> String {
        let result = MethodResult::new(Keyword::SPF, Keyword::PASS);
        one(result.with_property(PropertyName::SMTP_MAILFROM, value)).to_value()
    }

    #[test]
    fn values_are_quoted_where_they_must_be() {
        for (value, written) in [
            ("example.org", "example.org"),
            ("user@example.org", "user@example.org"),
            ("a=b/c@example.org", "a=b/c@example.org"), // an address never stands in quotes
            ("\"a b\"@example.org", "\"a b\"@example.org"),
            ("@example.org", "@example.org"),
            ("ö@ä.example", "ö@ä.example"),
            ("", "\"\""),
            ("<>", "\"<>\""),
            ("2001:db8::1", "\"2001:db8::1\""),
            ("a b", "\"a b\""),
            ("a\"b\\c", "\"a\\\"b\\\\c\""),
            ("\"a\"b\"@example.org", "\"\\\"a\\\"b\\\"@example.org\""),
            ("a; dkim=pass", "\"a; dkim=pass\""),
            ("a\r\nX: b", "\"a??X: b\""),
            ("user@[192.0.2.1]", "\"user@[192.0.2.1]\""),
        ] {
            let expected =
                alloc::format!(" mx.example.com;\r\n    spf=pass smtp.mailfrom={written}");
            assert_eq!(mailfrom(value), expected, "{value:?}");
        }
    }

    #[test]
    fn lines_are_folded_at_spaces() {
        let result = MethodResult::new(Keyword::DKIM, Keyword::FAIL)
            .with_comment(
                "the body has changed (or so it seems), which a mailing list may have done",
            )
            .with_reason(
                "body hash did not verify, and there was nothing else to say about it, really",
            )
            .with_property(PropertyName::HEADER_D, "example.org");
        let expected = " mx.example.com;\r\n    dkim=fail (the body has changed \
            \\(or so it seems\\), which a mailing list\r\n may have done) \
            reason=\"body hash did not verify, and there was nothing else\r\n to say about it, \
            really\" header.d=example.org";
        assert_eq!(one(result).to_value(), expected);
    }

    #[test]
    fn nothing_was_checked() {
        let authserv_id = AuthservId::new("mx 1").unwrap();
        let none = AuthenticationResults { authserv_id, results: vec![] };
        assert_eq!(none.to_value(), " \"mx 1\"; none");
        assert_eq!(none.write("ARC-Authentication-Results", Some(7)), " i=7; \"mx 1\"; none");
    }
}
