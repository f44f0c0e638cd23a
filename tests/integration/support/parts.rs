//! The real parts as processes: they end with the pipe to their stdin, so none outlives its test.

use super::http::request;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use tempfile::TempDir;

/// Folder of the package.
pub fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What `tests/parts/install` says is where; installs what is missing.
pub fn environment() -> &'static BTreeMap<String, String> {
    static ENVIRONMENT: OnceLock<BTreeMap<String, String>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let file = std::env::var("OAM_PARTS_ENV").unwrap_or_else(|_| install());
        let text = std::fs::read_to_string(&file).expect("the file that tests/parts/install names");
        text.lines()
            .filter_map(|line| line.split_once('='))
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect()
    })
}

fn install() -> String {
    let output = Command::new(package().join("tests/parts/install"))
        .output()
        .expect("tests/parts/install runs");
    assert!(
        output.status.success(),
        "a part is missing:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .last()
        .expect("a path")
        .to_owned()
}

/// A value of [`environment`].
pub fn tool(name: &str) -> &'static str {
    environment()
        .get(name)
        .unwrap_or_else(|| panic!("tests/parts/install names no {name}"))
}

/// A part that runs.
pub struct Part {
    /// The line that it printed.
    pub line: Value,
    child: Child,
    /// Its temporary directory: it is killed and can't clear away by itself. Last, so that it goes after the child.
    _temporary: TempDir,
}

impl Part {
    /// Starts `tests/parts/SCRIPT` with these options.
    pub fn start(script: &str, options: &Value) -> Self {
        let path: PathBuf = package().join("tests/parts").join(script);
        let temporary = tempfile::tempdir().expect("a temporary directory");
        let mut child = Command::new(tool("NODE"))
            .arg(path)
            .arg(options.to_string())
            .envs(environment())
            .env("TMPDIR", temporary.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("stdout"))
            .read_line(&mut line)
            .expect("a line");
        let line = serde_json::from_str(&line)
            .unwrap_or_else(|_| panic!("{script} did not start: {line}"));
        Self {
            line,
            child,
            _temporary: temporary,
        }
    }

    /// A member of the line.
    pub fn get(&self, name: &str) -> &str {
        self.line[name]
            .as_str()
            .unwrap_or_else(|| panic!("no {name} in {}", self.line))
    }

    /// A control call that must succeed.
    pub fn control(&self, call: &str, body: &Value) -> Value {
        let url = format!("{}/control/{call}", self.get("control"));
        let (status, answer) = request("POST", &url, Some(body));
        assert_eq!(status, 200, "{call} {body}: {answer}");
        answer
    }

    /// A question to the control port.
    pub fn ask(&self, call: &str) -> Value {
        let url = format!("{}/control/{call}", self.get("control"));
        let (status, answer) = request("GET", &url, None);
        assert_eq!(status, 200, "{call}: {answer}");
        answer
    }

    /// How often `event` arrived.
    pub fn count(&self, event: &str) -> u64 {
        self.ask("stats")[event].as_u64().unwrap_or(0)
    }

    /// Waits until `event` arrived `count` times.
    pub fn wait(&self, event: &str, count: u64) {
        self.ask(&format!(
            "wait?event={event}&count={count}&deadline_ms=30000"
        ));
    }

    /// The log's entries of `event`, oldest first; of every event when it is empty.
    pub fn log(&self, event: &str) -> Vec<Value> {
        let call = if event.is_empty() {
            "log".to_owned()
        } else {
            format!("log?event={event}")
        };
        self.ask(&call)["log"].as_array().expect("a list").clone()
    }

    /// Queues a fault.
    pub fn fault(&self, endpoint: &str, mode: &str, when: &str, count: i64) {
        self.control(
            "fault",
            &json!({"endpoint": endpoint, "mode": mode, "when": when, "count": count}),
        );
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
