//! `oam doctor`: looks at everything that OAM needs on this machine and says what to do.

mod company;
mod probe;
mod provider;
mod repository;

use super::agent_client::{ANSWER, settled};
use super::{config_check, places, system, variables};
use oam_model::report::{HubRow, StatusReport};
use oam_model::standing::StandingWord;
use oam_terminal::{Line, Show, Style};
use oam_wire::client::Client;
use oam_wire::message::{Reply, Request, VERSION};
use oam_wire::socket_path::SocketPath;
use serde::Serialize;
use std::path::Path;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Verdict {
    /// As it should be.
    Good,
    /// Works, with less than it could.
    Hint,
    /// Does not work.
    Bad,
}

#[derive(Debug, Clone, Serialize)]
struct Check {
    /// A short name that stays the same.
    name: &'static str,
    verdict: Verdict,
    sentence: String,
    next: Option<String>,
}

/// `oam doctor --json`.
#[derive(Serialize)]
struct Report {
    ok: bool,
    version: &'static str,
    checks: Vec<Check>,
}

impl Check {
    fn good(name: &'static str, sentence: impl Into<String>) -> Self {
        Self {
            name,
            verdict: Verdict::Good,
            sentence: sentence.into(),
            next: None,
        }
    }

    fn hint(name: &'static str, sentence: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            name,
            verdict: Verdict::Hint,
            sentence: sentence.into(),
            next: Some(next.into()),
        }
    }

    fn bad(name: &'static str, sentence: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Bad,
            ..Self::hint(name, sentence, next)
        }
    }
}

/// Runs all checks. Exits 1 when one is bad; hints are no fault.
pub fn run(show: &Show) -> u8 {
    let report = look(show);
    if show.json() {
        show.value(&report);
    } else {
        for check in &report.checks {
            print(show, check);
        }
    }
    u8::from(!report.ok)
}

/// What it finds, as `--json` has it.
pub fn findings(show: &Show) -> serde_json::Value {
    serde_json::json!(look(show))
}

fn look(show: &Show) -> Report {
    let waiting = show.waiting("the issuer and the identity provider, which are asked");
    let mut checks = vec![config()];
    let report = agent(&mut checks);
    checks.extend(runtime());
    let settings = config_check::read(None)
        .ok()
        .and_then(|read| read.settings.ok());
    if let Some(report) = &report {
        checks.push(store(report));
        checks.extend(memory(report));
        checks.extend(company::checks(settings.as_ref(), report));
        checks.extend(provider::checks(settings.as_ref()));
        checks.extend(company::set_up(report));
        checks.extend(sessions(report));
        let warning = |text: &String| {
            Check::bad(
                "agent-warning",
                text.clone(),
                "put it right; `oam status` shows it too",
            )
        };
        checks.extend(report.warnings.iter().map(warning));
    }
    let ignored = settings.as_ref().and_then(variables::ignored_here);
    checks.extend(ignored.map(|sentence| Check::hint("variables", sentence, variables::NEXT)));
    // Of the configuration, so that git is looked at also where the agent is not up.
    let hubs: Vec<HubRow> = settings
        .iter()
        .flat_map(|settings| settings.orgs.iter().flat_map(|org| &org.hubs))
        .map(|hub| HubRow {
            hub: hub.name.clone(),
            url: hub.url.clone(),
            kind: hub.kind.word().to_owned(),
        })
        .collect();
    let hubs: Vec<&HubRow> = hubs.iter().collect();
    checks.extend(git(&hubs));
    checks.extend(hf(&hubs));
    checks.extend(notifications(probe::has_desktop()));
    drop(waiting);
    Report {
        ok: checks.iter().all(|check| check.verdict != Verdict::Bad),
        version: VERSION,
        checks,
    }
}

