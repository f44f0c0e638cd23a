//! Open feeds: who listens, and one task that wakes them. What a stream says is looked up in the store
//! when it is woken, so that a subscriber costs a few hundred bytes and nothing is missed over a restart.

use super::state::Issuer;
use oam_model::principal::PrincipalKey;
use oam_store::Revocations;
use oam_system::clock;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};

/// Looks at the store at once: a change that wakes everybody must not fill the readers' queue, in which
/// introspections wait too.
const LOOKS: usize = 64;
/// Least time between two looks for whom to wake: many commits in a row are one look.
const PAUSE: Duration = Duration::from_millis(10);
/// Pause after a look that failed.
const FAILED: Duration = Duration::from_millis(250);
/// Streams of one person at most.
const OF_ONE: usize = 64;
/// Events in one look.
const PAGE: usize = 1_000;

/// Who listens.
pub struct Feeds {
    most: AtomicUsize,
    open: AtomicUsize,
    people: Mutex<HashMap<PrincipalKey, Vec<Arc<Call>>>>,
    looks: Semaphore,
}

/// How a stream is reached.
#[derive(Default)]
struct Call {
    wake: Notify,
    /// Its place was given to somebody who had none.
    over: Notify,
}

/// A place of one stream; given back when it is dropped.
pub struct Subscriber {
    feeds: Arc<Feeds>,
    key: PrincipalKey,
    call: Arc<Call>,
}

impl Feeds {
    /// At most `most` streams.
    pub fn new(most: usize) -> Self {
        Self {
            most: AtomicUsize::new(most),
            open: AtomicUsize::new(0),
            people: Mutex::default(),
            looks: Semaphore::new(LOOKS),
        }
    }

    /// Another limit, for streams that come.
    pub fn limit(&self, most: usize) {
        self.most.store(most, Ordering::Relaxed);
    }

    /// Streams that are open.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Takes a place for `key`. Where all are taken, whoever has most gives up the one that was taken first,
    /// unless the newcomer has as many: nobody can shut the others out, and nobody's only stream is ended.
    pub fn subscribe(self: &Arc<Self>, key: &PrincipalKey) -> Option<Subscriber> {
        let most = self.most.load(Ordering::Relaxed);
        let mut people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        let own = people.get(key).map_or(0, Vec::len);
        if own >= (most / 4).clamp(1, OF_ONE) {
            return None;
        }
        // Those whose place was given away may not have noticed yet.
        if self.open.load(Ordering::Relaxed) >= most
            && people.values().map(Vec::len).sum::<usize>() >= most
        {
            let (_, greedy) = people.iter_mut().max_by_key(|(_, calls)| calls.len())?;
            if greedy.len() <= own + 1 {
                return None;
            }
            greedy.remove(0).over.notify_one();
        }
        let call = Arc::new(Call::default());
        people
            .entry(key.clone())
            .or_default()
            .push(Arc::clone(&call));
        self.open.fetch_add(1, Ordering::Relaxed);
        Some(Subscriber {
            feeds: Arc::clone(self),
            key: key.clone(),
            call,
        })
    }

    /// Wakes the streams of a person.
    pub fn wake(&self, key: &PrincipalKey) {
        let people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        for call in people.get(key).into_iter().flatten() {
            call.wake.notify_one();
        }
    }
}

impl Feeds {
    fn wake_everybody(&self) {
        let people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        for call in people.values().flatten() {
            call.wake.notify_one();
        }
    }
}

impl Subscriber {
    /// Resolves when there is something new for this person.
    pub async fn woken(&self) {
        self.call.wake.notified().await;
    }

    /// Resolves when this place was given to somebody else.
    pub async fn given_away(&self) {
        self.call.over.notified().await;
    }

