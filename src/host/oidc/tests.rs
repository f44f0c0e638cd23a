use super::super::http::Http;
use super::Oidc;
use oam_agent::ports::{Arrived, Authentication, IdentityProvider as _};
use oam_agent::state::SessionTokens;
use oam_config::agent::{Body, Exchange, Org, Provider, Rfc8693, SubjectToken};
use oam_model::answer::EndpointFault;
use oam_model::identity::Identity;
use oam_model::refusal::Refusal;
use oam_model::secret::Secret;
use oam_model::sign_in::SignInBy;
use oam_session::machine::fixture::provider;
use oam_standin::clock::Still;
use oam_standin::server::{Canned, Seen, StandIn};
use oam_standin::signer::Signer;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

mod answers;
mod login;
mod look;
mod refresh;
mod userinfo;

const NOW: u64 = 1_800_000_000;

/// What the stand-in provider does; a test changes it while it runs.
struct Script {
    metadata: Value,
    jwks: Canned,
    token: Canned,
    revocation: Canned,
    userinfo: Canned,
}

struct Idp {
    server: StandIn,
    script: Arc<Mutex<Script>>,
    key: Signer,
    clock: Rc<Still>,
    oidc: Oidc,
}

fn jwks(keys: &[&Signer]) -> Canned {
    let mut list = vec![json!({"kty": "future", "kid": "a", "use": "sig"})];
    list.extend(keys.iter().map(|key| key.jwk.clone()));
    Canned::json(&json!({"keys": list}))
}

impl Idp {
    async fn start() -> Self {
        let key = Signer::ec("k1");
        let script = Arc::new(Mutex::new(Script {
            metadata: Value::Null,
            jwks: jwks(&[&key]),
            token: Canned::Reset,
            revocation: Canned::Say(200, "", String::new()),
            userinfo: Canned::Reset,
        }));
        let shared = Arc::clone(&script);
        let server = StandIn::start(move |_, seen: &Seen| {
            let script = shared.lock().unwrap();
            match seen.line.split(' ').nth(1) {
                Some("/.well-known/openid-configuration") => Canned::json(&script.metadata),
                Some("/jwks") => script.jwks.clone(),
                Some("/token") => script.token.clone(),
                Some("/revoke") => script.revocation.clone(),
                Some("/userinfo") => script.userinfo.clone(),
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
                scopes: vec!["openid".into(), "offline_access".into()],
                extra: BTreeMap::from([
                    ("prompt".to_owned(), "consent".to_owned()),
                    ("state".to_owned(), "fixed".to_owned()),
                ]),
                redirect_path: "/back".into(),
                ..provider(&self.server.base)
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
            session_age_ms: 7 * 86_400_000,
        }
    }

    fn claims(&self) -> Value {
        json!({"iss": self.server.base, "aud": "oam", "sub": "u1", "iat": NOW, "exp": NOW + 300})
    }

    fn signed(&self, claims: &Value) -> String {
        self.key.sign(Some("JWT"), claims)
    }

    async fn refresh(&self) -> Result<Arrived, EndpointFault> {
        self.refresh_of(&self.org()).await
    }

    async fn refresh_of(&self, org: &Org) -> Result<Arrived, EndpointFault> {
        let secret = |text: &str| Arc::new(Secret::new(text.to_owned()));
        let tokens = SessionTokens {
            refresh: secret("rt1"),
            id: secret("id1"),
            access: secret("at1"),
            access_expires: Some(NOW + 5),
        };
        self.oidc.refresh(org, tokens, self.known()).await
    }

    /// Who signed in.
    fn known(&self) -> Identity {
        Identity {
            issuer: self.server.base.clone(),
            subject: "u1".into(),
            email: None,
            groups: vec!["ml".into()],
            auth_time: Some(NOW - 50),
            id_token_expires: Some(NOW + 1),
        }
    }

    async fn refreshed(&self, id_token: &str) -> Result<Arrived, EndpointFault> {
        let answer = answer(id_token);
        self.set(|script| script.token = Canned::json(&answer));
        self.refresh().await
    }

    /// Signs in; `visit` makes the callback's query from the authorization URL's parameters.
    async fn login(
        &self,
        visit: impl FnOnce(&BTreeMap<String, String>) -> String,
    ) -> (Result<Arrived, Refusal>, String) {
        self.login_to(&self.org(), visit).await
    }

    /// The same, to an organization that asks for something else.
    async fn login_to(
        &self,
        org: &Org,
        visit: impl FnOnce(&BTreeMap<String, String>) -> String,
    ) -> (Result<Arrived, Refusal>, String) {
        let begun = self
            .oidc
            .begin(org, Authentication::AsItStands, SignInBy::Browser)
            .await;
        let pending = begun.ok().unwrap();
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
        let arrival = async {
            let returned = pending.arrival.await?;
            (returned.tell)(None).await;
            Ok(returned.arrived)
        };
        tokio::join!(arrival, browser)
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
            let answer = answer(&self.signed(&claims));
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

/// A token endpoint's good answer with this ID token.
fn answer(id_token: &str) -> Value {
    json!({"access_token": "at2", "refresh_token": "rt2", "id_token": id_token,
        "token_type": "Bearer", "expires_in": "60"})
}

fn check_name(result: Result<Arrived, EndpointFault>) -> String {
    let flaw = match result {
        Ok(arrived) => {
            let unproven = arrived.flaw.is_some();
            assert_eq!(arrived.tokens.refresh.expose(), "rt2", "never lost");
            assert!(!unproven || arrived.tokens.id.expose() == "id1");
            arrived.flaw
        }
        Err(fault) => Some(fault),
    };
    match flaw {
        Some(EndpointFault::Check { name, .. }) => name,
        None => "right".to_owned(),
        Some(other) => format!("{other:?}"),
    }
}
