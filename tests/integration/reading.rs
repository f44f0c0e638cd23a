//! What the reading commands show: the documented shapes of `--json`, the exit codes, and a log
//! that tells when somebody touched it.

use crate::support::wait::until_true;
use crate::support::{Builder, World};
use serde_json::Value;
use std::path::PathBuf;

/// Names of an object's members.
fn members(value: &Value) -> Vec<&str> {
    let object = value.as_object().unwrap_or_else(|| panic!("{value}"));
    let mut names: Vec<&str> = object.keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

fn names(text: &str) -> Vec<&str> {
    let mut names: Vec<&str> = text.split_whitespace().collect();
    names.sort_unstable();
    names
}

const GRANTED: &str = "org hub hub_url role repository action wider_than_asked expires_at \
    token_sha256 epoch scheme username expires_in_s";

#[test]
fn status_has_its_documented_shape() {
    let world = World::signed_in();
    let token = world.token().expect("a token");
    let run = world.oam(&["status", "--json"]).expect(0);
    let report = run.json();
    assert_eq!(
        members(&report),
        names("agent_version agent_pid store warnings orgs")
    );
    assert_eq!(report["agent_version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(report["store"], "keyring");
    assert_eq!(report["warnings"], serde_json::json!([]));
    let org = &report["orgs"][0];
    let shape = "org issuer standing detail next subject email signed_in_at last_proof_at \
        session_ends_at epoch roles hubs tokens more_tokens";
    assert_eq!(members(org), names(shape));
    assert_eq!(org["standing"], "active");
    assert_eq!(org["issuer"], world.idp.get("issuer"));
    assert_eq!(
        org["roles"],
        serde_json::json!(["model-reader", "model-publisher"])
    );
    assert!(org["last_proof_at"].as_u64() >= org["signed_in_at"].as_u64());
    assert_eq!(members(&org["hubs"][0]), names("hub url kind"));
    let out = &org["tokens"][0];
    assert_eq!(members(out), names(&format!("{GRANTED} state")));
    assert_eq!(out["state"], "held");
    assert!(!run.stdout.contains(&token), "a report holds no token");
    let text = world.oam(&["status"]).expect(0).stdout;
    for word in ["acme", "active", "ada", "model-publisher", "acme/model"] {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[test]
fn roles_have_their_documented_shape_and_say_why() {
    let world = World::start();
    world.login_as("brian");
    let report = world.oam(&["roles", "--json"]).expect(0).json();
    assert_eq!(members(&report), ["roles"]);
    let shape = "org role description held because lifetime_s offline grants";
    for role in report["roles"].as_array().unwrap() {
        assert_eq!(members(role), names(shape));
        assert_eq!(
            members(&role["grants"][0]),
            names("hub repositories action")
        );
    }
    assert_eq!(report["roles"][0]["role"], "model-reader");
    assert_eq!(report["roles"][0]["held"], true);
    assert_eq!(report["roles"][1]["held"], false);
    let because = report["roles"][1]["because"].as_str().unwrap();
    assert!(because.contains("ml-research"), "{because}");
}

#[test]
fn why_names_the_role_and_the_rule_and_issues_nothing() {
    let world = World::signed_in();
    let url = world.url("acme/model");
    let shape = names("hub org repository action role rule refusal");
    let read = world
        .oam(&["why", &url, "--read", "--json"])
        .expect(0)
        .json();
    assert_eq!(members(&read), shape);
    assert_eq!(read["role"], "model-reader");
    assert!(read["rule"].as_str().unwrap().contains("acme/*"), "{read}");
    let write = world
        .oam(&["why", &url, "--write", "--json"])
        .expect(0)
        .json();
    assert_eq!(write["role"], "model-publisher");
    let other = world
        .oam(&["why", &world.url("other/model"), "--json"])
        .expect(5)
        .json();
    assert_eq!(members(&other), shape);
    assert_eq!(members(&other["refusal"]), names("code sentence next"));
    assert_eq!(other["refusal"]["code"], "denied");
    world
        .oam(&["why", "https://evil.example/acme/model"])
        .expect(5);
    assert_eq!(world.idp.count("exchange"), 0, "no token is issued");
}

#[test]
fn token_has_its_documented_shape() {
    let world = World::signed_in();
    let args = ["token", "--repo", "acme/model", "--json"];
    let answer = world.oam(&args).expect(0).json();
    assert_eq!(members(&answer), names(&format!("{GRANTED} token")));
    assert_eq!(answer["role"], "model-reader");
    assert_eq!(answer["repository"], "acme/model");
}

#[test]
fn each_kind_of_refusal_has_its_exit_code_and_words() {
    let world = World::start();
    let ask = ["token", "--repo", "acme/model", "--json"];
    let check = |args: &[&str], exit: i32, code: &str| {
        let run = world.oam(args).expect(exit);
        assert_eq!(run.json()["error"]["code"], code, "{}", run.stdout);
        assert_eq!(run.stderr.lines().count(), 2, "{}", run.stderr);
        assert!(run.stderr.contains("\nnext: "), "{}", run.stderr);
    };
    check(&ask, 3, "signed-out");
    world.oam(&["status", "--check"]).expect(3);
    world.login();
    world.oam(&["status", "--check"]).expect(0);
    check(&["token", "--repo", "other/model", "--json"], 5, "denied");
    check(&["token", "--hub", "none", "--json"], 2, "bad-request");
    // Started anew it has no proof, and nobody can give one.
    world.kill_agent("-9");
    world.idp.control("down", &serde_json::json!({}));
    check(&ask, 3, "unproven");
    world.oam(&["status", "--check"]).expect(3);
    world.idp.control("up", &serde_json::json!({}));
    world.revoke();
    world.kill_agent("-9");
    check(&ask, 3, "ended");
    world.oam(&["status", "--check"]).expect(3);
    world.kill_agent("-9");
    let mut lonely = world.oam_command(&ask);
    lonely.env("OAM_NO_AUTOSTART", "1");
    let run = crate::support::Run::of(&lonely.output().unwrap()).expect(6);
    assert_eq!(run.json()["error"]["code"], "unreachable");
}

#[test]
fn a_check_asks_the_provider_after_a_start_and_after_a_quiet_time_beyond_the_lease() {
    let world = Builder::default()
        .config(|text| text.replace("lease = \"10m\"", "lease = \"1s\""))
        .start();
    world.login();
    until_true("the lease to be over", || {
        world.status()["standing"] == "unproven"
    });
    world.oam(&["status", "--check"]).expect(0);
    world.kill_agent("-9");
    let seen = world.status();
    assert_eq!(seen["standing"], "unproven");
    let words = seen["detail"].as_str().unwrap();
    assert!(words.contains("was not asked"), "{words}");
    world.oam(&["status", "--check"]).expect(0);
    world.kill_agent("-9");
    let doctor = world.oam(&["doctor", "--json"]).json();
    let checks = doctor["checks"].as_array().unwrap();
    let session = checks.iter().find(|check| check["name"] == "session");
    assert_eq!(session.unwrap()["verdict"], "good", "{doctor}");
    world.kill_agent("-9");
    let why = ["why", "acme/model", "--json"];
    assert_eq!(world.oam(&why).expect(0).json()["role"], "model-reader");
    world.kill_agent("-9");
    world.idp.control("down", &serde_json::json!({}));
    world.oam(&["status", "--check"]).expect(3);
    let refused = world.oam(&why).expect(3).json();
    assert_eq!(refused["refusal"]["code"], "unproven", "{refused}");
    world.idp.control("up", &serde_json::json!({}));
}

#[test]
fn a_configuration_that_cannot_be_read_is_named_by_whoever_needs_it() {
    let world = Builder::default()
        .config(|text| text.replace("client_id = \"oam\"\nscopes", "client = \"oam\"\nscopes"))
        .start();
    for args in [&["login", "acme"][..], &["token", "--repo", "acme/model"]] {
        let run = world.oam(args).expect(2);
        assert!(run.stderr.contains("`client`"), "{}", run.stderr);
        assert!(run.stderr.contains("oam config check"), "{}", run.stderr);
    }
    let check = world.oam(&["config", "check"]);
    assert_ne!(check.code, 0);
    assert!(check.stderr.contains("client_id") || check.stdout.contains("client_id"));
    // Corrected, it is taken without a restart.
    let pid = world.agent_pid();
    world.write_config(&world.usual_config());
    until_true("the edit to be taken", || !world.status()["org"].is_null());
    world.login();
    assert_eq!(world.agent_pid(), pid);
}

#[test]
fn the_log_shows_who_asked_for_what_and_filters() {
    let world = World::signed_in();
    let url = world.url("acme/model");
    world.git(".", &["clone", "-q", &url, "model"]).expect(0);
    world.oam(&["token", "--repo", "other/model"]).expect(5);
    let lines = |args: &[&str]| -> Vec<Value> {
        let mut whole = vec!["log", "--json"];
        whole.extend(args);
        let run = world.oam(&whole).expect(0);
        run.stdout
            .lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect()
    };
    let all = lines(&[]);
    assert_eq!(all, world.records(), "as they are");
    let granted = lines(&["--outcome", "granted"]);
    assert!(!granted.is_empty());
    for entry in &granted {
        assert_eq!(entry["role"], "model-reader");
        assert_eq!(
            entry["caller"]["working_repository"],
            Value::Null,
            "{entry}"
        );
        let ancestry = entry["caller"]["ancestry"].to_string();
        assert!(ancestry.contains("git clone"), "{entry}");
    }
    let refused = lines(&["--outcome", "refused"]);
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!(refused[0]["repository"], "other/model");
    assert_eq!(lines(&["--repo", "acme/model"]).len(), granted.len());
    assert_eq!(lines(&["--role", "model-publisher"]), Vec::<Value>::new());
    assert_eq!(lines(&["--limit", "1"]).len(), 1);
    assert_eq!(lines(&["--until", "2020-01-01"]), Vec::<Value>::new());
    let table = world.oam(&["log"]).expect(0).stdout;
    assert!(table.contains("acme/model") && table.contains("model-reader"));
}

/// Verifies the log with `edit` made to its lines, and puts it back.
fn touched(world: &World, edit: impl FnOnce(&mut Vec<String>)) -> Vec<String> {
    let folder = world.state().join("audit");
    let file: PathBuf = folder.join("audit.jsonl");
    let whole = std::fs::read_to_string(&file).unwrap();
    let mut lines: Vec<String> = whole.lines().map(str::to_owned).collect();
    assert!(lines.len() > 6, "{whole}");
    edit(&mut lines);
    std::fs::write(&file, lines.join("\n") + "\n").unwrap();
    let report = world.oam(&["log", "--verify", "--json"]).expect(1).json();
    assert_eq!(report["ok"], false);
    std::fs::write(&file, whole).unwrap();
    let faults = report["faults"].as_array().unwrap().iter();
    faults
        .map(|fault| fault["kind"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn verify_finds_a_changed_a_removed_and_a_swapped_line_and_a_cut_tail() {
    let world = World::signed_in();
    for path in ["acme/model", "acme/model", "other/model", "acme/model"] {
        world.helper("get", &format!("path={path}\n")).expect(0);
    }
    let good = world.oam(&["log", "--verify", "--json"]).expect(0).json();
    assert_eq!(good["ok"], true);
    assert_eq!(good["anchored_in"], "sealed");
    assert!(good["anchored_up_to"].as_u64().unwrap() > 0, "{good}");
    let told = world.oam(&["log", "--verify"]).expect(0);
    assert!(told.stdout.contains("anchored"), "{}", told.stdout);
    let changed = touched(&world, |lines| {
        let at = lines.iter().position(|l| l.contains("\"grant\"")).unwrap();
        lines[at] = lines[at]
            .replace("model-reader", "model-nobody")
            .replace("model-publisher", "model-nobody");
    });
    assert_eq!(changed, ["changed"]);
    let removed = touched(&world, |lines| {
        lines.remove(3);
    });
    assert_eq!(removed, ["missing"]);
    let swapped = touched(&world, |lines| lines.swap(3, 4));
    assert!(swapped.contains(&"misplaced".to_owned()), "{swapped:?}");
    let cut = touched(&world, |lines| lines.truncate(lines.len() - 1));
    assert!(cut.contains(&"cut".to_owned()), "{cut:?}");
    let emptied = touched(&world, Vec::clear);
    assert!(!emptied.is_empty());
    world.oam(&["log", "--verify"]).expect(0);
}

#[test]
fn a_log_that_is_cut_while_no_agent_runs_is_found_when_one_comes_back() {
    let world = World::signed_in();
    for _ in 0..3 {
        world.helper("get", "path=acme/model\n").expect(0);
    }
    world.kill_agent("-TERM");
    let file = world.state().join("audit/audit.jsonl");
    let whole = std::fs::read_to_string(&file).unwrap();
    let half = whole.lines().count() / 2;
    let kept: String = whole.split_inclusive('\n').take(half).collect();
    std::fs::write(&file, kept).unwrap();
    world.helper("get", "path=acme/model\n").expect(0);
    world.oam(&["log", "--verify"]).expect(1);
    assert!(world.records().iter().any(|r| r["what"] == "alarm"));
}
