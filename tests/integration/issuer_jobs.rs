//! CI jobs: a token by the job's own identity, without an agent and without a stored secret.

use crate::support::http::Ask;
use crate::support::parts::tool;
use crate::support::wait::until_true;
use crate::support::{Company, Plan, Run};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// `oam ARGS` as a step of a GitHub job: the runner's variables, no agent, no configuration.
fn step(company: &Company, args: &[&str]) -> Command {
    let mut command = company.world.oam_command(args);
    command
        .env("OAM_ISSUER", &company.url)
        .env(
            "ACTIONS_ID_TOKEN_REQUEST_URL",
            company.ci.get("request_url"),
        )
        .env(
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
            company.ci.get("request_token"),
        )
        .env("OAM_NO_AUTOSTART", "1")
        .env("HF_HOME", company.world.home.join("hf"))
        .env("HF_HUB_DISABLE_UPDATE_CHECK", "1");
    command
}

fn run(mut command: Command) -> Run {
    Run::of(&command.output().expect("oam"))
}

#[test]
fn a_github_job_pushes_with_git_and_hf_without_a_secret() {
    let company = Company::start();
    let world = &company.world;
    let url = world.url("acme/model");
    let target = [
        "exec",
        "--hub",
        "hub",
        "--repo",
        "acme/model",
        "--write",
        "--",
    ];
    let script = format!(
        "git clone -q {url} c && cd c && echo 2 > layers.txt && git add . && git commit -qm layers && git push -q origin HEAD:main"
    );
    let mut args = target.to_vec();
    args.extend(["sh", "-ec", &script]);
    run(step(&company, &args)).expect(0);
    let file = world.home.join("config.json");
    std::fs::write(&file, "{\"layers\": 2}\n").unwrap();
    let mut args = target.to_vec();
    args.extend([
        tool("HF"),
        "upload",
        "acme/model",
        file.to_str().unwrap(),
        "config.json",
    ]);
    run(step(&company, &args)).expect(0);
    for name in ["layers.txt", "config.json"] {
        let there = world.hub.ask(&format!("file?path=acme/model&file={name}"));
        assert!(there["content"].is_string(), "{name}: {there}");
    }
    assert!(world.agents().is_empty(), "no agent was needed");
    assert!(!world.config_path().exists(), "nor a configuration");
    assert!(world.token_files().is_empty(), "nothing is left");

    // The job is on record as itself: by ids, with the role and the rule.
    let exchanges = company.audited("exchange");
    assert!(exchanges.len() >= 2, "{exchanges:?}");
    for entry in &exchanges {
        assert_eq!(entry["source"], "actions", "{entry}");
        assert_eq!(entry["person"], "98765", "{entry}");
        assert_eq!(entry["role"], "ci-publisher", "{entry}");
        assert_eq!(entry["repository"], "acme/model", "{entry}");
    }
    let asked = company.ci.ask("stats")["requests"].clone();
    assert!(
        asked
            .as_array()
            .unwrap()
            .iter()
            .all(|r| r["audience"] == company.url.as_str()),
        "{asked}"
    );
    company.verify();
}

#[test]
fn a_jobs_token_for_another_repository_is_refused() {
    let company = Plan::default()
        .hub(json!({"repositories": ["acme/model", "acme/other"]}))
        .start();
    let job = company.job_token(&json!({}));
    company.exchange(&job, "acme/model", "write").expect(200);
    for repository in [
        "acme/other",
        "acme/model2",
        "acme/mode",
        "other/model",
        "datasets/acme/model",
    ] {
        let answer = company.exchange(&job, repository, "write").expect(400);
        assert_eq!(
            answer.json()["error"],
            "invalid_target",
            "{repository}: {}",
            answer.text()
        );
    }
    let answer = company
        .exchange(&job, "acme/other", "role:ci-publisher write")
        .expect(400);
    assert_eq!(
        answer.json()["error"],
        "invalid_target",
        "{}",
        answer.text()
    );
    // And what it got for its own repository is good for no other.
    let token = company.granted(&job, "acme/model", "write");
    assert_eq!(
        company.at_the_hub(&token, "acme/other", "receive-pack"),
        403
    );
    assert_eq!(
        company.at_the_hub(&token, "acme/model", "receive-pack"),
        200
    );
    let refused = run(step(
        &company,
        &["token", "--hub", "hub", "--repo", "acme/other", "--write"],
    ))
    .expect(5);
    assert!(refused.stderr.contains("next: "), "{}", refused.stderr);
    let refusals = company.audited("refusal");
    assert_eq!(refusals.len(), 7, "{refusals:?}");
    assert!(
        refusals
            .iter()
            .all(|e| e["source"] == "actions" && e["person"] == "98765")
    );
}

