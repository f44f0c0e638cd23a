//! An edited configuration takes effect without losing sessions, and what an organization publishes is
//! read for whoever is about to write one.

use super::AgentCore;
use crate::command::{ReplySender, refused, say};
use crate::org_context::OrgContext;
use crate::org_session::{OrgSession, limits};
use crate::settings::LiveSettings;
use crate::work::Work;
use oam_config::agent::{Org, Settings};
use oam_config::digest;
use oam_config::organization::issuer_of;
use oam_model::name::OrgName;
use oam_model::organization::Route;
use oam_model::refusal::Refusal;
use oam_session::machine::HostEvent;
use oam_wire::message::Reply;
use std::sync::Arc;

impl AgentCore {
    /// Takes new settings. Roles and limits hold at once; what a session is bound to holds only
    /// with a new login (promise 9).
    pub(crate) fn configured(&mut self, settings: &Arc<Settings>) {
        self.settings = LiveSettings::new(Arc::clone(settings));
        let mut is_over = false;
        let mut added = Vec::new();
        for org in &settings.orgs {
            if !self.org_sessions.contains_key(&org.name) {
                self.add_org_session(org);
                added.push(&org.name);
                if let Some(stray) = self.durable.orphaned.remove(&org.name) {
                    is_over |= self.restore_session(org.name.clone(), stray);
                }
                continue;
            }
            self.of_org(&org.name, |own, cx| own.configured(cx, org));
        }
        let gone: Vec<OrgName> = self
            .org_sessions
            .keys()
            .filter(|name| settings.org(name).is_none())
            .cloned()
            .collect();
        for name in gone {
            self.queue.push(&name, HostEvent::Bound(false).into());
            self.queue.push(&name, Work::Resubscribe);
        }
        self.drain();
        if self.durable.is_open() {
            for org in added {
                self.recall_notices(org);
            }
        }
        if is_over {
            self.save_quietly();
        }
    }

    /// Asks aside; nothing of it is kept. The configuration is the person's to write.
    pub(crate) fn organization(&self, url: &str, route: Option<Route>, answers: ReplySender) {
        let known = self
            .settings
            .orgs
            .iter()
            .find(|org| issuer_of(org) == Some(url));
        let asked = self.ports.published.organization(url, known, route);
        tokio::task::spawn_local(async move {
            let answer = match asked.await {
                Ok(organization) => Reply::Organization {
                    organization: Box::new(organization),
                },
                Err(refusal) => refused(refusal, 0),
            };
            say(&answers, answer);
        });
    }

    /// Reads the configuration now. The watcher of the files would bring the same a moment later:
    /// whoever has just written it and goes on with it can't wait for a moment of unknown length.
    pub(crate) fn reload(&mut self) -> Reply {
        match self.ports.configuration.load().map(Arc::new) {
            Ok(settings) => {
                self.configured(&settings);
                Reply::Done
            }
            Err(why) => {
                let first = why.lines().next().unwrap_or_default().to_owned();
                self.settings.trouble = Some(why);
                let refusal = Refusal::unavailable(
                    format!("the agent could not take the configuration: {first}"),
                    "run `oam config check`, then correct it",
                );
                refused(refusal, 0)
            }
        }
    }
}

impl OrgSession {
    /// What stands of it in the configuration is another than before.
    fn configured(&mut self, cx: &mut OrgContext<'_>, org: &Org) {
        self.compare_set_up(cx);
        let now = HostEvent::Limits(limits(org));
        cx.queue.push(&self.name, now.into());
        cx.queue.push(&self.name, Work::Configured);
    }

    /// Whether it is what was signed in to (promise 9); children whose role is another now go.
    pub(crate) fn bind(&mut self, cx: &mut OrgContext<'_>) {
        let Some(org) = cx.configured(&self.name) else {
            return;
        };
        let session = self.session.as_ref();
        let bound = session.is_none_or(|session| session.digest == digest::binding(org));
        if bound && self.session.is_some() {
            self.signed_in_to = Some(org.clone());
        }
        if bound {
            self.choose_again(cx);
        }
        cx.queue.push(&self.name, HostEvent::Bound(bound).into());
        cx.queue.push(&self.name, Work::Resubscribe);
    }
}
