//! All remarks about a record, not just the first fault: what its owner should know.
//!
//! An error is what makes every receiver say `permerror`, and nothing else is one; so a record
//! without errors is one that [`Record::parse`](super::Record::parse) reads. Warnings are about
//! records that say something else than their owner believes, or nothing of worth; the technical
//! guideline TR-03182 of the German BSI asks for a record that ends in `-all` or `~all` and that
//! names addresses.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use smtp_types::{Finding, Position, Severity};

use super::macro_string::{Letter, MacroString};
use super::misspelled::{is_modifier, meant_by_fault, near};
use super::network::DualPrefix;
use super::record::{RecordError, RecordFault, Span, VERSION, terms};
use super::term::{Directive, Mechanism, Qualifier, Term, UnknownModifier};

/// How many terms may look something up (RFC 7208 §4.6.4).
const MAX_LOOKUPS: usize = 10;

/// How many octets a record should have at most, so that an answer fits into 512 (RFC 7208 §3.4).
const ADVISED_OCTETS: usize = 450;

/// How many octets an answer by UDP without EDNS has at most (RFC 1035 §2.3.4).
const UDP_OCTETS: usize = 512;

/// IPv4 networks with fewer bits are wide: more than 65,536 addresses.
const WIDE_IP4: u8 = 16;

/// IPv6 networks with fewer bits are wide: more than one provider has.
const WIDE_IP6: u8 = 32;

/// A term with its place.
struct Placed<'t> {
    span: Span<'t>,
    term: Term,
}

/// All remarks about a TXT record with SPF, its strings joined, in the order of the text. It is
/// valid if none is an error.
#[must_use]
pub fn lint_record(text: &[u8]) -> Vec<Finding> {
    let spans: Vec<Span<'_>> = match Span::ascii(text).and_then(|span| Ok(terms(span)?.collect())) {
        Ok(spans) => spans,
        Err(error) => return alloc::vec![fault(&error)],
    };
    let mut findings = Vec::new();
    let mut placed = Vec::new();
    for span in spans {
        match Term::parse(span) {
            Ok(term) => placed.push(Placed { span, term }),
            Err(error) => {
                let mut finding = fault(&error);
                if let Some(meant) = meant_by_fault(&error.fault, span) {
                    finding.message = format!("{}; did you mean {meant}?", finding.message);
                }
                findings.push(finding);
            }
        }
    }
    findings.extend(repeated_modifiers(&placed));
    let all = placed.iter().position(Placed::is_all).unwrap_or(placed.len());
    for (index, one) in placed.iter().enumerate() {
        let before = placed.get(..index).unwrap_or_default();
        let behind = placed.get(index + 1..).unwrap_or_default();
        match &one.term {
            Term::Directive(directive) => {
                findings.extend(place_remark(one.span, directive, before, all));
                findings.extend(directive_remarks(one.span, directive));
            }
            Term::Redirect(domain) => {
                findings.extend(redirect_remark(one.span, &placed));
                findings.extend(early_remark(one.span, behind));
                findings.extend(macro_remarks(one.span, domain.text()));
                findings.extend(final_dot_remark(one.span, domain.has_final_dot()));
            }
            Term::Explanation(domain) => {
                findings.extend(early_remark(one.span, behind));
                findings.extend(final_dot_remark(one.span, domain.has_final_dot()));
            }
            Term::Unknown(modifier) => findings.push(unknown_remark(one.span, modifier)),
        }
    }
    findings.extend(end_remark(text.len(), &placed));
    findings.extend(lookup_remark(&placed));
    findings.extend(size_remark(text.len()));
    findings.sort_by_key(|finding| finding.position);
    findings
}

fn fault(error: &RecordError) -> Finding {
    Finding {
        code: error.fault.code(),
        severity: Severity::Error,
        position: error.position,
        message: format!("{}", error.fault),
        clause: error.fault.clause(),
    }
}

