//! Many helpers at once.

use crate::support::{Builder, World};
use aws_lc_rs::digest;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;

const MANY: usize = 200;

/// Fresh as an organization has it by default, so that one proof is good for all.
fn usual() -> World {
    let world = Builder::default()
        .config(|text| text.replace("fresh = \"0s\"", "fresh = \"60s\""))
        .start();
    world.login();
    world
}

/// The passwords that `count` helpers at once are given; `path` by number.
fn at_once(world: &World, count: usize, path: impl Fn(usize) -> String + Sync) -> Vec<String> {
    let run = |n: usize| world.helper("get", &format!("path={}\n", path(n)));
    let runs: Vec<_> = std::thread::scope(|scope| {
        let run = &run;
        let threads: Vec<_> = (0..count).map(|n| scope.spawn(move || run(n))).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    let password = |run: &crate::support::Run| {
        let line = run.stdout.lines().find_map(|l| l.strip_prefix("password="));
        line.map_or_else(
            || panic!("no token: {}{}", run.stdout, run.stderr),
            str::to_owned,
        )
    };
    runs.iter().map(password).collect()
}

fn sha256(text: &str) -> String {
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    hash.as_ref().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn grants(world: &World) -> Vec<Value> {
    let mut records = world.records();
    records.retain(|record| record["what"] == "grant");
    records
}

#[test]
fn two_hundred_helpers_on_an_empty_cache_cause_one_refresh_and_one_exchange() {
    let world = usual();
    world.kill_agent("-9");
    // Running again, with nothing proven and nothing held.
    world.agent_pid();
    world.idp.control("reset", &json!({}));
    let passwords = at_once(&world, MANY, |_| "acme/model".to_owned());
    assert_eq!(passwords.len(), MANY);
    assert!(passwords.iter().all(|password| *password == passwords[0]));
    assert_eq!(world.idp.count("refresh"), 1);
    assert_eq!(world.idp.count("exchange"), 1);
    assert_eq!(grants(&world).len(), MANY, "each answer has its record");
    world.oam(&["log", "--verify"]).expect(0);
}

#[test]
fn fifty_helpers_that_find_no_agent_start_one_and_are_answered() {
    let world = usual();
    world.kill_agent("-9");
    world.idp.control("reset", &json!({}));
    let passwords = at_once(&world, 50, |_| "acme/model".to_owned());
    assert!(passwords.iter().all(|password| *password == passwords[0]));
    assert_eq!(world.idp.count("refresh"), 1);
    assert_eq!(world.idp.count("exchange"), 1);
    let mut starts = world.records();
    starts.retain(|record| record["what"] == "start");
    assert_eq!(starts.len(), 2, "the one of the sign-in and one more");
}

#[test]
fn answers_never_cross_between_parallel_callers() {
    let world = usual();
    let repository = |n: usize| format!("acme/model{}", n % 8);
    let passwords = at_once(&world, 48, repository);
    let answer = world.idp.ask("role-tokens");
    let issued: BTreeMap<&str, &str> = answer["tokens"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| {
            (
                t["sha256"].as_str().unwrap(),
                t["repository"].as_str().unwrap(),
            )
        })
        .collect();
    for (n, password) in passwords.iter().enumerate() {
        assert_eq!(issued[sha256(password).as_str()], repository(n));
    }
    assert_eq!(world.idp.count("exchange"), 8, "one a repository");
    for grant in grants(&world) {
        let hash = grant["token_sha256"].as_str().unwrap();
        assert_eq!(issued[hash], grant["repository"].as_str().unwrap());
    }
}
