//! The feed of an organization's own issuer: carries out what the link decides.

use super::answers::PortAnswer;
use super::core::AgentCore;
use super::org_session::OrgSession;
use super::ports::Since;
use oam_model::answer::EndpointFault;
use oam_model::feed::{FeedEvent, FeedItem, Poll};
use oam_model::name::{OrgName, RoleName};
use oam_model::record::{EventKind, Record};
use oam_model::refusal::RefusalCode;
use oam_model::standing::{EndReason, StandingWord};
use oam_model::time::Moment;
use oam_session::machine::IssuerEvent;
use oam_session::standing::{ISSUER, words};
use oam_session::subscription::{Closed, SubscriptionEffect, SubscriptionInput};

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

    /// The session is another person's, or begins anew: nothing of the link before is true.
    pub(super) fn unlink(&mut self, name: &OrgName) {
        let now = self.now();
        self.subscription_step(name, SubscriptionInput::Bearer(None));
        if let Some(org_session) = self.org_sessions.get_mut(name) {
            org_session.issuer_client.forget(now);
            org_session.issuer_client.bearer = None;
        }
    }

    /// Whether news must not be missed: a token is out, or a child uses one.
    pub(super) fn wants_news(&self, name: &OrgName, now: Moment) -> bool {
        let follows = self.following.values().any(|f| f.chosen.org == *name);
        let out = self.org_sessions.get(name).is_some_and(|org_session| {
            let mut out = org_session.outstanding.iter();
            out.any(|out| out.granted.expires_at > now.unix())
        });
        let watches = self
            .org_sessions
            .get(name)
            .is_some_and(OrgSession::is_watched);
        follows || watches || out
    }

    /// Milliseconds until a link wants to be woken.
    pub(super) fn subscription_wake(&self, now: Moment) -> Option<u64> {
        let wakes = self.org_sessions.iter().filter_map(|(name, org_session)| {
            let wanted = self.wants_news(name, now);
            let link = org_session.issuer_client.link.next_wake(wanted, now);
            let parked = org_session
                .issuer_client
                .parked_until
                .map(|at| now.until(at));
            let records = org_session
                .issuer_client
                .records
                .due
                .map(|at| now.until(at));
            link.into_iter().chain(parked).chain(records).min()
        });
        wakes.min()
    }

    /// Lets the link of `name` decide, and carries out what it says.
    pub(super) fn subscription_step(&mut self, name: &OrgName, input: SubscriptionInput) {
        let now = self.now();
        let wanted = self.wants_news(name, now);
        let Some(org_session) = self.org_sessions.get_mut(name) else {
            return;
        };
        if org_session.issuer_client.bearer.is_none()
            && !matches!(input, SubscriptionInput::Bearer(_))
        {
            return;
        }
        let roll = match input {
            SubscriptionInput::Bearer(None) => 0,
            _ => u64::try_from(self.ports.dice.roll() & u128::from(u64::MAX)).unwrap_or(0),
        };
        let epoch = org_session.machine.epoch();
        let steps = org_session
            .issuer_client
            .link
            .step(input, wanted, now, roll);
        for step in steps {
            // A step can end the session; what was decided about its link is void then.
            if self.org_sessions.get(name).map(|o| o.machine.epoch()) != Some(epoch) {
                break;
            }
            match step {
                SubscriptionEffect::Hangup => self.hang_up(name),
                SubscriptionEffect::Connect { number, after } => {
                    self.open_feed(name, number, after);
                }
                SubscriptionEffect::Poll { number, after } => self.poll(name, number, after),
                SubscriptionEffect::ReadRoles => self.read_roles(name),
                SubscriptionEffect::Tell(event) => self.tell(name, event),
            }
        }
    }

    fn hang_up(&mut self, name: &OrgName) {
        let feed = self
            .org_sessions
            .get_mut(name)
            .and_then(|org_session| org_session.issuer_client.feed.take());
        if let Some(feed) = feed {
            feed.abort();
        }
    }

    /// That roles changed goes on record before the session machine acts on it; a doubt by the session machine's first effect.
    /// Heartbeats do not: the proof that a grant rests on would be four records a minute.
    fn tell(&mut self, name: &OrgName, event: IssuerEvent) {
        if let IssuerEvent::RolesChanged { held, lost } = &event {
            let detail = if lost.is_empty() {
                format!("held now: {}", listed(held))
            } else {
                format!("lost: {}", listed(lost))
            };
            self.record_of_issuer(name, EventKind::RolesChanged, detail);
            self.roles_are(name, held, lost);
        }
        self.step(name, event);
    }

    pub(super) fn record_of_issuer(&mut self, name: &OrgName, what: EventKind, detail: String) {
        let mut record = Record::new(what, self.now().wall_ms);
        record.org = Some(name.clone());
        record.subject = self.subject_of(name);
        record.detail = Some(detail);
        record.request_id.clone_from(&self.request_in_hand);
        self.write(&record);
    }

    fn open_feed(&mut self, name: &OrgName, number: u64, after: Option<String>) {
        let now = self.now();
        let Some(org_session) = self.org_sessions.get_mut(name) else {
            return;
        };
        let Some((org, bearer)) = org_session.usable_bearer(now) else {
            return;
        };
        let generation = org_session.issuer_client.generation;
        let (inner, heard, from) = (self.inner.clone(), self.inner.clone(), name.clone());
        let hear = Box::new(move |item| {
            let _ = heard.send(PortAnswer::Feed {
                org: from.clone(),
                number,
                news: FeedNews::Heard(item),
            });
        });
        let since = Since {
            after,
            head: org_session.issuer_client.head.clone(),
        };
        let feed = self.ports.issuer.feed(&org, bearer, since, hear);
        let name = name.clone();
        let task = tokio::task::spawn_local(async move {
            let news = FeedNews::Closed(generation, feed.await);
            let _ = inner.send(PortAnswer::Feed {
                org: name,
                number,
                news,
            });
        });
        org_session.issuer_client.feed = Some(task.abort_handle());
    }

    fn poll(&self, name: &OrgName, number: u64, after: Option<String>) {
        let Some(org_session) = self.org_sessions.get(name) else {
            return;
        };
        let Some((org, bearer)) = org_session.usable_bearer(self.now()) else {
            return;
        };
        let generation = org_session.issuer_client.generation;
        let since = Since {
            after,
            head: org_session.issuer_client.head.clone(),
        };
        let poll = self.ports.issuer.poll(&org, bearer, since);
        let (inner, name) = (self.inner.clone(), name.clone());
        tokio::task::spawn_local(async move {
            let news = FeedNews::Polled(generation, poll.await);
            let _ = inner.send(PortAnswer::Feed {
                org: name,
                number,
                news,
            });
        });
    }

    pub(super) fn feed_says(&mut self, name: &OrgName, number: u64, news: FeedNews) {
        let input = match news {
            FeedNews::Heard(FeedItem {
                event: FeedEvent::Head { head },
                ..
            }) => return self.head_told(name, Some(head)),
            FeedNews::Heard(item) => {
                self.set_up_in(name, &item);
                self.what_is_held_may_differ(name, Some(number));
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
                self.head_told(name, poll.head);
                if let Some(last) = poll.items.last() {
                    self.set_up_in(name, last);
                }
                if poll.items.iter().any(reset) {
                    self.what_is_held_may_differ(name, None);
                }
                SubscriptionInput::Polled(number, Ok(poll.items))
            }
            FeedNews::Polled(generation, Err(fault)) => {
                self.heed(name, generation, &fault);
                SubscriptionInput::Polled(number, Err(closed(Some(&fault))))
            }
        };
        self.subscription_step(name, input);
    }

    fn set_up_in(&mut self, name: &OrgName, item: &FeedItem) {
        if let FeedEvent::Heartbeat { setup, .. } = &item.event {
            self.set_up_told(name, setup.clone());
        }
    }

    pub(super) fn head_told(&mut self, name: &OrgName, head: Option<String>) {
        if let Some(org_session) = self.org_sessions.get_mut(name) {
            org_session.issuer_client.told_head(head);
        }
    }

    /// An answer of the issuer that the identity or session is over, to the bearer in use: it counts
    /// like the same word on the feed.
    pub(super) fn heed(&mut self, name: &OrgName, generation: u64, fault: &EndpointFault) {
        let Some(denial) = fault.denial() else { return };
        let current = self.org_sessions.get(name).is_some_and(|org_session| {
            org_session.issuer_client.bearer.is_some()
                && org_session.issuer_client.generation == generation
        });
        if !current {
            return;
        }
        match denial.code {
            RefusalCode::Revoked => {
                let reason = denial.reason.clone().map(EndReason::Words);
                self.step(name, IssuerEvent::Over(StandingWord::Revoked, reason));
            }
            RefusalCode::Ended => {
                let doubted = self.org_sessions.get(name).is_some_and(|org_session| {
                    let live = org_session.machine.standing().live();
                    live.is_some_and(|live| live.suspicion.is_some())
                });
                if !doubted {
                    let reason = denial.reason.as_ref().unwrap_or(&denial.sentence);
                    self.tell(name, IssuerEvent::Doubted(reason.clone()));
                }
            }
            _ => {}
        }
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
