//! What hubs and agents find out by themselves.

use super::answer::{cached, header, json, raw};
use crate::state::Issuer;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{ETAG, IF_NONE_MATCH};
use axum::response::Response;
use bytes::Bytes;
use oam_system::clock;
use serde_json::{Value, json};
use std::sync::Arc;

/// How long agents may keep the organization's set-up, seconds: a changed hub is seen soon.
const SETUP_S: u64 = 60;

/// `OpenID` Connect Discovery 1.0, as far as somebody needs it who only checks tokens: nobody signs in
/// here, so there is no authorization endpoint.
pub async fn openid(State(issuer): State<Arc<Issuer>>) -> Response {
    let mut document = metadata(&issuer);
    document["response_types_supported"] = json!(["id_token"]);
    document["subject_types_supported"] = json!(["public"]);
    document["id_token_signing_alg_values_supported"] =
        json!(issuer.keys.algorithms(clock::now_ms()));
    document["claims_supported"] = json!([
        "iss",
        "aud",
        "sub",
        "act",
        "role",
        "repository",
        "exp",
        "iat",
        "jti"
    ]);
    published(&issuer, &document)
}

/// RFC 8414.
pub async fn oauth(State(issuer): State<Arc<Issuer>>) -> Response {
    let mut document = metadata(&issuer);
    document["response_types_supported"] = json!([]);
    published(&issuer, &document)
}

fn metadata(issuer: &Issuer) -> Value {
    let live_config = issuer.live_config();
    let url = &live_config.settings.url;
    json!({
        "issuer": url,
        "jwks_uri": format!("{url}/jwks.json"),
        "token_endpoint": format!("{url}/oauth/token"),
        "token_endpoint_auth_methods_supported": ["none"],
        "grant_types_supported": ["urn:ietf:params:oauth:grant-type:token-exchange"],
        "introspection_endpoint": format!("{url}/oauth/introspect"),
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic"],
        "revocation_endpoint": format!("{url}/oauth/revoke"),
        "revocation_endpoint_auth_methods_supported": ["none"],
        "scopes_supported": ["read", "write", "manage"],
    })
}

fn published(issuer: &Issuer, document: &Value) -> Response {
    let seconds = issuer.keys.jwks(clock::now_ms()).max_age_s;
    cached(json(200, document), seconds)
}

/// RFC 7517 §5. A hub that asks with the tag it knows gets no body.
pub async fn jwks(State(issuer): State<Arc<Issuer>>, headers: HeaderMap) -> Response {
    let set = issuer.keys.jwks(clock::now_ms());
    let known = headers
        .get(IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|tags| {
            tags.split(',')
                .any(|tag| tag.trim() == set.etag || tag.trim() == "*")
        });
    let mut response = if known {
        super::answer::empty(304)
    } else {
        raw(200, "application/jwk-set+json", Bytes::from(set.json))
    };
    header(&mut response, ETAG, &set.etag);
    cached(response, set.max_age_s)
}

/// `/.well-known/oam`.
pub async fn organization(State(issuer): State<Arc<Issuer>>) -> Response {
    cached(json(200, &issuer.live_config().organization), SETUP_S)
}
