//! What the field says, as values.

use alloc::vec::Vec;

use super::words::{AuthservId, Comment, Keyword, Value};
use super::{AuthenticationResultsError, FIELD_NAME};
use crate::header::Header;

/// All that one field says.
///
/// It has no version: this is version 1, and a field of another version is not read (RFC 8601
/// §2.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthenticationResults {
    /// Who says it.
    pub authserv_id: AuthservId,
    /// One for each check, in the order of the field, which means nothing (§4). Without any the
    /// field says `none`: nothing was checked.
    pub results: Vec<MethodResult>,
}

impl AuthenticationResults {
    /// The statements of all fields in the header that bear our id, as one: what goes into an
    /// `ARC-Authentication-Results` field (RFC 8617 §4.1.1, "regardless of how many").
    ///
    /// Use it inside of the trust boundary only, behind [`removals`](super::removals). Fields that
    /// cannot be read say nothing.
    #[must_use]
    pub fn collect(header: &Header, ours: &AuthservId) -> Self {
        let results = header
            .named(FIELD_NAME)
            .filter_map(|field| Self::parse(field.value()).ok())
            .filter(|field| field.authserv_id.is_same(ours))
            .flat_map(|field| field.results)
            .collect();
        Self { authserv_id: ours.clone(), results }
    }

    /// Reads what stands behind the colon of the field.
    ///
    /// More is read than the grammar allows in three places, because much mail has it: a semicolon
    /// at the end; a reason behind the properties; and in values that are not quoted, characters
    /// that should have been, such as the colons of an IPv6 address. Comments that do not follow a
    /// result are not kept.
    ///
    /// # Errors
    /// The first fault, with its place.
    pub fn parse(value: &[u8]) -> Result<Self, AuthenticationResultsError> {
        super::parse::parse(value)
    }
}

/// One statement: a check and how it ended (`resinfo`, RFC 8601 §2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodResult {
    /// What was checked, for example `spf`.
    pub method: Keyword,
    /// Which version of the method; 1 if the field does not say. Ignore a statement with a version
    /// that you do not know (§2.6).
    pub method_version: u32,
    /// How it ended, for example `pass`.
    pub result: Keyword,
    /// Words for people.
    pub comment: Option<Comment>,
    /// Why it ended so.
    pub reason: Option<Value>,
    /// What of the message was looked at.
    pub properties: Vec<Property>,
}

impl MethodResult {
    /// A statement without comment, reason and properties.
    #[must_use]
    pub const fn new(method: Keyword, result: Keyword) -> Self {
        let (comment, reason) = (None, None);
        Self { method, method_version: 1, result, comment, reason, properties: Vec::new() }
    }

    /// The same with words for people.
    #[must_use]
    pub fn with_comment(self, comment: &str) -> Self {
        Self { comment: Some(Comment::new(comment)), ..self }
    }

    /// The same with a reason.
    #[must_use]
    pub fn with_reason(self, reason: &str) -> Self {
        Self { reason: Some(Value::new(reason)), ..self }
    }

    /// The same with one more property.
    #[must_use]
    pub fn with_property(mut self, name: PropertyName, value: &str) -> Self {
        self.properties.push(Property { name, value: Value::new(value) });
        self
    }

    /// The value of the first property of this name.
    #[must_use]
    pub fn property(&self, name: &PropertyName) -> Option<&Value> {
        self.properties.iter().find(|property| property.name == *name).map(|found| &found.value)
    }
}

/// A property of the message with its value (`propspec`, RFC 8601 §2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// Which property.
    pub name: PropertyName,
    /// What it was.
    pub value: Value,
}

/// The name of a property: where it comes from, and which it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PropertyName {
    /// `smtp`, `header`, `body` or `policy`. Others must not be used for decisions (RFC 8601
    /// §2.3).
    pub ptype: Keyword,
    /// For example `mailfrom`.
    pub property: Keyword,
}

impl PropertyName {
    /// `smtp.mailfrom`: the return path (of `spf`), or its `AUTH` parameter (of `auth`).
    pub const SMTP_MAILFROM: Self = Self::known("smtp", "mailfrom");
    /// `smtp.helo`: the name in HELO or EHLO (of `spf`).
    pub const SMTP_HELO: Self = Self::known("smtp", "helo");
    /// `smtp.auth`: who has logged in (of `auth`).
    pub const SMTP_AUTH: Self = Self::known("smtp", "auth");
    /// `smtp.remote-ip`: the address of the client (of `arc`, RFC 8617 §10.2).
    pub const SMTP_REMOTE_IP: Self = Self::known("smtp", "remote-ip");
    /// `header.d`: the domain that signed (of `dkim`).
    pub const HEADER_D: Self = Self::known("header", "d");
    /// `header.i`: the identity that signed (of `dkim`).
    pub const HEADER_I: Self = Self::known("header", "i");
    /// `header.s`: the selector (of `dkim`, RFC 8601 §6.3.2).
    pub const HEADER_S: Self = Self::known("header", "s");
    /// `header.a`: the algorithm (of `dkim`, RFC 8601 §6.3.1).
    pub const HEADER_A: Self = Self::known("header", "a");
    /// `header.b`: which of several signatures (of `dkim`, RFC 6008 §4); see
    /// [`signature_prefixes`](super::signature_prefixes).
    pub const HEADER_B: Self = Self::known("header", "b");
    /// `header.from`: the domain that people see (of `dmarc`).
    pub const HEADER_FROM: Self = Self::known("header", "from");
    /// `header.oldest-pass`: the oldest signature of the chain that still holds (of `arc`,
    /// RFC 8617 §10.2).
    pub const HEADER_OLDEST_PASS: Self = Self::known("header", "oldest-pass");
    /// `policy.iprev`: the address of the client (of `iprev`, RFC 8601 §2.7.3).
    pub const POLICY_IPREV: Self = Self::known("policy", "iprev");
    /// `policy.dmarc`: what the owner of the domain asks for (of `dmarc`).
    pub const POLICY_DMARC: Self = Self::known("policy", "dmarc");

    const fn known(ptype: &'static str, property: &'static str) -> Self {
        Self { ptype: Keyword::known(ptype), property: Keyword::known(property) }
    }
}
