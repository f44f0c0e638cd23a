//! One person's machine: a home, a desktop, the provider, the hub, and the shipped programs.

use super::desktop::Desktop;
use super::parts::{Part, environment, package};
use super::wait::{until, until_true};
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// What a test wants different from the usual.
pub struct Builder {
    idp: Value,
    hub: Value,
    keyring: bool,
    notifications: bool,
    config: Box<dyn Fn(&str) -> String>,
}

/// A program that ended.
pub struct Run {
    /// Its exit code; 128 + n for a signal.
    pub code: i32,
    /// What it said.
    pub stdout: String,
    /// What it said besides.
    pub stderr: String,
}

impl Run {
    /// What a finished process said.
    pub fn of(output: &Output) -> Self {
        use std::os::unix::process::ExitStatusExt as _;
        let code = output
            .status
            .code()
            .or(output.status.signal().map(|s| 128 + s))
            .unwrap_or(-1);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            code,
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    /// The run, which must have ended with `code`.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "stdout:\n{}\nstderr:\n{}",
            self.stdout, self.stderr
        );
        self
    }

    /// Its output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("{e}\nstdout:\n{}\nstderr:\n{}", self.stdout, self.stderr))
    }
}

/// The machine. Everything in it ends with it.
pub struct World {
    /// Home directory.
    pub home: PathBuf,
    /// `XDG_RUNTIME_DIR`.
    pub runtime: PathBuf,
    /// The provider.
    pub idp: Part,
    /// The hub.
    pub hub: Part,
    /// D-Bus, keyring, notifications.
    pub desktop: Option<Desktop>,
    /// The one folder that holds all of it.
    _folder: tempfile::TempDir,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            idp: json!({}),
            hub: json!({}),
            keyring: true,
            notifications: false,
            config: Box::new(str::to_owned),
        }
    }
}

impl Builder {
    /// Options of the provider.
    pub fn idp(mut self, options: Value) -> Self {
        self.idp = options;
        self
    }

    /// Options of the hub. `introspection: true` means the provider's.
    pub fn hub(mut self, options: Value) -> Self {
        self.hub = options;
        self
    }

    /// No D-Bus, no keyring.
    pub fn without_desktop(mut self) -> Self {
        self.keyring = false;
        self
    }

    /// dunst under Xvfb.
    pub fn with_notifications(mut self) -> Self {
        self.notifications = true;
        self
    }

    /// Edits the configuration before it is written.
    pub fn config(mut self, edit: impl Fn(&str) -> String + 'static) -> Self {
        self.config = Box::new(edit);
        self
    }

    /// Starts everything but the agent, which its first client starts.
    pub fn start(self) -> World {
        let folder = tempfile::Builder::new()
            .prefix("oam-t")
            .tempdir_in("/tmp")
            .unwrap();
        let (home, runtime) = (folder.path().join("home"), folder.path().join("run"));
        for dir in [&home, &runtime] {
            std::fs::create_dir(dir).unwrap();
            set_mode(dir, 0o700);
        }
        let idp = Part::start("idp.mjs", &self.idp);
        let mut hub_options = self.hub;
        hub_options["issuer"] = json!(idp.get("issuer"));
        if hub_options["introspection"] == true {
            hub_options["introspection"] = json!({
                "url": idp.get("token_introspection"),
                "client_id": "hub",
                "client_secret": "hub-secret",
            });
        }
        if hub_options["repositories"].is_null() {
            hub_options["repositories"] = json!(["acme/model", "datasets/acme/corpus"]);
        }
        let hub = Part::start("hub.mjs", &hub_options);
        let desktop = self.keyring.then(|| {
            let mut desktop = Desktop::bus(&home, &runtime);
            desktop.start_keyring();
            if self.notifications {
                desktop.start_notifications();
            }
            desktop
        });
        let world = World {
            home,
            runtime,
            idp,
            hub,
            desktop,
            _folder: folder,
        };
        world.write_config(&(self.config)(&world.usual_config()));
        world
    }
}

/// Sets a path's mode.
pub fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

impl World {
    /// The usual machine.
    pub fn start() -> Self {
        Builder::default().start()
    }

    /// The usual machine with somebody signed in and git set up.
    pub fn signed_in() -> Self {
        let world = Self::start();
        world.login();
        world.set_up_git();
        world
    }

    /// `oam setup git`.
    pub fn set_up_git(&self) {
        self.oam(&["setup", "git"]).expect(0);
    }

