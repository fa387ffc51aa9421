//! The DMARC result for one Author Domain (RFC 9989 §5.3), as need-driven evaluation.
//!
//! Two rounds of questions at most: the walk from the Author Domain; then side by side the walks of
//! those domains that might be aligned, and whether the Author Domain exists, if that matters.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use smtp_types::{DnsFailure, DnsQuestion, DomainName, Known, Need, RecordType, all, both};

use super::align::{Alignment, Misalignment, align, needs_walk};
use super::record::Record;
use super::tag_values::{AlignmentMode, Policy, TestMode};
use super::tree_walk::{TreeWalk, WalkFailure, walk};

/// From how many domains that SPF and DKIM bring a walk is made at most, for each Author Domain.
/// Others do not align. The sender chooses these domains, so there must be an end.
pub const MAX_ALIGNMENT_WALKS: usize = 10;

/// What SPF and DKIM say about a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identities {
    /// The domain of MAIL FROM. `None` if SPF was not asked, or there is no domain.
    pub spf: Option<SpfIdentity>,
    /// Every signature, in the order in which they were checked.
    pub dkim: Vec<DkimIdentity>,
}

/// The domain that SPF was asked about: that of MAIL FROM and no other. If MAIL FROM is empty, it
/// is `postmaster` at the HELO name (RFC 9989 §3.2.4, RFC 7208 §2.4), so the HELO name stands here.
/// A result for HELO itself never counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpfIdentity {
    /// The domain.
    pub domain: DomainName,
    /// What SPF says.
    pub result: IdentityResult,
}

/// The domain that has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DkimIdentity {
    /// `d=`
    pub domain: DomainName,
    /// `s=`
    pub selector: Box<str>,
    /// What the verification says.
    pub result: IdentityResult,
}

/// How far a domain was authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IdentityResult {
    /// It has sent or signed the message.
    Pass,
    /// Nothing says so: every result that is neither of the other two.
    Fail,
    /// Nobody knows, because the DNS failed; later it may be known (`temperror`).
    TemporaryError,
}

/// The result, under the name of RFC 9989 §9.2. In order from the best to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DmarcResult {
    /// A domain that was authenticated is aligned.
    Pass,
    /// There is no policy that applies.
    None,
    /// It cannot be known, and later attempts will not help.
    Permerror,
    /// It cannot be known now.
    Temperror,
    /// There is a policy, and no domain that was authenticated is aligned.
    Fail,
}

impl DmarcResult {
    /// The name as in `Authentication-Results`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::None => "none",
            Self::Permerror => "permerror",
            Self::Temperror => "temperror",
            Self::Fail => "fail",
        }
    }
}

/// The result for one Author Domain, and all that it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// The Author Domain.
    pub author: DomainName,
    /// The result.
    pub result: DmarcResult,
    /// Why.
    pub cause: Cause,
    /// The policy that applies, if one was found.
    pub policy: Option<AppliedPolicy>,
    /// The Organizational Domain of the Author Domain, or why nobody knows.
    pub organizational_domain: Result<DomainName, WalkFailure>,
    /// The identity of SPF, if there is one.
    pub spf: Option<CheckedIdentity>,
    /// The identities of DKIM, in the order in which they were given.
    pub dkim: Vec<CheckedIdentity>,
    /// The walk from the Author Domain.
    pub walk: TreeWalk,
}

impl Evaluation {
    /// What the owner of the domain wants to happen: nothing unless the result is "fail".
    #[must_use]
    pub fn disposition(&self) -> Policy {
        let failed = self.policy.as_ref().filter(|_| self.result == DmarcResult::Fail);
        failed.map_or(Policy::None, |policy| policy.requested)
    }
}

