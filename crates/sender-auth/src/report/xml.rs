//! Writing an aggregate report as XML.
//!
//! The writer is by hand: 12 element types, one direction, no attributes but the namespace. The
//! XML libraries that are well kept need `std`, and what they would do here is escape five
//! characters. Reading others' reports is another matter, and needs one of them.
//!
//! What comes out is the same for the same report always, octet for octet. Elements stand in the
//! order of the schema, and no character gets out that XML 1.0 does not have, whatever the names
//! and texts of a message were.
//!
//! RFC 9990 has a namespace of its own. RFC 7489 has a schema with a namespace, too, but no known
//! generator writes it and no known reader wants it, so there is none in that form here.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use smtp_types::DnsName;

use super::aggregate::{
    AuthResults, DkimAuth, EnvelopeTo, Metadata, PolicyPublished, Reason, Record, Report, SpfAuth,
};
use super::text::is_xml;
use super::{Disposition, ReasonType, Remark, SpfResult, Testing};

/// `urn:ietf:params:xml:ns:dmarc-2.0` (RFC 9990 §6.1).
const NAMESPACE: &str = "urn:ietf:params:xml:ns:dmarc-2.0";

/// Which form a report has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Schema {
    /// RFC 9990 Appendix A. The default.
    #[default]
    Rfc9990,
    /// RFC 7489 Appendix C, for readers that know no other. It has no `np`, `testing`,
    /// `discovery_method` and `generator`; a disposition `pass` becomes `none`, and a reason
    /// `policy_test_mode` becomes `other` with that comment.
    Rfc7489,
}

/// The report as an XML document in UTF-8 with LF line ends.
#[must_use]
pub fn write_xml(report: &Report, schema: Schema) -> String {
    let mut xml = Writer { text: String::new(), depth: 0, schema };
    xml.text.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let root = match schema {
        Schema::Rfc9990 => "feedback xmlns=\"".to_string() + NAMESPACE + "\"",
        Schema::Rfc7489 => "feedback".to_string(),
    };
    xml.parent(&root, |xml| {
        xml.leaf("version", "1.0");
        xml.parent("report_metadata", |xml| metadata(xml, report));
        xml.parent("policy_published", |xml| policy_published(xml, &report.policy));
        for one in &report.records {
            xml.parent("record", |xml| record(xml, one));
        }
    });
    xml.text
}

/// RFC 9990 §3.1.1.3. There may be one error only; several are joined. RFC 7489 has any number.
fn metadata(xml: &mut Writer, report: &Report) {
    let Metadata { org_name, email, extra_contact_info, report_id, errors, generator } =
        &report.metadata;
    xml.leaf("org_name", org_name);
    xml.leaf("email", email);
    xml.optional("extra_contact_info", extra_contact_info.as_ref());
    xml.leaf("report_id", report_id);
    xml.parent("date_range", |xml| {
        xml.leaf("begin", report.day.begin().0);
        xml.leaf("end", report.day.end().0);
    });
    match xml.schema {
        Schema::Rfc9990 => {
            let errors: Vec<&str> = errors.iter().map(Remark::as_str).collect();
            xml.optional("error", (!errors.is_empty()).then(|| errors.join("; ")));
            xml.optional("generator", generator.as_ref());
        }
        Schema::Rfc7489 => errors.iter().for_each(|error| xml.leaf("error", error)),
    }
}

/// RFC 9990 §3.1.1.5.
fn policy_published(xml: &mut Writer, policy: &PolicyPublished) {
    let PolicyPublished { domain, p, sp, np, adkim, aspf, discovery, fo, testing } = policy;
    let fo: Vec<&str> = fo.iter().map(|option| option.as_str()).collect();
    let fo = (!fo.is_empty()).then(|| fo.join(":"));
    xml.leaf("domain", domain);
    match xml.schema {
        Schema::Rfc9990 => {
            xml.leaf("p", p);
            xml.optional("sp", *sp);
            xml.optional("np", *np);
            xml.leaf("adkim", adkim);
            xml.leaf("aspf", aspf);
            xml.leaf("discovery_method", discovery);
            xml.optional("fo", fo);
            xml.leaf("testing", testing);
        }
        Schema::Rfc7489 => {
            // All but the modes must be there. There is no `pct` any more; 0 says what `t=y` says:
            // the next milder policy is applied.
            xml.leaf("adkim", adkim);
            xml.leaf("aspf", aspf);
            xml.leaf("p", p);
            xml.leaf("sp", sp.unwrap_or(*p));
            xml.leaf("pct", if *testing == Testing::Yes { "0" } else { "100" });
            xml.leaf("fo", fo.as_deref().unwrap_or("0"));
        }
    }
}

