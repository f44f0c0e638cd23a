//! The feed of an organization's own issuer: carries out what the link decides.

use super::answers::PortAnswer;
use super::aside::Aside;
use super::core::AgentCore;
use super::org_session::OrgSession;
use super::ports::{IssuerApi, Since};
use oam_config::agent::Org;
use oam_model::answer::EndpointFault;
use oam_model::feed::{FeedEvent, FeedItem, Poll};
use oam_model::name::{OrgName, RoleName};
use oam_model::record::{EventKind, Record};
use oam_model::refusal::RefusalCode;
use oam_model::secret::Secret;
use oam_model::standing::{EndReason, StandingWord};
use oam_model::time::Moment;
use oam_session::machine::IssuerEvent;
use oam_session::standing::{ISSUER, words};
use oam_session::subscription::{Closed, SubscriptionInput};
use std::sync::Arc;

/// What the issuer said by the feed, or how a connection to it ended.
pub(super) enum FeedNews {
    /// A message.
    Heard(FeedItem),
    /// The connection is over; the bearer that it was made with.
    Closed(u64, Result<(), EndpointFault>),
    /// A poll's answer; the bearer that it was made with.
    Polled(u64, Result<Poll, EndpointFault>),
}

impl AgentCore {
    /// The session of an organization is another than before, or none: its link follows.
    pub(super) fn resubscribe(&mut self, name: &OrgName) {
        let Some(org_session) = self.org_sessions.get_mut(name) else {
            return;
        };
        let bearer = org_session.next_bearer();
        self.subscription_step(name, SubscriptionInput::Bearer(bearer));
        if bearer.is_some() {
            self.records_are_due(name);
        }
    }

    /// The session is another person's, or begins anew: nothing of the subscription before is true.
    pub(super) fn unlink(&mut self, name: &OrgName) {
        self.subscription_step(name, SubscriptionInput::Bearer(None));
        self.forget_issuer(name);
    }

    /// Nothing that the issuer said of the session is true any more.
    pub(super) fn forget_issuer(&mut self, name: &OrgName) {
        let now = self.now();
        if let Some(org_session) = self.org_sessions.get_mut(name) {
            org_session.issuer_client.forget(now);
            org_session.issuer_client.bearer = None;
        }
    }

    /// Milliseconds until something of an issuer wants to be looked at.
    pub(super) fn subscription_wake(&self, now: Moment) -> Option<u64> {
        let wakes = self.org_sessions.iter().filter_map(|(name, org_session)| {
            let wanted = org_session.wants_news(self.followers.uses(name), now);
            org_session.issuer_client.next_wake(wanted, now)
        });
        wakes.min()
    }

    /// That roles changed goes on record before the session machine acts on it; a doubt by the session machine's first effect.
    /// Heartbeats do not: the proof that a grant rests on would be four records a minute.
    pub(super) fn record_news(&mut self, name: &OrgName, event: &IssuerEvent) {
        if let IssuerEvent::RolesChanged { held, lost } = event {
            let detail = if lost.is_empty() {
                format!("held now: {}", listed(held))
            } else {
                format!("lost: {}", listed(lost))
            };
            self.record_of_issuer(name, EventKind::RolesChanged, detail);
            self.roles_are(name, held, lost);
        }
    }

    pub(super) fn record_of_issuer(&mut self, name: &OrgName, what: EventKind, detail: String) {
        let mut record = Record::new(what, self.now().wall_ms);
        record.org = Some(name.clone());
        record.subject = self.subject_of(name);
        record.detail = Some(detail);
        record.request_id.clone_from(&self.request_in_hand);
        self.write(&record);
    }

    pub(super) fn feed_says(&mut self, name: &OrgName, number: u64, news: FeedNews) {
        let (now, written) = (self.now(), self.durable.audit_chain.sequence());
        let org_session = self.org_sessions.get_mut(name);
        let input = match news {
            FeedNews::Heard(FeedItem {
                event: FeedEvent::Head { head },
                ..
            }) => {
                if let Some(org_session) = org_session {
                    org_session.issuer_client.told_head(Some(head));
                }
                return;
            }
            FeedNews::Heard(item) => {
                let set_up = set_up_in(&item);
                if let Some(org_session) = org_session {
                    org_session.what_is_held_may_differ(Some(number), written, now);
                }
                self.set_up_told(name, set_up);
                SubscriptionInput::Heard(number, item)
            }
            FeedNews::Closed(generation, result) => {
                if let Err(fault) = &result {
                    tracing::debug!("the feed of {name} closed: {}", words(ISSUER, fault));
                    self.heed(name, generation, fault);
                }
                SubscriptionInput::Closed(number, closed(result.err().as_ref()))
            }
            FeedNews::Polled(_, Ok(poll)) => {
                let reset = |item: &FeedItem| matches!(item.event, FeedEvent::Reset {});
                if let Some(org_session) = org_session {
                    org_session.issuer_client.told_head(poll.head);
                    if poll.items.iter().any(reset) {
                        org_session.what_is_held_may_differ(None, written, now);
                    }
                }
                self.set_up_told(name, poll.items.last().and_then(set_up_in));
                SubscriptionInput::Polled(number, Ok(poll.items))
            }
            FeedNews::Polled(generation, Err(fault)) => {
                self.heed(name, generation, &fault);
                SubscriptionInput::Polled(number, Err(closed(Some(&fault))))
            }
        };
        self.subscription_step(name, input);
    }

