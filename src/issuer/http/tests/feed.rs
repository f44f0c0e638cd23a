//! `/v1/feed`.

use super::world::{LONG, POLICY, World};
use crate::signal_processor::Order;
use oam_system::clock;
use serde_json::{Value, json};
use tokio::time::timeout;

/// One event: its id, name, data.
#[derive(Debug, Clone)]
struct Frame {
    id: Option<String>,
    event: String,
    data: Value,
}

/// An open stream.
struct Stream {
    response: reqwest::Response,
    buffer: String,
}

impl Stream {
    async fn open(world: &World, token: &str, after: Option<&str>) -> Self {
        let mut request = world.client.get(format!("{}/v1/feed", world.url));
        if let Some(id) = after {
            request = request.header("last-event-id", id);
        }
        let response = request.bearer_auth(token).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        assert_eq!(response.headers()["cache-control"], "no-store");
        Self {
            response,
            buffer: String::new(),
        }
    }

    /// The next event; none at the end.
    async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some((frame, rest)) = self.buffer.split_once("\n\n") {
                let field = |name: &str| {
                    let mut lines = frame.lines();
                    lines.find_map(|l| l.strip_prefix(name)).map(str::to_owned)
                };
                let frame = Frame {
                    id: field("id: "),
                    event: field("event: ").unwrap(),
                    data: serde_json::from_str(&field("data: ").unwrap()).unwrap(),
                };
                self.buffer = rest.to_owned();
                // It comes whenever somebody wrote something (`history`).
                if frame.event == "head" {
                    continue;
                }
                return Some(frame);
            }
            let chunk = timeout(LONG, self.response.chunk()).await.unwrap();
            match chunk {
                Ok(Some(bytes)) => self.buffer.push_str(std::str::from_utf8(&bytes).unwrap()),
                Ok(None) | Err(_) => return None,
            }
        }
    }

    async fn until(&mut self, event: &str) -> Frame {
        loop {
            let frame = self
                .next()
                .await
                .unwrap_or_else(|| panic!("the end, not {event}"));
            if frame.event == event {
                return frame;
            }
        }
    }
}

#[tokio::test]
async fn a_stream_begins_with_a_heartbeat_that_claims_only_what_is_known() {
    let world = World::start().await;
    let iat = clock::now_s() - 10;
    let ada = world.id_token("ada", &json!({ "iat": iat }));
    let mut stream = Stream::open(&world, &ada, None).await;
    let first = stream.next().await.unwrap();
    assert_eq!(first.event, "heartbeat");
    assert_eq!(first.data["as_of_ms"], iat * 1000);
    assert!(first.data["sent_at_ms"].as_u64().unwrap() >= iat * 1000);
    assert!(first.id.is_some());
    let second = stream.until("heartbeat").await;
    assert_eq!(second.data["as_of_ms"], iat * 1000);
}

/// The provider may have ended just the session of this bearer.
#[tokio::test]
async fn a_proof_of_another_session_makes_no_heartbeat_younger() {
    let world = World::start().await;
    let iat = clock::now_s() - 60;
    let one = world.id_token("ada", &json!({ "iat": iat, "sid": "one" }));
    let mut stream = Stream::open(&world, &one, None).await;
    stream.next().await.unwrap();
    let model = "https://hub.acme.example/acme/model";
    for (sid, as_of) in [("two", iat), ("one", iat + 50)] {
        let other = json!({ "iat": iat + 50, "sid": sid });
        let other = world.id_token("ada", &other);
        world.exchange(&other, model, "write").await.expect(200);
        let beat = stream.until("heartbeat").await;
        assert_eq!(beat.data["as_of_ms"], as_of * 1000, "{sid}");
    }
}

