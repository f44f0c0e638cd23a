//! Properties of every policy and every ask, against a decision made by looking at everything.

use super::diff::diff;
use super::fixture::{self, grant, member, org, person, role};
use super::{Index, decide, held_names, holdings};
use crate::pattern;
use oam_model::policy::{Policy, PolicyRequest, PolicyRole};
use oam_model::principal::{Groups, Principal};
use oam_model::role::Action;
use proptest::prelude::*;
use proptest::sample::select;
use std::sync::Arc;

const PATTERNS: [&str; 10] = [
    "**", "*", "a/*", "a/**", "a/b", "a/b*", "a/*/c", "b/*", "*/b", "**/b",
];
const PATHS: [&str; 7] = ["a", "a/b", "a/bc", "a/b/c", "b/b", "b/a/b", "c/d"];
const GROUPS: [&str; 4] = ["g0", "g1", "g2", "g3"];

fn action() -> impl Strategy<Value = Action> {
    select(vec![Action::Read, Action::Write, Action::Manage])
}

fn a_role() -> impl Strategy<Value = PolicyRole> {
    let members = proptest::collection::vec(
        (
            select(vec!["okta", "entra"]),
            proptest::sample::subsequence(GROUPS.to_vec(), 0..3),
            any::<bool>(),
        ),
        0..3,
    );
    let grants = proptest::collection::vec(
        (
            select(vec!["models", "code"]),
            select(PATTERNS.to_vec()),
            action(),
        ),
        0..4,
    );
    (members, grants).prop_map(|(members, grants)| {
        let members = members
            .into_iter()
            .enumerate()
            .map(|(at, (source, groups, claim))| {
                let claims: &[(&str, &str)] = if claim { &[("c", "x")] } else { &[] };
                member(source, &groups, claims, at + 1)
            });
        let grants = grants
            .into_iter()
            .enumerate()
            .map(|(at, (hub, pattern, action))| grant(hub, pattern, action, at + 1));
        role("unnamed", members.collect(), grants.collect())
    })
}

fn a_policy() -> impl Strategy<Value = Policy> {
    proptest::collection::vec(a_role(), 0..6).prop_map(|mut roles| {
        for (at, role) in roles.iter_mut().enumerate() {
            role.name = format!("r{at}").parse().unwrap();
        }
        Policy { org: org(), roles }
    })
}

fn a_principal() -> impl Strategy<Value = Principal> {
    let groups = proptest::sample::subsequence(GROUPS.to_vec(), 0..4);
    (groups, any::<bool>(), 0..4u8).prop_map(|(groups, claim, unknown)| {
        let mut principal = person(&groups);
        if claim {
            Arc::make_mut(&mut principal.claims).insert("c".to_owned(), "x".into());
        }
        if unknown == 0 {
            principal.groups = Groups::Unknown {
                sentence: "too many".to_owned(),
                next: "fewer".to_owned(),
            };
        }
        principal
    })
}

fn a_wanted() -> impl Strategy<Value = PolicyRequest> {
    (
        select(vec!["models", "code", "none"]),
        proptest::option::of(select(PATHS.to_vec())),
        action(),
        proptest::option::weighted(0.2, 0..7usize),
    )
        .prop_map(|(hub, path, action, role)| PolicyRequest {
            hub: hub.parse().unwrap(),
            repository: path.map(|path| path.parse().unwrap()),
            action,
            role: role.map(|at| format!("r{at}").parse().unwrap()),
        })
}

/// Whether a role is held, by looking at everything.
fn is_held(role: &PolicyRole, principal: &Principal) -> bool {
    role.members.iter().any(|member| {
        let in_group = match &principal.groups {
            Groups::Known(groups) => member.groups.iter().any(|group| groups.contains(group)),
            Groups::Unknown { .. } => false,
        };
        let claim = member.claims.is_empty() || principal.claims.contains_key("c");
        member.source == principal.key.source && (member.groups.is_empty() || in_group) && claim
    })
}

/// Action, then width of the pattern.
type Rank = (Action, (usize, usize, std::cmp::Reverse<usize>));

/// The widths of a role's grants that cover, narrowest first.
fn covers(role: &PolicyRole, wanted: &PolicyRequest) -> Option<Rank> {
    let grants = role.grants.iter().map(|granted| &granted.grant);
    grants
        .filter(|grant| grant.hub == wanted.hub && grant.action >= wanted.action)
        .flat_map(|grant| grant.repositories.iter().map(|p| (grant.action, p)))
        .filter(|(_, p)| match &wanted.repository {
            Some(path) => pattern::matches(p, path.as_str()),
            None => *p == "**",
        })
        .map(|(action, p)| (action, pattern::width(p)))
        .min()
}

/// The roles that fit best, by looking at everything.
fn best<'p>(
    policy: &'p Policy,
    principal: &Principal,
    wanted: &PolicyRequest,
) -> Vec<&'p PolicyRole> {
    let fits = |role: &&PolicyRole| {
        is_held(role, principal) && wanted.role.as_ref().is_none_or(|name| *name == role.name)
    };
    let found: Vec<_> = policy
        .roles
        .iter()
        .filter(fits)
        .filter_map(|role| Some((covers(role, wanted)?, role)))
        .collect();
    let narrowest = found.iter().map(|(rank, _)| *rank).min();
    let found = found
        .into_iter()
        .filter(|(rank, _)| Some(*rank) == narrowest);
    found.map(|(_, role)| role).collect()
}

