//! What a stranger, or one member, can do is bounded: connections, headers, bodies, records, refusals.

use super::people::{NAME, log, send, upload};
use super::world::{LONG, World, until};
use crate::record;
use oam_audit::record as chain;
use oam_model::record::{EventKind, Record};
use oam_store::AuditFilter;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const MODEL: &str = "https://hub.acme.example/acme/model";

async fn connect(world: &World) -> TcpStream {
    let address = world.url.strip_prefix("http://").unwrap();
    TcpStream::connect(address).await.unwrap()
}

/// Sends this, and reads until the other side closes.
async fn raw(world: &World, text: &str) -> String {
    let mut stream = connect(world).await;
    // What is refused early may be closed before all of it is written.
    let _ = stream.write_all(text.as_bytes()).await;
    let mut told = Vec::new();
    let _ = timeout(LONG, stream.read_to_end(&mut told)).await.unwrap();
    String::from_utf8_lossy(&told).into_owned()
}

#[tokio::test]
async fn beyond_the_limit_of_connections_it_is_said_and_healthz_is_served() {
    let world = World::with(|text| text.replace("[limits]", "[limits]\nconnections = 16")).await;
    let mut idle = Vec::new();
    for _ in 0..16 {
        idle.push(connect(&world).await);
    }
    until("all places are taken", async || {
        world.issuer.connections.open() >= 16
    })
    .await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    let told = raw(&world, &get("/readyz")).await;
    assert!(told.starts_with("HTTP/1.1 503"), "{told}");
    let lower = told.to_lowercase();
    assert!(lower.contains("retry-after: 5") && lower.contains("connection: close"));
    let told = raw(&world, &get("/healthz")).await;
    assert!(told.starts_with("HTTP/1.1 200"), "{told}");
    drop(idle);
    until("there is room again", async || {
        world.get("/readyz").await.status == 200
    })
    .await;
    let text = world.issuer.metrics.text().unwrap();
    assert!(text.contains("oam_issuer_connections_shed_total{how=\"told\"}"));
}

#[tokio::test]
async fn headers_beyond_32_kilobytes_and_requests_without_one_host_are_refused() {
    let world = World::start().await;
    let much = format!("X-Much: {}\r\n", "x".repeat(4_000)).repeat(10);
    let told = raw(
        &world,
        &format!("GET /healthz HTTP/1.1\r\nHost: x\r\n{much}\r\n"),
    )
    .await;
    assert!(told.starts_with("HTTP/1.1 431"), "{told}");
    for hosts in ["", "Host: a\r\nHost: b\r\n", "Host: a\r\nHost: a\r\n"] {
        let request = format!("GET /healthz HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n");
        let told = raw(&world, &request).await;
        assert!(told.starts_with("HTTP/1.1 400"), "{hosts:?}: {told}");
    }
    let told = raw(&world, "GET /healthz HTTP/1.0\r\n\r\n").await;
    assert!(told.starts_with("HTTP/1.0 200"), "{told}");
}

#[tokio::test]
async fn a_form_beyond_64_kilobytes_is_refused_by_its_announced_length() {
    let world = World::start().await;
    let told = raw(
        &world,
        "POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n",
    )
    .await;
    assert!(told.starts_with("HTTP/1.1 413"), "{told}");
}

#[tokio::test]
async fn a_record_with_a_number_that_no_log_reaches_is_a_bad_request_and_harms_nobody() {
    let world = World::start().await;
    let ada = world.id_token("ada", &json!({}));
    let good = log(1);
    for seq in [1 << 53, 1 << 63, u64::MAX] {
        let line = chain::chain(seq, chain::GENESIS, &Record::new(EventKind::Grant, 1)).unwrap();
        let head = (seq, line.hash.clone());
        let lines = [good[0].0.as_str(), line.line.as_str()];
        send(&world, &ada, &upload(NAME, &head, &lines))
            .await
            .expect(400);
        let head = (1, good[0].1.clone());
        send(&world, &ada, &upload(NAME, &head, &[&line.line]))
            .await
            .expect(400);
    }
    world.get("/readyz").await.expect(200);
    world.granted(&ada, "read").await;
    let long = upload(NAME, &(1, good[0].1.clone()), &[&"x".repeat(70_000)]);
    send(&world, &ada, &long).await.expect(400);
}

#[tokio::test]
async fn records_are_taken_from_people_with_a_role_only() {
    let world = World::start().await;
    world
        .policy(&super::world::POLICY.replace(
            "members = [{ source = \"okta\" }]",
            "members = [{ source = \"okta\", groups = [\"ml\"] }]",
        ))
        .await;
    let bob = world.id_token("bob", &json!({ "groups": [] }));
    let job = world.job_token(&json!({}));
    let one = log(1);
    let body = upload(NAME, &(1, one[0].1.clone()), &[&one[0].0]);
    until("the new policy", async || {
        let roles = world.bearer("/v1/roles", &bob).await.json();
        roles["roles"] == json!([])
    })
    .await;
    send(&world, &bob, &body).await.expect(403);
    send(&world, &job, &body).await.expect(403);
    assert_eq!(world.audit("agent-records").await.len(), 0);
}

