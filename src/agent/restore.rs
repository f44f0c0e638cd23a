//! A session that was stored goes on.

use super::org_context::OrgContext;
use super::org_session::{OrgSession, Session, live_of};
use super::state::SealedSession;
use super::work::Work;
use oam_config::digest;
use oam_session::machine::HostEvent;

impl OrgSession {
    /// Goes on with a stored session.
    pub(super) fn restore(&mut self, cx: &mut OrgContext<'_>, sealed: SealedSession) {
        let Some(org) = cx.configured(&self.name) else {
            return;
        };
        let bound = digest::binding(org) == sealed.digest;
        let mut live = live_of(
            org,
            &sealed.tokens,
            sealed.identity,
            sealed.signed_in_at_ms,
            None,
        );
        live.doubt = sealed.in_flight.is_some();
        self.machine.resume_at(sealed.epoch);
        self.gate.set(sealed.epoch);
        self.outstanding = sealed.outstanding;
        self.issuer_client.resume(sealed.issuer);
        self.session = Some(Session {
            tokens: sealed.tokens,
            signed_in_at_ms: sealed.signed_in_at_ms,
            digest: sealed.digest,
            in_flight: sealed.in_flight,
            durable: true,
            id_not_renewed: false,
            groups_by_userinfo: sealed.groups_by_userinfo,
        });
        self.signed_in_to = bound.then(|| org.clone());
        // All sessions are back before anything comes of one: an end writes the sealed state, which must not lose another.
        let restored = std::iter::once(HostEvent::Restored(live).into());
        cx.queue.push_decided(&self.name, restored);
        if !bound {
            cx.queue.push(&self.name, HostEvent::Bound(false).into());
        }
        cx.queue.push(&self.name, Work::Resubscribe);
    }
}
