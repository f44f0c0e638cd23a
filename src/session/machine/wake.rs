//! What passing time brings, and when the session machine wants to be woken next.

use super::{Effect, NotificationKind, SessionMachine, Who};
use crate::state::{FAILURE_MEMORY_MS, Live, Need};
use oam_model::standing::StandingWord;
use oam_model::time::Moment;

/// A failed renewal of a follower's token is tried again after this time, ms.
const FOLLOWER_RETRY_MS: u64 = 5_000;

impl SessionMachine {
    pub(super) fn tick(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        self.decide_by_lease(now, effects, |waiting| now.reached(waiting.deadline));
        if self.standing.live().is_none() {
            return;
        }
        self.notice_end(now, effects);
        if self.asks_about_doubt_in(now) == Some(0) {
            self.begin_refresh(now, effects);
        }
        if self.followers.is_empty() {
            return;
        }
        self.withdraw_beyond_lease(now, effects);
        let proof_due = self
            .standing
            .live()
            .is_some_and(|live| self.proof_due_in(live, now) == 0);
        if proof_due
            && matches!(
                self.standing.need(now, &self.limits),
                Need::Proof | Need::Nothing
            )
        {
            self.begin_refresh(now, effects);
        }
        for (id, order, offline) in self.followers_in_need(now) {
            let allowed = self.standing.live().is_some_and(|live| {
                live.bound
                    && (live.is_fresh(now, &self.limits)
                        || live.within_lease(now, &self.limits, offline))
            });
            if allowed {
                self.set_pending(id);
                self.serve(Who::Follower(id), &order, offline, now, effects);
            }
        }
    }

    fn notice_end(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let soon = self
            .standing
            .live()
            .is_some_and(|live| self.ends_in(live, now) <= self.warn_ahead());
        if soon && !self.ends_soon_noticed {
            self.ends_soon_noticed = true;
            effects.push(Effect::Notify(NotificationKind::EndsSoon));
        }
    }

    /// Whether what was to be told is still so: a notice can wait for hours until somebody is at the screen.
    pub fn still_stands(&self, kind: &NotificationKind, now: Moment) -> bool {
        let word = self.standing.word(now, &self.limits);
        match kind {
            NotificationKind::EndsSoon => self.ends_soon_noticed && self.standing.live().is_some(),
            NotificationKind::Ended(_) => word == StandingWord::Ended,
            NotificationKind::Revoked(_) => word == StandingWord::Revoked,
            NotificationKind::SignInNeeded(_) => {
                self.standing.need(now, &self.limits) == Need::Login
            }
        }
    }

    /// Milliseconds before the session's age at which a person is warned: a tenth of it, one day
    /// at most.
    fn warn_ahead(&self) -> u64 {
        (self.limits.session_age_ms / 10).min(86_400_000)
    }

    fn ends_in(&self, live: &Live, now: Moment) -> u64 {
        (live.signed_in_at_ms + self.limits.session_age_ms).saturating_sub(now.wall_ms)
    }

    /// Milliseconds until the next background proof: a little before the last one stops being
    /// fresh, and not while a failure is remembered or a refresh is under way.
    fn proof_due_in(&self, live: &Live, now: Moment) -> u64 {
        if live.flight.is_some() || !live.bound {
            return u64::MAX;
        }
        if let Some(asks) = self.asks_about_doubt_in(now).filter(|ms| *ms > 0) {
            return asks;
        }
        if let Some(failed) = live.failed_at {
            return FAILURE_MEMORY_MS.saturating_sub(now.since(failed));
        }
        // At least a tenth early, so that a strict role's file is not taken away while the proof is
        // on its way.
        let early = self.limits.fresh_ms * u64::from(self.jitter.max(100)) / 1000;
        let after = self.limits.fresh_ms.saturating_sub(early).max(1_000);
        live.proof_age(now)
            .map_or(0, |age| after.saturating_sub(age))
    }

    /// Milliseconds until this session machine wants a [`super::HostEvent::Tick`]; none when nothing is pending.
    pub fn next_wake(&self, now: Moment) -> Option<u64> {
        let mut wakes: Vec<u64> = self.waiting.iter().map(|w| now.until(w.deadline)).collect();
        wakes.extend(self.asks_about_doubt_in(now));
        if let Some(live) = self.standing.live() {
            let ends = self.ends_in(live, now);
            wakes.push(if self.ends_soon_noticed {
                ends
            } else {
                ends.saturating_sub(self.warn_ahead())
            });
            if !self.followers.is_empty() {
                wakes.push(self.proof_due_in(live, now));
                self.follower_wakes(live, now, &mut wakes);
            }
        }
        wakes.into_iter().filter(|ms| *ms != u64::MAX).min()
    }

    fn follower_wakes(&self, live: &Live, now: Moment, wakes: &mut Vec<u64>) {
        for follower in self.followers.values().filter(|f| !f.pending) {
            match self.cache.held(&follower.order) {
                Some(held) if Some(held.token) == follower.delivered => {
                    let left = now.until(held.expires);
                    let due = left.saturating_sub(held.renew_at_ms());
                    wakes.push(if due == 0 { FOLLOWER_RETRY_MS } else { due });
                }
                _ => wakes.push(FOLLOWER_RETRY_MS),
            }
            if follower.delivered.is_some()
                && let Some(age) = live.proof_age(now)
            {
                let end = if follower.offline == oam_model::role::OfflineRule::Grace {
                    self.limits.lease_ms
                } else {
                    self.limits.fresh_ms
                };
                wakes.push(end.saturating_sub(age).saturating_add(1));
            }
        }
    }
}
