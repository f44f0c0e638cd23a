use super::{Dialect, places, read};
use oam_model::answer::EndpointFault;
use serde_json::{Value, json};

fn document(issuer: &str, more: &Value) -> Value {
    let mut document = json!({ "issuer": issuer, "jwks_uri": "https://idp.example/keys" });
    for (name, value) in more.as_object().unwrap() {
        document[name] = value.clone();
    }
    document
}

fn fault(expected: &str, document: &Value) -> Option<String> {
    match read(expected, document.to_string().as_bytes()) {
        Ok(_) => None,
        Err(EndpointFault::Check { name, .. }) => Some(name),
        Err(other) => Some(format!("{other:?}")),
    }
}

#[test]
fn addresses_follow_the_rules_of_each_specification() {
    let oidc = |issuer| places(issuer, Dialect::OpenId);
    assert_eq!(
        oidc("https://idp.example/realms/a/"),
        ["https://idp.example/realms/a/.well-known/openid-configuration"]
    );
    assert_eq!(
        places("https://idp.example/realms/a", Dialect::SharedSignals),
        [
            "https://idp.example/.well-known/ssf-configuration/realms/a",
            "https://idp.example/realms/a/.well-known/ssf-configuration",
            "https://idp.example/.well-known/risc-configuration/realms/a",
        ]
    );
    assert_eq!(
        places("https://accounts.google.com/", Dialect::SharedSignals),
        [
            "https://accounts.google.com/.well-known/ssf-configuration",
            "https://accounts.google.com/.well-known/risc-configuration",
        ]
    );
}

#[test]
fn an_issuer_is_compared_byte_for_byte() {
    let issuer = "https://idp.example";
    assert_eq!(fault(issuer, &document(issuer, &json!({}))), None);
    for other in [
        "https://idp.example/",
        "https://IDP.example",
        "https://idp.example:443",
        "http://idp.example",
        "https://evil.example",
    ] {
        let found = fault(issuer, &document(other, &json!({})));
        assert_eq!(found.as_deref(), Some("issuer"), "{other}");
    }
}

#[test]
fn entra_names_its_tenants_by_a_placeholder() {
    let tenant = "0b3f7c1e-52d4-4f0e-9f39-0a4d1c7e8a11";
    let v2 = format!("https://login.microsoftonline.com/{tenant}/v2.0");
    let said = document(
        "https://login.microsoftonline.com/{tenantid}/v2.0",
        &json!({}),
    );
    assert_eq!(fault(&v2, &said), None);
    let v1 = format!("https://sts.windows.net/{tenant}/");
    let said_v1 = document("https://sts.windows.net/{tenantid}/", &json!({}));
    assert_eq!(fault(&v1, &said_v1), None);
    for other in [
        "https://login.microsoftonline.com/common/v2.0".to_owned(),
        format!("https://login.microsoftonline.com/{tenant}/x/v2.0"),
        format!("https://evil.example/{tenant}/v2.0"),
    ] {
        assert_eq!(fault(&other, &said).as_deref(), Some("issuer"), "{other}");
    }
    let posing = document("https://evil.example/{tenantid}/v2.0", &json!({}));
    let evil = format!("https://evil.example/{tenant}/v2.0");
    assert_eq!(fault(&evil, &posing).as_deref(), Some("issuer"));
}

#[test]
fn an_endpoint_that_can_not_be_used_is_as_good_as_not_there() {
    let issuer = "https://idp.example";
    for bad in [
        json!("http://idp.example/keys"),
        json!("http://127.0.0.1:1/keys"),
        json!("ftp://idp.example/"),
        json!("https://ada@idp.example/"),
        json!(""),
        json!("/keys"),
        json!(7),
        json!(null),
    ] {
        let said = document(
            issuer,
            &json!({"jwks_uri": bad, "introspection_endpoint": bad, "userinfo_endpoint": bad}),
        );
        let read = super::read(issuer, said.to_string().as_bytes()).unwrap();
        let places = [
            read.jwks_uri,
            read.introspection_endpoint,
            read.userinfo_endpoint,
        ];
        assert_eq!(places, [None, None, None], "{bad}");
    }
}
