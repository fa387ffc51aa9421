//! What the client is told when its message is not taken: which domain, which check, and where to
//! find help (ledger S2-24). Pure.

use sender_auth::dkim::{self, KeyFailure};
use sender_auth::{Authentication, spf};

use super::decide::{Action, Asked, Decision, Reason};
use super::milter::Refusal;
use super::milter::refusal::MAX_LINE_OCTETS;

/// The reply for a message that is refused or deferred; `None` for any other.
#[must_use]
pub fn refusal(
    decision: &Decision,
    authentication: &Authentication,
    help: &str,
) -> Option<Refusal> {
    let code = match decision.action {
        Action::Reject => 550,
        Action::Defer => 451,
        Action::Accept | Action::Quarantine => return None,
    };
    let status = status(&decision.reason, decision.action);
    let mut lines = vec![line(&what(decision, authentication))];
    lines.extend(checks(decision, authentication).iter().map(|text| line(text)));
    if !help.trim().is_empty() {
        lines.push(line(help));
    }
    Refusal::new(code, status, &lines.join("\n")).ok()
}

/// The reply for a message that is refused for what is in it.
#[must_use]
pub fn refused_attachment(cause: &str, help: &str) -> Option<Refusal> {
    let mut lines = vec![line(&format!("This kind of attachment is not taken here: {cause}"))];
    if !help.trim().is_empty() {
        lines.push(line(help));
    }
    Refusal::new(550, "5.7.1", &lines.join("\n")).ok()
}

/// The enhanced status code (RFC 7372 §3; RFC 3463 §3.5 for the DNS).
const fn status(reason: &Reason, action: Action) -> &'static str {
    match (reason, action) {
        (Reason::Temperror, Action::Defer) => "4.4.3",
        (Reason::SpfFail, Action::Reject) => "5.7.23",
        (Reason::SpfFail, _) => "4.7.23",
        (Reason::NoAuthor | Reason::SeveralAuthors, Action::Reject) => "5.6.0",
        (_, Action::Reject) => "5.7.26",
        (_, _) => "4.7.26",
    }
}

fn what(decision: &Decision, authentication: &Authentication) -> String {
    let domains: Vec<_> = authentication.author.domains().iter().map(ToString::to_string).collect();
    let domains = domains.join(", ");
    match &decision.reason {
        Reason::NoAuthor => match authentication.author.fault() {
            Some(fault) => format!("The message has no author that can be read: {fault}"),
            None => "The message has no author that can be read".to_owned(),
        },
        Reason::SeveralAuthors => format!("The message has authors in several domains: {domains}"),
        Reason::Asked(asked) => format!(
            "DMARC: this message says that it is from {domains}, and neither SPF nor DKIM confirms \
             it{}",
            match asked {
                Asked::Nothing => "",
                Asked::Quarantine => "; the owner of that domain asks for its quarantine",
                Asked::Reject => "; the owner of that domain asks for its refusal",
            }
        ),
        Reason::SpfFail => format!(
            "SPF: this address must not send mail for {}",
            authentication
                .spf
                .as_ref()
                .and_then(|spf| spf.mail_from.domain.as_ref())
                .map_or("this domain", |domain| domain.as_str())
        ),
        Reason::Temperror => {
            format!("DMARC: the DNS of {domains} does not answer; please try again later")
        }
        Reason::Local(_) => {
            format!("Mail from {domains} is taken here only if SPF or DKIM confirm its origin")
        }
        Reason::Passed | Reason::NoPolicy | Reason::Vouched(_) => {
            "The message is not taken".to_owned()
        }
    }
}

/// What each check has found, where that helps the sender. What the DNS said to us, and by which
/// resolver, is nobody's business.
fn checks(decision: &Decision, authentication: &Authentication) -> Vec<String> {
    if !matches!(decision.reason, Reason::Asked(_) | Reason::SpfFail | Reason::Local(_)) {
        return Vec::new();
    }
    let mut lines = Vec::new();
    if let Some(spf::Evaluation { result, domain, matched, .. }) =
        authentication.spf.as_ref().map(|spf| &spf.mail_from)
    {
        let domain = domain.as_ref().map_or("no domain", |domain| domain.as_str());
        let matched = matched.as_ref().map(|matched| format!(", by {}", matched.directive));
        lines.push(format!("SPF: {result} for {domain}{}", matched.unwrap_or_default()));
    }
    if authentication.dkim.is_empty() {
        lines.push("DKIM: none, the message is not signed".to_owned());
    }
    for signature in authentication.dkim.iter().take(3) {
        let result = signature.result();
        let domain = signature.domain.as_ref().map_or("no domain", |domain| domain.as_str());
        let reason = match &signature.reason {
            dkim::Reason::Key(KeyFailure::Dns(_)) => "the key could not be looked up".to_owned(),
            reason => reason.to_string(),
        };
        let testing = if signature.testing { ", by a key that its owner only tests" } else { "" };
        lines.push(format!("DKIM: {} for {domain}: {reason}{testing}", result.as_str()));
    }
    lines
}

/// A line that may stand in an SMTP reply: what a stranger has chosen is made printable, and cut.
fn line(text: &str) -> String {
    let text = text.replace('\u{a7}', "section ");
    let printable = text.chars().map(|c| if matches!(c, ' '..='~') { c } else { '?' });
    printable.take(MAX_LINE_OCTETS).collect()
}
