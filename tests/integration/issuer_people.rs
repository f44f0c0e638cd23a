//! People at a company that runs its own issuer: the sign-in by its URL, roles by groups, roles lost.

use crate::support::company_files::USUAL_POLICY;
use crate::support::parts::tool;
use crate::support::wait::{LONG, until, until_true};
use crate::support::world::read_line;
use crate::support::{Company, Run};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::{Child, Stdio};

/// `hf ARGS` through `oam exec`.
fn hf(company: &Company, args: &[&str]) -> Run {
    let mut whole = vec!["exec", "--", tool("HF")];
    whole.extend(args);
    let mut command = company.world.oam_command(&whole);
    command
        .env("HF_HOME", company.world.home.join("hf"))
        .env("HF_HUB_DISABLE_UPDATE_CHECK", "1")
        .env("NO_COLOR", "1");
    Run::of(&command.output().expect("oam exec"))
}

/// Clones `acme/model` and adds a commit.
fn cloned_with_a_commit(company: &Company) {
    let world = &company.world;
    let url = world.url("acme/model");
    world.git("", &["clone", &url, "c"]).expect(0);
    std::fs::write(world.home.join("c/layers.txt"), "2\n").unwrap();
    world.git("c", &["add", "."]).expect(0);
    world.git("c", &["commit", "-m", "layers"]).expect(0);
}

#[test]
fn a_sign_in_by_the_issuers_url_alone_clones_pushes_and_uploads() {
    let company = Company::start();
    let world = &company.world;
    assert!(!world.config_path().exists(), "nothing was configured");
    let run = company.login("ada");
    assert!(run.stdout.contains("ada"), "{}", run.stdout);
    assert_eq!(world.status()["standing"], "active");
    world.set_up_git();

    cloned_with_a_commit(&company);
    world.git("c", &["push", "origin", "HEAD:main"]).expect(0);
    let file = world.home.join("config.json");
    std::fs::write(&file, "{\"layers\": 2}\n").unwrap();
    let args = [
        "upload",
        "acme/model",
        file.to_str().unwrap(),
        "config.json",
    ];
    hf(&company, &args).expect(0);
    for name in ["layers.txt", "config.json"] {
        let there = world.hub.ask(&format!("file?path=acme/model&file={name}"));
        assert!(there["content"].is_string(), "{name}: {there}");
    }

    // The clone had a token that reads, the push one that writes; each is on record, and no other was used.
    let exchanges = company.audited("exchange");
    let used: Vec<(&Value, &Value)> = exchanges
        .iter()
        .map(|e| (&e["role"], &e["action"]))
        .collect();
    assert!(
        used.contains(&(&json!("model-reader"), &json!("read"))),
        "{used:?}"
    );
    assert!(
        used.contains(&(&json!("model-publisher"), &json!("write"))),
        "{used:?}"
    );
    let known: Vec<&Value> = exchanges.iter().map(|e| &e["token_sha256"]).collect();
    let log = world.hub.ask("log")["log"].as_array().unwrap().clone();
    for entry in log
        .iter()
        .filter(|entry| entry["status"] == 200 && entry["signed"] != true)
    {
        assert!(known.contains(&&entry["token"]), "{entry}");
        assert_ne!(entry["leaked"], true, "{entry}");
    }
    assert!(
        log.iter()
            .any(|e| e["path"].as_str().unwrap().contains("git-upload-pack")
                && e["role"] == "model-reader")
    );
    company.verify();
}

#[test]
fn a_wrong_group_is_refused_with_the_rule() {
    let company = Company::start();
    let world = &company.world;
    company.login("brian");
    world.set_up_git();
    cloned_with_a_commit(&company);
    let head = world.hub.ask("head?path=acme/model");
    let push = world.git("c", &["push", "origin", "HEAD:main"]);
    assert_ne!(push.code, 0, "{}", push.stderr);
    assert!(push.stderr.contains("oam: "), "{}", push.stderr);
    assert!(!push.stderr.contains("Username"), "{}", push.stderr);
    assert_eq!(world.hub.ask("head?path=acme/model"), head);

    // Who asks why is told the role that would do, and the group that it takes.
    let why = world
        .oam(&["why", &world.url("acme/model"), "--write"])
        .expect(5);
    let said = why.stdout.clone() + &why.stderr;
    assert!(said.contains("model-publisher"), "{said}");
    assert!(said.contains("ml-research"), "{said}");
    // An administrator is told the same, from the issuer's own side.
    let args = [
        "policy",
        "why",
        "--as",
        "brian",
        "--repo",
        "acme/model",
        "--write",
    ];
    let told = company.issuer(&args).expect(5);
    let told = told.stdout + &told.stderr;
    assert!(told.contains("ml-research"), "{told}");

    // Asked directly: the OAuth error, the reason, and an entry.
    let token = company.id_token("brian", &json!({}));
    let answer = company
        .exchange(&token, "acme/model", "role:model-publisher write")
        .expect(400);
    assert_eq!(answer.json()["error"], "invalid_scope", "{}", answer.text());
    let refusals = company.audited("refusal");
    let entry = refusals.iter().find(|e| e["role"] == "model-publisher");
    let entry = entry.unwrap_or_else(|| panic!("{refusals:?}"));
    assert_eq!(entry["name"], "brian");
    assert_eq!(entry["request_id"], answer.json()["oam"]["request_id"]);
    assert!(
        entry["rule"].as_str().unwrap().contains("is not held"),
        "{entry}"
    );
    // Without a role: what would do, and who has it.
    let answer = company.exchange(&token, "acme/model", "write").expect(400);
    assert_eq!(
        answer.json()["error"],
        "invalid_target",
        "{}",
        answer.text()
    );
    assert!(answer.text().contains("ml-research"), "{}", answer.text());
}

