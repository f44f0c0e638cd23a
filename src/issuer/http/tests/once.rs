//! A source that takes each token once only.

use super::world::World;
use serde_json::json;

const MODEL: &str = "https://hub.acme.example/acme/model";

async fn world() -> World {
    World::with(|settings| settings.replace("[sources.ci]", "[sources.ci]\nonce = true")).await
}

#[tokio::test]
async fn a_token_of_such_a_source_is_exchanged_once() {
    let world = world().await;
    let first = world.job_token(&json!({ "jti": "1" }));
    world.exchange(&first, MODEL, "read").await.expect(200);
    for _ in 0..2 {
        let refused = world.exchange(&first, MODEL, "read").await.expect(400);
        let told = refused.json();
        assert_eq!(told["error"], "invalid_request");
        let sentence = told["oam"]["sentence"].as_str().unwrap();
        assert!(sentence.contains("was exchanged before"), "{told}");
    }
    // What is not granted uses nothing up.
    let second = world.job_token(&json!({ "jti": "2" }));
    let elsewhere = "https://hub.acme.example/other/model";
    world
        .exchange(&second, elsewhere, "write")
        .await
        .expect(400);
    world.exchange(&second, MODEL, "write").await.expect(200);
    assert_eq!(world.audit("exchange").await.len(), 2);
    assert_eq!(world.audit("refusal").await.len(), 3);
}

#[tokio::test]
async fn of_two_exchanges_at_once_one_is_granted() {
    let world = world().await;
    for turn in 0..8 {
        let token = world.job_token(&json!({ "jti": turn }));
        let ask = || world.exchange(&token, MODEL, "read");
        let (one, other, third) = tokio::join!(ask(), ask(), ask());
        let mut statuses = [one.status, other.status, third.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 400, 400]);
    }
    assert_eq!(world.audit("exchange").await.len(), 8);
}

#[tokio::test]
async fn other_tokens_are_exchanged_as_often_as_they_are_shown() {
    let world = World::start().await;
    let job = world.job_token(&json!({ "jti": "1" }));
    for _ in 0..3 {
        world.exchange(&job, MODEL, "read").await.expect(200);
    }
}
