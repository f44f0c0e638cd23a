//! Grants that cover an ask equally narrowly: which one is taken, or that a person has to say. Both sides choose
//! by it, so that an agent does not refuse what its issuer would grant.

use super::pattern;
use oam_model::name::{RoleName, SourceName};
use oam_model::policy::{Policy, PolicyRole};
use oam_model::role::OfflineRule;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A grant that covers the ask as narrowly as the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rival<'a> {
    /// Of its role: the highest decides.
    pub priority: u32,
    /// The pattern that covers the ask.
    pub pattern: &'a str,
    /// Longest life of a token, seconds.
    pub lifetime_s: u64,
    /// What holds when the identity can't be proven.
    pub offline: OfflineRule,
}

/// The index of the one that is taken; none: their patterns differ, so that one may mean more than the other, and a
/// person has to say which. Identical grants of several roles are never a question: the shortest life and the
/// stricter rule are taken, then the first.
pub fn settle(rivals: &[Rival<'_>]) -> Option<usize> {
    let highest = rivals.iter().map(|rival| rival.priority).max()?;
    let left: Vec<(usize, &Rival<'_>)> = rivals
        .iter()
        .enumerate()
        .filter(|(_, rival)| rival.priority == highest)
        .collect();
    let (_, first) = left.first()?;
    if left.iter().any(|(_, rival)| rival.pattern != first.pattern) {
        return None;
    }
    let taken = left
        .iter()
        .min_by_key(|(_, rival)| (rival.lifetime_s, rival.offline == OfflineRule::Grace));
    taken.map(|(at, _)| *at)
}

/// Two grants of a policy between which nobody can choose who holds both roles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tie {
    pub roles: [String; 2],
    pub hub: String,
    /// The patterns, which have some repositories in common.
    pub patterns: [String; 2],
    /// 1-based lines of the policy file.
    pub lines: [usize; 2],
}

impl Tie {
    /// What it means, and what helps.
    pub fn words(&self) -> String {
        let [one, other] = &self.roles;
        let [first, second] = &self.patterns;
        format!(
            "{one} ({first}, line {}) and {other} ({second}, line {}) cover the same repositories of {} equally well: who holds both is refused unless they name one",
            self.lines[0], self.lines[1], self.hub
        )
    }
}

/// Ties that are told at most, and pairs that are compared at most: a generated file may have many.
const MOST: usize = 50;
const PAIRS: usize = 2_000_000;

/// The ties of a policy: pairs of roles that one principal can hold, of equal priority, with grants that are equally
/// wide, differ, and overlap.
pub fn ties(policy: &Policy) -> Vec<Tie> {
    let mut equal: BTreeMap<_, Vec<(&PolicyRole, &str, usize)>> = BTreeMap::new();
    // A role may have very many members, all of a few sources.
    let sources: BTreeMap<&RoleName, BTreeSet<&SourceName>> = policy
        .roles
        .iter()
        .map(|role| {
            (
                &role.name,
                role.members.iter().map(|member| &member.source).collect(),
            )
        })
        .collect();
    // Of one source: who is in which group is not the policy's to know.
    let may_hold_both = |one: &PolicyRole, other: &PolicyRole| {
        let of = |role: &PolicyRole| sources.get(&role.name);
        matches!((of(one), of(other)), (Some(one), Some(other)) if !one.is_disjoint(other))
    };
    for role in &policy.roles {
        for granted in &role.grants {
            for text in &granted.grant.repositories {
                let grant = &granted.grant;
                let key = (
                    grant.hub.as_str(),
                    grant.action,
                    pattern::width(text),
                    role.priority,
                );
                equal
                    .entry(key)
                    .or_default()
                    .push((role, text, granted.line));
            }
        }
    }
    let mut found = Vec::new();
    let mut pairs = 0;
    for ((hub, ..), grants) in &equal {
        for (at, (role, text, line)) in grants.iter().enumerate() {
            for (other, second, second_line) in &grants[at + 1..] {
                pairs += 1;
                if found.len() >= MOST || pairs > PAIRS {
                    return found;
                }
                let differ = role.name != other.name && text != second;
                if differ && may_hold_both(role, other) && pattern::overlap(text, second) {
                    found.push(Tie {
                        roles: [role.name.to_string(), other.name.to_string()],
                        hub: (*hub).to_owned(),
                        patterns: [(*text).to_owned(), (*second).to_owned()],
                        lines: [*line, *second_line],
                    });
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{Rival, settle, ties};
    use crate::policy::fixture::policy;
    use oam_model::role::{Action, OfflineRule};

    const fn rival(priority: u32, pattern: &str) -> Rival<'_> {
        Rival {
            priority,
            pattern,
            lifetime_s: 900,
            offline: OfflineRule::Grace,
        }
    }

    #[test]
    fn a_priority_decides_and_identical_grants_are_no_question() {
        assert_eq!(settle(&[]), None);
        assert_eq!(
            settle(&[rival(0, "acme/mod*"), rival(0, "acme/*del")]),
            None
        );
        assert_eq!(
            settle(&[rival(0, "acme/mod*"), rival(1, "acme/*del")]),
            Some(1)
        );
        let (same, short) = (
            rival(0, "acme/*"),
            Rival {
                lifetime_s: 60,
                ..rival(0, "acme/*")
            },
        );
        assert_eq!(settle(&[same, same]), Some(0));
        assert_eq!(settle(&[same, short, same]), Some(1));
        let strict = Rival {
            offline: OfflineRule::Strict,
            ..same
        };
        assert_eq!(settle(&[same, strict]), Some(1));
        // The stricter of a lower priority is not asked.
        assert_eq!(settle(&[rival(2, "acme/*"), short]), Some(0));
    }

    #[test]
    fn a_policy_tells_its_ties_and_a_priority_settles_them() {
        let mut policy = policy();
        assert_eq!(ties(&policy), [], "identical grants are none");
        policy.roles[1].grants[0].grant.repositories = vec!["acme/mod*".into()];
        policy.roles[2].grants[0].grant.repositories = vec!["acme/*del".into()];
        let found = ties(&policy);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].roles, ["publisher", "twin"]);
        assert!(found[0].words().contains("line 6"), "{}", found[0].words());
        policy.roles[2].priority = 1;
        assert_eq!(ties(&policy), []);
        policy.roles[2].priority = 0;
        // What has no repository in common, or another action, or nobody who holds both.
        policy.roles[2].grants[0].grant.repositories = vec!["beta/mod*".into()];
        assert_eq!(ties(&policy), []);
        policy.roles[2].grants[0].grant.repositories = vec!["acme/*del".into()];
        policy.roles[2].grants[0].grant.action = Action::Manage;
        assert_eq!(ties(&policy), []);
        policy.roles[2].grants[0].grant.action = Action::Write;
        policy.roles[2].members[0].source = "elsewhere".parse().unwrap();
        assert_eq!(ties(&policy), []);
    }
}
