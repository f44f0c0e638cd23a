//! Whether somebody is at the screen: notices wait for a person, and nothing waits for one who is not there (promise 7).

use crate::support::parts::package;
use crate::support::screen::{Hint, Saver, ScreenServices};
use crate::support::wait::until_true;
use crate::support::world::read_line;
use crate::support::{Builder, Run, World};
use std::io::Write;
use std::process::{Child, Stdio};

fn with_screen() -> World {
    Builder::default()
        .config(|text| text.replace("fresh = \"0s\"", "fresh = \"60s\""))
        .with_notifications()
        .with_screen()
        .start()
}

fn screen(world: &World) -> &ScreenServices {
    world.desktop.as_ref().unwrap().screen.as_ref().unwrap()
}

fn shown(world: &World) -> Vec<String> {
    world.desktop.as_ref().unwrap().settled()
}

/// The person is not at the screen, but here by ssh.
fn login_over_ssh(world: &World) {
    screen(world).callers_over_ssh(true);
    world.login();
    screen(world).callers_over_ssh(false);
}

fn ask(world: &World) -> Run {
    let run = world.helper("get", "path=acme/model\n");
    assert!(run.stdout.contains("quit=1"), "{}", run.stdout);
    run
}

/// The agent has looked at the screen, and once more when it began to wait for a person.
fn is_held(world: &World, looks_before: usize) {
    until_true("the agent waits for a person", || {
        screen(world).looks() >= looks_before + 2
    });
    assert!(shown(world).is_empty(), "nobody is there to see it");
}

fn is_shown(world: &World, title: &str) {
    until_true(title, || !shown(world).is_empty());
    assert_eq!(shown(world), [title]);
}

#[test]
fn a_notice_waits_while_the_screen_is_locked_and_is_shown_once_at_the_unlock() {
    let world = with_screen();
    screen(&world).set(Hint::Locked, true);
    let before = screen(&world).looks();
    for _ in 0..5 {
        let run = ask(&world);
        assert!(run.stderr.contains("oam login acme"), "{}", run.stderr);
    }
    is_held(&world, before);
    screen(&world).set(Hint::Locked, false);
    is_shown(&world, "A program needs you to sign in to acme");
}

#[test]
fn an_end_is_told_when_the_screen_saver_goes_off_or_somebody_moves_the_mouse() {
    for hint in [Hint::Saver, Hint::Idle] {
        let world = with_screen();
        world.login();
        assert!(world.token().is_some());
        screen(&world).set(hint, true);
        let before = screen(&world).looks();
        world.revoke();
        // Nothing is proven after a start: the next ask finds out.
        world.kill_agent("-TERM");
        ask(&world);
        is_held(&world, before);
        screen(&world).set(hint, false);
        is_shown(&world, "Your session at acme has ended");
    }
}

#[test]
fn the_saver_of_each_desktop_is_asked() {
    for saver in [Saver::Gnome, Saver::Cinnamon, Saver::Mate, Saver::Xfce] {
        let world = with_screen();
        screen(&world).runs(saver);
        screen(&world).set(Hint::Saver, true);
        let before = screen(&world).looks();
        ask(&world);
        is_held(&world, before);
        screen(&world).set(Hint::Saver, false);
        is_shown(&world, "A program needs you to sign in to acme");
    }
}

/// Another agent in place of one that was killed.
fn another_agent(world: &World) {
    world.kill_agent("-9");
    world.status();
}

/// The next ask brings this notice; nobody sees it before the agent was killed twice.
fn outlives_its_agent(world: &World, title: &str) {
    screen(world).set(Hint::Locked, true);
    let before = screen(world).looks();
    ask(world);
    is_held(world, before);
    for _ in 0..2 {
        let before = screen(world).looks();
        another_agent(world);
        is_held(world, before);
    }
    screen(world).set(Hint::Locked, false);
    is_shown(world, title);
    let before = screen(world).looks();
    another_agent(world);
    ask(world);
    assert_eq!(shown(world), [title], "once, whichever agent runs");
    let looks = screen(world).looks();
    assert_eq!(looks, before, "there is nothing to tell");
}

