//! Health and metrics.

use super::answer::{empty, json, raw};
use super::bearer;
use crate::issuer::clock;
use crate::issuer::grant::Origin;
use crate::issuer::metrics::CONTENT_TYPE;
use crate::issuer::refused::{OAuthError, Refused};
use crate::issuer::state::Issuer;
use crate::issuer::store::{Batch, Change};
use crate::model::refusal::Refusal;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use serde::Serialize;
use std::sync::Arc;

#[derive(Serialize)]
struct Readiness {
    ready: bool,
    problems: Vec<String>,
}

/// Up, and nothing else.
pub async fn healthz() -> Response {
    raw(
        200,
        "text/plain; charset=utf-8",
        Bytes::from_static(b"ok\n"),
    )
}

/// Ready to grant, and with the configuration that lies on disk. Keys of a provider that can't be had
/// are told and make nobody unready: people of the other sources would suffer for it.
pub async fn readyz(State(issuer): State<Arc<Issuer>>) -> Response {
    probe(&issuer).await;
    let in_force = issuer.in_force();
    let problems = issuer.health.problems();
    let ready = problems.is_empty() && !*issuer.stopping.borrow();
    let mut words: Vec<String> = problems.into_iter().map(|(_, why)| why).collect();
    words.extend(in_force.identities.problems());
    words.extend(in_force.signals.problems());
    let readiness = Readiness {
        ready,
        problems: words,
    };
    json(if ready { 200 } else { 503 }, &readiness)
}

/// Whether something can be written: the digest of the policy once more. At most once a second, because
/// everybody may ask.
async fn probe(issuer: &Issuer) {
    if !issuer.health.is_due(clock::now_ms()) {
        return;
    }
    let digest = issuer.in_force().policy_digest.clone();
    let batch = Batch {
        changes: vec![Change::PolicyDigest(digest)],
        entries: Vec::new(),
    };
    // What came of it is remembered by the commit itself.
    let _ = issuer.commit(batch).await;
}

/// Prometheus text: with the scrape token, or from this machine where none is set. A request that came
/// through a proxy is not from this machine, also when the proxy is on it.
pub async fn metrics(
    State(issuer): State<Arc<Issuer>>,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
) -> Response {
    let in_force = issuer.in_force();
    let may = if let Some(wanted) = &in_force.metrics_token {
        bearer::token(&headers).is_ok_and(|given| given.matches(wanted))
    } else {
        let proxied = ["x-forwarded-for", "forwarded", "via"];
        origin.from.is_loopback() && !proxied.iter().any(|name| headers.contains_key(*name))
    };
    if !may {
        let refused = Refused::new(
            OAuthError::InvalidToken,
            Refusal::denied(
                "the metrics are not for everybody",
                "send the scrape token (`metrics_token` of the issuer) as bearer, or ask from this machine",
            ),
        );
        return super::answer::refused(&refused, &origin.request_id);
    }
    let open = i64::try_from(issuer.feeds.open()).unwrap_or(i64::MAX);
    issuer.metrics.feeds_open.set(open);
    let connections = i64::try_from(issuer.connections.open()).unwrap_or(i64::MAX);
    issuer.metrics.connections_open.set(connections);
    match issuer.metrics.text() {
        Some(text) => raw(200, CONTENT_TYPE, Bytes::from(text)),
        None => empty(500),
    }
}
