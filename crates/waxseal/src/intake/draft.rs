//! From what was read to the rows that are kept.
//!
//! A row keeps numbers and the numbers of texts. What a signature or SPF has come to is a text of
//! its own, `dkim:example.com:s1:pass spf:example.com:mfrom:pass`, because few such texts are
//! shared by many rows.
//!
//! Nothing of it can be trusted. Texts are cut to a length, and whatever would move a cursor or
//! change a direction is gone before it is stored.

use std::fmt::Write as _;

use sender_auth::crypto::{Crypto as _, Digest, Sha256 as _};
use sender_auth::report::{
    Disposition, DmarcResult, ReceivedFailure, ReceivedPolicy, ReceivedRecord, ReceivedReport,
};
use smtp_types::{DomainName, UnixTime};
use tlsrpt::{FailureDetail, Policy, ReadReport};

use super::accept::{Arrival, Grade};
use super::{Event, Fault, Limits, Report, read};
use crate::crypto::{AwsLc, Hasher};
use crate::store::{
    Aligned, NewFailure, NewPolicy, NewReceived, NewRecord, ReceivedKind, ReceivedTotals, Texts,
};

/// How long a text of a stranger may be, in characters.
const MAX_TEXT: usize = 200;

/// How long the line of a policy may be, in octets. It has only ASCII.
const MAX_POLICY: usize = 4_000;

/// How many results of DKIM and of SPF a row keeps.
const MAX_RESULTS: usize = 10;

/// How many quirks a report keeps.
const MAX_QUIRKS: usize = 50;

/// What stands for a text that is missing.
const UNKNOWN: &str = "";

/// The reports in a mail or a file, and what could not be read.
pub(super) fn of(
    octets: &[u8],
    arrival: &Arrival,
    limits: &Limits,
    now: UnixTime,
) -> (Vec<NewReceived>, Vec<Fault>) {
    let (mut reports, mut faults) = (Vec::new(), Vec::new());
    let mut rows = Rows::new();
    read(octets, limits, now, &mut |event| match event {
        Event::Record(record) => rows.record(&record),
        Event::Detail { policy, detail } => rows.failure(policy, &detail),
        Event::Report(found) => {
            let rows = std::mem::replace(&mut rows, Rows::new());
            let by = By { arrival, now };
            reports.push(match found.report {
                Report::DmarcAggregate(report) => by.aggregate(&report, rows),
                Report::TlsRpt(read) => by.tls(&read, rows),
                Report::DmarcFailure(report) => by.failure(&report, rows),
            });
        }
        Event::Fault(fault) => {
            rows = Rows::new();
            faults.push(fault);
        }
    });
    (reports, faults)
}

/// SHA-256 of some octets.
pub(super) fn digest(octets: &[u8]) -> Digest {
    let mut hash = AwsLc::new().sha256();
    hash.update(octets);
    hash.finish()
}

/// A text of a stranger as it is stored: one line, not too long, and harmless.
pub(super) fn plain(text: &str) -> String {
    let plain = |c: char| match c {
        '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => ' ',
        c if c.is_control() => ' ',
        c => c,
    };
    let mut kept: String = text.trim().chars().take(MAX_TEXT).map(plain).collect();
    if text.trim().chars().nth(MAX_TEXT).is_some() {
        kept.push('…');
    }
    kept
}

/// The rows of a report that is not there yet.
struct Rows {
    texts: Texts,
    records: Vec<NewRecord>,
    failures: Vec<NewFailure>,
    content: Hasher,
    line: String,
}

impl Rows {
    fn new() -> Self {
        Self {
            texts: Texts::default(),
            records: Vec::new(),
            failures: Vec::new(),
            content: AwsLc::new().sha256(),
            line: String::new(),
        }
    }

