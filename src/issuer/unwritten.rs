//! Refusals that have no entry of their own: what is remembered of them until their sum is on record.

use oam_model::refusal::RefusalCode;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Addresses that a sum names.
const NAMED: usize = 8;

/// Some of them, counted.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Sum {
    codes: BTreeMap<&'static str, u64>,
    addresses: BTreeSet<IpAddr>,
    /// They came from more addresses than are named.
    more: bool,
}

/// What was refused since the last sum.
#[derive(Default)]
pub struct Unwritten(Mutex<Sum>);

impl Unwritten {
    /// Counts one. An IPv6 address stands for its network.
    pub fn count(&self, code: RefusalCode, from: IpAddr) {
        let mut sum = self.lock();
        *sum.codes.entry(code.word()).or_default() += 1;
        sum.from(from);
    }

    /// What there is, and begins anew; none where there is nothing.
    pub fn take(&self) -> Option<Sum> {
        let sum = std::mem::take(&mut *self.lock());
        (!sum.codes.is_empty()).then_some(sum)
    }

    /// Adds what could not be written.
    pub fn put_back(&self, other: Sum) {
        let mut sum = self.lock();
        for (code, count) in other.codes {
            *sum.codes.entry(code).or_default() += count;
        }
        sum.more |= other.more;
        for from in other.addresses {
            sum.from(from);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Sum> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sum {
    fn from(&mut self, from: IpAddr) {
        if self.addresses.len() < NAMED {
            self.addresses.insert(from);
        } else if !self.addresses.contains(&from) {
            self.more = true;
        }
    }

    /// The words of its entry.
    pub fn words(&self) -> String {
        let all: u64 = self.codes.values().sum();
        let codes: Vec<String> = self
            .codes
            .iter()
            .map(|(code, count)| format!("{code} {count}"))
            .collect();
        let addresses: Vec<String> = self.addresses.iter().map(IpAddr::to_string).collect();
        format!(
            "{all} refusals without an entry of their own, by code: {}; from {}{}",
            codes.join(", "),
            addresses.join(", "),
            if self.more { " and others" } else { "" }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Unwritten;
    use oam_model::refusal::RefusalCode;
    use std::net::IpAddr;

    #[test]
    fn a_sum_names_codes_and_some_addresses_and_stays_short() {
        let unwritten = Unwritten::default();
        assert!(unwritten.take().is_none());
        for number in 0..100_000u32 {
            unwritten.count(RefusalCode::BadRequest, IpAddr::V4(number.into()));
        }
        unwritten.count(RefusalCode::Denied, IpAddr::V4(1.into()));
        let sum = unwritten.take().unwrap();
        let words = sum.words();
        assert!(words.starts_with("100001 refusals"), "{words}");
        assert!(words.contains("bad-request 100000, denied 1"), "{words}");
        assert!(
            words.ends_with("and others") && words.len() < 400,
            "{words}"
        );
        unwritten.put_back(sum.clone());
        assert_eq!(unwritten.take(), Some(sum));
    }
}
