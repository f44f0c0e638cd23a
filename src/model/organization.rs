//! What the issuer tells agents and CI jobs: the organization's set-up, the bearer's roles, the
//! reason of an answer. JSON of `/.well-known/oam`, `/v1/roles`, `/v1/why` and of OAuth answers.

use super::granted::Scheme;
use super::name::{HubName, OrgName, Repository, RoleName};
use super::refusal::RefusalCode;
use super::role::{Action, OfflineRule};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of these documents; it grows when an old agent would misread one.
pub const VERSION: u32 = 1;

/// `GET /.well-known/oam`: everything that `oam login URL` needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organization {
    /// [`VERSION`].
    pub v: u32,
    /// The organization.
    pub org: OrgName,
    /// The issuer's own URL, byte for byte the one that was asked (RFC 8414 §3.3 in spirit).
    pub issuer: String,
    /// Where people sign in.
    pub sign_in: SignIn,
    /// RFC 8693 and RFC 7009.
    pub token_endpoint: String,
    /// RFC 7009 for role tokens.
    pub revocation_endpoint: String,
    /// `GET`: [`EffectiveRoles`].
    pub roles_endpoint: String,
    /// `GET`: [`WhyAnswer`].
    pub why_endpoint: String,
    /// `GET`: server-sent events, or one JSON object ([`super::feed::Poll`]).
    pub feed_endpoint: String,
    /// `POST`: the agent's records ([`super::feed::Upload`]).
    pub records_endpoint: String,
    /// Audience that a CI job's ID token must have.
    pub job_audience: String,
    /// The hubs.
    pub hubs: Vec<OrgHub>,
}

/// How an issuer that is not set up yet is reached, beside what the system trusts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Route {
    /// PEM file of additional roots, an absolute path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
    /// Proxy, `http://host:port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
    /// Private file with the user name and password for the proxy, an absolute path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_auth_file: Option<String>,
}

/// The identity provider as agents use it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignIn {
    /// Its issuer, byte for byte.
    pub issuer: String,
    /// Public client id.
    pub client_id: String,
    /// Scopes to ask for.
    pub scopes: Vec<String>,
    /// Extra parameters of the authorization request.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, String>,
    /// Port of the loopback redirect; 0: any.
    #[serde(default)]
    pub redirect_port: u16,
    /// Path of the loopback redirect.
    pub redirect_path: String,
    /// Claim that holds the groups, for display.
    pub groups_claim: String,
    /// `id-token` or `access-token`: what the agent sends as subject token and as bearer.
    pub subject: SubjectKind,
    /// Seconds.
    pub fresh_s: u64,
    /// Seconds.
    pub lease_s: u64,
    /// Seconds.
    pub session_age_s: u64,
    /// Whether device login is allowed.
    pub device_login: bool,
    /// How a new authentication is asked for; none: as is usual for this provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reauth: Option<Reauth>,
}

/// How a provider is asked to let a person authenticate anew instead of going on with the session that it
/// has in their browser (OIDC Core §3.1.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reauth {
    /// `max_age`, which also makes the provider tell `auth_time`; and `prompt=login` after an end.
    MaxAge,
    /// `prompt=login` after an end.
    Prompt,
    /// The provider knows neither: each exchange of a code is a new sign-in there.
    None,
}

impl Reauth {
    /// What is usual for the provider with this issuer.
    pub fn usual(issuer: &str) -> Self {
        let rest = issuer.strip_prefix("https://").unwrap_or(issuer);
        match rest.split('/').next().unwrap_or(rest) {
            "accounts.google.com" => Self::None,
            // Entra ID tells `auth_time` only as an optional claim, whatever is asked.
            "login.microsoftonline.com" | "sts.windows.net" => Self::Prompt,
            _ => Self::MaxAge,
        }
    }

    /// The word of the configuration.
    pub const fn word(self) -> &'static str {
        match self {
            Self::MaxAge => "max_age",
            Self::Prompt => "prompt",
            Self::None => "none",
        }
    }
}

/// Which token of the session speaks for the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum SubjectKind {
    /// The ID token.
    #[default]
    IdToken,
    /// The access token: for providers that send no ID token at a refresh.
    AccessToken,
}

/// A hub as agents use it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrgHub {
    /// Its name.
    pub name: HubName,
    /// Base URL without trailing slash.
    pub url: String,
    /// `git`, `huggingface`, `github`, `gitlab`.
    pub kind: String,
    /// Basic or Bearer.
    #[serde(default)]
    pub scheme: Scheme,
    /// User name for Basic.
    pub username: String,
    /// Variables from which its tools read a token.
    #[serde(default)]
    pub variables: Vec<String>,
}

/// `GET /v1/roles`: what the bearer may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EffectiveRoles {
    /// [`VERSION`].
    pub v: u32,
    /// The bearer, `source:key`.
    pub subject: String,
    /// The roles that the bearer holds.
    pub roles: Vec<HeldRole>,
    /// SHA-256 of the set-up as it is published, lower-case hex: whoever knows another one reads it anew. An
    /// older issuer does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setup: Option<String>,
}

/// A role that the bearer holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldRole {
    /// The role.
    pub role: RoleName,
    /// One line for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Why it is held.
    pub because: String,
    /// Decides between roles whose grants cover an ask equally narrowly: the highest is taken.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub priority: u32,
    /// Longest life of a token, seconds.
    pub lifetime_s: u64,
    /// What holds when the identity can't be proven.
    pub offline: OfflineRule,
    /// Its grants.
    pub grants: Vec<HeldGrant>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the form that serde calls"
)]
const fn is_usual(priority: &u32) -> bool {
    *priority == 0
}

/// One grant of a held role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldGrant {
    /// The hub.
    pub hub: HubName,
    /// Patterns, as in the policy.
    pub repositories: Vec<String>,
    /// The widest action.
    pub action: Action,
}

/// A group of somebody, with who says it and of when, and whether that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupSource {
    /// As the policy names it.
    pub group: String,
    /// `directory`, `poll`, `team`, `signal` or `token`.
    pub by: String,
    /// Of when that word is, Unix milliseconds.
    pub at_ms: u64,
    /// Whether it counts.
    pub counts: bool,
    /// Why it counts, or why not.
    pub because: String,
}

/// `GET /v1/why?hub=&repository=&action=&role=`: the decision, or what is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhyAnswer {
    /// [`VERSION`].
    pub v: u32,
    /// The hub as understood.
    pub hub: HubName,
    /// The repository as understood.
    pub repository: Option<Repository>,
    /// The action.
    pub action: Action,
    /// The decision, when it would be granted.
    pub decision: Option<super::policy::Decision>,
    /// The reason, when it would be refused.
    pub refusal: Option<super::refusal::Refusal>,
    /// The person's groups, each with its source.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupSource>,
}

/// Member `oam` of a token answer: what RFC 8693 has no field for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granting {
    /// The role.
    pub role: RoleName,
    /// The action.
    pub action: Action,
    /// The rule.
    pub rule: String,
    /// The hub knew no narrower token.
    pub wider_than_asked: bool,
    /// Shared by both sides' records.
    pub request_id: String,
}

/// Member `oam` of an OAuth error: the refusal as people read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    /// The kind.
    pub code: RefusalCode,
    /// What happened.
    pub sentence: String,
    /// What to do next.
    pub next: String,
    /// Why the identity or the session is over, without the words around it; an older issuer does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Shared by both sides' records.
    pub request_id: String,
}
