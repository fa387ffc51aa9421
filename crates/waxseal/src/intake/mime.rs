//! The parts of a mail.
//!
//! Header fields are read by `mail-parser`, which knows all the ways to write a file name. The
//! parts are found here and not there, because there a mail in a mail in a mail costs stack for
//! each, without a bound, and a text part is converted, which spoils a gzip that calls itself text.

use mail_parser::{HeaderValue, MessageParser, MimeHeaders};

/// How many octets of a header are read. What is behind belongs to the body.
const MAX_HEADER: usize = 256 * 1024;

/// What the header of a mail or a part says about its body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    /// Type and subtype in lower case; empty if there is none.
    pub(super) media_type: String,
    /// What divides its parts, if it has parts.
    pub(super) boundary: Option<String>,
    /// The parameter `report-type` in lower case; empty if there is none.
    pub(super) report_type: String,
    /// The name of the file.
    pub(super) name: Option<String>,
    /// The transfer encoding; empty if there is none.
    pub(super) encoding: String,
}

impl Part {
    /// Whether whoever sent it calls it a report, or something packed.
    pub(super) fn claims_a_report(&self) -> bool {
        const TYPES: [&str; 14] = [
            "application/gzip",
            "application/x-gzip",
            "application/gzip-compressed",
            "application/zip",
            "application/x-zip",
            "application/x-zip-compressed",
            "application/zip-compressed",
            "application/tlsrpt+gzip",
            "application/tlsrpt+json",
            "application/tlsrpt+zip",
            "application/json",
            "application/xml",
            "text/xml",
            "message/feedback-report",
        ];
        TYPES.contains(&self.media_type.as_str())
            || self.name.as_deref().is_some_and(claims_a_report)
    }
}

/// Whether a file of this name would be a report, or something packed.
pub(super) fn claims_a_report(name: &str) -> bool {
    let name = name.trim().to_ascii_lowercase();
    [".xml", ".json", ".gz", ".gzip", ".zip"].iter().any(|end| name.ends_with(end))
}

/// The header of a mail or a part, read, and its body.
pub(super) fn split(octets: &[u8]) -> (Part, &[u8]) {
    let (header, body) = split_header(octets);
    // mail-parser wants the empty line.
    let mut whole = header[..header.len().min(MAX_HEADER)].to_vec();
    whole.extend_from_slice(b"\r\n\r\n");
    let parser = MessageParser::new().with_mime_headers();
    let Some(message) = parser.parse_headers(&whole) else {
        return (Part::default(), body);
    };
    let mut part = Part { name: message.attachment_name().map(str::to_owned), ..Part::default() };
    if let Some(kind) = message.content_type() {
        part.media_type = match kind.subtype() {
            Some(subtype) => format!("{}/{subtype}", kind.ctype()).to_ascii_lowercase(),
            None => kind.ctype().to_ascii_lowercase(),
        };
        part.boundary = kind.attribute("boundary").map(str::to_owned);
        let report_type = kind.attribute("report-type").unwrap_or_default();
        part.report_type = report_type.to_ascii_lowercase();
    }
    if let Some(HeaderValue::Text(encoding)) = message.header("Content-Transfer-Encoding") {
        part.encoding = encoding.clone().into_owned();
    }
    (part, body)
}

/// RFC 5322 §2.1: the header ends at the first empty line. A line `From ` of an mbox is before it.
fn split_header(octets: &[u8]) -> (&[u8], &[u8]) {
    let mut octets = octets;
    if octets.starts_with(b"From ") || octets.starts_with(b">From ") {
        let end = memchr::memchr(b'\n', octets).map_or(octets.len(), |end| end + 1);
        octets = &octets[end..];
    }
    let mut at = 0;
    while let Some(length) = memchr::memchr(b'\n', &octets[at..]) {
        let line = &octets[at..at + length];
        if line.is_empty() || line == b"\r" {
            return (&octets[..at], &octets[at + length + 1..]);
        }
        at += length + 1;
    }
    (octets, &[])
}

/// RFC 2046 §5.1.1: the parts between lines of two hyphens and the boundary. The last needs no end.
/// What is before the first is for people. At most `limit`, and whether there are more.
pub(super) fn parts<'b>(body: &'b [u8], boundary: &str, limit: usize) -> (Vec<&'b [u8]>, bool) {
    let mut parts = Vec::new();
    let mut begin = None;
    let mut at = 0;
    while at < body.len() {
        let end = memchr::memchr(b'\n', &body[at..]).map_or(body.len(), |length| at + length + 1);
        if let Some(is_last) = divides(&body[at..end], boundary) {
            if let Some(begin) = begin {
                parts.push(without_line_end(&body[begin..at]));
            }
            begin = (!is_last).then_some(end);
            if is_last {
                return (parts, false);
            }
            if parts.len() >= limit {
                return (parts, true);
            }
        }
        at = end;
    }
    parts.extend(begin.map(|begin| &body[begin..]));
    (parts, false)
}

/// Whether a line divides parts, and whether it is the last that does.
fn divides(line: &[u8], boundary: &str) -> Option<bool> {
    let rest = line.strip_prefix(b"--")?.strip_prefix(boundary.as_bytes())?.trim_ascii_end();
    match rest {
        b"" => Some(false),
        b"--" => Some(true),
        _ => None,
    }
}

/// The line end before a boundary belongs to the boundary.
fn without_line_end(part: &[u8]) -> &[u8] {
    let part = part.strip_suffix(b"\n").unwrap_or(part);
    part.strip_suffix(b"\r").unwrap_or(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        let (part, body) = split(
            b"Content-Type: Application/GZIP;\r\n name*0=\"a!example.com\";\r\n name*1=\"!1!2.xml.gz\"\r\n\
              Content-Transfer-Encoding: BASE64\r\n\r\nbody",
        );
        assert_eq!(part.media_type, "application/gzip");
        assert_eq!(part.name.as_deref(), Some("a!example.com!1!2.xml.gz"));
        assert_eq!((part.encoding.as_str(), body), ("BASE64", &b"body"[..]));
        let (part, body) = split(b"From a Sat\nContent-Type: multipart/mixed; boundary=x\n\nb");
        assert_eq!((part.boundary.as_deref(), body), (Some("x"), &b"b"[..]));
        let (part, body) = split(b"\r\nbody");
        assert_eq!((part, body), (Part::default(), &b"body"[..]));
        assert_eq!(split(b"Subject: =?x?Q?=\xFF?=\n").1, b"");
    }

    #[test]
    fn bodies() {
        let body = b"pre\r\n--x\r\none\r\n--xy\r\n--x \r\n\r\ntwo\r\n--x--\r\nafter\r\n--x\r\n";
        let (found, is_more) = parts(body, "x", 9);
        assert_eq!(found, [&b"one\r\n--xy"[..], b"\r\ntwo"]);
        assert!(!is_more);
        assert_eq!(parts(b"--x\nopen", "x", 9), (vec![&b"open"[..]], false));
        assert_eq!(parts(b"none", "x", 9), (vec![], false));
        assert!(parts(&b"--x\na\n".repeat(10), "x", 3).1);
    }
}
