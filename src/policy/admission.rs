//! Whether a verified principal is still admitted: what ended before, and whether this evidence is later.
//!
//! Ends are told in milliseconds, tokens in whole seconds. An end of a session or account wins over a
//! token of the same second; a doubt does not, because the agent renews at once when it hears of one,
//! and its new token would be refused as if the session were over.

use crate::evidence::{DirectoryEvidence, GroupOrigin, ToldGroups, deciding};
use crate::teams::beside;
use oam_model::name::RoleName;
use oam_model::policy::OrgRules;
use oam_model::principal::{Groups, Principal, PrincipalKind};
use oam_model::refusal::{Refusal, RefusalCode};
use oam_model::standing::StandingWord;

/// An end as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// Unix milliseconds.
    pub at_ms: u64,
    /// Our own words.
    pub reason: String,
}

/// What is kept about a person or job.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// The account is ended until restored.
    pub account: Option<End>,
    /// The last end of a session.
    pub session: Option<End>,
    /// The last doubt.
    pub doubt: Option<End>,
    /// The first evidence of the session that the token has, Unix seconds; none: it is the first. Of a token that
    /// tells none, at a provider that never does: the newest exchange of a code.
    pub session_since: Option<u64>,
    /// The time that the newest evidence speaks of, Unix seconds.
    pub proven_at: u64,
    /// Groups of the last token, or of a later signal.
    pub groups: Option<Vec<String>>,
    /// Unix milliseconds of the last signal that the groups changed.
    pub groups_changed_at_ms: Option<u64>,
    /// What the directory says, if it knows them.
    pub directory: Option<DirectoryEvidence>,
    /// The groups that their teams at GitHub are.
    pub teams: Vec<String>,
}

/// Admits a principal, or says why not. `facts` is none for somebody never seen; `now_ms` Unix ms.
///
/// # Errors
/// `revoked` for an account or a session that was ended by a signal, `ended` for a doubt without a newer
/// token and for a session older than the organization allows.
pub fn admit(
    facts: Option<&Facts>,
    principal: &Principal,
    org: &OrgRules,
    now_ms: u64,
) -> Result<(), Refusal> {
    if let Some(facts) = facts {
        not_ended(facts, principal, org)?;
    }
    not_too_old(facts, principal, org, now_ms)
}

fn not_ended(facts: &Facts, principal: &Principal, org: &OrgRules) -> Result<(), Refusal> {
    let org = org.name.as_str();
    if let Some(end) = &facts.account {
        return Err(Refusal::new(
            RefusalCode::Revoked,
            format!("access to {org} was revoked: {}", end.reason),
            format!(
                "ask the administrators of {org} why; they restore it with `oam-issuer restore`"
            ),
        )
        .because(Some(&end.reason)));
    }
    if let Some(end) = &facts.session
        && !is_later(signed_in_at(facts, principal), end.at_ms)
    {
        if signed_in_at(facts, principal) == end.at_ms / 1000 {
            return Err(within_its_second(org, end));
        }
        if is_untold(principal) {
            return Err(untold(org, end));
        }
        return Err(Refusal::standing(
            org,
            StandingWord::Revoked,
            Some(&end.reason),
        ));
    }
    if let Some(end) = &facts.doubt
        && proven_at(principal) < end.at_ms / 1000
    {
        return Err(Refusal::new(
            RefusalCode::Ended,
            format!("this token of {org} is from before a doubt: {}", end.reason),
            format!("renew it at the identity provider; if that is refused, run `oam login {org}`"),
        )
        .because(Some(&end.reason)));
    }
    Ok(())
}

/// The organization's session age: whatever the provider says, a person must sign in again.
/// Where it tells no time of the sign-in, the first evidence of the session is the latest that it can be of.
fn not_too_old(
    facts: Option<&Facts>,
    principal: &Principal,
    org: &OrgRules,
    now_ms: u64,
) -> Result<(), Refusal> {
    let since = facts.and_then(|facts| facts.session_since);
    // 0: from before it was kept.
    let since = since.filter(|since| *since > 0 && principal.kind == PrincipalKind::Person);
    let Some(signed_in) = principal.auth_time.or(since) else {
        return Ok(());
    };
    let age_ms = now_ms.saturating_sub(signed_in.saturating_mul(1000));
    if age_ms <= org.session_age_ms {
        return Ok(());
    }
    let org = org.name.as_str();
    Err(Refusal::new(
        RefusalCode::Ended,
        format!("the sign-in to {org} is older than the organization allows"),
        format!("run `oam login {org}`"),
    ))
}

/// The sign-in that the token stands for: `auth_time`, else the first evidence of its session (`sid`), for a
/// renewed token is younger than its sign-in. A person's token that tells neither could be a renewed one: it is of
/// the newest sign-in that is on record, if it was made after it, and else from before every end. A job has no
/// session, and each of its tokens stands for itself. An answer about a token proves it alive now and says nothing
/// of a new sign-in.
fn signed_in_at(facts: &Facts, principal: &Principal) -> u64 {
    if let Some(at) = principal.auth_time {
        return at;
    }
    let made = made_at(principal).unwrap_or(0);
    if is_untold(principal) {
        return facts.session_since.filter(|at| *at <= made).unwrap_or(0);
    }
    facts.session_since.map_or(made, |since| since.min(made))
}

