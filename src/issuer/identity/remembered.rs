//! Tokens whose signature was verified in this minute: an agent that asks 200 times does not cost 200
//! checks of an RSA signature.

use crate::model::claimant::Claimant;
use crate::rules::claims::SKEW_S;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// All are forgotten when the minute ends: a key that was withdrawn is not trusted for longer.
const MINUTE_MS: u64 = 60_000;
/// Tokens remembered at once: some 20 MB with large claims.
const MOST: usize = 8192;

#[derive(Default)]
struct Minute {
    number: u64,
    claimants: HashMap<[u8; 32], Claimant>,
}

/// Claimants by their token's SHA-256.
#[derive(Default)]
pub(super) struct Remembered {
    minute: Mutex<Minute>,
}

impl Remembered {
    /// The claimant of a token that was verified in this minute and has not expired since.
    pub(super) fn get(&self, digest: &[u8; 32], now_ms: u64) -> Option<Claimant> {
        let minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        if minute.number != now_ms / MINUTE_MS {
            return None;
        }
        let claimant = minute.claimants.get(digest)?;
        let current = claimant.expires_at.saturating_add(SKEW_S) > now_ms / 1000;
        current.then(|| claimant.clone())
    }

    /// Remembers it, if there is room.
    pub(super) fn put(&self, digest: [u8; 32], claimant: &Claimant, now_ms: u64) {
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        let number = now_ms / MINUTE_MS;
        if minute.number != number {
            minute.claimants.clear();
            minute.number = number;
        }
        if minute.claimants.len() < MOST {
            minute.claimants.insert(digest, claimant.clone());
        }
    }
}
