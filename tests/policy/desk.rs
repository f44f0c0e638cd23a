//! A folder with both files, the program run over it, and a database with people in it.

use oam_model::feed::FeedEvent;
use oam_model::principal::PrincipalKey;
use oam_policy::account::Author;
use oam_store::sqlite::SqliteStore;
use oam_store::{Batch, EndKind, Ended, PersonSeen, Store, StoreChange};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

const ISSUER: &str = r#"
url = "https://issuer.acme.example"
trusted_proxies = ["127.0.0.1/32"]
database = "{folder}/issuer.db"
policy = "{folder}/policy.toml"
master_key = { env = "OAM_MASTER_KEY" }
[sources.okta]
issuer = "https://login.acme.example"
audiences = ["oam"]
[sources.github]
preset = "github-actions"
[hubs.models]
url = "https://hub.acme.example"
backend = { kind = "jwt" }
"#;

pub const POLICY: &str = r#"[org]
name = "acme"
sign_in = "okta"
client_id = "oam"
[roles.reader]
members = [{ source = "okta" }]
grants = [{ hub = "models", repositories = ["acme/*"], action = "read" }]
[roles.publisher]
members = [{ source = "okta", groups = ["publishers"] }]
grants = [{ hub = "models", repositories = ["acme/*"], action = "write" }]
[roles.ci]
members = [{ source = "github", claims = { repository_id = 7 } }]
grants = [{ hub = "models", repositories = ["acme/model"], action = "write" }]
"#;

pub struct Desk(TempDir);

/// What the program said.
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap()
    }
}

impl Desk {
    pub fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        desk.write("issuer.toml", &desk.issuer());
        desk.write("policy.toml", POLICY);
        desk
    }

    pub fn issuer(&self) -> String {
        ISSUER.replace("{folder}", self.0.path().to_str().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub fn file(&self, name: &str, text: &str) -> String {
        self.write(name, text);
        self.path(name).to_str().unwrap().to_owned()
    }

    pub fn run(&self, line: &[&str]) -> Said {
        let output = Command::new(oam::program("oam-issuer"))
            .args(line)
            .env("OAM_ISSUER_CONFIG", self.path("issuer.toml"))
            .output()
            .unwrap();
        Said {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn commit(&self, change: StoreChange) {
        let org = "acme".parse().unwrap();
        let store = SqliteStore::open(&self.path("issuer.db"), &org).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let batch = Batch {
            changes: vec![change],
            entries: Vec::new(),
        };
        runtime.block_on(store.commit(batch)).unwrap();
    }

    pub fn seen(&self, key: &str, username: &str, email: &str, groups: Option<&[&str]>) {
        let texts = |groups: &[&str]| groups.iter().map(|g| (*g).to_owned()).collect();
        self.commit(StoreChange::Seen(PersonSeen {
            key: person(key),
            issuer: "https://login.acme.example".to_owned(),
            subject: key.to_owned(),
            username: Some(username.to_owned()),
            email: Some(email.to_owned()),
            groups: groups.map(texts),
            session: None,
            proven_at: 1_700_000_000,
            at_ms: 1_700_000_000_000,
        }));
    }

    pub fn end(&self, key: &str) {
        let (at_ms, reason) = (1_700_000_001_000, "left".to_owned());
        self.commit(StoreChange::End {
            key: person(key),
            author: Author::Administrator,
            ended: Ended {
                kind: EndKind::Account,
                at_ms,
                reason: reason.clone(),
            },
            feed: FeedEvent::Revoked { at_ms, reason },
        });
    }
}

fn person(key: &str) -> PrincipalKey {
    PrincipalKey {
        source: "okta".parse().unwrap(),
        key: key.to_owned(),
    }
}
