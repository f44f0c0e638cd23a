//! What `oam login URL` needs before there is anybody to sign in: the organization's set-up, and the
//! configuration read when it was just written.

use super::command::Outcome;
use super::keeper::Keeper;
use crate::config::organization::issuer_of;
use crate::model::organization::Route;
use crate::model::refusal::Refusal;
use std::sync::Arc;
use tokio::sync::oneshot;

impl Keeper {
    /// Asks aside; nothing of it is kept. The configuration is the person's to write.
    pub(super) fn organization(
        &self,
        url: &str,
        route: Option<Route>,
        reply: oneshot::Sender<Outcome>,
    ) {
        let known = self
            .settings
            .orgs
            .iter()
            .find(|org| issuer_of(org) == Some(url));
        let asked = self.ports.published.organization(url, known, route);
        tokio::task::spawn_local(async move {
            let outcome = match asked.await {
                Ok(organization) => Outcome::Organization(Box::new(organization)),
                Err(refusal) => Outcome::Refused(refusal, 0),
            };
            let _ = reply.send(outcome);
        });
    }

    /// Reads the configuration now. The watcher of the files would bring the same a moment later:
    /// whoever has just written it and goes on with it can't wait for a moment of unknown length.
    pub(super) fn reload(&mut self, reply: oneshot::Sender<Outcome>) {
        let outcome = match self.ports.configuration.load().map(Arc::new) {
            Ok(settings) => {
                self.configured(&settings);
                Outcome::Done
            }
            Err(why) => {
                let first = why.lines().next().unwrap_or_default().to_owned();
                self.settings_trouble = Some(why);
                let refusal = Refusal::unavailable(
                    format!("the agent could not take the configuration: {first}"),
                    "run `oam config check`, then correct it",
                );
                Outcome::Refused(refusal, 0)
            }
        };
        let _ = reply.send(outcome);
    }
}
