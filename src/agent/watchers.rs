//! Gateways of `oam exec`: they hold no file, and must hear of the end of the session at once.

use super::command::say;
use super::org_session::OrgSession;
use super::watcher::Watcher;
use oam_model::caller::Caller;
use oam_model::served::ServedTraffic;
use oam_model::time::Moment;
use oam_wire::message::Reply;

impl OrgSession {
    /// The session is over.
    pub(super) fn tell_watchers(&mut self, now: Moment) {
        let machine = &self.machine;
        let refusal = machine
            .standing()
            .refusal(self.name.as_str(), now, machine.limits());
        for watcher in &mut self.watchers {
            if !std::mem::replace(&mut watcher.withdrawn, true) {
                let refusal = refusal.clone();
                say(&watcher.answers, Reply::Withdrawn { refusal });
            }
        }
    }

    /// Whether news must not be missed: a token is out, a child uses one (`follows`), or a gateway watches.
    pub(super) fn wants_news(&self, follows: bool, now: Moment) -> bool {
        let mut out = self.outstanding.iter();
        follows || self.is_watched() || out.any(|out| out.granted.expires_at > now.unix())
    }

    /// Whether the end of this session must not be missed.
    fn is_watched(&self) -> bool {
        let mut watchers = self.watchers.iter();
        watchers.any(|watcher| !watcher.withdrawn && !watcher.answers.is_closed())
    }

    /// The gateway in this process: while its connection is open no other has its number.
    pub(super) fn watcher(&mut self, caller: &Caller) -> Option<&mut Watcher> {
        let mut watchers = self.watchers.iter_mut();
        watchers.find(|watcher| caller.pid != 0 && watcher.caller.pid == caller.pid)
    }

    pub(super) fn hands_out_elsewhere(&mut self, served: &ServedTraffic) {
        let until = served.outstanding_until.unwrap_or(0);
        self.elsewhere_until = self.elsewhere_until.max(until);
    }
}
