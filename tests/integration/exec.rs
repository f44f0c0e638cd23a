//! `oam exec` and `oam token` as programs: status, signals, variables, the file's life.

use crate::support::wait::{self, until_true};
use crate::support::{Builder, Run, World};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Somebody signed in.
fn signed_in() -> World {
    let world = World::start();
    world.login();
    world
}

/// `oam exec --token-file --repo acme/model OPTIONS -- sh -c SCRIPT`.
fn exec(world: &World, options: &[&str], script: &str) -> Command {
    let mut args = vec!["exec", "--token-file", "--repo", "acme/model"];
    args.extend(options);
    args.extend(["--", "sh", "-c", script]);
    world.oam_command(&args)
}

fn run(mut command: Command) -> Run {
    Run::of(&command.output().expect("oam exec"))
}

fn signal(pid: u32, signal: &str) {
    let sent = Command::new("kill")
        .args([signal, &pid.to_string()])
        .status();
    assert!(sent.unwrap().success());
}

#[test]
fn the_exit_code_is_the_childs() {
    let world = signed_in();
    run(exec(&world, &[], "exit 7")).expect(7);
    run(exec(&world, &[], "true")).expect(0);
    world
        .oam(&["exec", "--repo", "acme/model", "--", "no-such-program"])
        .expect(127);
    assert!(world.token_files().is_empty());
}

#[test]
fn a_child_that_a_signal_ends_ends_oam_by_the_same_signal() {
    let world = signed_in();
    run(exec(&world, &[], "kill -TERM $$")).expect(128 + 15);
    assert!(world.token_files().is_empty());
}

#[test]
fn signals_reach_the_child() {
    let world = signed_in();
    let script = "trap 'echo got it; exit 3' TERM; echo ready; while :; do read -r line; done";
    let mut command = exec(&world, &[], script);
    let mut oam = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(oam.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    signal(oam.id(), "-TERM");
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "got it\n");
    assert_eq!(oam.wait().unwrap().code(), Some(3));
}

#[test]
fn variables_that_would_win_are_removed_and_ours_are_set() {
    let world = signed_in();
    let mut command = exec(&world, &[], "env; stat -c %a \"$HF_TOKEN_PATH\"");
    for (name, value) in [
        ("HF_TOKEN", "hf_personal"),
        ("HUGGING_FACE_HUB_TOKEN", "hf_older"),
        ("HF_OIDC_RESOURCE", "acme/other"),
        ("HF_TOKEN_PATH", "/nowhere"),
    ] {
        command.env(name, value);
    }
    let said = run(command).expect(0).stdout;
    let found: BTreeMap<&str, &str> = said.lines().filter_map(|l| l.split_once('=')).collect();
    for gone in ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_OIDC_RESOURCE"] {
        assert!(!found.contains_key(gone), "{gone} is still there");
    }
    assert_eq!(found["HF_ENDPOINT"], world.hub.get("url"));
    let path = std::path::Path::new(found["HF_TOKEN_PATH"]);
    assert!(path.starts_with(&world.runtime), "{}", path.display());
    assert_eq!(said.lines().last(), Some("600"));
    assert!(!path.exists(), "gone with the child");
    assert!(!said.contains("eyJ"), "no token in the environment");
}

#[test]
fn a_refused_ask_runs_no_command() {
    let world = World::start();
    let args = [
        "exec",
        "--repo",
        "acme/model",
        "--write",
        "--",
        "touch",
        "ran",
    ];
    let signed_out = world.oam(&args).expect(3);
    assert!(signed_out.stderr.contains("oam login acme"));
    world.login_as("brian");
    let denied = world.oam(&args).expect(5);
    assert!(denied.stderr.contains("next: "), "{}", denied.stderr);
    world.kill_agent("-9");
    let mut lonely = world.oam_command(&args);
    run(std::mem::replace(
        lonely.env("OAM_NO_AUTOSTART", "1"),
        Command::new("true"),
    ))
    .expect(6);
    assert!(!world.home.join("ran").exists());
}

#[test]
fn without_an_agent_for_ten_seconds_the_file_is_deleted_and_the_child_told() {
    let world = signed_in();
    let mut command = exec(&world, &[], "echo \"$HF_TOKEN_PATH\"; read -r line; exit 4");
    let mut oam = command
        .env("OAM_NO_AUTOSTART", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(oam.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let path = std::path::PathBuf::from(line.trim());
    assert!(path.exists());
    world.kill_agent("-9");
    // Ten seconds for the agent to come back, and a machine under load.
    let deadline = Duration::from_secs(25);
    wait::until("the file to go", deadline, || {
        (!path.exists()).then_some(())
    });
    drop(oam.stdin.take());
    let end = Run::of(&oam.wait_with_output().unwrap()).expect(4);
    assert!(
        end.stderr.contains("token file was deleted"),
        "{}",
        end.stderr
    );
    assert!(end.stderr.contains("next: "), "{}", end.stderr);
}

#[test]
fn an_agent_that_starts_sweeps_files_of_children_that_are_gone() {
    let world = signed_in();
    let mut command = exec(&world, &[], "echo ready; read -r line");
    let mut oam = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(oam.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(world.token_files().len(), 1);
    let pid = world.agent_pid();
    // Both at once, so that neither can clear up after the other.
    signal(u32::try_from(pid).unwrap(), "-STOP");
    signal(oam.id(), "-KILL");
    oam.wait().unwrap();
    signal(u32::try_from(pid).unwrap(), "-KILL");
    until_true("the agent to be gone", || {
        !crate::support::world::alive(pid)
    });
    assert_eq!(world.token_files().len(), 1, "left over");
    world.oam(&["status"]).expect(0);
    assert!(world.token_files().is_empty());
}

#[test]
fn a_tool_that_knows_a_variable_only_is_warned_when_its_life_is_too_short() {
    let world = Builder::default()
        .config(|text| text.replace("kind = \"huggingface\"", "kind = \"github\""))
        .start();
    world.login();
    let script = "printf %s \"$GH_TOKEN\" | sha256sum";
    let mut long = exec(&world, &["--expect", "1h"], script);
    long.env("GH_TOKEN", "ghp_personal");
    let long = run(long).expect(0);
    assert!(long.stderr.contains("expected to run"), "{}", long.stderr);
    assert!(long.stderr.contains("GH_TOKEN"), "{}", long.stderr);
    let grant = world.last("grant");
    let hash = grant["token_sha256"].as_str().expect("a hash");
    assert!(long.stdout.starts_with(hash), "the role's token, recorded");
    let short = run(exec(&world, &["--expect", "1m"], script)).expect(0);
    assert!(!short.stderr.contains("expected to run"));
}

#[test]
fn a_token_is_printed_into_a_pipe_but_to_a_terminal_only_with_show() {
    let world = signed_in();
    let piped = world.oam(&["token", "--repo", "acme/model"]).expect(0);
    assert!(piped.stdout.starts_with("eyJ") && piped.stdout.lines().count() == 1);
    assert_eq!(piped.stderr, "");
    let oam = oam::program("oam");
    let terminal = |extra: &str| {
        let line = format!("{oam} token --repo acme/model {extra}");
        world.run("script", &["-qec", &line, "/dev/null"])
    };
    let hidden = terminal("").expect(2);
    assert!(!hidden.stdout.contains("eyJ"), "{}", hidden.stdout);
    assert!(hidden.stdout.contains("--show"), "{}", hidden.stdout);
    assert!(terminal("--show").expect(0).stdout.contains("eyJ"));
}
