use super::{ExchangedToken, IssuerTokenRequest};
use crate::http::Answer;
use oam_model::answer::EndpointFault;
use oam_model::refusal::RefusalCode;
use oam_model::role::Action;
use serde_json::{Value, json};
use zeroize::Zeroizing;

const NOW: u64 = 1_800_000_000;

fn good() -> Value {
    json!({
        "access_token": "role-token", "token_type": "Bearer", "expires_in": 900,
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "scope": "role:publisher write",
        "oam": {"role": "publisher", "action": "write", "rule": "a rule",
                "wider_than_asked": false, "request_id": "its-own"}
    })
}

fn answered(
    status: u16,
    body: &Value,
    role: Option<&str>,
) -> Result<ExchangedToken, EndpointFault> {
    let role = role.map(|role| role.parse().unwrap());
    let repository = "acme/model".parse().unwrap();
    let asked = IssuerTokenRequest {
        hub_url: "https://hub.example",
        repository: Some(&repository),
        role: role.as_ref(),
        action: Action::Write,
        request_id: "sent",
    };
    let answer = Answer {
        status,
        content_type: "application/json".into(),
        body: Zeroizing::new(body.to_string().into_bytes()),
        date_s: None,
        retry_after_s: None,
    };
    asked.granted(answer, NOW)
}

fn jwt(exp: u64) -> Value {
    let key = jsonwebtoken::EncodingKey::from_secret(b"the issuer's own");
    let claims = json!({"exp": exp});
    json!(jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap())
}

fn named(body: &Value) -> String {
    match answered(200, body, Some("publisher")) {
        Ok(granted) => format!("{} s", granted.expires_in_s),
        Err(EndpointFault::Check { name, .. }) => name,
        Err(other) => format!("{other:?}"),
    }
}

#[test]
fn a_token_is_what_was_asked_for_no_more_and_no_less() {
    for (at, value, expected) in [
        ("/oam/action", json!("manage"), "oam"),
        ("/oam/action", json!("read"), "oam"),
        ("/oam/role", json!("admin"), "oam"),
        ("/oam", Value::Null, "oam"),
        ("/scope", json!("role:publisher manage"), "scope"),
        ("/scope", json!("role:admin write"), "scope"),
        ("/scope", Value::Null, "900 s"),
        ("/expires_in", json!(86_401), "expires_in"),
        ("/access_token", jwt(NOW + 300), "300 s"),
        ("/access_token", jwt(NOW + 2 * 86_400), "exp"),
    ] {
        let mut body = good();
        *body.pointer_mut(at).unwrap() = value.clone();
        assert_eq!(named(&body), expected, "{at} {value}");
    }
    // A role that the hub can't make so narrow is the issuer's to tell, not an action of its own.
    let mut body = good();
    body["oam"]["wider_than_asked"] = json!(true);
    assert_eq!(named(&body), "900 s");
    body["oam"]["action"] = json!("manage");
    body["scope"] = json!("role:publisher manage");
    assert_eq!(named(&body), "oam");
}

#[test]
fn where_no_role_was_named_the_issuer_chooses_one_and_its_scope_is_that_role_alone() {
    let mut body = good();
    assert!(answered(200, &body, None).is_ok());
    body["scope"] = json!("role:publisher role:admin write");
    assert!(answered(200, &body, None).is_err());
}

#[test]
fn a_refusal_in_a_servers_fault_decides_nothing() {
    let denial = |code: &str| {
        json!({"error": "x", "oam": {"code": code, "sentence": "gone",
        "next": "n", "request_id": "r"}})
    };
    let code = |status, code| {
        let fault = answered(status, &denial(code), None).err().unwrap();
        fault.denial().map(|denial| denial.code)
    };
    assert_eq!(code(400, "revoked"), Some(RefusalCode::Revoked));
    assert_eq!(code(503, "unavailable"), Some(RefusalCode::Unavailable));
    for decided in ["revoked", "ended", "denied", "signed-out"] {
        assert_eq!(code(500, decided), None, "{decided}");
    }
}
