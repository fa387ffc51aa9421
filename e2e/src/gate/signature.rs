//! A DKIM signer of the lab's own, small enough to be read at once, which can also do what no honest
//! signer does: sign for the past, sign half a body, put any tag into its field.
//!
//! Ed25519 (RFC 8463) and `c=simple/simple` only. Other signers are OpenDKIM, dkimpy and Waxseal.

use crate::error::LabError;
use aws_lc_rs::encoding::AsBigEndian;
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

/// A key pair.
pub struct LabKey(Ed25519KeyPair);

/// What a signature says of itself.
#[derive(Debug, Clone, Copy)]
pub struct Tags<'t> {
    /// Who signs.
    pub domain: &'t str,
    /// The name of the key.
    pub selector: &'t str,
    /// The names of the fields to sign, separated by colons.
    pub fields: &'t str,
    /// More tags, each ended by a semicolon, such as `x=1700000000;`.
    pub more: &'t str,
    /// How many octets of the body are signed; `None` is all.
    pub length: Option<usize>,
}

impl LabKey {
    /// Makes a new one.
    pub fn generate() -> Result<Self, LabError> {
        Ed25519KeyPair::generate().map(Self).map_err(refused)
    }

    /// The text of the TXT record.
    pub fn record(&self) -> String {
        let public = BASE64_STANDARD.encode(self.0.public_key().as_ref());
        format!("v=DKIM1; k=ed25519; p={public}")
    }

    /// The private key as dkimpy reads it: the seed, in base64.
    pub fn seed(&self) -> Result<String, LabError> {
        let seed = self.0.seed().map_err(refused)?;
        Ok(BASE64_STANDARD.encode(seed.as_be_bytes().map_err(refused)?.as_ref()))
    }

    /// The private key as OpenSSL writes it: PKCS #8 in PEM.
    pub fn pem(&self) -> Result<String, LabError> {
        let document = self.0.to_pkcs8v1().map_err(refused)?;
        let text = BASE64_STANDARD.encode(document.as_ref());
        Ok(format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n"))
    }

    /// The letter with a signature on top.
    pub fn sign(&self, tags: &Tags<'_>, letter: &[u8]) -> Vec<u8> {
        let (header, body) = split(letter);
        let body = canonical_body(body);
        let body = tags.length.map_or(&*body, |length| &body[..length.min(body.len())]);
        let Tags { domain, selector, fields, more, length } = tags;
        let length = length.map(|length| format!(" l={length};")).unwrap_or_default();
        let unsigned = format!(
            "DKIM-Signature: v=1; a=ed25519-sha256; c=simple/simple; d={domain};\r\n s={selector}; \
             h={fields};{length} {more}\r\n bh={};\r\n b=",
            BASE64_STANDARD.encode(Sha256::digest(body))
        );
        let mut hash = Sha256::new();
        let mut left = raw_fields(header);
        for name in fields.split(':') {
            // RFC 6376 §5.4.2: of several fields of one name the last comes first.
            let is_named = |field: &&[u8]| field_name(field).eq_ignore_ascii_case(name.as_bytes());
            if let Some(at) = left.iter().rposition(is_named) {
                hash.update(left.remove(at));
            }
        }
        hash.update(&unsigned);
        let signature = BASE64_STANDARD.encode(self.0.sign(&hash.finalize()));
        [format!("{unsigned}{signature}\r\n").as_bytes(), letter].concat()
    }
}

fn refused(_: Unspecified) -> LabError {
    LabError::Unsupported("making or showing an Ed25519 key".to_owned())
}

/// The header with the end of its last line, and the body.
fn split(letter: &[u8]) -> (&[u8], &[u8]) {
    match letter.windows(4).position(|four| four == b"\r\n\r\n") {
        Some(at) => (&letter[..at + 2], &letter[at + 4..]),
        None => (letter, b""),
    }
}

/// The fields of a header as they stand, each with the end of its last line.
fn raw_fields(header: &[u8]) -> Vec<&[u8]> {
    let mut fields = Vec::new();
    let mut start = 0;
    for end in 1..=header.len() {
        let is_line_end = header[..end].ends_with(b"\r\n");
        let goes_on = header.get(end).is_some_and(|next| matches!(next, b' ' | b'\t'));
        if is_line_end && !goes_on {
            fields.push(&header[start..end]);
            start = end;
        }
    }
    fields
}

fn field_name(field: &[u8]) -> &[u8] {
    field.split(|octet| *octet == b':').next().unwrap_or_default().trim_ascii()
}

/// RFC 6376 §3.4.3: empty lines at the end do not count, and there is a line end at the end.
fn canonical_body(body: &[u8]) -> Vec<u8> {
    let mut end = body.len();
    while body[..end].ends_with(b"\r\n") {
        end -= 2;
    }
    [&body[..end], b"\r\n"].concat()
}
