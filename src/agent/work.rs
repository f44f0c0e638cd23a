//! What is still to be decided or carried out: one queue that one loop drains (`core::turn`). The loop alone asks a
//! decider; what is carried out brings more work, and asks nobody by itself.

use super::command::{AgentCommand, WaitPolicy};
use super::entitlements::RolesError;
use oam_model::name::OrgName;
use oam_session::machine::{Effect, Event, HostEvent, IssuerEvent, PersonEvent, ProviderEvent};
use oam_session::notice_queue::DueNotice;
use oam_session::subscription::{SubscriptionEffect, SubscriptionInput};
use std::collections::VecDeque;
use std::rc::Rc;

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
    /// A renewal came to its end.
    RenewalOver { renewed: bool },
    /// By a renewal the person has other groups than before.
    GroupsChanged,
    /// The configuration is another than before, and its limits hold already.
    Configured,
    /// The session may be another than before: its feed follows.
    Resubscribe,
    /// The issuer denied what was chosen by the roles as they are known.
    RolesMayBeOld,
    /// The roles could not be read.
    RolesUnread(RolesError),
    /// Roles or the configuration changed: children may have to go.
    ChooseAgain,
    /// A batch of records was not taken, and why.
    RecordsNotTaken(String),
    /// Something is to be told on the desktop.
    Tell(DueNotice),
    /// A command that has waited, and whether it may wait again.
    Command(AgentCommand, WaitPolicy),
}

impl From<Event> for Work {
    fn from(event: Event) -> Self {
        Self::Session(event)
    }
}

impl From<PersonEvent> for Work {
    fn from(event: PersonEvent) -> Self {
        Self::Session(event.into())
    }
}

impl From<ProviderEvent> for Work {
    fn from(event: ProviderEvent) -> Self {
        Self::Session(event.into())
    }
}

impl From<IssuerEvent> for Work {
    fn from(event: IssuerEvent) -> Self {
        Self::Session(event.into())
    }
}

impl From<HostEvent> for Work {
    fn from(event: HostEvent) -> Self {
        Self::Session(event.into())
    }
}

/// The queue.
#[derive(Default)]
pub(super) struct WorkQueue {
    waiting: VecDeque<Waiting>,
    pub draining: bool,
    /// Of the work that is being done.
    request_in_hand: Option<Rc<str>>,
}

struct Waiting {
    org: OrgName,
    work: Work,
    /// Request id of the exchange whose answer brought it: what comes of it goes on record with it.
    request: Option<Rc<str>>,
}

impl WorkQueue {
    /// After everything that waits.
    pub(super) fn push(&mut self, org: &OrgName, work: Work) {
        self.waiting.push_back(Waiting {
            org: org.clone(),
            work,
            request: self.request_in_hand.clone(),
        });
    }

    /// The answer to an exchange, after everything that waits.
    pub(super) fn push_answer(&mut self, org: &OrgName, request: Option<String>, work: Work) {
        self.waiting.push_back(Waiting {
            org: org.clone(),
            work,
            request: request.map(Rc::from),
        });
    }

    /// What was decided goes before everything that waits, in its order.
    pub(super) fn push_decided(
        &mut self,
        org: &OrgName,
        decided: impl DoubleEndedIterator<Item = Work>,
    ) {
        for work in decided.rev() {
            self.waiting.push_front(Waiting {
                org: org.clone(),
                work,
                request: self.request_in_hand.clone(),
            });
        }
    }

    /// The next work; from here on it is in hand.
    pub(super) fn take_next(&mut self) -> Option<(OrgName, Work)> {
        let next = self.waiting.pop_front();
        self.request_in_hand = next.as_ref().and_then(|next| next.request.clone());
        next.map(|next| (next.org, next.work))
    }

    /// Request id of the exchange whose answer brought what is in hand.
    pub(super) fn request_in_hand(&self) -> Option<String> {
        self.request_in_hand.as_deref().map(str::to_owned)
    }
}
