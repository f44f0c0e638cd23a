//! The organization's policy as nouns: what `config` reads and the crate `policy` decides by.

use super::name::{HubName, OrgName, Repository, RoleName, SourceName};
use super::role::{Action, Grant, OfflineRule};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One policy file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// What holds for the whole organization.
    pub org: OrgRules,
    /// The roles, in the order of the file.
    pub roles: Vec<PolicyRole>,
}

/// The organization's set-up for people, published as [`super::organization::Organization`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrgRules {
    /// The organization.
    pub name: OrgName,
    /// The source at which people sign in.
    pub sign_in: SourceName,
    /// Public client id there.
    pub client_id: String,
    /// Scopes to ask for.
    pub scopes: Vec<String>,
    /// Extra parameters of the authorization request.
    pub extra: BTreeMap<String, String>,
    /// Port of the loopback redirect; 0: any.
    pub redirect_port: u16,
    /// Path of the loopback redirect.
    pub redirect_path: String,
    /// A proof younger than this is fresh, ms.
    pub fresh_ms: u64,
    /// Longest age of a proof with which an agent still serves, ms.
    pub lease_ms: u64,
    /// Age at which a person must sign in again, ms. The issuer refuses an older `auth_time` too.
    pub session_age_ms: u64,
    /// Whether people may sign in by device code.
    pub device_login: bool,
}

/// A role of the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRole {
    /// Its name.
    pub name: RoleName,
    /// One line for people.
    pub description: Option<String>,
    /// Who holds it: any of these. Empty: nobody (deny by default).
    pub members: Vec<Member>,
    /// Decides between roles whose grants cover an ask equally narrowly: the highest is taken.
    pub priority: u32,
    /// Longest life of a token, seconds.
    pub lifetime_s: u64,
    /// What holds when the identity can't be proven.
    pub offline: OfflineRule,
    /// What it allows, each with its line in the file.
    pub grants: Vec<PolicyGrant>,
}

/// A grant and where it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyGrant {
    /// The grant.
    pub grant: Grant,
    /// 1-based line of the policy file.
    pub line: usize,
}

/// One way to hold a role: of this source, in one of these groups (none: groups do not matter), and
/// with all of these claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The source.
    pub source: SourceName,
    /// Any of these groups; empty: no group is asked for.
    pub groups: Vec<String>,
    /// Every claim must match one of its patterns, whole: `*` any text without `/`, `**` any text.
    /// A claim that is a list matches when one of its items does.
    pub claims: BTreeMap<String, Vec<String>>,
    /// 1-based line of the policy file.
    pub line: usize,
}

/// What the issuer is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRequest {
    /// The hub.
    pub hub: HubName,
    /// The repository; none: the whole hub.
    pub repository: Option<Repository>,
    /// The action.
    pub action: Action,
    /// The role; none: the narrowest that covers the rest.
    pub role: Option<RoleName>,
}

/// What the policy allows for one [`PolicyRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The role.
    pub role: RoleName,
    /// The action allowed: what was asked, never more.
    pub action: Action,
    /// The rule in words, with its line: `model-publisher grants write on models for acme/* (line 31)`.
    pub rule: String,
    /// Why the principal holds the role: `member of ml-publishers at okta (line 28)`.
    pub because: String,
    /// Longest life of a token, seconds.
    pub lifetime_s: u64,
    /// What holds when the identity can't be proven.
    pub offline: OfflineRule,
}

/// A question to the policy with the answer that is expected, for `oam-issuer policy test`.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyCase {
    /// 1-based line of the table's file.
    pub line: usize,
    /// Name of the principal: its key, subject and user name.
    pub who: String,
    /// Its source.
    pub source: SourceName,
    /// Its groups, by who says them.
    pub groups: CaseGroups,
    /// Claims beside `sub`.
    pub claims: BTreeMap<String, serde_json::Value>,
    /// What is asked.
    pub wanted: PolicyRequest,
    /// The answer.
    pub expect: ExpectedAnswer,
}

/// Who says which groups of the principal of a [`PolicyCase`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CaseGroups {
    /// The token.
    pub token: Vec<String>,
    /// A signal that is later than the token; none: there was none.
    pub signal: Option<Vec<String>>,
    /// The directory by SCIM; none: it says nothing of their groups.
    pub directory: Option<Vec<String>>,
    /// The directory that the issuer reads; none: likewise. A source has one of the two at most.
    pub poll: Option<Vec<String>>,
    /// GitHub, which says teams.
    pub team: Vec<String>,
}

/// The expected answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpectedAnswer {
    /// A refusal.
    Denied,
    /// This role.
    Role(RoleName),
}
