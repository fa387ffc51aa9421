//! An e-mail address, as far as a report address needs one.

use alloc::boxed::Box;
use core::fmt;

use crate::{DomainName, DomainNameError};

/// `local-part@domain` (RFC 5321 §4.1.2), the local part as a dot-string, kept byte for byte.
///
/// Quoted local parts are refused: no report address needs one, and they are a favorite way to
/// smuggle something into a header field. Non-ASCII local parts (RFC 6531) are allowed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EmailAddress {
    local_part: Box<str>,
    domain: DomainName,
}

impl EmailAddress {
    /// Reads `local-part@domain`.
    ///
    /// # Errors
    /// [`EmailAddressError`] says which half is wrong, and how.
    pub fn parse(text: &str) -> Result<Self, EmailAddressError> {
        let (local_part, domain) = text.rsplit_once('@').ok_or(EmailAddressError::NoAt)?;
        if local_part.is_empty() || local_part.len() > 64 {
            return Err(EmailAddressError::LocalPartLength { octets: local_part.len() });
        }
        if let Some(found) = local_part.chars().find(|c| !is_atext(*c) && *c != '.') {
            return Err(EmailAddressError::LocalPartCharacter { found });
        }
        if local_part.split('.').any(str::is_empty) {
            return Err(EmailAddressError::LocalPartDots);
        }
        let domain = DomainName::parse(domain).map_err(EmailAddressError::Domain)?;
        Ok(Self { local_part: local_part.into(), domain })
    }

    /// What stands before the `@`, byte for byte.
    #[must_use]
    pub fn local_part(&self) -> &str {
        &self.local_part
    }

    /// What stands behind the `@`.
    #[must_use]
    pub fn domain(&self) -> &DomainName {
        &self.domain
    }
}

/// `atext` of RFC 5322 §3.2.3, with non-ASCII as in RFC 6532 §3.2.
fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || "!#$%&'*+-/=?^_`{|}~".contains(c)
        || (!c.is_ascii() && !c.is_control())
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local_part, self.domain)
    }
}

/// Why a text is not an e-mail address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EmailAddressError {
    /// There is no `@`.
    NoAt,
    /// The local part has no octet, or more than 64 (RFC 5321 §4.5.3.1.1).
    LocalPartLength {
        /// How many there are.
        octets: usize,
    },
    /// A character that a dot-string does not have.
    LocalPartCharacter {
        /// The character.
        found: char,
    },
    /// A dot at an end of the local part, or two in a row.
    LocalPartDots,
    /// The domain is not one.
    Domain(DomainNameError),
}

impl fmt::Display for EmailAddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAt => write!(f, "expected local-part@domain, found no @"),
            Self::LocalPartLength { octets } => {
                write!(f, "local part: expected 1 to 64 octets, found {octets}")
            }
            Self::LocalPartCharacter { found } => {
                write!(
                    f,
                    "local part: expected letters, digits, dots and !#$%&'*+-/=?^_`{{|}}~, found {found:?}"
                )
            }
            Self::LocalPartDots => {
                write!(
                    f,
                    "local part: expected single dots inside, found one at an end or two in a row"
                )
            }
            Self::Domain(error) => write!(f, "domain: {error}"),
        }
    }
}

impl core::error::Error for EmailAddressError {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn addresses() {
        for text in ["tls@example.com", "a.b+c@example.com", "postmästare@example.com"] {
            assert_eq!(EmailAddress::parse(text).unwrap().to_string(), text);
        }
        let bad = [
            ("example.com", EmailAddressError::NoAt),
            ("@example.com", EmailAddressError::LocalPartLength { octets: 0 }),
            ("a b@example.com", EmailAddressError::LocalPartCharacter { found: ' ' }),
            ("\"a\"@example.com", EmailAddressError::LocalPartCharacter { found: '"' }),
            ("a..b@example.com", EmailAddressError::LocalPartDots),
            ("a\r\nBcc: x@example.com", EmailAddressError::LocalPartCharacter { found: '\r' }),
            ("a@", EmailAddressError::Domain(DomainNameError::Empty)),
        ];
        for (text, error) in bad {
            assert_eq!(EmailAddress::parse(text), Err(error), "{text:?}");
        }
    }
}
