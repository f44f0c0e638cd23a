//! What the session of one organization works with beside itself.

use super::aside::Aside;
use super::durable::Durable;
use super::followers::Followers;
use super::org_session::{OrgSession, OrgSessions, Ticket};
use super::ports::Ports;
use super::settings::LiveSettings;
use super::work::WorkQueue;
use oam_config::agent::Org;
use oam_model::name::OrgName;
use oam_model::record::Record;
use oam_model::time::Moment;
use std::collections::BTreeMap;

/// It is lent for one act. What is to be decided after it goes into the queue.
pub(super) struct OrgContext<'a> {
    pub ports: &'a Ports,
    pub settings: &'a LiveSettings,
    pub durable: &'a mut Durable,
    pub queue: &'a mut WorkQueue,
    pub aside: &'a Aside,
    pub followers: &'a mut Followers,
    pub tickets: &'a mut BTreeMap<u64, Ticket>,
    /// The sessions of the other organizations: what is sealed, is sealed as a whole.
    pub others: &'a mut OrgSessions,
    pub numbers: &'a mut u64,
}

impl OrgContext<'_> {
    pub(super) fn now(&self) -> Moment {
        self.ports.clock.now()
    }

    pub(super) const fn number(&mut self) -> u64 {
        *self.numbers += 1;
        *self.numbers
    }

    /// The organization as it is configured now.
    pub(super) fn configured(&self, name: &OrgName) -> Option<&Org> {
        self.settings.org(name)
    }

    /// Writes a record; a failure is kept for `status`.
    pub(super) fn write(&mut self, record: &Record) -> bool {
        self.durable.append(record, self.now())
    }

    /// Writes the record of a grant. While the log can't be made durable it counts as written only when
    /// it is durable at once (promise 4).
    pub(super) fn write_grant(&mut self, record: &Record) -> bool {
        self.write(record) && self.durable.holds_records()
    }

    /// Writes the sealed state durably.
    ///
    /// # Errors
    /// Our words for why it could not be written.
    pub(super) fn save(&mut self, own: &mut OrgSession) -> Result<(), String> {
        let now = self.now();
        let mut all: Vec<&mut OrgSession> = self.others.values_mut().collect();
        all.push(own);
        self.durable.save(&mut all, now)
    }

    pub(super) fn save_quietly(&mut self, own: &mut OrgSession) {
        if self.durable.is_open() {
            let _ = self.save(own);
        }
    }

    /// Makes the log durable, and seals its head.
    pub(super) fn sync_log(&mut self, own: &mut OrgSession) {
        let now = self.now();
        let mut all: Vec<&mut OrgSession> = self.others.values_mut().collect();
        all.push(own);
        self.durable.sync_log(&mut all, now);
    }
}
