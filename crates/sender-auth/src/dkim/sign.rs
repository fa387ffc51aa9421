//! Signing a message (RFC 6376 §5), with several keys at once: one pass over the body, one
//! signature for each key. So mail can carry RSA for everyone and Ed25519 for those who know it
//! (RFC 8463 §6).
//!
//! What is signed is chosen so that little can be done with the signature afterward:
//!
//! - The whole body, always; there is no `l=` (§8.2).
//! - Each listed field as often as it is there, **and once more**, so that nobody can add another
//!   (§8.15). BSI TR-03182-04-M asks for it.
//! - No field that a mail server on the way adds or changes (§5.4.1).
//!
//! The form is `relaxed/relaxed` by default. Mail servers unfold fields and drop white space at
//! the ends of lines; `simple` breaks with it, and protects nothing that a reader would see.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use smtp_types::{DomainName, UnixTime};

use crate::crypto::{Crypto, KeyType, Sha256, SigningFailed, SigningKey};
use crate::dkim::canonical::{header_field, signature_field, signed_fields};
use crate::dkim::signature::MAX_SIGNED_FIELDS;
use crate::dkim::{Algorithm, BodyDigest, BodyHash, Canonicalization, SIGNATURE_FIELD, Selector};
use crate::header::{Header, HeaderField};

/// One key to sign with.
#[derive(Debug)]
pub struct SignWith<'k, K> {
    /// The domain that takes responsibility (`d=`).
    pub domain: DomainName,
    /// The name of the key below the domain (`s=`).
    pub selector: Selector,
    /// The private key whose public half stands there.
    pub key: &'k K,
}

/// How to sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignOptions {
    /// The form of the header. The default is relaxed.
    pub header_canonicalization: Canonicalization,
    /// The form of the body. The default is relaxed.
    pub body_canonicalization: Canonicalization,
    /// The fields to sign.
    pub fields: FieldsToSign,
    /// The time of the signature (`t=`).
    pub now: UnixTime,
    /// How long it counts (`x=`). The default is without end.
    pub lifetime: Option<Duration>,
}

impl SignOptions {
    /// The defaults, at this time.
    #[must_use]
    pub fn new(now: UnixTime) -> Self {
        Self {
            header_canonicalization: Canonicalization::Relaxed,
            body_canonicalization: Canonicalization::Relaxed,
            fields: FieldsToSign::default(),
            now,
            lifetime: None,
        }
    }
}

/// Which header fields are signed. `From` is always among them, and no trace field ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldsToSign {
    always: Vec<Box<str>>,
    if_present: Vec<Box<str>>,
}

/// Signed once more than they are there, be it once although they are not there.
const ALWAYS: [&str; 13] = [
    "From",
    "Reply-To",
    "Subject",
    "Date",
    "To",
    "Cc",
    "Message-ID",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Content-Disposition",
];

/// Signed once more than they are there, if they are. Mailing lists may add them to a message that
/// they otherwise leave alone, and it shall verify all the same.
const IF_PRESENT: [&str; 11] = [
    "Sender",
    "Content-ID",
    "Content-Description",
    "List-Id",
    "List-Help",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "List-Subscribe",
    "List-Post",
    "List-Owner",
    "List-Archive",
];

/// Added, moved or changed by mail servers on the way (RFC 5322 §3.6.6 and §3.6.7, RFC 6376
/// §5.4.1, RFC 8601 §5, RFC 8617 §4.1).
const TRACE: [&str; 7] = [
    "Return-Path",
    "Received",
    "Received-SPF",
    "Authentication-Results",
    "Delivered-To",
    "DKIM-Signature",
    "Bcc",
];

impl Default for FieldsToSign {
    /// What RFC 6376 §5.4.1 names, and the fields of MIME: those that say what a reader sees are
    /// signed even if they are not there.
    fn default() -> Self {
        Self {
            always: ALWAYS.map(Box::from).to_vec(),
            if_present: IF_PRESENT.map(Box::from).to_vec(),
        }
    }
}

