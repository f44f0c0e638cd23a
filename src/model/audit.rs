//! One entry of the organization's audit log.

use super::name::{HubName, OrgName, Repository, RoleName, SourceName};
use super::refusal::RefusalCode;
use super::role::Action;
use serde::{Deserialize, Serialize};

/// What kind of event an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuditEvent {
    /// The issuer started.
    Start,
    /// The issuer stopped in order.
    Stop,
    /// A hub is about to be asked for a token.
    Attempt,
    /// A role token was issued.
    Exchange,
    /// A request was refused.
    Refusal,
    /// How many requests were refused that have no entry of their own.
    RefusalSum,
    /// An identity or session was ended.
    Revocation,
    /// An account was enabled again.
    Restoration,
    /// A token was revoked, here and where it could be at its hub.
    TokenRevoked,
    /// A signal arrived.
    Signal,
    /// A directory made, changed or deleted somebody or a group.
    Directory,
    /// Roles were lost or gained.
    RolesChanged,
    /// Another policy is in force.
    PolicyChange,
    /// A signing key was made, took over, or went.
    KeyRotation,
    /// A client secret was set or went.
    SecretRotation,
    /// A batch of an agent's records was taken.
    AgentRecords,
    /// Something that a person must look at: an unmatched signal, a gap in an agent's log.
    Alarm,
    /// Faults of an agent's log were looked at by a person, and are settled.
    Acknowledged,
    /// A backup was put in the database's place, or a copy that lay there was accepted: a new generation.
    DatabaseRestored,
    /// Old entries were dropped; the chain goes on from the hash in `fact`.
    Retention,
}

/// What an entry says to whoever verifies the log. The sentence for people is in `detail`, and decides nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuditFact {
    /// Entries up to this one were dropped by age.
    EntriesDropped {
        /// Number of the last one.
        seq: u64,
        /// Its hash, from which the chain goes on.
        hash: String,
    },
    /// Records of agents' logs were dropped by age.
    RecordsDropped {
        /// Number of logs of which something was dropped.
        logs: u64,
        /// SHA-256 over the last record dropped of each, lower-case hex.
        digest: String,
    },
    /// SHA-256 of each fault of agents' logs that a person looked at, lower-case hex.
    FaultsAcknowledged(Vec<String>),
}

/// One entry: who, acting role, resource, rule, from where, token, outcome. Never a token itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// Unix milliseconds.
    pub at_ms: u64,
    /// What happened.
    pub event: AuditEvent,
    /// The organization.
    pub org: OrgName,
    /// Shared with the agent's record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Identity source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceName>,
    /// Stable key of the person or job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// Name for people: user name or e-mail as the source said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The acting role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleName>,
    /// The hub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hub: Option<HubName>,
    /// The repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<Repository>,
    /// The action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// The rule that allowed or, in words, what was missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Address of the client, as the socket or the trusted proxy says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// SHA-256 of the token, lower-case hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_sha256: Option<String>,
    /// Expiry of the token, Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<RefusalCode>,
    /// More, in our own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// More, for programs. Entries of before there was this have it in the words of `detail`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fact: Option<AuditFact>,
}

impl AuditRecord {
    /// An entry of `event` at `at_ms`, everything else empty.
    pub const fn new(event: AuditEvent, org: OrgName, at_ms: u64) -> Self {
        Self {
            at_ms,
            event,
            org,
            request_id: None,
            source: None,
            person: None,
            name: None,
            role: None,
            hub: None,
            repository: None,
            action: None,
            rule: None,
            from: None,
            token_sha256: None,
            expires_at: None,
            refusal: None,
            detail: None,
            fact: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AuditEvent, AuditRecord};

    #[test]
    fn an_entry_of_before_there_were_facts_keeps_its_bytes() {
        let org = "acme".parse().unwrap();
        let mut entry = AuditRecord::new(AuditEvent::Retention, org, 1);
        entry.detail = Some("words".to_owned());
        let bytes = serde_json::to_string(&entry).unwrap();
        let of_before = r#"{"at_ms":1,"event":"retention","org":"acme","detail":"words"}"#;
        assert_eq!(bytes, of_before);
        let read: AuditRecord = serde_json::from_str(of_before).unwrap();
        assert_eq!(read, entry);
    }
}
