//! Answers about access tokens, kept for a few seconds: many who show one token cause one question.

use oam_model::principal::Principal;
use oam_model::refusal::{Refusal, RefusalCode};
use oam_model::time::Moment;
use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

/// An answer counts this long, ms. Longer, and a provider's "no" would come late.
const GOOD_MS: u64 = 5000;
/// Tokens remembered at once.
const MOST: usize = 8192;

struct Answer {
    at: Moment,
    outcome: Result<Principal, Refusal>,
}

type Slot = Arc<tokio::sync::Mutex<Option<Answer>>>;

/// Answers by the token's SHA-256.
#[derive(Default)]
pub(super) struct SingleFlight {
    slots: Mutex<HashMap<[u8; 32], Slot>>,
}

impl SingleFlight {
    /// The answer that is known, or the outcome of `question`, which is asked by one at a time for each token.
    pub(super) async fn once(
        &self,
        digest: [u8; 32],
        now: Moment,
        question: impl Future<Output = Result<Principal, Refusal>>,
    ) -> Result<Principal, Refusal> {
        let slot = self.slot(digest, now);
        let mut known = slot.lock().await;
        if let Some(answer) = known.as_ref()
            && now.since(answer.at) < GOOD_MS
        {
            return answer.outcome.clone();
        }
        let outcome = question.await;
        let busy = matches!(&outcome, Err(refusal) if refusal.code == RefusalCode::Busy);
        // What was not asked is no answer.
        if !busy {
            *known = Some(Answer {
                at: now,
                outcome: outcome.clone(),
            });
        }
        outcome
    }

    /// The answer that is known: nobody has to be asked.
    pub(super) fn known(
        &self,
        digest: &[u8; 32],
        now: Moment,
    ) -> Option<Result<Principal, Refusal>> {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = slots.get(digest)?.try_lock().ok()?;
        let answer = slot.as_ref()?;
        (now.since(answer.at) < GOOD_MS).then(|| answer.outcome.clone())
    }

    fn slot(&self, digest: [u8; 32], now: Moment) -> Slot {
        // A panic elsewhere can't leave the map half written.
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= MOST {
            slots.retain(|_, slot| is_in_use(slot, now));
        }
        if slots.len() >= MOST {
            slots.clear();
        }
        Arc::clone(slots.entry(digest).or_default())
    }
}

fn is_in_use(slot: &Slot, now: Moment) -> bool {
    slot.try_lock().map_or(true, |answer| {
        answer
            .as_ref()
            .is_some_and(|answer| now.since(answer.at) < GOOD_MS)
    })
}