#[tokio::test]
async fn a_persons_records_of_a_day_are_bounded_and_an_alarm_says_so_once() {
    let world = World::with(|text| text.replace("[limits]", "[limits]\nrecords_per_day = 5")).await;
    let ada = world.id_token("ada", &json!({}));
    let log = log(8);
    let head = (8, log[7].1.clone());
    let lines: Vec<&str> = log.iter().map(|(line, _)| line.as_str()).collect();
    send(&world, &ada, &upload(NAME, &head, &lines[..5]))
        .await
        .expect(200);
    for _ in 0..3 {
        let told = send(&world, &ada, &upload(NAME, &head, &lines[5..])).await;
        let told = told.expect(429);
        assert_eq!(told.header("retry-after"), "3600");
    }
    let alarms = world.audit("alarm").await;
    assert_eq!(alarms.len(), 1, "{alarms:?}");
    // Somebody else's day is another one.
    let bob = world.id_token("bob", &json!({}));
    let other = upload(&NAME.replace('0', "9"), &head, &lines[..5]);
    send(&world, &bob, &other).await.expect(200);
    world.get("/readyz").await.expect(200);
}

#[tokio::test]
async fn a_log_that_raises_alarm_after_alarm_is_slowed_down() {
    let world = World::start().await;
    let ada = world.id_token("ada", &json!({}));
    let log = log(40);
    let mut slowed = 0;
    for at in (1..40).step_by(2) {
        let head = (at as u64 + 1, log[at].1.clone());
        let told = send(&world, &ada, &upload(NAME, &head, &[&log[at].0])).await;
        slowed += usize::from(told.status == 429);
    }
    assert_eq!(slowed, 10);
    assert_eq!(world.audit("alarm").await.len(), 10);
}

#[tokio::test]
async fn what_a_member_makes_the_issuer_keep_is_bounded_however_much_they_send() {
    const QUOTA: usize = 65_536;
    let limit = format!("[limits]\nrecord_bytes_per_day = {QUOTA}");
    let world = World::with(|text| text.replace("[limits]", &limit)).await;
    let ada = world.id_token("ada", &json!({}));
    let log = log(102);
    let head = (102, log[101].1.clone());
    let lines: Vec<&str> = log.iter().map(|(line, _)| line.as_str()).collect();
    let mut sent = 0;
    // Each log anew, then a gap in it, which is an alarm; and something that is denied or granted.
    for number in 0..60 {
        let name = format!("{number:032x}");
        for part in [&lines[..100], &lines[101..]] {
            let body = upload(&name, &head, part);
            sent += body.to_string().len();
            send(&world, &ada, &body).await;
        }
        world.exchange(&ada, MODEL, "manage").await;
    }
    let records = world.issuer.store.agent_records(0, 100_000).await.unwrap();
    let bytes: usize = records.iter().map(|(.., line)| line.len()).sum();
    assert!(bytes > QUOTA / 2 && bytes <= QUOTA, "{bytes}");
    let said = world.audit("alarm").await.len();
    assert!(said <= 11, "{said}");
    let entries = world
        .issuer
        .store
        .audit(AuditFilter::default(), 0, 100_000)
        .await
        .unwrap();
    let entries: usize = entries.iter().map(|entry| entry.line.len()).sum();
    assert!(sent > 10 * QUOTA && entries < 2 * QUOTA, "{sent} {entries}");
    world.get("/readyz").await.expect(200);
}

#[tokio::test]
async fn a_denial_of_somebody_known_is_on_record_or_does_not_leave() {
    let world = World::start().await;
    let bob = world.id_token("bob", &json!({ "groups": [] }));
    // Garbage of the same address takes nothing from what is recorded of people.
    for _ in 0..150 {
        world.exchange("x.y.z", MODEL, "read").await;
    }
    let (mut denied, mut slowed) = (0, 0);
    for _ in 0..140 {
        match world.exchange(&bob, MODEL, "write").await.status {
            400 => denied += 1,
            429 => slowed += 1,
            other => panic!("{other}"),
        }
    }
    assert!(slowed > 0 && denied > 0, "{denied} {slowed}");
    let of_bob = |entry: &&Value| entry["person"] == "bob" && entry["refusal"] == "denied";
    let refusals = world.audit("refusal").await;
    assert_eq!(refusals.iter().filter(of_bob).count(), denied);
    // What has no entry of its own is on record as a sum.
    assert!(refusals.len() < 290);
    record::sum(&world.issuer).await;
    let sums = world.audit("refusal-sum").await;
    let words = sums[0]["detail"].as_str().unwrap();
    let count: usize = words.split(' ').next().unwrap().parse().unwrap();
    assert_eq!(count + refusals.len(), 290, "{words}");
    record::sum(&world.issuer).await;
    assert_eq!(world.audit("refusal-sum").await.len(), 1);
}
