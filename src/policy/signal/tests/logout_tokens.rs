//! Logout tokens.

use super::super::fixture::{NOW_MS, people};
use super::super::logout::{EVENT, logout};
use super::by_sub;
use crate::claims::Claims;
use crate::claims::fixture::{NOW, claims};
use oam_model::signal::SignalMeaning;
use serde_json::{Value, json};

fn logout_token(more: Value) -> Claims {
    let mut token = claims(json!({
        "iss": people().issuer, "aud": "oam", "iat": NOW - 1, "exp": NOW + 119, "jti": "l-1",
        "sub": "00u1", "sid": "s-1", "typ": "Logout",
        "events": { EVENT: {}, "revoke_offline_access": true },
    }));
    token.extend(claims(more));
    token
}

#[test]
fn a_logout_is_a_doubt_about_the_session() {
    for typ in [Some("logout+jwt"), Some("JWT"), None] {
        let signal = logout(&people(), typ, &logout_token(json!({})), NOW_MS)
            .unwrap_or_else(|r| panic!("{r:?}"));
        assert_eq!(signal.meaning, SignalMeaning::SessionDoubtful);
        assert_eq!(signal.subject.session.as_deref(), Some("s-1"));
        assert_eq!(signal.also, vec![by_sub("00u1")]);
        assert_eq!(signal.at_ms, (NOW - 1) * 1000);
        assert_eq!(signal.id, format!("logout:{}:l-1", people().name));
    }
}

#[test]
fn what_is_no_logout_token_is_rejected() {
    for (name, value) in [
        ("iss", json!("https://evil.example")),
        ("aud", json!("other")),
        ("nonce", json!("n")),
        ("jti", Value::Null),
        ("iat", json!(NOW + 61)),
        ("exp", json!(NOW - 61)),
        ("events", json!({})),
        ("events", json!({ EVENT: true })),
        (
            "events",
            json!({ "https://schemas.openid.net/event/backchannel-logout": {} }),
        ),
        ("sub", json!(7)),
        ("sid", json!("")),
    ] {
        let token = logout_token(json!({ name: value.clone() }));
        assert!(
            logout(&people(), Some("logout+jwt"), &token, NOW_MS).is_err(),
            "{name}: {value}"
        );
    }
    let mut nobody = logout_token(json!({}));
    nobody.remove("sub");
    nobody.remove("sid");
    assert!(logout(&people(), None, &nobody, NOW_MS).is_err());
    for typ in ["at+jwt", "secevent+jwt"] {
        let token = logout_token(json!({}));
        assert!(
            logout(&people(), Some(typ), &token, NOW_MS).is_err(),
            "{typ}"
        );
    }
    let mut endless = logout_token(json!({ "iat": NOW - 601 }));
    endless.remove("exp");
    assert!(logout(&people(), None, &endless, NOW_MS).is_err());
}
