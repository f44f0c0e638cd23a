//! The company's directory by SCIM: clients that nobody here wrote, and a leaver from its word to the refusal.

use crate::support::http::{Answer, Ask};
use crate::support::parts::tool;
use crate::support::wait::{LONG, until};
use crate::support::{Company, Plan};
use serde_json::{Value, json};
use std::process::Command;

/// A company whose source has a directory.
fn company(lines: &'static str) -> Company {
    let plan = Plan::default().settings(move |usual| {
        let table = format!("[sources.company.scim]\n{lines}\n[sources.actions]");
        usual.replacen("[sources.actions]", &table, 1)
    });
    plan.start()
}

/// A token of the directory, as an administrator gets it.
fn token(company: &Company) -> String {
    let run = company.issuer(&["scim", "token", "company"]).expect(0);
    assert!(run.stderr.contains("is not shown again"), "{}", run.stderr);
    run.stdout.trim().to_owned()
}

fn ask(company: &Company, token: &str, method: &'static str, path: &str, body: &Value) -> Answer {
    let url = format!("{}/scim/v2{path}", company.url);
    let body = body.to_string();
    let ask = Ask::new(method, &url).body("application/scim+json", body.as_bytes());
    ask.bearer(token).send()
}

#[test]
fn clients_that_nobody_here_wrote_find_the_directory_as_the_rfcs_have_it() {
    let company = company("subject = \"userName\"");
    let token = token(&company);
    let url = format!("{}/scim/v2", company.url);
    let run = Command::new(tool("SCIM2"))
        .args(["-u", &url, "test", "-v"])
        .env("SCIM_CLI_HEADERS", format!("Authorization: Bearer {token}"))
        .output()
        .expect("scim2");
    let said = String::from_utf8_lossy(&run.stdout);
    let wrong: Vec<&str> = said.lines().filter(|l| l.starts_with("ERROR")).collect();
    assert!(run.status.success() && wrong.is_empty(), "{said}");
    let passed = said.lines().filter(|line| line.starts_with("SUCCESS"));
    assert!(passed.count() > 40, "{said}");

    let run = Command::new(tool("SCIM_SANITY"))
        .args(["probe", &url, "--token", &token, "--compat"])
        .args(["--i-accept-side-effects", "--json-output"])
        .output()
        .expect("scim-sanity");
    let said = String::from_utf8_lossy(&run.stdout);
    let report: Value = serde_json::from_str(&said[said.find('{').unwrap()..]).expect("a report");
    let results = report["results"].as_array().expect("results");
    let failed: Vec<&Value> = results
        .iter()
        .filter(|one| !matches!(one["status"].as_str(), Some("pass" | "skip" | "warn")))
        .collect();
    // A member whom nobody knows is refused: the membership would be lost without anybody knowing.
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(failed[0]["name"], "PATCH /Groups/{id} add member");
    assert!(results.len() > 25, "{results:?}");
}

#[test]
fn a_deactivation_in_the_directory_ends_a_signed_in_person_and_a_lost_group_their_role() {
    let company = company("");
    let token = token(&company);
    let made = json!({ "userName": "ada@acme.example", "externalId": "ada", "active": true });
    let made = ask(&company, &token, "POST", "/Users", &made)
        .expect(201)
        .json();
    let id = made["id"].as_str().unwrap();
    let staff = |name: &str| {
        let body = json!({ "displayName": name, "members": [{ "value": id }] });
        let group = ask(&company, &token, "POST", "/Groups", &body)
            .expect(201)
            .json();
        format!("/Groups/{}", group["id"].as_str().unwrap())
    };
    staff("staff");
    let research = staff("ml-research");
    company.login("ada");
    let world = &company.world;
    world.set_up_git();
    company.until_fed();
    let roles = || -> Vec<String> {
        let roles = world.oam(&["roles", "--json"]).expect(0).json();
        let roles = roles["roles"].as_array().expect("roles").clone();
        let names = roles
            .iter()
            .map(|one| one["role"].as_str().unwrap().to_owned());
        names.collect()
    };
    assert_eq!(roles(), ["model-reader", "model-publisher"]);
    let remove = format!("members[value eq \"{id}\"]");
    let remove = json!({ "Operations": [{ "op": "remove", "path": remove }] });
    ask(&company, &token, "PATCH", &research, &remove).expect(200);
    until("the lost role to be told", LONG, || {
        (roles() == ["model-reader"]).then_some(())
    });
    let why = company
        .issuer(&[
            "policy",
            "why",
            "--as",
            "ada",
            "--repo",
            "acme/model",
            "--write",
        ])
        .expect(5);
    assert!(why.stdout.contains("the directory says"), "{}", why.stdout);

    let off = json!({ "Operations": [{ "op": "Replace", "path": "active", "value": "False" }] });
    ask(&company, &token, "PATCH", &format!("/Users/{id}"), &off).expect(200);
    until("the end to be heard", LONG, || {
        (world.status()["standing"] == "revoked").then_some(())
    });
    let get = world.helper("get", "path=acme/model\n");
    assert!(!get.stdout.contains("password="), "{}", get.stdout);
    assert!(get.stdout.contains("quit=1"), "{}", get.stdout);
    let people = company
        .issuer(&["people", "ada", "--json"])
        .expect(0)
        .json();
    let ada = &people["people"][0];
    assert_eq!(ada["reason"], "deactivated in the directory");
    assert_eq!(ada["groups"], json!(["staff"]));
    assert_eq!(ada["groups_by"], "directory");
    let listed = company.issuer(&["scim", "list", "--json"]).expect(0).json();
    let directory = &listed["directories"][0];
    assert_eq!(
        (&directory["users"], &directory["groups"]),
        (&json!(1), &json!(2))
    );
    company.issuer(&["scim", "drop", "company"]).expect(0);
    ask(&company, &token, "GET", "/Users", &Value::Null).expect(401);
    company.issuer(&["scim", "forget", "company"]).expect(0);
    let people = company
        .issuer(&["people", "ada", "--json"])
        .expect(0)
        .json();
    let ada = &people["people"][0];
    assert_eq!(
        (&ada["groups_by"], &ada["standing"]),
        (&json!("token"), &json!("account-ended"))
    );
    company.verify();
}
