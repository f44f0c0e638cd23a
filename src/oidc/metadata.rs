//! What a provider or a transmitter publishes about itself (OIDC Discovery 1.0, RFC 8414), before its members are used.

use serde_json::{Map, Value};

/// A document whose endpoints are checked when they are asked for.
pub struct ProviderMetadata {
    members: Map<String, Value>,
    tls: bool,
}

impl ProviderMetadata {
    /// The document of the issuer that was asked; none: it is no object, or says no issuer.
    pub fn read(issuer: &str, body: &[u8]) -> Option<Self> {
        let members: Map<String, Value> = serde_json::from_slice(body).ok()?;
        members.get("issuer")?.as_str()?;
        Some(Self {
            members,
            tls: issuer.starts_with("https://"),
        })
    }

    /// The issuer that it says it is of: who asked must compare it (R29).
    pub fn issuer(&self) -> &str {
        self.text("issuer").unwrap_or_default()
    }

    /// A member; `null` is absent.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    /// An address that a request may go to: https, or http on loopback with such an issuer.
    ///
    /// # Errors
    /// Why it can't be used, in our own words.
    pub fn endpoint(&self, name: &str) -> Result<String, String> {
        let text = self.text(name).ok_or("it is missing or not a text")?;
        // A provider on the network must not point at a program on this machine.
        if oam_http::endpoint(text)?.scheme() != "https" && self.tls {
            return Err("the address is not https".to_owned());
        }
        Ok(text.to_owned())
    }

    /// The same of a member that may be absent: what can't be used is as good as not there.
    pub fn optional_endpoint(&self, name: &str) -> Option<String> {
        self.get(name)?;
        let read = self.endpoint(name);
        if read.is_err() {
            tracing::warn!(
                issuer = self.issuer(),
                member = name,
                "the metadata has a member that can't be used"
            );
        }
        read.ok()
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }
}

/// OIDC Discovery §4.1: appended to the path, after a terminating slash is taken off.
pub fn address(issuer: &str) -> String {
    let base = issuer.strip_suffix('/').unwrap_or(issuer);
    format!("{base}/.well-known/openid-configuration")
}

#[cfg(test)]
mod tests {
    use super::{ProviderMetadata, address};
    use serde_json::{Value, json};

    #[test]
    fn the_documents_address_follows_the_rules_for_paths_and_slashes() {
        for (issuer, url) in [
            (
                "https://a.example",
                "https://a.example/.well-known/openid-configuration",
            ),
            (
                "https://a.example/",
                "https://a.example/.well-known/openid-configuration",
            ),
            (
                "https://a.example/t/1",
                "https://a.example/t/1/.well-known/openid-configuration",
            ),
            (
                "https://a.example/t/1/",
                "https://a.example/t/1/.well-known/openid-configuration",
            ),
        ] {
            assert_eq!(address(issuer), url);
        }
    }

    #[test]
    fn what_says_no_issuer_is_no_metadata() {
        for bad in ["", "[]", "{}", r#"{"issuer":7}"#, r#"{"issuer":null}"#] {
            assert!(
                ProviderMetadata::read("https://a.example", bad.as_bytes()).is_none(),
                "{bad}"
            );
        }
    }

    #[test]
    fn an_endpoint_that_can_not_be_used_is_as_good_as_not_there() {
        let read = |issuer: &str, value: Value| {
            let body = json!({"issuer": issuer, "x": value}).to_string();
            ProviderMetadata::read(issuer, body.as_bytes())
                .unwrap()
                .optional_endpoint("x")
        };
        for bad in [
            json!(""),
            json!("/revoke"),
            json!(7),
            json!("http://127.0.0.1/x"),
            json!("http://idp.example/x"),
            json!("javascript:alert(1)"),
            Value::Null,
        ] {
            assert_eq!(read("https://a.example", bad), None);
        }
        assert!(read("https://a.example", json!("https://b.example/x")).is_some());
        assert!(read("http://127.0.0.1:1", json!("http://127.0.0.1:2/x")).is_some());
    }
}
