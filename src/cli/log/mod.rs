//! `oam log`: the audit log as a table, as JSON lines, or verified.
//!
//! The files are read here: the log is the person's own, and must be readable when no agent runs.

mod files;
mod filter;
mod verify;

use super::Done;
use super::agent_client::{ANSWER, AgentClient, OtherVersion, settled};
use super::args::LogArgs;
use super::{places, when};
use filter::Filter;
use oam_model::count::counted;
use oam_model::log_break::LogBreak;
use oam_model::record::{Entry, EventKind};
use oam_model::refusal::Refusal;
use oam_model::report::AnchorReport;
use oam_terminal::{Line, Show, Style, escaped};
use oam_wire::client::Client;
use oam_wire::message::{Reply, Request};
use oam_wire::socket_path::SocketPath;
use std::collections::VecDeque;
use std::path::PathBuf;

/// Where the log lies, and its head as the agent knows it.
struct Where {
    folder: PathBuf,
    anchor: Result<AnchorReport, Refusal>,
}

/// Shows or verifies.
pub fn run(show: &Show, args: &LogArgs) -> Done {
    let filter = Filter::new(args, when::now())?;
    if args.acknowledge {
        return acknowledge(show);
    }
    if args.verify {
        // Only the agent can open the sealed state, which knows how the log ended.
        return verify::run(show, &locate(started(show))?);
    }
    let place = locate(ask())?;
    if let Err(refusal) = &place.anchor {
        show.say(format!("read without the agent: {}", refusal.sentence));
    }
    let mut kept = VecDeque::new();
    let mut table = Table::new(show);
    let mut odd = 0u64;
    files::each_line(&place.folder, |line| {
        let Ok(entry) = serde_json::from_slice::<Entry>(line) else {
            odd += 1;
            return !show.is_over();
        };
        if !filter.lets(&entry) {
            return true;
        }
        match args.limit {
            Some(limit) => {
                kept.push_back((entry, line.to_vec()));
                if kept.len() > limit {
                    kept.pop_front();
                }
            }
            None => table.row(&entry, line),
        }
        !show.is_over()
    })?;
    for (entry, line) in kept {
        table.row(&entry, &line);
    }
    table.end();
    if odd > 0 {
        show.say(format!(
            "{} could not be read",
            counted(odd, "line", "lines")
        ));
        show.next("run `oam log --verify`");
    }
    Ok(0)
}

/// Ends the warnings about a log that is not as it was left.
fn acknowledge(show: &Show) -> Done {
    let before = started(show)?;
    let open: Vec<&LogBreak> = before.breaks.iter().filter(|b| b.is_open()).collect();
    if open.is_empty() {
        show.say("there is nothing to acknowledge: no break of the audit log is open");
        return Ok(0);
    }
    let mut link = AgentClient::open(show, OtherVersion::Name)?;
    let Reply::Anchor(_) = link.ask(Request::AcknowledgeLog)? else {
        return Err(super::agent_client::astray());
    };
    for found in open {
        show.line(format!("acknowledged: {}", found.sentence()));
    }
    show.say("it is on record, and `oam log --verify` tells it for ever");
    Ok(0)
}

/// What the agent knows of the log; the agent is started where none runs.
fn started(show: &Show) -> Result<AnchorReport, Refusal> {
    match AgentClient::open(show, OtherVersion::Name)?.ask(Request::Anchor)? {
        Reply::Anchor(report) => Ok(report),
        _ => Err(super::agent_client::astray()),
    }
}

fn locate(anchor: Result<AnchorReport, Refusal>) -> Result<Where, Refusal> {
    let folder = match &anchor {
        Ok(report) => Some(PathBuf::from(&report.folder)),
        Err(_) => places::audit_folder(),
    };
    let folder = folder.ok_or_else(|| {
        Refusal::unavailable(
            "the folder of the audit log is not known without an agent",
            "set HOME, or start the agent",
        )
    })?;
    Ok(Where { folder, anchor })
}

/// Asks a running agent; none is started to show records.
fn ask() -> Result<AnchorReport, Refusal> {
    let mut client = Client::connect(&SocketPath::find()?)?;
    match settled(client.ask(Request::Anchor, ANSWER)?)? {
        Reply::Anchor(report) => Ok(report),
        _ => Err(super::agent_client::astray()),
    }
}

