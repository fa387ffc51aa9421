//! The policy record: the TXT record at `_dmarc.<domain>` (RFC 9989 §4.5 to §4.8).
//!
//! A record is a version and then tags, `v=DMARC1; p=reject; rua=mailto:…`. The standard is lenient
//! on purpose: what is not understood is ignored, tag by tag, and the rest stays in force. Only
//! three things spoil a whole record:
//!
//! - it does not begin with the version (§4.7, "v"),
//! - there is another one at the same name (§4.10),
//! - a tag occurs twice. RFC 9989 §4.7 takes its syntax from DKIM, where "the entire tag-list is
//!   invalid" then (RFC 6376 §3.2). Tags that RFC 9989 does not know may occur as often as they
//!   like, for they "MUST be ignored".
//!
//! The names of tags are compared without case. The ABNF of §4.8 says so of `v` (RFC 5234 §2.3), the
//! syntax of DKIM says the contrary; reading `P=reject` protects the domain, and the linter warns.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use smtp_types::{DnsQuestion, DomainName, DomainNameError, RecordType};

use super::record_fault::{RecordError, RecordFault};
use super::report_uri::ReportUri;
use super::tag_values::{AlignmentMode, FailureOptions, Policy, Psd, TestMode};

/// Where the record of a domain stands.
///
/// # Errors
/// If the domain is so long that the name has more than 253 octets.
pub fn record_question(domain: &DomainName) -> Result<DnsQuestion, DomainNameError> {
    Ok(DnsQuestion::new(domain.below("_dmarc")?, RecordType::Txt))
}

/// What a record says, with the defaults for what it does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    p: Option<Policy>,
    sp: Option<Policy>,
    np: Option<Policy>,
    t: TestMode,
    psd: Psd,
    adkim: AlignmentMode,
    aspf: AlignmentMode,
    fo: FailureOptions,
    rua: Vec<ReportUri>,
    ruf: Vec<ReportUri>,
}

impl Record {
    /// Reads one record, its strings joined already.
    ///
    /// # Errors
    /// The fault that spoils the whole record. All others spoil one tag, which is then as if it was
    /// not there; [`lint_record`](super::lint_record) shows them.
    pub fn parse(text: &[u8]) -> Result<Self, RecordError> {
        read(&String::from_utf8_lossy(text)).map(|reading| reading.record)
    }

    /// What is asked for messages of the domain itself: `p`, or "none" if there is no `p` but a
    /// place for reports. `None` if there is neither: then the record applies to nothing, and "the
    /// Mail Receiver applies no DMARC processing" (RFC 9989 §4.10.1).
    #[must_use]
    pub fn policy(&self) -> Option<Policy> {
        let reports_only = (!self.rua.is_empty()).then_some(Policy::None);
        self.p.or(reports_only)
    }

    /// `p`, if it is there. If `p`, `sp` or `np` is not valid, none of the three is there.
    #[must_use]
    pub const fn p(&self) -> Option<Policy> {
        self.p
    }

    /// `sp`, what is asked for messages of domains below, if it is there.
    #[must_use]
    pub const fn sp(&self) -> Option<Policy> {
        self.sp
    }

    /// `np`, what is asked for messages of domains below that do not exist, if it is there.
    #[must_use]
    pub const fn np(&self) -> Option<Policy> {
        self.np
    }

    /// `t`: whether the policy is only tried out.
    #[must_use]
    pub const fn test_mode(&self) -> TestMode {
        self.t
    }

    /// `psd`: whether others can register names below this one.
    #[must_use]
    pub const fn psd(&self) -> Psd {
        self.psd
    }

    /// `adkim`: how close the domain of a signature must be.
    #[must_use]
    pub const fn dkim_alignment(&self) -> AlignmentMode {
        self.adkim
    }

    /// `aspf`: how close the domain of the return path must be.
    #[must_use]
    pub const fn spf_alignment(&self) -> AlignmentMode {
        self.aspf
    }

