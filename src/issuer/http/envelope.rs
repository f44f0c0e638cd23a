//! Around every request: its id, its origin, its deadline, its line in the log.

use super::address;
use super::answer;
use super::connections::{ConnectionGuard, Lane};
use crate::grant::RequestOrigin;
use crate::refused::Refused;
use crate::state::{Issuer, LiveConfig};
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONNECTION, HOST, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, Version};
use axum::middleware::Next;
use axum::response::Response;
use oam_system::clock;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// The one route without a deadline.
pub const FEED: &str = "/v1/feed";

/// The one route that the reserve serves.
const HEALTH: &str = "/healthz";
/// Most bytes of all headers of a request: a bearer has 16 KiB at most.
const HEADER_BYTES: usize = 32 * 1024;
/// Longest id of a caller that is taken over, bytes: with ours behind it, it is an id of 64.
const GIVEN: usize = 47;

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
    let live_config = issuer.live_config();
    let origin = origin(&request, &live_config);
    let path = request.extensions().get::<MatchedPath>();
    let route = path.map_or("-", |path| path.as_str()).to_owned();
    let method = request.method().clone();
    request.extensions_mut().insert(origin.clone());
    let reserved = origin
        .connection
        .as_ref()
        .is_some_and(|connection| connection.lane() == Lane::Reserve);
    let refused = if header_bytes(&request) > HEADER_BYTES {
        Some(too_long_headers())
    } else if !has_one_host(&request) {
        Some(no_host())
    } else {
        (reserved && route != HEALTH).then(crowded)
    };
    let mut response = if let Some(refused) = refused {
        answer::refused(&refused, &origin.request_id)
    } else if route == FEED {
        next.run(request).await
    } else {
        let deadline = Duration::from_millis(live_config.settings.limits.request_ms);
        match timeout(deadline, next.run(request)).await {
            Ok(response) => response,
            Err(_) => answer::refused(&too_long(), &origin.request_id),
        }
    };
    if reserved {
        answer::header(&mut response, CONNECTION, "close");
    }
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

fn header_bytes(request: &Request) -> usize {
    let headers = request.headers().iter();
    let lengths = headers.map(|(name, value)| name.as_str().len() + value.len());
    lengths.sum::<usize>() + request.uri().path().len()
}

fn too_long_headers() -> Refused {
    Refused {
        status: Some(431),
        ..Refused::bad_request(
            "the headers of this request are longer than 32 KB",
            "leave out those that are not needed, cookies for example",
        )
    }
}

/// A request without a host, or with two, is read by one server as another one reads it (RFC 9112 §3.2).
fn has_one_host(request: &Request) -> bool {
    let hosts = request.headers().get_all(HOST).iter().count();
    hosts == 1 || (hosts == 0 && request.version() < Version::HTTP_11)
}

fn no_host() -> Refused {
    Refused::bad_request(
        "the request does not have exactly one `Host`",
        "send the issuer's name in one `Host` header (RFC 9112 §3.2)",
    )
}

fn crowded() -> Refused {
    Refused::unavailable(
        "the issuer has as many connections as it serves",
        "close connections that are not needed, and try again in a few seconds",
    )
}

fn too_long() -> Refused {
    Refused::unavailable(
        "the request took longer than the issuer allows",
        "try again; if it stays so, look at the issuer's `/readyz`",
    )
}

fn origin(request: &Request, live_config: &LiveConfig) -> RequestOrigin {
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
    RequestOrigin {
        request_id: request_id(headers),
        from: address::client(peer, &forwarded, &live_config.proxies),
        connection: request.extensions().get::<Arc<ConnectionGuard>>().cloned(),
    }
}

/// An id of the issuer's own, which nobody else has: a caller must not be able to give its records another
/// request's id. One that the caller sent stands before it, where it is plain, so that its side finds it.
fn request_id(headers: &HeaderMap) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let given = headers
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok());
    match given {
        Some(id) if (1..=GIVEN).contains(&id.len()) && id.bytes().all(plain) => {
            format!("{id}.{}", fresh_id::<8>())
        }
        _ => fresh_id::<16>(),
    }
}

fn fresh_id<const BYTES: usize>() -> String {
    let mut bytes = [0; BYTES];
    clock::fill(&mut bytes);
    hex::encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::request_id;
    use axum::http::HeaderMap;

    #[test]
    fn a_request_id_is_the_issuers_own_behind_a_plain_one_of_the_caller() {
        let id = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-request-id", value.parse().unwrap());
            request_id(&headers)
        };
        let own = id("abc-1.2_X");
        assert!(own.starts_with("abc-1.2_X.") && own.len() == 26, "{own}");
        assert_ne!(id("abc-1.2_X"), own, "the same id twice");
        let long = "x".repeat(48);
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", long.parse().unwrap());
        assert_eq!(request_id(&headers).len(), 32);
        for bad in ["", "a b", "a\tb", "x/y", "{}"] {
            assert_eq!(id(bad).len(), 32, "{bad:?}");
        }
        assert_ne!(request_id(&HeaderMap::new()), request_id(&HeaderMap::new()));
    }
}
