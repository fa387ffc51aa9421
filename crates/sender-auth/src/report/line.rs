//! Rows and policies as one line of text each, so that any store can keep them.
//!
//! A store that counts needs a key that is equal exactly when two rows are equal. That is what
//! [`Row::to_line`] gives: one line, fields apart by one space, the same for the same row always.
//! [`Row::from_line`] reads it back, and reads nothing else: what it accepts prints as itself. So
//! rows can be counted by any key-value store, without a serialization library in this crate.
//!
//! ```text
//! r1 exact 192.0.2.1 example.com example.com - none pass fail - example.com/s1/pass example.com/fail
//! p1 example.com reject - - r s treewalk 1:d n
//! ```
//!
//! A row: how coarse it is, address, From domain, return path, recipient, disposition, DKIM, SPF, reasons,
//! signatures, SPF result. A policy: domain, `p`, `sp`, `np`, `adkim`, `aspf`, discovery, `fo`,
//! `t`. `-` stands for nothing, lists are separated by commas, and their parts by slashes. In free
//! text and in names of the DNS, everything but letters, digits, `.`, `-` and `_` is written `%XX`.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use smtp_types::{DnsName, DomainName};

use super::aggregate::{
    AuthResults, DkimAuth, EnvelopeTo, Identifiers, MAX_SIGNATURES, PolicyEvaluated,
    PolicyPublished, Reason, Reasons, Row, Signatures, SpfAuth,
};
use super::{
    AlignmentMode, Coarseness, Discovery, Disposition, DkimResult, DmarcResult, FailureOption,
    Policy, ReasonType, Remark, SpfResult, Testing,
};

/// The first word of a row; another form would begin with another.
const ROW: &str = "r1";

/// The first word of a policy.
const POLICY: &str = "p1";

impl Row {
    /// The row as one line of printable ASCII without a line end. Equal rows give equal lines.
    #[must_use]
    pub fn to_line(&self) -> String {
        let Self { coarseness, source_ip, evaluated, identifiers, auth_results } = self;
        let to = match &identifiers.envelope_to {
            EnvelopeTo::Withheld => None,
            EnvelopeTo::Domain(domain) => Some(domain),
        };
        let reasons = evaluated
            .reasons
            .iter()
            .map(|reason| joined(&[reason.kind.as_str()], reason.comment.as_ref()));
        let signatures = auth_results.dkim.as_slice().iter().map(|auth| {
            let (domain, selector) =
                (encoded(auth.domain.as_str()), encoded(auth.selector.as_str()));
            joined(&[&domain, &selector, auth.result.as_str()], auth.human_result.as_ref())
        });
        let spf = auth_results.spf.iter().map(|auth| {
            let domain = encoded(auth.domain.as_str());
            joined(&[&domain, auth.result.as_str()], auth.human_result.as_ref())
        });
        format!(
            "{ROW} {coarseness} {source_ip} {} {} {} {} {} {} {} {} {}",
            identifiers.header_from,
            or_dash(identifiers.envelope_from.as_ref()),
            or_dash(to),
            evaluated.disposition,
            evaluated.dkim,
            evaluated.spf,
            list(reasons),
            list(signatures),
            list(spf),
        )
    }

    /// Reads what [`to_line`](Self::to_line) has written, and nothing else.
    ///
    /// # Errors
    /// The first field that is not as it must be.
    pub fn from_line(line: &str) -> Result<Self, LineError> {
        let mut fields = Fields::of(line, ROW)?;
        let coarseness = fields.read("coarseness", Coarseness::parse)?;
        let source_ip = fields.read("source address", address)?;
        let header_from = fields.read("header from", domain)?;
        let envelope_from = fields.read("envelope from", |text| maybe(text, domain))?;
        let envelope_to = fields.read("envelope to", |text| maybe(text, domain))?;
        let disposition = fields.read("disposition", Disposition::parse)?;
        let dkim = fields.read("dkim", DmarcResult::parse)?;
        let spf = fields.read("spf", DmarcResult::parse)?;
        let reasons = fields.read("reasons", |text| all(text, reason))?;
        let signatures = fields.read("signatures", |text| all(text, dkim_auth))?;
        let spf_auth = fields.read("spf result", |text| maybe(text, spf_auth))?;
        fields.end()?;
        if signatures.len() > MAX_SIGNATURES {
            return Err(LineError { field: "signatures" });
        }
        let row = Self {
            coarseness,
            source_ip,
            evaluated: PolicyEvaluated { disposition, dkim, spf, reasons: Reasons::new(reasons) },
            identifiers: Identifiers {
                header_from,
                envelope_from,
                envelope_to: envelope_to.map_or(EnvelopeTo::Withheld, EnvelopeTo::Domain),
            },
            auth_results: AuthResults { dkim: Signatures(signatures), spf: spf_auth },
        };
        only_form(row.to_line() == line, row)
    }
}

