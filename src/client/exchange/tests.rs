use super::super::http::Http;
use super::TokenExchange;
use oam_agent::ports::{Minted, TokenEndpoint as _, TokenKey};
use oam_config::agent::{Body, Exchange, Org, Rfc8693, SubjectToken};
use oam_model::answer::EndpointFault;
use oam_model::role::Action;
use oam_model::secret::Secret;
use oam_session::machine::fixture::provider;
use oam_standin::clock::Still;
use oam_standin::server::{Canned, StandIn};
use serde_json::{Value, json};
use std::rc::Rc;
use std::sync::Arc;

const NOW: u64 = 1_800_000_000;
const ISSUED: &str = "urn:ietf:params:oauth:token-type:access_token";

fn endpoint(base: &str) -> Rfc8693 {
    Rfc8693 {
        token_endpoint: format!("{base}/token"),
        body: Body::Form,
        subject: SubjectToken::IdToken,
        client_id: None,
        audience: None,
        resource: Some("{hub}/{repository}".into()),
        scope: Some("repo:{action} role:{role}".into()),
        revocation_endpoint: None,
    }
}

fn org(exchange: Rfc8693) -> Org {
    Org {
        name: "acme".parse().unwrap(),
        provider: provider("https://idp.example"),
        exchange: Exchange::Rfc8693(exchange),
        hubs: vec![],
        roles: vec![],
        fresh_ms: 0,
        lease_ms: 0,
        session_age_ms: 0,
    }
}

fn order(repository: Option<&str>) -> TokenKey {
    TokenKey {
        hub_url: "https://hub.example".into(),
        role: "publisher".parse().unwrap(),
        repository: repository.map(|r| r.parse().unwrap()),
        action: Action::Write,
        lifetime_s: 600,
    }
}

fn good() -> Value {
    json!({"access_token": "tok", "issued_token_type": ISSUED, "token_type": "bearer",
        "expires_in": 300})
}

async fn mint(org: &Org, order: TokenKey) -> Result<Minted, EndpointFault> {
    let exchange = TokenExchange::new(Rc::new(Http::new(Still::at(NOW))));
    exchange
        .mint(
            org,
            Arc::new(Secret::new("subject".into())),
            order,
            "0123".into(),
        )
        .await
}

async fn minted(answer: Canned) -> Result<Minted, EndpointFault> {
    let server = StandIn::start(move |_, _| answer.clone()).await;
    mint(&org(endpoint(&server.base)), order(Some("acme/model"))).await
}

async fn with(change: impl FnOnce(&mut Value)) -> Result<Minted, EndpointFault> {
    let mut answer = good();
    change(&mut answer);
    minted(Canned::json(&answer)).await
}

fn named(result: Result<Minted, EndpointFault>) -> String {
    match result {
        Ok(minted) => format!("{} s", minted.expires_in_s),
        Err(EndpointFault::Check { name, .. }) => name,
        Err(other) => format!("{other:?}"),
    }
}

fn jwt(exp: u64) -> String {
    jwt_of(&json!({"exp": exp}))
}

fn jwt_of(claims: &serde_json::Value) -> String {
    let key = jsonwebtoken::EncodingKey::from_secret(b"the hub's own");
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), claims, &key).unwrap()
}

#[tokio::test]
async fn the_form_says_what_is_asked_and_the_answer_is_a_token_with_its_hash() {
    let server = StandIn::start(|_, _| Canned::json(&good())).await;
    let minted = mint(&org(endpoint(&server.base)), order(Some("acme/model")))
        .await
        .ok()
        .unwrap();
    assert_eq!(minted.token.expose(), "tok");
    assert_eq!(minted.expires_in_s, 300);
    assert!(!minted.wider_than_asked);
    // From `printf tok | sha256sum`.
    assert_eq!(
        minted.sha256,
        "1a7674eb4ee78df7e1ac439a93c3fa8e3c945784d4dec9fd8e3011738b2f1d62"
    );
    let form = server.seen()[0].form();
    for (name, value) in [
        (
            "grant_type",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ),
        ("subject_token", "subject"),
        (
            "subject_token_type",
            "urn:ietf:params:oauth:token-type:id_token",
        ),
        ("requested_token_type", ISSUED),
        ("resource", "https://hub.example/acme/model"),
        ("scope", "repo:write role:publisher"),
    ] {
        assert_eq!(form[name], value);
    }
    assert_eq!(form.len(), 6);
}

#[tokio::test]
async fn a_hub_that_wants_json_gets_json_and_what_has_no_value_is_left_out() {
    let server = StandIn::start(|_, _| Canned::json(&good())).await;
    let exchange = Rfc8693 {
        body: Body::Json,
        subject: SubjectToken::AccessToken,
        client_id: Some("oam".into()),
        ..endpoint(&server.base)
    };
    assert!(mint(&org(exchange), order(None)).await.is_ok());
    let seen = &server.seen()[0];
    assert!(
        seen.head
            .to_lowercase()
            .contains("content-type: application/json")
    );
    let body: Value = serde_json::from_str(&seen.body).unwrap();
    assert_eq!(
        body,
        json!({"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token": "subject", "subject_token_type": ISSUED, "requested_token_type": ISSUED,
            "client_id": "oam", "scope": "repo:write role:publisher"})
    );
}

