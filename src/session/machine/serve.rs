//! From an ask to a token or a refusal.

use super::outcome::AskOutcome;
use super::{
    Effect, Follower, NotificationKind, SessionMachine, SignInNotice, TokenServer, Waiting, Who,
};
use crate::cache::{CachedToken, MARGIN_MS, TokenId};
use crate::standing::MintMeaning;
use crate::state::PROOF_DEADLINE_MS;
use oam_model::refusal::{Refusal, RefusalCode};
use oam_model::role::OfflineRule;
use oam_model::standing::{EndReason, StandingWord};
use oam_model::time::Moment;
use oam_model::token_key::TokenKey;

/// Whether a proof can bring a younger subject token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// It was not tried just now.
    ToBeHad,
    /// It was made just now: a younger one will not come.
    JustMade,
    /// It failed or did not come in time: to try again at once would never end.
    Missed,
}

/// Why an exchange brought no token.
pub(super) enum Said<'a> {
    /// Our words for the answer, and whose it is.
    Words(TokenServer, &'a str),
    /// The refusal of the organization's own issuer, which is shown as it is.
    Refusal(Refusal),
}

impl SessionMachine {
    pub(super) fn ask(
        &mut self,
        who: Who,
        order: &TokenKey,
        offline: OfflineRule,
        now: Moment,
        effects: &mut Vec<Effect>,
    ) {
        if let Who::Follower(id) = who {
            let follower = Follower {
                order: order.clone(),
                offline,
                delivered: None,
                pending: true,
                started: false,
            };
            self.followers.insert(id, follower);
        }
        let outcome = self.outcome(order, offline, now);
        self.come_to(outcome, (who, order, offline), now, effects);
    }

    pub(super) fn wait_for_proof(
        &mut self,
        who: Who,
        order: TokenKey,
        offline: OfflineRule,
        now: Moment,
    ) {
        self.waiting.push(Waiting {
            who,
            order,
            offline,
            deadline: now.plus(PROOF_DEADLINE_MS),
        });
    }

    pub(super) fn serve(
        &mut self,
        who: Who,
        order: &TokenKey,
        offline: OfflineRule,
        now: Moment,
        effects: &mut Vec<Effect>,
    ) {
        let proof = self.proof_to_be_had(now);
        self.serve_or_mint(who, order, offline, now, effects, proof);
    }

    pub(super) fn serve_or_mint(
        &mut self,
        who: Who,
        order: &TokenKey,
        offline: OfflineRule,
        now: Moment,
        effects: &mut Vec<Effect>,
        proof: Proof,
    ) {
        let outcome = self.outcome_when_proven(order, now, proof);
        self.come_to(outcome, (who, order, offline), now, effects);
    }

    /// Carries out what an ask comes to.
    pub(super) fn come_to(
        &mut self,
        outcome: AskOutcome,
        (who, order, offline): (Who, &TokenKey, OfflineRule),
        now: Moment,
        effects: &mut Vec<Effect>,
    ) {
        effects.extend(self.cache.sweep(now).into_iter().map(Effect::Drop));
        match outcome {
            AskOutcome::Held { token, due } => {
                self.hand_out(who, token, effects);
                if due {
                    self.mint(order, now, effects);
                }
            }
            AskOutcome::Exchange => {
                self.cache.slot(order).waiters.push((who, offline));
                self.mint(order, now, effects);
            }
            AskOutcome::Proof => {
                self.wait_for_proof(who, order.clone(), offline, now);
                self.begin_refresh(now, effects);
            }
            AskOutcome::Refused(refusal) => {
                self.notify_of_sign_in(now, effects);
                self.refuse(who, refusal, effects);
            }
        }
    }

    /// Starts an exchange unless one is under way for this order.
    pub(super) fn mint(&mut self, order: &TokenKey, now: Moment, effects: &mut Vec<Effect>) {
        let usable = self
            .standing
            .live()
            .is_some_and(|live| live.subject_is_usable(now));
        let next = self.flights + 1;
        let slot = self.cache.slot(order);
        if slot.flight.is_some() || !usable {
            return;
        }
        slot.flight = Some(next);
        self.flights = next;
        effects.push(Effect::Mint {
            flight: next,
            order: order.clone(),
        });
    }

    pub(super) fn minted(
        &mut self,
        flight: u64,
        token: TokenId,
        expires_in_s: u64,
        now: Moment,
        effects: &mut Vec<Effect>,
    ) {
        let Some(order) = self.cache.order_of_flight(flight) else {
            // An answer from before an end: the token never leaves.
            effects.push(Effect::Drop(token));
            return;
        };
        let life_ms = expires_in_s.saturating_mul(1000);
        let slot = self.cache.slot(&order);
        slot.flight = None;
        slot.proven_again = false;
        let waiters = std::mem::take(&mut slot.waiters);
        if life_ms < MARGIN_MS {
            effects.push(Effect::Drop(token));
            let refusal = Refusal::unavailable(
                format!(
                    "the tokens of {} live {expires_in_s} s, and none is handed out with less than 60 s of life",
                    self.org
                ),
                format!(
                    "ask the administrators of {} to raise the life of its tokens",
                    self.org
                ),
            );
            for (who, _) in waiters {
                self.refuse(who, refusal.clone(), effects);
            }
            return;
        }
        let old = slot.held.replace(CachedToken {
            token,
            expires: now.plus(life_ms),
            life_ms,
        });
        for (who, offline) in waiters {
            if offline == OfflineRule::Grace && self.is_beyond_lease(now) {
                self.refuse_standing(who, now, effects);
            } else {
                self.hand_out(who, token, effects);
            }
        }
        self.deliver_to_followers_of(&order, token, now, effects);
        effects.extend(old.map(|held| Effect::Drop(held.token)));
    }

