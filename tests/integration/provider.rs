//! The provider misbehaves before and after it consumed the refresh token (promise 3).
//!
//! Every ask proves the session here (`fresh = "0s"`), so each `get` is a refresh. A failure that
//! stays is remembered for 30 s; a killed agent forgets that, and must find the session kept.

use crate::support::wait::{LONG, until};
use crate::support::world::child_that_waits;
use crate::support::{Builder, Run, World};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A signed-in machine that holds a role token, with the provider's counters at zero.
fn world(rotation: &str) -> (World, String) {
    let world = Builder::default()
        .idp(json!({"rotation": rotation}))
        .start();
    world.login();
    let token = world.token().expect("a token");
    world.idp.control("reset", &json!({}));
    (world, token)
}

fn get(world: &World) -> Run {
    world.helper("get", "path=acme/model\n")
}

/// Refreshes that arrived at the provider, and those that it accepted.
fn refreshes(world: &World) -> (u64, u64) {
    let stats = world.idp.ask("stats");
    let of = |counters: &Value| counters["refresh"].as_u64().unwrap_or(0);
    (of(&stats), of(&stats["accepted"]))
}

/// The session outlived it: also a restarted agent proves it at once.
#[track_caller]
fn is_kept(world: &World) {
    assert_eq!(world.status()["standing"], "active");
    world.kill_agent("-9");
    assert!(world.token().is_some(), "{}", get(world).stderr);
    assert_eq!(world.status()["standing"], "active");
}

/// The session is over, and the text says that an answer was lost.
#[track_caller]
fn is_over_after_a_lost_answer(world: &World) {
    let run = get(world);
    assert!(!run.stdout.contains("password="), "{}", run.stdout);
    assert!(run.stdout.contains("quit=1"), "{}", run.stdout);
    assert!(run.stderr.contains("was lost"), "{}", run.stderr);
    assert!(run.stderr.contains("oam login acme"), "{}", run.stderr);
    assert_eq!(world.status()["standing"], "ended");
    world.login();
    assert!(world.token().is_some());
}

/// The provider never saw the first request, or the first two.
fn misbehaves_before(mode: &str) {
    let (world, token) = world("as-it-comes");
    world.idp.fault("token-refresh", mode, "before", 1);
    assert_eq!(
        world.token().as_ref(),
        Some(&token),
        "healed by the one retry"
    );
    assert_eq!(refreshes(&world), (2, 1));

    world.idp.control("reset", &json!({}));
    world.idp.fault("token-refresh", mode, "before", 2);
    for ask in 1..=3 {
        assert_eq!(
            world.token().as_ref(),
            Some(&token),
            "ask {ask}, by the lease"
        );
    }
    assert_eq!(refreshes(&world), (2, 0), "exactly one retry, then a pause");
    let status = world.status();
    assert!(
        status["detail"].is_string(),
        "the trouble is shown: {status}"
    );
    is_kept(&world);
}

/// The provider took the refresh token, and its answer never came.
fn misbehaves_after(mode: &str) {
    let (world, token) = world("never");
    world.idp.fault("token-refresh", mode, "after", 1);
    assert_eq!(world.token().as_ref(), Some(&token));
    assert_eq!(refreshes(&world), (2, 2), "one retry, which it honours");
    is_kept(&world);

    world
        .idp
        .control("rotation", &json!({"value": "as-it-comes"}));
    world.idp.control("reset", &json!({}));
    world.idp.fault("token-refresh", mode, "after", 1);
    assert_eq!(world.token(), None);
    assert_eq!(
        refreshes(&world),
        (2, 1),
        "one retry, which it takes for theft"
    );
    is_over_after_a_lost_answer(&world);
}

#[test]
fn an_error_500_before_keeps_the_session() {
    misbehaves_before("500");
}

#[test]
fn an_error_500_after_is_retried_once() {
    misbehaves_after("500");
}

#[test]
fn an_html_page_before_keeps_the_session() {
    misbehaves_before("html");
}

#[test]
fn an_html_page_after_is_retried_once() {
    misbehaves_after("html200");
}

#[test]
fn a_reset_before_keeps_the_session() {
    misbehaves_before("reset");
}

#[test]
fn a_reset_after_is_retried_once() {
    misbehaves_after("reset");
}

