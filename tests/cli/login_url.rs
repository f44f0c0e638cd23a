//! `oam login URL`: the set-up is shown, written and in force before the sign-in begins.

use super::agent::{self, reply};
use super::home::{Home, Ran};
use super::issuer::acme;
use oam_wire::message::{Reply, Request};
use serde_json::{Value, json};
use std::fs;
use std::sync::{Arc, Mutex};

const ISSUER: &str = "https://issuer.acme.example";

fn published(hub: &str) -> Value {
    acme(ISSUER, "huggingface", hub)
}

/// An agent that publishes `organization` and signs in, or refuses to.
fn agent(home: &Home, organization: Value, signs_in: bool) -> Arc<Mutex<Vec<Request>>> {
    agent::start(
        home,
        Arc::new(move |request, line| match request {
            Request::Organization { .. } => {
                line.say(reply(
                    &json!({"type": "organization", "organization": organization}),
                ));
            }
            Request::Reload => line.say(Reply::Done),
            Request::Login { .. } if signs_in => line.say(Reply::SignedIn {
                org: "acme".parse().unwrap(),
                subject: "ada".into(),
                email: None,
                roles: Vec::new(),
                roles_unread: Some("the issuer of acme did not answer".into()),
            }),
            Request::Login { .. } => line.say(reply(&json!({
                "type": "refused", "epoch": 0,
                "refusal": {"code": "denied", "sentence": "you cancelled", "next": "again"}
            }))),
            _ => line.say(agent::status("huggingface")),
        }),
    )
}

fn words(asked: &Arc<Mutex<Vec<Request>>>) -> Vec<String> {
    let asked = asked.lock().unwrap();
    let op = |request: &Request| serde_json::to_value(request).unwrap()["op"].clone();
    asked
        .iter()
        .map(|r| op(r).as_str().unwrap().to_owned())
        .collect()
}

fn config(home: &Home) -> String {
    fs::read_to_string(home.path("config/oam/config.toml")).unwrap_or_default()
}

