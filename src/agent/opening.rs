//! What the disk tells at start: tombstones, leftovers, the sealed state.

use super::answers::PortAnswer;
use super::audit_chain::Vouched;
use super::command::AgentCommand;
use super::core::AgentCore;
use super::org_session::{OrgSession, Session, live_of};
use super::ports::{Notice, SessionStore};
use super::state::{Sealed, SealedSession};
use oam_config::agent::Org;
use oam_config::digest;
use oam_model::name::OrgName;
use oam_model::record::{EventKind, Record};
use oam_model::refusal::Refusal;
use oam_session::machine::HostEvent;
use std::rc::Rc;

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

impl AgentCore {
    pub(super) fn start(&mut self) {
        if let Err(why) = self.ports.files.sweep() {
            self.save_trouble = Some(format!(
                "token files of an earlier agent could not be deleted: {why}"
            ));
        }
        match self.ports.vault.tombstones() {
            Ok(tombstones) => self.tombstones = tombstones,
            Err(why) => {
                self.blocked = Some(Refusal::unavailable(
                    format!("the record of ended sessions can't be read: {why}"),
                    "restore or delete the file, then sign in again",
                ));
            }
        }
        let settings = std::sync::Arc::clone(&self.settings);
        for org in &settings.orgs {
            self.add_org_session(org);
        }
        if let Some(what) = self.ports.journal.repaired() {
            let mut alarm = Record::new(EventKind::Alarm, self.now().wall_ms);
            alarm.detail = Some(what);
            self.write(&alarm);
        }
        let mut record = Record::new(EventKind::Start, self.now().wall_ms);
        record.detail = Some(format!("oam-agent {}", self.version));
        self.write(&record);
    }

    pub(super) fn add_org_session(&mut self, org: &Org) {
        let jitter = u16::try_from(self.ports.dice.roll() % 200).unwrap_or(0);
        let org_session = OrgSession::new(org, self.tombstones.get(&org.name), jitter);
        self.org_sessions.insert(org.name.clone(), org_session);
    }

    /// Opens the sealed state aside; one attempt at a time.
    pub(super) fn open_aside(&mut self) {
        if matches!(self.opening, Opening::Open | Opening::UnderWay) {
            return;
        }
        self.opening = Opening::UnderWay;
        let (vault, inner) = (Rc::clone(&self.ports.vault), self.inner.clone());
        tokio::task::spawn_local(async move {
            let _ = inner.send(PortAnswer::Opened(vault.open().await));
        });
    }

    /// Everything waits for the first reading. Where the keyring was missing then, those that need
    /// a session make it be tried once more; reports are made without.
    pub(super) const fn must_wait_for_opening(&self, command: &AgentCommand) -> bool {
        match self.opening {
            Opening::Open => false,
            Opening::NotYet | Opening::UnderWay => !matches!(
                command,
                AgentCommand::Configured(_)
                    | AgentCommand::Organization { .. }
                    | AgentCommand::Reload { .. }
            ),
            Opening::Failed(_) => matches!(
                command,
                AgentCommand::Get { .. }
                    | AgentCommand::Follow { .. }
                    | AgentCommand::Login(_)
                    | AgentCommand::Watch { .. }
                    | AgentCommand::Logout { .. }
            ),
        }
    }

    pub(super) fn opened(&mut self, result: Result<Option<Sealed>, Refusal>) {
        if matches!(self.opening, Opening::Open) {
            return;
        }
        match result.and_then(|sealed| self.unblock().map(|()| sealed)) {
            Ok(sealed) => {
                self.opening = Opening::Open;
                self.restore(sealed);
            }
            Err(refusal) => {
                self.opening = Opening::Failed(refusal);
                self.begin_log(Vouched::Unknown);
            }
        }
        // Not by the door that they came in by: with the keyring still missing they would wait for ever.
        for command in std::mem::take(&mut self.parked) {
            self.admit(command);
        }
        self.take_arrived();
    }

    /// Tombstones that could not be read are tried again. Until then the sealed state counts as
    /// unread, so that nothing is written over it: a disk that fails to read once must not cost a session.
    fn unblock(&mut self) -> Result<(), Refusal> {
        let Some(blocked) = self.blocked.clone() else {
            return Ok(());
        };
        self.tombstones = self.ports.vault.tombstones().map_err(|_| blocked)?;
        self.blocked = None;
        let settings = std::sync::Arc::clone(&self.settings);
        for org in &settings.orgs {
            self.add_org_session(org);
        }
        Ok(())
    }

    /// Why no session can be served at all, if so.
    pub(super) fn closed_because(&self) -> Option<Refusal> {
        match (&self.blocked, &self.opening) {
            (Some(refusal), _) | (None, Opening::Failed(refusal)) => Some(refusal.clone()),
            _ => None,
        }
    }

