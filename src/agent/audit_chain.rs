//! The audit log's running end: every record gets its place in the chain before the answer leaves.
//!
//! Nothing is written before it is known what the sealed state says of the log's end: a record written
//! first would take the place of one that was cut. Where the log is not as it was left, the chain goes on
//! from the record that was known, so that the break stays in it for ever.

use super::ports::AuditFile;
use super::state::AuditAnchor;
use oam_audit::record::{GENESIS, chain, link};
use oam_model::log_break::{BreakKind, LogBreak};
use oam_model::record::{Entry, EventKind, Record};
use oam_model::report::AnchorReport;
use std::collections::VecDeque;
use std::rc::Rc;

/// More breaks than this are not kept one by one: the first and the newest are.
const MOST_BREAKS: usize = 32;

/// What is known of the log from outside it.
pub(super) enum Vouched {
    /// A sealed state was opened.
    Sealed {
        /// The last record that it knows.
        anchor: Option<AuditAnchor>,
        /// The breaks that were found before.
        breaks: Vec<LogBreak>,
    },
    /// There is no sealed state.
    Nothing,
    /// It could not be opened yet.
    Unknown,
}

/// The chain's end, and how far it is anchored.
pub(super) struct AuditChain {
    journal: Rc<dyn AuditFile>,
    seq: u64,
    hash: String,
    anchored: Option<AuditAnchor>,
    /// What is to be compared with the log before the next record is written.
    vouched: Option<Vouched>,
    /// Number of the last record that was found at start; none before the log was read.
    found: Option<u64>,
    /// Records that wait until the log was read and compared; none any more once it was begun.
    waiting: VecDeque<Record>,
    begun: bool,
    breaks: Vec<LogBreak>,
    /// Breaks that were found and not told yet.
    news: bool,
    /// The oldest line that is there; read once.
    first: Option<String>,
    /// Lines were written since the last sync.
    pub(super) dirty: bool,
    /// Why the last append failed.
    pub(super) trouble: Option<String>,
    /// Why the last sync failed.
    pub(super) not_durable: Option<String>,
}

impl AuditChain {
    /// A log that is not begun: its records wait for [`Self::begin`].
    pub(super) fn open(journal: Rc<dyn AuditFile>) -> Self {
        Self {
            journal,
            seq: 0,
            hash: GENESIS.to_owned(),
            anchored: None,
            vouched: None,
            found: None,
            waiting: VecDeque::new(),
            begun: false,
            breaks: Vec::new(),
            news: false,
            first: None,
            dirty: false,
            trouble: None,
            not_durable: None,
        }
    }

    /// Compares the log with what is known of it, then writes what waited. Called again when a sealed
    /// state opens that could not be opened before.
    pub(super) fn begin(&mut self, vouched: Vouched, now_ms: u64) {
        self.begun = true;
        self.vouched = Some(vouched);
        if let Err(why) = self.go_on(now_ms) {
            self.trouble = Some(why);
        }
    }

    /// A sign-in replaced a sealed state that could not be opened. `by_itself`: its key is gone as it
    /// always goes, with a boot.
    pub(super) fn was_replaced(&mut self, by_itself: bool, now_ms: u64) {
        self.vouched = None;
        if self.found.unwrap_or_default() > 0 {
            let kind = if by_itself {
                BreakKind::Unanchored
            } else {
                BreakKind::Unsealed
            };
            self.note(kind, 0, now_ms);
        }
    }

    /// Reads the log's end and compares it, if that was not done, and writes what waits.
    fn go_on(&mut self, now_ms: u64) -> Result<(), String> {
        if self.found.is_none() {
            self.read_end(now_ms)?;
        }
        match self.vouched.take() {
            Some(Vouched::Sealed { anchor, breaks }) => {
                if let Err(why) = self.compare(anchor.as_ref(), now_ms) {
                    // A disk that fails to read says nothing of the log.
                    self.vouched = Some(Vouched::Sealed { anchor, breaks });
                    return Err(why);
                }
                self.breaks.splice(0..0, breaks);
            }
            Some(Vouched::Nothing) => match self.past_without_seal() {
                Ok(Some(kind)) => self.note(kind, 0, now_ms),
                Ok(None) => {}
                Err(why) => {
                    self.vouched = Some(Vouched::Nothing);
                    return Err(why);
                }
            },
            Some(Vouched::Unknown) | None => {}
        }
        while let Some(record) = self.waiting.front().cloned() {
            self.put(&record)?;
            self.waiting.pop_front();
        }
        Ok(())
    }

    /// Goes on from the last line that is there; where that can't be read, from the last one that can.
    fn read_end(&mut self, now_ms: u64) -> Result<(), String> {
        let last = self.journal.last_line()?;
        let mut unreadable = false;
        let end = match last.as_deref().map(link) {
            None => None,
            Some(Ok(end)) => Some((end.seq, end.hash)),
            Some(Err(_)) => {
                unreadable = true;
                let mut end: Option<(u64, String)> = None;
                self.journal.each(&mut |line| {
                    if let Ok(found) = link(line)
                        && end.as_ref().is_none_or(|(seq, _)| *seq < found.seq)
                    {
                        end = Some((found.seq, found.hash));
                    }
                })?;
                end
            }
        };
        if let Some(end) = end {
            (self.seq, self.hash) = end;
        }
        self.found = Some(self.seq);
        if unreadable {
            self.note(BreakKind::Unreadable, 0, now_ms);
        }
        Ok(())
    }

