//! The endpoints over HTTP: health and metrics for machines that watch, decisions for programs
//! that ask.
//!
//! Two listeners, two purposes: `GET /healthz` and `GET /metrics` on one, which may be reachable
//! from a monitoring host; `GET /v1/decision?domain=` on the other, which is a unix socket for
//! operators. Neither changes anything.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use quick_cache::sync::Cache;
use serde::Deserialize;
use serde_json::json;
use smtp_types::NextHop;

use crate::explain::Document;
use crate::gate::recent::Recent;
use crate::metrics::{Health, Metrics};
use crate::sender::{Sender, Turns};

/// `GET /healthz` and `GET /metrics`.
pub fn watch_routes(metrics: Arc<Metrics>) -> Router {
    Router::new()
        .route("/healthz", get(health))
        .route("/metrics", get(render_metrics))
        .with_state(metrics)
}

/// `GET /v1/decision?domain=example.com`, or `?next_hop=[relay.example.net]:587`; with
/// `&anew=true` whatever is in memory is looked up again.
pub fn decision_routes(sender: Arc<Sender>) -> Router {
    let decisions = Decisions { sender, shown: Cache::new(SHOWN), turns: Turns::default() };
    Router::new().route("/v1/decision", get(decision)).with_state(Arc::new(decisions))
}

/// `GET /v1/verdict?id=QUEUE-ID`: the verdict on a message that came lately.
pub fn verdict_routes(recent: Option<Arc<Recent>>) -> Router {
    Router::new().route("/v1/verdict", get(verdict)).with_state(recent)
}

#[derive(Deserialize)]
struct AskedVerdict {
    id: String,
}

async fn verdict(
    State(recent): State<Option<Arc<Recent>>>,
    Query(AskedVerdict { id }): Query<AskedVerdict>,
) -> Response {
    match recent.and_then(|recent| recent.find(&id)) {
        Some(verdict) => Json(&*verdict).into_response(),
        None => refuse(StatusCode::NOT_FOUND, "id: expected a message of late, found none"),
    }
}

/// 200 if all is well or merely degraded, 503 if mail is not protected as it should be.
async fn health(State(metrics): State<Arc<Metrics>>) -> Response {
    let Health { status, notes } = metrics.health().await;
    let code = if status.is_serving() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(json!({ "status": status.as_str(), "notes": notes }))).into_response()
}

async fn render_metrics(State(metrics): State<Arc<Metrics>>) -> Response {
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], metrics.render().await).into_response()
}

/// How many documents are kept to be shown again; a usual one has 3 kB.
const SHOWN: usize = 2000;

/// What has been shown lately. A mail server asks for each letter, and many letters at once go to
/// one domain: one look-up serves them all, as long as it is fresh.
struct Decisions {
    sender: Arc<Sender>,
    shown: Cache<NextHop, Shown>,
    turns: Turns,
}

#[derive(Clone)]
struct Shown {
    document: Arc<Document>,
    fresh_until: Instant,
    generation: u64,
}

impl Decisions {
    fn fresh(&self, next_hop: &NextHop) -> Option<Arc<Document>> {
        let shown = self.shown.get(next_hop)?;
        let is_fresh =
            Instant::now() < shown.fresh_until && shown.generation == self.sender.generation();
        is_fresh.then_some(shown.document)
    }

    /// `None` if the look-up ended without a result: a fault of ours.
    async fn look_up(&self, next_hop: &NextHop) -> Option<Arc<Document>> {
        let generation = self.sender.generation();
        let evaluation = self.sender.explain(next_hop.clone()).await?;
        let alarm = self.sender.sentinel().alarm(next_hop.policy_domain());
        let resolver = &self.sender.observer().resolver;
        let document = Document::new(next_hop, &evaluation, resolver, alarm.as_ref(), "daemon");
        let document = Arc::new(document);
        let fresh_until = Instant::now() + evaluation.fresh_for;
        let shown = Shown { document: Arc::clone(&document), fresh_until, generation };
        self.shown.insert(next_hop.clone(), shown);
        Some(document)
    }
}

#[derive(Deserialize)]
struct Asked {
    domain: Option<String>,
    port: Option<u16>,
    next_hop: Option<String>,
    #[serde(default)]
    anew: bool,
}

async fn decision(State(decisions): State<Arc<Decisions>>, Query(asked): Query<Asked>) -> Response {
    let text = match (asked.next_hop, asked.domain, asked.port) {
        (Some(next_hop), _, _) => next_hop,
        (None, Some(domain), None) => domain,
        (None, Some(domain), Some(port)) => format!("{domain}:{port}"),
        (None, None, _) => {
            let error = "domain: expected ?domain= or ?next_hop=, found neither";
            return refuse(StatusCode::BAD_REQUEST, error);
        }
    };
    let next_hop = match NextHop::parse(&text) {
        Ok(next_hop) => next_hop,
        Err(error) => return refuse(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let found = if asked.anew {
        Ok(decisions.look_up(&next_hop).await)
    } else {
        let deadline = decisions.sender.deadline();
        tokio::time::timeout(deadline, fresh_or_look_up(&decisions, &next_hop)).await
    };
    match found {
        Ok(Some(document)) => Json(&*document).into_response(),
        Ok(None) => {
            let error = "the look-up ended without a result";
            refuse(StatusCode::INTERNAL_SERVER_ERROR, error)
        }
        Err(_) => {
            let error = "not found out within the deadline; the look-up goes on";
            refuse(StatusCode::SERVICE_UNAVAILABLE, error)
        }
    }
}

async fn fresh_or_look_up(decisions: &Decisions, next_hop: &NextHop) -> Option<Arc<Document>> {
    if let Some(document) = decisions.fresh(next_hop) {
        return Some(document);
    }
    // Of all who ask at the same time, one looks up, and the others find what it has found.
    let _turn = decisions.turns.take(next_hop.policy_domain()).await;
    match decisions.fresh(next_hop) {
        Some(document) => Some(document),
        None => decisions.look_up(next_hop).await,
    }
}

fn refuse(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}
