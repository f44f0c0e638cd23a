//! What is told on the desktop: held until somebody is at the screen, and dropped if it is not so any more by then.

use super::AgentCore;
use crate::answers::PortAnswer;
use crate::ports::Notice;
use oam_model::log_break::LogBreak;
use oam_model::name::OrgName;
use oam_session::machine::HostEvent;
use oam_session::notice_queue::{DueNotice, NoticeEffect, NoticeEvent};

impl AgentCore {
    /// Tells it once somebody can see it.
    pub(super) fn tell(&mut self, notice: DueNotice) {
        self.notices_step(NoticeEvent::Due(notice));
    }

    pub(super) fn notices_step(&mut self, event: NoticeEvent) {
        for effect in self.notices.step(event) {
            match effect {
                NoticeEffect::AskScreen => {
                    let state = self.ports.screen.state(None);
                    self.aside
                        .run(async move { PortAnswer::Screen(state.await) });
                }
                NoticeEffect::AwaitPerson => {
                    let person = self.ports.screen.person();
                    self.aside
                        .run(async move { PortAnswer::Screen(person.await) });
                }
                NoticeEffect::Show(notice) if self.still_stands(&notice) => {
                    let at_ms = self.now().wall_ms;
                    self.durable
                        .keep_notices(|memory| memory.shown(&notice, at_ms));
                    let text = notice.text();
                    self.ports.notices.show(Notice {
                        title: text.title,
                        body: text.body,
                        urgent: text.urgent,
                    });
                    if let DueNotice::Session(org, kind) = notice {
                        self.step(&org, HostEvent::Shown(kind));
                    }
                }
                NoticeEffect::Show(_) => {}
            }
        }
        let held = self.notices.held();
        self.durable.keep_notices(|memory| memory.waits(held));
    }

    /// What an agent before this one had to tell of this organization, and nobody saw, is told by this one.
    pub(super) fn recall_notices(&mut self, org: &OrgName) {
        let told = self.durable.notices().of(org);
        self.step(org, HostEvent::Recalled(told));
    }

    fn still_stands(&self, notice: &DueNotice) -> bool {
        match notice {
            DueNotice::Session(org, kind) => self
                .org_sessions
                .get(org)
                .is_some_and(|org_session| org_session.machine.still_stands(kind, self.now())),
            DueNotice::LogChanged(_) => {
                let mut breaks = self.durable.audit_chain.breaks();
                breaks.any(LogBreak::is_open)
            }
        }
    }
}
