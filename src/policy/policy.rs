//! The organization's policy compiled, and every decision made by it: deny by default.
//!
//! [`Index`] is made once for a policy. A decision then looks only at the principal's own groups and at grants
//! whose literal beginning is that of the repository, so that it does not grow with the file.

pub mod cases;
pub mod claims;
pub mod diff;
pub mod explain;
mod grants;
mod members;
mod refuse;
mod words;

use super::pattern;
use super::tie::{self, Rival};
use grants::{Cover, GrantIndex};
use members::{MemberIndex, RoleMembership};
use oam_model::name::RoleName;
use oam_model::organization::{HeldGrant, HeldRole};
use oam_model::policy::{Decision, Policy, PolicyRequest, PolicyRole};
use oam_model::principal::Principal;
use oam_model::refusal::Refusal;
use std::collections::HashMap;

/// A policy, ready for decisions.
#[derive(Debug)]
pub struct Index {
    policy: Policy,
    by_name: HashMap<RoleName, usize>,
    members: MemberIndex,
    grants: GrantIndex,
}

impl Index {
    /// Compiles a policy.
    pub fn new(policy: Policy) -> Self {
        let roles = policy.roles.iter().enumerate();
        Self {
            by_name: roles.map(|(at, role)| (role.name.clone(), at)).collect(),
            members: MemberIndex::new(&policy),
            grants: GrantIndex::new(&policy),
            policy,
        }
    }

    /// The policy as it was read.
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    fn role(&self, at: usize) -> &PolicyRole {
        &self.policy.roles[at]
    }
}

/// Decides by the narrowest grant that covers `wanted`, among the roles that the principal holds. It never
/// gives more than was asked: not another action, not another repository.
///
/// # Errors
/// `denied`: no role held covers it, two cover it equally well and nothing says which ([`crate::tie`]), or the groups are unknown and no role that
/// is held without them covers it. The words say what is missing.
pub fn decide(
    index: &Index,
    principal: &Principal,
    wanted: &PolicyRequest,
) -> Result<Decision, Refusal> {
    decide_for(Reader::Principal, index, principal, wanted)
}

/// Who reads what is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// Who asked: "yours". A job that holds nothing is told nothing of the roles.
    Principal,
    /// An administrator, who is told by name.
    Administrator,
}

fn decide_for(
    reader: Reader,
    index: &Index,
    principal: &Principal,
    wanted: &PolicyRequest,
) -> Result<Decision, Refusal> {
    let held = index.members.holdings(&index.policy, principal);
    let named = match &wanted.role {
        None => None,
        Some(name) => match index.by_name.get(name) {
            Some(at) => Some(*at),
            None => return Err(refuse::unknown_role(reader, principal, name, &held)),
        },
    };
    let allowed = |role: usize| {
        let chosen = named.is_none_or(|named| named == role);
        chosen && held.contains(role)
    };
    let best = index.grants.narrowest(wanted, allowed);
    match best.as_slice() {
        [] => Err(refuse::nothing(reader, index, principal, wanted, &held)),
        [one] => Ok(decision(index, one, held.get(one.role), wanted)),
        rivals => match settled(index, rivals) {
            Some(one) => Ok(decision(index, one, held.get(one.role), wanted)),
            None => Err(refuse::tie(index, rivals, wanted)),
        },
    }
}

/// The rival that is taken, if it can be told.
fn settled<'c>(index: &Index, rivals: &'c [Cover]) -> Option<&'c Cover> {
    let all: Vec<Rival<'_>> = rivals
        .iter()
        .map(|cover| {
            let role = index.role(cover.role);
            Rival {
                priority: role.priority,
                pattern: &role.grants[cover.grant].grant.repositories[cover.pattern],
                lifetime_s: role.lifetime_s,
                offline: role.offline,
            }
        })
        .collect();
    rivals.get(tie::settle(&all)?)
}

/// Whether any role that the principal holds, or the one that is named, covers `wanted`. Where two cover it
/// equally well [`decide`] can't choose, and it is covered all the same.
pub fn covers(index: &Index, principal: &Principal, wanted: &PolicyRequest) -> bool {
    let held = index.members.holdings(&index.policy, principal);
    let chosen = |role: usize| {
        let name = &index.role(role).name;
        wanted.role.as_ref().is_none_or(|named| named == name) && held.contains(role)
    };
    !index.grants.narrowest(wanted, chosen).is_empty()
}

/// Whether the role that is named allows this, whoever holds it.
pub fn role_covers(index: &Index, wanted: &PolicyRequest) -> bool {
    let named = |role: usize| Some(&index.role(role).name) == wanted.role.as_ref();
    !index.grants.narrowest(wanted, named).is_empty()
}

fn decision(
    index: &Index,
    cover: &Cover,
    holding: Option<&RoleMembership>,
    wanted: &PolicyRequest,
) -> Decision {
    let role = index.role(cover.role);
    Decision {
        role: role.name.clone(),
        action: wanted.action,
        rule: words::rule(role, cover),
        because: holding.map_or_else(String::new, |holding| words::because(role, holding)),
        lifetime_s: role.lifetime_s,
        offline: role.offline,
    }
}

/// The roles that a principal holds, in the order of the file, for display and for an agent's choice.
pub fn holdings(index: &Index, principal: &Principal) -> Vec<HeldRole> {
    let held = index.members.holdings(&index.policy, principal);
    held.iter()
        .map(|holding| {
            let role = index.role(holding.role);
            HeldRole {
                role: role.name.clone(),
                description: role.description.clone(),
                because: words::because(role, holding),
                priority: role.priority,
                lifetime_s: role.lifetime_s,
                offline: role.offline,
                grants: role
                    .grants
                    .iter()
                    .map(|grant| HeldGrant {
                        hub: grant.grant.hub.clone(),
                        repositories: grant.grant.repositories.clone(),
                        action: grant.grant.action,
                    })
                    .collect(),
            }
        })
        .collect()
}

/// Names of the roles that a principal holds, in the order of names: for comparing them over time.
pub fn held_names(index: &Index, principal: &Principal) -> Vec<RoleName> {
    let held = index.members.holdings(&index.policy, principal);
    let mut names: Vec<RoleName> = held
        .iter()
        .map(|holding| index.role(holding.role).name.clone())
        .collect();
    names.sort();
    names
}

#[cfg(any(test, feature = "fixture"))]
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "samples for tests"
)]
pub mod fixture;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
