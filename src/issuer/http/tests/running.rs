//! Health, reload, a database that goes.

use super::world::{POLICY, World, until};
use oam_store::{Batch, StoreChange};
use serde_json::json;

const MODEL: &str = "https://hub.acme.example/acme/model";

#[tokio::test]
async fn a_healthy_issuer_says_so() {
    let world = World::start().await;
    assert_eq!(world.get("/healthz").await.expect(200).text, "ok\n");
    let ready = world.get("/readyz").await.expect(200).json();
    assert_eq!(
        ready,
        json!({ "ready": true, "problems": [], "warnings": [] })
    );
}

#[tokio::test]
async fn a_broken_policy_leaves_the_old_one_in_force_and_says_where_it_is_broken() {
    let world = World::start().await;
    let ada = world.id_token("ada", &json!({}));
    world.policy(&POLICY.replace("[org]", "[org")).await;
    let warned = async || {
        let told = world.get("/readyz").await.expect(200).json();
        told["warnings"] == json!(["configuration"])
    };
    until("a warning", warned).await;
    let told = world.get("/readyz").await.text;
    assert!(!told.contains("policy"), "for a stranger: {told}");
    let problems = world.issuer.health.problems();
    assert!(problems[0].1.contains("policy.toml:2:"), "{problems:?}");
    let kinds = world.issuer.metrics.text().unwrap();
    assert!(
        kinds.contains("oam_issuer_alarms_total{kind=\"configuration\"} 1"),
        "{kinds}"
    );
    until("the alarm on record", async || {
        world.audit("alarm").await.len() == 1
    })
    .await;
    world.exchange(&ada, MODEL, "write").await.expect(200);
    assert_eq!(world.audit("policy-change").await.len(), 1);
    world.policy(POLICY).await;
    until("no warning", async || !warned().await).await;
}

#[tokio::test]
async fn a_changed_policy_file_is_noticed_by_itself_and_on_record_with_both_digests() {
    let world = World::start().await;
    let ada = world.id_token("ada", &json!({}));
    world.exchange(&ada, MODEL, "write").await.expect(200);
    let old = world.issuer.live_config().policy_digest.clone();
    let path = world.folder.path().join("policy.toml");
    std::fs::write(path, POLICY.replace("\"ml\"", "\"others\"")).unwrap();
    until("the new policy", async || {
        world.exchange(&ada, MODEL, "write").await.status == 400
    })
    .await;
    let new = world.issuer.live_config().policy_digest.clone();
    let entries = world.audit("policy-change").await;
    let detail = entries.last().unwrap()["detail"].as_str().unwrap();
    assert!(detail.contains(&old) && detail.contains(&new), "{detail}");
    assert!(detail.contains("the file changed"), "{detail}");
    assert!(detail.contains("publisher"), "{detail}");
}

#[tokio::test]
async fn a_role_that_allows_less_ends_its_live_tokens_that_are_beyond_it_and_no_other() {
    let world = World::start().await;
    let ada = world.id_token("ada", &json!({}));
    let other = "https://hub.acme.example/acme/other";
    world.exchange(&ada, MODEL, "write").await.expect(200);
    world.exchange(&ada, other, "write").await.expect(200);
    let row = world.person("ada").await.unwrap();
    let live = async || {
        let key = row.seen.key.clone();
        let rows = world.issuer.store.live_tokens(key, 0).await.unwrap();
        let names = rows
            .into_iter()
            .map(|row| row.repository.unwrap().to_string());
        names.collect::<Vec<_>>()
    };
    assert_eq!(live().await.len(), 2);
    let less = POLICY.replacen(
        "[\"acme/*\"], action = \"write\"",
        "[\"acme/model\"], action = \"write\"",
        1,
    );
    assert_ne!(less, POLICY);
    world.policy(&less).await;
    until("the comparison", async || live().await == ["acme/model"]).await;
    let ended = world.audit("token-revoked").await;
    assert_eq!(ended.len(), 1, "{ended:?}");
    assert_eq!(ended[0]["repository"], "acme/other");
    assert_eq!(world.person("ada").await.unwrap().held, row.held);
}