/// Whether nothing in a person's token tells a new sign-in from a renewal.
fn is_untold(principal: &Principal) -> bool {
    principal.kind == PrincipalKind::Person
        && principal.auth_time.is_none()
        && principal.session.is_none()
}

fn untold(org: &str, end: &End) -> Refusal {
    Refusal::new(
        RefusalCode::Revoked,
        format!(
            "a session was ended ({}), and this token does not tell a new sign-in from a renewal",
            end.reason
        ),
        format!(
            "run `oam login {org}` with a browser; if that is refused too, the provider must send `auth_time` or `sid`"
        ),
    )
}

/// Tokens tell whole seconds.
fn within_its_second(org: &str, end: &End) -> Refusal {
    Refusal::new(
        RefusalCode::Revoked,
        format!(
            "this sign-in is of the very second in which access ended: {}",
            end.reason
        ),
        format!("run `oam login {org}` once more"),
    )
}

/// When the provider last stood for the session. By its own clock where the token says it: an end by
/// a signal is told by the same clock.
fn proven_at(principal: &Principal) -> u64 {
    made_at(principal).unwrap_or(0).max(principal.proven_at)
}

fn made_at(principal: &Principal) -> Option<u64> {
    principal
        .claims
        .get("iat")
        .and_then(super::claims::read::seconds)
}

const fn is_later(seconds: u64, than_ms: u64) -> bool {
    seconds.saturating_mul(1000) > than_ms
}

/// The groups that count, as [`deciding`] says: the directory's, or those of a signal until a token that is later
/// than it, and of two tokens those of the later one, as far as they are kept: an older token grants nothing that
/// a later one took. The teams of GitHub are beside them, whoever says the others.
pub fn groups(facts: Option<&Facts>, principal: &Principal) -> Groups {
    let teams = facts.map_or(&[][..], |facts| &facts.teams);
    beside(deciding_groups(facts, principal), teams)
}

fn deciding_groups(facts: Option<&Facts>, principal: &Principal) -> Groups {
    let said = facts.and_then(|facts| facts.directory.as_ref());
    let by_directory = said.and_then(|said| said.groups.as_ref());
    let by_signal = facts.and_then(|facts| of_signal(facts, principal));
    let told = ToldGroups {
        by_directory: said
            .filter(|said| said.groups.is_some())
            .map(|said| said.kind),
        by_signal: by_signal.is_some(),
    };
    let counting = match deciding(told) {
        GroupOrigin::Directory(_) => {
            return by_directory.map_or_else(
                || principal.groups.clone(),
                |groups| Groups::Known(groups.clone()),
            );
        }
        GroupOrigin::Signal => by_signal.unwrap_or_else(|| principal.groups.clone()),
        GroupOrigin::Token => principal.groups.clone(),
    };
    match (facts, counting) {
        (Some(facts), Groups::Known(groups)) if principal.proven_at < facts.proven_at => {
            Groups::Known(both(groups, facts.groups.as_deref()))
        }
        (_, counting) => counting,
    }
}

fn both(mut groups: Vec<String>, kept: Option<&[String]>) -> Vec<String> {
    if let Some(kept) = kept {
        groups.retain(|group| kept.contains(group));
    }
    groups
}

/// What a signal that is later than the token says.
fn of_signal(facts: &Facts, principal: &Principal) -> Option<Groups> {
    let changed_ms = facts.groups_changed_at_ms?;
    match &facts.groups {
        Some(groups) if !is_later(proven_at(principal), changed_ms) => {
            Some(Groups::Known(groups.clone()))
        }
        None if proven_at(principal) < changed_ms / 1000 => Some(Groups::Unknown {
            sentence:
                "the identity provider said that the groups changed, and this token is from before"
                    .to_owned(),
            next: "renew the token and try again".to_owned(),
        }),
        _ => None,
    }
}

/// What a signal about groups comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolesAfter {
    /// Held now, in the order given.
    pub held: Vec<RoleName>,
    /// Held before and not now.
    pub lost: Vec<RoleName>,
    /// Whether anything is to be told to the agent.
    pub changed: bool,
}

/// Compares the roles held before with those held now.
pub fn roles_after_signal(before: &[RoleName], held: Vec<RoleName>) -> RolesAfter {
    let lost: Vec<RoleName> = before
        .iter()
        .filter(|role| !held.contains(role))
        .cloned()
        .collect();
    let changed = !lost.is_empty() || held.iter().any(|role| !before.contains(role));
    RolesAfter {
        held,
        lost,
        changed,
    }
}

#[cfg(test)]
mod tests;
