mod ends;
mod organization;
mod own;
mod publisher;

use super::{Mint, MintFault, MintRequest, MintedToken, Parts};
use crate::keys::SigningKeys;
use crate::outbound::OutboundClient;
use crate::seal::{MasterKey, Purpose};
use crate::secrets::{NewSecret, put};
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, Uri};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use oam_model::granted::Scheme;
use oam_model::issuer::{Backend, IssuerHub, Signing, SigningAlgorithm};
use oam_model::name::{OrgName, Repository};
use oam_model::policy::Decision;
use oam_model::principal::{Groups, Principal, PrincipalKey, PrincipalKind};
use oam_model::role::{Action, OfflineRule};
use oam_model::secret::Secret;
use oam_model::settings::HubKind;
use oam_store::memory::MemoryStore;
use oam_store::{SecretOwner, Store, TokenRow};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

pub(super) const NOW: u64 = 1_800_000_000_000;
pub(super) const NOW_S: u64 = NOW / 1000;
pub(super) const ISSUER: &str = "https://oam.acme.example";
/// What hubs write into their errors, and what must not come through.
const PROSE: &str = "tok-123 SELECT";

/// A request as the hub saw it.
#[derive(Clone)]
pub(super) struct Seen {
    pub(super) path: String,
    pub(super) content_type: String,
    pub(super) authorization: String,
    pub(super) body: String,
}

type Script = Box<dyn Fn(&Seen) -> (u16, Value) + Send + Sync>;

/// A hub on loopback with a script, and an issuer's mint that uses it.
pub(super) struct World {
    pub(super) mint: Mint,
    pub(super) memory: Arc<MemoryStore>,
    pub(super) keys: Arc<SigningKeys>,
    pub(super) hub: IssuerHub,
    pub(super) principal: Principal,
    pub(super) decision: Decision,
    pub(super) repository: Option<Repository>,
    pub(super) may_write: bool,
    seen: Arc<Mutex<Vec<Seen>>>,
}

pub(super) fn token(name: &str, expires_in: u64) -> (u16, Value) {
    let answer = json!({
        "access_token": name, "token_type": "bearer", "expires_in": expires_in,
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
    });
    (200, answer)
}

pub(super) fn error(status: u16, code: &str) -> (u16, Value) {
    (status, json!({"error": code, "error_description": PROSE}))
}

