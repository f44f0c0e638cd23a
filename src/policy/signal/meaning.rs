//! What follows from each type of event.

use super::{Rejected, code};
use crate::claims::groups::is_team;
use crate::claims::{Claims, read};
use oam_model::issuer::IdentitySource;
use oam_model::signal::SignalMeaning;
use serde_json::Value;

const CAEP: &str = "https://schemas.openid.net/secevent/caep/event-type/";
const RISC: &str = "https://schemas.openid.net/secevent/risc/event-type/";
const SSF: &str = "https://schemas.openid.net/secevent/ssf/event-type/";
/// Google's own beside RISC.
const OAUTH: &str = "https://schemas.openid.net/secevent/oauth/event-type/";

/// Meaning and our own words for it. Unknown events are noted.
pub(super) fn of(
    source: &IdentitySource,
    uri: &str,
    payload: &Claims,
) -> Result<(SignalMeaning, String), Rejected> {
    if uri == super::logout::EVENT {
        return Err(Rejected::request(
            "a logout token belongs to the address for back-channel logout",
        ));
    }
    if let Some(event) = uri.strip_prefix(CAEP) {
        return caep(source, event, payload);
    }
    if let Some(event) = uri.strip_prefix(RISC) {
        return Ok(risc(event, payload));
    }
    let noted = SignalMeaning::Noted;
    Ok(match (uri.strip_prefix(SSF), uri.strip_prefix(OAUTH)) {
        (Some("verification"), _) => (SignalMeaning::StreamVerified, "verification".to_owned()),
        (Some("stream-updated"), _) => stream_updated(payload),
        // All tokens of a person for our client: what a session is here.
        (_, Some("tokens-revoked")) => (SignalMeaning::SessionEnded, "tokens-revoked".to_owned()),
        (_, Some("token-revoked")) => (noted, "token-revoked".to_owned()),
        _ => (noted, "an event of an unknown type".to_owned()),
    })
}

fn caep(
    source: &IdentitySource,
    event: &str,
    payload: &Claims,
) -> Result<(SignalMeaning, String), Rejected> {
    let said = |name| code(payload, name);
    Ok(match event {
        "session-revoked" => (SignalMeaning::SessionEnded, event.to_owned()),
        "token-claims-change" => claims_change(source, payload)?,
        "credential-change" => {
            let change = said("change_type").ok_or_else(|| {
                Rejected::request("`change_type` of credential-change is missing or no plain text")
            })?;
            let what = said("credential_type").unwrap_or("credential");
            let meaning = match change.to_ascii_lowercase().as_str() {
                "create" => SignalMeaning::Noted,
                // `revoke`, `delete`, `update`; another word says that something changed as well.
                _ => SignalMeaning::SessionEnded,
            };
            (meaning, format!("{event} ({what}, {change})"))
        }
        "assurance-level-change" => {
            let direction = said("change_direction").unwrap_or("unknown");
            let meaning = if direction.eq_ignore_ascii_case("decrease") {
                SignalMeaning::SessionEnded
            } else {
                SignalMeaning::Noted
            };
            (meaning, format!("{event} ({direction})"))
        }
        "device-compliance-change" => {
            let status = said("current_status").unwrap_or("unknown");
            let meaning = if status.eq_ignore_ascii_case("compliant") {
                SignalMeaning::Noted
            } else {
                SignalMeaning::SessionEnded
            };
            (meaning, format!("{event} ({status})"))
        }
        "session-established" | "session-presented" | "risk-level-change" => {
            (SignalMeaning::Noted, event.to_owned())
        }
        _ => (SignalMeaning::Noted, "an unknown CAEP event".to_owned()),
    })
}

/// New groups where the event names them. Other claims count for the policy too, and are not kept: the
/// provider is asked for a new token then.
fn claims_change(
    source: &IdentitySource,
    payload: &Claims,
) -> Result<(SignalMeaning, String), Rejected> {
    let changed = payload
        .get("claims")
        .and_then(Value::as_object)
        .ok_or_else(|| Rejected::request("`claims` of token-claims-change is missing"))?;
    let words = "token-claims-change";
    let Some(groups) = read::at(changed, &source.groups_claim) else {
        return Ok((
            SignalMeaning::SessionDoubtful,
            format!("{words} (other claims than groups)"),
        ));
    };
    let groups = match groups {
        Value::String(one) => Some(vec![one.clone()]),
        Value::Array(list) => list
            .iter()
            .map(|one| one.as_str().map(str::to_owned))
            .collect(),
        _ => None,
    };
    let groups = groups.map(|mut groups: Vec<String>| {
        groups.retain(|group| !is_team(source, group));
        groups
    });
    Ok((
        SignalMeaning::ClaimsChanged { groups },
        format!("{words} (groups)"),
    ))
}

fn risc(event: &str, payload: &Claims) -> (SignalMeaning, String) {
    let meaning = match event {
        "account-disabled" | "account-purged" => SignalMeaning::AccountEnded,
        "account-enabled" => SignalMeaning::AccountRestored,
        // Deprecated for CAEP's session-revoked, and what Google sends.
        "sessions-revoked" | "account-credential-change-required" | "credential-compromise" => {
            SignalMeaning::SessionEnded
        }
        // Google's, without a subject.
        "verification" => SignalMeaning::StreamVerified,
        // A new address is nobody's name here, and an old one neither.
        "identifier-changed"
        | "identifier-recycled"
        | "recovery-activated"
        | "recovery-information-changed"
        | "opt-in"
        | "opt-out-initiated"
        | "opt-out-cancelled"
        | "opt-out-effective" => SignalMeaning::Noted,
        _ => return (SignalMeaning::Noted, "an unknown RISC event".to_owned()),
    };
    let why = code(payload, "reason").or_else(|| code(payload, "credential_type"));
    let reason = why.map_or_else(|| event.to_owned(), |why| format!("{event} ({why})"));
    (meaning, reason)
}

fn stream_updated(payload: &Claims) -> (SignalMeaning, String) {
    let status = code(payload, "status").unwrap_or("unknown");
    let meaning = if status == "enabled" {
        SignalMeaning::Noted
    } else {
        SignalMeaning::StreamStopped
    };
    (meaning, format!("stream-updated ({status})"))
}

/// Whether what follows from the first is all that follows from the second too.
pub(super) fn brings(first: &SignalMeaning, second: &SignalMeaning) -> bool {
    use SignalMeaning as M;
    first == second
        || matches!(
            (first, second),
            (M::AccountEnded, M::SessionEnded | M::SessionDoubtful)
                | (M::SessionEnded, M::SessionDoubtful)
        )
}

/// Which of two meanings to follow.
pub(super) const fn gravity(meaning: &SignalMeaning) -> u8 {
    match meaning {
        SignalMeaning::AccountEnded => 8,
        SignalMeaning::SessionEnded => 7,
        SignalMeaning::ClaimsChanged { .. } => 6,
        SignalMeaning::SessionDoubtful => 5,
        SignalMeaning::AccountRestored => 4,
        SignalMeaning::NotActedOn => 3,
        SignalMeaning::StreamStopped => 2,
        SignalMeaning::StreamVerified => 1,
        SignalMeaning::Noted => 0,
    }
}
