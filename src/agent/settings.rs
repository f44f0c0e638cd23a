//! An edited configuration takes effect without losing sessions (design §3.4).

use super::core::AgentCore;
use super::entitlements::with_roles;
use super::org_session::limits;
use oam_config::agent::{Org, Settings};
use oam_config::digest;
use oam_model::name::OrgName;
use oam_model::refusal::Refusal;
use oam_session::machine::HostEvent;
use std::ops::Deref;
use std::sync::Arc;

/// The configuration in use.
pub(super) struct LiveSettings {
    now: Arc<Settings>,
    /// Why the last edit of it was not taken.
    pub trouble: Option<String>,
}

impl Deref for LiveSettings {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.now
    }
}

impl LiveSettings {
    pub(super) const fn new(now: Arc<Settings>) -> Self {
        Self { now, trouble: None }
    }

    /// As they are now, to go on with while they may change.
    pub(super) fn now(&self) -> Arc<Settings> {
        Arc::clone(&self.now)
    }

    /// Nothing is configured because what is written could not be read: then that is the answer, and
    /// not that an organization or hub is missing, which the person sees in the file.
    pub(super) fn unread(&self) -> Option<Refusal> {
        let why = self.trouble.as_ref()?;
        self.orgs.is_empty().then(|| {
            Refusal::bad_request(
                format!("the configuration could not be read: {why}"),
                "run `oam config check`, then correct it",
            )
        })
    }

    /// The organization named, the default one, or the only one.
    pub(super) fn org_or_default(&self, name: Option<OrgName>) -> Result<Org, Refusal> {
        if let Some(refusal) = self.unread() {
            return Err(refusal);
        }
        let list = || {
            self.orgs
                .iter()
                .map(|org| org.name.as_str())
                .collect::<Vec<_>>()
                .join(", ")
        };
        if let Some(name) = name {
            return self.org(&name).cloned().ok_or_else(|| {
                let next = if self.orgs.is_empty() {
                    "run `oam login URL` with the address of its issuer, or add it to config.toml, which `oam config path` names".to_owned()
                } else {
                    format!("use one of: {}", list())
                };
                Refusal::bad_request(format!("no organization named {name} is configured"), next)
            });
        }
        let default = self.default_org.as_ref();
        let default = default.and_then(|name| self.org(name));
        match (default, self.orgs.as_slice()) {
            (Some(org), _) | (None, [org]) => Ok(org.clone()),
            (None, []) => Err(Refusal::bad_request(
                "no organization is configured",
                "run `oam login URL` with the address of your company's issuer, or write config.toml, which `oam config path` names",
            )),
            (None, _) => Err(Refusal::bad_request(
                "more than one organization is configured",
                format!("name one: {}", list()),
            )),
        }
    }
}

impl AgentCore {
    /// Takes new settings. Roles and limits hold at once; what a session is bound to holds only
    /// with a new login (promise 9).
    pub(super) fn configured(&mut self, settings: &Arc<Settings>) {
        self.settings = LiveSettings::new(Arc::clone(settings));
        for org in &settings.orgs {
            if !self.org_sessions.contains_key(&org.name) {
                self.add_org_session(org);
                if let Some(stray) = self.durable.orphaned.remove(&org.name) {
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
        let org_session = self.org_sessions.get(&org.name);
        let Ok(of) = with_roles(org_session, org) else {
            return;
        };
        let live = org_session.and_then(|org_session| org_session.machine.standing().live());
        let Some(live) = live else { return };
        let (groups, unknown) = (&live.identity.groups, self.settings.unknown_intent);
        for (follower, refusal) in self.followers.changed(of, groups, unknown) {
            if let Some(event) = self.withdraw(follower, refusal, true) {
                self.step(&org.name, event);
            }
        }
    }
}