#[tokio::test]
async fn a_comparison_of_roles_that_was_not_finished_is_owed() {
    let world = World::start().await;
    let ada = world.id_token("ada", &json!({}));
    world.exchange(&ada, MODEL, "write").await.expect(200);
    let row = world.person("ada").await.unwrap();
    let mut held = row.held.clone();
    held.push("gone".parse().unwrap());
    // As a change leaves it whose policy is in force, and after whose entry the store failed.
    let batch = Batch {
        changes: vec![
            StoreChange::Held {
                key: row.seen.key.clone(),
                from: row.compared(),
                held,
                lost: Vec::new(),
                at_ms: row.seen.at_ms,
                feed: None,
            },
            StoreChange::PolicyDigest("of the policy before".to_owned()),
        ],
        entries: Vec::new(),
    };
    world.issuer.store.commit(batch).await.unwrap();
    world.policy(POLICY).await;
    until("the comparison", async || {
        world.issuer.store.policy_digest().await
            == Ok(Some(world.issuer.live_config().policy_digest.clone()))
    })
    .await;
    assert_eq!(world.person("ada").await.unwrap().held, row.held);
    assert_eq!(world.audit("roles-changed").await.len(), 1);
}

#[tokio::test]
async fn a_setting_that_needs_a_restart_is_kept_and_the_others_change() {
    let world = World::start().await;
    let path = world.folder.path().join("issuer.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text
        .replace("/issuer.db", "/another.db")
        .replace("heartbeat = \"1s\"", "heartbeat = \"2s\"");
    std::fs::write(&path, text).unwrap();
    until("the new heartbeat", async || {
        world.issuer.live_config().settings.heartbeat_ms == 2000
    })
    .await;
    let database = world.issuer.live_config().settings.database.clone();
    assert!(database.ends_with("/issuer.db"), "{database}");
}

#[tokio::test]
async fn without_a_database_nothing_is_granted_and_readiness_says_so() {
    let world = World::start().await;
    let ada = world.id_token("ada", &json!({}));
    world.exchange(&ada, MODEL, "write").await.expect(200);
    for file in ["issuer.db", "issuer.db-wal", "issuer.db-shm"] {
        let _ = std::fs::remove_file(world.folder.path().join(file));
    }
    let refused = world.exchange(&ada, MODEL, "write").await.expect(503);
    assert_eq!(refused.json()["error"], "temporarily_unavailable");
    assert_eq!(refused.json()["oam"]["code"], "unavailable");
    assert!(!refused.header("retry-after").is_empty());
    until("unreadiness", async || {
        world.get("/readyz").await.status == 503
    })
    .await;
    let told = world.get("/readyz").await.text;
    assert!(told.contains("database"), "{told}");
    // A refusal leaves all the same.
    world.exchange("x.y.z", MODEL, "write").await.expect(400);
    assert_eq!(world.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn groups_of_a_signal_and_another_policy_are_decided_in_turn() {
    let world = World::start().await;
    let ada = world.id_token("ada", &json!({}));
    world.exchange(&ada, MODEL, "write").await.expect(200);
    let turn = world.issuer.directories.turn().await;
    let kind = "https://schemas.openid.net/secevent/caep/event-type/token-claims-change";
    let event = world.event(kind, "ada", &json!({ "claims": { "groups": ["ml"] } }));
    let signal = world.post("/signals/ssf", "application/secevent+jwt", event);
    let before = world.issuer.live_config().policy_digest.clone();
    let other = async {
        let policy = POLICY.replace("groups = [\"ml\"]", "groups = [\"research\"]");
        world.policy(&policy).await;
        let is_replaced = async || world.issuer.live_config().policy_digest != before;
        until("another policy", is_replaced).await;
        let row = world.person("ada").await.unwrap();
        assert_eq!(row.groups_changed_at_ms, None, "its turn has not come");
        drop(turn);
    };
    let (told, ()) = tokio::join!(signal, other);
    told.expect(202);
    until("the roles of both", async || {
        let row = world.person("ada").await.unwrap();
        row.groups_changed_at_ms.is_some() && row.held == ["reader".parse().unwrap()]
    })
    .await;
}
