//! How many connections there may be: in all, of one address while nobody has proven there who they are, and
//! of one identity after that. A few more are taken only to say that there are too many, and for `/healthz`.

use super::address::neighbourhood;
use oam_model::principal::PrincipalKey;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Descriptors that are left for the database, for providers and hubs, and for files.
pub const DESCRIPTORS_KEPT: usize = 512;
/// Connections beyond the limit that are told so.
pub const RESERVE: usize = 64;
/// Of them, those of one address.
const RESERVE_OF_ADDRESS: usize = 8;
/// Connections of one identity that do not count for its address.
const OF_IDENTITY: usize = 256;

/// Where a connection was let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Among those that are served.
    Usual,
    /// Beyond them: everything but `/healthz` is told to come again.
    Reserve,
}

/// For whom a connection counts.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Charge {
    Address(IpAddr),
    Identity(PrincipalKey),
    /// A trusted proxy's, which brings everybody.
    Nobody,
}

/// Counts connections.
pub struct ConnectionLimiter {
    most: AtomicUsize,
    of_address: AtomicUsize,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    open: usize,
    reserve: usize,
    addresses: HashMap<IpAddr, usize>,
    reserve_addresses: HashMap<IpAddr, usize>,
    identities: HashMap<PrincipalKey, usize>,
}

/// An open connection; its place is free again when it is dropped.
pub struct ConnectionGuard {
    limiter: Arc<ConnectionLimiter>,
    lane: Lane,
    address: IpAddr,
    charge: Mutex<Charge>,
    settled: AtomicBool,
}

impl ConnectionLimiter {
    /// At most `most` connections, and `of_address` of one address.
    pub fn new(most: usize, of_address: usize) -> Self {
        Self {
            most: AtomicUsize::new(most),
            of_address: AtomicUsize::new(of_address),
            counts: Mutex::default(),
        }
    }

    /// Other limits, for connections that come.
    pub fn limit(&self, most: usize, of_address: usize) {
        self.most.store(most, Ordering::Relaxed);
        self.of_address.store(of_address, Ordering::Relaxed);
    }

    /// Connections that are open, the reserve included.
    pub fn open(&self) -> usize {
        let counts = self.counts();
        counts.open + counts.reserve
    }

