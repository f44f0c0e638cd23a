//! The way back to an agent whose connection was lost while a command runs.

use crate::agent_client::AgentClient;
use oam_model::refusal::{Refusal, RefusalCode};
use oam_terminal::Talk;
use std::thread;
use std::time::{Duration, Instant};

/// How long the agent may be out of reach: after it nobody would tell that the session ended.
const LOST: Duration = Duration::from_secs(10);

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(200);

/// A connection on which `resume` took up what was lost; it is told how much time is left. `out_of_reach` is what comes
/// of an agent that stays away.
///
/// # Errors
/// Whatever else `resume` is refused with, at once.
pub(super) fn reconnect(
    talk: Talk,
    out_of_reach: Refusal,
    resume: impl Fn(AgentClient, Duration) -> Result<AgentClient, Refusal>,
) -> Result<AgentClient, Refusal> {
    let deadline = Instant::now() + LOST;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(out_of_reach);
        }
        match AgentClient::again(talk).and_then(|link| resume(link, left)) {
            Err(refusal) if refusal.code == RefusalCode::Unreachable => {
                thread::sleep(PAUSE.min(left));
            }
            settled => return settled,
        }
    }
}
