//! `oam setup git` with real git.

use crate::support::World;
use serde_json::json;

fn config(world: &World) -> Vec<u8> {
    std::fs::read(world.home.join(".gitconfig")).unwrap_or_default()
}

/// What git itself takes from it for the hub.
fn value(world: &World, key: &str) -> Vec<String> {
    let get = world.git(
        ".",
        &[
            "config",
            "--null",
            "--get-all",
            &format!("credential.{}.{key}", world.hub.get("url")),
        ],
    );
    get.stdout
        .split_terminator('\0')
        .map(str::to_owned)
        .collect()
}

#[test]
fn it_is_idempotent_and_git_asks_our_helper_and_no_other() {
    let world = World::start();
    let first = world.oam(&["setup", "git", "--json"]).expect(0).json();
    assert!(!first["changes"].as_array().unwrap().is_empty(), "{first}");
    let written = config(&world);
    let again = world.oam(&["setup", "git", "--json"]).expect(0).json();
    assert_eq!(again["changes"], json!([]));
    assert_eq!(config(&world), written);
    let helpers = value(&world, "helper");
    assert_eq!(helpers.len(), 2, "a reset, then ours: {helpers:?}");
    assert_eq!(helpers[0], "");
    assert!(
        helpers[1].starts_with("!exec /"),
        "short names cost git time"
    );
    assert!(helpers[1].ends_with(" --hub hub"), "{helpers:?}");
    assert_eq!(value(&world, "useHttpPath"), ["true"]);
}

#[test]
fn undo_restores_every_setting_that_was_there() {
    let world = World::start();
    let url = world.hub.get("url");
    let before = format!(
        "# mine\n[user]\n\tname = Ada\n[credential]\n\thelper = store\n[credential \"{url}\"]\n\thelper = cache\n\tuseHttpPath = false\n\tusername = me ; and why\n"
    );
    std::fs::write(world.home.join(".gitconfig"), &before).unwrap();
    world.oam(&["setup", "git"]).expect(0);
    assert_ne!(config(&world), before.as_bytes());
    assert_eq!(value(&world, "useHttpPath"), ["true"]);
    world.oam(&["setup", "git", "--undo"]).expect(0);
    let after = String::from_utf8(config(&world)).unwrap();
    assert_eq!(value(&world, "helper"), ["cache"], "{after}");
    assert_eq!(value(&world, "useHttpPath"), ["false"], "{after}");
    assert_eq!(value(&world, "username"), ["me"], "{after}");
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&after), sorted(&before), "comments too");
    let again = world.oam(&["setup", "git", "--undo", "--json"]).expect(0);
    assert_eq!(again.json()["changes"], json!([]));
}

#[test]
fn undo_of_what_was_only_added_restores_the_file_byte_for_byte() {
    let world = World::start();
    let before = "# mine\n[user]\n\tname = Ada ; me\n\n[credential]\n\thelper = store\n";
    std::fs::write(world.home.join(".gitconfig"), before).unwrap();
    world.oam(&["setup", "git"]).expect(0);
    world.oam(&["setup", "git", "--undo"]).expect(0);
    assert_eq!(String::from_utf8(config(&world)).unwrap(), before);
}

#[test]
fn undo_where_nothing_was_leaves_nothing() {
    let world = World::start();
    world.oam(&["setup", "git"]).expect(0);
    world.oam(&["setup", "git", "--undo"]).expect(0);
    let left = String::from_utf8(config(&world)).unwrap();
    assert!(!left.contains("credential"), "{left}");
}

#[test]
fn after_undo_git_has_no_token_any_more() {
    let world = World::signed_in();
    let url = world.url("acme/model");
    world.git(".", &["ls-remote", &url]).expect(0);
    world.oam(&["setup", "git", "--undo"]).expect(0);
    world.git(".", &["ls-remote", &url]).expect(128);
}

#[test]
fn another_hosts_helpers_stay_as_they_are() {
    let world = World::start();
    let store = [
        "config",
        "--global",
        "credential.helper",
        "!echo username=u; echo password=p; :",
    ];
    world.git(".", &store).expect(0);
    world.oam(&["setup", "git"]).expect(0);
    let mut fill = world.command("git");
    let input = b"protocol=https\nhost=git.example\n\n";
    let other = World::feed(fill.args(["credential", "fill"]), input).expect(0);
    assert!(other.stdout.contains("password=p"), "{}", other.stdout);
    let host = world.hub.get("url").trim_start_matches("http://");
    let input = format!("protocol=http\nhost={host}\npath=acme/model\n\n");
    let mut fill = world.command("git");
    let ours = World::feed(fill.args(["credential", "fill"]), input.as_bytes());
    assert_ne!(
        ours.code, 0,
        "nobody is signed in, and nobody else is asked"
    );
    assert!(!ours.stdout.contains("password="), "{}", ours.stdout);
    assert!(ours.stderr.contains("oam login acme"), "{}", ours.stderr);
}
