//! Bringing a TLS report to a web server (RFC 8460 §5.4), and what its answer means.
//!
//! | answer | then |
//! |---|---|
//! | 2xx | delivered; the standard names 200 and 201 |
//! | 408, 429, 5xx; the network or the DNS fails; no valid certificate | tried again for a day, not before `Retry-After` |
//! | anything else, redirects among them; a private address | tried three times |

use bytes::Bytes;
use hyper::Uri;
use smtp_types::{DomainName, HttpsFailure};
use tlsrpt::Compression;

use super::TlsHttps;
use super::return_path::printable;
use super::submit::NotTaken;
use crate::observe::{HttpsPost, PolicyFetcher, PostAnswer, Recipient};

/// Whether a letter goes to a web server.
pub(super) fn is_https(recipient: &str) -> bool {
    recipient.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("https://"))
}

/// Posts a report, first to a server with a valid certificate only.
pub(super) async fn post(
    fetcher: &PolicyFetcher,
    uri: &str,
    body: Vec<u8>,
    https: TlsHttps,
) -> Result<(), NotTaken> {
    let post = request(uri, body).ok_or_else(|| NotTaken::Letter("no https URI".into()))?;
    let mut answer = fetcher.post(&post, Recipient::Verified).await;
    if https == TlsHttps::AnyCertificate && matches!(answer, Err(HttpsFailure::Certificate(_))) {
        answer = fetcher.post(&post, Recipient::Anyone).await;
    }
    match answer {
        Ok(answer) => judge(answer),
        Err(refused @ HttpsFailure::AddressRefused { .. }) => {
            Err(NotTaken::Doubtful(printable(&refused.to_string())))
        }
        Err(failure) => Err(NotTaken::Later(printable(&failure.to_string()))),
    }
}

fn request(uri: &str, body: Vec<u8>) -> Option<HttpsPost> {
    // A fragment is for whoever shows the page (RFC 3986 §3.5).
    let uri: Uri = uri.split('#').next()?.parse().ok()?;
    let path = uri.path_and_query().map_or("", |path| path.as_str());
    Some(HttpsPost {
        host: DomainName::parse(uri.host()?).ok()?,
        port: uri.port_u16(),
        // RFC 9112 §3.2.1: an empty path is sent as a slash.
        path: if path.starts_with('/') { path.to_owned() } else { format!("/{path}") },
        content_type: Compression::Gzip.media_type(),
        body: Bytes::from(body),
    })
}

fn judge(PostAnswer { status, retry_after }: PostAnswer) -> Result<(), NotTaken> {
    let error = format!("HTTP status {status}");
    match (status, retry_after) {
        (200..=299, _) => Ok(()),
        (408 | 429 | 500..=599, Some(pause)) => Err(NotTaken::After { error, pause }),
        (408 | 429 | 500..=599, None) => Err(NotTaken::Later(error)),
        _ => Err(NotTaken::Doubtful(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn https_or_not() {
        for (recipient, expected) in [
            ("https://a.test/", true),
            ("HTTPS://a.test/", true),
            ("rua@a.test", false),
            ("https@a.test", false),
            ("ü", false),
        ] {
            assert_eq!(is_https(recipient), expected, "{recipient}");
        }
    }

    #[test]
    fn requests() {
        let found = |uri: &str| {
            let post = request(uri, Vec::new())?;
            Some(format!("{} {:?} {}", post.host, post.port, post.path))
        };
        let table = [
            ("https://a.test", "a.test None /"),
            ("https://a.test/x?y=1#z", "a.test None /x?y=1"),
            ("HTTPS://A.test:8443?y", "a.test Some(8443) /?y"),
        ];
        for (uri, expected) in table {
            assert_eq!(found(uri).as_deref(), Some(expected), "{uri}");
        }
        assert_eq!(found("https://"), None);
    }

    #[test]
    fn answers() {
        let pause = Duration::from_secs(60);
        let later = |status: u16| NotTaken::Later(format!("HTTP status {status}"));
        let doubtful = |status: u16| NotTaken::Doubtful(format!("HTTP status {status}"));
        let table = [
            (200, None, Ok(())),
            (201, Some(pause), Ok(())),
            (500, None, Err(later(500))),
            (408, None, Err(later(408))),
            (429, Some(pause), Err(NotTaken::After { error: "HTTP status 429".into(), pause })),
            (302, None, Err(doubtful(302))),
            (404, Some(pause), Err(doubtful(404))),
        ];
        for (status, retry_after, expected) in table {
            assert_eq!(judge(PostAnswer { status, retry_after }), expected, "{status}");
        }
    }
}
