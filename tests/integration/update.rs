//! The company changes the set-up that its issuer publishes: people hear of it and take it over.

use crate::support::company::replace;
use crate::support::parts::Part;
use crate::support::wait::{LONG, until, until_true};
use crate::support::{Company, World};
use serde_json::{Value, json};

/// What `oam status` names once the agent has heard of the new set-up.
fn told(world: &World) -> Value {
    until("the agent to hear of the new set-up", LONG, || {
        let setup = world.status()["setup"].clone();
        (!setup.is_null()).then_some(setup)
    })
}

/// Changes the issuer's settings, or its policy, while it serves.
fn edit(company: &Company, name: &str, change: impl Fn(&str) -> String) {
    let path = company.folder.join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    replace(&path, &change(&text));
}

#[test]
fn a_hub_that_the_company_adds_is_told_and_taken_over_and_git_works_there() {
    let company = Company::signed_in();
    let world = &company.world;
    company.until_fed();
    assert!(world.status()["setup"].is_null());
    let none = world.oam(&["update", "--json"]).expect(0).json();
    assert_eq!(none["changes"], json!([]));
    let options = json!({
        "issuer": company.url, "jwks": "discovery", "repositories": ["acme/other"]
    });
    let more = Part::start("hub.mjs", &options);
    let url = more.get("url");
    edit(&company, "issuer.toml", |text| {
        format!(
            "{text}\n[hubs.more]\nurl = \"{url}\"\nkind = \"git\"\nbackend = {{ kind = \"jwt\" }}\n"
        )
    });
    edit(&company, "policy.toml", |text| {
        format!(
            "{text}\n[roles.other-reader]\nmembers = [{{ source = \"company\", groups = [\"staff\"] }}]\n\
             grants = [{{ hub = \"more\", repositories = [\"acme/*\"], action = \"read\" }}]\n"
        )
    });
    let setup = told(world);
    assert_eq!(setup["sign_in"], true, "{setup}");
    let said = format!("hub more is new: {url}");
    assert_eq!(setup["changes"], json!([said]));
    let status = world.oam(&["status"]).expect(0);
    for said in [said.as_str(), "oam update acme"] {
        assert!(status.stdout.contains(said), "{said}: {}", status.stdout);
    }
    let mut update = world.oam_command(&["update", "acme", "--json"]);
    update.env("OAM_TEST_COOKIES", world.home.join("cookies"));
    let updated = World::feed(&mut update, b"").expect(0);
    let value = updated.json();
    assert_eq!(value["signed_in"], true, "{value}");
    assert_eq!(value["changes"], json!([said]));
    assert!(
        updated.stderr.contains("oam setup git"),
        "{}",
        updated.stderr
    );
    let status = world.status();
    assert!(status["setup"].is_null(), "{status}");
    assert_eq!(status["standing"], "active");
    world.set_up_git();
    until_true("the new role", || {
        let roles = world.status()["roles"].clone();
        roles
            .as_array()
            .is_some_and(|all| all.contains(&json!("other-reader")))
    });
    let there = format!("{url}/acme/other");
    world.git(".", &["clone", "-q", &there, "other"]).expect(0);
    assert_eq!(world.last("grant")["hub"], "more");
}

#[test]
fn what_binds_no_session_is_taken_over_at_once() {
    let company = Company::signed_in();
    let world = &company.world;
    company.until_fed();
    edit(&company, "policy.toml", |text| {
        text.replace("client_id =", "session_age = \"3d\"\nclient_id =")
    });
    let setup = told(world);
    assert_eq!(setup["sign_in"], false, "{setup}");
    let ends = world.status()["session_ends_at"].clone();
    // It replaces what was there, and nobody is here to ask.
    let run = world.oam(&["update"]).expect(2);
    assert!(run.stderr.contains("--yes"), "{}", run.stderr);
    assert_eq!(world.status()["session_ends_at"], ends);
    let epoch = world.status()["epoch"].clone();
    let run = world.oam(&["update", "--yes"]).expect(0);
    assert!(run.stdout.contains("in force"), "{}", run.stdout);
    let status = world.status();
    assert!(status["setup"].is_null() && status["session_ends_at"] != ends);
    assert_eq!(status["epoch"], epoch, "the session goes on");
}