proptest! {
    #[test]
    fn the_index_decides_as_a_look_at_everything_does(
        policy in a_policy(), who in a_principal(), wanted in a_wanted(),
    ) {
        let decided = decide(&Index::new(policy.clone()), &who, &wanted);
        match (best(&policy, &who, &wanted).as_slice(), decided) {
            ([one], Ok(decision)) => {
                prop_assert_eq!(&decision.role, &one.name);
                prop_assert_eq!(decision.action, wanted.action);
                let named = decision.rule.split(" (line ").next().unwrap_or_default().to_owned();
                let covering = one.grants.iter().any(|granted| {
                    let grant = &granted.grant;
                    let words = format!(
                        "{} grants {} on {} for {}",
                        one.name, grant.action.word(), grant.hub, grant.repositories[0]
                    );
                    let path = wanted.repository.as_ref().map_or("**", |r| r.as_str());
                    words == named && grant.hub == wanted.hub && grant.action >= wanted.action
                        && pattern::matches(&grant.repositories[0], path)
                });
                prop_assert!(covering, "{} does not cover", decision.rule);
            }
            ([_], Err(refusal)) => prop_assert!(false, "refused: {}", refusal.sentence),
            ([], Ok(decision)) => prop_assert!(false, "granted by {}", decision.rule),
            ([], Err(refusal)) => prop_assert!(!refusal.next.is_empty()),
            (rivals, Err(refusal)) => {
                for rival in rivals {
                    prop_assert!(refusal.sentence.contains(rival.name.as_str()));
                }
            }
            // Identical grants are no question; anything else would be.
            (rivals, Ok(decision)) => {
                prop_assert!(rivals.iter().any(|role| role.name == decision.role));
                let pattern = decision.rule.split(" for ").nth(1).unwrap_or_default();
                let pattern = pattern.split(" (line ").next().unwrap_or_default();
                for role in rivals {
                    let has = |p: &String| p == pattern;
                    let mut all = role.grants.iter().flat_map(|g| &g.grant.repositories);
                    prop_assert!(all.any(has), "{} has no {pattern}", role.name);
                }
            }
        }
    }

    #[test]
    fn nothing_is_granted_by_an_empty_policy(who in a_principal(), wanted in a_wanted()) {
        let index = Index::new(Policy { org: org(), roles: Vec::new() });
        prop_assert!(decide(&index, &who, &wanted).is_err());
        prop_assert!(holdings(&index, &who).is_empty());
    }

    #[test]
    fn one_more_role_takes_nothing_away_unless_it_ties(
        policy in a_policy(), more in a_role(), who in a_principal(), wanted in a_wanted(),
    ) {
        let before = decide(&Index::new(policy.clone()), &who, &wanted);
        let mut wider = policy;
        let added = PolicyRole { name: "r9".parse().unwrap(), ..more };
        wider.roles.push(added);
        match (before, decide(&Index::new(wider), &who, &wanted)) {
            (Ok(before), Err(refusal)) => prop_assert!(
                refusal.sentence.contains("r9") && refusal.sentence.contains(before.role.as_str())
                    && refusal.sentence.contains("equally well"),
                "{}", refusal.sentence
            ),
            (Ok(before), Ok(after)) => prop_assert!(after.role == before.role || after.role.as_str() == "r9"),
            (Err(_), _) => {}
        }
    }

    #[test]
    fn the_order_of_the_file_does_not_matter(
        policy in a_policy(), who in a_principal(), wanted in a_wanted(), turn in 0..6usize,
    ) {
        let mut turned = policy.clone();
        for role in &mut turned.roles {
            role.members.reverse();
            role.grants.reverse();
        }
        let by = turn.min(turned.roles.len());
        turned.roles.rotate_left(by);
        let (one, other) = (Index::new(policy), Index::new(turned));
        let role = |index: &Index| decide(index, &who, &wanted).ok().map(|d| (d.role, d.action));
        prop_assert_eq!(role(&one), role(&other));
        prop_assert_eq!(held_names(&one, &who), held_names(&other, &who));
    }

    #[test]
    fn who_is_told_to_hold_a_role_holds_it(policy in a_policy(), who in a_principal()) {
        let index = Index::new(policy.clone());
        let told: Vec<String> = holdings(&index, &who).iter().map(|h| h.role.to_string()).collect();
        let held = policy.roles.iter().filter(|role| is_held(role, &who));
        let held: Vec<String> = held.map(|role| role.name.to_string()).collect();
        prop_assert_eq!(told, held);
    }
}

#[test]
fn a_diff_of_very_many_groups_takes_one_pass() {
    const MANY: usize = 200_000;
    let mut old = fixture::policy();
    old.roles[0].members[0].groups = (0..MANY).map(|n| format!("g{n}")).collect();
    let mut new = old.clone();
    new.roles[0].members[0].groups.pop();
    assert_eq!(diff(&old, &new).len(), 1);
}
