//! Measures the git helper and the agent beside `git credential-cache` and a static C floor, and prints a table.
//!
//! One file without dependencies: `packaging/bench/run` compiles and calls it. All rivals of a row run in turn
//! within the same round, so that a slow moment of the machine meets each of them; the ratios count, not the times.
//! `Command` spawns by `posix_spawn`, whose cost is the same for every rival and stands in every figure.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// A program that answers a credential request on its standard input.
struct Rival {
    program: PathBuf,
    arguments: Vec<String>,
    input: String,
    /// What its answer must hold; a quick refusal is no result.
    expected: &'static str,
}

impl Rival {
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        command
            .stderr(Stdio::null())
            .env("GIT_TERMINAL_PROMPT", "0");
        command
    }

    /// One cold process, from before its start to after its end.
    fn once(&self) -> Result<Duration, Fault> {
        let mut command = self.command();
        let mut answer = String::new();
        let started = Instant::now();
        let mut child = command.spawn()?;
        // Dropped at the end of the statement: the program sees the end of its input.
        child
            .stdin
            .take()
            .ok_or("no stdin")?
            .write_all(self.input.as_bytes())?;
        child
            .stdout
            .take()
            .ok_or("no stdout")?
            .read_to_string(&mut answer)?;
        let status = child.wait()?;
        let took = started.elapsed();
        if !status.success() || !answer.contains(self.expected) {
            // The answer may hold a token, so only its keys are shown.
            let keys: Vec<&str> = answer
                .lines()
                .filter_map(|line| line.split('=').next())
                .collect();
            return Err(format!(
                "{} {:?}: {status}, keys {keys:?}",
                self.program.display(),
                self.arguments
            )
            .into());
        }
        Ok(took)
    }

    /// `count` processes, `at_once` at a time; the whole, and how many of them failed.
    fn many(&self, count: usize, at_once: usize) -> (Duration, usize) {
        let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let started = Instant::now();
        thread::scope(|scope| {
            for _ in 0..at_once {
                scope.spawn(|| {
                    while next.fetch_add(1, Ordering::Relaxed) < count {
                        if self.once().is_err() {
                            failed.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        (started.elapsed(), failed.into_inner())
    }
}

/// The p50 of each rival, in microseconds.
fn in_turn(rivals: &[&Rival], rounds: usize) -> Result<Vec<f64>, Fault> {
    let mut times = vec![Vec::new(); rivals.len()];
    let mut order: Vec<usize> = (0..rivals.len()).collect();
    let mut dice = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..rounds + 5 {
        shuffle(&mut order, &mut dice);
        for &at in &order {
            let took = rivals[at].once()?;
            if round >= 5 {
                times[at].push(took);
            }
        }
    }
    Ok(times.iter_mut().map(|times| middle(times)).collect())
}

/// Another order in every round, the same in every run: what runs after a program that let the daemons sleep
/// pays for waking them, so a fixed place would favour somebody.
fn shuffle(order: &mut [usize], dice: &mut u64) {
    for last in (1..order.len()).rev() {
        *dice ^= *dice << 13;
        *dice ^= *dice >> 7;
        *dice ^= *dice << 17;
        order.swap(last, (*dice % (last as u64 + 1)) as usize);
    }
}

fn middle(times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    times
        .get(times.len() / 2)
        .map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
}

/// One line of the table.
struct Row {
    what: String,
    ours: String,
    beside: String,
    /// Measured value and budget in the same unit; without a budget the row only informs.
    judged: Option<(f64, f64, String)>,
}

impl Row {
    fn ratio(
        what: &str,
        unit: &str,
        ours: f64,
        name: &str,
        theirs: f64,
        budget: Option<f64>,
    ) -> Self {
        let ratio = ours / theirs;
        Self {
            what: what.to_owned(),
            ours: format!("{ours:.0} {unit}"),
            beside: format!("{name}: {theirs:.0} {unit}, {ratio:.2} x"),
            judged: budget.map(|limit| (ratio, limit, format!("≤ {limit:.2} x"))),
        }
    }

    fn value(what: &str, shown: String, measured: f64, limit: f64, budget: &str) -> Self {
        Self {
            what: what.to_owned(),
            ours: shown,
            beside: String::new(),
            judged: Some((measured, limit, budget.to_owned())),
        }
    }

    fn note(what: &str, shown: String) -> Self {
        Self {
            what: what.to_owned(),
            ours: shown,
            beside: String::new(),
            judged: None,
        }
    }

    fn missed(&self) -> bool {
        // A figure that is not a number is a miss, too.
        self.judged
            .as_ref()
            .is_some_and(|(measured, limit, _)| !(measured <= limit))
    }

    fn print(&self) {
        let budget = self.judged.as_ref().map_or("", |judged| &judged.2);
        let verdict = match self.judged {
            None => "",
            Some(_) if self.missed() => "**miss**",
            Some(_) => "pass",
        };
        println!(
            "| {} | {} | {} | {budget} | {verdict} |",
            self.what, self.ours, self.beside
        );
    }
}

struct Setting {
    given: HashMap<String, String>,
}

impl Setting {
    /// `--name value` pairs.
    fn read() -> Result<Self, Fault> {
        let mut given = HashMap::new();
        let mut arguments = env::args().skip(1);
        while let Some(name) = arguments.next() {
            let name = name
                .strip_prefix("--")
                .ok_or("arguments are --name value")?
                .to_owned();
            given.insert(name, arguments.next().ok_or("a value is missing")?);
        }
        Ok(Self { given })
    }

    fn get(&self, name: &str) -> Result<&str, Fault> {
        self.maybe(name)
            .ok_or_else(|| format!("--{name} is missing").into())
    }

    fn maybe(&self, name: &str) -> Option<&str> {
        self.given.get(name).map(String::as_str)
    }

    fn number(&self, name: &str, otherwise: usize) -> Result<usize, Fault> {
        Ok(self
            .maybe(name)
            .map(str::parse)
            .transpose()?
            .unwrap_or(otherwise))
    }
}

/// `protocol`, `host` and `path` of a URL as git would send them.
fn request(url: &str) -> Result<String, Fault> {
    let (protocol, rest) = url.split_once("://").ok_or("not a URL")?;
    let (host, path) = rest.split_once('/').ok_or("the URL has no path")?;
    Ok(format!("protocol={protocol}\nhost={host}\npath={path}\n\n"))
}

fn helper_rows(setting: &Setting) -> Result<Vec<Row>, Fault> {
    let (helper, hub) = (setting.get("helper")?, setting.get("hub")?);
    let (git, cache) = (setting.get("git")?, setting.get("cache-socket")?);
    let input = request(setting.get("url")?)?;
    let rival = |program: &str, arguments: &[&str], expected: &'static str| Rival {
        program: program.into(),
        arguments: arguments.iter().map(|&text| text.to_owned()).collect(),
        input: input.clone(),
        expected,
    };
    let ours = rival(helper, &["--hub", hub, "get"], "password=");
    let theirs = rival(
        git,
        &["credential-cache", "--socket", cache, "get"],
        "password=",
    );
    let direct = format!("{}/git-credential-cache", setting.get("git-exec-path")?);
    let direct = rival(&direct, &["--socket", cache, "get"], "password=");
    let floor = rival(setting.get("floor")?, &[], "");
    let fill = |by: &str| {
        let by = format!("credential.helper={by}");
        let reset = [
            "-c",
            "credential.helper=",
            "-c",
            by.as_str(),
            "-c",
            "credential.useHttpPath=true",
        ];
        rival(
            git,
            &[&reset[..], &["credential", "fill"]].concat(),
            "password=",
        )
    };
    let (fill_ours, fill_theirs) = (
        fill(&format!("!exec {helper} --hub {hub}")), // as `oam setup git` writes it
        fill(&format!("cache --socket {cache}")),
    );
    let fill_direct = fill(&format!("{} --socket {cache}", direct.program.display()));

    let rounds = setting.number("rounds", 300)?;
    let get = in_turn(&[&ours, &theirs, &floor, &direct], rounds)?;
    let filled = in_turn(
        &[&fill_ours, &fill_theirs, &fill_direct],
        rounds.div_ceil(3),
    )?;
    let (mut many_ours, mut many_theirs, mut failed) = (Vec::new(), Vec::new(), 0);
    for _ in 0..setting.number("bursts", 7)? {
        let (took, faults) = ours.many(200, 16);
        many_ours.push(took);
        failed += faults;
        many_theirs.push(theirs.many(200, 16).0);
    }
    let (many_ours, many_theirs) = (middle(&mut many_ours) / 1e3, middle(&mut many_theirs) / 1e3);
    let get_row = "`git-credential-oam get`, token held, cold process, p50";
    let fill_row = "`git credential fill` with it, p50";
    let many_row = "200 helpers, 16 at a time";
    Ok(vec![
        Row::ratio(
            get_row,
            "µs",
            get[0],
            "`git credential-cache get`",
            get[1],
            Some(0.45),
        ),
        Row::ratio(get_row, "µs", get[0], "static C floor", get[2], Some(1.0)),
        Row::ratio(
            get_row,
            "µs",
            get[0],
            "`git-credential-cache get` by its path",
            get[3],
            None,
        ),
        Row::ratio(
            fill_row,
            "µs",
            filled[0],
            "with `cache`",
            filled[1],
            Some(0.80),
        ),
        Row::ratio(
            fill_row,
            "µs",
            filled[0],
            "with cache by its path",
            filled[2],
            None,
        ),
        Row::ratio(
            many_row,
            "ms",
            many_ours,
            "`cache`",
            many_theirs,
            Some(0.50),
        ),
        Row::value(
            "failures among them",
            failed.to_string(),
            count(failed),
            0.0,
            "0",
        ),
    ])
}

fn size_row(setting: &Setting) -> Result<Row, Fault> {
    let bytes = fs::metadata(setting.get("helper")?)?.len();
    let bytes = u32::try_from(bytes)?;
    Ok(Row::value(
        "helper as packaged",
        format!("{bytes} B"),
        f64::from(bytes),
        204_800.0,
        "≤ 200 KB",
    ))
}

fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::INFINITY, f64::from)
}

/// The kB behind a key of a file under /proc.
fn kilobytes(path: &str, key: &str) -> Option<f64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim_start_matches(':')
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .ok()
}

/// How often the kernel switched to any thread of the process: a sleeping one that wakes is switched away again.
fn switches(pid: &str) -> Result<usize, Fault> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = fs::read_to_string(task?.path().join("status"))?;
        for line in text
            .lines()
            .filter(|line| line.contains("voluntary_ctxt_switches:"))
        {
            sum += line
                .rsplit('\t')
                .next()
                .unwrap_or_default()
                .trim()
                .parse::<usize>()?;
        }
    }
    Ok(sum)
}

