//! When a token was made, from when and until when it counts.

use super::{Claims, SKEW_S, UNTOLD_LIFE_S, missing, read, wrong};
use oam_model::issuer::IdentitySource;
use oam_model::refusal::Refusal;

/// What the times of a token come to, Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) proven_at: u64,
    pub(super) auth_time: Option<u64>,
    pub(super) expires_at: u64,
}

/// `exp`, `iat`, `nbf` of a signed token. It counts no longer than the source's longest age, whatever its
/// `exp`: Kubernetes hands every pod a token for a year.
pub(super) fn of_identity(
    source: &IdentitySource,
    claims: &Claims,
    now_s: u64,
) -> Result<Times, Refusal> {
    let expires = time(source, claims, "exp")?.ok_or_else(|| missing(source, "exp"))?;
    let issued = time(source, claims, "iat")?.ok_or_else(|| missing(source, "iat"))?;
    current(source, claims, expires, now_s)?;
    not_ahead(source, "iat", issued, now_s)?;
    let last = issued.saturating_add(source.longest_age_ms / 1000);
    if last.saturating_add(SKEW_S) < now_s {
        return Err(wrong(
            source,
            "iat",
            "is older than the source allows",
            "get a new token and try again; a token for years is not taken",
        ));
    }
    Ok(Times {
        // A provider's clock may be ahead: evidence is never from the future.
        proven_at: issued.min(now_s),
        auth_time: sign_in(source, claims, now_s)?,
        expires_at: expires.min(last),
    })
}

/// The times of an access token that the provider was asked about at `now_s`: that is the evidence.
pub(super) fn of_access(
    source: &IdentitySource,
    answer: &Claims,
    now_s: u64,
) -> Result<Times, Refusal> {
    let untold = now_s.saturating_add(UNTOLD_LIFE_S);
    let expires = time(source, answer, "exp")?.unwrap_or(untold);
    current(source, answer, expires, now_s)?;
    if let Some(issued) = time(source, answer, "iat")? {
        not_ahead(source, "iat", issued, now_s)?;
    }
    Ok(Times {
        proven_at: now_s,
        auth_time: sign_in(source, answer, now_s)?,
        // A provider can say any number.
        expires_at: expires.min(now_s.saturating_add(source.longest_age_ms / 1000)),
    })
}

/// Nothing is known but that the provider took it at `now_s`.
pub(super) const fn asked_at(now_s: u64) -> Times {
    Times {
        proven_at: now_s,
        auth_time: None,
        expires_at: now_s.saturating_add(UNTOLD_LIFE_S),
    }
}

fn current(
    source: &IdentitySource,
    claims: &Claims,
    expires: u64,
    now_s: u64,
) -> Result<(), Refusal> {
    if expires.saturating_add(SKEW_S) <= now_s {
        return Err(wrong(
            source,
            "exp",
            "is over",
            "renew the token and try again",
        ));
    }
    match time(source, claims, "nbf")? {
        Some(from) => not_ahead(source, "nbf", from, now_s),
        None => Ok(()),
    }
}

/// An `auth_time` ahead of our clock would count as later than every end until then.
fn sign_in(source: &IdentitySource, claims: &Claims, now_s: u64) -> Result<Option<u64>, Refusal> {
    // 0 is how some say that they do not know it.
    let at = time(source, claims, "auth_time")?.filter(|at| *at > 0);
    if let Some(at) = at {
        not_ahead(source, "auth_time", at, now_s)?;
    }
    Ok(at)
}

fn not_ahead(source: &IdentitySource, claim: &str, at: u64, now_s: u64) -> Result<(), Refusal> {
    if at > now_s.saturating_add(SKEW_S) {
        return Err(wrong(
            source,
            claim,
            "is in the future",
            "compare the clocks of this issuer and of the source",
        ));
    }
    Ok(())
}

fn time(source: &IdentitySource, claims: &Claims, claim: &str) -> Result<Option<u64>, Refusal> {
    match claims.get(claim) {
        None | Some(serde_json::Value::Null) => Ok(None),
        Some(value) => read::seconds(value).map(Some).ok_or_else(|| {
            wrong(
                source,
                claim,
                "is not a time",
                "the provider must send whole seconds since 1970",
            )
        }),
    }
}