#[tokio::test]
async fn a_verified_stream_of_signals_is_evidence() {
    let world = World::start().await;
    let ada = world.id_token("ada", &json!({}));
    let verified = "https://schemas.openid.net/secevent/ssf/event-type/verification";
    let set = world.event(verified, "ada", &json!({ "state": "x" }));
    let push = world
        .post("/signals/ssf", "application/secevent+jwt", set)
        .await;
    push.expect(202);
    let before_s = clock::now_s() - 5;
    let mut stream = Stream::open(&world, &ada, None).await;
    let beat = stream.next().await.unwrap();
    assert!(
        beat.data["as_of_ms"].as_u64().unwrap() >= before_s * 1000,
        "{beat:?}"
    );
}

#[tokio::test]
async fn a_leaver_is_told_at_once_and_the_stream_ends() {
    let world = World::start().await;
    let ada = world.id_token("ada", &json!({}));
    let bob = world.id_token("bob", &json!({}));
    let mut hers = Stream::open(&world, &ada, None).await;
    let mut his = Stream::open(&world, &bob, None).await;
    hers.until("heartbeat").await;
    world
        .order(
            "ada",
            Order::EndAccount {
                reason: Some("left on Friday".into()),
            },
        )
        .await;
    let told = hers.until("revoked").await;
    assert!(
        told.data["reason"]
            .as_str()
            .unwrap()
            .contains("left on Friday")
    );
    assert!(told.data["at_ms"].is_u64());
    assert!(hers.next().await.is_none());
    his.until("heartbeat").await;
    his.until("heartbeat").await;
    // Who comes back hears it again, once, whatever the cursor.
    for after in [None, told.id.as_deref(), Some("other.1")] {
        let mut again = Stream::open(&world, &ada, after).await;
        assert_eq!(again.next().await.unwrap().event, "revoked");
        assert!(again.next().await.is_none());
    }
}

#[tokio::test]
async fn an_end_of_before_does_not_end_the_session_of_after() {
    let world = World::start().await;
    let ada = world.id_token("ada", &json!({}));
    let mut stream = Stream::open(&world, &ada, None).await;
    let cursor = stream.next().await.unwrap().id.unwrap();
    world.order("ada", Order::EndSession { reason: None }).await;
    stream.until("revoked").await;
    let later = clock::now_s() + 2;
    let anew = world.id_token("ada", &json!({ "auth_time": later }));
    let mut stream = Stream::open(&world, &anew, Some(&cursor)).await;
    assert_eq!(stream.next().await.unwrap().event, "heartbeat");
}

