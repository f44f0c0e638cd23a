//! Which roles a principal holds, found by its groups.

use super::claims;
use oam_model::name::SourceName;
use oam_model::policy::{Member, Policy};
use oam_model::principal::{Groups, Principal};
use std::collections::HashMap;

/// A rule by which somebody may hold a role: indexes into the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rule {
    role: usize,
    member: usize,
    /// The group of the member, where one is asked for.
    group: Option<usize>,
}

/// The rules of one source.
#[derive(Debug, Default)]
struct OfSource {
    by_group: HashMap<String, Vec<Rule>>,
    without_group: Vec<Rule>,
}

/// All rules, by source and group.
#[derive(Debug)]
pub(super) struct MemberIndex {
    by_source: HashMap<SourceName, OfSource>,
}

/// A role held, with the rule by which it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RoleMembership {
    pub(super) role: usize,
    pub(super) member: usize,
    pub(super) group: Option<usize>,
}

/// The roles held, by role.
#[derive(Debug)]
pub(super) struct HeldRoles(Vec<RoleMembership>);

impl HeldRoles {
    pub(super) fn contains(&self, role: usize) -> bool {
        self.get(role).is_some()
    }

    pub(super) fn get(&self, role: usize) -> Option<&RoleMembership> {
        let at = self.0.binary_search_by_key(&role, |holding| holding.role);
        at.ok().map(|at| &self.0[at])
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &RoleMembership> {
        self.0.iter()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl MemberIndex {
    pub(super) fn new(policy: &Policy) -> Self {
        let mut by_source: HashMap<SourceName, OfSource> = HashMap::new();
        for (role, of_role) in policy.roles.iter().enumerate() {
            for (member, rule) in of_role.members.iter().enumerate() {
                let of_source = by_source.entry(rule.source.clone()).or_default();
                let one = |group| Rule {
                    role,
                    member,
                    group,
                };
                if rule.groups.is_empty() {
                    of_source.without_group.push(one(None));
                }
                for (at, group) in rule.groups.iter().enumerate() {
                    let rules = of_source.by_group.entry(group.clone()).or_default();
                    rules.push(one(Some(at)));
                }
            }
        }
        Self { by_source }
    }

    /// The roles that `principal` holds. Of several rules for one role the first of the file is named.
    pub(super) fn holdings(&self, policy: &Policy, principal: &Principal) -> HeldRoles {
        let Some(of_source) = self.by_source.get(&principal.key.source) else {
            return HeldRoles(Vec::new());
        };
        let groups: &[String] = match &principal.groups {
            Groups::Known(groups) => groups,
            Groups::Unknown { .. } => &[],
        };
        let by_group = groups
            .iter()
            .filter_map(|group| of_source.by_group.get(group))
            .flatten();
        let mut held: Vec<RoleMembership> = of_source
            .without_group
            .iter()
            .chain(by_group)
            .filter(|rule| claims::hold(&member(policy, rule).claims, &principal.claims))
            .map(|rule| RoleMembership {
                role: rule.role,
                member: rule.member,
                group: rule.group,
            })
            .collect();
        held.sort_unstable_by_key(|h| (h.role, h.member, h.group));
        held.dedup_by_key(|h| h.role);
        HeldRoles(held)
    }
}

fn member<'p>(policy: &'p Policy, rule: &Rule) -> &'p Member {
    &policy.roles[rule.role].members[rule.member]
}
