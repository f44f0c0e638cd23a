//! `oam-issuer`'s commands as an administrator runs them: the built program, a database
//! on disk, nothing else running.

#![expect(clippy::unwrap_used, reason = "a test stops at what it can't read")]

mod audit;
mod backup;
mod doctor;
mod keys;
mod secrets;

use oam_issuer::keys::SigningKeys;
use oam_issuer::seal::MasterKey;
use oam_model::issuer::{Signing, SigningAlgorithm};
use oam_model::name::OrgName;
use oam_model::secret::Secret;
use oam_store::sqlite::SqliteStore;
use oam_store::{AuditFilter, AuditTrail, Store};
use serde_json::Value;
use std::fs::{self, Permissions};
use std::future::Future;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

const SETTINGS: &str = r#"
url = "https://issuer.acme.example"
listen = ["127.0.0.1:8443"]
trusted_proxies = ["127.0.0.1/32"]
database = "DIR/issuer.db"
policy = "DIR/policy.toml"
master_key = { file = "DIR/master.key" }

[signing]
announce = "1h"

[sources.okta]
kind = "person"
issuer = "https://acme.okta.example"
audiences = ["client"]

[hubs.models]
url = "https://hub.acme.example"
kind = "huggingface"
backend = { kind = "jwt" }

[hubs.hf]
url = "https://huggingface.co"
kind = "huggingface"
backend = { kind = "huggingface-org", client_id = "client-1" }
"#;

/// The policy has a fault on purpose: keys and secrets do not wait for its repair.
const POLICY: &str = "[org]\nname = \"acme\"\nsign_in = \"nobody\"\n";

struct Office {
    folder: tempfile::TempDir,
}

impl Office {
    /// Settings, a master key from `keys master`, a database as `init` and the first start of a server leave it.
    fn new() -> Self {
        let office = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let dir = office.folder.path().display().to_string();
        fs::write(office.path("issuer.toml"), SETTINGS.replace("DIR", &dir)).unwrap();
        fs::write(office.path("policy.toml"), POLICY).unwrap();
        let key = office.run(&["keys", "master"], "");
        assert!(key.status.success() && key.stderr.is_empty());
        fs::write(office.path("master.key"), key.stdout).unwrap();
        fs::set_permissions(office.path("master.key"), Permissions::from_mode(0o600)).unwrap();
        office
    }

    fn started() -> Self {
        let office = Self::new();
        let store: Arc<dyn Store> =
            Arc::new(SqliteStore::open(&office.path("issuer.db"), &org()).unwrap());
        let signing = Signing {
            algorithm: SigningAlgorithm::Es256,
            announce_ms: 3_600_000,
        };
        let master = Arc::new(office.master());
        wait(async {
            SigningKeys::open(store, master, signing, org(), now_ms())
                .await
                .map(drop)
        })
        .unwrap();
        office
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn master(&self) -> MasterKey {
        let text = fs::read_to_string(self.path("master.key")).unwrap();
        MasterKey::parse(&Secret::new(text)).unwrap()
    }

    fn store(&self) -> SqliteStore {
        SqliteStore::open_existing(&self.path("issuer.db"), &org()).unwrap()
    }

    fn run(&self, args: &[&str], input: &str) -> Output {
        let mut child = Command::new(oam::program("oam-issuer"))
            .arg("--config")
            .arg(self.path("issuer.toml"))
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that refuses may end before it has read.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    fn json(&self, args: &[&str], input: &str) -> Value {
        let mut all = args.to_vec();
        all.push("--json");
        let output = self.run(&all, input);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{args:?}: {}",
            text(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Exit code and what was said.
    fn refused(&self, args: &[&str], input: &str) -> (i32, String) {
        let output = self.run(args, input);
        assert!(output.stdout.is_empty(), "{}", text(&output.stdout));
        (output.status.code().unwrap(), text(&output.stderr))
    }

    fn audit(&self) -> String {
        let store = self.store();
        let lines = wait(store.audit(AuditFilter::default(), 0, 1000)).unwrap();
        lines.into_iter().map(|line| line.line + "\n").collect()
    }
}

fn org() -> OrgName {
    "acme".parse().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn now_ms() -> u64 {
    oam_system::clock::now_ms()
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(future)
}
