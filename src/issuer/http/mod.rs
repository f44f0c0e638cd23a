//! The routes. Each checks for itself who asks; nothing is open by forgetting.

mod accept;
pub mod address;
mod answer;
mod bearer;
pub mod body;
pub mod connections;
mod discovery;
mod envelope;
mod feed;
mod forward_auth;
mod github;
mod health;
mod introspect;
pub mod limiter;
mod people;
mod records;
mod revoke;
mod scim;
mod sign_out;
mod signals;
#[cfg(test)]
mod tests;
pub mod tls;
mod token;

pub use accept::Gate;

use super::refused::{OAuthError, Refused};
use super::state::Issuer;
use axum::Router;
use axum::extract::Extension;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{get, post};
use oam_model::refusal::Refusal;
use std::sync::Arc;

/// All routes over the shared state. A panic is caught nowhere: a release aborts, and the service manager
/// starts it again, rather than going on with a state that nobody knows.
pub fn router(issuer: &Arc<Issuer>) -> Router {
    Router::new()
        .route("/oauth/token", post(token::exchange))
        .route("/oauth/introspect", post(introspect::introspect))
        .route("/oauth/revoke", post(revoke::revoke))
        .route("/v1/forward-auth", get(forward_auth::forward_auth))
        .route("/.well-known/openid-configuration", get(discovery::openid))
        .route(
            "/.well-known/oauth-authorization-server",
            get(discovery::oauth),
        )
        .route("/jwks.json", get(discovery::jwks))
        .route("/.well-known/oam", get(discovery::organization))
        .route("/v1/roles", get(people::roles))
        .route("/v1/why", get(people::why))
        .route(envelope::FEED, get(feed::feed))
        .route("/v1/records", post(records::records))
        .route("/signals/ssf", post(signals::security_event))
        .route("/signals/logout", post(signals::logout))
        .route("/v1/github/{source}", post(github::event))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .nest("/scim/v2", scim::routes())
        .fallback(nothing)
        .method_not_allowed_fallback(other_method)
        .layer(from_fn_with_state(Arc::clone(issuer), envelope::around))
        .with_state(Arc::clone(issuer))
}

async fn nothing(Extension(origin): Extension<super::grant::RequestOrigin>) -> Response {
    let refused = Refused {
        status: Some(404),
        ..Refused::new(
            OAuthError::InvalidRequest,
            Refusal::bad_request(
                "the issuer has nothing at this address",
                "see /.well-known/oam for its addresses",
            ),
        )
    };
    answer::refused(&refused, &origin.request_id)
}

async fn other_method(Extension(origin): Extension<super::grant::RequestOrigin>) -> Response {
    let refused = Refused {
        status: Some(405),
        ..Refused::bad_request(
            "this address takes another method",
            "see the documentation of the issuer's addresses",
        )
    };
    answer::refused(&refused, &origin.request_id)
}
