//! What the disk tells at start: tombstones, leftovers, the sealed state.

use super::answers::PortAnswer;
use super::audit_chain::Vouched;
use super::command::AgentCommand;
use super::core::AgentCore;
use super::org_session::{OrgSession, Session, live_of};
use super::ports::Notice;
use super::state::{Sealed, SealedSession};
use oam_config::agent::Org;
use oam_config::digest;
use oam_model::name::OrgName;
use oam_model::record::{EventKind, Record};
use oam_model::refusal::Refusal;
use oam_session::machine::HostEvent;
use oam_wire::message::Request;
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

    pub(super) fn add_org_session(&mut self, org: &Org) {
        let jitter = u16::try_from(self.ports.rng.random() % 200).unwrap_or(0);
        let org_session = OrgSession::new(org, self.durable.tombstones.get(&org.name), jitter);
        self.org_sessions.insert(org.name.clone(), org_session);
    }

    /// Opens the sealed state aside; one attempt at a time.
    pub(super) fn open_aside(&mut self) {
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
    pub(super) const fn must_wait_for_opening(&self, command: &AgentCommand) -> bool {
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
                    | Request::Follow { .. }
                    | Request::Login { .. }
                    | Request::Watch { .. }
                    | Request::Logout { .. }
            ),
        }
    }

    pub(super) fn opened(&mut self, result: Result<Option<Sealed>, Refusal>) {
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
        for (name, session) in sealed.sessions {
            self.restore_session(name, session);
        }
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
    pub(super) fn tell_breaks(&mut self) {
        let told = self.durable.audit_chain.take_news();
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
        if self.durable.is_over(&name, sealed.epoch) {
            self.save_quietly();
            return;
        }
        let settings = self.settings.now();
        let Some(org) = settings.org(&name) else {
            self.durable.orphaned.insert(name, sealed);
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

    /// Writes the sealed state durably.
    ///
    /// # Errors
    /// Our words for why it could not be written.
    pub(super) fn save(&mut self) -> Result<(), String> {
        let now = self.now();
        self.durable.save(&mut self.org_sessions, now)
    }

    pub(super) fn save_quietly(&mut self) {
        if self.durable.is_open() {
            let _ = self.save();
        }
    }
}
