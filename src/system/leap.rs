//! What time it is where a wrong answer loses something for good: a wall clock that leaps ahead is not believed
//! at once. Until then the time goes on as the steady clock does.

use oam_model::time::Moment;

/// A smaller leap is a clock that is being corrected, ms.
const SLACK_MS: u64 = 60_000;
/// A leap that nobody took back for this long is the time, ms.
const STOOD_MS: u64 = 3_600_000;

/// Watches the wall clock by the steady one.
#[derive(Debug, Clone, Copy)]
pub struct ClockWatch {
    believed: Moment,
    /// The steady clock's reading when the wall clock was first found ahead.
    ahead_since_ms: Option<u64>,
}

impl ClockWatch {
    /// Believes the wall clock as it is at this moment.
    pub const fn trusting(now: Moment) -> Self {
        Self {
            believed: now,
            ahead_since_ms: None,
        }
    }

    /// Believes nothing yet: a machine may start with a wrong clock, which is corrected soon. Until it has stood
    /// for an hour it is the beginning of time.
    pub const fn doubting(now: Moment) -> Self {
        Self {
            believed: Moment::new(now.boot_ms, 0),
            ahead_since_ms: Some(now.boot_ms),
        }
    }

    /// The time that can be acted upon at `now`, Unix milliseconds: never ahead of the wall clock.
    pub fn at(&mut self, now: Moment) -> u64 {
        let passed = now.boot_ms.saturating_sub(self.believed.boot_ms);
        let expected = self.believed.wall_ms.saturating_add(passed);
        let fits = now.wall_ms <= expected.saturating_add(SLACK_MS);
        let since = *self.ahead_since_ms.get_or_insert(now.boot_ms);
        if !fits && now.boot_ms.saturating_sub(since) < STOOD_MS {
            return expected;
        }
        *self = Self::trusting(now);
        now.wall_ms
    }
}

#[cfg(test)]
mod tests {
    use super::{ClockWatch, SLACK_MS, STOOD_MS};
    use oam_model::time::Moment;
    use proptest::prelude::*;

    const NOW: Moment = Moment::new(5_000_000, 1_790_000_000_000);
    const MONTH_MS: u64 = 30 * 86_400_000;

    #[test]
    fn a_leap_ahead_is_believed_when_it_has_stood_for_an_hour() {
        let mut watch = ClockWatch::trusting(NOW);
        let leapt = |after_ms: u64| {
            let now = NOW.plus(after_ms);
            Moment::new(now.boot_ms, now.wall_ms + MONTH_MS)
        };
        assert_eq!(watch.at(NOW.plus(5_000)), NOW.wall_ms + 5_000);
        assert_eq!(watch.at(leapt(10_000)), NOW.wall_ms + 10_000);
        assert_eq!(watch.at(leapt(600_000)), NOW.wall_ms + 600_000);
        // Taken back, and again.
        assert_eq!(watch.at(NOW.plus(700_000)), NOW.wall_ms + 700_000);
        assert_eq!(watch.at(leapt(800_000)), NOW.wall_ms + 800_000);
        let before = 800_000 + STOOD_MS - 1;
        assert_eq!(watch.at(leapt(before)), NOW.wall_ms + before);
        assert_eq!(watch.at(leapt(before + 1)), leapt(before + 1).wall_ms);
        assert_eq!(watch.at(leapt(before + 9)), leapt(before + 9).wall_ms);
    }

    #[test]
    fn a_clock_that_was_just_started_with_is_doubted_for_an_hour() {
        let mut watch = ClockWatch::doubting(NOW);
        assert!(watch.at(NOW.plus(STOOD_MS - 1)) < MONTH_MS);
        let later = NOW.plus(STOOD_MS);
        assert_eq!(watch.at(later), later.wall_ms);
    }

    proptest! {
        #[test]
        fn it_is_never_later_than_the_wall_clock_says_and_leaps_only_after_an_hour(
            steps in prop::collection::vec((0u64..600_000, -MONTH..MONTH), 1..100),
        ) {
            let mut watch = ClockWatch::trusting(NOW);
            let (mut boot, mut said) = (NOW.boot_ms, NOW.wall_ms);
            let mut fitted = NOW.boot_ms;
            for (passed, off) in steps {
                boot += passed;
                let wall = (NOW.wall_ms + boot - NOW.boot_ms).saturating_add_signed(off);
                let now = watch.at(Moment::new(boot, wall));
                prop_assert!(now <= wall);
                let leapt = now > said + passed + SLACK_MS;
                prop_assert!(!leapt || boot - fitted >= STOOD_MS);
                if now == wall {
                    fitted = boot;
                }
                said = now;
            }
        }
    }

    const MONTH: i64 = 30 * 86_400_000;
}
