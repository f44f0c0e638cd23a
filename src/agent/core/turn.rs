//! One turn: what waits in the queue is decided and carried out, until nothing waits.

use super::AgentCore;
use crate::org_context::OrgContext;
use crate::org_session::OrgSession;
use crate::work::Work;
use oam_model::name::OrgName;
use oam_session::machine::{Effect, Event};
use oam_session::subscription::SubscriptionInput;

impl AgentCore {
    /// Lets the session of `org` act, with what it works with; none where there is no such organization.
    pub(crate) fn at<R>(
        &mut self,
        org: &OrgName,
        act: impl FnOnce(&mut OrgSession, &mut OrgContext<'_>) -> R,
    ) -> Option<R> {
        let (name, mut own) = self.org_sessions.remove_entry(org)?;
        let mut cx = OrgContext {
            ports: &self.ports,
            settings: &self.settings,
            durable: &mut self.durable,
            queue: &mut self.queue,
            aside: &self.aside,
            followers: &mut self.followers,
            tickets: &mut self.tickets,
            others: &mut self.org_sessions,
            numbers: &mut self.numbers,
        };
        let done = act(&mut own, &mut cx);
        self.org_sessions.insert(name, own);
        Some(done)
    }

    /// The same, where there is nothing to be done without it.
    pub(crate) fn of_org(
        &mut self,
        org: &OrgName,
        act: impl FnOnce(&mut OrgSession, &mut OrgContext<'_>),
    ) {
        self.at(org, act);
    }

    /// Lets the session machine of `org` decide, and carries out what it says.
    pub(crate) fn step(&mut self, org: &OrgName, event: impl Into<Event>) {
        self.queue.push(org, Work::Session(event.into()));
        self.drain();
    }

    /// Lets the feed subscription of `org` decide, and carries out what it says.
    pub(crate) fn subscription_step(&mut self, org: &OrgName, input: SubscriptionInput) {
        self.queue.push(org, Work::Subscription(input));
        self.drain();
    }

    /// Carries out what was decided.
    pub(crate) fn carry_out(&mut self, org: &OrgName, effects: Vec<Effect>) {
        let decided = effects.into_iter().map(Work::Effect);
        self.queue.push_decided(org, decided);
        self.drain();
    }

    /// Works until nothing waits. Called while it works already, it leaves the work to the loop that runs.
    pub(crate) fn drain(&mut self) {
        if std::mem::replace(&mut self.queue.draining, true) {
            return;
        }
        while let Some((org, work)) = self.queue.take_next() {
            self.work(&org, work);
        }
        self.queue.draining = false;
        self.tell_breaks();
    }

    fn work(&mut self, org: &OrgName, work: Work) {
        match work {
            Work::Session(event) => self.decide(org, event),
            Work::Subscription(input) => {
                self.of_org(org, |own, cx| own.decide_subscription(cx, input));
            }
            Work::Effect(effect) => {
                self.of_org(org, |own, cx| {
                    for brought in own.perform(cx, effect) {
                        cx.queue.push(&own.name, brought);
                    }
                });
            }
            Work::SubscriptionEffect(epoch, effect) => {
                self.of_org(org, |own, cx| own.go_on(cx, epoch, effect));
            }
            Work::RenewalAsked => self.of_org(org, OrgSession::renewal_asked),
            Work::RenewalOver { renewed } => {
                self.of_org(org, |own, cx| own.renewal_over(cx, renewed));
            }
            Work::GroupsChanged => self.of_org(org, OrgSession::groups_changed),
            Work::Configured => self.of_org(org, OrgSession::bind),
            Work::Resubscribe => self.of_org(org, OrgSession::resubscribe),
            Work::RolesMayBeOld => self.of_org(org, OrgSession::roles_may_be_old),
            Work::RolesUnread(unread) => self.of_org(org, |own, cx| own.roles_unread(cx, unread)),
            Work::ChooseAgain => self.of_org(org, |own, cx| own.choose_again(cx)),
            Work::RecordsNotTaken(why) => self.of_org(org, |own, cx| own.not_taken(cx, why)),
            Work::Tell(notice) => self.tell(notice),
            Work::Command(command, wait_policy) => self.execute(command, wait_policy),
        }
    }

    fn decide(&mut self, org: &OrgName, event: Event) {
        let now = self.now();
        let Some(org_session) = self.org_sessions.get_mut(org) else {
            return;
        };
        let effects = org_session.decide(event, now);
        let decided = effects.into_iter().map(Work::Effect);
        self.queue.push_decided(org, decided);
    }
}
