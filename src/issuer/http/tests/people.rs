//! `/v1/roles`, `/v1/why`, `/v1/records`, signals.

use super::world::{World, answer};
use crate::http::records::LOGS;
use crate::signal_processor::Order;
use oam_audit::record as chain;
use oam_model::record::{EventKind, Record};
use oam_store::{Batch, StoreChange};
use oam_system::clock;
use serde_json::{Value, json};

#[tokio::test]
async fn a_bearer_learns_its_own_roles_and_why() {
    let world = World::start().await;
    let ada = world.id_token("ada", &json!({}));
    let bob = world.id_token("bob", &json!({ "groups": [] }));
    let hers = world.bearer("/v1/roles", &ada).await.expect(200).json();
    assert_eq!(hers["subject"], "okta:ada");
    assert_eq!(hers["roles"].as_array().unwrap().len(), 2);
    let his = world.bearer("/v1/roles", &bob).await.expect(200).json();
    assert_eq!(his["roles"].as_array().unwrap().len(), 1);
    let ask = "/v1/why?hub=models&repository=acme/model&action=write";
    let yes = world.bearer(ask, &ada).await.expect(200).json();
    assert_eq!(yes["decision"]["role"], "publisher");
    let no = world.bearer(ask, &bob).await.expect(200).json();
    assert_eq!(no["decision"], Value::Null);
    assert!(no["refusal"]["sentence"].is_string());
    for bad in [
        "?hub=models&subject=okta:ada",
        "?hub=nobody",
        "",
        "?hub=models&action=rule",
        "?hub=models&repository=../x",
        "?hub=models&hub=models",
    ] {
        world
            .bearer(&format!("/v1/why{bad}"), &bob)
            .await
            .expect(400);
    }
}

#[tokio::test]
async fn without_a_good_bearer_there_is_401_and_it_is_on_record() {
    let world = World::start().await;
    let ada = world.id_token("ada", &json!({}));
    let role = world.granted(&ada, "read").await;
    let old = world.id_token("ada", &json!({ "exp": 1, "iat": 0 }));
    let foreign = world.id_token("ada", &json!({ "aud": "somebody" }));
    for token in ["x", role.as_str(), old.as_str(), foreign.as_str()] {
        for path in ["/v1/roles", "/v1/why?hub=models", "/v1/feed"] {
            let refused = world.bearer(path, token).await.expect(401);
            assert_eq!(refused.json()["error"], "invalid_token");
            assert!(refused.header("www-authenticate").contains("invalid_token"));
        }
    }
    world.get("/v1/roles").await.expect(401);
    assert_eq!(world.audit("refusal").await.len(), 13);
}

#[tokio::test]
async fn a_revoked_person_is_told_so_and_not_that_the_token_is_bad() {
    let world = World::start().await;
    let ada = world.id_token("ada", &json!({}));
    world.bearer("/v1/roles", &ada).await.expect(200);
    world.order("ada", Order::EndAccount { reason: None }).await;
    for path in ["/v1/roles", "/v1/why?hub=models"] {
        let refused = world.bearer(path, &ada).await.expect(403).json();
        assert_eq!(refused["error"], "access_denied");
        assert_eq!(refused["oam"]["code"], "revoked");
    }
}

/// A log of `count` records, as an agent writes it.
pub(super) fn log(count: u64) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    let mut prev = chain::GENESIS.to_owned();
    for seq in 1..=count {
        let record = Record::new(EventKind::Grant, seq);
        let link = chain::chain(seq, &prev, &record).unwrap();
        prev.clone_from(&link.hash);
        lines.push((link.line, link.hash));
    }
    lines
}

pub(super) fn upload(name: &str, head: &(u64, String), lines: &[&str]) -> Value {
    json!({ "v": 1, "log": name, "head_seq": head.0, "head_hash": head.1, "lines": lines })
}

pub(super) async fn send(world: &World, token: &str, body: &Value) -> super::world::Answer {
    let request = world.client.post(format!("{}/v1/records", world.url));
    let request = request
        .bearer_auth(token)
        .header("content-type", "application/json")
        .body(body.to_string());
    answer(request).await
}

pub(super) const NAME: &str = "0123456789abcdef0123456789abcdef";

#[tokio::test]
async fn an_agents_records_are_taken_once_and_a_gap_is_an_alarm() {
    let world = World::start().await;
    let ada = world.id_token("ada", &json!({}));
    let log = log(5);
    let head = (5, log[4].1.clone());
    let first = upload(NAME, &head, &[&log[0].0, &log[1].0]);
    for _ in 0..2 {
        let told = send(&world, &ada, &first).await.expect(200).json();
        assert_eq!(told["held_seq"], 2);
        assert_eq!(told["alarm"], Value::Null);
    }
    assert_eq!(world.audit("agent-records").await.len(), 1);
    let gap = upload(NAME, &head, &[&log[4].0]);
    let told = send(&world, &ada, &gap).await.expect(200).json();
    assert_eq!(told["held_seq"], 5);
    assert!(
        told["alarm"].as_str().unwrap().contains("missing"),
        "{told}"
    );
    assert_eq!(world.audit("alarm").await.len(), 1);
    let kept = world.issuer.store.agent_records(0, 10).await.unwrap();
    assert_eq!(kept.len(), 3);
}

#[tokio::test]
async fn nobody_adds_to_a_log_of_somebody_else() {
    let world = World::start().await;
    let (ada, bob) = (
        world.id_token("ada", &json!({})),
        world.id_token("bob", &json!({})),
    );
    let log = log(2);
    let head = (2, log[1].1.clone());
    send(&world, &ada, &upload(NAME, &head, &[&log[0].0]))
        .await
        .expect(200);
    let refused = send(&world, &bob, &upload(NAME, &head, &[&log[1].0]))
        .await
        .expect(403);
    assert_eq!(refused.json()["error"], "access_denied");
    assert_eq!(world.audit("agent-records").await.len(), 1);
    assert_eq!(world.audit("refusal").await.len(), 1);
}

