//! What a feed subscriber costs, and how long it takes until all of them were told.

use super::server::Server;
use super::table::{Table, ms, quantile};
use std::process::Command;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Subscribers, each somebody else.
const SUBSCRIBERS: usize = 1000;
/// Longest wait for anything.
const DEADLINE: Duration = Duration::from_secs(30);

/// Rows for memory and fan-out.
pub fn measure(table: &mut Table) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let server = Server::start();
    let before = server.rss_kib();
    let mut arrivals = runtime.block_on(subscribe_and_tell(&server, table, before));
    let p99 = quantile(&mut arrivals, 0.99);
    table.judged(
        &format!("a policy change that takes a role from {SUBSCRIBERS} subscribers: SIGHUP to each agent told, p99"),
        &ms(p99),
        &format!("p50 {}", ms(quantile(&mut arrivals, 0.5))),
        "≤ 1 s",
        p99 <= Duration::from_secs(1),
    );
}

async fn subscribe_and_tell(server: &Server, table: &mut Table, before: u64) -> Vec<Duration> {
    let (open, mut opened) = mpsc::unbounded_channel();
    let (told, mut heard) = mpsc::unbounded_channel();
    let mut streams = JoinSet::new();
    for person in 0..SUBSCRIBERS {
        let token = server.id_token(person, person);
        let address = server.address.clone();
        streams.spawn(subscriber(address, token, open.clone(), told.clone()));
    }
    for _ in 0..SUBSCRIBERS {
        timeout(DEADLINE, opened.recv()).await.unwrap().unwrap();
    }
    let after = server.rss_kib();
    let each = (after.saturating_sub(before)) / SUBSCRIBERS as u64;
    table.row(
        "issuer's memory (RSS) without subscribers",
        &format!("{before} KiB"),
        "",
    );
    table.judged(
        &format!("with {SUBSCRIBERS} feed subscribers"),
        &format!("{after} KiB, {each} KiB each"),
        &format!(
            "10,000 of them, extrapolated: {} MB",
            (before + each * 10_000) / 1000
        ),
        "10,000 ≤ 300 MB",
        before + each * 10_000 <= 300_000,
    );
    server.write_policy(false);
    let began = Instant::now();
    Command::new("kill")
        .args(["-HUP", &server.pid.to_string()])
        .status()
        .unwrap();
    let mut arrivals = Vec::new();
    while arrivals.len() < SUBSCRIBERS {
        timeout(DEADLINE, heard.recv()).await.unwrap().unwrap();
        arrivals.push(began.elapsed());
    }
    arrivals
}

/// One subscriber: says when its stream is open, and when it hears that it lost a role.
async fn subscriber(
    address: String,
    token: String,
    open: mpsc::UnboundedSender<()>,
    told: mpsc::UnboundedSender<()>,
) {
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let request = format!(
        "GET /v1/feed HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nAccept: text/event-stream\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut lines = BufReader::new(stream).lines();
    let mut first = true;
    while let Ok(Some(line)) = lines.next_line().await {
        if first && line.starts_with("event: heartbeat") {
            first = false;
            open.send(()).unwrap();
        }
        if line.starts_with("event: roles-changed") {
            let _ = told.send(());
            return;
        }
    }
}
