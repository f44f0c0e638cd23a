//! What the organization's issuer says by itself: proof, doubt, roles that were lost.

use super::serve::Proof;
use super::{Effect, SessionMachine, Waiting, Who};
use crate::state::{PROVIDER_SETTLES_MS, Suspicion};
use oam_model::name::RoleName;
use oam_model::refusal::Refusal;
use oam_model::time::Moment;
use oam_model::token_key::TokenKey;

impl SessionMachine {
    /// A younger subject token or a proof is wanted, though no ask waits for it.
    pub(super) fn renew(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let wanted = self
            .standing
            .live()
            .is_some_and(|live| live.bound && !live.failed_recently(now));
        if wanted {
            self.begin_refresh(now, effects);
        }
    }

    /// The issuer's own evidence counts as a proof of the time that it speaks of: never younger than
    /// now, and never taking back what is known already.
    pub(super) fn vouched(&mut self, as_of: Moment, now: Moment, effects: &mut Vec<Effect>) {
        let limits = self.limits;
        let Some(live) = self.standing.live_mut() else {
            return;
        };
        // Only the provider lifts a suspicion: the evidence that a heartbeat speaks of may be older.
        if !live.bound || live.suspicion.is_some() {
            return;
        }
        let as_of = Moment::new(
            as_of.boot_ms.min(now.boot_ms),
            as_of.wall_ms.min(now.wall_ms),
        );
        let age = now.since(as_of);
        if live.proof_age(now).is_some_and(|known| known <= age) {
            return;
        }
        live.last_proof = Some(as_of);
        if !live.is_fresh(now, &limits) || !live.subject_is_usable(now) {
            return;
        }
        // Whose exchange was refused waits for a younger token, which this does not bring.
        let (ready, keep): (Vec<Waiting>, Vec<Waiting>) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|waiting| !self.cache.is_proven_again(&waiting.order));
        self.waiting = keep;
        for waiting in ready {
            let (who, order, offline) = (waiting.who, waiting.order, waiting.offline);
            self.serve_or_mint(who, &order, offline, now, effects, Proof::JustMade);
        }
        self.serve_followers_again(now, effects);
    }

    /// Nothing is served until a refresh that begins later proves the session: not at once, see
    /// [`PROVIDER_SETTLES_MS`].
    pub(super) fn doubted(&mut self, reason: String, now: Moment, effects: &mut Vec<Effect>) {
        let Some(live) = self.standing.live_mut() else {
            return;
        };
        live.suspicion = Some(Suspicion {
            reason: reason.clone(),
            before: live.flight.map(|flight| flight.id),
            ask_from: now.plus(PROVIDER_SETTLES_MS),
        });
        live.last_proof = None;
        live.failed_at = None;
        // Wherever it was learnt: by the feed, from a refused exchange, or from any other answer.
        effects.push(Effect::Doubt(reason));
        let (tokens, waiters) = self.cache.clear();
        effects.extend(tokens.into_iter().map(Effect::Drop));
        let refusal = self.standing.refusal(&self.org, now, &self.limits);
        self.withdraw_all(&refusal, effects);
        for (order, (who, offline)) in waiters {
            if self.has_started(who) {
                // Served again with all other children when the session is proven.
                continue;
            }
            self.wait_for_proof(who, order, offline, now);
        }
        let waiting: Vec<Who> = self.waiting.iter().map(|w| w.who).collect();
        for who in waiting {
            if let Who::Follower(id) = who {
                self.set_pending(id);
            }
        }
    }

    /// Milliseconds until the provider is asked about a session that it may have ended; none when there is
    /// nothing to ask, or it was asked.
    pub(super) fn asks_about_doubt_in(&self, now: Moment) -> Option<u64> {
        let live = self.standing.live()?;
        let suspicion = live.suspicion.as_ref()?;
        let pending = live.bound && live.flight.is_none() && live.failed_at.is_none();
        pending.then(|| now.until(suspicion.ask_from))
    }

    fn has_started(&self, who: Who) -> bool {
        match who {
            Who::Ticket(_) => false,
            Who::Follower(id) => self.followers.get(&id).is_some_and(|f| f.started),
        }
    }

    /// What belongs to roles that are not held any more goes. `held` is complete, so that a loss
    /// whose own message was missed is seen too.
    pub(super) fn roles_changed(
        &mut self,
        held: &[RoleName],
        lost: &[RoleName],
        effects: &mut Vec<Effect>,
    ) {
        if self.standing.live().is_none() {
            return;
        }
        let waiting = self.waiting.iter().map(|w| &w.order.role);
        let following = self.followers.values().map(|f| &f.order.role);
        let mut gone: Vec<RoleName> = self
            .cache
            .roles()
            .chain(waiting)
            .chain(following)
            .filter(|role| lost.contains(role) || !held.contains(role))
            .cloned()
            .collect();
        gone.sort();
        gone.dedup();
        self.lose_roles(&gone, effects);
    }

    /// The issuer denies what it granted before: the token held goes, and the files of children.
    pub(super) fn take_back(
        &mut self,
        order: &TokenKey,
        refusal: &Refusal,
        effects: &mut Vec<Effect>,
    ) {
        let held = self.cache.slot(order).held.take();
        effects.extend(held.map(|held| Effect::Drop(held.token)));
        let ids: Vec<u64> = self
            .followers
            .iter()
            .filter(|(_, follower)| follower.order == *order && follower.started)
            .map(|(id, _)| *id)
            .collect();
        for follower in ids {
            self.followers.remove(&follower);
            effects.push(Effect::Withdraw {
                follower,
                refusal: refusal.clone(),
                last: true,
            });
        }
    }
}
