//! What outlives the agent, as one: the sealed state, the ends beside it, and the audit log that both are written with.

use super::audit_chain::AuditChain;
use super::notice_memory::NoticeMemory;
use super::org_session::OrgSession;
use super::ports::{AuditFile, Vault};
use super::state::{Sealed, SealedSession, Tombstone};
use oam_model::log_break::LogBreak;
use oam_model::name::OrgName;
use oam_model::record::Record;
use oam_model::refusal::Refusal;
use oam_model::standing::StandingWord;
use oam_model::time::Moment;
use oam_wire::message::StoreChoice;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A record is made durable this long after it was written, ms (promise 4: within one second).
const SYNC_AFTER_MS: u64 = 800;

/// Whether the sealed state was read.
pub(super) enum Opening {
    /// Not tried.
    NotYet,
    /// Being read.
    UnderWay,
    /// Read, or there is none.
    Open,
    /// The keyring is missing or locked, or the file can't be read.
    Failed(Refusal),
}

pub(super) struct Durable {
    pub vault: Rc<dyn Vault>,
    pub audit_chain: AuditChain,
    pub tombstones: BTreeMap<OrgName, Tombstone>,
    /// What was told on the desktop, as it is written.
    notices: NoticeMemory,
    /// Stored sessions of organizations that the configuration no longer names: kept, not served.
    pub orphaned: BTreeMap<OrgName, SealedSession>,
    /// Whether the sealed state was read; before that nothing is written over it.
    pub opening: Opening,
    /// Tombstones can't be read: everything is refused.
    pub blocked: Option<Refusal>,
    /// The state is no longer this agent's; why. Then nothing is written any more.
    pub lost: Option<String>,
    /// Why the last save came to nothing.
    pub trouble: Option<String>,
    /// When the log is made durable.
    pub sync_at: Option<Moment>,
}

impl Durable {
    /// Reads the tombstones first, so that an end survives whatever the keyring does.
    pub(super) fn new(vault: Rc<dyn Vault>, journal: Rc<dyn AuditFile>) -> Self {
        let (tombstones, blocked) = match vault.tombstones() {
            Ok(tombstones) => (tombstones, None),
            Err(why) => {
                let refusal = Refusal::unavailable(
                    format!("the record of ended sessions can't be read: {why}"),
                    "restore or delete the file, then sign in again",
                );
                (BTreeMap::new(), Some(refusal))
            }
        };
        Self {
            notices: vault.notices(),
            vault,
            audit_chain: AuditChain::open(journal),
            tombstones,
            orphaned: BTreeMap::new(),
            opening: Opening::NotYet,
            blocked,
            lost: None,
            trouble: None,
            sync_at: None,
        }
    }

    /// Tombstones that could not be read are tried again. Until then the sealed state counts as
    /// unread, so that nothing is written over it: a disk that fails to read once must not cost a session.
    /// `true`: they could be read now, and not before.
    pub(super) fn unblock(&mut self) -> Result<bool, Refusal> {
        let Some(blocked) = self.blocked.clone() else {
            return Ok(false);
        };
        self.tombstones = self.vault.tombstones().map_err(|_| blocked)?;
        self.blocked = None;
        Ok(true)
    }

    pub(super) const fn is_open(&self) -> bool {
        matches!(self.opening, Opening::Open)
    }

    /// Why no session can be served at all, if so.
    pub(super) fn closed_because(&self) -> Option<Refusal> {
        match (&self.blocked, &self.opening) {
            (Some(refusal), _) | (None, Opening::Failed(refusal)) => Some(refusal.clone()),
            _ => None,
        }
    }

