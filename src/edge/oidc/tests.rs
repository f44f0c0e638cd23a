use super::super::http::Http;
use super::super::http::stand_in::{Canned, Seen, StandIn, Still};
use super::Oidc;
use crate::agent::ports::{Arrived, Idp as _};
use crate::agent::state::SessionTokens;
use crate::config::agent::{Body, Exchange, Org, Provider, Rfc8693, SubjectToken};
use crate::model::answer::EndpointFault;
use crate::model::identity::Identity;
use crate::model::refusal::Refusal;
use crate::model::secret::Secret;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const NOW: u64 = 1_800_000_000;

/// What the stand-in provider does; a test changes it while it runs.
struct Script {
    metadata: Value,
    jwks: Canned,
    token: Canned,
    revocation: Canned,
}

struct Idp {
    server: StandIn,
    script: Arc<Mutex<Script>>,
    key: EncodingKey,
    clock: Rc<Still>,
    oidc: Oidc,
}

fn new_key() -> EncodingKey {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    EncodingKey::from_ec_der(pair.to_pkcs8v1().unwrap().as_ref())
}

fn jwks(keys: &[(&str, &EncodingKey)]) -> Canned {
    let mut list = vec![json!({"kty": "future", "kid": "a", "use": "sig"})];
    for (kid, key) in keys {
        let mut jwk = Jwk::from_encoding_key(key, Algorithm::ES256).unwrap();
        jwk.common.key_id = Some((*kid).to_owned());
        list.push(serde_json::to_value(jwk).unwrap());
    }
    Canned::json(&json!({"keys": list}))
}

impl Idp {
    async fn start() -> Self {
        let key = new_key();
        let script = Arc::new(Mutex::new(Script {
            metadata: Value::Null,
            jwks: jwks(&[("k1", &key)]),
            token: Canned::Reset,
            revocation: Canned::Say(200, "", String::new()),
        }));
        let shared = Arc::clone(&script);
        let server = StandIn::start(move |_, seen: &Seen| {
            let script = shared.lock().unwrap();
            match seen.line.split(' ').nth(1) {
                Some("/.well-known/openid-configuration") => Canned::json(&script.metadata),
                Some("/jwks") => script.jwks.clone(),
                Some("/token") => script.token.clone(),
                Some("/revoke") => script.revocation.clone(),
                _ => Canned::Say(404, "", String::new()),
            }
        })
        .await;
        let base = &server.base;
        script.lock().unwrap().metadata = json!({
            "issuer": base, "authorization_endpoint": format!("{base}/auth?tenant=1"),
            "token_endpoint": format!("{base}/token"), "jwks_uri": format!("{base}/jwks"),
            "revocation_endpoint": format!("{base}/revoke"),
            "authorization_response_iss_parameter_supported": true,
        });
        let clock = Still::at(NOW);
        let oidc = Oidc::new(Rc::new(Http::new(Rc::clone(&clock) as _)));
        Self {
            server,
            script,
            key,
            clock,
            oidc,
        }
    }

