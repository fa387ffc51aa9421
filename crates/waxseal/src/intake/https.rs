//! Reports about TLS by HTTPS POST (RFC 8460 §3, §5.4).
//!
//! TLS is not spoken here: a web server in front does that, and hands on what comes to one path. The
//! path has the domain in it that the reports are about, and a word that only our own DNS record
//! tells. So the word keeps out those who scan the web, and proves nothing about the sender: reports
//! that came this way are graded as not authenticated.
//!
//! ```text
//! POST /tlsrpt/example.com/WORD HTTP/1.1
//! Content-Type: application/tlsrpt+gzip
//! ```

use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::{constant_time, hmac};
use axum::Router;
use axum::body::Body;
use axum::extract::{Path as UrlPath, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::post;
use http_body_util::{BodyExt, Limited};
use smtp_types::DomainName;
use tokio::sync::Semaphore;

use super::Way;
use super::counters::IntakeCount;
use super::desk::{Delivery, Desk, Lack, name_of_post};
use crate::gate::key_file::{self, KeyFileError};

/// How many octets a body may have.
const MAX_BODY: usize = 10 * 1024 * 1024;

/// How many bodies may come at the same time.
const AT_ONCE: usize = 8;

/// The file in the state folder that the words are made from.
const KEY_FILE: &str = "intake.key";

/// How many octets of a tag make the word: 100 bits.
const WORD: usize = 20;

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Knows the word of each domain.
pub struct Words(hmac::Key);

impl Words {
    /// Those of this state folder. Its key is made if there is none.
    ///
    /// # Errors
    /// If the key cannot be read or made.
    pub fn open(state_dir: &Path) -> Result<Self, KeyFileError> {
        let octets = key_file::octets(state_dir, KEY_FILE)?;
        Ok(Self::new(&octets))
    }

    /// Those of this key.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The path for reports about a domain.
    #[must_use]
    pub fn path(&self, domain: &DomainName) -> String {
        format!("/tlsrpt/{domain}/{}", self.word(domain))
    }

    fn word(&self, domain: &DomainName) -> String {
        let tag = hmac::sign(&self.0, format!("tlsrpt {domain}").as_bytes());
        let letters = tag.as_ref().iter().take(WORD);
        letters
            .filter_map(|octet| ALPHABET.get(usize::from(octet % 32)))
            .map(|c| char::from(*c))
            .collect()
    }

    fn is_word(&self, domain: &DomainName, word: &str) -> bool {
        let right = self.word(domain);
        constant_time::verify_slices_are_equal(right.as_bytes(), word.as_bytes()).is_ok()
    }
}

/// What requests are answered with.
struct Posts {
    desk: Arc<Desk>,
    words: Words,
    places: Semaphore,
}

/// `POST /tlsrpt/DOMAIN/WORD`.
pub fn routes(desk: Arc<Desk>, words: Words) -> Router {
    let posts = Posts { desk, words, places: Semaphore::new(AT_ONCE) };
    Router::new().route("/tlsrpt/{domain}/{word}", post(take)).with_state(Arc::new(posts))
}

async fn take(
    State(posts): State<Arc<Posts>>,
    UrlPath((domain, word)): UrlPath<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> StatusCode {
    let status = posts.take(&domain, &word, &headers, body).await;
    if status.is_client_error() {
        posts.desk.counters().add(IntakeCount::HttpRefused, 1);
    }
    status
}

impl Posts {
    async fn take(&self, domain: &str, word: &str, headers: &HeaderMap, body: Body) -> StatusCode {
        let domain = DomainName::parse(domain).ok();
        let Some(domain) = domain.filter(|domain| self.words.is_word(domain, word)) else {
            return StatusCode::NOT_FOUND;
        };
        if !is_report(headers) {
            return StatusCode::UNSUPPORTED_MEDIA_TYPE;
        }
        let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        if length
            .and_then(|length| length.parse().ok())
            .is_some_and(|length: usize| length > MAX_BODY)
        {
            return StatusCode::PAYLOAD_TOO_LARGE;
        }
        let Ok(_place) = self.places.acquire().await else {
            return StatusCode::SERVICE_UNAVAILABLE;
        };
        let octets = match Limited::new(body, MAX_BODY).collect().await {
            Ok(collected) => collected.to_bytes().to_vec(),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                return StatusCode::PAYLOAD_TOO_LARGE;
            }
            Err(_) => return StatusCode::BAD_REQUEST,
        };
        let delivery = Delivery {
            way: Way::Https,
            name: name_of_post(&domain),
            bringer: None,
            about: Some(domain),
            recipients: Vec::new(),
            octets,
        };
        match self.desk.take(delivery).await {
            // RFC 8460 §5.4 wants "typically a 200 or 201".
            Ok(()) => StatusCode::CREATED,
            Err(Lack::Quota) => StatusCode::TOO_MANY_REQUESTS,
            Err(Lack::Busy | Lack::Disk | Lack::Dns) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// RFC 8460 §5.4 has two media types; others are seen, and the octets say what they are. What a
/// browser sends from a page of somebody else is none of them.
fn is_report(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return true };
    let Ok(value) = value.to_str() else { return false };
    let kind = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    const TYPES: [&str; 6] = [
        "application/tlsrpt+gzip",
        "application/tlsrpt+json",
        "application/gzip",
        "application/x-gzip",
        "application/json",
        "application/octet-stream",
    ];
    TYPES.contains(&kind.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_domain_has_its_word() {
        let words = Words::new(&[7; 32]);
        let domain = |name: &str| DomainName::parse(name).unwrap();
        let path = words.path(&domain("us.test"));
        let word = path.strip_prefix("/tlsrpt/us.test/").unwrap();
        assert_eq!(word.len(), WORD);
        assert!(words.is_word(&domain("US.test"), word));
        assert!(!words.is_word(&domain("other.test"), word));
        assert!(!words.is_word(&domain("us.test"), ""));
        assert!(!Words::new(&[8; 32]).is_word(&domain("us.test"), word));
    }

    #[test]
    fn media_types() {
        let is_report = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, value.parse().unwrap());
            super::is_report(&headers)
        };
        assert!(super::is_report(&HeaderMap::new()));
        for value in ["application/tlsrpt+gzip", "Application/TLSRPT+JSON; charset=utf-8"] {
            assert!(is_report(value), "{value}");
        }
        for value in
            ["text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"]
        {
            assert!(!is_report(value), "{value}");
        }
    }
}