impl FieldsToSign {
    /// A choice of one's own: `always` are signed even if they are not there, so that nobody can
    /// add them; `if_present` only if they are there.
    ///
    /// # Errors
    /// The first name that cannot be signed.
    pub fn new<'n>(
        always: impl IntoIterator<Item = &'n str>,
        if_present: impl IntoIterator<Item = &'n str>,
    ) -> Result<Self, FieldsToSignError> {
        let always = always.into_iter().map(to_sign).collect::<Result<Vec<_>, _>>()?;
        let if_present = if_present.into_iter().map(to_sign).collect::<Result<Vec<_>, _>>()?;
        if !always.iter().any(|name| name.eq_ignore_ascii_case("From")) {
            return Err(FieldsToSignError::FromMissing);
        }
        Ok(Self { always, if_present })
    }

    /// The same choice, and these fields are signed, too, even if they are not there.
    ///
    /// # Errors
    /// The first name that cannot be signed.
    pub fn and_always<'n>(
        mut self,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Result<Self, FieldsToSignError> {
        for name in names {
            self.always.push(to_sign(name)?);
        }
        Ok(self)
    }

    /// The same choice, but these fields are signed only if they are there: for those that the mail
    /// server adds behind the signer. `From` stays as it is.
    #[must_use]
    pub fn only_if_present(mut self, names: &[&str]) -> Self {
        let is_named = |field: &str| {
            !field.eq_ignore_ascii_case("From")
                && names.iter().any(|name| field.eq_ignore_ascii_case(name))
        };
        let (moved, always) = self.always.into_iter().partition(|field| is_named(field));
        self.always = always;
        self.if_present.extend::<Vec<_>>(moved);
        self
    }

    /// The names for `h=`, one for each field and one more.
    pub(crate) fn names(&self, header: &Header) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        let lists = [(&self.always, true), (&self.if_present, false)];
        for (list, even_if_absent) in lists {
            for name in list {
                let count = header.named(name).count();
                let known = names.iter().any(|known| known.eq_ignore_ascii_case(name));
                if !known && (even_if_absent || count > 0) {
                    names.extend(core::iter::repeat_n(&**name, count.saturating_add(1)));
                }
            }
        }
        names
    }
}

fn to_sign(name: &str) -> Result<Box<str>, FieldsToSignError> {
    let is_name = |octet: u8| octet.is_ascii_graphic() && octet != b':' && octet != b';';
    if name.is_empty() || name.len() > 76 || !name.bytes().all(is_name) {
        return Err(FieldsToSignError::NotAName { found: name.into() });
    }
    let starts_with = |prefix: &str| {
        name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    let is_trace = TRACE.iter().any(|trace| name.eq_ignore_ascii_case(trace));
    if is_trace || starts_with("ARC-") || starts_with("Resent-") {
        return Err(FieldsToSignError::Trace { found: name.into() });
    }
    Ok(name.into())
}

/// Why header fields cannot be chosen to be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldsToSignError {
    /// `From` is not among those that are always signed (RFC 6376 §5.4).
    FromMissing,
    /// The name is not one of a header field, or has more than 76 octets.
    NotAName {
        /// The name.
        found: Box<str>,
    },
    /// Mail servers on the way add, move or change the field (RFC 6376 §5.4.1).
    Trace {
        /// The name.
        found: Box<str>,
    },
}

impl fmt::Display for FieldsToSignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FromMissing => {
                write!(f, "expected \"From\" among the fields, found none (RFC 6376 §5.4)")
            }
            Self::NotAName { found } => {
                write!(f, "expected the name of a header field, found {found:?}")
            }
            Self::Trace { found } => write!(
                f,
                "expected a field that stays as it is, found {found:?}, which mail servers add or \
                 change (RFC 6376 §5.4.1)"
            ),
        }
    }
}

impl core::error::Error for FieldsToSignError {}

/// A message that is being signed.
pub struct Signer<'k, C: Crypto> {
    crypto: &'k C,
    with: Vec<SignWith<'k, C::SigningKey>>,
    options: SignOptions,
    /// The value of `h=`.
    names: Vec<Box<str>>,
    /// The canonical header, without the signature.
    signed: Vec<u8>,
    body: BodyHash<C::Sha256>,
}

impl<'k, C: Crypto> Signer<'k, C> {
    /// Takes the header. A message whose author is not clear is not signed; what else is
    /// [not strict](crate::dkim::not_strict) is for the caller to judge.
    ///
    /// # Errors
    /// Why the message cannot be signed.
    pub fn new(
        header: &Header,
        crypto: &'k C,
        with: Vec<SignWith<'k, C::SigningKey>>,
        options: SignOptions,
    ) -> Result<Self, SignError> {
        check_from(header)?;
        let names = options.fields.names(header);
        if names.len() > MAX_SIGNED_FIELDS {
            return Err(SignError::TooManyFields { count: names.len() });
        }
        let mut signed = Vec::new();
        for field in signed_fields(header, names.iter().copied(), None) {
            header_field(options.header_canonicalization, field, &mut signed);
        }
        let names = names.into_iter().map(Box::from).collect();
        let body = BodyHash::new(options.body_canonicalization, None, crypto.sha256());
        Ok(Self { crypto, with, options, names, signed, body })
    }