    fn set(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().unwrap());
    }

    fn org(&self) -> Org {
        Org {
            name: "acme".parse().unwrap(),
            provider: Provider {
                issuer: self.server.base.clone(),
                client_id: "oam".into(),
                scopes: vec!["openid".into(), "offline_access".into()],
                extra: BTreeMap::from([
                    ("prompt".to_owned(), "consent".to_owned()),
                    ("state".to_owned(), "fixed".to_owned()),
                ]),
                redirect_port: 0,
                redirect_path: "/back".into(),
                groups_claim: "groups".into(),
                ca_file: None,
                proxy: None,
            },
            exchange: Exchange::Rfc8693(Rfc8693 {
                token_endpoint: "https://x.example/".into(),
                body: Body::Form,
                subject: SubjectToken::IdToken,
                client_id: None,
                audience: None,
                resource: None,
                scope: None,
                revocation_endpoint: None,
            }),
            hubs: vec![],
            roles: vec![],
            fresh_ms: 0,
            lease_ms: 0,
            session_age_ms: 0,
        }
    }

    fn claims(&self) -> Value {
        json!({"iss": self.server.base, "aud": "oam", "sub": "u1", "iat": NOW, "exp": NOW + 300})
    }

    fn signed(&self, claims: &Value) -> String {
        let header = Header {
            kid: Some("k1".into()),
            ..Header::new(Algorithm::ES256)
        };
        jsonwebtoken::encode(&header, claims, &self.key).unwrap()
    }

    fn answer(&self, id_token: &str) -> Value {
        json!({"access_token": "at2", "refresh_token": "rt2", "id_token": id_token,
            "token_type": "Bearer", "expires_in": "60"})
    }

    async fn refresh(&self) -> Result<Arrived, EndpointFault> {
        let secret = |text: &str| Arc::new(Secret::new(text.to_owned()));
        let tokens = SessionTokens {
            refresh: secret("rt1"),
            id: secret("id1"),
            access: secret("at1"),
            access_expires: Some(NOW + 5),
        };
        let known = Identity {
            issuer: self.server.base.clone(),
            subject: "u1".into(),
            email: None,
            groups: vec!["ml".into()],
            auth_time: Some(NOW - 50),
            id_token_expires: Some(NOW + 1),
        };
        self.oidc.refresh(&self.org(), tokens, known).await
    }

    async fn refreshed(&self, id_token: &str) -> Result<Arrived, EndpointFault> {
        let answer = self.answer(id_token);
        self.set(|script| script.token = Canned::json(&answer));
        self.refresh().await
    }

    /// Signs in; `visit` makes the callback's query from the authorization URL's parameters.
    async fn login(
        &self,
        visit: impl FnOnce(&BTreeMap<String, String>) -> String,
    ) -> (Result<Arrived, Refusal>, String) {
        let pending = self.oidc.begin(&self.org()).await.ok().unwrap();
        let url = url::Url::parse(&pending.url).unwrap();
        let asked: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        let query = visit(&asked);
        let target = url::Url::parse(&asked["redirect_uri"]).unwrap();
        let host = format!("127.0.0.1:{}", target.port().unwrap());
        let browser = async {
            let mut stream = tokio::net::TcpStream::connect(&host).await.unwrap();
            let request = format!(
                "GET {}?{query} HTTP/1.1\r\nHost: {host}\r\n\r\n",
                target.path()
            );
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut page = String::new();
            stream.read_to_string(&mut page).await.unwrap();
            page
        };
        tokio::join!(pending.arrival, browser)
    }

    /// A sign-in whose ID token has these claims instead.
    async fn login_with(&self, change: &Value) -> (Result<Arrived, Refusal>, String) {
        self.login(|asked| {
            let mut claims = self.claims();
            claims["nonce"] = json!(asked["nonce"]);
            claims
                .as_object_mut()
                .unwrap()
                .extend(change.as_object().unwrap().clone());
            let answer = self.answer(&self.signed(&claims));
            self.set(|script| script.token = Canned::json(&answer));
            self.right(asked)
        })
        .await
    }

    fn right(&self, asked: &BTreeMap<String, String>) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query
            .append_pair("code", "c1")
            .append_pair("state", &asked["state"]);
        query.append_pair("iss", &self.server.base).finish()
    }
}

fn check_name(result: Result<Arrived, EndpointFault>) -> String {
    match result.err() {
        Some(EndpointFault::Check { name, .. }) => name,
        None => "right".to_owned(),
        Some(other) => format!("{other:?}"),
    }
}

