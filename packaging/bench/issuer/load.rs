//! Exchanges a second, one after the other on kept connections, from 1, 8 and 64 clients.

use super::server::{HUB, Server, cpu_of};
use super::table::{Table, ms, quantile};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long each number of clients is kept up.
const RUN: Duration = Duration::from_secs(3);
/// Tokens made for a run: none is used twice, so every one is verified.
const TOKENS: usize = 24_000;

/// What one run came to.
struct Outcome {
    a_second: f64,
    a_cpu_second: f64,
    times: Vec<Duration>,
}

/// Rows for the issuer, beside the peer.
pub fn measure(table: &mut Table) {
    let server = Server::start();
    let peer = Peer::start();
    for clients in [1, 8, 64] {
        let requests = requests(&server);
        let mut ours = run(&server.address, clients, &requests, || server.cpu());
        let asked = vec![peer.request()];
        let theirs = run(&peer.address, clients, &asked, || cpu_of(peer.child.id()));
        let what = format!("exchanges, {clients} clients, each with a token never seen before");
        let p99 = quantile(&mut ours.times, 0.99);
        let measured = format!(
            "{:.0}/s, {:.0} per CPU second, p50 {}, p99 {}",
            ours.a_second,
            ours.a_cpu_second,
            ms(quantile(&mut ours.times, 0.5)),
            ms(p99)
        );
        let beside = format!(
            "introspection at `oidc-provider`, which signs and stores nothing: {:.0}/s, {:.0} per CPU second: {:.1} x",
            theirs.a_second,
            theirs.a_cpu_second,
            ours.a_cpu_second / theirs.a_cpu_second
        );
        if clients == 64 {
            let kept = ours.a_cpu_second >= 5000.0 && p99 <= Duration::from_millis(20);
            let budget = "≥ 5,000 a core, p99 ≤ 20 ms";
            table.judged(&what, &measured, &beside, budget, kept);
        } else {
            table.row(&what, &measured, &beside);
        }
    }
}

/// Whole requests, each with another ID token of one of 200 people.
fn requests(server: &Server) -> Vec<String> {
    let count = AtomicUsize::new(0);
    let make = || {
        let mut mine = Vec::new();
        loop {
            let number = count.fetch_add(1, Ordering::Relaxed);
            if number >= TOKENS {
                return mine;
            }
            let token = server.id_token(number % 200, number);
            mine.push(exchange(
                &server.address,
                &token,
                "id_token",
                &format!("acme/model-{number}"),
            ));
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..2).map(|_| scope.spawn(make)).collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap())
            .collect()
    })
}

/// A request for a token to write to `repository`; `kind` is the last part of the type of `token`.
pub fn exchange(host: &str, token: &str, kind: &str, repository: &str) -> String {
    let form = format!(
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&subject_token={token}\
         &subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3A{kind}\
         &audience={HUB}&resource={HUB}/{repository}&scope=role%3Amodel-publisher%20write"
    );
    post("/oauth/token", host, "", &form)
}

/// A request with a form.
pub fn post(path: &str, host: &str, headers: &str, form: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\n{headers}Content-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{form}",
        form.len()
    )
}

fn run(address: &str, clients: usize, requests: &[String], cpu: impl Fn() -> f64) -> Outcome {
    let next = AtomicUsize::new(0);
    let (before, began) = (cpu(), Instant::now());
    let times: Vec<Duration> = thread::scope(|scope| {
        let workers: Vec<_> = (0..clients)
            .map(|_| scope.spawn(|| client(address, requests, &next, began)))
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap())
            .collect()
    });
    let (took, used) = (began.elapsed().as_secs_f64(), cpu() - before);
    #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
    let count = times.len() as f64;
    Outcome {
        a_second: count / took,
        a_cpu_second: count / used.max(0.01),
        times,
    }
}

/// One client until the time is over or, where each request may be sent once, all are sent.
fn client(address: &str, requests: &[String], next: &AtomicUsize, began: Instant) -> Vec<Duration> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    let mut times = Vec::new();
    while began.elapsed() < RUN {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let again = requests.len() == 1;
        if !again && number >= requests.len() {
            break;
        }
        let request = &requests[number % requests.len()];
        let sent = Instant::now();
        writer.write_all(request.as_bytes()).unwrap();
        let status = answer(&mut reader).unwrap();
        times.push(sent.elapsed());
        assert!(status.contains(" 200 "), "{status}");
    }
    times
}

/// Reads one answer; gives its status line, with the body when it is not 200. Empty: the other end closed.
pub fn answer(reader: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let mut status = String::new();
    reader.read_line(&mut status)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    if !status.contains(" 200 ") {
        status.push_str(&String::from_utf8_lossy(&body));
    }
    Ok(status)
}

/// `oidc-provider`, from the tests' parts.
struct Peer {
    address: String,
    child: Child,
    _stdin: ChildStdin,
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Peer {
    fn start() -> Self {
        let node = std::env::var("NODE").unwrap_or_else(|_| "node".to_owned());
        let mut child = Command::new(node)
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../../../tests/parts/idp.mjs"
            ))
            .arg("{}")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let said: serde_json::Value = serde_json::from_str(&line).unwrap();
        let issuer = said["issuer"].as_str().unwrap();
        Self {
            address: issuer.trim_start_matches("http://").to_owned(),
            child,
            _stdin: stdin,
        }
    }

    fn request(&self) -> String {
        // `hub:hub-secret`.
        let basic = "Authorization: Basic aHViOmh1Yi1zZWNyZXQ=\r\n";
        post(
            "/token/introspection",
            &self.address,
            basic,
            "token=unknown",
        )
    }
}
