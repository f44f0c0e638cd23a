//! The end of the session (promise 1): once it is processed, no answer carries a token.

use crate::support::traces::{self, sha256};
use crate::support::wait::{LONG, until, until_true};
use crate::support::world::child_that_waits;
use crate::support::{Builder, Run, World};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::process::Stdio;

fn get(world: &World) -> Run {
    world.helper("get", "path=acme/model\n")
}

/// The refusal after an end: git is told to ask nobody else, the person what happened and what to do.
#[track_caller]
fn is_refused(run: &Run) {
    assert!(!run.stdout.contains("password="), "{}", run.stdout);
    assert!(
        run.stdout.contains("quit=1"),
        "{}{}",
        run.stdout,
        run.stderr
    );
    assert!(run.stderr.contains("no longer honours"), "{}", run.stderr);
    assert!(run.stderr.contains("oam login acme"), "{}", run.stderr);
    assert_eq!(run.stderr.trim_end().lines().count(), 2, "{}", run.stderr);
}

/// Signed in, a token out, then ended at the provider; nobody has noticed yet.
fn ended_at_the_provider() -> (World, String) {
    let world = World::signed_in();
    let token = world.token().expect("a token");
    world.revoke();
    (world, token)
}

/// The same, and the agent knows.
fn ended() -> (World, String) {
    let (world, token) = ended_at_the_provider();
    is_refused(&get(&world));
    (world, token)
}

#[test]
fn the_next_get_is_refused() {
    let (world, _) = ended_at_the_provider();
    is_refused(&get(&world));
    assert_eq!(world.status()["standing"], "ended");
    world.oam(&["token", "--repo", "acme/model"]).expect(3);
    world.oam(&["status", "--check"]).expect(3);
    let clone = world
        .git("", &["clone", &world.url("acme/model"), "c"])
        .expect(128);
    assert!(
        clone.stderr.contains("no longer honours"),
        "{}",
        clone.stderr
    );
    assert!(!clone.stderr.contains("Username"), "{}", clone.stderr);

    let again = world.oam(&["login", "acme"]).expect(0);
    assert!(again.stdout.contains("signed in"), "{}", again.stdout);
    assert!(world.token().is_some());
}