fn idle_rows(setting: &Setting) -> Result<Vec<Row>, Fault> {
    let pid = setting.get("agent-pid")?;
    // The connections of the rows above end, and work that was put off gets done.
    thread::sleep(Duration::from_secs(setting.number("settle", 10)? as u64));
    let before = switches(pid)?;
    thread::sleep(Duration::from_secs(30));
    let woken = switches(pid)? - before;
    let resident = kilobytes(&format!("/proc/{pid}/status"), "VmRSS").unwrap_or(f64::NAN);
    let share = kilobytes(&format!("/proc/{pid}/smaps_rollup"), "Pss");
    let share = share.map_or(
        "not readable: the agent can't be dumped; run as root".to_owned(),
        |kb| format!("{kb:.0} KiB"),
    );
    Ok(vec![
        Row::value(
            "agent, idle, one org: RSS",
            format!("{resident:.0} KiB"),
            resident,
            10_240.0,
            "≤ 10 MB",
        ),
        Row::note("agent, idle: PSS", share),
        Row::value(
            "agent, idle: wake-ups in 30 s",
            woken.to_string(),
            count(woken),
            0.0,
            "0",
        ),
    ])
}

/// From the start of the program to its first answer, in a home without a session: no keyring, no network.
fn cold_start(agent: &Path, asked: &str, home: &Path) -> Result<Duration, Fault> {
    let folder = |name: &str| -> Result<PathBuf, Fault> {
        let path = home.join(name);
        fs::create_dir_all(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
        Ok(path)
    };
    fs::remove_dir_all(home).or_else(|error| if home.exists() { Err(error) } else { Ok(()) })?;
    let runtime = folder("run")?;
    let mut command = Command::new(agent);
    command
        .env("XDG_RUNTIME_DIR", &runtime)
        .env("XDG_STATE_HOME", folder("state")?)
        .env("XDG_DATA_HOME", folder("data")?);
    command.env_remove("DBUS_SESSION_BUS_ADDRESS");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let started = Instant::now();
    let mut child = command.spawn()?;
    let answer = first_answer(&runtime.join("oam/agent.sock"), asked, started);
    child.kill()?;
    child.wait()?;
    answer
}

fn first_answer(socket: &Path, asked: &str, started: Instant) -> Result<Duration, Fault> {
    let mut stream = loop {
        match UnixStream::connect(socket) {
            Ok(stream) => break stream,
            Err(error) if started.elapsed() > Duration::from_secs(5) => {
                return Err(format!("the agent did not come up: {error}").into());
            }
            Err(_) => thread::sleep(Duration::from_micros(200)),
        }
    };
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(asked.as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    let took = started.elapsed();
    if line.contains(r#""type":"status""#) {
        Ok(took)
    } else {
        Err(format!("no status: {line}").into())
    }
}

fn start_row(setting: &Setting) -> Result<Row, Fault> {
    let asked = format!(
        "{{\"v\":{},\"version\":\"{}\",\"op\":\"status\"}}\n",
        setting.get("protocol")?,
        setting.get("version")?
    );
    let home = Path::new(setting.get("scratch")?).join("cold");
    let mut times = Vec::new();
    for _ in 0..setting.number("starts", 20)? {
        times.push(cold_start(Path::new(setting.get("agent")?), &asked, &home)?);
    }
    let took = middle(&mut times) / 1e3;
    Ok(Row::value(
        "cold start of the agent to its first answer, p50",
        format!("{took:.1} ms"),
        took,
        50.0,
        "≤ 50 ms",
    ))
}

fn measure() -> Result<bool, Fault> {
    let setting = Setting::read()?;
    let mut rows = helper_rows(&setting)?;
    rows.push(size_row(&setting)?);
    if setting.maybe("agent-pid").is_some() {
        rows.extend(idle_rows(&setting)?);
    }
    if setting.maybe("agent").is_some() {
        rows.push(start_row(&setting)?);
    }
    println!("| what | measured | beside, in the same run | budget | |\n|---|---:|---|---:|---|");
    rows.iter().for_each(Row::print);
    Ok(rows.iter().any(Row::missed))
}

fn main() -> ExitCode {
    match measure() {
        Ok(false) => ExitCode::SUCCESS,
        Ok(true) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("bench: {fault}");
            ExitCode::from(2)
        }
    }
}
