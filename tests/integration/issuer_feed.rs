//! The feed: what a subscriber is told, through a proxy too, and by many over a restart.

use crate::support::feed::Feed;
use crate::support::http::Ask;
use crate::support::wait::{LONG, until, until_true};
use crate::support::{Company, Plan};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// One poll: the items.
fn poll(company: &Company, bearer: &str, after: Option<&str>) -> Vec<Value> {
    let query = after.map(|id| format!("?after={id}")).unwrap_or_default();
    let answer = Ask::get(&format!("{}/v1/feed{query}", company.url))
        .bearer(bearer)
        .header("Accept", "application/json")
        .send()
        .expect(200);
    answer.json()["items"].as_array().expect("items").clone()
}

#[test]
fn a_subscriber_is_told_its_own_events_at_once_and_only_those() {
    let company = Company::start();
    let (ada, brian) = (
        company.id_token("ada", &json!({})),
        company.id_token("brian", &json!({})),
    );
    for token in [&ada, &brian] {
        company.bearer("/v1/roles", token).expect(200);
    }
    let mut hers = Feed::open(&company.url, &ada, None).ok().expect("a stream");
    let mut his = Feed::open(&company.url, &brian, None)
        .ok()
        .expect("a stream");
    let header = |name: &str| {
        hers.headers
            .iter()
            .any(|(key, value)| key == name && (value == "no" || value.contains("no-store")))
    };
    assert!(
        header("x-accel-buffering") && header("cache-control"),
        "{:?}",
        hers.headers
    );
    let first = hers.until("heartbeat").pop().unwrap();
    let (as_of, sent) = (
        first.data["as_of_ms"].as_u64().unwrap(),
        first.data["sent_at_ms"].as_u64().unwrap(),
    );
    assert!(as_of <= sent, "{first:?}");
    let again = hers.until("heartbeat").pop().unwrap();
    assert!(
        again.data["sent_at_ms"].as_u64().unwrap() > sent,
        "{again:?}"
    );

    company.issuer(&["revoke", "ada"]).expect(0);
    let seen = hers.until("revoked");
    assert!(seen.last().unwrap().data["reason"].is_string(), "{seen:?}");
    assert!(hers.next().is_none(), "final: the stream ends");
    // Brian's goes on and has nothing of it.
    let until_two: Vec<_> = his
        .until("heartbeat")
        .into_iter()
        .chain(his.until("heartbeat"))
        .collect();
    assert!(
        until_two.iter().all(|frame| frame.event != "revoked"),
        "{until_two:?}"
    );
    // Who comes back is told again, as a stream and as a poll.
    let mut back = Feed::open(&company.url, &ada, None).ok().expect("a stream");
    back.until("revoked");
    assert!(back.next().is_none());
    let items = poll(&company, &ada, None);
    assert_eq!(items.last().unwrap()["event"], "revoked", "{items:?}");
}

#[test]
fn a_cursor_goes_on_where_it_was_over_a_restart_and_an_unknown_one_is_a_reset_and_no_proof() {
    let company = Company::start();
    let ada = company.id_token("ada", &json!({}));
    let mut feed = Feed::open(&company.url, &ada, None).ok().expect("a stream");
    let first = feed.until("heartbeat").pop().unwrap();
    let items = poll(&company, &ada, None);
    let cursor = first.id.or_else(|| {
        items
            .iter()
            .rev()
            .find_map(|i| i["id"].as_str().map(str::to_owned))
    });
    let cursor = cursor.expect("a cursor");
    drop(feed);
    // It happens while nobody listens, and the issuer is killed on top.
    let groups = json!({
        "type": "token-claims-change", "subject": company.world.subject("ada"), "event": {"claims": {"groups": ["staff"]}},
    });
    assert_eq!(company.ssf.control("push", &groups)["status"], 202);
    company.kill_and_restart();
    let mut feed = Feed::open(&company.url, &ada, Some(&cursor))
        .ok()
        .expect("a stream");
    let missed = feed.until("heartbeat");
    let changes: Vec<_> = missed
        .iter()
        .filter(|f| f.event == "roles-changed")
        .collect();
    assert_eq!(changes.len(), 1, "told once: {missed:?}");
    assert_eq!(changes[0].data["lost"], json!(["model-publisher"]));
    assert_eq!(changes[0].data["held"], json!(["model-reader"]));
    assert!(missed.iter().all(|f| f.event != "reset"), "{missed:?}");

    for unknown in [
        "0.0",
        "nonsense",
        "ffffffffffffffff.7",
        &format!("{cursor}99999"),
    ] {
        let mut feed = Feed::open(&company.url, &ada, Some(unknown))
            .ok()
            .expect("a stream");
        let frame = feed.next().expect("a frame");
        assert_eq!(frame.event, "reset", "{unknown}: {frame:?}");
        let items = poll(&company, &ada, Some(unknown));
        assert_eq!(items[0]["event"], "reset", "{unknown}: {items:?}");
    }
}

