//! A company for tests: files, a database, a signing key of its provider, and the issuer on loopback.

use crate::feed;
use crate::files;
use crate::history;
use crate::reload;
use crate::seal::MasterKey;
use crate::serve::{Served, open};
use crate::signal_processor::{self, Order};
use crate::state::Issuer;
use oam_model::principal::PrincipalKey;
use oam_standin::signer::Signer;
use oam_store::sqlite::SqliteStore;
use oam_store::{AuditFilter, PersonRow};
use oam_system::clock;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::timeout;
use url::form_urlencoded::Serializer;

/// Longest wait for anything that must happen.
pub const LONG: Duration = Duration::from_secs(20);

const ISSUER: &str = r#"
url = "https://oam.acme.example"
database = "DIR/issuer.db"
policy = "DIR/policy.toml"
master_key = { file = "DIR/master.key" }
trusted_proxies = ["192.0.2.0/24"]
heartbeat = "1s"
[sources.okta]
issuer = "https://login.acme.example"
audiences = ["oam"]
algorithms = ["ES256"]
jwks_file = "DIR/keys.json"
[sources.ci]
kind = "job"
issuer = "https://ci.acme.example"
audiences = ["https://oam.acme.example"]
algorithms = ["ES256"]
jwks_file = "DIR/keys.json"
[hubs.models]
url = "https://hub.acme.example"
backend = { kind = "jwt" }
[hubs.other]
url = "https://other.acme.example"
backend = { kind = "jwt" }
[transmitters.okta]
issuer = "https://login.acme.example"
audiences = ["https://oam.acme.example"]
source = "okta"
live_for = "2m"
jwks_file = "DIR/keys.json"
[limits]
request = "2s"
exchanges_per_minute = 6000
burst = 100
"#;

pub const POLICY: &str = r#"
[org]
name = "acme"
sign_in = "okta"
client_id = "oam"
[roles.reader]
members = [{ source = "okta" }]
grants = [{ hub = "models", repositories = ["acme/*"], action = "read" }]
[roles.publisher]
members = [{ source = "okta", groups = ["ml"] }]
grants = [{ hub = "models", repositories = ["acme/*"], action = "write" }]
[roles.trainer]
members = [{ source = "ci", claims = { repository = "acme/code" } }]
grants = [{ hub = "models", repositories = ["acme/*"], action = "write" }]
"#;

/// The company.
pub struct World {
    pub folder: TempDir,
    pub issuer: Arc<Issuer>,
    pub url: String,
    signer: Signer,
    served: Option<Served>,
    hangup: mpsc::Sender<()>,
    pub client: reqwest::Client,
}

pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }
}

impl World {
    pub async fn start() -> Self {
        Self::with(|settings| settings).await
    }

    /// With other settings.
    pub async fn with(change: impl Fn(String) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let signer = Signer::ec("k1");
        let keys = json!({ "keys": [signer.jwk] }).to_string();
        std::fs::write(at("keys.json"), keys).unwrap();
        let fresh = MasterKey::fresh().unwrap();
        std::fs::write(at("master.key"), fresh.expose()).unwrap();
        private(&at("master.key"));
        std::fs::write(at("policy.toml"), POLICY).unwrap();
        let text = ISSUER.replace("DIR", folder.path().to_str().unwrap());
        std::fs::write(at("issuer.toml"), change(text)).unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let begun = SqliteStore::open(&at("issuer.db"), &"acme".parse().unwrap());
        begun.map_err(|refusal| refusal.sentence).map(drop).unwrap();
        let (issuer, served, hangup) = up(at("issuer.toml")).await;
        Self {
            url: format!("http://{}", served.addresses[0]),
            folder,
            issuer,
            signer,
            served: Some(served),
            hangup,
            client,
        }
    }

    /// Ends the server in order, as SIGTERM does.
    pub async fn end(&mut self) {
        let served = self.served.take().unwrap();
        served.end(&self.issuer).await;
    }