    /// Where sessions are kept, as a word.
    pub(super) fn kept_in(&self) -> &'static str {
        match self.vault.store() {
            StoreChoice::Keyring => "keyring",
            StoreChoice::Kernel => "kernel",
            StoreChoice::Memory => "memory",
        }
    }

    /// Whether a session of this epoch is over.
    pub(super) fn is_over(&self, org: &OrgName, epoch: u64) -> bool {
        self.tombstones.get(org).is_some_and(|t| t.epoch >= epoch)
    }

    /// Whether the last session of this organization ended against the person's will.
    pub(super) fn was_ended(&self, org: &OrgName) -> bool {
        let ended = [StandingWord::Ended, StandingWord::Revoked];
        let tombstone = self.tombstones.get(org);
        tombstone.is_some_and(|tombstone| ended.contains(&tombstone.standing))
    }

    /// Writes the end of a session durably.
    pub(super) fn persist_end(
        &mut self,
        org: &OrgName,
        tombstone: Tombstone,
    ) -> Result<(), String> {
        self.tombstones.insert(org.clone(), tombstone);
        self.vault.persist_tombstone(&self.tombstones)
    }

    /// A new session of this organization is durable: the end of the one before goes.
    pub(super) fn forget_end(&mut self, org: &OrgName) {
        self.orphaned.remove(org);
        if self.tombstones.remove(org).is_some() {
            self.persist_tombstones();
        }
    }

    /// What was told on the desktop.
    pub(super) const fn notices(&self) -> &NoticeMemory {
        &self.notices
    }

    /// Keeps what was told on the desktop, where it is another than before.
    pub(super) fn keep_notices(&mut self, change: impl FnOnce(&mut NoticeMemory)) {
        let mut changed = self.notices.clone();
        change(&mut changed);
        if changed != self.notices {
            self.vault.persist_notices(&changed);
            self.notices = changed;
        }
    }

    /// Writes the ends; a failure is kept for `status`.
    pub(super) fn persist_tombstones(&mut self) {
        if let Err(why) = self.vault.persist_tombstone(&self.tombstones) {
            self.trouble = Some(why);
        }
    }

    /// What nobody can open must not outlive an end; a failure is kept for `status`.
    pub(super) fn discard_aside(&mut self) {
        if let Err(why) = self.vault.discard_aside() {
            self.trouble = Some(why);
        }
    }

    /// Neither the tombstone nor a state without the session could be written (a full disk): deleting needs
    /// no room, and a restart then finds nobody signed in.
    pub(super) fn discard_unwritten(&mut self, why: &str) {
        let discarded = self.vault.discard();
        self.trouble = Some(match discarded {
            Ok(()) => format!(
                "the end of a session could not be written ({why}); its sealed state was deleted"
            ),
            Err(also) => {
                format!("the end of a session could not be written ({why}) nor deleted ({also})")
            }
        });
    }

    /// The sealed state as it should be now.
    fn sealed(&self, org_sessions: &[&mut OrgSession]) -> Sealed {
        let sessions = org_sessions
            .iter()
            .filter_map(|org_session| Some((org_session.name.clone(), org_session.sealed()?)));
        let orphaned = self
            .orphaned
            .iter()
            .map(|(name, session)| (name.clone(), session.share()));
        Sealed {
            sessions: sessions.chain(orphaned).collect(),
            anchor: self.audit_chain.durable_head(),
            breaks: self.audit_chain.breaks().cloned().collect(),
        }
    }

    /// Writes the sealed state of all sessions durably.
    ///
    /// # Errors
    /// Our words for why it could not be written.
    pub(super) fn save(
        &mut self,
        org_sessions: &mut [&mut OrgSession],
        now: Moment,
    ) -> Result<(), String> {
        if !self.is_open() {
            return Err("the sealed state was not read yet".into());
        }
        if let Some(why) = &self.lost {
            return Err(why.clone());
        }
        // The anchor must not run ahead of what is durable in the log.
        if self.audit_chain.dirty
            && let Err(why) = self.audit_chain.sync()
        {
            self.audit_chain.not_durable = Some(why);
        }
        let sealed = self.sealed(org_sessions);
        if sealed.sessions.is_empty() && !self.vault.has_key() {
            // Nobody has ever signed in here: there is no key, and nothing worth one.
            return Ok(());
        }
        let result = self.vault.save(&sealed);
        match &result {
            Ok(()) => {
                self.audit_chain.anchored(sealed.anchor);
                self.trouble = None;
                let sessions = org_sessions.iter_mut();
                for session in sessions.filter_map(|org_session| org_session.session.as_mut()) {
                    session.durable = true;
                }
            }
            Err(why) => {
                let lost = if self.is_behind(org_sessions.iter().map(|own| &**own)) {
                    "; a renewed session is in memory only and is lost if the agent is killed before there is room"
                } else {
                    ""
                };
                self.trouble = Some(format!(
                    "the session state can't be written, and is tried again: {why}{lost}"
                ));
                self.sync_soon(now);
            }
        }
        result
    }

    /// Whether tokens that arrived are not on disk.
    pub(super) fn is_behind<'a>(&self, org_sessions: impl Iterator<Item = &'a OrgSession>) -> bool {
        let mut sessions = org_sessions.filter_map(|own| own.session.as_ref());
        let kept = self.vault.store() != StoreChoice::Memory;
        kept && sessions.any(|session| !session.durable)
    }

    /// There is something to be made durable: it will be within a second.
    pub(super) fn sync_soon(&mut self, now: Moment) {
        if self.sync_at.is_none() {
            self.sync_at = Some(now.plus(SYNC_AFTER_MS));
        }
    }

    /// Makes the lines of the log durable; `false`: there is none that was not, or it failed and is tried again.
    fn sync(&mut self, now: Moment) -> bool {
        if !self.audit_chain.dirty {
            return false;
        }
        match self.audit_chain.sync() {
            Ok(()) => true,
            Err(why) => {
                self.audit_chain.not_durable = Some(why);
                self.sync_soon(now);
                false
            }
        }
    }

    /// Makes the log durable and seals its head, with whatever could not be written before; then there are lines to
    /// send.
    pub(super) fn sync_log(&mut self, org_sessions: &mut [&mut OrgSession], now: Moment) {
        self.sync_at = None;
        if self.trouble.is_some() {
            // An end that could not be written, or a renewed token.
            let _ = self.vault.persist_tombstone(&self.tombstones);
            self.save_quietly(org_sessions, now);
        }
        if self.sync(now) {
            self.save_quietly(org_sessions, now);
            let written = self.audit_chain.sequence();
            for org_session in org_sessions {
                org_session.records_are_due(written, now);
            }
        }
    }

    fn save_quietly(&mut self, org_sessions: &mut [&mut OrgSession], now: Moment) {
        if self.is_open() {
            let _ = self.save(org_sessions, now);
        }
    }

    /// Whether what was written to the log holds, as far as a grant needs it (promise 4).
    pub(super) fn holds_records(&mut self) -> bool {
        self.audit_chain.not_durable.is_none() || self.audit_chain.sync().is_ok()
    }

    /// Writes a record to the log; a failure is kept for `status`.
    pub(super) fn append(&mut self, record: &Record, now: Moment) -> bool {
        let written = self.audit_chain.append(record).is_ok();
        if written {
            self.sync_soon(now);
        }
        written
    }

    /// Promise 4: what can't be recorded is refused.
    pub(super) fn unrecorded(&self) -> Refusal {
        let why = self
            .audit_chain
            .trouble
            .clone()
            .or_else(|| self.audit_chain.not_durable.clone())
            .unwrap_or_else(|| "unknown".into());
        Refusal::unavailable(
            format!(
                "the audit log can't be written ({why}), and nothing is granted without a record"
            ),
            "make room or restore the folder that `oam status` names, then try again",
        )
    }

    /// What is amiss with what is kept, for `status`.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(refusal) = self.closed_because() {
            warnings.push(format!("{}; {}", refusal.sentence, refusal.next));
        }
        if let Some(why) = &self.audit_chain.trouble {
            warnings.push(format!("the audit log can't be written: {why}"));
        }
        if let Some(why) = &self.audit_chain.not_durable {
            warnings.push(format!("the audit log can't be made durable: {why}"));
        }
        let open = self.audit_chain.breaks().filter(|found| found.is_open());
        warnings.extend(open.map(LogBreak::sentence).map(|sentence| {
            format!(
                "{sentence}; run `oam log --verify`, tell the administrators, then `oam log --acknowledge`"
            )
        }));
        warnings.extend(self.trouble.clone());
        warnings.extend(self.orphaned.keys().map(|org| {
            format!("a session of {org} is stored, and the configuration no longer names that organization")
        }));
        warnings
    }
}
