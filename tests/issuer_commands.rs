//! `oam-issuer keys`, `secret` and `client` as an administrator runs them: the built program, a database
//! on disk, nothing else running.

#![expect(clippy::unwrap_used, reason = "a test stops at what it can't read")]

use oam_issuer::keys::SigningKeys;
use oam_issuer::seal::MasterKey;
use oam_issuer::secrets::{of_hub, verify_client};
use oam_model::issuer::{Signing, SigningAlgorithm};
use oam_model::name::OrgName;
use oam_model::secret::Secret;
use oam_store::sqlite::SqliteStore;
use oam_store::{AuditFilter, Store};
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

#[test]
fn a_key_is_rotated_listed_and_on_record() {
    let office = Office::started();
    let before = office.json(&["keys", "list"], "");
    assert_eq!(before["keys"].as_array().unwrap().len(), 1);
    assert_eq!(before["keys"][0]["state"], "signing");
    let rotated = office.json(&["keys", "rotate"], "");
    assert_eq!(rotated["follows"], before["keys"][0]["kid"]);
    let after = office.json(&["keys", "list"], "");
    assert_eq!(after["keys"][0]["state"], "announced");
    assert_eq!(after["keys"][0]["kid"], rotated["kid"]);
    assert_eq!(after["keys"][1]["state"], "signing");
    let (code, said) = office.refused(&["keys", "rotate"], "");
    assert_eq!(code, 1, "nothing was done; no policy has refused it");
    assert!(
        said.contains("was announced") && said.contains("--now"),
        "{said}"
    );
    let urgent = office.json(&["keys", "rotate", "--now"], "");
    let last = office.json(&["keys", "list"], "");
    assert_eq!(last["keys"][0]["kid"], urgent["kid"]);
    assert_eq!(last["keys"][0]["state"], "signing");
    assert_eq!(last["keys"].as_array().unwrap().len(), 3);
    let audit = office.audit();
    assert_eq!(audit.matches("key-rotation").count(), 3);
    assert!(audit.contains(urgent["kid"].as_str().unwrap()));
}

