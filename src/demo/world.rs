//! The demo's servers on loopback: provider, token endpoint, hub, each on its own port.

use super::cgi::{Backend, Call};
use super::exchange;
use super::hub::{self, Hub, Ledger, Reason};
use super::idp::{Authorized, Idp, Traffic};
use super::key::Key;
use super::oauth::{OauthError, Params};
use axum::body::Body;
use axum::extract::{Form, Query, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

type Pairs = Vec<(String, String)>;

/// Provider and hub as the handlers share them. A lock is held for one decision, never across a wait.
struct Shared {
    idp: Mutex<Idp>,
    hub: Mutex<Hub>,
    hub_url: String,
    backend: Backend,
}

/// The running servers; dropping it stops them.
pub struct World {
    /// The provider's URL, which is its issuer.
    pub issuer: String,
    /// The hub's URL.
    pub hub: String,
    shared: Arc<Shared>,
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
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Unix seconds.
pub fn now_s() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |age| age.as_secs())
}

impl World {
    /// Starts everything on free ports of 127.0.0.1.
    ///
    /// # Errors
    /// No port, or no key; in words.
    pub async fn start(backend: Backend) -> Result<Self, String> {
        let (idp_door, issuer) = open_door().await?;
        let (hub_door, hub) = open_door().await?;
        let key = Key::generate()?;
        let shared = Arc::new(Shared {
            hub: Mutex::new(Hub::new(hub.clone(), &issuer, key.public().clone())),
            idp: Mutex::new(Idp::new(issuer.clone(), key)),
            hub_url: hub.clone(),
            backend,
        });
        let tasks = vec![
            serve(idp_door, provider_routes(shared.clone())),
            serve(hub_door, hub_routes(shared.clone())),
        ];
        Ok(Self {
            issuer,
            hub,
            shared,
            tasks,
        })
    }

    /// What happened at provider and token endpoint.
    pub fn traffic(&self) -> Traffic {
        locked(&self.shared.idp).traffic
    }

    /// What the hub saw.
    pub fn ledger(&self) -> Ledger {
        locked(&self.shared.hub).ledger.clone()
    }

    /// Ends the identity at the provider; answers how many sessions were alive.
    pub fn end_identity(&self) -> usize {
        locked(&self.shared.idp).end_all()
    }

    /// A token signed with the provider's real key over claims of the caller's choosing: what the
    /// hub must refuse for its content alone.
    ///
    /// # Errors
    /// Signing failed; in words.
    pub fn signed(&self, claims: &exchange::RoleClaims) -> Result<String, String> {
        locked(&self.shared.idp).key().sign("at+jwt", claims)
    }
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

fn provider_routes(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/.well-known/openid-configuration", get(metadata))
        .route("/jwks.json", get(jwks))
        .route("/authorize", get(authorize))
        .route("/token", post(token))
        .route("/revoke", post(revoke))
        .route("/exchange", post(exchange_token))
        .route("/end", post(end))
        .with_state(shared)
}

fn hub_routes(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/api/whoami-v2", get(whoami))
        .fallback(git)
        .with_state(shared)
}

async fn metadata(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(locked(&shared.idp).metadata())
}

async fn jwks(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(locked(&shared.idp).key().jwks())
}

async fn authorize(
    State(shared): State<Arc<Shared>>,
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
    State(shared): State<Arc<Shared>>,
    Form(asked): Form<Pairs>,
) -> Result<Response, OauthError> {
    let asked = Params::new(asked)?;
    locked(&shared.idp).token(&asked, now_s()).map(tokens)
}

async fn revoke(
    State(shared): State<Arc<Shared>>,
    Form(asked): Form<Pairs>,
) -> Result<(), OauthError> {
    locked(&shared.idp).revoke(&Params::new(asked)?);
    Ok(())
}

async fn exchange_token(
    State(shared): State<Arc<Shared>>,
    Form(asked): Form<Pairs>,
) -> Result<Response, OauthError> {
    let asked = Params::new(asked)?;
    exchange::exchange(&mut locked(&shared.idp), &shared.hub_url, &asked, now_s()).map(tokens)
}

/// For `--keep`: ends the identity by hand. Anybody on this machine may: it is a demo's identity.
async fn end(State(shared): State<Arc<Shared>>) -> String {
    let ended = locked(&shared.idp).end_all();
    format!("sessions ended: {ended}\n")
}

fn refused(reason: Reason) -> Response {
    let mut response = (
        reason.status(),
        format!("token refused: {}\n", reason.word()),
    )
        .into_response();
    if reason.status() == StatusCode::UNAUTHORIZED {
        let offer = header::HeaderValue::from_static("Basic realm=\"oam demo hub\"");
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, offer);
    }
    response
}

async fn whoami(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let verdict = locked(&shared.hub).who(&headers);
    match verdict {
        Ok(claims) => {
            let right = if claims.actions.iter().any(|a| a == "write") {
                "write"
            } else {
                "read"
            };
            Json(json!({
                "type": "user",
                "id": claims.sub,
                "name": claims.sub,
                "fullname": claims.role,
                "orgs": [],
                "auth": { "type": "access_token", "accessToken": { "displayName": claims.role, "role": right } },
            }))
            .into_response()
        }
        Err(reason) => refused(reason),
    }
}

async fn git(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let get = parts.method == Method::GET;
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let wanted = (get || parts.method == Method::POST)
        .then(|| hub::wanted(get, parts.uri.path(), &query))
        .flatten();
    let Some(wanted) = wanted else {
        return (StatusCode::NOT_FOUND, "this hub speaks git's smart HTTP\n").into_response();
    };
    let verdict = locked(&shared.hub).admit(&parts.headers, &wanted.repository, wanted.action);
    let claims = match verdict {
        Ok(claims) => claims,
        Err(reason) => return refused(reason),
    };
    let call = Call {
        method: if get { "GET" } else { "POST" },
        repository: wanted.repository,
        service: wanted.service,
        query,
        user: claims.role,
        headers: parts.headers,
    };
    match shared.backend.serve(call, Body::new(body)).await {
        Ok(response) => response,
        Err(text) => (StatusCode::INTERNAL_SERVER_ERROR, text).into_response(),
    }
}

#[cfg(test)]
#[path = "world_tests.rs"]
mod tests;