/// Why the result is what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Pass: a domain that was authenticated is aligned.
    Aligned,
    /// Fail: no domain that was authenticated is aligned.
    NotAligned,
    /// None: the walk found no record that applies.
    NoRecord,
    /// None: the record that applies has no valid policy, and no place for reports.
    NoPolicy {
        /// Where it stands.
        domain: DomainName,
    },
    /// Temperror or permerror: the walk from the Author Domain has failed before it found a record.
    Discovery(WalkFailure),
    /// Temperror or permerror: nobody knows whether a domain that passed is aligned.
    Alignment(WalkFailure),
    /// Temperror: a domain that might be aligned has a temporary error.
    Identity {
        /// The domain.
        domain: DomainName,
    },
    /// Temperror or permerror: nobody knows whether the Author Domain exists, and the policy
    /// depends on it.
    Existence(DnsFailure),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aligned => write!(f, "an authenticated domain is aligned"),
            Self::NotAligned => write!(f, "no authenticated domain is aligned"),
            Self::NoRecord => write!(f, "no DMARC record applies"),
            Self::NoPolicy { domain } => {
                write!(f, "the record of {domain} has no valid policy and no place for reports")
            }
            Self::Discovery(failure) => write!(f, "the record cannot be found: {failure}"),
            Self::Alignment(failure) => write!(f, "alignment cannot be told: {failure}"),
            Self::Identity { domain } => {
                write!(f, "{domain} might be aligned, but has a temporary error")
            }
            Self::Existence(failure) => {
                write!(f, "whether the author's domain exists cannot be told: {failure}")
            }
        }
    }
}

/// The policy that applies to an Author Domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedPolicy {
    /// The DMARC Policy Domain: where the record stands.
    pub domain: DomainName,
    /// The record.
    pub record: Record,
    /// How that domain stands to the Author Domain.
    pub place: PolicyPlace,
    /// Which tag speaks of the Author Domain.
    pub tag: PolicyTag,
    /// What that tag asks for.
    pub published: Policy,
    /// What is asked for in the end: with `t=y` one level less.
    pub requested: Policy,
}

/// How the domain of a policy stands to the Author Domain (RFC 9989 §4.10.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyPlace {
    /// It is the Author Domain.
    AuthorDomain,
    /// It is the Organizational Domain of the Author Domain.
    OrganizationalDomain,
    /// It is the Public Suffix Domain above the Organizational Domain.
    PublicSuffixDomain,
}

/// The tag that a policy was taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyTag {
    /// `p`, or the lack of it.
    P,
    /// `sp`: for domains below.
    Sp,
    /// `np`: for domains below that do not exist.
    Np,
}

impl PolicyTag {
    /// `p`, `sp` or `np`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::P => "p",
            Self::Sp => "sp",
            Self::Np => "np",
        }
    }
}

/// An identity with what was found out about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedIdentity {
    /// The domain.
    pub domain: DomainName,
    /// How far it was authenticated.
    pub result: IdentityResult,
    /// How it stands to the Author Domain. `None` if nobody looked: it was not authenticated, or
    /// there is no policy.
    pub alignment: Option<Alignment>,
}

impl CheckedIdentity {
    /// Whether this identity alone makes the message pass.
    #[must_use]
    pub fn is_aligned_pass(&self) -> bool {
        let is_aligned = self.alignment.as_ref().is_some_and(Alignment::is_aligned);
        self.result == IdentityResult::Pass && is_aligned
    }
}

