//! The feed: what a subscriber is told, through a proxy too, and by many over a restart.

use crate::support::company::now;
use crate::support::feed::Feed;
use crate::support::http::Ask;
use crate::support::wait::{LONG, until, until_true};
use crate::support::{Company, Plan};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

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
    // Beyond the minute by which clocks may differ nothing new begins with it either.
    let late = company.forged("ada", &json!({}), &json!({"seconds": -90}));
    let refused = Feed::open(&company.url, &late, None)
        .err()
        .expect("expired");
    assert_eq!(refused.expect(401).json()["error"], "invalid_token");
}

/// Waits until `oam status` says this of the agent's feed.
#[track_caller]
fn until_feed_is(company: &Company, state: &str, polling: bool) {
    // Silence alone is noticed after two usual heartbeats and a margin, 35 s.
    let end = Instant::now() + Duration::from_secs(90);
    let mut said: Vec<String> = Vec::new();
    while Instant::now() < end {
        let feed = company.world.status()["feed"].clone();
        if feed["state"] == state && feed["polling"] == polling {
            return;
        }
        let now = format!("{} polling {}", feed["state"], feed["polling"]);
        if said.last() != Some(&now) {
            said.push(now);
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
    panic!("never {state}, polling {polling}: {said:?}");
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
    until_feed_is(&company, "connected", false);
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
    // `down` is what stays: `buffered` is said only while late heartbeats come, and after some of them the agent
    // gives the connection up.
    until_feed_is(&company, "down", true);
    a_leaver_is_found(&company);
}

#[test]
fn a_proxy_that_is_put_right_makes_the_feed_a_proof_again() {
    let live = |text: &str| {
        text.replace(
            "[transmitters.company]",
            "[transmitters.company]\nlive_for = \"5m\"",
        )
    };
    let mut company = Plan::default().behind_nginx(true).settings(live).start();
    company.login("ada");
    assert!(company.world.token().is_some());
    until_feed_is(&company, "down", true);
    let changed = now();
    company.nginx_without_buffering();
    until_feed_is(&company, "connected", false);
    // New evidence at the issuer, of which the agent can hear by the stream alone: what the provider vouches for
    // everybody. A proof of another session would say nothing of this one.
    let stream = json!({"format": "opaque", "id": "stream"});
    let verified = json!({"type": "verification", "subject": stream, "event": {}});
    assert_eq!(
        crate::issuer_signals::push(&company, &verified)["status"],
        202
    );
    until_true("a proof of after the change", || {
        let as_of = company.world.status()["feed"]["as_of"].as_u64();
        as_of.is_some_and(|at| at >= changed)
    });
    a_leaver_is_found(&company);
}

const MANY: usize = 1000;

/// What a subscriber was told: its number, and the event.
struct Told {
    who: usize,
    id: Option<String>,
    event: String,
    data: Value,
}

/// Subscribes after a cursor and reads on: every event goes to `told`.
async fn subscriber(
    url: String,
    (who, bearer, after): (usize, String, Option<String>),
    told: UnboundedSender<Told>,
) {
    let mut ask = Ask::get(&format!("{url}/v1/feed"))
        .bearer(&bearer)
        .header("Accept", "text/event-stream");
    if let Some(after) = &after {
        ask = ask.header("Last-Event-ID", after);
    }
    let (authority, bytes) = ask.wire();
    let Ok(mut stream) = TcpStream::connect(authority).await else {
        return;
    };
    if stream.write_all(&bytes).await.is_err() {
        return;
    }
    let mut lines = BufReader::new(stream).lines();
    let (mut id, mut event) = (None, None);
    while let Ok(Some(line)) = lines.next_line().await {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        let value = value.trim();
        match name {
            "id" => id = Some(value.to_owned()),
            "event" => event = Some(value.to_owned()),
            "data" => {
                let Some(event) = event.take() else { continue };
                let data = serde_json::from_str(value).unwrap_or_default();
                let id = id.take();
                let _ = told.send(Told {
                    who,
                    id,
                    event,
                    data,
                });
            }
            _ => {}
        }
    }
}

/// Opens them all, each after its own cursor, and waits for the first heartbeat of each: what each was told
/// before it, and its new cursor.
async fn subscribe(
    company: &Company,
    bearers: &[String],
    cursors: &[Option<String>],
) -> (Vec<Vec<Told>>, Vec<Option<String>>) {
    let (told, mut heard) = unbounded_channel();
    for (who, (bearer, after)) in bearers.iter().zip(cursors).enumerate() {
        let with = (who, bearer.clone(), after.clone());
        tokio::spawn(subscriber(company.url.clone(), with, told.clone()));
    }
    drop(told);
    let mut before: Vec<Vec<Told>> = bearers.iter().map(|_| Vec::new()).collect();
    let mut cursors = cursors.to_vec();
    let mut beaten = vec![false; bearers.len()];
    let all = async {
        while beaten.contains(&false) {
            let told = heard.recv().await.expect("streams that go on");
            let who = told.who;
            if let Some(id) = &told.id {
                cursors[who] = Some(id.clone());
            }
            if told.event == "heartbeat" {
                beaten[who] = true;
            } else if !beaten[who] {
                before[who].push(told);
            }
        }
    };
    let deadline = Duration::from_mins(1);
    let in_time = tokio::time::timeout(deadline, all).await;
    assert!(in_time.is_ok(), "not all have a heartbeat");
    (before, cursors)
}

#[test]
fn flood_of_a_thousand_subscribers_each_resume_after_a_restart_with_exactly_what_they_missed() {
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
    // Every second one holds the role that will be taken away.
    let loses = |who: usize| who.is_multiple_of(2);
    let bearers: Vec<String> = (0..MANY)
        .map(|who| {
            let groups = if loses(who) {
                json!({"groups": ["ml-research", "staff"]})
            } else {
                json!({"groups": ["staff"]})
            };
            company.id_token(&format!("person-{who}"), &groups)
        })
        .collect();
    let run = |cursors: &[Option<String>]| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let told = subscribe(&company, &bearers, cursors).await;
            assert!(company.feeds() >= MANY as u64, "{}", company.feeds());
            told
        })
    };
    let (_, cursors) = run(&vec![None; MANY]);
    assert!(cursors.iter().all(Option::is_some), "each has a cursor");
    until_true("the streams to be given up", || company.feeds() == 0);
    // It happens while nobody listens, and the issuer is killed on top.
    let text = company.policy().replace("\"ml-research\"", "\"nobody\"");
    company.write_policy(&text);
    company.until_audited("the change", |e| {
        e["event"] == "policy-change" && e["detail"].is_string()
    });
    company.kill_and_restart();
    let (missed, cursors) = run(&cursors);
    for (who, missed) in missed.iter().enumerate() {
        let events: Vec<&str> = missed.iter().map(|told| told.event.as_str()).collect();
        let expected: &[&str] = if loses(who) { &["roles-changed"] } else { &[] };
        assert_eq!(events, expected, "person-{who}");
        for told in missed {
            assert_eq!(
                told.data["lost"],
                json!(["model-publisher"]),
                "person-{who}"
            );
            assert_eq!(told.data["held"], json!(["model-reader"]), "person-{who}");
        }
    }
    until_true("the streams to be given up", || company.feeds() == 0);
    // Who was told is not told again.
    company.restart();
    let (missed, _) = run(&cursors);
    assert!(missed.iter().all(Vec::is_empty), "nothing twice");
    until_true("the streams to be given up", || company.feeds() == 0);
}
