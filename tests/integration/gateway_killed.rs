//! A gateway that is killed: nobody is left to tell the sum, and what it told while it worked is on record.

use crate::support::World;
use crate::support::wait::until_true;
use crate::support::world::read_line;
use serde_json::{Value, json};
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

/// `oam exec -- sh -c SCRIPT` that asks as `ask models/acme/model`, says when it has, and goes on until its input ends.
fn asking(world: &World, script: &str) -> Child {
    let ask = "ask() { curl -s -o /dev/null -H \"Authorization: Bearer $HF_TOKEN\" $HF_ENDPOINT/api/$1; }";
    let script = format!("{ask}; {script}; echo asked; read -r line || true");
    let mut command: Command = world.oam_command(&["exec", "--", "sh", "-ec", &script]);
    let mut child = command
        .current_dir(&world.home)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    assert_eq!(read_line(&mut child), "asked");
    child
}

fn sums(world: &World) -> Vec<Value> {
    let mut records = world.records();
    records.retain(|record| record["what"] == "served");
    records
}

/// Kills the gateway, and gives what is on record of this repository.
fn killed(world: &World, child: &mut Child) -> Value {
    assert!(sums(world).is_empty(), "the command goes on");
    // SIGKILL.
    child.kill().unwrap();
    child.wait().unwrap();
    until_true("the record", || !sums(world).is_empty());
    let sums = sums(world);
    assert_eq!(sums.len(), 1, "{sums:?}");
    let (served, caller) = (&sums[0]["served"], &sums[0]["caller"]);
    assert_eq!(served["incomplete"], true, "{served}");
    assert_eq!(caller["pid"], child.id(), "{caller}");
    let repositories = served["repositories"].as_array().unwrap();
    let mut rows = repositories.iter();
    let model = rows.find(|one| one["repository"] == "acme/model");
    model.unwrap().clone()
}

/// Each question for a token tells what passed before it.
#[test]
fn a_gateway_that_is_killed_is_on_record_with_what_it_told_last() {
    let world = World::signed_in();
    let mut child = asking(&world, "ask models/acme/model; ask whoami-v2");
    let model = killed(&world, &mut child);
    assert_eq!(model["reads"], 1, "{model}");
    assert!(model["received"].as_u64() > Some(0), "{model}");
}

/// One request whose answer has so many bytes, and that hands out a token of another host until then.
fn one_answer(world: &World, bytes: usize) -> (Child, u64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let until = now.as_secs() + 3600;
    let answer = json!({
        "status": 200, "paths": "/api/models/acme/model", "body": "x".repeat(bytes),
        "headers": {"x-xet-token-expiration": until.to_string()}
    });
    world.hub.control("fault", &answer);
    (asking(world, "ask models/acme/model"), until)
}

/// The agent has heard what passed.
fn is_told(world: &World, until: u64) {
    until_true("the counts", || world.status()["elsewhere_until"] == until);
}

#[test]
fn what_passed_after_the_last_question_for_a_token_is_on_record_too() {
    let world = World::signed_in();
    let (mut child, until) = one_answer(&world, 5000);
    is_told(&world, until);
    let model = killed(&world, &mut child);
    assert_eq!(
        (&model["reads"], &model["received"]),
        (&json!(1), &json!(5000))
    );
}

#[test]
fn another_agent_is_told_what_passed_before_it_came() {
    let world = World::signed_in();
    let (mut child, until) = one_answer(&world, 4000);
    is_told(&world, until);
    world.kill_agent("-9");
    // Nothing passes any more: the gateway tells it because the agent is another one.
    is_told(&world, until);
    let model = killed(&world, &mut child);
    assert_eq!(
        (&model["reads"], &model["received"]),
        (&json!(1), &json!(4000))
    );
}
