//! What a sign-out on one machine ends, and what it leaves.

use super::world::{Answer, POLICY, World};
use oam_standin::provider::StandInProvider;
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

/// A provider that is asked about access tokens, and goes on calling them good.
async fn asked_about(provider: &StandInProvider) -> World {
    let source = format!(
        "[sources.thin]\nissuer = \"{}\"\naudiences = [\"oam\"]\nsubject = \"access-token\"\n\
         access_tokens = {{ check = \"userinfo\" }}\n[sources.ci]",
        provider.issuer
    );
    let role = "[roles.thin]\nmembers = [{ source = \"thin\" }]\n\
         grants = [{ hub = \"models\", repositories = [\"acme/*\"], action = \"read\" }]\n";
    World::with(|settings| {
        let folder = settings
            .split('"')
            .find_map(|one| one.strip_suffix("/issuer.db"))
            .unwrap();
        std::fs::write(format!("{folder}/policy.toml"), format!("{POLICY}{role}")).unwrap();
        settings.replacen("[sources.ci]", &source, 1)
    })
    .await
}

async fn exchange(world: &World, token: &str) -> Answer {
    let mut pairs = super::world::exchange(token, MODEL, "read");
    pairs[2].1 = "urn:ietf:params:oauth:token-type:access_token";
    world.form("/oauth/token", &pairs).await
}

#[tokio::test]
async fn an_access_token_that_was_given_up_is_taken_no_more_whatever_its_provider_says() {
    let provider = StandInProvider::start().await;
    provider.answers().userinfo = (200, json!({ "sub": "ada" }));
    let world = asked_about(&provider).await;
    let token = |number: u8| {
        let claims = json!({ "iss": provider.issuer, "jti": number, "auth_time": null });
        world.id_token("ada", &claims)
    };
    let here = token(1);
    exchange(&world, &here).await.expect(200);
    world.bearer("/v1/roles", &here).await.expect(200);
    for _ in 0..2 {
        give_up(&world, &here, "id_token").await;
    }
    world.bearer("/v1/roles", &here).await.expect(403);
    assert_eq!(world.audit("revocation").await.len(), 1);
    let ended = clock::now_s();
    super::world::until("the next second", async || clock::now_s() > ended).await;
    // A copy with another text for a signature: the provider is asked about it, now, and calls it good.
    let asked = provider.hits("/userinfo");
    let (signed, _) = here.rsplit_once('.').unwrap();
    let copy = format!("{signed}.AAAA");
    let refused = exchange(&world, &copy).await.expect(400).json();
    assert_eq!(provider.hits("/userinfo"), asked + 1);
    assert_eq!(refused["oam"]["code"], "ended", "{refused}");
    let sentence = refused["oam"]["sentence"].as_str().unwrap();
    assert!(sentence.contains("given up by a sign-out"), "{refused}");
    // Another machine renews.
    exchange(&world, &token(2)).await.expect(200);
}
