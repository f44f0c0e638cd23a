//! Something of a provider's that is kept: asked for by one at a time, not too often, and good for a
//! while when the provider is down.

use arc_swap::ArcSwapOption;
use oam_model::answer::EndpointFault;
use oam_model::time::Moment;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Mutex;

/// How long something is used, and how often it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheAges {
    /// Used without asking while younger, ms: what the provider withdrew is not trusted for longer.
    pub fresh_ms: u64,
    /// Not used when older, ms, even when the provider can't be asked; none: then the old one goes on.
    pub stale_ms: Option<u64>,
    /// One fetch in this time, ms.
    pub pause_ms: u64,
}

impl CacheAges {
    /// What strangers make be asked for: keys, and what an issuer needs of the sources it trusts. A `kid` is the
    /// sender's to choose, so the pause holds whatever is sent here.
    pub const BY_STRANGERS: Self = Self {
        fresh_ms: 3600 * 1000,
        stale_ms: Some(24 * 3600 * 1000),
        pause_ms: 10 * 1000,
    };
    /// What a person's own agent asks its own provider for: each sign-in asks anew, and between them it only wants to
    /// know where the endpoints are.
    pub const BY_ONE_PERSON: Self = Self {
        fresh_ms: 24 * 3600 * 1000,
        stale_ms: None,
        pause_ms: 0,
    };
}

struct Held<T> {
    value: T,
    at: Moment,
}

/// The last fetch.
struct Tried {
    at: Moment,
    fault: Option<EndpointFault>,
}

/// A value that can be fetched.
pub struct TtlCache<T> {
    ages: CacheAges,
    held: ArcSwapOption<Held<T>>,
    tried: Mutex<Option<Tried>>,
    failing: AtomicBool,
}

/// Why it is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CacheMiss {
    /// The provider answered, and it is not in it: a verdict.
    Absent,
    /// The provider can't be asked: no verdict.
    Unreachable(EndpointFault),
}

impl<T> Default for TtlCache<T> {
    fn default() -> Self {
        Self::new(CacheAges::BY_STRANGERS)
    }
}

impl<T> TtlCache<T> {
    /// Nothing yet, to be kept for so long.
    pub fn new(ages: CacheAges) -> Self {
        Self {
            ages,
            held: ArcSwapOption::empty(),
            tried: Mutex::new(None),
            failing: AtomicBool::new(false),
        }
    }

    /// Keeps what was fetched by itself: it is as good as what would be asked for now.
    pub fn store(&self, value: T, now: Moment) {
        self.held.store(Some(Arc::new(Held { value, at: now })));
        self.failing.store(false, Ordering::Relaxed);
    }

    /// Whether the last fetch failed.
    pub fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// What `want` finds in it; fetched when nothing is found, or when it is no longer fresh.
    pub async fn find<R, F>(
        &self,
        now: Moment,
        want: impl Fn(&T) -> Option<R>,
        fetch: impl FnOnce() -> F,
    ) -> Result<R, CacheMiss>
    where
        F: Future<Output = Result<T, EndpointFault>>,
    {
        let (fresh, found) = self.look(now, &want);
        if fresh && let Some(found) = found {
            return Ok(found);
        }
        let mut tried = match (self.tried.try_lock(), found) {
            (Ok(tried), _) => tried,
            // Somebody is asking: what is held is good enough meanwhile.
            (Err(_), Some(found)) => return Ok(found),
            (Err(_), None) => self.tried.lock().await,
        };
        let (fresh, found) = self.look(now, &want);
        if fresh && let Some(found) = found {
            return Ok(found);
        }
        // By the steady clock: a wall clock that is set must neither stop fetching nor let a sender repeat it.
        let last = tried
            .as_ref()
            .filter(|last| now.boot_ms.saturating_sub(last.at.boot_ms) < self.ages.pause_ms);
        if let Some(last) = last {
            let miss = last
                .fault
                .clone()
                .map_or(CacheMiss::Absent, CacheMiss::Unreachable);
            return found.ok_or(miss);
        }
        match fetch().await {
            Ok(value) => {
                let found = want(&value);
                *tried = Some(Tried {
                    at: now,
                    fault: None,
                });
                self.store(value, now);
                found.ok_or(CacheMiss::Absent)
            }
            Err(fault) => {
                *tried = Some(Tried {
                    at: now,
                    fault: Some(fault.clone()),
                });
                self.failing.store(true, Ordering::Relaxed);
                found.ok_or(CacheMiss::Unreachable(fault))
            }
        }
    }

    /// Whether what is held is fresh, and what is found in it if it is not too old.
    fn look<R>(&self, now: Moment, want: impl Fn(&T) -> Option<R>) -> (bool, Option<R>) {
        let held = self.held.load();
        let Some(held) = held.as_ref() else {
            return (false, None);
        };
        // Either clock makes it be fetched again. Given up it is by the steady one alone: a wall clock that
        // leaps while the provider is down refuses nobody.
        let age = now.boot_ms.saturating_sub(held.at.boot_ms);
        let stale = self.ages.stale_ms.is_some_and(|stale_ms| age >= stale_ms);
        let found = if stale { None } else { want(&held.value) };
        (now.since(held.at) < self.ages.fresh_ms, found)
    }
}

#[cfg(test)]
mod tests;