impl PolicyPublished {
    /// The policy as one line of printable ASCII without a line end.
    #[must_use]
    pub fn to_line(&self) -> String {
        let fo: Vec<&str> = self.fo.iter().map(|option| option.as_str()).collect();
        format!(
            "{POLICY} {} {} {} {} {} {} {} {} {}",
            self.domain,
            self.p,
            or_dash(self.sp),
            or_dash(self.np),
            self.adkim,
            self.aspf,
            self.discovery,
            if fo.is_empty() { "-".into() } else { fo.join(":") },
            self.testing,
        )
    }

    /// Reads what [`to_line`](Self::to_line) has written, and nothing else.
    ///
    /// # Errors
    /// The first field that is not as it must be.
    pub fn from_line(line: &str) -> Result<Self, LineError> {
        let mut fields = Fields::of(line, POLICY)?;
        let policy = Self {
            domain: fields.read("domain", domain)?,
            p: fields.read("p", Policy::parse)?,
            sp: fields.read("sp", |text| maybe(text, Policy::parse))?,
            np: fields.read("np", |text| maybe(text, Policy::parse))?,
            adkim: fields.read("adkim", AlignmentMode::parse)?,
            aspf: fields.read("aspf", AlignmentMode::parse)?,
            discovery: fields.read("discovery", Discovery::parse)?,
            fo: fields.read("fo", failure_options)?,
            testing: fields.read("t", Testing::parse)?,
        };
        fields.end()?;
        only_form(policy.to_line() == line, policy)
    }
}

/// A value counts only if it prints as what was read.
fn only_form<T>(same: bool, value: T) -> Result<T, LineError> {
    if same { Ok(value) } else { Err(LineError { field: "order" }) }
}

/// Why a line is none of ours: which field is not as [`Row::to_line`] or
/// [`PolicyPublished::to_line`] writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineError {
    /// The name of the field; `order` if all can be read, and would be printed in another way.
    pub field: &'static str,
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected what was written for a report, found something else", self.field)
    }
}

impl core::error::Error for LineError {}

/// The fields of a line, one after the other.
struct Fields<'l>(core::str::Split<'l, char>);

impl<'l> Fields<'l> {
    fn of(line: &'l str, first: &str) -> Result<Self, LineError> {
        let mut fields = Self(line.split(' '));
        fields.read("form", |word| (word == first).then_some(()))?;
        Ok(fields)
    }

    fn read<T>(
        &mut self,
        field: &'static str,
        parse: impl FnOnce(&'l str) -> Option<T>,
    ) -> Result<T, LineError> {
        self.0.next().and_then(parse).ok_or(LineError { field })
    }

    fn end(mut self) -> Result<(), LineError> {
        self.0.next().map_or(Ok(()), |_| Err(LineError { field: "end" }))
    }
}

fn address(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

fn domain(text: &str) -> Option<DomainName> {
    DomainName::parse(text).ok()
}

fn dns_name(text: &str) -> Option<DnsName> {
    DnsName::parse(&decoded(text)?).ok()
}

/// `Some(None)` for a dash.
fn maybe<'l, T>(text: &'l str, parse: impl FnOnce(&'l str) -> Option<T>) -> Option<Option<T>> {
    if text == "-" { Some(None) } else { parse(text).map(Some) }
}

fn all<'l, T>(text: &'l str, parse: impl Fn(&'l str) -> Option<T>) -> Option<Vec<T>> {
    if text == "-" { Some(Vec::new()) } else { text.split(',').map(parse).collect() }
}

fn reason(text: &str) -> Option<Reason> {
    let mut parts = text.split('/');
    let kind = ReasonType::parse(parts.next()?)?;
    Some(Reason { kind, comment: last_remark(parts)? })
}

fn dkim_auth(text: &str) -> Option<DkimAuth> {
    let mut parts = text.split('/');
    Some(DkimAuth {
        domain: dns_name(parts.next()?)?,
        selector: dns_name(parts.next()?)?,
        result: DkimResult::parse(parts.next()?)?,
        human_result: last_remark(parts)?,
    })
}

fn spf_auth(text: &str) -> Option<SpfAuth> {
    let mut parts = text.split('/');
    Some(SpfAuth {
        domain: dns_name(parts.next()?)?,
        result: SpfResult::parse(parts.next()?)?,
        human_result: last_remark(parts)?,
    })
}

/// A remark, if there is one, and nothing behind it.
fn last_remark<'l>(mut parts: impl Iterator<Item = &'l str>) -> Option<Option<Remark>> {
    let remark = match parts.next() {
        None => None,
        Some(part) => Some(Remark::parse(&decoded(part)?).ok()?),
    };
    parts.next().is_none().then_some(remark)
}

fn failure_options(text: &str) -> Option<BTreeSet<FailureOption>> {
    if text == "-" {
        return Some(BTreeSet::new());
    }
    text.split(':').map(FailureOption::parse).collect()
}

fn or_dash<T: fmt::Display>(value: Option<T>) -> String {
    value.map_or_else(|| "-".into(), |value| value.to_string())
}

fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    if items.is_empty() { "-".into() } else { items.join(",") }
}

