//! What is kept over a restart.

use oam_model::identity::Identity;
use oam_model::log_break::LogBreak;
use oam_model::name::OrgName;
use oam_model::organization::EffectiveRoles;
use oam_model::report::TokenOut;
use oam_model::secret::{self, Secret};
use oam_model::standing::{EndReason, StandingWord};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The sealed state: encrypted under a key from the keyring, written as a whole by
/// temp + fsync + rename, so that a rotation of the refresh token is one write.
#[derive(Serialize, Deserialize, Default)]
pub struct Sealed {
    /// Sessions by organization.
    pub sessions: BTreeMap<OrgName, SealedSession>,
    /// Head of the audit log.
    pub anchor: Option<AuditAnchor>,
    /// Where the audit log was found to be not as it was left; kept for ever.
    #[serde(default)]
    pub breaks: Vec<LogBreak>,
}

#[derive(Serialize, Deserialize)]
pub struct SealedSession {
    /// The secrets.
    pub tokens: SessionTokens,
    /// Who.
    pub identity: Identity,
    /// Its epoch: a tombstone with this epoch or a later one ends it.
    pub epoch: u64,
    /// Unix milliseconds of the sign-in.
    pub signed_in_at_ms: u64,
    /// Digest of what the session is bound to (promise 9).
    pub digest: String,
    /// A refresh was sent and its answer is not on record: how many were sent with this token.
    pub in_flight: Option<u8>,
    /// Userinfo named the groups of this session: where it names none, there are none.
    #[serde(default)]
    pub groups_by_userinfo: bool,
    /// Tokens handed out that may still live.
    #[serde(default)]
    pub outstanding: Vec<TokenOut>,
    /// What is known through the organization's own issuer.
    #[serde(default)]
    pub issuer: KeptOfIssuer,
}

/// What is kept of an issuer's word, so that a restart can choose roles at once and misses nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct KeptOfIssuer {
    /// The roles that were last read.
    #[serde(rename = "holdings")]
    pub effective_roles: Option<EffectiveRoles>,
    /// Cursor of the feed.
    pub cursor: Option<String>,
    /// Last record that the organization holds.
    pub records: Option<AuditAnchor>,
    /// The last head of the organization's audit log that the issuer told, signed by it.
    #[serde(default)]
    pub head: Option<String>,
}

/// The tokens of a session. They never leave the agent.
#[derive(Serialize, Deserialize)]
pub struct SessionTokens {
    /// The refresh token.
    #[serde(with = "secret::shared")]
    pub refresh: Arc<Secret>,
    /// The last ID token.
    #[serde(with = "secret::shared")]
    pub id: Arc<Secret>,
    /// The last access token.
    #[serde(with = "secret::shared")]
    pub access: Arc<Secret>,
    /// `exp` of the access token, Unix seconds, when known.
    pub access_expires: Option<u64>,
}

/// Where the audit log stood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditAnchor {
    /// Number of the entry.
    pub seq: u64,
    /// Its hash, lower-case hex.
    pub hash: String,
}

/// The mark of an ended session. It holds no secret and lies beside the sealed state in the
/// clear, so that it can be written and read when the keyring can't: a restart finds the end first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tombstone {
    /// Sessions of this epoch and earlier ones are over.
    pub epoch: u64,
    /// `ended`, `revoked` or `signed-out`.
    pub standing: StandingWord,
    /// Why.
    pub detail: Option<EndReason>,
    /// Unix milliseconds.
    pub at_ms: u64,
    /// Tokens that were out at the end.
    pub outstanding: Vec<TokenOut>,
}

impl SessionTokens {
    /// Another owner of the same secrets; no byte of them is copied.
    #[must_use]
    pub fn share(&self) -> Self {
        Self {
            refresh: Arc::clone(&self.refresh),
            id: Arc::clone(&self.id),
            access: Arc::clone(&self.access),
            access_expires: self.access_expires,
        }
    }
}

impl SealedSession {
    /// Another owner of the same secrets.
    #[must_use]
    pub fn share(&self) -> Self {
        Self {
            tokens: self.tokens.share(),
            identity: self.identity.clone(),
            epoch: self.epoch,
            signed_in_at_ms: self.signed_in_at_ms,
            digest: self.digest.clone(),
            in_flight: self.in_flight,
            groups_by_userinfo: self.groups_by_userinfo,
            outstanding: self.outstanding.clone(),
            issuer: self.issuer.clone(),
        }
    }
}
