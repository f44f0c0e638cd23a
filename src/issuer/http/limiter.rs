//! Who asked how much lately. Bounded: a flood of callers costs no more memory than the bound.

use crate::rules::rate::{Pace, Rate};
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// Shortest time between two sweeps of a full map, microseconds: sweeping looks at every entry.
const SWEEP_US: u64 = 1_000_000;

/// A limiter for callers named by `K`.
pub struct Limiter<K> {
    most: usize,
    callers: Mutex<Callers<K>>,
}

/// Times in Unix microseconds, as [`Rate`] keeps them.
struct Callers<K> {
    next: HashMap<K, u64>,
    /// Callers that did not fit share this one.
    others: u64,
    swept: u64,
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    /// Remembers at most `most` callers.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            callers: Mutex::new(Callers {
                next: HashMap::new(),
                others: 0,
                swept: 0,
            }),
        }
    }

    /// Counts one ask of `caller`.
    ///
    /// # Errors
    /// Too soon: seconds to wait, at least 1.
    pub fn ask(&self, rate: Rate, caller: &K, now_us: u64) -> Result<(), u64> {
        let mut callers = self.lock();
        callers.make_room(self.most, caller, now_us);
        let Callers { next, others, .. } = &mut *callers;
        let known = next.get(caller).copied();
        let fits = known.is_some() || next.len() < self.most;
        let before = if fits { known.unwrap_or(0) } else { *others };
        match rate.ask(before, now_us) {
            Pace::Pass { next_us } if fits => {
                match next.get_mut(caller) {
                    Some(kept) => *kept = next_us,
                    None => {
                        next.insert(caller.clone(), next_us);
                    }
                }
                Ok(())
            }
            Pace::Pass { next_us } => {
                *others = next_us;
                Ok(())
            }
            Pace::Wait { wait_us } => Err(wait_us.div_ceil(1_000_000).max(1)),
        }
    }

    /// Whether the next ask of `caller` would pass; counts nothing.
    ///
    /// # Errors
    /// As [`Limiter::ask`].
    pub fn look(&self, rate: Rate, caller: &K, now_us: u64) -> Result<(), u64> {
        let callers = self.lock();
        let known = callers.next.get(caller).copied();
        let full = callers.next.len() >= self.most;
        let before = known.unwrap_or(if full { callers.others } else { 0 });
        match rate.ask(before, now_us) {
            Pace::Pass { .. } => Ok(()),
            Pace::Wait { wait_us } => Err(wait_us.div_ceil(1_000_000).max(1)),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Callers<K>> {
        self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq> Callers<K> {
    fn make_room(&mut self, most: usize, caller: &K, now_us: u64) {
        let full = self.next.len() >= most && !self.next.contains_key(caller);
        if full && now_us.saturating_sub(self.swept) >= SWEEP_US {
            self.swept = now_us;
            self.next.retain(|_, next| !Rate::is_idle(*next, now_us));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Limiter;
    use crate::rules::rate::Rate;

    const START: u64 = 1_000_000_000;

    #[test]
    fn one_caller_does_not_use_up_anothers_share() {
        let limiter = Limiter::new(10);
        let rate = Rate::new(60, 1);
        assert_eq!(limiter.ask(rate, &"ada", START), Ok(()));
        assert_eq!(limiter.ask(rate, &"ada", START), Err(1));
        assert_eq!(limiter.look(rate, &"ada", START), Err(1));
        assert_eq!(limiter.ask(rate, &"bob", START), Ok(()));
        assert_eq!(limiter.ask(rate, &"ada", START + 1_000_000), Ok(()));
    }

    #[test]
    fn a_flood_of_callers_is_bounded_and_those_who_do_not_fit_share_one_rate() {
        let limiter = Limiter::new(4);
        let rate = Rate::new(60, 1);
        let passed = (0..1000)
            .filter(|caller| limiter.ask(rate, caller, START).is_ok())
            .count();
        assert_eq!(passed, 5);
        assert_eq!(limiter.lock().next.len(), 4);
    }

    #[test]
    fn who_was_idle_long_enough_makes_room() {
        let limiter = Limiter::new(2);
        let rate = Rate::new(60, 1);
        for caller in 0..2 {
            assert_eq!(limiter.ask(rate, &caller, START), Ok(()));
        }
        assert_eq!(limiter.ask(rate, &7, START + 3_000_000), Ok(()));
        assert!(limiter.lock().next.contains_key(&7));
        assert_eq!(limiter.lock().next.len(), 1);
    }
}
