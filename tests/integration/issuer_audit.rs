//! Two audits of one thing: the agent's log and the organization's, joined and compared.

use crate::support::company::now;
use crate::support::http::Ask;
use crate::support::wait::until_true;
use crate::support::{Company, Plan};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The name under which this person's log is known at the organization, and up to which record it is
/// held there, as the last entry says.
pub fn held_log(company: &Company) -> Option<(String, u64)> {
    let entry = company.audited("agent-records").pop()?;
    let detail = entry["detail"].as_str().expect("a detail");
    let after = |words: &str| {
        let rest = detail.split(words).nth(1);
        rest.and_then(|rest| rest.split([' ', ',']).next())
            .unwrap_or_else(|| panic!("no `{words}` in {detail}"))
            .to_owned()
    };
    Some((
        after("of log "),
        after("held up to ").parse().expect("a number"),
    ))
}

fn held(company: &Company) -> u64 {
    held_log(company).map_or(0, |(_, seq)| seq)
}

#[test]
fn both_audits_verify_and_are_joined_by_request_id() {
    let company = Company::signed_in();
    let world = &company.world;
    let url = world.url("acme/model");
    world.git("", &["clone", &url, "c"]).expect(0);
    world
        .oam(&["token", "--hub", "hub", "--repo", "acme/model", "--write"])
        .expect(0);
    world
        .oam(&["token", "--hub", "hub", "--repo", "other/model"])
        .expect(5);
    world.oam(&["log", "--verify"]).expect(0);
    company.verify();

    let exchanges = company.audited("exchange");
    let theirs: BTreeSet<(String, String)> = exchanges
        .iter()
        .map(|e| {
            (
                e["request_id"].as_str().unwrap().to_owned(),
                e["token_sha256"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    let records = world.records();
    let grants: Vec<&Value> = records.iter().filter(|r| r["what"] == "grant").collect();
    assert!(grants.len() >= 2, "{records:?}");
    for grant in &grants {
        let id = grant["request_id"]
            .as_str()
            .unwrap_or_else(|| panic!("no request id in {grant}"));
        let pair = (
            id.to_owned(),
            grant["token_sha256"].as_str().unwrap().to_owned(),
        );
        assert!(
            theirs.contains(&pair),
            "{grant} is not at the organization: {theirs:?}"
        );
    }
    // The organization also holds what the agent refused by itself, in its own words.
    until_true("all records to arrive", || {
        held(&company) >= grants.len() as u64
    });
    let by_hash = exchanges[0]["token_sha256"].as_str().unwrap();
    let found = company
        .issuer(&[
            "audit",
            "export",
            "--format",
            "jsonl",
            "--token-sha256",
            by_hash,
        ])
        .expect(0);
    assert!(
        !found.stdout.trim().is_empty() && found.stdout.lines().all(|l| l.contains(by_hash)),
        "{}",
        found.stdout
    );
    let csv = company
        .issuer(&[
            "audit",
            "export",
            "--format",
            "csv",
            "--person",
            "ada",
            "--role",
            "model-reader",
        ])
        .expect(0);
    assert!(csv.stdout.lines().count() >= 2, "{}", csv.stdout);
}

#[test]
fn records_are_kept_over_an_outage_and_sent_when_the_issuer_is_back() {
    let company = Company::signed_in();
    let world = &company.world;
    assert!(world.token().is_some());
    until_true("the first records", || held(&company) > 0);
    company.end("-TERM");
    let before = world.records().len();
    for _ in 0..5 {
        assert!(world.token().is_some(), "held and still proven");
    }
    world.kill_agent("-9");
    world.oam(&["status"]).expect(0);
    let last = world.records().last().unwrap()["seq"]
        .as_u64()
        .expect("a number");
    assert!(world.records().len() > before);
    company.up();
    until_true("all of it at the organization", || held(&company) >= last);
    let alarms = company.audited("alarm");
    assert!(alarms.is_empty(), "{alarms:?}");
    company.verify();
    world.oam(&["log", "--verify"]).expect(0);
}

/// The organization's own loss: agents send what the new database lacks, though they have nothing to tell,
/// and nobody is suspected for it.
#[test]
fn a_new_database_gets_the_agents_records_again_without_an_alarm() {
    let company = Company::signed_in();
    let world = &company.world;
    assert!(world.token().is_some());
    let last = world.records().last().unwrap()["seq"].as_u64().unwrap();
    until_true("the records", || held(&company) >= last);
    company.end("-TERM");
    for name in ["issuer.db", "issuer.db-wal", "issuer.db-shm"] {
        let _ = std::fs::remove_file(company.folder.join(name));
    }
    company.issuer(&["init"]).expect(0);
    company.up();
    until_true("all of it again", || held(&company) >= last);
    let first = &company.audited("agent-records")[0]["detail"];
    let (count, _) = first.as_str().unwrap().split_once(' ').unwrap();
    assert!(count.parse::<u64>().unwrap() >= last, "{first}");
    let alarms = company.audited("alarm");
    assert!(alarms.is_empty(), "{alarms:?}");
    company.verify();
    world.oam(&["log", "--verify"]).expect(0);
}

/// Somebody with the person's rights takes the log back to an earlier state and goes on from there.
#[test]
fn an_agent_log_that_was_taken_back_raises_an_alarm() {
    // Without rotation, so that the session of the earlier state is still honoured.
    let company = Plan::default().idp(json!({"rotation": "never"})).start();
    let world = &company.world;
    company.login("ada");
    world.set_up_git();
    assert!(world.token().is_some());
    let state = world.home.join(".local/state/oam");
    let saved = world.home.join("saved");
    let copy = |from: &std::path::Path, to: &std::path::Path| {
        world
            .run("cp", &["-a", from.to_str().unwrap(), to.to_str().unwrap()])
            .expect(0);
    };
    world.kill_agents();
    copy(&state, &saved);
    for repository in ["acme/model", "datasets/acme/corpus"] {
        world
            .oam(&["token", "--hub", "hub", "--repo", repository])
            .expect(0);
    }
    let last = world.records().last().unwrap()["seq"].as_u64().unwrap();
    until_true("what will be hidden to be at the organization", || {
        held(&company) >= last
    });

    world.kill_agents();
    std::fs::remove_dir_all(&state).unwrap();
    copy(&saved, &state);
    world.oam(&["token", "--hub", "hub", "--repo", "acme/model"]);
    let alarm = company.until_audited("the alarm", |e| e["event"] == "alarm");
    assert_eq!(alarm["name"], "ada", "{alarm}");
    assert!(company.metric("oam_issuer_alarms_total") >= 1);
    company.verify();
}

/// The same at the wire: a batch that contradicts what the organization holds is taken by nobody.
#[test]
fn a_batch_that_leaves_a_gap_or_rewrites_is_answered_with_an_alarm() {
    let company = Company::start();
    let ada = company.id_token("ada", &json!({}));
    let send = |log: &str, seq: u64, lines: &[String]| {
        let upload = json!({"v": 1, "log": log, "head_seq": seq, "head_hash": "a".repeat(64), "lines": lines});
        Ask::post(&format!("{}/v1/records", company.url))
            .bearer(&ada)
            .json(&upload)
            .send()
    };
    let line = |seq: u64, prev: &str| {
        json!({"seq": seq, "prev": prev, "at": now() * 1000, "what": "grant"}).to_string()
    };
    let log = "0123456789abcdef0123456789abcdef";
    // Not from the beginning, not a chain, not even lines: nothing of it is held.
    for (what, lines) in [
        ("a gap", vec![line(7, &"0".repeat(64))]),
        ("no chain", vec![line(1, &"f".repeat(64))]),
        ("no record", vec!["{}".to_owned()]),
        ("no JSON", vec!["nonsense".to_owned()]),
    ] {
        let answer = send(log, 9, &lines);
        let told = answer.json();
        assert!(
            answer.status == 400 || told["alarm"].is_string(),
            "{what}: {} {}",
            answer.status,
            answer.text()
        );
        assert!(
            told["held_seq"].as_u64().unwrap_or(0) == 0,
            "{what}: {told}"
        );
    }
    for bad in ["", "../../etc", &"z".repeat(32), &"0".repeat(4000)] {
        assert_eq!(send(bad, 1, &[]).status, 400, "{bad}");
    }
    assert!(!company.audited("alarm").is_empty());
    company.verify();
}
