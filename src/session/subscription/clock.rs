//! How far the wall clock of this machine is from the issuer's, by heartbeats.

use super::LATE_MS;
use oam_model::time::Moment;
use std::collections::VecDeque;

/// So many heartbeats are looked at: four minutes of a feed.
const RECENT: usize = 16;
/// A heartbeat is forgotten after this, ms by the steady clock: either clock may have been set since.
const AGE_MS: u64 = 10 * 60_000;

/// What recent heartbeats say of the two clocks.
///
/// Each was on its way for an unknown time, which makes our clock look ahead; the smallest gap is the nearest
/// to the truth. It is kept against the steady clock, so that a wall clock that was set is judged as it is
/// now, by heartbeats that came before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClockGap {
    /// When it was heard by the steady clock, and by how much that is more than when it was sent.
    heard: VecDeque<(u64, i64)>,
}

impl ClockGap {
    pub(super) const fn new() -> Self {
        Self {
            heard: VecDeque::new(),
        }
    }

    /// A heartbeat that was on its way for no longer than `on_way_ms`. One that came through a buffer tells
    /// nothing of clocks.
    pub(super) fn heard(&mut self, sent_at_ms: u64, on_way_ms: u64, now: Moment) {
        if on_way_ms > LATE_MS {
            return;
        }
        if let Some(steady) = difference(now.boot_ms, sent_at_ms) {
            self.heard.truncate(RECENT - 1);
            self.heard.push_front((now.boot_ms, steady));
        }
    }

    /// How far our wall clock is ahead, ms; negative: behind. Not known without a recent heartbeat.
    pub(super) fn ahead_ms(&self, now: Moment) -> Option<i64> {
        let recent = |at: u64| now.boot_ms.saturating_sub(at) <= AGE_MS;
        let gaps = self.heard.iter().filter(|(at, _)| recent(*at));
        let smallest = gaps.map(|(_, gap)| *gap).min()?;
        difference(now.wall_ms, now.boot_ms)?.checked_add(smallest)
    }
}

fn difference(later: u64, earlier: u64) -> Option<i64> {
    i64::try_from(i128::from(later) - i128::from(earlier)).ok()
}

#[cfg(test)]
mod tests {
    use super::{AGE_MS, ClockGap, LATE_MS, Moment, RECENT};
    use proptest::prelude::*;

    const START: Moment = Moment::new(5_000_000, 1_800_000_000_000);

    proptest! {
        #[test]
        fn the_gap_is_right_but_for_the_quickest_journey_and_follows_a_clock_that_is_set(
            ahead in -4_000_000_i64..4_000_000,
            set in -4_000_000_i64..4_000_000,
            ways in proptest::collection::vec(0..20_000_u64, 1..40),
        ) {
            let mut gap = ClockGap::new();
            let mut now = START;
            for way in &ways {
                now = now.plus(15_000);
                let sent = (now.wall_ms - way).checked_add_signed(-ahead).unwrap();
                gap.heard(sent, *way, now);
            }
            let counted = ways.iter().rev().filter(|way| **way <= LATE_MS).take(RECENT);
            let quickest = counted.min().map(|way| i64::try_from(*way).unwrap());
            prop_assert_eq!(gap.ahead_ms(now), quickest.map(|way| ahead + way));
            let wall = now.wall_ms.checked_add_signed(set).unwrap();
            let after = Moment::new(now.boot_ms + 1_000, wall + 1_000);
            prop_assert_eq!(gap.ahead_ms(after), quickest.map(|way| ahead + way + set));
            prop_assert_eq!(gap.ahead_ms(now.plus(AGE_MS + 1)), None);
        }

        #[test]
        fn no_time_that_somebody_sends_overflows(sent: u64, boot: u64, wall: u64) {
            let mut gap = ClockGap::new();
            gap.heard(sent, 0, Moment::new(boot, wall));
            gap.ahead_ms(Moment::new(wall, boot));
        }
    }
}