/// RFC 7208 §6: `redirect` and `exp` at most once each.
fn repeated_modifiers(placed: &[Placed<'_>]) -> Vec<Finding> {
    let again = |is_it: fn(&Term) -> bool, modifier: &'static str| {
        let all = placed.iter().filter(move |one| is_it(&one.term));
        all.skip(1).map(move |one| fault(&one.span.fault(RecordFault::Repeated { modifier })))
    };
    again(|term| matches!(term, Term::Redirect(_)), "redirect")
        .chain(again(|term| matches!(term, Term::Explanation(_)), "exp"))
        .collect()
}

/// What stands behind `all`, which is at the index `all`, or repeats an earlier term.
fn place_remark(
    span: Span<'_>,
    directive: &Directive,
    before: &[Placed<'_>],
    all: usize,
) -> Option<Finding> {
    let say = |code, message, clause| {
        Some(remark(span.position(), code, Severity::Warning, message, clause))
    };
    let mut earlier = before.iter().filter_map(Placed::directive);
    if before.len() > all {
        let message = format!("{directive}: stands behind all, so it is never looked at");
        say("spf-after-all", message, "RFC 7208 §5.1")
    } else if earlier.any(|it| it.mechanism == directive.mechanism) {
        let message = format!("{directive}: repeated; only the first counts");
        say("spf-directive-repeated", message, "RFC 7208 §4.6.2")
    } else {
        None
    }
}

fn directive_remarks(span: Span<'_>, directive: &Directive) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut say = |code, severity, message: String, clause| {
        findings.push(remark(span.position(), code, severity, message, clause));
    };
    match (&directive.mechanism, directive.qualifier) {
        (Mechanism::All, Qualifier::Pass) => {
            let message = "all: lets every host in the world pass; expected -all or ~all".into();
            say("spf-all-pass", Severity::Warning, message, "TR-03182-01-M");
        }
        (Mechanism::All, Qualifier::Neutral) => {
            let message = "?all: says nothing about all other hosts; expected -all or ~all".into();
            say("spf-all-neutral", Severity::Warning, message, "TR-03182-01-M");
        }
        (Mechanism::Ptr { .. }, _) => {
            let message = "ptr: slow and unreliable, should not be published".into();
            say("spf-ptr", Severity::Warning, message, "RFC 7208 §5.5");
        }
        (Mechanism::A { .. } | Mechanism::Mx { .. } | Mechanism::Exists { .. }, _) => {
            let name = directive.mechanism.name();
            let message = format!("{name}: costs a look-up; addresses (ip4, ip6) are preferred");
            say("spf-name", Severity::Notice, message, "TR-03182-01-M");
        }
        (Mechanism::All | Mechanism::Include { .. }, _)
        | (Mechanism::Ip4 { .. } | Mechanism::Ip6 { .. }, _) => {}
    }
    findings.extend(network_remarks(span, directive));
    if let Some(domain) = directive.mechanism.domain() {
        findings.extend(macro_remarks(span, domain.text()));
        findings.extend(final_dot_remark(span, domain.has_final_dot()));
    }
    findings
}

