//! Remarks about a key record, for its owner.
//!
//! The reader stops at the first fault and takes what it can use. The linter goes on, and it also
//! says what is allowed and unwise: short keys, leftovers of older standards, a forgotten test
//! flag.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use smtp_types::{Finding, Position, Severity};

use crate::dkim::key::{check_version, parse_key, parse_key_type, parse_names};
use crate::dkim::{KeyRecordError, MAX_RSA_BITS, MIN_RSA_BITS, PublicKey};
use crate::tag_list::{Tag, TagList};

const CLAUSE: &str = "RFC 6376 §3.6.1";

/// What signers should use at least (RFC 8301 §3.2).
const GOOD_RSA_BITS: usize = 2048;

/// What every verifier must know at least (RFC 8301 §3.2).
const COMMON_RSA_BITS: usize = 4096;

const KNOWN_TAGS: [&str; 7] = ["v", "h", "k", "n", "p", "s", "t"];

/// All remarks about a TXT record at `<selector>._domainkey.<domain>`, in the order of the text.
/// If none is an error, signatures with this key can verify (or the key is revoked, which has a
/// remark of its own).
#[must_use]
pub fn lint_key_record(text: &[u8]) -> Vec<Finding> {
    let list = match TagList::parse_record(text) {
        Ok(list) => list,
        Err(error) => return alloc::vec![fault(&error.into())],
    };
    let mut findings = Vec::new();
    findings.extend(check_version(&list).err().as_ref().map(fault));
    if list.get("v").is_none() {
        let message = "v: expected \"v=DKIM1\" in front, as is recommended, found none".into();
        let position = Position { line: 1, column: 1 };
        let severity = Severity::Notice;
        let code = "dkim-version-missing";
        findings.push(Finding { code, severity, position, message, clause: CLAUSE });
    }
    match parse_key_type(&list) {
        Err(error) => findings.push(fault(&error)),
        Ok(key_type) => match parse_key(&list, key_type) {
            Err(error) => findings.push(fault(&error)),
            Ok(key) => findings.extend(key_remark(&list, key.as_ref())),
        },
    }
    for tag in list.tags() {
        findings.extend(tag_remarks(&list, tag));
    }
    findings.sort_by_key(|finding| finding.position);
    findings
}

/// What is to be said of a key that can be read.
fn key_remark(list: &TagList<'_>, key: Option<&PublicKey>) -> Option<Finding> {
    let Some(key) = key else {
        let message = "p: empty, so the key is revoked".into();
        return remark(list, "p", "dkim-key-revoked", Severity::Notice, message, CLAUSE);
    };
    let PublicKey::Rsa { exponent, .. } = key else {
        return None;
    };
    let bits = key.bits();
    let (code, severity, message) = if bits < MIN_RSA_BITS {
        let message = format!("p: expected at least {MIN_RSA_BITS} bits, found {bits}");
        ("dkim-rsa-short", Severity::Error, message)
    } else if bits > MAX_RSA_BITS {
        let message = format!("p: expected at most {COMMON_RSA_BITS} bits, found {bits}");
        ("dkim-rsa-long", Severity::Error, message)
    } else if bits < GOOD_RSA_BITS {
        let message = format!("p: expected {GOOD_RSA_BITS} bits or more, found {bits}");
        ("dkim-rsa-weak", Severity::Warning, message)
    } else if bits > COMMON_RSA_BITS {
        let message = format!("p: not every verifier takes more than {COMMON_RSA_BITS} bits");
        ("dkim-rsa-long", Severity::Warning, message)
    } else if exponent.len() < 3 {
        let message = "p: the exponent is small; 65537 is what all keys have today".into();
        ("dkim-rsa-exponent-small", Severity::Notice, message)
    } else {
        return None;
    };
    remark(list, "p", code, severity, message, "RFC 8301 §3.2")
}

/// What is to be said of a tag other than `v=`, `k=` and `p=`.
fn tag_remarks(list: &TagList<'_>, tag: &Tag<'_>) -> Vec<Finding> {
    let names = match tag.name {
        "h" | "s" | "t" => match parse_names(list, tag) {
            Ok(names) => names,
            Err(error) => return alloc::vec![fault(&error)],
        },
        name if KNOWN_TAGS.contains(&name) => return Vec::new(),
        name => return alloc::vec![unknown_tag(list, tag, name)],
    };
    let has = |name: &str| names.iter().any(|found| &**found == name);
    let mut findings = Vec::new();
    let mut add = |code, severity, message: String, clause| {
        let position = list.position(tag.value_offset);
        findings.push(Finding { code, severity, position, message, clause });
    };
    match tag.name {
        "h" if !has("sha256") => {
            let message = "h: expected \"sha256\", the only hash that counts, found none".into();
            add("dkim-hash-not-allowed", Severity::Error, message, "RFC 8301 §3.1");
        }
        "h" if has("sha1") => {
            let message = "h: sha1 must not be used any more".into();
            add("dkim-hash-sha1", Severity::Warning, message, "RFC 8301 §3.1");
        }
        "s" if !has("*") && !has("email") => {
            let found = tag.value;
            let message = format!("s: not for mail in general, only for {found:?}");
            add("dkim-service", Severity::Notice, message, CLAUSE);
        }
        "t" if has("y") => {
            let message = "t: y says that DKIM is only tested: the mail counts as unsigned".into();
            add("dkim-testing", Severity::Warning, message, CLAUSE);
        }
        _ => {}
    }
    let known: &[&str] = match tag.name {
        "h" => &["sha1", "sha256"],
        "s" => &["*", "email", "tlsrpt"],
        _ => &["y", "s"],
    };
    for name in names.iter().filter(|name| !known.contains(&&***name)) {
        let message = format!("{}: {name:?} is unknown and ignored", tag.name);
        add("dkim-name-unknown", Severity::Notice, message, CLAUSE);
    }
    findings
}