    /// Takes the next piece of the body, its lines ended by CRLF, cut anywhere.
    pub fn push(&mut self, octets: &[u8]) {
        self.body.push(octets);
    }

    /// The body is at its end: one DKIM-Signature field for each key, in the order of the keys, to
    /// be put above the header.
    ///
    /// # Errors
    /// [`SignError::Failed`] if a key makes no signature.
    pub fn finish(mut self) -> Result<Vec<HeaderField>, SignError> {
        let empty = BodyHash::new(Canonicalization::Simple, None, self.crypto.sha256());
        let body = core::mem::replace(&mut self.body, empty).finish();
        self.finish_with(&body)
    }

    /// The same for a body that was hashed elsewhere, all of it, in the form of the options: for
    /// whoever knows the keys only when the body has passed.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    pub fn finish_with(self, body: &BodyDigest) -> Result<Vec<HeaderField>, SignError> {
        let body_hash = STANDARD.encode(body.digest);
        let draft = Draft {
            options: &self.options,
            names: &self.names,
            signed: &self.signed,
            body_hash: &body_hash,
        };
        self.with.iter().map(|with| draft.sign(self.crypto, with)).collect()
    }
}

/// "The From header field MUST be signed" (§5.4), and RFC 5322 §3.6 has exactly one.
fn check_from(header: &Header) -> Result<(), SignError> {
    let mut fields = header.named("From");
    let (first, count) = (fields.next(), fields.count());
    match first {
        Some(from) if count == 0 && from.value().contains(&b'@') => Ok(()),
        Some(_) if count == 0 => Err(SignError::FromWithoutAddress),
        Some(_) => Err(SignError::SeveralFrom { count: count + 1 }),
        None => Err(SignError::NoFrom),
    }
}

/// All that the signatures of a message have in common.
struct Draft<'s> {
    options: &'s SignOptions,
    names: &'s [Box<str>],
    signed: &'s [u8],
    body_hash: &'s str,
}

impl Draft<'_> {
    /// §5.6 and §3.7: the field without the value of `b=` is the last that is signed.
    fn sign<C: Crypto>(
        &self,
        crypto: &C,
        with: &SignWith<'_, C::SigningKey>,
    ) -> Result<HeaderField, SignError> {
        let failed = |_| SignError::Failed { selector: with.selector.clone() };
        let mut text = self.unsigned(with);
        let field = HeaderField::parse(text.text.as_bytes()).map_err(|_| failed(SigningFailed))?;
        let end = field.octets().len();
        let mut message = self.signed.to_vec();
        signature_field(self.options.header_canonicalization, &field, &(end..end), &mut message);
        let signature = match with.key.key_type() {
            KeyType::Rsa => with.key.sign(&message),
            // RFC 8463 §3: Ed25519 signs the hash.
            KeyType::Ed25519 => {
                let mut sha256 = crypto.sha256();
                sha256.update(&message);
                with.key.sign(&sha256.finish())
            }
        };
        text.octets(&STANDARD.encode(signature.map_err(failed)?));
        HeaderField::parse(text.text.as_bytes()).map_err(|_| failed(SigningFailed))
    }

    /// The field up to `b=`.
    fn unsigned<K: SigningKey>(&self, with: &SignWith<'_, K>) -> Folded {
        let Self { options, names, .. } = self;
        let mut text = Folded { text: format!("{SIGNATURE_FIELD}: v=1;"), line: 0 };
        text.word(&format!("a={};", Algorithm::of(with.key.key_type()).as_str()));
        let header = options.header_canonicalization.as_str();
        text.word(&format!("c={header}/{};", options.body_canonicalization.as_str()));
        text.word(&format!("d={};", with.domain));
        text.word(&format!("s={};", with.selector));
        text.word(&format!("t={};", options.now.0));
        if let Some(lifetime) = options.lifetime {
            text.word(&format!("x={};", options.now.plus(lifetime).0));
        }
        for (index, name) in names.iter().enumerate() {
            let end = if index + 1 == names.len() { ";" } else { ":" };
            match index {
                0 => text.word(&format!("h={name}{end}")),
                _ => text.piece(&format!("{name}{end}")),
            }
        }
        text.word(&format!("bh={};", self.body_hash));
        text.word("b=");
        text
    }
}

