use super::{ISSUER, NOW_S, World, decision, error};
use crate::mint::asks_hub;
use oam_model::issuer::Backend;
use oam_model::role::Action;
use serde_json::json;

async fn world(audience: Option<&str>) -> World {
    let audience = audience.map(str::to_owned);
    World::new(Backend::Jwt { audience }, |_| error(500, "not_asked")).await
}

#[tokio::test]
async fn the_token_speaks_for_the_role_and_names_the_person_as_actor_only() {
    let world = world(None).await;
    let minted = world.ask().await.ok().unwrap();
    let (typ, mut claims) = world.verified(minted.token.expose());
    assert_eq!(typ, "at+jwt");
    let jti = claims.as_object_mut().unwrap().remove("jti").unwrap();
    assert_eq!(jti.as_str().unwrap().len(), 32);
    let expected = json!({
        "iss": ISSUER, "aud": world.hub.url, "sub": "role:model-publisher",
        "act": {"iss": "https://acme.okta.example", "sub": "00u1"}, "client_id": "oam",
        "iat": NOW_S, "exp": NOW_S + 900, "scope": "role:model-publisher write",
        "role": "model-publisher", "repository": "acme/model", "actions": ["read", "write"],
    });
    assert_eq!(claims, expected);
    assert_eq!(minted.expires_in_s, 900);
    assert!(!minted.wider_than_asked && !minted.revocable() && !asks_hub(&world.hub));
    let hash = crate::keys::sha256(minted.token.expose().as_bytes());
    assert_eq!(minted.sha256, hash);
    assert!(world.seen("/oauth/token").is_empty());
}

#[tokio::test]
async fn the_actions_are_those_up_to_the_one_allowed() {
    for (action, expected) in [
        (Action::Read, json!(["read"])),
        (Action::Write, json!(["read", "write"])),
        (Action::Manage, json!(["read", "write", "manage"])),
    ] {
        let mut world = world(None).await;
        world.decision = decision(action);
        let minted = world.ask().await.ok().unwrap();
        assert_eq!(world.verified(minted.token.expose()).1["actions"], expected);
    }
}

#[tokio::test]
async fn a_token_lives_as_long_as_its_role_says() {
    let mut world = world(None).await;
    for lifetime_s in [120, 900] {
        world.decision.lifetime_s = lifetime_s;
        let minted = world.ask().await.ok().unwrap();
        let claims = world.verified(minted.token.expose()).1;
        assert_eq!(minted.expires_in_s, lifetime_s);
        assert_eq!(claims["exp"], NOW_S + lifetime_s);
    }
}

#[tokio::test]
async fn the_whole_hub_is_a_star_and_the_audience_can_be_another() {
    let mut world = world(Some("hub.acme.example")).await;
    world.repository = None;
    let minted = world.ask().await.ok().unwrap();
    let claims = world.verified(minted.token.expose()).1;
    assert_eq!(claims["repository"], "*");
    assert_eq!(claims["aud"], "hub.acme.example");
}

#[tokio::test]
async fn an_order_can_be_carried_out_on_any_thread() {
    fn send<T: Send>(future: T) -> T {
        future
    }
    let world = world(None).await;
    assert!(send(world.ask()).await.is_ok());
    let sweep = send(world.mint.due_revocations(0, 0)).await;
    assert_eq!(sweep, Ok(Vec::new()));
}

#[tokio::test]
async fn two_tokens_are_never_the_same() {
    let world = world(None).await;
    let (one, two) = (
        world.ask().await.ok().unwrap(),
        world.ask().await.ok().unwrap(),
    );
    let jti = |token: &str| world.verified(token).1["jti"].clone();
    assert_ne!(jti(one.token.expose()), jti(two.token.expose()));
}
