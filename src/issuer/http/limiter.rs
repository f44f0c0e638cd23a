//! Who asked how much lately. Bounded: a flood of callers costs no more memory than the bound, and makes
//! forgotten who has not asked for longest.

use oam_model::time::SteadyTime;
use oam_policy::rate::{Pace, Rate};
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is remembered of those who were here lately. Kept in two halves: when the younger one is full it takes
/// the place of the older one, and what was there is forgotten unless it was put again meanwhile.
pub struct Recent<K, V> {
    half: usize,
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Hash + Eq + Clone, V: Copy> Recent<K, V> {
    /// Remembers at most `most`.
    pub fn new(most: usize) -> Self {
        Self {
            half: (most / 2).max(1),
            young: HashMap::new(),
            old: HashMap::new(),
        }
    }

    /// What is remembered of `key`.
    pub fn get(&self, key: &K) -> Option<V> {
        self.young.get(key).or_else(|| self.old.get(key)).copied()
    }

    /// Remembers it, as the youngest.
    pub fn put(&mut self, key: &K, value: V) {
        if let Some(kept) = self.young.get_mut(key) {
            *kept = value;
            return;
        }
        if self.young.len() >= self.half {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key.clone(), value);
    }

    /// Forgets it.
    pub fn remove(&mut self, key: &K) {
        self.young.remove(key);
        self.old.remove(key);
    }
}

/// A limiter for callers named by `K`: times in microseconds of the steady clock, as [`Rate`] keeps them.
/// Rejected: one rate for all who do not fit, because a flood would then shut out every newcomer.
pub struct Limiter<K>(Mutex<Recent<K, u64>>);

impl<K: Hash + Eq + Clone> Limiter<K> {
    /// Remembers at most `most` callers.
    pub fn new(most: usize) -> Self {
        Self(Mutex::new(Recent::new(most)))
    }

    /// Counts one ask of `caller` at `now`.
    ///
    /// # Errors
    /// Too soon: seconds to wait, at least 1.
    pub fn ask(&self, rate: Rate, caller: &K, now: SteadyTime) -> Result<(), u64> {
        let mut callers = self.lock();
        let next = callers.get(caller);
        match rate.ask(next.unwrap_or(0), now.us()) {
            Pace::Pass { next_us } => {
                callers.put(caller, next_us);
                Ok(())
            }
            Pace::Wait { wait_us } => {
                // It is remembered anew all the same: who floods is not forgotten for it.
                callers.put(caller, next.unwrap_or(0));
                Err(seconds(wait_us))
            }
        }
    }

    /// Whether the next ask of `caller` would pass; counts nothing.
    ///
    /// # Errors
    /// As [`Limiter::ask`].
    pub fn look(&self, rate: Rate, caller: &K, now: SteadyTime) -> Result<(), u64> {
        match rate.ask(self.lock().get(caller).unwrap_or(0), now.us()) {
            Pace::Pass { .. } => Ok(()),
            Pace::Wait { wait_us } => Err(seconds(wait_us)),
        }
    }

    /// Takes one ask back that was counted.
    pub fn give_back(&self, rate: Rate, caller: &K) {
        let mut callers = self.lock();
        if let Some(next) = callers.get(caller) {
            callers.put(caller, rate.give_back(next));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Recent<K, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn seconds(wait_us: u64) -> u64 {
    wait_us.div_ceil(1_000_000).max(1)
}

/// How much of something each holder has at this moment.
pub struct Shares<K> {
    taken: Mutex<HashMap<K, usize>>,
}

/// One part of a share; given back when it is dropped.
pub struct Share<K: Hash + Eq> {
    shares: Arc<Shares<K>>,
    holder: K,
}

impl<K: Hash + Eq> Default for Shares<K> {
    fn default() -> Self {
        Self {
            taken: Mutex::default(),
        }
    }
}

impl<K: Hash + Eq + Clone> Shares<K> {
    /// A part for `holder`; none where it has `most` already.
    pub fn take(self: &Arc<Self>, holder: &K, most: usize) -> Option<Share<K>> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.get(holder).copied().unwrap_or(0);
        if own >= most {
            return None;
        }
        taken.insert(holder.clone(), own + 1);
        Some(Share {
            shares: Arc::clone(self),
            holder: holder.clone(),
        })
    }
}

impl<K: Hash + Eq> Drop for Share<K> {
    fn drop(&mut self) {
        let taken = self.shares.taken.lock();
        let mut taken = taken.unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&self.holder) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.holder);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Limiter, Shares};
    use oam_model::time::SteadyTime;
    use oam_policy::rate::Rate;
    use std::sync::Arc;

    const START: SteadyTime = SteadyTime::from_us(1_000_000_000);

    #[test]
    fn one_caller_does_not_use_up_anothers_share() {
        let limiter = Limiter::new(10);
        let rate = Rate::new(60, 1);
        assert_eq!(limiter.ask(rate, &"ada", START), Ok(()));
        assert_eq!(limiter.ask(rate, &"ada", START), Err(1));
        assert_eq!(limiter.look(rate, &"ada", START), Err(1));
        assert_eq!(limiter.ask(rate, &"bob", START), Ok(()));
        assert_eq!(
            limiter.ask(rate, &"ada", SteadyTime::from_us(START.us() + 1_000_000)),
            Ok(())
        );
    }

    #[test]
    fn a_flood_of_callers_is_bounded_and_shuts_no_newcomer_out() {
        let limiter = Limiter::new(8);
        let rate = Rate::new(60, 1);
        for caller in 0..1000 {
            assert_eq!(limiter.ask(rate, &caller, START), Ok(()), "{caller}");
            let kept = limiter.lock();
            assert!(kept.young.len() + kept.old.len() <= 8);
        }
    }

    #[test]
    fn who_goes_on_asking_is_not_forgotten_in_a_flood() {
        let limiter = Limiter::new(8);
        let rate = Rate::new(60, 3);
        let passed = (1..1000).filter(|caller| {
            assert_eq!(limiter.ask(rate, caller, START), Ok(()));
            limiter.ask(rate, &0, START).is_ok()
        });
        assert_eq!(passed.count(), 3);
    }

    #[test]
    fn what_is_given_back_was_never_counted() {
        let limiter = Limiter::new(8);
        let rate = Rate::new(60, 1);
        for _ in 0..100 {
            assert_eq!(limiter.ask(rate, &"ada", START), Ok(()));
            limiter.give_back(rate, &"ada");
        }
        limiter.give_back(rate, &"bob");
    }

    #[test]
    fn a_share_is_bounded_and_given_back() {
        let shares = Arc::new(Shares::default());
        let held: Vec<_> = (0..9).filter_map(|_| shares.take(&"ada", 4)).collect();
        assert_eq!(held.len(), 4);
        assert!(shares.take(&"bob", 4).is_some());
        drop(held);
        assert!(shares.taken.lock().unwrap().is_empty());
    }
}
