//! What the gateway says itself. Never a 401 to a client that showed something: git would ask a person.

use crate::body::{AnswerBody, whole};
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use oam_model::refusal::Refusal;

/// How an error is written, so that the client shows its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorFormat {
    /// Text, which git shows line by line.
    Text,
    /// Git LFS, which shows the `message` of a JSON object.
    Lfs,
}

impl ErrorFormat {
    /// As the request's headers say.
    pub fn of(headers: &HeaderMap) -> Self {
        let accept = headers
            .get(http::header::ACCEPT)
            .and_then(|value| value.to_str().ok());
        if accept.is_some_and(|accept| accept.contains("vnd.git-lfs+json")) {
            Self::Lfs
        } else {
            Self::Text
        }
    }
}

/// An error with a sentence and the next step.
pub fn error(
    status: StatusCode,
    sentence: &str,
    next: &str,
    format: ErrorFormat,
) -> Response<AnswerBody> {
    let text = if next.is_empty() {
        format!("oam: {sentence}")
    } else {
        format!("oam: {sentence}\noam: {next}")
    };
    let (kind, body) = match format {
        ErrorFormat::Text => ("text/plain; charset=utf-8", format!("{text}\n")),
        ErrorFormat::Lfs => (
            "application/vnd.git-lfs+json",
            serde_json::json!({ "message": text.replace('\n', "; ") }).to_string(),
        ),
    };
    let mut response = Response::new(whole(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Where `huggingface_hub` looks for words.
    if let Ok(line) = HeaderValue::from_str(&text.replace('\n', "; ")) {
        headers.insert("x-error-message", line);
    }
    // The rest of a body that is not read here must not be taken for the next request.
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// An answer of the gateway's own that is none of its errors.
pub fn json(text: &'static str, kind: &'static str) -> Response<AnswerBody> {
    let mut response = Response::new(whole(text));
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// A refusal: 403, or 503 for what may be another matter a moment later.
pub fn refusal(refusal: &Refusal, format: ErrorFormat) -> Response<AnswerBody> {
    let status = if refusal.code.passes() {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::FORBIDDEN
    };
    error(status, &refusal.sentence, &refusal.next, format)
}

/// The one 401: to a client that showed nothing, so that git asks its helper.
pub fn show_capability(format: ErrorFormat) -> Response<AnswerBody> {
    let mut response = error(
        StatusCode::UNAUTHORIZED,
        "this gateway belongs to one command",
        "",
        format,
    );
    response.headers_mut().insert(
        WWW_AUTHENTICATE,
        HeaderValue::from_static("Basic realm=\"oam\""),
    );
    response
}
