//! Groups where a renewal brings no ID token.

use super::super::super::http::stand_in::Canned;
use super::{Idp, answer};
use oam_agent::ports::UserInfo;
use oam_config::agent::{Exchange, Issuer};
use serde_json::{Value, json};

/// A provider that sends no ID token at a renewal, and has userinfo.
async fn without_id_tokens() -> Idp {
    let idp = Idp::start().await;
    let base = idp.server.base.clone();
    idp.set(|script| {
        script.metadata["userinfo_endpoint"] = json!(format!("{base}/userinfo"));
        let mut answered = answer("");
        answered["id_token"] = Value::Null;
        script.token = Canned::json(&answered);
    });
    idp
}

#[tokio::test]
async fn userinfo_tells_groups_with_a_renewal_and_is_believed_only_about_the_same_person() {
    let idp = without_id_tokens().await;
    let groups =
        |names: &[&str]| UserInfo::Groups(names.iter().map(|name| (*name).to_owned()).collect());
    let page = Canned::Say(200, "text/html", "<p>sign in to the network".into());
    for (canned, said) in [
        (
            Canned::json(&json!({"sub": "u1", "groups": ["ops"]})),
            groups(&["ops"]),
        ),
        (
            Canned::json(&json!({"sub": "u1", "groups": []})),
            groups(&[]),
        ),
        (Canned::json(&json!({"sub": "u1"})), UserInfo::Silent),
        (
            Canned::json(&json!({"sub": "u2", "groups": ["admins"]})),
            UserInfo::Unread,
        ),
        (
            Canned::json(&json!({"groups": ["admins"]})),
            UserInfo::Unread,
        ),
        (
            Canned::json(&json!({"sub": "u1", "groups": {"admins": true}})),
            UserInfo::Unread,
        ),
        (
            Canned::Say(
                200,
                "application/json",
                r#"{"sub":"u1","groups":["ops"],"groups":["admins"]}"#.into(),
            ),
            UserInfo::Unread,
        ),
        (Canned::error(401, "invalid_token"), UserInfo::Unread),
        (Canned::Reset, UserInfo::Unread),
        (page, UserInfo::Unread),
    ] {
        idp.set(|script| script.userinfo = canned);
        let arrived = idp.refresh().await.ok().unwrap();
        // The renewal is the proof, whatever userinfo is.
        assert!(arrived.flaw.is_none() && arrived.without_id);
        assert_eq!(arrived.tokens.refresh.expose(), "rt2");
        assert_eq!(arrived.userinfo, said);
    }
    assert_eq!(idp.server.count("/userinfo"), 10);
}

#[tokio::test]
async fn userinfo_is_not_asked_where_an_id_token_came_or_an_issuer_judges_the_groups() {
    let idp = without_id_tokens().await;
    let mut org = idp.org();
    org.exchange = Exchange::Issuer(Issuer::at("https://issuer.example"));
    let arrived = idp.refresh_of(&org).await.ok().unwrap();
    assert_eq!(arrived.userinfo, UserInfo::Unread);
    let token = idp.signed(&idp.claims());
    let arrived = idp.refreshed(&token).await.ok().unwrap();
    assert!(!arrived.without_id);
    assert_eq!(idp.server.count("/userinfo"), 0);
}
