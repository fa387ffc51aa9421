//! The two axes of the matrix: what a domain publishes, and what the attacker does.

use std::fmt;

/// What the receiving domain publishes about the security of its mail servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protection {
    /// Nothing.
    None,
    /// An MTA-STS policy with `mode: testing`, in a zone without signatures.
    Testing,
    /// An MTA-STS policy with `mode: enforce`, in a zone without signatures.
    Enforce,
    /// TLSA records in a signed zone.
    Dane,
    /// TLSA records in a signed zone, and an MTA-STS policy with `mode: enforce`.
    Both,
}

impl Protection {
    /// All of them, in the order of the closing matrix.
    pub const ALL: [Self; 5] = [Self::None, Self::Testing, Self::Enforce, Self::Dane, Self::Both];

    pub(crate) fn parse(word: &str) -> Result<Self, String> {
        choose(&Self::ALL, word)
    }

    fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Testing => "testing",
            Self::Enforce => "enforce",
            Self::Dane => "dane",
            Self::Both => "both",
        }
    }
}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// What the attacker on the path does to get the letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attack {
    /// Nothing: the case that shows that mail flows at all.
    Healthy,
    /// Takes over port 25 and leaves STARTTLS out of the EHLO reply.
    StarttlsStripped,
    /// Takes over port 25 and overwrites STARTTLS by as many other letters.
    StarttlsGarbage,
    /// Takes over port 25 with a certificate of the trusted authority for another name.
    WrongCertificate,
    /// Takes over port 25 with a certificate for the right name that it signed itself.
    SelfSigned,
    /// Takes over port 25 with a certificate for the right name that ended years ago.
    Expired,
    /// Answers the MX question with a host of its own, which has a good certificate.
    ForgedMx,
    /// Cuts off the policy host, and strips STARTTLS.
    PolicyHostDown,
    /// Takes over the policy host with a certificate for another name, and strips STARTTLS.
    PolicyHostWrongCertificate,
    /// Makes the records that announce the protection vanish from DNS, and strips STARTTLS.
    RecordRemoved,
    /// Takes over port 25 with a certificate that the trusted authority issued by mistake.
    TlsaMismatch,
    /// Answers the address question for the MX host with its own address.
    BogusZone,
}

impl Attack {
    /// All of them, in the order of the closing matrix.
    pub const ALL: [Self; 12] = [
        Self::Healthy,
        Self::StarttlsStripped,
        Self::StarttlsGarbage,
        Self::WrongCertificate,
        Self::SelfSigned,
        Self::Expired,
        Self::ForgedMx,
        Self::PolicyHostDown,
        Self::PolicyHostWrongCertificate,
        Self::RecordRemoved,
        Self::TlsaMismatch,
        Self::BogusZone,
    ];

    pub(crate) fn parse(word: &str) -> Result<Self, String> {
        choose(&Self::ALL, word)
    }

    fn word(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::StarttlsStripped => "starttls-stripped",
            Self::StarttlsGarbage => "starttls-garbage",
            Self::WrongCertificate => "wrong-certificate",
            Self::SelfSigned => "self-signed",
            Self::Expired => "expired",
            Self::ForgedMx => "forged-mx",
            Self::PolicyHostDown => "policy-host-down",
            Self::PolicyHostWrongCertificate => "policy-host-wrong-certificate",
            Self::RecordRemoved => "record-removed",
            Self::TlsaMismatch => "tlsa-mismatch",
            Self::BogusZone => "bogus-zone",
        }
    }
}

impl fmt::Display for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

fn choose<T: Copy + fmt::Display>(all: &[T], word: &str) -> Result<T, String> {
    if let Some(found) = all.iter().find(|value| value.to_string() == word) {
        return Ok(*found);
    }
    let words: Vec<String> = all.iter().map(ToString::to_string).collect();
    Err(format!("one of {}", words.join(", ")))
}
