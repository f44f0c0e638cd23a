//! An edited configuration takes effect without losing sessions (design §3.4).

use super::core::AgentCore;
use super::org_session::limits;
use oam_config::agent::{Org, Settings};
use oam_config::digest;
use oam_model::name::{OrgName, RoleName};
use oam_model::refusal::Refusal;
use oam_session::machine::HostEvent;
use oam_session::role::{AccessRequest, choose};
use std::sync::Arc;

impl AgentCore {
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
            if !self.org_sessions.contains_key(&org.name) {
                self.add_org_session(org);
                if let Some(stray) = self.orphaned.remove(&org.name) {
                    self.restore_session(org.name.clone(), stray);
                }
                continue;
            }
            self.compare_set_up(&org.name);
            self.step(&org.name, HostEvent::Limits(limits(org)));
            let bound = self
                .org_sessions
                .get_mut(&org.name)
                .is_none_or(|org_session| {
                    let bound = org_session
                        .session
                        .as_ref()
                        .is_none_or(|session| session.digest == digest::binding(org));
                    if bound && org_session.session.is_some() {
                        org_session.signed_in_to = Some(org.clone());
                    }
                    bound
                });
            if bound {
                self.choose_again(org);
            }
            self.step(&org.name, HostEvent::Bound(bound));
            self.resubscribe(&org.name);
        }
        let gone: Vec<OrgName> = self
            .org_sessions
            .keys()
            .filter(|name| settings.org(name).is_none())
            .cloned()
            .collect();
        for name in gone {
            self.step(&name, HostEvent::Bound(false));
            self.resubscribe(&name);
        }
    }

    /// Children of `oam exec` whose ask would get another role now, or none, lose their file: a role
    /// is not renewed for as long as a child cares to run.
    pub(super) fn choose_again(&mut self, org: &Org) {
        let Ok(of) = self.with_roles(org) else {
            return;
        };
        let groups = self
            .org_sessions
            .get(&org.name)
            .and_then(|org_session| org_session.machine.standing().live())
            .map(|live| live.identity.groups.clone());
        let Some(groups) = groups else { return };
        let changed: Vec<(u64, Refusal)> = self
            .following
            .iter()
            .filter(|(_, following)| following.chosen.org == org.name)
            .filter_map(|(id, following)| {
                let chosen = &following.chosen;
                let hub = org.hubs.iter().find(|hub| hub.name == chosen.hub)?;
                let wish = AccessRequest {
                    repository: chosen.repository.as_ref(),
                    intent: chosen.intent,
                    role: Some(&chosen.choice.role),
                    by_git: chosen.front == "git",
                };
                match choose(of, hub, &groups, wish, self.settings.unknown_intent) {
                    Ok(choice) if choice == chosen.choice => None,
                    Ok(_) => Some((*id, changed(&chosen.choice.role))),
                    Err(refusal) => Some((*id, refusal)),
                }
            })
            .collect();
        for (follower, refusal) in changed {
            if let Some(event) = self.withdraw(follower, refusal, true) {
                self.step(&org.name, event);
            }
        }
    }
}

fn changed(role: &RoleName) -> Refusal {
    Refusal::denied(
        format!("the configuration of {role} was changed"),
        "run the command again",
    )
}
