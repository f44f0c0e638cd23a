//! Role selection: the narrowest role that covers the ask, or a refusal that names the rivals.

use oam_model::name::{Repository, RoleName};
use oam_model::refusal::Refusal;
use oam_model::role::{Action, OfflineRule, Role};
use oam_model::settings::{Hub, Org, UnknownIntent};
use oam_model::token_request::Intent;
use oam_policy::pattern;
use oam_policy::tie::{self, Rival};

/// The role chosen, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    pub role: RoleName,
    /// The action that the token is asked with.
    pub action: Action,
    /// The grant that matched, in words.
    pub rule: String,
    /// Longest life, seconds.
    pub lifetime_s: u64,
    /// What holds when the identity can't be proven.
    pub offline: OfflineRule,
}

/// What is asked of one hub.
#[derive(Debug, Clone, Copy)]
pub struct AccessRequest<'a> {
    /// The repository; none: the whole hub.
    pub repository: Option<&'a Repository>,
    /// Read or write.
    pub intent: Intent,
    /// A role that the person named.
    pub role: Option<&'a RoleName>,
    /// git asks, which tells no path unless it is set up so.
    pub by_git: bool,
}

/// The roles that count at an organization: its own, or those that its issuer says.
#[derive(Debug, Clone, Copy)]
pub struct Roles<'a> {
    /// The organization.
    pub org: &'a Org,
    pub roles: &'a [Role],
}

/// Whether a member of `groups` holds `role`.
pub fn holds(role: &Role, groups: &[String]) -> bool {
    role.groups.is_empty() || role.groups.iter().any(|wanted| groups.contains(wanted))
}

/// Chooses the role for `wish` among those that a member of `groups` holds.
///
/// # Errors
/// `denied` when no grant covers the ask, or when two roles cover it equally well.
pub fn choose(
    of: Roles<'_>,
    hub: &Hub,
    groups: &[String],
    wish: AccessRequest<'_>,
    unknown: UnknownIntent,
) -> Result<Choice, Refusal> {
    match (wish.intent, unknown) {
        (Intent::Read, _) | (Intent::Unknown, UnknownIntent::Read) => {
            pick(of, hub, groups, wish, Action::Read)
        }
        (Intent::Write, _) => pick(of, hub, groups, wish, Action::Write),
        (Intent::Unknown, UnknownIntent::Refuse) => Err(Refusal::denied(
            "this program does not tell whether it reads or writes, and `unknown_intent` is \"refuse\"",
            "use git or `oam exec`, or set unknown_intent in config.toml",
        )),
        (Intent::Unknown, UnknownIntent::Write) => {
            let covered = candidates(of, hub, groups, wish, Action::Write)
                .next()
                .is_some();
            let needed = if covered { Action::Write } else { Action::Read };
            pick(of, hub, groups, wish, needed)
        }
    }
}

/// A role with the grant of it that covers the wish.
struct Candidate<'a> {
    role: &'a Role,
    widest: Action,
    pattern: &'a str,
}

impl Candidate<'_> {
    fn rival(&self) -> Rival<'_> {
        Rival {
            priority: self.role.priority,
            pattern: self.pattern,
            lifetime_s: self.role.lifetime_s,
            offline: self.role.offline,
        }
    }
}

fn candidates<'a>(
    of: Roles<'a>,
    hub: &'a Hub,
    groups: &'a [String],
    wish: AccessRequest<'a>,
    needed: Action,
) -> impl Iterator<Item = Candidate<'a>> {
    of.roles
        .iter()
        .filter(move |role| holds(role, groups) && wish.role.is_none_or(|name| *name == role.name))
        .filter_map(move |role| narrowest_grant(role, hub, wish, needed))
}

fn narrowest_grant<'a>(
    role: &'a Role,
    hub: &Hub,
    wish: AccessRequest<'_>,
    needed: Action,
) -> Option<Candidate<'a>> {
    role.grants
        .iter()
        .filter(|grant| grant.hub == hub.name && grant.action >= needed)
        .flat_map(|grant| grant.repositories.iter().map(move |p| (grant.action, p)))
        .filter(|(_, p)| covers(p, wish.repository))
        .min_by_key(|(action, p)| (*action, pattern::width(p)))
        .map(|(widest, pattern)| Candidate {
            role,
            widest,
            pattern,
        })
}

