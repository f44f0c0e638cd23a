//! A denied ask, as data: code, one sentence, the next step.
//!
//! It crosses the wire unchanged, so git, the command line and the record say the same.

use super::standing::{EndReason, StandingWord};
use serde::{Deserialize, Serialize};

/// The kinds of refusal (promise 2): each has its own next step and exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalCode {
    /// A signal said that the identity or session is revoked.
    Revoked,
    /// The identity provider no longer honours the session.
    Ended,
    /// Nobody is signed in.
    SignedOut,
    /// The identity could not be proven within the lease.
    Unproven,
    /// Policy: no grant covers the ask, or more than one does equally well.
    Denied,
    /// The hub rejected a token that was just issued.
    Rejected,
    /// Something needed is not there: token endpoint, keyring, audit log.
    Unavailable,
    /// Too much at once.
    Busy,
    /// The request itself is wrong.
    BadRequest,
    /// The agent can't be reached.
    Unreachable,
}

impl RefusalCode {
    /// Whether it says nothing about the identity, the right or the request, so that it may be another matter
    /// a moment later.
    pub const fn passes(self) -> bool {
        matches!(self, Self::Unavailable | Self::Busy | Self::Unreachable)
    }

    /// The word used on the wire and in records.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::Ended => "ended",
            Self::SignedOut => "signed-out",
            Self::Unproven => "unproven",
            Self::Denied => "denied",
            Self::Rejected => "rejected",
            Self::Unavailable => "unavailable",
            Self::Busy => "busy",
            Self::BadRequest => "bad-request",
            Self::Unreachable => "unreachable",
        }
    }

    /// The exit code of a command that ends with this refusal (`oam help` lists them).
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Rejected | Self::Unavailable | Self::Busy => 1,
            Self::BadRequest => 2,
            Self::SignedOut | Self::Ended | Self::Unproven => 3,
            Self::Revoked => 4,
            Self::Denied => 5,
            Self::Unreachable => 6,
        }
    }
}

/// A refusal with its words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The kind.
    pub code: RefusalCode,
    /// What happened, one sentence without a full stop.
    pub sentence: String,
    /// What to do next, one sentence without a full stop.
    pub next: String,
    /// Why it came to this, without the words around it, where somebody goes on with it: nobody reads it
    /// out of the sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Refusal {
    /// A refusal from its three parts.
    pub fn new(code: RefusalCode, sentence: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            code,
            sentence: sentence.into(),
            next: next.into(),
            reason: None,
        }
    }

    /// The same with its reason as a field.
    #[must_use]
    pub fn because(self, reason: Option<&str>) -> Self {
        Self {
            reason: reason.map(str::to_owned),
            ..self
        }
    }

    /// No grant covers the ask.
    pub fn denied(sentence: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(RefusalCode::Denied, sentence, next)
    }

    /// No configured hub owns the address.
    pub fn no_hub() -> Self {
        Self::denied(
            "no configured hub owns this address",
            "run `oam status` to see the hubs, or add this one to the configuration",
        )
    }

    /// Something needed is not there.
    pub fn unavailable(sentence: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(RefusalCode::Unavailable, sentence, next)
    }

    /// The request itself is wrong.
    pub fn bad_request(sentence: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(RefusalCode::BadRequest, sentence, next)
    }

    /// The words for a session that is over, by its reason: our own limit is not the provider's word.
    pub fn over(org: &str, standing: StandingWord, reason: Option<&EndReason>) -> Self {
        match reason {
            Some(age @ EndReason::SessionAge { .. }) => Self::new(
                RefusalCode::Ended,
                format!("the sign-in to {org} is over its age: {}", age.words()),
                format!("run `oam login {org}`"),
            ),
            _ => Self::standing(org, standing, reason.map(EndReason::words).as_deref()),
        }
    }

    /// The words for a session that is not active. `detail` tells why, from our own texts only.
    pub fn standing(org: &str, standing: StandingWord, detail: Option<&str>) -> Self {
        let because = detail.map(|d| format!(": {d}")).unwrap_or_default();
        let login = format!("run `oam login {org}`");
        let refusal = match standing {
            StandingWord::Revoked => Self::new(
                RefusalCode::Revoked,
                format!("access to {org} was revoked{because}"),
                format!("ask the administrators of {org} why; if it was a mistake, {login}"),
            ),
            StandingWord::Ended => Self::new(
                RefusalCode::Ended,
                format!("the identity provider of {org} no longer honours this session{because}"),
                format!("{login}; if that is refused, your access was removed"),
            ),
            StandingWord::SignedOut => Self::new(
                RefusalCode::SignedOut,
                format!("nobody is signed in to {org}{because}"),
                login,
            ),
            StandingWord::Unproven | StandingWord::Active => Self::new(
                RefusalCode::Unproven,
                format!("the identity provider of {org} could not confirm this session{because}"),
                "check the network and try again; `oam status` shows the last proof",
            ),
        };
        refusal.because(detail)
    }
}
