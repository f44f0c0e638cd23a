//! The roles of an organization whose own issuer says them: read, kept for choosing and display. The
//! issuer alone grants.

use super::answers::PortAnswer;
use super::command::AgentCommand;
use super::core::AgentCore;
use super::entitlements::{Reading, RolesError, not_renewed};
use super::org_session::OrgSession;
use super::resolve::{Denied, Resolved, Resolver};
use super::work::Work;
use oam_model::answer::EndpointFault;
use oam_model::name::{OrgName, RoleName};
use oam_model::organization::EffectiveRoles;
use oam_model::refusal::RefusalCode;
use oam_model::time::Moment;
use oam_session::machine::IssuerEvent;
use oam_session::state::Need;
use oam_wire::message::Request;

/// Whoever needs the roles waits this long for them, ms.
const PATIENCE_MS: u64 = 4_000;

/// Whether a command may wait until roles are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WaitPolicy {
    /// It waits if that may change its answer.
    Waits,
    /// It has waited: it is answered by what is known.
    IsOver,
}

impl OrgSession {
    /// Whether the issuer may be asked now for the roles of this session.
    fn may_read_roles(&self, now: Moment) -> bool {
        let standing = self.machine.standing();
        if self.bearer().is_none() || standing.need(now, self.machine.limits()) == Need::Login {
            return false;
        }
        self.issuer_client.entitlements.may_be_read(now)
    }
}

impl Resolver<'_> {
    /// Whether a report must wait until the roles are read: they are not known, or they are not young and
    /// would refuse what it is about.
    pub(super) fn must_wait_for_roles(&self, command: &AgentCommand) -> Option<OrgName> {
        let AgentCommand::Asked(asked) = command else {
            return None;
        };
        match &asked.request {
            Request::Why { ask } => match self.resolve(ask, "why", &asked.caller) {
                Resolved::Refused(denied) => self.may_read_roles_for(&denied, WaitPolicy::Waits),
                _ => None,
            },
            Request::Roles => {
                let mut orgs = self.settings.orgs.iter().map(|org| &org.name);
                orgs.find(|name| self.may_read(name)).cloned()
            }
            _ => None,
        }
    }

    /// Where roles can be read that may change this refusal, and whoever asks waits for them. An ask is
    /// resolved once: only one that is refused looks whether it was refused by old roles.
    pub(super) fn may_read_roles_for(
        &self,
        denied: &Denied,
        patience: WaitPolicy,
    ) -> Option<OrgName> {
        let org = denied.org.as_ref()?;
        let waits = patience == WaitPolicy::Waits && self.may_read(org);
        waits.then(|| org.clone())
    }

    fn may_read(&self, name: &OrgName) -> bool {
        let org_session = self.org_sessions.get(name);
        org_session.is_some_and(|org_session| org_session.may_read_roles(self.now))
    }
}

impl AgentCore {
    /// Keeps a command until the roles are there, or it has waited long enough.
    pub(super) fn park_for_roles(&mut self, name: &OrgName, command: AgentCommand) {
        let until = self.now().plus(PATIENCE_MS);
        if let Some(org_session) = self.org_sessions.get_mut(name) {
            let entitlements = &mut org_session.issuer_client.entitlements;
            entitlements.park(command, until);
        }
        self.read_roles(name);
    }

    /// Reads the roles, with a younger bearer where the one at hand is too old.
    pub(super) fn read_roles(&mut self, name: &OrgName) {
        let now = self.now();
        let Some(org_session) = self.org_sessions.get_mut(name) else {
            return;
        };
        let entitlements = &mut org_session.issuer_client.entitlements;
        match entitlements.reading {
            Reading::Asked | Reading::Overtaken => {
                entitlements.reading = Reading::Overtaken;
                return;
            }
            Reading::Idle | Reading::Renewing => {}
        }
        if let Some((org, bearer)) = org_session.usable_bearer(now) {
            org_session.issuer_client.entitlements.reading = Reading::Asked;
            let generation = org_session.issuer_client.generation;
            let asked = self.ports.issuer.roles(&org, bearer);
            let org = name.clone();
            self.aside.run(async move {
                PortAnswer::EffectiveRoles {
                    org,
                    generation,
                    result: asked.await,
                }
            });
            return;
        }
        org_session.issuer_client.entitlements.reading = Reading::Renewing;
        self.queue
            .push(name, Work::Session(IssuerEvent::Renew.into()));
        self.queue.push(name, Work::RenewalAsked);
        self.drain();
    }

