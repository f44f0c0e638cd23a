//! The set-up that an organization publishes: what `oam login URL` needs before there is anybody to sign in, the
//! configuration read when it was just written, and whether the company has changed what stands in it.

use oam_config::agent::Org;
use oam_config::changes::between;
use oam_config::digest::binding;
use oam_model::organization::Organization;
use oam_model::refusal::{Refusal, RefusalCode};
use oam_model::report::SetUpStatus;
use oam_model::time::Moment;

/// The set-up that an issuer publishes, as far as it is known.
#[derive(Default)]
pub(super) struct SetUp {
    /// The digest that the issuer told last and that was read since.
    pub digest: Option<String>,
    /// When it is asked again at the earliest.
    pub not_before: Option<Moment>,
    /// What was read.
    pub published: Option<Organization>,
    /// The same as it would be configured here.
    pub then: Option<Org>,
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
