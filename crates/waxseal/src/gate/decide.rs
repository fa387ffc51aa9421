//! What happens to an incoming message: the one place that decides, and a pure function.
//!
//! The owner of a domain asks for something ([`Asked`]), the operator of this server has the last
//! word ([`Matrix`]), for single domains and until a day if need be ([`Local`]), and a forwarder
//! that the operator trusts may vouch for what it has changed (RFC 8617 §5.2, RFC 9989 §5.4). The
//! order of these is the order of [`decide`]; what is left over is accepted, for mail without a
//! policy must not suffer from ours.

use std::fmt;

use smtp_types::DomainName;

/// What was found out, reduced to what counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Whom people see as the author.
    pub author: Author,
    /// What DMARC says.
    pub dmarc: Dmarc,
    /// What SPF says of the return path.
    pub spf: Spf,
    /// Whether a trusted forwarder vouches for the message as it was before.
    pub forwarder: Option<Voucher>,
    /// What the operator wants for this author's domain.
    pub local: Option<Local>,
}

/// Whom people see as the author of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Author {
    /// One domain.
    One,
    /// Several addresses in different domains, each of which may be a lie (RFC 9989 §11.5).
    Several,
    /// Nobody: no `From`, more than one, or one that cannot be read. RFC 5322 §3.6 wants exactly
    /// one, so such a message is none that a mail program would write.
    Nobody,
}

/// What DMARC says (RFC 9989 §5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dmarc {
    /// The author's domain has sent it, or somebody for it.
    Pass,
    /// Nobody with a right to the domain has, and its owner asks for this.
    Fail(Asked),
    /// The domain has no policy.
    None,
    /// The DNS failed; later it may answer.
    Temperror,
    /// The policy cannot be read.
    Permerror,
}

/// What the owner of a domain asks for when a message fails (RFC 9989 §4.7, tags `p`, `sp`, `np`,
/// and `t` taken into account).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// `none`: nothing but reports.
    Nothing,
    /// `quarantine`
    Quarantine,
    /// `reject`
    Reject,
}

/// What SPF says of the return path (RFC 7208 §2.6), as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spf {
    /// `fail`: the domain says that this address must not send for it.
    Fail,
    /// Anything else.
    Other,
}

/// Who vouches: the newest sealer of an unbroken ARC chain, whom the operator trusts, and who says
/// that the message had passed when it came to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voucher {
    /// The domain of the seal.
    pub sealer: DomainName,
    /// Why the operator trusts it.
    pub comment: String,
}

/// What the operator wants for one domain when its mail does not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Local {
    /// What to do.
    pub action: Action,
    /// Why.
    pub comment: String,
}

/// What is done with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// It goes on its way.
    Accept,
    /// It is held back; somebody looks at it.
    Quarantine,
    /// The client is asked to try again later.
    Defer,
    /// It is refused, and the sender learns why.
    Reject,
}

impl Action {
    /// `accept`, `quarantine`, `defer` or `reject`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Quarantine => "quarantine",
            Self::Defer => "defer",
            Self::Reject => "reject",
        }
    }
}

/// The operator's table: what is done in each case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Matrix {
    /// DMARC failed, and the owner asks for nothing. The default is accept.
    pub asked_nothing: Action,
    /// DMARC failed, and the owner asks for quarantine. The default is quarantine.
    pub asked_quarantine: Action,
    /// DMARC failed, and the owner asks for rejection. The default is reject.
    pub asked_reject: Action,
    /// DMARC could not be evaluated for now. The default is defer.
    pub temperror: Action,
    /// There is no author, or more than one domain of authors. The default is reject.
    pub no_author: Action,
    /// The domain has no DMARC policy, and SPF says fail. The default is accept.
    pub spf_fail: Action,
}

impl Default for Matrix {
    fn default() -> Self {
        Self {
            asked_nothing: Action::Accept,
            asked_quarantine: Action::Quarantine,
            asked_reject: Action::Reject,
            temperror: Action::Defer,
            no_author: Action::Reject,
            spf_fail: Action::Accept,
        }
    }
}

/// What is done, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What is done.
    pub action: Action,
    /// Why.
    pub reason: Reason,
}

