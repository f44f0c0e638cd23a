//! One entry of the audit log.

use super::caller::Caller;
use super::granted::Granted;
use super::name::{HubName, OrgName, Repository, RoleName};
use super::refusal::RefusalCode;
use super::role::Action;
use super::served::ServedTraffic;
use super::sign_in::SignedInBy;
use super::token_request::Intent;
use serde::{Deserialize, Serialize};

/// What kind of event a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// The agent started.
    Start,
    /// Somebody signed in.
    Login,
    /// A sign-in failed.
    LoginFailed,
    /// Somebody signed out.
    Logout,
    /// The session ended or was revoked.
    End,
    /// The identity was proven.
    Proof,
    /// A token was handed out.
    Grant,
    /// An ask was refused.
    Refusal,
    /// A token file was renewed.
    Renewal,
    /// A token file was withdrawn.
    Withdrawal,
    /// A token was dropped because the hub rejected it.
    Erase,
    /// A command ended that used a hub through a gateway.
    Served,
    /// The log or state is not as it was left.
    Alarm,
    /// The issuer said that the identity must be proven anew before anything is served.
    Doubt,
    /// The issuer said that roles were lost or gained.
    RolesChanged,
    /// A person acknowledged that the log is not as it was left.
    Acknowledgement,
}

/// One record: who asked, for what, by which rule, with which token, until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Unix milliseconds.
    pub at_ms: u64,
    /// What happened.
    pub what: EventKind,
    /// The organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org: Option<OrgName>,
    /// Subject of the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Which front asked: `git`, `exec`, `token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub front: Option<String>,
    /// The caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<Caller>,
    /// The hub asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hub: Option<HubName>,
    /// The repository asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<Repository>,
    /// The intent asked with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
    /// The role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleName>,
    /// The action granted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// The grant that matched, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// SHA-256 of the token, lower-case hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_sha256: Option<String>,
    /// Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
    /// The token is wider than what was asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wider_than_asked: bool,
    /// Code of the refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<RefusalCode>,
    /// More, in our own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Epoch of the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    /// Of the exchange at the organization's issuer: its record has the same. Last, and left out when
    /// there is none, so that lines of before are byte for byte the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Where a session that was signed in to is kept: `keyring`, `kernel` or `memory`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_in: Option<String>,
    /// How somebody signed in, or tried to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_in_by: Option<SignedInBy>,
    /// What passed a gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub served: Option<ServedTraffic>,
}

impl Record {
    /// A record of `what` at `at_ms`, everything else empty.
    pub const fn new(what: EventKind, at_ms: u64) -> Self {
        Self {
            at_ms,
            what,
            org: None,
            subject: None,
            front: None,
            caller: None,
            hub: None,
            repository: None,
            intent: None,
            role: None,
            action: None,
            rule: None,
            token_sha256: None,
            expires_at: None,
            wider_than_asked: false,
            refusal: None,
            detail: None,
            epoch: None,
            request_id: None,
            kept_in: None,
            signed_in_by: None,
            served: None,
        }
    }

    /// Adds what was granted.
    #[must_use]
    pub fn with_granted(mut self, granted: &Granted) -> Self {
        self.hub = Some(granted.hub.clone());
        self.org = Some(granted.org.clone());
        self.repository.clone_from(&granted.repository);
        self.role = Some(granted.role.clone());
        self.action = Some(granted.action);
        self.token_sha256 = Some(granted.token_sha256.clone());
        self.expires_at = Some(granted.expires_at);
        self.wider_than_asked = granted.wider_than_asked;
        self.epoch = Some(granted.epoch);
        self
    }
}

/// A record in its place in the chain: one line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number, from 1, without gaps, over all files.
    pub seq: u64,
    /// Hash of the entry before it, lower-case hex; 64 zeros for the first.
    pub prev: String,
    /// The record.
    #[serde(flatten)]
    pub record: Record,
    /// SHA-256 over the line without this field, lower-case hex.
    pub hash: String,
}