#[tokio::test]
async fn each_rule_about_the_answer_is_refused_by_name() {
    let set = |name: &'static str, value: Value| async move {
        named(with(|answer| answer[name] = value).await)
    };
    for (name, value) in [
        ("issued_token_type", Value::Null),
        (
            "issued_token_type",
            json!("urn:ietf:params:oauth:token-type:refresh_token"),
        ),
        ("token_type", Value::Null),
        ("token_type", json!("DPoP")),
        ("token_type", json!("N_A")),
        ("scope", json!("repo:write repo:manage")),
        ("access_token", Value::Null),
        ("access_token", json!("")),
        ("access_token", json!("a\nhost=evil")),
        ("access_token", json!("a b")),
        ("access_token", json!("tök")),
        ("access_token", json!("a".repeat(16_385))),
        ("expires_in", Value::Null),
        ("expires_in", json!("soon")),
        ("expires_in", json!(0)),
        ("expires_in", json!(601)),
    ] {
        assert_eq!(set(name, value.clone()).await, name, "{value}");
    }
    for (name, value) in [
        ("token_type", json!("Bearer")),
        ("token_type", json!("BEARER")),
        ("scope", json!("role:publisher repo:write")),
        ("scope", json!("repo:write")),
        ("scope", json!("")),
        ("access_token", json!("a".repeat(16_384))),
        ("refresh_token", json!("dropped")),
    ] {
        assert_eq!(set(name, value.clone()).await, "300 s", "{name} {value}");
    }
    assert_eq!(set("expires_in", json!("600")).await, "600 s");
}

#[tokio::test]
async fn a_jwt_tells_its_own_end_and_never_lengthens_the_answers() {
    for (exp, said, expected) in [
        (NOW + 200, json!(null), "200 s"),
        (NOW + 200, json!(300), "200 s"),
        (NOW + 400, json!(300), "300 s"),
        (NOW + 601, json!(null), "expires_in"),
        (NOW + 3600, json!(300), "exp"),
        (NOW - 1, json!(300), "expires_in"),
        (NOW - 1, json!(null), "expires_in"),
    ] {
        let answer = with(|answer| {
            answer["access_token"] = json!(jwt(exp));
            answer["expires_in"] = said.clone();
        });
        assert_eq!(named(answer.await), expected, "{exp} {said}");
    }
    let as_jwt = with(|answer| {
        answer["issued_token_type"] = json!("urn:ietf:params:oauth:token-type:jwt");
        answer["token_type"] = json!("N_A");
    });
    assert_eq!(named(as_jwt.await), "300 s");
}

#[tokio::test]
async fn a_clock_that_is_wrong_here_takes_nothing_from_a_jwt_whose_life_is_told() {
    let (ahead, behind) = (NOW - 600, NOW + 600);
    for (iat, exp, said, expected) in [
        (json!(ahead), ahead + 300, json!(300), "300 s"),
        (json!(behind), behind + 300, json!(300), "300 s"),
        (json!(behind), behind + 200, json!(300), "200 s"),
        (json!(ahead), ahead + 3600, json!(300), "exp"),
        (json!(behind + 1), behind, json!(300), "expires_in"),
        // Nobody tells how long it lives but the token, which may have been issued long ago.
        (json!(ahead), ahead + 300, json!(null), "expires_in"),
        (json!("soon"), NOW + 200, json!(300), "200 s"),
        (json!(null), NOW + 200, json!(300), "200 s"),
    ] {
        let answer = with(|answer| {
            answer["access_token"] = json!(jwt_of(&json!({"iat": iat, "exp": exp})));
            answer["expires_in"] = said.clone();
        });
        assert_eq!(named(answer.await), expected, "{iat} {exp} {said}");
    }
}

#[tokio::test]
async fn faults_are_facts() {
    let status = |fault: Option<EndpointFault>| match fault {
        Some(EndpointFault::Status {
            status,
            error,
            bare,
        }) => (status, error, bare),
        other => panic!("{other:?}"),
    };
    let fault = minted(Canned::error(400, "invalid_target")).await.err();
    assert_eq!(status(fault), (400, Some("invalid_target".into()), false));
    let fault = minted(Canned::Say(503, "text/html", "<p>".into()))
        .await
        .err();
    assert_eq!(status(fault), (503, None, false));
    let html = minted(Canned::Say(200, "text/html", "<p>sign in".into()))
        .await
        .err();
    assert!(matches!(html, Some(EndpointFault::Unreadable { .. })));
    let reset = minted(Canned::Reset).await.err();
    assert!(matches!(reset, Some(EndpointFault::Lost { .. })));
    let wide = Rfc8693 {
        scope: Some("{repository}".into()),
        ..endpoint("http://127.0.0.1:9")
    };
    let named = mint(&org(wide), order(Some("a/b c"))).await.err();
    assert!(matches!(named, Some(EndpointFault::Unfit { why }) if why.contains("repository")));
    let open = mint(&org(endpoint("http://hub.example")), order(None))
        .await
        .err();
    assert!(matches!(open, Some(EndpointFault::NotSent { why }) if why.contains("https")));
}

#[tokio::test]
async fn a_role_token_is_revoked_where_that_exists() {
    let server = StandIn::start(|_, seen| {
        if seen.form()["token"] == "known" {
            Canned::Say(200, "", String::new())
        } else {
            Canned::error(400, "unsupported_token_type")
        }
    })
    .await;
    let exchange = TokenExchange::new(Rc::new(Http::new(Still::at(NOW))));
    let without = org(endpoint(&server.base));
    let with = org(Rfc8693 {
        revocation_endpoint: Some(format!("{}/revoke", server.base)),
        client_id: Some("oam".into()),
        ..endpoint(&server.base)
    });
    let token = |text: &str| Arc::new(Secret::new(text.into()));
    assert_eq!(exchange.revoke(&without, token("known")).await, Ok(false));
    assert_eq!(exchange.revoke(&with, token("known")).await, Ok(true));
    let words = exchange.revoke(&with, token("other")).await.unwrap_err();
    assert_eq!(words, "it answered 400, `unsupported_token_type`");
    assert_eq!(server.seen()[0].form()["client_id"], "oam");
}