    fn record(&mut self, record: &ReceivedRecord) {
        let mut auth = String::new();
        for one in record.dkim_results.iter().take(MAX_RESULTS) {
            let domain = one.domain.as_ref().map_or("", |domain| domain.as_str());
            let selector = one.selector.as_ref().map_or("", |selector| selector.as_str());
            let result = one.result.map_or("", |result| result.as_str());
            push(&mut auth, &["dkim", domain, selector, result]);
        }
        for one in record.spf_results.iter().take(MAX_RESULTS) {
            let domain = one.domain.as_ref().map_or("", |domain| domain.as_str());
            let scope = one.scope.map_or("", |scope| scope.as_str());
            let result = one.result.map_or("", |result| result.as_str());
            push(&mut auth, &["spf", domain, scope, result]);
        }
        let mut reasons = String::new();
        for reason in record.reasons.iter().take(MAX_RESULTS) {
            let gap = if reasons.is_empty() { "" } else { "; " };
            let _ = write!(reasons, "{gap}{}", reason.kind.as_str());
            // ARC is worth knowing; other comments name hosts and messages, and are never alike.
            if reason.comment.as_ref().is_some_and(|comment| comment.as_str().contains("arc=pass"))
            {
                reasons.push_str(" arc=pass");
            }
        }
        let passes = |result: Option<DmarcResult>| result == Some(DmarcResult::Pass);
        let row = NewRecord {
            source: record.source_ip,
            messages: record.count,
            disposition: match record.disposition {
                None => 0,
                Some(Disposition::None) => 1,
                Some(Disposition::Pass) => 2,
                Some(Disposition::Quarantine) => 3,
                Some(Disposition::Reject) => 4,
            },
            aligned: Aligned { dkim: passes(record.dkim), spf: passes(record.spf) },
            header_from: self.domain(record.header_from.as_ref()),
            envelope_from: self.domain(record.envelope_from.as_ref()),
            envelope_to: self.domain(record.envelope_to.as_ref()),
            auth: self.texts.number(&auth),
            reasons: self.texts.number(&reasons),
        };
        self.line.clear();
        let _ = write!(
            self.line,
            "{:?} {} {} {:?} {:?} {:?} {:?} {auth:?} {reasons:?}",
            row.source,
            row.messages,
            row.disposition,
            row.aligned,
            record.header_from,
            record.envelope_from,
            record.envelope_to,
        );
        self.seal_line();
        self.records.push(row);
    }

    fn failure(&mut self, policy: usize, detail: &FailureDetail) {
        let FailureDetail { failure, sessions } = detail;
        self.line.clear();
        let _ = write!(self.line, "{policy} {} {sessions}", failure.to_line());
        self.seal_line();
        let mut text = |text: &Option<Box<str>>| {
            let text = plain(text.as_deref()?);
            (!text.is_empty()).then(|| self.texts.number(&text))
        };
        let (mx, helo, reason) =
            (text(&failure.mx_hostname), text(&failure.mx_helo), text(&failure.reason));
        self.failures.push(NewFailure {
            policy: u32::try_from(policy).unwrap_or(u32::MAX),
            result: self.texts.number(&plain(failure.result.as_str())),
            sending_ip: failure.sending_ip,
            mx,
            receiving_ip: failure.receiving_ip,
            helo,
            reason,
            sessions: *sessions,
        });
    }

    fn domain(&mut self, domain: Option<&DomainName>) -> Option<crate::store::TextNumber> {
        domain.map(|domain| self.texts.number(domain.as_str()))
    }

    /// What stands in the line belongs to what the report says.
    fn seal_line(&mut self) {
        self.line.push('\n');
        self.content.update(self.line.as_bytes());
    }
}

/// One result in the line of all of them. Names may hold anything printable, so what divides is
/// replaced.
fn push(line: &mut String, words: &[&str]) {
    if !line.is_empty() {
        line.push(' ');
    }
    for (index, word) in words.iter().enumerate() {
        if index > 0 {
            line.push(':');
        }
        line.extend(word.chars().map(|c| if matches!(c, ':' | ' ') { '?' } else { c }));
    }
}

/// How a report came.
struct By<'a> {
    arrival: &'a Arrival,
    now: UnixTime,
}

/// What a report says of itself, in words that all kinds share.
struct Face {
    kind: ReceivedKind,
    organization: String,
    contact: String,
    name: String,
    domains: Vec<String>,
    begins: UnixTime,
    ends: UnixTime,
    grade: Grade,
    policy: Option<String>,
    quirks: Vec<String>,
    totals: ReceivedTotals,
}

