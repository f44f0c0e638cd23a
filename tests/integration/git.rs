//! Real git through the helper: the product's daily work.

use crate::support::{Builder, Run, World};
use serde_json::{Value, json};

/// Requests that the hub saw with a token, filtered by the hub's own query.
fn with_token(world: &World, query: &str) -> Vec<Value> {
    let log = world.hub.ask(&format!("log?{query}"));
    let entries = log["log"].as_array().expect("a log").iter();
    entries.filter(|e| !e["token"].is_null()).cloned().collect()
}

/// SHA-256 of the tokens in these entries, each once, in order.
fn tokens(entries: &[Value]) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    for entry in entries {
        let token = entry["token"].as_str().expect("a hash").to_owned();
        if !seen.contains(&token) {
            seen.push(token);
        }
    }
    seen
}

/// A new commit with this file.
fn commit(world: &World, dir: &str, file: &str, text: &str) {
    std::fs::write(world.home.join(dir).join(file), text).unwrap();
    world.git(dir, &["add", "."]).expect(0);
    world.git(dir, &["commit", "-qm", file]).expect(0);
}

fn clone(world: &World, dir: &str) -> Run {
    world
        .git(".", &["clone", "-q", &world.url("acme/model"), dir])
        .expect(0)
}

#[test]
fn clone_reads_with_a_reading_role() {
    let world = World::signed_in();
    clone(&world, "model");
    assert!(world.home.join("model/README.md").exists());
    let seen = with_token(&world, "kind=git");
    assert!(!seen.is_empty());
    for entry in &seen {
        assert_eq!(entry["role"], "model-reader", "{entry}");
        assert_eq!(entry["repository"], "acme/model", "{entry}");
    }
}

#[test]
fn fetch_brings_what_somebody_pushed() {
    let world = World::signed_in();
    clone(&world, "one");
    clone(&world, "two");
    commit(&world, "one", "notes.txt", "news\n");
    world.git("one", &["push", "-q"]).expect(0);
    world.git("two", &["fetch", "-q"]).expect(0);
    let ours = world.git("one", &["rev-parse", "HEAD"]).expect(0).stdout;
    let theirs = world.git("two", &["rev-parse", "origin/main"]).expect(0);
    assert_eq!(ours, theirs.stdout);
}

#[test]
fn push_writes_with_a_writing_role() {
    let world = World::signed_in();
    clone(&world, "model");
    commit(&world, "model", "notes.txt", "one\n");
    world.git("model", &["push", "-q"]).expect(0);
    let head = world.hub.ask("head?path=acme/model")["head"].clone();
    let ours = world.git("model", &["rev-parse", "HEAD"]).expect(0).stdout;
    assert_eq!(head, ours.trim());
    let seen = with_token(&world, "path=receive-pack");
    assert!(!seen.is_empty());
    for entry in &seen {
        assert_eq!(entry["role"], "model-publisher", "{entry}");
        assert_eq!(entry["status"], 200, "{entry}");
    }
}

#[test]
fn no_token_is_left_on_disk_by_git() {
    let world = World::start();
    world.login();
    // Somebody's older habit, which would keep a copy in the clear.
    let store = ["config", "--global", "credential.helper", "store"];
    world.git(".", &store).expect(0);
    world.set_up_git();
    clone(&world, "model");
    commit(&world, "model", "notes.txt", "one\n");
    world.git("model", &["push", "-q"]).expect(0);
    assert!(!world.home.join(".git-credentials").exists());
    let config = std::fs::read_to_string(world.home.join("model/.git/config")).unwrap();
    assert!(!config.contains('@'), "{config}");
}

#[test]
fn a_helper_added_behind_ours_gets_nothing_after_another_setup() {
    let world = World::signed_in();
    let store = ["config", "--global", "credential.helper", "store"];
    world.git(".", &store).expect(0);
    let again = world.oam(&["setup", "git"]).expect(0);
    assert!(again.stdout.contains("moved"), "{}", again.stdout);
    clone(&world, "model");
    assert!(!world.home.join(".git-credentials").exists());
}

#[test]
fn clone_with_five_submodules_at_once() {
    let world = World::signed_in();
    clone(&world, "model");
    for n in 1..=5 {
        let path = format!("acme/part{n}");
        world
            .hub
            .control("repo", &json!({"path": path, "files": {}}));
        let (url, dir) = (world.url(&path), format!("part{n}"));
        world
            .git("model", &["submodule", "add", "-q", &url, &dir])
            .expect(0);
    }
    world.git("model", &["commit", "-qm", "parts"]).expect(0);
    world.git("model", &["push", "-q"]).expect(0);
    world.hub.control("reset", &json!({}));
    let url = world.url("acme/model");
    world
        .git(
            ".",
            &["clone", "-q", "--recurse-submodules", "-j5", &url, "all"],
        )
        .expect(0);
    for n in 1..=5 {
        assert!(world.home.join(format!("all/part{n}/README.md")).exists());
        let path = format!("acme/part{n}");
        let seen = with_token(&world, &format!("path=part{n}"));
        assert!(!seen.is_empty());
        for entry in seen {
            assert_eq!(entry["repository"], path.as_str(), "{entry}");
            assert_eq!(entry["status"], 200, "{entry}");
        }
    }
}

