//! The endpoints over HTTP: health and metrics for machines that watch, decisions for programs
//! that ask.
//!
//! Two listeners, two purposes: `GET /healthz` and `GET /metrics` on one, which may be reachable
//! from a monitoring host; `GET /v1/decision?domain=` on the other, which is a unix socket for
//! operators. Neither changes anything.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;
use smtp_types::NextHop;

use crate::explain::Document;
use crate::metrics::{Health, Metrics};
use crate::sender::Sender;

/// `GET /healthz` and `GET /metrics`.
pub fn watch_routes(metrics: Arc<Metrics>) -> Router {
    Router::new()
        .route("/healthz", get(health))
        .route("/metrics", get(render_metrics))
        .with_state(metrics)
}

/// `GET /v1/decision?domain=example.com`, or `?next_hop=[relay.example.net]:587`.
pub fn decision_routes(sender: Arc<Sender>) -> Router {
    Router::new().route("/v1/decision", get(decision)).with_state(sender)
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

#[derive(Deserialize)]
struct Asked {
    domain: Option<String>,
    port: Option<u16>,
    next_hop: Option<String>,
}

async fn decision(State(sender): State<Arc<Sender>>, Query(asked): Query<Asked>) -> Response {
    let text = match (asked.next_hop, asked.domain, asked.port) {
        (Some(next_hop), _, _) => next_hop,
        (None, Some(domain), None) => domain,
        (None, Some(domain), Some(port)) => format!("{domain}:{port}"),
        (None, None, _) => {
            let error = "domain: expected ?domain= or ?next_hop=, found neither";
            return (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response();
        }
    };
    let next_hop = match NextHop::parse(&text) {
        Ok(next_hop) => next_hop,
        Err(error) => {
            let error = json!({ "error": error.to_string() });
            return (StatusCode::BAD_REQUEST, Json(error)).into_response();
        }
    };
    let Some(evaluation) = sender.explain(next_hop.clone()).await else {
        let error = json!({ "error": "the look-up ended without a result" });
        return (StatusCode::INTERNAL_SERVER_ERROR, Json(error)).into_response();
    };
    let alarm = sender.sentinel().alarm(next_hop.policy_domain());
    let resolver = &sender.observer().resolver;
    Json(Document::new(&next_hop, &evaluation, resolver, alarm.as_ref(), "daemon")).into_response()
}