/// git has had its token and is at the hub; git-lfs, which it runs before it sends anything, asks next.
#[test]
fn the_next_get_of_a_push_in_progress_is_refused() {
    let world = World::signed_in();
    world.git("", &["lfs", "install", "--skip-repo"]).expect(0);
    let url = world.url("acme/model");
    world.git("", &["clone", &url, "c"]).expect(0);
    world.git("c", &["lfs", "track", "*.bin"]).expect(0);
    std::fs::write(world.home.join("c/weights.bin"), vec![7; 100_000]).unwrap();
    world.git("c", &["add", "."]).expect(0);
    world.git("c", &["commit", "-m", "weights"]).expect(0);
    let head = world.hub.ask("head?path=acme/model");
    let granted = || {
        let records = world.records();
        records.iter().filter(|r| r["what"] == "grant").count()
    };

    let before = granted();
    world
        .hub
        .control("hold", &json!({"path": "info/lfs", "at": "arrival"}));
    let push = world
        .command("git")
        .args(["push", "origin", "HEAD:main"])
        .current_dir(world.home.join("c"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    world
        .hub
        .ask("wait?held=1&path=info/lfs&count=1&deadline_ms=30000");
    let so_far = granted();
    assert!(so_far > before, "the push has had a token");
    world.revoke();
    world.hub.control("release", &json!({}));

    let run = Run::of(&push.wait_with_output().unwrap());
    assert_ne!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("no longer honours"), "{}", run.stderr);
    assert_eq!(granted(), so_far, "no token after the end");
    assert_eq!(world.hub.ask("head?path=acme/model"), head);
    assert_eq!(world.status()["standing"], "ended");
    assert_eq!(world.token(), None);
}

#[test]
fn the_token_file_of_a_running_child_is_withdrawn() {
    let world = World::signed_in();
    let mut child = child_that_waits(&world);
    assert_eq!(world.token_files().len(), 1);
    // Nobody asks: the proof in the background finds the end.
    world.revoke();
    until("the file to be gone", LONG, || {
        world.token_files().is_empty().then_some(())
    });
    until_true("the end to be known", || {
        world.status()["standing"] == "ended"
    });
    drop(child.stdin.take());
    let run = Run::of(&child.wait_with_output().unwrap());
    assert!(run.stderr.contains("no longer honours"), "{}", run.stderr);
    let left: Vec<_> = std::fs::read_dir(world.runtime.join("oam/exec"))
        .map(|list| list.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_get_after_a_kill_and_a_restart_is_refused() {
    let (world, _) = ended();
    for _ in 0..2 {
        world.kill_agent("-9");
        is_refused(&get(&world));
        assert_eq!(world.status()["standing"], "ended");
    }
    // Also when the agent died before anybody noticed the end.
    world.login();
    assert!(world.token().is_some());
    world.revoke();
    world.kill_agent("-9");
    is_refused(&get(&world));
}

#[test]
fn a_get_without_network_after_the_end_is_refused() {
    let (world, _) = ended();
    world.idp.control("down", &json!({}));
    is_refused(&get(&world));
    world.kill_agent("-9");
    is_refused(&get(&world));
}

/// Before the agent could hear of the end only the lease serves, and a strict role has none.
#[test]
fn a_get_of_a_strict_role_without_network_is_refused_before_the_end_is_known() {
    let world = Builder::default()
        .config(|text| {
            text.replace(
                "[orgs.acme.roles.model-reader]\n",
                "[orgs.acme.roles.model-reader]\noffline = \"strict\"\n",
            )
        })
        .start();
    world.login();
    let read = || world.oam(&["token", "--repo", "acme/model", "--role", "model-reader"]);
    read().expect(0);
    world.revoke();
    world.idp.control("down", &json!({}));
    let run = read().expect(3);
    assert_eq!(run.stdout, "");
    assert!(run.stderr.contains("could not confirm"), "{}", run.stderr);
    world.idp.control("up", &json!({}));
    world.kill_agent("-9");
    assert!(read().expect(3).stderr.contains("no longer honours"));
}

/// The line that the socket answers to a frame.
fn raw(world: &World, frame: &Value) -> String {
    let mut socket = UnixStream::connect(world.runtime.join("oam/agent.sock")).unwrap();
    socket.write_all(format!("{frame}\n").as_bytes()).unwrap();
    let mut answer = String::new();
    BufReader::new(socket).read_line(&mut answer).unwrap();
    answer
}

fn frame(op: &str, more: &Value) -> Value {
    let mut frame = json!({"v": 1, "version": env!("CARGO_PKG_VERSION"), "op": op});
    for (name, value) in more.as_object().unwrap() {
        frame[name] = value.clone();
    }
    frame
}

/// Every way to ask, after the end and after a restart: no byte of a token in any answer.
#[test]
fn no_later_answer_holds_a_token() {
    let (world, token) = ended_at_the_provider();
    let host = world.hub.get("url").trim_start_matches("http://");
    let hub = json!({"url": {"protocol": "http", "host": host}});
    is_refused(&get(&world));
    let mut answers = Vec::new();
    for round in 0..2 {
        for repository in ["acme/model", "acme/other", "datasets/acme/corpus"] {
            for extra in ["", "capability[]=authtype\n", "wwwauth[]=Bearer\n"] {
                let run = world.helper("get", &format!("path={repository}\n{extra}"));
                answers.push(run.stdout + &run.stderr);
            }
            let run = world.oam(&["token", "--repo", repository, "--json"]);
            answers.push(run.stdout + &run.stderr);
            let run = world.oam(&["exec", "--repo", repository, "--hub", "hub", "--", "env"]);
            answers.push(run.stdout + &run.stderr);
            for op in ["get", "follow"] {
                let ask = json!({"hub": hub, "path": repository, "intent": "read"});
                let more = json!({"ask": ask, "front": "git", "with_token": true});
                let answer = raw(&world, &frame(op, &more));
                assert!(answer.contains("no longer honours"), "{op}: {answer}");
                answers.push(answer);
            }
        }
        for args in [
            &["status", "--json"][..],
            &["roles", "--json"],
            &["log", "--json"],
            &["status"],
        ] {
            let run = world.oam(args);
            answers.push(run.stdout + &run.stderr);
        }
        for op in ["status", "roles", "anchor"] {
            let answer = raw(&world, &frame(op, &json!({})));
            assert!(answer.contains("\"v\":1"), "{op}: {answer}");
            answers.push(answer);
        }
        if round == 0 {
            world.kill_agent("-9");
            is_refused(&get(&world));
        }
    }
    for answer in answers {
        assert!(!answer.contains(&token), "{answer}");
        assert!(!answer.contains("eyJ"), "{answer}");
        assert!(!answer.contains("password="), "{answer}");
    }
}

#[test]
fn files_keyring_and_sealed_state_are_clean() {
    let world = World::signed_in();
    let mut child = child_that_waits(&world);
    // The look is worth something: while signed in it finds the refresh token and the token file.
    let newest = world.idp.log("refresh").pop().unwrap()["got"].clone();
    let found = traces::tokens(&world);
    let sealed = found
        .iter()
        .filter_map(|line| line.strip_suffix(" in the sealed state, opened"))
        .any(|token| newest == sha256(token.as_bytes()));
    assert!(sealed, "{found:#?}");
    assert!(found.iter().any(|f| f.contains("/exec/")), "{found:#?}");

    world.revoke();
    is_refused(&get(&world));
    traces::none_is_left(&world);
    world.kill_agent("-9");
    is_refused(&get(&world));
    traces::none_is_left(&world);
    drop(child.stdin.take());
    child.wait().unwrap();
    world.oam(&["log", "--verify"]).expect(0);
}

/// The hash of a token in `oam status`, and how it stands there.
fn state_of(world: &World, token: &str) -> Value {
    let status = world.status();
    let hash = sha256(token.as_bytes());
    let tokens = status["tokens"].as_array().unwrap();
    let found = tokens.iter().find(|t| t["token_sha256"] == hash.as_str());
    found.unwrap_or_else(|| panic!("not in {status}"))["state"].clone()
}

#[test]
fn tokens_still_out_are_shown_as_outstanding_until() {
    let world = Builder::default()
        .config(|text| {
            let lines = text
                .lines()
                .filter(|line| !line.starts_with("revocation_endpoint"));
            lines.collect::<Vec<_>>().join("\n")
        })
        .start();
    world.login();
    let token = world.token().expect("a token");
    assert_eq!(state_of(&world, &token), "held");
    world.revoke();
    is_refused(&get(&world));
    for _ in 0..2 {
        assert_eq!(state_of(&world, &token), "outstanding-until");
        let shown = world.oam(&["status"]);
        assert!(
            shown.stdout.contains("outstanding until"),
            "{}",
            shown.stdout
        );
        world.kill_agent("-9");
    }
    assert_eq!(world.idp.count("revoke-role"), 0);
}

#[test]
fn tokens_still_out_are_revoked_where_the_exchange_can() {
    let (world, token) = ended();
    until_true("the revocation", || state_of(&world, &token) == "revoked");
    let sent = world.idp.log("revoke-role");
    assert!(
        sent.iter()
            .any(|e| e["sent"] == sha256(token.as_bytes()).as_str()),
        "{sent:?}"
    );
    assert!(world.oam(&["status"]).stdout.contains("revoked"));
    world.kill_agent("-9");
    assert_eq!(state_of(&world, &token), "revoked");
}

/// A revocation that fails is no revocation.
#[test]
fn tokens_that_could_not_be_revoked_stay_outstanding() {
    let world = World::signed_in();
    let token = world.token().expect("a token");
    world.idp.fault("exchange-revoke", "500", "before", -1);
    world.revoke();
    is_refused(&get(&world));
    world.idp.wait("revoke-role", 1);
    assert_eq!(state_of(&world, &token), "outstanding-until");
}

#[test]
fn exactly_one_notification_tells_of_the_end() {
    let world = Builder::default().with_notifications().start();
    world.login();
    assert!(world.token().is_some());
    let mut child = child_that_waits(&world);
    world.revoke();
    is_refused(&get(&world));
    let desktop = world.desktop.as_ref().unwrap();
    until_true("the notification", || desktop.displayed() > 0);
    for _ in 0..5 {
        is_refused(&get(&world));
    }
    world.kill_agent("-9");
    is_refused(&get(&world));
    world.oam(&["token", "--repo", "acme/model"]).expect(3);
    drop(child.stdin.take());
    child.wait().unwrap();
    world.kill_agent("-TERM");
    assert_eq!(desktop.settled(), ["Your session at acme has ended"]);
}
