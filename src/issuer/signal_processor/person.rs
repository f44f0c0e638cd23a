//! One person: as kept, as a principal, and what an end of theirs is.

use oam_model::audit::AuditEvent;
use oam_model::feed::FeedEvent;
use oam_model::name::{RoleName, SourceName};
use oam_model::policy::{Member, Policy};
use oam_model::principal::{Groups, Principal, PrincipalKey, PrincipalKind};
use oam_model::signal::{SignalMeaning, SignalSubject};
use oam_policy::account::Author;
use oam_policy::admission::{Facts, RolesAfter, roles_after_signal};
use oam_policy::policy::{Index, held_names};
use oam_store::{EndKind, Ended, PersonRow, StoreChange};
use std::collections::HashMap;
use std::sync::Arc;

/// Longest reason of an administrator, characters.
const LONGEST_REASON: usize = 200;

/// What admission needs to know of a person or job, and of the session that the token has.
pub fn facts(row: &PersonRow, session_since: Option<u64>) -> Facts {
    Facts {
        account: row.account.ended().map(|(_, end)| end.clone()),
        session: row.account.session.clone(),
        doubt: row.account.doubt.clone(),
        session_since,
        proven_at: row.seen.proven_at,
        groups: row.seen.groups.clone(),
        groups_changed_at_ms: row.groups_changed_at_ms,
        teams: row.team_groups().to_vec(),
        directory: row.directory.clone(),
    }
}

/// Whether somebody is to be looked for.
pub(super) const fn speaks_of_people(meaning: &SignalMeaning) -> bool {
    matches!(
        meaning,
        SignalMeaning::AccountEnded
            | SignalMeaning::AccountRestored
            | SignalMeaning::SessionEnded
            | SignalMeaning::SessionDoubtful
            | SignalMeaning::ClaimsChanged { .. }
    )
}

/// The names by which nobody is missed: one that says no less than another finds nobody whom that one does not.
/// So a person is kept once, and not with each of their sessions. None is empty.
pub(super) fn widest<'a>(names: impl Iterator<Item = &'a SignalSubject>) -> Vec<SignalSubject> {
    let mut kept: Vec<SignalSubject> = Vec::new();
    for name in names.filter(|name| !name.is_empty()) {
        if !kept.iter().any(|known| covers(known, name)) {
            kept.retain(|known| !covers(name, known));
            kept.push(name.clone());
        }
    }
    kept
}

fn covers(wide: &SignalSubject, narrow: &SignalSubject) -> bool {
    let members = |name: &SignalSubject| {
        let SignalSubject {
            issuer,
            subject,
            email,
            key,
            session,
        } = name.clone();
        [issuer, subject, email, key, session]
    };
    let mut pairs = members(wide).into_iter().zip(members(narrow));
    pairs.all(|(wide, narrow)| wide.is_none() || wide == narrow)
}

/// The name for people.
pub(crate) fn shown(row: &PersonRow) -> Option<String> {
    row.seen.username.clone().or_else(|| row.seen.email.clone())
}

pub(super) const fn what_ended(kind: EndKind) -> &'static str {
    match kind {
        EndKind::Account => "account ended",
        EndKind::Session => "session ended",
        EndKind::Doubt => "session in doubt",
    }
}

/// The change with what the feed says.
pub(crate) fn end(key: PrincipalKey, author: Author, ended: Ended) -> StoreChange {
    let (at_ms, reason) = (ended.at_ms, ended.reason.clone());
    let feed = match ended.kind {
        EndKind::Account | EndKind::Session => FeedEvent::Revoked { at_ms, reason },
        EndKind::Doubt => FeedEvent::Doubt { at_ms, reason },
    };
    StoreChange::End {
        key,
        author,
        ended,
        feed,
    }
}

/// An administrator's end, with its entry's event and words.
pub(super) fn ordered(
    key: &PrincipalKey,
    kind: EndKind,
    words: Option<&str>,
    now_ms: u64,
) -> (AuditEvent, StoreChange, String) {
    let reason = words.map(one_line).filter(|words| !words.is_empty());
    let reason = reason.map_or_else(
        || "revoked by an administrator".to_owned(),
        |words| format!("revoked by an administrator ({words})"),
    );
    let ended = Ended {
        kind,
        at_ms: now_ms,
        reason: reason.clone(),
    };
    let detail = format!("{}: {reason}", what_ended(kind));
    (
        AuditEvent::Revocation,
        end(key.clone(), Author::Administrator, ended),
        detail,
    )
}

