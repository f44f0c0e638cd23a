//! The smallest files that are whole, to which each test adds its own lines.

use super::{SourceText, read_cases, read_policy, read_settings};
use crate::fault::ConfigFault;
use oam_model::issuer::IssuerSettings;
use oam_model::policy::{Policy, PolicyCase};

pub const ISSUER: &str = r#"
url = "https://issuer.acme.example"
trusted_proxies = ["192.0.2.0/24"]
database = "/var/lib/oam/issuer.db"
policy = "/etc/oam/policy.toml"
master_key = { file = "/etc/oam/master.key" }
[sources.okta]
issuer = "https://login.acme.example"
audiences = ["oam"]
[sources.github]
preset = "github-actions"
[hubs.models]
url = "https://hub.acme.example"
backend = { kind = "jwt" }
"#;

pub const POLICY: &str = r#"
[org]
name = "acme"
sign_in = "okta"
client_id = "oam"
[roles.publisher]
members = [{ source = "okta", groups = ["ml-publishers"] }]
grants = [{ hub = "models", repositories = ["acme/*"], action = "write" }]
"#;

pub fn issuer_of(text: &str) -> Result<IssuerSettings, Vec<ConfigFault>> {
    read_settings(SourceText {
        name: "issuer.toml",
        text,
    })
}

pub fn settings() -> IssuerSettings {
    issuer_of(ISSUER).unwrap_or_else(|faults| panic!("{}", told(&faults)))
}

pub fn policy_of(text: &str) -> Result<Policy, Vec<ConfigFault>> {
    let name = "policy.toml";
    read_policy(SourceText { name, text }, &settings())
}

pub fn cases_of(text: &str) -> Result<Vec<PolicyCase>, Vec<ConfigFault>> {
    let name = "cases.toml";
    let policy = policy_of(POLICY).unwrap_or_else(|faults| panic!("{}", told(&faults)));
    read_cases(SourceText { name, text }, &settings(), &policy)
}

pub fn told(faults: &[ConfigFault]) -> String {
    let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
