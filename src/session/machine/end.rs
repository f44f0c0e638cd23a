//! Ends and beginnings of a session.

use super::{Effect, SessionMachine, SignInNotice, Who};
use crate::role::holds;
use crate::state::{Live, SessionState};
use oam_model::identity::Identity;
use oam_model::name::RoleName;
use oam_model::refusal::{Refusal, RefusalCode};
use oam_model::role::Role;
use oam_model::standing::{EndReason, StandingWord};
use oam_model::time::Moment;
use oam_model::token_key::TokenKey;

impl SessionMachine {
    /// A new session: a new epoch, so that nothing of the old one is answered any more.
    pub(super) fn sign_in(&mut self, live: Box<Live>, now: Moment, effects: &mut Vec<Effect>) {
        self.epoch += 1;
        let (tokens, waiters) = self.cache.clear();
        effects.extend(tokens.into_iter().map(Effect::Drop));
        self.standing = SessionState::Live(live);
        self.sign_in_noticed = SignInNotice::Due;
        self.ends_soon_noticed = false;
        let proofs = std::mem::take(&mut self.waiting);
        for waiting in proofs {
            self.serve(waiting.who, &waiting.order, waiting.offline, now, effects);
        }
        for (order, (who, offline)) in waiters {
            self.serve(who, &order, offline, now, effects);
        }
        self.serve_followers_again(now, effects);
    }

    /// The end: final until a login. The first effect is the end itself; every refusal, withdrawal
    /// and notification comes after it.
    pub(super) fn end(
        &mut self,
        word: StandingWord,
        reason: Option<EndReason>,
        now: Moment,
        effects: &mut Vec<Effect>,
    ) {
        if self.standing.live().is_none() {
            return;
        }
        self.epoch += 1;
        self.standing = match word {
            StandingWord::Ended | StandingWord::Revoked => SessionState::Over {
                word,
                reason: reason.clone(),
            },
            _ => SessionState::SignedOut {
                reason: reason.clone(),
            },
        };
        effects.push(Effect::End { word, reason });
        let refusal = self.standing.refusal(&self.org, now, &self.limits);
        let asks = self.send_all_away(&refusal, effects);
        let kind = self.end_to_tell(now);
        self.sign_in_noticed = match kind {
            Some(_) => SignInNotice::At(now),
            None => SignInNotice::Due,
        };
        effects.extend(kind.map(Effect::Notify));
        effects.extend(asks);
    }

    /// Wipes all tokens and takes all files away for good; gives the refusals of those who wait.
    fn send_all_away(&mut self, refusal: &Refusal, effects: &mut Vec<Effect>) -> Vec<Effect> {
        let (tokens, waiters) = self.cache.clear();
        effects.extend(tokens.into_iter().map(Effect::Drop));
        for (follower, _) in std::mem::take(&mut self.followers) {
            effects.push(Effect::Withdraw {
                follower,
                refusal: refusal.clone(),
                last: true,
            });
        }
        let waiting = std::mem::take(&mut self.waiting);
        let asks = waiting.into_iter().map(|w| w.who);
        let minting = waiters.into_iter().map(|(_, (who, _))| who);
        let tickets = asks.chain(minting).filter_map(|who| match who {
            Who::Ticket(ticket) => Some(ticket),
            Who::Follower(_) => None,
        });
        let refuse = |ticket| Effect::Refuse {
            ticket,
            refusal: refusal.clone(),
        };
        tickets.map(refuse).collect()
    }

    /// Before a sign-in of `next` while a session lives: whoever waits or follows chose a role by the
    /// groups of the session before. Of somebody else's nothing is taken over; of the same person's,
    /// what belongs to roles that are lost goes.
    pub(super) fn hand_over(&mut self, next: &Identity, roles: &[Role], effects: &mut Vec<Effect>) {
        let Some(live) = self.standing.live() else {
            return;
        };
        let before = &live.identity;
        if (&before.issuer, &before.subject) == (&next.issuer, &next.subject) {
            let lost: Vec<RoleName> = roles
                .iter()
                .filter(|role| holds(role, &before.groups) && !holds(role, &next.groups))
                .map(|role| role.name.clone())
                .collect();
            return self.lose_roles(&lost, effects);
        }
        let refusal = Refusal::new(
            RefusalCode::Ended,
            format!("somebody else signed in to {} meanwhile", self.org),
            "ask again",
        );
        let asks = self.send_all_away(&refusal, effects);
        effects.extend(asks);
    }

    /// The organization's session age is a limit whatever the provider says.
    pub(super) fn end_when_too_old(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        if self
            .standing
            .live()
            .is_some_and(|live| live.is_too_old(now, &self.limits))
        {
            let reason = EndReason::SessionAge {
                session_age_ms: self.limits.session_age_ms,
            };
            self.end(StandingWord::Ended, Some(reason), now, effects);
        }
    }

    /// The person lost these roles: only what belongs to them goes.
    pub(super) fn lose_roles(&mut self, lost: &[RoleName], effects: &mut Vec<Effect>) {
        let (tokens, waiters) = self.cache.clear_roles(lost);
        effects.extend(tokens.into_iter().map(Effect::Drop));
        let is_lost = |order: &TokenKey| lost.contains(&order.role);
        let (gone, keep): (Vec<_>, Vec<_>) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|w| is_lost(&w.order));
        self.waiting = keep;
        let asks = gone.into_iter().map(|w| (w.order, w.who));
        let minting = waiters.into_iter().map(|(order, (who, _))| (order, who));
        for (order, who) in asks.chain(minting) {
            if let Who::Ticket(ticket) = who {
                effects.push(Effect::Refuse {
                    ticket,
                    refusal: self.lost_role(&order),
                });
            }
        }
        let ids: Vec<u64> = self
            .followers
            .iter()
            .filter(|(_, f)| is_lost(&f.order))
            .map(|(id, _)| *id)
            .collect();
        for follower in ids {
            if let Some(gone) = self.followers.remove(&follower) {
                let refusal = self.lost_role(&gone.order);
                effects.push(Effect::Withdraw {
                    follower,
                    refusal,
                    last: true,
                });
            }
        }
    }

    fn lost_role(&self, order: &TokenKey) -> Refusal {
        Refusal::denied(
            format!("you no longer hold {} at {}", order.role, self.org),
            format!(
                "`oam roles` shows yours; ask the administrators of {} if this is a mistake",
                self.org
            ),
        )
    }

    /// Promise 9: an edited configuration takes effect only with a new login. The session is kept,
    /// so that undoing the edit brings it back.
    pub(super) fn bind(&mut self, bound: bool, now: Moment, effects: &mut Vec<Effect>) {
        let Some(live) = self.standing.live_mut() else {
            return;
        };
        if live.bound == bound {
            return;
        }
        live.bound = bound;
        if bound {
            self.serve_followers_again(now, effects);
            return;
        }
        let (tokens, waiters) = self.cache.clear();
        effects.extend(tokens.into_iter().map(Effect::Drop));
        let refusal = self.standing.refusal(&self.org, now, &self.limits);
        self.withdraw_all(&refusal, effects);
        let waiting = std::mem::take(&mut self.waiting);
        let asks = waiting
            .into_iter()
            .map(|w| w.who)
            .chain(waiters.into_iter().map(|(_, (who, _))| who));
        for who in asks {
            self.refuse(who, refusal.clone(), effects);
        }
    }
}
