//! Every remark about a policy record.
//!
//! An error is what a reader passes over, or for which it passes over the whole record. RFC 9989
//! makes readers lenient, so a slip costs its author a policy and nobody says a word; here they
//! hear it. Warnings are what is allowed but obsolete, likely not meant, or against TR-03182 of the
//! BSI (06-M). Notices are choices that one should know to have made.
//!
//! In one point the two standards disagree: TR-03182-06-M wants `p=reject`, RFC 9989 §7.4 does not
//! where people post to mailing lists. The linter says so, and does not choose.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use smtp_types::{Finding, Position, Severity};

use super::record::{Reading, TAGS, Tag, read, uris_of};
use super::record_fault::RecordError;
use super::report_uri::{ReportTarget, ReportUri, without_size};
use super::tag_values::{AlignmentMode, FailureOption, Policy, Psd, TestMode};

const BSI: &str = "BSI TR-03182-06-M";

/// Tags of RFC 7489 that have no meaning any more (RFC 9989 Appendix C.5.2).
const OBSOLETE: [&str; 3] = ["pct", "rf", "ri"];

/// All remarks about a TXT record at `_dmarc.<domain>`, in the order of the text. If none is an
/// error, every reader of RFC 9989 takes all of it.
#[must_use]
pub fn lint_record(text: &[u8]) -> Vec<Finding> {
    let text = String::from_utf8_lossy(text);
    let reading = match read(&text) {
        Ok(reading) => reading,
        Err(error) => return alloc::vec![fault(&error)],
    };
    let mut remarks = Remarks { text: &text, reading: &reading, findings: Vec::new() };
    remarks.findings.extend(reading.faults.iter().map(fault));
    remarks.on_policy();
    remarks.on_subdomains();
    remarks.on_alignment();
    remarks.on_reports();
    for tag in &reading.tags {
        remarks.on_tag(tag);
    }
    let mut findings = remarks.findings;
    findings.sort_by_key(|finding| finding.position);
    findings
}

fn fault(error: &RecordError) -> Finding {
    Finding {
        code: error.fault.code(),
        severity: Severity::Error,
        position: error.position,
        message: error.fault.to_string(),
        clause: error.fault.clause(),
    }
}

struct Remarks<'t> {
    text: &'t str,
    reading: &'t Reading<'t>,
    findings: Vec<Finding>,
}

