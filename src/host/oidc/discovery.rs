//! The provider's metadata (OIDC Discovery 1.0, RFC 8414), kept in memory by issuer.

use super::super::http::{Http, TOTAL, Via, way_of};
use oam_config::agent::Provider;
use oam_model::answer::{EndpointFault, named};
use oam_oidc::metadata::{self, ProviderMetadata as Document};
use oam_oidc::ttl_cache::{CacheAges, CacheMiss, TtlCache};
use serde_json::Value;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// What is used of it. All endpoints are checked: https, or http on loopback with such an issuer.
pub(super) struct ProviderEndpoints {
    pub(super) authorization_endpoint: String,
    pub(super) token_endpoint: String,
    pub(super) jwks_uri: String,
    pub(super) revocation_endpoint: Option<String>,
    pub(super) userinfo_endpoint: Option<String>,
    /// With which ID tokens are signed, as far as it says so.
    pub(super) signing_algorithms: Vec<String>,
    /// RFC 8628 §4.
    pub(super) device_authorization_endpoint: Option<String>,
    /// RFC 9207 §3: every answer carries `iss`.
    pub(super) iss_in_answer: bool,
}

type Metadata = TtlCache<Arc<ProviderEndpoints>>;

/// Metadata by issuer and way.
pub(super) struct Discovery {
    http: Rc<Http>,
    known: RefCell<HashMap<(String, Via), Rc<Metadata>>>,
}

impl Discovery {
    pub(super) fn new(http: Rc<Http>) -> Self {
        Self {
            http,
            known: RefCell::default(),
        }
    }

    fn of(&self, provider: &Provider) -> Rc<Metadata> {
        let key = (provider.issuer.clone(), way_of(provider));
        let mut known = self.known.borrow_mut();
        let metadata = || Rc::new(TtlCache::new(CacheAges::BY_ONE_PERSON));
        Rc::clone(known.entry(key).or_insert_with(metadata))
    }

    /// From memory when it is there.
    pub(super) async fn known(
        &self,
        provider: &Provider,
    ) -> Result<Arc<ProviderEndpoints>, EndpointFault> {
        let metadata = self.of(provider);
        let whole = |held: &Arc<ProviderEndpoints>| Some(Arc::clone(held));
        let found = metadata.find(self.http.now(), whole, || self.fetch(provider));
        found.await.map_err(|miss| match miss {
            CacheMiss::Unreachable(fault) => fault,
            CacheMiss::Absent => unreadable(),
        })
    }

    /// Asked for now: a sign-in sees a provider that was changed.
    pub(super) async fn fresh(
        &self,
        provider: &Provider,
    ) -> Result<Arc<ProviderEndpoints>, EndpointFault> {
        let endpoints = self.fetch(provider).await?;
        let metadata = self.of(provider);
        metadata.store(Arc::clone(&endpoints), self.http.now());
        Ok(endpoints)
    }

    async fn fetch(&self, provider: &Provider) -> Result<Arc<ProviderEndpoints>, EndpointFault> {
        let url = metadata::address(&provider.issuer);
        let answer = self.http.get(&way_of(provider), &url, TOTAL).await?.ok()?;
        read(&provider.issuer, &answer.body).map(Arc::new)
    }
}

fn unreadable() -> EndpointFault {
    EndpointFault::Unreadable {
        why: "the answer is not an OpenID provider's metadata".to_owned(),
    }
}

fn read(issuer: &str, body: &[u8]) -> Result<ProviderEndpoints, EndpointFault> {
    let document = Document::read(issuer, body).ok_or_else(unreadable)?;
    let wrong = |name: &str, why: String| EndpointFault::Check {
        name: name.to_owned(),
        why,
    };
    // Byte for byte (R29): a normalized compare lets one provider speak for another.
    if document.issuer() != issuer {
        let why = format!(
            "the metadata names another issuer than the configuration{}",
            named(document.issuer())
        );
        return Err(wrong("issuer", why));
    }
    let needed = |name: &str| document.endpoint(name).map_err(|why| wrong(name, why));
    Ok(ProviderEndpoints {
        authorization_endpoint: needed("authorization_endpoint")?,
        token_endpoint: needed("token_endpoint")?,
        jwks_uri: needed("jwks_uri")?,
        revocation_endpoint: document.optional_endpoint("revocation_endpoint"),
        userinfo_endpoint: document.optional_endpoint("userinfo_endpoint"),
        signing_algorithms: document
            .get("id_token_signing_alg_values_supported")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect(),
        device_authorization_endpoint: document.optional_endpoint("device_authorization_endpoint"),
        iss_in_answer: document.get("authorization_response_iss_parameter_supported")
            == Some(&Value::Bool(true)),
    })
}

#[cfg(test)]
mod tests {
    use super::read;
    use oam_model::answer::EndpointFault;
    use serde_json::{Value, json};

    fn sample(issuer: &str) -> Value {
        json!({
            "issuer": issuer, "authorization_endpoint": "https://idp.example/auth",
            "token_endpoint": "https://idp.example/token", "jwks_uri": "https://idp.example/jwks",
        })
    }

    fn named(issuer: &str, document: &Value) -> String {
        match read(issuer, document.to_string().as_bytes()) {
            Ok(_) => "right".to_owned(),
            Err(EndpointFault::Check { name, .. }) => name,
            Err(_) => "unreadable".to_owned(),
        }
    }

    #[test]
    fn the_issuer_is_compared_byte_for_byte() {
        let issuer = "https://idp.example/t";
        assert_eq!(named(issuer, &sample(issuer)), "right");
        for other in [
            "https://idp.example/t/",
            "https://IDP.example/t",
            "https://idp.example:443/t",
            "https://idp.example",
        ] {
            assert_eq!(named(issuer, &sample(other)), "issuer", "{other}");
        }
    }

    #[test]
    fn endpoints_are_https_or_on_loopback_with_a_loopback_issuer() {
        let issuer = "https://idp.example";
        for name in ["authorization_endpoint", "token_endpoint", "jwks_uri"] {
            for bad in [
                "http://idp.example/x",
                "http://127.0.0.1/x",
                "javascript:alert(1)",
                "/x",
            ] {
                let mut document = sample(issuer);
                document[name] = json!(bad);
                assert_eq!(named(issuer, &document), name, "{bad}");
            }
        }
        for bad in [
            json!(""),
            json!("/revoke"),
            json!(7),
            json!("http://127.0.0.1/x"),
            Value::Null,
        ] {
            let mut document = sample(issuer);
            document["revocation_endpoint"] = bad;
            document["authorization_response_iss_parameter_supported"] = json!("true");
            let read = read(issuer, document.to_string().as_bytes()).ok().unwrap();
            assert!(read.revocation_endpoint.is_none() && !read.iss_in_answer);
        }
        let local = "http://127.0.0.1:8080";
        let mut document = sample(local);
        document["token_endpoint"] = json!("http://127.0.0.1:8080/token");
        assert_eq!(named(local, &document), "right");
    }
}