/// Evaluates one Author Domain: RFC 9989 §5.3.2 to §5.3.5.
///
/// # Errors
/// What must be looked up first.
pub fn evaluate(
    known: &Known,
    author: &DomainName,
    identities: &Identities,
) -> Result<Evaluation, Need> {
    let walk = walk(known, author)?;
    let organization = walk.organizational_domain();
    let ended = |result, cause| Evaluation {
        author: author.clone(),
        result,
        cause,
        policy: None,
        organizational_domain: organization.clone(),
        spf: identities.spf.as_ref().map(|spf| unchecked(&spf.domain, spf.result)),
        dkim: identities.dkim.iter().map(|dkim| unchecked(&dkim.domain, dkim.result)).collect(),
        walk: walk.clone(),
    };
    let Found { domain, record, place } = match find_record(&walk, &organization) {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(ended(DmarcResult::None, Cause::NoRecord)),
        Err(failure) => {
            return Ok(ended(result_of(&failure.failure), Cause::Discovery(failure)));
        }
    };
    let Some(p) = record.policy() else {
        return Ok(ended(DmarcResult::None, Cause::NoPolicy { domain: domain.clone() }));
    };
    let (alignments, chosen) = both(
        alignments(known, author, &organization, record, identities),
        choose_tag(known, author, record, place, p),
    )?;
    let Chosen { tag, published, unsure } = chosen;
    let requested = match record.test_mode() {
        TestMode::Testing => published.milder(),
        TestMode::Applied => published,
    };
    let policy = AppliedPolicy {
        domain: domain.clone(),
        record: record.clone(),
        place,
        tag,
        published,
        requested,
    };
    let mut alignments = alignments.into_iter();
    let mut evaluation = ended(DmarcResult::Fail, Cause::NotAligned);
    for identity in evaluation.spf.iter_mut().chain(&mut evaluation.dkim) {
        identity.alignment = alignments.next().flatten();
    }
    evaluation.policy = Some(policy);
    let identities = evaluation.spf.iter().chain(&evaluation.dkim);
    (evaluation.result, evaluation.cause) = conclude(identities, unsure.as_ref());
    Ok(evaluation)
}

/// The record that applies.
struct Found<'w> {
    domain: &'w DomainName,
    record: &'w Record,
    place: PolicyPlace,
}

/// §4.10.1: the Author Domain, its Organizational Domain, its Public Suffix Domain, "listed from
/// highest preference to lowest".
fn find_record<'w>(
    walk: &'w TreeWalk,
    organization: &'w Result<DomainName, WalkFailure>,
) -> Result<Option<Found<'w>>, WalkFailure> {
    if let Some(record) = walk.record_at(walk.start()) {
        let place = PolicyPlace::AuthorDomain;
        return Ok(Some(Found { domain: walk.start(), record, place }));
    }
    let domain = organization.as_ref().map_err(Clone::clone)?;
    if let Some(record) = walk.record_at(domain) {
        let place = PolicyPlace::OrganizationalDomain;
        return Ok(Some(Found { domain, record, place }));
    }
    let place = PolicyPlace::PublicSuffixDomain;
    Ok(walk.public_suffix().map(|(domain, record)| Found { domain, record, place }))
}

/// The tag that speaks of the Author Domain.
struct Chosen {
    tag: PolicyTag,
    published: Policy,
    /// Why nobody knows whether it is the right one.
    unsure: Option<DnsFailure>,
}

/// §4.10.1: "p" for the domain of the record; below it "sp", or "np" if the Author Domain does not
/// exist, else "p". It is taken to exist if nobody knows.
fn choose_tag(
    known: &Known,
    author: &DomainName,
    record: &Record,
    place: PolicyPlace,
    p: Policy,
) -> Result<Chosen, Need> {
    let chosen = |tag, published| Ok(Chosen { tag, published, unsure: None });
    if place == PolicyPlace::AuthorDomain {
        return chosen(PolicyTag::P, p);
    }
    let (tag, published) = record.sp().map_or((PolicyTag::P, p), |sp| (PolicyTag::Sp, sp));
    let Some(np) = record.np() else {
        return chosen(tag, published);
    };
    match exists(known, author)? {
        Ok(Existence::Absent) => chosen(PolicyTag::Np, np),
        Ok(Existence::Present) => chosen(tag, published),
        // Whichever of the two applies, it says the same.
        Err(_) if np == published => chosen(tag, published),
        Err(failure) => Ok(Chosen { tag, published, unsure: Some(failure) }),
    }
}

enum Existence {
    Present,
    Absent,
}

