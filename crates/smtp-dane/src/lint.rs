//! Every remark about TLSA records, not only the first fault.
//!
//! The readers in `presentation` and `tlsa` stop at the first fault. Whoever publishes the
//! records wants to hear everything at once, and also what is allowed but will break one day. Both
//! use the same functions, so that they cannot disagree about what is valid.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use smtp_types::{DomainName, Finding, Position, Severity};

use crate::presentation::{self, Located, PresentationError};
use crate::{CertUsage, MatchingType, Selector, Tlsa};

/// All remarks about the TLSA records of a text, one or several, alone or as in a zone file, in
/// the order of the text. They are valid if none is an error.
///
/// Records with one owner, or without any, are one set.
#[must_use]
pub fn lint_tlsa(text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut sets: BTreeMap<Option<DomainName>, Vec<(Located, Tlsa)>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let entries = presentation::entries(text);
    if entries.is_empty() {
        // The reader of one record says what is missing.
        findings.extend(Tlsa::parse_presentation(text).err().as_ref().map(fault));
    }
    for entry in entries {
        let record = entry.and_then(|entry| presentation::read(text, &entry));
        let located = match record {
            Ok(located) => located,
            Err(error) => {
                findings.push(fault(&error));
                continue;
            }
        };
        if !seen.insert((located.owner.clone(), located.rdata.clone())) {
            findings.push(remark(text, &located, REPEATED, "repeated; a set has each record once"));
            continue;
        }
        match located.understand(text) {
            Ok(tlsa) => {
                findings.extend(record_remarks(text, &located, &tlsa));
                let set = sets.entry(located.owner.clone()).or_default();
                set.push((located, tlsa));
            }
            Err(error) => findings.push(fault(&error)),
        }
    }
    // What a set lacks can be said only when all of it was understood.
    if findings.iter().all(|finding| finding.severity < Severity::Error) {
        findings.extend(sets.values().flat_map(|set| set_remarks(text, set)));
    }
    findings.sort_by_key(|finding| finding.position);
    findings
}

/// One kind of remark.
#[derive(Clone, Copy)]
struct Kind {
    code: &'static str,
    severity: Severity,
    clause: &'static str,
}

const fn warning(code: &'static str, clause: &'static str) -> Kind {
    Kind { code, severity: Severity::Warning, clause }
}

const fn notice(code: &'static str, clause: &'static str) -> Kind {
    Kind { code, severity: Severity::Notice, clause }
}

const REPEATED: Kind = warning("tlsa-repeated", "RFC 2181 §5");
const OWNER: Kind = warning("tlsa-owner-form", "RFC 6698 §3");
const PKIX_USAGE: Kind = warning("tlsa-pkix-usage", "RFC 7672 §3.1.3");
const WHOLE: Kind = warning("tlsa-whole-certificate", "RFC 7671 §5.1");
const FULL: Kind = warning("tlsa-full", "RFC 7671 §10.1.2");
const ANCHOR_ALONE: Kind = warning("tlsa-anchor-alone", "RFC 7671 §5.2.2");
const WEAKER: Kind = warning("tlsa-weaker-digest", "RFC 7671 §9");
const SHA512_ALONE: Kind = notice("tlsa-sha512-alone", "RFC 6698 §6");
const ALONE: Kind = notice("tlsa-no-second", "RFC 7671 §8.1");

/// What can be said of one record by itself.
fn record_remarks(text: &str, located: &Located, tlsa: &Tlsa) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut say = |kind, message: &str| findings.push(remark(text, located, kind, message));
    if let Some(owner) = &located.owner
        && !is_tlsa_name(owner)
    {
        let message = format!("owner: expected _port._tcp and the host, found {owner}");
        say(OWNER, &message);
    }
    match tlsa.usage() {
        usage @ (CertUsage::PkixTa | CertUsage::PkixEe) => {
            let (number, acronym) = (usage.number(), usage.as_str());
            let message =
                format!("certificate usage: {number} ({acronym}) is unusable for SMTP; use 2 or 3");
            say(PKIX_USAGE, &message);
        }
        CertUsage::DaneTa => {}
        CertUsage::DaneEe => {
            if tlsa.selector() == Selector::Cert {
                let message = "selector: 0 stops matching at every renewal of the certificate, \
                               1 only when its key changes";
                say(WHOLE, message);
            }
            if tlsa.matching_type() == MatchingType::Full {
                let message =
                    "matching type: 0 makes the answer large; 1 says as much in 32 octets";
                say(FULL, message);
            }
        }
    }
    findings
}

/// RFC 6698 §3: `_port._transport.host`.
fn is_tlsa_name(owner: &DomainName) -> bool {
    let mut labels = owner.labels();
    let port = labels.next().and_then(|label| label.strip_prefix('_'));
    let is_port = port.is_some_and(|port| port.parse::<u16>().is_ok());
    is_port && matches!(labels.next(), Some("_tcp" | "_udp" | "_sctp"))
}

