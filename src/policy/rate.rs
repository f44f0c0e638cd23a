//! How often somebody may ask: the generic cell rate algorithm (ITU-T I.371), one number a caller.
//!
//! Chosen over a token bucket, which keeps two numbers and rounds at every refill, and over windows,
//! which let twice the rate pass at their seam.

/// A rate: so many a minute, so many of them at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    interval_us: u64,
    tolerance_us: u64,
}

/// What became of an ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// It may pass. Keep the number for the next ask.
    Pass {
        /// When the caller will have used up what this ask took, microseconds of the same clock.
        next_us: u64,
    },
    /// Too soon. Nothing to keep: an ask that was turned away takes nothing.
    Wait {
        /// Until the next one passes, microseconds; at least 1.
        wait_us: u64,
    },
}

const MINUTE_US: u64 = 60_000_000;
const DAY_US: u64 = 24 * 60 * MINUTE_US;

impl Rate {
    /// `per_minute` asks a minute, `burst` of them at once. Zeros count as one: a limit that lets
    /// nobody in is a configuration's fault, which `config` names.
    pub const fn new(per_minute: u32, burst: u32) -> Self {
        let per_minute = if per_minute == 0 {
            1
        } else {
            per_minute as u64
        };
        let burst = if burst == 0 { 1 } else { burst as u64 };
        let interval_us = MINUTE_US / per_minute;
        Self {
            interval_us,
            tolerance_us: interval_us.saturating_mul(burst - 1),
        }
    }

    /// `per_day` asks a day, `burst` of them at once. Zeros count as one.
    pub const fn daily(per_day: u32, burst: u32) -> Self {
        let per_day = if per_day == 0 { 1 } else { per_day as u64 };
        let burst = if burst == 0 { 1 } else { burst as u64 };
        let interval_us = DAY_US / per_day;
        Self {
            interval_us,
            tolerance_us: interval_us.saturating_mul(burst - 1),
        }
    }

    /// What an ask took, given back: for one that turned out to be nobody's burden.
    pub const fn give_back(self, next_us: u64) -> u64 {
        next_us.saturating_sub(self.interval_us)
    }

    /// Decides one ask at `now_us` (microseconds of a steady clock) of a caller whose last [`Pace::Pass`] was
    /// `next_us`; 0 for a caller never seen.
    pub const fn ask(self, next_us: u64, now_us: u64) -> Pace {
        let ahead = next_us.saturating_sub(now_us);
        if ahead > self.tolerance_us {
            return Pace::Wait {
                wait_us: ahead - self.tolerance_us,
            };
        }
        let from = if next_us > now_us { next_us } else { now_us };
        Pace::Pass {
            next_us: from.saturating_add(self.interval_us),
        }
    }

    /// Whether a caller with this number is the same as one never seen, and may be forgotten.
    pub const fn is_idle(next_us: u64, now_us: u64) -> bool {
        next_us <= now_us
    }
}

#[cfg(test)]
mod tests {
    use super::{Pace, Rate};
    use proptest::prelude::*;

    /// How many of `asks` (microseconds, in order) pass.
    fn passed(rate: Rate, asks: &[u64]) -> Vec<u64> {
        let mut next = 0;
        let mut passed = Vec::new();
        for now in asks {
            if let Pace::Pass { next_us } = rate.ask(next, *now) {
                next = next_us;
                passed.push(*now);
            }
        }
        passed
    }

    #[test]
    fn a_burst_passes_and_the_next_one_is_told_how_long_to_wait() {
        let rate = Rate::new(60, 3);
        assert_eq!(passed(rate, &[5, 5, 5, 5, 5]).len(), 3);
        let next = (0..3).fold(0, |next, _| match rate.ask(next, 1_000_000) {
            Pace::Pass { next_us } => next_us,
            Pace::Wait { .. } => next,
        });
        assert_eq!(rate.ask(next, 1_000_000), Pace::Wait { wait_us: 1_000_000 });
    }

    #[test]
    fn a_limit_of_nothing_lets_one_pass() {
        assert_eq!(passed(Rate::new(0, 0), &[1, 2, 3]).len(), 1);
    }

    proptest! {
        #[test]
        fn no_minute_sees_more_than_the_rate_and_the_burst(
            per_minute in 1u32..500,
            burst in 1u32..50,
            gaps in prop::collection::vec(0u64..2_000_000, 1..400),
        ) {
            let rate = Rate::new(per_minute, burst);
            let mut now = 1_000_000;
            let asks: Vec<u64> = gaps.iter().map(|gap| { now += gap; now }).collect();
            let passed = passed(rate, &asks);
            for (index, first) in passed.iter().enumerate() {
                let within = passed[index..].iter().take_while(|at| **at < first + 60_000_000).count();
                prop_assert!(within <= per_minute as usize + burst as usize + 1);
            }
        }

        #[test]
        fn what_is_given_back_can_be_asked_again(per_minute in 1u32..500, burst in 1u32..50, now in 1_000_000_000u64..2_000_000_000) {
            let rate = Rate::new(per_minute, burst);
            let mut next = 0;
            for _ in 0..1_000 {
                let asked = rate.ask(next, now);
                let passes = matches!(asked, Pace::Pass { .. });
                prop_assert!(passes);
                if let Pace::Pass { next_us } = asked {
                    next = rate.give_back(next_us);
                }
            }
        }

        #[test]
        fn who_waits_as_long_as_told_passes(next in 0u64..10_000_000_000, now in 0u64..10_000_000_000) {
            let rate = Rate::new(30, 5);
            if let Pace::Wait { wait_us } = rate.ask(next, now) {
                let later = rate.ask(next, now + wait_us);
                let passes = matches!(later, Pace::Pass { .. });
                prop_assert!(passes);
            }
        }

        #[test]
        fn a_caller_that_is_forgotten_when_idle_is_treated_alike(next in 0u64..1_000_000, now in 1_000_000u64..2_000_000) {
            let rate = Rate::new(30, 5);
            prop_assert!(Rate::is_idle(next, now));
            prop_assert_eq!(rate.ask(next, now), rate.ask(0, now));
        }
    }
}