/// RFC 9989 §3.2.13: a name does not exist if the answer is NXDOMAIN; "if any RR exists for a
/// domain, then the domain exists" (Appendix A.4). Three types are asked for, because there are
/// servers that answer NXDOMAIN for what they only lack: one that knows the name is enough.
fn exists(known: &Known, domain: &DomainName) -> Result<Result<Existence, DnsFailure>, Need> {
    let types = [RecordType::A, RecordType::Aaaa, RecordType::Mx];
    let replies = all(types.into_iter().map(|one| known.dns(&DnsQuestion::new(domain, one))))?;
    let mut failure = None;
    for reply in replies {
        match reply {
            // An alias exists, wherever it leads to.
            Ok(answer) if answer.name_exists || answer.canonical_name != *domain => {
                return Ok(Ok(Existence::Present));
            }
            Ok(_) => {}
            Err(error) => failure = Some(error.clone()),
        }
    }
    Ok(failure.map_or(Ok(Existence::Absent), Err))
}

/// How each identity stands to the Author Domain: SPF, if it was asked, then DKIM.
fn alignments(
    known: &Known,
    author: &DomainName,
    organization: &Result<DomainName, WalkFailure>,
    record: &Record,
    identities: &Identities,
) -> Result<Vec<Option<Alignment>>, Need> {
    let spf = identities.spf.iter().map(|spf| (&spf.domain, spf.result, record.spf_alignment()));
    let dkim = identities.dkim.iter();
    let dkim = dkim.map(|dkim| (&dkim.domain, dkim.result, record.dkim_alignment()));
    let mut walked: Vec<&DomainName> = Vec::new();
    all(spf.chain(dkim).map(|(domain, result, mode): (_, _, AlignmentMode)| {
        if result == IdentityResult::Fail {
            return Ok(None);
        }
        if needs_walk(author, organization, domain, mode) && !walked.contains(&domain) {
            if walked.len() == MAX_ALIGNMENT_WALKS {
                let reason = Misalignment::TooMany { limit: MAX_ALIGNMENT_WALKS };
                return Ok(Some(Alignment::None(reason)));
            }
            walked.push(domain);
        }
        align(known, author, organization, domain, mode).map(Some)
    }))
}

/// §5.3.5: pass if an identity that passed is aligned, else fail; §5.3.6: but if a question whose
/// answer might change that was not answered, "the message cannot be considered to pass or fail".
fn conclude<'i>(
    identities: impl Iterator<Item = &'i CheckedIdentity> + Clone,
    existence: Option<&DnsFailure>,
) -> (DmarcResult, Cause) {
    if identities.clone().any(CheckedIdentity::is_aligned_pass) {
        return (DmarcResult::Pass, Cause::Aligned);
    }
    let undecided =
        identities.filter_map(|identity| match (identity.result, &identity.alignment) {
            (
                IdentityResult::Pass | IdentityResult::TemporaryError,
                Some(Alignment::Unknown(walk)),
            ) => Some((result_of(&walk.failure), Cause::Alignment(walk.clone()))),
            (IdentityResult::TemporaryError, Some(alignment)) if alignment.is_aligned() => {
                let domain = identity.domain.clone();
                Some((DmarcResult::Temperror, Cause::Identity { domain }))
            }
            _ => None,
        });
    let existence =
        existence.map(|failure| (result_of(failure), Cause::Existence(failure.clone())));
    let mut undecided = undecided.chain(existence);
    let Some(first) = undecided.next() else {
        return (DmarcResult::Fail, Cause::NotAligned);
    };
    // What may be known later counts more than what will never be known.
    if first.0 == DmarcResult::Temperror {
        return first;
    }
    undecided.find(|(result, _)| *result == DmarcResult::Temperror).unwrap_or(first)
}

/// Bogus data is a matter of the zone or of an attack; either may pass.
const fn result_of(failure: &DnsFailure) -> DmarcResult {
    match failure {
        DnsFailure::Bogus { .. } | DnsFailure::Temporary { .. } => DmarcResult::Temperror,
        DnsFailure::Permanent { .. } => DmarcResult::Permerror,
    }
}

fn unchecked(domain: &DomainName, result: IdentityResult) -> CheckedIdentity {
    CheckedIdentity { domain: domain.clone(), result, alignment: None }
}
