//! A session that a sign-in begins: durable before anything comes of it.

use super::org_context::OrgContext;
use super::org_session::{OrgSession, Session};
use oam_config::agent::Org;
use oam_model::refusal::Refusal;
use oam_session::machine::{Effect, PersonEvent};
use oam_session::state::Live;
use std::sync::Arc;

impl OrgSession {
    /// Makes the new session durable; what the session machine decided about it is still to be carried out.
    ///
    /// # Errors
    /// It can't be stored, and the one before stays as it was.
    pub(super) fn begin(
        &mut self,
        cx: &mut OrgContext<'_>,
        org: &Org,
        session: Session,
        live: Box<Live>,
    ) -> Result<Vec<Effect>, Refusal> {
        let now = cx.now();
        let refresh = Arc::clone(&session.tokens.refresh);
        // The epoch grows with the sign-in, so the tombstone of the one before does not end it.
        let before = (self.machine.clone(), self.session.replace(session));
        let hands_over = PersonEvent::HandsOver {
            next: live.identity.clone(),
            roles: org.roles.clone(),
        };
        let mut effects = self.decide(hands_over, now);
        effects.extend(self.decide(PersonEvent::SignedIn(live), now));
        cx.durable.vault.adopt();
        let Err(why) = cx.save(self) else {
            return Ok(effects);
        };
        cx.durable.vault.abandon();
        (self.machine, self.session) = before;
        self.revoke_session(cx, org, refresh);
        Err(Refusal::unavailable(
            format!("the session can't be stored: {why}"),
            "make room or fix the folder's permissions, then sign in again",
        ))
    }
}
