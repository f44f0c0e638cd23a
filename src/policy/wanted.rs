//! What a token request asks for: hub, repository, role and action out of `audience`, `resource` and
//! `scope` (RFC 8693 §2.1, RFC 8707 §2, RFC 6749 §3.3).

use oam_model::issuer::IssuerHub;
use oam_model::name::Repository;
use oam_model::policy::PolicyRequest;
use oam_model::refusal::Refusal;
use oam_model::role::Action;

/// Which parameter is wrong: the protocol has an error for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParameterError {
    /// `audience` or `resource`.
    Target(Refusal),
    /// `scope`.
    Scope(Refusal),
}

/// Reads the three parameters. Neither hub nor repository is guessed: what is not said is the whole hub.
///
/// # Errors
/// What is wrong, in words that do not repeat the request's own text.
pub fn read(
    hubs: &[IssuerHub],
    audience: Option<&str>,
    resource: Option<&str>,
    scope: Option<&str>,
) -> Result<PolicyRequest, ParameterError> {
    let (hub, path) = target(hubs, audience, resource).map_err(ParameterError::Target)?;
    let repository = path
        .map(repository)
        .transpose()
        .map_err(ParameterError::Target)?;
    let mut wanted = PolicyRequest {
        hub: hub.name.clone(),
        repository: repository.flatten(),
        action: Action::Read,
        role: None,
    };
    scoped(&mut wanted, scope.unwrap_or_default()).map_err(ParameterError::Scope)?;
    Ok(wanted)
}

/// The hub, and what of its path is asked for.
fn target<'a>(
    hubs: &'a [IssuerHub],
    audience: Option<&str>,
    resource: Option<&'a str>,
) -> Result<(&'a IssuerHub, Option<&'a str>), Refusal> {
    let below = resource.and_then(|resource| owner(hubs, resource));
    let Some(audience) = audience else {
        return match (below, resource) {
            (Some((hub, path)), _) => Ok((hub, Some(path))),
            (None, Some(_)) => Err(no_hub(hubs, "`resource` is below no hub of this issuer")),
            (None, None) => Err(no_hub(hubs, "the request names no hub")),
        };
    };
    let plain = audience.strip_suffix('/').unwrap_or(audience);
    let named = hubs
        .iter()
        .find(|hub| hub.name.as_str() == audience || same_url(&hub.url, plain))
        .ok_or_else(|| no_hub(hubs, "`audience` is no hub of this issuer"))?;
    match (below, resource) {
        (Some((hub, path)), _) if hub.name == named.name => Ok((named, Some(path))),
        (Some((hub, _)), _) => Err(Refusal::denied(
            format!(
                "`audience` is {}, and `resource` is of {}",
                named.name, hub.name
            ),
            "name one hub in both",
        )),
        (None, Some(resource)) if resource.contains("://") => {
            Err(no_hub(hubs, "`resource` is below no hub of this issuer"))
        }
        (None, resource) => Ok((named, resource)),
    }
}

fn no_hub(hubs: &[IssuerHub], sentence: &str) -> Refusal {
    let names: Vec<&str> = hubs.iter().map(|hub| hub.name.as_str()).collect();
    Refusal::denied(
        sentence,
        format!("name a repository's URL, or one of: {}", names.join(", ")),
    )
}

/// The hub that a URL lies below, and the path there. Host and port are compared whole (R5): the next
/// byte after the hub's URL must end it.
fn owner<'a>(hubs: &'a [IssuerHub], url: &'a str) -> Option<(&'a IssuerHub, &'a str)> {
    let mut found: Option<(&IssuerHub, &str)> = None;
    for hub in hubs {
        let Some((head, rest)) = url.split_at_checked(hub.url.len()) else {
            continue;
        };
        let ends = rest.is_empty() || rest.starts_with('/');
        let longer = found.is_none_or(|(other, _)| other.url.len() < hub.url.len());
        if ends && longer && same_url(&hub.url, head) {
            found = Some((hub, rest));
        }
    }
    found
}

/// Scheme and host without regard to case, the rest byte for byte.
fn same_url(ours: &str, theirs: &str) -> bool {
    let authority = |url: &str| {
        let start = url.find("://").map_or(0, |at| at + 3);
        url[start..].find('/').map_or(url.len(), |at| start + at)
    };
    let at = authority(ours);
    match (theirs.split_at_checked(at), ours.split_at_checked(at)) {
        (Some((head, rest)), Some((our_head, our_rest))) => {
            head.eq_ignore_ascii_case(our_head) && rest == our_rest
        }
        _ => false,
    }
}

/// The repository of a path; none: nothing is left of it. `.git` belongs to the address, not to the name.
fn repository(path: &str) -> Result<Option<Repository>, Refusal> {
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    if path.is_empty() {
        return Ok(None);
    }
    Repository::decoded(path).map(Some).map_err(|_| {
        Refusal::bad_request(
            "`resource` is not a repository's address",
            "write it like https://hub.example/acme/model, percent-encoded, without query, `..` or characters that can't be seen",
        )
    })
}

/// `scope`: at most one role and one action.
fn scoped(wanted: &mut PolicyRequest, scope: &str) -> Result<(), Refusal> {
    let mut action = None;
    for word in scope.split(' ').filter(|word| !word.is_empty()) {
        let twice = match word {
            "read" => action.replace(Action::Read).is_some(),
            "write" => action.replace(Action::Write).is_some(),
            "manage" => action.replace(Action::Manage).is_some(),
            _ => {
                let role = word.strip_prefix("role:").ok_or_else(|| {
                    Refusal::bad_request(
                        "`scope` holds a word that is not known here",
                        "use at most one `role:NAME` and at most one of read, write, manage",
                    )
                })?;
                let role = role.parse().map_err(|_| {
                    Refusal::bad_request(
                        "`scope` names no valid role",
                        "see the roles that you hold with `oam roles`",
                    )
                })?;
                wanted.role.replace(role).is_some()
            }
        };
        if twice {
            return Err(Refusal::bad_request(
                "`scope` holds more than one role or action",
                "ask for one of each; write includes read, manage includes both",
            ));
        }
    }
    wanted.action = action.unwrap_or(Action::Read);
    Ok(())
}

#[cfg(test)]
mod tests;
