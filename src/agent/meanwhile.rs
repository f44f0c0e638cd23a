//! What another program did to the state meanwhile is looked at before anything is decided, and so
//! before every save and every answer: an end holds whoever wrote it.

use super::core::AgentCore;
use super::ports::Meanwhile;
use super::state::Tombstone;
use oam_model::name::OrgName;
use oam_model::refusal::Refusal;
use oam_session::machine::IssuerEvent;
use std::sync::Arc;

impl AgentCore {
    /// `false`: this agent must neither answer nor write any more, and ends.
    pub(super) fn state_is_ours(&mut self) -> bool {
        if self.durable.lost.is_some() {
            return false;
        }
        match self.durable.vault.meanwhile() {
            Meanwhile::Nothing => {}
            Meanwhile::Buried(tombstones) => {
                if self.durable.is_open() {
                    self.durable.blocked = None;
                }
                for (org, tombstone) in tombstones {
                    self.buried(&org, tombstone);
                }
            }
            Meanwhile::Unreadable(why) => {
                self.durable.blocked = Some(Refusal::unavailable(
                    format!("the record of ended sessions can't be read: {why}"),
                    "restore the file, or sign in again",
                ));
            }
            Meanwhile::Lost(why) => {
                self.durable.lost = Some(why);
                self.retired = true;
                return false;
            }
        }
        true
    }

    /// A tombstone that another program wrote.
    fn buried(&mut self, org: &OrgName, tombstone: Tombstone) {
        let epoch = tombstone.epoch;
        let over = self
            .durable
            .orphaned
            .get(org)
            .is_some_and(|s| s.epoch <= epoch);
        let event = IssuerEvent::Over(tombstone.standing, tombstone.detail.clone());
        let known = self.durable.tombstones.get(org);
        if known.is_none_or(|known| known.epoch < epoch) {
            self.durable.tombstones.insert(org.clone(), tombstone);
        }
        if over {
            self.durable.orphaned.remove(org);
            self.save_quietly();
        }
        let Some(org_session) = self.org_sessions.get_mut(org) else {
            return;
        };
        if epoch < org_session.machine.epoch() {
            return;
        }
        org_session.machine.resume_at(epoch);
        let session = org_session.session.as_ref();
        let refresh = session.map(|session| Arc::clone(&session.tokens.refresh));
        let to = org_session.signed_in_to.clone();
        self.step(org, event);
        if let (Some(to), Some(refresh)) = (to, refresh) {
            // It may be a younger one than whoever wrote the tombstone knew.
            self.revoke_session(&to, refresh);
        }
    }
}
