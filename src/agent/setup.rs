//! The set-up that an organization publishes: what `oam login URL` needs before there is anybody to sign in, the
//! configuration read when it was just written, and whether the company has changed what stands in it.

use super::answers::PortAnswer;
use super::command::{ReplySender, refused, say};
use super::core::AgentCore;
use oam_config::agent::Org;
use oam_config::changes::between;
use oam_config::digest::binding;
use oam_config::organization::issuer_of;
use oam_model::name::OrgName;
use oam_model::organization::{Organization, Route};
use oam_model::refusal::{Refusal, RefusalCode};
use oam_model::report::SetUpStatus;
use oam_model::time::Moment;
use oam_wire::message::Reply;
use std::sync::Arc;

/// After a reading that failed the next one waits this long, ms.
const PAUSE_MS: u64 = 60_000;

/// The set-up that an issuer publishes, as far as it is known.
#[derive(Default)]
pub(super) struct SetUp {
    /// The digest that the issuer told last and that was read since.
    digest: Option<String>,
    /// When it is asked again at the earliest.
    not_before: Option<Moment>,
    /// What was read.
    published: Option<Organization>,
    /// The same as it would be configured here.
    then: Option<Org>,
}

/// What the issuer published when its digest was another.
pub(super) struct SetUpRead {
    digest: String,
    result: Result<Organization, Refusal>,
}

impl SetUp {
    /// What the company changed and is not taken over here; none: nothing that is known.
    pub(super) fn status(&self, org: &Org) -> Option<SetUpStatus> {
        let mut then = self.then.clone()?;
        // How this machine reaches the organization is nothing that an issuer publishes.
        let (here, there) = (&org.provider, &mut then.provider);
        there.ca_file.clone_from(&here.ca_file);
        there.ca_sha256.clone_from(&here.ca_sha256);
        there.proxy.clone_from(&here.proxy);
        there.proxy_auth_file.clone_from(&here.proxy_auth_file);
        there.environment.clone_from(&here.environment);
        let changes = between(org, &then);
        (!changes.is_empty()).then(|| SetUpStatus {
            sign_in: binding(org) != binding(&then),
            changes: changes.into_iter().map(|change| change.text).collect(),
        })
    }

    /// A refusal of the issuer to a request that was made by an old set-up has one remedy.
    pub(super) fn remedy(&self, org: Option<&Org>, refusal: Refusal) -> Refusal {
        match org {
            Some(org) if refusal.code == RefusalCode::BadRequest && self.status(org).is_some() => {
                let next = format!(
                    "run `oam update {}`: the company changed its set-up",
                    org.name
                );
                Refusal { next, ..refusal }
            }
            _ => refusal,
        }
    }
}

impl AgentCore {
    /// Asks aside; nothing of it is kept. The configuration is the person's to write.
    pub(super) fn organization(&self, url: &str, route: Option<Route>, answers: ReplySender) {
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
    pub(super) fn reload(&mut self) -> Reply {
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

    /// The issuer told the digest of what it publishes: read once for each.
    pub(super) fn set_up_told(&mut self, name: &OrgName, digest: Option<String>) {
        let now = self.now();
        let (Some(digest), Some(org)) = (digest, self.settings.org(name).cloned()) else {
            return;
        };
        let (Some(org_session), Some(url)) = (self.org_sessions.get_mut(name), issuer_of(&org))
        else {
            return;
        };
        let known = &mut org_session.issuer_client.setup;
        let waits = known.not_before.is_some_and(|at| !now.reached(at));
        if waits || known.digest.as_ref() == Some(&digest) {
            return;
        }
        // Until the answer is there, too: heartbeats go on meanwhile.
        known.not_before = Some(now.plus(PAUSE_MS));
        let asked = self.ports.published.organization(url, Some(&org), None);
        let name = name.clone();
        self.aside.run(async move {
            let result = asked.await;
            PortAnswer::SetUp(name, Box::new(SetUpRead { digest, result }))
        });
    }

    pub(super) fn set_up_read(&mut self, name: &OrgName, read: SetUpRead) {
        let Some(org_session) = self.org_sessions.get_mut(name) else {
            return;
        };
        match read.result {
            Ok(published) => {
                let known = &mut org_session.issuer_client.setup;
                known.digest = Some(read.digest);
                known.not_before = None;
                known.published = Some(published);
                self.compare_set_up(name);
            }
            Err(refusal) => tracing::debug!("the set-up of {name}: {}", refusal.sentence),
        }
    }

    /// What is published, or the company's own file, is another than before.
    pub(super) fn compare_set_up(&mut self, name: &OrgName) {
        let Some(org_session) = self.org_sessions.get_mut(name) else {
            return;
        };
        let known = &mut org_session.issuer_client.setup;
        let published = known.published.as_ref().filter(|all| all.org == *name);
        known.then = published.and_then(|published| {
            let then = self.ports.configuration.effective(published);
            then.inspect_err(|why| tracing::debug!("the set-up of {name} can't be used: {why}"))
                .ok()
        });
    }
}
