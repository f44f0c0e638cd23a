//! What a sign-out on one machine ends, and what it leaves.

use super::world::World;
use oam_system::clock;
use serde_json::json;

const MODEL: &str = "https://hub.acme.example/acme/model";

async fn give_up(world: &World, token: &str, hint: &str) {
    let pairs = [("token", token), ("token_type_hint", hint)];
    world.form("/oauth/revoke", &pairs).await.expect(200);
}

#[tokio::test]
async fn an_id_token_that_was_given_up_is_exchanged_no_more_and_a_later_one_is() {
    let world = World::start().await;
    let now = clock::now_s();
    let here = world.id_token("ada", &json!({"iat": now, "auth_time": now - 60}));
    let older = world.id_token("ada", &json!({"iat": now - 30, "auth_time": now - 60}));
    let bob = world.id_token("bob", &json!({"iat": now}));
    for token in [&here, &older, &bob] {
        world.exchange(token, MODEL, "read").await.expect(200);
    }
    give_up(&world, &here, "id_token").await;
    for token in [&here, &older] {
        let refused = world
            .exchange(token, MODEL, "read")
            .await
            .expect(400)
            .json();
        assert_eq!(refused["oam"]["code"], "ended", "{refused}");
        world.bearer("/v1/roles", token).await.expect(403);
    }
    // Of the same sign-in, renewed at the provider since then: another machine of the same person goes on.
    let renewed = json!({"iat": now + 2, "auth_time": now - 60});
    let renewed = world.id_token("ada", &renewed);
    world.exchange(&renewed, MODEL, "read").await.expect(200);
    world.exchange(&bob, MODEL, "read").await.expect(200);
    let said = world.audit("revocation").await;
    assert_eq!(said.len(), 1);
    assert!(
        said[0]["detail"].as_str().unwrap().contains("signed out"),
        "{said:?}"
    );
}

#[tokio::test]
async fn what_is_no_good_token_ends_nothing() {
    let world = World::start().await;
    let ada = world.id_token("ada", &json!({}));
    world.exchange(&ada, MODEL, "read").await.expect(200);
    give_up(&world, "no token", "id_token").await;
    // Without the hint it is a role token that nobody knows.
    give_up(&world, &ada, "access_token").await;
    world.exchange(&ada, MODEL, "read").await.expect(200);
    assert_eq!(world.audit("revocation").await.len(), 0);
}
