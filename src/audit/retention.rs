//! What the audit log says of itself when its beginning was dropped, so that what is left still proves
//! where it goes on from.

use super::record::KnownEntry;
use aws_lc_rs::digest::{Context, SHA256};
use oam_model::principal::PrincipalKey;

const BEGIN: &str = "entries up to ";
const MIDDLE: &str = " were dropped by age; the chain goes on from their last hash ";

/// The words of the entry that is written before entries up to `last` are dropped.
pub fn words(last: &KnownEntry) -> String {
    format!("{BEGIN}{}{MIDDLE}{}", last.seq, last.hash)
}

/// Reads them back; none for other words.
pub fn read(detail: &str) -> Option<KnownEntry> {
    let (seq, hash) = detail.strip_prefix(BEGIN)?.split_once(MIDDLE)?;
    let plain = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    let whole = hash.len() == 64 && hash.bytes().all(plain);
    Some(KnownEntry {
        seq: seq.parse().ok()?,
        hash: whole.then(|| hash.to_owned())?,
    })
}

/// What an entry says of the agents' records that were dropped: from where each log goes on would be too
/// much for an entry, so it has a digest of that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DroppedRecords {
    /// Number of logs of which something was dropped.
    pub logs: u64,
    /// SHA-256 over the last record dropped of each, lower-case hex.
    pub digest: String,
}

const OF: &str = "records of ";
const GO_ON: &str =
    " agents' logs were dropped by age; the logs go on from last hashes with the digest ";

/// The words of the entry that is written before records of agents are dropped.
pub fn words_of_records(dropped: &DroppedRecords) -> String {
    format!("{OF}{}{GO_ON}{}", dropped.logs, dropped.digest)
}

/// Reads them back; none for other words.
pub fn read_of_records(detail: &str) -> Option<DroppedRecords> {
    let (logs, digest) = detail.strip_prefix(OF)?.split_once(GO_ON)?;
    Some(DroppedRecords {
        logs: logs.parse().ok()?,
        digest: (digest.len() == 64).then(|| digest.to_owned())?,
    })
}

/// The digest while it is made. The logs come in the order of person and name.
pub struct Marks {
    logs: u64,
    digest: Context,
}

impl Default for Marks {
    fn default() -> Self {
        Self {
            logs: 0,
            digest: Context::new(&SHA256),
        }
    }
}

impl Marks {
    /// Adds the last record dropped of one log.
    pub fn add(&mut self, key: &PrincipalKey, log: &str, dropped: &KnownEntry) {
        self.logs += 1;
        let seq = dropped.seq.to_string();
        for text in [key.source.as_str(), &key.key, log, &seq, &dropped.hash] {
            self.digest.update(text.as_bytes());
            self.digest.update(&[0]);
        }
    }

    /// What is said of all of them; none when nothing was dropped.
    pub fn finish(self) -> Option<DroppedRecords> {
        (self.logs > 0).then(|| DroppedRecords {
            logs: self.logs,
            digest: hex::encode(self.digest.finish()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{KnownEntry, read, words};

    #[test]
    fn what_was_dropped_is_read_back_exactly() {
        let last = KnownEntry {
            seq: 120,
            hash: "5f".repeat(32),
        };
        assert_eq!(read(&words(&last)), Some(last));
        for odd in ["", "entries up to 3", "entries up to x were dropped"] {
            assert_eq!(read(odd), None, "{odd:?}");
        }
        let short = KnownEntry {
            seq: 1,
            hash: "5f".into(),
        };
        assert_eq!(read(&words(&short)), None);
    }
}
