//! What a heartbeat proves, by how long it can have been on its way.

use super::LATE_MS;
use oam_model::time::Moment;

/// The journey of one connection's heartbeats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DelayEstimator {
    /// When the connection was asked for: nothing on it was sent before.
    asked: Moment,
    /// Send times of the first and the last heartbeat, by the issuer's clock, Unix ms.
    first_sent_ms: Option<u64>,
    last_sent_ms: Option<u64>,
}

/// A heartbeat judged.
pub(super) struct Heartbeat {
    /// The time that it proves the identity for; none when it came through a buffer.
    pub(super) proof: Option<Moment>,
    /// Time since the one before, at the issuer, ms.
    pub(super) gap_ms: Option<u64>,
    /// The longest that it can have been on its way by the steady clock alone, ms: what is known of the wall
    /// clock must not hang on it.
    pub(super) on_way_ms: u64,
}

impl DelayEstimator {
    pub(super) const fn new(asked: Moment) -> Self {
        Self {
            asked,
            first_sent_ms: None,
            last_sent_ms: None,
        }
    }

    pub(super) fn heartbeat(&mut self, as_of_ms: u64, sent_at_ms: u64, now: Moment) -> Heartbeat {
        let first = *self.first_sent_ms.get_or_insert(sent_at_ms);
        let gap_ms = self
            .last_sent_ms
            .replace(sent_at_ms)
            .map(|before| sent_at_ms.saturating_sub(before));
        // The longest that it can have been on its way. `since` counts a suspend, and a clock that
        // was set; an issuer's clock that was set back makes heartbeats late, never young.
        let passed_there = sent_at_ms.saturating_sub(first);
        let behind = now.since(self.asked).saturating_sub(passed_there);
        let steady = now.boot_ms.saturating_sub(self.asked.boot_ms);
        let age = sent_at_ms.saturating_sub(as_of_ms);
        let proof = (behind <= LATE_MS).then(|| {
            let ago = age.saturating_add(behind);
            Moment::new(
                now.boot_ms.saturating_sub(ago),
                now.wall_ms.saturating_sub(ago),
            )
        });
        Heartbeat {
            proof,
            gap_ms,
            on_way_ms: steady.saturating_sub(passed_there),
        }
    }
}
