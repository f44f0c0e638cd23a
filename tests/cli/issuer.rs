//! A stand-in issuer and a stand-in runner's token server, on loopback.

use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// What came in: the form of each exchange.
pub type Seen = Arc<Mutex<Vec<BTreeMap<String, String>>>>;

/// Answers the exchange of this number, counted from 1.
type Script = dyn Fn(usize) -> (u16, Value) + Send + Sync;

#[derive(Clone)]
struct Shared {
    base: String,
    hub: (String, String),
    seen: Seen,
    script: Arc<Script>,
}

/// The stand-in. It lives as long as the test's process.
pub struct Issuer {
    pub base: String,
    pub seen: Seen,
}

/// A granted token that lives so long.
pub fn granted(token: &str, seconds: u64, action: &str) -> (u16, Value) {
    let answer = json!({
        "access_token": token, "token_type": "Bearer", "expires_in": seconds,
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "scope": format!("role:publisher {action}"),
        "oam": {"role": "publisher", "action": action, "rule": "jobs of acme/model",
                "wider_than_asked": false, "request_id": "req-7"}
    });
    (200, answer)
}

/// A refusal of the issuer.
pub fn denied(code: &str) -> (u16, Value) {
    let answer = json!({"error": "invalid_target", "oam": {
        "code": code, "sentence": "no role of this job covers it", "next": "ask for one",
        "request_id": "req-8"
    }});
    (400, answer)
}

impl Issuer {
    /// Starts one with a hub of this kind at this address.
    pub fn start(
        kind: &str,
        hub: &str,
        script: impl Fn(usize) -> (u16, Value) + Send + Sync + 'static,
    ) -> Self {
        let (kind, hub) = (kind.to_owned(), hub.to_owned());
        let seen = Seen::default();
        let (ready, started) = std::sync::mpsc::channel();
        let kept = Arc::clone(&seen);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                let base = format!("http://{}", listener.local_addr().unwrap());
                ready.send(base.clone()).unwrap();
                let shared = Shared {
                    base,
                    hub: (kind, hub),
                    seen: kept,
                    script: Arc::new(script),
                };
                let router = Router::new()
                    .route("/.well-known/oam", get(document))
                    .route("/oauth/token", post(exchange))
                    .route("/runner", get(runner))
                    .with_state(shared);
                axum::serve(listener, router).await.unwrap();
            });
        });
        let base = started.recv().unwrap();
        Self { base, seen }
    }

    /// How many exchanges there were.
    pub fn exchanges(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

/// The set-up that an issuer at `base` publishes.
pub fn acme(base: &str, kind: &str, hub: &str) -> Value {
    json!({
        "v": 1, "org": "acme", "issuer": base,
        "sign_in": {"issuer": "https://login.acme.example", "client_id": "oam",
            "scopes": ["openid"], "redirect_path": "/callback", "groups_claim": "groups",
            "subject": "id-token", "fresh_s": 60, "lease_s": 600, "session_age_s": 604_800,
            "device_login": false},
        "token_endpoint": format!("{base}/oauth/token"),
        "revocation_endpoint": format!("{base}/oauth/revoke"),
        "roles_endpoint": format!("{base}/v1/roles"), "why_endpoint": format!("{base}/v1/why"),
        "feed_endpoint": format!("{base}/v1/feed"),
        "records_endpoint": format!("{base}/v1/records"),
        "job_audience": "https://issuer.acme.example",
        "hubs": [{"name": "models", "url": hub, "kind": kind, "username": "hf_user",
            "variables": if kind == "github" { vec!["GH_TOKEN"] } else { vec![] }}]
    })
}

async fn document(State(shared): State<Shared>) -> Json<Value> {
    Json(acme(&shared.base, &shared.hub.0, &shared.hub.1))
}

async fn exchange(
    State(shared): State<Shared>,
    Form(form): Form<BTreeMap<String, String>>,
) -> Response {
    let number = {
        let mut seen = shared.seen.lock().unwrap();
        seen.push(form);
        seen.len()
    };
    let (status, answer) = (shared.script)(number);
    (StatusCode::from_u16(status).unwrap(), Json(answer)).into_response()
}

/// As GitHub's runner: a token for whoever has the runner's secret, with the audience in it.
async fn runner(headers: HeaderMap, Query(query): Query<BTreeMap<String, String>>) -> Response {
    let known = headers
        .get("authorization")
        .is_some_and(|value| value == "Bearer runner-secret");
    if !known {
        return StatusCode::FORBIDDEN.into_response();
    }
    let audience = query.get("audience").cloned().unwrap_or_default();
    let inside = audience.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    Json(json!({"count": 1, "value": format!("head.{inside}.sign")})).into_response()
}