    fn restore(&mut self, sealed: Option<Sealed>) {
        let Some(sealed) = sealed else {
            self.begin_log(Vouched::Nothing);
            return self.tell_breaks();
        };
        self.begin_log(Vouched::Sealed {
            anchor: sealed.anchor,
            breaks: sealed.breaks,
        });
        // Not before all sessions are back: telling writes the sealed state, which must not lose one.
        let told = self.audit_chain.take_news();
        for (name, session) in sealed.sessions {
            self.restore_session(name, session);
        }
        self.tell_break(told);
    }

    /// The log goes on from here; what was written since the start waited for it.
    fn begin_log(&mut self, vouched: Vouched) {
        let now = self.now();
        self.audit_chain.begin(vouched, now.wall_ms);
        if self.audit_chain.dirty {
            self.log_is_dirty();
        }
    }

    /// A log that is not as it was left: sealed at once, so that nothing which happens to the log after
    /// this hides it, and told once.
    pub(super) fn tell_breaks(&mut self) {
        let told = self.audit_chain.take_news();
        self.tell_break(told);
    }

    fn tell_break(&mut self, sentence: Option<String>) {
        let Some(sentence) = sentence else {
            return;
        };
        self.save_quietly();
        self.ports.notices.show(Notice {
            title: "OAM: the audit log was changed".into(),
            body: format!("{sentence}. Run `oam log --verify`."),
            urgent: true,
        });
    }

    /// A session whose tombstone is as old or younger is over, whatever the sealed state says: the
    /// agent was killed between the two.
    pub(super) fn restore_session(&mut self, name: OrgName, sealed: SealedSession) {
        let buried = self
            .tombstones
            .get(&name)
            .is_some_and(|t| t.epoch >= sealed.epoch);
        if buried {
            self.save_quietly();
            return;
        }
        let settings = std::sync::Arc::clone(&self.settings);
        let Some(org) = settings.org(&name) else {
            self.orphaned.insert(name, sealed);
            return;
        };
        let Some(org_session) = self.org_sessions.get_mut(&name) else {
            return;
        };
        let bound = digest::binding(org) == sealed.digest;
        let mut live = live_of(
            org,
            &sealed.tokens,
            sealed.identity,
            sealed.signed_in_at_ms,
            None,
        );
        live.doubt = sealed.in_flight.is_some();
        org_session.machine.resume_at(sealed.epoch);
        org_session.gate.set(sealed.epoch);
        org_session.outstanding = sealed.outstanding;
        org_session.issuer_client.resume(sealed.issuer);
        org_session.session = Some(Session {
            tokens: sealed.tokens,
            signed_in_at_ms: sealed.signed_in_at_ms,
            digest: sealed.digest,
            in_flight: sealed.in_flight,
            durable: true,
            id_not_renewed: false,
            groups_by_userinfo: sealed.groups_by_userinfo,
        });
        org_session.signed_in_to = bound.then(|| org.clone());
        self.step(&name, HostEvent::Restored(live));
        if !bound {
            self.step(&name, HostEvent::Bound(false));
        }
        self.resubscribe(&name);
    }

    /// The sealed state as it should be now.
    pub(super) fn sealed(&self) -> Sealed {
        let sessions = self
            .org_sessions
            .iter()
            .filter_map(|(name, org_session)| Some((name.clone(), org_session.sealed()?)));
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

    /// Writes the sealed state durably.
    ///
    /// # Errors
    /// Our words for why it could not be written.
    pub(super) fn save(&mut self) -> Result<(), String> {
        if !matches!(self.opening, Opening::Open) {
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
        let sealed = self.sealed();
        if sealed.sessions.is_empty() && !self.ports.vault.has_key() {
            // Nobody has ever signed in here: there is no key, and nothing worth one.
            return Ok(());
        }
        let result = self.ports.vault.save(&sealed);
        match &result {
            Ok(()) => {
                self.audit_chain.anchored(sealed.anchor);
                self.save_trouble = None;
                let org_sessions = self.org_sessions.values_mut();
                for session in org_sessions.filter_map(|org_session| org_session.session.as_mut()) {
                    session.durable = true;
                }
            }
            Err(why) => {
                let lost = if self.has_undurable_session() {
                    "; a renewed session is in memory only and is lost if the agent is killed before there is room"
                } else {
                    ""
                };
                self.save_trouble = Some(format!(
                    "the session state can't be written, and is tried again: {why}{lost}"
                ));
                self.log_is_dirty();
            }
        }
        result
    }

    /// Whether tokens that arrived are not on disk.
    pub(super) fn has_undurable_session(&self) -> bool {
        let sessions = self
            .org_sessions
            .values()
            .filter_map(|o| o.session.as_ref());
        let kept = self.ports.vault.store() != SessionStore::Memory;
        kept && sessions.into_iter().any(|session| !session.durable)
    }

    pub(super) fn save_quietly(&mut self) {
        if matches!(self.opening, Opening::Open) {
            let _ = self.save();
        }
    }
}
