//! A running `oam-issuer` with a company whose tokens the benchmark signs itself.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

/// The hub that tokens are for.
pub const HUB: &str = "https://hub.example";
const PROVIDER: &str = "https://login.example";

/// Company and server; dropping it ends both.
pub struct Server {
    /// `127.0.0.1:PORT`.
    pub address: String,
    /// Process id.
    pub pid: u32,
    key: EncodingKey,
    folder: TempDir,
    child: Child,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Unix seconds.
pub fn now_s() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

impl Server {
    /// Starts it on a free port with limits that a load does not reach, and waits until it is ready.
    pub fn start() -> Self {
        Self::begin(
            "exchanges_per_minute = 100000\nburst = 100000\nfeeds = 20000",
            "",
        )
    }

    /// Starts it with the limits that it has by itself. About access tokens it asks at `endpoint`.
    pub fn start_asking(endpoint: &str) -> Self {
        let asked = format!(
            r#"access_tokens = {{ check = "introspection", endpoint = "{endpoint}", client_id = "oam", client_secret = {{ env = "OAM_CLIENT_SECRET" }} }}"#
        );
        Self::begin("", &asked)
    }

    /// Starts it with a directory that may send as much as it likes.
    pub fn start_with_directory() -> Self {
        Self::begin(
            "exchanges_per_minute = 100000\nburst = 100000\nbody_bytes = 16000000",
            "scim = { requests_per_minute = 1000000 }",
        )
    }

    /// A token of the directory, as an administrator gets it.
    pub fn directory_token(&self) -> String {
        let mut command = issuer(&self.folder, "scim");
        let made = command.args(["token", "company"]).stdout(Stdio::piped());
        let made = made.stderr(Stdio::null()).output().unwrap();
        assert!(
            made.status.success(),
            "oam-issuer scim token: {}",
            made.status
        );
        String::from_utf8_lossy(&made.stdout).trim().to_owned()
    }

    fn begin(limits: &str, more: &str) -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der = pair.as_der().unwrap();
        let key = EncodingKey::from_rsa_der(pkcs1_of(der.as_ref()));
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::RS256).unwrap();
        jwk.common.key_id = Some("company".to_owned());
        let folder = TempDir::new().unwrap();
        let path = folder.path().display().to_string();
        fs::write(
            folder.path().join("jwks.json"),
            json!({ "keys": [jwk] }).to_string(),
        )
        .unwrap();
        let door = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = door.local_addr().unwrap().to_string();
        drop(door);
        fs::write(
            folder.path().join("issuer.toml"),
            settings(&path, &address, limits, more),
        )
        .unwrap();
        write_policy(folder.path(), true);
        let begun = issuer(&folder, "init").status().unwrap();
        assert!(begun.success(), "oam-issuer init: {begun}");
        let server = Self {
            child: issuer(&folder, "serve").spawn().unwrap(),
            pid: 0,
            address,
            key,
            folder,
        };
        server.ready()
    }

    /// Another policy, with or without the second role of everybody.
    pub fn write_policy(&self, publishers: bool) {
        write_policy(self.folder.path(), publishers);
    }

    fn ready(mut self) -> Self {
        self.pid = self.child.id();
        let began = Instant::now();
        loop {
            let answer = get(&self.address, "/readyz");
            if answer.is_ok_and(|text| text.starts_with("HTTP/1.1 200")) {
                return self;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "oam-issuer ended: {ended:?}");
            assert!(began.elapsed() < Duration::from_secs(20), "not ready");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// An ID token of person number `person`, unlike any other by its `jti`.
    pub fn id_token(&self, person: usize, jti: usize) -> String {
        let now = now_s();
        let claims = json!({
            "iss": PROVIDER, "aud": "oam", "sub": format!("u-{person}"), "iat": now, "exp": now + 3600,
            "auth_time": now, "jti": jti.to_string(), "groups": ["ml"],
        });
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some("company".to_owned());
        jsonwebtoken::encode(&header, &claims, &self.key).unwrap()
    }

    /// CPU seconds that the server has used.
    pub fn cpu(&self) -> f64 {
        cpu_of(self.pid)
    }

    /// Resident memory, KiB.
    pub fn rss_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
            .unwrap()
    }
}

/// CPU seconds of a process. A tick is 10 ms on Linux.
#[expect(clippy::cast_precision_loss, reason = "ticks of a short run")]
pub fn cpu_of(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let rest = stat.rsplit(')').next().unwrap();
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks: u64 = [11, 12]
        .iter()
        .map(|&at: &usize| fields[at].parse::<u64>().unwrap())
        .sum();
    ticks as f64 / 100.0
}

/// One GET, the whole answer.
pub fn get(address: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

/// The policy, with or without the second role of everybody.
fn write_policy(folder: &Path, publishers: bool) {
    let mut policy = String::from(
        r#"[org]
name = "acme"
sign_in = "company"
client_id = "oam"
[roles.model-reader]
members = [{ source = "company", groups = ["ml"] }]
grants = [{ hub = "models", repositories = ["acme/*"], action = "read" }]
"#,
    );
    if publishers {
        policy.push_str(
            r#"[roles.model-publisher]
members = [{ source = "company", groups = ["ml"] }]
grants = [{ hub = "models", repositories = ["acme/*"], action = "write" }]
"#,
        );
    }
    let path = folder.join("policy.toml");
    let new = path.with_extension("new");
    fs::write(&new, policy).unwrap();
    fs::rename(&new, &path).unwrap();
}

fn issuer(folder: &TempDir, command: &str) -> Command {
    let mut issuer = Command::new(super::program("oam-issuer"));
    issuer
        .arg("--config")
        .arg(folder.path().join("issuer.toml"))
        .arg(command)
        .env("OAM_MASTER_KEY", "17".repeat(32))
        .env("OAM_CLIENT_SECRET", "bench-client-secret")
        .env("OAM_LOG", "warn")
        .stdout(Stdio::null())
        .stderr(Stdio::inherit());
    issuer
}

fn settings(folder: &str, address: &str, limits: &str, more: &str) -> String {
    format!(
        r#"url = "http://{address}"
listen = ["{address}"]
database = "{folder}/issuer.db"
policy = "{folder}/policy.toml"
master_key = {{ env = "OAM_MASTER_KEY" }}
[limits]
{limits}
[sources.company]
issuer = "{PROVIDER}"
audiences = ["oam"]
jwks_file = "{folder}/jwks.json"
{more}
[hubs.models]
url = "{HUB}"
kind = "huggingface"
backend = {{ kind = "jwt" }}
"#
    )
}

/// The PKCS#1 key inside a PKCS#8 one (RFC 5958 §2): the last octet string of the outer sequence.
fn pkcs1_of(pkcs8: &[u8]) -> &[u8] {
    let at = pkcs8
        .windows(2)
        .position(|pair| pair == [0x04, 0x82])
        .unwrap();
    &pkcs8[at + 4..]
}
