//! The roles of an organization whose own issuer says them: read, kept for choosing and display. The
//! issuer alone grants.

use super::answers::PortAnswer;
use super::asks::{Denied, Resolved};
use super::command::{AgentCommand, ReportKind};
use super::core::AgentCore;
use super::issuer_client::{IssuerClientState, Reading, RolesError};
use oam_config::agent::Org;
use oam_model::answer::EndpointFault;
use oam_model::name::{OrgName, RoleName};
use oam_model::organization::EffectiveRoles;
use oam_model::refusal::{Refusal, RefusalCode};
use oam_model::time::Moment;
use oam_session::machine::IssuerEvent;
use oam_session::role::Roles;
use oam_session::state::{FAILURE_MEMORY_MS, Need};

/// Roles younger than this are not read again because somebody asks, ms.
const YOUNG_MS: u64 = 60_000;
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

impl AgentCore {
    /// The organization with the roles that count: its own, or those that its issuer says.
    ///
    /// # Errors
    /// Its issuer has not said them.
    pub(super) fn with_roles<'a>(&'a self, org: &'a Org) -> Result<Roles<'a>, Refusal> {
        if org.exchange.issuer().is_none() {
            let roles = &org.roles;
            return Ok(Roles { org, roles });
        }
        let issuer_client = self
            .org_sessions
            .get(&org.name)
            .map(|org_session| &org_session.issuer_client);
        if let Some(roles) = issuer_client.and_then(IssuerClientState::roles) {
            return Ok(Roles { org, roles });
        }
        let unread = issuer_client.and_then(|issuer_client| issuer_client.unread.as_ref());
        let asked =
            issuer_client.is_some_and(|issuer_client| issuer_client.reading != Reading::Idle);
        Err(roles_unknown(&org.name, unread, asked))
    }