impl<'t> Remarks<'t> {
    fn tag(&self, name: &str) -> Option<Tag<'t>> {
        self.reading.tags.iter().find(|tag| tag.is(name)).copied()
    }

    fn add(
        &mut self,
        offset: usize,
        code: &'static str,
        severity: Severity,
        clause: &'static str,
        message: impl Into<String>,
    ) {
        let position = Position::of(self.text, offset);
        self.findings.push(Finding { code, severity, position, message: message.into(), clause });
    }

    fn warn(
        &mut self,
        offset: usize,
        code: &'static str,
        clause: &'static str,
        message: impl Into<String>,
    ) {
        self.add(offset, code, Severity::Warning, clause, message);
    }

    fn note(
        &mut self,
        offset: usize,
        code: &'static str,
        clause: &'static str,
        message: impl Into<String>,
    ) {
        self.add(offset, code, Severity::Notice, clause, message);
    }

    /// Where a tag's value stands, or the end of the record if the tag is not there.
    fn place(&self, name: &str) -> usize {
        self.tag(name).map_or(self.text.len(), |tag| tag.value_offset)
    }

    fn on_policy(&mut self) {
        let record = &self.reading.record;
        let offset = self.place("p");
        let Some(policy) = record.policy() else {
            let message = "p: expected a valid policy or a \"rua\", found neither; \
                           the record applies to no message";
            self.add(offset, "dmarc-no-policy", Severity::Error, "RFC 9989 §4.10.1", message);
            return;
        };
        match self.tag("p") {
            None => {
                let message = "p: expected this tag, found none; it counts as \"none\", and for \
                               readers of RFC 7489 the record is invalid";
                self.warn(offset, "dmarc-p-missing", "RFC 9989 §4.7", message);
            }
            Some(tag) if !self.reading.tags.first().is_some_and(|first| first.is("p")) => {
                let message = "p: expected right behind the version by readers of RFC 7489";
                self.note(tag.name_offset, "dmarc-p-not-first", "RFC 7489 §6.4", message);
            }
            Some(_) => {}
        }
        match policy {
            Policy::None => {
                let message = "p: none asks for nothing; expected quarantine or reject";
                self.warn(offset, "dmarc-p-none", BSI, message);
            }
            Policy::Quarantine => {
                let message = "p: the BSI recommends reject; RFC 9989 §7.4 recommends against it \
                               for domains whose users post to mailing lists";
                self.note(offset, "dmarc-p-quarantine", BSI, message);
            }
            Policy::Reject => {
                let message = "p: reject can cost mail that goes through mailing lists; the BSI \
                               recommends it all the same (TR-03182-06-M)";
                self.note(offset, "dmarc-p-reject", "RFC 9989 §7.4", message);
            }
        }
        if record.test_mode() == TestMode::Testing {
            let effect = match policy {
                Policy::None => "has no effect on \"none\"".to_string(),
                policy => {
                    let (policy, milder) = (policy.as_str(), policy.milder().as_str());
                    format!("\"{policy}\" is applied as \"{milder}\" while testing")
                }
            };
            let message = format!("t: {effect}");
            self.warn(self.place("t"), "dmarc-testing", "RFC 9989 §4.7", message);
        }
    }

    fn on_subdomains(&mut self) {
        let record = &self.reading.record;
        let Some(p) = record.policy() else {
            return;
        };
        let weaker = |policy: Option<Policy>, than: Policy| policy.filter(|one| *one < than);
        if let Some(sp) = weaker(record.sp(), p) {
            let (sp, p) = (sp.as_str(), p.as_str());
            let message = format!("sp: {sp} for subdomains is weaker than {p} for the domain");
            self.warn(self.place("sp"), "dmarc-sp-weaker", BSI, message);
        }
        let existing = record.sp().unwrap_or(p);
        if let Some(np) = weaker(record.np(), existing) {
            let (np, existing) = (np.as_str(), existing.as_str());
            let message = format!(
                "np: {np} for subdomains that do not exist is weaker than {existing} for others"
            );
            self.warn(self.place("np"), "dmarc-np-weaker", "RFC 9989 §4.7", message);
        }
        if record.psd() == Psd::Yes {
            let message = "psd: y is for registries; each name right below is then a domain of \
                           its own";
            self.warn(self.place("psd"), "dmarc-psd", "RFC 9989 §5.2", message);
            if !record.ruf().is_empty() {
                let message = "ruf: a public suffix must not ask for failure reports";
                self.warn(self.place("ruf"), "dmarc-psd-ruf", "RFC 9989 §10.2", message);
            }
        }
    }

    fn on_alignment(&mut self) {
        let record = &self.reading.record;
        for (name, mode) in [("adkim", record.dkim_alignment()), ("aspf", record.spf_alignment())] {
            if mode == AlignmentMode::Relaxed {
                let message = format!(
                    "{name}: relaxed; whoever may sign or send for one subdomain may for all"
                );
                self.note(self.place(name), "dmarc-alignment-relaxed", BSI, message);
            }
        }
    }

    fn on_reports(&mut self) {
        let record = &self.reading.record;
        if record.rua().is_empty() {
            let message = "rua: expected an address for aggregate reports, found none";
            self.warn(self.place("rua"), "dmarc-rua-missing", BSI, message);
        } else if record.rua().iter().all(|uri| uri.address().is_none()) {
            let message = "rua: expected a mailto: with a mailbox, found none; \
                           receivers need not know other schemes";
            self.warn(self.place("rua"), "dmarc-rua-unusable", "RFC 9989 §4.7", message);
        }
        if let Some(ruf) = self.tag("ruf") {
            let message = "ruf: failure reports show mail of people; expected none";
            self.warn(ruf.name_offset, "dmarc-ruf", BSI, message);
        }
        if let (Some(fo), None) = (self.tag("fo"), record.failure_options()) {
            let message = "fo: of no effect without \"ruf\"";
            self.note(fo.name_offset, "dmarc-fo-without-ruf", "RFC 9989 §4.7", message);
        }
        let options = record.failure_options();
        if options.is_some_and(|options| options.contains(FailureOption::Any)) {
            let message = "fo: 1 asks for a report of messages that pass, too";
            self.note(self.place("fo"), "dmarc-fo-any", "RFC 9989 §4.7", message);
        }
    }

    /// What there is to say about one tag, whatever else the record has.
    fn on_tag(&mut self, tag: &Tag<'t>) {
        if tag.is("rua") || tag.is("ruf") {
            for (offset, uri) in uris_of(tag) {
                self.on_uri(tag.name, offset, uri);
            }
        }
        let folded = tag.name.to_ascii_lowercase();
        let known = TAGS.iter().find(|known| **known == folded);
        let obsolete = OBSOLETE.iter().find(|obsolete| **obsolete == folded);
        match (known, obsolete) {
            (Some(known), _) if *known == tag.name => {}
            (Some(known), _) => {
                let message = format!(
                    "{}: expected {known:?}; not every reader compares without case",
                    tag.name
                );
                self.warn(tag.name_offset, "dmarc-tag-case", "RFC 6376 §3.2", message);
            }
            (None, Some(name)) => {
                let message = format!("{name}: no longer of any effect");
                self.warn(tag.name_offset, "dmarc-tag-obsolete", "RFC 9989 §C.5.2", message);
            }
            (None, None) => self.on_unknown_tag(tag, &folded),
        }
    }

    fn on_unknown_tag(&mut self, tag: &Tag<'t>, folded: &str) {
        let name = tag.name;
        match TAGS.iter().find(|known| is_slip(folded, known)) {
            Some(known) => {
                let message =
                    format!("{name}: an unknown tag, which is ignored; did you mean {known:?}?");
                self.warn(tag.name_offset, "dmarc-tag-misspelled", "RFC 9989 §4.7", message);
            }
            None => {
                let message = format!("{name}: an unknown tag, which is ignored");
                self.note(tag.name_offset, "dmarc-tag-unknown", "RFC 9989 §4.7", message);
            }
        }
    }

    fn on_uri(&mut self, tag: &str, offset: usize, text: &str) {
        let Ok(uri) = ReportUri::parse(text) else {
            return;
        };
        if without_size(text) != text {
            let message = format!("{tag}: a size limit behind a URI is ignored");
            let offset = offset + uri.as_str().len();
            self.warn(offset, "dmarc-uri-size", "RFC 9989 §4.8", message);
        }
        match uri.target() {
            ReportTarget::Mailbox(_) => {}
            ReportTarget::NoMailbox(error) => {
                let message = format!("{tag}: {error}; no report goes there");
                self.warn(offset, "dmarc-uri-mailbox", "RFC 9989 §4.7", message);
            }
            ReportTarget::Other => {
                let message = format!("{tag}: expected mailto:; receivers ignore other schemes");
                self.warn(offset, "dmarc-uri-scheme", "RFC 9989 §4.7", message);
            }
        }
        if uri.as_str().contains('?') {
            let message = format!("{tag}: header fields behind a \"?\" have no effect");
            self.note(offset, "dmarc-uri-fields", "RFC 9989 §4.6", message);
        }
    }
}