/// Networks that are wider than anybody's, or that are not what they seem to be. What a `-` or `~`
/// excludes may be wide.
fn network_remarks(span: Span<'_>, directive: &Directive) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut say = |code, severity, message: String, clause| {
        findings.push(remark(span.position(), code, severity, message, clause));
    };
    let grants = directive.qualifier == Qualifier::Pass;
    let wide = match &directive.mechanism {
        Mechanism::Ip4 { network } => network.prefix < WIDE_IP4,
        Mechanism::Ip6 { network } => network.prefix < WIDE_IP6,
        Mechanism::A { prefix: DualPrefix { v4, v6 }, .. }
        | Mechanism::Mx { prefix: DualPrefix { v4, v6 }, .. } => *v4 < WIDE_IP4 || *v6 < WIDE_IP6,
        _ => false,
    };
    if wide && grants {
        let message = format!("{directive}: lets very many hosts pass, others' likely among them");
        say("spf-network-wide", Severity::Warning, message, "TR-03182-01-M");
    }
    let (bits_set, mapped) = match &directive.mechanism {
        Mechanism::Ip4 { network } => (network.first() != network.address, false),
        Mechanism::Ip6 { network } => {
            (network.first() != network.address, network.address.to_ipv4_mapped().is_some())
        }
        _ => (false, false),
    };
    if bits_set {
        let message = format!("{directive}: bits are set behind the prefix, and do not count");
        say("spf-network-bits", Severity::Notice, message, "RFC 7208 §5.6");
    }
    if mapped {
        let message = format!("{directive}: never matches, for mapped addresses are IPv4; use ip4");
        say("spf-ip6-mapped", Severity::Warning, message, "RFC 7208 §5");
    }
    findings
}

/// Macros that RFC 7208 advises against.
fn macro_remarks(span: Span<'_>, text: &MacroString) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut say = |code, severity, message: &str, clause| {
        findings.push(remark(span.position(), code, severity, message.into(), clause));
    };
    if text.names(Letter::ValidatedName) {
        let message = "%{p}: slow and unreliable, should not be published";
        say("spf-macro-p", Severity::Warning, message, "RFC 7208 §7.3");
    }
    if text.names(Letter::LocalPart) || text.names(Letter::Sender) {
        let message = "%{l} and %{s}: a look-up for each sender, and none for a local part that is \
                       not ASCII";
        say("spf-macro-local-part", Severity::Notice, message, "RFC 8616 §4");
    }
    findings
}

/// RFC 7208 §7.3: "trailing dots SHOULD NOT be published".
fn final_dot_remark(span: Span<'_>, has_final_dot: bool) -> Option<Finding> {
    has_final_dot.then(|| {
        let message = String::from("domain: expected no dot at its end, found one");
        remark(span.position(), "spf-final-dot", Severity::Warning, message, "RFC 7208 §7.3")
    })
}

/// RFC 7208 §5.1: `redirect` is ignored where there is an `all`.
fn redirect_remark(span: Span<'_>, placed: &[Placed<'_>]) -> Option<Finding> {
    placed.iter().any(Placed::is_all).then(|| {
        let message = String::from("redirect: ignored, because the record has an all");
        remark(span.position(), "spf-redirect-ignored", Severity::Warning, message, "RFC 7208 §5.1")
    })
}

/// RFC 7208 §6: the known modifiers "SHOULD appear at the end of the record".
fn early_remark(span: Span<'_>, behind: &[Placed<'_>]) -> Option<Finding> {
    behind.iter().any(|one| one.directive().is_some()).then(|| {
        let name = span.text.split('=').next().unwrap_or_default().to_ascii_lowercase();
        let message = format!("{name}: expected behind all mechanisms, found before one");
        remark(span.position(), "spf-modifier-early", Severity::Warning, message, "RFC 7208 §6")
    })
}

/// RFC 7208 §6: unknown modifiers are ignored, whoever meant something by them.
fn unknown_remark(span: Span<'_>, modifier: &UnknownModifier) -> Finding {
    let name = &*modifier.name;
    let (code, severity, message) = if span.text.eq_ignore_ascii_case(VERSION) {
        let message = "v: a second version, which is ignored; are these two records in one text?";
        ("spf-version-repeated", Severity::Warning, message.into())
    } else if let Some(meant) = near(name) {
        let colon = if is_modifier(meant) { "=" } else { ":" };
        let message =
            format!("{name}: an unknown modifier, which is ignored; did you mean {meant}{colon}?");
        ("spf-modifier-misspelled", Severity::Warning, message)
    } else {
        let message = format!("{name}: an unknown modifier, which is ignored");
        ("spf-modifier-unknown", Severity::Notice, message)
    };
    remark(span.position(), code, severity, message, "RFC 7208 §6")
}

