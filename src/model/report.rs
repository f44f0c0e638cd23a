//! What reading commands show. These shapes are the documented `--json` output.

use super::granted::Granted;
use super::log_break::LogBreak;
use super::name::{HubName, OrgName, Repository, RoleName};
use super::refusal::Refusal;
use super::role::{Action, OfflineRule};
use super::standing::StandingWord;
use serde::{Deserialize, Serialize};

/// `oam status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusReport {
    /// Version of the agent.
    pub agent_version: String,
    /// Process id of the agent.
    pub agent_pid: u32,
    /// Where the session is kept: `keyring`, `kernel` or `memory`.
    pub store: String,
    /// What is wrong with the agent as a whole: a bad configuration edit that was not taken, an
    /// audit log that can't be written, a keyring that went away.
    pub warnings: Vec<String>,
    /// One entry an organization, in the configuration's order.
    pub orgs: Vec<OrgStatus>,
}

/// One organization in `oam status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrgStatus {
    /// Its name.
    pub org: OrgName,
    /// Its identity provider.
    pub issuer: String,
    /// How the session stands.
    pub standing: StandingWord,
    /// Why, where there is more to say.
    pub detail: Option<String>,
    /// The next step when it is not active.
    pub next: Option<String>,
    /// Who is signed in.
    pub subject: Option<String>,
    /// For display.
    pub email: Option<String>,
    /// Unix seconds.
    pub signed_in_at: Option<u64>,
    /// Unix seconds of the last proof.
    pub last_proof_at: Option<u64>,
    /// Unix seconds at which a person must sign in again.
    pub session_ends_at: Option<u64>,
    /// Epoch of the session.
    pub epoch: u64,
    /// Roles that the person holds.
    pub roles: Vec<RoleName>,
    /// Why the roles are not known, where they are not: then `roles` is empty and says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles_unknown: Option<String>,
    /// Hubs of the organization.
    pub hubs: Vec<HubRow>,
    /// Tokens handed out that are still alive, also those from before an end of the session:
    /// where a hub can't revoke they are outstanding until `expires_at`.
    /// The newest of them: a report must fit one message.
    pub tokens: Vec<TokenOut>,
    /// How many more are alive; the log has all.
    #[serde(default)]
    pub more_tokens: usize,
    /// Unix seconds until which links and tokens are good that commands behind a gateway were handed out for other hosts.
    /// Nobody can take them back; none: there are none, as far as hubs told their ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elsewhere_until: Option<u64>,
    /// The link to the organization's own issuer, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feed: Option<FeedStatus>,
    /// How much of the audit log the organization holds, where it has an issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<RecordsStatus>,
    /// What is wrong with the session while it is served: it will be refused, or is less than it could be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<OrgWarning>,
    /// What the company changed in the set-up that it publishes, and is not taken over here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setup: Option<SetUpStatus>,
}

/// Something about a session that people should know before it is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrgWarning {
    /// Tokens are or will be refused because of it.
    pub refuses: bool,
    /// What.
    pub sentence: String,
    /// What to do.
    pub next: String,
}

/// What `oam update` would take over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetUpStatus {
    /// One line each.
    pub changes: Vec<String>,
    /// Whether it takes a new sign-in: the session is bound to what changes.
    pub sign_in: bool,
}

/// The feed of an organization's issuer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedStatus {
    /// `off`, `connecting`, `connected`, `late` (a heartbeat is missing), `buffered` (heartbeats come
    /// through a buffer and prove nothing) or `down`.
    pub state: String,
    /// It is polled meanwhile.
    #[serde(default)]
    pub polling: bool,
    /// Unix seconds of the issuer's last evidence that was believed.
    pub as_of: Option<u64>,
    /// How far the clock of this machine is ahead of the issuer's, ms, by recent heartbeats; negative: behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_ahead_ms: Option<i64>,
    /// Unix seconds at which the roles were last read.
    #[serde(default)]
    pub roles_read_at: Option<u64>,
    /// Why they could not be read the last time.
    #[serde(default)]
    pub roles_trouble: Option<String>,
}

/// An organization's identity provider, asked when `oam doctor` ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderReport {
    /// The organization.
    pub org: OrgName,
    /// The provider's address.
    pub issuer: String,
    /// What would stop a sign-in or a renewal; nothing: it fits.
    pub faults: Vec<ProviderFault>,
}