#[test]
fn a_provider_that_is_down_before_keeps_the_session() {
    let (world, token) = world("as-it-comes");
    world.idp.control("down", &json!({}));
    for _ in 0..3 {
        assert_eq!(world.token().as_ref(), Some(&token), "by the lease");
    }
    let other = world.helper("get", "path=datasets/acme/corpus\n");
    assert!(!other.stdout.contains("password="), "{}", other.stdout);
    assert!(other.stdout.contains("quit=1"), "{}", other.stdout);
    assert!(
        other.stderr.contains("could not be reached"),
        "{}",
        other.stderr
    );
    world.idp.control("up", &json!({}));
    assert_eq!(refreshes(&world), (0, 0));
    is_kept(&world);
    assert_eq!(refreshes(&world), (1, 1));
}

/// It takes the token, is gone before it answers, and is not back for the retry: that one is made
/// when it is back, by whichever agent then runs.
fn goes_down_after(rotation: &str) -> World {
    let (world, token) = world(rotation);
    world.idp.fault("token-refresh", "hang", "after", 1);
    let mut command = world.oam_command(&["token", "--repo", "acme/model", "--hub", "hub"]);
    let asking = command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    world
        .idp
        .ask("wait?event=refresh&count=1&accepted=1&deadline_ms=30000");
    world.idp.control("down", &json!({}));
    Run::of(&asking.wait_with_output().unwrap());
    assert_eq!(world.token(), Some(token), "by the lease");
    // What is asked meanwhile seals the state anew, and must not forget that an answer is missing.
    assert!(
        world
            .helper("get", "path=datasets/acme/corpus\n")
            .stdout
            .contains("quit=1")
    );
    world.oam(&["log", "--verify"]).expect(0);
    world.kill_agent("-9");
    world.idp.control("up", &json!({}));
    world
}

#[test]
fn a_provider_that_goes_down_after_it_took_the_token_is_asked_once_more() {
    let world = goes_down_after("never");
    assert!(world.token().is_some());
    assert_eq!(refreshes(&world), (2, 2));
    is_kept(&world);
}

#[test]
fn a_provider_that_goes_down_after_it_rotated_the_token_ends_the_session_at_the_one_retry() {
    let world = goes_down_after("as-it-comes");
    assert_eq!(world.token(), None);
    assert_eq!(refreshes(&world), (2, 1));
    is_over_after_a_lost_answer(&world);
}

/// An answer that comes after the asker was served by the lease is taken all the same: in it is
/// the only refresh token that the provider still honours.
fn is_slow(when: &str) {
    let (world, token) = world("as-it-comes");
    world.idp.fault("token-refresh", "hold", when, 1);
    assert_eq!(world.token(), Some(token), "by the lease, at the deadline");
    assert_eq!(refreshes(&world), (1, u64::from(when == "after")));
    world.idp.control("release", &json!({}));
    until("the late answer to be taken", LONG, || {
        let proofs = world.records();
        let late = proofs.iter().filter(|r| r["what"] == "proof").count();
        (late == 2).then_some(())
    });
    assert!(world.token().is_some());
    assert_eq!(refreshes(&world), (2, 2), "no retry");
    let log = world.idp.log("refresh");
    assert_eq!(log[1]["sent"], log[0]["got"], "the rotated token: {log:?}");
    is_kept(&world);
}

#[test]
fn a_slow_provider_before_keeps_the_session() {
    is_slow("before");
}

#[test]
fn a_slow_provider_after_loses_nothing() {
    is_slow("after");
}

#[test]
fn a_provider_that_never_answers_is_asked_once_more() {
    let (world, token) = world("never");
    world.idp.fault("token-refresh", "hang", "after", 1);
    assert_eq!(world.token(), Some(token), "by the lease, at the deadline");
    world.idp.wait("refresh", 2);
    until("the retry to be taken", LONG, || {
        (refreshes(&world) == (2, 2)).then_some(())
    });
    is_kept(&world);
}

