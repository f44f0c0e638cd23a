//! Answers as SCIM has them.

use super::query::Query;
use crate::http::answer;
use crate::scim::ScimError;
use crate::scim::schema::{ERROR, LIST};
use axum::http::HeaderMap;
use axum::http::header::{ETAG, IF_NONE_MATCH, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};

/// What answers are.
const TYPE: &str = "application/scim+json";

fn document(status: u16, value: &Value) -> Response {
    answer::raw(status, TYPE, Bytes::from(value.to_string()))
}

/// An error (RFC 7644 §3.12).
pub(super) fn error(error: &ScimError) -> Response {
    let mut value = json!({
        "schemas": [ERROR],
        "status": error.status.to_string(),
        "detail": error.detail,
    });
    if let Some(kind) = error.kind {
        value["scimType"] = kind.into();
    }
    let mut response = document(error.status, &value);
    if error.status == 401 {
        let challenge = "Bearer realm=\"oam\", error=\"invalid_token\"";
        answer::header(&mut response, WWW_AUTHENTICATE, challenge);
    }
    if let Some(seconds) = error.retry_after_s {
        answer::header(&mut response, RETRY_AFTER, &seconds.to_string());
    }
    response
}

/// One record, with the attributes that were asked for. Not at all where whoever asks has this version.
pub(super) fn one(status: u16, value: Value, headers: &HeaderMap, query: &Query) -> Response {
    let of_meta = |name: &str| {
        let meta = value.get("meta").and_then(|meta| meta.get(name));
        meta.and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let (version, location) = (of_meta("version"), of_meta("location"));
    let known = headers.get(IF_NONE_MATCH).and_then(|tag| tag.to_str().ok());
    let mut response = if status == 200 && known.is_some_and(|tag| tag == version) {
        answer::empty(304)
    } else {
        document(status, &query.projected(value))
    };
    answer::header(&mut response, ETAG, &version);
    if status == 201 {
        answer::header(&mut response, LOCATION, &location);
    }
    response
}

/// Done, with nothing to show but the version.
pub(super) fn done(version: u64) -> Response {
    let mut response = answer::empty(204);
    answer::header(&mut response, ETAG, &crate::scim::etag(version));
    response
}

/// Part of a list.
pub(super) fn list(resources: Vec<Value>, total: u64, query: &Query) -> Response {
    let count = resources.len();
    let shown: Value = resources
        .into_iter()
        .map(|one| query.projected(one))
        .collect();
    document(
        200,
        &json!({
            "schemas": [LIST],
            "totalResults": total,
            "startIndex": query.start,
            "itemsPerPage": count,
            "Resources": shown,
        }),
    )
}

/// A document that describes the server.
pub(super) fn described(value: &Value) -> Response {
    document(200, value)
}
