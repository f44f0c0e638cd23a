//! A directory pushes a whole company twice while people go on exchanging: what it takes, what it leaves, and how long
//! a deactivation takes to an agent's feed. `PEOPLE=10000`: people; a twentieth as many groups, each of a fifth of them.

use super::load;
use super::server::Server;
use super::table::{Table, ms, quantile};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Requests of the directory at once.
const AT_ONCE: usize = 4;
/// People who exchange meanwhile; those who leave afterwards are of them.
const WORKING: usize = 100;
/// Time between two of their exchanges.
const PAUSE: Duration = Duration::from_millis(20);

/// Rows for two pushes, and for leavers.
pub fn measure(table: &mut Table) {
    let people = std::env::var("PEOPLE").map_or(10_000, |text| text.parse().unwrap());
    assert!(people >= WORKING, "PEOPLE: at least {WORKING}");
    let server = Server::start_with_directory();
    let push = Push {
        address: server.address.clone(),
        token: server.directory_token(),
        people,
    };
    let before = server.rss_kib();
    let (done, count) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (pushed, mut answered, refused) = thread::scope(|scope| {
        let working = scope.spawn(|| work(&server, &done, &count));
        let pushed = push.twice();
        done.store(true, Ordering::Relaxed);
        let (answered, refused) = working.join().unwrap();
        (pushed, answered, refused)
    });
    push.told(&pushed, table);
    table.row(
        "issuer's memory (RSS) behind it",
        &format!("{} KiB", server.rss_kib()),
        &format!("before: {before} KiB"),
    );
    table.judged(
        "exchanges answered meanwhile",
        &format!("{} of {}", answered.len(), answered.len() + refused),
        &format!(
            "p50 {}, p99 {}",
            ms(quantile(&mut answered, 0.5)),
            ms(quantile(&mut answered, 0.99))
        ),
        "all",
        refused == 0,
    );
    let mut times = leavers(&server, &push);
    let p99 = quantile(&mut times, 0.99);
    table.judged(
        &format!("deactivation in the directory to the agent's feed, {WORKING} leavers, p99"),
        &ms(p99),
        &format!("p50 {}", ms(quantile(&mut times, 0.5))),
        "≤ 50 ms",
        p99 <= Duration::from_millis(50),
    );
}

#[expect(clippy::cast_precision_loss, reason = "a count of requests")]
fn a_second(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

/// What a push is made of.
struct Push {
    address: String,
    token: String,
    people: usize,
}

/// What two pushes came to.
struct Pushed {
    first: Duration,
    again: Duration,
    compared: usize,
    wrong: usize,
}

impl Push {
    /// Rows for the pushes themselves.
    fn told(&self, pushed: &Pushed, table: &mut Table) {
        let (people, groups) = (self.people, self.groups());
        let what = format!(
            "{people} people and {groups} groups of {} pushed",
            self.size()
        );
        table.row(
            &format!("{what}, first"),
            &format!("{:.1} s", pushed.first.as_secs_f64()),
            &format!(
                "{:.0} requests a second",
                a_second(people + groups, pushed.first)
            ),
        );
        table.row(
            &format!("{what}, again"),
            &format!("{:.1} s", pushed.again.as_secs_f64()),
            &format!(
                "{:.0} requests a second",
                a_second(people + groups, pushed.again)
            ),
        );
        table.judged(
            "memberships lost or invented by it",
            &pushed.wrong.to_string(),
            &format!("{} compared", pushed.compared),
            "none",
            pushed.wrong == 0,
        );
    }

    const fn groups(&self) -> usize {
        self.people / 20
    }

    const fn size(&self) -> usize {
        self.people / 5
    }

    /// Who is in a group; the first is of those who work.
    fn members(&self, group: usize) -> Vec<usize> {
        if group == 0 {
            return (0..WORKING).collect();
        }
        let place = |member: usize| (group * 37 + member * 5) % self.people;
        (0..self.size()).map(place).collect()
    }

    fn name(group: usize) -> String {
        if group == 0 {
            "ml".to_owned()
        } else {
            format!("group-{group}")
        }
    }

    fn user(person: usize) -> Value {
        json!({
            "userName": format!("u-{person}@acme.example"), "externalId": format!("u-{person}"),
            "name": { "givenName": "Person", "familyName": person.to_string() },
            "emails": [{ "value": format!("u-{person}@acme.example"), "type": "work", "primary": true }],
            "active": true,
        })
    }

    fn group(&self, group: usize, users: &[String]) -> Value {
        let members = self.members(group).into_iter();
        let members: Vec<Value> = members.map(|one| json!({ "value": users[one] })).collect();
        json!({ "displayName": Self::name(group), "members": members })
    }

    /// Everybody and every group made, then all of them written anew as they are; and what is there afterwards.
    fn twice(&self) -> Pushed {
        let id = |made: &Value| made["id"].as_str().unwrap().to_owned();
        let began = Instant::now();
        let users = self.each(self.people, |client, person| {
            id(&client.ask("POST", "/Users", &Self::user(person), 201))
        });
        let group = |client: &mut Client, group: usize| {
            id(&client.ask(
                "POST",
                "/Groups?excludedAttributes=members",
                &self.group(group, &users),
                201,
            ))
        };
        // By the first one they hold their role: it is there before any other says something of their groups.
        let mut groups = vec![group(&mut self.client(), 0)];
        groups.extend(self.each(self.groups() - 1, |client, at| group(client, at + 1)));
        let first = began.elapsed();
        let began = Instant::now();
        self.each(self.people, |client, person| {
            client.ask(
                "PUT",
                &format!("/Users/{}", users[person]),
                &Self::user(person),
                200,
            )
        });
        self.each(self.groups(), |client, at| {
            let path = format!("/Groups/{}?excludedAttributes=members", groups[at]);
            client.ask("PUT", &path, &self.group(at, &users), 200)
        });
        let again = began.elapsed();
        let wrong = self.each(self.groups(), |client, at| {
            let found = client.ask("GET", &format!("/Groups/{}", groups[at]), &Value::Null, 200);
            let found = found["members"].as_array().unwrap();
            let found: BTreeSet<&str> = found
                .iter()
                .map(|one| one["value"].as_str().unwrap())
                .collect();
            let said = self.members(at).into_iter();
            let said: BTreeSet<&str> = said.map(|one| users[one].as_str()).collect();
            (said.len(), said.symmetric_difference(&found).count())
        });
        Pushed {
            first,
            again,
            compared: wrong.iter().map(|(compared, _)| compared).sum(),
            wrong: wrong.iter().map(|(_, wrong)| wrong).sum(),
        }
    }

    fn client(&self) -> Client {
        Client::new(&self.address, &self.token)
    }

    /// Does it for each number, some at once; what each came to, in order.
    fn each<T: Send>(&self, count: usize, work: impl Fn(&mut Client, usize) -> T + Sync) -> Vec<T> {
        let next = AtomicUsize::new(0);
        let some = || {
            let (mut client, mut mine) = (self.client(), Vec::new());
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return mine;
                }
                mine.push((number, work(&mut client, number)));
            }
        };
        let mut all: Vec<(usize, T)> = thread::scope(|scope| {
            let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(some)).collect();
            workers
                .into_iter()
                .flat_map(|worker| worker.join().unwrap())
                .collect()
        });
        all.sort_by_key(|(number, _)| *number);
        all.into_iter().map(|(_, done)| done).collect()
    }
}