/// RFC 9990 §3.1.1.7.
fn record(xml: &mut Writer, record: &Record) {
    let row = &record.row;
    xml.parent("row", |xml| {
        xml.leaf("source_ip", row.source_ip());
        xml.leaf("count", record.count);
        xml.parent("policy_evaluated", |xml| {
            let disposition = match (xml.schema, row.evaluated.disposition) {
                (Schema::Rfc7489, Disposition::Pass) => Disposition::None,
                (_, disposition) => disposition,
            };
            xml.leaf("disposition", disposition);
            xml.leaf("dkim", row.evaluated.dkim);
            xml.leaf("spf", row.evaluated.spf);
            row.evaluated
                .reasons
                .iter()
                .for_each(|one| xml.parent("reason", |xml| reason(xml, one)));
        });
    });
    xml.parent("identifiers", |xml| {
        let identifiers = &row.identifiers;
        let to = match &identifiers.envelope_to {
            EnvelopeTo::Withheld => None,
            EnvelopeTo::Domain(domain) => Some(domain),
        };
        // Empty for a null return path (RFC 9990 §3.1.1.10); RFC 7489 cannot do without.
        let from = identifiers.envelope_from.as_ref().map_or("", |domain| domain.as_str());
        xml.leaf("header_from", &identifiers.header_from);
        xml.leaf("envelope_from", from);
        xml.optional("envelope_to", to);
    });
    xml.parent("auth_results", |xml| auth_results(xml, record));
}

/// RFC 9990 §3.1.1.14.
fn reason(xml: &mut Writer, reason: &Reason) {
    match (xml.schema, reason.kind) {
        (Schema::Rfc7489, ReasonType::PolicyTestMode) => {
            xml.leaf("type", ReasonType::Other);
            xml.leaf("comment", ReasonType::PolicyTestMode);
        }
        (_, kind) => {
            xml.leaf("type", kind);
            xml.optional("comment", reason.comment.as_ref());
        }
    }
}

/// RFC 9990 §3.1.1.11 to §3.1.1.13.
fn auth_results(xml: &mut Writer, record: &Record) {
    let AuthResults { dkim, spf } = &record.row.auth_results;
    for DkimAuth { domain, selector, result, human_result } in dkim.as_slice() {
        xml.parent("dkim", |xml| {
            xml.leaf("domain", told(domain));
            xml.leaf("selector", told(selector));
            xml.leaf("result", result);
            xml.optional("human_result", human_result.as_ref());
        });
    }
    match (xml.schema, spf) {
        (Schema::Rfc9990, None) => {}
        (Schema::Rfc9990, Some(SpfAuth { domain, result, human_result })) => {
            xml.parent("spf", |xml| {
                xml.leaf("domain", told(domain));
                xml.leaf("scope", "mfrom");
                xml.leaf("result", result);
                xml.optional("human_result", human_result.as_ref());
            });
        }
        // "There will always be at least one SPF result", without text for people.
        (Schema::Rfc7489, spf) => xml.parent("spf", |xml| {
            let from = || record.row.identifiers.header_from.to_string();
            xml.leaf("domain", spf.as_ref().map_or_else(from, |auth| told(&auth.domain)));
            xml.leaf("scope", "mfrom");
            xml.leaf("result", spf.as_ref().map_or(SpfResult::None, |auth| auth.result));
        }),
    }
}

/// A name that whoever sends has chosen. The DNS allows an `@` in it, a report does not: it could
/// be an address, and no key and no SPF record stands there.
fn told(name: &DnsName) -> String {
    name.as_str().replace('@', "?")
}

/// An XML document that grows.
struct Writer {
    text: String,
    depth: usize,
    schema: Schema,
}

impl Writer {
    /// An element with others in it. `tag` is its name, and for the root its namespace.
    fn parent(&mut self, tag: &str, content: impl FnOnce(&mut Self)) {
        let name = tag.split(' ').next().unwrap_or_default();
        self.indent();
        self.text.extend(["<", tag, ">\n"]);
        self.depth += 1;
        content(self);
        self.depth -= 1;
        self.indent();
        self.text.extend(["</", name, ">\n"]);
    }

    /// An element with text in it.
    fn leaf(&mut self, name: &str, value: impl fmt::Display) {
        self.indent();
        self.text.extend(["<", name, ">"]);
        escape(&value.to_string(), &mut self.text);
        self.text.extend(["</", name, ">\n"]);
    }

    fn optional(&mut self, name: &str, value: Option<impl fmt::Display>) {
        if let Some(value) = value {
            self.leaf(name, value);
        }
    }

    fn indent(&mut self) {
        self.text.extend(core::iter::repeat_n("  ", self.depth));
    }
}

/// Text as element content. What XML cannot hold becomes U+FFFD; a CR is written as a reference,
/// because a reader would make it an LF.
fn escape(value: &str, text: &mut String) {
    for c in value.chars() {
        match c {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' => text.push_str("&quot;"),
            '\'' => text.push_str("&apos;"),
            '\r' => text.push_str("&#13;"),
            c if is_xml(c) => text.push(c),
            _ => text.push(char::REPLACEMENT_CHARACTER),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        for (value, expected) in [
            ("a<b>&\"'c", "a&lt;b&gt;&amp;&quot;&apos;c"),
            ("]]>", "]]&gt;"),
            (
                "\u{0}\u{8}\u{B}\u{1F}\u{FFFE}\u{FFFF}",
                "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}",
            ),
            ("\t\n\r\u{7F}\u{85}ä😀", "\t\n&#13;\u{7F}\u{85}ä😀"),
        ] {
            let mut text = String::new();
            escape(value, &mut text);
            assert_eq!(text, expected, "{value:?}");
        }
    }
}