    /// The exchange itself can outlast the lease.
    fn is_beyond_lease(&self, now: Moment) -> bool {
        let age = self.standing.live().and_then(|live| live.proof_age(now));
        age.is_none_or(|age| age > self.limits.lease_ms)
    }

    pub(super) fn mint_failed(
        &mut self,
        flight: u64,
        meaning: MintMeaning,
        said: Said<'_>,
        now: Moment,
        effects: &mut Vec<Effect>,
    ) {
        let Some(order) = self.cache.order_of_flight(flight) else {
            return;
        };
        if let (MintMeaning::Revoked, Said::Refusal(refusal)) = (meaning, &said) {
            let reason = refusal.reason.clone().map(EndReason::Words);
            return self.end(StandingWord::Revoked, reason, now, effects);
        }
        let slot = self.cache.slot(&order);
        slot.flight = None;
        let waiters = std::mem::take(&mut slot.waiters);
        let first = !slot.proven_again;
        if first && matches!(meaning, MintMeaning::SubjectRefused | MintMeaning::Ended) {
            // The first sign of an ended session can be a refused exchange: prove before answering.
            slot.proven_again = true;
            for (who, offline) in waiters {
                self.wait_for_proof(who, order.clone(), offline, now);
            }
            match said {
                Said::Refusal(refusal) if meaning == MintMeaning::Ended => {
                    let reason = refusal.reason.unwrap_or(refusal.sentence);
                    self.doubted(reason, now, effects);
                    self.cache.slot(&order).proven_again = true;
                }
                _ => self.begin_refresh(now, effects),
            }
            return;
        }
        slot.proven_again = false;
        let denied = meaning == MintMeaning::Denied && matches!(said, Said::Refusal(_));
        let refusal = match said {
            Said::Words(by, words) => self.mint_refusal(meaning, &order, by, words),
            Said::Refusal(refusal) => refusal,
        };
        if denied {
            // The issuer alone grants: what it denies is not served from before either.
            self.take_back(&order, &refusal, effects);
        }
        for (who, _) in waiters {
            self.refuse(who, refusal.clone(), effects);
        }
    }

    fn mint_refusal(
        &self,
        meaning: MintMeaning,
        order: &TokenKey,
        by: TokenServer,
        words: &str,
    ) -> Refusal {
        let what = order
            .repository
            .as_ref()
            .map_or_else(|| order.hub_url.clone(), ToString::to_string);
        let sentence = format!(
            "{} of {} issued no {} token for {what} to {}: {words}",
            match by {
                TokenServer::Endpoint => "the token endpoint",
                TokenServer::Issuer => "the issuer",
            },
            self.org,
            order.action.word(),
            order.role
        );
        match meaning {
            MintMeaning::Denied
            | MintMeaning::SubjectRefused
            | MintMeaning::Revoked
            | MintMeaning::Ended => Refusal::denied(
                sentence,
                format!(
                    "ask the administrators of {} whether you hold {}",
                    self.org, order.role
                ),
            ),
            MintMeaning::Unavailable => Refusal::unavailable(sentence, "try again in a moment"),
            MintMeaning::Misanswered => Refusal::unavailable(
                sentence,
                format!(
                    "look whether a sign-in page of the network answers in the endpoint's place; if not, tell the administrators of {}",
                    self.org
                ),
            ),
            MintMeaning::Unfit => Refusal::bad_request(
                format!("{what} can't be asked for at {}: {words}", self.org),
                "have the exchange name repositories in its `resource`, where every character can be sent, or rename this one",
            ),
            MintMeaning::OurMistake => Refusal::unavailable(
                sentence,
                match by {
                    TokenServer::Endpoint => {
                        "check `exchange` in config.toml against the endpoint's documentation"
                    }
                    TokenServer::Issuer => {
                        "run `oam doctor`, and show the administrators what it says"
                    }
                },
            ),
        }
    }

    fn hand_out(&mut self, who: Who, token: TokenId, effects: &mut Vec<Effect>) {
        match who {
            Who::Ticket(ticket) => effects.push(Effect::Grant { ticket, token }),
            Who::Follower(id) => self.deliver(id, token, effects),
        }
    }

    pub(super) fn refuse_standing(&mut self, who: Who, now: Moment, effects: &mut Vec<Effect>) {
        self.notify_of_sign_in(now, effects);
        let refusal = self.standing.refusal(&self.org, now, &self.limits);
        self.refuse(who, refusal, effects);
    }

    /// Tells the person that somebody is refused because nobody is signed in, and not with every one.
    pub(super) fn notify_of_sign_in(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let refusal = self.standing.refusal(&self.org, now, &self.limits);
        let needs_login = matches!(
            refusal.code,
            RefusalCode::SignedOut | RefusalCode::Ended | RefusalCode::Revoked
        );
        if needs_login && self.sign_in_noticed.is_due(now) {
            self.sign_in_noticed = SignInNotice::At(now);
            effects.push(Effect::Notify(NotificationKind::SignInNeeded(refusal)));
        }
    }

    /// Refuses an ask, or takes a follower's file away. A follower that has had a token stays, and
    /// gets its file back when that is possible again; one that never had a token is gone.
    pub(super) fn refuse(&mut self, who: Who, refusal: Refusal, effects: &mut Vec<Effect>) {
        match who {
            Who::Ticket(ticket) => effects.push(Effect::Refuse { ticket, refusal }),
            Who::Follower(id) => self.withhold(id, refusal, effects),
        }
    }
}