    /// `fo`: when failure reports are wanted. `None` without a place for them: "this tag's content
    /// MUST be ignored if a "ruf" tag is not also specified" (RFC 9989 §4.7).
    #[must_use]
    pub fn failure_options(&self) -> Option<&FailureOptions> {
        (!self.ruf.is_empty()).then_some(&self.fo)
    }

    /// `rua`: where aggregate reports go, in the order of the record. Empty: nowhere.
    #[must_use]
    pub fn rua(&self) -> &[ReportUri] {
        &self.rua
    }

    /// `ruf`: where failure reports go, in the order of the record. Empty: nowhere.
    #[must_use]
    pub fn ruf(&self) -> &[ReportUri] {
        &self.ruf
    }
}

impl fmt::Display for Record {
    /// The record with all that differs from the defaults, in an order that older readers take too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v=DMARC1;")?;
        for (name, policy) in [("p", self.p), ("sp", self.sp), ("np", self.np)] {
            if let Some(policy) = policy {
                write!(f, " {name}={};", policy.as_str())?;
            }
        }
        if self.t != TestMode::default() {
            write!(f, " t={};", self.t.as_str())?;
        }
        if self.psd != Psd::default() {
            write!(f, " psd={};", self.psd.as_str())?;
        }
        for (name, mode) in [("adkim", self.adkim), ("aspf", self.aspf)] {
            if mode != AlignmentMode::default() {
                write!(f, " {name}={};", mode.as_str())?;
            }
        }
        for (name, uris) in [("rua", &self.rua), ("ruf", &self.ruf)] {
            if let Some((first, others)) = uris.split_first() {
                write!(f, " {name}={first}")?;
                others.iter().try_for_each(|uri| write!(f, ",{uri}"))?;
                write!(f, ";")?;
            }
        }
        if self.fo != FailureOptions::default() {
            write!(f, " fo={};", self.fo)?;
        }
        Ok(())
    }
}

/// The one record of a domain, out of all texts found at its name.
///
/// RFC 9989 §4.10: texts that do not begin with the version "are discarded. If multiple DMARC
/// Policy Records are returned for a single target, they are all discarded".
///
/// # Errors
/// [`NoRecord`] says why there is none. In each case it is as if the name had no text at all.
pub fn select<'t>(texts: impl IntoIterator<Item = &'t [u8]>) -> Result<Record, NoRecord> {
    let mut ours = texts.into_iter().filter(|text| is_ours(text));
    let record = ours.next().ok_or(NoRecord::Absent)?;
    match ours.count() {
        0 => Record::parse(record).map_err(NoRecord::Invalid),
        more => Err(NoRecord::Several { count: more.saturating_add(1) }),
    }
}

/// Whether a text begins with the version, and nothing but a semicolon follows.
pub(crate) fn is_ours(text: &[u8]) -> bool {
    let head = text.split(|octet| *octet == b';').next().unwrap_or_default();
    core::str::from_utf8(head).is_ok_and(is_version)
}

/// Why a name has no usable record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoRecord {
    /// No text begins with `v=DMARC1`.
    Absent,
    /// More than one does.
    Several {
        /// How many.
        count: usize,
    },
    /// The only one is not well-formed.
    Invalid(RecordError),
}

impl fmt::Display for NoRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => write!(f, "no DMARC record"),
            Self::Several { count } => {
                write!(f, "expected one record \"v=DMARC1\", found {count} (RFC 9989 §4.10)")
            }
            Self::Invalid(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for NoRecord {}

/// One `name=value`; offsets are octets from the beginning of the record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tag<'t> {
    pub(crate) name: &'t str,
    pub(crate) value: &'t str,
    pub(crate) name_offset: usize,
    pub(crate) value_offset: usize,
}

/// A record, every tag of it as it was written, and all that was passed over.
pub(crate) struct Reading<'t> {
    pub(crate) record: Record,
    pub(crate) tags: Vec<Tag<'t>>,
    pub(crate) faults: Vec<RecordError>,
}