fn joined(words: &[&str], remark: Option<&Remark>) -> String {
    let mut text = words.join("/");
    if let Some(remark) = remark {
        text.push('/');
        text.push_str(&encoded(remark.as_str()));
    }
    text
}

fn encoded(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-' | b'_') {
            line.push(char::from(octet));
        } else {
            line.push_str(&format!("%{octet:02X}"));
        }
    }
    line
}

fn decoded(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        let octet = match octet {
            b'%' => hex(rest.next()?)? * 16 + hex(rest.next()?)?,
            octet => octet,
        };
        octets.push(octet);
    }
    String::from_utf8(octets).ok()
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(line: &str) {
        assert_eq!(Row::from_line(line).unwrap().to_line(), line);
    }

    fn bad(line: &str, field: &'static str) {
        assert_eq!(Row::from_line(line), Err(LineError { field }), "{line:?}");
    }

    #[test]
    fn rows() {
        good("r1 exact 192.0.2.1 example.com - - none fail fail - - -");
        good("r1 network 2001:db8::1 a.test b.test c.test reject pass fail other - b.test/fail");
        good("r1 exact 192.0.2.1 a.test - - none fail fail local_policy/a%20%C3%A4,other - -");
        good("r1 exact 192.0.2.1 a.test - - none fail fail - a.test/s1/pass,b.test/a%2Fb/fail/x -");
        good("r1 exact 192.0.2.1 a.test - - none fail fail - - a%20b.test/softfail/text");

        bad("", "form");
        bad("r2 exact 192.0.2.1 example.com - - none fail fail - - -", "form");
        bad("r1 exact 192.0.2 example.com - - none fail fail - - -", "source address");
        bad("r1 exact ::ffff:192.0.2.1 example.com - - none fail fail - - -", "order");
        bad("r1 exact 192.0.2.1 example.com - - none fail fail - - - -", "end");
        bad("r1 fine 192.0.2.1 example.com - - none fail fail - - -", "coarseness");
        bad("r1 exact 192.0.2.1 - - - none fail fail - - -", "header from");
        bad("r1 exact 192.0.2.1 example.com - - none fail fail - -", "spf result");
        bad("r1 exact 192.0.2.1 Example.com - - none fail fail - - -", "order");
        bad("r1 exact 192.0.2.1 a.test - - none fail fail other,local_policy - -", "order");
        bad("r1 exact 192.0.2.1 a.test - - none fail fail - a.test/s/pass/%2f -", "signatures");
        bad("r1 exact 192.0.2.1 a.test - - none fail fail - a.test/s/pass/%2E -", "order");
        bad("r1 exact 192.0.2.1 a.test - - none fail fail - a.test/s/pass/x/y -", "signatures");
        bad(
            "r1 exact 192.0.2.1 a.test - - none fail fail - a.test/s/pass/a%40b.test -",
            "signatures",
        );
        bad("r1 exact  192.0.2.1 a.test - - none fail fail - - -", "source address");
        let many = alloc::vec!["a.test/s/pass"; 101].join(",");
        bad(&format!("r1 exact 192.0.2.1 a.test - - none fail fail - {many} -"), "signatures");
    }

    #[test]
    fn policies() {
        for line in [
            "p1 example.com reject - - r r treewalk - n",
            "p1 example.com none quarantine reject s r psl 0:1:d:s y",
        ] {
            assert_eq!(PolicyPublished::from_line(line).unwrap().to_line(), line);
        }
        for (line, field) in [
            ("p1 example.com reject - - r r treewalk d:1 n", "order"),
            ("p1 example.com reject - - r r treewalk - n -", "end"),
            ("p1 example.com Reject - - r r treewalk - n", "p"),
            ("p1 example.com reject - - r r treewalk x n", "fo"),
        ] {
            assert_eq!(PolicyPublished::from_line(line), Err(LineError { field }), "{line:?}");
        }
    }
}