/// What of a provider does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case")]
pub enum ProviderFault {
    /// Its metadata can't be had or used.
    Discovery {
        /// Our own words.
        why: String,
    },
    /// It signs ID tokens with none of the algorithms that are taken.
    Algorithms {
        /// Those that it names.
        named: Vec<String>,
    },
    /// An endpoint gave no answer.
    Unreachable {
        /// Its address.
        url: String,
        /// Our own words.
        why: String,
    },
    /// An endpoint is not there.
    Missing {
        /// Its address.
        url: String,
        /// What was answered.
        status: u16,
    },
}

/// The agent's records at the organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordsStatus {
    /// Number of the last record that the organization holds; 0: none, or not known yet.
    pub held: u64,
    /// Whether it is known.
    #[serde(default = "yes")]
    pub known: bool,
    /// Number of the last record of the log.
    pub written: u64,
    /// What the organization found wrong with the log.
    #[serde(default)]
    pub alarm: Option<String>,
    /// Why records could not be sent the last time.
    #[serde(default)]
    pub trouble: Option<String>,
}

/// A hub, as `oam setup` needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubRow {
    /// Its name.
    pub hub: HubName,
    /// Base URL without trailing slash.
    pub url: String,
    /// `git`, `huggingface`, `github`, `gitlab`.
    pub kind: String,
}

/// A token handed out and not expired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenOut {
    /// What it is.
    #[serde(flatten)]
    pub granted: Granted,
    /// `held` (the agent still serves it) or `outstanding until` (it can no longer be withdrawn).
    pub state: TokenState,
}

/// What became of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenState {
    /// Served while the session is alive.
    Held,
    /// Dropped here, alive at the hub until it expires.
    OutstandingUntil,
    /// Revoked where it was issued: at the issuer, or at the endpoint of its own for that.
    Revoked,
}

/// `oam roles`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolesReport {
    /// One entry a role, in the configuration's order.
    pub roles: Vec<RoleRow>,
    /// Organizations that show no role above, and why: nobody is signed in, nobody could be asked, or none is
    /// held.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<WithoutRoles>,
}

/// An organization without a role in `oam roles`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WithoutRoles {
    /// The organization.
    pub org: OrgName,
    /// Why.
    pub why: String,
    /// What to do.
    pub next: String,
}

/// One role in `oam roles`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleRow {
    /// The organization.
    pub org: OrgName,
    /// The role.
    pub role: RoleName,
    /// One line for people.
    pub description: Option<String>,
    /// Whether the person holds it.
    pub held: bool,
    /// Why, in words.
    pub because: String,
    /// Longest life of a token, seconds.
    pub lifetime_s: u64,
    /// What holds when the identity can't be proven.
    pub offline: OfflineRule,
    /// Its grants.
    pub grants: Vec<GrantRow>,
}

/// One grant in `oam roles`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantRow {
    /// The hub.
    pub hub: HubName,
    /// The patterns.
    pub repositories: Vec<String>,
    /// The widest action.
    pub action: Action,
}

/// `oam why`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhyReport {
    /// What was asked, as understood.
    pub hub: Option<HubName>,
    /// The organization that owns the hub.
    pub org: Option<OrgName>,
    /// The repository.
    pub repository: Option<Repository>,
    /// The action that the ask needs.
    pub action: Option<Action>,
    /// The role that would be used.
    pub role: Option<RoleName>,
    /// The rule, in words: which grant matched.
    pub rule: Option<String>,
    /// The refusal, when it would be refused.
    pub refusal: Option<Refusal>,
    /// The person's groups, each with its source, as the issuer knows them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<super::organization::GroupSource>,
}

/// The head of the audit log as the agent knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnchorReport {
    /// Folder of the log.
    pub folder: String,
    /// Number of the last record; 0 when there is none.
    pub sequence: u64,
    /// Hash of the last record, lower-case hex.
    pub hash: String,
    /// Number of the last record whose hash lies in the sealed state.
    pub anchored_sequence: u64,
    /// That hash.
    pub anchored_hash: String,
    /// Where the anchor lies: `sealed` or `memory`.
    pub anchored_in: String,
    /// What organizations hold of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<HeldAt>,
    /// Where the log is not as the sealed state left it, oldest first; acknowledged ones too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub breaks: Vec<LogBreak>,
}

/// How much of the log an organization holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldAt {
    /// The organization.
    pub org: OrgName,
    /// Number of the last record that it holds.
    pub sequence: u64,
    /// Hash of that record, lower-case hex.
    pub hash: String,
}

const fn yes() -> bool {
    true
}