impl By<'_> {
    fn aggregate(&self, report: &ReceivedReport, rows: Rows) -> NewReceived {
        let ReceivedReport { metadata, policy, totals, quirks, .. } = report;
        let contact = metadata.email.as_ref().map(ToString::to_string).unwrap_or_default();
        let name = metadata.report_id.as_ref().map(|id| plain(id.as_str())).unwrap_or_default();
        let begins = metadata.begin.or(metadata.end).unwrap_or(self.now);
        let mut lines: Vec<String> =
            quirks.iter().take(MAX_QUIRKS).map(|quirk| plain(&quirk.to_string())).collect();
        let errors = metadata.errors.iter();
        lines.extend(errors.map(|error| plain(&format!("the reporter says: {}", error.as_str()))));
        let face = Face {
            kind: ReceivedKind::Dmarc,
            organization: metadata
                .org_name
                .as_ref()
                .map(|name| plain(name.as_str()))
                .unwrap_or_default(),
            contact,
            name,
            domains: policy.domain.iter().map(ToString::to_string).collect(),
            begins,
            ends: metadata.end.unwrap_or(begins),
            grade: self.arrival.authenticity.dmarc,
            policy: Some(published(policy)),
            quirks: lines,
            totals: ReceivedTotals {
                good: totals.dmarc_pass,
                bad: totals.messages.saturating_sub(totals.dmarc_pass),
                dkim_pass: totals.dkim_pass,
                spf_pass: totals.spf_pass,
                quarantined: totals.quarantine,
                rejected: totals.reject,
            },
        };
        self.received(face, rows, Vec::new())
    }

    fn tls(&self, read: &ReadReport, mut rows: Rows) -> NewReceived {
        let ReadReport { report, quirks } = read;
        let totals = report.totals();
        let contact = report.contact.as_deref().map(plain).unwrap_or_default();
        let mut domains: Vec<String> = Vec::new();
        let mut policies = Vec::new();
        for one in &report.policies {
            let name = one.policy.domain.as_ref().map_or("", |domain| domain.as_str());
            if !name.is_empty() && !domains.iter().any(|known| known == name) {
                domains.push(name.to_owned());
            }
            let policy = policy_line(one.policy.clone());
            rows.line.clear();
            let summary = one.summary;
            let _ = write!(rows.line, "{policy} {} {}", summary.successes, summary.failures);
            rows.seal_line();
            policies.push(NewPolicy {
                domain: rows.texts.number(name),
                policy: rows.texts.number(&policy),
                good: summary.successes,
                bad: summary.failures,
            });
        }
        let face = Face {
            kind: ReceivedKind::Tls,
            organization: report.organization.as_deref().map(plain).unwrap_or_default(),
            grade: self.tls_grade(&contact),
            contact,
            name: plain(&report.id),
            domains,
            begins: report.period.begin,
            ends: report.period.end,
            policy: None,
            quirks: quirks.iter().take(MAX_QUIRKS).map(|quirk| plain(&quirk.to_string())).collect(),
            totals: ReceivedTotals {
                good: totals.successes,
                bad: totals.failures,
                ..ReceivedTotals::default()
            },
        };
        self.received(face, rows, policies)
    }

    fn failure(&self, report: &ReceivedFailure, mut rows: Rows) -> NewReceived {
        let at = report.arrival.unwrap_or(self.now);
        let word = report.failure.map_or("", |failure| failure.as_str());
        rows.line.clear();
        let _ = write!(rows.line, "{:?} {:?} {word}", report.source_ip, report.arrival);
        rows.seal_line();
        let face = Face {
            kind: ReceivedKind::Failure,
            organization: String::new(),
            contact: String::new(),
            name: String::new(),
            domains: report.reported_domain.iter().map(ToString::to_string).collect(),
            begins: at,
            ends: at,
            grade: self.arrival.authenticity.dmarc,
            policy: None,
            quirks: report.quirks.iter().take(MAX_QUIRKS).map(ToString::to_string).collect(),
            totals: ReceivedTotals { bad: report.incidents, ..ReceivedTotals::default() },
        };
        // Such a report has no id, so what it says is its identity, too.
        let mut received = self.received(face, rows, Vec::new());
        received.identity = received.content;
        received
    }

    /// RFC 8460 §3: the signature must be that of the reporting domain. The contact names it, so a
    /// signature of somebody who has nothing to do with the contact proves nothing.
    fn tls_grade(&self, contact: &str) -> Grade {
        let authenticity = &self.arrival.authenticity;
        let stated = contact.rsplit_once('@').and_then(|(_, name)| DomainName::parse(name).ok());
        match (authenticity.tls, &authenticity.submitter, stated) {
            (Grade::Authenticated, Some(submitter), Some(stated))
                if !is_within(submitter, &stated) && !is_within(&stated, submitter) =>
            {
                Grade::Unauthenticated
            }
            (grade, ..) => grade,
        }
    }

    fn received(&self, face: Face, mut rows: Rows, policies: Vec<NewPolicy>) -> NewReceived {
        let submitter = self.arrival.authenticity.submitter.as_ref();
        // Who reports is taken from the report, so that the same report is known as such whether it
        // came by mail or as a file. What anybody could claim is weighed by the grade.
        let reporter = match face.contact.rsplit_once('@') {
            Some((_, domain)) => domain.to_ascii_lowercase(),
            None => face.organization.clone(),
        };
        let mut domains = face.domains.clone();
        domains.sort_unstable();
        let identity = format!(
            "{}\n{reporter}\n{}\n{}\n{} {}",
            face.kind.as_str(),
            face.name,
            domains.join(","),
            face.begins,
            face.ends
        );
        rows.line.clear();
        let _ = write!(rows.line, "{identity}\n{}\n{:?}", face.organization, face.policy);
        rows.seal_line();
        let organization = match (face.organization.as_str(), reporter.as_str()) {
            ("", reporter) => reporter,
            (organization, _) => organization,
        };
        let domain = face.domains.first().map_or(UNKNOWN, String::as_str);
        let Rows { mut texts, records, failures, content, .. } = rows;
        NewReceived {
            kind: face.kind,
            domain: texts.number(domain),
            organization: texts.number(organization),
            contact: (!face.contact.is_empty()).then(|| texts.number(&face.contact)),
            submitter: submitter.map(|domain| texts.number(domain.as_str())),
            name: face.name,
            begins: face.begins,
            ends: face.ends,
            received: self.now,
            way: self.arrival.way.as_str(),
            grade: face.grade.as_str(),
            grade_rank: face.grade as u8,
            identity: digest(identity.as_bytes()),
            content: content.finish(),
            totals: face.totals,
            policy: face.policy.map(|policy| texts.number(&policy)),
            quirks: face.quirks.join("\n"),
            policies,
            failures,
            records,
            texts,
        }
    }
}

/// Whether a domain is another or below it.
pub(super) fn is_within(domain: &DomainName, other: &DomainName) -> bool {
    let rest = domain.as_str().strip_suffix(other.as_str());
    rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The line of a policy. One that is too long is known by its first strings only.
fn policy_line(policy: Policy) -> String {
    let mut policy = policy.canonical();
    loop {
        let line = policy.to_line();
        if line.len() <= MAX_POLICY {
            return line;
        }
        if policy.strings.pop().is_none() && policy.mx.pop().is_none() {
            return String::new();
        }
    }
}

/// `p=reject sp=none adkim=s`, as the reporter has found it.
fn published(policy: &ReceivedPolicy) -> String {
    let mut words = Vec::new();
    for (tag, value) in [("p", policy.p), ("sp", policy.sp), ("np", policy.np)] {
        words.extend(value.map(|value| format!("{tag}={}", value.as_str())));
    }
    for (tag, value) in [("adkim", policy.adkim), ("aspf", policy.aspf)] {
        words.extend(value.map(|value| format!("{tag}={}", value.as_str())));
    }
    words.extend(policy.testing.map(|testing| format!("t={}", testing.as_str())));
    words.extend(policy.pct.map(|pct| format!("pct={pct}")));
    words.join(" ")
}
