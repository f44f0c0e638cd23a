//! Who wants to know whether the session stands: `oam status --check`, `oam doctor` and `oam why`. They wait for one
//! proof, as an ask for a token does, and not longer than it; nobody else who only looks makes the provider be asked.

use super::AgentCore;
use crate::command::{AgentCommand, ClientRequest, WaitPolicy};
use crate::org_session::OrgSession;
use crate::resolve::{Resolved, Resolver};
use oam_model::name::OrgName;
use oam_model::time::Moment;
use oam_session::machine::{HostEvent, PersonEvent};
use oam_session::state::{Need, PROOF_DEADLINE_MS};
use oam_wire::message::Request;

/// A command that waits for proofs.
pub(crate) struct ProofWaiter {
    orgs: Vec<OrgName>,
    request: ClientRequest,
    until: Moment,
}

impl AgentCore {
    /// Begins the proofs that a command wants; it is kept until they are there, or the time of one is over. Else it
    /// comes back.
    pub(super) fn prove_for(&mut self, command: AgentCommand) -> Option<AgentCommand> {
        let AgentCommand::Asked(request) = command else {
            return Some(command);
        };
        let orgs = self.proofs_for(&request);
        for org in &orgs {
            self.step(org, PersonEvent::ProofWanted);
            // Only the organization's own issuer knows what it revoked meanwhile.
            self.of_org(org, |own, cx| {
                if own.may_read_roles(cx.now()) {
                    own.read_roles(cx);
                }
            });
        }
        self.drain();
        let now = self.now();
        if !orgs.iter().any(|org| self.is_asking(org, now)) {
            return Some(AgentCommand::Asked(request));
        }
        self.proof_waiters.push(ProofWaiter {
            orgs,
            request,
            until: now.plus(PROOF_DEADLINE_MS),
        });
        None
    }

    /// The organizations whose session a command wants proven.
    fn proofs_for(&mut self, asked: &ClientRequest) -> Vec<OrgName> {
        let wants = match &asked.request {
            Request::Status { proof } => *proof,
            Request::Why { .. } => true,
            _ => false,
        };
        if !wants {
            return Vec::new();
        }
        let all: Vec<OrgName> = self.org_sessions.keys().cloned().collect();
        for org in &all {
            // A session that grew too old in a suspend is over before anybody is asked about it.
            self.step(org, HostEvent::Tick);
        }
        let resolver = self.resolver();
        if let Request::Why { ask } = &asked.request {
            let found = resolver.resolve(ask, "why", &asked.caller);
            return resolver.proof_for(&found).into_iter().collect();
        }
        let unproven = |org: &OrgName| resolver.is_to_be_proven(org);
        all.into_iter().filter(unproven).collect()
    }

    fn is_asking(&self, org: &OrgName, now: Moment) -> bool {
        let org_session = self.org_sessions.get(org);
        org_session.is_some_and(|org_session| org_session.is_asking(now))
    }

    /// Milliseconds until the first of those who wait has waited long enough.
    pub(super) fn proofs_wake(&self, now: Moment) -> Option<u64> {
        let left = self.proof_waiters.iter().map(|w| now.until(w.until));
        left.min()
    }

    /// Answers those whose proofs came to an end, and those who have waited long enough.
    pub(crate) fn release_proven(&mut self) {
        if self.proof_waiters.is_empty() {
            return;
        }
        let now = self.now();
        let (stay, go): (Vec<_>, Vec<_>) = std::mem::take(&mut self.proof_waiters)
            .into_iter()
            .filter(|waiter| !waiter.request.answers.is_closed())
            .partition(|waiter| {
                let asking = waiter.orgs.iter().any(|org| self.is_asking(org, now));
                asking && !now.reached(waiter.until)
            });
        self.proof_waiters = stay;
        for waiter in go {
            self.admit_proven(AgentCommand::Asked(waiter.request));
        }
        self.drain();
    }
}

impl OrgSession {
    /// Whether the provider or the issuer is being asked about the session.
    fn is_asking(&self, now: Moment) -> bool {
        self.machine.is_proving(now) || self.issuer_client.entitlements.is_reading()
    }
}

impl Resolver<'_> {
    fn is_to_be_proven(&self, name: &OrgName) -> bool {
        self.org_sessions.get(name).is_some_and(|org_session| {
            let machine = &org_session.machine;
            machine.standing().need(self.now, machine.limits()) == Need::Proof
        })
    }

    /// The organization whose session would be proven before an ask is answered.
    fn proof_for(&self, resolved: &Resolved) -> Option<OrgName> {
        match resolved {
            Resolved::NotOurs => None,
            Resolved::Chosen(chosen) => {
                let machine = &self.org_sessions.get(&chosen.org)?.machine;
                let wants = machine.wants_proof(&chosen.order(), chosen.offline(), self.now);
                wants.then(|| chosen.org.clone())
            }
            // By roles that are read first it may be chosen, and then it is proven.
            Resolved::Refused(denied) => {
                let org = self.may_read_roles_for(denied, WaitPolicy::Waits)?;
                self.is_to_be_proven(&org).then_some(org)
            }
        }
    }
}