#[test]
fn a_stream_ends_with_its_bearer() {
    let company = Company::start();
    let ada = company.forged("ada", &json!({}), &json!({"seconds": 4}));
    let mut feed = Feed::open(&company.url, &ada, None).ok().expect("a stream");
    feed.until("heartbeat");
    while let Some(frame) = feed.next() {
        assert_eq!(frame.event, "heartbeat");
    }
    // Clocks differ: only what is past any leeway is surely refused at its beginning.
    let ada = company.forged("ada", &json!({}), &json!({"seconds": -300}));
    let refused = Feed::open(&company.url, &ada, None).err().expect("expired");
    assert_eq!(refused.expect(401).json()["error"], "invalid_token");
}

/// Revoked while a child runs; nobody asks the agent for anything.
fn a_leaver_is_found(company: &Company) {
    let child = crate::support::world::child_that_waits(&company.world);
    company.issuer(&["revoke", "ada"]).expect(0);
    until("the child's token to go", LONG, || {
        company.world.token_files().is_empty().then_some(())
    });
    assert_eq!(company.world.status()["standing"], "revoked");
    drop(child);
}

#[test]
fn through_nginx_without_buffering_the_feed_is_a_proof_and_a_leaver_is_found() {
    let company = Plan::default().behind_nginx(false).start();
    company.login("ada");
    assert!(company.world.token().is_some());
    company.until_fed();
    let ada = company.id_token("ada", &json!({}));
    let mut feed = Feed::open(&company.url, &ada, None).ok().expect("a stream");
    feed.until("heartbeat");
    feed.until("heartbeat");
    a_leaver_is_found(&company);
}

/// A proxy that holds the stream back makes it no proof. The agent notices, polls, and finds the end.
#[test]
fn through_nginx_with_buffering_the_agent_notices_polls_and_a_leaver_is_found() {
    let company = Plan::default().behind_nginx(true).start();
    company.login("ada");
    assert!(company.world.token().is_some());
    company.until_fed();
    a_leaver_is_found(&company);
}

const MANY: usize = 1000;

/// Subscribes and reads on: the first heartbeat and every event by its kind goes to `told`.
async fn subscriber(url: String, bearer: String, told: tokio::sync::mpsc::UnboundedSender<String>) {
    let (authority, bytes) = Ask::get(&format!("{url}/v1/feed"))
        .bearer(&bearer)
        .header("Accept", "text/event-stream")
        .wire();
    let Ok(mut stream) = TcpStream::connect(authority).await else {
        return;
    };
    if stream.write_all(&bytes).await.is_err() {
        return;
    }
    let mut lines = BufReader::new(stream).lines();
    let mut beaten = false;
    while let Ok(Some(line)) = lines.next_line().await {
        let Some(event) = line.strip_prefix("event:").map(str::trim) else {
            continue;
        };
        if event != "heartbeat" || !std::mem::replace(&mut beaten, true) {
            let _ = told.send(event.to_owned());
        }
    }
}

/// Opens them all and waits for the first heartbeat of each; what they are told from then on.
async fn subscribe(
    company: &Company,
    bearers: &[String],
) -> tokio::sync::mpsc::UnboundedReceiver<String> {
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    for bearer in bearers {
        tokio::spawn(subscriber(
            company.url.clone(),
            bearer.clone(),
            told.clone(),
        ));
    }
    drop(told);
    gather(&mut heard, "heartbeat", bearers.len()).await;
    heard
}

/// Waits for `count` events of this kind.
async fn gather(
    heard: &mut tokio::sync::mpsc::UnboundedReceiver<String>,
    kind: &str,
    count: usize,
) {
    let all = async {
        let mut seen = 0;
        while seen < count {
            match heard.recv().await {
                Some(event) if event == kind => seen += 1,
                Some(_) => {}
                None => panic!("{seen} of {count} were told `{kind}`, then all ended"),
            }
        }
    };
    let patience = Duration::from_mins(1);
    assert!(
        tokio::time::timeout(patience, all).await.is_ok(),
        "not all {count} were told `{kind}`"
    );
}

#[test]
fn flood_of_a_thousand_subscribers_all_come_back_after_a_restart_and_all_are_told() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: most.map(|m| m.min(8192)),
            maximum: most,
        },
    )
    .unwrap();
    let company = Company::start();
    let bearers: Vec<String> = (0..MANY)
        .map(|n| {
            company.id_token(
                &format!("person-{n}"),
                &json!({"groups": ["ml-research", "staff"]}),
            )
        })
        .collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let heard = subscribe(&company, &bearers).await;
        assert!(company.feeds() >= MANY as u64, "{}", company.feeds());
        company.restart();
        drop(heard);
        let mut heard = subscribe(&company, &bearers).await;
        // One change of the policy is told to every one of them.
        let text = company.policy().replace("\"ml-research\"", "\"nobody\"");
        company.write_policy(&text);
        gather(&mut heard, "roles-changed", MANY).await;
    });
    drop(runtime);
    until_true("the streams to be given up", || company.feeds() == 0);
}
