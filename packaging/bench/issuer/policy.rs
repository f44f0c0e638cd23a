//! How long a decision takes, and how that grows with the policy.

use super::table::{Table, quantile};
use oam_config::issuer::{SourceText, read_policy, read_settings};
use oam_model::policy::PolicyRequest;
use oam_model::principal::{Groups, Principal, PrincipalKey, PrincipalKind};
use oam_model::role::Action;
use oam_policy::policy::{Index, decide};
use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

const SETTINGS: &str = r#"
url = "https://issuer.example"
listen = ["127.0.0.1:1"]
trusted_proxies = ["127.0.0.1/32"]
database = "/nowhere/issuer.db"
policy = "/nowhere/policy.toml"
master_key = { env = "OAM_MASTER_KEY" }
[sources.company]
issuer = "https://login.example"
audiences = ["oam"]
[hubs.models]
url = "https://hub.example"
kind = "huggingface"
backend = { kind = "jwt" }
"#;

/// `roles` roles of ten grants each; role N belongs to group N.
fn text(roles: usize) -> String {
    let mut text =
        String::from("[org]\nname = \"acme\"\nsign_in = \"company\"\nclient_id = \"oam\"\n");
    for role in 0..roles {
        let _ = write!(
            text,
            "[roles.role-{role}]\nlifetime = \"15m\"\nmembers = [{{ source = \"company\", groups = [\"group-{role}\"] }}]\ngrants = [\n"
        );
        for grant in 0..10 {
            let action = if grant % 2 == 0 { "read" } else { "write" };
            let _ = writeln!(
                text,
                "{{ hub = \"models\", repositories = [\"team-{role}/model-{grant}-*\"], action = \"{action}\" }},"
            );
        }
        text.push_str("]\n");
    }
    text
}

/// Somebody in twenty of the groups, spread over the policy.
fn somebody(roles: usize) -> Principal {
    let groups = (0..20).map(|n| format!("group-{}", n * roles / 20));
    Principal {
        key: PrincipalKey {
            source: "company".parse().unwrap(),
            key: "u-1".to_owned(),
        },
        kind: PrincipalKind::Person,
        issuer: "https://login.example".to_owned(),
        subject: "u-1".to_owned(),
        username: None,
        email: None,
        email_verified: false,
        groups: Groups::Known(groups.collect()),
        session: None,
        claims: Arc::default(),
        proven_at: 0,
        auth_time: None,
        expires_at: 0,
    }
}

/// p50 and p99 of a decision that is granted, at this size.
fn decisions(roles: usize) -> (Duration, Duration) {
    let source = |name, text| SourceText { name, text };
    let settings = read_settings(source("issuer.toml", SETTINGS)).unwrap();
    let text = text(roles);
    let policy = read_policy(source("policy.toml", &text), &settings).unwrap();
    let index = Index::new(policy);
    let who = somebody(roles);
    let wanted: Vec<PolicyRequest> = (0..20)
        .map(|n| PolicyRequest {
            hub: "models".parse().unwrap(),
            repository: Some(
                format!("team-{}/model-3-x", n * roles / 20)
                    .parse()
                    .unwrap(),
            ),
            action: Action::Write,
            role: None,
        })
        .collect();
    let mut times = Vec::new();
    for round in 0..20_000 {
        let asked = &wanted[round % wanted.len()];
        let began = Instant::now();
        let decision = black_box(decide(&index, black_box(&who), black_box(asked)));
        times.push(began.elapsed());
        assert!(decision.is_ok(), "{decision:?}");
    }
    (quantile(&mut times, 0.5), quantile(&mut times, 0.99))
}

/// Rows at three sizes.
pub fn measure(table: &mut Table) {
    let us = |time: Duration| format!("{:.1} µs", time.as_secs_f64() * 1e6);
    let mut small = None;
    for roles in [10, 100, 1000] {
        let (p50, p99) = decisions(roles);
        let what = format!(
            "policy decision at {roles} roles, {} grants, person in 20 groups, p50",
            roles * 10
        );
        let measured = format!("{} (p99 {})", us(p50), us(p99));
        let first = *small.get_or_insert(p50);
        let beside = format!(
            "{:.1} x that at 10 roles",
            p50.as_secs_f64() / first.as_secs_f64()
        );
        if roles == 1000 {
            let kept = p50 <= Duration::from_micros(50);
            table.judged(&what, &measured, &beside, "≤ 50 µs", kept);
        } else {
            table.row(&what, &measured, &beside);
        }
    }
}