    /// A younger bearer was asked for: without a renewal under way none will come.
    pub(super) fn renewal_asked(&mut self, name: &OrgName) {
        let waits = self.org_sessions.get(name).is_some_and(|org_session| {
            let live = org_session.machine.standing().live();
            org_session.issuer_client.entitlements.reading == Reading::Renewing
                && live.is_none_or(|live| live.flight.is_none())
        });
        if waits {
            self.roles_unread(name, not_renewed(self.now()));
        }
    }

    /// A renewal came to its end: whoever waited for a younger bearer goes on, or not.
    pub(super) fn renewal_over(&mut self, name: &OrgName, renewed: bool) {
        let waits = self.org_sessions.get(name).is_some_and(|org_session| {
            org_session.issuer_client.entitlements.reading == Reading::Renewing
        });
        if waits && renewed {
            self.read_roles(name);
        } else if waits {
            self.roles_unread(name, not_renewed(self.now()));
        }
    }

    pub(super) fn roles_read(
        &mut self,
        name: &OrgName,
        generation: u64,
        result: Result<EffectiveRoles, EndpointFault>,
    ) {
        let Some(org_session) = self.org_sessions.get_mut(name) else {
            return;
        };
        let before = std::mem::take(&mut org_session.issuer_client.entitlements.reading);
        if org_session.issuer_client.bearer.is_none() || before == Reading::Idle {
            return self.release(name);
        }
        let another = org_session.issuer_client.generation != generation;
        match result {
            // What was said to an older bearer, or before something changed, is asked for again.
            _ if another || before == Reading::Overtaken => self.read_roles(name),
            Ok(effective) => self.take_roles(name, effective),
            Err(fault) => {
                self.heed(name, generation, &fault);
                self.roles_unread(name, RolesError::of(&fault, self.now()));
            }
        }
    }

    pub(super) fn roles_unread(&mut self, name: &OrgName, unread: RolesError) {
        if let Some(org_session) = self.org_sessions.get_mut(name) {
            org_session.issuer_client.entitlements.reading = Reading::Idle;
            org_session.issuer_client.entitlements.unread = Some(unread);
        }
        self.release(name);
    }

    pub(super) fn take_roles(&mut self, name: &OrgName, mut effective: EffectiveRoles) {
        let now = self.now();
        self.set_up_told(name, effective.setup.take());
        let Some(org_session) = self.org_sessions.get_mut(name) else {
            return;
        };
        let held: Vec<RoleName> = effective.roles.iter().map(|r| r.role.clone()).collect();
        let entitlements = &mut org_session.issuer_client.entitlements;
        let changed = entitlements.read(effective, now);
        if changed {
            self.save_quietly();
            let lost = Vec::new();
            self.step(name, IssuerEvent::RolesChanged { held, lost });
            if let Some(org) = self.settings.org(name).cloned() {
                self.choose_again(&org);
            }
        }
        self.release(name);
    }

    /// The feed said which roles are held: those that are not go at once, new ones are read.
    pub(super) fn roles_are(&mut self, name: &OrgName, held: &[RoleName], lost: &[RoleName]) {
        let Some(org_session) = self.org_sessions.get_mut(name) else {
            return;
        };
        let entitlements = &mut org_session.issuer_client.entitlements;
        entitlements.keep(held, lost);
        self.save_quietly();
    }

    /// Executes what waited for the roles; it does not wait again.
    pub(super) fn release(&mut self, name: &OrgName) {
        let Some(org_session) = self.org_sessions.get_mut(name) else {
            return;
        };
        for command in org_session.issuer_client.entitlements.release() {
            self.queue.push(name, Work::Command(command));
        }
        self.drain();
    }

    /// Releases those who have waited long enough.
    pub(super) fn release_overdue(&mut self, now: Moment) {
        let due = |at: Option<Moment>| at.is_some_and(|at| now.reached(at));
        let names: Vec<OrgName> = self
            .org_sessions
            .iter()
            .filter(|(_, org_session)| due(org_session.issuer_client.entitlements.parked_until()))
            .map(|(name, _)| name.clone())
            .collect();
        for name in names {
            self.release(&name);
        }
    }

    /// The issuer denied an exchange that was chosen here: what is known of the roles is old.
    pub(super) fn roles_are_old(&mut self, name: &OrgName, code: RefusalCode) {
        if code != RefusalCode::Denied {
            return;
        }
        let now = self.now();
        let stale = self.org_sessions.get(name).is_some_and(|org_session| {
            let entitlements = &org_session.issuer_client.entitlements;
            entitlements.are_old(now)
        });
        if stale {
            self.read_roles(name);
        }
    }
}