/// Unknown tags are allowed and ignored. One that differs from a known tag by its case is most
/// likely meant to be it, and `g=` was a tag of RFC 4871.
fn unknown_tag(list: &TagList<'_>, tag: &Tag<'_>, name: &str) -> Finding {
    let lower = name.to_ascii_lowercase();
    let (code, severity, message) = if KNOWN_TAGS.contains(&&*lower) {
        let message = format!("{name}: an unknown tag, which is ignored; did you mean {lower:?}?");
        ("dkim-tag-misspelled", Severity::Warning, message)
    } else if name == "g" {
        let message = "g: a tag of RFC 4871, which is ignored today".into();
        ("dkim-tag-obsolete", Severity::Notice, message)
    } else {
        let message = format!("{name}: an unknown tag, which is ignored");
        ("dkim-tag-unknown", Severity::Notice, message)
    };
    let position = list.position(tag.name_offset);
    Finding { code, severity, position, message, clause: CLAUSE }
}

/// A remark at the value of a tag that is there.
fn remark(
    list: &TagList<'_>,
    name: &str,
    code: &'static str,
    severity: Severity,
    message: String,
    clause: &'static str,
) -> Option<Finding> {
    let position = list.position(list.get(name)?.value_offset);
    Some(Finding { code, severity, position, message, clause })
}

fn fault(error: &KeyRecordError) -> Finding {
    Finding {
        code: error.fault.code(),
        severity: Severity::Error,
        position: error.position,
        message: format!("{}", error.fault),
        clause: error.fault.clause(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dkim::KeyRecord;

    const ED25519: &str = "k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

    fn lint(text: &str) -> Vec<(&'static str, usize)> {
        let findings = lint_key_record(text.as_bytes());
        findings.iter().map(|finding| (finding.code, finding.position.column)).collect()
    }

    #[test]
    fn remarks() {
        assert_eq!(lint(&format!("v=DKIM1; {ED25519}")), []);
        assert_eq!(lint(ED25519), [("dkim-version-missing", 1)]);
        assert_eq!(lint("v=DKIM1; p="), [("dkim-key-revoked", 12)]);
        assert_eq!(
            lint(&format!("v=DKIM1; {ED25519}; t=y:x; h=sha1:sha256; s=tlsrpt; g=*; N=a; x=b")),
            [
                ("dkim-testing", 71),
                ("dkim-name-unknown", 71),
                ("dkim-hash-sha1", 78),
                ("dkim-service", 93),
                ("dkim-tag-obsolete", 101),
                ("dkim-tag-misspelled", 106),
                ("dkim-tag-unknown", 111),
            ]
        );
        assert_eq!(
            lint("k=dsa; v=DKIM2; h=sha1; t=:"),
            [
                ("dkim-key-type", 3),
                ("dkim-version", 10),
                ("dkim-hash-not-allowed", 19),
                ("dkim-list", 27),
            ]
        );
        assert_eq!(lint("v=DKIM1; k=rsa"), [("dkim-key-missing", 15)]);
        assert_eq!(lint("v=DKIM1;; p="), [("dkim-tag-empty", 9)]);
        assert_eq!(lint("\"v=DKIM1; p=\""), [("dkim-tag-name", 1)]);
    }

    fn rsa(bits: usize, exponent: &[u8]) -> Vec<(&'static str, usize)> {
        let mut modulus = alloc::vec![0xff; bits / 8];
        if let Some(first) = modulus.first_mut() {
            *first = 0x80;
        }
        let key = PublicKey::Rsa { modulus: modulus.into(), exponent: exponent.into() };
        lint(&format!("{}", KeyRecord::new(key)))
    }

    #[test]
    fn sizes() {
        assert_eq!(rsa(512, &[1, 0, 1]), [("dkim-rsa-short", 19)]);
        assert_eq!(rsa(1024, &[1, 0, 1]), [("dkim-rsa-weak", 19)]);
        assert_eq!(rsa(2048, &[1, 0, 1]), []);
        assert_eq!(rsa(4096, &[3]), [("dkim-rsa-exponent-small", 19)]);
        assert_eq!(rsa(8192, &[1, 0, 1]), [("dkim-rsa-long", 19)]);
        assert_eq!(rsa(8200, &[1, 0, 1]), [("dkim-rsa-long", 19)]);
    }
}
