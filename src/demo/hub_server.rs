//! The hub's door: requests in, verdicts of [`HubServer`] and of the issuer's introspection, git behind it.

use super::browser::{Sent, fetch, send};
use super::cgi::Call;
use super::hub::{self, HubServer, Reason, RoleClaims};
use super::world::{Handlers, locked};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) fn routes(shared: Arc<Handlers>) -> Router {
    Router::new()
        .route("/api/whoami-v2", get(whoami))
        .fallback(git)
        .with_state(shared)
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

/// Verifies a request's token, asks the issuer whether it still lives, and counts.
async fn judge(
    shared: &Handlers,
    headers: &HeaderMap,
    check: impl Fn(&HubServer, &HeaderMap) -> Result<RoleClaims, Reason>,
) -> Result<RoleClaims, Reason> {
    // A key that is not known may be a new one: keys rotate.
    if locked(&shared.hub).lacks_key(headers)
        && let Ok(address) = format!("{}/jwks.json", shared.issuer).parse()
        && let Ok(page) = fetch(&address, None).await
    {
        // What can't be read trusts nobody new.
        let _ = locked(&shared.hub).trust(&page.body);
    }
    let mut outcome = check(&locked(&shared.hub), headers);
    if outcome.is_ok() && !lives(shared, headers).await {
        outcome = Err(Reason::Inactive);
    }
    locked(&shared.hub).count(outcome)
}

/// RFC 7662 at the issuer. What it does not call active is not.
async fn lives(shared: &Handlers, headers: &HeaderMap) -> bool {
    let Some(authorization) = locked(&shared.introspector).clone() else {
        return true;
    };
    let (Ok(token), Ok(address)) = (
        hub::token_of(headers),
        format!("{}/oauth/introspect", shared.issuer).parse(),
    ) else {
        return false;
    };
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("token", &token)
        .finish();
    let sent = Sent {
        authorization: Some(&authorization),
        body: Some(("application/x-www-form-urlencoded", &form)),
    };
    let answer = send(&address, sent).await;
    let active = answer
        .ok()
        .filter(|page| page.status == 200)
        .and_then(|page| serde_json::from_str::<Value>(&page.body).ok());
    active.is_some_and(|answer| answer["active"] == true)
}

async fn whoami(State(shared): State<Arc<Handlers>>, headers: HeaderMap) -> Response {
    let verdict = judge(&shared, &headers, HubServer::verify).await;
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

async fn git(State(shared): State<Arc<Handlers>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let get = parts.method == Method::GET;
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let wanted = (get || parts.method == Method::POST)
        .then(|| hub::wanted(get, parts.uri.path(), &query))
        .flatten();
    let Some(wanted) = wanted else {
        return (StatusCode::NOT_FOUND, "this hub speaks git's smart HTTP\n").into_response();
    };
    let check = |hub: &HubServer, headers: &HeaderMap| {
        hub.check(headers, &wanted.repository, wanted.action)
    };
    let claims = match judge(&shared, &parts.headers, check).await {
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
