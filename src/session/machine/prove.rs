//! Proof of the identity: on ask when not fresh, in the background only while a child is using a
//! token.

use super::serve::Proof;
use super::{Effect, SessionMachine, Waiting};
use crate::standing::Meaning;
use crate::state::{Flight, Suspicion};
use oam_model::identity::Identity;
use oam_model::standing::{EndReason, StandingWord};
use oam_model::time::Moment;

impl SessionMachine {
    /// Starts a refresh unless one is under way, or the provider is given time to end the session.
    pub(super) fn begin_refresh(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let next = self.flights + 1;
        let Some(live) = self.standing.live_mut() else {
            return;
        };
        let too_soon = |suspicion: &Suspicion| !now.reached(suspicion.ask_from);
        if live.flight.is_some() || live.suspicion.as_ref().is_some_and(too_soon) {
            return;
        }
        self.flights = next;
        // In doubt the one retry is what this flight is.
        let flight = Flight {
            id: next,
            attempt: if live.doubt { 2 } else { 1 },
        };
        live.flight = Some(flight);
        effects.push(Effect::Refresh(flight));
    }

    pub(super) fn refreshed(
        &mut self,
        flight: u64,
        identity: Identity,
        subject_expires: Option<u64>,
        now: Moment,
        effects: &mut Vec<Effect>,
    ) {
        let Some(live) = self.standing.live_mut() else {
            return;
        };
        if live.flight.is_none_or(|f| f.id != flight) {
            return;
        }
        live.flight = None;
        live.identity = identity;
        live.subject_expires = subject_expires;
        live.trouble = None;
        live.failed_at = None;
        live.doubt = false;
        let too_early = |suspicion: &Suspicion| suspicion.before == Some(flight);
        if live.suspicion.as_ref().is_some_and(too_early) {
            // Asked for before the evidence came: the answer may be older, and proves nothing.
            return self.begin_refresh(now, effects);
        }
        live.suspicion = None;
        live.last_proof = Some(now);
        for waiting in std::mem::take(&mut self.waiting) {
            let (who, order, offline) = (waiting.who, waiting.order, waiting.offline);
            self.serve_or_mint(who, &order, offline, now, effects, Proof::JustMade);
        }
        self.serve_followers_again(now, effects);
    }

    pub(super) fn refresh_failed(
        &mut self,
        flight: u64,
        meaning: Meaning,
        words: String,
        now: Moment,
        effects: &mut Vec<Effect>,
    ) {
        let Some(live) = self.standing.live_mut() else {
            return;
        };
        let Some(current) = live.flight.filter(|f| f.id == flight) else {
            return;
        };
        let was_in_doubt = live.doubt;
        match meaning {
            Meaning::Ended => {
                return self.ended_at_provider(was_in_doubt || current.attempt > 1, now, effects);
            }
            Meaning::EndedIfRepeated if current.attempt > 1 => {
                return self.ended_at_provider(false, now, effects);
            }
            Meaning::EndedIfRepeated | Meaning::Ambiguous => {
                live.doubt = true;
                if current.attempt == 1 {
                    let retry = Flight {
                        id: current.id,
                        attempt: 2,
                    };
                    live.flight = Some(retry);
                    effects.push(Effect::Refresh(retry));
                    return;
                }
            }
            Meaning::Untouched | Meaning::OurMistake => {}
        }
        live.flight = None;
        live.failed_at = Some(now);
        live.trouble = Some(words);
        self.decide_by_lease(now, effects, |_| true);
        self.withdraw_beyond_lease(now, effects);
    }

    fn ended_at_provider(
        &mut self,
        after_lost_answer: bool,
        now: Moment,
        effects: &mut Vec<Effect>,
    ) {
        let reason = after_lost_answer.then(|| {
            let lost = "the answer to a renewal was lost, and the provider refused the one retry";
            EndReason::Words(lost.to_owned())
        });
        self.end(StandingWord::Ended, reason, now, effects);
    }

    /// Answers those of the waiting that `due` picks: within the lease they are served, beyond it
    /// refused.
    pub(super) fn decide_by_lease(
        &mut self,
        now: Moment,
        effects: &mut Vec<Effect>,
        due: impl Fn(&Waiting) -> bool,
    ) {
        let (ready, keep): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.waiting).into_iter().partition(due);
        self.waiting = keep;
        for waiting in ready {
            let (who, order, offline) = (waiting.who, waiting.order, waiting.offline);
            let outcome = self.outcome_by_lease(&order, offline, now);
            self.come_to(outcome, (who, &order, offline), now, effects);
        }
    }

    /// Whether a proof is on its way, or due in a moment: its outcome is worth a short wait.
    pub fn is_proving(&self, now: Moment) -> bool {
        let live = self.standing.live();
        live.is_some_and(|live| live.flight.is_some()) || self.asks_about_doubt_in(now).is_some()
    }
}
