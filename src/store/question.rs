//! What is asked of the store beside rows: a place in the feed, a part of the audit log.

use oam_model::feed::FeedEvent;
use oam_model::principal::PrincipalKey;

/// A cursor of the feed. The generation names the database, so that a cursor of another one is unknown.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// Name of the database.
    pub generation: String,
    /// Number of the last event seen by the subject.
    pub seq: u64,
}

/// What the feed holds after a cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedPage {
    /// The cursor given is of another database, ahead of this one, or older than what is kept.
    pub reset: bool,
    /// Events after it, with their numbers.
    pub events: Vec<(u64, FeedEvent)>,
    /// The cursor at the end of it.
    pub head: Cursor,
}

/// What the feed of all subjects holds after a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedOfAll {
    /// Name of the database: numbers of another one say nothing here.
    pub generation: String,
    /// Events with their numbers and whose they are.
    pub events: Vec<(u64, PrincipalKey, FeedEvent)>,
}

/// What to look for in the audit log. Everything given must match.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditFilter {
    /// Stable key, user name or e-mail.
    pub person: Option<String>,
    pub role: Option<String>,
    pub repository: Option<String>,
    /// SHA-256 of a token.
    pub token_sha256: Option<String>,
    pub request_id: Option<String>,
    /// From, Unix milliseconds.
    pub from_ms: Option<u64>,
    /// Up to and without, Unix milliseconds.
    pub to_ms: Option<u64>,
}

/// What was dropped by age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pruned {
    /// Audit entries.
    pub entries: u64,
    /// Records of agents.
    pub records: u64,
}

/// A line of the audit log as it is hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditLine {
    /// Its number.
    pub seq: u64,
    /// The line: JSON with `seq`, `prev` and `hash`.
    pub line: String,
}
