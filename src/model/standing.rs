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

/// Why a session is over. A field and not a sentence: what is said of it differs by reader, and an older state
/// that knew only words is still read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum EndReason {
    /// It is older than the organization allows, by our own count.
    SessionAge {
        /// The limit.
        session_age_ms: u64,
    },
    /// In our words, or the issuer's.
    Words(String),
}

impl EndReason {
    /// As a part of a sentence, to follow a colon.
    pub fn words(&self) -> String {
        match self {
            Self::SessionAge { session_age_ms } => format!(
                "the organization wants a sign-in every {}",
                super::time::span(*session_age_ms)
            ),
            Self::Words(words) => words.clone(),
        }
    }
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
