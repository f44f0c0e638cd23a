//! Hubs that did not take an order to end tokens, and when each is asked again.
//!
//! One that answers 405 for good, or is away for a night, would else be asked with every sweep, for as long as
//! its tokens live. Whoever ends a token by hand asks at once all the same.

use oam_model::name::HubName;
use std::collections::BTreeMap;

/// Milliseconds until a hub is asked again after its first refusal; doubled with each that follows.
const FIRST_MS: u64 = 5_000;
/// The longest of them: a hub that is back is told within that time.
const LONGEST_MS: u64 = 300_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rest {
    refusals: u32,
    until_ms: u64,
}

/// The hubs that rest. In memory: a new start asks each of them once.
#[derive(Debug, Default)]
pub(super) struct Rests(BTreeMap<HubName, Rest>);

impl Rests {
    /// Whether the sweep leaves this hub alone at `now_ms`, a time that does not leap.
    pub(super) fn is_resting(&self, hub: &HubName, now_ms: u64) -> bool {
        self.0.get(hub).is_some_and(|rest| now_ms < rest.until_ms)
    }

    /// Takes down what the sweep found at a hub.
    pub(super) fn heard(&mut self, hub: &HubName, took: bool, now_ms: u64) {
        if took {
            self.0.remove(hub);
            return;
        }
        let refusals = self.0.get(hub).map_or(0, |rest| rest.refusals);
        let wait = FIRST_MS.saturating_mul(1_u64.checked_shl(refusals).unwrap_or(u64::MAX));
        let rest = Rest {
            refusals: refusals.saturating_add(1),
            until_ms: now_ms.saturating_add(wait.min(LONGEST_MS)),
        };
        self.0.insert(hub.clone(), rest);
    }
}

#[cfg(test)]
mod tests {
    use super::{FIRST_MS, LONGEST_MS, Rests};
    use oam_model::name::HubName;
    use proptest::prelude::*;

    fn hub(name: &str) -> HubName {
        name.parse().unwrap()
    }

    /// When this hub may be asked again, counted from `now`.
    fn waits(rests: &Rests, name: &HubName, now: u64) -> u64 {
        (0..=LONGEST_MS)
            .step_by(1000)
            .find(|ms| !rests.is_resting(name, now + ms))
            .unwrap()
    }

    #[test]
    fn each_refusal_doubles_the_rest_up_to_a_limit_and_an_order_taken_ends_it() {
        let (mut rests, name) = (Rests::default(), hub("hf"));
        let mut seen = Vec::new();
        for _ in 0..9 {
            rests.heard(&name, false, 7);
            seen.push(waits(&rests, &name, 7) / 1000);
        }
        assert_eq!(seen, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
        rests.heard(&name, true, 7);
        assert!(!rests.is_resting(&name, 7));
        rests.heard(&name, false, 7);
        assert_eq!(waits(&rests, &name, 7), FIRST_MS);
    }

    proptest! {
        #[test]
        fn no_hub_rests_for_another_nor_longer_than_the_limit(
            heard in prop::collection::vec((0_usize..3, any::<bool>(), 0_u64..1_000_000), 0..200),
        ) {
            let names = [hub("a"), hub("b"), hub("c")];
            let mut rests = Rests::default();
            let mut last = [None; 3];
            for (at, took, now) in heard {
                rests.heard(&names[at], took, now);
                last[at] = Some((took, now));
            }
            for (name, last) in names.iter().zip(last) {
                let until = last.and_then(|(took, now)| (!took).then_some(now + LONGEST_MS));
                prop_assert!(!rests.is_resting(name, until.unwrap_or(0)));
            }
        }
    }
}