#[test]
fn a_notice_that_waits_outlives_its_agent_and_is_shown_once() {
    let world = with_screen();
    outlives_its_agent(&world, "A program needs you to sign in to acme");
    let world = with_screen();
    world.login();
    assert!(world.token().is_some());
    world.revoke();
    world.kill_agent("-TERM");
    outlives_its_agent(&world, "Your session at acme has ended");
}

#[test]
fn a_sign_in_behind_a_locked_screen_is_refused_and_one_over_ssh_takes_the_held_notice_back() {
    let world = with_screen();
    screen(&world).set(Hint::Locked, true);
    let before = screen(&world).looks();
    ask(&world);
    is_held(&world, before);

    let run = world.oam(&["login", "acme"]).expect(3);
    assert!(
        run.stderr.contains("the screen is locked"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("unlock it"), "{}", run.stderr);
    assert_eq!(world.idp.count("authorize"), 0, "no window was opened");

    login_over_ssh(&world);
    assert!(world.token().is_some());
    let before = screen(&world).looks();
    screen(&world).set(Hint::Locked, false);
    until_true("the agent hears of it", || screen(&world).looks() > before);
    assert!(shown(&world).is_empty(), "nothing is to be done any more");
}

/// git's helper, asking for a token.
fn helper(world: &World) -> Child {
    let host = world.hub.get("url").trim_start_matches("http://");
    let text = format!("protocol=http\nhost={host}\npath=acme/model\n\n");
    let mut helper = world
        .command(oam::program("git-credential-oam"))
        .args(["--hub", "hub", "get"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = helper.stdin.take().unwrap();
    input.write_all(text.as_bytes()).unwrap();
    helper
}

/// Helpers of ten pushes, two scripts and a child of `oam exec` ask while a sign-in waits for its person.
#[test]
fn one_login_releases_all_who_wait_for_it_in_other_processes() {
    let world = with_screen();
    let mut login = world.oam_start(&["login", "acme", "--no-browser"]);
    let address = read_line(&mut login);
    let before = screen(&world).callers();
    let mut waiting: Vec<Child> = (0..10).map(|_| helper(&world)).collect();
    for _ in 0..2 {
        waiting.push(world.oam_start(&["token", "--repo", "acme/model", "--hub", "hub"]));
    }
    let exec = [
        "exec",
        "--token-file",
        "--repo",
        "acme/model",
        "--hub",
        "hub",
    ];
    let exec = [&exec[..], &["--", "sh", "-c", "cat $HF_TOKEN_PATH"]].concat();
    waiting.push(world.oam_start(&exec));
    until_true("all of them to wait", || {
        screen(&world).callers() >= before + waiting.len()
    });

    let mut browser = world.command(package().join("tests/parts/browser.mjs"));
    browser.arg(&address).stderr(Stdio::null());
    World::feed(&mut browser, b"").expect(0);
    assert!(login.wait().unwrap().success());
    for child in waiting {
        let run = Run::of(&child.wait_with_output().unwrap()).expect(0);
        assert!(
            !run.stdout.contains("quit=1"),
            "{}{}",
            run.stdout,
            run.stderr
        );
        assert!(!run.stdout.trim().is_empty(), "a token: {}", run.stderr);
    }
    assert_eq!(world.idp.count("code"), 1, "one sign-in");
    // A helper that git did not start may be for a push.
    let exchanges = world.idp.count("exchange");
    assert_eq!(exchanges, 2, "one token of each role for all");
    assert!(shown(&world).is_empty(), "somebody was there");
}

/// Behind a locked screen a sign-in that waits is waited for by nobody: they are refused at once, with the reason.
#[test]
fn behind_a_locked_screen_nobody_waits_for_a_sign_in() {
    let world = with_screen();
    let mut login = world.oam_start(&["login", "acme", "--no-browser"]);
    read_line(&mut login);
    screen(&world).set(Hint::Locked, true);
    let run = ask(&world);
    assert!(
        run.stderr.contains("the screen is locked"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("then try again"), "{}", run.stderr);
    login.kill().unwrap();
    login.wait().unwrap();
}
