//! What is still to be decided or carried out: one queue that one loop drains. The loop alone asks a decider; what is
//! carried out brings more work, and asks nobody by itself.

use super::command::AgentCommand;
use super::core::AgentCore;
use super::effective_roles::WaitPolicy;
use oam_model::name::OrgName;
use oam_session::machine::{Effect, Event};
use oam_session::subscription::{SubscriptionEffect, SubscriptionInput};
use std::collections::VecDeque;

/// One piece of work for one organization.
pub(super) enum Work {
    /// The session machine decides.
    Session(Event),
    /// The feed subscription decides.
    Subscription(SubscriptionInput),
    /// The session machine decided this.
    Effect(Effect),
    /// The feed subscription decided this for the session of this epoch.
    SubscriptionEffect(u64, SubscriptionEffect),
    /// A younger bearer was asked for: where no renewal is under way now, none will come.
    RenewalAsked,
    /// A command that has waited for the roles.
    Command(AgentCommand),
}

impl From<Event> for Work {
    fn from(event: Event) -> Self {
        Self::Session(event)
    }
}

/// The queue.
#[derive(Default)]
pub(super) struct WorkQueue {
    waiting: VecDeque<(OrgName, Work)>,
    draining: bool,
}

impl WorkQueue {
    /// After everything that waits.
    pub(super) fn push(&mut self, org: &OrgName, work: Work) {
        self.waiting.push_back((org.clone(), work));
    }

    /// What was decided goes before everything that waits, in its order.
    fn push_decided(&mut self, org: &OrgName, decided: impl DoubleEndedIterator<Item = Work>) {
        for work in decided.rev() {
            self.waiting.push_front((org.clone(), work));
        }
    }
}

impl AgentCore {
    /// Lets the session machine of `org` decide, and carries out what it says.
    pub(super) fn step(&mut self, org: &OrgName, event: impl Into<Event>) {
        self.queue.push(org, Work::Session(event.into()));
        self.drain();
    }

    /// Lets the feed subscription of `org` decide, and carries out what it says.
    pub(super) fn subscription_step(&mut self, org: &OrgName, input: SubscriptionInput) {
        self.queue.push(org, Work::Subscription(input));
        self.drain();
    }

    /// Carries out what was decided.
    pub(super) fn carry_out(&mut self, org: &OrgName, effects: Vec<Effect>) {
        let decided = effects.into_iter().map(Work::Effect);
        self.queue.push_decided(org, decided);
        self.drain();
    }

    /// Works until nothing waits. Called while it works already, it leaves the work to the loop that runs.
    pub(super) fn drain(&mut self) {
        if std::mem::replace(&mut self.queue.draining, true) {
            return;
        }
        while let Some((org, work)) = self.queue.waiting.pop_front() {
            match work {
                Work::Session(event) => self.decide(&org, event),
                Work::Subscription(input) => self.decide_subscription(&org, input),
                Work::Effect(effect) => {
                    for brought in self.perform(&org, effect) {
                        self.queue.push(&org, brought);
                    }
                }
                Work::SubscriptionEffect(epoch, effect) => self.go_on(&org, epoch, effect),
                Work::RenewalAsked => self.renewal_asked(&org),
                Work::Command(command) => self.execute(command, WaitPolicy::IsOver),
            }
        }
        self.queue.draining = false;
    }

    fn decide(&mut self, org: &OrgName, event: Event) {
        let now = self.now();
        let Some(org_session) = self.org_sessions.get_mut(org) else {
            return;
        };
        let effects = org_session.machine.step(event, now);
        let decided = effects.into_iter().map(Work::Effect);
        self.queue.push_decided(org, decided);
    }

    fn decide_subscription(&mut self, org: &OrgName, input: SubscriptionInput) {
        let now = self.now();
        let follows = self.followers.uses(org);
        let Some(org_session) = self.org_sessions.get_mut(org) else {
            return;
        };
        let wanted = org_session.wants_news(follows, now);
        if org_session.issuer_client.bearer.is_none()
            && !matches!(input, SubscriptionInput::Bearer(_))
        {
            return;
        }
        let random = match input {
            SubscriptionInput::Bearer(None) => 0,
            _ => u64::try_from(self.ports.rng.random() & u128::from(u64::MAX)).unwrap_or(0),
        };
        let epoch = org_session.machine.epoch();
        let subscription = &mut org_session.issuer_client.subscription;
        let decided = subscription
            .step(input, wanted, now, random)
            .into_iter()
            .map(|effect| Work::SubscriptionEffect(epoch, effect));
        self.queue.push_decided(org, decided);
    }

    /// What a feed subscription decided is void once the session has ended, which the effect before may have brought.
    fn go_on(&mut self, org: &OrgName, epoch: u64, effect: SubscriptionEffect) {
        let now = self.now();
        let Some(org_session) = self.org_sessions.get_mut(org) else {
            return;
        };
        if org_session.machine.epoch() != epoch {
            return;
        }
        let by = (&*self.ports.issuer, &self.aside);
        match effect {
            SubscriptionEffect::Tell(event) => {
                self.record_news(org, &event);
                self.decide(org, event.into());
            }
            SubscriptionEffect::Hangup => org_session.hang_up(),
            SubscriptionEffect::Connect { number, after } => {
                org_session.connect(by, (number, after), now);
            }
            SubscriptionEffect::Poll { number, after } => {
                org_session.poll(by, (number, after), now);
            }
            SubscriptionEffect::ReadRoles => self.read_roles(org),
        }
    }
}
