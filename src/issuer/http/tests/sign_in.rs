//! A new sign-in, where the provider tells no time of one.

use super::world::{POLICY, World};
use crate::signal_processor::Order;
use oam_system::clock;
use serde_json::json;

const MODEL: &str = "https://hub.acme.example/acme/model";

/// As Google: ID tokens have neither `auth_time` nor `sid`.
async fn google() -> World {
    World::with(|settings| settings.replace("[sources.okta]", "[sources.okta]\nreauth = \"none\""))
        .await
}

/// Made so many seconds ago; those of the exchange of a code have its nonce.
fn token(world: &World, ago_s: u64, nonce: Option<&str>) -> String {
    let iat = clock::now_s() - ago_s;
    let claims = json!({ "iat": iat, "auth_time": null, "nonce": nonce });
    world.id_token("ada", &claims)
}

async fn granted(world: &World, token: &str) {
    world.exchange(token, MODEL, "read").await.expect(200);
    world.bearer("/v1/roles", token).await.expect(200);
}

async fn revoked(world: &World, token: &str) {
    let refused = world.exchange(token, MODEL, "read").await.expect(400);
    let told = refused.json();
    assert_eq!(told["oam"]["code"], "revoked", "{told}");
    world.bearer("/v1/roles", token).await.expect(403);
}

async fn at(world: &World, ago_s: u64, order: Order) {
    let at_ms = (clock::now_s() - ago_s) * 1000;
    world.order_at("ada", order, at_ms).await;
}

#[tokio::test]
async fn without_times_an_exchange_of_a_code_after_the_end_is_a_new_sign_in_and_a_renewal_is_none()
{
    let world = google().await;
    granted(&world, &token(&world, 300, Some("first"))).await;
    at(&world, 200, Order::EndAccount { reason: None }).await;
    at(&world, 190, Order::Restore { provider: false }).await;
    // A refresh token that somebody stole: what it is renewed to has no nonce, or the one of before.
    let stolen = token(&world, 100, None);
    revoked(&world, &stolen).await;
    revoked(&world, &token(&world, 100, Some("first"))).await;
    // Of before the end, and shown only now.
    revoked(&world, &token(&world, 250, Some("late"))).await;
    let anew = token(&world, 90, Some("second"));
    granted(&world, &anew).await;
    granted(&world, &anew).await;
    // Its renewals count from then on; what was made before it does not.
    granted(&world, &token(&world, 30, None)).await;
    revoked(&world, &stolen).await;
    at(&world, 20, Order::EndSession { reason: None }).await;
    for before in [token(&world, 10, None), anew] {
        revoked(&world, &before).await;
    }
    granted(&world, &token(&world, 5, Some("third"))).await;
}

#[tokio::test]
async fn where_the_provider_can_tell_a_sign_in_a_nonce_is_none() {
    let world = World::start().await;
    granted(&world, &token(&world, 300, Some("first"))).await;
    at(&world, 200, Order::EndSession { reason: None }).await;
    revoked(&world, &token(&world, 100, Some("second"))).await;
}

#[tokio::test]
async fn a_session_ends_at_its_age_where_the_provider_tells_no_time_of_a_sign_in() {
    let world = World::start().await;
    let young = "[org]\nsession_age = \"10m\"\nlease = \"5m\"\nfresh = \"1m\"";
    world.policy(&POLICY.replace("[org]", young)).await;
    super::world::until("the policy", async || {
        world.issuer.live_config().org().session_age_ms == 600_000
    })
    .await;
    let of = |sid: &str, ago_s: u64| {
        let iat = clock::now_s() - ago_s;
        let claims = json!({ "iat": iat, "auth_time": null, "sid": sid });
        world.id_token("ada", &claims)
    };
    world
        .exchange(&of("s", 700), MODEL, "read")
        .await
        .expect(200);
    let refused = world
        .exchange(&of("s", 10), MODEL, "read")
        .await
        .expect(400);
    assert_eq!(refused.json()["oam"]["code"], "ended");
    world
        .exchange(&of("t", 10), MODEL, "read")
        .await
        .expect(200);
}
