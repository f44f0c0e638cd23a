//! The groups of a token: known, or known not to be told. "Unknown" is never "none".

use super::{Claims, is_plain, read, wrong};
use crate::teams::is_of;
use oam_model::issuer::IdentitySource;
use oam_model::principal::{Groups, PrincipalKind};
use oam_model::refusal::Refusal;
use serde_json::Value;

/// What claims tell of groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupClaims {
    /// These, and so many entries that can be nobody's group.
    Known {
        /// Their names.
        groups: Vec<String>,
        /// Entries that are skipped: empty, `null`, no text, too long, with control characters.
        unusable: usize,
    },
    /// The provider keeps them elsewhere and sent a reference: more than fit into a token.
    Elsewhere,
    /// Nothing.
    Absent,
    /// No shape that tells groups.
    Unreadable {
        /// It is an object, whose keys may be the groups.
        object: bool,
    },
}

/// Reads the groups at `path`: a list of texts, or one text (providers that flatten a list of one). A path that ends
/// in `.*` says that the groups are the keys of an object, as Zitadel sends them.
pub fn told(claims: &Claims, path: &str) -> GroupClaims {
    let claim = path.strip_suffix(".*").unwrap_or(path);
    // First: where the marker is, a list beside it is not the whole.
    if overage(claim, claims) {
        return GroupClaims::Elsewhere;
    }
    match read::at(claims, claim) {
        Some(Value::Null) | None => GroupClaims::Absent,
        Some(Value::String(one)) if one.is_empty() => known([]),
        Some(Value::String(one)) => known([Some(one.as_str())]),
        Some(Value::Array(list)) => known(list.iter().map(Value::as_str)),
        Some(Value::Object(keys)) if claim != path => {
            let on = |value: &Value| !matches!(value, Value::Null | Value::Bool(false));
            known(
                keys.iter()
                    .filter(|(_, value)| on(value))
                    .map(|(key, _)| Some(key.as_str())),
            )
        }
        Some(other) => GroupClaims::Unreadable {
            object: other.is_object(),
        },
    }
}

fn known<'a>(entries: impl IntoIterator<Item = Option<&'a str>>) -> GroupClaims {
    let (mut groups, mut unusable) = (Vec::new(), 0);
    for entry in entries {
        match entry.filter(|text| is_plain(text)) {
            Some(text) => groups.push(text.to_owned()),
            None => unusable += 1,
        }
    }
    GroupClaims::Known { groups, unusable }
}

/// The groups of a token. `elsewhere`: the source tells the groups at userinfo only, which was not asked, so that a
/// token without them says nothing.
pub(super) fn of(
    source: &IdentitySource,
    claims: &Claims,
    elsewhere: bool,
) -> Result<Groups, Refusal> {
    match told(claims, &source.groups_claim) {
        GroupClaims::Elsewhere => Ok(Groups::Unknown {
            sentence: format!(
                "this person is in more groups than {} puts into a token, and it sent a reference instead",
                source.name
            ),
            next: "let the provider send only the groups that are assigned to this application, or app roles with `groups_claim = \"roles\"`".to_owned(),
        }),
        GroupClaims::Known { mut groups, .. } => {
            groups.retain(|group| !is_team(source, group));
            Ok(Groups::Known(groups))
        }
        GroupClaims::Absent if elsewhere && source.kind == PrincipalKind::Person => Ok(Groups::Unknown {
            sentence: format!(
                "the groups of {} come from userinfo, which an ID token does not open",
                source.name
            ),
            next: "send the access token: `subject = \"access-token\"` and `access_tokens` for the source".to_owned(),
        }),
        // Providers leave an empty list out.
        GroupClaims::Absent => Ok(Groups::Known(Vec::new())),
        GroupClaims::Unreadable { object } => Err(unreadable(source, object)),
    }
}

/// Whether a group of this source can only be a team at GitHub: no token, signal or directory says it.
pub fn is_team(source: &IdentitySource, group: &str) -> bool {
    let github = source.github.as_ref();
    github.is_some_and(|github| is_of(&github.organization, group))
}

/// OIDC Core §5.6.2 as Entra uses it, and its two older markers.
fn overage(groups: &str, claims: &Claims) -> bool {
    let named = |claim: &str| {
        claims
            .get("_claim_names")
            .is_some_and(|names| names.get(claim).is_some())
    };
    let flagged = match claims.get("hasgroups") {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::String(flag)) => flag == "true",
        _ => false,
    };
    let prefix = format!("{groups}:src");
    let split = claims.keys().any(|name| name.starts_with(&prefix));
    named(groups) || (groups == "groups" && flagged) || split
}

fn unreadable(source: &IdentitySource, object: bool) -> Refusal {
    let claim = &source.groups_claim;
    let next = if object {
        format!(
            "write `groups_claim = \"{}.*\"` for the source if the keys of this object are the groups",
            claim.escape_debug()
        )
    } else {
        "let the provider send a list of names, or choose another `groups_claim` for the source"
            .to_owned()
    };
    wrong(
        source,
        claim,
        "is neither a list of names nor one name",
        &next,
    )
}
