//! The `[https]` section: what the policy host says to `GET /.well-known/mta-sts.txt`.
//!
//! The first line is a status and a media type, or the word for what stands between. The lines
//! after it are the body, each behind a bar, so that no body can be taken for a comment or a
//! section. After `certificate-name` or `certificate-untrusted` the body is what the false host
//! would serve to a client that does not look at certificates.

use super::{CaseError, Line};

/// What a policy host does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpsAnswer {
    /// What keeps an honest client from the answer; `None` when nothing does.
    pub obstacle: Option<Obstacle>,
    /// The HTTP status.
    pub status: u16,
    /// The value of `Content-Type`.
    pub media_type: String,
    /// The body, its lines ended by CR LF as RFC 8461 §3.2 wants it.
    pub body: String,
}

/// What keeps an honest client from the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Obstacle {
    /// No connection can be made.
    Unreachable,
    /// The certificate is of a trusted authority, but for another name.
    CertificateName,
    /// The certificate is for the right name, but of no trusted authority.
    CertificateUntrusted,
}

pub(super) fn parse(lines: &[Line]) -> Result<HttpsAnswer, CaseError> {
    let Some((first, rest)) = lines.split_first() else {
        return Err(CaseError {
            line: 0,
            found: "an empty section".to_owned(),
            expected: "a first line in [https]".to_owned(),
        });
    };
    let obstacle = match first.text.as_str() {
        "unreachable" => Some(Obstacle::Unreachable),
        "certificate-name" => Some(Obstacle::CertificateName),
        "certificate-untrusted" => Some(Obstacle::CertificateUntrusted),
        _ => None,
    };
    let (status, media_type) = match obstacle {
        Some(_) => (200, "text/plain"),
        None => status_line(first)?,
    };
    let mut body = String::new();
    for line in rest {
        let Some(text) = line.text.strip_prefix('|') else {
            return Err(line.error("a line of the body behind \"| \""));
        };
        body.push_str(text.strip_prefix(' ').unwrap_or(text));
        body.push_str("\r\n");
    }
    Ok(HttpsAnswer { obstacle, status, media_type: media_type.to_owned(), body })
}

fn status_line(line: &Line) -> Result<(u16, &str), CaseError> {
    let parts = line.text.split_once(' ');
    parts
        .and_then(|(status, media_type)| Some((status.parse().ok()?, media_type.trim())))
        .ok_or_else(|| {
            line.error(
                "a status and a media type (\"200 text/plain\"), unreachable, certificate-name or \
                 certificate-untrusted",
            )
        })
}
