//! Why an ask is decided as it is: every role that was considered, for `oam-issuer policy why`.

use super::words;
use super::{Index, Reader, claims, decide_for};
use oam_model::name::{HubName, Repository, RoleName};
use oam_model::policy::{Decision, Member, PolicyRequest, PolicyRole};
use oam_model::principal::{Groups, Principal};
use oam_model::refusal::Refusal;
use oam_model::role::Action;
use serde::Serialize;

/// What the policy says of an ask, and of every role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The principal, `source:key`.
    pub subject: String,
    pub hub: HubName,
    /// The repository; null: the whole hub.
    pub repository: Option<Repository>,
    pub action: Action,
    /// The decision, when it would be granted.
    pub decision: Option<Decision>,
    /// The reason, when it would be refused.
    pub refusal: Option<Refusal>,
    /// All roles, in the order of the file.
    pub roles: Vec<Considered>,
}

/// A role as it was considered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Considered {
    /// Its name.
    pub role: RoleName,
    /// Whether it is the one chosen.
    pub chosen: bool,
    /// Whether the principal holds it.
    pub held: bool,
    /// By which rule it is held, or what is missing, in words.
    pub membership: String,
    /// Whether it covers what is asked.
    pub covers: bool,
    /// By which grant, or why not, in words.
    pub grant: String,
}

/// Explains the decision on `wanted`, for an administrator: people and jobs by name.
pub fn explain(index: &Index, principal: &Principal, wanted: &PolicyRequest) -> Explanation {
    let decided = decide_for(Reader::Administrator, index, principal, wanted);
    let held = index.members.holdings(&index.policy, principal);
    let roles = index.policy.roles.iter().enumerate();
    let roles = roles.map(|(at, role)| {
        let cover = index.grants.narrowest(wanted, |role| role == at);
        let membership = match held.get(at) {
            Some(holding) => words::because(role, holding),
            None => missing(role, principal),
        };
        Considered {
            role: role.name.clone(),
            chosen: decided.as_ref().is_ok_and(|d| d.role == role.name),
            held: held.contains(at),
            membership,
            covers: !cover.is_empty(),
            grant: cover
                .first()
                .map_or_else(|| no_cover(role, wanted), |cover| words::rule(role, cover)),
        }
    });
    let roles = roles.collect();
    let (decision, refusal) = match decided {
        Ok(decision) => (Some(decision), None),
        Err(refusal) => (None, Some(refusal)),
    };
    Explanation {
        subject: principal.key.to_string(),
        hub: wanted.hub.clone(),
        repository: wanted.repository.clone(),
        action: wanted.action,
        decision,
        refusal,
        roles,
    }
}

/// Why a role is not held: what each of its rules asks for and the principal does not have.
fn missing(role: &PolicyRole, principal: &Principal) -> String {
    if role.members.is_empty() {
        return "nobody holds it: it is there to be included".to_owned();
    }
    let own = |member: &&Member| member.source == principal.key.source;
    let lacks: Vec<String> = role
        .members
        .iter()
        .filter(own)
        .map(|member| lack(member, principal))
        .collect();
    if lacks.is_empty() {
        let mut sources: Vec<&str> = role.members.iter().map(|m| m.source.as_str()).collect();
        sources.sort_unstable();
        sources.dedup();
        return format!("its members are of {}", sources.join(", "));
    }
    lacks.join("; or ")
}

fn lack(member: &Member, principal: &Principal) -> String {
    let mut lacks = Vec::new();
    let wanted = member.groups.join(" or ");
    match &principal.groups {
        Groups::Known(groups) if !member.groups.iter().any(|group| groups.contains(group)) => {
            if !member.groups.is_empty() {
                lacks.push(format!("not in {wanted}"));
            }
        }
        Groups::Unknown { .. } if !member.groups.is_empty() => {
            lacks.push(format!("not known whether in {wanted}"));
        }
        Groups::Known(_) | Groups::Unknown { .. } => {}
    }
    for (name, patterns) in &member.claims {
        if !claims::holds(name, patterns, &principal.claims) {
            let what = match claims::find(name, &principal.claims) {
                None => "is not there",
                Some(_) => "is another",
            };
            lacks.push(format!("claim {name} {what} ({})", patterns.join(" or ")));
        }
    }
    format!("{} (line {})", lacks.join(", "), member.line)
}

/// Why a role does not cover: the nearest reason.
fn no_cover(role: &PolicyRole, wanted: &PolicyRequest) -> String {
    let on_hub: Vec<_> = role
        .grants
        .iter()
        .filter(|grant| grant.grant.hub == wanted.hub)
        .collect();
    let widest = on_hub.iter().map(|grant| grant.grant.action).max();
    match widest {
        None => format!("no grant on {}", wanted.hub),
        Some(widest) if widest < wanted.action => {
            format!("grants no more than {} on {}", widest.word(), wanted.hub)
        }
        Some(_) => format!(
            "no pattern with {} for {}",
            wanted.action.word(),
            words::resource(wanted)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::explain;
    use crate::policy::fixture::{index, job, person, wanted};
    use oam_model::principal::Principal;
    use oam_model::role::Action;
    use serde_json::json;

    #[test]
    fn an_administrator_is_told_by_name_and_what_a_job_lacks_that_holds_nothing() {
        let wanted = wanted(Some("acme/model"), Action::Write);
        let sentence = |who: &Principal| explain(&index(), who, &wanted).refusal.unwrap().sentence;
        assert_eq!(
            sentence(&person(&["interns"])),
            "no role of okta:00u1 grants write on models for acme/model"
        );
        let stranger = job(json!({"repository_id": "666"}));
        assert_eq!(
            sentence(&stranger),
            format!(
                "no role of {} grants write on models for acme/model",
                stranger.key
            )
        );
    }
}
