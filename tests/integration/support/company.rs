//! A company: the provider, the hub, and `oam-issuer` between them, with one person's machine.

use super::company_files::Plan;
use super::http::{Answer, Ask};
use super::nginx::Nginx;
use super::parts::Part;
use super::port::Port;
use super::wait::{LONG, until, until_true};
use super::world::{Run, World};
use serde_json::{Value, json};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

/// RFC 8693 §2.1.
pub const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// RFC 8693 §3.
pub const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";

/// The company. Everything in it ends with it.
pub struct Company {
    /// The machine of a person, with the provider and the hub.
    pub world: World,
    /// Where CI jobs get their tokens.
    pub ci: Part,
    /// The transmitter of security events.
    pub ssf: Part,
    /// The issuer's public URL.
    pub url: String,
    /// Where it listens itself: the same, or behind nginx.
    pub inner: String,
    /// Its folder: configuration, policy, key, database.
    pub folder: PathBuf,
    pub(super) database: PathBuf,
    pub(super) server: Mutex<Option<Child>>,
    pub(super) nginx: Option<Nginx>,
    pub(super) ports: Vec<Port>,
    pub(super) _temporary: tempfile::TempDir,
}

/// Unix seconds.
pub fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap().as_secs()
}

impl Company {
    /// The usual one, with the issuer running and nobody signed in.
    pub fn start() -> Self {
        Plan::default().start()
    }

    /// The usual one, with ada signed in and git set up.
    pub fn signed_in() -> Self {
        let company = Self::start();
        company.login("ada");
        company.world.set_up_git();
        company
    }

    // ---- the issuer as a process

    /// Starts the issuer and waits until it is ready.
    pub fn up(&self) {
        self.spawn();
        until("the issuer to be ready", LONG, || {
            self.still_runs();
            let answer = Ask::get(&format!("{}/readyz", self.inner)).try_send();
            answer.is_ok_and(|a| a.status == 200).then_some(())
        });
    }

