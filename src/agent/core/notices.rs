//! What is told on the desktop: held until somebody is at the screen, and dropped if it is not so any more by then.

use super::AgentCore;
use crate::answers::PortAnswer;
use crate::ports::Notice;
use oam_model::log_break::LogBreak;
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
                    let text = notice.text();
                    self.ports.notices.show(Notice {
                        title: text.title,
                        body: text.body,
                        urgent: text.urgent,
                    });
                }
                NoticeEffect::Show(_) => {}
            }
        }
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
