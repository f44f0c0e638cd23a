//! Children of `oam exec`: a private file that holds their token, for as long as they are connected.

use super::command::ReplySender;
use super::org_session::Chosen;
use super::ports::ChildTokenFiles;
use oam_config::agent::UnknownIntent;
use oam_model::name::{OrgName, RoleName};
use oam_model::refusal::Refusal;
use oam_model::token_request::TokenRequest;
use oam_session::role::{AccessRequest, Roles, choose};
use std::collections::BTreeMap;
use std::rc::Rc;

/// A child of `oam exec`.
pub(super) struct Follower {
    pub chosen: Chosen,
    pub name: String,
    pub answers: ReplySender,
    /// The token itself is told with the first one.
    pub with_token: bool,
    /// The first token was delivered.
    pub started: bool,
}

/// What a child wants.
pub(super) struct FollowRequest {
    pub ask: TokenRequest,
    /// The name of the file's folder from before, to get the same path.
    pub again: Option<String>,
    pub with_token: bool,
}

/// All of them, and their files.
pub(super) struct Followers {
    pub(super) files: Rc<dyn ChildTokenFiles>,
    pub(super) children: BTreeMap<u64, Follower>,
}

impl Followers {
    pub(super) fn new(files: Rc<dyn ChildTokenFiles>) -> Self {
        let children = BTreeMap::new();
        Self { files, children }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.children.is_empty()
    }

    /// Whether a child uses a token of this organization.
    pub(super) fn uses(&self, org: &OrgName) -> bool {
        self.children.values().any(|f| f.chosen.org == *org)
    }

    /// Deletes all that lies there, of whatever agent.
    pub(super) fn sweep(&self) -> Result<(), String> {
        self.files.sweep()
    }

    /// Deletes the files of this agent's children and no other.
    pub(super) fn delete_own_files(&self) {
        for child in self.children.values() {
            let _ = self.delete_file(&child.name);
        }
    }

    pub(super) fn delete_file(&self, name: &str) -> Result<(), String> {
        let deleted = self.files.withdraw(name);
        deleted.map_err(|why| format!("a token file could not be deleted: {why}"))
    }

    /// The name that a child asks for `again`, if nobody has it; else a fresh one.
    pub(super) fn name(&self, again: Option<String>, fresh: u128) -> String {
        let taken = |name: &String| self.children.values().any(|f| f.name == *name);
        again
            .filter(|name| is_file_name(name) && !taken(name))
            .unwrap_or_else(|| format!("{fresh:032x}"))
    }

    /// Children whose ask would get another role now, or none, and why they go.
    pub(super) fn changed(
        &self,
        of: Roles<'_>,
        groups: &[String],
        unknown: UnknownIntent,
    ) -> Vec<(u64, Refusal)> {
        let org = of.org;
        let children = self.children.iter();
        let children = children.filter(|(_, following)| following.chosen.org == org.name);
        let changed = children.filter_map(|(id, following)| {
            let chosen = &following.chosen;
            let hub = org.hubs.iter().find(|hub| hub.name == chosen.hub)?;
            let wish = AccessRequest {
                repository: chosen.repository.as_ref(),
                intent: chosen.intent,
                role: Some(&chosen.choice.role),
                by_git: chosen.front == "git",
            };
            match choose(of, hub, groups, wish, unknown) {
                Ok(choice) if choice == chosen.choice => None,
                Ok(_) => Some((*id, changed(&chosen.choice.role))),
                Err(refusal) => Some((*id, refusal)),
            }
        });
        changed.collect()
    }
}

/// The name of a token file's folder: 128 bits as lower-case hex.
fn is_file_name(name: &str) -> bool {
    name.len() == 32
        && name
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn changed(role: &RoleName) -> Refusal {
    Refusal::denied(
        format!("the configuration of {role} was changed"),
        "run the command again",
    )
}