/// An administrator's words go to screens of others: one line, no control characters.
fn one_line(words: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let text: String = words.chars().map(plain).take(LONGEST_REASON).collect();
    text.trim().to_owned()
}

pub(crate) fn listed(roles: &[RoleName]) -> String {
    if roles.is_empty() {
        return "none".to_owned();
    }
    let names: Vec<&str> = roles.iter().map(RoleName::as_str).collect();
    names.join(", ")
}

/// The roles of a person with other groups; with the directory's, where it says them. Claims are not kept: a role that was held is taken to have its
/// conditions on claims fulfilled still, and one that was not is not gained; the next token decides.
pub(super) fn roles_with(
    policy: &Index,
    row: &PersonRow,
    groups: Option<Vec<String>>,
) -> RolesAfter {
    let relaxed = relaxed(policy, Some(policy), &row.held);
    let said = row.directory_groups().map(<[String]>::to_vec);
    let all = said
        .or(groups)
        .map(|groups| [&groups, row.team_groups()].concat());
    roles_by(&relaxed, row, all)
}

/// The policy for people and jobs of whom only groups and these held roles are kept, as [`roles_with`] says.
/// A condition on claims is taken as fulfilled only where it stood in the policy by which the roles were held,
/// `was`: of another one it is not known.
fn relaxed(policy: &Index, was: Option<&Index>, held: &[RoleName]) -> Index {
    Index::new(without_claims(policy.policy(), was, held))
}

/// A policy as [`relaxed`] gives it, made once for those who hold the same roles.
pub(crate) struct Relaxed<'a> {
    policy: &'a Index,
    was: Option<&'a Index>,
    under: HashMap<Vec<RoleName>, Index>,
}

impl<'a> Relaxed<'a> {
    pub(crate) fn new(policy: &'a Index, was: Option<&'a Index>) -> Self {
        Self {
            policy,
            was,
            under: HashMap::new(),
        }
    }

    pub(crate) fn of(&mut self, held: &[RoleName]) -> &Index {
        self.under
            .entry(held.to_vec())
            .or_insert_with(|| relaxed(self.policy, self.was, held))
    }
}

/// The roles of a person under such a policy, with the groups as kept.
pub(crate) fn roles_under(relaxed: &Index, row: &PersonRow) -> RolesAfter {
    roles_by(relaxed, row, row.counting_groups().all())
}

/// The same with these groups.
pub(crate) fn roles_by(
    relaxed: &Index,
    row: &PersonRow,
    groups: Option<Vec<String>>,
) -> RolesAfter {
    let principal = principal(row, groups);
    roles_after_signal(&row.held, held_names(relaxed, &principal))
}

fn without_claims(policy: &Policy, was: Option<&Index>, held: &[RoleName]) -> Policy {
    let mut policy = policy.clone();
    for role in &mut policy.roles {
        let before =
            was.and_then(|was| was.policy().roles.iter().find(|one| one.name == role.name));
        let before: &[Member] = match before {
            Some(before) if held.contains(&role.name) => &before.members,
            _ => &[],
        };
        // All conditions of a source: which of them gave the role is not kept.
        let of = |members: &[Member], source: &SourceName| -> Vec<_> {
            let conditions = members.iter().filter(|one| one.source == *source);
            conditions
                .map(|one| (one.groups.clone(), one.claims.clone()))
                .collect()
        };
        let now = role.members.clone();
        role.members.retain_mut(|member| {
            let same = of(before, &member.source) == of(&now, &member.source);
            if same {
                member.claims.clear();
            }
            member.claims.is_empty()
        });
    }
    policy
}

fn principal(row: &PersonRow, groups: Option<Vec<String>>) -> Principal {
    let seen = &row.seen;
    Principal {
        key: seen.key.clone(),
        kind: PrincipalKind::Person,
        issuer: seen.issuer.clone(),
        subject: seen.subject.clone(),
        username: seen.username.clone(),
        email: seen.email.clone(),
        email_verified: false,
        groups: groups.map_or_else(
            || Groups::Unknown {
                sentence: "the identity provider said that the groups changed".to_owned(),
                next: "renew the token".to_owned(),
            },
            Groups::Known,
        ),
        session: seen.session.clone(),
        claims: Arc::default(),
        proven_at: seen.proven_at,
        auth_time: None,
        expires_at: seen.proven_at,
    }
}