    /// An answer of the issuer that the identity or session is over, to the bearer in use: it counts
    /// like the same word on the feed.
    pub(super) fn heed(&mut self, name: &OrgName, generation: u64, fault: &EndpointFault) {
        let org_session = self.org_sessions.get(name);
        let heeded = org_session.and_then(|org_session| org_session.heeded(generation, fault));
        if let Some(event) = heeded {
            self.step(name, event);
        }
    }
}

impl OrgSession {
    /// What an answer to the bearer of this generation says of the session.
    fn heeded(&self, generation: u64, fault: &EndpointFault) -> Option<IssuerEvent> {
        let denial = fault.denial()?;
        let issuer_client = &self.issuer_client;
        if issuer_client.bearer.is_none() || issuer_client.generation != generation {
            return None;
        }
        match denial.code {
            RefusalCode::Revoked => {
                let reason = denial.reason.clone().map(EndReason::Words);
                Some(IssuerEvent::Over(StandingWord::Revoked, reason))
            }
            RefusalCode::Ended => {
                let live = self.machine.standing().live();
                let doubted = live.is_some_and(|live| live.suspicion.is_some());
                let reason = denial.reason.as_ref().unwrap_or(&denial.sentence);
                (!doubted).then(|| IssuerEvent::Doubted(reason.clone()))
            }
            _ => None,
        }
    }

    /// Ends the connection to the feed.
    pub(super) fn hang_up(&mut self) {
        if let Some(feed) = self.issuer_client.feed.take() {
            feed.abort();
        }
    }

    /// What of the issuer's is known already, and the bearer to ask it with, when it may be sent.
    fn asks_feed(&self, after: Option<String>, now: Moment) -> Option<(Org, Arc<Secret>, Since)> {
        let (org, bearer) = self.usable_bearer(now)?;
        let head = self.issuer_client.head.clone();
        Some((org, bearer, Since { after, head }))
    }

    /// Opens the feed.
    pub(super) fn connect(
        &mut self,
        (issuer, aside): (&dyn IssuerApi, &Aside),
        (number, after): (u64, Option<String>),
        now: Moment,
    ) {
        let Some((org, bearer, since)) = self.asks_feed(after, now) else {
            return;
        };
        let generation = self.issuer_client.generation;
        let (heard, from) = (aside.clone(), org.name.clone());
        let hear = Box::new(move |item| {
            heard.send(PortAnswer::Feed {
                org: from.clone(),
                number,
                news: FeedNews::Heard(item),
            });
        });
        let feed = issuer.feed(&org, bearer, since, hear);
        self.issuer_client.feed = Some(aside.run(async move {
            PortAnswer::Feed {
                org: org.name,
                number,
                news: FeedNews::Closed(generation, feed.await),
            }
        }));
    }

    /// Asks once for what has come.
    pub(super) fn poll(
        &self,
        (issuer, aside): (&dyn IssuerApi, &Aside),
        (number, after): (u64, Option<String>),
        now: Moment,
    ) {
        let Some((org, bearer, since)) = self.asks_feed(after, now) else {
            return;
        };
        let generation = self.issuer_client.generation;
        let poll = issuer.poll(&org, bearer, since);
        aside.run(async move {
            PortAnswer::Feed {
                org: org.name,
                number,
                news: FeedNews::Polled(generation, poll.await),
            }
        });
    }
}

/// The digest of what the issuer publishes, where a heartbeat tells it.
fn set_up_in(item: &FeedItem) -> Option<String> {
    match &item.event {
        FeedEvent::Heartbeat { setup, .. } => setup.clone(),
        _ => None,
    }
}

fn closed(fault: Option<&EndpointFault>) -> Closed {
    match fault {
        Some(EndpointFault::Denied {
            status,
            retry_after_s,
            ..
        }) => Closed {
            refused: matches!(status, 401 | 403),
            retry_after_ms: retry_after_s.map(|s| s.saturating_mul(1000)),
        },
        Some(EndpointFault::Status { status: 401, .. }) => Closed {
            refused: true,
            retry_after_ms: None,
        },
        _ => Closed::default(),
    }
}

fn listed(roles: &[RoleName]) -> String {
    if roles.is_empty() {
        return "none".to_owned();
    }
    let names: Vec<&str> = roles.iter().map(RoleName::as_str).collect();
    names.join(", ")
}
