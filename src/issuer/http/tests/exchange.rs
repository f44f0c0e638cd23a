//! `/oauth/token`.

use super::world::{LONG, POLICY, World, exchange, until};
use crate::signal_processor::Order;
use serde_json::{Value, json};
use tokio::time::timeout;

const MODEL: &str = "https://hub.acme.example/acme/model";

fn end() -> Order {
    Order::EndAccount { reason: None }
}

#[tokio::test]
async fn a_person_gets_a_token_of_a_role_and_it_is_on_record_before() {
    let world = World::start().await;
    let ada = world.id_token("ada", &json!({}));
    let answer = world.exchange(&ada, MODEL, "role:publisher write").await;
    let answer = answer.expect(200);
    assert_eq!(answer.header("cache-control"), "no-store");
    let told = answer.json();
    assert_eq!(told["token_type"], "Bearer");
    assert_eq!(told["scope"], "role:publisher write");
    assert_eq!(told["expires_in"], 900);
    assert_eq!(told["oam"]["role"], "publisher");
    assert_eq!(told["oam"]["request_id"], answer.header("x-request-id"));
    let claims: Value =
        jsonwebtoken::dangerous::insecure_decode_claims(told["access_token"].as_str().unwrap())
            .unwrap();
    assert_eq!(claims["sub"], "role:publisher");
    assert_eq!(claims["act"]["sub"], "ada");
    assert_eq!(claims["repository"], "acme/model");
    let entries = world.audit("exchange").await;
    assert_eq!(entries.len(), 1);
    let entry = &entries[0];
    assert_eq!(entry["person"], "ada");
    assert_eq!(entry["role"], "publisher");
    assert_eq!(entry["from"], "127.0.0.1");
    assert_eq!(entry["request_id"], told["oam"]["request_id"]);
    assert_eq!(entry["token_sha256"].as_str().unwrap().len(), 64);
    assert!(entry["rule"].as_str().unwrap().contains("line"), "{entry}");
    assert!(!entry.to_string().contains(&ada));
}

#[tokio::test]
async fn a_job_gets_a_token_by_its_claims_and_another_repositorys_job_does_not() {
    let world = World::start().await;
    let job = world.job_token(&json!({}));
    world.exchange(&job, MODEL, "write").await.expect(200);
    let other = world.job_token(&json!({ "repository": "acme/other" }));
    let refused = world.exchange(&other, MODEL, "write").await.expect(400);
    assert_eq!(refused.json()["error"], "invalid_target");
    let job = &world.audit("refusal").await[0];
    assert_eq!(job["source"], "ci");
}

#[tokio::test]
async fn the_callers_request_id_is_in_answer_and_record() {
    let world = World::start().await;
    let ada = world.id_token("ada", &json!({}));
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(exchange(&ada, MODEL, "read"))
        .finish();
    let request = world.client.post(format!("{}/oauth/token", world.url));
    let request = request
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-request-id", "agent-42")
        .body(body);
    let answer = super::world::answer(request).await.expect(200);
    let own = answer.header("x-request-id");
    assert!(own.starts_with("agent-42.") && own.len() == 25, "{own}");
    assert_eq!(world.audit("exchange").await[0]["request_id"], own);
}

