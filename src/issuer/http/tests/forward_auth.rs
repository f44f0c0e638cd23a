//! `/v1/forward-auth`, as a proxy before a hub asks it.

use super::world::{Answer, World, answer};
use serde_json::json;

const URI: &str = "/acme/model.git/info/refs?service=git-upload-pack";
const PUSH: &str = "/acme/model.git/info/refs?service=git-receive-pack";

async fn ask(world: &World, client: &(String, String), headers: &[(&str, &str)]) -> Answer {
    let request = world.client.get(format!("{}/v1/forward-auth", world.url));
    let request = request.basic_auth(&client.0, Some(&client.1));
    let all = headers.iter();
    answer(all.fold(request, |request, (name, value)| {
        request.header(*name, *value)
    }))
    .await
}

async fn passes(world: &World, client: &(String, String), token: &str, uri: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [
        ("x-forwarded-authorization", bearer.as_str()),
        ("x-forwarded-method", "GET"),
        ("x-forwarded-uri", uri),
    ];
    ask(world, client, &headers).await
}

#[tokio::test]
async fn a_request_passes_with_a_live_token_of_this_hub_repository_and_action() {
    let world = World::start().await;
    let gate = world.register("gate", "models").await;
    let other = world.register("other", "other").await;
    let ada = world.id_token("ada", &json!({}));
    let write = world.granted(&ada, "role:publisher write").await;
    let read = world.granted(&ada, "role:reader read").await;
    let passed = passes(&world, &gate, &write, PUSH).await.expect(204);
    assert_eq!(passed.header("remote-user"), "role:publisher");
    assert_eq!(passed.header("cache-control"), "no-store");
    passes(&world, &gate, &read, URI).await.expect(204);
    passes(&world, &gate, &read, PUSH).await.expect(403);
    let elsewhere = "/acme/other.git/info/refs?service=git-upload-pack";
    passes(&world, &gate, &write, elsewhere).await.expect(403);
    // Another hub's client learns nothing of it, and a stranger is asked for a password.
    passes(&world, &other, &write, URI).await.expect(401);
    let unknown = passes(&world, &gate, "unknown", URI).await.expect(401);
    assert!(unknown.header("www-authenticate").starts_with("Basic"));
    world
        .form("/oauth/revoke", &[("token", &write)])
        .await
        .expect(200);
    passes(&world, &gate, &write, URI).await.expect(401);
    // What a hub asks is no refusal of the issuer: git's first request never has a token.
    assert!(world.audit("refusal").await.is_empty());
}

#[tokio::test]
async fn a_proxy_that_is_not_registered_or_sends_half_is_refused() {
    let world = World::start().await;
    let gate = world.register("gate", "models").await;
    let ada = world.id_token("ada", &json!({}));
    let token = world.granted(&ada, "role:publisher write").await;
    let wrong = (gate.0.clone(), "wrong".to_owned());
    let refused = passes(&world, &wrong, &token, URI).await.expect(401);
    assert_eq!(refused.json()["error"], "invalid_client");
    let (method, uri) = (("x-forwarded-method", "GET"), ("x-forwarded-uri", URI));
    let none = ("x-forwarded-authorization", "");
    for headers in [&[method, none][..], &[uri, none], &[method, uri, uri, none]] {
        let refused = ask(&world, &gate, headers).await.expect(400);
        assert!(refused.text.contains("oam help hubs"), "{}", refused.text);
    }
    ask(&world, &gate, &[method, uri]).await.expect(401);
    assert_eq!(world.audit("refusal").await.len(), 4);
}
