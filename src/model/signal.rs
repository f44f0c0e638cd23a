//! What a leaver signal says, whatever its wire form: SSF, RISC, back-channel logout, an administrator.

use super::name::SourceName;
use serde::{Deserialize, Serialize};

/// How a signal names whom it is about. All members that are given must match.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SignalSubject {
    /// `iss` of the identity.
    pub issuer: Option<String>,
    /// `sub` at that issuer.
    pub subject: Option<String>,
    /// E-mail, for transmitters that send nothing else.
    pub email: Option<String>,
    /// The stable key of the source.
    pub key: Option<String>,
    /// The provider's session (`sid`).
    pub session: Option<String>,
}

impl SignalSubject {
    /// Whether it names nobody: to look for it would find everybody.
    pub const fn is_empty(&self) -> bool {
        self.subject.is_none()
            && self.email.is_none()
            && self.key.is_none()
            && self.session.is_none()
    }
}

/// What follows from a signal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignalMeaning {
    /// The account may no longer be used: refused until it is enabled again.
    AccountEnded,
    /// The account may be used again, by a new sign-in.
    AccountRestored,
    /// The session is over: refused until a sign-in later than the signal.
    SessionEnded,
    /// Weak evidence (a logout): the session is over for the agent, the provider is asked again.
    SessionDoubtful,
    /// Groups may be others: these, or unknown until the next token.
    ClaimsChanged {
        /// The new groups, when the signal names them.
        groups: Option<Vec<String>>,
    },
    /// The stream was verified: it lives.
    StreamVerified,
    /// The transmitter paused or disabled the stream: its silence is no evidence, and a person must look.
    StreamStopped,
    /// Understood, but a part that must not be ignored is unknown here (SSF 1.0 §3): not acted on, and a
    /// person must look.
    NotActedOn,
    /// On record, nothing else.
    Noted,
}

/// A verified signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    /// The source of the people that it speaks of.
    pub source: SourceName,
    /// Whom. Empty: nobody that can be found here.
    pub subject: SignalSubject,
    /// Other names of the same subject, tried in order while nobody matches.
    pub also: Vec<SignalSubject>,
    /// What follows.
    pub meaning: SignalMeaning,
    /// When it happened, Unix milliseconds (`event_timestamp`, else `iat`).
    pub at_ms: u64,
    /// Our own words, for record and feed: `account-disabled (hijacking)`.
    pub reason: String,
    /// Issuer of the signal, to tell replays.
    pub transmitter: String,
    /// `jti`, to tell replays.
    pub id: String,
}
