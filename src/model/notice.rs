//! What was told a person on the desktop. It outlives the agent, so that a cause is told once, and a sign-in that is
//! needed once an hour, whichever agent runs.

use serde::{Deserialize, Serialize};

/// What was told of one organization since the last sign-in there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ToldNotices {
    /// Unix milliseconds at which the coming end of the session was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_soon_at_ms: Option<u64>,
    /// Unix milliseconds at which it was last shown that the session is over, or that a program needs a sign-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign_in_at_ms: Option<u64>,
    /// A program needed a sign-in, and nobody has seen that yet.
    #[serde(default)]
    pub sign_in_waits: bool,
}
