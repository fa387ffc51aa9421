//! From the results of the protocols to what the decision counts with: a pure translation.

use sender_auth::arc::{ChainResult, ChainStatus, SetReport};
use sender_auth::authres::{Keyword, PropertyName};
use sender_auth::dkim::{DkimResult, SignatureResult};
use sender_auth::dmarc::{
    AuthorDomain, AuthorFault, CheckedIdentity, DmarcResult, Evaluation, Policy,
};
use sender_auth::report::forwarding::{ArcSign, AuthorSignature, Looks, ReturnPath, Server, Signs};
use sender_auth::report::{DkimResult as ReportedDkim, SpfResult as ReportedSpf};
use sender_auth::spf::SpfResult;
use sender_auth::{Authentication, Header};
use smtp_types::{DomainName, UnixTime};

use super::decide::{Asked, Author, Dmarc, Facts, Local, Spf, Voucher};
use super::verdict::{Identified, Unidentified};
use crate::config::LocalVerdicts;

/// What counts, for a message that came at the time `now`.
#[must_use]
pub fn facts(authentication: &Authentication, local: &LocalVerdicts, now: UnixTime) -> Facts {
    let author = match authentication.author.domain() {
        AuthorDomain::One(_) => Author::One,
        AuthorDomain::Several(_) | AuthorDomain::Unclear(AuthorFault::TooManyDomains { .. }) => {
            Author::Several
        }
        AuthorDomain::Unclear(_) => Author::Nobody,
    };
    let dmarc = match authentication.dmarc.result {
        DmarcResult::Pass => Dmarc::Pass,
        DmarcResult::None => Dmarc::None,
        DmarcResult::Temperror => Dmarc::Temperror,
        DmarcResult::Permerror => Dmarc::Permerror,
        DmarcResult::Fail => Dmarc::Fail(match authentication.dmarc.disposition() {
            Policy::None => Asked::Nothing,
            Policy::Quarantine => Asked::Quarantine,
            Policy::Reject => Asked::Reject,
        }),
    };
    let spf = authentication.spf.as_ref().map(|spf| spf.mail_from.result);
    let spf = if spf == Some(SpfResult::Fail) { Spf::Fail } else { Spf::Other };
    let domains = authentication.author.domains();
    // Of several authors' domains, the strictest entry counts, as it does among their policies.
    let entries = domains.iter().filter_map(|domain| local.verdicts.find(domain, now));
    let local_verdict = entries
        .max_by_key(|entry| entry.action)
        .map(|entry| Local { action: entry.action, comment: entry.comment.clone() });
    let forwarder = voucher(authentication, local, now);
    Facts { author, dmarc, spf, forwarder, local: local_verdict }
}

/// Who vouches: from the newest set down, as long as the sealers are trusted, the first that says
/// that DMARC had passed for the author that people see now (RFC 8617 §5.2, §7.2).
fn voucher(
    authentication: &Authentication,
    local: &LocalVerdicts,
    now: UnixTime,
) -> Option<Voucher> {
    let AuthorDomain::One(author) = authentication.author.domain() else { return None };
    let ChainResult { sets, .. } = &authentication.arc;
    if authentication.arc.status() != ChainStatus::Pass {
        return None;
    }
    for set in sets.iter().rev() {
        let sealer = &set.sealer.as_ref()?.domain;
        let entry = local.trusted(sealer, now)?;
        if had_passed(set, author) {
            return Some(Voucher { sealer: sealer.clone(), comment: entry.comment.clone() });
        }
    }
    None
}

/// Whether the sealer says that DMARC had passed for this author, and has signed the field that
/// shows the author.
fn had_passed(set: &SetReport, author: &DomainName) -> bool {
    let Ok(results) = &set.authentication_results else { return false };
    set.covers_from
        && results.results.iter().any(|result| {
            let shown = result.property(&PropertyName::HEADER_FROM);
            result.method == Keyword::DMARC
                && result.result == Keyword::PASS
                && shown.is_some_and(|shown| is_domain(shown.as_str(), author))
        })
}

/// Some write the domain, some the whole address (RFC 8601 §2.7.1).
fn is_domain(shown: &str, author: &DomainName) -> bool {
    let domain = shown.rsplit_once('@').map_or(shown, |(_, domain)| domain);
    DomainName::parse(domain).is_ok_and(|domain| domain == *author)
}

