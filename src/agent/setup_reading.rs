//! The set-up that an organization publishes is read when its issuer says that it is another one.

use super::answers::{PortAnswer, SetUpRead};
use super::org_context::OrgContext;
use super::org_session::OrgSession;
use oam_config::organization::issuer_of;

/// After a reading that failed the next one waits this long, ms.
const PAUSE_MS: u64 = 60_000;

impl OrgSession {
    /// The issuer told the digest of what it publishes: read once for each.
    pub(super) fn set_up_told(&mut self, cx: &OrgContext<'_>, digest: Option<String>) {
        let now = cx.now();
        let (Some(digest), Some(org)) = (digest, cx.configured(&self.name)) else {
            return;
        };
        let Some(url) = issuer_of(org) else { return };
        let known = &mut self.issuer_client.setup;
        let waits = known.not_before.is_some_and(|at| !now.reached(at));
        if waits || known.digest.as_ref() == Some(&digest) {
            return;
        }
        // Until the answer is there, too: heartbeats go on meanwhile.
        known.not_before = Some(now.plus(PAUSE_MS));
        let asked = cx.ports.published.organization(url, Some(org), None);
        let name = self.name.clone();
        cx.aside.run(async move {
            let result = asked.await;
            PortAnswer::SetUp(name, Box::new(SetUpRead { digest, result }))
        });
    }

    pub(super) fn set_up_read(&mut self, cx: &OrgContext<'_>, read: SetUpRead) {
        match read.result {
            Ok(published) => {
                let known = &mut self.issuer_client.setup;
                known.digest = Some(read.digest);
                known.not_before = None;
                known.published = Some(published);
                self.compare_set_up(cx);
            }
            Err(refusal) => tracing::debug!("the set-up of {}: {}", self.name, refusal.sentence),
        }
    }

    /// What is published, or the company's own file, is another than before.
    pub(super) fn compare_set_up(&mut self, cx: &OrgContext<'_>) {
        let (name, known) = (&self.name, &mut self.issuer_client.setup);
        let published = known.published.as_ref().filter(|all| all.org == *name);
        known.then = published.and_then(|published| {
            let then = cx.ports.configuration.effective(published);
            then.inspect_err(|why| tracing::debug!("the set-up of {name} can't be used: {why}"))
                .ok()
        });
    }
}
