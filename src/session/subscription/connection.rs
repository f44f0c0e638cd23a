//! Connections and polls: when they begin, when they are given up, and when to look next.

use super::heartbeat::DelayEstimator;
use super::{
    Closed, FeedSubscription, IssuerBearer, LATE_MS, POLL_MS, Phase, Poll, Stream,
    SubscriptionEffect,
};
use crate::machine::IssuerEvent;
use oam_model::time::Moment;

/// Heartbeats come this often until the issuer shows its own pace, ms.
const USUAL_PACE_MS: u64 = 15_000;
/// First and longest wait before a connection is tried again, ms.
const FIRST_WAIT_MS: u64 = 1_000;
const LONGEST_WAIT_MS: u64 = 60_000;
/// A `Retry-After` beyond this is cut, ms.
pub(super) const LONGEST_ASKED_MS: u64 = 3_600_000;
/// The session is renewed when its bearer has less life than this, seconds.
const LEAD_S: u64 = 30;
/// A bearer must live at least this much longer to be sent, seconds.
const MARGIN_S: u64 = 10;
/// The session is renewed for the link no sooner than this after the last time, ms; twice as long each
/// time that it did not help, up to 32 times.
const RENEW_AGAIN_MS: u64 = 20_000;
/// After so many late heartbeats in a row another connection is tried.
const LATE_IN_A_ROW: u32 = 4;

impl FeedSubscription {
    /// The connection is over: the next one after a while.
    pub(super) fn lost(&mut self, closed: Closed, now: Moment, random: u64) {
        let Phase::Open(stream) = &self.phase else {
            return;
        };
        let generation = stream.bearer.generation;
        if closed.refused {
            self.refused = Some(generation);
        }
        self.failures = self.failures.saturating_add(1);
        self.down = true;
        self.phase =
            Phase::Waiting(now.plus(wait_ms(self.failures, closed.retry_after_ms, random)));
        self.next_poll
            .get_or_insert(now.plus(jittered(POLL_MS, random)));
    }

    /// A younger bearer is wanted; this is the one refresh in the life of a subject token that the
    /// link itself causes.
    fn ask_renewal(&mut self, now: Moment, steps: &mut Vec<SubscriptionEffect>) {
        if self.renew_again.is_some_and(|again| !now.reached(again)) {
            return;
        }
        self.renew_again = Some(now.plus(RENEW_AGAIN_MS << self.renewals.min(5)));
        self.renewals = self.renewals.saturating_add(1);
        steps.push(SubscriptionEffect::Tell(IssuerEvent::Renew));
    }
    /// What follows from the state and the time.
    pub(super) fn go_on(
        &mut self,
        wanted: bool,
        now: Moment,
        random: u64,
        steps: &mut Vec<SubscriptionEffect>,
    ) {
        let Some(bearer) = self.bearer else { return };
        let usable = is_usable(bearer, now);
        self.kept |= usable;
        self.end_silent(now, random, steps);
        let refused = self.refused == Some(bearer.generation);
        if self.kept && (refused || ends_soon(bearer, now)) {
            self.ask_renewal(now, steps);
        }
        self.connect(bearer, usable, now, steps);
        let may = usable && wanted && !refused;
        let due = self.next_poll.is_some_and(|at| now.reached(at));
        if may && due && self.poll.is_none() {
            self.begin_poll(bearer, now, steps);
        }
    }

    /// Two heartbeats that did not come, or came through a buffer again and again.
    fn end_silent(&mut self, now: Moment, random: u64, steps: &mut Vec<SubscriptionEffect>) {
        let Phase::Open(stream) = &self.phase else {
            return;
        };
        if now.reached(stream.last.plus(silence_ms(stream))) {
            steps.push(SubscriptionEffect::Hangup);
            self.lost(Closed::default(), now, random);
            self.next_poll = Some(now);
        } else if stream.late_in_a_row >= LATE_IN_A_ROW {
            steps.push(SubscriptionEffect::Hangup);
            self.lost(Closed::default(), now, random);
        } else if stream.late_in_a_row > 0 {
            self.next_poll.get_or_insert(now);
        }
    }

