//! An agent of another version takes over when nothing is in the works.

use super::command::CommandOutcome;
use super::core::AgentCore;
use super::ports::SessionStore;
use oam_model::refusal::{Refusal, RefusalCode};
use tokio::sync::oneshot;

impl AgentCore {
    pub(super) fn retire(&mut self, reply: oneshot::Sender<CommandOutcome>) {
        let idle = self.tickets.is_empty()
            && self.followers.is_empty()
            && self.logins.is_empty()
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
            let _ = reply.send(CommandOutcome::Done);
        } else {
            let refusal = Refusal::new(
                RefusalCode::Busy,
                "the agent is in use and stays",
                "end running `oam exec` commands and sign-ins (a session that is kept in memory only ends with the agent: sign out first), then try again",
            );
            let _ = reply.send(CommandOutcome::Refused(refusal, 0));
        }
    }

    /// A session that is kept in memory only ends with the agent (promise 3).
    fn would_be_lost(&self) -> bool {
        let live = self
            .org_sessions
            .values()
            .any(|org_session| org_session.machine.standing().live().is_some());
        live && (self.durable.vault.store() == SessionStore::Memory
            || self.durable.is_behind(&self.org_sessions))
    }
}