    fn compare(&mut self, anchor: Option<&AuditAnchor>, now_ms: u64) -> Result<(), String> {
        let Some(anchor) = anchor.filter(|anchor| anchor.seq > 0) else {
            return Ok(());
        };
        let found = self.found.unwrap_or_default();
        let line = if anchor.seq > found {
            None
        } else {
            self.journal.line(anchor.seq)?
        };
        let same = line
            .and_then(|line| link(&line).ok())
            .is_some_and(|entry| entry.hash == anchor.hash);
        if !same {
            let kind = if anchor.seq > found {
                BreakKind::Cut
            } else {
                BreakKind::Rewritten
            };
            self.note(kind, anchor.seq, now_ms);
            self.seq = self.seq.max(anchor.seq);
            self.hash.clone_from(&anchor.hash);
        }
        self.anchored = Some(anchor.clone());
        Ok(())
    }

    /// What the log itself tells of a time before, where there is no sealed state: nothing was ever
    /// worth one, or the last session was kept in memory, or there should be one.
    fn past_without_seal(&self) -> Result<Option<BreakKind>, String> {
        if self.found == Some(0) {
            return Ok(None);
        }
        let mut kind = None;
        self.journal.each(&mut |line| {
            let Ok(entry) = serde_json::from_str::<Entry>(line) else {
                return;
            };
            match entry.record.what {
                EventKind::Start
                | EventKind::Alarm
                | EventKind::Refusal
                | EventKind::LoginFailed => {}
                EventKind::Acknowledgement => kind = Some(BreakKind::Unanchored),
                EventKind::Login => {
                    let in_memory = entry.record.kept_in.as_deref() == Some("memory");
                    kind = Some(if in_memory {
                        BreakKind::Unanchored
                    } else {
                        BreakKind::Unsealed
                    });
                }
                EventKind::Logout
                | EventKind::End
                | EventKind::Proof
                | EventKind::Grant
                | EventKind::Renewal
                | EventKind::Withdrawal
                | EventKind::Erase
                | EventKind::Served
                | EventKind::Doubt
                | EventKind::RolesChanged => {
                    kind = kind.or(Some(BreakKind::Unsealed));
                }
            }
        })?;
        Ok(kind)
    }

    fn note(&mut self, kind: BreakKind, known_seq: u64, now_ms: u64) {
        let found = LogBreak {
            kind,
            known_seq,
            found_seq: self.found.unwrap_or_default(),
            at_ms: now_ms,
            acknowledged_at_ms: None,
        };
        if found.is_alarm() {
            let mut alarm = Record::new(EventKind::Alarm, now_ms);
            alarm.detail = Some(found.sentence());
            self.waiting.push_front(alarm);
        }
        if self.breaks.len() >= MOST_BREAKS {
            self.breaks.remove(1);
        }
        self.news |= found.is_open();
        self.breaks.push(found);
    }

    /// Writes one record; before the log was begun it waits.
    ///
    /// # Errors
    /// Our words for why it could not be written; then nothing may be granted.
    pub(super) fn append(&mut self, record: &Record) -> Result<(), String> {
        if !self.begun {
            self.waiting.push_back(record.clone());
            return Ok(());
        }
        let result = self.go_on(record.at_ms).and_then(|()| self.put(record));
        self.trouble = result.as_ref().err().cloned();
        result
    }

    fn put(&mut self, record: &Record) -> Result<(), String> {
        let link = chain(self.seq + 1, &self.hash, record)?;
        self.journal.append(&link.line)?;
        (self.seq, self.hash) = (link.seq, link.hash);
        self.dirty = true;
        Ok(())
    }

    /// Makes all lines durable. The caller seals [`Self::head`] afterwards.
    pub(super) fn sync(&mut self) -> Result<(), String> {
        self.journal.sync()?;
        self.dirty = false;
        self.not_durable = None;
        Ok(())
    }

    /// What may be sealed: the head once it is durable, before that what was sealed last. An anchor
    /// ahead of the log would look like a log that was cut. While the log was not compared, what is
    /// sealed stays as it is.
    pub(super) fn durable_head(&self) -> Option<AuditAnchor> {
        if let Some(Vouched::Sealed { anchor, .. }) = &self.vouched {
            return anchor.clone();
        }
        if self.dirty {
            self.anchored.clone()
        } else {
            self.head()
        }
    }

    pub(super) fn head(&self) -> Option<AuditAnchor> {
        (self.seq > 0).then(|| AuditAnchor {
            seq: self.seq,
            hash: self.hash.clone(),
        })
    }

    /// The head was sealed.
    pub(super) fn anchored(&mut self, anchor: Option<AuditAnchor>) {
        self.anchored = anchor;
    }

    /// The breaks, to be sealed and shown.
    pub(super) fn breaks(&self) -> impl Iterator<Item = &LogBreak> {
        let unread = match &self.vouched {
            Some(Vouched::Sealed { breaks, .. }) => breaks.as_slice(),
            _ => &[],
        };
        unread.iter().chain(&self.breaks)
    }

    /// The breaks that were found since this was asked last and are to be told; empty when there is none.
    pub(super) fn take_news(&mut self) -> Option<String> {
        let told = std::mem::take(&mut self.news);
        let open = self.breaks.iter().rev().find(|found| found.is_open());
        open.filter(|_| told).map(LogBreak::sentence)
    }

    /// The last break that people are warned of, where it was found since one was told last.
    pub(super) fn untold(&self, told_at_ms: Option<u64>) -> Option<String> {
        let open = self.breaks.iter().rev().find(|found| found.is_open())?;
        let is_told = told_at_ms.is_some_and(|told_at_ms| told_at_ms >= open.at_ms);
        (!is_told).then(|| open.sentence())
    }

    /// Ends the warnings about what was found so far.
    pub(super) fn acknowledge(&mut self, now_ms: u64) {
        for found in self.breaks.iter_mut().filter(|found| found.is_open()) {
            found.acknowledged_at_ms = Some(now_ms);
        }
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
            breaks: self.breaks().cloned().collect(),
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
