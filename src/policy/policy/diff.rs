//! What changes between two policies: who gains, who loses what. Rules are compared, not people: a policy does
//! not know who is in a group.

use super::words;
use crate::tie::{Tie, ties};
use oam_model::name::RoleName;
use oam_model::policy::{Member, OrgRules, Policy, PolicyRole};
use oam_model::role::{Action, Grant};
use serde::Serialize;
use std::collections::BTreeMap;

/// What a change means for those whom it concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccessEffect {
    /// They may do less.
    Loses,
    /// They may do more.
    Gains,
    /// Something else is different: a lifetime, a text, the set-up of agents.
    Differs,
}

/// One change; a line of `oam-issuer policy diff`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyChange {
    /// Its meaning.
    pub effect: AccessEffect,
    /// The role; null for the organization's set-up.
    pub role: Option<RoleName>,
    /// Whom it concerns: `members of ml-publishers at okta`; null where it concerns everybody.
    pub who: Option<String>,
    /// What: `write on models for acme/*`, or `lifetime: 15 minutes instead of 10 minutes`.
    pub what: String,
    /// Another role by which they still may: for a loss that is none.
    pub still_by: Option<RoleName>,
}

/// All changes from `old` to `new`: losses first, each kind in the order of roles.
pub fn diff(old: &Policy, new: &Policy) -> Vec<PolicyChange> {
    let mut changes = org_changes(&old.org, &new.org);
    let by_name = |policy: &'_ Policy| -> BTreeMap<RoleName, usize> {
        let roles = policy.roles.iter().enumerate();
        roles.map(|(at, role)| (role.name.clone(), at)).collect()
    };
    let (before, after) = (by_name(old), by_name(new));
    let (all_before, all_after) = (All::of(old), All::of(new));
    for (name, at) in &before {
        let was = facts(&old.roles[*at]);
        let kept = after.get(name).map(|at| &new.roles[*at]);
        let is = kept.map(facts).unwrap_or_default();
        changes.extend(moved(AccessEffect::Loses, name, &was, &is, &all_after));
        changes.extend(moved(AccessEffect::Gains, name, &is, &was, &all_before));
        if let Some(kept) = kept {
            changes.extend(role_changes(&old.roles[*at], kept));
        }
    }
    for (name, at) in after.iter().filter(|(name, _)| !before.contains_key(*name)) {
        let is = facts(&new.roles[*at]);
        changes.extend(moved(
            AccessEffect::Gains,
            name,
            &is,
            &Facts::new(),
            &all_before,
        ));
    }
    let known = ties(old);
    let fresh = ties(new).into_iter().filter(|tie| {
        let same = |other: &Tie| other.roles == tie.roles && other.patterns == tie.patterns;
        !known.iter().any(same)
    });
    changes.extend(fresh.map(|tie| PolicyChange {
        effect: AccessEffect::Differs,
        role: None,
        who: None,
        what: format!("a tie: {}", tie.words()),
        still_by: None,
    }));
    changes.sort_by(|a, b| (a.effect, &a.role).cmp(&(b.effect, &b.role)));
    changes
}

/// Who may do something, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Fact {
    who: String,
    hub: String,
    pattern: String,
}

/// What is allowed by one role, with the widest action.
type Facts = BTreeMap<Fact, Action>;

fn facts(role: &PolicyRole) -> Facts {
    let mut facts = Facts::new();
    for who in role.members.iter().flat_map(atoms) {
        for granted in &role.grants {
            let Grant {
                hub,
                repositories,
                action,
            } = &granted.grant;
            for pattern in repositories {
                let fact = Fact {
                    who: who.clone(),
                    hub: hub.to_string(),
                    pattern: pattern.clone(),
                };
                let widest = facts.entry(fact).or_insert(*action);
                *widest = (*widest).max(*action);
            }
        }
    }
    facts
}

/// A member's rule, one group at a time: a list with one more group concerns the new group only.
fn atoms(member: &Member) -> Vec<String> {
    if member.groups.is_empty() {
        return vec![words::who(member)];
    }
    let mut one = Member {
        source: member.source.clone(),
        groups: Vec::new(),
        claims: member.claims.clone(),
        line: member.line,
    };
    let mut atom = |group: &String| {
        one.groups = vec![group.clone()];
        words::who(&one)
    };
    member.groups.iter().map(&mut atom).collect()
}

