//! The hub's own clients through `oam exec`: `hf`, and Python with `huggingface_hub`.

use crate::support::parts::tool;
use crate::support::wait::until_true;
use crate::support::{Run, World};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// `oam exec OPTIONS -- hf ARGS` with a private cache.
fn hf(world: &World, options: &[&str], args: &[&str]) -> Run {
    let mut whole = vec!["exec"];
    whole.extend(options);
    whole.extend(["--", tool("HF")]);
    whole.extend(args);
    run(world, world.oam_command(&whole))
}

fn run(world: &World, mut command: Command) -> Run {
    command
        .env("HF_HOME", world.home.join("hf"))
        .env("HF_HUB_DISABLE_UPDATE_CHECK", "1")
        .env("NO_COLOR", "1");
    Run::of(&command.output().expect("it runs"))
}

/// A file to upload.
fn file(world: &World, name: &str, text: &str) -> String {
    let path = world.home.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn log(world: &World, query: &str) -> Vec<Value> {
    let log = world.hub.ask(&format!("log?{query}"));
    log["log"].as_array().expect("a log").clone()
}

#[test]
fn whoami_names_the_role_and_not_the_person() {
    let world = World::signed_in();
    let run = hf(&world, &["--repo", "acme/model"], &["auth", "whoami"]).expect(0);
    assert!(run.stdout.contains("role:model-reader"), "{}", run.stdout);
    let log = log(&world, "path=whoami");
    assert!(log.iter().any(|entry| entry["status"] == 200), "{log:?}");
}

#[test]
fn upload_writes_to_the_repository_of_its_arguments_and_nowhere_else() {
    let world = World::signed_in();
    let path = file(&world, "config.json", "{\"layers\": 2}\n");
    let args = ["upload", "acme/model", &path, "config.json"];
    let run = hf(&world, &[], &args).expect(0);
    assert!(run.stderr.contains("acme/model"), "told: {}", run.stderr);
    let stored = world.hub.ask("file?path=acme/model&file=config.json");
    assert!(stored["content"].is_string(), "{stored}");
    for entry in log(&world, "kind=hf") {
        // Each request has the token for what it does.
        if !entry["token"].is_null() && entry["method"] != "GET" && entry["method"] != "HEAD" {
            assert_eq!(entry["role"], "model-publisher", "{entry}");
        }
        assert_ne!(entry["leaked"], true, "{entry}");
    }
    let grants: Vec<Value> = world
        .records()
        .into_iter()
        .filter(|record| record["what"] == "grant")
        .collect();
    assert!(!grants.is_empty());
    for grant in &grants {
        assert_eq!(grant["repository"], "acme/model");
        assert_eq!(grant["front"], "gateway");
    }
    assert!(grants.iter().any(|grant| grant["action"] == "write"));
    assert!(world.token_files().is_empty(), "there never was one");
}

#[test]
fn upload_of_a_dataset() {
    let world = World::signed_in();
    let path = file(&world, "rows.json", "[]\n");
    let args = [
        "upload",
        "--repo-type",
        "dataset",
        "acme/corpus",
        &path,
        "rows.json",
    ];
    hf(&world, &[], &args).expect(0);
    let stored = world
        .hub
        .ask("file?path=datasets/acme/corpus&file=rows.json");
    assert!(stored["content"].is_string(), "{stored}");
}

#[test]
fn download_reads_with_a_reading_role() {
    let world = World::signed_in();
    let args = ["download", "acme/model", "README.md", "--local-dir", "got"];
    hf(&world, &[], &args).expect(0);
    assert!(world.home.join("got/README.md").exists());
    let seen = log(&world, "kind=hf");
    assert!(seen.iter().any(|entry| entry["role"] == "model-reader"));
    assert!(seen.iter().all(|entry| entry["role"] != "model-publisher"));
}

#[test]
fn a_readers_upload_is_refused_before_hf_starts() {
    let world = World::start();
    world.login_as("brian");
    let path = file(&world, "config.json", "{}\n");
    let run = hf(&world, &[], &["upload", "acme/model", &path, "config.json"]).expect(5);
    assert!(run.stderr.contains("next: "), "{}", run.stderr);
    assert_eq!(log(&world, "kind=hf"), Vec::<Value>::new());
}

/// A Python that makes one request a line and prints the SHA-256 of the token that it read for it.
const FOLLOWER: &str = r#"
import hashlib, sys
from huggingface_hub import HfApi, get_token
api = HfApi()
print("ready", flush=True)
for line in sys.stdin:
    try:
        token = get_token()  # once, as the library would: the file may be renewed in between
        names = api.list_repo_files("acme/model", token=token)
        used = hashlib.sha256(token.encode()).hexdigest()
        print(used if "README.md" in names else "empty", flush=True)
    except Exception as fault:
        print("failed", type(fault).__name__, flush=True)
"#;

struct Follower {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Follower {
    fn start(world: &World) -> Self {
        let args = [
            "exec",
            "--token-file",
            "--repo",
            "acme/model",
            "--",
            tool("PYTHON"),
            "-c",
            FOLLOWER,
        ];
        let mut child = world
            .oam_command(&args)
            .env("HF_HOME", world.home.join("hf"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("oam exec");
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let stdout = BufReader::new(stdout);
        let mut follower = Self {
            child,
            stdin,
            stdout,
        };
        assert_eq!(follower.line(), "ready");
        follower
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    /// One request to the hub; what it says.
    fn go(&mut self) -> String {
        self.stdin.write_all(b"go\n").unwrap();
        self.line()
    }

    fn end(mut self) -> i32 {
        drop(self.stdin);
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

#[test]
fn a_long_running_python_goes_on_after_its_token_was_renewed_under_it() {
    let world = World::start();
    world.login();
    // Two seconds beyond the margin: renewed ahead of need after one.
    let life = json!({"seconds": 62});
    world.idp.control("token-lifetime", &life);
    let mut follower = Follower::start(&world);
    let first = follower.go();
    assert_eq!(first.len(), 64, "{first}");
    let before = std::fs::read(&world.token_files()[0]).unwrap();
    until_true("a renewal", || {
        std::fs::read(&world.token_files()[0]).unwrap() != before
    });
    let second = follower.go();
    assert_eq!(second.len(), 64, "{second}");
    assert_ne!(first, second, "another token, the same process");
    for token in [&first, &second] {
        let used = || log(&world, &format!("token={token}"));
        until_true("the hub's word on the request", || !used().is_empty());
        let used = used();
        assert!(used.iter().all(|entry| entry["status"] == 200), "{used:?}");
    }
    assert!(world.records().iter().any(|r| r["what"] == "renewal"));
    assert_eq!(follower.end(), 0);
    until_true("the file to go with the child", || {
        world.token_files().is_empty()
    });
}

#[test]
fn the_same_child_goes_on_after_the_agent_was_killed_and_came_back() {
    let world = World::start();
    world.login();
    let mut follower = Follower::start(&world);
    assert_eq!(follower.go().len(), 64);
    let path = world.token_files()[0].clone();
    world.kill_agent("-9");
    // `oam exec` itself starts it again.
    until_true("the same file with a token", || {
        world
            .records()
            .iter()
            .filter(|r| r["what"] == "start")
            .count()
            == 2
            && path.exists()
    });
    let again = follower.go();
    assert_eq!(again.len(), 64, "{again}");
    assert_eq!(follower.end(), 0);
}

#[test]
fn plain_hf_goes_through_oam_after_setup_and_not_after_undo() {
    let world = World::start();
    world.login();
    let bin = Path::new(tool("HF"))
        .parent()
        .unwrap()
        .display()
        .to_string();
    let usual = |world: &World| {
        let command = world.command("true");
        let path = command.get_envs().find(|(key, _)| *key == "PATH");
        let path = path.and_then(|(_, value)| value).unwrap();
        format!("{bin}:{}", path.to_str().unwrap())
    };
    let usual = usual(&world);
    let oam = |args: &[&str]| {
        let mut command = world.oam_command(args);
        command.env("PATH", &usual);
        run(&world, command)
    };
    let done = oam(&["setup", "hf", "--json"]).expect(0).json();
    let wrapper = done["changes"][0]["file"]
        .as_str()
        .expect("a file")
        .to_owned();
    let folder = Path::new(&wrapper).parent().unwrap().display().to_string();
    let path = format!("{folder}:{usual}");
    let plain = |args: &[&str]| {
        let mut command = world.command("env");
        command.env("PATH", &path).arg("hf").args(args);
        run(&world, command)
    };
    let again = oam(&["setup", "hf", "--json"]).expect(0).json();
    assert_eq!(again["changes"], json!([]), "idempotent");
    let file = file(&world, "config.json", "{}\n");
    plain(&["upload", "acme/model", &file, "config.json"]).expect(0);
    let grant = world.last("grant");
    assert_eq!(grant["front"], "gateway", "{grant}");
    oam(&["setup", "hf", "--undo"]).expect(0);
    assert!(!Path::new(&wrapper).exists());
    let run = plain(&["upload", "acme/model", &file, "config.json"]);
    assert_ne!(run.code, 0, "without OAM there is no token");
}