/// A child of `oam exec` for reading or writing, and the path of its token file.
fn child(company: &Company, write: bool) -> (Child, PathBuf) {
    let mut args = vec![
        "exec",
        "--token-file",
        "--repo",
        "acme/model",
        "--hub",
        "hub",
    ];
    if write {
        args.push("--write");
    }
    args.extend(["--", "sh", "-c", "echo \"$HF_TOKEN_PATH\"; cat >/dev/null"]);
    let mut child = company
        .world
        .oam_command(&args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("oam starts");
    let path = PathBuf::from(read_line(&mut child));
    assert!(path.exists(), "{}", path.display());
    (child, path)
}

/// A reader and a writer run; then something takes the writing role away.
fn loses_the_role(lose: impl Fn(&Company)) {
    let company = Company::start();
    let world = &company.world;
    company.login("ada");
    let (reader, reads) = child(&company, false);
    let (mut publisher, writes) = child(&company, true);
    company.until_fed();
    let token = std::fs::read_to_string(&writes).unwrap();
    let client = company.hub_introspects();
    assert_eq!(
        company.at_the_hub(token.trim(), "acme/model", "receive-pack"),
        200
    );

    lose(&company);
    until("the writer's file to go", LONG, || {
        (!writes.exists()).then_some(())
    });
    assert!(reads.exists(), "the reader keeps its role");
    assert_eq!(world.status()["standing"], "active", "the session goes on");
    let client = (client.0.as_str(), client.1.as_str());
    assert_eq!(
        company.introspect(client, token.trim()).json(),
        json!({"active": false})
    );
    assert_eq!(
        company.at_the_hub(token.trim(), "acme/model", "receive-pack"),
        401
    );
    let kept = std::fs::read_to_string(&reads).unwrap();
    assert_eq!(
        company.at_the_hub(kept.trim(), "acme/model", "upload-pack"),
        200
    );

    let write = ["token", "--hub", "hub", "--repo", "acme/model", "--write"];
    world.oam(&write).expect(5);
    world.oam(&write[..5]).expect(0);
    company.until_audited("the change of roles", |e| {
        e["event"] == "roles-changed" && e.to_string().contains("model-publisher")
    });
    drop(publisher.stdin.take());
    let said = Run::of(&publisher.wait_with_output().unwrap()).stderr;
    assert!(said.contains("oam: "), "the child was told: {said}");
    drop(reader);
}

#[test]
fn a_role_lost_by_a_change_of_groups_while_a_child_runs_withdraws_only_its_token() {
    loses_the_role(|company| {
        let groups = json!({"sub": "ada", "groups": ["staff"]});
        company.world.idp.control("account", &groups);
        let event = json!({
            "type": "token-claims-change", "subject": company.world.subject("ada"),
            "event": {"claims": {"groups": ["staff"]}},
        });
        let answer = company.ssf.control("push", &event);
        assert_eq!(answer["status"], 202, "{answer}");
    });
}

#[test]
fn a_role_lost_by_a_change_of_the_policy_while_a_child_runs_withdraws_only_its_token() {
    loses_the_role(|company| {
        company.write_policy(&USUAL_POLICY.replace("\"ml-research\"", "\"ml-publishers\""));
    });
}

#[test]
fn a_role_gained_by_a_change_of_the_policy_takes_effect_at_the_next_ask() {
    let company = Company::start();
    company.login("brian");
    let write = ["token", "--hub", "hub", "--repo", "acme/model", "--write"];
    company.world.oam(&write).expect(5);
    company.write_policy(&USUAL_POLICY.replace("\"ml-research\"", "\"staff\""));
    until_true("the new policy", || company.world.oam(&write).code == 0);
    company.until_audited("the change of the policy", |e| {
        e["event"] == "policy-change"
    });
}
