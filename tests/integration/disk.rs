//! The log's disk is full, or a crash cut its last line.

use crate::support::World;
use crate::support::disk::Small;

/// A world whose audit folder is small. The mount goes before the folder that it lies in.
struct Cramped {
    small: Small,
    world: World,
}

fn cramped() -> Cramped {
    let world = World::start();
    let state = world.state();
    std::fs::create_dir_all(&state).unwrap();
    crate::support::world::set_mode(&state, 0o700);
    let small = Small::mount(&state.join("audit"), "64k");
    world.login();
    Cramped { small, world }
}

/// Asks until it is refused: the last page of the log may have room for a few records.
fn until_refused(world: &World) -> String {
    for _ in 0..20 {
        let run = world.helper("get", "path=acme/model\n").expect(0);
        if !run.stdout.contains("password=") {
            assert!(run.stdout.contains("quit=1"), "{}", run.stdout);
            return run.stderr;
        }
    }
    panic!("tokens leave without a record");
}

#[test]
fn a_full_log_disk_refuses_grants_lets_refusals_leave_and_recovers_as_root() {
    let Cramped { small, world } = cramped();
    assert!(world.token().is_some());
    small.fill();
    let said = until_refused(&world);
    assert!(said.contains("the audit log can't be written"), "{said}");
    assert!(said.contains("make room"), "{said}");
    let grants = |world: &World| {
        let records = world.records();
        records.iter().filter(|r| r["what"] == "grant").count()
    };
    let before = grants(&world);
    assert_eq!(world.token(), None, "and again");
    assert_eq!(grants(&world), before);
    let token = world.oam(&["token", "--hub", "hub", "--repo", "acme/model"]);
    assert_eq!(token.code, 1, "{}", token.stderr);
    // A refusal by policy leaves as itself, though it can't be recorded either.
    let denied = world.oam(&["token", "--hub", "hub", "--repo", "other/model"]);
    assert_eq!(denied.code, 5, "{}", denied.stderr);
    let report = world.oam(&["status", "--json"]).expect(0).json();
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("audit log can't be written"), "{report}");
    assert_eq!(report["orgs"][0]["standing"], "active");

    small.make_room();
    assert!(world.token().is_some(), "without a restart");
    world.oam(&["log", "--verify"]).expect(0);
    let report = world.oam(&["status", "--json"]).expect(0).json();
    assert_eq!(report["warnings"], serde_json::json!([]));
    drop(small);
}

#[test]
fn a_revocation_is_carried_out_while_the_log_disk_is_full_as_root() {
    let Cramped { small, world } = cramped();
    assert!(world.token().is_some());
    small.fill();
    until_refused(&world);
    world.revoke();
    let run = world.helper("get", "path=acme/model\n");
    assert!(run.stderr.contains("no longer honours"), "{}", run.stderr);
    assert_eq!(world.status()["standing"], "ended");
    world.kill_agents();
    small.make_room();
    assert_eq!(world.token(), None);
    assert_eq!(world.status()["standing"], "ended");
    drop(small);
}

/// Everything but the log is on the full disk: the provider rotates the refresh token at each ask.
#[test]
fn a_session_that_is_renewed_while_the_disk_is_full_is_not_lost_by_a_kill_as_root() {
    let world = World::start();
    let state = world.state();
    std::fs::create_dir_all(&state).unwrap();
    let small = Small::mount(&state, "1m");
    let log = Small::mount(&state.join("audit"), "1m");
    world.login();
    small.fill();
    for _ in 0..3 {
        assert!(world.token().is_some());
    }
    let report = world.oam(&["status", "--json"]).expect(0).json();
    assert_eq!(report["warnings"], serde_json::json!([]));
    world.kill_agents();
    assert!(world.token().is_some(), "the newest token was on disk");
    assert_eq!(world.status()["standing"], "active");
    // And an end is durable there, too.
    world.revoke();
    world.helper("get", "path=acme/model\n");
    world.kill_agents();
    assert_eq!(world.token(), None);
    assert_eq!(world.status()["standing"], "ended");
    drop(log);
    drop(small);
}

#[test]
fn a_line_that_a_crash_cut_off_is_put_right_and_leaves_an_alarm() {
    let world = World::signed_in();
    assert!(world.token().is_some());
    world.kill_agents();
    let file = world.state().join("audit/audit.jsonl");
    let mut text = std::fs::read(&file).unwrap();
    text.extend_from_slice(b"{\"seq\":99,\"pr");
    std::fs::write(&file, text).unwrap();
    assert_eq!(world.status()["standing"], "unproven");
    assert_eq!(world.last("alarm")["what"], "alarm");
    world.oam(&["log", "--verify"]).expect(0);
}
