//! An edited configuration takes effect without losing sessions (design §3.4).

use super::keeper::Keeper;
use super::office::limits;
use crate::config::agent::Settings;
use crate::config::digest;
use crate::model::name::OrgName;
use crate::model::refusal::Refusal;
use crate::rules::desk::Event;
use std::sync::Arc;

impl Keeper {
    /// Nothing is configured because what is written could not be read: then that is the answer, and
    /// not that an organization or hub is missing, which the person sees in the file.
    pub(super) fn unread_configuration(&self) -> Option<Refusal> {
        let why = self.settings_trouble.as_ref()?;
        self.settings.orgs.is_empty().then(|| {
            Refusal::bad_request(
                format!("the configuration could not be read: {why}"),
                "run `oam config check`, then correct it",
            )
        })
    }

    /// Takes new settings. Roles and limits hold at once; what a session is bound to holds only
    /// with a new login (promise 9).
    pub(super) fn configured(&mut self, settings: &Arc<Settings>) {
        self.settings_trouble = None;
        self.settings = Arc::clone(settings);
        for org in &settings.orgs {
            if !self.offices.contains_key(&org.name) {
                self.add_office(org);
                if let Some(stray) = self.strays.remove(&org.name) {
                    self.restore_session(org.name.clone(), stray);
                }
                continue;
            }
            self.step(&org.name, Event::Limits(limits(org)));
            let bound = self
                .offices
                .get(&org.name)
                .and_then(|office| office.session.as_ref())
                .is_none_or(|session| session.digest == digest::binding(org));
            self.step(&org.name, Event::Bound(bound));
        }
        let gone: Vec<OrgName> = self
            .offices
            .keys()
            .filter(|name| settings.org(name).is_none())
            .cloned()
            .collect();
        for name in gone {
            self.step(&name, Event::Bound(false));
        }
    }
}
