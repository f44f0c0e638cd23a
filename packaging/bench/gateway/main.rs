//! What a gateway costs, beside direct access in the same run: `oam-bench-gateway [MEGABYTES]`.
//!
//! As in real life the gateway is the parent of the client. The hub runs in the program that starts both, so the
//! memory that is told is the gateway's alone. Rates are told three times: of a client of ours by plain HTTP, where moving
//! bytes is all there is to do, of curl with a hub by TLS, as hubs are: there the gateway opens TLS in the client's
//! place, and of curl with such a hub at the rate of a network. Each is the median of some rounds, in each of which one
//! way comes after the other.

mod hub;
mod memory;

use hub::head;
use oam_gateway::forward::Gateway;
use oam_gateway::held::Held;
use oam_gateway::hub::Upstream;
use oam_gateway::serve::serve;
use oam_gateway::source::{HubCredential, Target, TokenFuture, TokenSource};
use oam_http::Via;
use oam_model::granted::Scheme;
use oam_model::refusal::Refusal;
use oam_model::secret::Secret;
use rustls::{ServerConnection, StreamOwned};
use std::env;
use std::error::Error;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::watch;

type Outcome = Result<(), Box<dyn Error>>;

const MB: usize = 1 << 20;
/// Requests whose median is told.
const SMALL: usize = 300;
/// Rounds of transfers whose median is told.
const ROUNDS: usize = 3;
/// Networks: bits a second, and what share of the size is sent over one.
const NETWORKS: [(u64, usize); 2] = [(10_000_000_000, 2), (1_000_000_000, 8)];
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
        ["gateway", hub, megabytes, small] => {
            gateway(hub, (megabytes, small), &["client"], &Via::default())
        }
        ["tls-gateway", hub, megabytes, small, ca, network] => {
            let via = Via {
                ca_file: Some((*ca).into()),
                ..Via::default()
            };
            gateway(hub, (megabytes, small), &["curl", ca, network], &via)
        }
        ["client", hub, gateway, megabytes] => client(hub, gateway, megabytes.parse()?),
        ["curl", ca, network, hub, gateway, megabytes] => {
            curl((ca, network), [hub, gateway], megabytes.parse()?)
        }
        _ => Err("usage: oam-bench-gateway [MEGABYTES]".into()),
    }
}

/// The hub, and a gateway with its client for each size.
fn measure(megabytes: usize) -> Outcome {
    let plain = format!("http://{}", hub::start(None, Ok)?);
    let folder = tempfile::tempdir()?;
    let ca = folder.path().join("hub.pem");
    let server = Arc::new(hub::tls(folder.path())?);
    let tls = |rate| {
        let server = Arc::clone(&server);
        let open = move |socket| {
            let connection =
                ServerConnection::new(Arc::clone(&server)).map_err(io::Error::other)?;
            Ok(StreamOwned::new(connection, socket))
        };
        Ok::<_, io::Error>(format!("https://{}", hub::start(rate, open)?))
    };
    let mut out = io::stdout();
    writeln!(
        out,
        "| what | direct | by the gateway | budget | |\n|---|---:|---:|---:|---|"
    )?;
    let mut kept = true;
    // What a gateway took for one megabyte: the first writes it, the others are judged by it.
    let [small, small_tls] = ["small", "small-tls"].map(|name| folder.path().join(name));
    for size in [1, megabytes] {
        let status = Command::new(env::current_exe()?)
            .args(["gateway", &plain, &size.to_string()])
            .arg(&small)
            .status()?;
        kept &= status.success();
    }
    let mut by_tls = |rate, size: usize, network: &str| -> Outcome {
        let status = Command::new(env::current_exe()?)
            .args(["tls-gateway", &tls(rate)?, &size.to_string()])
            .args([&small_tls, &ca])
            .arg(network)
            .status()?;
        kept &= status.success();
        Ok(())
    };
    for size in [1, megabytes] {
        by_tls(None, size, "")?;
    }
    for (rate, share) in NETWORKS {
        let network = format!(" at {} Gbit/s", rate / 1_000_000_000);
        by_tls(Some(rate), (megabytes / share).max(1), &network)?;
    }
    told(kept)
}

