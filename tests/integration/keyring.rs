//! The keyring is missing, locked, goes away and comes back.

use crate::support::desktop::Desktop;
use crate::support::{Builder, Run, World};

/// A machine whose desktop is `make`'s.
fn machine(make: impl FnOnce(&World) -> Option<Desktop>) -> World {
    let mut world = Builder::default().without_desktop().start();
    world.desktop = make(&world);
    world
}

/// The keyring and nothing else.
const KEYRING: [&str; 4] = ["login", "acme", "--store", "keyring"];

/// Signs in by `login` where that can't work: refused with `words`, and no browser was opened.
#[track_caller]
fn refused_before_the_browser(world: &World, login: &[&str], words: &str) {
    let opened = world.home.join("opened");
    let output = world
        .oam_command(login)
        .env("OAM_TEST_OPENED", &opened)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(words), "{said}");
    assert!(said.contains("--store memory"), "the way out: {said}");
    assert!(!opened.exists(), "the browser was opened");
    assert_eq!(world.idp.count("authorize"), 0);
    assert!(world.sealed().is_empty());
    assert_eq!(world.status()["standing"], "signed-out");
}

#[test]
fn without_a_bus_it_is_said_before_the_browser_opens() {
    let world = machine(|_| None);
    refused_before_the_browser(&world, &KEYRING, "there is no session bus");
}

#[test]
fn without_a_secret_service_it_is_said_before_the_browser_opens() {
    let world = machine(|world| Some(Desktop::bus(&world.home, &world.runtime)));
    refused_before_the_browser(&world, &KEYRING, "no keyring is running");
}

#[test]
fn without_a_default_collection_it_is_said_before_the_browser_opens() {
    let world = machine(|world| {
        let mut desktop = Desktop::bus(&world.home, &world.runtime);
        desktop.start_keyring_without_collection();
        Some(desktop)
    });
    refused_before_the_browser(&world, &KEYRING, "no default collection");
}

/// Signs in, asks for a token, ends the agent and asks again. In a user namespace, whose kernel keyrings go with it:
/// nothing of this is left on the machine.
const SIGN_IN_AND_RESTART: &str = r#"
set -e
oam login acme
oam token --hub hub --repo acme/model >/dev/null
pid=$(oam status --json | tr ',' '\n' | sed -n 's/.*"agent_pid": *\([0-9]*\).*/\1/p')
kill "$pid"
while kill -0 "$pid" 2>/dev/null; do :; done
oam token --hub hub --repo acme/model >/dev/null
oam status --json
"#;

