//! Around every request: its id, its origin, its deadline, its line in the log.

use super::address;
use super::answer;
use crate::issuer::clock;
use crate::issuer::grant::Origin;
use crate::issuer::refused::Refused;
use crate::issuer::state::{InForce, Issuer};
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use axum::middleware::Next;
use axum::response::Response;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// The one route without a deadline.
pub const FEED: &str = "/v1/feed";

/// Name of the header with the request's id.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Wraps a request.
pub async fn around(
    State(issuer): State<Arc<Issuer>>,
    mut request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    let in_force = issuer.in_force();
    let origin = origin(&request, &in_force);
    let path = request.extensions().get::<MatchedPath>();
    let route = path.map_or("-", |path| path.as_str()).to_owned();
    let method = request.method().clone();
    request.extensions_mut().insert(origin.clone());
    let mut response = if route == FEED {
        next.run(request).await
    } else {
        let deadline = Duration::from_millis(in_force.settings.limits.request_ms);
        match timeout(deadline, next.run(request)).await {
            Ok(response) => response,
            Err(_) => answer::refused(&too_long(), &origin.request_id),
        }
    };
    answer::header(&mut response, REQUEST_ID, &origin.request_id);
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    tracing::debug!(
        request_id = origin.request_id,
        from = %origin.from,
        method = %method,
        route,
        status = response.status().as_u16(),
        took_us = began.elapsed().as_micros(),
        "request"
    );
    response
}

fn too_long() -> Refused {
    Refused::unavailable(
        "the request took longer than the issuer allows",
        "try again; if it stays so, look at the issuer's `/readyz`",
    )
}

fn origin(request: &Request, in_force: &InForce) -> Origin {
    let peer = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip());
    let headers = request.headers();
    let forwarded: Vec<&str> = headers
        .get_all(FORWARDED)
        .iter()
        .map(|value| value.to_str().unwrap_or_default())
        .collect();
    Origin {
        request_id: request_id(headers),
        from: address::client(peer, &forwarded, &in_force.proxies),
    }
}

/// The caller's id where it is one, else a fresh one: it goes into records and logs, so it must not be
/// any text.
fn request_id(headers: &HeaderMap) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let given = headers
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok());
    match given {
        Some(id) if (1..=64).contains(&id.len()) && id.bytes().all(plain) => id.to_owned(),
        _ => fresh_id(),
    }
}

fn fresh_id() -> String {
    let mut bytes = [0; 16];
    clock::fill(&mut bytes);
    hex::encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::request_id;
    use axum::http::HeaderMap;

    #[test]
    fn a_request_id_is_taken_over_only_when_it_is_plain() {
        let id = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-request-id", value.parse().unwrap());
            request_id(&headers)
        };
        assert_eq!(id("abc-1.2_X"), "abc-1.2_X");
        for bad in ["", "a b", "a\tb", "x/y", "{}"] {
            assert_eq!(id(bad).len(), 32, "{bad:?}");
        }
        assert_ne!(request_id(&HeaderMap::new()), request_id(&HeaderMap::new()));
    }
}
