//! What a CI job is told of its own identity, and what its log must not show.

use super::home::Home;
use super::issuer::{Issuer, granted};
use super::job::{HUB, job, ran};
use std::fs;
use std::os::unix::fs::PermissionsExt;

#[test]
fn on_github_the_runner_is_told_to_hide_the_token_before_it_is_printed() {
    let home = Home::new();
    let issuer = Issuer::start("huggingface", HUB, |_| granted("role-tok", 900, "read"));
    for arguments in [&["token"][..], &["token", "--json"]] {
        let got = ran(job(&home, &issuer, arguments).env("GITHUB_ACTIONS", "true"));
        assert_eq!(got.code, Some(0), "{got:?}");
        assert_eq!(got.err, "::add-mask::role-tok\n", "{got:?}");
        assert!(!got.out.contains("add-mask"), "{got:?}");
    }
}

#[test]
fn an_id_token_that_is_over_is_told_without_asking_anybody() {
    let home = Home::new();
    let issuer = Issuer::start("huggingface", HUB, |_| granted("tok", 900, "read"));
    let mut command = job(&home, &issuer, &["token"]);
    // {"exp":1000}
    command.env("OAM_ID_TOKEN", "e30.eyJleHAiOjEwMDB9.sig");
    let got = ran(command.env("GITLAB_CI", "true"));
    assert_eq!(got.code, Some(3), "{got:?}");
    for said in [
        "the variable OAM_ID_TOKEN holds an ID token that ended",
        "`timeout`",
    ] {
        assert!(got.err.contains(said), "{said}: {got:?}");
    }
    assert_eq!(issuer.exchanges(), 0);
}

#[test]
fn a_role_at_aws_shows_the_token_that_its_own_program_gives() {
    let home = Home::new();
    let issuer = Issuer::start("huggingface", HUB, |_| granted("role-tok", 900, "read"));
    let tools = home.path("tools");
    fs::create_dir_all(&tools).unwrap();
    let aws = |script: &str| {
        fs::write(tools.join("aws"), format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(tools.join("aws"), fs::Permissions::from_mode(0o755)).unwrap();
    };
    let asked = home.path("asked");
    aws(&format!(
        "echo \"$@\" > {}; echo aws.id.token",
        asked.display()
    ));
    let run = || {
        let mut command = home.oam(&["token"]);
        command.env("OAM_ISSUER", &issuer.base);
        command.env("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/Trainer");
        ran(command.env("PATH", &tools))
    };
    let got = run();
    assert_eq!(
        (got.code, got.out.as_str()),
        (Some(0), "role-tok\n"),
        "{got:?}"
    );
    let asked = fs::read_to_string(asked).unwrap();
    assert!(
        asked.starts_with("sts get-web-identity-token --audience "),
        "{asked}"
    );
    assert!(
        issuer
            .seen
            .lock()
            .unwrap()
            .iter()
            .any(|seen| format!("{seen:?}").contains("aws.id.token"))
    );
    // Its own words are not shown: they can hold anything.
    aws("echo secret-words >&2; exit 254");
    let got = run();
    assert_eq!(got.code, Some(1), "{got:?}");
    assert!(
        got.err.contains("enable-outbound-web-identity-federation"),
        "{got:?}"
    );
    assert!(!got.err.contains("secret-words"), "{got:?}");
    fs::remove_file(tools.join("aws")).unwrap();
    let got = run();
    assert!(got.err.contains("the program `aws`"), "{got:?}");
}

#[test]
fn a_dead_proxy_of_the_job_is_not_taken_for_a_dead_issuer() {
    let home = Home::new();
    let mut command = home.oam(&["token", "--issuer", "https://issuer.acme.example"]);
    command.env("OAM_ID_TOKEN", "job.id.token");
    // The discard port: nothing listens there.
    let got = ran(command.env("HTTPS_PROXY", "http://127.0.0.1:9"));
    assert_eq!(got.code, Some(1), "{got:?}");
    let said = "the proxy refused the connection";
    assert!(got.err.contains(said), "{got:?}");
}