/// Whether a name is one slip of the finger away from a tag: two letters exchanged; and for tags
/// of three letters or more, one letter too many, too few, or another.
fn is_slip(name: &str, tag: &str) -> bool {
    if tag.len() < 2 || name.len().abs_diff(tag.len()) > 1 {
        return false;
    }
    let (name, tag) = (name.as_bytes(), tag.as_bytes());
    let same_start = name.iter().zip(tag).take_while(|(a, b)| a == b).count();
    let (name, tag) = (name.get(same_start..).unwrap_or(b""), tag.get(same_start..).unwrap_or(b""));
    let exchanged = matches!((name, tag), ([a, b, rest @ ..], [c, d, end @ ..])
        if (a, b) == (d, c) && rest == end);
    let behind_first = |octets: &[u8]| octets.get(1..).map(<[u8]>::to_vec);
    let is_long = same_start + tag.len() > 2;
    let one_more = behind_first(name).is_some_and(|rest| rest == tag);
    let one_less = behind_first(tag).is_some_and(|rest| rest == name);
    let another = behind_first(name).is_some() && behind_first(name) == behind_first(tag);
    exchanged || is_long && (one_more || one_less || another)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dmarc::select;

    fn codes(text: &str, severities: &[Severity]) -> Vec<(&'static str, usize)> {
        let findings = lint_record(text.as_bytes()).into_iter();
        let kept = findings.filter(|finding| severities.contains(&finding.severity));
        kept.map(|finding| (finding.code, finding.position.column)).collect()
    }

    fn loud(text: &str) -> Vec<(&'static str, usize)> {
        codes(text, &[Severity::Warning, Severity::Error])
    }

    const BEST: &str = "v=DMARC1; p=reject; adkim=s; aspf=s; rua=mailto:a@b.test";

    #[test]
    fn a_good_record_has_one_notice() {
        assert_eq!(codes(BEST, &[Severity::Notice]), [("dmarc-p-reject", 13)]);
        assert_eq!(loud(BEST), []);
        let usual = "v=DMARC1; p=quarantine; rua=mailto:a@b.test";
        assert_eq!(loud(usual), []);
        assert_eq!(
            codes(usual, &[Severity::Notice]),
            [
                ("dmarc-p-quarantine", 13),
                ("dmarc-alignment-relaxed", 44),
                ("dmarc-alignment-relaxed", 44),
            ]
        );
    }

    #[test]
    fn policies() {
        assert_eq!(loud("v=DMARC1; p=none"), [("dmarc-p-none", 13), ("dmarc-rua-missing", 17)]);
        assert_eq!(
            loud("v=DMARC1; rua=mailto:a@b.test"),
            [("dmarc-p-missing", 30), ("dmarc-p-none", 30)]
        );
        assert_eq!(loud("v=DMARC1"), [("dmarc-no-policy", 9), ("dmarc-rua-missing", 9)]);
        assert_eq!(
            loud("v=DMARC1; p=rejct; rua=mailto:a@b.test"),
            [("dmarc-value", 13), ("dmarc-p-none", 13)]
        );
        assert_eq!(
            loud("v=DMARC1; p=reject; sp=; rua=x"),
            [
                ("dmarc-no-policy", 13),
                ("dmarc-value", 24),
                ("dmarc-uri", 30),
                ("dmarc-rua-missing", 30),
            ]
        );
        assert_eq!(loud("v=DMARC1; p=reject; t=y; rua=mailto:a@b.test"), [("dmarc-testing", 23)]);
        let p_last = "v=DMARC1; rua=mailto:a@b.test; p=reject";
        assert!(codes(p_last, &[Severity::Notice]).contains(&("dmarc-p-not-first", 32)));
    }

    #[test]
    fn subdomains() {
        assert_eq!(
            loud("v=DMARC1; p=reject; sp=quarantine; np=none; psd=y; rua=mailto:a@b.test"),
            [("dmarc-sp-weaker", 24), ("dmarc-np-weaker", 39), ("dmarc-psd", 49)]
        );
    }

    #[test]
    fn reports() {
        assert_eq!(
            loud("v=DMARC1; p=reject; rua=https://b.test,mailto:; fo=1"),
            [("dmarc-rua-unusable", 25), ("dmarc-uri-scheme", 25), ("dmarc-uri-mailbox", 40),]
        );
        assert_eq!(
            loud("v=DMARC1; p=reject; rua=mailto:a@b.test!5m; ruf=mailto:a@b.test"),
            [("dmarc-uri-size", 40), ("dmarc-ruf", 45)]
        );
        let ruf = "v=DMARC1; p=reject; psd=y; ruf=mailto:a@b.test; fo=1; rua=mailto:a@b.test?x=y";
        assert_eq!(loud(ruf), [("dmarc-psd", 25), ("dmarc-ruf", 28), ("dmarc-psd-ruf", 32)]);
        let notices = codes(ruf, &[Severity::Notice]);
        assert!(notices.contains(&("dmarc-fo-any", 52)));
        assert!(notices.contains(&("dmarc-uri-fields", 59)));
    }

    #[test]
    fn tags() {
        assert_eq!(
            loud(&[BEST, "; pct=100; rf=afrf; ri=1"].concat()),
            [("dmarc-tag-obsolete", 59), ("dmarc-tag-obsolete", 68), ("dmarc-tag-obsolete", 77),]
        );
        assert_eq!(
            loud(&[BEST, "; SP=reject; rau=x; dkim=s; ps=x; x=1; xx=1"].concat()),
            [
                ("dmarc-tag-case", 59),
                ("dmarc-tag-misspelled", 70),
                ("dmarc-tag-misspelled", 77),
                ("dmarc-tag-misspelled", 85),
            ]
        );
    }

    #[test]
    fn what_spoils_a_record_is_said_alone() {
        assert_eq!(loud("v=DMARC1; p=none; p=none; x"), [("dmarc-tag-repeated", 19)]);
        assert_eq!(loud("v=spf1 -all"), [("dmarc-version", 1)]);
    }

    #[test]
    fn no_error_means_that_all_is_taken() {
        for text in [BEST, "v=DMARC1", "v=DMARC1; p=none; x", "v=DMARC1; rua=x", "v=DMARC1;;"] {
            let is_taken = select([text.as_bytes()]).is_ok_and(|record| record.policy().is_some())
                && read(text).is_ok_and(|reading| reading.faults.is_empty());
            assert_eq!(codes(text, &[Severity::Error]).is_empty(), is_taken, "{text}");
        }
    }

    #[test]
    fn slips() {
        for (name, tag) in [
            ("rau", "rua"),
            ("ruaa", "rua"),
            ("ra", "rua"),
            ("rum", "rua"),
            ("sdp", "psd"),
            ("ps", "sp"),
        ] {
            assert_eq!(is_slip(name, tag), name != "sdp", "{name} {tag}");
        }
        assert!(!is_slip("x", "p") && !is_slip("sx", "sp") && !is_slip("rua", "rua"));
    }
}
