//! Groups where a renewal brings no ID token.

use super::{Idp, answer};
use oam_agent::ports::{IdentityProvider as _, UserInfo};
use oam_model::secret::Secret;
use oam_standin::server::Canned;
use serde_json::{Value, json};
use std::sync::Arc;

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
async fn userinfo_tells_groups_and_is_believed_only_about_the_same_person() {
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
        let access = Arc::new(Secret::new("at2".into()));
        let told = idp.oidc.userinfo(&idp.org(), access, idp.known()).await;
        assert_eq!(told, said);
    }
    assert_eq!(idp.server.count("/userinfo"), 10);
}

#[tokio::test]
async fn a_renewal_is_told_without_a_word_of_userinfo() {
    let idp = without_id_tokens().await;
    let arrived = idp.refresh().await.ok().unwrap();
    assert!(arrived.flaw.is_none() && arrived.without_id);
    assert_eq!(arrived.tokens.refresh.expose(), "rt2");
    let token = idp.signed(&idp.claims());
    assert!(!idp.refreshed(&token).await.ok().unwrap().without_id);
    assert_eq!(idp.server.count("/userinfo"), 0);
}
