//! What a person may do by the word of the organization's own issuer, as far as it was read, and who waits for it.

use super::command::AgentCommand;
use oam_model::answer::EndpointFault;
use oam_model::name::{OrgName, RoleName};
use oam_model::organization::{EffectiveRoles, HeldRole};
use oam_model::refusal::Refusal;
use oam_model::role::{Grant, Role};
use oam_model::time::Moment;
use oam_session::standing::{ISSUER, words};
use oam_session::state::FAILURE_MEMORY_MS;

/// Roles younger than this are not read again because somebody asks, ms.
const YOUNG_MS: u64 = 60_000;
/// What one organization's issuer says.
#[derive(Default)]
pub(super) struct Entitlements {
    /// What the person may do, by the issuer's word.
    effective: Option<EffectiveRoles>,
    /// The same as the session machine's rules choose among them.
    roles: Option<Vec<Role>>,
    /// When that was read.
    pub read_at: Option<Moment>,
    /// Why it could not be read the last time, and when that was.
    pub unread: Option<RolesError>,
    pub reading: Reading,
    /// Commands that wait for the roles, and until when.
    parked: Vec<AgentCommand>,
    parked_until: Option<Moment>,
}

/// Why roles could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RolesError {
    /// In words, to follow a colon.
    pub why: String,
    /// What to do, where somebody has said it.
    pub next: Option<String>,
    /// It may be another matter a moment later.
    pub passes: bool,
    /// When.
    pub at: Moment,
}

impl RolesError {
    /// From the issuer's answer: its own refusal has a next step of its own.
    pub(super) fn of(fault: &EndpointFault, at: Moment) -> Self {
        let refusal = fault.refusal();
        Self {
            why: words(ISSUER, fault),
            passes: match (&refusal, fault) {
                (Some(refusal), _) => refusal.code.passes(),
                (None, EndpointFault::NotSent { .. } | EndpointFault::Lost { .. }) => true,
                (None, EndpointFault::Status { status, .. }) => *status == 429 || *status >= 500,
                (None, _) => false,
            },
            next: refusal.map(|refusal| refusal.next),
            at,
        }
    }
}

/// How the reading of roles stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Reading {
    /// Nothing is asked.
    #[default]
    Idle,
    /// A younger bearer is awaited.
    Renewing,
    Asked,
    /// Asked, and overtaken: what comes may be of before.
    Overtaken,
}

impl Entitlements {
    /// What the person may do from now on.
    pub(super) fn set(&mut self, effective: Option<EffectiveRoles>) {
        self.roles = effective.as_ref().map(roles_of);
        self.effective = effective;
    }

    pub(super) const fn effective(&self) -> Option<&EffectiveRoles> {
        self.effective.as_ref()
    }

    /// The same as the session machine's rules choose among them.
    ///
    /// # Errors
    /// The issuer of `org` has not said them.
    pub(super) fn roles(&self, org: &OrgName) -> Result<&[Role], Refusal> {
        let asked = self.reading != Reading::Idle;
        let roles = self.roles.as_deref();
        roles.ok_or_else(|| roles_unknown(org, self.unread.as_ref(), asked))
    }

    /// They were read; `true`: they are others than before.
    pub(super) fn read(&mut self, effective: EffectiveRoles, now: Moment) -> bool {
        self.read_at = Some(now);
        self.unread = None;
        let changed = self.effective() != Some(&effective);
        self.set(Some(effective));
        changed
    }

    /// The feed said which are held: others go at once.
    pub(super) fn keep(&mut self, held: &[RoleName], lost: &[RoleName]) {
        if let Some(mut effective) = self.effective.take() {
            let stays = |role: &RoleName| held.contains(role) && !lost.contains(role);
            effective.roles.retain(|known| stays(&known.role));
            self.set(Some(effective));
        }
    }

    /// Whether they are too old to refuse by.
    pub(super) fn are_old(&self, now: Moment) -> bool {
        self.read_at.is_none_or(|at| now.since(at) >= YOUNG_MS)
    }

    /// Whether they may be read because somebody asks: not within a minute of the last reading, nor just
    /// after one that failed.
    pub(super) fn may_be_read(&self, now: Moment) -> bool {
        let unread = self.unread.as_ref();
        let failed = unread.is_some_and(|unread| now.since(unread.at) < FAILURE_MEMORY_MS);
        self.are_old(now) && !failed
    }

    /// Keeps a command until they are there, and no longer than `until`.
    pub(super) fn park(&mut self, command: AgentCommand, until: Moment) {
        self.parked.push(command);
        self.parked_until.get_or_insert(until);
    }

    /// Those who waited go on.
    pub(super) fn release(&mut self) -> Vec<AgentCommand> {
        self.parked_until = None;
        std::mem::take(&mut self.parked)
    }

    /// Until when somebody waits here.
    pub(super) const fn parked_until(&self) -> Option<Moment> {
        self.parked_until
    }

    /// Whether the issuer is being asked for them, or a younger bearer to ask it with.
    pub(super) fn is_reading(&self) -> bool {
        self.reading != Reading::Idle
    }

    /// Whether somebody waits here for an answer that the roles decide.
    pub(super) fn are_awaited(&self) -> bool {
        !self.parked.is_empty()
    }

    /// The session is over: nothing of it is true for the next one. What waits stays, to be answered.
    pub(super) fn forget(&mut self, now: Moment) {
        self.set(None);
        self.read_at = None;
        self.unread = None;
        self.reading = Reading::Idle;
        if self.are_awaited() {
            self.parked_until = Some(now);
        }
    }
}

/// Whoever holds a role by the issuer's word holds it: there is no group to ask for here.
fn roles_of(holdings: &EffectiveRoles) -> Vec<Role> {
    let role = |held: &HeldRole| Role {
        name: held.role.clone(),
        description: held.description.clone(),
        groups: Vec::new(),
        priority: held.priority,
        lifetime_s: held.lifetime_s,
        offline: held.offline,
        grants: held
            .grants
            .iter()
            .map(|grant| Grant {
                hub: grant.hub.clone(),
                repositories: grant.repositories.clone(),
                action: grant.action,
            })
            .collect(),
    };
    holdings.roles.iter().map(role).collect()
}

/// Which roles are held is not known: it was not asked yet, or it could not be told.
pub(super) fn roles_unknown(org: &OrgName, unread: Option<&RolesError>, asked: bool) -> Refusal {
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

pub(super) fn not_renewed(at: Moment) -> RolesError {
    RolesError {
        why: "the session could not be renewed".into(),
        next: None,
        passes: true,
        at,
    }
}
