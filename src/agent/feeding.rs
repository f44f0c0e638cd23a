//! The feed of an organization's own issuer: carries out what the link decides.

use super::answers::{FeedNews, PortAnswer};
use super::aside::Aside;
use super::org_context::OrgContext;
use super::org_session::OrgSession;
use super::ports::{IssuerApi, Since};
use super::work::Work;
use oam_config::agent::Org;
use oam_model::answer::EndpointFault;
use oam_model::feed::{FeedEvent, FeedItem};
use oam_model::name::RoleName;
use oam_model::record::{EventKind, Record};
use oam_model::refusal::RefusalCode;
use oam_model::secret::Secret;
use oam_model::standing::{EndReason, StandingWord};
use oam_model::time::Moment;
use oam_session::machine::IssuerEvent;
use oam_session::standing::{ISSUER, words};
use oam_session::subscription::{Closed, SubscriptionEffect, SubscriptionInput};
use std::sync::Arc;

impl OrgSession {
    /// The session is another than before, or none: its subscription follows.
    pub(super) fn resubscribe(&mut self, cx: &mut OrgContext<'_>) {
        let bearer = self.next_bearer();
        let input = SubscriptionInput::Bearer(bearer);
        cx.queue.push(&self.name, Work::Subscription(input));
        if bearer.is_some() {
            self.records_are_due(cx.durable.audit_chain.sequence(), cx.now());
        }
    }

    /// Nothing that the issuer said of the session is true any more.
    pub(super) fn forget_issuer(&mut self, now: Moment) {
        self.issuer_client.forget(now);
        self.issuer_client.bearer = None;
    }

    /// Lets the feed subscription decide.
    pub(super) fn decide_subscription(
        &mut self,
        cx: &mut OrgContext<'_>,
        input: SubscriptionInput,
    ) {
        let now = cx.now();
        let wanted = self.wants_news(cx.followers.uses(&self.name), now);
        if self.issuer_client.bearer.is_none() && !matches!(input, SubscriptionInput::Bearer(_)) {
            return;
        }
        let random = match input {
            SubscriptionInput::Bearer(None) => 0,
            _ => u64::try_from(cx.ports.rng.random() & u128::from(u64::MAX)).unwrap_or(0),
        };
        let epoch = self.machine.epoch();
        let subscription = &mut self.issuer_client.subscription;
        let decided = subscription
            .step(input, wanted, now, random)
            .into_iter()
            .map(|effect| Work::SubscriptionEffect(epoch, effect));
        cx.queue.push_decided(&self.name, decided);
    }

    /// What a feed subscription decided is void once the session has ended, which the effect before may have brought.
    pub(super) fn go_on(
        &mut self,
        cx: &mut OrgContext<'_>,
        epoch: u64,
        effect: SubscriptionEffect,
    ) {
        if self.machine.epoch() != epoch {
            return;
        }
        let (now, by) = (cx.now(), (&*cx.ports.issuer, cx.aside));
        match effect {
            SubscriptionEffect::Tell(event) => {
                self.record_news(cx, &event);
                let decides = std::iter::once(Work::from(event));
                cx.queue.push_decided(&self.name, decides);
            }
            SubscriptionEffect::Hangup => self.hang_up(),
            SubscriptionEffect::Connect { number, after } => {
                self.connect(by, (number, after), now);
            }
            SubscriptionEffect::Poll { number, after } => self.poll(by, (number, after), now),
            SubscriptionEffect::ReadRoles => self.read_roles(cx),
        }
    }

    /// That roles changed goes on record before the session machine acts on it; a doubt by the session machine's first effect.
    /// Heartbeats do not: the proof that a grant rests on would be four records a minute.
    fn record_news(&mut self, cx: &mut OrgContext<'_>, event: &IssuerEvent) {
        if let IssuerEvent::RolesChanged { held, lost } = event {
            let detail = if lost.is_empty() {
                format!("held now: {}", listed(held))
            } else {
                format!("lost: {}", listed(lost))
            };
            self.record_of_issuer(cx, EventKind::RolesChanged, detail);
            self.roles_are(cx, held, lost);
        }
    }

    pub(super) fn record_of_issuer(
        &self,
        cx: &mut OrgContext<'_>,
        what: EventKind,
        detail: String,
    ) {
        let mut record = Record::new(what, cx.now().wall_ms);
        record.org = Some(self.name.clone());
        record.subject = self.person();
        record.detail = Some(detail);
        record.request_id = cx.queue.request_in_hand();
        cx.write(&record);
    }

    pub(super) fn feed_says(&mut self, cx: &mut OrgContext<'_>, number: u64, news: FeedNews) {
        let (now, written) = (cx.now(), cx.durable.audit_chain.sequence());
        let input = match news {
            FeedNews::Heard(FeedItem {
                event: FeedEvent::Head { head },
                ..
            }) => return self.issuer_client.told_head(Some(head)),
            FeedNews::Heard(item) => {
                let set_up = set_up_in(&item);
                self.what_is_held_may_differ(Some(number), written, now);
                self.set_up_told(cx, set_up);
                SubscriptionInput::Heard(number, item)
            }
            FeedNews::Closed(generation, result) => {
                if let Err(fault) = &result {
                    tracing::debug!("the feed of {} closed: {}", self.name, words(ISSUER, fault));
                    self.heed(cx, generation, fault);
                }
                SubscriptionInput::Closed(number, closed(result.err().as_ref()))
            }
            FeedNews::Polled(_, Ok(poll)) => {
                let reset = |item: &FeedItem| matches!(item.event, FeedEvent::Reset {});
                self.issuer_client.told_head(poll.head);
                if poll.items.iter().any(reset) {
                    self.what_is_held_may_differ(None, written, now);
                }
                self.set_up_told(cx, poll.items.last().and_then(set_up_in));
                SubscriptionInput::Polled(number, Ok(poll.items))
            }
            FeedNews::Polled(generation, Err(fault)) => {
                self.heed(cx, generation, &fault);
                SubscriptionInput::Polled(number, Err(closed(Some(&fault))))
            }
        };
        cx.queue.push(&self.name, Work::Subscription(input));
    }

    /// An answer of the issuer that the identity or session is over, to the bearer in use: it counts
    /// like the same word on the feed.
    pub(super) fn heed(&self, cx: &mut OrgContext<'_>, generation: u64, fault: &EndpointFault) {
        if let Some(event) = self.heeded(generation, fault) {
            cx.queue.push(&self.name, event.into());
        }
    }

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
    fn hang_up(&mut self) {
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
    fn connect(
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
    fn poll(
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