/// What can be said of all records of one name together.
fn set_remarks(text: &str, set: &[(Located, Tlsa)]) -> Vec<Finding> {
    let usable: Vec<_> = set
        .iter()
        .filter(|(_, tlsa)| matches!(tlsa.usage(), CertUsage::DaneTa | CertUsage::DaneEe))
        .collect();
    let mut findings = Vec::new();
    let Some((first, _)) = usable.first() else {
        return findings;
    };
    if usable.iter().all(|(_, tlsa)| tlsa.usage() == CertUsage::DaneTa) {
        let message = "certificate usage: 2 alone works only while the server sends this trust \
                       anchor with its chain; a record with 3 would not need it";
        findings.push(remark(text, first, ANCHOR_ALONE, message));
    }
    if usable.len() == 1 {
        let message = "no second record: the next key must be published before it is used";
        findings.push(remark(text, first, ALONE, message));
    }
    for (located, tlsa) in &usable {
        let alike = |matching_type| {
            let is_alike = |other: &Tlsa| {
                (other.usage(), other.selector(), other.matching_type())
                    == (tlsa.usage(), tlsa.selector(), matching_type)
            };
            usable.iter().filter(|(_, other)| is_alike(other)).count()
        };
        let (sha256, sha512) = (alike(MatchingType::Sha256), alike(MatchingType::Sha512));
        match tlsa.matching_type() {
            MatchingType::Sha256 if sha512 > 0 && sha512 != sha256 => {
                let message = "matching type: senders that know SHA2-512 ignore this record, and \
                               there is not one with SHA2-512 for each with SHA2-256";
                findings.push(remark(text, located, WEAKER, message));
            }
            MatchingType::Sha512 if sha256 == 0 => {
                let message = "matching type: only SHA2-256 is known to every sender";
                findings.push(remark(text, located, SHA512_ALONE, message));
            }
            MatchingType::Full | MatchingType::Sha256 | MatchingType::Sha512 => {}
        }
    }
    findings
}

fn remark(text: &str, located: &Located, kind: Kind, message: &str) -> Finding {
    let Kind { code, severity, clause } = kind;
    Finding {
        code,
        severity,
        position: Position::of(text, located.offset),
        message: String::from(message),
        clause,
    }
}

fn fault(error: &PresentationError) -> Finding {
    Finding {
        code: error.fault.code(),
        severity: Severity::Error,
        position: error.position,
        message: format!("{}", error.fault),
        clause: error.fault.clause(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(text: &str) -> Vec<(&'static str, usize, usize)> {
        let place = |f: &Finding| (f.code, f.position.line, f.position.column);
        lint_tlsa(text).iter().map(place).collect()
    }

    fn digest(octet: &str) -> String {
        octet.repeat(32)
    }

    #[test]
    fn a_set_without_remark() {
        let (now, next) = (digest("aa"), digest("bb"));
        assert_eq!(codes(&format!("3 1 1 {now} ; now\n3 1 1 {next} ; next")), []);
        assert_eq!(codes(&format!("3 1 1 {now}\n\n2 1 1 {next}\n")), []);
        let owner = "_25._tcp.mx.example. 300 IN TLSA";
        assert_eq!(codes(&format!("{owner} 3 1 1 {now}\n{owner} 3 1 1 {next}")), []);
    }

    #[test]
    fn faults_are_all_named() {
        assert_eq!(
            codes("3 1 1 00\n4 1 1 00\n3 x 1 00\n3 1 1 0g\n3 1 1 000\n3 1\n2 0 0 00"),
            [
                ("tlsa-digest-length", 1, 7),
                ("tlsa-usage", 2, 1),
                ("tlsa-number", 3, 3),
                ("tlsa-not-hex", 4, 8),
                ("tlsa-odd-hex", 5, 10),
                ("tlsa-field-missing", 6, 4),
                ("tlsa-not-certificate", 7, 7),
            ]
        );
        assert_eq!(codes(""), [("tlsa-field-missing", 1, 1)]);
        assert_eq!(codes("( 3 1 1 00"), [("tlsa-parenthesis", 1, 1)]);
    }

    #[test]
    fn remarks() {
        let (now, next) = (digest("aa"), digest("bb"));
        assert_eq!(codes(&format!("3 1 1 {now}")), [("tlsa-no-second", 1, 1)]);
        assert_eq!(
            codes(&format!("3 1 1 {now}\n1 1 1 {now}\n3 1 1 {now}\n3 0 1 {next}")),
            [("tlsa-pkix-usage", 2, 1), ("tlsa-repeated", 3, 1), ("tlsa-whole-certificate", 4, 1),]
        );
        assert_eq!(codes(&format!("2 1 1 {now}\n2 0 1 {next}")), [("tlsa-anchor-alone", 1, 1)]);
        assert_eq!(
            codes(&format!("3 1 1 {now}\n3 1 2 {now}{now}\n3 1 1 {next}")),
            [("tlsa-weaker-digest", 1, 1), ("tlsa-weaker-digest", 3, 1)]
        );
        assert_eq!(
            codes(&format!("3 1 2 {now}{now}\n3 1 2 {next}{next}")),
            [("tlsa-sha512-alone", 1, 1), ("tlsa-sha512-alone", 2, 1)]
        );
        assert_eq!(
            codes(&format!("mx.example. TLSA 3 1 1 {now}\nmx.example. TLSA 3 1 1 {next}")),
            [("tlsa-owner-form", 1, 18), ("tlsa-owner-form", 2, 18)]
        );
        let key = "30053000030100";
        assert_eq!(codes(&format!("3 1 0 {key}\n3 1 1 {now}")), [("tlsa-full", 1, 1)]);
        // Each owner is a set of its own.
        assert_eq!(
            codes(&format!("_25._tcp.a TLSA 3 1 1 {now}\n_25._tcp.b TLSA 3 1 1 {now}")),
            [("tlsa-no-second", 1, 17), ("tlsa-no-second", 2, 17)]
        );
        // What can never be used is not missed.
        assert_eq!(codes(&format!("0 0 1 {now}")), [("tlsa-pkix-usage", 1, 1)]);
    }
}
