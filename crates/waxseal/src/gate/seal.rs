//! The verdict as a header field, sealed so that a filter elsewhere can tell it from a forged one.
//!
//! ```text
//! Waxseal-Verdict: v=1; identified=yes; by=example.com; author=example.com; dmarc=pass;
//!  action=accept; reason=dmarc-pass; tls=encrypted; t=1795289400; seal=…
//! ```
//!
//! `seal` is HMAC-SHA256 (RFC 2104) in base64 over two lines: the tags before it, separated by
//! `; `, and the value of `Message-ID`, white space around it removed. The key is 32 random octets
//! that a filter must have been given. A field of this name that comes from outside is removed, so
//! on the same machine nobody needs the seal; it is for filters that mail may reach on other ways.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::verdict::Verdict;

/// The name of the header field.
pub const FIELD: &str = "Waxseal-Verdict";

/// What seals verdicts.
#[derive(Clone)]
pub struct SealKey(hmac::Key);

impl SealKey {
    /// A key of 32 octets.
    #[must_use]
    pub fn new(octets: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, octets))
    }

    /// The value of the field for a message with this `Message-ID` (its value, empty if there is
    /// none), folded to 78 columns, with the space in front.
    #[must_use]
    pub fn field_value(&self, verdict: &Verdict, message_id: &[u8]) -> String {
        let mut tags: Vec<String> =
            verdict.tags().iter().map(|(name, value)| format!("{name}={value}")).collect();
        let seal = hmac::sign(&self.0, &sealed(&tags.join("; "), message_id));
        tags.push(format!("seal={}", BASE64_STANDARD.encode(seal)));
        fold(&tags)
    }

    /// Whether the field is of our making and for this message.
    #[must_use]
    pub fn is_ours(&self, field_value: &str, message_id: &[u8]) -> bool {
        let unfolded = field_value.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
        let Some((tags, seal)) = unfolded.rsplit_once("; seal=") else { return false };
        let Ok(seal) = BASE64_STANDARD.decode(seal) else { return false };
        hmac::verify(&self.0, &sealed(tags, message_id), &seal).is_ok()
    }
}

fn sealed(tags: &str, message_id: &[u8]) -> Vec<u8> {
    [tags.as_bytes(), b"\n", message_id.trim_ascii()].concat()
}

/// The tags, a fold before each that would go beyond the 78th column (RFC 5322 §2.1.1).
fn fold(tags: &[String]) -> String {
    let mut value = String::new();
    let mut column = FIELD.len() + 1;
    for (index, tag) in tags.iter().enumerate() {
        let end = if index + 1 < tags.len() { ";" } else { "" };
        if column + 1 + tag.len() + end.len() > 78 {
            value.push_str("\r\n");
            column = 0;
        }
        value.push(' ');
        value.push_str(tag);
        value.push_str(end);
        column += 1 + tag.len() + end.len();
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::decide::Action;
    use crate::gate::verdict::{Identified, Tls, Unidentified};
    use smtp_types::{DomainName, UnixTime};

    fn verdict(identified: Identified) -> Verdict {
        Verdict {
            at: UnixTime(1_795_289_400),
            queue_id: "4bXyZ".into(),
            action: Action::Accept,
            reason: "dmarc-pass",
            explanation: "DMARC passed".into(),
            identified,
            author: DomainName::parse("example.com").ok(),
            spf: "pass",
            dkim: Vec::new(),
            arc: "none",
            dmarc: "pass",
            asked: Some("reject"),
            forwarded: Vec::new(),
            tls: Tls::Encrypted { version: "TLSv1.3".into() },
            attachments: vec!["archive".into()],
            warning: None,
        }
    }

    #[test]
    fn a_field_is_folded_and_sealed() {
        let key = SealKey::new(&[7; 32]);
        let by = DomainName::parse("example.com").unwrap();
        let value = key.field_value(&verdict(Identified::Yes { by }), b" <1@example.com>");
        let (tags, seal) = value.rsplit_once("seal=").unwrap();
        assert_eq!(
            tags,
            " v=1; identified=yes; by=example.com; author=example.com;\r\n dmarc=pass; \
             asked=reject; action=accept; reason=dmarc-pass; tls=encrypted;\r\n \
             attachments=archive; t=1795289400;\r\n "
        );
        assert_eq!(seal.len(), 44);
        assert!(value.lines().all(|line| line.len() <= 78));
        assert!(key.is_ours(&value, b"<1@example.com>\r\n"));
    }

    #[test]
    fn another_message_key_or_word_is_not_ours() {
        let key = SealKey::new(&[7; 32]);
        let because = Unidentified::SpfOnly;
        let value = key.field_value(&verdict(Identified::No { because }), b"<1@example.com>");
        assert!(key.is_ours(&value, b"<1@example.com>"));
        assert!(!key.is_ours(&value, b"<2@example.com>"));
        assert!(!SealKey::new(&[8; 32]).is_ours(&value, b"<1@example.com>"));
        assert!(
            !key.is_ours(&value.replace("identified=no", "identified=yes"), b"<1@example.com>")
        );
        assert!(!key.is_ours("", b""));
        assert!(!key.is_ours("v=1; seal=AAAA", b""));
    }

    #[test]
    fn a_verdict_is_a_json_document() {
        let because = Unidentified::NoSignature;
        let document = serde_json::to_value(verdict(Identified::No { because })).unwrap();
        assert_eq!(document["identified"], "no");
        assert_eq!(document["because"], "no-signature");
        assert_eq!(document["author"], "example.com");
        assert_eq!(document["tls"]["protection"], "encrypted");
        assert_eq!(document["at"], 1_795_289_400);
    }
}