/// Without a repository only a pattern for everything covers the ask.
fn covers(pattern: &str, repository: Option<&Repository>) -> bool {
    repository.map_or(pattern == "**", |r| pattern::matches(pattern, r.as_str()))
}

fn pick(
    of: Roles<'_>,
    hub: &Hub,
    groups: &[String],
    wish: AccessRequest<'_>,
    needed: Action,
) -> Result<Choice, Refusal> {
    let mut found: Vec<Candidate<'_>> = candidates(of, hub, groups, wish, needed).collect();
    found.sort_by_key(|c| (c.widest, pattern::width(c.pattern)));
    let Some(best) = found.first() else {
        return Err(nothing(of, hub, groups, wish, needed));
    };
    let rank = |c: &Candidate<'_>| (c.widest, pattern::width(c.pattern));
    let rivals: Vec<&Candidate<'_>> = found.iter().filter(|c| rank(c) == rank(best)).collect();
    let all: Vec<Rival<'_>> = rivals.iter().map(|c| c.rival()).collect();
    let Some(best) = tie::settle(&all).and_then(|at| rivals.get(at)) else {
        let names: Vec<&str> = rivals.iter().map(|c| c.role.name.as_str()).collect();
        return Err(Refusal::denied(
            format!(
                "{} cover {} on {} equally well",
                names.join(" and "),
                wanted(wish),
                hub.name
            ),
            "name one with --role, or have one of the roles given a `priority` in the policy",
        ));
    };
    Ok(Choice {
        role: best.role.name.clone(),
        action: needed,
        rule: format!(
            "{} grants {} on {} for {}",
            best.role.name,
            best.widest.word(),
            hub.name,
            best.pattern
        ),
        lifetime_s: best.role.lifetime_s,
        offline: best.role.offline,
    })
}

fn wanted(wish: AccessRequest<'_>) -> String {
    wish.repository
        .map_or_else(|| "the whole hub".to_owned(), ToString::to_string)
}

/// Says what is missing: a role by name, membership, the path, or any grant at all.
fn nothing(
    of: Roles<'_>,
    hub: &Hub,
    groups: &[String],
    wish: AccessRequest<'_>,
    needed: Action,
) -> Refusal {
    if let Some(name) = wish.role {
        return named_role(of, hub, groups, wish, needed, name);
    }
    let (org_name, hub_name) = (&of.org.name, &hub.name);
    if wish.repository.is_none() {
        return Refusal::denied(
            format!("no repository was named, and no role of yours covers all of {hub_name}"),
            if wish.by_git {
                "run `oam setup git` so that git tells the path"
            } else {
                "name it with --repo, and add --write to write"
            },
        );
    }
    let would = of
        .roles
        .iter()
        .find(|role| narrowest_grant(role, hub, wish, needed).is_some());
    let next = match would {
        None => format!("ask the administrators of {org_name} for a role; `oam roles` shows yours"),
        Some(role) => {
            let groups = role.groups.join(", ");
            format!(
                "{} grants it to members of {groups}; ask for that",
                role.name
            )
        }
    };
    let (word, what) = (needed.word(), wanted(wish));
    Refusal::denied(
        format!("no role of yours grants {word} on {hub_name} for {what}"),
        next,
    )
}

