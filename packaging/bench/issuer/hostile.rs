//! What good agents get while others mean harm: one member with valid tokens, and one stranger.

use super::load::{answer, exchange, post};
use super::server::{Server, get};
use super::table::{Table, ms, quantile};
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
use serde_json::json;
use std::io::{BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Agents that mean no harm, each another person's.
const GOOD: usize = 50;
/// How often each of them exchanges.
const EVERY: Duration = Duration::from_secs(1);
/// Exchanges after which an agent begins a new connection.
const KEPT: usize = 10;
/// Longest wait for an answer; later it counts as none.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks at `/readyz`.
const LOOK: Duration = Duration::from_millis(100);
/// Connections that the stranger holds open at once: more than one address may have.
const IDLE: usize = 1100;
/// The hostile member.
const MEMBER: usize = 1_000_000;

const OFFICE: Ipv4Addr = Ipv4Addr::LOCALHOST;
const HOME: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const NOWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

/// What the good agents got.
#[derive(Default)]
struct Got {
    times: Vec<Duration>,
    unanswered: usize,
    first: Option<String>,
}

/// The world of one run.
struct Field {
    server: Server,
    tokens: AtomicUsize,
    over: AtomicBool,
    harm: AtomicUsize,
}

/// Rows for a quiet while, and for one with harm.
pub fn measure(table: &mut Table) {
    let length = Duration::from_secs(
        std::env::var("HOSTILE_S")
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(120),
    );
    let provider = provider();
    let field = Field {
        server: Server::start_asking(&format!("http://{provider}/introspect")),
        tokens: AtomicUsize::new(0),
        over: AtomicBool::new(false),
        harm: AtomicUsize::new(0),
    };
    let mut quiet = field.good(length / 4);
    let (mut harmed, red, looks) = thread::scope(|scope| {
        let ready = scope.spawn(|| field.ready());
        for work in [Field::flood, Field::upload, Field::listen, Field::ask] {
            let field = &field;
            scope.spawn(move || field.harm(HOME, work));
        }
        for work in [
            Field::garbage,
            Field::forge,
            Field::half_open,
            Field::post_junk,
        ] {
            let field = &field;
            scope.spawn(move || field.harm(NOWHERE, work));
        }
        let got = field.good(length);
        field.over.store(true, Ordering::Relaxed);
        let (red, looks) = ready.join().unwrap();
        (got, red, looks)
    });
    rows(
        table,
        &mut quiet,
        &mut harmed,
        field.harm.load(Ordering::Relaxed),
    );
    table.judged(
        "`/readyz` meanwhile",
        &format!("{red} of {looks} looks red"),
        "",
        "none",
        red == 0 && looks > 0,
    );
}

#[expect(clippy::cast_precision_loss, reason = "a count of requests")]
fn rows(table: &mut Table, quiet: &mut Got, harmed: &mut Got, harm: usize) {
    for (when, got) in [("quiet", &quiet), ("harmed", &harmed)] {
        if let Some(first) = &got.first {
            eprintln!(
                "bench: {when}: {} not answered, the first: {first}",
                got.unanswered
            );
        }
    }
    let all = harmed.times.len() + harmed.unanswered;
    let share = harmed.times.len() as f64 / all.max(1) as f64;
    table.judged(
        &format!("exchanges of {GOOD} agents that are answered beside a hostile member and a hostile stranger"),
        &format!("{} of {all}, {:.2} %", harmed.times.len(), share * 100.0),
        &format!("{harm} hostile requests"),
        "≥ 99.9 %",
        share >= 0.999 && quiet.unanswered == 0,
    );
    let (calm, p99) = (
        quantile(&mut quiet.times, 0.99),
        quantile(&mut harmed.times, 0.99),
    );
    let ratio = p99.as_secs_f64() / calm.as_secs_f64().max(1e-6);
    table.judged(
        "their p99",
        &ms(p99),
        &format!("before, without the others: {}, {ratio:.1} x", ms(calm)),
        "≤ 5 x",
        ratio <= 5.0,
    );
}

impl Field {
    fn token(&self, person: usize) -> String {
        let number = self.tokens.fetch_add(1, Ordering::Relaxed);
        self.server.id_token(person, number)
    }

    fn exchange(&self, person: usize) -> String {
        exchange(
            &self.server.address,
            &self.token(person),
            "id_token",
            "acme/model",
        )
    }

    /// All good agents for a while.
    fn good(&self, length: Duration) -> Got {
        let began = Instant::now();
        let mut all = Got::default();
        thread::scope(|scope| {
            let agents: Vec<_> = (0..GOOD)
                .map(|person| scope.spawn(move || self.agent(person, began, length)))
                .collect();
            for agent in agents {
                let got = agent.join().unwrap();
                all.times.extend(got.times);
                all.unanswered += got.unanswered;
                all.first = all.first.take().or(got.first);
            }
        });
        all
    }

    fn agent(&self, person: usize, began: Instant, length: Duration) -> Got {
        let mut got = Got::default();
        let mut kept: Option<BufReader<TcpStream>> = None;
        let turn = u32::try_from(person).unwrap();
        let mut due = EVERY * turn / u32::try_from(GOOD).unwrap();
        for number in 0.. {
            if due >= length {
                break;
            }
            let request = self.exchange(person);
            thread::sleep((began + due).saturating_duration_since(Instant::now()));
            due += EVERY;
            if number % KEPT == 0 {
                kept = None;
            }
            let sent = Instant::now();
            match self.send(OFFICE, &mut kept, &request) {
                Ok(status) if status.contains(" 200 ") => got.times.push(sent.elapsed()),
                other => {
                    got.unanswered += 1;
                    kept = None;
                    let why = other.unwrap_or_else(|error| error.to_string());
                    got.first = got.first.or(Some(why));
                }
            }
        }
        got
    }

    /// One request on the kept connection, or on a new one.
    fn send(
        &self,
        from: Ipv4Addr,
        kept: &mut Option<BufReader<TcpStream>>,
        request: &str,
    ) -> std::io::Result<String> {
        let mut stream = match kept.take() {
            Some(stream) => stream,
            None => BufReader::new(self.connect(from)?),
        };
        stream.get_mut().write_all(request.as_bytes())?;
        let status = answer(&mut stream)?;
        *kept = Some(stream);
        Ok(status)
    }

    /// A connection that comes from another address of this machine.
    fn connect(&self, from: Ipv4Addr) -> std::io::Result<TcpStream> {
        let to: SocketAddr = self.server.address.parse().unwrap();
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
        bind(&socket, &SocketAddrV4::new(from, 0))?;
        connect(&socket, &to)?;
        let stream = TcpStream::from(socket);
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(stream)
    }

    /// Looks at `/readyz` until it is over: how often it was red, and how often it was looked at.
    fn ready(&self) -> (usize, usize) {
        let (mut red, mut looks) = (0, 0);
        while !self.over.load(Ordering::Relaxed) {
            let answer = get(&self.server.address, "/readyz");
            looks += 1;
            if !answer
                .as_ref()
                .is_ok_and(|text| text.starts_with("HTTP/1.1 200"))
            {
                red += 1;
                eprintln!("bench: /readyz: {answer:?}");
            }
            thread::sleep(LOOK);
        }
        (red, looks)
    }

    /// Harm without a pause. It has what the others leave of this machine: it stands for another one.
    fn harm(&self, from: Ipv4Addr, work: fn(&Self, &mut Harm)) {
        let _ = rustix::process::nice(15);
        let mut harm = Harm {
            from,
            kept: None,
            number: 0,
            bearer: self.token(MEMBER),
        };
        while !self.over.load(Ordering::Relaxed) {
            work(self, &mut harm);
            harm.number += 1;
        }
    }

    fn hit(&self, harm: &mut Harm, request: &str) {
        self.harm.fetch_add(1, Ordering::Relaxed);
        // Told to go away or cut off: begun anew.
        if self.send(harm.from, &mut harm.kept, request).is_err() {
            harm.kept = None;
        }
    }

    /// Member: exchanges far beyond the rate.
    fn flood(&self, harm: &mut Harm) {
        if harm.number.is_multiple_of(100) {
            harm.bearer = self.token(MEMBER);
        }
        let request = exchange(&self.server.address, &harm.bearer, "id_token", "acme/model");
        self.hit(harm, &request);
    }

    /// Member: batches of records that are none, each of another log.
    fn upload(&self, harm: &mut Harm) {
        let lines: Vec<String> = (0..1000)
            .map(|n| format!("{n} {}", "x".repeat(900)))
            .collect();
        let body = json!({
            "v": 1, "log": format!("{:032x}", harm.number), "head_seq": u64::MAX, "head_hash": "0".repeat(64),
            "after_seq": 0, "lines": lines,
        });
        let body = body.to_string();
        let request = format!(
            "POST /v1/records HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.server.address,
            harm.bearer,
            body.len()
        );
        self.hit(harm, &request);
    }

    /// Member: very many feeds, left and begun again.
    fn listen(&self, harm: &mut Harm) {
        let request = format!(
            "GET /v1/feed HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nAccept: text/event-stream\r\n\r\n",
            self.server.address, harm.bearer
        );
        let open: Vec<_> = (0..200)
            .filter_map(|_| {
                self.harm.fetch_add(1, Ordering::Relaxed);
                let mut stream = self.connect(harm.from).ok()?;
                stream.write_all(request.as_bytes()).ok()?;
                Some(stream)
            })
            .collect();
        self.hold(open);
    }

    /// Member: what the roles are and why, over and over.
    fn ask(&self, harm: &mut Harm) {
        let path = ["/v1/roles", "/v1/why"][harm.number % 2];
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\r\n",
            self.server.address, harm.bearer
        );
        self.hit(harm, &request);
    }

    /// Stranger: tokens that only the provider can judge.
    fn garbage(&self, harm: &mut Harm) {
        let token = format!("opaque-{:x}", harm.number);
        let request = exchange(&self.server.address, &token, "access_token", "acme/model");
        self.hit(harm, &request);
    }

    /// Stranger: tokens of the right issuer that name keys that are not there, or whose signature does not fit.
    fn forge(&self, harm: &mut Harm) {
        let good = self.token(MEMBER + 1);
        let forged = format!("{}AAAA", &good[..good.len() - 4]);
        let request = exchange(&self.server.address, &forged, "id_token", "acme/model");
        self.hit(harm, &request);
    }

    /// Stranger: connections that say nothing, or half of a request.
    fn half_open(&self, harm: &mut Harm) {
        let open: Vec<_> = (0..IDLE)
            .filter_map(|number| {
                self.harm.fetch_add(1, Ordering::Relaxed);
                let mut stream = self.connect(harm.from).ok()?;
                if number % 2 == 0 {
                    stream
                        .write_all(b"POST /oauth/token HTTP/1.1\r\nHost: ")
                        .ok()?;
                }
                Some(stream)
            })
            .collect();
        self.hold(open);
    }

    /// Stranger: signals, sign-outs and bodies that are too large.
    fn post_junk(&self, harm: &mut Harm) {
        let path = [
            "/signals/ssf",
            "/signals/logout",
            "/oauth/introspect",
            "/v1/records",
        ][harm.number % 4];
        let length = if harm.number.is_multiple_of(10) {
            1 << 20
        } else {
            1000
        };
        let form = format!("logout_token={}", "x".repeat(length));
        let request = post(path, &self.server.address, "", &form);
        self.hit(harm, &request);
    }

    fn hold(&self, open: Vec<TcpStream>) {
        let until = Instant::now() + Duration::from_secs(2);
        while Instant::now() < until && !self.over.load(Ordering::Relaxed) {
            thread::sleep(LOOK);
        }
        drop(open);
    }
}

/// One hostile client.
struct Harm {
    from: Ipv4Addr,
    kept: Option<BufReader<TcpStream>>,
    number: usize,
    bearer: String,
}

/// A provider that knows no token, and takes its time to say so. Ends with the process.
fn provider() -> SocketAddr {
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = door.local_addr().unwrap();
    thread::spawn(move || {
        for stream in door.incoming().flatten() {
            thread::spawn(move || inactive(stream));
        }
    });
    address
}

fn inactive(mut stream: TcpStream) {
    let body = r#"{"active":false}"#;
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let Ok(copy) = stream.try_clone() else { return };
    let mut reader = BufReader::new(copy);
    // A question is read as an answer is: a first line, headers, and a body of the length that they name.
    while super::load::answer(&mut reader).is_ok_and(|first| !first.is_empty()) {
        thread::sleep(Duration::from_millis(50));
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}
