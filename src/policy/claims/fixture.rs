//! Sources and documented claim sets for tests.

use crate::claims::Claims;
use oam_model::issuer::{IdentitySource, SourceKeys, TokenUse};
use oam_model::name::SourceName;
use oam_model::organization::SubjectKind;
use oam_model::principal::{Principal, PrincipalKind};
use oam_model::refusal::Refusal;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

pub const NOW: u64 = 1_790_000_000;

pub fn principal(
    source: &IdentitySource,
    typ: Option<&str>,
    claims: &Claims,
    now_s: u64,
) -> Result<Principal, Refusal> {
    super::principal(source, typ, &Arc::new(claims.clone()), now_s)
}

pub fn name(text: &str) -> SourceName {
    SourceName::try_from(text.to_owned()).unwrap_or_else(|_| panic!("a name"))
}

pub fn okta() -> IdentitySource {
    IdentitySource {
        name: name("okta"),
        kind: PrincipalKind::Person,
        issuer: "https://acme.okta.example".to_owned(),
        audiences: vec!["oam".to_owned()],
        algorithms: vec!["RS256".to_owned(), "ES256".to_owned()],
        keys: SourceKeys::Discovery,
        subject: SubjectKind::IdToken,
        access_tokens: None,
        groups_claim: "groups".to_owned(),
        groups_from_userinfo: false,
        key_claim: None,
        username_claim: "preferred_username".to_owned(),
        reauth: oam_model::organization::Reauth::MaxAge,
        required: BTreeMap::new(),
        verified_emails: false,
        preset: None,
        every_job: false,
        token_use: TokenUse::Repeated,
        longest_age_ms: 24 * 3600 * 1000,
        scim: None,
        github: None,
        directory: None,
    }
}

pub fn jobs(source: &str, issuer: &str, audience: &str) -> IdentitySource {
    IdentitySource {
        name: name(source),
        kind: PrincipalKind::Job,
        issuer: issuer.to_owned(),
        audiences: vec![audience.to_owned()],
        preset: None,
        every_job: false,
        token_use: TokenUse::Repeated,
        longest_age_ms: 3600 * 1000,
        ..okta()
    }
}

pub fn asking(mut source: IdentitySource, claim: &str, pattern: &str) -> IdentitySource {
    source
        .required
        .insert(claim.to_owned(), vec![pattern.to_owned()]);
    source
}

pub fn claims(value: Value) -> Claims {
    match value {
        Value::Object(claims) => claims,
        _ => panic!("an object"),
    }
}

pub fn ada() -> Claims {
    claims(json!({
        "iss": "https://acme.okta.example", "aud": "oam", "sub": "00u1",
        "iat": NOW - 30, "exp": NOW + 3570, "auth_time": NOW - 600,
        "preferred_username": "ada", "email": "ada@acme.example", "email_verified": true,
        "groups": ["ml", "everyone"], "sid": "s-1",
    }))
}

pub fn ada_but(name: &str, value: Value) -> Claims {
    let mut claims = ada();
    claims.insert(name.to_owned(), value);
    claims
}

/// GitHub Actions as documented; `sub` in the form with names, or with ids.
pub fn github(sub: &str) -> Claims {
    claims(json!({
        "iss": "https://token.actions.githubusercontent.com", "aud": "https://oam.acme.example",
        "sub": sub, "jti": "example-id", "iat": NOW - 5, "nbf": NOW - 605, "exp": NOW + 295,
        "ref": "refs/heads/main", "ref_type": "branch", "sha": "example-sha",
        "repository": "acme/model", "repository_id": "74", "repository_owner": "acme",
        "repository_owner_id": "65", "repository_visibility": "private", "run_id": "42",
        "run_number": "10", "run_attempt": "2", "runner_environment": "github-hosted",
        "actor": "ada", "actor_id": "12", "workflow": "publish", "head_ref": "", "base_ref": "",
        "event_name": "push", "environment": "prod",
        "job_workflow_ref": "acme/flows/.github/workflows/publish.yml@refs/heads/main",
    }))
}

/// A GitLab job as documented: truth values as texts, one id as a number.
pub fn gitlab() -> Claims {
    claims(json!({
        "iss": "https://gitlab.example.com", "aud": ["https://oam.acme.example"],
        "sub": "project_path:acme/model:ref_type:branch:ref:main",
        "iat": NOW - 5, "nbf": NOW - 10, "exp": NOW + 295, "jti": "a1",
        "namespace_id": "72", "namespace_path": "acme", "project_id": "20",
        "project_path": "acme/model", "user_id": "1", "user_login": "ada",
        "user_email": "ada@acme.example", "pipeline_id": "574", "pipeline_source": "push",
        "job_id": "302", "ref": "main", "ref_type": "branch", "ref_path": "refs/heads/main",
        "ref_protected": "true", "runner_id": 1, "runner_environment": "self-hosted",
        "environment": "prod", "environment_protected": "false",
    }))
}
