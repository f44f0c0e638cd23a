//! What the identity provider's endpoints have in common: parameters and errors.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::collections::BTreeMap;

/// An OAuth error answer (RFC 6749 §5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OauthError {
    /// The `error` code.
    pub code: &'static str,
    /// The `error_description`.
    pub says: &'static str,
}

impl OauthError {
    /// From code and description.
    pub const fn new(code: &'static str, says: &'static str) -> Self {
        Self { code, says }
    }

    /// Our own fault, told without its details.
    pub const fn server() -> Self {
        Self::new("server_error", "the demo's provider failed")
    }
}

impl IntoResponse for OauthError {
    fn into_response(self) -> Response {
        let status = match self.code {
            "server_error" => StatusCode::INTERNAL_SERVER_ERROR,
            "invalid_client" => StatusCode::UNAUTHORIZED,
            _ => StatusCode::BAD_REQUEST,
        };
        let body = Json(json!({ "error": self.code, "error_description": self.says }));
        (status, [(header::CACHE_CONTROL, "no-store")], body).into_response()
    }
}

/// Parameters of a request. A name that comes twice is a fault (RFC 6749 §3.1).
pub struct Params(BTreeMap<String, String>);

impl Params {
    /// From pairs as decoded.
    ///
    /// # Errors
    /// `invalid_request` when a name comes twice.
    pub fn new(pairs: Vec<(String, String)>) -> Result<Self, OauthError> {
        let mut params = BTreeMap::new();
        for (name, value) in pairs {
            if params.insert(name, value).is_some() {
                return Err(OauthError::new("invalid_request", "a parameter came twice"));
            }
        }
        Ok(Self(params))
    }

    /// The value, unless absent or empty (RFC 6749 §3.1 treats these alike).
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Whether the parameter is there with exactly this value.
    pub fn is(&self, name: &str, value: &str) -> bool {
        self.get(name) == Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::Params;

    #[test]
    fn a_parameter_that_comes_twice_is_refused() {
        let twice = vec![
            ("scope".to_owned(), "a".to_owned()),
            ("scope".to_owned(), "b".to_owned()),
        ];
        assert_eq!(
            Params::new(twice).err().map(|e| e.code),
            Some("invalid_request")
        );
    }

    #[test]
    fn an_empty_parameter_counts_as_absent() {
        let params = Params::new(vec![("scope".to_owned(), String::new())]).unwrap();
        assert_eq!(params.get("scope"), None);
    }
}