#[tokio::test]
async fn a_sign_in_by_code_brings_tokens_and_identity_and_tells_the_browser() {
    let idp = Idp::start().await;
    let seen = Mutex::new(BTreeMap::new());
    let (arrived, page) = idp
        .login(|asked| {
            *seen.lock().unwrap() = asked.clone();
            let mut claims = idp.claims();
            claims["nonce"] = json!(asked["nonce"]);
            let answer = idp.answer(&idp.signed(&claims));
            idp.set(|script| script.token = Canned::json(&answer));
            idp.right(asked)
        })
        .await;
    let arrived = arrived.ok().unwrap();
    assert_eq!(arrived.identity.subject, "u1");
    assert_eq!(arrived.tokens.refresh.expose(), "rt2");
    assert_eq!(arrived.tokens.access_expires, Some(NOW + 60));
    assert!(page.contains("You are signed in to acme"));
    let asked = seen.into_inner().unwrap();
    for (name, value) in [
        ("tenant", "1"),
        ("response_type", "code"),
        ("client_id", "oam"),
        ("scope", "openid offline_access"),
        ("prompt", "consent"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(asked[name], value);
    }
    assert_ne!(asked["state"], "fixed");
    let sent = idp
        .server
        .seen()
        .iter()
        .find(|s| s.line == "POST /token")
        .unwrap()
        .form();
    assert_eq!(sent["grant_type"], "authorization_code");
    assert_eq!(sent["redirect_uri"], asked["redirect_uri"]);
    let verifier = oauth2::PkceCodeVerifier::new(sent["code_verifier"].clone());
    let challenge = oauth2::PkceCodeChallenge::from_code_verifier_sha256(&verifier);
    assert_eq!(challenge.as_str(), asked["code_challenge"]);
}

#[tokio::test]
async fn a_sign_in_that_fails_a_check_is_refused_by_its_name_on_both_ends() {
    let idp = Idp::start().await;
    for (name, change) in [
        ("iss", json!({"iss": "https://other.example"})),
        ("aud", json!({"aud": "other"})),
        ("nonce", json!({"nonce": "other"})),
        ("exp", json!({"exp": NOW - 100})),
        ("groups", json!({"_claim_names": {"groups": "src1"}})),
    ] {
        let (arrived, page) = idp.login_with(&change).await;
        let refusal = arrived.err().unwrap();
        assert!(
            refusal.sentence.contains(&format!("`{name}`")),
            "{refusal:?}"
        );
        assert!(
            page.contains("Sign-in failed") && page.contains(&format!("`{name}`")),
            "{page}"
        );
    }
}

#[tokio::test]
async fn an_answer_without_refresh_token_names_offline_access() {
    let idp = Idp::start().await;
    let (arrived, _) = idp
        .login(|asked| {
            let mut claims = idp.claims();
            claims["nonce"] = json!(asked["nonce"]);
            let mut answer = idp.answer(&idp.signed(&claims));
            answer["refresh_token"] = Value::Null;
            idp.set(|script| script.token = Canned::json(&answer));
            idp.right(asked)
        })
        .await;
    assert!(arrived.err().unwrap().next.contains("offline_access"));
}

#[tokio::test]
async fn the_issuer_of_the_answer_is_checked_before_anything_else() {
    let idp = Idp::start().await;
    let state = |asked: &BTreeMap<String, String>| asked["state"].clone();
    let (arrived, _) = idp.login(|a| format!("code=c&state={}", state(a))).await;
    assert!(arrived.err().unwrap().sentence.contains("`iss`"));
    let other = "iss=https%3A%2F%2Fother.example";
    let (arrived, _) = idp
        .login(|a| format!("error=access_denied&{other}&state={}", state(a)))
        .await;
    assert!(arrived.err().unwrap().sentence.contains("`iss`"));
    idp.set(|script| {
        script.metadata["authorization_response_iss_parameter_supported"] = json!(false);
    });
    let (arrived, _) = idp
        .login(|a| format!("code=c&{other}&state={}", state(a)))
        .await;
    assert!(arrived.err().unwrap().sentence.contains("`iss`"));
    assert_eq!(idp.server.count("/token"), 0);
}

#[tokio::test]
async fn a_refusal_of_the_provider_is_said_without_its_prose() {
    let idp = Idp::start().await;
    idp.set(|script| {
        script.metadata["authorization_response_iss_parameter_supported"] = json!(false);
    });
    for (error, code) in [
        ("access_denied", "`access_denied`"),
        ("%3Cscript%3E", "`unnamed error`"),
    ] {
        let (arrived, page) = idp
            .login(|a| format!("error={error}&error_description=tok-1&state={}", a["state"]))
            .await;
        let refusal = arrived.err().unwrap();
        assert!(refusal.sentence.contains(code), "{refusal:?}");
        assert!(!page.contains("tok-1") && !format!("{refusal:?}").contains("tok-1"));
    }
}

#[tokio::test]
async fn a_provider_that_is_not_there_or_is_another_one_is_said_before_the_browser_opens() {
    let idp = Idp::start().await;
    idp.set(|script| script.metadata["issuer"] = json!("https://other.example"));
    let refusal = idp.oidc.begin(&idp.org()).await.err().unwrap();
    assert!(refusal.sentence.contains("`issuer`"), "{refusal:?}");
    let mut org = idp.org();
    org.provider.issuer.push_str("/nothing");
    let refusal = idp.oidc.begin(&org).await.err().unwrap();
    assert!(refusal.sentence.contains("404"), "{refusal:?}");
}

#[tokio::test]
async fn a_refresh_brings_the_new_tokens() {
    let idp = Idp::start().await;
    let mut claims = idp.claims();
    claims["groups"] = json!(["ops"]);
    let token = idp.signed(&claims);
    let arrived = idp.refreshed(&token).await.ok().unwrap();
    assert_eq!(arrived.tokens.refresh.expose(), "rt2");
    assert_eq!(arrived.tokens.id.expose(), token);
    assert_eq!(arrived.tokens.access.expose(), "at2");
    assert_eq!(arrived.identity.groups, ["ops"]);
    // The token says nothing of it: what the session knows stays, to be compared next time.
    assert_eq!(arrived.identity.auth_time, Some(NOW - 50));
    let sent = idp
        .server
        .seen()
        .iter()
        .find(|s| s.line == "POST /token")
        .unwrap()
        .form();
    assert_eq!(sent["refresh_token"], "rt1");
    assert_eq!(idp.server.count("/.well-known/openid-configuration"), 1);
    idp.refreshed(&token).await.ok().unwrap();
    assert_eq!(idp.server.count("/.well-known/openid-configuration"), 1);
    assert_eq!(idp.server.count("/jwks"), 1);
}

#[tokio::test]
async fn what_a_refresh_leaves_out_stays_as_it_was() {
    let idp = Idp::start().await;
    idp.set(|script| script.token = Canned::json(&json!({"access_token": "at2"})));
    let arrived = idp.refresh().await.ok().unwrap();
    assert_eq!(arrived.tokens.refresh.expose(), "rt1");
    assert_eq!(arrived.tokens.id.expose(), "id1");
    assert_eq!(arrived.tokens.access_expires, None);
    assert_eq!(arrived.identity.groups, ["ml"]);
}

#[tokio::test]
async fn a_refreshed_id_token_that_fails_its_check_is_named() {
    let idp = Idp::start().await;
    let mut other = idp.claims();
    other["sub"] = json!("u2");
    assert_eq!(check_name(idp.refreshed(&idp.signed(&other)).await), "sub");
    let mut later = idp.claims();
    later["auth_time"] = json!(NOW);
    assert_eq!(
        check_name(idp.refreshed(&idp.signed(&later)).await),
        "auth_time"
    );
}

#[tokio::test]
async fn algorithms_and_signatures_are_checked_by_name() {
    let idp = Idp::start().await;
    let good = idp.signed(&idp.claims());
    let (_, rest) = good.split_once('.').unwrap();
    let payload = rest.split_once('.').unwrap().0;
    // {"alg":"none"}, {"alg":"none","typ":"JWT"} and {"alg":"nOnE"}
    for header in [
        "eyJhbGciOiJub25lIn0",
        "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0",
        "eyJhbGciOiJuT25FIn0",
    ] {
        for signature in ["", "AAAA"] {
            let token = format!("{header}.{payload}.{signature}");
            assert_eq!(check_name(idp.refreshed(&token).await), "alg");
        }
    }
    let public = serde_json::to_vec(&Jwk::from_encoding_key(&idp.key, Algorithm::ES256).unwrap());
    let keyed = EncodingKey::from_secret(&public.unwrap());
    for alg in [Algorithm::HS256, Algorithm::HS512] {
        let header = Header {
            kid: Some("k1".into()),
            ..Header::new(alg)
        };
        let token = jsonwebtoken::encode(&header, &idp.claims(), &keyed).unwrap();
        assert_eq!(check_name(idp.refreshed(&token).await), "alg");
    }
    let header = Header {
        kid: Some("k1".into()),
        ..Header::new(Algorithm::ES256)
    };
    let forged = jsonwebtoken::encode(&header, &idp.claims(), &new_key()).unwrap();
    assert_eq!(check_name(idp.refreshed(&forged).await), "signature");
    let mut other = idp.claims();
    other["sub"] = json!("u2");
    let (other, signature) = (idp.signed(&other), good.rsplit_once('.').unwrap().1);
    let swapped = format!("{}.{signature}", other.rsplit_once('.').unwrap().0);
    assert_eq!(check_name(idp.refreshed(&swapped).await), "signature");
    assert_eq!(
        check_name(idp.refreshed(&good[..good.len() - 8]).await),
        "signature"
    );
    assert_eq!(check_name(idp.refreshed("not a token").await), "id_token");
    assert_eq!(check_name(idp.refreshed(&good).await), "right");
}

#[tokio::test]
async fn an_unknown_key_asks_once_more_and_not_more_often_than_every_thirty_seconds() {
    let idp = Idp::start().await;
    idp.refreshed(&idp.signed(&idp.claims()))
        .await
        .ok()
        .unwrap();
    let next = new_key();
    let header = Header {
        kid: Some("k2".into()),
        ..Header::new(Algorithm::ES256)
    };
    let token = jsonwebtoken::encode(&header, &idp.claims(), &next).unwrap();
    assert_eq!(check_name(idp.refreshed(&token).await), "kid");
    assert_eq!(idp.server.count("/jwks"), 1, "rate-limited");
    idp.clock.pass(31);
    assert_eq!(check_name(idp.refreshed(&token).await), "kid");
    assert_eq!(idp.server.count("/jwks"), 2);
    idp.set(|script| script.jwks = jwks(&[("k1", &new_key()), ("k2", &next)]));
    idp.clock.pass(31);
    assert_eq!(check_name(idp.refreshed(&token).await), "right");
    assert_eq!(idp.server.count("/jwks"), 3);
}

#[tokio::test]
async fn a_token_without_key_id_is_taken_only_when_there_is_no_choice() {
    let idp = Idp::start().await;
    let header = Header::new(Algorithm::ES256);
    let token = jsonwebtoken::encode(&header, &idp.claims(), &idp.key).unwrap();
    assert_eq!(check_name(idp.refreshed(&token).await), "right");
    idp.set(|script| script.jwks = jwks(&[("k1", &idp.key), ("k2", &new_key())]));
    idp.clock.pass(3600);
    let mut claims = idp.claims();
    claims["exp"] = json!(NOW + 7200);
    let token = jsonwebtoken::encode(&header, &claims, &idp.key).unwrap();
    assert_eq!(check_name(idp.refreshed(&token).await), "kid");
}

#[tokio::test]
async fn a_key_server_that_is_down_does_not_cost_the_rotated_refresh_token() {
    let idp = Idp::start().await;
    idp.set(|script| script.jwks = Canned::Say(503, "text/html", String::new()));
    let arrived = idp
        .refreshed(&idp.signed(&idp.claims()))
        .await
        .ok()
        .unwrap();
    assert_eq!(arrived.tokens.refresh.expose(), "rt2");
    assert_eq!(arrived.tokens.id.expose(), "id1", "unchecked, so not used");
    assert_eq!(arrived.identity.groups, ["ml"]);
    let (arrived, _) = idp.login_with(&json!({})).await;
    assert!(arrived.err().unwrap().sentence.contains("`signature`"));
}

#[tokio::test]
async fn faults_of_a_refresh_are_facts_and_the_token_is_sent_once() {
    let idp = Idp::start().await;
    let status = |status, error: Option<&str>| EndpointFault::Status {
        status,
        error: error.map(Into::into),
        bare: error.is_none(),
    };
    let mut asked = 0;
    for (canned, expected) in [
        (
            Canned::error(400, "invalid_grant"),
            Some(status(400, Some("invalid_grant"))),
        ),
        (Canned::Say(400, "", String::new()), Some(status(400, None))),
        (Canned::Say(401, "", String::new()), Some(status(401, None))),
        (
            Canned::Say(500, "text/html", "<p>".into()),
            Some(status(500, None)),
        ),
        (
            Canned::Say(429, "text/plain", "slow".into()),
            Some(status(429, None)),
        ),
        (Canned::Reset, None),
        (
            Canned::Say(200, "text/html", "<p>sign in to the network".into()),
            None,
        ),
    ] {
        idp.set(|script| script.token = canned);
        let fault = idp.refresh().await.err().unwrap();
        asked += 1;
        assert_eq!(idp.server.count("/token"), asked);
        match expected {
            Some(expected) => assert_eq!(fault, expected),
            None => assert!(matches!(
                fault,
                EndpointFault::Lost { .. } | EndpointFault::Unreadable { .. }
            )),
        }
    }
}

#[tokio::test]
async fn a_discovery_that_fails_never_looks_like_an_answer_to_the_refresh() {
    let idp = Idp::start().await;
    idp.set(|script| script.metadata["issuer"] = json!("https://portal.example"));
    let fault = idp.refresh().await.err().unwrap();
    assert!(matches!(fault, EndpointFault::NotSent { .. }), "{fault:?}");
    assert_eq!(idp.server.count("/token"), 0);
}

#[tokio::test]
async fn a_sign_out_revokes_at_the_provider_or_says_why_not() {
    let idp = Idp::start().await;
    let revoke = || {
        idp.oidc
            .revoke(&idp.org(), Arc::new(Secret::new("rt1".into())))
    };
    assert_eq!(revoke().await, Ok(()));
    let form = idp.server.seen().last().unwrap().form();
    assert_eq!(
        (form["token"].as_str(), form["client_id"].as_str()),
        ("rt1", "oam")
    );
    idp.set(|script| script.revocation = Canned::error(503, "temporarily_unavailable"));
    assert_eq!(
        revoke().await.unwrap_err(),
        "it answered 503, `temporarily_unavailable`"
    );
    idp.set(|script| script.metadata["revocation_endpoint"] = Value::Null);
    idp.clock.pass(24 * 3600);
    assert!(
        revoke()
            .await
            .unwrap_err()
            .contains("no revocation endpoint")
    );
}
