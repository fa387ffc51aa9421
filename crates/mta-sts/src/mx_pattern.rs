//! Which hosts a policy allows (RFC 8461 §3.2 and §4.1).

use alloc::boxed::Box;
use core::fmt;

use smtp_types::{DomainName, DomainNameError};

/// A host name, or a wildcard for all names exactly one label below a domain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MxPattern {
    wildcard: bool,
    name: DomainName,
}

impl MxPattern {
    /// Reads `["*."] Domain`, where `Domain` is that of RFC 5321 §4.1.2: letters, digits and
    /// inner hyphens, no final dot, no U-labels. Upper case is folded.
    ///
    /// # Errors
    /// [`MxPatternError`] says what is wrong with the name.
    pub fn parse(text: &str) -> Result<Self, MxPatternError> {
        let (wildcard, name) = match text.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, text),
        };
        if !name.is_ascii() {
            return Err(MxPatternError::NotAscii);
        }
        if name.ends_with('.') {
            return Err(MxPatternError::FinalDot);
        }
        if name.contains('*') {
            return Err(MxPatternError::InnerWildcard);
        }
        let name = DomainName::parse(name).map_err(MxPatternError::Name)?;
        if !name.is_host_name() {
            return Err(MxPatternError::Underscore);
        }
        Ok(Self { wildcard, name })
    }

    /// Whether this is `*.` and a domain.
    #[must_use]
    pub const fn is_wildcard(&self) -> bool {
        self.wildcard
    }

    /// The name, or what stands behind `*.`.
    #[must_use]
    pub const fn name(&self) -> &DomainName {
        &self.name
    }

    /// Whether an MX host is allowed by this pattern (RFC 8461 §4.1).
    ///
    /// "the wildcard character "*" may only be used to match the entire left-most label":
    /// `*.example.com` allows `mail.example.com`, not `example.com`, not `a.b.example.com`.
    #[must_use]
    pub fn matches(&self, mx_host: &DomainName) -> bool {
        if !self.wildcard {
            return self.name == *mx_host;
        }
        mx_host.as_str().split_once('.').is_some_and(|(_, rest)| rest == self.name.as_str())
    }
}

impl fmt::Display for MxPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.wildcard { "*." } else { "" }, self.name)
    }
}

/// Why a text is not an mx pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MxPatternError {
    /// A U-label: policies are written in A-labels (RFC 8461 §4.1, RFC 5890).
    NotAscii,
    /// A dot at the end, which the grammar does not have.
    FinalDot,
    /// A `*` elsewhere than as the whole first label.
    InnerWildcard,
    /// An underscore, which no host name has.
    Underscore,
    /// The name is not one.
    Name(DomainNameError),
}

impl MxPatternError {
    pub(crate) fn with_value(self, found: &str) -> crate::PolicyFault {
        crate::PolicyFault::Mx { found: Box::from(found), error: self }
    }
}

impl fmt::Display for MxPatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAscii => write!(f, "expected A-labels (xn--…), found other characters"),
            Self::FinalDot => write!(f, "expected no final dot, found one"),
            Self::InnerWildcard => write!(f, "expected * as the whole first label only"),
            Self::Underscore => {
                write!(f, "expected letters, digits and hyphens, found an underscore")
            }
            Self::Name(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for MxPatternError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for text in ["mail.example.com", "*.example.com", "*.com", "xn--dan-dma.test"] {
            assert_eq!(MxPattern::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(MxPattern::parse("MAIL.Example.com").unwrap().to_string(), "mail.example.com");
        let bad = [
            ("", MxPatternError::Name(DomainNameError::Empty)),
            ("*", MxPatternError::InnerWildcard),
            ("*.", MxPatternError::Name(DomainNameError::Empty)),
            ("*.*.example.com", MxPatternError::InnerWildcard),
            ("mail*.example.com", MxPatternError::InnerWildcard),
            ("mail.*.com", MxPatternError::InnerWildcard),
            ("mail.example.com.", MxPatternError::FinalDot),
            ("dané.test", MxPatternError::NotAscii),
            ("mail_1.example.com", MxPatternError::Underscore),
            ("192.0.2.1", MxPatternError::Name(DomainNameError::NumericTop { found: "1".into() })),
        ];
        for (text, error) in bad {
            assert_eq!(MxPattern::parse(text), Err(error), "{text}");
        }
        assert!(MxPattern::parse(&"a".repeat(254)).is_err());
        assert!(MxPattern::parse("mail.example.com protocols=TLSv1").is_err());
    }

    use alloc::string::ToString;
}
