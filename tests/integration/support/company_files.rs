//! How a company is set up: `issuer.toml`, `policy.toml`, and what a test wants different.

use super::company::{Company, replace};
use super::nginx::Nginx;
use super::parts::Part;
use super::port::Port;
use super::world::set_mode;
use super::{Builder, World};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

type Edit = Box<dyn Fn(&str) -> String>;

/// What a test wants different from the usual company.
pub struct Plan {
    idp: Value,
    hub: Value,
    settings: Edit,
    policy: Edit,
    buffering: Option<bool>,
    database: Option<PathBuf>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            idp: json!({}),
            hub: json!({}),
            settings: Box::new(str::to_owned),
            policy: Box::new(str::to_owned),
            buffering: None,
            database: None,
        }
    }
}

impl Plan {
    /// Options of the provider.
    pub fn idp(mut self, options: Value) -> Self {
        self.idp = options;
        self
    }

    /// Options of the hub.
    pub fn hub(mut self, options: Value) -> Self {
        self.hub = options;
        self
    }

    /// Edits `issuer.toml` before it is written.
    pub fn settings(mut self, edit: impl Fn(&str) -> String + 'static) -> Self {
        self.settings = Box::new(edit);
        self
    }

    /// Edits `policy.toml` before it is written.
    pub fn policy(mut self, edit: impl Fn(&str) -> String + 'static) -> Self {
        self.policy = Box::new(edit);
        self
    }

    /// Puts nginx before the issuer.
    pub fn behind_nginx(mut self, buffering: bool) -> Self {
        self.buffering = Some(buffering);
        self
    }

    /// Keeps the database in this folder.
    pub fn database_in(mut self, folder: &Path) -> Self {
        self.database = Some(folder.to_owned());
        self
    }

    /// Starts everything; nobody is signed in.
    pub fn start(self) -> Company {
        let company = self.prepare();
        company.up();
        company
    }

    /// Starts everything but the issuer, whose database is begun.
    pub fn prepare(self) -> Company {
        let temporary = tempfile::Builder::new().prefix("oam-c").tempdir().unwrap();
        let folder = temporary.path().to_owned();
        set_mode(&folder, 0o700);
        let inner = Port::take();
        let mut ports = Vec::new();
        let mut nginx = None;
        let mut url = inner.url();
        if let Some(buffering) = self.buffering {
            let outer = Port::take();
            url = outer.url();
            nginx = Some(Nginx::start(&folder, &outer, inner.number, buffering));
            ports.push(outer);
        }
        let mut idp = self.idp;
        idp["backchannel_logout_uri"] = json!(format!("{}/signals/logout", inner.url()));
        let mut hub = self.hub;
        hub["issuer"] = json!(url);
        hub["jwks"] = json!("discovery");
        let world = Builder::default().idp(idp).hub(hub).unconfigured().start();
        let ci = Part::start("ci.mjs", &json!({}));
        let receiver = format!("{}/signals/ssf", inner.url());
        let ssf = Part::start("ssf.mjs", &json!({"audience": url, "receiver": receiver}));
        let database = self
            .database
            .unwrap_or_else(|| folder.clone())
            .join("issuer.db");
        let company = Company {
            inner: inner.url(),
            world,
            ci,
            ssf,
            url,
            folder,
            database,
            server: Mutex::new(None),
            nginx,
            ports: {
                ports.push(inner);
                ports
            },
            _temporary: temporary,
        };
        replace(&company.folder.join("master.key"), &"0f".repeat(32));
        replace(
            &company.folder.join("issuer.toml"),
            &(self.settings)(&company.usual_settings()),
        );
        company.write_policy(&(self.policy)(USUAL_POLICY));
        company.issuer(&["init"]).expect(0);
        company
    }
}

impl World {
    /// What the provider sends as subject of signals.
    pub fn subject(&self, account: &str) -> Value {
        json!({"format": "iss_sub", "iss": self.idp.get("issuer"), "sub": account})
    }
}

impl Company {
    /// The proxy lets the feed through from now on.
    pub fn nginx_without_buffering(&mut self) {
        let [outer, inner] = self.ports.as_slice() else {
            panic!("there is no nginx");
        };
        // The old one gives up its port first.
        self.nginx = None;
        self.nginx = Some(Nginx::start(&self.folder, outer, inner.number, false));
    }

    /// The settings that most tests use.
    fn usual_settings(&self) -> String {
        format!(
            r#"url = "{url}"
listen = ["{listen}"]
database = "{database}"
policy = "{folder}/policy.toml"
master_key = {{ file = "{folder}/master.key" }}
heartbeat = "1s"

[limits]
exchanges_per_minute = 100000
burst = 10000

[sources.company]
issuer = "{idp}"
audiences = ["oam"]

[sources.actions]
kind = "job"
preset = "github-actions"
issuer = "{ci}"

[hubs.hub]
url = "{hub}"
kind = "huggingface"
backend = {{ kind = "jwt" }}

[transmitters.company]
issuer = "{ssf}"
jwks_uri = "{ssf}/jwks"
audiences = ["{url}"]
source = "company"
"#,
            url = self.url,
            listen = self.inner.trim_start_matches("http://"),
            database = self.database.display(),
            folder = self.folder.display(),
            idp = self.world.idp.get("issuer"),
            ci = self.ci.get("issuer"),
            hub = self.world.hub.get("url"),
            ssf = self.ssf.get("issuer"),
        )
    }
}

/// The policy that most tests use.
pub const USUAL_POLICY: &str = r#"[org]
name = "acme"
sign_in = "company"
client_id = "oam"
scopes = ["openid", "offline_access", "profile", "email", "groups"]

[roles.model-reader]
description = "reads models and data"
members = [{ source = "company", groups = ["staff"] }]
grants = [{ hub = "hub", repositories = ["acme/*", "datasets/acme/*"], action = "read" }]

[roles.model-publisher]
members = [{ source = "company", groups = ["ml-research"] }]
grants = [{ hub = "hub", repositories = ["acme/*", "datasets/acme/*"], action = "write" }]

[roles.ci-publisher]
members = [{ source = "actions", claims = { repository_id = "98765", ref = "refs/heads/main" } }]
grants = [{ hub = "hub", repositories = ["acme/model"], action = "write" }]
"#;
