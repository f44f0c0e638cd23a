//! The helper as a process: how it reaches, starts and identifies itself to the agent, and what git makes of it.

use crate::support::{Agent, answers_of, asked, say, token};
use oam_agent::command::{ClientRequest, EpochGate};
use oam_host::socket::ConnectionLimits;
use oam_model::refusal::Refusal;
use oam_wire::message::Reply;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;

const INPUT: &str = "protocol=https\nhost=hub.example\npath=acme/model.git\n";

fn run(command: &mut Command, runtime: &Path, input: &str) -> Output {
    // No state of the person who runs the tests is looked at.
    command
        .env("XDG_RUNTIME_DIR", runtime)
        .env_remove("XDG_STATE_HOME")
        .env("HOME", runtime)
        .env("GIT_TERMINAL_PROMPT", "0");
    command
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null");
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn runtime(agent: &Agent) -> PathBuf {
    agent.place.folder.parent().unwrap().to_path_buf()
}

#[test]
fn the_helper_gets_a_token_and_is_known_with_its_repository() {
    let (tell, told) = mpsc::channel();
    let agent = Agent::new(ConnectionLimits::default(), move |command| {
        let ClientRequest {
            caller, answers, ..
        } = asked(command);
        tell.send(caller).unwrap();
        say(&answers, token(1, "t0ken", EpochGate::new(1)));
    });
    let work = agent.home.path().canonicalize().unwrap().join("work");
    std::fs::create_dir_all(work.join(".git")).unwrap();
    std::fs::create_dir_all(work.join("deep")).unwrap();
    let mut command = Command::new(oam::program("git-credential-oam"));
    let out = run(
        command.arg("get").current_dir(work.join("deep")),
        &runtime(&agent),
        INPUT,
    );
    assert_eq!(
        text(&out.stdout),
        "username=oam\npassword=t0ken\npassword_expiry_utc=1900000000\n"
    );
    assert!(out.status.success() && out.stderr.is_empty());
    let caller = told.recv().unwrap();
    assert!(caller.executable.unwrap().ends_with("git-credential-oam"));
    assert_eq!(caller.working_repository.as_deref(), work.to_str());
    assert!(!caller.ancestry.is_empty());
}

#[test]
fn git_stops_at_a_refusal_and_asks_nobody_else() {
    let agent = Agent::new(ConnectionLimits::default(), |command| {
        let refusal = Refusal::denied("no role covers acme/model", "ask for the role");
        say(&answers_of(command), Reply::Refused { refusal, epoch: 1 });
    });
    let mut command = Command::new("git");
    command.args([
        "-c",
        "credential.helper=",
        "-c",
        &format!(
            "credential.helper={} --hub hub",
            oam::program("git-credential-oam")
        ),
    ]);
    command.args([
        "-c",
        "credential.helper=!echo another was asked >&2; true",
        "credential",
        "fill",
    ]);
    let out = run(&mut command, &runtime(&agent), INPUT);
    let words = text(&out.stderr);
    assert_eq!(out.status.code(), Some(128));
    assert!(
        words.starts_with("oam: no role covers acme/model\noam: ask for the role\n"),
        "{words}"
    );
    assert!(!words.contains("another"));
}

#[test]
fn the_agent_is_told_what_git_is_doing() {
    let (tell, told) = mpsc::channel();
    let agent = Agent::new(ConnectionLimits::default(), move |command| {
        let ClientRequest {
            caller, answers, ..
        } = asked(command);
        tell.send(caller.ancestry).unwrap();
        say(&answers, Reply::NotOurs);
    });
    // An alias of git's own, so that git stands above the helper as it does in a push.
    let alias = format!("alias.push-x=!{} get", oam::program("git-credential-oam"));
    let mut command = Command::new("git");
    let out = run(
        command.args(["-c", &alias, "push-x"]),
        &runtime(&agent),
        INPUT,
    );
    assert!(out.status.success() && out.stdout.is_empty());
    let ancestry = told.recv().unwrap();
    assert!(
        ancestry.iter().any(|step| step == "git push-x"),
        "{ancestry:?}"
    );
}

/// The helper in a folder of its own, with a script as the agent beside it.
fn beside(script: &str) -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let helper = home.path().join("git-credential-oam");
    std::fs::copy(oam::program("git-credential-oam"), &helper).unwrap();
    let agent = home.path().join("oam-agent");
    std::fs::write(&agent, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&agent, std::fs::Permissions::from_mode(0o700)).unwrap();
    (home, helper)
}

#[test]
fn an_agent_that_can_not_start_says_why_in_git() {
    let words =
        r#"{"code":"unavailable","sentence":"the configuration has a fault","next":"see line 3"}"#;
    let (home, helper) = beside(&format!("echo '{words}'"));
    let mut command = Command::new(&helper);
    let out = run(command.args(["--hub", "hub", "get"]), home.path(), INPUT);
    assert_eq!(text(&out.stdout), "quit=1\n");
    assert_eq!(
        text(&out.stderr),
        "oam: the configuration has a fault\noam: see line 3\n"
    );
    assert!(out.status.success());
}

#[test]
fn the_agent_is_started_without_tokens_in_its_environment_and_away_from_the_working_folder() {
    let (home, helper) = beside(r#"env > "$HOME/env"; pwd > "$HOME/pwd"; echo ready"#);
    let mut command = Command::new(&helper);
    command
        .env("HF_TOKEN", "hf_secret")
        .env("GIT_CONFIG_PARAMETERS", "'http.extraheader=secret'");
    command.env("HOME", home.path()).env("LANG", "C");
    let out = run(command.args(["--hub", "hub", "get"]), home.path(), INPUT);
    // This one says that it listens and does not.
    assert!(text(&out.stderr).contains("the agent is not running"));
    let environment = std::fs::read_to_string(home.path().join("env")).unwrap();
    assert!(
        environment.contains("LANG=C") && !environment.contains("secret"),
        "{environment}"
    );
    assert_eq!(
        std::fs::read_to_string(home.path().join("pwd")).unwrap(),
        "/\n"
    );
}

#[test]
fn erase_store_and_a_forbidden_start_start_nothing() {
    let (home, helper) = beside(r#": > "$HOME/started"; echo ready"#);
    for (operation, forbidden) in [("erase", "0"), ("store", "0"), ("get", "1")] {
        let mut command = Command::new(&helper);
        command
            .env("HOME", home.path())
            .env("OAM_NO_AUTOSTART", forbidden);
        let input = format!("{INPUT}username=oam\npassword=t0ken\n");
        let out = run(
            command.args(["--hub", "hub", operation]),
            home.path(),
            &input,
        );
        assert!(out.status.success(), "{operation}");
        assert_eq!(operation == "get", text(&out.stdout) == "quit=1\n");
        assert!(!home.path().join("started").exists(), "{operation}");
    }
}

#[test]
fn help_and_version_are_there() {
    let home = tempfile::tempdir().unwrap();
    for (flag, part) in [
        ("--help", "Usage:"),
        ("--version", oam_wire::message::VERSION),
    ] {
        let out = run(
            Command::new(oam::program("git-credential-oam")).arg(flag),
            home.path(),
            "",
        );
        assert!(text(&out.stdout).contains(part) && out.status.success());
    }
}
