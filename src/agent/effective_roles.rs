//! The roles of an organization whose own issuer says them: read, kept for choosing and display. The
//! issuer alone grants.

use super::answers::PortAnswer;
use super::command::{AgentCommand, WaitPolicy};
use super::entitlements::{Reading, RolesError, not_renewed};
use super::org_context::OrgContext;
use super::org_session::OrgSession;
use super::resolve::{Denied, Resolved, Resolver};
use super::work::Work;
use oam_model::answer::EndpointFault;
use oam_model::name::{OrgName, RoleName};
use oam_model::organization::EffectiveRoles;
use oam_model::time::Moment;
use oam_session::machine::IssuerEvent;
use oam_session::state::Need;
use oam_wire::message::Request;

/// Whoever needs the roles waits this long for them, ms.
const PATIENCE_MS: u64 = 4_000;

impl OrgSession {
    /// Whether the issuer may be asked now for the roles of this session.
    pub(super) fn may_read_roles(&self, now: Moment) -> bool {
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
        wait_policy: WaitPolicy,
    ) -> Option<OrgName> {
        let org = denied.org.as_ref()?;
        let waits = wait_policy == WaitPolicy::Waits && self.may_read(org);
        waits.then(|| org.clone())
    }

    fn may_read(&self, name: &OrgName) -> bool {
        let org_session = self.org_sessions.get(name);
        org_session.is_some_and(|org_session| org_session.may_read_roles(self.now))
    }
}

impl OrgSession {
    /// Keeps a command until the roles are there, or it has waited long enough.
    pub(super) fn park_for_roles(&mut self, cx: &mut OrgContext<'_>, command: AgentCommand) {
        let until = cx.now().plus(PATIENCE_MS);
        self.issuer_client.entitlements.park(command, until);
        self.read_roles(cx);
    }

    /// Reads the roles, with a younger bearer where the one at hand is too old.
    pub(super) fn read_roles(&mut self, cx: &mut OrgContext<'_>) {
        let entitlements = &mut self.issuer_client.entitlements;
        match entitlements.reading {
            Reading::Asked | Reading::Overtaken => {
                entitlements.reading = Reading::Overtaken;
                return;
            }
            Reading::Idle | Reading::Renewing => {}
        }
        if let Some((org, bearer)) = self.usable_bearer(cx.now()) {
            self.issuer_client.entitlements.reading = Reading::Asked;
            let generation = self.issuer_client.generation;
            let asked = cx.ports.issuer.roles(&org, bearer);
            cx.aside.run(async move {
                PortAnswer::EffectiveRoles {
                    org: org.name,
                    generation,
                    result: asked.await,
                }
            });
            return;
        }
        self.issuer_client.entitlements.reading = Reading::Renewing;
        cx.queue.push(&self.name, IssuerEvent::Renew.into());
        cx.queue.push(&self.name, Work::RenewalAsked);
    }

    /// A younger bearer was asked for: without a renewal under way none will come.
    pub(super) fn renewal_asked(&mut self, cx: &mut OrgContext<'_>) {
        let live = self.machine.standing().live();
        let comes = live.is_some_and(|live| live.flight.is_some());
        if self.issuer_client.entitlements.reading == Reading::Renewing && !comes {
            self.roles_unread(cx, not_renewed(cx.now()));
        }
    }

    /// A renewal came to its end: whoever waited for a younger bearer goes on, or not.
    pub(super) fn renewal_over(&mut self, cx: &mut OrgContext<'_>, renewed: bool) {
        let waits = self.issuer_client.entitlements.reading == Reading::Renewing;
        if waits && renewed {
            self.read_roles(cx);
        } else if waits {
            self.roles_unread(cx, not_renewed(cx.now()));
        }
    }

    /// By other groups other roles may be held: the issuer says which.
    pub(super) fn groups_changed(&mut self, cx: &mut OrgContext<'_>) {
        if self.bearer().is_some() {
            self.read_roles(cx);
        }
    }

    pub(super) fn roles_read(
        &mut self,
        cx: &mut OrgContext<'_>,
        generation: u64,
        result: Result<EffectiveRoles, EndpointFault>,
    ) {
        let before = std::mem::take(&mut self.issuer_client.entitlements.reading);
        if self.issuer_client.bearer.is_none() || before == Reading::Idle {
            return self.release(cx);
        }
        let another = self.issuer_client.generation != generation;
        match result {
            // What was said to an older bearer, or before something changed, is asked for again.
            _ if another || before == Reading::Overtaken => self.read_roles(cx),
            Ok(effective) => self.take_roles(cx, effective),
            Err(fault) => {
                self.heed(cx, generation, &fault);
                let unread = RolesError::of(&fault, cx.now());
                cx.queue.push(&self.name, Work::RolesUnread(unread));
            }
        }
    }

    pub(super) fn roles_unread(&mut self, cx: &mut OrgContext<'_>, unread: RolesError) {
        self.issuer_client.entitlements.reading = Reading::Idle;
        self.issuer_client.entitlements.unread = Some(unread);
        self.release(cx);
    }

    pub(super) fn take_roles(&mut self, cx: &mut OrgContext<'_>, mut effective: EffectiveRoles) {
        self.set_up_told(cx, effective.setup.take());
        let held: Vec<RoleName> = effective.roles.iter().map(|r| r.role.clone()).collect();
        let now = cx.now();
        if self.issuer_client.entitlements.read(effective, now) {
            cx.save_quietly(self);
            let lost = Vec::new();
            let changed = IssuerEvent::RolesChanged { held, lost };
            cx.queue.push(&self.name, changed.into());
            cx.queue.push(&self.name, Work::ChooseAgain);
        }
        self.release(cx);
    }

    /// The feed said which roles are held: those that are not go at once, new ones are read.
    pub(super) fn roles_are(
        &mut self,
        cx: &mut OrgContext<'_>,
        held: &[RoleName],
        lost: &[RoleName],
    ) {
        self.issuer_client.entitlements.keep(held, lost);
        cx.save_quietly(self);
    }

    /// Executes what waited for the roles; it does not wait again.
    fn release(&mut self, cx: &mut OrgContext<'_>) {
        for command in self.issuer_client.entitlements.release() {
            cx.queue
                .push(&self.name, Work::Command(command, WaitPolicy::IsOver));
        }
    }

    /// Releases those who have waited long enough.
    pub(super) fn release_overdue(&mut self, cx: &mut OrgContext<'_>) {
        let until = self.issuer_client.entitlements.parked_until();
        if until.is_some_and(|at| cx.now().reached(at)) {
            self.release(cx);
        }
    }

    /// The issuer denied an exchange that was chosen here: what is known of the roles may be old.
    pub(super) fn roles_may_be_old(&mut self, cx: &mut OrgContext<'_>) {
        if self.issuer_client.entitlements.are_old(cx.now()) {
            self.read_roles(cx);
        }
    }
}
