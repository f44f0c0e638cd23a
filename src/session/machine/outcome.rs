//! What an ask comes to, decided without doing anything: asks are carried out by it, and `oam why` tells it.

use super::SessionMachine;
use super::serve::Proof;
use crate::cache::TokenId;
use crate::state::Need;
use oam_model::refusal::{Refusal, RefusalCode};
use oam_model::role::OfflineRule;
use oam_model::time::Moment;
use oam_model::token_key::TokenKey;

/// A proof that was waited for counts as made for the answer this long, ms: an issuer is asked in between.
const JUST_PROVEN_MS: u64 = 10_000;

/// What an ask comes to.
pub(super) enum AskOutcome {
    /// This token is held and leaves; `due`: its successor is fetched meanwhile.
    Held {
        token: TokenId,
        due: bool,
    },
    /// The token endpoint is asked.
    Exchange,
    /// The session is proven first.
    Proof,
    Refused(Refusal),
}

impl SessionMachine {
    /// Whether an ask for this would wait for a proof now.
    pub fn wants_proof(&self, order: &TokenKey, offline: OfflineRule, now: Moment) -> bool {
        matches!(self.outcome(order, offline, now), AskOutcome::Proof)
    }

    /// Whether an ask for this would be served, as far as it is known without asking anybody: a proof that is
    /// still missing does not come, and what the token endpoint would say is not known.
    ///
    /// # Errors
    /// The refusal that the ask would get.
    pub fn would_serve(
        &self,
        order: &TokenKey,
        offline: OfflineRule,
        now: Moment,
    ) -> Result<(), Refusal> {
        let outcome = match self.outcome(order, offline, now) {
            AskOutcome::Proof if self.is_just_proven(now) => {
                self.outcome_when_proven(order, now, Proof::JustMade)
            }
            AskOutcome::Proof => self.outcome_by_lease(order, offline, now),
            known => known,
        };
        match outcome {
            AskOutcome::Refused(refusal) => Err(refusal),
            AskOutcome::Held { .. } | AskOutcome::Exchange => Ok(()),
            AskOutcome::Proof => Err(self.standing.refusal(&self.org, now, &self.limits)),
        }
    }

    /// Whether the proof that was awaited is there: it is younger than anybody waits, and no other is on its way.
    fn is_just_proven(&self, now: Moment) -> bool {
        self.standing.live().is_some_and(|live| {
            let age = live.proof_age(now).unwrap_or(u64::MAX);
            live.suspicion.is_none()
                && live.flight.is_none()
                && (age <= JUST_PROVEN_MS || live.is_fresh(now, &self.limits))
        })
    }

    pub(super) fn outcome(
        &self,
        order: &TokenKey,
        offline: OfflineRule,
        now: Moment,
    ) -> AskOutcome {
        match self.standing.need(now, &self.limits) {
            Need::Nothing => self.outcome_when_proven(order, now, self.proof_to_be_had(now)),
            Need::Proof => AskOutcome::Proof,
            Need::FailedRecently => self.outcome_by_lease(order, offline, now),
            Need::Login => self.refused_by_standing(now),
        }
    }

    /// Whether a renewal may bring a younger subject token: not where one failed a moment ago.
    pub(super) fn proof_to_be_had(&self, now: Moment) -> Proof {
        let live = self.standing.live();
        if live.is_some_and(|live| live.failed_recently(now)) {
            Proof::Missed
        } else {
            Proof::ToBeHad
        }
    }

    /// No proof comes: within the lease the ask is served, beyond it refused.
    pub(super) fn outcome_by_lease(
        &self,
        order: &TokenKey,
        offline: OfflineRule,
        now: Moment,
    ) -> AskOutcome {
        let live = self.standing.live();
        if live.is_some_and(|live| live.within_lease(now, &self.limits, offline)) {
            self.outcome_when_proven(order, now, Proof::Missed)
        } else {
            self.refused_by_standing(now)
        }
    }

    /// The session may serve: with what is held, with an exchange, or not at all.
    pub(super) fn outcome_when_proven(
        &self,
        order: &TokenKey,
        now: Moment,
        proof: Proof,
    ) -> AskOutcome {
        if self.cache.is_rejected(order, now) {
            return AskOutcome::Refused(Refusal::new(
                RefusalCode::Rejected,
                format!("{} rejected two fresh tokens in a row", order.hub_url),
                "check that the hub trusts this issuer and that the role may do this there, and by `oam doctor` in the repository that git sends no header of its own; try again in 30 seconds",
            ));
        }
        let held = self.cache.held(order).filter(|held| held.is_servable(now));
        if let Some(held) = held {
            let due = held.is_due(now);
            return AskOutcome::Held {
                token: held.token,
                due,
            };
        }
        let live = self.standing.live();
        if live.is_some_and(|live| live.subject_is_usable(now)) {
            return AskOutcome::Exchange;
        }
        match proof {
            Proof::JustMade => AskOutcome::Refused(self.no_young_subject()),
            Proof::Missed => self.refused_by_standing(now),
            Proof::ToBeHad => AskOutcome::Proof,
        }
    }

    fn refused_by_standing(&self, now: Moment) -> AskOutcome {
        AskOutcome::Refused(self.standing.refusal(&self.org, now, &self.limits))
    }

    fn no_young_subject(&self) -> Refusal {
        Refusal::unavailable(
            format!(
                "the identity provider of {} sends no new ID token at a renewal, and the last one has expired",
                self.org
            ),
            "set `subject = \"access-token\"` under its exchange if the token endpoint takes one, or sign in again",
        )
    }
}
