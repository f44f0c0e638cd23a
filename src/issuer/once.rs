//! Tokens of a source that takes each one once only: it is remembered in the transaction that puts its exchange on record.

use super::identity::token_id;
use super::refused::Refused;
use super::state::{Issuer, LiveConfig};
use oam_model::issuer::TokenUse;
use oam_model::principal::Principal;
use oam_model::refusal::Refusal;
use oam_model::secret::Secret;
use oam_policy::claims::SKEW_S;
use oam_store::StoreChange;

/// A token that is used up by its exchange.
pub(crate) struct OnceToken {
    transmitter: String,
    id: String,
    until_ms: u64,
}

impl OnceToken {
    /// None where the source takes a token as often as it is shown.
    pub(crate) fn of(
        live_config: &LiveConfig,
        principal: &Principal,
        token: &Secret,
    ) -> Option<Self> {
        let source = live_config.identities.source(&principal.key.source)?;
        // Until it is refused for its age by a clock that is behind.
        let until_s = principal.expires_at.saturating_add(2 * SKEW_S);
        (source.token_use == TokenUse::Once).then(|| Self {
            transmitter: format!("used:{}", source.name),
            id: token_id(token),
            until_ms: until_s.saturating_mul(1000),
        })
    }

    /// Before a hub is asked for a token that would have to be taken back.
    ///
    /// # Errors
    /// It was used, or the store is not there.
    pub(crate) async fn is_new(&self, issuer: &Issuer) -> Result<(), Refused> {
        let taken = issuer
            .store
            .is_taken(self.transmitter.clone(), self.id.clone());
        match taken.await {
            Ok(false) => Ok(()),
            Ok(true) => Err(used()),
            Err(fault) => Err(Refused::of_exchange(fault.refusal(), false)),
        }
    }

    /// What uses it up.
    pub(crate) fn change(&self) -> StoreChange {
        StoreChange::Once {
            transmitter: self.transmitter.clone(),
            id: self.id.clone(),
            until_ms: self.until_ms,
        }
    }
}

/// The refusal of one that was used.
pub(crate) fn used() -> Refused {
    let refusal = Refusal::bad_request(
        "this token was exchanged before, and its source takes each one once only",
        "get a new token from the CI for each exchange; where it makes just one for a job, the administrators take `once` out of the source",
    );
    Refused::of_exchange(refusal, false)
}