    /// Lets a connection in; none where it is beyond the reserve too. `proxy`: everybody comes from there.
    pub fn admit(self: &Arc<Self>, peer: IpAddr, proxy: bool) -> Option<ConnectionGuard> {
        let address = neighbourhood(peer);
        let mut counts = self.counts();
        let own = counts.addresses.get(&address).copied().unwrap_or(0);
        let fits = counts.open < self.most.load(Ordering::Relaxed)
            && (proxy || own < self.of_address.load(Ordering::Relaxed));
        let (lane, charge) = if fits {
            counts.open += 1;
            let charge = if proxy {
                Charge::Nobody
            } else {
                add(&mut counts.addresses, &address);
                Charge::Address(address)
            };
            (Lane::Usual, charge)
        } else {
            let of_address = counts.reserve_addresses.get(&address).copied();
            let full = counts.reserve >= RESERVE
                || (!proxy && of_address.unwrap_or(0) >= RESERVE_OF_ADDRESS);
            if full {
                return None;
            }
            counts.reserve += 1;
            add(&mut counts.reserve_addresses, &address);
            (Lane::Reserve, Charge::Nobody)
        };
        drop(counts);
        Some(ConnectionGuard {
            limiter: Arc::clone(self),
            lane,
            address,
            settled: AtomicBool::new(charge == Charge::Nobody),
            charge: Mutex::new(charge),
        })
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectionGuard {
    /// Where it was let in.
    pub const fn lane(&self) -> Lane {
        self.lane
    }

    /// Somebody proved here who they are: from now on it counts for them and no longer for the address,
    /// from which thousands may come. An identity that has its share already changes nothing.
    pub fn proven(&self, key: &PrincipalKey) {
        if self.settled.load(Ordering::Relaxed) {
            return;
        }
        let mut counts = self.limiter.counts();
        let mut charge = self.charge.lock().unwrap_or_else(PoisonError::into_inner);
        let Charge::Address(address) = &*charge else {
            return;
        };
        if counts.identities.get(key).copied().unwrap_or(0) >= OF_IDENTITY {
            return;
        }
        less(&mut counts.addresses, address);
        add(&mut counts.identities, key);
        *charge = Charge::Identity(key.clone());
        self.settled.store(true, Ordering::Relaxed);
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        let mut counts = self.limiter.counts();
        if self.lane == Lane::Reserve {
            counts.reserve -= 1;
            less(&mut counts.reserve_addresses, &self.address);
            return;
        }
        counts.open -= 1;
        match &*self.charge.lock().unwrap_or_else(PoisonError::into_inner) {
            Charge::Address(address) => less(&mut counts.addresses, address),
            Charge::Identity(key) => less(&mut counts.identities, key),
            Charge::Nobody => {}
        }
    }
}

fn add<K: Hash + Eq + Clone>(counts: &mut HashMap<K, usize>, key: &K) {
    match counts.get_mut(key) {
        Some(count) => *count += 1,
        None => drop(counts.insert(key.clone(), 1)),
    }
}

fn less<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

/// Connections that the descriptors allow: `asked` of them, or fewer where the system allows few files.
pub fn below_descriptors(asked: usize, files: u64) -> usize {
    let files = usize::try_from(files).unwrap_or(usize::MAX);
    asked.min(
        files
            .saturating_sub(DESCRIPTORS_KEPT.min(files / 2))
            .saturating_sub(RESERVE)
            .max(1),
    )
}

#[cfg(test)]
mod tests {
    use super::{
        ConnectionLimiter, Lane, OF_IDENTITY, RESERVE, RESERVE_OF_ADDRESS, below_descriptors,
    };
    use oam_model::principal::PrincipalKey;
    use std::net::IpAddr;
    use std::sync::Arc;

    fn at(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn key(name: &str) -> PrincipalKey {
        PrincipalKey {
            source: "okta".parse().unwrap(),
            key: name.to_owned(),
        }
    }

    #[test]
    fn one_address_leaves_room_for_the_others_and_is_told_so_by_a_few() {
        let limiter = Arc::new(ConnectionLimiter::new(100, 10));
        let held: Vec<_> = (0..30)
            .filter_map(|_| limiter.admit(at("2001:db8::1"), false))
            .collect();
        let served = held.iter().filter(|one| one.lane() == Lane::Usual).count();
        assert_eq!((served, held.len()), (10, 10 + RESERVE_OF_ADDRESS));
        // A machine has more addresses than one.
        assert!(limiter.admit(at("2001:db8::2"), false).is_none());
        let other = limiter.admit(at("192.0.2.1"), false).unwrap();
        assert_eq!(other.lane(), Lane::Usual);
        drop(held);
        assert_eq!(limiter.open(), 1);
    }

    #[test]
    fn beyond_all_places_there_is_a_reserve_and_then_nothing() {
        let limiter = Arc::new(ConnectionLimiter::new(2, 10));
        let address = |n: u32| IpAddr::V4((n + 1).into());
        let held: Vec<_> = (0..200)
            .filter_map(|n| limiter.admit(address(n), false))
            .collect();
        assert_eq!(held.len(), 2 + RESERVE);
        assert_eq!(held[2].lane(), Lane::Reserve);
        drop(held);
        assert_eq!(limiter.open(), 0);
        let counts = limiter.counts();
        assert!(counts.addresses.is_empty() && counts.reserve_addresses.is_empty());
    }

    #[test]
    fn who_proved_who_they_are_does_not_count_for_the_address_up_to_a_share() {
        let limiter = Arc::new(ConnectionLimiter::new(10_000, 4));
        let nat = at("192.0.2.1");
        let mut held = Vec::new();
        for person in 0..100 {
            let connection = limiter.admit(nat, false).unwrap();
            assert_eq!(connection.lane(), Lane::Usual);
            connection.proven(&key(&person.to_string()));
            connection.proven(&key("somebody else"));
            held.push(connection);
        }
        let greedy = std::iter::from_fn(|| {
            let connection = limiter.admit(nat, false)?;
            connection.proven(&key("greedy"));
            (connection.lane() == Lane::Usual).then_some(connection)
        });
        assert_eq!(greedy.collect::<Vec<_>>().len(), OF_IDENTITY + 4);
        drop(held);
        assert!(limiter.counts().identities.is_empty());
    }

    #[test]
    fn a_trusted_proxy_brings_everybody() {
        let limiter = Arc::new(ConnectionLimiter::new(50, 4));
        let held: Vec<_> = (0..50)
            .filter_map(|_| limiter.admit(at("10.0.0.1"), true))
            .collect();
        assert!(held.iter().all(|one| one.lane() == Lane::Usual));
        assert_eq!(held.len(), 50);
    }

    #[test]
    fn the_limit_stays_below_the_descriptors() {
        assert_eq!(below_descriptors(32_768, 65_536), 32_768);
        assert_eq!(below_descriptors(32_768, 4_096), 4_096 - 512 - 64);
        assert_eq!(below_descriptors(32_768, 256), 64);
        assert_eq!(below_descriptors(32_768, 0), 1);
        assert_eq!(below_descriptors(100, u64::MAX), 100);
    }
}
