//! `oam log`: the audit log as a table, as JSON lines, or verified.
//!
//! The files are read here: the log is the person's own, and must be readable when no agent runs.

mod files;
mod filter;
mod follow;
mod recent;
mod table;
mod verify;

use super::Done;
use super::agent_client::{ANSWER, AgentClient, OtherVersion, settled};
use super::args::LogArgs;
use super::{places, when};
use filter::Filter;
use follow::Tail;
use oam_model::count::counted;
use oam_model::log_break::LogBreak;
use oam_model::record::Entry;
use oam_model::refusal::Refusal;
use oam_model::report::AnchorReport;
use oam_terminal::Show;
use oam_wire::client::Client;
use oam_wire::message::{Reply, Request};
use oam_wire::socket_path::SocketPath;
pub use recent::recent_repositories;
use std::collections::VecDeque;
use std::path::PathBuf;
use table::Table;

/// How many records come before those that are followed, unless told otherwise.
const FOLLOWED: usize = 10;

/// Where the log lies, and its head as the agent knows it.
struct Where {
    folder: PathBuf,
    anchor: Result<AnchorReport, Refusal>,
}

/// Shows or verifies.
pub fn run(show: &Show, args: &LogArgs) -> Done {
    let filter = Filter::new(&args.which, when::now())?;
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
    let limit = args.which.limit.or(args.which.follow.then_some(FOLLOWED));
    let (mut kept, mut last) = (VecDeque::new(), 0);
    let mut table = Table::new(show);
    let mut odd = 0u64;
    files::each_line(&place.folder, |line| {
        let Ok(entry) = serde_json::from_slice::<Entry>(line) else {
            odd += 1;
            return !show.is_over();
        };
        last = entry.seq;
        if !filter.lets(&entry) {
            return true;
        }
        match limit {
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
    if args.which.follow {
        table.flush();
        return Tail::new(&place.folder).run(show, last, |entry, line| {
            if filter.lets(entry) {
                table.news(entry, line);
            }
        });
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
