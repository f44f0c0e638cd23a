//! git-lfs through the helper. It asks git for credentials by itself, and on 401 it asks again
//! without limit: the answers have to make it stop.

use crate::support::World;
use serde_json::{Value, json};

const LARGE: usize = 200_000;

/// A clone of `acme/model` with `count` large files committed; nothing is pushed yet.
fn with_large_files(world: &World, count: u8) {
    world.git(".", &["lfs", "install", "--skip-repo"]).expect(0);
    let url = world.url("acme/model");
    world.git(".", &["clone", "-q", &url, "model"]).expect(0);
    world.git("model", &["lfs", "track", "*.bin"]).expect(0);
    for n in 0..count {
        let file = world.home.join(format!("model/weights{n}.bin"));
        std::fs::write(file, vec![n; LARGE]).unwrap();
    }
    world.git("model", &["add", "."]).expect(0);
    world.git("model", &["commit", "-qm", "weights"]).expect(0);
}

fn log(world: &World, query: &str) -> Vec<Value> {
    let log = world.hub.ask(&format!("log?{query}"));
    log["log"].as_array().expect("a log").clone()
}

fn with_token(world: &World, query: &str) -> Vec<Value> {
    let mut seen = log(world, query);
    seen.retain(|entry| !entry["token"].is_null());
    seen
}

/// The next `count` requests of git-lfs are answered 401; they carry a token from the first one on.
fn fault(world: &World, count: i32) {
    let key = format!("lfs.{}.git/info/lfs.access", world.url("acme/model"));
    world.git("model", &["config", &key, "basic"]).expect(0);
    let fault = json!({"status": 401, "paths": "info/lfs", "count": count});
    world.hub.control("fault", &fault);
}

#[test]
fn push_of_large_files() {
    let world = World::signed_in();
    with_large_files(&world, 5);
    world.git("model", &["push", "-q"]).expect(0);
    let stored = with_token(&world, "kind=lfs&method=PUT");
    assert_eq!(stored.len(), 5, "{stored:?}");
    for entry in &stored {
        assert_eq!(entry["role"], "model-publisher", "{entry}");
        assert_eq!(entry["status"], 200, "{entry}");
    }
}

#[test]
fn clone_of_large_files_with_a_reading_role() {
    let world = World::signed_in();
    with_large_files(&world, 3);
    world.git("model", &["push", "-q"]).expect(0);
    world.hub.control("reset", &json!({}));
    let url = world.url("acme/model");
    world.git(".", &["clone", "-q", &url, "again"]).expect(0);
    for n in 0..3 {
        let file = world.home.join(format!("again/weights{n}.bin"));
        assert_eq!(std::fs::read(file).unwrap(), vec![n; LARGE]);
    }
    let seen = with_token(&world, "kind=lfs");
    assert!(!seen.is_empty());
    for entry in &seen {
        assert_eq!(entry["role"], "model-reader", "{entry}");
    }
    let leaked: Vec<_> = log(&world, "path=.*")
        .into_iter()
        .filter(|entry| entry["leaked"] == true)
        .collect();
    assert_eq!(leaked, Vec::<Value>::new());
}

#[test]
fn a_hub_that_answers_401_once_is_asked_again_with_another_token() {
    let world = World::signed_in();
    with_large_files(&world, 1);
    fault(&world, 1);
    world
        .git("model", &["lfs", "push", "origin", "main"])
        .expect(0);
    let seen = with_token(&world, "path=info/lfs");
    assert_eq!(seen[0]["status"], 401, "{seen:?}");
    assert!(seen[1..].iter().all(|entry| entry["status"] != 401));
    assert_ne!(seen[0]["token"], seen[1]["token"], "never the same again");
    assert_eq!(world.status()["standing"], "active");
}

#[test]
fn a_hub_that_always_answers_401_stops_it_after_two_tokens() {
    let world = World::signed_in();
    with_large_files(&world, 1);
    world.idp.control("reset", &json!({}));
    world.hub.control("reset", &json!({}));
    fault(&world, -1);
    let push = world.git("model", &["lfs", "push", "origin", "main"]);
    assert_eq!(push.code, 2, "{}", push.stderr);
    assert!(push.stderr.contains("rejected two"), "{}", push.stderr);
    let seen = with_token(&world, "path=info/lfs");
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert_ne!(seen[0]["token"], seen[1]["token"]);
    assert_eq!(world.idp.count("exchange"), 2);
    assert_eq!(world.status()["standing"], "active", "no session is lost");
}
