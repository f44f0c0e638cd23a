//! Who asks the issuer for a token, as a verified subject token said it.

use super::name::SourceName;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;
use std::sync::Arc;

/// Whether a source speaks of people or of jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum PrincipalKind {
    /// A person of the organization.
    #[default]
    Person,
    /// A CI job or another workload: no session, no feed.
    Job,
}

/// A person or job, for ever the same whatever its name: the source and a stable key of it (the
/// subject, or the claim that the source's settings name), never an e-mail alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PrincipalKey {
    /// The identity source.
    pub source: SourceName,
    /// Its stable key.
    pub key: String,
}

impl fmt::Display for PrincipalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.source, self.key)
    }
}

/// The groups of a principal. "Unknown" is never "none": Entra sends an overage marker instead of
/// the groups of whoever is in more than 200.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Groups {
    /// As the source said them.
    Known(Vec<String>),
    /// The token did not fit them; the words say what to do.
    Unknown {
        /// What was in the token instead, one sentence.
        sentence: String,
        /// What the company has to change, one sentence.
        next: String,
    },
}

/// A principal: nothing in it is a secret, and all of it was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Source and stable key.
    pub key: PrincipalKey,
    /// Person or job.
    pub kind: PrincipalKind,
    /// `iss`, byte for byte.
    pub issuer: String,
    /// `sub`.
    pub subject: String,
    /// For display and for finding a person by hand: `preferred_username`, or what the source names.
    pub username: Option<String>,
    /// For display, and to match signals that name nothing else.
    pub email: Option<String>,
    /// The source says that it is theirs, or is known to have none but such.
    pub email_verified: bool,
    /// Groups.
    pub groups: Groups,
    /// The provider's session (`sid`), to match a logout.
    pub session: Option<String>,
    /// All claims of the token (and of userinfo where it was asked), for conditions of the policy. Shared:
    /// there can be a hundred of them, and a principal is handed on several times in one exchange.
    pub claims: Arc<Map<String, Value>>,
    /// The time that the evidence speaks of (`iat`, or the moment of an introspection), Unix seconds.
    pub proven_at: u64,
    /// `auth_time`, Unix seconds, when the source sends it.
    pub auth_time: Option<u64>,
    /// Expiry of the subject token, Unix seconds.
    pub expires_at: u64,
}