/// Everything that a policy allows, with the roles that do.
struct All(BTreeMap<Fact, Vec<(RoleName, Action)>>);

impl All {
    fn of(policy: &Policy) -> Self {
        let mut all: BTreeMap<Fact, Vec<(RoleName, Action)>> = BTreeMap::new();
        for role in &policy.roles {
            for (fact, action) in facts(role) {
                all.entry(fact)
                    .or_default()
                    .push((role.name.clone(), action));
            }
        }
        Self(all)
    }

    /// Another role that gives the same.
    fn elsewhere(&self, role: &RoleName, fact: &Fact, action: Action) -> Option<RoleName> {
        let roles = self.0.get(fact)?;
        let gives = roles
            .iter()
            .find(|(other, has)| other != role && *has >= action);
        gives.map(|(other, _)| other.clone())
    }
}

/// What is in `more` and not in `less`. `other` is the policy that has less of it: where another role there
/// gives the same, nothing is lost, or nothing new gained.
fn moved(
    effect: AccessEffect,
    role: &RoleName,
    more: &Facts,
    less: &Facts,
    other: &All,
) -> Vec<PolicyChange> {
    more.iter()
        .filter(|(fact, action)| less.get(*fact).is_none_or(|had| had < *action))
        .map(|(fact, action)| {
            let left = less.get(fact).map_or_else(String::new, |had| match effect {
                AccessEffect::Loses => format!(" (only {} is left)", had.word()),
                AccessEffect::Gains | AccessEffect::Differs => {
                    format!(" (only {} before)", had.word())
                }
            });
            PolicyChange {
                effect,
                role: Some(role.clone()),
                who: Some(fact.who.clone()),
                what: format!(
                    "{} on {} for {}{left}",
                    action.word(),
                    fact.hub,
                    fact.pattern
                ),
                still_by: other.elsewhere(role, fact, *action),
            }
        })
        .collect()
}

fn role_changes(old: &PolicyRole, new: &PolicyRole) -> Vec<PolicyChange> {
    let mut changes = Vec::new();
    let mut differs = |what: String| {
        changes.push(PolicyChange {
            effect: AccessEffect::Differs,
            role: Some(new.name.clone()),
            who: None,
            what,
            still_by: None,
        });
    };
    if old.priority != new.priority {
        differs(format!(
            "priority: {} instead of {}",
            new.priority, old.priority
        ));
    }
    if old.lifetime_s != new.lifetime_s {
        differs(format!(
            "lifetime: {} s instead of {} s",
            new.lifetime_s, old.lifetime_s
        ));
    }
    if old.offline != new.offline {
        differs(format!(
            "offline: {:?} instead of {:?}",
            new.offline, old.offline
        ));
    }
    if old.description != new.description {
        differs("description".to_owned());
    }
    changes
}

fn org_changes(old: &OrgRules, new: &OrgRules) -> Vec<PolicyChange> {
    let seconds = |ms: u64| format!("{} s", ms / 1000);
    let rows = [
        ("name", old.name.to_string(), new.name.to_string()),
        ("sign_in", old.sign_in.to_string(), new.sign_in.to_string()),
        ("client_id", old.client_id.clone(), new.client_id.clone()),
        ("scopes", old.scopes.join(" "), new.scopes.join(" ")),
        (
            "extra",
            format!("{:?}", old.extra),
            format!("{:?}", new.extra),
        ),
        (
            "redirect_port",
            old.redirect_port.to_string(),
            new.redirect_port.to_string(),
        ),
        (
            "redirect_path",
            old.redirect_path.clone(),
            new.redirect_path.clone(),
        ),
        ("fresh", seconds(old.fresh_ms), seconds(new.fresh_ms)),
        ("lease", seconds(old.lease_ms), seconds(new.lease_ms)),
        (
            "session_age",
            seconds(old.session_age_ms),
            seconds(new.session_age_ms),
        ),
        (
            "device_login",
            old.device_login.to_string(),
            new.device_login.to_string(),
        ),
    ];
    rows.into_iter()
        .filter(|(_, old, new)| old != new)
        .map(|(key, old, new)| PolicyChange {
            effect: AccessEffect::Differs,
            role: None,
            who: None,
            what: format!("org.{key}: {new} instead of {old}"),
            still_by: None,
        })
        .collect()
}