/// Whether the author is identified beyond doubt.
#[must_use]
pub fn identified(authentication: &Authentication) -> Identified {
    let AuthorDomain::One(author) = authentication.author.domain() else {
        return Identified::No { because: Unidentified::NoAuthor };
    };
    let evaluation = authentication.dmarc.evaluations.first();
    let is_aligned = |domain: &DomainName| {
        domain == author
            || evaluation.is_some_and(|found| {
                found.dkim.iter().any(|one| one.domain == *domain && one.is_aligned_pass())
            })
    };
    // The best reason first: what is closest to being identified says most.
    let mut because = match evaluation {
        Some(found) if found.spf.as_ref().is_some_and(CheckedIdentity::is_aligned_pass) => {
            Unidentified::SpfOnly
        }
        _ => Unidentified::NoSignature,
    };
    for signature in authentication.passed_signatures() {
        let Some(domain) = &signature.domain else { continue };
        match doubt(signature, is_aligned(domain)) {
            None => return Identified::Yes { by: domain.clone() },
            Some(Unidentified::NotAligned) if because != Unidentified::NoSignature => {}
            Some(doubt) => because = doubt,
        }
    }
    Identified::No { because }
}

/// Why a signature that passed identifies nobody.
fn doubt(signature: &SignatureResult, is_aligned: bool) -> Option<Unidentified> {
    if !is_aligned {
        return Some(Unidentified::NotAligned);
    }
    if signature.testing {
        return Some(Unidentified::TestKey);
    }
    if signature.unsigned_body_octets > 0 || !signature.unsigned_fields.is_empty() {
        return Some(Unidentified::BodyPartlySigned);
    }
    None
}

/// Whether the message looks forwarded.
#[must_use]
pub fn looks(
    authentication: &Authentication,
    voucher: Option<&Voucher>,
    mail_from: &str,
    header: &Header,
) -> Looks {
    let evaluation = authentication.dmarc.deciding();
    let spf = authentication.spf.as_ref().map_or(SpfResult::None, |spf| spf.mail_from.result);
    let aligned_spf = evaluation.and_then(|found| found.spf.as_ref());
    let is_aligned = aligned_spf
        .and_then(|spf| spf.alignment.as_ref())
        .is_some_and(|alignment| alignment.is_aligned());
    let same_domain = matches!(
        (evaluation, authentication.spf.as_ref().and_then(|spf| spf.mail_from.domain.as_ref())),
        (Some(found), Some(domain)) if found.author == *domain
    );
    let return_path = match mail_from.rsplit_once('@') {
        None => ReturnPath::Null,
        Some(_) if is_aligned || same_domain => ReturnPath::Aligned,
        Some((local_part, _)) => ReturnPath::not_aligned(local_part),
    };
    let arc = match voucher {
        Some(voucher) => ArcSign::PassedBefore { sealer: &voucher.sealer },
        None => ArcSign::Nothing,
    };
    Looks::of(Signs {
        spf: reported_spf(spf),
        return_path,
        author_signature: author_signature(authentication, evaluation),
        arc,
        server: Server::Unknown,
        header,
    })
}

/// The best signature of the author's domain.
fn author_signature(
    authentication: &Authentication,
    evaluation: Option<&Evaluation>,
) -> AuthorSignature {
    let Some(evaluation) = evaluation else { return AuthorSignature::Absent };
    let of_author = authentication.dkim.iter().filter(|signature| {
        signature.domain.as_ref().is_some_and(|domain| {
            let organization = evaluation.organizational_domain.as_ref().ok();
            *domain == evaluation.author || Some(domain) == organization
        })
    });
    of_author
        .map(SignatureResult::result)
        .min_by_key(|result| if *result == DkimResult::Pass { 0 } else { 1 })
        .map_or(AuthorSignature::Absent, |result| AuthorSignature::Present(reported_dkim(result)))
}

/// The word of SPF as reports know it.
#[must_use]
pub const fn reported_spf(result: SpfResult) -> ReportedSpf {
    match result {
        SpfResult::None => ReportedSpf::None,
        SpfResult::Neutral => ReportedSpf::Neutral,
        SpfResult::Pass => ReportedSpf::Pass,
        SpfResult::Fail => ReportedSpf::Fail,
        SpfResult::Softfail => ReportedSpf::SoftFail,
        SpfResult::Temperror => ReportedSpf::TempError,
        SpfResult::Permerror => ReportedSpf::PermError,
    }
}

/// The word of DKIM as reports know it.
#[must_use]
pub const fn reported_dkim(result: DkimResult) -> ReportedDkim {
    match result {
        DkimResult::None => ReportedDkim::None,
        DkimResult::Pass => ReportedDkim::Pass,
        DkimResult::Fail => ReportedDkim::Fail,
        DkimResult::Policy => ReportedDkim::Policy,
        DkimResult::Neutral => ReportedDkim::Neutral,
        DkimResult::TempError => ReportedDkim::TempError,
        DkimResult::PermError => ReportedDkim::PermError,
    }
}
