//! The feed, and the records that agents send: messages between issuer and agent.

use super::name::RoleName;
use serde::{Deserialize, Serialize};

/// One message of the feed. As server-sent event: `event` is the tag, `data` the JSON of the rest,
/// `id` the cursor, which is left out where nothing moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum FeedEvent {
    /// Every 15 s, and at once when the stream begins.
    Heartbeat {
        /// The issuer's own last evidence for this subject, Unix milliseconds; never "I heard nothing".
        as_of_ms: u64,
        /// When it was sent, Unix milliseconds: a message that arrives late came through a buffer and
        /// is no proof.
        sent_at_ms: u64,
        /// [`super::organization::EffectiveRoles::setup`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        setup: Option<String>,
    },
    /// The identity or session is revoked: final for this session.
    Revoked {
        /// Unix milliseconds.
        at_ms: u64,
        /// Our own words.
        reason: String,
    },
    /// Weak evidence that the session is over (a logout): tokens so far are dead, ask the provider again
    /// before serving.
    Doubt {
        /// Unix milliseconds.
        at_ms: u64,
        /// Our own words.
        reason: String,
    },
    /// The subject holds other roles than before.
    RolesChanged {
        /// Unix milliseconds.
        at_ms: u64,
        /// All roles held now.
        held: Vec<RoleName>,
        /// Those that were held and are not, and those of which a token ended because they allow less now.
        lost: Vec<RoleName>,
    },
    /// The last entry of the organization's audit log, signed by the issuer. Kept, and shown again with the next
    /// request: an issuer that went back to an older database is so told what it forgot.
    Head {
        /// Compact JWS.
        head: String,
    },
    /// The cursor is unknown here: what came since is not known, read the roles anew. No proof.
    Reset {},
}

/// The request header of the feed that shows the last [`FeedEvent::Head`].
pub const HEAD_HEADER: &str = "oam-head";

/// A message with its cursor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedItem {
    /// For `Last-Event-ID`.
    pub id: Option<String>,
    /// The message.
    #[serde(flatten)]
    pub event: FeedEvent,
}

/// `GET /v1/feed` with `Accept: application/json`: what has come since, at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Poll {
    /// [`super::organization::VERSION`].
    pub v: u32,
    /// In order; the last one is a heartbeat unless the subject is revoked.
    pub items: Vec<FeedItem>,
    /// As in [`FeedEvent::Head`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
}

/// `POST /v1/records`: a batch of the agent's records, lines as they stand in its log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// [`super::organization::VERSION`].
    pub v: u32,
    /// Names this agent's log: 32 hex digits, made once with the log.
    pub log: String,
    /// Number of the last record of the log, sent or not.
    pub head_seq: u64,
    /// Its hash.
    pub head_hash: String,
    /// Number of the last record that the agent takes for held; 0: none. Where less is held, nothing is
    /// taken: the answer says from where on to send again.
    #[serde(default)]
    pub after_seq: u64,
    /// Lines in order, without line feeds, each from `seq` on without a gap.
    pub lines: Vec<String>,
    /// The last [`FeedEvent::Head`] that this agent was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_head: Option<String>,
}

/// Its answer: up to where the organization holds the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadAnswer {
    /// [`super::organization::VERSION`].
    pub v: u32,
    /// Number of the last record held; 0: none. The next batch begins after it.
    pub held_seq: u64,
    /// Its hash.
    pub held_hash: String,
    /// What is wrong with the log, in words: a gap, a rewrite. The alarm was raised.
    pub alarm: Option<String>,
    /// As in [`FeedEvent::Head`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
}
