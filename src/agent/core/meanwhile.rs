//! What another program did to the state meanwhile is looked at before anything is decided, and so
//! before every save and every answer: an end holds whoever wrote it.

use super::AgentCore;
use crate::ports::Meanwhile;
use crate::state::Tombstone;
use oam_model::name::OrgName;
use oam_model::refusal::Refusal;

impl AgentCore {
    /// `false`: this agent must neither answer nor write any more, and ends.
    pub(crate) fn state_is_ours(&mut self) -> bool {
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
        let known = self.durable.tombstones.get(org);
        if known.is_none_or(|known| known.epoch < epoch) {
            let tombstone = tombstone.clone();
            self.durable.tombstones.insert(org.clone(), tombstone);
        }
        if over {
            self.durable.orphaned.remove(org);
            self.save_quietly();
        }
        let ends = self.at(org, |own, cx| own.buried(cx, tombstone));
        self.drain();
        if let Some((to, refresh)) = ends.flatten() {
            self.at(org, |own, cx| own.revoke_session(cx, &to, refresh));
        }
    }
}
