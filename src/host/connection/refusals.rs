//! Refusals of the connection itself.

use oam_model::refusal::{Refusal, RefusalCode};

pub(super) fn stopping() -> Refusal {
    Refusal::new(
        RefusalCode::Unreachable,
        "the agent is about to end",
        "try again in a moment",
    )
}

pub(super) fn ended_meanwhile() -> Refusal {
    Refusal::new(
        RefusalCode::Ended,
        "the session ended while this was answered",
        "ask again; `oam status` shows why it ended",
    )
}

pub(super) fn too_long() -> Refusal {
    Refusal::unavailable(
        "the answer is too long for one message",
        "ask for less, or shorten the configuration",
    )
}