/// Prints records in blocks, so that columns line up without holding the whole log.
struct Table<'a> {
    show: &'a Show,
    rows: Vec<Vec<Line>>,
    begun: bool,
}

impl<'a> Table<'a> {
    const BLOCK: usize = 200;
    const HEADER: [&'static str; 8] = [
        "time",
        "outcome",
        "front",
        "role",
        "action",
        "repository",
        "caller",
        "expires",
    ];

    fn new(show: &'a Show) -> Self {
        Self {
            show,
            rows: Vec::new(),
            begun: false,
        }
    }

    fn row(&mut self, entry: &Entry, line: &[u8]) {
        if self.show.json() {
            self.raw(line);
            return;
        }
        self.rows.push(cells(entry));
        if self.rows.len() >= Self::BLOCK {
            self.flush();
        }
    }

    /// The bytes of the file, so that others can check the chain; to a terminal made harmless.
    fn raw(&self, line: &[u8]) {
        let mut bytes = if self.show.to_terminal() {
            escaped(&String::from_utf8_lossy(line)).into_bytes()
        } else {
            line.to_vec()
        };
        bytes.push(b'\n');
        self.show.raw(&bytes);
    }

    fn flush(&mut self) {
        let header: &[&str] = if self.begun { &[] } else { &Self::HEADER };
        self.show.table(header, &self.rows);
        self.begun = true;
        self.rows.clear();
    }

    fn end(mut self) {
        if self.show.json() {
            return;
        }
        if !self.rows.is_empty() {
            self.flush();
        } else if !self.begun {
            self.show.say("no record matches");
        }
    }
}

fn cells(entry: &Entry) -> Vec<Line> {
    let record = &entry.record;
    let text = |value: Option<String>| Line::from(value.unwrap_or_else(|| "-".into()));
    let hub = record.hub.as_ref().map(ToString::to_string);
    let place = match (hub, &record.repository) {
        (Some(hub), Some(repository)) => Some(format!("{hub}/{repository}")),
        (hub, None) => hub,
        (None, Some(repository)) => Some(repository.to_string()),
    };
    let wider = if record.wider_than_asked {
        " (wider)"
    } else {
        ""
    };
    let action = record
        .action
        .map(|action| format!("{}{wider}", action.word()));
    let caller = record.caller.as_ref().map(|caller| {
        let name = caller.executable.as_deref().unwrap_or("?");
        let name = name.rsplit('/').next().unwrap_or(name);
        format!("{name} [{}]", caller.pid)
    });
    vec![
        when::full(record.at_ms / 1000).into(),
        outcome(entry),
        text(record.front.clone()),
        text(record.role.as_ref().map(ToString::to_string)),
        text(action),
        text(place),
        text(caller),
        text(
            record
                .expires_at
                .map(|at| when::clock(at, record.at_ms / 1000)),
        ),
    ]
}

fn outcome(entry: &Entry) -> Line {
    let record = &entry.record;
    let (look, word) = match record.what {
        EventKind::Grant => (Style::Good, "granted"),
        EventKind::Renewal => (Style::Good, "renewed"),
        EventKind::Refusal => (Style::Bad, "refused"),
        EventKind::Withdrawal => (Style::Warn, "withdrawn"),
        EventKind::Erase => (Style::Warn, "erased"),
        EventKind::Login => (Style::Strong, "signed in"),
        EventKind::LoginFailed => (Style::Bad, "sign-in failed"),
        EventKind::Logout => (Style::Strong, "signed out"),
        EventKind::End => (Style::Bad, "session over"),
        EventKind::Proof => (Style::Faint, "proven"),
        EventKind::Doubt => (Style::Warn, "in doubt"),
        EventKind::RolesChanged => (Style::Strong, "roles changed"),
        EventKind::Start => (Style::Faint, "agent started"),
        EventKind::Alarm => (Style::Bad, "ALARM"),
        EventKind::Acknowledgement => (Style::Strong, "acknowledged"),
    };
    let line = Line::new().look(look, word);
    match record.refusal {
        Some(code) => line.text(format!(": {}", code.word())),
        None => line,
    }
}