/// Why something is done. Each says which line of the table, or who, has decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// DMARC passed.
    Passed,
    /// There is no policy to go by.
    NoPolicy,
    /// There is no author.
    NoAuthor,
    /// There are authors in several domains.
    SeveralAuthors,
    /// DMARC failed; the owner asks for this, and the table says what is done.
    Asked(Asked),
    /// The operator wants it so for this domain.
    Local(Local),
    /// A trusted forwarder vouches.
    Vouched(Voucher),
    /// The DNS failed for now.
    Temperror,
    /// SPF says fail, and there is no DMARC policy.
    SpfFail,
}

impl Reason {
    /// A short word for logs and counters.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Passed => "dmarc-pass",
            Self::NoPolicy => "no-policy",
            Self::NoAuthor => "no-author",
            Self::SeveralAuthors => "several-authors",
            Self::Asked(Asked::Nothing) => "dmarc-fail-none",
            Self::Asked(Asked::Quarantine) => "dmarc-fail-quarantine",
            Self::Asked(Asked::Reject) => "dmarc-fail-reject",
            Self::Local(_) => "local-override",
            Self::Vouched(_) => "trusted-forwarder",
            Self::Temperror => "dmarc-temperror",
            Self::SpfFail => "spf-fail",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => write!(f, "DMARC passed"),
            Self::NoPolicy => write!(f, "the domain has no DMARC policy"),
            Self::NoAuthor => {
                write!(f, "no author: RFC 5322 wants exactly one From that can be read")
            }
            Self::SeveralAuthors => write!(f, "authors in several domains"),
            Self::Asked(asked) => {
                let asked = match asked {
                    Asked::Nothing => "nothing",
                    Asked::Quarantine => "quarantine",
                    Asked::Reject => "rejection",
                };
                write!(f, "DMARC failed, and the owner of the domain asks for {asked}")
            }
            Self::Local(local) => {
                write!(f, "DMARC did not pass; local override: {}", local.comment)
            }
            Self::Vouched(voucher) => write!(
                f,
                "DMARC failed, but {} vouches for the message ({})",
                voucher.sealer, voucher.comment
            ),
            Self::Temperror => write!(f, "DMARC could not be evaluated, the DNS did not answer"),
            Self::SpfFail => write!(f, "SPF says that this address must not send for the domain"),
        }
    }
}

/// Decides. An override of the operator goes first; then a forwarder's word, which can only help;
/// then what the table says of the owner's wish.
#[must_use]
pub fn decide(facts: &Facts, matrix: &Matrix) -> Decision {
    let because = |action, reason| Decision { action, reason };
    match facts.author {
        Author::One => {}
        Author::Nobody => return because(matrix.no_author, Reason::NoAuthor),
        Author::Several if facts.dmarc == Dmarc::Pass => {}
        Author::Several => return because(matrix.no_author, Reason::SeveralAuthors),
    }
    if facts.dmarc == Dmarc::Pass {
        return because(Action::Accept, Reason::Passed);
    }
    if let Some(local) = &facts.local {
        return because(local.action, Reason::Local(local.clone()));
    }
    if let (Dmarc::Fail(_), Some(voucher)) = (facts.dmarc, &facts.forwarder) {
        return because(Action::Accept, Reason::Vouched(voucher.clone()));
    }
    match (facts.dmarc, facts.spf) {
        (Dmarc::Fail(asked), _) => because(matrix.of(asked), Reason::Asked(asked)),
        (Dmarc::Temperror, _) => because(matrix.temperror, Reason::Temperror),
        (Dmarc::None | Dmarc::Permerror | Dmarc::Pass, Spf::Fail) => {
            because(matrix.spf_fail, Reason::SpfFail)
        }
        (Dmarc::None | Dmarc::Permerror | Dmarc::Pass, Spf::Other) => {
            because(Action::Accept, Reason::NoPolicy)
        }
    }
}

impl Matrix {
    const fn of(&self, asked: Asked) -> Action {
        match asked {
            Asked::Nothing => self.asked_nothing,
            Asked::Quarantine => self.asked_quarantine,
            Asked::Reject => self.asked_reject,
        }
    }
}
