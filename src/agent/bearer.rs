//! What the session has to show at the organization's own issuer.

use super::org_session::OrgSession;
use oam_config::agent::Org;
use oam_model::secret::Secret;
use oam_model::time::Moment;
use oam_session::subscription::IssuerBearer;
use std::sync::Arc;

impl OrgSession {
    /// What the session has to show at the issuer, when it may be shown: somebody is signed in, to an
    /// organization that has one, under the configuration of the sign-in.
    pub(super) fn bearer(&self) -> Option<(Arc<Secret>, Option<u64>)> {
        let org = self.signed_in_to.as_ref()?;
        org.exchange.issuer()?;
        let live = self.machine.standing().live().filter(|live| live.bound)?;
        Some((self.subject(org)?, live.subject_expires))
    }

    /// The bearer, when it is young enough to be sent; and where to.
    pub(super) fn usable_bearer(&self, now: Moment) -> Option<(Org, Arc<Secret>)> {
        let (bearer, _) = self.bearer()?;
        let usable = self
            .machine
            .standing()
            .live()
            .is_some_and(|live| live.subject_is_usable(now));
        usable.then(|| self.signed_in_to.clone().map(|org| (org, bearer)))?
    }

    /// Counts a bearer that is another than the last one.
    pub(super) fn next_bearer(&mut self) -> Option<IssuerBearer> {
        let now = self.bearer();
        let issuer_client = &mut self.issuer_client;
        let Some((secret, expires)) = now else {
            issuer_client.bearer = None;
            return None;
        };
        let same = issuer_client
            .bearer
            .as_ref()
            .is_some_and(|known| known.matches(&secret));
        if !same {
            issuer_client.generation += 1;
            issuer_client.bearer = Some(secret);
        }
        Some(IssuerBearer {
            generation: issuer_client.generation,
            expires,
        })
    }
}
