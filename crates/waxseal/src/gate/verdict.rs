//! The verdict on a message, as other filters and people get it.
//!
//! One struct, three forms: a header field that travels with the message ([`seal`](super::seal)
//! makes it), a JSON document on the API, and a line in the log. A filter that knows who has
//! written a message can treat it better than one that only knows what is in it (ledger S2-28 to
//! S2-30), so the first thing said is whether the author is identified beyond doubt.

use std::fmt;

use serde::{Serialize, Serializer};
use smtp_types::{DomainName, UnixTime};

use super::decide::Action;

/// The verdict on one message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// When it was given, in seconds since 1970.
    #[serde(serialize_with = "seconds")]
    pub at: UnixTime,
    /// The mail server's name for the message; empty if it told none.
    pub queue_id: String,
    /// What was done with the message.
    #[serde(serialize_with = "action")]
    pub action: Action,
    /// Which rule decided, as a short word.
    pub reason: &'static str,
    /// The same as a sentence for people.
    pub explanation: String,
    /// Whether the author is identified beyond doubt, and why or why not.
    #[serde(flatten)]
    pub identified: Identified,
    /// The domain that people see as the author's.
    #[serde(serialize_with = "name")]
    pub author: Option<DomainName>,
    /// What SPF says of the return path, by RFC 8601 §2.7.2.
    pub spf: &'static str,
    /// What came of each DKIM signature.
    pub dkim: Vec<DkimVerdict>,
    /// What came of the ARC chain, by RFC 8617 §4.4.
    pub arc: &'static str,
    /// What DMARC says, by RFC 8601 §2.7.
    pub dmarc: &'static str,
    /// What the owner of the domain asks for if DMARC fails: `none`, `quarantine` or `reject`.
    pub asked: Option<&'static str>,
    /// Signs that the message was forwarded on its way; empty if there are none.
    pub forwarded: Vec<String>,
    /// How the connection was protected that brought the message.
    pub tls: Tls,
    /// What kinds of attachments were found, looked at by content.
    pub attachments: Vec<String>,
    /// Something about the author that looks made to deceive, for people.
    pub warning: Option<String>,
}

/// What came of one DKIM signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DkimVerdict {
    /// Who has signed, the `d=` tag.
    pub domain: String,
    /// The key, the `s=` tag.
    pub selector: String,
    /// What came of it, by RFC 8601 §2.7.1.
    pub result: &'static str,
}

/// Whether the author of a message is who it says, beyond doubt.
///
/// SPF alone never identifies anybody: it speaks of a server that many may share (ledger S2-11).
/// So it takes a DKIM signature over the whole message, aligned with the one author that people
/// see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "identified", rename_all = "kebab-case")]
pub enum Identified {
    /// It is.
    #[serde(rename = "yes")]
    Yes {
        /// The domain of the signature.
        #[serde(serialize_with = "some_name")]
        by: DomainName,
    },
    /// It is not.
    #[serde(rename = "no")]
    No {
        /// Why not.
        because: Unidentified,
    },
}

/// Why an author is not identified beyond doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unidentified {
    /// There is not exactly one author.
    NoAuthor,
    /// No signature passed.
    NoSignature,
    /// Signatures passed, of domains that are not the author's.
    NotAligned,
    /// A signature of the author's domain passed, and covers only a part of the body (`l=`).
    BodyPartlySigned,
    /// A signature of the author's domain passed, with a key that its owner only tests (`t=y`).
    TestKey,
    /// DMARC passed by SPF alone.
    SpfOnly,
}

impl Unidentified {
    /// The word in header field and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoAuthor => "no-author",
            Self::NoSignature => "no-signature",
            Self::NotAligned => "not-aligned",
            Self::BodyPartlySigned => "body-partly-signed",
            Self::TestKey => "test-key",
            Self::SpfOnly => "spf-only",
        }
    }
}

/// How the connection was protected that brought the message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "protection", rename_all = "kebab-case")]
pub enum Tls {
    /// Not at all.
    None,
    /// Encrypted; nobody knows who the client is.
    Encrypted {
        /// For example `TLSv1.3`.
        version: String,
    },
    /// Encrypted, and the client has shown a certificate that the mail server believes.
    Authenticated {
        /// For example `TLSv1.3`.
        version: String,
        /// Whom the certificate names.
        subject: String,
    },
}

impl Tls {
    /// `none`, `encrypted` or `authenticated`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Encrypted { .. } => "encrypted",
            Self::Authenticated { .. } => "authenticated",
        }
    }
}

impl Verdict {
    /// The tags of the header field in their order, without the seal.
    pub(super) fn tags(&self) -> Vec<(&'static str, String)> {
        let mut tags = vec![("v", "1".to_owned())];
        match &self.identified {
            Identified::Yes { by } => {
                tags.push(("identified", "yes".into()));
                tags.push(("by", by.to_string()));
            }
            Identified::No { because } => {
                tags.push(("identified", "no".into()));
                tags.push(("because", because.as_str().into()));
            }
        }
        tags.extend(self.author.as_ref().map(|author| ("author", author.to_string())));
        tags.push(("dmarc", self.dmarc.into()));
        tags.extend(self.asked.map(|asked| ("asked", asked.into())));
        tags.push(("action", self.action.as_str().into()));
        tags.push(("reason", self.reason.into()));
        tags.push(("tls", self.tls.as_str().into()));
        if !self.forwarded.is_empty() {
            tags.push(("forwarded", "yes".into()));
        }
        if !self.attachments.is_empty() {
            tags.push(("attachments", self.attachments.join(",")));
        }
        if self.warning.is_some() {
            tags.push(("warning", "yes".into()));
        }
        tags.push(("t", self.at.0.to_string()));
        tags
    }
}

/// One line for the log.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let author = self.author.as_ref().map_or("-", |author| author.as_str());
        write!(
            f,
            "{}: author={author} dmarc={} spf={} arc={} dkim=",
            self.action.as_str(),
            self.dmarc,
            self.spf,
            self.arc
        )?;
        if self.dkim.is_empty() {
            write!(f, "none")?;
        }
        for (index, signature) in self.dkim.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{}:{}", signature.domain, signature.result)?;
        }
        write!(f, " reason={} ({})", self.reason, self.explanation)
    }
}

fn seconds<S: Serializer>(time: &UnixTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(time.0)
}

fn action<S: Serializer>(action: &Action, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(action.as_str())
}

fn name<S: Serializer>(name: &Option<DomainName>, serializer: S) -> Result<S::Ok, S::Error> {
    match name {
        Some(name) => serializer.serialize_some(name.as_str()),
        None => serializer.serialize_none(),
    }
}

fn some_name<S: Serializer>(name: &DomainName, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(name.as_str())
}