    fn connect(
        &mut self,
        bearer: IssuerBearer,
        usable: bool,
        now: Moment,
        steps: &mut Vec<SubscriptionEffect>,
    ) {
        if !usable || self.refused == Some(bearer.generation) {
            return;
        }
        match &self.phase {
            Phase::Waiting(until) if !now.reached(*until) => return,
            Phase::Off | Phase::Waiting(_) => {}
            Phase::Open(stream) => {
                // A younger bearer takes over just before the old one ends.
                if stream.bearer.generation == bearer.generation
                    || !ends_soon(stream.bearer, now)
                    || ends_soon(bearer, now)
                {
                    return;
                }
                steps.push(SubscriptionEffect::Hangup);
            }
        }
        self.numbers += 1;
        self.phase = Phase::Open(Stream {
            bearer,
            last: now,
            pace_ms: USUAL_PACE_MS,
            journey: DelayEstimator::new(now),
            in_time: None,
            late_in_a_row: 0,
        });
        steps.push(SubscriptionEffect::Connect {
            number: self.numbers,
            after: self.cursor.clone(),
        });
    }

    /// Polls have numbers of their own row: a connection's number must not be used up by one.
    fn begin_poll(
        &mut self,
        bearer: IssuerBearer,
        now: Moment,
        steps: &mut Vec<SubscriptionEffect>,
    ) {
        let number = now.boot_ms;
        self.poll = Some(Poll {
            number,
            asked: now,
            generation: bearer.generation,
        });
        steps.push(SubscriptionEffect::Poll {
            number,
            after: self.cursor.clone(),
        });
    }

    /// Milliseconds until this link wants an [`Input::Tick`](crate::subscription::SubscriptionInput::Tick).
    pub fn next_wake(&self, wanted: bool, now: Moment) -> Option<u64> {
        let bearer = self.bearer?;
        let usable = is_usable(bearer, now);
        let refused = self.refused == Some(bearer.generation);
        let mut wakes = Vec::new();
        match &self.phase {
            Phase::Waiting(until) if usable && !refused => wakes.push(now.until(*until)),
            Phase::Off | Phase::Waiting(_) => {}
            Phase::Open(stream) => wakes.push(now.until(stream.last.plus(silence_ms(stream)))),
        }
        if self.kept && (refused || bearer.expires.is_some()) {
            let soon = bearer.expires.map_or(0, |at| {
                let lead = at.saturating_sub(LEAD_S).saturating_mul(1000);
                lead.saturating_sub(now.wall_ms)
            });
            let again = self.renew_again.map_or(0, |again| now.until(again));
            wakes.push(if refused { again } else { soon.max(again) });
        }
        if wanted
            && usable
            && !refused
            && self.poll.is_none()
            && let Some(at) = self.next_poll
        {
            wakes.push(now.until(at));
        }
        wakes.into_iter().min()
    }
}

/// Silence after which a connection is given up, ms.
const fn silence_ms(stream: &Stream) -> u64 {
    2 * stream.pace_ms + LATE_MS
}

fn is_usable(bearer: IssuerBearer, now: Moment) -> bool {
    bearer.expires.is_none_or(|at| at > now.unix() + MARGIN_S)
}

fn ends_soon(bearer: IssuerBearer, now: Moment) -> bool {
    bearer.expires.is_some_and(|at| at <= now.unix() + LEAD_S)
}

/// Exponential backoff with jitter: a fleet must not come back in step.
fn wait_ms(failures: u32, retry_after_ms: Option<u64>, random: u64) -> u64 {
    let doubled = FIRST_WAIT_MS << failures.saturating_sub(1).min(6);
    let most = doubled.min(LONGEST_WAIT_MS);
    let own = (most / 2 + random % (most / 2 + 1)).max(FIRST_WAIT_MS);
    let asked = retry_after_ms.unwrap_or(0).min(LONGEST_ASKED_MS);
    // Asked for by the issuer: never sooner, and not all at that second either.
    own.max(asked + asked / 10 * (random % 11) / 10)
}

/// Up to a fifth shorter or longer.
pub(super) const fn jittered(ms: u64, random: u64) -> u64 {
    ms - ms / 5 + random % (2 * ms / 5 + 1)
}