/// A header field that is folded while it is written.
struct Folded {
    text: String,
    /// Where the last line begins.
    line: usize,
}

/// RFC 5322 §2.1.1: a line "SHOULD be no more than 78 characters".
const COLUMNS: usize = 78;

impl Folded {
    /// How many columns the last line has left.
    fn left(&self) -> usize {
        COLUMNS.saturating_sub(self.text.len() - self.line)
    }

    fn fold(&mut self) {
        self.text.push_str("\r\n");
        self.line = self.text.len();
        self.text.push(' ');
    }

    /// Adds a word, with a space or a fold before it.
    fn word(&mut self, word: &str) {
        if word.len() < self.left() {
            self.text.push(' ');
        } else {
            self.fold();
        }
        self.text.push_str(word);
    }

    /// Adds a part of a word, with nothing or a fold before it.
    fn piece(&mut self, piece: &str) {
        if piece.len() > self.left() {
            self.fold();
        }
        self.text.push_str(piece);
    }

    /// Adds Base64, folded where a line is full.
    fn octets(&mut self, base64: &str) {
        let mut rest = base64;
        loop {
            let (line, behind) = rest.split_at(self.left().min(rest.len()));
            self.text.push_str(line);
            if behind.is_empty() {
                return;
            }
            rest = behind;
            self.fold();
        }
    }
}

/// Why a message is not signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignError {
    /// The message has no `From` field.
    NoFrom,
    /// The message has several `From` fields: a signature would vouch for whichever is shown.
    SeveralFrom {
        /// How many.
        count: usize,
    },
    /// The `From` field has no address.
    FromWithoutAddress,
    /// More than 256 header fields would be signed; other verifiers have bounds, too.
    TooManyFields {
        /// How many.
        count: usize,
    },
    /// A key has made no signature.
    Failed {
        /// The name of the key.
        selector: Selector,
    },
}

impl fmt::Display for SignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFrom => write!(f, "From: expected this field, found none (RFC 6376 §5.4)"),
            Self::SeveralFrom { count } => {
                write!(f, "From: expected one field, found {count} (RFC 5322 §3.6)")
            }
            Self::FromWithoutAddress => {
                write!(f, "From: expected an address, found none (RFC 5322 §3.6.2)")
            }
            Self::TooManyFields { count } => {
                write!(f, "expected at most {MAX_SIGNED_FIELDS} fields to sign, found {count}")
            }
            Self::Failed { selector } => write!(f, "the key {selector} made no signature"),
        }
    }
}

impl core::error::Error for SignError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices() {
        assert!(FieldsToSign::new(["From", "X-A"], ["X-B"]).is_ok());
        assert!(FieldsToSign::new(ALWAYS, IF_PRESENT).is_ok());
        let bad = |always: &[&'static str], error| {
            assert_eq!(FieldsToSign::new(always.iter().copied(), []), Err(error));
        };
        bad(&["To"], FieldsToSignError::FromMissing);
        bad(&["From", "a:b"], FieldsToSignError::NotAName { found: "a:b".into() });
        bad(&["From", ""], FieldsToSignError::NotAName { found: "".into() });
        for name in ["received", "Return-Path", "ARC-Seal", "resent-from", "dkim-signature"] {
            bad(&["From", name], FieldsToSignError::Trace { found: name.into() });
        }
    }

    #[test]
    fn what_is_added_later_is_signed_only_if_it_is_there() {
        let fields = FieldsToSign::default().only_if_present(&["date", "Message-ID", "From"]);
        let count = |header: &Header, name: &str| {
            fields.names(header).iter().filter(|known| known.eq_ignore_ascii_case(name)).count()
        };
        let mut header = Header::default();
        for (name, expected) in [("From", 1), ("Date", 0), ("Message-ID", 0), ("To", 1)] {
            assert_eq!(count(&header, name), expected, "{name}");
        }
        header.push(HeaderField::parse(b"Date: x").unwrap());
        assert_eq!((count(&header, "Date"), count(&header, "Message-ID")), (2, 0));
    }

    #[test]
    fn folds() {
        let mut text = Folded { text: "A: b".into(), line: 0 };
        text.word(&"c".repeat(73));
        assert_eq!(text.left(), 0);
        text.word("d");
        text.octets(&"e".repeat(200));
        let lines: Vec<_> = text.text.split("\r\n").map(str::len).collect();
        assert_eq!(lines, [78, 78, 78, 48]);
    }
}