    /// The configuration that most tests use: everything is proven at every ask.
    pub fn usual_config(&self) -> String {
        format!(
            r#"[orgs.acme]
issuer = "{issuer}"
client_id = "oam"
scopes = ["openid", "offline_access", "email", "groups"]
fresh = "0s"
lease = "10m"

[orgs.acme.exchange]
kind = "rfc8693"
token_endpoint = "{token}"
client_id = "oam"
audience = "{{hub}}"
resource = "{{repository}}"
scope = "role:{{role}} {{action}}"
revocation_endpoint = "{revoke}"

[orgs.acme.hubs.hub]
url = "{hub}"
kind = "huggingface"

[orgs.acme.roles.model-reader]
grants = [{{ hub = "hub", repositories = ["acme/*", "datasets/acme/*"], action = "read" }}]

[orgs.acme.roles.model-publisher]
groups = ["ml-research"]
grants = [{{ hub = "hub", repositories = ["acme/*", "datasets/acme/*"], action = "write" }}]
"#,
            issuer = self.idp.get("issuer"),
            token = self.idp.get("token_endpoint"),
            revoke = self.idp.get("exchange_revoke"),
            hub = self.hub.get("url"),
        )
    }

    /// Where the configuration lies.
    pub fn config_path(&self) -> PathBuf {
        self.home.join(".config/oam/config.toml")
    }

    /// Writes the configuration, as an editor would: by rename.
    pub fn write_config(&self, text: &str) {
        let path = self.config_path();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let new = path.with_extension("new");
        std::fs::write(&new, text).unwrap();
        set_mode(&new, 0o600);
        std::fs::rename(&new, &path).unwrap();
    }

