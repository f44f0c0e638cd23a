//! Two audits of one thing: the agent's log and the organization's, joined and compared.

use crate::support::company::now;
use crate::support::http::Ask;
use crate::support::wait::until_true;
use crate::support::{Company, Plan};
use oam_audit::record::{GENESIS, chain};
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
fn a_new_database_gets_the_agents_records_again_and_no_log_is_suspected() {
    let company = Company::signed_in();
    let world = &company.world;
    assert!(world.token().is_some());
    let last = world.records().last().unwrap()["seq"].as_u64().unwrap();
    until_true("the records", || held(&company) >= last);
    company.end("-TERM");
    for name in [
        "issuer.db",
        "issuer.db-wal",
        "issuer.db-shm",
        "issuer.db-marker",
    ] {
        let _ = std::fs::remove_file(company.folder.join(name));
    }
    company.issuer(&["init"]).expect(0);
    company.up();
    until_true("all of it again", || held(&company) >= last);
    let first = &company.audited("agent-records")[0]["detail"];
    let (count, _) = first.as_str().unwrap().split_once(' ').unwrap();
    assert!(count.parse::<u64>().unwrap() >= last, "{first}");
    // The database itself is what is wrong: it lacks what the issuer had signed. No agent's log is.
    for alarm in company.audited("alarm") {
        let detail = alarm["detail"].as_str().unwrap();
        assert!(
            detail.starts_with("the database is an older copy"),
            "{detail}"
        );
    }
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
    let state = world.state();
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
    let send_to = |log: &str, (seq, hash): (u64, &str), lines: &[String]| {
        let upload =
            json!({"v": 1, "log": log, "head_seq": seq, "head_hash": hash, "lines": lines});
        Ask::post(&format!("{}/v1/records", company.url))
            .bearer(&ada)
            .json(&upload)
            .send()
    };
    // As an agent writes them, each with its own hash: what is wrong is only what is said to be.
    let line = |seq: u64, prev: &str, detail: &str| {
        let record = json!({"at_ms": now() * 1000, "what": "refusal", "detail": detail});
        chain(seq, prev, &record).expect("a record")
    };
    let log = |n: u32| format!("{n:032x}");
    let first = line(1, GENESIS, "first");
    let second = line(2, &first.hash, "second");
    let changed = second.line.replace("second", "secret");
    let alone = line(7, &"a".repeat(64), "after a gap");
    let rootless = line(1, &"f".repeat(64), "on nothing");
    // What is a record of its own is held, so that its fault stays visible; what is none is left out.
    for (n, (what, head, lines, held, word)) in (1..).zip([
        (
            "a gap",
            &alone,
            vec![alone.line.clone()],
            7,
            "records 1 to 6 are missing",
        ),
        (
            "no beginning",
            &rootless,
            vec![rootless.line.clone()],
            1,
            "the log was written anew",
        ),
        (
            "a changed line",
            &second,
            vec![first.line.clone(), changed],
            1,
            "line 2 of the batch was changed",
        ),
        (
            "no record",
            &first,
            vec!["{}".to_owned()],
            0,
            "line 1 of the batch is not a record",
        ),
        (
            "no JSON",
            &first,
            vec!["nonsense".to_owned()],
            0,
            "line 1 of the batch is not a record",
        ),
    ]) {
        let answer = send_to(&log(n), (head.seq, &head.hash), &lines).expect(200);
        let told = answer.json();
        let alarm = told["alarm"].as_str().unwrap_or_default();
        assert!(alarm.contains(word), "{what}: {told}");
        assert_eq!(told["held_seq"], held, "{what}: {told}");
        let entries = company.audited("alarm");
        let entry = entries.last().expect("an alarm");
        assert_eq!(entries.len(), usize::try_from(n).unwrap(), "{what}");
        let detail = entry["detail"].as_str().unwrap_or_default();
        assert!(
            detail.contains(&log(n)) && detail.contains(word),
            "{what}: {entry}"
        );
        assert_eq!(entry["name"], "ada", "{what}: {entry}");
    }
    // A log that is whole is held without a word; written anew from its second record on, it stays as it is held.
    let whole = log(100);
    let lines = [first.line.clone(), second.line.clone()];
    let told = send_to(&whole, (2, &second.hash), &lines)
        .expect(200)
        .json();
    assert!(told["alarm"].is_null() && told["held_seq"] == 2, "{told}");
    let anew = line(2, &first.hash, "anew");
    let lines = [first.line.clone(), anew.line.clone()];
    let told = send_to(&whole, (2, &anew.hash), &lines).expect(200).json();
    let alarm = told["alarm"].as_str().unwrap_or_default();
    assert!(
        alarm.contains("record 2 is not the one that is held"),
        "{told}"
    );
    assert_eq!(told["held_hash"], second.hash.as_str(), "{told}");
    let alarms = company.audited("alarm").len();
    for bad in ["", "../../etc", &"z".repeat(32), &"0".repeat(4000)] {
        let answer = send_to(bad, (1, &first.hash), &[]).expect(400);
        crate::issuer_tokens::stands_on_record(&company, bad, &answer);
    }
    assert_eq!(company.audited("alarm").len(), alarms);
    // Whoever checks the organization's audit is told of the two logs whose faults are held, and of no other.
    let said = company.issuer(&["audit", "verify"]).expect(3).stdout;
    for n in 1..=5 {
        assert_eq!(said.contains(&format!("log {}", log(n))), n <= 2, "{said}");
    }
    assert!(!said.contains(&whole), "{said}");
    assert!(said.contains("chain ok"), "its own log is whole: {said}");
    company.issuer(&["audit", "acknowledge"]).expect(0);
    let said = company.issuer(&["audit", "verify"]).expect(0).stdout;
    assert!(said.contains("was acknowledged"), "{said}");
}
