//! From the verified claims of a subject token to a principal, each check by name (R30; OIDC Core
//! §3.1.3.7, RFC 7662 §2.2, OIDC Core §5.3).
//!
//! The signature was checked before, or the provider was asked; nothing here trusts anything else. A
//! claim of the wrong type is a refusal, never "not there".

mod audience;
pub mod groups;
pub mod read;
mod times;
mod token_type;

use oam_model::issuer::IdentitySource;
use oam_model::organization::Reauth;
use oam_model::principal::{Principal, PrincipalKey, PrincipalKind};
use oam_model::refusal::Refusal;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Clocks differ by up to this, seconds (R41).
pub const SKEW_S: u64 = 60;
/// Life of an access token whose end the provider does not tell, seconds: it is asked again then.
pub const UNTOLD_LIFE_S: u64 = 300;
/// Longest subject token, bytes. The same at the agent, which refuses a longer one at the sign-in.
pub const LONGEST_TOKEN: usize = 16 * 1024;
/// Longest text taken for a key, a subject, a name or a group.
const LONGEST_TEXT: usize = 1024;

/// Claims of a token, or an answer about one.
pub type Claims = Map<String, Value>;

/// The principal of an ID token, or of a job's or workload's token, whose signature was verified with a
/// key of this source. `typ` is the header's; `now_s` Unix seconds.
///
/// # Errors
/// A refusal of kind `bad-request` that names the claim.
pub fn principal(
    source: &IdentitySource,
    typ: Option<&str>,
    claims: &Arc<Claims>,
    now_s: u64,
) -> Result<Principal, Refusal> {
    token_type::identity(source, typ, claims)?;
    issuer(source, claims, true)?;
    audience::of_identity(source, claims)?;
    let times = times::of_identity(source, claims, now_s)?;
    let groups_elsewhere = source.groups_from_userinfo;
    let mut principal = built(source, Arc::clone(claims), times, groups_elsewhere)?;
    if principal.auth_time.is_none() && principal.session.is_none() {
        principal.session = code_exchange(source, claims);
    }
    Ok(principal)
}

/// A session that is named by the exchange of a code begins with this.
pub const CODE_EXCHANGE: &str = "nonce:";

/// Where a provider tells neither the time of a sign-in nor its session, the nonce of the exchange of a code names
/// the sign-in: a renewed ID token has none, or the one of before (OIDC Core §12.2).
fn code_exchange(source: &IdentitySource, claims: &Claims) -> Option<String> {
    if source.kind != PrincipalKind::Person || source.reauth != Reauth::None {
        return None;
    }
    shown(claims, "nonce").map(|nonce| format!("{CODE_EXCHANGE}{nonce}"))
}

/// The principal of an access token by the provider's answer to an introspection (RFC 7662 §2.2) made at
/// `now_s`, and by its userinfo where the source wants that too.
///
/// # Errors
/// A refusal that names the member: not active, expired, for somebody else, bound to a key.
pub fn introspected(
    source: &IdentitySource,
    answer: &Claims,
    userinfo: Option<&Claims>,
    now_s: u64,
) -> Result<Principal, Refusal> {
    if answer.get("active") != Some(&Value::Bool(true)) {
        return Err(Refusal::bad_request(
            format!("{} says that this access token is not active", source.name),
            "renew the session and try again; if that is refused, sign in again",
        ));
    }
    token_type::access(source, answer)?;
    issuer(source, answer, false)?;
    audience::of_access(source, answer, true)?;
    let times = times::of_access(source, answer, now_s)?;
    let groups_elsewhere = source.groups_from_userinfo && userinfo.is_none();
    let claims = joined(source, answer.clone(), userinfo)?;
    built(source, Arc::new(claims), times, groups_elsewhere)
}

/// The principal of an access token by the provider's userinfo (OIDC Core §5.3), asked at `now_s`. `token`
/// holds the claims of the access token itself where it is a JWT: the provider has just taken exactly
/// these bytes, so what they say of client, audience and times counts, and their identity does not. One
/// that is no JWT could have been issued to any client of the provider, whose operator could show it here:
/// it is taken only where the source says `any_client`.
///
/// # Errors
/// A refusal that names the member.
pub fn by_userinfo(
    source: &IdentitySource,
    userinfo: &Claims,
    token: Option<&Claims>,
    any_client: bool,
    now_s: u64,
) -> Result<Principal, Refusal> {
    says_for_whom(source, token, any_client)?;
    let mut claims = userinfo.clone();
    claims.retain(|name, _| !is_time(name));
    let times = match token {
        Some(token) => {
            for name in ["iat", "auth_time", "exp", "sid"] {
                if let Some(value) = token.get(name) {
                    claims.insert(name.to_owned(), value.clone());
                }
            }
            times::of_access(source, token, now_s)?
        }
        None => times::asked_at(now_s),
    };
    built(source, Arc::new(claims), times, false)
}

/// What an access token has to say of itself before its provider is asked at userinfo: that it is one, and
/// is for our client. `token` and `any_client` as for [`by_userinfo`], which looks at it again.
///
/// # Errors
/// A refusal that names what is missing or wrong.
pub fn says_for_whom(
    source: &IdentitySource,
    token: Option<&Claims>,
    any_client: bool,
) -> Result<(), Refusal> {
    match token {
        Some(token) => {
            token_type::access(source, token)?;
            audience::of_access(source, token, !any_client)
        }
        None if any_client => Ok(()),
        None => Err(Refusal::bad_request(
            format!(
                "this access token of {} does not say for whom it is",
                source.name
            ),
            "check access tokens of the source by introspection, or let the provider issue them as JWTs; `any_client` in `access_tokens` takes them from every client of the provider",
        )),
    }
}