    /// A program in this person's environment, and nothing else of ours.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        let bin = Path::new(env!("CARGO_BIN_EXE_oam")).parent().unwrap();
        command
            .env_clear()
            .envs(
                environment()
                    .iter()
                    .filter(|(k, _)| k.starts_with("OAM_PARTS") || *k == "OAM_NODE_MODULES"),
            )
            .env(
                "PATH",
                format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display()),
            )
            .env("HOME", &self.home)
            .env("USER", "ada")
            .env("LANG", "C.UTF-8")
            .env("XDG_RUNTIME_DIR", &self.runtime)
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_NAME", "Ada")
            .env("GIT_AUTHOR_EMAIL", "ada@acme.example")
            .env("GIT_COMMITTER_NAME", "Ada")
            .env("GIT_COMMITTER_EMAIL", "ada@acme.example")
            .env("HF_HUB_DISABLE_XET", "1")
            .env("HF_HUB_DISABLE_TELEMETRY", "1")
            .env("BROWSER", package().join("tests/parts/browser.mjs"))
            .env("NODE", super::parts::tool("NODE"))
            .current_dir(&self.home)
            .stdin(Stdio::null());
        if let Some(desktop) = &self.desktop {
            command.env("DBUS_SESSION_BUS_ADDRESS", &desktop.address);
            if let Some(display) = &desktop.display {
                command.env("DISPLAY", display);
            }
        }
        command
    }

    /// Runs a program to its end.
    pub fn run(&self, program: &str, args: &[&str]) -> Run {
        Run::of(
            &self
                .command(program)
                .args(args)
                .output()
                .unwrap_or_else(|e| panic!("{program}: {e}")),
        )
    }

    /// Runs a command to its end with text on stdin.
    pub fn feed(command: &mut Command, text: &[u8]) -> Run {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let _ = child.stdin.take().unwrap().write_all(text);
        Run::of(&child.wait_with_output().unwrap())
    }

    /// `oam ARGS`.
    pub fn oam(&self, args: &[&str]) -> Run {
        self.run(env!("CARGO_BIN_EXE_oam"), args)
    }

    /// A command of `oam` that the test arranges further.
    pub fn oam_command(&self, args: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_oam"));
        command.args(args);
        command
    }

    /// Starts `oam ARGS` and leaves it running.
    pub fn oam_start(&self, args: &[&str]) -> Child {
        self.oam_command(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("oam starts")
    }

    /// `git ARGS` in `dir` below home.
    pub fn git(&self, dir: &str, args: &[&str]) -> Run {
        Run::of(
            &self
                .command("git")
                .args(args)
                .current_dir(self.home.join(dir))
                .output()
                .expect("git"),
        )
    }

    /// What git's helper answers for `path` at the hub.
    pub fn helper(&self, operation: &str, extra: &str) -> Run {
        let host = self.hub.get("url").trim_start_matches("http://").to_owned();
        let input = format!("protocol=http\nhost={host}\n{extra}\n");
        let mut command = self.command(env!("CARGO_BIN_EXE_git-credential-oam"));
        command.args(["--hub", "hub", operation]);
        Self::feed(&mut command, input.as_bytes())
    }

    /// The token that a `get` for `acme/model` hands out, if any.
    pub fn token(&self) -> Option<String> {
        let run = self.helper("get", "path=acme/model\n");
        run.stdout
            .lines()
            .find_map(|line| line.strip_prefix("password=").map(str::to_owned))
    }

    /// Signs ada in.
    pub fn login(&self) {
        self.oam(&["login", "acme"]).expect(0);
    }

    /// Signs this account in.
    pub fn login_as(&self, account: &str) {
        let mut login = self.oam_command(&["login", "acme"]);
        login.env("OAM_TEST_ACCOUNT", account);
        Run::of(&login.output().expect("oam")).expect(0);
    }

    /// Waits until the tokens of this role that are out have less than the 60 s of life with which
    /// one is handed out.
    pub fn until_unservable(&self, role: &str) {
        let now = || {
            let now = std::time::SystemTime::now();
            now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
        };
        let tokens = self.status()["tokens"].as_array().unwrap().clone();
        let last = tokens
            .iter()
            .filter(|token| token["role"] == role)
            .filter_map(|token| token["expires_at"].as_u64())
            .max()
            .expect("a token is out");
        until_true("the margin", || now() + 60 > last);
    }

    /// `oam status --json`, the first organization.
    pub fn status(&self) -> Value {
        self.oam(&["status", "--json"]).json()["orgs"][0].clone()
    }

    /// Process id of the agent.
    pub fn agent_pid(&self) -> i64 {
        self.oam(&["status", "--json"]).expect(0).json()["agent_pid"]
            .as_i64()
            .expect("a pid")
    }

    /// Sends the agent a signal and waits until it is gone.
    pub fn kill_agent(&self, signal: &str) {
        let pid = self.agent_pid();
        assert!(
            Command::new("kill")
                .args([signal, &pid.to_string()])
                .status()
                .unwrap()
                .success()
        );
        until("the agent to be gone", Duration::from_secs(10), || {
            (!alive(pid)).then_some(())
        });
    }

    /// Ends ada's session at the provider.
    pub fn revoke(&self) {
        self.idp
            .control("revoke-account", &json!({"account": "ada"}));
    }

    /// The audit log's lines.
    pub fn records(&self) -> Vec<Value> {
        let file = self.home.join(".local/state/oam/audit/audit.jsonl");
        let text = std::fs::read_to_string(file).unwrap_or_default();
        text.lines()
            .map(|line| serde_json::from_str(line).expect("a record"))
            .collect()
    }

    /// The last record of this kind.
    pub fn last(&self, what: &str) -> Value {
        let mut records = self.records();
        records.retain(|record| record["what"] == what);
        records.pop().unwrap_or_else(|| panic!("no {what}"))
    }

    /// Repository URL at the hub.
    pub fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.hub.get("url"))
    }

    /// Token files that lie in the runtime directory now.
    pub fn token_files(&self) -> Vec<PathBuf> {
        let root = self.runtime.join("oam/exec");
        let Ok(list) = std::fs::read_dir(root) else {
            return Vec::new();
        };
        list.flatten()
            .map(|entry| entry.path().join("token"))
            .filter(|path| path.exists())
            .collect()
    }
}

/// Whether any thread of a process runs. The first one can be a zombie while the others still hold
/// the socket open.
pub fn alive(pid: i64) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task"));
    threads.into_iter().flatten().flatten().any(|thread| {
        let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        stat.rsplit_once(") ")
            .is_some_and(|(_, rest)| !rest.starts_with('Z'))
    })
}

impl Drop for World {
    fn drop(&mut self) {
        // The agent's pid from its lock or from /proc: no client may start a new one here.
        for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Ok(pid) = entry.file_name().to_string_lossy().parse::<i64>() else {
                continue;
            };
            let environ = std::fs::read(entry.path().join("environ")).unwrap_or_default();
            let ours = format!("HOME={}", self.home.display());
            let is_agent = std::fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            if is_agent.trim() == "oam-agent"
                && environ.split(|b| *b == 0).any(|v| v == ours.as_bytes())
            {
                let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
            }
        }
    }
}