    /// A turn at the store.
    pub async fn turn(&self) -> Option<tokio::sync::SemaphorePermit<'_>> {
        self.feeds.looks.acquire().await.ok()
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let mut people = self
            .feeds
            .people
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = people.get_mut(&self.key) {
            own.retain(|call| !Arc::ptr_eq(call, &self.call));
            if own.is_empty() {
                people.remove(&self.key);
            }
        }
        drop(people);
        self.feeds.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Wakes streams whenever events were committed, by this process or another one on the same database,
/// until the server ends.
pub async fn wake_all(issuer: Arc<Issuer>) {
    let mut changes = issuer.store.changes();
    let mut stopping = issuer.stopping.subscribe();
    let mut seen = Seen::default();
    loop {
        let (pause, again) = match news(&*issuer.store, &issuer.feeds, &mut seen).await {
            Ok(()) => (PAUSE, false),
            Err(()) => (FAILED, true),
        };
        tokio::time::sleep(pause).await;
        tokio::select! {
            // What a failed look would have found brings no second change.
            news = changes.changed(), if !again => if news.is_err() { return },
            () = std::future::ready(()), if again && !*issuer.stopping.borrow() => {}
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
    }
}

/// Up to where everybody was woken.
#[derive(Debug, Default)]
struct Seen {
    /// Name of the database; none: no look yet.
    generation: Option<String>,
    seq: u64,
}

async fn news(store: &dyn Revocations, feeds: &Feeds, seen: &mut Seen) -> Result<(), ()> {
    loop {
        let page = store.feed_of_all(seen.seq, PAGE).await.map_err(drop)?;
        if seen.generation.as_ref() != Some(&page.generation) {
            // A backup took the place of the database: its numbers begin again somewhere, and everybody
            // has to begin anew there.
            if seen.generation.replace(page.generation).is_some() {
                feeds.wake_everybody();
                seen.seq = 0;
                continue;
            }
        }
        for (seq, key, _) in &page.events {
            feeds.wake(key);
            seen.seq = seen.seq.max(*seq);
        }
        if page.events.len() < PAGE {
            return Ok(());
        }
    }
}

/// A random number of milliseconds below `most_ms`: streams that came together must not tick together.
pub fn jitter_ms(most_ms: u64) -> u64 {
    let mut bytes = [0; 8];
    clock::fill(&mut bytes);
    u64::from_ne_bytes(bytes).checked_rem(most_ms).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{Feeds, PrincipalKey, jitter_ms};
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::time::timeout;

    fn key(name: &str) -> PrincipalKey {
        PrincipalKey {
            source: "okta".parse().unwrap(),
            key: name.into(),
        }
    }

    #[test]
    fn places_are_bounded_and_given_back() {
        let feeds = Arc::new(Feeds::new(2));
        let one = feeds.subscribe(&key("ada")).unwrap();
        let _two = feeds.subscribe(&key("bob")).unwrap();
        assert!(feeds.subscribe(&key("cy")).is_none());
        drop(one);
        assert_eq!(feeds.open(), 1);
        assert!(feeds.subscribe(&key("cy")).is_some());
        assert_eq!(feeds.people.lock().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn four_people_can_not_take_all_places() {
        let feeds = Arc::new(Feeds::new(100));
        let mut held = Vec::new();
        for name in ["ada", "bob", "cy", "dan"] {
            let own: Vec<_> = std::iter::from_fn(|| feeds.subscribe(&key(name))).collect();
            assert_eq!(own.len(), 25);
            held.push(own);
        }
        let eve = feeds.subscribe(&key("eve")).unwrap();
        let greedy: Vec<usize> = {
            let people = feeds.people.lock().unwrap();
            people
                .values()
                .map(Vec::len)
                .filter(|one| *one == 24)
                .collect()
        };
        assert_eq!(greedy.len(), 1, "the one that has most gives one up");
        // Of whom that is, the stream that was first is told.
        let mut told = 0;
        for own in &held {
            told += usize::from(timeout(Duration::ZERO, own[0].given_away()).await.is_ok());
        }
        assert_eq!(told, 1);
        assert!(timeout(Duration::ZERO, eve.given_away()).await.is_err());
    }

    #[test]
    fn nobodys_only_stream_is_ended() {
        let feeds = Arc::new(Feeds::new(8));
        let held: Vec<_> = (0..8)
            .filter_map(|n| feeds.subscribe(&key(&n.to_string())))
            .collect();
        assert_eq!(held.len(), 8);
        assert!(feeds.subscribe(&key("late")).is_none());
    }

    #[tokio::test]
    async fn only_the_streams_of_the_person_are_woken_and_no_wake_is_lost() {
        let feeds = Arc::new(Feeds::new(10));
        let ada = feeds.subscribe(&key("ada")).unwrap();
        let bob = feeds.subscribe(&key("bob")).unwrap();
        feeds.wake(&key("ada"));
        timeout(Duration::from_secs(5), ada.woken()).await.unwrap();
        assert!(timeout(Duration::ZERO, bob.woken()).await.is_err());
    }

    #[test]
    fn a_jitter_stays_below_its_bound() {
        assert_eq!(jitter_ms(0), 0);
        assert!((0..100).all(|_| jitter_ms(7) < 7));
    }
}