#[tokio::test]
async fn what_is_wrong_with_a_request_has_the_protocols_word_and_is_on_record() {
    let world = World::start().await;
    let ada = world.id_token("ada", &json!({}));
    let good = exchange(&ada, MODEL, "write");
    let with = |name: &str, value: &'static str| -> Vec<(String, String)> {
        let mut pairs: Vec<(String, String)> = good
            .iter()
            .filter(|(known, _)| *known != name)
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect();
        pairs.push((name.to_owned(), value.to_owned()));
        pairs
    };
    let mut twice = with("scope", "write");
    twice.push(("scope".into(), "write".into()));
    let cases = [
        (with("grant_type", "password"), "unsupported_grant_type"),
        (with("grant_type", ""), "invalid_request"),
        (with("subject_token", ""), "invalid_request"),
        (with("subject_token", "x.y.z"), "invalid_request"),
        (with("subject_token_type", "urn:other"), "invalid_request"),
        (with("requested_token_type", "urn:other"), "invalid_request"),
        (with("actor_token", "x"), "invalid_request"),
        (
            with("resource", "https://evil.example/acme/model"),
            "invalid_target",
        ),
        (
            with("resource", "https://hub.acme.example/other/model"),
            "invalid_target",
        ),
        (with("resource", ""), "invalid_target"),
        (with("audience", "nobody"), "invalid_target"),
        (with("scope", "role:reader write"), "invalid_scope"),
        (with("scope", "role:trainer write"), "invalid_scope"),
        (with("scope", "everything"), "invalid_scope"),
        (twice, "invalid_request"),
    ];
    let count = cases.len();
    for (pairs, error) in cases {
        let pairs: Vec<(&str, &str)> = pairs
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        let answer = world.form("/oauth/token", &pairs).await.expect(400);
        let told = answer.json();
        assert_eq!(told["error"], error, "{pairs:?}: {told}");
        assert!(!told["error_description"].as_str().unwrap().is_empty());
        assert!(!told["oam"]["next"].as_str().unwrap().is_empty());
        assert_eq!(told["oam"]["request_id"], answer.header("x-request-id"));
    }
    let refusals = world.audit("refusal").await;
    assert_eq!(refusals.len(), count);
    assert!(
        refusals
            .iter()
            .all(|e| e["refusal"].is_string() && e["request_id"].is_string())
    );
    assert!(world.audit("exchange").await.is_empty());
    assert!(!format!("{refusals:?}").contains(&ada));
}

#[tokio::test]
async fn a_body_of_another_type_or_size_is_refused_and_on_record() {
    let world = World::with(|text| text.replace("[limits]", "[limits]\nbody_bytes = 16384")).await;
    let json = world.post("/oauth/token", "application/json", "{}").await;
    assert_eq!(json.expect(415).json()["error"], "invalid_request");
    let huge = "a=".to_owned() + &"x".repeat(20_000);
    let form = "application/x-www-form-urlencoded";
    let huge = world.post("/oauth/token", form, huge).await.expect(413);
    assert_eq!(huge.json()["error"], "invalid_request");
    assert_eq!(world.audit("refusal").await.len(), 2);
}

#[tokio::test]
async fn a_revoked_person_gets_nothing_until_restored_and_signed_in_anew() {
    let world = World::start().await;
    let ada = world.id_token("ada", &json!({}));
    world.exchange(&ada, MODEL, "write").await.expect(200);
    world.order("ada", end()).await;
    let refused = world
        .exchange(&ada, MODEL, "write")
        .await
        .expect(400)
        .json();
    assert_eq!(refused["error"], "invalid_grant");
    assert_eq!(refused["oam"]["code"], "revoked");
    world.order("ada", Order::Restore { provider: false }).await;
    let still = world
        .exchange(&ada, MODEL, "write")
        .await
        .expect(400)
        .json();
    assert_eq!(still["error"], "invalid_grant");
    let later =
        json!({ "auth_time": oam_system::clock::now_s() + 2, "iat": oam_system::clock::now_s() });
    let anew = world.id_token("ada", &later);
    world.exchange(&anew, MODEL, "write").await.expect(200);
}

#[tokio::test]
async fn an_end_between_admission_and_record_leaves_no_live_token() {
    let world = std::sync::Arc::new(World::start().await);
    let gate = world.register("gate", "models").await;
    for round in 0..20 {
        let who = format!("person-{round}");
        let token = world.id_token(&who, &json!({}));
        let ask = |world: std::sync::Arc<World>, token: String| {
            tokio::spawn(async move { world.exchange(&token, MODEL, "write").await })
        };
        let one = ask(world.clone(), token.clone());
        let two = ask(world.clone(), token.clone());
        world.order(&who, end()).await;
        for asked in [one, two] {
            let answer = timeout(LONG, asked).await.unwrap().unwrap();
            if answer.status == 200 {
                // It was recorded before the end: then the end made it inactive.
                let token = answer.json()["access_token"].as_str().unwrap().to_owned();
                let told = world.introspect(&gate, &token).await.expect(200).json();
                assert_eq!(told, json!({ "active": false }));
            } else {
                assert_eq!(answer.json()["oam"]["code"], "revoked", "{}", answer.text);
            }
        }
        let refused = world.exchange(&token, MODEL, "write").await;
        assert_eq!(refused.status, 400);
    }
}

