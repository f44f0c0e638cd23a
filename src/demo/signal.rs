//! What the demo's identity provider pushes to the issuer: Security Event Tokens (RFC 8417) by push
//! (RFC 8935), with subjects as SSF 1.0 §4 wants them.

use super::browser::{Sent, send};
use super::idp::Idp;
use super::key::random_text;
use super::seed::ADA;
use serde_json::{Value, json};

/// RISC: the account may not be used any more.
pub const ACCOUNT_DISABLED: &str =
    "https://schemas.openid.net/secevent/risc/event-type/account-disabled";
/// RISC: it may be used again.
pub const ACCOUNT_ENABLED: &str =
    "https://schemas.openid.net/secevent/risc/event-type/account-enabled";
/// CAEP: claims of the session's tokens are others now.
pub const TOKEN_CLAIMS_CHANGE: &str =
    "https://schemas.openid.net/secevent/caep/event-type/token-claims-change";

/// A signed event about Ada, for the receiver `audience`.
///
/// # Errors
/// No randomness, or signing failed; in words.
pub fn event(
    idp: &Idp,
    audience: &str,
    event: &str,
    content: &Value,
    now_s: u64,
) -> Result<String, String> {
    let claims = json!({
        "iss": idp.issuer(),
        "aud": audience,
        "iat": now_s,
        "jti": random_text()?,
        "sub_id": { "format": "iss_sub", "iss": idp.issuer(), "sub": ADA.subject },
        "events": { event: content },
    });
    idp.key().sign("secevent+jwt", &claims)
}

/// Pushes an event to the issuer.
///
/// # Errors
/// It was not taken; in words.
pub async fn push(issuer: &str, token: &str) -> Result<(), String> {
    let address = format!("{issuer}/signals/ssf")
        .parse()
        .map_err(|_| "the issuer's address is no URL".to_owned())?;
    let sent = Sent {
        authorization: None,
        body: Some(("application/secevent+jwt", token)),
    };
    let page = send(&address, sent).await?;
    if page.status == 202 {
        Ok(())
    } else {
        Err(format!(
            "the issuer answered {} to the provider's signal: {}",
            page.status, page.body
        ))
    }
}
