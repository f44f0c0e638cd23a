//! The claims of what the issuer signs. The subject is the role; the person or job stands only in `act`,
//! by issuer and subject, never by e-mail.

use super::MintRequest;
use aws_lc_rs::rand;
use oam_model::refusal::Refusal;
use serde::Serialize;

/// RFC 8693 §4.1.
#[derive(Serialize)]
pub(super) struct Actor<'a> {
    iss: &'a str,
    sub: &'a str,
}

/// A role token (RFC 9068 §2.2).
#[derive(Serialize)]
pub(super) struct RoleToken<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: String,
    act: Actor<'a>,
    client_id: &'static str,
    iat: u64,
    exp: u64,
    jti: String,
    scope: String,
    role: &'a str,
    repository: &'a str,
    actions: &'static [&'static str],
}

/// An ID token for a hub that trusts the issuer as publisher. Hubs compare claims exactly.
#[derive(Serialize)]
pub(super) struct PublisherToken<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: String,
    role: &'a str,
    repository: &'a str,
    act: Actor<'a>,
    iat: u64,
    exp: u64,
    jti: String,
}

/// The ID token is sent once, at once; this covers clocks that differ.
const PUBLISHER_TOKEN_S: u64 = 120;

/// What stands for the whole hub in `repository`.
const WHOLE_HUB: &str = "*";

/// The claims of the issuer's own token.
///
/// # Errors
/// The system gave no randomness.
pub(super) fn own<'a>(
    order: &MintRequest<'a>,
    issuer: &'a str,
    audience: Option<&'a str>,
) -> Result<RoleToken<'a>, Refusal> {
    let decision = order.decision;
    Ok(RoleToken {
        iss: issuer,
        aud: audience.unwrap_or(&order.hub.url),
        sub: format!("role:{}", decision.role),
        act: actor(order),
        client_id: "oam",
        iat: order.now_s(),
        exp: order.now_s().saturating_add(order.decision.lifetime_s),
        jti: unique()?,
        scope: format!("role:{} {}", decision.role, decision.action.word()),
        role: decision.role.as_str(),
        repository: order.repository.map_or(WHOLE_HUB, |path| path.as_str()),
        actions: decision.action.words(),
    })
}

/// The claims for a trusted publisher's exchange.
///
/// # Errors
/// The system gave no randomness.
pub(super) fn publisher<'a>(
    order: &MintRequest<'a>,
    issuer: &'a str,
    repository: &'a str,
) -> Result<PublisherToken<'a>, Refusal> {
    Ok(PublisherToken {
        iss: issuer,
        aud: &order.hub.url,
        sub: format!("role:{}", order.decision.role),
        role: order.decision.role.as_str(),
        repository,
        act: actor(order),
        iat: order.now_s(),
        exp: order.now_s().saturating_add(PUBLISHER_TOKEN_S),
        jti: unique()?,
    })
}

fn actor<'a>(order: &MintRequest<'a>) -> Actor<'a> {
    Actor {
        iss: &order.principal.issuer,
        sub: &order.principal.subject,
    }
}

/// 128 random bits, hex. Not the request id: a client may choose that.
fn unique() -> Result<String, Refusal> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes)
        .map_err(|_| Refusal::unavailable("the system gave no randomness", "try again"))?;
    Ok(hex::encode(bytes))
}