/// What is wrong with the role that the person named.
fn named_role(
    of: Roles<'_>,
    hub: &Hub,
    groups: &[String],
    wish: AccessRequest<'_>,
    needed: Action,
    name: &RoleName,
) -> Refusal {
    let (org, org_name) = (of.org, &of.org.name);
    match of.roles.iter().find(|role| role.name == *name) {
        // Here are only the roles that the issuer says are held.
        None if org.exchange.issuer().is_some() => Refusal::denied(
            format!("you do not hold {name} at {org_name}"),
            format!("`oam roles` lists yours; ask the administrators of {org_name} for it"),
        ),
        None => Refusal::denied(
            format!("{org_name} has no role named {name}"),
            "`oam roles` lists them",
        ),
        Some(role) if !holds(role, groups) => {
            let wanted = role.groups.join(", ");
            Refusal::denied(
                format!("you do not hold {name}: its groups are {wanted}"),
                format!("ask the administrators of {org_name} for one of these groups"),
            )
        }
        Some(_) => {
            let (word, hub_name, what) = (needed.word(), &hub.name, wanted(wish));
            Refusal::denied(
                format!("{name} does not grant {word} on {hub_name} for {what}"),
                "`oam roles` shows what it grants",
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::fixture::settings;
    use oam_model::refusal::RefusalCode;

    fn ask(groups: &[&str], repository: Option<&str>, intent: Intent) -> Result<Choice, Refusal> {
        let settings = settings();
        let org = &settings.orgs[0];
        let groups: Vec<String> = groups.iter().map(|g| (*g).to_owned()).collect();
        let repository = repository.map(|r| r.parse().unwrap());
        let wish = AccessRequest {
            repository: repository.as_ref(),
            intent,
            role: None,
            by_git: true,
        };
        let of = Roles {
            org,
            roles: &org.roles,
        };
        choose(of, &org.hubs[0], &groups, wish, UnknownIntent::Write)
    }

    #[test]
    fn a_read_gets_the_reader_even_when_the_person_holds_write() {
        let choice = ask(&["publishers"], Some("acme/model"), Intent::Read).unwrap();
        assert_eq!(
            (choice.role.as_str(), choice.action),
            ("reader", Action::Read)
        );
    }

    #[test]
    fn a_push_gets_the_publisher_and_a_reader_is_refused_with_the_group_that_would_help() {
        assert_eq!(
            ask(&["publishers"], Some("acme/model"), Intent::Write)
                .unwrap()
                .role
                .as_str(),
            "publisher"
        );
        let refusal = ask(&[], Some("acme/model"), Intent::Write).unwrap_err();
        assert_eq!(refusal.code, RefusalCode::Denied);
        assert!(refusal.next.contains("publishers"), "{}", refusal.next);
    }

    #[test]
    fn unknown_intent_writes_only_if_the_person_holds_it() {
        assert_eq!(
            ask(&["publishers"], Some("acme/m"), Intent::Unknown)
                .unwrap()
                .action,
            Action::Write
        );
        assert_eq!(
            ask(&[], Some("acme/m"), Intent::Unknown).unwrap().action,
            Action::Read
        );
    }

    #[test]
    fn a_tie_is_refused_and_names_the_rivals_and_identical_grants_are_none() {
        let groups = ["publishers", "twins"].map(str::to_owned);
        let choice = ask(&["publishers", "twins"], Some("acme/model"), Intent::Write).unwrap();
        assert_eq!(choice.role.as_str(), "publisher");
        let mut settings = settings();
        for (role, pattern) in [("publisher", "acme/mod*"), ("twin", "acme/*del")] {
            let role = settings.orgs[0]
                .roles
                .iter_mut()
                .find(|one| one.name.as_str() == role)
                .unwrap();
            role.grants[0].repositories = vec![pattern.into()];
        }
        let org = &settings.orgs[0];
        let of = Roles {
            org,
            roles: &org.roles,
        };
        let repository = "acme/model".parse().unwrap();
        let wish = AccessRequest {
            by_git: false,
            repository: Some(&repository),
            intent: Intent::Write,
            role: None,
        };
        let refusal = choose(of, &org.hubs[0], &groups, wish, UnknownIntent::Write).unwrap_err();
        assert!(
            refusal.sentence.contains("publisher and twin"),
            "{}",
            refusal.sentence
        );
    }

    #[test]
    fn without_a_path_only_a_role_for_the_whole_hub_answers() {
        let refusal = ask(&["publishers"], None, Intent::Read).unwrap_err();
        assert!(refusal.next.contains("oam setup git"));
        assert_eq!(
            ask(&["auditors"], None, Intent::Read)
                .unwrap()
                .role
                .as_str(),
            "auditor"
        );
    }

    #[test]
    fn a_path_outside_the_grant_is_refused() {
        for path in [
            "acmex/model",
            "other/model",
            "acme/team/model",
            "datasets/acme/model",
        ] {
            assert!(
                ask(&["publishers"], Some(path), Intent::Read).is_err(),
                "{path}"
            );
        }
    }
}
