//! One person has one agent, also where programs see another `XDG_RUNTIME_DIR` than it was started in:
//! a snap (`…/snap.code`), cron and containers (none), a session after a log-out. Two agents of one
//! state both renewed the one rotating refresh token: the provider saw a theft and ended the session.

use crate::support::World;
use crate::support::wait::until_true;
use crate::support::world::{Run, alive, set_mode};
use oam_host::state_lock;
use std::path::Path;
use std::process::Command;

/// Everything is proven at every ask here, so each agent renews all the time.
fn signed_in() -> World {
    let world = World::start();
    world.login();
    world
}

/// A command as a program has it whose runtime directory is another one.
fn elsewhere(world: &World, runtime: Option<&Path>, program: &str) -> Command {
    let mut command = world.command(program);
    match runtime {
        Some(runtime) => command.env("XDG_RUNTIME_DIR", runtime),
        None => command.env_remove("XDG_RUNTIME_DIR"),
    };
    command
}

fn oam(world: &World, runtime: Option<&Path>, args: &[&str]) -> Run {
    let mut command = elsewhere(world, runtime, oam::program("oam"));
    Run::of(&command.args(args).output().unwrap())
}

fn token(world: &World, runtime: Option<&Path>) -> Run {
    let host = world
        .hub
        .get("url")
        .trim_start_matches("http://")
        .to_owned();
    let mut command = elsewhere(world, runtime, oam::program("git-credential-oam"));
    command.args(["--hub", "hub", "get"]);
    let input = format!("protocol=http\nhost={host}\npath=acme/model\n\n");
    World::feed(&mut command, input.as_bytes())
}

#[test]
fn programs_with_another_runtime_directory_or_none_talk_to_the_one_agent() {
    let world = signed_in();
    let agent = world.agents();
    let snap = world.runtime.join("snap.code");
    for _ in 0..3 {
        for runtime in [Some(&*world.runtime), Some(&*snap), None] {
            let run = token(&world, runtime).expect(0);
            assert!(
                run.stdout.contains("password="),
                "{runtime:?} {}",
                run.stderr
            );
        }
    }
    assert_eq!(world.agents(), agent);
    assert!(
        !snap.exists(),
        "nothing is made for an agent that is not needed"
    );
    let report = oam(&world, None, &["status", "--json"]).expect(0).json();
    assert_eq!(report["agent_pid"].as_i64(), Some(agent[0]));
    assert_eq!(report["orgs"][0]["standing"], "active");
    let told = oam(&world, Some(&snap), &["doctor"]).stdout;
    let socket = world.runtime.join("oam/agent.sock");
    assert!(told.contains(socket.to_str().unwrap()), "{told}");
    // Also where the lock is all that tells of it: an agent started by hand leaves, and says whose.
    let by_hand = elsewhere(&world, Some(&snap), oam::program("oam-agent"));
    let output = { by_hand }.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(said.trim(), format!("ready {}", socket.display()));
    oam(&world, None, &["log", "--verify"]).expect(0);
    let starts = world.records();
    assert_eq!(starts.iter().filter(|r| r["what"] == "start").count(), 1);
}

#[test]
fn a_sign_out_from_anywhere_is_one_everywhere() {
    let world = signed_in();
    assert!(world.token().is_some());
    oam(&world, None, &["logout"]).expect(0);
    assert_eq!(world.token(), None);
    assert!(!token(&world, None).stdout.contains("password="));
    assert_eq!(world.status()["standing"], "signed-out");
    assert_eq!(world.agents().len(), 1);
}

#[test]
fn after_a_log_out_removed_the_runtime_directory_there_is_one_agent_again() {
    let world = World::start();
    // Not the world's own: its keyring has sockets there that a log-in would make anew.
    let runtime = world.home.join("runtime");
    let log_in = || {
        std::fs::create_dir(&runtime).unwrap();
        set_mode(&runtime, 0o700);
    };
    let gets_a_token = || {
        let run = token(&world, Some(&runtime)).expect(0);
        assert!(run.stdout.contains("password="), "{}", run.stderr);
    };
    log_in();
    oam(&world, Some(&runtime), &["login", "acme"]).expect(0);
    let first = world.agents()[0];
    std::fs::remove_dir_all(&runtime).unwrap();
    until_true("the agent that nobody finds to leave", || !alive(first));
    log_in();
    gets_a_token();
    let second = world.agents();
    assert_eq!(second.len(), 1);
    // Only the agent's folder is removed: it stays and is found again.
    std::fs::remove_dir_all(runtime.join("oam")).unwrap();
    gets_a_token();
    until_true("one agent", || world.agents().len() == 1);
    assert_eq!(world.agents(), second);
    oam(&world, Some(&runtime), &["log", "--verify"]).expect(0);
    assert_eq!(world.idp.count("code"), 1, "nobody had to sign in again");
}

#[test]
fn an_agent_out_of_reach_is_named_and_no_second_one_serves() {
    let world = signed_in();
    world.kill_agents();
    // As an agent in a container with this home has it: the lock is seen, its socket is not.
    let base = world.home.join(".local/state/oam");
    let Ok(state_lock::LockOutcome::Ours(lock)) = state_lock::take(&base, None) else {
        panic!("nobody else holds it");
    };
    lock.record(Path::new("/run/user/4242/oam/agent.sock"));
    let run = token(&world, None).expect(0);
    assert!(run.stdout.contains("quit=1"), "{}", run.stdout);
    assert!(
        run.stderr.contains("/run/user/4242/oam/agent.sock"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("XDG_RUNTIME_DIR"), "{}", run.stderr);
    drop(lock);
    assert!(token(&world, None).stdout.contains("password="));
}
