//! Tokens whose signature was verified in this minute: an agent that asks 200 times does not cost 200
//! checks of an RSA signature.

use oam_model::principal::Principal;
use oam_model::time::Moment;
use oam_policy::claims::SKEW_S;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// All are forgotten this long after the first, by either clock: a key that was withdrawn is not trusted for longer.
const MINUTE_MS: u64 = 60_000;
/// Tokens remembered at once: some 20 MB with large claims.
const MOST: usize = 8192;

struct Minute {
    began: Moment,
    principals: HashMap<[u8; 32], Principal>,
}

impl Minute {
    /// Itself, until it is over.
    fn at(&self, now: Moment) -> Option<&Self> {
        (now.since(self.began) < MINUTE_MS).then_some(self)
    }
}

/// Principals by their token's SHA-256.
#[derive(Default)]
pub(super) struct VerifiedTokenCache {
    minute: Mutex<Option<Minute>>,
}

impl VerifiedTokenCache {
    /// The principal of a token that was verified in this minute and has not expired since.
    pub(super) fn get(&self, digest: &[u8; 32], now: Moment) -> Option<Principal> {
        let minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        let principal = minute.as_ref()?.at(now)?.principals.get(digest)?;
        let current = principal.expires_at.saturating_add(SKEW_S) > now.unix();
        current.then(|| principal.clone())
    }

    /// Remembers it, if there is room.
    pub(super) fn put(&self, digest: [u8; 32], principal: &Principal, now: Moment) {
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        if minute
            .as_ref()
            .is_none_or(|minute| minute.at(now).is_none())
        {
            *minute = None;
        }
        let minute = minute.get_or_insert_with(|| Minute {
            began: now,
            principals: HashMap::new(),
        });
        if minute.principals.len() < MOST {
            minute.principals.insert(digest, principal.clone());
        }
    }
}
