use super::{ISSUER, NOW_S, World, decision, error, token};
use crate::mint::asks_hub;
use oam_model::answer::EndpointFault;
use oam_model::issuer::Backend;
use oam_model::refusal::RefusalCode;
use oam_model::role::Action;
use serde_json::{Value, json};

async fn world(answer: (u16, Value)) -> World {
    World::new(
        Backend::HuggingFaceTrustedPublisher,
        move |seen| match seen.path.as_str() {
            "/oauth/token" => answer.clone(),
            "/api/credentials/revoke" => (202, json!({})),
            _ => error(404, "not_found"),
        },
    )
    .await
}

#[tokio::test]
async fn the_hub_is_shown_an_id_token_with_the_role_as_claim() {
    let world = world(token("hf_jwt_1", 600)).await;
    let minted = world.ask().await.ok().unwrap();
    assert_eq!(minted.token.expose(), "hf_jwt_1");
    assert_eq!(minted.expires_in_s, 600);
    assert!(!minted.wider_than_asked && minted.revocable() && asks_hub(&world.hub));
    let seen = world.seen("/oauth/token");
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].content_type, "application/json");
    assert_eq!(seen[0].authorization, "");
    let body: Value = serde_json::from_str(&seen[0].body).unwrap();
    let sent = body.as_object().unwrap();
    assert_eq!(sent.len(), 4);
    assert_eq!(
        sent["grant_type"],
        "urn:ietf:params:oauth:grant-type:token-exchange"
    );
    assert_eq!(
        sent["subject_token_type"],
        "urn:ietf:params:oauth:token-type:id_token"
    );
    assert_eq!(sent["resource"], "acme/model");
    let (typ, mut claims) = world.verified(sent["subject_token"].as_str().unwrap());
    assert_eq!(typ, "JWT");
    claims.as_object_mut().unwrap().remove("jti").unwrap();
    let expected = json!({
        "iss": ISSUER, "aud": world.hub.url, "sub": "role:model-publisher", "role": "model-publisher",
        "repository": "acme/model", "act": {"iss": "https://acme.okta.example", "sub": "00u1"},
        "iat": NOW_S, "exp": NOW_S + 120,
    });
    assert_eq!(claims, expected);
}

#[tokio::test]
async fn a_token_that_the_hub_makes_longer_lived_is_answered_with_the_roles_lifetime() {
    let world = world(token("hf_jwt_1", 3600)).await;
    assert_eq!(world.ask().await.ok().unwrap().expires_in_s, 900);
}

#[tokio::test]
async fn a_read_gets_the_write_token_only_of_a_principal_who_holds_write() {
    let mut world = world(token("hf_jwt_1", 3600)).await;
    world.decision = decision(Action::Read);
    assert!(world.ask().await.ok().unwrap().wider_than_asked);
    world.may_write = false;
    let fault = world.refused().await;
    assert_eq!(fault.refusal.code, RefusalCode::Denied);
    assert!(fault.refusal.sentence.contains("only tokens that write"));
    assert_eq!(
        world.seen("/oauth/token").len(),
        1,
        "the hub was not asked again"
    );
}

#[tokio::test]
async fn what_such_a_token_cannot_be_is_refused_in_words_and_the_hub_is_not_asked() {
    let mut world = world(token("hf_jwt_1", 3600)).await;
    world.repository = None;
    let whole = world.refused().await.refusal;
    assert_eq!(whole.code, RefusalCode::Denied);
    assert!(whole.sentence.contains("one repository each") && whole.next.contains("--repo"));
    // A name alone is another flavour of token at the hub: that of a person.
    world.repository = Some("ada".parse().unwrap());
    assert!(
        world
            .refused()
            .await
            .refusal
            .sentence
            .contains("no repository")
    );
    world.repository = Some("acme/model".parse().unwrap());
    world.decision = decision(Action::Manage);
    assert!(world.refused().await.refusal.sentence.contains("manages"));
    assert!(world.seen("/oauth/token").is_empty());
}

#[tokio::test]
async fn a_hub_without_this_publisher_gets_its_set_up_named() {
    let world = world(error(400, "invalid_grant")).await;
    let fault = world.refused().await;
    assert_eq!(fault.refusal.code, RefusalCode::Denied);
    for part in [ISSUER, "role:model-publisher", "/acme/model/settings"] {
        assert!(
            fault.refusal.next.contains(part),
            "{part}: {}",
            fault.refusal.next
        );
    }
    let code = Some("invalid_grant".to_owned());
    assert!(
        matches!(fault.at_hub, Some(EndpointFault::Status { status: 400, error, .. }) if error == code)
    );
}

#[tokio::test]
async fn other_errors_of_the_hub_are_ours_to_wait_for_or_to_set_right() {
    for ((status, code), expected, word) in [
        (
            (400, "invalid_request"),
            RefusalCode::Unavailable,
            "invalid_request",
        ),
        ((429, "slow_down"), RefusalCode::Busy, "no more requests"),
        (
            (500, "server_error"),
            RefusalCode::Unavailable,
            "status 500",
        ),
        (
            (403, "access_denied"),
            RefusalCode::Unavailable,
            "access_denied",
        ),
        (
            (400, "tok-123 SELECT"),
            RefusalCode::Unavailable,
            "status 400 instead",
        ),
    ] {
        let fault = world(error(status, code)).await.refused().await;
        assert_eq!(fault.refusal.code, expected, "{code}");
        assert!(
            fault.refusal.sentence.contains(word),
            "{}",
            fault.refusal.sentence
        );
    }
}

#[tokio::test]
async fn a_hub_that_is_not_there_is_unavailable() {
    let mut world = world(token("hf_jwt_1", 3600)).await;
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    world.hub.url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let fault = world.refused().await;
    assert_eq!(fault.refusal.code, RefusalCode::Unavailable);
    assert!(matches!(fault.at_hub, Some(EndpointFault::NotSent { .. })));
}

#[tokio::test]
async fn an_answer_that_is_not_what_was_asked_is_not_handed_out_and_is_revoked() {
    for (name, value) in [
        ("token_type", json!("DPoP")),
        (
            "issued_token_type",
            json!("urn:ietf:params:oauth:token-type:refresh_token"),
        ),
        ("scope", json!("write-repos manage-repos")),
        ("expires_in", Value::Null),
        ("expires_in", json!(0)),
    ] {
        let mut answer = token("hf_jwt_bad", 3600);
        answer.1[name] = value.clone();
        let world = world(answer).await;
        let fault = world.refused().await;
        let named =
            matches!(&fault.at_hub, Some(EndpointFault::Check { name: n, .. }) if n == name);
        assert!(named, "{name} {value}: {fault:?}");
        assert_eq!(fault.refusal.code, RefusalCode::Unavailable);
        let ended = world.seen("/api/credentials/revoke");
        assert_eq!(ended.len(), 1, "{name} {value}");
        assert_eq!(ended[0].body, r#"{"credentials":["hf_jwt_bad"]}"#);
    }
}

#[tokio::test]
async fn an_answer_without_a_usable_token_is_refused() {
    for value in [
        Value::Null,
        json!(""),
        json!("a b"),
        json!("x".repeat(17_000)),
    ] {
        let mut answer = token("", 3600);
        answer.1["access_token"] = value;
        let world = world(answer).await;
        world.refused().await;
        assert!(world.seen("/api/credentials/revoke").is_empty());
    }
    let page = world((200, json!("<html>tok-123</html>"))).await;
    assert!(matches!(
        page.refused().await.at_hub,
        Some(EndpointFault::Unreadable { .. })
    ));
}
