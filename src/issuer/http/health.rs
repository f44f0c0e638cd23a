//! Health and metrics.

use super::answer::{empty, json, raw};
use super::bearer;
use crate::grant::RequestOrigin;
use crate::metrics::CONTENT_TYPE;
use crate::refused::{OAuthError, Refused};
use crate::state::{DATABASE, Issuer, LiveConfig};
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use oam_model::refusal::Refusal;
use oam_store::{Batch, StoreChange};
use oam_system::clock;
use serde::Serialize;
use std::sync::Arc;

/// `/readyz`: what strangers see names parts only. Paths, and the words of a policy, are for who may read the
/// metrics.
#[derive(Serialize)]
struct Readiness {
    /// Whether it can serve.
    ready: bool,
    /// Parts without which it can't.
    problems: Vec<&'static str>,
    /// Parts that want an administrator, while it serves.
    warnings: Vec<&'static str>,
    /// Both in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Vec<String>>,
}

/// Keys of identity providers that can't be had.
const PROVIDERS: &str = "providers";

/// Up, and nothing else.
pub async fn healthz() -> Response {
    raw(
        200,
        "text/plain; charset=utf-8",
        Bytes::from_static(b"ok\n"),
    )
}

/// Whether it can serve. What is wrong and stops nobody is a warning: with a broken file on disk the old one is in
/// force, and with one provider out of reach the people of the others are served. A load balancer that took such an
/// instance away would make an outage of a mistake.
pub async fn readyz(
    State(issuer): State<Arc<Issuer>>,
    Extension(origin): Extension<RequestOrigin>,
    headers: HeaderMap,
) -> Response {
    probe(&issuer).await;
    let live_config = issuer.live_config();
    let mut details = Vec::new();
    let (mut problems, mut warnings) = (Vec::new(), Vec::new());
    for (part, why) in issuer.health.problems() {
        details.push(why);
        if part == DATABASE {
            problems.push(part);
        } else {
            warnings.push(part);
        }
    }
    let providers = [
        live_config.identities.problems(),
        live_config.signals.problems(),
    ]
    .concat();
    if !providers.is_empty() {
        warnings.push(PROVIDERS);
        details.extend(providers);
    }
    if *issuer.stopping.borrow() {
        problems.push("stopping");
    }
    let ready = problems.is_empty();
    let readiness = Readiness {
        ready,
        problems,
        warnings,
        details: is_insider(&live_config, &origin, &headers).then_some(details),
    };
    json(if ready { 200 } else { 503 }, &readiness)
}

/// Whether something can be written: the digest of the policy once more. At most once a second, because
/// everybody may ask.
async fn probe(issuer: &Issuer) {
    if !issuer.health.is_due(clock::now_ms()) {
        return;
    }
    let digest = issuer.live_config().policy_digest.clone();
    let batch = Batch {
        changes: vec![StoreChange::PolicyDigest(digest)],
        entries: Vec::new(),
    };
    // What came of it is remembered by the commit itself.
    let _ = issuer.commit(batch).await;
}

/// Whether this is somebody who runs the issuer: with the scrape token or, where none is set, from this machine.
/// A request that came through a proxy is not from this machine, also when the proxy is on it; and behind a
/// proxy that says nothing of itself everybody seems to be.
fn is_insider(live_config: &LiveConfig, origin: &RequestOrigin, headers: &HeaderMap) -> bool {
    if let Some(wanted) = &live_config.metrics_token {
        return bearer::token(headers).is_ok_and(|given| given.matches(wanted));
    }
    let proxied = ["x-forwarded-for", "forwarded", "via", "x-real-ip"];
    origin.from.is_loopback()
        && live_config.proxies.is_empty()
        && !proxied.iter().any(|name| headers.contains_key(*name))
}

/// Prometheus text: with the scrape token, or from this machine where none is set. A request that came
/// through a proxy is not from this machine, also when the proxy is on it.
pub async fn metrics(
    State(issuer): State<Arc<Issuer>>,
    Extension(origin): Extension<RequestOrigin>,
    headers: HeaderMap,
) -> Response {
    let live_config = issuer.live_config();
    if !is_insider(&live_config, &origin, &headers) {
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
    issuer.metrics.warnings(&issuer.health.problems());
    match issuer.metrics.text() {
        Some(text) => raw(200, CONTENT_TYPE, Bytes::from(text)),
        None => empty(500),
    }
}