#[track_caller]
fn kept_in_the_kernel(world: &World) {
    let mut command = world.command("unshare");
    command.args(["--user", "--map-root-user", "timeout", "60"]);
    command.args(["sh", "-c", SIGN_IN_AND_RESTART]);
    let run = Run::of(&command.output().unwrap()).expect(0);
    let place = |words: &str| {
        let found = run.stderr.find(words);
        found.unwrap_or_else(|| panic!("{words:?} was not said: {}", run.stderr))
    };
    let said = place("no keyring service here: the session is kept in the kernel's keyring, until");
    assert!(said < place("signing in to acme"), "{}", run.stderr);
    assert!(run.stdout.contains(r#""store":"kernel""#), "{}", run.stdout);
    assert_eq!(world.idp.count("code"), 1, "one sign-in for both agents");
    let login = world.last("login");
    assert_eq!(login["kept_in"], "kernel");
    assert_eq!(login["signed_in_by"], "browser");
}

#[test]
fn without_a_bus_the_kernel_keeps_the_session_by_itself_and_that_is_said_before() {
    kept_in_the_kernel(&machine(|_| None));
}

#[test]
fn without_a_secret_service_the_kernel_keeps_the_session_by_itself() {
    kept_in_the_kernel(&machine(|world| {
        Some(Desktop::bus(&world.home, &world.runtime))
    }));
}

/// The same where the kernel has no keyrings either: its calls fail as if it had been built without them.
const SIGN_IN_AND_ASK: &str = r#"
set -e
oam login acme
oam token --hub hub --repo acme/model >/dev/null
oam status --json
kill $(oam status --json | tr ',' '\n' | sed -n 's/.*"agent_pid": *\([0-9]*\).*/\1/p')
"#;

#[test]
fn without_any_keyring_the_session_is_kept_in_memory_and_that_is_said_before() {
    let world = machine(|_| None);
    let mut command = world.command("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e"]);
    command.arg("inject=keyctl,add_key,request_key:error=ENOSYS");
    command.args(["timeout", "60", "sh", "-c", SIGN_IN_AND_ASK]);
    let run = Run::of(&command.output().unwrap()).expect(0);
    let place = |words: &str| {
        let found = run.stderr.find(words);
        found.unwrap_or_else(|| panic!("{words:?} was not said: {}", run.stderr))
    };
    let said = place("the kernel's keyring can't be used: the session is kept in memory");
    assert!(said < place("signing in to acme"), "{}", run.stderr);
    assert!(run.stdout.contains(r#""store":"memory""#), "{}", run.stdout);
    assert_eq!(world.last("login")["kept_in"], "memory");
    assert!(world.sealed().is_empty());
}

#[test]
fn sessions_in_a_keyring_that_is_away_are_not_given_up_for_another_store() {
    let mut world = World::signed_in();
    world.kill_agents();
    world.desktop = None;
    let sealed = world.sealed();
    let run = world.oam(&["login", "acme"]).expect(1);
    assert!(
        run.stderr.contains("there is no session bus"),
        "{}",
        run.stderr
    );
    assert_eq!(world.sealed(), sealed);
    assert_eq!(world.idp.count("code"), 1, "no browser was opened");
}

#[test]
fn a_locked_keyring_is_said_before_the_browser_opens_and_unlocked_it_works() {
    let mut world = World::start();
    world.desktop.as_ref().unwrap().lock_keyring();
    refused_before_the_browser(&world, &["login", "acme"], "the keyring is locked");
    unlock(&mut world);
    world.login();
    assert!(world.token().is_some());
}

#[test]
fn without_a_keyring_memory_is_a_choice_that_leaves_nothing_on_disk() {
    let world = machine(|_| None);
    world.oam(&["login", "acme", "--store", "memory"]).expect(0);
    assert!(world.token().is_some());
    assert!(world.sealed().is_empty());
    world.kill_agents();
    assert_eq!(
        world.token(),
        None,
        "the session lasts as long as the agent"
    );
    assert_eq!(world.status()["standing"], "signed-out");
}

/// Ends the keyring and starts it unlocked: what a person does by logging in again.
fn unlock(world: &mut World) {
    let desktop = world.desktop.as_mut().unwrap();
    desktop.stop_keyring();
    desktop.start_keyring();
}

#[test]
fn the_keyring_goes_while_the_agent_runs_and_rotations_go_on_and_stay() {
    let mut world = World::signed_in();
    world.desktop.as_mut().unwrap().stop_keyring();
    let before = world.sealed();
    let refreshes = world.idp.count("refresh");
    assert!(world.token().is_some());
    assert!(world.token().is_some());
    assert_eq!(world.idp.count("refresh"), refreshes + 2);
    assert_ne!(world.sealed(), before, "the rotated token is sealed");
    assert_eq!(world.status()["standing"], "active");
    // What was sealed meanwhile is the session: the provider honours only the newest token.
    world.kill_agents();
    world.desktop.as_mut().unwrap().start_keyring();
    assert!(world.token().is_some());
}

/// Asks for a token and a follow-up; both are refused, and the keyring is what they name.
#[track_caller]
fn refused_for_the_keyring(world: &World, words: &str) {
    let run = world.helper("get", "path=acme/model\n").expect(0);
    assert!(run.stdout.contains("quit=1"), "{}", run.stdout);
    assert!(!run.stdout.contains("password="), "{}", run.stdout);
    assert!(run.stderr.contains(words), "{}", run.stderr);
    let token = world.oam(&["token", "--hub", "hub", "--repo", "acme/model"]);
    assert_eq!(token.code, 1, "`unavailable`: {}", token.stderr);
    assert!(token.stderr.contains(words), "{}", token.stderr);
    let report = world.oam(&["status", "--json"]).expect(0).json();
    assert!(report["warnings"].to_string().contains(words), "{report}");
    let refused = world
        .records()
        .into_iter()
        .rfind(|r| r["what"] == "refusal");
    assert_eq!(refused.expect("a record")["refusal"], "unavailable");
}

#[test]
fn an_agent_that_starts_while_the_keyring_is_locked_refuses_by_name_and_loses_nothing() {
    let mut world = World::signed_in();
    assert!(world.token().is_some());
    let sealed = world.sealed();
    world.kill_agents();
    world.desktop.as_ref().unwrap().lock_keyring();
    refused_for_the_keyring(&world, "the keyring is locked");
    assert_eq!(world.sealed(), sealed, "nothing is written over it");
    unlock(&mut world);
    assert!(world.token().is_some(), "the same session, the same agent");
    let codes = world.idp.count("code");
    assert_eq!(codes, 1, "without a second sign-in");
    world.oam(&["log", "--verify"]).expect(0);
}

#[test]
fn an_agent_that_starts_without_the_keyring_serves_once_it_is_back() {
    let mut world = World::signed_in();
    world.kill_agents();
    world.desktop.as_mut().unwrap().stop_keyring();
    refused_for_the_keyring(&world, "no keyring is running");
    world.desktop.as_mut().unwrap().start_keyring();
    assert!(world.token().is_some());
    assert_eq!(world.idp.count("code"), 1);
}

#[test]
fn a_session_revoked_while_the_keyring_is_locked_ends_once_it_opens() {
    let mut world = World::signed_in();
    world.kill_agents();
    world.desktop.as_ref().unwrap().lock_keyring();
    world.revoke();
    refused_for_the_keyring(&world, "the keyring is locked");
    unlock(&mut world);
    assert_eq!(world.token(), None);
    assert_eq!(world.status()["standing"], "ended");
}
