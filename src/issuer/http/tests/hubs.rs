//! `/oauth/introspect`, `/oauth/revoke`, discovery.

use super::world::World;
use serde_json::json;

#[tokio::test]
async fn a_registered_hub_learns_of_its_own_live_tokens_only() {
    let world = World::start().await;
    let gate = world.register("gate", "models").await;
    let other = world.register("other", "other").await;
    let ada = world.id_token("ada", &json!({}));
    let token = world.granted(&ada, "role:publisher write").await;
    let told = world.introspect(&gate, &token).await.expect(200).json();
    for (name, value) in [
        ("active", json!(true)),
        ("iss", json!("https://oam.acme.example")),
        ("sub", json!("role:publisher")),
        ("aud", json!("https://hub.acme.example")),
        ("scope", json!("role:publisher write")),
        ("repository", json!("acme/model")),
        ("actions", json!(["read", "write"])),
    ] {
        assert_eq!(told[name], value, "{told}");
    }
    assert_eq!(
        told["act"],
        json!({ "iss": "https://login.acme.example", "sub": "ada" })
    );
    assert!(told["jti"].is_string() && told["exp"].is_u64());
    assert!(!told.to_string().contains("@acme.example"));
    let inactive = json!({ "active": false });
    assert_eq!(
        world.introspect(&other, &token).await.expect(200).json(),
        inactive
    );
    for unknown in [&ada, "x", &token[1..]] {
        assert_eq!(
            world.introspect(&gate, unknown).await.expect(200).json(),
            inactive
        );
    }
}

#[tokio::test]
async fn an_unregistered_client_learns_nothing_and_is_on_record() {
    let world = World::start().await;
    let (name, _) = world.register("gate", "models").await;
    let ada = world.id_token("ada", &json!({}));
    let token = world.granted(&ada, "read").await;
    for client in [
        (name.clone(), "wrong".to_owned()),
        ("nobody".to_owned(), "x".to_owned()),
        (name, String::new()),
    ] {
        let answer = world.introspect(&client, &token).await.expect(401);
        assert_eq!(answer.json()["error"], "invalid_client");
        assert!(answer.header("www-authenticate").starts_with("Basic"));
    }
    world
        .form("/oauth/introspect", &[("token", &token)])
        .await
        .expect(401);
    assert_eq!(world.audit("refusal").await.len(), 4);
}

#[tokio::test]
async fn the_holder_ends_a_token_once_and_who_has_none_learns_nothing() {
    let world = World::start().await;
    let gate = world.register("gate", "models").await;
    let ada = world.id_token("ada", &json!({}));
    let token = world.granted(&ada, "read").await;
    for token in [token.as_str(), token.as_str(), "unknown"] {
        let answer = world.form("/oauth/revoke", &[("token", token)]).await;
        assert_eq!(answer.expect(200).text, "");
    }
    let told = world.introspect(&gate, &token).await.json();
    assert_eq!(told, json!({ "active": false }));
    assert_eq!(world.audit("token-revoked").await.len(), 1);
    world.form("/oauth/revoke", &[]).await.expect(400);
}

#[tokio::test]
async fn hubs_and_agents_find_out_everything_by_themselves() {
    let world = World::start().await;
    let setup = world.get("/.well-known/oam").await.expect(200).json();
    assert_eq!(setup["issuer"], "https://oam.acme.example");
    assert_eq!(setup["org"], "acme");
    assert_eq!(setup["sign_in"]["client_id"], "oam");
    assert_eq!(setup["job_audience"], "https://oam.acme.example");
    assert_eq!(setup["hubs"].as_array().unwrap().len(), 2);
    for path in [
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
    ] {
        let document = world.get(path).await.expect(200);
        assert!(document.header("cache-control").starts_with("public"));
        assert_eq!(document.json()["issuer"], "https://oam.acme.example");
        assert_eq!(
            document.json()["jwks_uri"],
            "https://oam.acme.example/jwks.json"
        );
    }
    let keys = world.get("/jwks.json").await.expect(200);
    assert_eq!(keys.json()["keys"].as_array().unwrap().len(), 1);
    assert!(keys.json()["keys"][0].get("d").is_none());
    let tag = keys.header("etag").to_owned();
    let again = world.client.get(format!("{}/jwks.json", world.url));
    let again = super::world::answer(again.header("if-none-match", tag)).await;
    assert_eq!(again.expect(304).text, "");
}

#[tokio::test]
async fn an_address_or_method_that_is_not_there_is_said_as_json() {
    let world = World::start().await;
    assert_eq!(
        world.get("/nothing").await.expect(404).json()["error"],
        "invalid_request"
    );
    assert_eq!(
        world.get("/oauth/token").await.expect(405).json()["error"],
        "invalid_request"
    );
}

#[tokio::test]
async fn a_client_with_a_wrong_secret_revokes_nothing() {
    let world = World::start().await;
    let client = world.register("gate", "models").await;
    let ada = world.id_token("ada", &json!({}));
    let token = world.granted(&ada, "read").await;
    let ask = |secret: &str| {
        let request = world.client.post(format!("{}/oauth/revoke", world.url));
        request
            .basic_auth("gate", Some(secret))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("token={token}"))
    };
    let wrong = super::world::answer(ask("wrong")).await.expect(401);
    assert_eq!(wrong.json()["error"], "invalid_client");
    let form = [
        ("token", token.as_str()),
        ("client_id", "gate"),
        ("client_secret", "wrong"),
    ];
    world.form("/oauth/revoke", &form).await.expect(401);
    assert_eq!(world.audit("token-revoked").await.len(), 0);
    super::world::answer(ask(&client.1)).await.expect(200);
    assert_eq!(world.audit("token-revoked").await.len(), 1);
}