    /// Starts the issuer and waits for nothing.
    pub fn spawn(&self) {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.join("issuer.log"));
        let log = log.unwrap();
        let child = self
            .issuer_command(&["serve"])
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("oam-issuer starts");
        *self.server.lock().unwrap() = Some(child);
    }

    #[track_caller]
    fn still_runs(&self) {
        let mut server = self.server.lock().unwrap();
        let ended = server.as_mut().expect("it was started").try_wait();
        assert!(ended.unwrap().is_none(), "the issuer ended: {}", self.log());
    }

    /// What the issuer wrote to its log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("issuer.log")).unwrap_or_default()
    }

    /// Its process id.
    pub fn pid(&self) -> i64 {
        let server = self.server.lock().unwrap();
        i64::from(server.as_ref().expect("it runs").id())
    }

    /// Ends it by a signal and waits until it is gone; its exit code.
    pub fn end(&self, signal: &str) -> i32 {
        let pid = self.pid().to_string();
        let _ = Command::new("kill").args([signal, &pid]).status();
        self.gone()
    }

    /// Waits until it has ended; its exit code, 128 + n for a signal.
    pub fn gone(&self) -> i32 {
        use std::os::unix::process::ExitStatusExt as _;
        let mut child = self.server.lock().unwrap().take().expect("it was started");
        let status = until("the issuer to end", LONG, || child.try_wait().unwrap());
        status.code().or(status.signal().map(|s| 128 + s)).unwrap()
    }

    /// Asks it to stop, waits, and starts it again on the same port.
    pub fn restart(&self) {
        assert_eq!(self.end("-TERM"), 0, "{}", self.log());
        self.up();
    }

    /// Kills it without a word, and starts it again on the same port.
    pub fn kill_and_restart(&self) {
        self.end("-9");
        self.up();
    }

    // ---- its command line and files

    /// `oam-issuer --config … ARGS`.
    pub fn issuer_command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(oam::program("oam-issuer"));
        command
            .arg("--config")
            .arg(self.folder.join("issuer.toml"))
            .args(args)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("LANG", "C.UTF-8")
            .current_dir(&self.folder)
            .stdin(Stdio::null());
        command
    }

    /// Runs `oam-issuer ARGS` to its end.
    pub fn issuer(&self, args: &[&str]) -> Run {
        Run::of(&self.issuer_command(args).output().expect("oam-issuer"))
    }

    /// The same, with text on its stdin.
    pub fn issuer_fed(&self, args: &[&str], text: &str) -> Run {
        World::feed(&mut self.issuer_command(args), text.as_bytes())
    }

    /// Writes the policy as an editor would: by rename. A running issuer notices.
    pub fn write_policy(&self, text: &str) {
        replace(&self.folder.join("policy.toml"), text);
    }

    /// The policy file.
    pub fn policy(&self) -> String {
        std::fs::read_to_string(self.folder.join("policy.toml")).unwrap()
    }

    // ---- what it has on record

    /// All audit entries, oldest first.
    pub fn audit(&self) -> Vec<Value> {
        let run = self
            .issuer(&["audit", "export", "--format", "jsonl"])
            .expect(0);
        run.stdout
            .lines()
            .map(|line| serde_json::from_str(line).expect("an entry"))
            .collect()
    }

    /// The entries of this event.
    pub fn audited(&self, event: &str) -> Vec<Value> {
        let mut entries = self.audit();
        entries.retain(|entry| entry["event"] == event);
        entries
    }

    /// Waits until an entry is there.
    #[track_caller]
    pub fn until_audited(&self, what: &str, found: impl Fn(&Value) -> bool) -> Value {
        until(what, LONG, || self.audit().into_iter().find(&found))
    }

    /// The chain is whole.
    #[track_caller]
    pub fn verify(&self) {
        self.issuer(&["audit", "verify"]).expect(0);
    }

    /// `/readyz`: status and document.
    pub fn ready(&self) -> (u16, Value) {
        let answer = Ask::get(&format!("{}/readyz", self.inner)).send();
        (answer.status, answer.json())
    }

    // ---- people and jobs

    /// Signs somebody in by the issuer's URL alone.
    pub fn login(&self, account: &str) -> Run {
        Run::of(&self.login_command(account).output().expect("oam")).expect(0)
    }

    /// `oam login URL` as this account, with a browser that keeps its cookies.
    pub fn login_command(&self, account: &str) -> Command {
        let mut login = self.world.oam_command(&["login", &self.url]);
        login.env("OAM_TEST_ACCOUNT", account);
        login.env("OAM_TEST_COOKIES", self.world.home.join("cookies"));
        login
    }

    /// An ID token of the provider for this account, as after a sign-in of now. `claims` are merged in.
    pub fn id_token(&self, account: &str, claims: &Value) -> String {
        self.forged(account, claims, &json!({}))
    }

    /// The same with something wrong: `how` as the provider's `mint` takes it.
    pub fn forged(&self, account: &str, claims: &Value, how: &Value) -> String {
        let groups = match account {
            "ada" => json!(["ml-research", "staff"]),
            "eve" => json!([]),
            _ => json!(["staff"]),
        };
        let mut all = json!({
            "sub": account, "aud": "oam", "auth_time": now(), "preferred_username": account,
            "email": format!("{account}@example.com"), "email_verified": true, "groups": groups, "sid": format!("session-of-{account}"),
        });
        merge(&mut all, claims);
        let mut order = json!({"claims": all});
        merge(&mut order, how);
        let minted = self.world.idp.control("mint", &order);
        minted["token"].as_str().expect("a token").to_owned()
    }

    /// A GitHub job's token for the issuer.
    pub fn job_token(&self, job: &Value) -> String {
        let order = json!({"audience": self.url, "job": job});
        let minted = self.ci.control("github", &order);
        minted["token"].as_str().expect("a token").to_owned()
    }

    // ---- the wire

    /// The request for a role token.
    pub fn exchange_ask(&self, subject: &str, repository: &str, scope: &str) -> Ask {
        let hub = self.world.hub.get("url");
        Ask::post(&format!("{}/oauth/token", self.inner)).form(&[
            ("grant_type", EXCHANGE),
            ("subject_token", subject),
            ("subject_token_type", ID_TOKEN),
            ("audience", hub),
            ("resource", repository),
            ("scope", scope),
        ])
    }

    /// Asks for a role token.
    pub fn exchange(&self, subject: &str, repository: &str, scope: &str) -> Answer {
        self.exchange_ask(subject, repository, scope).send()
    }

    /// A role token that must be granted.
    #[track_caller]
    pub fn granted(&self, subject: &str, repository: &str, scope: &str) -> String {
        let answer = self.exchange(subject, repository, scope).expect(200).json();
        answer["access_token"].as_str().expect("a token").to_owned()
    }

    /// What a hub is told of a token.
    pub fn introspect(&self, client: (&str, &str), token: &str) -> Answer {
        Ask::post(&format!("{}/oauth/introspect", self.inner))
            .basic(client.0, client.1)
            .form(&[("token", token)])
            .send()
    }

    /// Registers the hub for introspection, and lets the hub ask.
    pub fn hub_introspects(&self) -> (String, String) {
        let run = self
            .issuer(&["client", "add", "gate", "--hub", "hub", "--json"])
            .expect(0);
        let made = run.json();
        let secret = made["secret"].as_str().expect("a secret").to_owned();
        let id = made["client"].as_str().unwrap_or("gate").to_owned();
        let introspection = json!({
            "url": format!("{}/oauth/introspect", self.inner), "client_id": id, "client_secret": secret,
        });
        let options = json!({"introspect": true, "introspection": introspection});
        self.world.hub.control("options", &options);
        (id, secret)
    }

    /// `GET` of a bearer endpoint.
    pub fn bearer(&self, path: &str, token: &str) -> Answer {
        Ask::get(&format!("{}{path}", self.inner))
            .bearer(token)
            .send()
    }

    /// The status that the hub answers to a reader or writer of this repository with this token.
    pub fn at_the_hub(&self, token: &str, repository: &str, service: &str) -> u16 {
        let hub = self.world.hub.get("url");
        let url = format!("{hub}/{repository}.git/info/refs?service=git-{service}");
        Ask::get(&url).bearer(token).send().status
    }

    /// Waits until the agent has an open feed: its session is told at once of what happens.
    pub fn until_fed(&self) {
        until_true("the agent's feed", || self.feeds() > 0);
    }

    /// Open feeds, by the issuer's metrics.
    pub fn feeds(&self) -> u64 {
        self.metric("oam_issuer_feeds_open")
    }

    /// The sum of a metric over its labels.
    pub fn metric(&self, name: &str) -> u64 {
        let text = Ask::get(&format!("{}/metrics", self.inner)).send().text();
        let mut sum = 0.0;
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (key, value) = line.rsplit_once(' ').unwrap_or((line, "0"));
            if key.split('{').next() == Some(name) {
                sum += value.parse().unwrap_or(0.0);
            }
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "small counts"
        )]
        {
            sum as u64
        }
    }
}

/// The header (0) or claims (1) of a signed token.
pub fn part(token: &str, at: usize) -> Value {
    let text = token.split('.').nth(at).expect("a signed token");
    serde_json::from_slice(&super::http::unbase64url(text)).expect("JSON in a token")
}

/// Writes a file by rename.
pub fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    super::world::set_mode(&new, 0o600);
    File::open(&new).and_then(|file| file.sync_all()).unwrap();
    std::fs::rename(&new, path).unwrap();
}

fn merge(into: &mut Value, from: &Value) {
    for (name, value) in from.as_object().into_iter().flatten() {
        into[name] = value.clone();
    }
}

impl Drop for Company {
    fn drop(&mut self) {
        if let Some(mut child) = self.server.get_mut().ok().and_then(Option::take) {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(40).collect();
            for line in tail.iter().rev() {
                // A failed test shows what the issuer said; nobody is left to tell about a broken pipe.
                let _ = writeln!(std::io::stderr(), "issuer: {line}");
            }
        }
    }
}
