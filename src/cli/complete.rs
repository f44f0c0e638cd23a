//! What a shell completes that only this machine knows: organizations and hubs of the configuration, roles that the
//! agent holds, repositories of late. A shell asks at a press of a key, so no agent is started and nothing is said.

use super::agent_client::settled;
use super::config_check;
use super::log::recent_repositories;
use clap_complete::CompletionCandidate;
use oam_model::report::{OrgStatus, StatusReport};
use oam_model::settings::Org;
use oam_wire::client::Client;
use oam_wire::message::{Reply, Request};
use oam_wire::socket_path::SocketPath;
use std::collections::HashSet;
use std::time::Duration;

/// How long a press of a key may wait for the agent.
const KEY: Duration = Duration::from_millis(500);

/// Names of the organizations, with their identity providers.
pub fn orgs() -> Vec<CompletionCandidate> {
    let about = |org: Org| named(org.name.as_str(), org.provider.issuer);
    configured().into_iter().map(about).collect()
}

/// Names of the hubs, with their addresses.
pub fn hubs() -> Vec<CompletionCandidate> {
    let hubs = configured().into_iter().flat_map(|org| org.hubs);
    hubs.map(|hub| named(hub.name.as_str(), hub.url)).collect()
}

/// Names of the roles that are held, with their organizations.
pub fn roles() -> Vec<CompletionCandidate> {
    let of = |org: OrgStatus| {
        let about = format!("of {}", org.org);
        let roles = org.roles.into_iter();
        roles.map(move |role| named(role.as_str(), about.clone()))
    };
    status().into_iter().flat_map(of).collect()
}

/// Repositories that were asked for of late, the newest first; those of live tokens before them.
pub fn repositories() -> Vec<CompletionCandidate> {
    let tokens = status().into_iter().flat_map(|org| org.tokens);
    let live = tokens.filter_map(|token| token.granted.repository);
    let mut seen = HashSet::new();
    live.chain(recent_repositories())
        .filter(|repository| seen.insert(repository.clone()))
        .map(|repository| CompletionCandidate::new(repository.as_str()))
        .collect()
}

fn named(name: &str, about: String) -> CompletionCandidate {
    CompletionCandidate::new(name).help(Some(about.into()))
}

/// What the configuration names; nothing where it can't be read, as there is nobody to be told.
fn configured() -> Vec<Org> {
    let settings = config_check::read(None).ok().map(|read| read.settings);
    settings.and_then(Result::ok).unwrap_or_default().orgs
}

fn status() -> Vec<OrgStatus> {
    let asked = SocketPath::find().and_then(|place| {
        let frame = Client::connect(&place)?.ask(Request::Status { proof: false }, KEY)?;
        settled(frame)
    });
    match asked {
        Ok(Reply::Status(StatusReport { orgs, .. })) => orgs,
        _ => Vec::new(),
    }
}
