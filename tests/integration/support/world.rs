//! One person's machine: a home, a desktop, the provider, the hub, and the shipped programs.

use super::builder::Builder;
use super::desktop::Desktop;
use super::parts::{Part, environment, package};
use super::wait::{until, until_true};
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

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
    pub(super) _folder: tempfile::TempDir,
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
        let bin = Path::new(oam::program("oam")).parent().unwrap();
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
            if desktop.screen.is_some() {
                command.env("DBUS_SYSTEM_BUS_ADDRESS", &desktop.address);
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
        self.run(oam::program("oam"), args)
    }

    /// A command of `oam` that the test arranges further.
    pub fn oam_command(&self, args: &[&str]) -> Command {
        let mut command = self.command(oam::program("oam"));
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
        let mut command = self.command(oam::program("git-credential-oam"));
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
        let run = self.oam(&["status", "--json"]);
        let org = run.json()["orgs"][0].clone();
        assert!(
            org.is_object(),
            "no organization in {}{}",
            run.stdout,
            run.stderr
        );
        org
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

    /// The folder of this host's state.
    pub fn state(&self) -> PathBuf {
        oam_wire::host::folder(&self.home.join(".local/state/oam"))
    }

    /// The audit log's lines.
    pub fn records(&self) -> Vec<Value> {
        let file = self.state().join("audit/audit.jsonl");
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

/// One line that a running program prints.
pub fn read_line(child: &mut Child) -> String {
    use std::io::Read as _;
    let stdout = child.stdout.as_mut().expect("its output is ours");
    let mut line = Vec::new();
    let mut byte = [0];
    // Byte by byte: a buffer would swallow what comes after the line.
    while stdout.read(&mut byte).unwrap_or(0) == 1 && byte != *b"\n" {
        line.push(byte[0]);
    }
    String::from_utf8_lossy(&line).into_owned()
}

/// A child of `oam exec` that runs until its stdin is closed.
pub fn child_that_waits(world: &World) -> Child {
    let mut child = world
        .oam_command(&["exec", "--token-file"])
        .args(["--repo", "acme/model", "--hub", "hub", "--"])
        .args(["sh", "-c", "echo \"$HF_TOKEN_PATH\"; cat >/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("oam starts");
    let path = read_line(&mut child);
    assert!(Path::new(&path).exists(), "a token file at {path}");
    child
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
