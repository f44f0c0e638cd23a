//! The teams of a GitHub organization, read by an App of the organization: a further writer of what directories say.
//! What is read and what it changes is decided by [`oam_policy::teams`]; what people lose by it is one batch with the
//! change itself, as with any other directory.

mod accounts;
mod api;
mod app;
mod fault;
mod reading;
#[cfg(test)]
pub(crate) mod stand_in;
mod sync;
mod watch;

pub use accounts::{link, news};
pub use api::GitHubApp;
pub use fault::GitHubFault;
pub use sync::{PlannedChange, apply, plan, sync};
pub use watch::{TeamNews, keep};

use crate::outbound::OutboundClient;
use oam_model::issuer::IssuerSettings;
use oam_model::name::SourceName;
use oam_model::refusal::Refusal;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The Apps at GitHub, by source.
///
/// # Errors
/// A secret is not where the settings say.
pub fn apps(
    settings: &IssuerSettings,
    outside: &Arc<OutboundClient>,
) -> Result<BTreeMap<SourceName, GitHubApp>, Refusal> {
    let mut apps = BTreeMap::new();
    for source in &settings.sources {
        if let Some(github) = source.github.clone() {
            let app = GitHubApp::new(source.name.clone(), github, Arc::clone(outside))?;
            apps.insert(source.name.clone(), app);
        }
    }
    Ok(apps)
}
