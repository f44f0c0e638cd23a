//! Slow senders, strangers, addresses, metrics.

use super::world::{LONG, World, answer};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

#[tokio::test]
async fn a_body_that_comes_too_slowly_is_given_up() {
    let world = World::start().await;
    let mut stream = TcpStream::connect(world.url.strip_prefix("http://").unwrap())
        .await
        .unwrap();
    let head = "POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\
        Content-Type: application/x-www-form-urlencoded\r\n\r\ngrant";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut told = vec![0; 4096];
    let read = timeout(LONG, stream.read(&mut told))
        .await
        .unwrap()
        .unwrap();
    let told = String::from_utf8_lossy(&told[..read]).into_owned();
    assert!(told.starts_with("HTTP/1.1 408"), "{told}");
    assert!(told.contains("too slowly"), "{told}");
    assert_eq!(world.audit("refusal").await.len(), 1);
}

#[tokio::test]
async fn a_flood_of_bad_tokens_is_slowed_down_and_does_not_fill_the_log() {
    let world = World::start().await;
    let mut slowed = 0;
    for _ in 0..260 {
        let answer = world
            .exchange("x.y.z", "https://hub.acme.example/acme/model", "read")
            .await;
        slowed += usize::from(answer.status == 429);
    }
    assert!(slowed > 20, "{slowed}");
    assert!(world.audit("refusal").await.len() <= 260 - slowed + 1);
    // Somebody good at the same address does not wait.
    let ada = world.id_token("ada", &json!({}));
    world.granted(&ada, "read").await;
}

#[tokio::test]
async fn the_clients_address_is_believed_only_from_a_trusted_proxy() {
    let direct = World::start().await;
    let proxied = World::with(|text| text.replace("192.0.2.0/24", "127.0.0.0/8")).await;
    for (world, from) in [(&direct, "127.0.0.1"), (&proxied, "203.0.113.9")] {
        let request = world.client.get(format!("{}/v1/roles", world.url));
        let request = request.header("x-forwarded-for", "198.51.100.1, 203.0.113.9");
        answer(request).await.expect(401);
        assert_eq!(world.audit("refusal").await[0]["from"], from);
    }
}

#[tokio::test]
async fn metrics_are_for_this_machine_or_for_the_scrape_token() {
    let open = World::with(|text| {
        text.replace(
            "https://oam.acme.example\"\ndatabase",
            "http://127.0.0.1:1\"\ndatabase",
        )
        .replace("trusted_proxies", "# ")
    })
    .await;
    let text = open.get("/metrics").await.expect(200);
    assert!(text.header("content-type").starts_with("text/plain"));
    assert!(text.text.contains("oam_issuer_feeds_open 0"));
    let proxied = open.client.get(format!("{}/metrics", open.url));
    answer(proxied.header("x-forwarded-for", "127.0.0.1"))
        .await
        .expect(401);

    // Behind a proxy that says nothing of itself everybody seems to be on this machine.
    World::start().await.get("/metrics").await.expect(401);
    let closed = World::with(|text| {
        let folder = text.split("database = \"").nth(1).unwrap();
        let folder = folder.split("/issuer.db").next().unwrap().to_owned();
        let path = format!("{folder}/scrape");
        std::fs::write(&path, "s3cret").unwrap();
        super::world::private(std::path::Path::new(&path));
        text.replace(
            "heartbeat",
            &format!("metrics_token = {{ file = \"{path}\" }}\nheartbeat"),
        )
    })
    .await;
    closed.get("/metrics").await.expect(401);
    closed.bearer("/metrics", "wrong").await.expect(401);
    closed.bearer("/metrics", "s3cret").await.expect(200);
}