    /// Whether a report must wait until the roles are read: they are not known, or they are not young and
    /// would refuse what it is about.
    pub(super) fn must_wait_for_roles(&self, command: &AgentCommand) -> Option<OrgName> {
        match command {
            AgentCommand::Report {
                kind: ReportKind::Why(ask, caller),
                ..
            } => match self.resolve(ask, "why", caller) {
                Resolved::Refused(denied) => self.may_read_roles_for(&denied, WaitPolicy::Waits),
                _ => None,
            },
            AgentCommand::Report {
                kind: ReportKind::Roles,
                ..
            } => {
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

    /// Whether a session may be asked for its roles now: not within a minute of the last reading, nor
    /// just after one that failed.
    fn may_read(&self, name: &OrgName) -> bool {
        let now = self.now();
        let Some(org_session) = self.org_sessions.get(name) else {
            return false;
        };
        let standing = org_session.machine.standing();
        if org_session.bearer().is_none()
            || standing.need(now, org_session.machine.limits()) == Need::Login
        {
            return false;
        }
        let issuer_client = &org_session.issuer_client;
        let within = |at: Moment, ms: u64| now.since(at) < ms;
        let young = issuer_client.read_at.is_some_and(|at| within(at, YOUNG_MS));
        let failed = issuer_client
            .unread
            .as_ref()
            .is_some_and(|unread| within(unread.at, FAILURE_MEMORY_MS));
        !young && !failed
    }

    /// Keeps a command until the roles are there, or it has waited long enough.
    pub(super) fn park_for_roles(&mut self, name: &OrgName, command: AgentCommand) {
        let until = self.now().plus(PATIENCE_MS);
        if let Some(org_session) = self.org_sessions.get_mut(name) {
            org_session.issuer_client.parked.push(command);
            org_session.issuer_client.parked_until.get_or_insert(until);
        }
        self.read_roles(name);
    }

    /// Reads the roles, with a younger bearer where the one at hand is too old.
    pub(super) fn read_roles(&mut self, name: &OrgName) {
        let now = self.now();
        let Some(org_session) = self.org_sessions.get_mut(name) else {
            return;
        };
        let issuer_client = &mut org_session.issuer_client;
        match issuer_client.reading {
            Reading::Asked | Reading::Overtaken => {
                issuer_client.reading = Reading::Overtaken;
                return;
            }
            Reading::Idle | Reading::Renewing => {}
        }
        if let Some((org, bearer)) = org_session.usable_bearer(now) {
            org_session.issuer_client.reading = Reading::Asked;
            let generation = org_session.issuer_client.generation;
            let asked = self.ports.issuer.roles(&org, bearer);
            let (inner, org) = (self.inner.clone(), name.clone());
            tokio::task::spawn_local(async move {
                let result = asked.await;
                let _ = inner.send(PortAnswer::EffectiveRoles {
                    org,
                    generation,
                    result,
                });
            });
            return;
        }
        org_session.issuer_client.reading = Reading::Renewing;
        self.step(name, IssuerEvent::Renew);
        let renewing = self
            .org_sessions
            .get(name)
            .and_then(|org_session| org_session.machine.standing().live())
            .is_some_and(|live| live.flight.is_some());
        if !renewing {
            self.roles_unread(name, not_renewed(now));
        }
    }

    /// A renewal came to its end: whoever waited for a younger bearer goes on, or not.
    pub(super) fn renewal_over(&mut self, name: &OrgName, renewed: bool) {
        let waits = self
            .org_sessions
            .get(name)
            .is_some_and(|org_session| org_session.issuer_client.reading == Reading::Renewing);
        if waits && renewed {
            self.read_roles(name);
        } else if waits {
            self.roles_unread(name, not_renewed(self.now()));
        }
    }

    pub(super) fn holdings(
        &mut self,
        name: &OrgName,
        generation: u64,
        result: Result<EffectiveRoles, EndpointFault>,
    ) {
        let Some(org_session) = self.org_sessions.get_mut(name) else {
            return;
        };
        let before = std::mem::take(&mut org_session.issuer_client.reading);
        if org_session.issuer_client.bearer.is_none() || before == Reading::Idle {
            return self.release(name);
        }
        let another = org_session.issuer_client.generation != generation;
        match result {
            // What was said to an older bearer, or before something changed, is asked for again.
            _ if another || before == Reading::Overtaken => self.read_roles(name),
            Ok(holdings) => self.take_holdings(name, holdings),
            Err(fault) => {
                self.heed(name, generation, &fault);
                self.roles_unread(name, RolesError::of(&fault, self.now()));
            }
        }
    }

    pub(super) fn roles_unread(&mut self, name: &OrgName, unread: RolesError) {
        if let Some(org_session) = self.org_sessions.get_mut(name) {
            org_session.issuer_client.reading = Reading::Idle;
            org_session.issuer_client.unread = Some(unread);
        }
        self.release(name);
    }

    pub(super) fn take_holdings(&mut self, name: &OrgName, mut holdings: EffectiveRoles) {
        let now = self.now();
        self.set_up_told(name, holdings.setup.take());
        let Some(org_session) = self.org_sessions.get_mut(name) else {
            return;
        };
        let held: Vec<RoleName> = holdings.roles.iter().map(|r| r.role.clone()).collect();
        let issuer_client = &mut org_session.issuer_client;
        issuer_client.read_at = Some(now);
        issuer_client.unread = None;
        let changed = issuer_client.holdings() != Some(&holdings);
        issuer_client.hold(Some(holdings));
        if changed {
            self.save_quietly();
            let lost = Vec::new();
            self.step(name, IssuerEvent::RolesChanged { held, lost });
            if let Some(org) = self.org(name) {
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
        if let Some(mut holdings) = org_session.issuer_client.holdings().cloned() {
            let stays = |role: &RoleName| held.contains(role) && !lost.contains(role);
            holdings.roles.retain(|known| stays(&known.role));
            org_session.issuer_client.hold(Some(holdings));
        }
        self.save_quietly();
    }

    /// Executes what waited for the roles; it does not wait again.
    pub(super) fn release(&mut self, name: &OrgName) {
        let Some(org_session) = self.org_sessions.get_mut(name) else {
            return;
        };
        org_session.issuer_client.parked_until = None;
        let commands = std::mem::take(&mut org_session.issuer_client.parked);
        for command in commands {
            self.execute(command, WaitPolicy::IsOver);
        }
    }

    /// Releases those who have waited long enough.
    pub(super) fn release_overdue(&mut self, now: Moment) {
        let due = |at: Option<Moment>| at.is_some_and(|at| now.reached(at));
        let names: Vec<OrgName> = self
            .org_sessions
            .iter()
            .filter(|(_, org_session)| due(org_session.issuer_client.parked_until))
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
            let read_at = org_session.issuer_client.read_at;
            read_at.is_none_or(|at| now.since(at) >= YOUNG_MS)
        });
        if stale {
            self.read_roles(name);
        }
    }
}

/// Which roles are held is not known: it was not asked yet, or it could not be told.
fn roles_unknown(org: &OrgName, unread: Option<&RolesError>, asked: bool) -> Refusal {
    let Some(unread) = unread else {
        if asked {
            return Refusal::unavailable(
                format!(
                    "the issuer of {org} has not said which roles you hold: it was asked just now"
                ),
                "try again in a moment; `oam status` shows how the issuer is reached",
            );
        }
        return Refusal::unavailable(
            format!("the issuer of {org} was not asked yet which roles you hold"),
            "try again in a moment; `oam roles` asks",
        );
    };
    let next = match (&unread.next, unread.passes) {
        (Some(next), _) => next.clone(),
        (None, true) => {
            "try again in a moment; `oam status` shows how the issuer is reached".into()
        }
        (None, false) => "run `oam doctor`, and show the administrators what it says".into(),
    };
    Refusal::unavailable(
        format!(
            "the issuer of {org} has not said which roles you hold: {}",
            unread.why
        ),
        next,
    )
}

fn not_renewed(at: Moment) -> RolesError {
    RolesError {
        why: "the session could not be renewed".into(),
        next: None,
        passes: true,
        at,
    }
}
