//! Logout tokens (OIDC Back-Channel Logout 1.0 §2.4 and §2.6).

use super::{Rejected, addressed, made};
use crate::claims::Claims;
use oam_model::issuer::IdentitySource;
use oam_model::signal::{Signal, SignalMeaning, SignalSubject};
use serde_json::Value;

/// The event that makes a token a logout token. It is `http`, as the specification has it.
pub(super) const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// Oldest `iat` of a logout token that has no `exp`, seconds.
const OLDEST_WITHOUT_EXP_S: u64 = 600;

/// What a logout token says: the session is doubtful, for with offline access it may well go on (§2.7).
/// Its signature was verified with a key of the source; `typ` is the header's, `now_ms` Unix milliseconds.
///
/// # Errors
/// The word and sentence for the answer.
pub fn logout(
    source: &IdentitySource,
    typ: Option<&str>,
    claims: &Claims,
    now_ms: u64,
) -> Result<Signal, Rejected> {
    fitting_type(typ)?;
    addressed(claims, &source.issuer, &source.audiences)?;
    let (issued_s, id) = made(claims, now_ms)?;
    let young = issued_s.saturating_add(OLDEST_WITHOUT_EXP_S) >= now_ms / 1000;
    if !claims.contains_key("exp") && !young {
        return Err(Rejected::request(
            "the logout token is too old, and has no `exp`",
        ));
    }
    let event = claims.get("events").and_then(|events| events.get(EVENT));
    if !event.is_some_and(Value::is_object) {
        return Err(Rejected::request(
            "`events` does not name back-channel logout",
        ));
    }
    let (subject, session) = (plain(claims, "sub")?, plain(claims, "sid")?);
    if subject.is_none() && session.is_none() {
        return Err(Rejected::request("neither `sub` nor `sid` is there"));
    }
    let named = |session: Option<String>| SignalSubject {
        issuer: Some(source.issuer.clone()),
        subject: subject.clone(),
        session,
        ..SignalSubject::default()
    };
    // Only the last session of a person is known here: another one of theirs makes way for the person.
    let also = match (&subject, &session) {
        (Some(_), Some(_)) => vec![named(None)],
        _ => Vec::new(),
    };
    Ok(Signal {
        source: source.name.clone(),
        subject: named(session),
        also,
        meaning: SignalMeaning::SessionDoubtful,
        at_ms: issued_s.saturating_mul(1000),
        reason: "signed out at the identity provider".to_owned(),
        transmitter: source.issuer.clone(),
        // Signals of the same issuer number theirs by themselves; one token may be for several sources.
        id: format!("logout:{}:{id}", source.name),
    })
}

/// `logout+jwt` is recommended; older senders say `JWT` or nothing. Any other explicit type is another
/// kind of token.
fn fitting_type(typ: Option<&str>) -> Result<(), Rejected> {
    let typ = typ.unwrap_or("").to_ascii_lowercase();
    match typ.strip_prefix("application/").unwrap_or(&typ) {
        "" | "jwt" | "logout+jwt" => Ok(()),
        _ => Err(Rejected::request(
            "the header's `typ` is not a logout token's",
        )),
    }
}

fn plain(claims: &Claims, name: &str) -> Result<Option<String>, Rejected> {
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text))
            if !text.is_empty() && text.len() <= 1024 && !text.chars().any(char::is_control) =>
        {
            Ok(Some(text.clone()))
        }
        Some(_) => Err(Rejected::request(format!("`{name}` is no plain text"))),
    }
}
