//! Children of `oam exec`: their token file follows renewals and goes with the session.

use super::serve::Proof;
use super::{Effect, Follower, SessionMachine, Who};
use crate::cache::TokenId;
use crate::state::Live;
use oam_model::refusal::Refusal;
use oam_model::role::OfflineRule;
use oam_model::time::Moment;
use oam_model::token_key::TokenKey;

impl SessionMachine {
    pub(super) fn unfollow(&mut self, id: u64) {
        self.followers.remove(&id);
        self.waiting
            .retain(|waiting| waiting.who != Who::Follower(id));
    }

    pub(super) fn deliver(&mut self, id: u64, token: TokenId, effects: &mut Vec<Effect>) {
        let Some(follower) = self.followers.get_mut(&id) else {
            return;
        };
        follower.pending = false;
        if follower.delivered != Some(token) {
            follower.delivered = Some(token);
            follower.started = true;
            effects.push(Effect::Deliver {
                follower: id,
                token,
            });
        }
    }

    pub(super) fn deliver_to_followers_of(
        &mut self,
        order: &TokenKey,
        token: TokenId,
        now: Moment,
        effects: &mut Vec<Effect>,
    ) {
        let ids: Vec<u64> = self
            .followers
            .iter()
            // The exchange proves nothing: a file that the lease took away stays away.
            .filter(|(_, f)| f.order == *order && self.serves(f.offline, now))
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            self.deliver(id, token, effects);
        }
    }

    /// Whether a follower whose role has this offline rule may have a file now.
    fn serves(&self, offline: OfflineRule, now: Moment) -> bool {
        self.standing.live().is_some_and(|live| {
            live.bound
                && (live.is_fresh(now, &self.limits)
                    || live.within_lease(now, &self.limits, offline))
        })
    }

    /// A refusal for a follower. While its file still holds a token that lives, a failed renewal
    /// is no reason to take it away; the lease is (see [`Self::withdraw_beyond_lease`]).
    pub(super) fn withhold(&mut self, id: u64, refusal: Refusal, effects: &mut Vec<Effect>) {
        let Some(follower) = self.followers.get_mut(&id) else {
            return;
        };
        follower.pending = false;
        if follower.delivered.is_none() {
            self.followers.remove(&id);
            effects.push(Effect::Withdraw {
                follower: id,
                refusal,
                last: true,
            });
        }
    }

    pub(super) fn withdraw_all(&mut self, refusal: &Refusal, effects: &mut Vec<Effect>) {
        for (id, follower) in &mut self.followers {
            follower.pending = false;
            if follower.delivered.take().is_some() {
                effects.push(Effect::Withdraw {
                    follower: *id,
                    refusal: refusal.clone(),
                    last: false,
                });
            }
        }
    }

    /// Takes away the files of those whose role may not be served without a proof any more.
    pub(super) fn withdraw_beyond_lease(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let refusal = self.standing.refusal(&self.org, now, &self.limits);
        let Some(live) = self.standing.live() else {
            return;
        };
        let limits = self.limits;
        let serves = |offline: OfflineRule| {
            live.is_fresh(now, &limits) || live.within_lease(now, &limits, offline)
        };
        for (id, follower) in &mut self.followers {
            if !serves(follower.offline) && follower.delivered.take().is_some() {
                follower.pending = false;
                effects.push(Effect::Withdraw {
                    follower: *id,
                    refusal: refusal.clone(),
                    last: false,
                });
            }
        }
    }

    /// After a proof or sign-in: those whose file was taken away get one again, and those whose
    /// token is due get its successor.
    pub(super) fn serve_followers_again(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        // A late answer to a refresh comes also after an edit: then nobody is served (promise 9).
        let may = |live: &Live| live.bound && live.suspicion.is_none();
        if !self.standing.live().is_some_and(may) {
            return;
        }
        for (id, order, offline) in self.followers_in_need(now) {
            self.set_pending(id);
            let who = Who::Follower(id);
            self.serve_or_mint(who, &order, offline, now, effects, Proof::JustMade);
        }
    }

    /// Followers without a token, or with one whose successor is due.
    pub(super) fn followers_in_need(&self, now: Moment) -> Vec<(u64, TokenKey, OfflineRule)> {
        let needs = |follower: &Follower| {
            let held = self.cache.held(&follower.order);
            let current =
                follower.delivered.is_some() && held.map(|h| h.token) == follower.delivered;
            !follower.pending && (!current || held.is_none_or(|h| h.is_due(now)))
        };
        self.followers
            .iter()
            .filter(|(_, follower)| needs(follower))
            .map(|(id, follower)| (*id, follower.order.clone(), follower.offline))
            .collect()
    }

    pub(super) fn set_pending(&mut self, id: u64) {
        if let Some(follower) = self.followers.get_mut(&id) {
            follower.pending = true;
        }
    }
}