#[tokio::test]
async fn a_logout_is_told_as_doubt() {
    let world = World::start().await;
    let ada = world.id_token("ada", &json!({}));
    let mut stream = Stream::open(&world, &ada, None).await;
    stream.until("heartbeat").await;
    let token = world.logout_token("ada");
    world
        .form("/signals/logout", &[("logout_token", &token)])
        .await
        .expect(200);
    stream.until("doubt").await;
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn a_lost_role_is_told_and_nothing_is_missed_over_a_reconnect() {
    let world = World::start().await;
    let gate = world.register("gate", "models").await;
    let ada = world.id_token("ada", &json!({}));
    let mut stream = Stream::open(&world, &ada, None).await;
    let cursor = stream.next().await.unwrap().id.unwrap();
    let reader = world.granted(&ada, "role:reader read").await;
    let publisher = world.granted(&ada, "role:publisher write").await;
    drop(stream);
    world.policy(&POLICY.replace("\"ml\"", "\"others\"")).await;
    let mut stream = Stream::open(&world, &ada, Some(&cursor)).await;
    let lost = stream.until("roles-changed").await;
    assert_eq!(lost.data["lost"], json!(["publisher"]));
    assert_eq!(lost.data["held"], json!(["reader"]));
    let active = async |token: &str| world.introspect(&gate, token).await.json()["active"].clone();
    assert_eq!(active(&publisher).await, json!(false));
    assert_eq!(active(&reader).await, json!(true));
    assert_eq!(world.audit("roles-changed").await.len(), 1);
    assert_eq!(world.audit("policy-change").await.len(), 2);
}

#[tokio::test]
async fn an_unknown_cursor_is_answered_with_reset() {
    let world = World::start().await;
    let ada = world.id_token("ada", &json!({}));
    for after in ["x", "other.3", "é.1", ""] {
        let path = format!("/v1/feed?after={after}");
        let request = world.client.get(format!("{}{path}", world.url));
        let request = request
            .bearer_auth(&ada)
            .header("accept", "application/json");
        let poll = super::world::answer(request).await.expect(200).json();
        let items = poll["items"].as_array().unwrap();
        let last = items.last().unwrap();
        assert_eq!(last["event"], "heartbeat");
        assert_eq!(items.len(), if after.is_empty() { 1 } else { 2 }, "{poll}");
        if !after.is_empty() {
            assert_eq!(items[0]["event"], "reset");
        }
    }
    let subject = world.bearer("/v1/feed?subject=okta:bob", &ada).await;
    subject.expect(400);
}

#[tokio::test]
async fn a_cursor_of_somebody_else_tells_nothing_of_them() {
    let world = World::start().await;
    let (ada, bob) = (
        world.id_token("ada", &json!({})),
        world.id_token("bob", &json!({})),
    );
    let mut hers = Stream::open(&world, &ada, None).await;
    let cursor = hers.next().await.unwrap().id.unwrap();
    world.order("ada", Order::EndAccount { reason: None }).await;
    hers.until("revoked").await;
    let mut his = Stream::open(&world, &bob, Some(&cursor)).await;
    assert_eq!(his.next().await.unwrap().event, "heartbeat");
}

#[tokio::test]
async fn a_stream_ends_when_its_bearer_expires() {
    let world = World::start().await;
    let soon = json!({ "exp": clock::now_s() + 2 });
    let ada = world.id_token("ada", &soon);
    let mut stream = Stream::open(&world, &ada, None).await;
    while let Some(frame) = stream.next().await {
        assert_eq!(frame.event, "heartbeat");
    }
    assert_eq!(world.issuer.feeds.open(), 0);
}

#[tokio::test]
async fn a_bearer_that_is_over_begins_no_stream_again_within_the_leeway_of_clocks() {
    let world = World::start().await;
    let now = clock::now_s();
    let over = world.id_token("ada", &json!({ "iat": now - 600, "exp": now - 1 }));
    // The leeway is for a token that comes from another clock, and is exchanged once.
    world.granted(&over, "role:reader read").await;
    for path in ["/v1/feed", "/v1/roles", "/v1/why?hub=models"] {
        let refused = world.bearer(path, &over).await.expect(401);
        assert_eq!(refused.json()["error"], "invalid_token", "{path}");
    }
    let records = world.client.post(format!("{}/v1/records", world.url));
    let records = records
        .bearer_auth(&over)
        .header("content-type", "application/json")
        .body("{}");
    super::world::answer(records).await.expect(401);
    assert_eq!(world.issuer.feeds.open(), 0);
}

#[tokio::test]
async fn a_job_has_no_feed_and_a_full_house_says_so() {
    let world = World::with(|text| text.replace("[limits]", "[limits]\nfeeds = 1")).await;
    let job = world.job_token(&json!({}));
    let refused = world.bearer("/v1/feed", &job).await.expect(403).json();
    assert_eq!(refused["error"], "access_denied");
    let ada = world.id_token("ada", &json!({}));
    let bob = world.id_token("bob", &json!({}));
    let mut stream = Stream::open(&world, &ada, None).await;
    stream.until("heartbeat").await;
    let full = world.bearer("/v1/feed", &bob).await.expect(503);
    assert_eq!(full.header("retry-after"), "15");
}

#[tokio::test]
async fn a_shutdown_ends_feeds_and_is_not_held_up_by_them() {
    let mut world = World::start().await;
    let ada = world.id_token("ada", &json!({}));
    let mut stream = Stream::open(&world, &ada, None).await;
    stream.until("heartbeat").await;
    timeout(LONG, world.end()).await.unwrap();
    while let Some(frame) = stream.next().await {
        assert_eq!(frame.event, "heartbeat");
    }
}
