//! Whether a database is the one that was served last, or an older copy of it.
//!
//! What lies inside of a database can't tell: a copy is whole, and every chain in it is intact. What others
//! remember of it can: the marker beside the file, anchors kept elsewhere, and the agents, who keep the last
//! head that the issuer signed. Each remembers a [`Position`], and [`judge`] compares it with what is there.
//! A restore is told from a copy by its generation: it begins a new one, and says at which entry.

use super::record::KnownEntry;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

/// A place in the organization's audit log, in one generation of the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// How often the database had been restored.
    pub generation: u64,
    /// Number of the last entry; 0: none.
    pub seq: u64,
    /// Its hash, lower-case hex.
    pub hash: String,
}

/// What a database says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// The last entry at each restore, oldest first: entries after it are of the generation that began
    /// there.
    pub restored_at: Vec<u64>,
    /// The last entry; none: the log is empty.
    pub last: Option<KnownEntry>,
    /// A marker was written beside this database once.
    pub marked: bool,
}

/// What a remembered position says of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The database holds it, or dropped it by age.
    Held,
    /// It lies beyond the entry at which a restore began: it was given up knowingly.
    GivenUp,
    /// The database is older than it.
    Older,
    /// The database holds another entry of this number.
    Another,
}

impl History {
    /// The generation in which entries are written now.
    pub fn generation(&self) -> u64 {
        u64::try_from(self.restored_at.len()).unwrap_or(u64::MAX)
    }

    /// Where the log ends.
    pub fn position(&self) -> Position {
        Position {
            generation: self.generation(),
            seq: self.last.as_ref().map_or(0, |last| last.seq),
            hash: self.last.as_ref().map_or_else(
                || super::record::GENESIS.to_owned(),
                |last| last.hash.clone(),
            ),
        }
    }

    /// The history after a restore at this place: a generation later than `beyond`, so that nobody takes the
    /// restored database for an older one.
    #[must_use]
    pub fn restored(mut self, beyond: u64) -> Self {
        let at = self.last.as_ref().map_or(0, |last| last.seq);
        let next = usize::try_from(beyond.max(self.generation())).unwrap_or(usize::MAX);
        // A number that no honest marker has would make this list long.
        let next = next
            .min(self.restored_at.len() + MOST_MISSED)
            .saturating_add(1);
        self.restored_at.resize(next, at);
        self
    }
}

/// Restores that a backup can have missed: it was made before them.
const MOST_MISSED: usize = 10_000;

/// Compares a remembered position with a database; `there` is the hash of the database's entry of that number,
/// none when it has none.
pub fn judge(own: &History, known: &Position, there: Option<&str>) -> Verdict {
    let generation = own.generation();
    if known.seq == 0 && known.generation <= generation {
        return Verdict::Held;
    }
    if known.generation > generation {
        return Verdict::Older;
    }
    // Entries beyond the earliest later restore were given up by it.
    let later = usize::try_from(known.generation).unwrap_or(usize::MAX);
    let kept_up_to = own
        .restored_at
        .get(later..)
        .unwrap_or_default()
        .iter()
        .min();
    if kept_up_to.is_some_and(|at| known.seq > *at) {
        return Verdict::GivenUp;
    }
    if known.seq > own.last.as_ref().map_or(0, |last| last.seq) {
        return Verdict::Older;
    }
    match there {
        // It was dropped by age: the numbers alone fit.
        None => Verdict::Held,
        Some(hash) if hash == known.hash => Verdict::Held,
        Some(_) => Verdict::Another,
    }
}

/// Whether a head that was just told replaces the one that is kept: by a later generation, or further on in the
/// same one. An issuer that went back to an older database is so shown what it forgot.
pub fn replaces(told: &Position, kept: Option<&Position>) -> bool {
    kept.is_none_or(|kept| (told.generation, told.seq) > (kept.generation, kept.seq))
}

/// Longest signed head that is taken, bytes.
pub const LONGEST_HEAD: usize = 2_048;

/// What a signed head says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct HeadClaims {
    /// The organization.
    pub org: String,
    /// The place in its log.
    #[serde(flatten)]
    pub position: Position,
}

/// Reads a head (a compact JWS) without a look at its signature, which only the issuer can check: whoever keeps
/// one has it from the issuer itself, over TLS.
pub fn claims_of(head: &str) -> Option<HeadClaims> {
    let mut parts = head.split('.');
    let (_, claims, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else {
        return None;
    };
    if head.len() > LONGEST_HEAD {
        return None;
    }
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
}

/// Whether a head that was just told replaces the one that is kept, both as texts.
pub fn replaces_head(told: &str, kept: Option<&str>) -> bool {
    claims_of(told).is_some_and(|told| {
        let kept = kept.and_then(claims_of);
        replaces(&told.position, kept.as_ref().map(|kept| &kept.position))
    })
}

#[cfg(test)]
mod tests;
