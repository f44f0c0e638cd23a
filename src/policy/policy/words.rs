//! Rules in words, with their lines.

use super::grants::Cover;
use super::members::RoleMembership;
use oam_model::policy::{Member, PolicyRequest, PolicyRole};

/// `model-publisher grants write on models for acme/* (line 31)`.
pub(super) fn rule(role: &PolicyRole, cover: &Cover) -> String {
    let Some(granted) = role.grants.get(cover.grant) else {
        return role.name.to_string();
    };
    let pattern = granted.grant.repositories.get(cover.pattern);
    format!(
        "{} grants {} on {} for {} (line {})",
        role.name,
        granted.grant.action.word(),
        granted.grant.hub,
        pattern.map_or("", String::as_str),
        granted.line
    )
}

/// `member of ml-publishers at okta (line 28)`.
pub(super) fn because(role: &PolicyRole, holding: &RoleMembership) -> String {
    let Some(member) = role.members.get(holding.member) else {
        return role.name.to_string();
    };
    let group = holding.group.and_then(|at| member.groups.get(at));
    let who = match group {
        Some(group) => format!("member of {group} at {}", member.source),
        None if member.claims.is_empty() => format!("anybody at {}", member.source),
        None => format!("known at {}", member.source),
    };
    let with = conditions(member).map_or_else(String::new, |text| format!(" with {text}"));
    format!("{who}{with} (line {})", member.line)
}

/// `department = research or platform-*, level = 3`: the conditions on claims, if there are any.
pub(super) fn conditions(member: &Member) -> Option<String> {
    let texts: Vec<String> = member
        .claims
        .iter()
        .map(|(name, patterns)| format!("{name} = {}", patterns.join(" or ")))
        .collect();
    (!texts.is_empty()).then(|| texts.join(", "))
}

/// Who holds a role by this rule: `members of a or b at okta with …`.
pub(super) fn who(member: &Member) -> String {
    let people = if member.groups.is_empty() {
        format!("everybody at {}", member.source)
    } else {
        format!(
            "members of {} at {}",
            member.groups.join(" or "),
            member.source
        )
    };
    match conditions(member) {
        Some(text) => format!("{people} with {text}"),
        None => people,
    }
}

/// What is asked for: a repository, or the whole hub.
pub(super) fn resource(wanted: &PolicyRequest) -> String {
    let repository = wanted.repository.as_ref();
    repository.map_or_else(|| "the whole hub".to_owned(), ToString::to_string)
}
