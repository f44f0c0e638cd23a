//! `oam-issuer policy …` and `config check` as shipped: files in, words, JSON and exit codes out.

#![expect(clippy::unwrap_used, reason = "a test stops at what it can't read")]

#[path = "policy/desk.rs"]
mod desk;

use desk::{Desk, POLICY};
use serde_json::{Value, json};

#[test]
fn a_sound_configuration_is_told_to_be_one() {
    let desk = Desk::new();
    let said = desk.run(&["config", "check"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.out.contains("no fault found"), "{}", said.out);
    let json = desk.run(&["config", "check", "--json"]).json();
    assert_eq!(json["ok"], json!(true));
    assert_eq!(json["organization"], json!("acme"));
    assert_eq!(json["sources"][0]["kind"], json!("person"));
    assert_eq!(json["roles"][1]["name"], json!("publisher"));
}

#[test]
fn every_fault_is_told_with_line_and_column_and_the_exit_code_is_1() {
    let desk = Desk::new();
    let bad = POLICY
        .replace("\"okta\", groups", "\"otka\", groups")
        .replace(
            "acme/*\"], action = \"write\"",
            "acme//x\"], action = \"write\"",
        );
    let file = desk.file("bad.toml", &bad);
    let said = desk.run(&["policy", "check", &file]);
    assert_eq!(said.code, 1);
    assert!(
        said.err
            .contains("bad.toml:9:23: there is no source `otka`"),
        "{}",
        said.err
    );
    assert!(
        said.err.contains("bad.toml:10:45: the pattern `acme//x`"),
        "{}",
        said.err
    );
    let json = desk.run(&["policy", "check", &file, "--json"]).json();
    assert_eq!(json["faults"][0]["line"], json!(9));
    assert_eq!(json["faults"].as_array().unwrap().len(), 2);
    desk.write("issuer.toml", &desk.issuer().replace("[\"oam\"]", "[]"));
    let said = desk.run(&["config", "check"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("audiences` is empty"), "{}", said.err);
    let said = desk.run(&["policy", "why", "--as", "ada", "--repo", "acme/m"]);
    assert_eq!(said.code, 1, "a faulty configuration answers nothing");
}

#[test]
fn why_names_the_rule_for_somebody_described_and_for_a_job() {
    let desk = Desk::new();
    let ada = [
        "policy",
        "why",
        "--as",
        "ada",
        "--group",
        "publishers",
        "--repo",
        "acme/model",
    ];
    let said = desk.run(&[&ada[..], &["--write"]].concat());
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(
        said.out
            .contains("publisher grants write on models for acme/* (line 10)"),
        "{}",
        said.out
    );
    let said = desk.run(&[&ada[..], &["--manage"]].concat());
    assert_eq!(said.code, 5);
    assert!(
        said.err.contains("no role of acme grants that to anybody"),
        "{}",
        said.err
    );
    let job = [
        "policy",
        "why",
        "--as",
        "job",
        "--source",
        "github",
        "--repo",
        "acme/model",
        "--write",
        "--json",
    ];
    let json = desk
        .run(&[&job[..], &["--claim", "repository_id=7"]].concat())
        .json();
    assert_eq!(json["decision"]["role"], json!("ci"));
    assert_eq!(json["subject"], json!("github:7"));
    let refused = desk.run(&[&job[..], &["--claim", "repository_id=8"]].concat());
    assert_eq!(refused.code, 5);
    let json = refused.json();
    assert_eq!(
        (&json["decision"], &json["refusal"]["code"]),
        (&Value::Null, &json!("denied"))
    );
    assert_eq!(
        json["roles"][2]["membership"],
        json!("claim repository_id is another (7) (line 12)")
    );
}

#[test]
fn why_knows_people_who_were_seen_and_says_when_their_account_is_ended() {
    let desk = Desk::new();
    let why = [
        "policy",
        "why",
        "--as",
        "ada",
        "--repo",
        "acme/model",
        "--write",
    ];
    assert_eq!(desk.run(&why).code, 1, "there is no database yet");
    desk.seen("00u1", "ada", "ada@acme.example", Some(&["publishers"]));
    desk.seen("00u2", "bob", "ada@acme.example", None);
    let said = desk.run(&why);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.out.contains("as okta:00u1"), "{}", said.out);
    let other = [&why[..], &["--group", "interns"]].concat();
    assert_eq!(desk.run(&other).code, 5, "groups that are given count");
    let twice = [
        "policy",
        "why",
        "--as",
        "ada@acme.example",
        "--repo",
        "acme/model",
    ];
    let said = desk.run(&twice);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("okta:00u1, okta:00u2"), "{}", said.err);
    let unknown = desk.run(&[
        "policy",
        "why",
        "--as",
        "bob",
        "--repo",
        "acme/model",
        "--write",
    ]);
    assert_eq!(unknown.code, 5);
    assert!(
        unknown.err.contains("did not say the groups"),
        "{}",
        unknown.err
    );
    let nobody = desk.run(&["policy", "why", "--as", "eve", "--repo", "acme/model"]);
    assert_eq!(nobody.code, 2);
    desk.end("00u1");
    let said = desk.run(&why);
    assert_eq!(said.code, 5);
    assert!(
        said.err.contains("this account was ended (left)"),
        "{}",
        said.err
    );
    let json = desk.run(&[&why[..], &["--json"]].concat()).json();
    assert_eq!(json["ended"], json!("left"));
    assert_eq!(json["decision"]["role"], json!("publisher"));
}

