//! The life of a signing key: announced, signing, retired, gone.
//!
//! A key is published as soon as it is made and signs only after the time for which hubs may keep an
//! older key set. The one before it stays published until the last token that it can have signed has
//! expired. Everything follows from times in the rows, so a server and a command that look at the same
//! database at the same moment agree without telling each other.

use std::cmp::Reverse;

/// Longest life that a role token can have, ms: the configuration allows no longer one. The policy's
/// own longest is not used: a policy loaded after a rotation could allow more than the one before it.
pub const LONGEST_TOKEN_MS: u64 = 86_400_000;

/// What clocks may differ by, ms (R41).
pub const SKEW_MS: u64 = 60_000;

/// A key as its row tells its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyLife {
    /// `kid`.
    pub kid: String,
    /// Unix milliseconds at which it was published.
    pub made_at_ms: u64,
    /// Unix milliseconds from which it signs.
    pub signs_from_ms: u64,
    /// Unix milliseconds at which it leaves the set; none: nothing follows it yet.
    pub gone_at_ms: Option<u64>,
}

/// Where a key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// Published, does not sign yet.
    Announced,
    /// Signs.
    Signing,
    /// Published, signs no more.
    Retired,
    /// Neither.
    Gone,
}

impl KeyState {
    /// The word used by `oam-issuer keys list`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Announced => "announced",
            Self::Signing => "signing",
            Self::Retired => "retired",
            Self::Gone => "gone",
        }
    }
}

/// What a rotation writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// The life of the new key.
    pub made: KeyLife,
    /// Keys that were there and now leave at a known time.
    pub changed: Vec<KeyLife>,
    /// Keys that are gone: nothing needs their rows any more.
    pub dropped: Vec<String>,
}

/// A rotation that would be too many: a key made earlier still waits for its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlreadyAnnounced {
    /// The waiting key.
    pub kid: String,
    /// Unix milliseconds from which it signs.
    pub signs_from_ms: u64,
}

impl KeyLife {
    fn is_gone(&self, now_ms: u64) -> bool {
        self.gone_at_ms.is_some_and(|gone| gone <= now_ms)
    }

    /// A total order: the later one takes over.
    fn turn(&self) -> (u64, u64, &str) {
        (self.signs_from_ms, self.made_at_ms, &self.kid)
    }
}

/// The key that signs at `now_ms`; none only when there is no key. Where the time of none has come the clock
/// was set back behind the first one, which signed as soon as it was made: it goes on signing.
pub fn signing(rows: &[KeyLife], now_ms: u64) -> Option<&KeyLife> {
    let there = || rows.iter().filter(|row| !row.is_gone(now_ms));
    there()
        .filter(|row| row.signs_from_ms <= now_ms)
        .max_by_key(|row| row.turn())
        .or_else(|| there().min_by_key(|row| row.turn()))
}

/// Where one of `rows` stands at `now_ms`.
pub fn state(rows: &[KeyLife], row: &KeyLife, now_ms: u64) -> KeyState {
    if row.is_gone(now_ms) {
        KeyState::Gone
    } else if signing(rows, now_ms).is_some_and(|signs| signs.kid == row.kid) {
        KeyState::Signing
    } else if row.signs_from_ms > now_ms {
        KeyState::Announced
    } else {
        KeyState::Retired
    }
}

/// The keys that stand in the key set at `now_ms`, newest first.
pub fn published(rows: &[KeyLife], now_ms: u64) -> Vec<&KeyLife> {
    let mut found: Vec<&KeyLife> = rows.iter().filter(|row| !row.is_gone(now_ms)).collect();
    found.sort_by_key(|row| Reverse(row.turn()));
    found
}

/// Keys that are gone at `now_ms`.
pub fn gone(rows: &[KeyLife], now_ms: u64) -> Vec<String> {
    let over = rows.iter().filter(|row| row.is_gone(now_ms));
    over.map(|row| row.kid.clone()).collect()
}

/// Longest `max-age` of the key set, ms: a hub that keeps it that long still sees a new key before it
/// signs, with as much time again for clocks and slow requests.
pub const fn max_age_ms(announce_ms: u64) -> u64 {
    announce_ms / 2
}

/// A rotation at `now_ms` to the new key `kid`, which signs after `announce_ms`, or at once: when it is
/// the first one, or `at_once` says that the old ones must not sign any longer.
///
/// # Errors
/// A key already waits for its time, and `at_once` is not set.
pub fn rotate(
    rows: &[KeyLife],
    kid: String,
    now_ms: u64,
    announce_ms: u64,
    at_once: bool,
) -> Result<Rotation, AlreadyAnnounced> {
    let live: Vec<&KeyLife> = rows.iter().filter(|row| !row.is_gone(now_ms)).collect();
    let waiting = live.iter().find(|row| row.signs_from_ms > now_ms);
    if let Some(waiting) = waiting.filter(|_| !at_once) {
        return Err(AlreadyAnnounced {
            kid: waiting.kid.clone(),
            signs_from_ms: waiting.signs_from_ms,
        });
    }
    let signs = signing(rows, now_ms).map(|row| row.signs_from_ms);
    let wait = if signs.is_none() || at_once {
        0
    } else {
        announce_ms
    };
    // After the one that signs, also when that was made in this very millisecond.
    let signs_from_ms = now_ms
        .saturating_add(wait)
        .max(signs.map_or(0, |from| from.saturating_add(1)));
    let leaves = signs_from_ms
        .saturating_add(LONGEST_TOKEN_MS)
        .saturating_add(SKEW_MS);
    let mut changed = Vec::new();
    for row in live {
        let mut row = row.clone();
        if row.signs_from_ms > now_ms {
            // It waited and never signs, but is not dropped: a server that has not yet seen this change
            // could just be taking it. It is published as long as one that did.
            row.signs_from_ms = now_ms.saturating_sub(1);
        } else if row.gone_at_ms.is_some() {
            continue;
        }
        row.gone_at_ms = Some(leaves);
        changed.push(row);
    }
    Ok(Rotation {
        made: KeyLife {
            kid,
            made_at_ms: now_ms,
            signs_from_ms,
            gone_at_ms: None,
        },
        changed,
        dropped: gone(rows, now_ms),
    })
}

#[cfg(test)]
mod tests;
