//! What the disk tells at start: tombstones, leftovers, the sealed state.

use super::AgentCore;
use crate::answers::PortAnswer;
use crate::audit_chain::Vouched;
use crate::command::AgentCommand;
use crate::durable::Opening;
use crate::org_session::OrgSession;
use crate::state::{Sealed, SealedSession};
use oam_config::agent::Org;
use oam_model::name::OrgName;
use oam_model::record::{EventKind, Record};
use oam_model::refusal::Refusal;
use oam_session::notice_queue::DueNotice;
use oam_wire::message::Request;
use std::rc::Rc;

impl AgentCore {
    pub(crate) fn start(&mut self) {
        if let Err(why) = self.followers.sweep() {
            self.durable.trouble = Some(format!(
                "token files of an earlier agent could not be deleted: {why}"
            ));
        }
        let settings = self.settings.now();
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

    pub(crate) fn add_org_session(&mut self, org: &Org) {
        let jitter = u16::try_from(self.ports.rng.random() % 200).unwrap_or(0);
        let org_session = OrgSession::new(org, self.durable.tombstones.get(&org.name), jitter);
        self.org_sessions.insert(org.name.clone(), org_session);
    }

    /// Opens the sealed state aside; one attempt at a time.
    pub(crate) fn open_aside(&mut self) {
        if matches!(self.durable.opening, Opening::Open | Opening::UnderWay) {
            return;
        }
        self.durable.opening = Opening::UnderWay;
        let vault = Rc::clone(&self.durable.vault);
        let opened = async move { PortAnswer::Opened(vault.open().await) };
        self.aside.run(opened);
    }

    /// Everything waits for the first reading. Where the keyring was missing then, those that need
    /// a session make it be tried once more; reports are made without.
    pub(crate) const fn must_wait_for_opening(&self, command: &AgentCommand) -> bool {
        let AgentCommand::Asked(asked) = command else {
            return false;
        };
        match self.durable.opening {
            Opening::Open => false,
            Opening::NotYet | Opening::UnderWay => !matches!(
                asked.request,
                Request::Organization { .. } | Request::Reload
            ),
            Opening::Failed(_) => matches!(
                asked.request,
                Request::Get { .. }
                    | Request::Status { proof: true }
                    | Request::Why { .. }
                    | Request::Follow { .. }
                    | Request::Login { .. }
                    | Request::Watch { .. }
                    | Request::Logout { .. }
            ),
        }
    }

    pub(crate) fn opened(&mut self, result: Result<Option<Sealed>, Refusal>) {
        if self.durable.is_open() {
            return;
        }
        let settings = self.settings.now();
        let unblocked = result.and_then(|sealed| self.durable.unblock().map(|anew| (sealed, anew)));
        match unblocked {
            Ok((sealed, anew)) => {
                for org in settings.orgs.iter().filter(|_| anew) {
                    self.add_org_session(org);
                }
                self.durable.opening = Opening::Open;
                self.restore(sealed);
                for org in &settings.orgs {
                    self.recall_notices(&org.name);
                }
            }
            Err(refusal) => {
                self.durable.opening = Opening::Failed(refusal);
                self.begin_log(Vouched::Unknown);
            }
        }
        // Not by the door that they came in by: with the keyring still missing they would wait for ever.
        for command in std::mem::take(&mut self.parked) {
            self.admit(command);
        }
        self.take_arrived();
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
        let told = self.durable.audit_chain.take_news();
        let mut is_over = false;
        for (name, session) in sealed.sessions {
            is_over |= self.restore_session(name, session);
        }
        self.drain();
        if is_over {
            self.save_quietly();
        }
        let told_at_ms = self.durable.notices().log_changed_at_ms;
        let told = told.or_else(|| self.durable.audit_chain.untold(told_at_ms));
        self.tell_break(told);
    }

    /// The log goes on from here; what was written since the start waited for it.
    fn begin_log(&mut self, vouched: Vouched) {
        let now = self.now();
        self.durable.audit_chain.begin(vouched, now.wall_ms);
        if self.durable.audit_chain.dirty {
            self.durable.sync_soon(now);
        }
    }

    /// A log that is not as it was left: sealed at once, so that nothing which happens to the log after
    /// this hides it, and told once.
    pub(crate) fn tell_breaks(&mut self) {
        let told = self.durable.audit_chain.take_news();
        self.tell_break(told);
    }

    fn tell_break(&mut self, sentence: Option<String>) {
        let Some(sentence) = sentence else {
            return;
        };
        self.save_quietly();
        self.tell(DueNotice::LogChanged(sentence));
    }

    /// A session whose tombstone is as old or younger is over, whatever the sealed state says: the
    /// agent was killed between the two. `true`: it is over, and still stands in the sealed state.
    pub(crate) fn restore_session(&mut self, name: OrgName, sealed: SealedSession) -> bool {
        if self.durable.is_over(&name, sealed.epoch) {
            return true;
        }
        if self.settings.org(&name).is_none() {
            self.durable.orphaned.insert(name, sealed);
        } else {
            self.of_org(&name, |own, cx| own.restore(cx, sealed));
        }
        false
    }

    /// Writes the sealed state durably.
    ///
    /// # Errors
    /// Our words for why it could not be written.
    pub(crate) fn save(&mut self) -> Result<(), String> {
        let now = self.now();
        let mut all: Vec<&mut OrgSession> = self.org_sessions.values_mut().collect();
        self.durable.save(&mut all, now)
    }

    pub(crate) fn save_quietly(&mut self) {
        if self.durable.is_open() {
            let _ = self.save();
        }
    }
}