/// `dmarc-record = dmarc-version *(dmarc-sep dmarc-tag) [dmarc-sep]`
pub(crate) fn read(text: &str) -> Result<Reading<'_>, RecordError> {
    let version = text.split(';').next().unwrap_or_default();
    if !is_version(version) {
        let fault = RecordFault::Version { found: version.trim_matches(WSP).into() };
        return Err(RecordError::at(text, 0, fault));
    }
    let mut faults = Vec::new();
    let mut tags: Vec<Tag<'_>> = Vec::new();
    for (offset, part) in parts(text, version.len()) {
        match read_tag(text, offset, part) {
            Ok(tag) if tag.is_repeated(&tags) => {
                let fault = RecordFault::Repeated { tag: tag.name.into() };
                return Err(RecordError::at(text, tag.name_offset, fault));
            }
            Ok(tag) => tags.push(tag),
            Err(error) => faults.push(error),
        }
    }
    let mut record = Record::default();
    let mut policies_are_valid = true;
    for tag in &tags {
        let before = faults.len();
        record.set(text, tag, &mut faults);
        let is_policy = ["p", "sp", "np"].iter().any(|name| tag.is(name));
        policies_are_valid &= !is_policy || faults.len() == before;
    }
    if !policies_are_valid {
        // §4.10.1: not "a valid "p" tag", or a "sp" or "np" that is not valid: as if "p=none" was
        // retrieved. `Record::policy` says so if there is a place for reports.
        (record.p, record.sp, record.np) = (None, None, None);
    }
    Ok(Reading { record, tags, faults })
}

/// White space of RFC 5234 Appendix B.1.
pub(crate) const WSP: [char; 2] = [' ', '\t'];

/// `dmarc-version = "v" equals %s"DMARC1"`, and the white space of the separator.
fn is_version(text: &str) -> bool {
    let name_and_value = text.split_once('=');
    name_and_value.is_some_and(|(name, value)| {
        name.trim_end_matches(WSP).eq_ignore_ascii_case("v") && value.trim_matches(WSP) == "DMARC1"
    })
}

/// What stands between the semicolons behind the version, each with its offset. Nothing has to
/// stand behind the last one.
fn parts(text: &str, version: usize) -> impl Iterator<Item = (usize, &str)> {
    let mut offset = version + 1;
    let body = text.get(offset..).unwrap_or_default().trim_end_matches(WSP);
    let tags = (!body.is_empty()).then(|| body.strip_suffix(';').unwrap_or(body).split(';'));
    tags.into_iter().flatten().map(move |part| {
        let start = offset;
        offset += part.len() + 1;
        (start, part)
    })
}

/// `dmarc-tag = 1*ALPHA equals 1*dmarc-value`, `dmarc-value = %x20-3A / %x3C-7E`
fn read_tag<'t>(text: &str, offset: usize, part: &'t str) -> Result<Tag<'t>, RecordError> {
    let indent = part.len() - part.trim_start_matches(WSP).len();
    let name_offset = offset + indent;
    let tag = part.trim_matches(WSP);
    let fault = |offset, fault| Err(RecordError::at(text, offset, fault));
    if tag.is_empty() {
        return fault(name_offset, RecordFault::Empty);
    }
    let Some((name, value)) = tag.split_once('=') else {
        return fault(name_offset, RecordFault::NotTag { found: tag.into() });
    };
    let trimmed = value.trim_start_matches(WSP);
    let value_offset = name_offset + name.len() + 1 + value.len() - trimmed.len();
    let name = name.trim_end_matches(WSP);
    if name.is_empty() || !name.bytes().all(|octet| octet.is_ascii_alphabetic()) {
        return fault(name_offset, RecordFault::NotTag { found: tag.into() });
    }
    if trimmed.is_empty() {
        // An empty "sp" is a "sp" that is not valid, so it must be seen (§4.10.1).
        return Ok(Tag { name, value: "", name_offset, value_offset });
    }
    let stranger = trimmed.char_indices().find(|(_, c)| !matches!(c, ' '..='~' | '\t'));
    if let (Some((index, found)), false) = (stranger, is_known(name)) {
        let fault_in = RecordFault::Character { tag: name.into(), found };
        return fault(value_offset + index, fault_in);
    }
    Ok(Tag { name, value: trimmed, name_offset, value_offset })
}

