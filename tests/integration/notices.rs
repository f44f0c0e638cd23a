//! Notifications: each once, with what to do; without a service everything else works.

use crate::support::wait::until_true;
use crate::support::world::child_that_waits;
use crate::support::{Builder, Run, World};
use serde_json::json;
use std::path::PathBuf;
use std::process::Stdio;

fn with_dunst() -> World {
    Builder::default().with_notifications().start()
}

fn shown(world: &World) -> Vec<String> {
    world.desktop.as_ref().unwrap().settled()
}

fn is_shown(world: &World) {
    let desktop = world.desktop.as_ref().unwrap();
    until_true("a notification", || {
        desktop.displayed() > 0 || !desktop.notifications().is_empty()
    });
}

/// Where a browser would note that it was opened.
fn windows(world: &World) -> PathBuf {
    world.home.join("windows")
}

/// What git asks in the background, twenty times at once.
fn twenty_asks(world: &World) -> Vec<Run> {
    let host = world.hub.get("url").trim_start_matches("http://");
    let input = world.home.join("ask");
    let text = format!("protocol=http\nhost={host}\npath=acme/model\n\n");
    std::fs::write(&input, text).unwrap();
    let asks: Vec<_> = (0..20)
        .map(|_| {
            world
                .command(oam::program("git-credential-oam"))
                .args(["--hub", "hub", "get"])
                .env("OAM_TEST_OPENED", windows(world))
                .stdin(std::fs::File::open(&input).unwrap())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    asks.into_iter()
        .map(|ask| Run::of(&ask.wait_with_output().unwrap()))
        .collect()
}

#[test]
fn twenty_background_asks_bring_one_notification_and_no_window() {
    let world = with_dunst();
    for run in twenty_asks(&world) {
        assert!(
            run.stdout.contains("quit=1"),
            "{}{}",
            run.stdout,
            run.stderr
        );
        assert!(run.stderr.contains("oam login acme"), "{}", run.stderr);
    }
    is_shown(&world);
    twenty_asks(&world);
    assert_eq!(shown(&world), ["A program needs you to sign in to acme"]);
    assert!(!windows(&world).exists(), "a window was opened");
    assert_eq!(world.idp.count("authorize"), 0);

    // The next time that nobody is signed in is another cause.
    world.login();
    assert!(world.token().is_some());
    world.oam(&["logout"]).expect(0);
    twenty_asks(&world);
    until_true("a second one", || shown(&world).len() > 1);
    assert_eq!(shown(&world).len(), 2);
    assert!(!windows(&world).exists());
}

#[test]
fn a_child_of_exec_that_needs_a_sign_in_notifies_as_well() {
    let world = with_dunst();
    let run = world.oam(&["exec", "--repo", "acme/model", "--", "true"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    is_shown(&world);
    assert_eq!(shown(&world), ["A program needs you to sign in to acme"]);
}

/// A client whose agent, which it starts, lives that many days later. The library without its
/// wrapper program: that one waits for the agent, too.
fn days_later(world: &World, days: &str) {
    let preload = world.run("faketime", &["-f", "+1d", "printenv", "LD_PRELOAD"]);
    let status = world
        .oam_command(&["status"])
        .env("LD_PRELOAD", preload.expect(0).stdout.trim())
        .env("FAKETIME", format!("+{days}d"))
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .stdout(Stdio::null())
        .status();
    assert!(status.unwrap().success());
}

/// The session age is seven days: on the sixth evening the person is told, without any ask, and
/// once; on the seventh that it is over.
#[test]
fn a_session_that_ends_soon_and_one_that_has_ended_by_its_age_are_told_once_each() {
    let world = with_dunst();
    world.login();
    assert!(world.token().is_some());
    assert!(shown(&world).is_empty());

    world.kill_agent("-TERM");
    days_later(&world, "6.5");
    is_shown(&world);
    assert_eq!(shown(&world), ["Your session at acme ends soon"]);

    world.kill_agent("-TERM");
    days_later(&world, "7.1");
    until_true("the end", || shown(&world).len() > 1);
    assert_eq!(
        shown(&world),
        [
            "Your session at acme ends soon",
            "Your session at acme has ended"
        ]
    );
    assert_eq!(world.status()["standing"], "ended");
    let run = world.helper("get", "path=acme/model\n");
    assert!(run.stdout.contains("quit=1"), "{}", run.stdout);
    assert!(run.stderr.contains("every 7 days"), "{}", run.stderr);
    crate::support::traces::none_is_left(&world);
    // Before the clock went on, too: the end is final.
    world.kill_agent("-9");
    assert_eq!(world.token(), None);
    assert_eq!(shown(&world).len(), 2);
}

/// All of an end but the notification: promise 1 does not hang on a desktop.
/// `verified` is the exit status of `oam log --verify`: 3 where nothing is sealed.
fn ends_as_usual(world: &World, verified: i32) {
    let token = world.token();
    assert!(token.is_some());
    let mut child = child_that_waits(world);
    world.revoke();
    let run = world.helper("get", "path=acme/model\n");
    assert!(run.stdout.contains("quit=1"), "{}", run.stdout);
    assert!(run.stderr.contains("no longer honours"), "{}", run.stderr);
    assert_eq!(world.status()["standing"], "ended");
    assert!(world.token_files().is_empty());
    for run in twenty_asks(world) {
        assert!(run.stdout.contains("quit=1"), "{}", run.stdout);
    }
    drop(child.stdin.take());
    child.wait().unwrap();
    world.oam(&["log", "--verify"]).expect(verified);
}

#[test]
fn without_a_notification_service_everything_else_works() {
    let world = World::start();
    world.login();
    ends_as_usual(&world, 0);
    world.login();
    assert!(world.token().is_some());
}

#[test]
fn without_any_session_bus_everything_else_works() {
    let world = Builder::default().without_desktop().start();
    world.oam(&["login", "acme", "--store", "memory"]).expect(0);
    ends_as_usual(&world, 3);
}

/// The service takes messages and never answers.
#[test]
fn a_notification_service_that_hangs_holds_nothing_up() {
    let mut world = World::start();
    world.desktop.as_mut().unwrap().hang_notifications();
    world.login();
    ends_as_usual(&world, 0);
    assert_eq!(world.idp.ask("stats")["accepted"]["code"], json!(1));
}