async fn serve(script: Script) -> (String, Arc<Mutex<Vec<Seen>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (log, script) = (Arc::clone(&seen), Arc::new(script));
    let app = Router::new().fallback(async move |uri: Uri, headers: HeaderMap, body: Bytes| {
        let header = |name: &str| {
            let value = headers.get(name).map(|v| v.to_str().unwrap());
            value.unwrap_or_default().to_owned()
        };
        let request = Seen {
            path: uri.path().to_owned(),
            content_type: header("content-type"),
            authorization: header("authorization"),
            body: String::from_utf8(body.to_vec()).unwrap(),
        };
        log.lock().unwrap().push(request.clone());
        let (status, answer) = script(&request);
        (StatusCode::from_u16(status).unwrap(), axum::Json(answer))
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (base, seen)
}

fn person() -> Principal {
    Principal {
        key: PrincipalKey {
            source: "okta".parse().unwrap(),
            key: "00u1".into(),
        },
        kind: PrincipalKind::Person,
        issuer: "https://acme.okta.example".into(),
        subject: "00u1".into(),
        username: Some("ada".into()),
        email: Some("ada@acme.example".into()),
        email_verified: true,
        groups: Groups::Known(vec!["ml".into()]),
        session: None,
        claims: Arc::default(),
        proven_at: NOW_S,
        auth_time: None,
        expires_at: NOW_S + 3600,
    }
}

impl World {
    pub(super) async fn new(
        backend: Backend,
        script: impl Fn(&Seen) -> (u16, Value) + Send + Sync + 'static,
    ) -> Self {
        let (url, seen) = serve(Box::new(script)).await;
        let hub = IssuerHub {
            name: "models".parse().unwrap(),
            url,
            kind: HubKind::HuggingFace,
            scheme: Scheme::Basic,
            username: "hf_user".into(),
            variables: Vec::new(),
            backend,
        };
        let memory = Arc::new(MemoryStore::default());
        let store = Arc::clone(&memory) as Arc<dyn Store>;
        let master = Arc::new(master());
        let signing = Signing {
            algorithm: SigningAlgorithm::Es256,
            announce_ms: 3_600_000,
        };
        let keys = SigningKeys::open(Arc::clone(&store), Arc::clone(&master), signing, org(), NOW);
        let keys = Arc::new(keys.await.ok().unwrap());
        memory.rows().entries.clear();
        let mint = Mint::new(Parts {
            url: ISSUER.into(),
            org: org(),
            hubs: vec![hub.clone()],
            keys: Arc::clone(&keys),
            outside: Arc::new(OutboundClient::through(oam_http::Via::default()).unwrap()),
            store,
            master,
        });
        Self {
            mint,
            memory,
            keys,
            hub,
            principal: person(),
            decision: decision(Action::Write),
            repository: Some("acme/model".parse().unwrap()),
            may_write: true,
            seen,
        }
    }

    pub(super) async fn ask(&self) -> Result<MintedToken, MintFault> {
        self.mint.mint(&self.order()).await
    }

    pub(super) fn order(&self) -> MintRequest<'_> {
        MintRequest {
            principal: &self.principal,
            decision: &self.decision,
            hub: &self.hub,
            repository: self.repository.as_ref(),
            request_id: "req-1",
            now_ms: NOW,
            may_write: self.may_write,
        }
    }

    /// The refusal of an ask; nothing of the hub's prose is in it.
    pub(super) async fn refused(&self) -> MintFault {
        let fault = self.ask().await.err().unwrap();
        let all = format!("{fault:?}");
        assert!(!all.contains("tok-") && !all.contains("SELECT"), "{all}");
        assert!(!all.contains("ada@"), "{all}");
        assert!(!fault.refusal.sentence.ends_with('.') && !fault.refusal.next.is_empty());
        fault
    }

    /// Requests so far, by path.
    pub(super) fn seen(&self, path: &str) -> Vec<Seen> {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|s| s.path == path).cloned().collect()
    }

    pub(super) async fn secret(&self, text: &str, overlap_ms: u64) {
        let new = NewSecret {
            owner: SecretOwner::Hub(self.hub.name.clone()),
            value: master()
                .seal(Purpose::ClientSecret, "models", text.as_bytes())
                .unwrap(),
            hub: None,
            overlap_ms,
            good_for_ms: None,
        };
        put(&*self.memory, &org(), new, NOW).await.unwrap();
        self.memory.rows().entries.clear();
    }

    /// Verifies a token by the published key set, and gives its header's `typ` and its claims.
    pub(super) fn verified(&self, token: &str) -> (String, Value) {
        let set: JwkSet = serde_json::from_str(&self.keys.jwks(NOW).json).unwrap();
        let header = decode_header(token).unwrap();
        let key = set.find(&header.kid.unwrap()).unwrap();
        let mut rules = Validation::new(Algorithm::ES256);
        rules.validate_aud = false;
        let key = DecodingKey::from_jwk(key).unwrap();
        let read = decode::<Value>(token, &key, &rules).unwrap();
        (header.typ.unwrap(), read.claims)
    }

    /// The row that the issuer keeps of a token.
    pub(super) fn row(&self, minted: &MintedToken) -> TokenRow {
        self.order().row(minted)
    }
}

fn master() -> MasterKey {
    MasterKey::parse(&Secret::new("07".repeat(32))).unwrap()
}

fn org() -> OrgName {
    "acme".parse().unwrap()
}

pub(super) fn decision(action: Action) -> Decision {
    Decision {
        role: "model-publisher".parse().unwrap(),
        action,
        rule: "a rule".into(),
        because: "a reason".into(),
        lifetime_s: 900,
        offline: OfflineRule::Grace,
    }
}
