//! How a session stands, as a word.

use serde::{Deserialize, Serialize};

/// The standing of a session (design §1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StandingWord {
    /// Proven.
    Active,
    /// No proof within the lease.
    Unproven,
    /// The identity provider no longer honours the session.
    Ended,
    /// A signal said so.
    Revoked,
    /// Nobody is signed in.
    SignedOut,
}

impl StandingWord {
    /// The word shown to people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Unproven => "unproven",
            Self::Ended => "ended",
            Self::Revoked => "revoked",
            Self::SignedOut => "signed-out",
        }
    }
}