fn print(show: &Show, check: &Check) {
    let (look, mark) = match check.verdict {
        Verdict::Good => (Style::Good, "✓ "),
        Verdict::Hint => (Style::Warn, "! "),
        Verdict::Bad => (Style::Bad, "✗ "),
    };
    show.line(Line::new().look(look, mark).text(check.sentence.clone()));
    if let Some(next) = &check.next {
        show.line(
            Line::new()
                .look(Style::Strong, "  next: ")
                .text(next.clone()),
        );
    }
}

fn config() -> Check {
    let read = match config_check::read(None) {
        Ok(read) => read,
        Err(refusal) => return Check::bad("config", refusal.sentence, refusal.next),
    };
    match read.settings {
        Err(faults) => {
            let first = faults.first().map(ToString::to_string).unwrap_or_default();
            let sentence = match faults.len() {
                1 => format!("the configuration has a fault: {first}"),
                several => format!("the configuration has {several} faults: {first}"),
            };
            Check::bad("config", sentence, "run `oam config check`")
        }
        Ok(settings) if settings.orgs.is_empty() => Check::bad(
            "config",
            "no organization is configured",
            "run `oam login URL` with the address of your company's issuer, or write the configuration; `oam config path` tells where it lies",
        ),
        Ok(settings) => {
            let names: Vec<&str> = settings.orgs.iter().map(|org| org.name.as_str()).collect();
            Check::good(
                "config",
                format!("the configuration is sound: {}", names.join(", ")),
            )
        }
    }
}

/// Reaches the agent, starting it where needed: that it can be started is part of the check.
fn agent(checks: &mut Vec<Check>) -> Option<StatusReport> {
    let asked = SocketPath::find()
        .and_then(|place| Client::connect_or_start(&place))
        .and_then(|mut client| {
            checks.extend(client.elsewhere().map(elsewhere));
            client.ask(Request::Status { proof: true }, ANSWER)
        });
    let frame = match asked {
        Ok(frame) => frame,
        Err(refusal) => {
            checks.push(Check::bad("agent", refusal.sentence, refusal.next));
            return None;
        }
    };
    checks.push(if frame.version == VERSION {
        Check::good("agent", format!("the agent runs, version {VERSION}"))
    } else {
        Check::hint(
            "agent",
            format!(
                "the agent is version {}, this is version {VERSION}",
                frame.version
            ),
            "run `oam status`: it replaces the agent when it is idle",
        )
    });
    match settled(frame) {
        Ok(Reply::Status(report)) => Some(report),
        Ok(_) => None,
        Err(refusal) => {
            checks.push(Check::bad("agent-status", refusal.sentence, refusal.next));
            None
        }
    }
}

/// The one agent of this state was started in another environment. It is found, by a longer way.
fn elsewhere(socket: &Path) -> Check {
    Check::hint(
        "agent-elsewhere",
        format!(
            "the agent that holds this state listens at {}: XDG_RUNTIME_DIR is another one here than where it was started",
            socket.display()
        ),
        "set XDG_RUNTIME_DIR here as the session has it, or leave it: the agent is found, only a little later",
    )
}

fn runtime() -> Option<Check> {
    let folder = SocketPath::find().ok()?.folder;
    let shown = folder.display();
    match system::is_in_memory(&folder) {
        Some(true) => Some(Check::good("runtime", format!("{shown} is in memory"))),
        Some(false) => Some(Check::hint(
            "runtime",
            format!("{shown} is not in memory: token files of `oam exec` touch the disk"),
            "let the session set XDG_RUNTIME_DIR to a tmpfs, as systemd-logind does",
        )),
        None => None,
    }
}

fn store(report: &StatusReport) -> Check {
    let signed_in = report.orgs.iter().any(|org| org.subject.is_some());
    match report.store.as_str() {
        "keyring" if !signed_in => Check::hint(
            "store",
            "nobody is signed in, so that no key is in use; the system's keyring would be asked for one",
            "run `oam login`: it says when the keyring is not there",
        ),
        "keyring" => Check::good(
            "store",
            "sessions are sealed under a key in the system's keyring",
        ),
        "kernel" => Check::hint(
            "store",
            "sessions are sealed under a key in the kernel: they end at the next boot",
            "nothing, on a machine without a keyring; where there is one, `oam login` moves them there",
        ),
        _ => Check::hint(
            "store",
            "sessions are kept in memory only: they end with the agent",
            "nothing, where neither a keyring nor the kernel's is to be had; else `oam login` moves them there",
        ),
    }
}