#[test]
fn an_ask_that_is_not_clear_is_a_usage_fault() {
    let desk = Desk::new();
    let why = |more: &[&str]| {
        let line = [&["policy", "why", "--as", "x", "--group", "g"], more].concat();
        desk.run(&line).code
    };
    assert_eq!(why(&["--repo", "acme/../m"]), 2);
    assert_eq!(why(&["--repo", "acme/m", "--hub", "nowhere"]), 2);
    assert_eq!(why(&["--repo", "acme/m", "--source", "nowhere"]), 2);
    assert_eq!(why(&["--repo", "acme/m", "--read", "--write"]), 2);
    assert_eq!(why(&["--repo", "acme/m", "--claim", "novalue"]), 2);
    assert_eq!(desk.run(&["policy"]).code, 2);
    let missing = desk.run(&["policy", "check", "/nowhere/policy.toml", "--json"]);
    assert_eq!(missing.code, 1);
    assert_eq!(missing.json()["error"]["code"], json!("unavailable"));
}

#[test]
fn a_table_of_expected_answers_passes_or_says_which_one_is_wrong() {
    let desk = Desk::new();
    let good = "[[case]]\nas = \"ada\"\nsource = \"okta\"\ngroups = [\"publishers\"]\nrepo = \"acme/m\"\naction = \"write\"\nexpect = \"publisher\"\n\
        [[case]]\nas = \"job\"\nsource = \"github\"\nclaims = { repository_id = 8 }\nrepo = \"acme/model\"\naction = \"write\"\nexpect = \"denied\"\n";
    let file = desk.file("cases.toml", good);
    let said = desk.run(&["policy", "test", &file]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert!(
        said.out.contains("2 of 2 answers are as expected"),
        "{}",
        said.out
    );
    let file = desk.file("cases.toml", &good.replace("\"denied\"", "\"ci\""));
    let said = desk.run(&["policy", "test", &file, "--json"]);
    assert_eq!(said.code, 1);
    let json = said.json();
    assert_eq!(
        (&json["ok"], &json["cases"][0]["ok"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(
        (&json["cases"][1]["line"], &json["cases"][1]["answer"]),
        (&json!(8), &json!("denied"))
    );
    let file = desk.file("cases.toml", &good.replace("\"okta\"", "\"okto\""));
    let said = desk.run(&["policy", "test", &file]);
    assert_eq!(said.code, 1);
    assert!(
        said.err
            .contains("cases.toml:3:10: there is no source `okto`"),
        "{}",
        said.err
    );
}

#[test]
fn a_case_tells_who_says_which_group_and_the_answer_whose_word_counts() {
    let desk = Desk::new();
    let table = |groups: &str, expect: &str| {
        let case =
            "[[case]]\nas = \"ada\"\nsource = \"okta\"\nrepo = \"acme/m\"\naction = \"write\"";
        desk.file(
            "cases.toml",
            &format!("{case}\ngroups = {groups}\nexpect = \"{expect}\"\n"),
        )
    };
    let left = "{ directory = [\"ml\"], token = [\"publishers\"] }";
    let said = desk.run(&["policy", "test", &table(left, "denied")]);
    assert_eq!(said.code, 1, "it has no directory: {}", said.out);
    assert!(
        said.err
            .contains("the source `okta` has no directory that pushes")
            && said.err.contains("[sources.okta.scim]"),
        "{}",
        said.err
    );
    let issuer = desk.issuer();
    let issuer = issuer.replacen(
        "[sources.github]",
        "[sources.okta.scim]\n[sources.github]",
        1,
    );
    desk.write("issuer.toml", &issuer);
    let said = desk.run(&["policy", "test", &table(left, "denied")]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert!(
        said.out
            .contains("groups: ml; the directory says this person's groups")
            && said.out.contains("publishers by the token does not count"),
        "{}",
        said.out
    );
    let joined = "{ directory = [\"publishers\"], token = [\"ml\"] }";
    let json = desk.run(&["policy", "test", &table(joined, "publisher"), "--json"]);
    assert_eq!(json.code, 0, "{}{}", json.out, json.err);
    let groups = &json.json()["cases"][0]["groups"];
    assert_eq!(groups["groups"], json!(["publishers"]));
    assert_eq!(groups["by"], json!("directory"));
    let token =
        json!({ "group": "ml", "by": "token", "counts": false, "because": groups["because"] });
    assert_eq!(groups["said"][1], token);
    // A list is what the token says, as ever.
    let said = desk.run(&["policy", "test", &table("[\"publishers\"]", "denied")]);
    assert_eq!(said.code, 1);
    assert!(
        said.out
            .contains("groups: publishers; the last token says them"),
        "{}",
        said.out
    );
}

#[test]
fn a_difference_says_who_loses_and_who_gains() {
    let desk = Desk::new();
    let old = desk.file("old.toml", POLICY);
    let new = desk.file(
        "new.toml",
        &POLICY.replace("[\"publishers\"]", "[\"research\"]"),
    );
    let said = desk.run(&["policy", "diff", &old, &new]);
    assert_eq!(said.code, 0);
    assert_eq!(
        said.out,
        "- members of publishers at okta lose write on models for acme/* (role publisher)\n\
         + members of research at okta gain write on models for acme/* (role publisher)\n"
    );
    let json = desk.run(&["policy", "diff", &old, &new, "--json"]).json();
    assert_eq!(json["changes"][0]["effect"], json!("loses"));
    let same = desk.run(&["policy", "diff", &old, &old]);
    assert_eq!(same.out, "nobody gains or loses anything\n");
}

#[test]
fn completions_and_the_manual_page_are_made_from_the_command_line() {
    let desk = Desk::new();
    assert!(
        desk.run(&["completions", "bash"])
            .out
            .contains("oam-issuer")
    );
    assert!(desk.run(&["man"]).out.contains(".TH oam-issuer"));
    assert!(desk.run(&["--help"]).out.contains("Exit codes"));
    assert_eq!(desk.run(&["polcy"]).code, 2);
}
