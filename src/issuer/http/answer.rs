//! Answers: JSON in buffers that are wiped, errors as the RFCs spell them.

use crate::refused::{OAuthError, Refused};
use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use axum::http::{Response as HttpResponse, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use oam_model::organization::Denial;
use serde::Serialize;
use std::io::Write;
use zeroize::Zeroizing;

#[derive(Serialize)]
struct ErrorAnswer<'a> {
    error: &'a str,
    error_description: &'a str,
    oam: Denial,
}

/// A JSON answer.
pub fn json<T: Serialize>(status: u16, value: &T) -> Response {
    let mut buffer = Zeroizing::new(Vec::with_capacity(512));
    match serde_json::to_writer(&mut *buffer, value) {
        Ok(()) => raw(status, "application/json", Bytes::from_owner(buffer)),
        Err(_) => empty(500),
    }
}

/// A JSON answer that holds a token.
pub fn secret_json<T: Serialize>(value: &T) -> Response {
    // Measured first: a buffer that grows leaves its old bytes behind, and one that is large enough for any
    // answer takes longer to wipe than this one takes to write.
    let mut length = Length(0);
    let measured = serde_json::to_writer(&mut length, value);
    let mut buffer = Zeroizing::new(Vec::with_capacity(length.0));
    match measured.and_then(|()| serde_json::to_writer(&mut *buffer, value)) {
        Ok(()) => raw(200, "application/json", Bytes::from_owner(buffer)),
        Err(_) => empty(500),
    }
}

/// Counts what is written to it, and keeps nothing.
struct Length(usize);

impl Write for Length {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Bytes with their type.
pub fn raw(status: u16, content_type: &'static str, bytes: Bytes) -> Response {
    let mut response = HttpResponse::new(Body::from(bytes));
    *response.status_mut() = code(status);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Nothing but a status.
pub fn empty(status: u16) -> Response {
    let mut response = HttpResponse::new(Body::empty());
    *response.status_mut() = code(status);
    response
}

/// An OAuth error with our refusal in it.
pub fn refused(refused: &Refused, request_id: &str) -> Response {
    let body = ErrorAnswer {
        error: refused.error.word(),
        error_description: &refused.refusal.sentence,
        oam: refused.denial(request_id),
    };
    let status = refused.status.unwrap_or_else(|| refused.error.status());
    let mut response = json(status, &body);
    let challenge = match refused.error {
        OAuthError::InvalidToken => Some("Bearer realm=\"oam\", error=\"invalid_token\""),
        OAuthError::InvalidClient => Some("Basic realm=\"oam\""),
        _ => None,
    };
    if let Some(challenge) = challenge {
        header(&mut response, WWW_AUTHENTICATE, challenge);
    }
    if let Some(seconds) = refused.retry_after_s {
        header(&mut response, RETRY_AFTER, &seconds.to_string());
    }
    response
}

/// Sets a header; a value that can't be one is left out.
pub fn header(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// An answer that may be kept for `seconds`.
pub fn cached(mut response: Response, seconds: u64) -> Response {
    let value = format!("public, max-age={seconds}");
    header(&mut response, CACHE_CONTROL, &value);
    response
}

fn code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
