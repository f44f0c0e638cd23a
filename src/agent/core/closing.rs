//! The log made durable, and the orderly end of the agent.

use super::AgentCore;
use crate::org_session::OrgSession;
use oam_model::name::OrgName;
use std::time::Duration;

/// The last batch at the end of the agent may take this long.
const PARTING: Duration = Duration::from_secs(1);

impl AgentCore {
    /// Makes the log durable, and seals its head.
    pub(crate) fn sync_log(&mut self) {
        let now = self.now();
        let mut all: Vec<&mut OrgSession> = self.org_sessions.values_mut().collect();
        self.durable.sync_log(&mut all, now);
    }

    /// The orderly end: files withdrawn, log durable and anchored, and the last records sent.
    pub(crate) async fn close(&mut self) {
        if self.durable.lost.is_some() {
            // Files and log may be another agent's by now.
            return self.followers.delete_own_files();
        }
        let _ = self.followers.sweep();
        self.sync_log();
        let names: Vec<OrgName> = self.org_sessions.keys().cloned().collect();
        let mut sendings = Vec::new();
        for name in names {
            if let Some((sending, _)) = self.at(&name, OrgSession::batch).flatten() {
                sendings.push((name, sending));
            }
        }
        if sendings.is_empty() {
            return;
        }
        let written = self.durable.audit_chain.sequence();
        let parting = async {
            for (name, sending) in sendings {
                if let Ok(answer) = sending.await
                    && let Some(org_session) = self.org_sessions.get_mut(&name)
                {
                    org_session.issuer_client.uploads.hold(answer, written);
                }
            }
        };
        let _ = tokio::time::timeout(PARTING, parting).await;
        self.save_quietly();
    }
}
