//! What the agent tells of itself.

use super::AgentCore;
use crate::audit_upload::held_at;
use crate::command::{ReplySender, refused, say};
use crate::reports::Reports;
use crate::resolve::Resolver;
use oam_model::caller::Caller;
use oam_model::log_break::LogBreak;
use oam_model::name::OrgName;
use oam_model::record::{EventKind, Record};
use oam_model::refusal::Refusal;
use oam_model::report::{AnchorReport, ProviderReport};
use oam_wire::message::{Reply, StoreChoice};

impl AgentCore {
    pub(crate) fn resolver(&self) -> Resolver<'_> {
        Resolver {
            settings: &self.settings,
            org_sessions: &self.org_sessions,
            closed: self.durable.closed_because(),
            now: self.now(),
        }
    }

    pub(crate) fn reports(&self) -> Reports<'_> {
        Reports {
            settings: &self.settings,
            org_sessions: &self.org_sessions,
            durable: &self.durable,
            followers: &self.followers,
            version: &self.version,
            now: self.now(),
        }
    }

    /// Asks aside, by the organization's own way out.
    pub(crate) fn ask_provider(&self, name: &OrgName, answers: ReplySender) {
        let Some(org) = self.settings.org(name).cloned() else {
            let none = Refusal::bad_request(
                format!("no organization {name} is configured"),
                "run `oam config check`",
            );
            return say(&answers, none);
        };
        let asked = self.ports.idp.look(&org);
        tokio::task::spawn_local(async move {
            let report = ProviderReport {
                issuer: org.provider.issuer,
                org: org.name,
                faults: asked.await,
            };
            say(&answers, Reply::Provider(report));
        });
    }

    /// A person acknowledges that the log is not as it was left: on record, and no warning after this.
    pub(crate) fn acknowledge_log(&mut self, caller: Caller) -> Reply {
        let open: Vec<String> = self
            .durable
            .audit_chain
            .breaks()
            .filter(|found| found.is_open())
            .map(LogBreak::sentence)
            .collect();
        if !open.is_empty() {
            let now_ms = self.now().wall_ms;
            let mut record = Record::new(EventKind::Acknowledgement, now_ms);
            record.caller = Some(caller);
            record.detail = Some(open.join("; "));
            if !self.write(&record) {
                return refused(self.durable.unrecorded(), 0);
            }
            self.durable.audit_chain.acknowledge(now_ms);
            self.save_quietly();
        }
        Reply::Anchor(self.anchor_report())
    }

    pub(crate) fn anchor_report(&mut self) -> AnchorReport {
        // Who verifies wants all of the log anchored, not all but the last second.
        self.sync_log();
        let sealed = self.durable.vault.store() != StoreChoice::Memory && self.durable.is_open();
        let mut report = self.durable.audit_chain.report(sealed);
        report.held = held_at(&self.org_sessions);
        report
    }
}