/// A time in userinfo is one of that answer, made just now: taken for the token's own it would be a new
/// sign-in, and lift the end of a session.
fn is_time(name: &str) -> bool {
    matches!(name, "iat" | "auth_time" | "exp" | "nbf")
}

/// `iss` byte for byte (R29): a normalized compare lets one provider speak for another.
fn issuer(source: &IdentitySource, claims: &Claims, needed: bool) -> Result<(), Refusal> {
    match claims.get("iss") {
        Some(Value::String(iss)) if *iss == source.issuer => Ok(()),
        None | Some(Value::Null) if !needed => Ok(()),
        None | Some(Value::Null) => Err(missing(source, "iss")),
        Some(_) => Err(wrong(
            source,
            "iss",
            "is not this source's issuer",
            "compare `issuer` of the source with the token's `iss`, byte for byte",
        )),
    }
}

/// An answer about a token with what userinfo adds. The two must speak of one subject (OIDC Core §5.3.2).
fn joined(
    source: &IdentitySource,
    mut claims: Claims,
    userinfo: Option<&Claims>,
) -> Result<Claims, Refusal> {
    let Some(userinfo) = userinfo else {
        return Ok(claims);
    };
    if claims.get("sub").is_none() || claims.get("sub") != userinfo.get("sub") {
        return Err(wrong(
            source,
            "sub",
            "differs between introspection and userinfo",
            "sign in again; if it stays, the provider's set-up is wrong",
        ));
    }
    let path = source.groups_claim.trim_end_matches(".*");
    let groups = path.split('.').next().unwrap_or(path);
    for (name, value) in userinfo {
        if is_time(name) {
            continue;
        }
        if name == path || name == groups {
            claims.insert(name.clone(), value.clone());
        } else {
            claims.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
    Ok(claims)
}

fn built(
    source: &IdentitySource,
    claims: Arc<Claims>,
    times: times::Times,
    groups_elsewhere: bool,
) -> Result<Principal, Refusal> {
    required(source, &claims)?;
    let subject = name_of(source, &claims, "sub")?;
    let key = match &source.key_claim {
        Some(claim) => name_of(source, &claims, claim)?,
        None => subject.clone(),
    };
    let groups = groups::of(source, &claims, groups_elsewhere)?;
    Ok(Principal {
        key: PrincipalKey {
            source: source.name.clone(),
            key,
        },
        kind: source.kind,
        issuer: source.issuer.clone(),
        subject,
        username: shown(&claims, &source.username_claim),
        email: email(&claims),
        email_verified: said_verified(&claims).unwrap_or(source.verified_emails),
        groups,
        session: shown(&claims, "sid"),
        proven_at: times.proven_at,
        auth_time: times.auth_time,
        expires_at: times.expires_at,
        claims,
    })
}

/// Each claim that the source asks for, with one of its patterns.
fn required(source: &IdentitySource, claims: &Claims) -> Result<(), Refusal> {
    let unmet = source
        .required
        .iter()
        .find(|(name, patterns)| !read::fits(read::at(claims, name), patterns));
    match unmet {
        None => Ok(()),
        Some((name, patterns)) => Err(wrong(
            source,
            name,
            "is not what the source asks for",
            &format!("the source takes: {}", patterns.join(", ")),
        )),
    }
}

/// A text, or a number as text, that names somebody.
fn name_of(source: &IdentitySource, claims: &Claims, claim: &str) -> Result<String, Refusal> {
    let text = match read::at(claims, claim) {
        Some(Value::String(text)) => text.clone(),
        // OIDC Core §2 and RFC 7519 §4.1.2: `sub` is a text; the number 7 is not the person "7".
        Some(Value::Number(number)) if claim != "sub" => number.to_string(),
        Some(_) => String::new(),
        None => return Err(missing(source, claim)),
    };
    if is_plain(&text) {
        Ok(text)
    } else {
        Err(wrong(
            source,
            claim,
            "names nobody",
            "choose another `key_claim` for the source",
        ))
    }
}

/// For display and for finding a person by hand: left out when it does not look like one.
fn shown(claims: &Claims, claim: &str) -> Option<String> {
    let text = read::at(claims, claim)?.as_str()?;
    is_plain(text).then(|| text.to_owned())
}

/// Not kept where the provider says that it was not verified: it is an impersonation waiting to happen
/// at a hub that knows its members by e-mail.
fn email(claims: &Claims) -> Option<String> {
    let refuted = said_verified(claims) == Some(false);
    let email = shown(claims, "email")?;
    let shape = email.len() <= 254 && email.contains('@');
    (shape && !refuted).then_some(email)
}

/// What the token itself says of its address.
fn said_verified(claims: &Claims) -> Option<bool> {
    match claims.get("email_verified")? {
        Value::Null => None,
        Value::Bool(verified) => Some(*verified),
        Value::String(verified) => Some(verified == "true"),
        _ => Some(false),
    }
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST_TEXT && !text.chars().any(char::is_control)
}

fn wrong(source: &IdentitySource, claim: &str, what: &str, next: &str) -> Refusal {
    let claim = claim.escape_debug();
    Refusal::bad_request(
        format!("`{claim}` of this token of {} {what}", source.name),
        next,
    )
}

fn missing(source: &IdentitySource, claim: &str) -> Refusal {
    wrong(
        source,
        claim,
        "is missing",
        "let the provider put this claim into the token",
    )
}

#[cfg(any(test, feature = "fixture"))]
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "samples for tests"
)]
pub mod fixture;
#[cfg(test)]
mod tests;
