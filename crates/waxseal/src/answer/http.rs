//! A small HTTP/1.1 server for [`api`](super::api): few clients, all bounds tight.
//!
//! Watchers and operators ask seldom, so a connection carries one request, and neither a slow
//! client nor a thousand of them cost more than a few sockets.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::sync::{Semaphore, watch};

use crate::listen::Listener;

/// How many connections are served at once; more wait in the system's queue.
const MAX_CONNECTIONS: usize = 64;

/// How long the head of a request may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection may take in all: a look-up of a policy host that does not answer is the
/// longest that there is.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(120);

/// How long nothing is accepted after an error of the listener.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `routes` on a listener until `stop` holds true or its sender is gone.
pub async fn serve(listener: Listener, routes: Router, mut stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            next = next => next,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let connection = match accepted {
            Ok((connection, _)) => connection,
            Err(error) => {
                tracing::warn!(%error, "http: accept");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let service = TowerToHyperService::new(routes.clone());
        tokio::spawn(async move {
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .max_buf_size(16 * 1024)
                .keep_alive(false)
                .serve_connection(TokioIo::new(connection), service);
            // Whether the client was slow, rude or content: the connection is over.
            let _ = tokio::time::timeout(CONNECTION_TIMEOUT, served).await;
            drop(place);
        });
    }
}
