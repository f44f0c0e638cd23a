//! What a gateway costs, beside direct access in the same run: `oam-bench-gateway [MEGABYTES]`.
//!
//! As in real life the gateway is the parent of the client. The hub runs in the program that starts both, so the
//! memory that is told is the gateway's alone.

use oam_gateway::forward::Gateway;
use oam_gateway::held::Held;
use oam_gateway::hub::Upstream;
use oam_gateway::serve::serve;
use oam_gateway::source::{HubCredential, Target, TokenFuture, TokenSource};
use oam_http::Via;
use oam_model::granted::Scheme;
use oam_model::refusal::Refusal;
use oam_model::secret::Secret;
use std::env;
use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::watch;

type Outcome = Result<(), Box<dyn Error>>;

const MB: usize = 1 << 20;
/// Requests whose median is told.
const SMALL: usize = 300;
/// Where the client finds the capability: not among the arguments.
const CAPABILITY: &str = "OAM_BENCH_CAPABILITY";

fn main() -> Outcome {
    let args: Vec<String> = env::args().skip(1).collect();
    match args
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        [] => measure(2048),
        [megabytes] => measure(megabytes.parse()?),
        ["gateway", hub, megabytes] => gateway(hub, megabytes),
        ["client", hub, gateway, megabytes] => client(hub, gateway, megabytes.parse()?),
        _ => Err("usage: oam-bench-gateway [MEGABYTES]".into()),
    }
}

/// The hub, and a gateway with its client for each size.
fn measure(megabytes: usize) -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let hub = listener.local_addr()?.to_string();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(&stream));
        }
    });
    let mut out = io::stdout();
    writeln!(
        out,
        "| what | direct | by the gateway | budget | |\n|---|---:|---:|---:|---|"
    )?;
    let mut kept = true;
    for size in [1, megabytes] {
        let status = Command::new(env::current_exe()?)
            .args(["gateway", &hub, &size.to_string()])
            .status()?;
        kept &= status.success();
    }
    if kept {
        Ok(())
    } else {
        Err("a budget was missed".into())
    }
}

/// One row of the table; whether its budget is kept.
fn row(what: &str, cells: [String; 3], kept: Option<bool>) -> io::Result<bool> {
    let verdict = match kept {
        Some(true) => "pass",
        Some(false) => "**miss**",
        None => "",
    };
    let [direct, gateway, budget] = cells;
    writeln!(
        io::stdout(),
        "| {what} | {direct} | {gateway} | {budget} | {verdict} |"
    )?;
    Ok(kept.unwrap_or(true))
}

/// Answers requests: as many bytes as the path ends with; of a body nothing but its end.
fn answer(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut reader, mut writer) = (BufReader::with_capacity(MB, stream), stream);
    let zeros = vec![0; MB];
    while let Some((first, length)) = head(&mut reader)? {
        io::copy(&mut (&mut reader).take(length), &mut io::sink())?;
        let path = first.split(' ').nth(1).unwrap_or_default();
        let size = path
            .rsplit('/')
            .next()
            .and_then(|size| size.parse().ok())
            .unwrap_or(0);
        writer
            .write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n").as_bytes())?;
        let mut left: usize = size;
        while left > 0 {
            let piece = left.min(MB);
            writer.write_all(&zeros[..piece])?;
            left -= piece;
        }
    }
    Ok(())
}

/// First line and length of the body; none: the connection is over.
fn head(reader: &mut impl BufRead) -> io::Result<Option<(String, u64)>> {
    let (mut first, mut length) = (String::new(), 0);
    if reader.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            return Ok(Some((first, length)));
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or(0);
        }
    }
}

/// A source that costs nothing: what an agent's answer takes is measured by the other benchmark.
struct Fixed(Arc<Secret>);

impl TokenSource for Fixed {
    fn token(self: Arc<Self>, _: Target) -> TokenFuture<Result<HubCredential, Refusal>> {
        let token = HubCredential {
            token: Arc::clone(&self.0),
            scheme: Scheme::Bearer,
            username: String::new(),
            life: Duration::from_mins(15),
        };
        Box::pin(std::future::ready(Ok(token)))
    }

    fn rejected(self: Arc<Self>, _: Target, _: Arc<Secret>) -> TokenFuture<()> {
        Box::pin(std::future::ready(()))
    }
}