#[tokio::test]
async fn too_many_exchanges_of_one_identity_are_slowed_down_and_others_are_not() {
    let world = World::with(|text| {
        text.replace("exchanges_per_minute = 6000", "exchanges_per_minute = 6")
            .replace("burst = 100", "burst = 2")
    })
    .await;
    let ada = world.id_token("ada", &json!({}));
    for _ in 0..2 {
        world.exchange(&ada, MODEL, "read").await.expect(200);
    }
    let slow = world.exchange(&ada, MODEL, "read").await.expect(429);
    assert_eq!(slow.json()["error"], "slow_down");
    let wait: u64 = slow.header("retry-after").parse().unwrap();
    assert!((1..=10).contains(&wait), "{wait}");
    let bob = world.id_token("bob", &json!({}));
    world.exchange(&bob, MODEL, "read").await.expect(200);
}

/// A job's token is refused after the job was ended, and what it had is inactive, as a person's.
#[tokio::test]
async fn a_revoked_job_gets_nothing_until_it_is_restored() {
    let world = World::start().await;
    let gate = world.register("gate", "models").await;
    let job = world.job_token(&json!({}));
    let token = world.granted(&job, "write").await;
    world.order("ci:job-1", end()).await;
    let seen = world.introspect(&gate, &token).await.expect(200).json();
    assert_eq!(seen["active"], false);
    for asked in [&job, &world.job_token(&json!({ "jti": "another" }))] {
        let refused = world.exchange(asked, MODEL, "write").await.expect(400);
        assert_eq!(refused.json()["oam"]["code"], "revoked");
    }
    let restore = Order::Restore { provider: false };
    world.order("ci:job-1", restore).await;
    world.exchange(&job, MODEL, "write").await.expect(400);
    let later = json!({ "iat": oam_system::clock::now_s() + 2 });
    let anew = world.job_token(&later);
    world.exchange(&anew, MODEL, "write").await.expect(200);
}

/// Its claims are not kept: another condition on them ends what was given by the one before.
#[tokio::test]
async fn a_policy_that_takes_a_role_from_a_job_ends_its_tokens() {
    let world = World::start().await;
    let gate = world.register("gate", "models").await;
    let token = world.granted(&world.job_token(&json!({})), "write").await;
    let is_active = async || {
        let seen = world.introspect(&gate, &token).await.expect(200).json();
        seen["active"] == true
    };
    assert!(is_active().await);
    world.policy(&format!("{POLICY}\n# a comment\n")).await;
    until("the comparison", async || {
        let live_config = world.issuer.live_config().policy_digest.clone();
        world.audit("policy-change").await.len() > 1
            && world.issuer.store.policy_digest().await == Ok(Some(live_config))
    })
    .await;
    assert!(is_active().await, "the same conditions");
    let other = POLICY.replace("repository = \"acme/code\"", "repository = \"acme/other\"");
    world.policy(&other).await;
    until("the end of the token", async || !is_active().await).await;
}

#[tokio::test]
async fn an_older_token_gives_back_no_role_that_a_newer_one_lost() {
    let world = World::start().await;
    let now = oam_system::clock::now_s();
    let older = world.id_token("ada", &json!({ "iat": now - 60 }));
    world.exchange(&older, MODEL, "write").await.expect(200);
    let newer = world.id_token("ada", &json!({ "iat": now - 10, "groups": ["sales"] }));
    world.exchange(&newer, MODEL, "read").await.expect(200);
    world.exchange(&older, MODEL, "write").await.expect(400);
    world.exchange(&older, MODEL, "read").await.expect(200);
}
