//! Forms of reports, made for the tests: documents, packed documents, mails.

use std::io::{Cursor, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use sender_auth::report::ReceivedRecord;
use smtp_types::UnixTime;
use waxseal::intake::{Event, Limits, Report, read};
use zip::write::{SimpleFileOptions, ZipWriter};

/// The day after the one that the reports are about.
pub(crate) const NOW: UnixTime = UnixTime(1_795_219_260);

/// What came out of an input.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub(crate) records: Vec<ReceivedRecord>,
    pub(crate) reports: Vec<Report>,
    pub(crate) places: Vec<String>,
    pub(crate) faults: Vec<String>,
}

impl Read {
    pub(crate) fn of(octets: &[u8]) -> Self {
        Self::with(octets, &Limits::default())
    }

    pub(crate) fn with(octets: &[u8], limits: &Limits) -> Self {
        let mut found = Self::default();
        read(octets, limits, NOW, &mut |event| match event {
            Event::Record(record) => found.records.push(*record),
            Event::Detail { .. } => {}
            Event::Report(report) => {
                found.places.push(report.place);
                found.reports.push(report.report);
            }
            Event::Fault(fault) => {
                let fault = fault.to_string();
                assert!(!fault.contains(char::is_control), "one line: {fault:?}");
                found.faults.push(fault);
            }
        });
        assert!(!found.reports.is_empty() || !found.faults.is_empty(), "never nothing");
        found
    }

    /// The kinds of the reports.
    pub(crate) fn kinds(&self) -> Vec<&'static str> {
        self.reports.iter().map(Report::kind).collect()
    }

    /// The codes of the quirks of the first report, which is an aggregate report.
    pub(crate) fn quirks(&self) -> Vec<String> {
        match self.reports.first() {
            Some(Report::DmarcAggregate(report)) => {
                report.quirks.iter().map(|quirk| quirk.kind.to_string()).collect()
            }
            other => panic!("an aggregate report, not {other:?}"),
        }
    }
}

/// An aggregate report with so many records.
pub(crate) fn xml(records: usize) -> String {
    let mut xml = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<feedback>\n<version>1.0</version>\n\
         <report_metadata><org_name>Receiver</org_name><email>reports@receiver.example</email>\
         <report_id>1</report_id><date_range><begin>1795132800</begin><end>1795219199</end>\
         </date_range></report_metadata>\n<policy_published><domain>example.com</domain>\
         <p>reject</p></policy_published>\n",
    );
    for index in 0..records {
        xml.push_str(&record(index));
    }
    xml.push_str("</feedback>\n");
    xml
}

fn record(index: usize) -> String {
    let (high, low) = (index / 256 % 256, index % 256);
    format!(
        "<record><row><source_ip>192.0.{high}.{low}</source_ip><count>2</count><policy_evaluated>\
         <disposition>none</disposition><dkim>pass</dkim><spf>fail</spf></policy_evaluated></row>\
         <identifiers><header_from>example.com</header_from></identifiers><auth_results><dkim>\
         <domain>example.com</domain><selector>s{index}</selector><result>pass</result></dkim><spf>\
         <domain>example.net</domain><result>fail</result></spf></auth_results></record>\n"
    )
}

/// A report about TLS.
pub(crate) const TLS: &str = r#"{"organization-name":"Receiver","date-range":{
 "start-datetime":"2026-11-20T00:00:00Z","end-datetime":"2026-11-20T23:59:59Z"},
 "contact-info":"tls@receiver.example","report-id":"1@receiver.example","policies":[{"policy":{
 "policy-type":"sts","policy-domain":"example.com","policy-string":["version: STSv1"],
 "mx-host":["mx.example.com"]},"summary":{"total-successful-session-count":10,
 "total-failure-session-count":3},"failure-details":[{"result-type":"certificate-expired",
 "sending-mta-ip":"192.0.2.1","receiving-mx-hostname":"mx.example.com","failed-session-count":2},
 {"result-type":"starttls-not-supported","failed-session-count":1}]}]}"#;

/// The fields of a failure report.
pub(crate) const FEEDBACK: &str = "Feedback-Type: auth-failure\r\nVersion: 1\r\n\
    Auth-Failure: dmarc\r\nSource-IP: 192.0.2.1\r\nReported-Domain: example.com\r\n";

pub(crate) fn gzip(octets: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(octets).unwrap();
    encoder.finish().unwrap()
}

/// A zip with these entries.
pub(crate) fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    zip_with(entries, SimpleFileOptions::default())
}

pub(crate) fn zip_with(entries: &[(&str, &[u8])], options: SimpleFileOptions) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, octets) in entries {
        writer.start_file(*name, options).unwrap();
        writer.write_all(octets).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// Base64 in lines.
pub(crate) fn base64(octets: &[u8]) -> String {
    let text = STANDARD.encode(octets);
    let lines = text.as_bytes().chunks(76).map(|line| String::from_utf8_lossy(line).into_owned());
    lines.collect::<Vec<_>>().join("\r\n")
}

/// A part with this header and body in base64.
pub(crate) fn part(header: &str, octets: &[u8]) -> String {
    format!("{header}\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n", base64(octets))
}

/// A mail of these parts.
pub(crate) fn mail(parts: &[String]) -> String {
    format!("From: reports@receiver.example\r\nSubject: Report\r\n{}", multipart("mixed", parts))
}

/// The fields and the body of a multipart.
pub(crate) fn multipart(kind: &str, parts: &[String]) -> String {
    let mut text =
        format!("Content-Type: multipart/{kind}; boundary=\"=_b\"\r\n\r\nFor people.\r\n");
    for part in parts {
        text.push_str(&format!("--=_b\r\n{part}\r\n"));
    }
    text + "--=_b--\r\n"
}