#[test]
fn the_address_is_all_that_is_needed() {
    let home = Home::new();
    let asked = agent(&home, published("https://hub.acme.example"), true);
    let ran = home.run(&["login", &format!("{ISSUER}/")]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for said in [
        "acme, as https://issuer.acme.example publishes it:",
        "sign-in at login.acme.example",
        "hub models https://hub.acme.example (huggingface)",
        "config.toml",
    ] {
        assert!(ran.err.contains(said), "{said}: {ran:?}");
    }
    assert!(ran.out.contains("signed in to acme as ada"), "{ran:?}");
    // Roles that could not be read are not said to be none.
    let said = "roles: not known yet: the issuer of acme did not answer; `oam roles` asks again";
    assert!(ran.out.contains(said), "{ran:?}");
    assert!(!ran.out.contains("none"), "{ran:?}");
    assert_eq!(
        words(&asked)[..4],
        ["organization", "reload", "status", "login"]
    );
    let check = home.run(&["config", "check"]);
    assert_eq!(check.code, Some(0), "{check:?}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let about = fs::metadata(home.path("config/oam/config.toml")).unwrap();
        assert_eq!(about.permissions().mode() & 0o777, 0o600);
    }
    // Again, by the name: nothing to write, nothing to read anew.
    let before = config(&home);
    let ran = home.run(&["login", "acme"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(config(&home), before);
    // Once after the set-up was written, and once to see that no edit with a fault waits.
    let ops = words(&asked);
    assert_eq!(
        ops.iter().filter(|op| *op == "reload").count(),
        2,
        "{ops:?}"
    );
}

#[test]
fn roots_of_the_command_line_reach_the_issuer_and_are_kept() {
    let home = Home::new();
    let asked = agent(&home, published("https://hub.acme.example"), true);
    let ca = home.path("roots.pem");
    fs::write(&ca, "-----BEGIN CERTIFICATE-----").unwrap();
    let ca = ca.canonicalize().unwrap();
    let ca = ca.to_str().unwrap();
    let ran = home.run(&["login", ISSUER, "--ca", ca]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let first = serde_json::to_value(&asked.lock().unwrap()[0]).unwrap();
    assert_eq!(first["route"]["ca_file"], ca, "{first}");
    let line = format!("ca_file = \"{ca}\"");
    assert!(config(&home).contains(&line), "{}", config(&home));
    let ran = home.run(&["login", ISSUER, "--ca", "/nowhere.pem"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains("/nowhere.pem can't be read"), "{ran:?}");
}

#[test]
fn a_changed_set_up_is_told_and_only_more_of_it_needs_no_yes() {
    let home = Home::new();
    let mut more = published("https://hub.acme.example");
    agent(&home, more.clone(), true);
    assert_eq!(home.run(&["login", ISSUER]).code, Some(0));
    fs::remove_file(home.path("run/oam/agent.sock")).unwrap();
    let code = json!({"name": "code", "url": "https://git.acme.example", "kind": "git",
        "username": "oam"});
    more["hubs"].as_array_mut().unwrap().push(code);
    agent(&home, more.clone(), true);
    let ran = home.run(&["login", "acme"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.err
            .contains("hub code is new: https://git.acme.example"),
        "{ran:?}"
    );
    assert!(config(&home).contains("https://git.acme.example"));
    fs::remove_file(home.path("run/oam/agent.sock")).unwrap();
    more["sign_in"]["issuer"] = json!("https://evil.example");
    agent(&home, more, true);
    let before = config(&home);
    let by_address = home.run(&["login", ISSUER]);
    assert_eq!(by_address.code, Some(2), "{by_address:?}");
    assert!(
        by_address
            .err
            .contains("identity provider: https://login.acme.example -> https://evil.example"),
        "{by_address:?}"
    );
    let by_name = home.run(&["login", "acme"]);
    assert_eq!(by_name.code, Some(0), "{by_name:?}");
    assert!(
        by_name.err.contains("the set-up stays as it was"),
        "{by_name:?}"
    );
    assert_eq!(config(&home), before);
    assert_eq!(home.run(&["login", "acme", "--yes"]).code, Some(0));
    assert!(config(&home).contains("https://evil.example"));
}

#[test]
fn a_sign_in_that_comes_to_nothing_puts_the_old_set_up_back() {
    let home = Home::new();
    agent(&home, published("https://hub.acme.example"), true);
    assert_eq!(home.run(&["login", ISSUER]).code, Some(0));
    let before = config(&home);
    fs::remove_file(home.path("run/oam/agent.sock")).unwrap();
    agent(&home, published("https://other.acme.example"), false);
    let ran = home.run(&["login", "acme", "--yes"]);
    assert_eq!(ran.code, Some(5), "{ran:?}");
    assert_eq!(config(&home), before);
}

#[test]
fn an_agent_that_does_not_know_the_question_is_named() {
    let home = Home::new();
    agent::start(
        &home,
        Arc::new(|_, line| {
            line.say(reply(&json!({"type": "refused", "epoch": 0, "refusal": {
                "code": "bad-request", "sentence": "not of the protocol", "next": "x"}})));
        }),
    );
    let ran: Ran = home.run(&["login", ISSUER]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("older one"), "{ran:?}");
    assert_eq!(config(&home), "");
}

#[test]
fn an_issuer_that_is_not_reached_names_the_variables_that_do_not_count() {
    let home = Home::new();
    agent::start(
        &home,
        Arc::new(|_, line| {
            line.say(reply(&json!({"type": "refused", "epoch": 0, "refusal": {
                "code": "unavailable", "sentence": "it could not be asked", "next": "x"}})));
        }),
    );
    let run = |more: &[&str]| {
        let mut arguments = vec!["login", ISSUER];
        arguments.extend(more);
        let mut oam = home.oam(&arguments);
        oam.env("SSL_CERT_FILE", "/etc/ssl/acme.pem");
        Ran::of(&oam.output().unwrap())
    };
    let ran = run(&[]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("SSL_CERT_FILE is set"), "{ran:?}");
    assert!(ran.err.contains("--ca FILE"), "{ran:?}");
    let ca = home.path("roots.pem");
    fs::write(&ca, "-----BEGIN CERTIFICATE-----").unwrap();
    let ran = run(&["--ca", ca.to_str().unwrap()]);
    assert!(!ran.err.contains("SSL_CERT_FILE"), "{ran:?}");
}

#[test]
fn an_agent_that_reads_other_files_gets_no_sign_in() {
    let home = Home::new();
    let mut other = published("https://hub.acme.example");
    other["org"] = json!("umbrella");
    let asked = agent(&home, other, true);
    let ran = home.run(&["login", ISSUER]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("another configuration"), "{ran:?}");
    assert_eq!(config(&home), "", "taken back");
    assert!(!words(&asked).contains(&"login".to_owned()));
}
