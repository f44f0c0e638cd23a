//! The demo's servers on loopback: provider, hub, CI host, each on its own port. The issuer between
//! them is the shipped program, see `company`.

use super::cgi::GitBackend;
use super::ci::Ci;
use super::hub::{HubCounts, HubServer};
use super::hub_server;
use super::idp::{Authorized, Idp, Traffic};
use super::key::SigningKey;
use super::oauth::{OauthError, Params};
use super::signal;
use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::prelude::*;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

type Pairs = Vec<(String, String)>;

/// What the handlers share. A lock is held for one decision, never across a wait.
pub(super) struct Handlers {
    idp: Mutex<Idp>,
    pub(super) hub: Mutex<HubServer>,
    ci: Mutex<Ci>,
    /// The issuer's URL.
    pub(super) issuer: String,
    /// The hub's own client at the issuer, as the value of `Authorization`; none before it is registered.
    pub(super) introspector: Mutex<Option<String>>,
    pub(super) backend: GitBackend,
}

/// The running servers; dropping it stops them.
pub struct World {
    /// The identity provider's URL, which is its `iss`.
    pub provider: String,
    /// The issuer's URL.
    pub issuer: String,
    /// The hub's URL.
    pub hub: String,
    /// The CI host's URL, which is its `iss`.
    pub ci: String,
    shared: Arc<Handlers>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for World {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// A poisoned lock only says that a handler died; what it guards are counters and maps.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Unix seconds.
pub fn now_s() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |age| age.as_secs())
}

impl World {
    /// Starts everything on free ports of 127.0.0.1. The hub trusts the issuer at `issuer`.
    ///
    /// # Errors
    /// No port, or no key; in words.
    pub async fn start(backend: GitBackend, issuer: &str) -> Result<Self, String> {
        let (idp_door, provider) = open_door().await?;
        let (hub_door, hub) = open_door().await?;
        let (ci_door, ci) = open_door().await?;
        let shared = Arc::new(Handlers {
            hub: Mutex::new(HubServer::new(hub.clone(), issuer)),
            idp: Mutex::new(Idp::new(provider.clone(), SigningKey::generate()?)),
            ci: Mutex::new(Ci::new(ci.clone())?),
            issuer: issuer.to_owned(),
            introspector: Mutex::new(None),
            backend,
        });
        let tasks = vec![
            serve(idp_door, provider_routes(shared.clone())),
            serve(hub_door, hub_server::routes(shared.clone())),
            serve(ci_door, ci_routes(shared.clone())),
        ];
        Ok(Self {
            provider,
            issuer: issuer.to_owned(),
            hub,
            ci,
            shared,
            tasks,
        })
    }

    /// From now on the hub asks the issuer about every token, as the client `name` with `secret`.
    pub fn introspect_as(&self, name: &str, secret: &str) {
        let pair = BASE64_STANDARD.encode(format!("{name}:{secret}"));
        *locked(&self.shared.introspector) = Some(format!("Basic {pair}"));
    }

    /// What happened at the provider.
    pub fn traffic(&self) -> Traffic {
        locked(&self.shared.idp).traffic
    }

    /// What the hub saw.
    pub fn ledger(&self) -> HubCounts {
        locked(&self.shared.hub).ledger.clone()
    }

    /// Bytes that the hub has of pushes that are open.
    pub fn open_pushes(&self) -> usize {
        self.shared.backend.pushes.load(Ordering::Relaxed)
    }