/// The same name registered by somebody else, another branch, a pull request: ids and refs decide.
#[test]
fn a_job_is_told_by_its_ids_and_not_by_its_name() {
    let company = Company::start();
    let ask = |job: &Value| {
        company
            .exchange(&company.job_token(job), "acme/model", "write")
            .status
    };
    assert_eq!(ask(&json!({})), 200);
    assert_eq!(ask(&json!({"after_2026": true})), 200, "a subject with ids");
    assert_eq!(
        ask(&json!({"repository": "renamed"})),
        200,
        "renamed, the same repository"
    );
    for job in [
        json!({"repository_id": "98766"}),
        json!({"repository_id": "987650"}),
        json!({"ref": "refs/heads/feature"}),
        json!({"ref": "refs/heads/main/x"}),
        json!({"event": "pull_request", "ref": "refs/pull/7/merge"}),
    ] {
        assert_eq!(ask(&job), 400, "{job}");
    }
    // A job has no session: no feed, and nothing to upload.
    let job = company.job_token(&json!({}));
    let feed = Ask::get(&format!("{}/v1/feed", company.url))
        .bearer(&job)
        .send();
    assert!(
        [401, 403].contains(&feed.status),
        "{}: {}",
        feed.status,
        feed.text()
    );
}

#[test]
fn a_gitlab_job_gets_its_token_by_configuration_alone() {
    let company = Plan::default()
        .settings(|text| text.replace("preset = \"github-actions\"", "preset = \"gitlab\""))
        .policy(|text| {
            let pinned = "project_id = \"314\", ref = \"main\", ref_protected = \"true\"";
            text.replace(
                "repository_id = \"98765\", ref = \"refs/heads/main\"",
                pinned,
            )
        })
        .start();
    let token = |job: Value| {
        let order = json!({"audience": company.url, "job": job});
        company.ci.control("gitlab", &order)["token"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    company
        .exchange(&token(json!({})), "acme/model", "write")
        .expect(200);
    for job in [
        json!({"project_id": "315"}),
        json!({"ref": "feature"}),
        json!({"ref_protected": "false"}),
    ] {
        company
            .exchange(&token(job), "acme/model", "write")
            .expect(400);
    }
    // As a job does it: the token in a variable of its own.
    let args = [
        "token",
        "--hub",
        "hub",
        "--repo",
        "acme/model",
        "--write",
        "--id-token-env",
        "HUB_ID_TOKEN",
    ];
    let mut command = company.world.oam_command(&args);
    command
        .env("OAM_ISSUER", &company.url)
        .env("OAM_NO_AUTOSTART", "1")
        .env("HUB_ID_TOKEN", token(json!({})));
    let run = run(command).expect(0);
    assert_eq!(
        company.at_the_hub(run.stdout.trim(), "acme/model", "receive-pack"),
        200
    );
}

#[test]
fn a_policy_that_takes_a_jobs_role_away_holds_at_its_next_ask() {
    let company = Company::start();
    let args = ["token", "--hub", "hub", "--repo", "acme/model", "--write"];
    run(step(&company, &args)).expect(0);
    company.write_policy(&company.policy().replace("\"98765\"", "\"1\""));
    until_true("the new policy", || run(step(&company, &args)).code == 5);
}

/// The issuer of an account at AWS, as STS names it.
const STS: &str = "https://1f2e3d4c-aaaa-bbbb-cccc-000011112222.tokens.sts.global.api.aws";

#[test]
fn a_role_at_aws_gets_its_token_by_the_program_that_is_there() {
    let company = Plan::default()
        .settings(|text| {
            let github = "preset = \"github-actions\"\nissuer = \"";
            let (before, rest) = text.split_once(github).unwrap();
            let (ci, after) = rest.split_once('"').unwrap();
            format!("{before}preset = \"aws\"\nissuer = \"{STS}\"\njwks_uri = \"{ci}/jwks\"{after}")
        })
        .policy(|text| {
            let pinned = "sub = \"arn:aws:iam::123456789012:role/Trainer\"";
            let github = "repository_id = \"98765\", ref = \"refs/heads/main\"";
            text.replace(github, pinned)
        })
        .start();
    let tools = company.world.home.join("tools");
    std::fs::create_dir_all(&tools).unwrap();
    let program = tools.join("aws");
    // What STS answers to this role.
    let role = |name: &str| {
        let claims = json!({
            "iss": STS, "aud": company.url, "sub": format!("arn:aws:iam::123456789012:role/{name}"),
            "https://sts.amazonaws.com/": {
                "aws_account": "123456789012", "source_region": "eu-central-1",
                "request_tags": { "sub": "arn:aws:iam::123456789012:role/Trainer" },
            },
        });
        let made = company.ci.control("mint", &json!({ "claims": claims }));
        let token = made["token"].as_str().unwrap();
        std::fs::write(&program, format!("#!/bin/sh\necho {token}\n")).unwrap();
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&program, executable).unwrap();
        let args = ["token", "--hub", "hub", "--repo", "acme/model", "--write"];
        let mut command = company.world.oam_command(&args);
        command
            .env("OAM_ISSUER", &company.url)
            .env("OAM_NO_AUTOSTART", "1")
            .env("AWS_REGION", "eu-central-1")
            .env("PATH", format!("{}:/usr/bin:/bin", tools.display()));
        run(command)
    };
    let got = role("Trainer").expect(0);
    let served = company.at_the_hub(got.stdout.trim(), "acme/model", "receive-pack");
    assert_eq!(served, 200);
    role("Other").expect(5);
    let entry = &company.audited("exchange")[0];
    assert_eq!(entry["person"], "arn:aws:iam::123456789012:role/Trainer");
}
