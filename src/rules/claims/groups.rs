//! The groups of a token: known, or known not to be told. "Unknown" is never "none".

use super::{Claims, is_plain, read, wrong};
use crate::model::claimant::{ClaimantKind, Groups};
use crate::model::issuer::Source;
use crate::model::refusal::Refusal;
use serde_json::Value;

/// A list of texts, or one text (providers that flatten a list of one). `elsewhere`: the source tells the
/// groups at userinfo only, which was not asked, so that a token without them says nothing.
pub(super) fn of(source: &Source, claims: &Claims, elsewhere: bool) -> Result<Groups, Refusal> {
    // First: where the marker is, a list beside it is not the whole.
    if overage(source, claims) {
        return Ok(Groups::Unknown {
            sentence: format!(
                "this person is in more groups than {} puts into a token, and it sent a reference instead",
                source.name
            ),
            next: "let the provider send only the groups that are assigned to this application, or app roles with `groups_claim = \"roles\"`".to_owned(),
        });
    }
    match read::at(claims, &source.groups_claim) {
        Some(Value::String(one)) if one.is_empty() => Ok(Groups::Known(Vec::new())),
        Some(Value::String(one)) if is_plain(one) => Ok(Groups::Known(vec![one.clone()])),
        Some(Value::Array(list)) => list
            .iter()
            .map(|one| one.as_str().filter(|text| is_plain(text)).map(str::to_owned))
            .collect::<Option<Vec<_>>>()
            .map(Groups::Known)
            .ok_or_else(|| unreadable(source)),
        Some(Value::Null) | None if elsewhere && source.kind == ClaimantKind::Person => {
            Ok(Groups::Unknown {
                sentence: format!(
                    "the groups of {} come from userinfo, which an ID token does not open",
                    source.name
                ),
                next: "send the access token: `subject = \"access-token\"` and `access_tokens` for the source".to_owned(),
            })
        }
        // Providers leave an empty list out.
        Some(Value::Null) | None => Ok(Groups::Known(Vec::new())),
        Some(_) => Err(unreadable(source)),
    }
}

/// OIDC Core §5.6.2 as Entra uses it, and its two older markers.
fn overage(source: &Source, claims: &Claims) -> bool {
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
    let prefix = format!("{}:src", source.groups_claim);
    let split = claims.keys().any(|name| name.starts_with(&prefix));
    named(&source.groups_claim) || (source.groups_claim == "groups" && flagged) || split
}

fn unreadable(source: &Source) -> Refusal {
    wrong(
        source,
        &source.groups_claim,
        "is neither a list of names nor one name",
        "let the provider send a list of names, or choose another `groups_claim` for the source",
    )
}
