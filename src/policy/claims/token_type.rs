//! Which kind of token it is: the same provider signs many with the same keys.

use super::{Claims, wrong};
use oam_model::issuer::IdentitySource;
use oam_model::refusal::Refusal;
use serde_json::Value;

/// What Keycloak calls its tokens in a claim `typ`; only `ID` speaks of an identity.
const OTHER_KINDS: &[&str] = &[
    "bearer",
    "dpop",
    "refresh",
    "offline",
    "logout",
    "registrationaccesstoken",
    "initialaccesstoken",
];

/// An ID token, or a token of a job. Refused are access tokens (RFC 9068 §2.1), security events (RFC 8417
/// §2.3) and logout tokens, all of which may carry `iss`, `sub` and our audience.
pub(super) fn identity(
    source: &IdentitySource,
    typ: Option<&str>,
    claims: &Claims,
) -> Result<(), Refusal> {
    let typ = typ.unwrap_or("").to_ascii_lowercase();
    let typ = typ.strip_prefix("application/").unwrap_or(&typ);
    // `JWT`, `JOSE` and none say nothing; every explicit type ends like this (RFC 8725 §3.11).
    let explicit = typ.ends_with("+jwt");
    let inner = claims.get("typ").and_then(Value::as_str).unwrap_or("");
    let other = OTHER_KINDS.contains(&inner.to_ascii_lowercase().as_str());
    if explicit || other || claims.contains_key("events") {
        return Err(wrong(
            source,
            "typ",
            "says that it is no ID token",
            "send the ID token; for an access token say so in `subject_token_type`",
        ));
    }
    Ok(())
}

/// An access token that whoever holds it may use. A refresh token is `active` at an introspection too.
pub(super) fn access(source: &IdentitySource, answer: &Claims) -> Result<(), Refusal> {
    let said = |name: &str| {
        answer
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or("")
            .to_ascii_lowercase()
    };
    let (kind, typ, usage) = (said("token_type"), said("typ"), said("token_use"));
    let refresh = [&kind, &typ, &usage].iter().any(|word| {
        word.contains("refresh") || word.contains("offline") || word.contains("logout")
    });
    if refresh || usage == "id" || typ == "id" || kind == "id_token" {
        return Err(wrong(
            source,
            "token_type",
            "says that it is no access token",
            "send the access token",
        ));
    }
    let bound = answer.get("cnf").is_some_and(|cnf| !cnf.is_null());
    if bound || kind == "dpop" {
        return Err(wrong(
            source,
            "cnf",
            "binds it to a key that was not shown",
            "let the provider issue bearer tokens to this client, or send the ID token",
        ));
    }
    Ok(())
}
