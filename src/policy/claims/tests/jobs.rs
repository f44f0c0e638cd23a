//! Documented claim sets of jobs and workloads.

use super::super::Claims;
use super::super::fixture::{NOW, asking, claims, github, gitlab, jobs};
use super::{refused, taken};
use oam_model::principal::{Groups, PrincipalKind};
use serde_json::json;

#[test]
fn github_actions_is_known_by_ids_in_both_forms_of_the_subject() {
    let source = jobs(
        "github-actions",
        "https://token.actions.githubusercontent.com",
        "https://oam.acme.example",
    );
    let source = asking(source, "repository_owner_id", "65");
    for sub in [
        "repo:acme/model:ref:refs/heads/main",
        "repo:acme@65/model@74:environment:prod",
    ] {
        let job = taken(&source, &github(sub));
        assert_eq!(job.kind, PrincipalKind::Job);
        assert_eq!(job.subject, sub);
        assert_eq!(job.claims["repository_id"], json!("74"));
        assert_eq!(job.groups, Groups::Known(Vec::new()));
        assert_eq!(job.auth_time, None);
    }
    let mut stranger = github("repo:acme/model:ref:refs/heads/main");
    // The name was taken over, the id was not.
    stranger.insert("repository_owner_id".to_owned(), json!("66"));
    refused(&source, &stranger, "repository_owner_id");
    stranger.insert("repository_owner_id".to_owned(), json!(65));
    taken(&source, &stranger);
    stranger.insert("aud".to_owned(), json!("https://github.com/acme"));
    refused(&source, &stranger, "aud");
}

#[test]
fn gitlab_says_truth_as_text_and_lists_its_audience() {
    let source = jobs(
        "gitlab",
        "https://gitlab.example.com",
        "https://oam.acme.example",
    );
    let protected = asking(source, "ref_protected", "true");
    let job = taken(&protected, &gitlab());
    assert_eq!(
        job.subject,
        "project_path:acme/model:ref_type:branch:ref:main"
    );
    let by_number = asking(protected.clone(), "runner_id", "1");
    taken(&by_number, &gitlab());
    let mut open = gitlab();
    open.insert("ref_protected".to_owned(), json!("false"));
    refused(&protected, &open, "ref_protected");
    open.insert("ref_protected".to_owned(), json!(true));
    taken(&protected, &open);
}

#[test]
fn a_rerun_over_ssh_is_refused_when_the_source_asks_for_none() {
    let issuer = "https://oidc.circleci.com/org/o-1";
    let source = jobs("circleci", issuer, "https://oam.acme.example");
    let source = asking(source, "oidc.circleci.com/ssh-rerun", "false");
    let job = |rerun: bool| {
        claims(json!({
            "iss": issuer, "aud": "https://oam.acme.example", "sub": "org/o-1/project/p/user/u",
            "iat": NOW, "exp": NOW + 3600, "oidc.circleci.com/ssh-rerun": rerun,
            "oidc.circleci.com/project-id": "p",
        }))
    };
    taken(&source, &job(false));
    refused(&source, &job(true), "ssh-rerun");
}

fn pod(aud: &str, issued: u64, life: u64) -> Claims {
    claims(json!({
        "iss": "https://kube.example", "aud": [aud], "sub": "system:serviceaccount:ml:publisher",
        "iat": issued, "nbf": issued, "exp": issued + life, "jti": "k",
        "kubernetes.io": { "namespace": "ml", "serviceaccount": { "name": "publisher", "uid": "u" } },
    }))
}

#[test]
fn the_default_token_of_a_pod_is_refused() {
    const YEAR: u64 = 365 * 24 * 3600;
    let source = jobs(
        "cluster",
        "https://kube.example",
        "https://oam.acme.example",
    );
    let api = "https://kubernetes.default.svc";
    refused(&source, &pod(api, NOW, YEAR), "aud");
    let ours = "https://oam.acme.example";
    refused(&source, &pod(ours, NOW - 4000, YEAR), "iat");
    let young = taken(&source, &pod(ours, NOW - 60, YEAR));
    assert_eq!(
        young.expires_at,
        NOW - 60 + 3600,
        "the source's age bounds it"
    );
    let source = asking(source, "kubernetes.io.namespace", "ml");
    taken(&source, &pod(ours, NOW, 3600));
    let source = asking(source, "kubernetes.io.serviceaccount.name", "other");
    refused(&source, &pod(ours, NOW, 3600), "serviceaccount");
}

#[test]
fn a_workload_may_be_its_own_authorized_party() {
    let source = jobs(
        "gcp",
        "https://accounts.google.com",
        "https://oam.acme.example",
    );
    let token = claims(json!({
        "iss": "https://accounts.google.com", "aud": "https://oam.acme.example", "azp": "1077",
        "sub": "1077", "email": "runner@acme.iam.gserviceaccount.com", "email_verified": true,
        "iat": NOW, "exp": NOW + 3600,
    }));
    assert_eq!(taken(&source, &token).key.key, "1077");
}
