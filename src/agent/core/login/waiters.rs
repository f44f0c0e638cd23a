//! Who waits for a sign-in under way: one sign-in serves them all. Nobody waits for a sign-in that has not begun.

use super::Logins;
use crate::answers::PortAnswer;
use crate::command::{AgentCommand, ClientRequest, WaitPolicy};
use crate::core::AgentCore;
use crate::resolve::Denied;
use crate::work::Work;
use oam_model::name::OrgName;
use oam_model::refusal::RefusalCode;
use oam_model::time::Moment;
use oam_session::screen::ScreenState;
use oam_wire::message::Request;

/// git's helper gives up after ten seconds; ms.
const GIT_WAITS_MS: u64 = 8_000;

/// `oam` gives an answer a minute; ms.
const WAITS_MS: u64 = 50_000;

/// An ask that waits for a sign-in.
pub(super) struct LoginWaiter {
    number: u64,
    org: OrgName,
    request: ClientRequest,
    until: Moment,
}

/// What an ask waits for that would be refused now.
pub(crate) enum WaitsFor {
    /// The organization's issuer says the roles.
    Roles(OrgName),
    /// Somebody finishes a sign-in to the organization.
    SignIn(OrgName),
}

impl Logins {
    /// Milliseconds until the first of them has waited long enough.
    pub(crate) fn waiters_wake(&self, now: Moment) -> Option<u64> {
        let left = self.waiters.iter().map(|waiter| now.until(waiter.until));
        left.min()
    }
}

impl AgentCore {
    /// What may change this refusal.
    pub(crate) fn waits_for(&self, denied: &Denied, wait_policy: WaitPolicy) -> Option<WaitsFor> {
        let roles = self.resolver().may_read_roles_for(denied, wait_policy);
        let roles = roles.map(WaitsFor::Roles);
        roles.or_else(|| self.sign_in_to_await(denied, wait_policy))
    }

    /// The sign-in under way that may change this refusal.
    pub(crate) fn sign_in_to_await(
        &self,
        denied: &Denied,
        wait_policy: WaitPolicy,
    ) -> Option<WaitsFor> {
        let waits = wait_policy == WaitPolicy::Waits;
        let org = self.signing_in(denied).filter(|_| waits)?;
        Some(WaitsFor::SignIn(org.clone()))
    }

    /// The organization, where a sign-in under way may change this refusal.
    fn signing_in<'a>(&self, denied: &'a Denied) -> Option<&'a OrgName> {
        let by_standing = denied.by_standing && denied.refusal.code != RefusalCode::Unavailable;
        let org = denied.org.as_ref().filter(|_| by_standing)?;
        self.logins.under_way.contains_key(org).then_some(org)
    }

    /// What it is told where a sign-in is under way and it does not wait, or has waited long enough.
    pub(crate) fn sign_in_not_awaited(&self, denied: &mut Denied, wait_policy: WaitPolicy) {
        if self.signing_in(denied).is_none() {
            return;
        }
        let absent = match wait_policy {
            WaitPolicy::Nobody(state) => state.refusal(&denied.refusal),
            WaitPolicy::Waits | WaitPolicy::IsOver => None,
        };
        match absent {
            Some(refusal) => denied.refusal = refusal,
            None => {
                denied.refusal.next = "finish the sign-in that is under way, then try again".into();
            }
        }
    }

    /// Keeps an ask until what it waits for is there.
    pub(crate) fn park(&mut self, waits: WaitsFor, request: ClientRequest) {
        let org = match waits {
            WaitsFor::Roles(org) => {
                return self.park_for_roles(&org, AgentCommand::Asked(request));
            }
            WaitsFor::SignIn(org) => org,
        };
        let number = self.number();
        let state = self.ports.screen.state(Some(request.caller.pid));
        self.aside
            .run(async move { PortAnswer::ScreenOfWaiter(number, state.await) });
        let until = self.now().plus(longest(&request.request));
        self.logins.waiters.push(LoginWaiter {
            number,
            org,
            request,
            until,
        });
    }

    /// The screen at which the sign-in would be finished is known: without a person there nobody waits.
    pub(crate) fn waiter_seen(&mut self, number: u64, state: ScreenState) {
        if state.is_in_use() {
            return;
        }
        let waiters = &mut self.logins.waiters;
        let at = waiters.iter().position(|waiter| waiter.number == number);
        if let Some(waiter) = at.map(|at| waiters.swap_remove(at)) {
            let wait_policy = WaitPolicy::Nobody(state);
            self.execute(AgentCommand::Asked(waiter.request), wait_policy);
        }
    }

    /// Answers those whose sign-in is over, however it ended, and those who have waited long enough.
    pub(crate) fn release_waiters(&mut self) {
        if self.logins.waiters.is_empty() {
            return;
        }
        let now = self.now();
        let under_way = &self.logins.under_way;
        let (stay, go): (Vec<_>, Vec<_>) = std::mem::take(&mut self.logins.waiters)
            .into_iter()
            .filter(|waiter| !waiter.request.answers.is_closed())
            .partition(|waiter| under_way.contains_key(&waiter.org) && !now.reached(waiter.until));
        self.logins.waiters = stay;
        for waiter in go {
            // After the sign-in the roles may have to be read; who has waited too long waits no more.
            let wait_policy = if now.reached(waiter.until) {
                WaitPolicy::IsOver
            } else {
                WaitPolicy::Waits
            };
            let command = Work::Command(AgentCommand::Asked(waiter.request), wait_policy);
            self.queue.push(&waiter.org, command);
        }
        self.drain();
    }
}

/// How long such a caller can wait, ms.
fn longest(request: &Request) -> u64 {
    match request {
        Request::Get { front, .. } if front == "git" => GIT_WAITS_MS,
        _ => WAITS_MS,
    }
}