#[tokio::test]
async fn nobody_begins_logs_without_end() {
    let world = World::start().await;
    let ada = world.id_token("ada", &json!({}));
    let log = log(1);
    let head = (1, log[0].1.clone());
    let first = upload(NAME, &head, &[&log[0].0]);
    send(&world, &ada, &first).await.expect(200);
    let kept = world.issuer.store.agent_logs(0, 1).await.unwrap();
    let more = (1..LOGS).map(|number| {
        let mut row = kept[0].1.clone();
        row.log = format!("{number:032x}");
        StoreChange::AgentLog(row, Vec::new())
    });
    let batch = Batch {
        changes: more.collect(),
        entries: Vec::new(),
    };
    world.issuer.store.commit(batch).await.unwrap();
    let another = upload(&"f".repeat(32), &head, &[&log[0].0]);
    let refused = send(&world, &ada, &another).await.expect(403).json();
    assert_eq!(refused["error"], "access_denied");
    // What is there already goes on, and somebody else begins theirs.
    send(&world, &ada, &first).await.expect(200);
    let bob = world.id_token("bob", &json!({}));
    send(&world, &bob, &another).await.expect(200);
}

#[tokio::test]
async fn records_that_come_again_after_they_were_dropped_are_no_alarm() {
    let world = World::start().await;
    let ada = world.id_token("ada", &json!({}));
    let log = log(4);
    let head = (4, log[3].1.clone());
    let lines: Vec<&str> = log.iter().map(|(line, _)| line.as_str()).collect();
    send(&world, &ada, &upload(NAME, &head, &lines))
        .await
        .expect(200);
    let later = clock::now_ms() + 1;
    let pruned = world.issuer.store.prune(later, later).await.unwrap();
    assert_eq!(pruned.records, 4);
    let told = send(&world, &ada, &upload(NAME, &head, &lines[..2])).await;
    let told = told.expect(200).json();
    assert_eq!(
        (&told["held_seq"], &told["alarm"]),
        (&json!(4), &Value::Null)
    );
}

#[tokio::test]
async fn a_batch_that_is_none_is_refused() {
    let world = World::start().await;
    let ada = world.id_token("ada", &json!({}));
    let head = (0, chain::GENESIS.to_owned());
    for bad in [
        json!({}),
        upload("short", &head, &[]),
        upload(NAME, &(0, "x".into()), &[]),
        upload(NAME, &head, &["a\nb"]),
        json!({ "v": 2, "log": NAME, "head_seq": 0, "head_hash": chain::GENESIS, "lines": [] }),
    ] {
        send(&world, &ada, &bad).await.expect(400);
    }
    let none = send(&world, "x", &upload(NAME, &head, &[])).await;
    none.expect(401);
}

const DISABLED: &str = "https://schemas.openid.net/secevent/risc/event-type/account-disabled";

#[tokio::test]
async fn a_signal_ends_an_account_once_and_one_that_matches_nobody_is_an_alarm() {
    let world = World::start().await;
    let gate = world.register("gate", "models").await;
    let ada = world.id_token("ada", &json!({}));
    let token = world.granted(&ada, "write").await;
    let set = world.event(DISABLED, "ada", &json!({}));
    let push = |set: String| world.post("/signals/ssf", "application/secevent+jwt", set);
    assert_eq!(push(set.clone()).await.expect(202).text, "");
    assert_eq!(push(set).await.expect(202).text, "");
    assert_eq!(world.audit("revocation").await.len(), 1);
    let told = world.introspect(&gate, &token).await.json();
    assert_eq!(told, json!({ "active": false }));
    push(world.event(DISABLED, "nobody", &json!({})))
        .await
        .expect(202);
    assert_eq!(world.audit("alarm").await.len(), 1);
    let metrics = world.issuer.metrics.text().unwrap();
    assert!(
        metrics.contains("oam_issuer_alarms_total{kind=\"signal\"} 1"),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_signal_that_is_wrong_is_refused_in_the_protocols_words() {
    let world = World::start().await;
    let wrong = world
        .post("/signals/ssf", "application/secevent+jwt", "x.y.z")
        .await;
    let told = wrong.expect(400).json();
    assert_eq!(told["err"], "invalid_request");
    assert!(told["description"].is_string());
    world
        .post("/signals/ssf", "text/plain", "x")
        .await
        .expect(400);
    let wrong = world
        .form("/signals/logout", &[("logout_token", "x.y.z")])
        .await;
    let wrong = wrong.expect(400);
    assert!(wrong.json()["error"].is_string());
    assert_eq!(wrong.header("cache-control"), "no-store");
    world.form("/signals/logout", &[]).await.expect(400);
    assert_eq!(world.audit("refusal").await.len(), 4);
}

#[tokio::test]
async fn a_logout_makes_the_tokens_so_far_worthless() {
    let world = World::start().await;
    let ada = world.id_token("ada", &json!({}));
    world.bearer("/v1/roles", &ada).await.expect(200);
    let token = world.logout_token("ada");
    let out = world
        .form("/signals/logout", &[("logout_token", &token)])
        .await;
    assert_eq!(out.expect(200).header("cache-control"), "no-store");
    let refused = world.bearer("/v1/roles", &ada).await.expect(403).json();
    assert_eq!(refused["oam"]["code"], "ended");
}