/// The tags of Table 2 in §4.8, and the version.
pub(crate) const TAGS: [&str; 11] =
    ["v", "p", "sp", "np", "t", "psd", "adkim", "aspf", "fo", "rua", "ruf"];

fn is_known(name: &str) -> bool {
    TAGS.iter().any(|tag| tag.eq_ignore_ascii_case(name))
}

impl Tag<'_> {
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The version stands in front of all tags, so another one is always a repetition.
    fn is_repeated(&self, before: &[Tag<'_>]) -> bool {
        self.is("v") || is_known(self.name) && before.iter().any(|tag| tag.is(self.name))
    }
}

impl Record {
    /// §4.8: "Syntax errors in the remainder of the record MUST be discarded in favor of default
    /// values (if any) or ignored outright."
    fn set(&mut self, text: &str, tag: &Tag<'_>, faults: &mut Vec<RecordError>) {
        if tag.is("rua") || tag.is("ruf") {
            let uris = if tag.is("rua") { &mut self.rua } else { &mut self.ruf };
            for (offset, uri) in uris_of(tag) {
                match ReportUri::parse(uri) {
                    Ok(uri) => uris.push(uri),
                    Err(error) => {
                        let fault = RecordFault::Uri { tag: tag.name.into(), error };
                        faults.push(RecordError::at(text, offset, fault));
                    }
                }
            }
            return;
        }
        let value = tag.value;
        let is_understood = match tag.name.to_ascii_lowercase().as_str() {
            "p" => put(Policy::parse(value).map(Some), &mut self.p),
            "sp" => put(Policy::parse(value).map(Some), &mut self.sp),
            "np" => put(Policy::parse(value).map(Some), &mut self.np),
            "t" => put(TestMode::parse(value), &mut self.t),
            "psd" => put(Psd::parse(value), &mut self.psd),
            "adkim" => put(AlignmentMode::parse(value), &mut self.adkim),
            "aspf" => put(AlignmentMode::parse(value), &mut self.aspf),
            "fo" => put(FailureOptions::parse(value), &mut self.fo),
            _ => Ok(()),
        };
        if is_understood.is_err() {
            let fault = RecordFault::Value { tag: tag.name.into(), found: value.into() };
            faults.push(RecordError::at(text, tag.value_offset, fault));
        }
    }
}

/// Keeps the default of a value that is not understood.
fn put<T>(value: Option<T>, place: &mut T) -> Result<(), NotUnderstood> {
    *place = value.ok_or(NotUnderstood)?;
    Ok(())
}

struct NotUnderstood;

