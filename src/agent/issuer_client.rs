//! What the core knows through an organization's own issuer, beside the session.

use super::command::AgentCommand;
use super::org_session::OrgSession;
use super::setup::SetUp;
use super::state::{AuditAnchor, KeptOfIssuer};
use oam_audit::history::replaces_head;
use oam_config::agent::Org;
use oam_model::answer::EndpointFault;
use oam_model::organization::{EffectiveRoles, HeldRole};
use oam_model::role::{Grant, Role};
use oam_model::secret::Secret;
use oam_model::time::Moment;
use oam_session::standing::{ISSUER, words};
use oam_session::subscription::{FeedSubscription, IssuerBearer};
use std::sync::Arc;
use tokio::task::AbortHandle;

/// One organization's issuer.
#[derive(Default)]
pub(super) struct IssuerClientState {
    /// Decides about the feed.
    pub link: FeedSubscription,
    /// The feed that is open.
    pub feed: Option<AbortHandle>,
    /// The last bearer, to tell a younger one from the same.
    pub bearer: Option<Arc<Secret>>,
    /// Its number.
    pub generation: u64,
    /// What the person may do, by the issuer's word.
    holdings: Option<EffectiveRoles>,
    /// The same as the session machine's rules choose among them.
    roles: Option<Vec<Role>>,
    /// When that was read.
    pub read_at: Option<Moment>,
    /// The last head of the organization's audit log that the issuer told: shown to it again.
    pub head: Option<String>,
    /// Why it could not be read the last time, and when that was.
    pub unread: Option<RolesError>,
    pub reading: Reading,
    /// Commands that wait for the roles, and until when.
    pub parked: Vec<AgentCommand>,
    pub parked_until: Option<Moment>,
    pub records: Records,
    pub setup: SetUp,
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

/// The audit log at the organization.
#[derive(Default)]
pub(super) struct Records {
    /// The last record that it holds; none: not known.
    pub held: Option<AuditAnchor>,
    /// What is held may be less than what is known: it is to be asked, also with nothing to send.
    pub unsure: bool,
    /// The feed's connection on which it was asked last.
    pub asked_on: u64,
    /// A batch of so many lines is under way.
    pub under_way: Option<usize>,
    /// When the next batch is due.
    pub due: Option<Moment>,
    pub failures: u32,
    /// What the organization found wrong with the log.
    pub alarm: Option<String>,
    /// Why the last batch was not taken.
    pub trouble: Option<String>,
}

impl IssuerClientState {
    /// What is sealed.
    pub(super) fn kept(&self) -> KeptOfIssuer {
        KeptOfIssuer {
            holdings: self.holdings.clone(),
            cursor: self.link.cursor().cloned(),
            records: self.records.held.clone(),
            head: self.head.clone(),
        }
    }

    /// Goes on from what was sealed.
    pub(super) fn resume(&mut self, kept: KeptOfIssuer) {
        self.link = FeedSubscription::new(kept.cursor);
        self.hold(kept.holdings);
        self.records.held = kept.records;
        self.head = kept.head;
    }

    /// The session is over: nothing of it is true for the next one. What waits stays, to be answered;
    /// what the organization holds of the log stays true.
    pub(super) fn forget(&mut self, now: Moment) {
        self.hold(None);
        self.read_at = None;
        self.unread = None;
        self.reading = Reading::Idle;
        self.records.due = None;
        self.records.failures = 0;
        if !self.parked.is_empty() {
            self.parked_until = Some(now);
        }
    }

    /// Whether somebody waits here for an answer that the roles decide.
    pub(super) fn is_awaited(&self) -> bool {
        !self.parked.is_empty()
    }

    /// The issuer told a head of its audit log. An older one is not kept: the issuer is shown what it forgot.
    pub(super) fn told_head(&mut self, head: Option<String>) {
        if let Some(head) = head
            && replaces_head(&head, self.head.as_deref())
        {
            self.head = Some(head);
        }
    }

    /// What the person may do from now on.
    pub(super) fn hold(&mut self, holdings: Option<EffectiveRoles>) {
        self.roles = holdings.as_ref().map(roles_of);
        self.holdings = holdings;
    }

    pub(super) const fn holdings(&self) -> Option<&EffectiveRoles> {
        self.holdings.as_ref()
    }

    pub(super) fn roles(&self) -> Option<&[Role]> {
        self.roles.as_deref()
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

impl OrgSession {
    /// What the session has to show at the issuer, when it may be shown: somebody is signed in, to an
    /// organization that has one, under the configuration of the sign-in.
    pub(super) fn bearer(&self) -> Option<(Arc<Secret>, Option<u64>)> {
        let org = self.signed_in_to.as_ref()?;
        org.exchange.issuer()?;
        let live = self.machine.standing().live().filter(|live| live.bound)?;
        Some((self.subject(org)?, live.subject_expires))
    }

    /// The bearer, when it is young enough to be sent; and where to.
    pub(super) fn usable_bearer(&self, now: Moment) -> Option<(Org, Arc<Secret>)> {
        let (bearer, _) = self.bearer()?;
        let usable = self
            .machine
            .standing()
            .live()
            .is_some_and(|live| live.subject_is_usable(now));
        usable.then(|| self.signed_in_to.clone().map(|org| (org, bearer)))?
    }

    /// Counts a bearer that is another than the last one.
    pub(super) fn next_bearer(&mut self) -> Option<IssuerBearer> {
        let now = self.bearer();
        let issuer_client = &mut self.issuer_client;
        let Some((secret, expires)) = now else {
            issuer_client.bearer = None;
            return None;
        };
        let same = issuer_client
            .bearer
            .as_ref()
            .is_some_and(|known| known.matches(&secret));
        if !same {
            issuer_client.generation += 1;
            issuer_client.bearer = Some(secret);
        }
        Some(IssuerBearer {
            generation: issuer_client.generation,
            expires,
        })
    }
}
