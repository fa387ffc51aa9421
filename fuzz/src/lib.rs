//! Fuzz targets: one for each reader of what others send.
//!
//! A target is a plain function from octets to nothing that panics when something is wrong. It
//! asserts more than "no crash": what was read and printed reads the same again, the linter agrees
//! with the reader, a bound holds. So the same functions serve two drivers:
//!
//! - `cargo xtask test` runs each for a few seconds on the stable compiler (`src/bin/smoke`):
//!   first the committed corpus, then random mutations of it;
//! - `cargo xtask fuzz TARGET SECONDS` runs one with libFuzzer, guided by coverage.
//!
//! To add one: write the function, add it to [`TARGETS`], copy a file in `fuzz_targets/` and its
//! lines in `Cargo.toml`, and put some small inputs into `corpus/NAME/`. An input that once failed
//! belongs there, too.

#![forbid(unsafe_code)]

mod arc;
mod attachment;
mod authres;
mod dane;
mod dkim;
mod dmarc;
mod dmarc_report;
mod intake;
mod milter;
mod mta_sts_texts;
mod names;
mod received;
mod settings;
mod smtp;
mod socketmap;
mod spf;
mod tlsrpt_reports;
mod tlsrpt_texts;

pub use arc::arc_chain;
pub use attachment::attachment_scanner;
pub use authres::authentication_results;
pub use dane::{dane_chain, tlsa_rdata, tlsa_record};
pub use dkim::{dkim_key_record, dkim_message, dkim_signature};
pub use dmarc::{dmarc_author, dmarc_evaluation, dmarc_record, dmarc_report_uri};
pub use dmarc_report::{dmarc_failure_report, dmarc_report_row};
pub use intake::{imap_response, intake_session};
pub use milter::{milter_field, milter_packet, milter_session};
pub use mta_sts_texts::{mta_sts_policy, mta_sts_record, mx_pattern};
pub use names::{domain_name, email_address, next_hop};
pub use received::{received_aggregate, received_failure, received_mail};
pub use settings::{config, overrides};
pub use smtp::{smtp_dialogue, smtp_reply};
pub use socketmap::{netstring, socketmap_reply};
pub use spf::{spf_evaluation, spf_explanation, spf_record};
pub use tlsrpt_reports::{tlsrpt_datagram, tlsrpt_line, tlsrpt_names, tlsrpt_report};
pub use tlsrpt_texts::tlsrpt_record;

/// A target with its name, which is also that of its corpus.
#[derive(Clone, Copy)]
pub struct Target {
    /// The name.
    pub name: &'static str,
    /// Who sends what it reads.
    pub from: &'static str,
    /// Panics when something is wrong.
    pub run: fn(&[u8]),
}

/// All targets.
pub const TARGETS: [Target; 43] = [
    Target { name: "mta_sts_policy", from: "a policy host", run: mta_sts_policy },
    Target { name: "mta_sts_record", from: "the DNS", run: mta_sts_record },
    Target { name: "mx_pattern", from: "a policy host", run: mx_pattern },
    Target { name: "domain_name", from: "anyone", run: domain_name },
    Target { name: "next_hop", from: "a mail server", run: next_hop },
    Target { name: "email_address", from: "the DNS", run: email_address },
    Target { name: "tlsa_record", from: "an operator", run: tlsa_record },
    Target { name: "tlsa_rdata", from: "the DNS", run: tlsa_rdata },
    Target { name: "dane_chain", from: "a mail server and the DNS", run: dane_chain },
    Target { name: "tlsrpt_record", from: "the DNS", run: tlsrpt_record },
    Target { name: "tlsrpt_datagram", from: "a mail server", run: tlsrpt_datagram },
    Target { name: "tlsrpt_report", from: "anyone", run: tlsrpt_report },
    Target { name: "tlsrpt_line", from: "the store", run: tlsrpt_line },
    Target { name: "tlsrpt_names", from: "anyone who sends mail", run: tlsrpt_names },
    Target { name: "smtp_reply", from: "a mail server", run: smtp_reply },
    Target { name: "smtp_dialogue", from: "a mail server", run: smtp_dialogue },
    Target { name: "dmarc_report_row", from: "the store", run: dmarc_report_row },
    Target { name: "received_aggregate", from: "anyone", run: received_aggregate },
    Target { name: "received_failure", from: "anyone", run: received_failure },
    Target { name: "received_mail", from: "anyone", run: received_mail },
    Target { name: "dmarc_failure_report", from: "anyone", run: dmarc_failure_report },
    Target { name: "spf_record", from: "the DNS", run: spf_record },
    Target { name: "spf_explanation", from: "the DNS", run: spf_explanation },
    Target { name: "spf_evaluation", from: "a client and the DNS", run: spf_evaluation },
    Target { name: "dmarc_record", from: "the DNS", run: dmarc_record },
    Target { name: "dmarc_author", from: "the sender of a message", run: dmarc_author },
    Target { name: "dmarc_report_uri", from: "the DNS", run: dmarc_report_uri },
    Target { name: "dmarc_evaluation", from: "the DNS", run: dmarc_evaluation },
    Target { name: "dkim_signature", from: "anyone", run: dkim_signature },
    Target { name: "dkim_key_record", from: "the DNS", run: dkim_key_record },
    Target { name: "dkim_message", from: "anyone", run: dkim_message },
    Target { name: "netstring", from: "a client of the socket", run: netstring },
    Target { name: "socketmap_reply", from: "a policy host", run: socketmap_reply },
    Target {
        name: "authentication_results",
        from: "anyone who sends mail",
        run: authentication_results,
    },
    Target { name: "intake_session", from: "any mail server", run: intake_session },
    Target { name: "imap_response", from: "an IMAP server", run: imap_response },
    Target { name: "milter_packet", from: "a mail server", run: milter_packet },
    Target { name: "milter_session", from: "a mail server", run: milter_session },
    Target { name: "milter_field", from: "the sender of a message", run: milter_field },
    Target { name: "arc_chain", from: "anyone who sends mail", run: arc_chain },
    Target { name: "config", from: "the operator", run: config },
    Target { name: "overrides", from: "the operator", run: overrides },
    Target { name: "attachment_scanner", from: "anyone", run: attachment_scanner },
];

/// What the readers of text get; other octets are no input for them.
fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}

/// What holds for every list of remarks: sorted, with a place, a code, and one line of text.
fn check_findings(findings: &[smtp_types::Finding]) {
    assert!(findings.is_sorted_by_key(|finding| finding.position), "{findings:?}");
    for finding in findings {
        assert!(finding.position.line >= 1 && finding.position.column >= 1, "{finding:?}");
        assert!(!finding.code.is_empty() && !finding.clause.is_empty(), "{finding:?}");
        assert!(!finding.message.contains(char::is_control), "{finding:?}");
    }
}

/// Whether the linter calls the text valid, codes in `except` apart.
fn is_valid(findings: &[smtp_types::Finding], except: &[&str]) -> bool {
    check_findings(findings);
    findings.iter().all(|finding| {
        finding.severity < smtp_types::Severity::Error || except.contains(&finding.code)
    })
}
