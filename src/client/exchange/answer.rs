//! The answer of an exchange, each rule by name (R33; RFC 8693 §2.2.1).

use super::super::http::tokens::whole_seconds;
use super::super::http::{ExpiresIn, Tokens};
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oam_model::answer::EndpointFault;
use oam_model::secret::Secret;
use serde_json::Value;
use std::collections::BTreeSet;
use zeroize::Zeroizing;

/// RFC 8693 §3.
pub(super) const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
/// RFC 8693 §3: an access token that is a JWT may be called so.
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
/// Longest role token, bytes: it must fit a line of git's protocol and a header.
const TOKEN_CAP: usize = 16 * 1024;
/// Clocks differ by up to this, seconds (R41).
const SKEW_S: u64 = 60;

/// A role token that passed.
pub(super) struct Checked {
    pub(super) token: Secret,
    pub(super) expires_in_s: u64,
}

/// Checks an answer against what was asked, at `now`, Unix seconds. `asked`: the scope that the token may
/// have at most; `allowed_s`: how long it may live.
pub(super) fn check(
    tokens: Tokens,
    asked: Option<&str>,
    allowed_s: u64,
    now: u64,
) -> Result<Checked, EndpointFault> {
    let issued = given(tokens.issued_token_type.as_ref(), "issued_token_type")?;
    let jwt = match issued {
        Some(ACCESS_TOKEN) => false,
        Some(JWT) => true,
        Some(_) => {
            return Err(wrong(
                "issued_token_type",
                "another kind of token was issued",
            ));
        }
        None => return Err(wrong("issued_token_type", "it is missing")),
    };
    match given(tokens.token_type.as_ref(), "token_type")? {
        Some(kind) if kind.eq_ignore_ascii_case("bearer") => {}
        // RFC 8693 §2.2.1: for a token that is not called an access token.
        Some("N_A") if jwt => {}
        Some(_) => return Err(wrong("token_type", "the token is not a bearer token")),
        None => return Err(wrong("token_type", "it is missing")),
    }
    scope(scope_of(tokens.scope.as_ref())?.as_deref(), asked)?;
    let token = tokens
        .access_token
        .ok_or_else(|| wrong("access_token", "it is missing"))?;
    plain(&token)?;
    let expires_in_s = lifetime(&token, tokens.expires_in, allowed_s, now)?;
    Ok(Checked {
        token,
        expires_in_s,
    })
}

/// A member that is used here; `null` is absent.
fn given<'a>(value: Option<&'a Value>, name: &str) -> Result<Option<&'a str>, EndpointFault> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(wrong(name, "it is not a text")),
    }
}

/// The scopes as one text (RFC 6749 §3.3). Some send a list.
fn scope_of(value: Option<&Value>) -> Result<Option<String>, EndpointFault> {
    let Some(Value::Array(list)) = value else {
        return given(value, "scope").map(|text| text.map(str::to_owned));
    };
    let texts: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
    let texts = texts.ok_or_else(|| wrong("scope", "it is not a list of texts"))?;
    Ok(Some(texts.join(" ")))
}

/// SHA-256, lower-case hex: how a token stands in records (R24).
pub(super) fn sha256_hex(text: &str) -> String {
    hex::encode(digest::digest(&digest::SHA256, text.as_bytes()))
}

pub(super) fn wrong(name: &str, why: impl Into<String>) -> EndpointFault {
    EndpointFault::Check {
        name: name.to_owned(),
        why: why.into(),
    }
}

/// Not broader than asked; in any order; absent: as asked. Where nothing was asked there is nothing
/// to compare, and the record says `wider-than-asked`.
fn scope(answered: Option<&str>, asked: Option<&str>) -> Result<(), EndpointFault> {
    let (Some(answered), Some(asked)) = (answered, asked) else {
        return Ok(());
    };
    let asked: BTreeSet<&str> = asked.split_ascii_whitespace().collect();
    if answered
        .split_ascii_whitespace()
        .all(|one| asked.contains(one))
    {
        Ok(())
    } else {
        Err(wrong("scope", "more was given than was asked for"))
    }
}

/// It goes into a line protocol and into headers: visible ASCII only, no space.
pub fn plain(token: &Secret) -> Result<(), EndpointFault> {
    let text = token.expose();
    if text.len() > TOKEN_CAP {
        Err(wrong("access_token", "it is longer than 16 KiB"))
    } else if !text.bytes().all(|b| b.is_ascii_graphic()) {
        Err(wrong(
            "access_token",
            "it holds characters that no token has",
        ))
    } else {
        Ok(())
    }
}

/// Seconds the token lives: what the answer says, or the token itself when it is a JWT, the smaller
/// of the two; never more than the role allows. A JWT that says since when is measured by its issuer's
/// clock alone where the answer says how long it lives: this machine's may be wrong.
fn lifetime(token: &Secret, said: ExpiresIn, allowed: u64, now: u64) -> Result<u64, EndpointFault> {
    let own = jwt_life(token).map(|JwtLife { exp, iat }| {
        let since = iat.filter(|_| said.seconds().is_some());
        exp.saturating_sub(since.unwrap_or(now))
    });
    let lives = match (said, own) {
        (ExpiresIn::Seconds(said), own) => own.map_or(said, |own| own.min(said)),
        (ExpiresIn::Missing, Some(own)) => own,
        (ExpiresIn::Missing, None) => return Err(wrong("expires_in", "it is missing")),
        (ExpiresIn::Unreadable, _) => {
            return Err(wrong("expires_in", "it is not a number of seconds"));
        }
    };
    let longest = said.seconds().unwrap_or(lives);
    if longest > allowed {
        return Err(wrong(
            "expires_in",
            format!("the token lives {longest} s, the role allows {allowed} s"),
        ));
    }
    // A short `expires_in` beside a long-lived token would hide how long it is really out.
    if let Some(own) = own.filter(|own| *own > allowed.saturating_add(SKEW_S)) {
        return Err(wrong(
            "exp",
            format!("the token itself lives {own} s, the role allows {allowed} s"),
        ));
    }
    if lives == 0 {
        return Err(wrong("expires_in", "the token has expired already"));
    }
    Ok(lives)
}

/// `iat` and `exp` of a JWT (RFC 7519 §4.1), Unix seconds.
struct JwtLife {
    exp: u64,
    iat: Option<u64>,
}

/// The life of a token that happens to be a JWT. Its signature is the hub's business: this can only
/// shorten what is served or refuse it, and it comes from the same endpoint as `expires_in`.
fn jwt_life(token: &Secret) -> Option<JwtLife> {
    #[derive(serde::Deserialize)]
    struct Claims {
        exp: serde_json::Number,
        // Read loosely: what it lacks or garbles takes nothing from `exp`.
        iat: Option<serde_json::Value>,
    }
    let mut parts = token.expose().split('.');
    let (_, claims, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else {
        return None;
    };
    let claims = Zeroizing::new(URL_SAFE_NO_PAD.decode(claims).ok()?);
    let claims: Claims = serde_json::from_slice(&claims).ok()?;
    let iat = claims.iat.and_then(|iat| whole_seconds(&iat.to_string()));
    let exp = whole_seconds(&claims.exp.to_string())?;
    Some(JwtLife { exp, iat })
}
