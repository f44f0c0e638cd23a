//! The audit log's running end: every record gets its place in the chain before the answer leaves.

use super::ports::Journal;
use super::state::Anchor;
use crate::model::record::{Entry, Happening, Record};
use crate::model::report::AnchorReport;
use crate::rules::record::{GENESIS, chain};
use std::rc::Rc;

/// The chain's end, and how far it is anchored.
pub(super) struct Ledger {
    journal: Rc<dyn Journal>,
    seq: u64,
    hash: String,
    anchored: Option<Anchor>,
    /// The oldest line that is there; read once.
    first: Option<String>,
    /// Lines were written since the last sync.
    pub(super) dirty: bool,
    /// Why the last append failed.
    pub(super) trouble: Option<String>,
    /// Why the last sync failed.
    pub(super) not_durable: Option<String>,
}

impl Ledger {
    /// Goes on from the last line that is there.
    pub(super) fn open(journal: Rc<dyn Journal>) -> Self {
        let mut ledger = Self {
            journal,
            seq: 0,
            hash: GENESIS.to_owned(),
            anchored: None,
            first: None,
            dirty: false,
            trouble: None,
            not_durable: None,
        };
        match ledger.journal.last_line() {
            Ok(None) => {}
            Ok(Some(line)) => match serde_json::from_str::<Entry>(&line) {
                Ok(entry) => (ledger.seq, ledger.hash) = (entry.seq, entry.hash),
                Err(_) => ledger.trouble = Some("its last line can't be read".into()),
            },
            Err(why) => ledger.trouble = Some(why),
        }
        ledger
    }

    /// Compares the log with what the sealed state knows of it. A log that ends before its anchor
    /// goes on after the anchor, so that the gap stays visible in the chain for ever.
    pub(super) fn check(&mut self, anchor: Anchor, now_ms: u64) {
        let found = if anchor.seq > self.seq {
            None
        } else {
            self.journal.line(anchor.seq).ok().flatten()
        };
        let intact = found
            .as_deref()
            .and_then(|line| serde_json::from_str::<Entry>(line).ok())
            .is_some_and(|entry| entry.hash == anchor.hash);
        if intact || anchor.seq == 0 {
            self.anchored = Some(anchor);
            return;
        }
        let mut alarm = Record::new(Happening::Alarm, now_ms);
        alarm.detail = Some(if anchor.seq > self.seq {
            format!(
                "the audit log ended at record {}, and the sealed state knows record {}",
                self.seq, anchor.seq
            )
        } else {
            format!(
                "record {} of the audit log is not the one that the sealed state knows",
                anchor.seq
            )
        });
        if anchor.seq > self.seq {
            (self.seq, self.hash) = (anchor.seq, anchor.hash.clone());
        }
        self.anchored = Some(anchor);
        let _ = self.append(&alarm);
    }

    /// Writes one record.
    ///
    /// # Errors
    /// Our words for why it could not be written; then nothing may be granted.
    pub(super) fn append(&mut self, record: &Record) -> Result<(), String> {
        let link = chain(self.seq + 1, &self.hash, record)?;
        match self.journal.append(&link.line) {
            Ok(()) => {
                (self.seq, self.hash) = (link.seq, link.hash);
                self.dirty = true;
                self.trouble = None;
                Ok(())
            }
            Err(why) => {
                self.trouble = Some(why.clone());
                Err(why)
            }
        }
    }

    /// Makes all lines durable. The caller seals [`Self::head`] afterwards.
    pub(super) fn sync(&mut self) -> Result<(), String> {
        self.journal.sync()?;
        self.dirty = false;
        self.not_durable = None;
        Ok(())
    }

    /// What may be sealed: the head once it is durable, before that what was sealed last. An anchor
    /// ahead of the log would look like a log that was cut.
    pub(super) fn durable_head(&self) -> Option<Anchor> {
        if self.dirty {
            self.anchored.clone()
        } else {
            self.head()
        }
    }

    /// The head.
    pub(super) fn head(&self) -> Option<Anchor> {
        (self.seq > 0).then(|| Anchor {
            seq: self.seq,
            hash: self.hash.clone(),
        })
    }

    /// The head was sealed.
    pub(super) fn anchored(&mut self, anchor: Option<Anchor>) {
        self.anchored = anchor;
    }

    pub(super) fn report(&self, sealed: bool) -> AnchorReport {
        AnchorReport {
            folder: self.journal.folder(),
            sequence: self.seq,
            hash: self.hash.clone(),
            anchored_sequence: self.anchored.as_ref().map_or(0, |a| a.seq),
            anchored_hash: self
                .anchored
                .as_ref()
                .map_or_else(|| GENESIS.to_owned(), |a| a.hash.clone()),
            anchored_in: if sealed {
                "sealed".into()
            } else {
                "memory".into()
            },
            held: Vec::new(),
        }
    }

    /// The oldest line that is there.
    pub(super) fn first(&mut self) -> Result<&str, String> {
        if self.first.is_none() {
            self.first = self.journal.lines(1, 1, 1)?.pop();
        }
        self.first
            .as_deref()
            .ok_or_else(|| "the audit log is empty".into())
    }

    /// The number of the last record.
    pub(super) const fn sequence(&self) -> u64 {
        self.seq
    }
}