/// A proxy, a firewall, a captive portal, a load balancer: none of them speaks for the provider.
#[test]
fn no_ambiguous_answer_ends_a_session() {
    let (world, token) = world("as-it-comes");
    for mode in [
        "403",
        "404",
        "407",
        "408",
        "425",
        "429",
        "451",
        "502",
        "503",
        "504",
        "html200",
        "garbage200",
        "empty200",
        "redirect",
        "bare400",
        "bare401",
        "temporarily_unavailable",
    ] {
        world.idp.control("reset", &json!({}));
        world.idp.fault("token-refresh", mode, "before", 1);
        assert_eq!(world.token().as_ref(), Some(&token), "{mode}");
        assert_eq!(refreshes(&world), (2, 1), "{mode}");
    }
    assert_eq!(
        world.idp.count("trap"),
        0,
        "no redirect is followed with a token"
    );
    is_kept(&world);
}

#[test]
fn a_client_that_the_provider_does_not_know_any_more_keeps_its_session() {
    for mode in ["invalid_client", "unauthorized_client", "invalid_scope"] {
        let (world, token) = world("as-it-comes");
        world.idp.fault("token-refresh", mode, "before", 1);
        assert_eq!(world.token(), Some(token), "{mode}: by the lease");
        assert_eq!(
            refreshes(&world),
            (1, 0),
            "{mode}: asking again would not help"
        );
        is_kept(&world);
    }
}

/// A token may be handed out until `lease` after the last proof, and not a moment later. The proof
/// was made before the get that asked for it was answered, and a get is decided after it was asked:
/// so no machine is too slow for this test.
#[test]
fn whatever_the_provider_answers_no_token_leaves_past_the_lease() {
    let lease = Duration::from_secs(1);
    let world = Builder::default()
        .idp(json!({"rotation": "never"}))
        .config(|text| text.replace("lease = \"10m\"", "lease = \"1s\""))
        .start();
    world.login();
    for mode in [
        "500",
        "html",
        "reset",
        "hang",
        "403",
        "bare400-once",
        "down",
    ] {
        assert!(world.token().is_some(), "{mode}: {}", get(&world).stderr);
        let proven_before = Instant::now();
        match mode {
            "down" => drop(world.idp.control("down", &json!({}))),
            "bare400-once" => {
                world.idp.fault("token-refresh", "bare400", "after", 1);
                world.idp.fault("token-refresh", "500", "after", -1);
            }
            mode => world.idp.fault("token-refresh", mode, "after", -1),
        }
        let refused = until("the lease to be over", LONG, || {
            let asked = Instant::now();
            let run = get(&world);
            let token = run.stdout.contains("password=");
            assert!(
                !token || asked <= proven_before + lease,
                "{mode}: a token {:?} after the proof",
                asked - proven_before
            );
            (!token).then_some(run)
        });
        assert!(
            refused.stdout.contains("quit=1"),
            "{mode}: {}",
            refused.stdout
        );
        // One that hangs has said nothing yet, and one that was waited for did not confirm it.
        let said = |words: &str| refused.stderr.contains(words);
        let waited = mode == "hang" && said("has not answered yet whether it honours");
        assert!(
            waited || said("could not confirm this session"),
            "{mode}: {}",
            refused.stderr
        );
        assert_eq!(
            world
                .oam(&["token", "--repo", "acme/model"])
                .expect(3)
                .stdout,
            ""
        );
        assert_eq!(world.status()["standing"], "unproven", "{mode}");

        // A restarted agent has no lease at all.
        world.kill_agent("-9");
        assert_eq!(world.token(), None, "{mode}");
        world.kill_agent("-9");
        world.idp.control("fault/clear", &json!({}));
        if mode == "down" {
            world.idp.control("up", &json!({}));
        }
    }
    assert!(world.token().is_some());
}

#[test]
fn the_token_file_of_a_child_goes_with_the_lease_and_comes_back_with_the_proof() {
    let world = Builder::default()
        .config(|text| text.replace("lease = \"10m\"", "lease = \"2s\""))
        .start();
    world.login();
    let mut child = child_that_waits(&world);
    assert_eq!(world.token_files().len(), 1);
    world.idp.control("down", &json!({}));
    until("the file to be withdrawn", LONG, || {
        world.token_files().is_empty().then_some(())
    });
    assert_eq!(world.status()["standing"], "unproven");
    world.idp.control("up", &json!({}));
    let back = Duration::from_secs(60); // a failure is remembered for 30 s
    until("the file to be back", back, || {
        (world.token_files().len() == 1).then_some(())
    });
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}
