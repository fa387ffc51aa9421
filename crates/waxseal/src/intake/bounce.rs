//! Is a mail the notice that a letter of ours did not arrive (RFC 3464)?
//!
//! Each letter of ours has a return path of its own, so whoever bounces it need not be understood:
//! the address tells which letter it was. What must be told apart is a failure for good from a delay,
//! and both from an automatic answer. Only a delivery status notification that says `Action: failed`
//! counts. All of it is read with bounds; what is not understood is no bounce.

use super::mime;

/// How many parts of a notice are looked at.
const MAX_PARTS: usize = 10;

/// How many octets of its machine-readable part are read.
const MAX_STATUS: usize = 64 * 1024;

/// What a notice about a letter says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// The letter did not arrive, and will not.
    Failed {
        /// Why, in the words of whoever says so: one line, unchecked.
        reason: String,
    },
    /// It is late, or has arrived, or went on to where nobody tells.
    Other,
}

/// Reads a mail. `None` if it is no delivery status notification.
#[must_use]
pub(super) fn read(octets: &[u8]) -> Option<Notice> {
    let (part, body) = mime::split(octets);
    let is_notice = part.media_type == "multipart/report" && part.report_type == "delivery-status";
    let boundary = part.boundary.filter(|_| is_notice)?;
    let (parts, _) = mime::parts(body, &boundary, MAX_PARTS);
    let status = parts.into_iter().find_map(|part| {
        let (part, body) = mime::split(part);
        let is_status = matches!(
            part.media_type.as_str(),
            "message/delivery-status" | "message/global-delivery-status"
        );
        is_status.then_some(body)
    })?;
    Some(of_status(status.get(..MAX_STATUS).unwrap_or(status)))
}

/// RFC 3464 §2.1: a group of fields about the message, and one for each recipient.
fn of_status(octets: &[u8]) -> Notice {
    let text = String::from_utf8_lossy(octets).replace("\r\n", "\n");
    for group in text.split("\n\n") {
        let fields = unfolded(group);
        let value = |name: &str| {
            let found = fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.as_str())
        };
        // §2.3.3: "failed" is for good; §2.3.4: and so is a status of class 5.
        let is_failed = value("Action").is_some_and(|word| word.eq_ignore_ascii_case("failed"));
        if is_failed {
            let said = value("Diagnostic-Code").map(|code| match code.split_once(';') {
                Some((_, said)) => said.trim(),
                None => code,
            });
            let reason = said.or_else(|| value("Status")).unwrap_or_default();
            return Notice::Failed { reason: reason.to_owned() };
        }
    }
    Notice::Other
}

/// The fields of a group, each in one line.
fn unfolded(group: &str) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in group.lines() {
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = fields.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            fields.push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(status: &str) -> Vec<u8> {
        format!(
            "From: MAILER-DAEMON@mx.test\r\nContent-Type: multipart/report;\r\n \
             report-type=delivery-status; boundary=\"b\"\r\n\r\n--b\r\n\r\nSorry.\r\n--b\r\n\
             Content-Type: message/delivery-status\r\n\r\n{status}\r\n--b--\r\n"
        )
        .into_bytes()
    }

    #[test]
    fn notices() {
        let failed = |reason: &str| Some(Notice::Failed { reason: reason.to_owned() });
        let table = [
            (
                "Reporting-MTA: dns; mx.test\r\n\r\nFinal-Recipient: rfc822; a@b.test\r\n\
                 Action: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1\r\n no such user\r\n",
                failed("550 5.1.1 no such user"),
            ),
            ("X: y\n\naction: Failed\nStatus: 5.0.0\n", failed("5.0.0")),
            ("X: y\r\n\r\nAction: failed\r\n", failed("")),
            ("X: y\r\n\r\nAction: delayed\r\nStatus: 4.4.1\r\n", Some(Notice::Other)),
            ("X: y\r\n\r\nAction: relayed\r\n", Some(Notice::Other)),
            ("", Some(Notice::Other)),
            (
                "X: y\r\n\r\nAction: delayed\r\n\r\nAction: failed\r\nStatus: 5.2.2\r\n",
                failed("5.2.2"),
            ),
        ];
        for (status, expected) in table {
            assert_eq!(read(&notice(status)), expected, "{status}");
        }
    }

    #[test]
    fn what_is_no_notice() {
        for mail in [
            &b""[..],
            b"Subject: Out of office\r\n\r\nI am away.\r\n",
            b"Content-Type: multipart/report; report-type=tlsrpt; boundary=b\r\n\r\n--b\r\n--b--\r\n",
            b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\nx\r\n",
            b"Content-Type: multipart/report; report-type=delivery-status\r\n\r\n--b\r\n",
        ] {
            assert_eq!(read(mail), None, "{}", mail.escape_ascii());
        }
    }
}
