//! How a session stands, as a word.

use serde::{Deserialize, Serialize};

/// The standing of a session.
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
            Self::Words(words) => plainly(words),
        }
    }
}

/// Events of identity providers (RISC, CAEP) as they are named in signals and records, and as people say them.
const EVENTS: &[(&str, &str)] = &[
    ("account-disabled", "the account was disabled"),
    ("account-purged", "the account was deleted"),
    (
        "account-credential-change-required",
        "the account needs a new credential",
    ),
    ("credential-change", "a credential was changed"),
    ("credential-compromise", "a credential was found by others"),
    ("session-revoked", "the session was revoked"),
    ("sessions-revoked", "all sessions were revoked"),
];

/// A reason without a machine's word at its beginning; `account-disabled (hijacking)` keeps the rest.
fn plainly(words: &str) -> String {
    let known = EVENTS.iter().find_map(|(word, said)| {
        let rest = words.strip_prefix(word)?;
        (rest.is_empty() || rest.starts_with(' ')).then(|| format!("{said}{rest}"))
    });
    known.unwrap_or_else(|| words.to_owned())
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

#[cfg(test)]
mod tests {
    use super::EndReason;

    #[test]
    fn a_machines_word_is_said_as_people_say_it() {
        let said = |words: &str| EndReason::Words(words.into()).words();
        assert_eq!(said("account-disabled"), "the account was disabled");
        assert_eq!(
            said("session-revoked (policy)"),
            "the session was revoked (policy)"
        );
        assert_eq!(said("session-revoked-x"), "session-revoked-x");
        assert_eq!(said("left on Friday"), "left on Friday");
    }
}