/// Pages of the agent may reach the disk where its limit forbids to lock them.
fn memory(report: &StatusReport) -> Option<Check> {
    Some(if probe::keeps_out_of_swap(report.agent_pid)? {
        Check::good("memory", "the agent's memory is kept out of swap")
    } else {
        Check::hint(
            "memory",
            "the agent's memory may be swapped out: the limit of locked memory did not allow to lock it",
            "encrypt swap, or let the agent have LimitMEMLOCK=infinity",
        )
    })
}

fn sessions(report: &StatusReport) -> Vec<Check> {
    let check = |org: &oam_model::report::OrgStatus| {
        let sentence = format!("{}: {}", org.org, org.standing.word());
        if org.standing == StandingWord::Active {
            return Check::good("session", sentence);
        }
        let login = || format!("run `oam login {}`", org.org);
        Check::bad("session", sentence, org.next.clone().unwrap_or_else(login))
    };
    let warnings = report.orgs.iter().flat_map(|org| {
        org.warnings.iter().map(|warning| {
            let sentence = format!("{}: {}", org.org, warning.sentence);
            if warning.refuses {
                Check::bad("session-warning", sentence, warning.next.clone())
            } else {
                Check::hint("session-warning", sentence, warning.next.clone())
            }
        })
    });
    report.orgs.iter().map(check).chain(warnings).collect()
}

fn git(hubs: &[&HubRow]) -> Vec<Check> {
    let Some(git) = places::program("git") else {
        return vec![Check::bad(
            "git",
            "git is not installed",
            "install git 2.39 or newer",
        )];
    };
    let version = probe::output(&git, &["--version"]).unwrap_or_default();
    let version = version.trim().trim_start_matches("git version ").to_owned();
    let mut checks = vec![if probe::is_at_least(&version, 2, 39) {
        Check::good("git", format!("git {version}"))
    } else {
        Check::hint(
            "git",
            format!("git {version} is older than what is tested"),
            "install git 2.39 or newer",
        )
    }];
    checks.extend(repository::checks(&git, hubs));
    for hub in hubs {
        let key = format!("credential.{}.helper", hub.url);
        let helpers =
            probe::output(&git, &["config", "--global", "--get-all", &key]).unwrap_or_default();
        let named = helpers
            .lines()
            .any(|line| line.contains("git-credential-oam"));
        checks.push(if named {
            Check::good("git-setup", format!("git asks OAM for {}", hub.url))
        } else {
            Check::bad(
                "git-setup",
                format!("git does not ask OAM for {}", hub.url),
                "run `oam setup git`",
            )
        });
    }
    checks
}

fn hf(hubs: &[&HubRow]) -> Option<Check> {
    if !hubs.iter().any(|hub| hub.kind == "huggingface") {
        return None;
    }
    Some(match places::program("hf") {
        Some(path) => Check::good("hf", format!("hf is {}", path.display())),
        None => Check::hint(
            "hf",
            "hf is not installed, and a hub for it is configured",
            "if it is wanted on this machine, install huggingface_hub, then run `oam setup hf`",
        ),
    })
}

/// Nothing where there is no desktop: nobody would see one, and nothing is amiss.
fn notifications(desktop: bool) -> Option<Check> {
    if !desktop {
        return None;
    }
    Some(match probe::has_notifications() {
        Some(true) => Check::good("notifications", "the desktop shows notifications"),
        Some(false) => Check::hint(
            "notifications",
            "no service shows notifications: the end of a session is told only where a command runs",
            "start the desktop's notification service",
        ),
        None => Check::hint(
            "notifications",
            "whether notifications are shown could not be found out",
            "look at the desktop when a session ends; everything else works without",
        ),
    })
}