fn told(kept: bool) -> Outcome {
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

/// A gateway and its client: this program with these arguments, both addresses and the size. `small` is the file with
/// the memory of one megabyte.
fn gateway(hub: &str, (megabytes, small): (&str, &str), with: &[&str], via: &Via) -> Outcome {
    let refused = |refusal: Refusal| refusal.sentence;
    let there = Upstream::new(hub, via).map_err(refused)?;
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
        .args(with)
        .args([hub, &format!("http://{own}"), megabytes])
        .env(CAPABILITY, capability)
        .status()?;
    let how = hub.split_once(':').map_or("", |(scheme, _)| scheme);
    let network = if let ["curl", _, network] = with {
        network
    } else {
        ""
    };
    let what = format!("{megabytes} MB by {how}{network}: memory at most, and work");
    let within = memory::judge(&what, megabytes.parse()?, small)?;
    if !status.success() {
        return Err("the client failed".into());
    }
    told(within)
}

/// The same rates by curl, which opens the hub's TLS by itself where it goes there directly.
fn curl((ca, network): (&str, &str), addresses: [&str; 2], megabytes: usize) -> Outcome {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("zeros");
    File::create(&file)?.set_len((megabytes * MB) as u64)?;
    let mut kept = true;
    for (name, up) in [("down", false), ("up", true)] {
        let file = up.then_some(&file);
        let rates = rounds(addresses, |address| by_curl(ca, address, megabytes, file))?;
        let what = format!("{megabytes} MB by curl, the hub by TLS{network}: {name}");
        kept &= rate(&what, rates, megabytes)?;
    }
    told(kept)
}

/// Medians, directly and by the gateway.
fn rounds(
    addresses: [&str; 2],
    mut transfer: impl FnMut(&str) -> io::Result<f64>,
) -> io::Result<[f64; 2]> {
    let mut all = [[0.0; ROUNDS]; 2];
    for round in 0..ROUNDS {
        for (rates, address) in all.iter_mut().zip(addresses) {
            rates[round] = transfer(address)?;
        }
    }
    Ok(all.map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        rates[ROUNDS / 2]
    }))
}

/// MB/s. The capability stands in what curl reads, not among its arguments.
fn by_curl(ca: &str, address: &str, megabytes: usize, up: Option<&PathBuf>) -> io::Result<f64> {
    let mut command = Command::new("curl");
    command.args([
        "-q",
        "-s",
        "-f",
        "-o",
        "/dev/null",
        "--noproxy",
        "*",
        "-K",
        "-",
    ]);
    match up {
        None => {
            let size = megabytes * MB;
            command.arg(format!("{address}/acme/model/resolve/main/{size}"));
            command.args(["-w", "%{speed_download}"]);
        }
        Some(file) => {
            command.arg(format!("{address}/acme/model.git/git-receive-pack"));
            command
                .args(["-w", "%{speed_upload}", "-X", "POST", "-T"])
                .arg(file);
        }
    }
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let capability = env::var(CAPABILITY).unwrap_or_default();
    if let Some(mut stdin) = child.stdin.take() {
        write!(
            stdin,
            "cacert = \"{ca}\"\nheader = \"Authorization: Bearer {capability}\"\nheader = \"Expect:\"\n"
        )?;
    }
    let done = child.wait_with_output()?;
    let rate = String::from_utf8_lossy(&done.stdout).parse::<f64>();
    match rate {
        Ok(rate) if done.status.success() => Ok(rate / 1_048_576.0),
        _ => Err(io::Error::other(format!("curl: {}", done.status))),
    }
}

/// One rate beside the other; whether the budget is kept.
fn rate(what: &str, [direct, through]: [f64; 2], megabytes: usize) -> io::Result<bool> {
    let cells = [
        format!("{direct:.0} MB/s"),
        format!("{through:.0} MB/s, {:.2} x", through / direct),
        "≥ 0.9 x".into(),
    ];
    // A megabyte is over before a rate is one.
    let verdict = (megabytes > 1).then_some(through >= 0.9 * direct);
    row(what, cells, verdict)
}

/// Both ways, one after the other.
fn client(hub: &str, gateway: &str, megabytes: usize) -> Outcome {
    let [hub, gateway] = [hub, gateway].map(|url| url.trim_start_matches("http://"));
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
        let rates = rounds([hub, gateway], |address| transfer(address, megabytes, up))?;
        kept &= rate(&format!("{megabytes} MB: {name}"), rates, megabytes)?;
    }
    told(kept)
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
