//! What the audit log says of itself when its beginning was dropped, so that what is left still proves
//! where it goes on from.

use super::record::KnownEntry;
use aws_lc_rs::digest::{Context, SHA256};
use oam_model::audit::{AuditEvent, AuditFact, AuditRecord};
use oam_model::name::OrgName;
use oam_model::principal::PrincipalKey;

const BEGIN: &str = "entries up to ";
const MIDDLE: &str = " were dropped by age; the chain goes on from their last hash ";

/// The entry that is written before entries up to `last` are dropped; `at_ms` Unix ms.
pub fn entries_dropped(org: OrgName, at_ms: u64, last: &KnownEntry) -> AuditRecord {
    AuditRecord {
        detail: Some(format!("{BEGIN}{}{MIDDLE}{}", last.seq, last.hash)),
        fact: Some(AuditFact::EntriesDropped {
            seq: last.seq,
            hash: last.hash.clone(),
        }),
        ..AuditRecord::new(AuditEvent::Retention, org, at_ms)
    }
}

/// The last entry that was dropped, by what an entry says; none where it says something else. Its words count only in
/// an entry of before there were facts.
pub fn last_dropped(fact: Option<&AuditFact>, detail: Option<&str>) -> Option<KnownEntry> {
    match fact {
        Some(AuditFact::EntriesDropped { seq, hash }) => Some(KnownEntry {
            seq: *seq,
            hash: hash.clone(),
        }),
        Some(_) => None,
        None => in_words(detail?),
    }
}

fn in_words(detail: &str) -> Option<KnownEntry> {
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

/// The entry that is written before records of agents are dropped; `at_ms` Unix ms.
pub fn records_dropped(org: OrgName, at_ms: u64, dropped: &DroppedRecords) -> AuditRecord {
    AuditRecord {
        detail: Some(format!("{OF}{}{GO_ON}{}", dropped.logs, dropped.digest)),
        fact: Some(AuditFact::RecordsDropped {
            logs: dropped.logs,
            digest: dropped.digest.clone(),
        }),
        ..AuditRecord::new(AuditEvent::Retention, org, at_ms)
    }
}

/// What an entry says of the agents' records, as [`last_dropped`].
pub fn dropped_records(fact: Option<&AuditFact>, detail: Option<&str>) -> Option<DroppedRecords> {
    match fact {
        Some(AuditFact::RecordsDropped { logs, digest }) => Some(DroppedRecords {
            logs: *logs,
            digest: digest.clone(),
        }),
        Some(_) => None,
        None => records_in_words(detail?),
    }
}

fn records_in_words(detail: &str) -> Option<DroppedRecords> {
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
    use super::{
        DroppedRecords, KnownEntry, dropped_records, entries_dropped, last_dropped, records_dropped,
    };
    use oam_model::name::OrgName;

    fn org() -> OrgName {
        "acme".parse().unwrap()
    }

    #[test]
    fn what_was_dropped_is_told_by_facts_whatever_the_words_and_by_words_where_there_are_none() {
        let last = KnownEntry {
            seq: 120,
            hash: "5f".repeat(32),
        };
        let records = DroppedRecords {
            logs: 3,
            digest: "0a".repeat(32),
        };
        let of_entries = entries_dropped(org(), 1, &last);
        let of_records = records_dropped(org(), 1, &records);
        for words in [of_entries.detail.as_deref(), Some("reworded"), None] {
            let fact = of_entries.fact.as_ref();
            assert_eq!(last_dropped(fact, words), Some(last.clone()));
            assert_eq!(dropped_records(fact, words), None);
            let fact = of_records.fact.as_ref();
            assert_eq!(dropped_records(fact, words), Some(records.clone()));
            assert_eq!(last_dropped(fact, words), None);
        }
        // An entry of before.
        assert_eq!(last_dropped(None, of_entries.detail.as_deref()), Some(last));
        let words = of_records.detail.as_deref();
        assert_eq!(dropped_records(None, words), Some(records));
    }

    #[test]
    fn odd_words_say_nothing() {
        let short = KnownEntry {
            seq: 1,
            hash: "5f".into(),
        };
        let short = entries_dropped(org(), 1, &short).detail.unwrap();
        for odd in [
            "",
            "entries up to 3",
            "entries up to x were dropped",
            &short,
        ] {
            assert_eq!(last_dropped(None, Some(odd)), None, "{odd:?}");
            assert_eq!(dropped_records(None, Some(odd)), None, "{odd:?}");
        }
    }
}
