//! For whom a token was issued (R30, RFC 8725 §3.9).

use super::{Claims, missing, wrong};
use oam_model::issuer::IdentitySource;
use oam_model::principal::PrincipalKind;
use oam_model::refusal::Refusal;
use serde_json::Value;

/// Names under which providers say to which client they issued an access token.
const CLIENT: &[&str] = &["client_id", "azp", "cid", "appid"];

/// `aud` is a text or a list of texts; one of them is ours. Among several, `azp` must say that we are the
/// one that it was issued to, for any of the others could have sent it here (OIDC Core §3.1.3.7).
pub(super) fn of_identity(source: &IdentitySource, claims: &Claims) -> Result<(), Refusal> {
    let value = claims.get("aud").ok_or_else(|| missing(source, "aud"))?;
    let audiences = texts(value).unwrap_or_default();
    if matches!(value, Value::Array(list) if list.is_empty()) {
        return Err(wrong(
            source,
            "aud",
            "names no audience",
            "let the provider put the client into it",
        ));
    }
    if !audiences.iter().any(|one| ours(source, one)) {
        return Err(wrong(
            source,
            "aud",
            "is none of the source's audiences",
            "ask for a token for this issuer, or add the audience to the source",
        ));
    }
    let shared = audiences.iter().any(|one| !ours(source, one));
    match claims.get("azp") {
        Some(Value::String(party)) if ours(source, party) => Ok(()),
        None | Some(Value::Null) if !shared => Ok(()),
        // A workload's `azp` is its own name at Google; its `aud` alone says for whom it is.
        Some(Value::String(_)) if !shared && source.kind == PrincipalKind::Job => Ok(()),
        Some(azp) if !azp.is_null() => Err(wrong(
            source,
            "azp",
            "says that it was issued to another client",
            "sign in with the client that the source names in `audiences`",
        )),
        _ => Err(wrong(
            source,
            "aud",
            "has other audiences too, and `azp` does not say whose it is",
            "ask for a token with this issuer as its only audience",
        )),
    }
}

/// An access token was issued to our client or is for us. What says neither is refused when `needed`:
/// any other client of the provider could have got it.
pub(super) fn of_access(
    source: &IdentitySource,
    answer: &Claims,
    needed: bool,
) -> Result<(), Refusal> {
    let client = CLIENT.iter().filter_map(|name| answer.get(*name));
    let told = answer.get("aud").into_iter().chain(client);
    let said: Vec<&Value> = told.filter(|value| !value.is_null()).collect();
    let fits = said
        .iter()
        .filter_map(|value| texts(value))
        .flatten()
        .any(|one| ours(source, one));
    if fits || (said.is_empty() && !needed) {
        return Ok(());
    }
    if said.is_empty() {
        return Err(wrong(
            source,
            "aud",
            "and `client_id` are missing, so that it could be anybody's",
            "let the provider tell one of them at introspection",
        ));
    }
    Err(wrong(
        source,
        "aud",
        "is none of the source's audiences, and its client is none either",
        "sign in with the client that the source names in `audiences`",
    ))
}

fn ours(source: &IdentitySource, one: &str) -> bool {
    source.audiences.iter().any(|audience| audience == one)
}

/// None where an item is not a text.
fn texts(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(one) => Some(vec![one]),
        Value::Array(list) => list.iter().map(Value::as_str).collect(),
        _ => None,
    }
}
