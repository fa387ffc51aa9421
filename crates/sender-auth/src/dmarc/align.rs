//! Alignment: does a domain that was authenticated belong to the author's? (RFC 9989 §4.4, §4.10.2)

use core::fmt;

use smtp_types::{DomainName, Known, Need};

use super::tag_values::AlignmentMode;
use super::tree_walk::{WalkFailure, walk};

/// How a domain stands to the author's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alignment {
    /// Both are the same domain.
    Strict,
    /// Both have the same Organizational Domain.
    Relaxed {
        /// That domain.
        organizational_domain: DomainName,
    },
    /// They do not belong together.
    None(Misalignment),
    /// Nobody knows, for the DNS failed on a walk.
    Unknown(WalkFailure),
}

/// Why a domain is not aligned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misalignment {
    /// It is another domain, and the record wants the same one.
    StrictMode,
    /// It is not below the author's Organizational Domain, so it cannot have the same one.
    Elsewhere {
        /// The author's Organizational Domain.
        organizational_domain: DomainName,
    },
    /// It is below the author's Organizational Domain, but has one of its own.
    OtherOrganization {
        /// The author's Organizational Domain.
        organizational_domain: DomainName,
        /// Its own.
        own: DomainName,
    },
    /// The message brings so many domains that this one was not looked at.
    TooMany {
        /// How many are looked at.
        limit: usize,
    },
}

impl Alignment {
    /// Whether the domain speaks for the author's.
    #[must_use]
    pub const fn is_aligned(&self) -> bool {
        matches!(self, Self::Strict | Self::Relaxed { .. })
    }
}

impl fmt::Display for Alignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Strict => write!(f, "aligned: the same domain"),
            Self::Relaxed { organizational_domain } => {
                write!(f, "aligned: the same organizational domain {organizational_domain}")
            }
            Self::None(reason) => write!(f, "not aligned: {reason}"),
            Self::Unknown(failure) => write!(f, "alignment unknown: {failure}"),
        }
    }
}

impl fmt::Display for Misalignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StrictMode => write!(f, "another domain, and the record wants the same one"),
            Self::Elsewhere { organizational_domain } => {
                write!(f, "not within the organizational domain {organizational_domain}")
            }
            Self::OtherOrganization { organizational_domain, own } => {
                write!(f, "the organizational domain is {own}, not {organizational_domain}")
            }
            Self::TooMany { limit } => {
                write!(f, "expected at most {limit} other domains, found more")
            }
        }
    }
}

/// Compares `domain` with the author's. `organization` is the author's Organizational Domain; it
/// is looked at in relaxed mode only, where "they have either the same Organizational Domain
/// (relaxed alignment) or [...] they're identical".
///
/// A domain's own Organizational Domain is itself or one of its parents. So a domain that is not
/// below the author's need not be walked from.
///
/// # Errors
/// The questions of a walk that have not been answered.
pub(crate) fn align(
    known: &Known,
    author: &DomainName,
    organization: &Result<DomainName, WalkFailure>,
    domain: &DomainName,
    mode: AlignmentMode,
) -> Result<Alignment, Need> {
    if domain == author {
        return Ok(Alignment::Strict);
    }
    if mode == AlignmentMode::Strict {
        return Ok(Alignment::None(Misalignment::StrictMode));
    }
    let organizational_domain = match organization {
        Ok(organization) => organization.clone(),
        Err(failure) => return Ok(Alignment::Unknown(failure.clone())),
    };
    // The walk from an Organizational Domain ends at itself.
    if *domain == organizational_domain {
        return Ok(Alignment::Relaxed { organizational_domain });
    }
    if !is_below(domain, &organizational_domain) {
        return Ok(Alignment::None(Misalignment::Elsewhere { organizational_domain }));
    }
    Ok(match walk(known, domain)?.organizational_domain() {
        Ok(own) if own == organizational_domain => Alignment::Relaxed { organizational_domain },
        Ok(own) => Alignment::None(Misalignment::OtherOrganization { organizational_domain, own }),
        Err(failure) => Alignment::Unknown(failure),
    })
}

/// Whether to compare the two takes a walk from `domain`.
pub(crate) fn needs_walk(
    author: &DomainName,
    organization: &Result<DomainName, WalkFailure>,
    domain: &DomainName,
    mode: AlignmentMode,
) -> bool {
    let below = || organization.as_ref().is_ok_and(|organization| is_below(domain, organization));
    mode == AlignmentMode::Relaxed && domain != author && below()
}

/// Whether `domain` is a subdomain of `ancestor`; not of itself.
pub(crate) fn is_below(domain: &DomainName, ancestor: &DomainName) -> bool {
    let rest = domain.as_str().strip_suffix(ancestor.as_str());
    rest.is_some_and(|rest| rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below() {
        let name = |text| DomainName::parse(text).unwrap();
        assert!(is_below(&name("a.example.com"), &name("example.com")));
        assert!(!is_below(&name("example.com"), &name("example.com")));
        assert!(!is_below(&name("badexample.com"), &name("example.com")));
        assert!(!is_below(&name("com"), &name("example.com")));
    }
}