/// A gateway and its client.
fn gateway(hub: &str, megabytes: &str) -> Outcome {
    let refused = |refusal: Refusal| refusal.sentence;
    let there = Upstream::new(&format!("http://{hub}"), &Via::default()).map_err(refused)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let own = listener.local_addr()?;
    let (_end, ended) = watch::channel(None);
    let source = Arc::new(Fixed(Arc::new(Secret::new("token".into()))));
    let held = Arc::new(Held::new(source, Duration::from_secs(5)));
    let gateway = Arc::new(Gateway::new(there, own, held, ended));
    let capability = gateway.capability().secret().expose().to_owned();
    thread::spawn(move || -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        runtime.block_on(serve(listener, gateway));
        Ok(())
    });
    let status = Command::new(env::current_exe()?)
        .args(["client", hub, &own.to_string(), megabytes])
        .env(CAPABILITY, capability)
        .status()?;
    let memory = std::fs::read_to_string("/proc/self/status")?;
    let peak = memory
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap_or("?");
    let cells = [
        String::new(),
        peak.trim().into(),
        "the same for every size".into(),
    ];
    row(&format!("{megabytes} MB: memory at most"), cells, None)?;
    if status.success() {
        Ok(())
    } else {
        Err("the client failed".into())
    }
}

/// Both ways, one after the other.
fn client(hub: &str, gateway: &str, megabytes: usize) -> Outcome {
    let mut kept = true;
    for (name, fresh) in [("kept", false), ("new", true)] {
        let (direct, through) = (first_bytes(hub, !fresh)?, first_bytes(gateway, !fresh)?);
        let told = [direct, through].map(|span| format!("{span:.2} ms"));
        let [direct_told, through_told] = told;
        let cells = [direct_told, through_told, "≤ 2 ms later".into()];
        let what = format!("{megabytes} MB: first byte on a {name} connection, p50");
        kept &= row(&what, cells, Some(through - direct <= 2.0))?;
    }
    for (name, up) in [("down", false), ("up", true)] {
        let direct = transfer(hub, megabytes, up)?;
        let through = transfer(gateway, megabytes, up)?;
        let cells = [
            format!("{direct:.0} MB/s"),
            format!("{through:.0} MB/s, {:.2} x", through / direct),
            "≥ 0.9 x".into(),
        ];
        // A megabyte is over before a rate is one.
        let verdict = (megabytes > 1).then_some(through >= 0.9 * direct);
        kept &= row(&format!("{megabytes} MB: {name}"), cells, verdict)?;
    }
    if kept {
        Ok(())
    } else {
        Err("a budget was missed".into())
    }
}

struct Connection {
    reader: BufReader<TcpStream>,
    host: String,
}

impl Connection {
    fn open(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            reader: BufReader::with_capacity(MB, stream),
            host: address.to_owned(),
        })
    }

    /// One request; the answer's body is read and dropped.
    fn ask(&mut self, line: &str, body: usize) -> io::Result<()> {
        let capability = env::var(CAPABILITY).unwrap_or_default();
        let stream = self.reader.get_mut();
        write!(
            stream,
            "{line} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {capability}\r\nContent-Length: {body}\r\n\r\n",
            self.host
        )?;
        let zeros = vec![0; MB];
        let mut left = body;
        while left > 0 {
            let piece = left.min(MB);
            stream.write_all(&zeros[..piece])?;
            left -= piece;
        }
        let (first, length) = head(&mut self.reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if !first.contains(" 200 ") {
            return Err(io::Error::other(first));
        }
        io::copy(&mut (&mut self.reader).take(length), &mut io::sink())?;
        Ok(())
    }
}

/// Median, milliseconds.
fn first_bytes(address: &str, kept: bool) -> io::Result<f64> {
    let mut connection = Connection::open(address)?;
    let mut all = Vec::with_capacity(SMALL);
    for _ in 0..SMALL {
        let began = Instant::now();
        if !kept {
            connection = Connection::open(address)?;
        }
        connection.ask("GET /acme/model/resolve/main/1", 0)?;
        all.push(began.elapsed());
    }
    all.sort_unstable();
    Ok(all[SMALL / 2].as_secs_f64() * 1000.0)
}

/// MB/s.
fn transfer(address: &str, megabytes: usize, up: bool) -> io::Result<f64> {
    let mut connection = Connection::open(address)?;
    let began = Instant::now();
    if up {
        connection.ask("POST /acme/model.git/git-receive-pack", megabytes * MB)?;
    } else {
        connection.ask(
            &format!("GET /acme/model/resolve/main/{}", megabytes * MB),
            0,
        )?;
    }
    #[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
    Ok(megabytes as f64 / began.elapsed().as_secs_f64())
}
