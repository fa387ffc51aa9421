//! The words of reports: each value that RFC 9990 gives a fixed list of words.
//!
//! These are the reports' own words. The modules that evaluate SPF, DKIM and DMARC have richer
//! results; whoever counts a message says which word each of them is.

/// An enumeration whose values are words of a standard: `as_str` prints, `parse` reads.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$doc])* $variant,)+
        }

        impl $name {
            /// All values, in the order of the standard.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            /// The value of exactly this word, lower case.
            #[must_use]
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == word)
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

pub(super) use words;

words! {
    /// What a domain asks for (RFC 9990 §3.1.1.5; the tags `p`, `sp`, `np` of RFC 9989 §4.7).
    Policy {
        /// Nothing.
        None = "none",
        /// Treat failing mail as suspicious.
        Quarantine = "quarantine",
        /// Refuse failing mail.
        Reject = "reject",
    }
}

words! {
    /// What was done with the messages of a row (RFC 9990 §3.1.1.9).
    Disposition {
        /// Nothing was done.
        None = "none",
        /// The messages passed DMARC, and the policy is one that would have acted.
        Pass = "pass",
        /// They failed and were marked as suspicious.
        Quarantine = "quarantine",
        /// They failed and were refused.
        Reject = "reject",
    }
}

words! {
    /// Whether SPF or DKIM gave an aligned pass (RFC 9990 §3.1.1.9).
    DmarcResult {
        /// It did.
        Pass = "pass",
        /// It did not.
        Fail = "fail",
    }
}

words! {
    /// How close an identifier must come to the From domain (the tags `adkim` and `aspf`).
    AlignmentMode {
        /// The organizational domains are the same.
        Relaxed = "r",
        /// The names are the same.
        Strict = "s",
    }
}

words! {
    /// How the policy was found (RFC 9990 §3.1.1.5).
    Discovery {
        /// By a list of public suffixes, as in RFC 7489.
        Psl = "psl",
        /// By walking up the DNS tree, as in RFC 9989.
        TreeWalk = "treewalk",
    }
}

words! {
    /// Whether the domain only tests its policy (the tag `t`).
    Testing {
        /// It means it.
        No = "n",
        /// It only tests.
        Yes = "y",
    }
}

words! {
    /// When a domain wants failure reports (the tag `fo`, RFC 9989 §4.7).
    FailureOption {
        /// If nothing gave an aligned pass.
        All = "0",
        /// If anything gave no aligned pass.
        Any = "1",
        /// If a DKIM signature failed.
        Dkim = "d",
        /// If SPF failed.
        Spf = "s",
    }
}

words! {
    /// Why something else was done than the domain asks for (RFC 9990 §3.1.6).
    ReasonType {
        /// The receiver's own rules exempted the message.
        LocalPolicy = "local_policy",
        /// The message came through a mailing list.
        MailingList = "mailing_list",
        /// Something else; the comment says what.
        Other = "other",
        /// The domain only tests its policy (`t=y`).
        PolicyTestMode = "policy_test_mode",
        /// The message came from a forwarder that the receiver knows and trusts.
        TrustedForwarder = "trusted_forwarder",
    }
}

words! {
    /// The result of a DKIM signature (RFC 8601 §2.7.1).
    DkimResult {
        /// There is no signature.
        None = "none",
        /// The signature holds.
        Pass = "pass",
        /// It does not.
        Fail = "fail",
        /// It holds, and is not acceptable.
        Policy = "policy",
        /// It cannot be processed.
        Neutral = "neutral",
        /// It could not be verified now.
        TempError = "temperror",
        /// It can never be verified.
        PermError = "permerror",
    }
}

words! {
    /// The result of SPF for the MAIL FROM identity (RFC 8601 §2.7.2).
    SpfResult {
        /// The domain has no record.
        None = "none",
        /// The domain does not say.
        Neutral = "neutral",
        /// The address may send for the domain.
        Pass = "pass",
        /// It may not.
        Fail = "fail",
        /// It probably may not.
        SoftFail = "softfail",
        /// The DNS gave no answer now.
        TempError = "temperror",
        /// The record cannot be evaluated.
        PermError = "permerror",
    }
}

words! {
    /// What became of a message, in a failure report (RFC 6591 §3.2.2).
    DeliveryResult {
        /// It was delivered.
        Delivered = "delivered",
        /// It was delivered as spam.
        Spam = "spam",
        /// It was held back by a policy, for example put in quarantine.
        Policy = "policy",
        /// It was refused.
        Reject = "reject",
        /// Something else.
        Other = "other",
    }
}

words! {
    /// How much of a row was given up, so that a day stays bounded. See [`Row::coarsened`].
    ///
    /// [`Row::coarsened`]: super::Row::coarsened
    Coarseness {
        /// Nothing.
        Exact = "exact",
        /// Remarks, the recipient, and all signatures but the best.
        Short = "short",
        /// Also the host in the address, the return path, and all of SPF and DKIM but whether they
        /// are aligned.
        Network = "network",
        /// All but what was decided.
        Total = "total",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_as_itself_and_nothing_else_reads() {
        for result in SpfResult::ALL {
            assert_eq!(SpfResult::parse(result.as_str()), Some(*result));
        }
        for reason in ReasonType::ALL {
            assert_eq!(ReasonType::parse(reason.as_str()), Some(*reason));
        }
        for bad in ["", "Pass", "hardfail", "pass ", "sampled_out", "forwarded"] {
            assert_eq!(SpfResult::parse(bad), None);
            assert_eq!(ReasonType::parse(bad), None);
        }
    }
}
