//! The hub that the tests stand on refuses every token that it did not verify: a test against a
//! hub that takes anything would show nothing. Asked directly, by real git, without the agent.

use crate::support::{Builder, Run, World};
use serde_json::{Value, json};

/// Claims of a good token for writing to `acme/model`.
fn claims(world: &World) -> Value {
    json!({
        "sub": "role:model-publisher", "act": {"sub": "ada"}, "aud": world.hub.get("url"),
        "repository": "acme/model", "actions": ["read", "write"], "role": "model-publisher",
    })
}

/// A token by the provider's control call: these claims with `change`, made with `options`.
fn mint(world: &World, change: &Value, options: &Value) -> String {
    let mut order = json!({"claims": claims(world), "alg": "ES256", "header": {"typ": "at+jwt"}});
    for (into, from) in [("claims", change), ("", options)] {
        for (key, value) in from.as_object().expect("an object") {
            match into {
                "" => order[key] = value.clone(),
                _ => order[into][key] = value.clone(),
            }
        }
    }
    let answer = world.idp.control("mint", &order);
    answer["token"].as_str().expect("a token").to_owned()
}

/// `git ls-remote` with this token; what the hub wrote about it.
fn read(world: &World, token: &str) -> (Run, Value) {
    ask(world, token, &["ls-remote", &world.url("acme/model")])
}

fn ask(world: &World, token: &str, args: &[&str]) -> (Run, Value) {
    world.hub.control("reset", &json!({}));
    let header = format!("http.extraHeader=Authorization: Bearer {token}");
    let mut whole = vec!["-c", &header];
    whole.extend(args);
    let run = world.git(".", &whole);
    let log = world.hub.ask("log?kind=git");
    let last = log["log"].as_array().and_then(|log| log.last()).cloned();
    (run, last.expect("the hub was asked"))
}

#[track_caller]
fn refused(world: &World, token: &str, status: u16, reason: &str) {
    let (run, entry) = read(world, token);
    run.expect(128);
    assert_eq!(entry["status"], status, "{entry}");
    assert_eq!(entry["reason"], reason, "{entry}");
}

#[test]
fn a_good_token_passes() {
    let world = World::start();
    let token = mint(&world, &json!({}), &json!({}));
    let (run, entry) = read(&world, &token);
    run.expect(0);
    assert_eq!(entry["status"], 200);
}

#[test]
fn a_bad_signature_and_a_token_that_introspection_does_not_know_are_refused() {
    let world = World::start();
    let foreign = mint(&world, &json!({}), &json!({"key": "foreign"}));
    refused(&world, &foreign, 401, "forged signature");
    let mut flipped = mint(&world, &json!({}), &json!({})).into_bytes();
    let at = flipped.len() - 20;
    flipped[at] = if flipped[at] == b'A' { b'B' } else { b'A' };
    refused(
        &world,
        &String::from_utf8(flipped).unwrap(),
        401,
        "forged signature",
    );
    let asking = Builder::default()
        .hub(json!({"introspection": true}))
        .start();
    refused(&asking, "role_unknown", 401, "inactive");
}

#[test]
fn an_expired_token_is_refused() {
    let world = World::start();
    let token = mint(&world, &json!({}), &json!({"seconds": -10}));
    refused(&world, &token, 401, "expired");
}

#[test]
fn a_token_of_another_repository_hub_or_issuer_is_refused() {
    let world = World::start();
    let other = json!({"repository": "acme/mode"});
    refused(
        &world,
        &mint(&world, &other, &json!({})),
        403,
        "wrong repository",
    );
    let hub = json!({"aud": "http://127.0.0.1:9"});
    refused(&world, &mint(&world, &hub, &json!({})), 401, "wrong aud");
    let issuer = json!({"iss": "http://127.0.0.1:9"});
    refused(&world, &mint(&world, &issuer, &json!({})), 401, "wrong iss");
    let id_token = json!({"header": {}});
    refused(
        &world,
        &mint(&world, &json!({}), &id_token),
        401,
        "wrong typ",
    );
}

#[test]
fn a_reading_token_is_refused_for_a_push() {
    let world = World::start();
    let reading = mint(&world, &json!({"actions": ["read"]}), &json!({}));
    let url = world.url("acme/model");
    let (run, _) = ask(&world, &reading, &["clone", "-q", &url, "model"]);
    run.expect(0);
    let commit = ["-C", "model", "commit", "-q", "--allow-empty", "-m", "x"];
    world.git(".", &commit).expect(0);
    let (run, entry) = ask(&world, &reading, &["-C", "model", "push", "-q"]);
    run.expect(128);
    assert_eq!(entry["status"], 403, "{entry}");
    assert_eq!(entry["reason"], "wrong action", "{entry}");
}
