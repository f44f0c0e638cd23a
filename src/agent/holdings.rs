//! The roles of an organization whose own issuer says them: read, kept for choosing and display. The
//! issuer alone grants.

use super::asks::{Denied, Resolved};
use super::command::{AgentCommand, ReportKind};
use super::issuing::{IssuerClientState, Reading, RolesError};
use super::keeper::{AgentCore, Inner};
use oam_config::agent::Org;
use oam_model::answer::EndpointFault;
use oam_model::name::{OrgName, RoleName};
use oam_model::organization::EffectiveRoles;
use oam_model::refusal::{Refusal, RefusalCode};
use oam_model::time::Moment;
use oam_session::desk::Event;
use oam_session::role::Roles;
use oam_session::session::{FAILURE_MEMORY_MS, Need};

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
        let issuing = self.offices.get(&org.name).map(|office| &office.issuing);
        if let Some(roles) = issuing.and_then(IssuerClientState::roles) {
            return Ok(Roles { org, roles });
        }
        let unread = issuing.and_then(|issuing| issuing.unread.as_ref());
        let asked = issuing.is_some_and(|issuing| issuing.reading != Reading::Idle);
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
        let Some(office) = self.offices.get(name) else {
            return false;
        };
        let standing = office.desk.standing();
        if office.bearer().is_none() || standing.need(now, office.desk.limits()) == Need::Login {
            return false;
        }
        let issuing = &office.issuing;
        let within = |at: Moment, ms: u64| now.since(at) < ms;
        let young = issuing.read_at.is_some_and(|at| within(at, YOUNG_MS));
        let failed = issuing
            .unread
            .as_ref()
            .is_some_and(|unread| within(unread.at, FAILURE_MEMORY_MS));
        !young && !failed
    }

    /// Keeps a command until the roles are there, or it has waited long enough.
    pub(super) fn park_for_roles(&mut self, name: &OrgName, command: AgentCommand) {
        let until = self.now().plus(PATIENCE_MS);
        if let Some(office) = self.offices.get_mut(name) {
            office.issuing.parked.push(command);
            office.issuing.parked_until.get_or_insert(until);
        }
        self.read_roles(name);
    }

    /// Reads the roles, with a younger bearer where the one at hand is too old.
    pub(super) fn read_roles(&mut self, name: &OrgName) {
        let now = self.now();
        let Some(office) = self.offices.get_mut(name) else {
            return;
        };
        let issuing = &mut office.issuing;
        match issuing.reading {
            Reading::Asked | Reading::Overtaken => {
                issuing.reading = Reading::Overtaken;
                return;
            }
            Reading::Idle | Reading::Renewing => {}
        }
        if let Some((org, bearer)) = office.usable_bearer(now) {
            office.issuing.reading = Reading::Asked;
            let generation = office.issuing.generation;
            let asked = self.ports.issuer.roles(&org, bearer);
            let (inner, org) = (self.inner.clone(), name.clone());
            tokio::task::spawn_local(async move {
                let result = asked.await;
                let _ = inner.send(Inner::Holdings {
                    org,
                    generation,
                    result,
                });
            });
            return;
        }
        office.issuing.reading = Reading::Renewing;
        self.step(name, Event::Renew);
        let renewing = self
            .offices
            .get(name)
            .and_then(|office| office.desk.standing().live())
            .is_some_and(|live| live.flight.is_some());
        if !renewing {
            self.roles_unread(name, not_renewed(now));
        }
    }

    /// A renewal came to its end: whoever waited for a younger bearer goes on, or not.
    pub(super) fn renewal_over(&mut self, name: &OrgName, renewed: bool) {
        let waits = self
            .offices
            .get(name)
            .is_some_and(|office| office.issuing.reading == Reading::Renewing);
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
        let Some(office) = self.offices.get_mut(name) else {
            return;
        };
        let before = std::mem::take(&mut office.issuing.reading);
        if office.issuing.bearer.is_none() || before == Reading::Idle {
            return self.release(name);
        }
        let another = office.issuing.generation != generation;
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
        if let Some(office) = self.offices.get_mut(name) {
            office.issuing.reading = Reading::Idle;
            office.issuing.unread = Some(unread);
        }
        self.release(name);
    }

    pub(super) fn take_holdings(&mut self, name: &OrgName, mut holdings: EffectiveRoles) {
        let now = self.now();
        self.set_up_told(name, holdings.setup.take());
        let Some(office) = self.offices.get_mut(name) else {
            return;
        };
        let held: Vec<RoleName> = holdings.roles.iter().map(|r| r.role.clone()).collect();
        let issuing = &mut office.issuing;
        issuing.read_at = Some(now);
        issuing.unread = None;
        let changed = issuing.holdings() != Some(&holdings);
        issuing.hold(Some(holdings));
        if changed {
            self.save_quietly();
            let lost = Vec::new();
            self.step(name, Event::RolesChanged { held, lost });
            if let Some(org) = self.org(name) {
                self.choose_again(&org);
            }
        }
        self.release(name);
    }

    /// The feed said which roles are held: those that are not go at once, new ones are read.
    pub(super) fn roles_are(&mut self, name: &OrgName, held: &[RoleName], lost: &[RoleName]) {
        let Some(office) = self.offices.get_mut(name) else {
            return;
        };
        if let Some(mut holdings) = office.issuing.holdings().cloned() {
            let stays = |role: &RoleName| held.contains(role) && !lost.contains(role);
            holdings.roles.retain(|known| stays(&known.role));
            office.issuing.hold(Some(holdings));
        }
        self.save_quietly();
    }

    /// Executes what waited for the roles; it does not wait again.
    pub(super) fn release(&mut self, name: &OrgName) {
        let Some(office) = self.offices.get_mut(name) else {
            return;
        };
        office.issuing.parked_until = None;
        let commands = std::mem::take(&mut office.issuing.parked);
        for command in commands {
            self.execute(command, WaitPolicy::IsOver);
        }
    }

    /// Releases those who have waited long enough.
    pub(super) fn release_overdue(&mut self, now: Moment) {
        let due = |at: Option<Moment>| at.is_some_and(|at| now.reached(at));
        let names: Vec<OrgName> = self
            .offices
            .iter()
            .filter(|(_, office)| due(office.issuing.parked_until))
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
        let stale = self.offices.get(name).is_some_and(|office| {
            let read_at = office.issuing.read_at;
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