    /// The variables of the job at the CI host.
    pub fn job_variables(&self) -> [(&'static str, String); 2] {
        locked(&self.shared.ci).variables()
    }

    /// Tokens that the CI host gave its job.
    pub fn job_tokens(&self) -> u32 {
        locked(&self.shared.ci).given
    }

    /// Ada changes teams: the provider says other groups from now on, and pushes that to the issuer.
    ///
    /// # Errors
    /// The issuer did not take the signal; in words.
    pub async fn change_teams(&self, groups: &[&str]) -> Result<(), String> {
        let content = json!({ "claims": { "groups": groups }, "initiating_entity": "admin" });
        let token = {
            let mut idp = locked(&self.shared.idp);
            idp.move_to(groups);
            signal::event(
                &idp,
                &self.issuer,
                signal::TOKEN_CLAIMS_CHANGE,
                &content,
                now_s(),
            )?
        };
        signal::push(&self.issuer, &token).await
    }

    /// Ada leaves: her account is disabled at the provider, which pushes that to the issuer and, as
    /// three of five real providers do, goes on renewing her session all the same.
    ///
    /// # Errors
    /// The issuer did not take the signal; in words.
    pub async fn disable_account(&self) -> Result<(), String> {
        self.tell(signal::ACCOUNT_DISABLED).await
    }

    /// The account is enabled again: a new sign-in will do.
    ///
    /// # Errors
    /// The issuer did not take the signal; in words.
    pub async fn enable_account(&self) -> Result<(), String> {
        self.tell(signal::ACCOUNT_ENABLED).await
    }

    async fn tell(&self, event: &str) -> Result<(), String> {
        let idp = &self.shared.idp;
        let token = signal::event(&locked(idp), &self.issuer, event, &json!({}), now_s())?;
        signal::push(&self.issuer, &token).await
    }
}

/// A free port of 127.0.0.1 for a program that is told its port. It could be taken by another in
/// between; the program then says so and the demo fails.
///
/// # Errors
/// There is none; in words.
pub async fn free_address() -> Result<String, String> {
    let (_door, url) = open_door().await?;
    Ok(url)
}

async fn open_door() -> Result<(TcpListener, String), String> {
    let said = |error: std::io::Error| format!("no port on 127.0.0.1: {error}");
    let door = TcpListener::bind(("127.0.0.1", 0)).await.map_err(said)?;
    let port = door.local_addr().map_err(said)?.port();
    Ok((door, format!("http://127.0.0.1:{port}")))
}

fn serve(door: TcpListener, routes: Router) -> JoinHandle<()> {
    tokio::spawn(async move {
        // Ends only when the demo ends; accept errors are retried inside.
        let _ = axum::serve(door, routes).await;
    })
}

fn provider_routes(shared: Arc<Handlers>) -> Router {
    Router::new()
        .route("/.well-known/openid-configuration", get(metadata))
        .route("/jwks.json", get(jwks))
        .route("/authorize", get(authorize))
        .route("/token", post(token))
        .route("/revoke", post(revoke))
        .route("/disable", post(disable))
        .route("/enable", post(enable))
        .with_state(shared)
}

fn ci_routes(shared: Arc<Handlers>) -> Router {
    Router::new()
        .route("/.well-known/openid-configuration", get(ci_metadata))
        .route("/jwks.json", get(ci_jwks))
        .route("/token", get(ci_token))
        .with_state(shared)
}

async fn ci_metadata(State(shared): State<Arc<Handlers>>) -> Json<Value> {
    Json(locked(&shared.ci).metadata())
}

async fn ci_jwks(State(shared): State<Arc<Handlers>>) -> Json<Value> {
    Json(locked(&shared.ci).jwks())
}

async fn ci_token(
    State(shared): State<Arc<Handlers>>,
    headers: HeaderMap,
    Query(asked): Query<Pairs>,
) -> Result<Response, OauthError> {
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .unwrap_or_default();
    let asked = Params::new(asked)?;
    locked(&shared.ci)
        .token(bearer, &asked, now_s())
        .map(tokens)
}

async fn metadata(State(shared): State<Arc<Handlers>>) -> Json<Value> {
    Json(locked(&shared.idp).metadata())
}

async fn jwks(State(shared): State<Arc<Handlers>>) -> Json<Value> {
    Json(locked(&shared.idp).key().jwks())
}

async fn authorize(
    State(shared): State<Arc<Handlers>>,
    Query(asked): Query<Pairs>,
) -> Result<Response, OauthError> {
    let asked = Params::new(asked)?;
    let outcome = locked(&shared.idp).authorize(&asked, now_s())?;
    Ok(match outcome {
        Authorized::Redirect(to) => (
            StatusCode::FOUND,
            [
                (header::LOCATION, to),
                (header::CACHE_CONTROL, "no-store".into()),
            ],
        )
            .into_response(),
        Authorized::Page(text) => (StatusCode::BAD_REQUEST, text).into_response(),
    })
}

/// An answer with tokens in it (RFC 6749 §5.1: not to be cached).
fn tokens(answer: Value) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response()
}

async fn token(
    State(shared): State<Arc<Handlers>>,
    Form(asked): Form<Pairs>,
) -> Result<Response, OauthError> {
    let asked = Params::new(asked)?;
    locked(&shared.idp).token(&asked, now_s()).map(tokens)
}

async fn revoke(
    State(shared): State<Arc<Handlers>>,
    Form(asked): Form<Pairs>,
) -> Result<(), OauthError> {
    locked(&shared.idp).revoke(&Params::new(asked)?);
    Ok(())
}

/// For `--keep`: disables Ada's account by hand. Anybody on this machine may: it is a demo's identity.
async fn disable(State(shared): State<Arc<Handlers>>) -> Response {
    by_hand(&shared, signal::ACCOUNT_DISABLED, "disabled").await
}

/// The way back: the next sign-in will do.
async fn enable(State(shared): State<Arc<Handlers>>) -> Response {
    by_hand(&shared, signal::ACCOUNT_ENABLED, "enabled").await
}

async fn by_hand(shared: &Handlers, event: &str, done: &str) -> Response {
    let signed = signal::event(
        &locked(&shared.idp),
        &shared.issuer,
        event,
        &json!({}),
        now_s(),
    );
    let pushed = match signed {
        Ok(token) => signal::push(&shared.issuer, &token).await,
        Err(why) => Err(why),
    };
    match pushed {
        Ok(()) => format!("account {done}; the issuer took the signal\n").into_response(),
        Err(why) => (StatusCode::BAD_GATEWAY, format!("{why}\n")).into_response(),
    }
}

#[cfg(test)]
#[path = "world_tests.rs"]
mod tests;
