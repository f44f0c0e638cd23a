//! The agent killed at every system call of a refresh, of a login and of an end.
//!
//! Only calls that others can see are counted: files, durability, sockets. What lies between two
//! of them (descriptors, clocks, memory, reads of files) changes nothing that outlives the process,
//! so a kill there leaves what a kill at the next counted call leaves. The clients of each round
//! meet both agents, the killed one and the one that they start in its place.

use crate::support::World;
use crate::support::agents::{Trap, calls};
use crate::support::wait::until_true;
use serde_json::{Value, json};

/// More often than any of these operations makes one call: a sweep that gets here does not end.
const ENDLESS: usize = 200;

/// Fewer kills than this: then something else was swept.
const TOO_FEW: usize = 25;

/// Notes the calls of one unharmed round, then runs `round` with a kill at the first, second, …
/// of each call, until one round comes through unharmed. `after` judges what is left.
fn sweep(
    world: &World,
    mut before: impl FnMut(),
    mut round: impl FnMut(),
    mut after: impl FnMut(&str),
) {
    let file = world.home.join("trace");
    let agent = |before: &mut dyn FnMut()| {
        // The kill of the last round may have come after its answer.
        until_true("an agent", || world.oam(&["status"]).code == 0);
        before();
        let agents = world.agents();
        assert_eq!(agents.len(), 1);
        agents[0]
    };
    // The answer to `status` makes the log durable and anchored first, so these calls are swept, too.
    let mut survives = |trap: &Trap| {
        round();
        let first = world.oam(&["status", "--json"]);
        first.code == 0 && first.json()["agent_pid"] == trap.agent()
    };
    let trap = Trap::note(agent(&mut before), &file);
    assert!(survives(&trap));
    trap.release();
    let mut kills = 0;
    for call in calls(&file).keys() {
        for nth in 1..ENDLESS {
            let trap = Trap::set(agent(&mut before), call, nth);
            if survives(&trap) {
                break;
            }
            drop(trap);
            kills += 1;
            after(&format!("{call} {nth}"));
        }
    }
    assert!(kills > TOO_FEW, "only {kills} kills: {:?}", calls(&file));
    world.oam(&["log", "--verify"]).expect(0);
}

fn standing(world: &World, at: &str) -> String {
    let report = world.oam(&["status", "--json"]).expect(0).json();
    let warnings = report["warnings"].as_array().unwrap();
    // A sweep hands out more tokens than `status` lists; nothing else may be amiss.
    let amiss = |w: &&Value| !w.as_str().unwrap().contains("more tokens of acme are out");
    assert_eq!(warnings.iter().find(amiss), None, "{at}");
    report["orgs"][0]["standing"].as_str().unwrap().to_owned()
}

/// A session may be lost only where the provider refused the one retry: then it had taken the
/// same refresh token before, and that answer was lost with the agent.
fn lost_by_rotation_only(world: &World, at: &str) {
    let log = world.idp.ask("log?event=refresh");
    let log = log.as_array().or_else(|| log["log"].as_array()).unwrap();
    let last = log.last().expect("a refresh");
    assert_ne!(last["status"], 200, "{at}: {last}");
    let same = |entry: &&Value| entry["sent"] == last["sent"];
    let sent: Vec<&Value> = log.iter().filter(same).collect();
    assert_eq!(sent.len(), 2, "{at}: exactly one retry: {sent:?}");
    assert_eq!(sent[0]["provider"], 200, "{at}: {sent:?}");
}

#[test]
fn sweep_killed_at_every_call_of_a_refresh_no_session_is_lost_that_the_provider_honours() {
    let world = World::signed_in();
    let mut lost = 0;
    sweep(
        &world,
        || assert!(world.token().is_some()),
        || {
            world.token();
        },
        |at| {
            if world.token().is_none() {
                assert_eq!(standing(&world, at), "ended", "{at}");
                lost_by_rotation_only(&world, at);
                lost += 1;
                world.login();
            }
            assert_eq!(standing(&world, at), "active", "{at}");
        },
    );
    assert!(lost > 0, "no kill came between the provider and the disk");
}

#[test]
fn sweep_killed_at_every_call_of_a_second_login_one_of_the_sessions_serves() {
    let world = World::signed_in();
    sweep(
        &world,
        || assert!(world.token().is_some()),
        || {
            world.oam(&["login", "acme"]);
        },
        |at| {
            assert!(world.token().is_some(), "{at}");
            assert_eq!(standing(&world, at), "active", "{at}");
        },
    );
}

#[test]
fn sweep_killed_at_every_call_of_a_login_it_holds_once_it_was_said_and_can_be_made_again() {
    let world = World::signed_in();
    let said = std::cell::Cell::new(false);
    sweep(
        &world,
        || {
            world.oam(&["logout", "acme"]).expect(0);
            assert!(world.token().is_none());
        },
        || said.set(world.oam(&["login", "acme"]).code == 0),
        |at| {
            let serves = world.token().is_some();
            assert!(serves || !said.get(), "{at}: said, then lost");
            let now = standing(&world, at);
            assert_eq!(now, if serves { "active" } else { "signed-out" });
            if !serves {
                world.login();
                assert!(world.token().is_some(), "{at}");
            }
        },
    );
}

/// The provider says once that the session is over, and would honour it again afterwards: so it is
/// ours alone that keeps a token from leaving.
#[test]
fn sweep_killed_at_every_call_of_an_end_no_token_leaves_after_it() {
    let world = World::signed_in();
    let said = std::cell::Cell::new(false);
    let (mut kept, mut ended) = (0, 0);
    sweep(
        &world,
        || {
            if world.token().is_none() {
                world.login();
                assert!(world.token().is_some());
            }
            world.idp.control("fault/clear", &json!({}));
            world
                .idp
                .fault("token-refresh", "invalid_grant", "before", 1);
        },
        || {
            let run = world.helper("get", "path=acme/model\n");
            said.set(run.stderr.contains("no longer honours"));
        },
        |at| {
            world.idp.control("fault/clear", &json!({}));
            let over = said.get() || world.tombstones().contains("acme");
            let tokens = [world.token(), world.token()];
            world.kill_agents();
            let later = world.token();
            if over {
                assert_eq!(tokens, [None, None], "{at}");
                assert_eq!(later, None, "{at}");
                assert_eq!(standing(&world, at), "ended", "{at}");
                ended += 1;
            } else {
                assert!(later.is_some(), "{at}: the end was not yet processed");
                kept += 1;
            }
        },
    );
    assert!(ended > 0 && kept > 0, "{ended} ended, {kept} kept");
}
