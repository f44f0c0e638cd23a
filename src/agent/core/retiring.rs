//! An agent of another version takes over when nothing is in the works.

use super::AgentCore;
use crate::command::GatedReply;
use oam_model::refusal::{Refusal, RefusalCode};
use oam_wire::message::{Reply, StoreChoice};

impl AgentCore {
    pub(crate) fn retire(&mut self) -> GatedReply {
        let idle = self.tickets.is_empty()
            && self.followers.is_empty()
            && self.logins.is_empty()
            && self.proof_waiters.is_empty()
            && !self.would_be_lost()
            && !self
                .org_sessions
                .values()
                .any(|org_session| org_session.issuer_client.entitlements.are_awaited())
            && self
                .org_sessions
                .values()
                .all(|org_session| org_session.machine.is_idle());
        if idle {
            self.retired = true;
            Reply::Done.into()
        } else {
            Refusal::new(
                RefusalCode::Busy,
                "the agent is in use and stays",
                "end running `oam exec` commands and sign-ins (a session that is kept in memory only ends with the agent: sign out first), then try again",
            )
            .into()
        }
    }

    /// A session that is kept in memory only ends with the agent (promise 3).
    fn would_be_lost(&self) -> bool {
        let live = self
            .org_sessions
            .values()
            .any(|org_session| org_session.machine.standing().live().is_some());
        live && (self.durable.vault.store() == StoreChoice::Memory
            || self.durable.is_behind(self.org_sessions.values()))
    }
}
