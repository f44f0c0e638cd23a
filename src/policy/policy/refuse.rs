//! What is missing, in words: a role by its name, membership, groups that are unknown, or any grant at all.

use super::grants::Cover;
use super::members::HeldRoles;
use super::words;
use super::{Index, Reader};
use oam_model::name::RoleName;
use oam_model::policy::{Member, PolicyRequest, PolicyRole};
use oam_model::principal::{Groups, Principal, PrincipalKind};
use oam_model::refusal::Refusal;

/// Two roles cover it equally well.
pub(super) fn tie(index: &Index, rivals: &[Cover], wanted: &PolicyRequest) -> Refusal {
    let names: Vec<&str> = rivals
        .iter()
        .map(|cover| index.role(cover.role).name.as_str())
        .collect();
    Refusal::denied(
        format!(
            "{} cover {} on {} equally well",
            names.join(" and "),
            words::resource(wanted),
            wanted.hub
        ),
        "name one with --role, or have one of the roles given a `priority` in the policy",
    )
}

/// The role that was named is not in the policy.
pub(super) fn unknown_role(
    reader: Reader,
    principal: &Principal,
    name: &RoleName,
    held: &HeldRoles,
) -> Refusal {
    if is_stranger(reader, principal, held) {
        return stranger();
    }
    Refusal::denied(
        format!("there is no role {name} here"),
        match (reader, principal.kind) {
            (Reader::Administrator, _) => "look at the names of the roles in the policy",
            (Reader::Principal, PrincipalKind::Person) => "`oam roles` lists yours",
            (Reader::Principal, PrincipalKind::Job) => STRANGER,
        },
    )
}

/// A job that holds nothing. Every refusal of its is the same: another one for a role that there is would tell
/// it the names of roles one by one.
fn is_stranger(reader: Reader, principal: &Principal, held: &HeldRoles) -> bool {
    reader == Reader::Principal && principal.kind == PrincipalKind::Job && held.is_empty()
}

fn stranger() -> Refusal {
    Refusal::denied("no role is held by this job", STRANGER)
}

/// What a job is told that holds nothing. A job of a shared CI system can be anybody's, and the organization's
/// roles and groups are not for strangers to read.
const STRANGER: &str = "ask the administrators to name this job's claims in a role; `oam-issuer policy why` shows what is missing";

/// No role held covers it.
pub(super) fn nothing(
    reader: Reader,
    index: &Index,
    principal: &Principal,
    wanted: &PolicyRequest,
    held: &HeldRoles,
) -> Refusal {
    if is_stranger(reader, principal, held) {
        return stranger();
    }
    // Groups that are not known are not "none": a role that they may give is not denied for want of them.
    if let Groups::Unknown { sentence, next } = &principal.groups {
        let by_group = |member: &Member| !member.groups.is_empty();
        if would_cover(index, principal, wanted, by_group).is_some() {
            return Refusal::denied(sentence.clone(), next.clone());
        }
    }
    if let Some(name) = &wanted.role {
        return named(reader, index, (principal, held), wanted, name);
    }
    if wanted.repository.is_none() {
        return Refusal::denied(
            format!(
                "no repository was named, and no role of {} covers all of {}",
                whose(reader, principal),
                wanted.hub
            ),
            match principal.kind {
                PrincipalKind::Person => {
                    "name the repository with --repo; for git run `oam setup git`, so that it tells the path"
                }
                PrincipalKind::Job => "name the repository with --repo",
            },
        );
    }
    let next = match would_cover(index, principal, wanted, |_| true) {
        None => format!(
            "no role of {} grants that to anybody; ask its administrators for one",
            index.policy.org.name
        ),
        Some(role) => format!("{} grants it to {}; ask for that", role.name, holders(role)),
    };
    Refusal::denied(
        format!(
            "no role of {} grants {} on {} for {}",
            whose(reader, principal),
            wanted.action.word(),
            wanted.hub,
            words::resource(wanted)
        ),
        next,
    )
}

/// What is wrong with the role that was named.
fn named(
    reader: Reader,
    index: &Index,
    (principal, held): (&Principal, &HeldRoles),
    wanted: &PolicyRequest,
    name: &RoleName,
) -> Refusal {
    if held_by_name(index, held, name) {
        return Refusal::denied(
            format!(
                "{name} does not grant {} on {} for {}",
                wanted.action.word(),
                wanted.hub,
                words::resource(wanted)
            ),
            "leave the role out to get the narrowest that does; `oam roles` shows what each one grants",
        );
    }
    let Some(role) = index.by_name.get(name).map(|at| index.role(*at)) else {
        return unknown_role(reader, principal, name, held);
    };
    Refusal::denied(
        format!("{name} is not held by {}", whom(reader, principal)),
        format!("it is for {}; ask for that", holders(role)),
    )
}

/// The narrowest role that would cover it, among those that principals of the same source can hold by a rule
/// that `fits`.
fn would_cover<'i>(
    index: &'i Index,
    principal: &Principal,
    wanted: &PolicyRequest,
    fits: impl Fn(&Member) -> bool,
) -> Option<&'i PolicyRole> {
    let named = wanted
        .role
        .as_ref()
        .and_then(|name| index.by_name.get(name));
    let reachable = |role: usize| {
        let rule = |member: &Member| member.source == principal.key.source && fits(member);
        named.is_none_or(|named| *named == role) && index.role(role).members.iter().any(rule)
    };
    let covers = index.grants.narrowest(wanted, reachable);
    covers.first().map(|cover| index.role(cover.role))
}

fn held_by_name(index: &Index, held: &HeldRoles, name: &RoleName) -> bool {
    index.by_name.get(name).is_some_and(|at| held.contains(*at))
}

fn holders(role: &PolicyRole) -> String {
    let who: Vec<String> = role.members.iter().map(words::who).collect();
    if who.is_empty() {
        "nobody".to_owned()
    } else {
        who.join(", or ")
    }
}

fn whose(reader: Reader, principal: &Principal) -> String {
    match (reader, principal.kind) {
        (Reader::Administrator, _) => principal.key.to_string(),
        (Reader::Principal, PrincipalKind::Person) => "yours".to_owned(),
        (Reader::Principal, PrincipalKind::Job) => "this job".to_owned(),
    }
}

fn whom(reader: Reader, principal: &Principal) -> String {
    match (reader, principal.kind) {
        (Reader::Administrator, _) => principal.key.to_string(),
        (Reader::Principal, PrincipalKind::Person) => "you".to_owned(),
        (Reader::Principal, PrincipalKind::Job) => "this job".to_owned(),
    }
}
