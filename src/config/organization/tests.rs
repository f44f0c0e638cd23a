use super::{LARGEST, issuer_of, issuer_url, settings, understood, written};
use oam_model::organization::Organization;
use serde_json::{Value, json};

const ISSUER: &str = "https://issuer.acme.example";

fn published() -> Value {
    json!({
        "v": 1, "org": "acme", "issuer": ISSUER,
        "sign_in": {
            "issuer": "https://login.acme.example", "client_id": "oam",
            "scopes": ["openid", "offline_access"], "redirect_path": "/callback",
            "groups_claim": "groups", "subject": "access-token",
            "fresh_s": 60, "lease_s": 600, "session_age_s": 604_800, "device_login": false
        },
        "token_endpoint": "https://issuer.acme.example/oauth/token",
        "revocation_endpoint": "https://issuer.acme.example/oauth/revoke",
        "roles_endpoint": "https://issuer.acme.example/v1/roles",
        "why_endpoint": "https://issuer.acme.example/v1/why",
        "feed_endpoint": "https://issuer.acme.example/v1/feed",
        "records_endpoint": "https://issuer.acme.example/v1/records",
        "job_audience": ISSUER,
        "hubs": [
            {"name": "models", "url": "https://hub.acme.example", "kind": "huggingface",
             "username": "hf_user"},
            {"name": "code", "url": "https://git.acme.example:8443", "kind": "git",
             "scheme": "bearer", "username": "oam", "variables": ["CODE_TOKEN"]}
        ]
    })
}

fn read(value: &Value) -> Result<Organization, String> {
    understood(value.to_string().as_bytes(), ISSUER)
}

#[test]
fn what_is_published_becomes_the_same_settings_as_if_written_by_hand() {
    let organization = read(&published()).unwrap();
    let org = settings(&organization).unwrap();
    assert_eq!(org.name.as_str(), "acme");
    assert_eq!(org.provider.issuer, "https://login.acme.example");
    assert_eq!(org.provider.scopes, ["openid", "offline_access"]);
    assert_eq!(
        (org.fresh_ms, org.lease_ms, org.session_age_ms),
        (60_000, 600_000, 604_800_000)
    );
    assert_eq!(issuer_of(&org), Some(ISSUER));
    assert_eq!(org.hubs.len(), 2);
    let text = written(&organization).unwrap();
    for line in [
        "session_age = \"7d\"",
        "kind = \"issuer\"",
        "subject = \"access-token\"",
        "[orgs.acme.hubs.code]",
        "auth = \"bearer\"",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[test]
fn nothing_that_the_configuration_refuses_comes_in_by_the_document() {
    let changes: [(&str, Value, &str); 16] = [
        ("/v", json!(2), "version 2"),
        (
            "/issuer",
            json!("https://issuer.acme.example/"),
            "another issuer",
        ),
        ("/org", json!("../x"), "missing or wrong"),
        (
            "/sign_in/issuer",
            json!("http://login.acme.example"),
            "is http",
        ),
        ("/sign_in/client_id", json!("a\nb"), "control character"),
        ("/sign_in/client_id", json!(""), "empty"),
        ("/sign_in/scopes", json!(["a b"]), "not a scope"),
        (
            "/sign_in/extra",
            json!({"redirect_uri": "https://evil.example"}),
            "can't set",
        ),
        ("/sign_in/redirect_path", json!("//evil"), "plain path"),
        ("/sign_in/lease_s", json!(1), "longer than"),
        (
            "/token_endpoint",
            json!("http://evil.example/token"),
            "`token_endpoint` is http",
        ),
        (
            "/feed_endpoint",
            json!("https://me:pw@evil.example/"),
            "user name or password",
        ),
        ("/job_audience", json!("a\u{1b}[31m"), "control character"),
        (
            "/hubs/0/url",
            json!("https://hub.acme.example/base/../x"),
            "read in two ways",
        ),
        (
            "/hubs/0/url",
            json!("https://Hub.acme.example"),
            "unusual way",
        ),
        (
            "/hubs/1/variables",
            json!(["A=B"]),
            "not the name of a variable",
        ),
    ];
    for (at, value, said) in changes {
        let mut document = published();
        match document.pointer_mut(at) {
            Some(place) => *place = value.clone(),
            None => document["sign_in"]["extra"] = value.clone(),
        }
        let fault = read(&document).err().unwrap_or_default();
        assert!(fault.contains(said), "{at} = {value}: {fault}");
    }
}

#[test]
fn two_hubs_with_one_host_or_name_are_refused() {
    let mut document = published();
    document["hubs"][1]["url"] = json!("https://hub.acme.example");
    assert!(read(&document).unwrap_err().contains("same host and port"));
}

#[test]
fn a_document_without_end_or_of_another_kind_is_refused() {
    let long = format!("{{\"v\":1,\"x\":\"{}\"}}", "x".repeat(LARGEST));
    assert!(
        understood(long.as_bytes(), ISSUER)
            .unwrap_err()
            .contains("32 KiB")
    );
    for bytes in ["<html>", "{}", "[]", ""] {
        assert!(understood(bytes.as_bytes(), ISSUER).is_err(), "{bytes}");
    }
}

#[test]
fn a_typed_address_loses_its_slash_and_must_be_an_issuers() {
    assert_eq!(issuer_url("https://issuer.acme.example/").unwrap(), ISSUER);
    assert_eq!(issuer_url("HTTPS://Issuer.ACME.example/").unwrap(), ISSUER);
    assert_eq!(
        issuer_url("Https://HOST.example:8443/Acme").unwrap(),
        "https://host.example:8443/Acme",
        "a path is told apart by its letters' case"
    );
    assert!(issuer_url("http://127.0.0.1:8443").is_ok());
    for bad in [
        "http://issuer.acme.example",
        "https://i.example/?x",
        "ftp://i.example",
        "https://a@i.example",
    ] {
        assert!(issuer_url(bad).is_err(), "{bad}");
    }
}

#[test]
fn only_an_endpoint_that_does_not_follow_from_the_url_is_written() {
    let mut document = published();
    let text = written(&read(&document).unwrap()).unwrap();
    assert!(!text.contains("_endpoint"), "{text}");
    document["feed_endpoint"] = json!("https://feed.acme.example/");
    let organization = read(&document).unwrap();
    let text = written(&organization).unwrap();
    assert!(
        text.contains("feed_endpoint = \"https://feed.acme.example/\""),
        "{text}"
    );
    let org = settings(&organization).unwrap();
    let issuer = org.exchange.issuer().unwrap();
    assert_eq!(issuer.feed_endpoint, "https://feed.acme.example/");
    assert_eq!(
        issuer.token_endpoint,
        "https://issuer.acme.example/oauth/token"
    );
}