/// `dmarc-urilist`: URIs with commas between them, each with its offset.
pub(crate) fn uris_of<'t>(tag: &Tag<'t>) -> impl Iterator<Item = (usize, &'t str)> {
    let mut offset = tag.value_offset;
    tag.value.split(',').map(move |part| {
        let start = offset + part.len() - part.trim_start_matches(WSP).len();
        offset += part.len() + 1;
        (start, part.trim_matches(WSP))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    /// The record that `text` is, printed; what was passed over, by code and column.
    fn good(text: &str, printed: &str, passed_over: &[(&str, usize)]) {
        let reading = read(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        assert_eq!(reading.record.to_string(), printed, "{text:?}");
        let faults = reading.faults.iter();
        let faults: Vec<_> = faults.map(|e| (e.fault.code(), e.position.column)).collect();
        assert_eq!(faults, passed_over, "{text:?}");
        assert_eq!(Record::parse(printed.as_bytes()).as_ref(), Ok(&reading.record), "{text:?}");
        assert!(is_ours(text.as_bytes()), "{text:?}");
    }

    fn bad(text: &str, column: usize, code: &str) {
        let error = Record::parse(text.as_bytes()).expect_err(text);
        assert_eq!((error.fault.code(), error.position.column), (code, column), "{text:?}");
    }

    #[test]
    fn records() {
        good("v=DMARC1", "v=DMARC1;", &[]);
        good("v=DMARC1;", "v=DMARC1;", &[]);
        good("v=DMARC1 ; ", "v=DMARC1;", &[]);
        good("v = DMARC1;p=none", "v=DMARC1; p=none;", &[]);
        good("V=DMARC1; P=Reject", "v=DMARC1; p=reject;", &[]);
        good(
            "v=DMARC1;\tp = reject ;sp=none; np =quarantine;",
            "v=DMARC1; p=reject; sp=none; np=quarantine;",
            &[],
        );
        good(
            "v=DMARC1; rua=mailto:a@b.test; p=none",
            "v=DMARC1; p=none; rua=mailto:a@b.test;",
            &[],
        );
        good(
            "v=DMARC1; p=none; t=y; psd=n; adkim=s; aspf=S; fo=d:1; ruf=mailto:a@b.test ,\tmailto:c@d.test!5m",
            "v=DMARC1; p=none; t=y; psd=n; adkim=s; aspf=s; ruf=mailto:a@b.test,mailto:c@d.test; fo=1:d;",
            &[],
        );
        good("v=DMARC1; p=none; t=n; psd=u; adkim=r; aspf=r; fo=0", "v=DMARC1; p=none;", &[]);
    }

    #[test]
    fn what_is_not_understood_is_passed_over() {
        good("v=DMARC1; pct=50; rf=afrf; ri=86400; x=1; x=2; p=none", "v=DMARC1; p=none;", &[]);
        good(
            "v=DMARC1; t=yes; psd=x; adkim=; aspf=rs; fo=0:1; p=none",
            "v=DMARC1; p=none;",
            &[
                ("dmarc-value", 13),
                ("dmarc-value", 22),
                ("dmarc-value", 31),
                ("dmarc-value", 38),
                ("dmarc-value", 45),
            ],
        );
        good(
            "v=DMARC1;; p=none; junk; =1; x1=2; x=\u{e4};;",
            "v=DMARC1; p=none;",
            &[
                ("dmarc-tag-empty", 10),
                ("dmarc-tag-syntax", 20),
                ("dmarc-tag-syntax", 26),
                ("dmarc-tag-syntax", 30),
                ("dmarc-value-character", 38),
                ("dmarc-tag-empty", 40),
            ],
        );
        good(
            "v=DMARC1; rua=a@b.test, mailto:a@b.test,,https://b.test",
            "v=DMARC1; rua=mailto:a@b.test,https://b.test;",
            &[("dmarc-uri", 15), ("dmarc-uri", 41)],
        );
    }

    #[test]
    fn one_bad_policy_takes_the_others_with_it() {
        good("v=DMARC1; p=reject; sp=rejct", "v=DMARC1;", &[("dmarc-value", 24)]);
        good("v=DMARC1; p=; sp=reject", "v=DMARC1;", &[("dmarc-value", 13)]);
        good("v=DMARC1; p=reject; np=\u{e4}; t=y", "v=DMARC1; t=y;", &[("dmarc-value", 24)]);
    }

    #[test]
    fn what_spoils_a_record() {
        bad("", 1, "dmarc-version");
        bad("v=DMARC2; p=none", 1, "dmarc-version");
        bad("v=dmarc1; p=none", 1, "dmarc-version");
        bad("v=DMARC1x; p=none", 1, "dmarc-version");
        bad("v=DMARC1 p=none", 1, "dmarc-version");
        bad(" v=DMARC1; p=none", 1, "dmarc-version");
        bad("p=none; v=DMARC1", 1, "dmarc-version");
        bad("\u{feff}v=DMARC1; p=none", 1, "dmarc-version");
        bad("v=DMARC1; p=none; P=reject", 19, "dmarc-tag-repeated");
        bad("v=DMARC1; p=none; v=DMARC1", 19, "dmarc-tag-repeated");
        bad("v=DMARC1; rua=mailto:a@b.test; rua=mailto:c@d.test", 32, "dmarc-tag-repeated");
        assert_eq!(
            Record::parse(b"v=DMARC1; p=none; v=DMARC1").unwrap_err().to_string(),
            "line 1, column 19: v: expected this tag once, found it again (RFC 6376 §3.2)"
        );
    }
}
