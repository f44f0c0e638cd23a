//! When GitHub is read, and what: at once after an event, all of it now and then, not while it wants to be left alone.

use super::Scope;

/// First pause after a fault, ms; doubled with each that follows.
const FIRST_MS: u64 = 5_000;
/// Longest of them.
const LONGEST_MS: u64 = 600_000;

/// What is owed. Times are of a clock that does not leap, ms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Everything is read then.
    due_ms: u64,
    /// What events named since.
    named: Option<Scope>,
    not_before_ms: u64,
    faults: u32,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Read this.
    Read(Scope),
    /// Nothing until then, unless an event comes.
    Wait(u64),
}

impl Schedule {
    /// Everything is owed.
    pub const fn new(now_ms: u64) -> Self {
        Self {
            due_ms: now_ms,
            named: None,
            not_before_ms: 0,
            faults: 0,
        }
    }

    /// An event named this.
    pub fn named(&mut self, scope: Scope) {
        self.named = Some(match self.named.take() {
            Some(known) => known.and(scope),
            None => scope,
        });
    }

    /// What to do at this moment. What is to be read is not owed any more: what an event names while it is being read
    /// is read once more.
    pub fn next(&mut self, now_ms: u64) -> Next {
        if now_ms < self.not_before_ms {
            return Next::Wait(self.not_before_ms);
        }
        if now_ms >= self.due_ms {
            self.named = None;
            return Next::Read(Scope::All);
        }
        match self.named.take() {
            Some(scope) => Next::Read(scope),
            None => Next::Wait(self.due_ms),
        }
    }

    /// It was read to its end.
    pub const fn read(&mut self, scope: &Scope, now_ms: u64, every_ms: u64) {
        self.faults = 0;
        if matches!(scope, Scope::All) {
            self.due_ms = now_ms.saturating_add(every_ms);
        }
    }

    /// It was not: it is owed still. `pause_ms`: how long GitHub wants to be left alone.
    pub fn failed(&mut self, scope: Scope, now_ms: u64, pause_ms: Option<u64>) {
        self.named(scope);
        let doubled = FIRST_MS.saturating_mul(1_u64.checked_shl(self.faults).unwrap_or(u64::MAX));
        self.faults = self.faults.saturating_add(1);
        let wait = doubled.min(LONGEST_MS).max(pause_ms.unwrap_or(0));
        self.not_before_ms = now_ms.saturating_add(wait);
    }
}
