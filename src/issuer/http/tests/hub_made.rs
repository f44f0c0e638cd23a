//! Tokens that a hub makes: announced before, on record after, ended when they can't be.

use super::world::{POLICY, World, until};
use crate::signal_processor::Order;
use axum::Router;
use axum::http::{StatusCode, Uri};
use oam_system::clock;
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

/// A hub on loopback. Before it answers a request for a token it tells, and waits to be let go on.
struct Hub {
    url: String,
    asked: mpsc::Receiver<oneshot::Sender<()>>,
    revoked: Arc<Mutex<Vec<String>>>,
    /// Whether an order to revoke fails.
    broken: Arc<AtomicBool>,
}

async fn hub() -> Hub {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, asked) = mpsc::channel(1);
    let revoked = Arc::new(Mutex::new(Vec::new()));
    let ended = Arc::clone(&revoked);
    let broken = Arc::new(AtomicBool::new(false));
    let fails = Arc::clone(&broken);
    let app = Router::new().fallback(async move |uri: Uri, body: String| {
        if uri.path() == "/api/credentials/revoke" {
            ended.lock().unwrap().push(body);
            let status = if fails.load(Ordering::SeqCst) {
                404
            } else {
                202
            };
            return (StatusCode::from_u16(status).unwrap(), axum::Json(json!({})));
        }
        let (go, gone) = oneshot::channel();
        tell.send(go).await.unwrap();
        gone.await.unwrap();
        let made = json!({
            "access_token": "hf_of_the_hub", "token_type": "bearer", "expires_in": 3600,
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        });
        (StatusCode::OK, axum::Json(made))
    });
    tokio::spawn(async move { axum::serve(listener, app).await });
    Hub {
        url,
        asked,
        revoked,
        broken,
    }
}

/// A company whose hub `models` makes its own tokens.
async fn world(hub: &Hub) -> Arc<World> {
    let world = World::with(|text| {
        text.replace(
            "url = \"https://hub.acme.example\"\nbackend = { kind = \"jwt\" }",
            &format!(
                "url = \"{}\"\nkind = \"huggingface\"\nbackend = {{ kind = \"huggingface-trusted-publisher\" }}",
                hub.url
            ),
        )
    });
    Arc::new(world.await)
}

/// An exchange that is under way: the hub was asked and has not answered.
async fn under_way(
    hub: &mut Hub,
    world: &Arc<World>,
) -> (
    tokio::task::JoinHandle<super::world::Answer>,
    oneshot::Sender<()>,
) {
    under_way_of(hub, world, world.id_token("ada", &json!({}))).await
}

/// The same with this ID token.
async fn under_way_of(
    hub: &mut Hub,
    world: &Arc<World>,
    token: String,
) -> (
    tokio::task::JoinHandle<super::world::Answer>,
    oneshot::Sender<()>,
) {
    let resource = format!("{}/acme/model", hub.url);
    let asking = Arc::clone(world);
    let asked = tokio::spawn(async move {
        asking
            .exchange(&token, &resource, "role:publisher write")
            .await
    });
    let go = hub.asked.recv().await.unwrap();
    (asked, go)
}

