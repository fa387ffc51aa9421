//! What the right server may send, and what it may not.

use std::time::{Duration, Instant};

use smtp_types::{HttpsAnswer, HttpsFailure, HttpsReply};

use super::https_server::{Authority, Deed, fetch_from, ok};
use crate::observe::FetchSettings;

async fn get(deed: Deed) -> HttpsReply {
    get_with(deed, |settings| settings).await
}

async fn get_with(deed: Deed, change: impl FnOnce(FetchSettings) -> FetchSettings) -> HttpsReply {
    let authority = Authority::new();
    let identity = authority.issue(|_| {});
    fetch_from(&authority, &identity, deed, change).await
}

fn send(text: &str) -> Deed {
    Deed::Send(text.into())
}

fn protocol(reply: HttpsReply) -> String {
    match reply {
        Err(HttpsFailure::Protocol { detail }) => detail,
        other => panic!("expected a failure of the protocol, found {other:?}"),
    }
}

#[tokio::test]
async fn a_redirect_is_returned_as_it_is() {
    let answer = get(send(
        "HTTP/1.1 301 Moved Permanently\r\nLocation: https://elsewhere.test/\r\n\
         Content-Length: 0\r\n\r\n",
    ))
    .await;
    let Ok(HttpsAnswer { status: 301, content_type: None, body, .. }) = answer else {
        panic!("{answer:?}");
    };
    assert!(body.is_empty());
}

#[tokio::test]
async fn other_statuses_and_media_types_are_not_judged_here() {
    let answer = get(send(
        "HTTP/1.1 404 Not Found\r\nContent-Type: text/html; charset=utf-8\r\n\
         Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\ngone",
    ))
    .await
    .unwrap();
    assert_eq!((answer.status, &answer.body[..]), (404, &b"gone"[..]));
    assert_eq!(answer.content_type.as_deref(), Some("text/html; charset=utf-8"));
}

#[tokio::test]
async fn the_limit_of_a_body_is_exact() {
    let answer = get(ok("", &[b'x'; 65_536])).await.unwrap();
    assert_eq!(answer.body.len(), 65_536);
    let too_large = Err(HttpsFailure::TooLarge { limit: 65_536 });
    assert_eq!(get(ok("", &[b'x'; 65_537])).await, too_large);
}

#[tokio::test]
async fn a_body_announced_too_large_is_not_waited_for() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n";
    let deed = Deed::Endless(head.into(), b"".into(), Duration::from_secs(60));
    let start = Instant::now();
    assert_eq!(get(deed).await, Err(HttpsFailure::TooLarge { limit: 65_536 }));
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_truncated_body_is_refused() {
    let short = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nversion: STSv1\r\n";
    protocol(get(send(short)).await);
    protocol(get(Deed::SendAndCut(short.into())).await);
}

#[tokio::test]
async fn a_body_that_ends_with_the_connection_needs_the_close_of_tls() {
    let text = "HTTP/1.1 200 OK\r\n\r\nversion: STSv1\r\n";
    assert_eq!(get(send(text)).await.unwrap().body, b"version: STSv1\r\n");
    protocol(get(Deed::SendAndCut(text.into())).await);
}

#[tokio::test]
async fn a_chunked_body_is_put_together() {
    let text =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    assert_eq!(get(send(text)).await.unwrap().body, b"abcde");
    let without_end = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
    protocol(get(send(without_end)).await);
}

#[tokio::test]
async fn an_endless_chunked_body_is_too_large() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(4096));
    let deed = Deed::Endless(head.into(), chunk.into(), Duration::ZERO);
    assert_eq!(get(deed).await, Err(HttpsFailure::TooLarge { limit: 65_536 }));
}

#[tokio::test]
async fn a_slow_loris_runs_into_the_time_limit() {
    let slow = |head: &str| Deed::Endless(head.into(), b"x".into(), Duration::from_millis(50));
    let heads = ["HTTP/1.1 200 OK\r\nX-Slow: ", "HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n"];
    for head in heads {
        let start = Instant::now();
        let reply = get_with(slow(head), |settings| FetchSettings {
            timeout: Duration::from_secs(1),
            ..settings
        })
        .await;
        assert_eq!(reply, Err(HttpsFailure::Timeout { seconds: 1 }));
        assert!(start.elapsed() < Duration::from_secs(3));
    }
}

#[tokio::test]
async fn an_encoded_body_is_refused_and_named() {
    for encoding in ["gzip", "br", "identity, gzip"] {
        let fields = format!("Content-Encoding: {encoding}\r\n");
        let detail = protocol(get(ok(&fields, b"\x1f\x8b\x08")).await);
        assert_eq!(detail, format!("Content-Encoding: expected none, found {encoding:?}"));
    }
    let answer = get(ok("Content-Encoding: Identity\r\n", b"plain")).await.unwrap();
    assert_eq!(answer.body, b"plain");
}

#[tokio::test]
async fn an_endless_head_is_refused() {
    let field = format!("X-Field: {}\r\n", "x".repeat(1000));
    let deed = Deed::Endless(b"HTTP/1.1 200 OK\r\n".into(), field.into(), Duration::ZERO);
    protocol(get(deed).await);
    let field = b"X: y\r\n".repeat(200);
    let head = [b"HTTP/1.1 200 OK\r\n", &field[..], b"\r\n"].concat();
    protocol(get(Deed::Send(head)).await);
}

#[tokio::test]
async fn what_is_not_http_is_refused() {
    protocol(get(send("220 mx.test ESMTP\r\n")).await);
    protocol(get(send("")).await);
    protocol(
        get(send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab")).await,
    );
}
