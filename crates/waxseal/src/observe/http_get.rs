//! One request and one response on a connection that is there already.

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::pin::pin;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::header::{CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderMap, USER_AGENT};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use smtp_types::{HttpsAnswer, HttpsFailure, HttpsQuestion, HttpsReply};
use tokio::io::{AsyncRead, AsyncWrite};

use super::https::FetchSettings;
use super::printable::printable;

/// How many octets the status line and the fields of a response may have.
pub(super) const MAX_HEAD: usize = 32_768;

/// How many fields a response may have.
pub(super) const MAX_FIELDS: usize = 100;

/// How many characters of a field are kept.
const MAX_FIELD: usize = 200;

/// How we introduce ourselves.
pub(super) const AGENT: &str = concat!("waxseal/", env!("CARGO_PKG_VERSION"));

/// GET over `stream`, HTTP/1.1. Nothing is sent that would let the server answer differently for
/// us: no cookies, no accepted encodings.
///
/// # Errors
/// [`HttpsFailure::TooLarge`] and [`HttpsFailure::Protocol`].
pub(super) async fn http_get(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    question: &HttpsQuestion,
    issuer: Option<String>,
    settings: &FetchSettings,
) -> HttpsReply {
    let (sender, connection) = Builder::new()
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_FIELDS)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| protocol(&error))?;
    // The connection does the reading and writing while the exchange waits for its outcome. It may
    // end first; what it has read is then still to be collected.
    let connection = async {
        let _ = connection.await;
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        reply = exchange(sender, question, issuer, settings) => reply,
        never = pin!(connection) => match never {},
    }
}

async fn exchange(
    mut sender: SendRequest<Empty<Bytes>>,
    question: &HttpsQuestion,
    issuer: Option<String>,
    settings: &FetchSettings,
) -> HttpsReply {
    let host = match settings.port {
        443 => question.host.to_string(),
        port => format!("{}:{port}", question.host),
    };
    let request = Request::get(question.path)
        .header(HOST, host)
        .header(USER_AGENT, AGENT)
        .header(CONNECTION, "close")
        .body(Empty::new())
        .map_err(|error| HttpsFailure::Protocol {
            detail: format!("request for {question}: {error}"),
        })?;
    let response = sender.send_request(request).await.map_err(|error| protocol(&error))?;
    if response.status().is_success() {
        refuse_encoding(response.headers())?;
    }
    Ok(HttpsAnswer {
        status: response.status().as_u16(),
        content_type: content_type(response.headers()),
        body: collect(response, settings.max_body).await?,
        issuer,
    })
}

/// We have not offered to decode anything, and a few octets can unfold to gigabytes.
fn refuse_encoding(fields: &HeaderMap) -> Result<(), HttpsFailure> {
    let mut encodings = fields.get_all(CONTENT_ENCODING).iter();
    let Some(found) = encodings.find(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
    else {
        return Ok(());
    };
    let found = printable(found.as_bytes(), MAX_FIELD);
    Err(HttpsFailure::Protocol {
        detail: format!("Content-Encoding: expected none, found {found:?}"),
    })
}

fn content_type(fields: &HeaderMap) -> Option<String> {
    let value = fields.get(CONTENT_TYPE)?;
    Some(printable(value.as_bytes(), MAX_FIELD))
}

async fn collect(response: Response<Incoming>, limit: usize) -> Result<Vec<u8>, HttpsFailure> {
    let announced = response.body().size_hint().lower();
    if usize::try_from(announced).is_ok_and(|announced| announced > limit) {
        return Err(HttpsFailure::TooLarge { limit });
    }
    match Limited::new(response.into_body(), limit).collect().await {
        Ok(body) => Ok(body.to_bytes().to_vec()),
        Err(error) if error.is::<LengthLimitError>() => Err(HttpsFailure::TooLarge { limit }),
        Err(error) => Err(protocol(&*error)),
    }
}

/// hyper says what failed, and its source says why. An end without TLS's farewell may be an
/// attacker's, who cuts a policy short.
pub(super) fn protocol(error: &(dyn Error + 'static)) -> HttpsFailure {
    let mut ended_early = false;
    let mut cause = Some(error);
    while let Some(error) = cause {
        let io_error = error.downcast_ref::<io::Error>();
        ended_early |= io_error.is_some_and(|one| one.kind() == io::ErrorKind::UnexpectedEof);
        cause = error.source();
    }
    let detail = match error.source() {
        _ if ended_early => "the connection ended before the response".to_owned(),
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    HttpsFailure::Protocol { detail: printable(detail.as_bytes(), MAX_FIELD) }
}