    pub async fn policy(&self, text: &str) {
        std::fs::write(self.folder.path().join("policy.toml"), text).unwrap();
        self.hangup.send(()).await.unwrap();
    }

    // ---- tokens

    /// An ID token of a person, `more` merged in.
    pub fn id_token(&self, who: &str, more: &Value) -> String {
        let now = clock::now_s();
        let mut claims = json!({
            "iss": "https://login.acme.example", "aud": "oam", "sub": who, "preferred_username": who,
            "email": format!("{who}@acme.example"), "iat": now - 10, "exp": now + 600,
            "auth_time": now - 10, "groups": ["ml"],
        });
        merge(&mut claims, more);
        self.signer.sign(Some("JWT"), &claims)
    }

    pub fn job_token(&self, more: &Value) -> String {
        let now = clock::now_s();
        let mut claims = json!({
            "iss": "https://ci.acme.example", "aud": "https://oam.acme.example", "sub": "job-1",
            "repository": "acme/code", "iat": now - 10, "exp": now + 600,
        });
        merge(&mut claims, more);
        self.signer.sign(Some("JWT"), &claims)
    }

    /// A security event about a person.
    pub fn event(&self, kind: &str, who: &str, more: &Value) -> String {
        let now = clock::now_s();
        let mut payload = json!({ "event_timestamp": now });
        merge(&mut payload, more);
        let mut events = json!({});
        events[kind] = payload;
        let mut id = [0; 8];
        clock::fill(&mut id);
        let claims = json!({
            "iss": "https://login.acme.example", "aud": "https://oam.acme.example", "iat": now,
            "jti": format!("{id:?}"), "events": events,
            "sub_id": { "format": "iss_sub", "iss": "https://login.acme.example", "sub": who },
        });
        self.signer.sign(Some("secevent+jwt"), &claims)
    }

    pub fn logout_token(&self, who: &str) -> String {
        let now = clock::now_s();
        let mut id = [0; 8];
        clock::fill(&mut id);
        let claims = json!({
            "iss": "https://login.acme.example", "aud": "oam", "sub": who, "iat": now, "exp": now + 60,
            "jti": format!("{id:?}"),
            "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
        });
        self.signer.sign(Some("logout+jwt"), &claims)
    }

    // ---- requests

    pub async fn post(&self, path: &str, kind: &str, body: impl Into<reqwest::Body>) -> Answer {
        let request = self.client.post(format!("{}{path}", self.url));
        answer(request.header("content-type", kind).body(body)).await
    }

    pub async fn form(&self, path: &str, pairs: &[(&str, &str)]) -> Answer {
        let body = Serializer::new(String::new()).extend_pairs(pairs).finish();
        self.post(path, "application/x-www-form-urlencoded", body)
            .await
    }

    pub async fn get(&self, path: &str) -> Answer {
        answer(self.client.get(format!("{}{path}", self.url))).await
    }

    pub async fn bearer(&self, path: &str, token: &str) -> Answer {
        let request = self.client.get(format!("{}{path}", self.url));
        answer(request.bearer_auth(token)).await
    }

    pub async fn exchange(&self, token: &str, resource: &str, scope: &str) -> Answer {
        let pairs = exchange(token, resource, scope);
        self.form("/oauth/token", &pairs).await
    }

