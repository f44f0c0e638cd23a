//! An edited configuration takes effect without losing sessions.

use oam_config::agent::{Org, Settings};
use oam_model::name::OrgName;
use oam_model::refusal::Refusal;
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
