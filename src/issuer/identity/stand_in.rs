//! A provider for tests: documents, keys, introspection and userinfo on loopback, each question counted.

use crate::outbound::OutboundClient;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
};
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::IntoResponse;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use oam_model::issuer::{
    IdentitySource, IssuerSettings, SecretPlace, ServerLimits, Signing, SigningAlgorithm,
    Transmitter,
};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

/// A key pair that signs.
pub(crate) struct Signer {
    private: EncodingKey,
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: String,
    /// The public half.
    pub(crate) jwk: Value,
}

impl Signer {
    pub(crate) fn ec(kid: &str) -> Self {
        let pair =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
                .unwrap();
        Self::of(
            EncodingKey::from_ec_der(pair.as_ref()),
            Algorithm::ES256,
            kid,
        )
    }

    pub(crate) fn ec384(kid: &str) -> Self {
        let pair =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &SystemRandom::new())
                .unwrap();
        let private = EncodingKey::from_ec_der(pair.as_ref());
        Self::of(private, Algorithm::ES384, kid)
    }

    pub(crate) fn rsa(kid: &str) -> Self {
        /// What stands before the key itself in PKCS#8 for 2048 bits.
        const PREFIX: usize = 26;
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        Self::of(
            EncodingKey::from_rsa_der(&der.as_ref()[PREFIX..]),
            Algorithm::RS256,
            kid,
        )
    }

    fn of(private: EncodingKey, algorithm: Algorithm, kid: &str) -> Self {
        let mut jwk = Jwk::from_encoding_key(&private, algorithm).unwrap();
        jwk.common.key_id = Some(kid.to_owned());
        Self {
            private,
            algorithm,
            kid: kid.to_owned(),
            jwk: serde_json::to_value(jwk).unwrap(),
        }
    }

    pub(crate) fn sign(&self, typ: Option<&str>, claims: &Value) -> String {
        self.sign_as(typ, Some(&self.kid), claims)
    }

    pub(crate) fn sign_as(&self, typ: Option<&str>, kid: Option<&str>, claims: &Value) -> String {
        let mut header = Header::new(self.algorithm);
        header.typ = typ.map(str::to_owned);
        header.kid = kid.map(str::to_owned);
        jsonwebtoken::encode(&header, claims, &self.private).unwrap()
    }
}

/// What the provider answers.
pub(crate) struct Answers {
    pub(crate) down: bool,
    /// `issuer` of its documents.
    pub(crate) issuer: String,
    pub(crate) keys: Vec<Value>,
    pub(crate) introspection: (u16, Value),
    pub(crate) userinfo: (u16, Value),
    /// More members of the document for security events; none: it has no such document.
    pub(crate) ssf: Option<Value>,
    hits: HashMap<String, usize>,
    forms: Vec<String>,
}

pub(crate) struct Provider {
    pub(crate) issuer: String,
    answers: Arc<Mutex<Answers>>,
}

impl Provider {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let answers = Arc::new(Mutex::new(Answers {
            down: false,
            issuer: issuer.clone(),
            keys: Vec::new(),
            introspection: (200, json!({ "active": false })),
            userinfo: (401, json!({ "error": "invalid_token" })),
            ssf: None,
            hits: HashMap::new(),
            forms: Vec::new(),
        }));
        let shared = Arc::clone(&answers);
        let base = issuer.clone();
        let app = Router::new().fallback(async move |uri: Uri, head: HeaderMap, body: Bytes| {
            let (status, answer) = answer(&base, &shared, uri.path(), &head, &body);
            (
                StatusCode::from_u16(status).unwrap(),
                [("content-type", "application/json")],
                answer.to_string(),
            )
                .into_response()
        });
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { issuer, answers }
    }

    pub(crate) fn answers(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap()
    }

    /// How often this path was asked.
    pub(crate) fn hits(&self, path: &str) -> usize {
        self.answers().hits.get(path).copied().unwrap_or(0)
    }

    /// What was posted to introspection.
    pub(crate) fn forms(&self) -> Vec<String> {
        self.answers().forms.clone()
    }
}

fn answer(
    base: &str,
    shared: &Mutex<Answers>,
    path: &str,
    head: &HeaderMap,
    body: &Bytes,
) -> (u16, Value) {
    let mut answers = shared.lock().unwrap();
    *answers.hits.entry(path.to_owned()).or_default() += 1;
    if answers.down {
        return (503, json!({}));
    }
    let document = json!({
        "issuer": answers.issuer, "jwks_uri": format!("{base}/jwks"),
        "introspection_endpoint": format!("{base}/introspect"),
        "userinfo_endpoint": format!("{base}/userinfo"),
    });
    match path {
        "/.well-known/openid-configuration" => (200, document),
        "/.well-known/ssf-configuration" if answers.ssf.is_some() => {
            let mut document = document;
            let more = answers.ssf.clone().unwrap();
            let more = more.as_object().unwrap().clone();
            document.as_object_mut().unwrap().extend(more);
            (200, document)
        }
        "/jwks" => (200, json!({ "keys": answers.keys })),
        "/introspect" => {
            let credentials = head["authorization"].to_str().unwrap();
            assert!(credentials.starts_with("Basic "), "{credentials}");
            let form = String::from_utf8(body.to_vec()).unwrap();
            answers.forms.push(form);
            answers.introspection.clone()
        }
        "/userinfo" => answers.userinfo.clone(),
        _ => (404, json!({})),
    }
}

/// Settings with these sources and transmitters, the rest of no consequence here.
pub(crate) fn settings(
    sources: Vec<IdentitySource>,
    transmitters: Vec<Transmitter>,
) -> IssuerSettings {
    IssuerSettings {
        url: "https://oam.acme.example".to_owned(),
        listen: Vec::new(),
        tls: None,
        trusted_proxies: Vec::new(),
        database: String::new(),
        marker: None,
        anchors: None,
        policy: String::new(),
        master_key: SecretPlace::Variable("UNUSED".to_owned()),
        signing: Signing {
            algorithm: SigningAlgorithm::Es256,
            announce_ms: 0,
        },
        sources,
        hubs: Vec::new(),
        transmitters,
        limits: ServerLimits {
            body_bytes: 0,
            request_ms: 0,
            exchanges_per_minute: 0,
            burst: 0,
            feeds: 0,
            connections: 0,
            connections_per_address: 0,
            records_per_day: 0,
            record_bytes_per_day: 0,
            audit_days: 0,
        },
        heartbeat_ms: 15_000,
        metrics_token: None,
        ca_file: None,
        proxy: None,
        proxy_auth_file: None,
    }
}

/// The way out for these settings.
pub(crate) fn outside(settings: &IssuerSettings) -> Arc<OutboundClient> {
    Arc::new(OutboundClient::new(settings).unwrap_or_else(|r| panic!("{}", r.sentence)))
}
