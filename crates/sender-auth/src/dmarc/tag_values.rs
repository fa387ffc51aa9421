//! What the tags of a policy record may say (RFC 9989 §4.7 and §4.8).
//!
//! The words are compared without case: they are quoted strings of an ABNF (RFC 5234 §2.3).

use alloc::collections::BTreeSet;
use core::fmt;

/// What the owner of a domain asks for when a message fails: `p`, `sp` and `np`. In order from the
/// mildest to the strictest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Policy {
    /// Nothing.
    None,
    /// Treat the message as suspicious.
    Quarantine,
    /// Do not accept the message.
    Reject,
}

impl Policy {
    /// `dmarc-request = "none" / "quarantine" / "reject"`
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        word(text, [Self::None, Self::Quarantine, Self::Reject], Self::as_str)
    }

    /// `none`, `quarantine` or `reject`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }

    /// One level milder: what `t=y` expects to happen instead.
    #[must_use]
    pub const fn milder(self) -> Self {
        match self {
            Self::Reject => Self::Quarantine,
            Self::Quarantine | Self::None => Self::None,
        }
    }
}

/// How close a domain must be to the author's: `adkim` and `aspf`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlignmentMode {
    /// Both have the same Organizational Domain. The default.
    #[default]
    Relaxed,
    /// Both are the same.
    Strict,
}

impl AlignmentMode {
    /// `dmarc-rors = "r" / "s"`
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        word(text, [Self::Relaxed, Self::Strict], Self::as_str)
    }

    /// `r` or `s`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Relaxed => "r",
            Self::Strict => "s",
        }
    }
}

/// Whether others can register names below the domain: `psd`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Psd {
    /// It is a Public Suffix Domain.
    Yes,
    /// It is the Organizational Domain of all below it.
    No,
    /// The record does not say. The default.
    #[default]
    Unknown,
}

impl Psd {
    /// `dmarc-psd = "y" / "n" / "u"`
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        word(text, [Self::Yes, Self::No, Self::Unknown], Self::as_str)
    }

    /// `y`, `n` or `u`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "y",
            Self::No => "n",
            Self::Unknown => "u",
        }
    }
}

/// Whether the owner only tries the policy out: `t`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TestMode {
    /// The policy is to be applied one level milder than it says.
    Testing,
    /// The policy is to be applied as it is. The default.
    #[default]
    Applied,
}

impl TestMode {
    /// `dmarc-yorn = "y" / "n"`
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        word(text, [Self::Testing, Self::Applied], Self::as_str)
    }

    /// `y` or `n`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Testing => "y",
            Self::Applied => "n",
        }
    }
}

/// When the owner wants a failure report: one value of `fo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureOption {
    /// `0`: neither SPF nor DKIM gave an aligned pass.
    All,
    /// `1`: SPF or DKIM did not give an aligned pass.
    Any,
    /// `d`: a signature failed, aligned or not (RFC 6651).
    Dkim,
    /// `s`: SPF failed, aligned or not (RFC 6652).
    Spf,
}

impl FailureOption {
    fn parse(text: &str) -> Option<Self> {
        word(text, [Self::All, Self::Any, Self::Dkim, Self::Spf], Self::as_str)
    }

    /// `0`, `1`, `d` or `s`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "0",
            Self::Any => "1",
            Self::Dkim => "d",
            Self::Spf => "s",
        }
    }
}

/// All values of `fo`; `0` alone by default. It has no meaning in a record without `ruf`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureOptions(BTreeSet<FailureOption>);

impl FailureOptions {
    /// Values with colons between them, in any order, each once; `0` and `1` exclude each other.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut options = BTreeSet::new();
        for value in text.split(':') {
            if !options.insert(FailureOption::parse(value)?) {
                return None;
            }
        }
        let both = options.contains(&FailureOption::All) && options.contains(&FailureOption::Any);
        (!both).then_some(Self(options))
    }

    /// Whether the owner asks for this kind.
    #[must_use]
    pub fn contains(&self, option: FailureOption) -> bool {
        self.0.contains(&option)
    }
}

impl Default for FailureOptions {
    fn default() -> Self {
        Self(BTreeSet::from([FailureOption::All]))
    }
}

impl fmt::Display for FailureOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for option in &self.0 {
            write!(f, "{separator}{}", option.as_str())?;
            separator = ":";
        }
        Ok(())
    }
}

/// The one of `values` whose name is the text, whatever its case.
fn word<T: Copy, const N: usize>(
    text: &str,
    values: [T; N],
    name: impl Fn(T) -> &'static str,
) -> Option<T> {
    values.into_iter().find(|value| name(*value).eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn words_are_compared_without_case() {
        assert_eq!(Policy::parse("Reject"), Some(Policy::Reject));
        assert_eq!(Policy::parse("rejected"), None);
        assert_eq!(AlignmentMode::parse("S"), Some(AlignmentMode::Strict));
        assert_eq!(Psd::parse("Y"), Some(Psd::Yes));
        assert_eq!(Psd::parse(""), None);
        assert_eq!(TestMode::parse("yes"), None);
    }

    #[test]
    fn failure_options() {
        let good = |text: &str, printed: &str| {
            assert_eq!(FailureOptions::parse(text).unwrap().to_string(), printed, "{text}");
        };
        good("0", "0");
        good("1:D:s", "1:d:s");
        good("s:1", "1:s");
        good("d", "d");
        for bad in ["", "2", "0:1", "d:d", "1:", ":1", "1 : d", "01"] {
            assert_eq!(FailureOptions::parse(bad), None, "{bad}");
        }
    }
}