#[tokio::test]
async fn a_hub_is_asked_only_after_an_entry_says_so() {
    let mut hub = hub().await;
    let world = world(&hub).await;
    let (asked, go) = under_way(&mut hub, &world).await;
    let attempts = world.audit("attempt").await;
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0]["role"], "publisher");
    assert!(world.audit("exchange").await.is_empty());
    go.send(()).unwrap();
    let told = asked.await.unwrap().expect(200).json();
    assert_eq!(told["access_token"], "hf_of_the_hub");
    assert!(told["expires_in"].as_u64().unwrap() <= 900);
    let entry = &world.audit("exchange").await[0];
    assert_eq!(entry["request_id"], attempts[0]["request_id"]);
    assert!(!entry.to_string().contains("hf_of_the_hub"));
    assert!(hub.revoked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_end_while_the_hub_is_asked_ends_its_token_and_refuses() {
    let mut hub = hub().await;
    let world = world(&hub).await;
    let (asked, go) = under_way(&mut hub, &world).await;
    world.order("ada", Order::EndAccount { reason: None }).await;
    go.send(()).unwrap();
    let refused = asked.await.unwrap().expect(400).json();
    assert_eq!(refused["oam"]["code"], "revoked");
    assert_eq!(hub.revoked.lock().unwrap().len(), 1);
    assert!(hub.revoked.lock().unwrap()[0].contains("hf_of_the_hub"));
    assert!(world.audit("exchange").await.is_empty());
    let ended = world.audit("token-revoked").await;
    let detail = ended[0]["detail"].as_str().unwrap();
    assert!(detail.contains("not handed out; the hub took"), "{detail}");
    assert!(due(&world).await.is_empty());
}

#[tokio::test]
async fn a_second_try_that_goes_well_does_not_hide_the_token_of_the_first() {
    let mut hub = hub().await;
    let world = world(&hub).await;
    // Signed in later than the end of the session that comes in between.
    let later = json!({ "auth_time": clock::now_s() + 30 });
    let (asked, go) = under_way_of(&mut hub, &world, world.id_token("ada", &later)).await;
    world.order("ada", Order::EndSession { reason: None }).await;
    go.send(()).unwrap();
    hub.asked.recv().await.unwrap().send(()).unwrap();
    asked.await.unwrap().expect(200);
    assert_eq!(hub.revoked.lock().unwrap().len(), 1);
    let ended = world.audit("token-revoked").await;
    let given = world.audit("exchange").await;
    assert_eq!((ended.len(), given.len()), (1, 1));
    assert_eq!(ended[0]["request_id"], given[0]["request_id"]);
}

/// SHA-256 of the tokens that their hubs still have to be told to end.
async fn due(world: &World) -> Vec<String> {
    let due = world.issuer.store.due_at_hubs(0, u64::MAX, 9).await;
    due.unwrap().into_iter().map(|row| row.sha256).collect()
}

#[tokio::test]
async fn a_token_that_is_not_handed_out_and_that_its_hub_did_not_end_is_tried_again() {
    let mut hub = hub().await;
    hub.broken.store(true, Ordering::SeqCst);
    let world = world(&hub).await;
    let (asked, go) = under_way(&mut hub, &world).await;
    world.order("ada", Order::EndAccount { reason: None }).await;
    go.send(()).unwrap();
    asked.await.unwrap().expect(400);
    let ended = world.audit("token-revoked").await;
    let detail = ended[0]["detail"].as_str().unwrap();
    assert!(detail.contains("revoking it at the hub failed"), "{detail}");
    assert_eq!(
        due(&world).await,
        [ended[0]["token_sha256"].as_str().unwrap()]
    );
    hub.broken.store(false, Ordering::SeqCst);
    let later = clock::now_ms() + 60_000;
    let mint = &world.issuer.live_config().mint;
    mint.due_revocations(later, later).await.unwrap();
    assert!(due(&world).await.is_empty());
    assert_eq!(hub.revoked.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_policy_that_changes_while_the_hub_is_asked_ends_its_token_and_refuses() {
    let mut hub = hub().await;
    let world = world(&hub).await;
    let (asked, go) = under_way(&mut hub, &world).await;
    let before = world.issuer.live_config().policy_digest.clone();
    // Nobody of hers is on record yet, so that the comparison of everybody's roles passes her.
    world.policy(&POLICY.replace("\"ml\"", "\"others\"")).await;
    until("the new policy", async || {
        let now = world.issuer.live_config().policy_digest.clone();
        now != before && world.issuer.store.policy_digest().await == Ok(Some(now))
    })
    .await;
    go.send(()).unwrap();
    let refused = asked.await.unwrap().expect(400);
    assert!(!refused.text.contains("hf_of_the_hub"));
    until("the end of the token", async || {
        hub.revoked.lock().unwrap().len() == 1
    })
    .await;
    let ended = &world.audit("token-revoked").await[0];
    assert_eq!(
        ended["token_sha256"],
        world.audit("exchange").await[0]["token_sha256"]
    );
    assert!(ended["detail"].as_str().unwrap().contains("not handed out"));
    assert_eq!(world.audit("refusal").await.len(), 1);
}

#[tokio::test]
async fn a_token_that_can_not_be_put_on_record_is_ended_at_its_hub() {
    let mut hub = hub().await;
    let world = world(&hub).await;
    let (asked, go) = under_way(&mut hub, &world).await;
    for file in ["issuer.db", "issuer.db-wal", "issuer.db-shm"] {
        let _ = std::fs::remove_file(world.folder.path().join(file));
    }
    go.send(()).unwrap();
    let refused = asked.await.unwrap().expect(503);
    assert_eq!(refused.json()["oam"]["code"], "unavailable");
    assert!(!refused.text.contains("hf_of_the_hub"));
    assert_eq!(hub.revoked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_take_the_record_along() {
    let mut hub = hub().await;
    let world = world(&hub).await;
    let ada = world.id_token("ada", &json!({}));
    let resource = format!("{}/acme/model", hub.url);
    {
        let asking = Arc::clone(&world);
        let call = tokio::spawn(async move {
            asking
                .exchange(&ada, &resource, "role:publisher write")
                .await
        });
        let go = hub.asked.recv().await.unwrap();
        call.abort();
        assert!(call.await.is_err());
        go.send(()).unwrap();
    }
    let recorded = async || !world.audit("exchange").await.is_empty();
    until("the record", recorded).await;
    let entry = &world.audit("exchange").await[0];
    assert_eq!(entry["person"], "ada");
}
