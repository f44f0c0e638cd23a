//! Roles that have the grants of others too: `include`, resolved here once so that decisions need not.

use crate::fields::Placed;
use crate::suggest;
use crate::tree::{FaultCollector, Span, shown};
use oam_model::policy::{PolicyGrant, PolicyRole};
use std::collections::{HashMap, HashSet};

/// A role as written.
pub(super) struct Draft<'t> {
    pub(super) key: &'t str,
    pub(super) place: Span,
    pub(super) include: Vec<Placed<&'t str>>,
    /// No `members` key at all: it is there to be included.
    pub(super) without_members: bool,
    pub(super) role: PolicyRole,
}

/// The roles with the grants of those that they include. Members, lifetime and offline rule are a role's own.
pub(super) fn flatten(drafts: Vec<Draft<'_>>, report: &mut FaultCollector<'_>) -> Vec<PolicyRole> {
    let links = links(&drafts, report);
    check_cycles(&drafts, &links, report);
    check_idle(&drafts, &links, report);
    // A file with a fault gives no policy, and a circle has no end of what it includes.
    if !report.is_clean() {
        return drafts.into_iter().map(|draft| draft.role).collect();
    }
    let grants: Vec<Vec<PolicyGrant>> = (0..drafts.len())
        .map(|at| gather(at, &drafts, &links))
        .collect();
    drafts
        .into_iter()
        .zip(grants)
        .map(|(draft, grants)| PolicyRole {
            grants,
            ..draft.role
        })
        .collect()
}

/// For each role the roles that it includes, by index, with the place of the name.
type Links = Vec<Vec<(usize, Span)>>;

fn links(drafts: &[Draft<'_>], report: &mut FaultCollector<'_>) -> Links {
    let known: Vec<&str> = drafts.iter().map(|draft| draft.key).collect();
    let places: HashMap<&str, usize> = known
        .iter()
        .enumerate()
        .map(|(at, key)| (*key, at))
        .collect();
    drafts
        .iter()
        .map(|draft| {
            let named = draft.include.iter();
            named
                .filter_map(|name| {
                    let at = places.get(name.value).copied();
                    if at.is_none() {
                        report.add(
                            name.place,
                            format!("there is no role `{}`", shown(name.value)),
                            suggest::advice(name.value, &known),
                        );
                    }
                    Some((at?, name.place))
                })
                .collect()
        })
        .collect()
}

/// Reports every circle once, as the path through it: at the include that closes it.
fn check_cycles(drafts: &[Draft<'_>], links: &Links, report: &mut FaultCollector<'_>) {
    let mut done = vec![false; drafts.len()];
    // Where on the path a role stands.
    let mut steps: HashMap<usize, usize> = HashMap::new();
    for start in 0..drafts.len() {
        if done[start] {
            continue;
        }
        // A path of its own, not recursion: a file may chain more roles than the stack has frames.
        let mut path: Vec<(usize, usize)> = vec![(start, 0)];
        steps.insert(start, 0);
        while let Some((at, next)) = path.last().copied() {
            let Some((to, place)) = links[at].get(next).copied() else {
                done[at] = true;
                path.pop();
                steps.remove(&at);
                continue;
            };
            if let Some(last) = path.last_mut() {
                last.1 += 1;
            }
            if let Some(from) = steps.get(&to).copied() {
                let names: Vec<&str> = path[from..]
                    .iter()
                    .map(|(on, _)| drafts[*on].key)
                    .chain([drafts[to].key])
                    .collect();
                report.add(
                    place,
                    format!(
                        "roles include each other in a circle: {}",
                        names.join(" → ")
                    ),
                    "remove one of the includes",
                );
            } else if !done[to] {
                steps.insert(to, path.len());
                path.push((to, 0));
            }
        }
    }
}

/// A role without `members` that nobody includes does nothing: a line was forgotten.
fn check_idle(drafts: &[Draft<'_>], links: &Links, report: &mut FaultCollector<'_>) {
    let included: HashSet<usize> = links.iter().flatten().map(|(to, _)| *to).collect();
    for (at, draft) in drafts.iter().enumerate() {
        if draft.without_members && !included.contains(&at) {
            report.add(
                draft.place,
                format!(
                    "`roles.{}` has no `members`, and no role includes it, so nobody holds it",
                    shown(draft.key)
                ),
                "add members = [{ source = \"…\", groups = [\"…\"] }], or remove the role",
            );
        }
    }
}

/// A role's own grants, then those of what it includes, each once.
fn gather(start: usize, drafts: &[Draft<'_>], links: &Links) -> Vec<PolicyGrant> {
    let mut seen = vec![false; drafts.len()];
    let mut open = vec![start];
    let mut grants: Vec<PolicyGrant> = Vec::new();
    let mut known = HashSet::new();
    while let Some(at) = open.pop() {
        if std::mem::replace(&mut seen[at], true) {
            continue;
        }
        for grant in &drafts[at].role.grants {
            if known.insert(&grant.grant) || at == start {
                grants.push(grant.clone());
            }
        }
        open.extend(links[at].iter().rev().map(|(to, _)| *to));
    }
    grants
}