/// A kept connection of the directory.
pub struct Client {
    address: String,
    token: String,
    reader: BufReader<TcpStream>,
    writer: TcpStream,
}

impl Client {
    /// A connection to `127.0.0.1:PORT` with the directory's token.
    pub fn new(address: &str, token: &str) -> Self {
        let writer = TcpStream::connect(address).unwrap();
        writer.set_nodelay(true).unwrap();
        Self {
            address: address.to_owned(),
            token: token.to_owned(),
            reader: BufReader::new(writer.try_clone().unwrap()),
            writer,
        }
    }

    /// The answer to a request; it has to have this status.
    pub fn ask(&mut self, method: &str, path: &str, body: &Value, status: u16) -> Value {
        let (address, token) = (&self.address, &self.token);
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let request = format!(
            "{method} /scim/v2{path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/scim+json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.writer.write_all(request.as_bytes()).unwrap();
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        let mut length = 0;
        loop {
            let mut header = String::new();
            self.reader.read_line(&mut header).unwrap();
            if header.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = header.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap();
            }
        }
        let mut text = vec![0; length];
        self.reader.read_exact(&mut text).unwrap();
        let text = String::from_utf8_lossy(&text);
        assert!(
            line.contains(&format!(" {status} ")),
            "{method} {path}: {line}{text}"
        );
        serde_json::from_str(&text).unwrap_or_default()
    }
}

/// People who exchange until the push is done: how long each took, and how many were refused.
fn work(server: &Server, done: &AtomicBool, count: &AtomicUsize) -> (Vec<Duration>, usize) {
    let stream = TcpStream::connect(&server.address).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    let (mut times, mut refused) = (Vec::new(), 0);
    while !done.load(Ordering::Relaxed) {
        let number = count.fetch_add(1, Ordering::Relaxed);
        let token = server.id_token(number % WORKING, number);
        let request = load::exchange(&server.address, &token, "id_token", "acme/model");
        let began = Instant::now();
        writer.write_all(request.as_bytes()).unwrap();
        let status = load::answer(&mut reader).unwrap();
        if status.contains(" 200 ") {
            times.push(began.elapsed());
        } else {
            eprintln!("directory: {status}");
            refused += 1;
        }
        thread::sleep(PAUSE);
    }
    (times, refused)
}

/// Each of those who work is deactivated: until their feed says so.
fn leavers(server: &Server, push: &Push) -> Vec<Duration> {
    let mut directory = push.client();
    let mut streams: Vec<_> = (0..WORKING)
        .map(|person| subscribed(server, person))
        .collect();
    let mut times = Vec::new();
    for (person, stream) in streams.iter_mut().enumerate() {
        let path = format!("/Users?filter=externalId%20eq%20%22u-{person}%22");
        let found = directory.ask("GET", &path, &Value::Null, 200);
        let path = format!("/Users/{}", found["Resources"][0]["id"].as_str().unwrap());
        let off =
            json!({ "Operations": [{ "op": "Replace", "path": "active", "value": "False" }] });
        let began = Instant::now();
        let told = thread::scope(|scope| {
            let told = scope.spawn(|| {
                until(stream, "event: revoked");
                began.elapsed()
            });
            directory.ask("PATCH", &path, &off, 200);
            told.join().unwrap()
        });
        times.push(told);
    }
    times
}

fn subscribed(server: &Server, person: usize) -> BufReader<TcpStream> {
    let token = server.id_token(person, person);
    let mut stream = TcpStream::connect(&server.address).unwrap();
    let request = format!(
        "GET /v1/feed HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n\r\n",
        server.address
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut reader = BufReader::new(stream);
    until(&mut reader, "event: heartbeat");
    reader
}

fn until(reader: &mut BufReader<TcpStream>, wanted: &str) {
    let mut line = String::new();
    while !line.starts_with(wanted) {
        line.clear();
        let read = reader.read_line(&mut line).unwrap();
        assert!(read > 0, "the feed ended before {wanted}");
    }
}