/// RFC 7208 §4.7: "It is better to use either a "redirect" modifier or an "all" mechanism to
/// explicitly terminate processing."
fn end_remark(end: usize, placed: &[Placed<'_>]) -> Option<Finding> {
    let ends = placed.iter().any(|one| one.is_all() || matches!(one.term, Term::Redirect(_)));
    (!ends).then(|| {
        let message = String::from("all: expected -all or ~all at the end, found neither");
        let position = Position { line: 1, column: end + 1 };
        remark(position, "spf-all-missing", Severity::Warning, message, "TR-03182-01-M")
    })
}

/// RFC 7208 §4.6.4, as far as it can be told from one record: each name leads to one look-up, and
/// those that it includes come on top.
fn lookup_remark(placed: &[Placed<'_>]) -> Option<Finding> {
    let all = placed.iter().position(|one| one.is_all());
    let counted = placed.get(..all.unwrap_or(placed.len())).unwrap_or_default();
    let counted = counted.iter().filter(|one| match &one.term {
        Term::Directive(directive) => directive.mechanism.looks_up(),
        Term::Redirect(_) => all.is_none(),
        Term::Explanation(_) | Term::Unknown(_) => false,
    });
    let spans: Vec<_> = counted.map(|one| one.span).collect();
    spans.get(MAX_LOOKUPS).map(|span| {
        let count = spans.len();
        let message = format!(
            "expected at most {MAX_LOOKUPS} terms that look something up, found {count}; who gets \
             that far says permerror"
        );
        remark(span.position(), "spf-lookups", Severity::Warning, message, "RFC 7208 §4.6.4")
    })
}

fn size_remark(octets: usize) -> Option<Finding> {
    let (code, severity, limit) = if octets > UDP_OCTETS {
        ("spf-record-too-long", Severity::Warning, UDP_OCTETS)
    } else if octets > ADVISED_OCTETS {
        ("spf-record-long", Severity::Notice, ADVISED_OCTETS)
    } else {
        return None;
    };
    let message = format!("expected at most {limit} octets, found {octets}; longer ones need TCP");
    Some(remark(Position { line: 1, column: 1 }, code, severity, message, "RFC 7208 §3.4"))
}

fn remark(
    position: Position,
    code: &'static str,
    severity: Severity,
    message: String,
    clause: &'static str,
) -> Finding {
    Finding { code, severity, position, message, clause }
}

impl Placed<'_> {
    fn is_all(&self) -> bool {
        self.directive().is_some_and(|directive| directive.mechanism == Mechanism::All)
    }

    const fn directive(&self) -> Option<&Directive> {
        match &self.term {
            Term::Directive(directive) => Some(directive),
            Term::Redirect(_) | Term::Explanation(_) | Term::Unknown(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(text: &str) -> Vec<(&'static str, usize)> {
        let findings = lint_record(text.as_bytes());
        findings.iter().map(|finding| (finding.code, finding.position.column)).collect()
    }

    #[test]
    fn good_records_get_no_remark() {
        for text in [
            "v=spf1 -all",
            "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 include:_spf.example.com ~all",
            "v=spf1 redirect=_spf.example.com",
            "v=spf1 ip4:192.0.2.1 -all exp=explain.%{d}",
            "v=spf1 -ip4:10.0.0.0/8 ip4:192.0.2.1 -all",
        ] {
            assert_eq!(codes(text), [], "{text}");
        }
    }

    #[test]
    fn every_fault_is_found() {
        assert_eq!(
            codes("v=spf1 moo ip4:1.2.3 a/33 foo=% include: exp=x.y exp=x.y"),
            [
                ("spf-mechanism", 8),
                ("spf-ip4-network", 16),
                ("spf-prefix", 24),
                ("spf-macro-percent", 31),
                ("spf-domain-empty", 41),
                ("spf-modifier-repeated", 50),
                ("spf-all-missing", 57),
            ]
        );
        assert_eq!(codes("v=spf2 -all"), [("spf-version", 1)]);
        assert_eq!(codes("v=spf1 \u{e4} moo"), [("spf-not-ascii", 8)]);
    }

    #[test]
    fn the_end_of_the_record() {
        assert_eq!(codes("v=spf1"), [("spf-all-missing", 7)]);
        assert_eq!(codes("v=spf1 +all"), [("spf-all-pass", 8)]);
        assert_eq!(codes("v=spf1 ?all"), [("spf-all-neutral", 8)]);
        assert_eq!(
            codes("v=spf1 -all ip4:192.0.2.1 redirect=a.test -all"),
            [
                ("spf-after-all", 13),
                ("spf-redirect-ignored", 27),
                ("spf-modifier-early", 27),
                ("spf-after-all", 43),
            ]
        );
    }

    #[test]
    fn mechanisms() {
        assert_eq!(codes("v=spf1 a mx -all"), [("spf-name", 8), ("spf-name", 10)]);
        assert_eq!(codes("v=spf1 ptr -all"), [("spf-ptr", 8)]);
        assert_eq!(
            codes("v=spf1 ip4:192.0.2.1 ip4:192.0.2.1/32 -all"),
            [("spf-directive-repeated", 22)]
        );
        assert_eq!(
            codes("v=spf1 ip4:0.0.0.0/0 ip6:2001:db8::/16 a/8 -all"),
            [
                ("spf-network-wide", 8),
                ("spf-network-wide", 22),
                ("spf-network-bits", 22),
                ("spf-name", 40),
                ("spf-network-wide", 40),
            ]
        );
        assert_eq!(codes("v=spf1 ip4:192.0.2.1/24 -all"), [("spf-network-bits", 8)]);
        assert_eq!(codes("v=spf1 ip6:::ffff:192.0.2.1 -all"), [("spf-ip6-mapped", 8)]);
        assert_eq!(codes("v=spf1 include:a.test. -all"), [("spf-final-dot", 8)]);
        assert_eq!(
            codes("v=spf1 include:%{p}.a.test redirect=%{l}.a.test"),
            [("spf-macro-p", 8), ("spf-macro-local-part", 28)]
        );
    }

    #[test]
    fn modifiers() {
        assert_eq!(codes("v=spf1 x=y -all"), [("spf-modifier-unknown", 8)]);
        assert_eq!(codes("v=spf1 exp=a.test -all"), [("spf-modifier-early", 8)]);
        assert_eq!(codes("v=spf1 inlcude=a.test -all"), [("spf-modifier-misspelled", 8)]);
        assert_eq!(codes("v=spf1 include=a.test -all"), [("spf-modifier-misspelled", 8)]);
        assert_eq!(codes("v=spf1 ip4:192.0.2.1 v=spf1 -all"), [("spf-version-repeated", 22)]);
    }

    #[test]
    fn size_and_look_ups() {
        let includes = |count: usize| {
            let all: Vec<String> = (0..count).map(|n| format!("include:{n}.test")).collect();
            format!("v=spf1 {} -all", all.join(" "))
        };
        assert_eq!(codes(&includes(10)), []);
        assert_eq!(codes(&includes(11)), [("spf-lookups", 158)]);
        let eleven = includes(10).replace("-all", "redirect=x.test");
        assert_eq!(codes(&eleven), [("spf-lookups", 158)]);
        let networks = |count: usize| {
            let all: Vec<String> = (0..count).map(|n| format!("ip4:192.0.2.{n:<3}")).collect();
            format!("v=spf1 {} -all", all.join(" "))
        };
        assert_eq!(networks(27).len(), 443);
        assert_eq!(codes(&networks(27)), []);
        assert_eq!(codes(&networks(28)), [("spf-record-long", 1)]);
        assert_eq!(codes(&networks(32)), [("spf-record-too-long", 1)]);
    }
}