    /// The role token of a good exchange.
    pub async fn granted(&self, token: &str, scope: &str) -> String {
        let resource = "https://hub.acme.example/acme/model";
        let answer = self.exchange(token, resource, scope).await.expect(200);
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    // ---- what is kept

    pub async fn person(&self, who: &str) -> Option<PersonRow> {
        self.issuer.store.person(key(who)).await.unwrap()
    }

    /// `oam-issuer revoke` and `restore`.
    pub async fn order(&self, who: &str, order: Order) {
        self.order_at(who, order, clock::now_ms()).await;
    }

    /// At this moment, Unix milliseconds.
    pub async fn order_at(&self, who: &str, order: Order, at_ms: u64) {
        let row = self.person(who).await;
        let org = "acme".parse().unwrap();
        let store = &*self.issuer.store;
        signal_processor::order(store, &org, &key(who), row.as_ref(), &order, at_ms)
            .await
            .unwrap();
    }

    /// All entries of the audit log of this kind.
    pub async fn audit(&self, event: &str) -> Vec<Value> {
        let lines = self.issuer.store.audit(AuditFilter::default(), 0, 10_000);
        let lines = lines.await.unwrap();
        let entries = lines.iter().map(|l| serde_json::from_str(&l.line).unwrap());
        entries.filter(|e: &Value| e["event"] == event).collect()
    }

    /// Registers a hub that introspects; its credentials.
    pub async fn register(&self, name: &str, hub: &str) -> (String, String) {
        use crate::secrets;
        use oam_store::{Batch, SecretOwner, SecretRow, StoreChange};
        let secret = secrets::fresh_client_secret().unwrap();
        let row = SecretRow {
            owner: SecretOwner::Client(name.to_owned()),
            number: 1,
            value: secrets::hash_of(&secret).unwrap(),
            hub: Some(hub.parse().unwrap()),
            made_at_ms: clock::now_ms(),
            until_ms: None,
        };
        let batch = Batch {
            changes: vec![StoreChange::PutSecret(row)],
            entries: Vec::new(),
        };
        self.issuer.store.commit(batch).await.unwrap();
        (name.to_owned(), secret.expose().to_owned())
    }

    pub async fn introspect(&self, client: &(String, String), token: &str) -> Answer {
        let body = Serializer::new(String::new())
            .append_pair("token", token)
            .finish();
        let request = self.client.post(format!("{}/oauth/introspect", self.url));
        let request = request
            .basic_auth(&client.0, Some(&client.1))
            .header("content-type", "application/x-www-form-urlencoded");
        answer(request.body(body)).await
    }
}

pub fn exchange<'a>(token: &'a str, resource: &'a str, scope: &'a str) -> [(&'a str, &'a str); 5] {
    [
        (
            "grant_type",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ),
        ("subject_token", token),
        (
            "subject_token_type",
            "urn:ietf:params:oauth:token-type:id_token",
        ),
        ("resource", resource),
        ("scope", scope),
    ]
}

async fn up(config: PathBuf) -> (Arc<Issuer>, Served, mpsc::Sender<()>) {
    let files = files::read(&config).unwrap_or_else(|faults| panic!("{}", files::words(&faults)));
    let opened = open(files).await;
    let issuer = Arc::new(opened.unwrap_or_else(|refusal| panic!("{}", refusal.sentence)));
    reload::found_at_start(&issuer).await.unwrap();
    tokio::spawn(feed::wake_all(Arc::clone(&issuer)));
    tokio::spawn(history::follow(Arc::clone(&issuer)));
    let (hangup, asked) = mpsc::channel(1);
    tokio::spawn(reload::watch(Arc::clone(&issuer), config, asked));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let served = Served::begin(&issuer, vec![listener], None);
    (issuer, served, hangup)
}

fn key(who: &str) -> PrincipalKey {
    let (source, who) = who.split_once(':').unwrap_or(("okta", who));
    PrincipalKey {
        source: source.parse().unwrap(),
        key: who.to_owned(),
    }
}

/// Looks again until it is so.
pub async fn until(what: &str, so: impl AsyncFn() -> bool) {
    let looking = async {
        while !so().await {
            // Between two looks, so that what is looked for gets the processor.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(timeout(LONG, looking).await.is_ok(), "{what} did not come");
}

pub async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        text: response.text().await.unwrap(),
    }
}

fn merge(into: &mut Value, more: &Value) {
    for (name, value) in more.as_object().unwrap() {
        into[name] = value.clone();
    }
}

pub fn private(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}
