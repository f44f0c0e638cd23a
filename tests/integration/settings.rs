//! The configuration edited under a session (promise 9), and edits that can't be read.

use crate::support::World;
use crate::support::parts::Part;
use crate::support::wait::until_true;
use serde_json::json;

/// Waits until the agent has taken the edit: `status` shows it.
fn until_status(world: &World, what: &str, shows: impl Fn(&serde_json::Value) -> bool) {
    until_true(what, || shows(&world.oam(&["status", "--json"]).json()));
}

fn issuer_of(report: &serde_json::Value) -> &str {
    report["orgs"][0]["issuer"].as_str().unwrap_or_default()
}

#[test]
fn another_issuer_takes_effect_only_with_a_new_login_and_undone_the_session_serves_again() {
    let world = World::signed_in();
    assert!(world.token().is_some());
    let usual = world.usual_config();
    let other = Part::start("idp.mjs", &json!({}));
    let from = format!("issuer = \"{}\"", world.idp.get("issuer"));
    let to = format!("issuer = \"{}\"", other.get("issuer"));
    let edited = usual.replace(&from, &to);

    world.write_config(&edited);
    until_status(&world, "the edit", |r| issuer_of(r) == other.get("issuer"));
    refused_until_undone(&world);
    assert_eq!(other.count("refresh"), 0, "the refresh token stays here");
    let status = world.status();
    assert_eq!(status["standing"], "signed-out");
    assert!(status["detail"].as_str().unwrap().contains("configuration"));

    world.write_config(&usual);
    until_status(&world, "undone", |r| {
        issuer_of(r) == world.idp.get("issuer")
    });
    assert!(world.token().is_some(), "the same session");
    assert_eq!(world.idp.count("code"), 1);

    // The new login is one at the other provider; its ID token is not one of our exchange's.
    world.write_config(&edited);
    until_status(&world, "the edit", |r| issuer_of(r) == other.get("issuer"));
    world.login();
    assert_eq!(other.count("code"), 1);
    assert_eq!(world.status()["standing"], "active");
}

/// A `get` is refused with words about the configuration, and nobody is asked.
#[track_caller]
fn refused_until_undone(world: &World) {
    let (refreshes, exchanges) = (world.idp.count("refresh"), world.idp.count("exchange"));
    let run = world.helper("get", "path=acme/model\n");
    assert!(!run.stdout.contains("password="), "{}", run.stdout);
    assert!(run.stdout.contains("quit=1"), "{}", run.stdout);
    assert!(run.stderr.contains("configuration"), "{}", run.stderr);
    assert!(run.stderr.contains("oam login acme"), "{}", run.stderr);
    assert_eq!(world.idp.count("refresh"), refreshes);
    assert_eq!(world.idp.count("exchange"), exchanges);
}

#[test]
fn another_issuer_also_holds_back_the_session_over_a_restart() {
    let world = World::signed_in();
    let other = Part::start("idp.mjs", &json!({}));
    let usual = world.usual_config();
    world.kill_agents();
    let from = format!("issuer = \"{}\"", world.idp.get("issuer"));
    let to = format!("issuer = \"{}\"", other.get("issuer"));
    world.write_config(&usual.replace(&from, &to));
    refused_until_undone(&world);
    assert_eq!(other.count("refresh"), 0);
    world.kill_agents();
    world.write_config(&usual);
    assert!(world.token().is_some());
    assert_eq!(world.idp.count("code"), 1);
}

#[test]
fn another_hub_url_gets_no_token_until_a_new_login() {
    let mut world = World::signed_in();
    assert!(world.token().is_some());
    let usual = world.usual_config();
    let elsewhere = Part::start(
        "hub.mjs",
        &json!({"issuer": world.idp.get("issuer"), "repositories": ["acme/model"]}),
    );
    let home = std::mem::replace(&mut world.hub, elsewhere);
    let edited = usual.replace(home.get("url"), world.hub.get("url"));
    assert_ne!(usual, edited);

    world.write_config(&edited);
    until_status(&world, "the edit", |r| {
        r["orgs"][0]["hubs"][0]["url"] == world.hub.get("url")
    });
    refused_until_undone(&world);
    let clone = world.git(".", &["clone", &world.url("acme/model"), "elsewhere"]);
    assert_ne!(clone.code, 0);
    let log = world.hub.ask("log").to_string();
    assert!(!log.contains("\"status\":200"), "{log}");
    let bought = world.idp.ask("log?event=exchange").to_string();
    assert!(!bought.contains(world.hub.get("url")), "{bought}");

    world.login();
    assert!(world.token().is_some(), "the person agreed to the new hub");
    drop(home);
}

#[test]
fn a_bad_edit_keeps_the_old_one_and_is_named_with_line_and_column() {
    let world = World::signed_in();
    let usual = world.usual_config();
    let bad = usual.replace("fresh = \"0s\"", "fresh = \"0s\"\nissuerr = \"x\"");
    let line = 1 + bad.lines().position(|l| l.starts_with("issuerr")).unwrap();
    world.write_config(&bad);
    let place = format!("config.toml:{line}:1:");
    until_status(&world, "the fault", |r| {
        let said = r["warnings"].to_string();
        said.contains(&place) && said.contains("issuerr") && said.contains("issuer")
    });
    let said = world.oam(&["status"]);
    let said = format!("{}{}", said.stdout, said.stderr);
    assert!(said.contains(&place), "{said}");
    assert!(world.token().is_some(), "the old one holds");

    world.write_config(&usual);
    until_status(&world, "the repair", |r| r["warnings"] == json!([]));
    assert!(world.token().is_some());
    assert_eq!(world.idp.count("code"), 1);
}

#[test]
fn an_edit_that_takes_a_role_away_holds_at_once_and_keeps_the_session() {
    let world = World::signed_in();
    let usual = world.usual_config();
    let end = usual.find("[orgs.acme.roles.model-publisher]").unwrap();
    world.write_config(&usual[..end]);
    until_status(&world, "the edit", |r| {
        r["orgs"][0]["roles"] == json!(["model-reader"])
    });
    let refused = world.oam(&["token", "--hub", "hub", "--repo", "acme/model", "--write"]);
    assert_eq!(refused.code, 5, "{}", refused.stderr);
    world
        .oam(&["token", "--hub", "hub", "--repo", "acme/model"])
        .expect(0);
    assert_eq!(world.idp.count("code"), 1);
}
