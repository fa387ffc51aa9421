//! One POST to the web server of a stranger who asks for reports (RFC 8460 §5.4).
//!
//! All that is said of a GET to a policy host holds here, too: the address is checked, and the very
//! address that was checked is connected to; there are no redirects, no cookies, no proxies; octets
//! and time are bounded. Of the response only the status counts, so nothing of its body is read.

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::client::conn::http1::Builder;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderMap, RETRY_AFTER, USER_AGENT};
use hyper_util::rt::TokioIo;
use smtp_types::{DomainName, HttpsFailure};
use tokio::io::{AsyncRead, AsyncWrite};

use super::connect::connect;
use super::http_get::{AGENT, MAX_FIELDS, MAX_HEAD, protocol};
use super::https::{FetchSettings, PolicyFetcher};

/// What is posted, and where.
#[derive(Clone, Debug)]
pub struct HttpsPost {
    /// The host.
    pub host: DomainName,
    /// Its port, if it is not [`FetchSettings::port`].
    pub port: Option<u16>,
    /// Path and query, from the first slash on.
    pub path: String,
    /// The media type of the body.
    pub content_type: &'static str,
    /// The body.
    pub body: Bytes,
}

/// Whom the body is given to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// A server with a valid certificate for the name.
    Verified,
    /// Any server at an address of the name.
    Anyone,
}

/// What the server says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PostAnswer {
    /// The status code.
    pub status: u16,
    /// How long it wants to be left alone: `Retry-After` in seconds. A date there counts as nothing.
    pub retry_after: Option<Duration>,
}

impl PolicyFetcher {
    /// Posts, whatever status comes back. Takes at most [`FetchSettings::timeout`].
    ///
    /// # Errors
    /// [`HttpsFailure`], as a GET.
    pub async fn post(
        &self,
        post: &HttpsPost,
        recipient: Recipient,
    ) -> Result<PostAnswer, HttpsFailure> {
        match tokio::time::timeout(self.settings.timeout, self.post_untimed(post, recipient)).await
        {
            Ok(answer) => answer,
            Err(_) => Err(HttpsFailure::Timeout { seconds: self.settings.timeout.as_secs() }),
        }
    }

    async fn post_untimed(
        &self,
        post: &HttpsPost,
        recipient: Recipient,
    ) -> Result<PostAnswer, HttpsFailure> {
        let addresses = self.addresses(&post.host).await?;
        let port = post.port.unwrap_or(self.settings.port);
        let settings = FetchSettings { port, ..self.settings.clone() };
        let tls = match recipient {
            Recipient::Verified => &self.tls,
            Recipient::Anyone => &self.tls_with_anyone,
        };
        let stream = connect(tls, &post.host, &addresses, &settings).await?;
        http_post(stream, post, port).await
    }
}

async fn http_post(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    post: &HttpsPost,
    port: u16,
) -> Result<PostAnswer, HttpsFailure> {
    let (mut sender, connection) = Builder::new()
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_FIELDS)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| protocol(&error))?;
    let connection = async {
        let _ = connection.await;
        std::future::pending::<Infallible>().await
    };
    let host = match port {
        443 => post.host.to_string(),
        port => format!("{}:{port}", post.host),
    };
    let request = Request::post(&post.path)
        .header(HOST, host)
        .header(USER_AGENT, AGENT)
        .header(CONNECTION, "close")
        .header(CONTENT_TYPE, post.content_type)
        .body(Full::new(post.body.clone()))
        .map_err(|error| HttpsFailure::Protocol {
            detail: format!("request for {}{}: {error}", post.host, post.path),
        })?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(|error| protocol(&error))?;
        let retry_after = retry_after(response.headers());
        Ok(PostAnswer { status: response.status().as_u16(), retry_after })
    };
    tokio::select! {
        answer = exchange => answer,
        never = pin!(connection) => match never {},
    }
}

fn retry_after(fields: &HeaderMap) -> Option<Duration> {
    let seconds = fields.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