#[test]
fn a_readers_push_is_refused_by_policy_and_no_token_leaves() {
    let world = World::start();
    world.login_as("brian");
    world.set_up_git();
    clone(&world, "model");
    commit(&world, "model", "notes.txt", "mine\n");
    world.hub.control("reset", &json!({}));
    let push = world.git("model", &["push"]).expect(128);
    assert_eq!(with_token(&world, "path=receive-pack"), Vec::<Value>::new());
    let said: Vec<&str> = push
        .stderr
        .lines()
        .filter(|line| line.starts_with("oam: "))
        .collect();
    assert_eq!(said.len(), 2, "what happened and what to do: {said:?}");
    assert!(said[0].contains("acme/model"), "{said:?}");
    let last = world.last("refusal");
    assert_eq!(last["refusal"], "denied", "{last}");
    assert_eq!(last["intent"], "write", "{last}");
    let why = world.oam(&["why", &world.url("acme/model"), "--write"]);
    why.expect(5);
    let log = world
        .oam(&["log", "--outcome", "refused", "--json"])
        .expect(0);
    assert!(log.stdout.contains("denied"), "{}", log.stdout);
}

#[test]
fn the_token_expires_between_two_pushes() {
    let world = World::signed_in();
    clone(&world, "model");
    // None is handed out with less than 60 s of life, so this one is over for us after two.
    world.idp.control("token-lifetime", &json!({"seconds": 62}));
    commit(&world, "model", "one.txt", "1\n");
    world.git("model", &["push", "-q"]).expect(0);
    let first = tokens(&with_token(&world, "path=receive-pack"));
    world.until_unservable("model-publisher");
    world.hub.control("reset", &json!({}));
    commit(&world, "model", "two.txt", "2\n");
    world.git("model", &["push", "-q"]).expect(0);
    let second = tokens(&with_token(&world, "path=receive-pack"));
    assert!(!first.is_empty() && !second.is_empty());
    assert!(second.iter().all(|token| !first.contains(token)));
}

#[test]
fn a_hub_that_answers_401_once_gets_another_token_at_the_next_command() {
    let world = World::signed_in();
    let url = world.url("acme/model");
    world.hub.control("reject", &json!({"count": 1}));
    // git itself asks once per command and gives up (facts: "no second get").
    world.git(".", &["ls-remote", &url]).expect(128);
    world.git(".", &["ls-remote", &url]).expect(0);
    let seen = with_token(&world, "kind=git");
    assert_eq!(seen[0]["status"], 401);
    assert_eq!(seen[1]["status"], 200);
    assert_ne!(seen[0]["token"], seen[1]["token"], "never the same again");
    assert_eq!(world.status()["standing"], "active");
}

#[test]
fn a_hub_that_always_answers_401_stops_git_with_our_words() {
    let world = World::signed_in();
    let url = world.url("acme/model");
    world.hub.control("reject", &json!({"count": -1}));
    for _ in 0..2 {
        world.git(".", &["ls-remote", &url]).expect(128);
    }
    let third = world.git(".", &["ls-remote", &url]).expect(128);
    assert!(third.stderr.contains("rejected two"), "{}", third.stderr);
    let seen = with_token(&world, "kind=git");
    assert_eq!(seen.len(), 2, "one token a command, then none: {seen:?}");
    assert_eq!(world.idp.count("exchange"), 2);
    assert_eq!(world.status()["standing"], "active", "no session is lost");
}

#[test]
fn what_the_hub_refuses_with_403_is_not_a_rejected_token() {
    let world = World::signed_in();
    let url = world.url("acme/model");
    let fault = json!({"status": 403, "paths": "upload-pack", "count": 1});
    let before = world.token().expect("a token");
    world.hub.control("fault", &fault);
    world.git(".", &["ls-remote", &url]).expect(128);
    assert_eq!(world.token().expect("a token"), before);
}

#[test]
fn a_hub_that_wants_bearer_gets_it() {
    let world = Builder::default()
        .config(|text| {
            text.replace(
                "kind = \"huggingface\"",
                "kind = \"git\"\nauth = \"bearer\"",
            )
        })
        .start();
    world.login();
    world.set_up_git();
    clone(&world, "model");
    let seen = with_token(&world, "kind=git");
    assert!(!seen.is_empty());
    for entry in seen {
        assert_eq!(entry["scheme"], "Bearer", "{entry}");
    }
}
