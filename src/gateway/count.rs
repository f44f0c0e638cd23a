//! What a child did, counted as it goes; the sum is told at its end, and by [`crate::report`] meanwhile.

use crate::report::Change;
use crate::source::{HubOperation, Target};
use oam_model::name::Repository;
use oam_model::served::{MOST_REFS, ServedRepository, ServedTraffic};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// More repositories and operations than this are counted together.
const MOST: usize = 256;

/// Counts for one repository and operation. Bytes are of bodies.
#[derive(Debug, Default)]
pub struct Tally {
    requests: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
    refs: Mutex<BTreeSet<String>>,
    change: Arc<Change>,
}

impl Tally {
    /// Bytes of a body that went to the hub.
    pub fn sent(&self, bytes: usize) {
        self.add(&self.sent, bytes);
    }

    /// Bytes of a body that came back.
    pub fn received(&self, bytes: usize) {
        self.add(&self.received, bytes);
    }

    /// A ref that is to be changed.
    pub fn changes(&self, name: String) {
        let mut refs = self.refs.lock().unwrap_or_else(PoisonError::into_inner);
        if refs.len() < MOST_REFS {
            refs.insert(name);
        }
        drop(refs);
        self.change.note();
    }

    fn add(&self, counter: &AtomicU64, bytes: usize) {
        counter.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.change.note();
    }
}

/// All counts of one child.
#[derive(Default)]
pub struct Counts {
    of: Mutex<BTreeMap<Option<Target>, Arc<Tally>>>,
    turned_away: AtomicU64,
    handed_out: AtomicU64,
    outstanding_until: AtomicU64,
    change: Arc<Change>,
}

impl Counts {
    /// One more request for this target.
    pub fn request(&self, target: &Target) -> Arc<Tally> {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let key = Some(target.clone());
        let key = if of.len() < MOST || of.contains_key(&key) {
            key
        } else {
            None
        };
        let counted = || {
            Arc::new(Tally {
                change: Arc::clone(&self.change),
                ..Tally::default()
            })
        };
        let tally = Arc::clone(of.entry(key).or_insert_with(counted));
        tally.requests.fetch_add(1, Ordering::Relaxed);
        self.change.note();
        tally
    }

    /// A request that did not go to the hub.
    pub fn turned_away(&self) {
        self.turned_away.fetch_add(1, Ordering::Relaxed);
        self.change.note();
    }

    /// The hub handed out a link or token for another host, good until then (Unix seconds) where it says so.
    pub fn handed_out(&self, until: Option<u64>) {
        self.handed_out.fetch_add(1, Ordering::Relaxed);
        self.outstanding_until
            .fetch_max(until.unwrap_or(0), Ordering::Relaxed);
        self.change.note();
    }

    pub(crate) fn change(&self) -> &Change {
        &self.change
    }

    /// The sum by now, if it changed since it was taken here last.
    pub fn untold(&self) -> Option<ServedTraffic> {
        self.change.take().then(|| self.served())
    }

    /// The sum by now.
    pub fn served(&self) -> ServedTraffic {
        let of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sums: BTreeMap<Option<&Repository>, ServedRepository> = BTreeMap::new();
        for (target, tally) in of.iter() {
            let repository = target
                .as_ref()
                .and_then(|target| target.repository.as_ref());
            let sum = sums.entry(repository).or_default();
            sum.repository = repository.cloned();
            let requests = tally.requests.load(Ordering::Relaxed);
            match target.as_ref().map(|target| target.operation) {
                Some(HubOperation::Write) => sum.writes += requests,
                Some(HubOperation::Read) | None => sum.reads += requests,
            }
            sum.sent += tally.sent.load(Ordering::Relaxed);
            sum.received += tally.received.load(Ordering::Relaxed);
            let refs = tally.refs.lock().unwrap_or_else(PoisonError::into_inner);
            sum.refs.extend(refs.iter().cloned());
        }
        let until = self.outstanding_until.load(Ordering::Relaxed);
        let served = ServedTraffic {
            repositories: sums.into_values().collect(),
            turned_away: self.turned_away.load(Ordering::Relaxed),
            handed_out: self.handed_out.load(Ordering::Relaxed),
            outstanding_until: (until > 0).then_some(until),
            incomplete: false,
        };
        served.bounded()
    }
}

#[cfg(test)]
mod tests {
    use super::{Counts, MOST};
    use crate::source::{HubOperation, Target};

    #[test]
    fn many_repositories_need_no_more_memory_and_none_is_uncounted() {
        let counts = Counts::default();
        for n in 0..MOST + 50 {
            let repository = Some(format!("acme/m{n}").parse().unwrap());
            let operation = HubOperation::Read;
            counts
                .request(&Target {
                    repository,
                    operation,
                })
                .received(2);
        }
        let sums = counts.served().repositories;
        assert!(sums.len() < MOST);
        assert_eq!(sums.iter().map(|sum| sum.reads).sum::<u64>(), 306);
        assert_eq!(sums.iter().map(|sum| sum.received).sum::<u64>(), 612);
    }

    #[test]
    fn reads_and_writes_of_a_repository_are_one_row_with_its_refs() {
        let counts = Counts::default();
        for (operation, bytes) in [
            (HubOperation::Read, 1),
            (HubOperation::Write, 10),
            (HubOperation::Write, 100),
        ] {
            let repository = Some("acme/model".parse().unwrap());
            let tally = counts.request(&Target {
                repository,
                operation,
            });
            tally.sent(bytes);
            tally.changes("refs/heads/main".into());
        }
        for until in [Some(7), Some(3), None] {
            counts.handed_out(until);
        }
        counts.turned_away();
        let served = counts.served();
        assert_eq!((served.turned_away, served.outstanding_until), (1, Some(7)));
        assert_eq!(served.handed_out, 3);
        let [row] = served.repositories.as_slice() else {
            panic!("{served:?}")
        };
        assert_eq!((row.reads, row.writes, row.sent), (1, 2, 111));
        assert!(row.refs.iter().all(|name| name == "refs/heads/main"));
    }
}
