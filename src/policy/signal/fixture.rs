//! Tokens as each transmitter sends them, made from what is documented of them.

use crate::claims::Claims;
use crate::claims::fixture::{NOW, claims, name, okta};
use oam_model::issuer::{IdentitySource, SourceKeys, Transmitter};
use serde_json::{Value, json};

pub const CAEP: &str = "https://schemas.openid.net/secevent/caep/event-type/";
pub const RISC: &str = "https://schemas.openid.net/secevent/risc/event-type/";
pub const SSF: &str = "https://schemas.openid.net/secevent/ssf/event-type/";
pub const NOW_MS: u64 = NOW * 1000;

pub fn transmitter(issuer: &str) -> Transmitter {
    Transmitter {
        issuer: issuer.to_owned(),
        keys: SourceKeys::Discovery,
        audiences: vec!["https://oam.acme.example".to_owned()],
        source: name("okta"),
        authorization: None,
        live_for_ms: 300_000,
    }
}

/// Whose people a signal speaks of: tokens come from an authorization server below the organization.
pub fn people() -> IdentitySource {
    IdentitySource {
        issuer: "https://acme.okta.example/oauth2/default".to_owned(),
        ..okta()
    }
}

pub fn set(issuer: &str, more: Value) -> Claims {
    let mut set = claims(json!({
        "iss": issuer, "aud": "https://oam.acme.example", "iat": NOW - 2, "jti": "j-1",
    }));
    set.extend(claims(more));
    set
}

/// Okta: no `sub_id`, a subject without `format`, milliseconds.
pub fn okta_session_revoked() -> Claims {
    set(
        "https://acme.okta.example",
        json!({ "events": { format!("{CAEP}session-revoked"): {
            "event_timestamp": (NOW - 10) * 1000 + 123,
            "initiating_entity": "admin",
            "reason_admin": { "en": "left <script>" },
            "subject": { "user": {
                "format": "iss_sub", "iss": "https://acme.okta.example", "sub": "00u1" } },
        } } }),
    )
}

/// Google: `iss` with a slash, `subject_type` with a hyphen, `aud` a client id.
pub fn google_account_disabled() -> Claims {
    let mut set = set(
        "https://accounts.google.com/",
        json!({ "events": { format!("{RISC}account-disabled"): {
            "subject": { "subject_type": "iss-sub",
                "iss": "https://accounts.google.com/", "sub": "7375626A656374" },
            "reason": "hijacking",
        } } }),
    );
    set.insert("aud".to_owned(), json!("https://oam.acme.example"));
    set
}

/// Keycloak, as SSF 1.0 has it: `sub_id` at the top.
pub fn keycloak(event: &str, payload: impl Into<Value>) -> Claims {
    let payload = payload.into();
    set(
        "https://sso.acme.example/realms/acme",
        json!({
            "sub_id": { "format": "iss_sub",
                "iss": "https://sso.acme.example/realms/acme", "sub": "f7" },
            "txn": "t-1",
            "events": { event: payload },
        }),
    )
}