#[test]
fn a_wrong_master_key_makes_no_key() {
    let office = Office::started();
    let other = office.run(&["keys", "master"], "").stdout;
    fs::write(office.path("master.key"), other).unwrap();
    let (code, said) = office.refused(&["keys", "rotate"], "");
    assert_eq!(code, 1);
    assert!(said.contains("the master key does not open it"), "{said}");
    assert!(said.contains("that the database was made with"), "{said}");
    assert_eq!(
        office.json(&["keys", "list"], "")["keys"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn a_master_key_that_others_may_read_is_refused() {
    let office = Office::started();
    fs::set_permissions(office.path("master.key"), Permissions::from_mode(0o644)).unwrap();
    let (code, said) = office.refused(&["keys", "rotate"], "");
    assert_eq!(code, 1);
    assert!(said.contains("chmod 600"), "{said}");
}

#[test]
fn no_database_is_begun_by_a_command() {
    let office = Office::new();
    assert_eq!(office.refused(&["keys", "list"], "").0, 1);
    assert_eq!(office.refused(&["secret", "set", "hf"], "s3cret\n").0, 1);
    assert!(!office.path("issuer.db").exists());
}

#[test]
fn a_hubs_secret_comes_from_stdin_is_sealed_and_overlaps() {
    let office = Office::started();
    for secret in ["first-s3cret\n", "second-s3cret"] {
        let output = office.run(&["secret", "set", "hf", "--overlap", "24h"], secret);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert!(output.stdout.is_empty() && !text(&output.stderr).contains("s3cret"));
    }
    let (store, master) = (office.store(), office.master());
    let hub = "hf".parse().unwrap();
    let known = wait(of_hub(&store, &master, &hub, now_ms())).ok().unwrap();
    let texts: Vec<&str> = known.iter().map(|(_, secret)| secret.expose()).collect();
    assert_eq!(texts, ["second-s3cret", "first-s3cret"]);
    let listed = office.json(&["secret", "list"], "");
    assert_eq!(listed["secrets"][0]["number"], 2);
    assert_eq!(listed["secrets"][0]["good_until"], Value::Null);
    assert!(listed["secrets"][1]["good_until"].is_string());
    assert!(!office.audit().contains("s3cret"));
    drop(store);
    let on_disk = fs::read(office.path("issuer.db")).unwrap();
    assert!(!on_disk.windows(6).any(|part| part == b"s3cret"));
    assert_eq!(
        office.run(&["secret", "drop", "hf"], "").status.code(),
        Some(0)
    );
    assert_eq!(office.refused(&["secret", "drop", "hf"], "").0, 2);
}

#[test]
fn a_secret_that_cannot_be_one_is_refused() {
    let office = Office::started();
    let long = "x".repeat(20_000);
    for bad in [
        "",
        " \n",
        "two words",
        "tab\there",
        "s3cret\nsecond line",
        "sécret",
        long.as_str(),
    ] {
        let (code, said) = office.refused(&["secret", "set", "hf"], bad);
        assert_eq!(code, 2, "{said}");
        assert!(
            !said.contains("s3cret") && !said.contains("words"),
            "{said}"
        );
    }
    let (code, said) = office.refused(&["secret", "set", "models"], "s3cret");
    assert!(code == 2 && said.contains("needs none"), "{said}");
    let (code, said) = office.refused(&["secret", "set", "hg"], "s3cret");
    assert!(code == 2 && said.contains("models, hf"), "{said}");
    assert_eq!(
        office.json(&["secret", "list"], "")["secrets"],
        serde_json::json!([])
    );
}

#[test]
fn a_clients_secret_is_printed_once_and_verifies() {
    let office = Office::started();
    let added = office.run(&["client", "add", "hub-1", "--hub", "models"], "");
    assert_eq!(added.status.code(), Some(0), "{}", text(&added.stderr));
    let first = Secret::new(text(&added.stdout).trim().to_owned());
    assert_eq!(first.expose().len(), 43);
    assert!(!text(&added.stderr).contains(first.expose()));
    let rotated = office.json(&["client", "rotate", "hub-1", "--overlap", "1h"], "");
    assert_eq!(rotated["hub"], "models");
    let second = Secret::new(rotated["secret"].as_str().unwrap().to_owned());
    let store = office.store();
    let hub = |secret: &Secret| wait(verify_client(&store, "hub-1", secret, now_ms())).unwrap();
    let models = Some("models".parse().unwrap());
    assert_eq!((hub(&first), hub(&second)), (models.clone(), models));
    assert_eq!(
        office
            .refused(&["client", "add", "hub-1", "--hub", "models"], "")
            .0,
        2
    );
    assert_eq!(office.refused(&["client", "rotate", "hub-2"], "").0, 2);
    assert_eq!(
        office
            .refused(&["client", "add", "a:b", "--hub", "models"], "")
            .0,
        2
    );
    let listed = office.run(&["client", "list"], "");
    let shown = text(&listed.stdout);
    assert!(
        shown.contains("hub-1") && !shown.contains(first.expose()),
        "{shown}"
    );
    assert_eq!(
        office.run(&["client", "drop", "hub-1"], "").status.code(),
        Some(0)
    );
    assert_eq!(hub(&second), None);
    let audit = office.audit();
    assert_eq!(audit.matches("secret-rotation").count(), 3, "{audit}");
    assert!(!audit.contains(first.expose()) && !audit.contains(second.expose()));
}

#[test]
fn a_backup_tells_its_head_and_a_restore_lists_who_was_revoked_since() {
    let office = Office::started();
    let at = |name: &str| office.path(name).display().to_string();
    office.json(&["revoke", "--never-seen", "okta:early"], "");
    let made = office.json(&["backup", &at("b.db")], "");
    office.json(&["revoke", "--never-seen", "okta:ada"], "");
    office.json(&["revoke", "--never-seen", "okta:bob"], "");
    let head = format!("{}:{}", made["seq"], made["hash"].as_str().unwrap());
    let verified = office.run(&["audit", "verify", "--anchor", &head], "");
    assert_eq!(verified.status.code(), Some(0));
    let restored = office.json(&["restore", &at("b.db")], "");
    assert_eq!(restored["seq"], made["seq"]);
    assert_eq!(restored["begins_generation"], 1);
    assert_eq!(restored["complete"], true);
    let since = restored["since"].as_array().unwrap();
    let who: Vec<&str> = since
        .iter()
        .map(|one| one["who"].as_str().unwrap())
        .collect();
    assert_eq!(who, ["okta:ada", "okta:bob"]);
    assert!(office.audit().contains("database-restored"));
    // The same by hand is found, and taken only by the operator's word.
    let made = office.json(&["backup", &at("b.db")], "");
    office.json(&["revoke", "--never-seen", "okta:cy"], "");
    fs::copy(at("b.db"), at("issuer.db")).unwrap();
    let looked = office.run(&["keys", "list"], "");
    assert!(
        text(&looked.stderr).contains("restore --accept"),
        "a command says so and works"
    );
    assert!(looked.status.success());
    let accepted = office.json(&["restore", "--accept"], "");
    assert_eq!(
        accepted["known_up_to"].as_u64(),
        made["seq"].as_u64().map(|seq| seq + 1)
    );
    assert_eq!(accepted["complete"], false);
    assert!(office.store().misfit().is_none());
    // Nor is a new one begun where there was one.
    fs::remove_file(at("issuer.db")).unwrap();
    let (code, said) = office.refused(&["init"], "");
    assert!(code == 2 && said.contains("issuer.db-marker"), "{said}");
}

#[test]
fn the_doctor_finds_each_planted_fault_and_says_what_helps() {
    let office = Office::started();
    // Nothing outside of this machine is asked for: the source's keys lie in a file, and the hub is closed.
    let settings = fs::read_to_string(office.path("issuer.toml")).unwrap();
    let keys = office.path("keys.json").display().to_string();
    let settings = settings
        .replace("[hubs.models]", &format!("jwks_file = \"{keys}\"\n[hubs.models]"))
        .replace("https://hub.acme.example", "http://127.0.0.1:9")
        .replace("\n[hubs.hf]\nurl = \"https://huggingface.co\"\nkind = \"huggingface\"\nbackend = { kind = \"huggingface-org\", client_id = \"client-1\" }\n", "\n");
    let url = settings
        .lines()
        .find(|line| line.starts_with("url = "))
        .unwrap()
        .to_owned();
    let settings = settings.replacen(&url, "url = \"http://127.0.0.1:9\"", 1);
    fs::write(office.path("issuer.toml"), &settings).unwrap();
    fs::write(&keys, "{\"keys\":[{\"alg\":\"RS256\"}]}").unwrap();
    let policy = "[org]\nname = \"acme\"\nsign_in = \"okta\"\nclient_id = \"client\"\n[roles.r]\nmembers = [{ source = \"okta\" }]\ngrants = [{ hub = \"models\", repositories = [\"acme/*\"], action = \"read\" }]\n";
    fs::write(office.path("policy.toml"), policy).unwrap();
    let found = |part: &str| -> (String, String) {
        let output = office.run(&["doctor", "--json"], "");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let one = report["findings"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["part"] == part);
        let one = one.unwrap_or_else(|| panic!("{part} is not in {report}"));
        (one["state"].as_str().unwrap().to_owned(), one.to_string())
    };
    for part in [
        "configuration",
        "master key",
        "database",
        "keys",
        "source okta",
    ] {
        let (state, words) = found(part);
        assert_eq!(state, "ok", "{words}");
    }
    let (state, words) = found("own address");
    assert!(
        state == "fault" && words.contains("start the server"),
        "{words}"
    );
    assert_eq!(found("hub models").0, "warning");
    assert_eq!(office.run(&["doctor"], "").status.code(), Some(1));
    fs::write(&keys, "{\"keys\":[]}").unwrap();
    assert!(found("source okta").1.contains("key set is empty"));
    let broken = settings.replacen(
        "[sources.okta]",
        "[tls]\ncertificate = \"/nowhere\"\nkey = \"/nowhere\"\n[sources.okta]",
        1,
    );
    fs::write(office.path("issuer.toml"), broken).unwrap();
    assert!(found("certificate").1.contains("/nowhere"));
    fs::write(office.path("issuer.toml"), &settings).unwrap();
    fs::set_permissions(office.path("master.key"), Permissions::from_mode(0o644)).unwrap();
    assert!(found("master key").1.contains("chmod 600"));
    fs::set_permissions(office.path("master.key"), Permissions::from_mode(0o600)).unwrap();
    let fresh = office.run(&["keys", "master"], "");
    let good = fs::read(office.path("master.key")).unwrap();
    fs::write(office.path("master.key"), fresh.stdout).unwrap();
    assert!(found("keys").1.contains("master key"));
    fs::write(office.path("master.key"), good).unwrap();
    fs::remove_file(office.path("issuer.db-marker")).unwrap();
    assert!(found("database").1.contains("restore --accept"));
    fs::remove_file(office.path("issuer.db")).unwrap();
    assert!(found("database").1.contains("is not there"));
    fs::write(office.path("policy.toml"), "[org").unwrap();
    assert!(found("configuration").1.contains("policy.toml:1:"));
}
