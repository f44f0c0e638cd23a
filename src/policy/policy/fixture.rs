//! A small policy and its people, as tests use them.

use super::Index;
use oam_model::name::Repository;
use oam_model::policy::{Member, OrgRules, Policy, PolicyGrant, PolicyRequest, PolicyRole};
use oam_model::principal::{Groups, Principal, PrincipalKey, PrincipalKind};
use oam_model::role::{Action, Grant, OfflineRule};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

pub fn org() -> OrgRules {
    OrgRules {
        name: "acme".parse().unwrap(),
        sign_in: "okta".parse().unwrap(),
        client_id: "oam".to_owned(),
        scopes: vec!["openid".to_owned()],
        extra: BTreeMap::new(),
        redirect_port: 0,
        redirect_path: "/callback".to_owned(),
        fresh_ms: 60_000,
        lease_ms: 600_000,
        session_age_ms: 604_800_000,
        device_login: true,
    }
}

pub fn member(source: &str, groups: &[&str], claims: &[(&str, &str)], line: usize) -> Member {
    let claims = claims.iter();
    Member {
        source: source.parse().unwrap(),
        groups: groups.iter().map(|g| (*g).to_owned()).collect(),
        claims: claims
            .map(|(name, pattern)| ((*name).to_owned(), vec![(*pattern).to_owned()]))
            .collect(),
        line,
    }
}

pub fn grant(hub: &str, pattern: &str, action: Action, line: usize) -> PolicyGrant {
    PolicyGrant {
        grant: Grant {
            hub: hub.parse().unwrap(),
            repositories: vec![pattern.to_owned()],
            action,
        },
        line,
    }
}

pub fn role(name: &str, members: Vec<Member>, grants: Vec<PolicyGrant>) -> PolicyRole {
    PolicyRole {
        name: name.parse().unwrap(),
        description: None,
        members,
        priority: 0,
        lifetime_s: 900,
        offline: OfflineRule::Grace,
        grants,
    }
}

/// Readers are everybody at okta; publishers and twins are groups; `ci` is a job; `auditor` is told by a claim.
pub fn policy() -> Policy {
    let okta = |groups: &[&str], line| vec![member("okta", groups, &[], line)];
    Policy {
        org: org(),
        roles: vec![
            role(
                "reader",
                okta(&[], 2),
                vec![grant("models", "acme/*", Action::Read, 3)],
            ),
            role(
                "publisher",
                okta(&["leads", "publishers"], 5),
                vec![grant("models", "acme/*", Action::Write, 6)],
            ),
            role(
                "twin",
                okta(&["twins"], 8),
                vec![grant("models", "acme/*", Action::Write, 9)],
            ),
            role(
                "ci",
                vec![member("github", &[], &[("repository_id", "7")], 11)],
                vec![grant("models", "acme/model", Action::Write, 12)],
            ),
            role(
                "auditor",
                vec![member("okta", &[], &[("job.title", "auditor")], 14)],
                vec![grant("models", "**", Action::Read, 15)],
            ),
        ],
    }
}

pub fn index() -> Index {
    Index::new(policy())
}

pub fn person(groups: &[&str]) -> Principal {
    Principal {
        key: PrincipalKey {
            source: "okta".parse().unwrap(),
            key: "00u1".to_owned(),
        },
        kind: PrincipalKind::Person,
        issuer: "https://login.acme.example".to_owned(),
        subject: "00u1".to_owned(),
        username: Some("ada".to_owned()),
        email: None,
        email_verified: false,
        groups: Groups::Known(groups.iter().map(|g| (*g).to_owned()).collect()),
        session: None,
        claims: Arc::default(),
        proven_at: 0,
        auth_time: None,
        expires_at: 0,
    }
}

pub fn job(claims: Value) -> Principal {
    let mut job = person(&[]);
    job.key.source = "github".parse().unwrap();
    job.kind = PrincipalKind::Job;
    job.claims = Arc::new(serde_json::from_value(claims).unwrap());
    job
}

pub fn wanted(repository: Option<&str>, action: Action) -> PolicyRequest {
    PolicyRequest {
        hub: "models".parse().unwrap(),
        repository: repository.map(|text| text.parse::<Repository>().unwrap()),
        action,
        role: None,
    }
}
