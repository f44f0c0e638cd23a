//! `oam exec`: a command with a token that stays fresh for as long as it runs.
//!
//! The child is spawned and waited for; replacing this program by it (exec) is the rejected way:
//! nobody would be left to hold the agent's connection and to withdraw the file.

mod child;
mod follow;
mod gateway;
mod job;
mod plan;
mod reconnect;
mod token_folder;

use super::Done;
use super::agent_client::{AgentClient, OtherVersion};
use super::args::ExecArgs;
use super::job::{JobClient, secrets};
use super::{status, when};
use oam_helper::env::{self, EnvChange};
use oam_model::granted::Granted;
use oam_model::job::JobOutside;
use oam_model::refusal::Refusal;
use oam_model::report::HubRow;
use oam_model::role::Action;
use oam_model::secret::Secret;
use oam_model::token_request::TokenRequest;
use oam_terminal::{Line, Show, Style};
use oam_wire::message::Following;
use plan::ExecPlan;
use std::process::Command;

/// Runs the command. The exit status is the child's.
pub fn run(show: &Show, args: &ExecArgs, outside: &'static dyn JobOutside) -> Done {
    let Some((program, arguments)) = args.command.split_first() else {
        return Err(Refusal::bad_request(
            "no command is given",
            "write it behind `--`: oam exec -- hf upload acme/model .",
        ));
    };
    let mut command = Command::new(program);
    command.args(arguments);
    // Before its own variables are set: one of them may have the name of one that goes.
    for secret in secrets(&args.job) {
        command.env_remove(secret);
    }
    // Before a token is asked for: a slip of the pen is no reason to issue one.
    if let Err(code) = child::find(show, program) {
        return Ok(code);
    }
    let plan = plan::plan(&args.wish, &args.command)?;
    let ExecPlan::Token(wanted) = plan else {
        return Ok(child::run(show, command, || {}));
    };
    for note in &wanted.notes {
        show.say(note.as_str());
    }
    let waiting = show.waiting("the issuer");
    let job = JobClient::find(outside, &args.job)?;
    drop(waiting);
    if let Some(job) = job {
        return job::run(show, args, command, &wanted, job);
    }
    let mut link = AgentClient::open(show, OtherVersion::Name)?;
    let report = status::ask(&mut link)?;
    let hubs: Vec<HubRow> = report.orgs.into_iter().flat_map(|org| org.hubs).collect();
    let (ask, kind) = plan::aim(&wanted, &hubs, std::env::var("HF_ENDPOINT").ok().as_deref())?;
    if gateway::may_serve(args, kind.as_deref()) {
        let watching = gateway::watch(&mut link, &ask)?;
        if gateway::serves(&watching) {
            return gateway::run(show, command, link, (ask, wanted.is_hf), &watching);
        }
        // Its tools know nothing but a variable. The connection is a watching one now.
        link = AgentClient::open(show, OtherVersion::Name)?;
    }
    let (link, following) = start(link, show, &ask, kind.as_deref())?;
    tell(show, &following, args.expect);
    equip(&mut command, &following);
    let file = follow::TokenFile::new(&following.path);
    follow::watch(link, ask, &following, file.clone(), show.talk());
    // The file goes as soon as the child is gone; the agent does the same when the connection closes.
    Ok(child::run(show, command, move || file.delete()))
}

/// Asks for the file. The token itself crosses the socket only for tools that know nothing but a variable.
fn start(
    mut link: AgentClient,
    show: &Show,
    ask: &TokenRequest,
    kind: Option<&str>,
) -> Result<(AgentClient, Following), Refusal> {
    let with_token = !kind.is_some_and(env::reads_file);
    let following = follow::begin(&mut link, ask, None, with_token)?;
    if following.variables.is_empty() || following.token.is_some() {
        return Ok((link, following));
    }
    // A hub of this kind that was given variables nevertheless: once more, with the token.
    drop(link);
    let mut link = AgentClient::open(show, OtherVersion::Name)?;
    let following = follow::begin(&mut link, ask, None, true)?;
    Ok((link, following))
}

fn tell(show: &Show, following: &Following, expect: Option<u64>) {
    let granted = &following.granted;
    let verb = match granted.action {
        Action::Read => "read",
        Action::Write => "write to",
        Action::Manage => "manage",
    };
    let what = granted
        .repository
        .as_ref()
        .map_or_else(|| format!("all of {}", granted.hub), ToString::to_string);
    let renewed = if following.variables.is_empty() {
        let place = if env::reads_file(&following.hub_kind) {
            String::new()
        } else {
            format!(" ${}", env::FILE)
        };
        format!("token file{place} renewed until the command ends")
    } else {
        format!(
            "token in {}, good for {}",
            following.variables.join(", "),
            when::span(granted.expires_in_s)
        )
    };
    show.say(
        Line::new()
            .text(format!("{verb} {what} as role "))
            .look(Style::Strong, granted.role.to_string())
            .text(format!(", {renewed}")),
    );
    warn(show, following, expect);
}

fn warn(show: &Show, following: &Following, expect: Option<u64>) {
    let granted: &Granted = &following.granted;
    let warn = |text: String| show.say(Line::new().look(Style::Warn, "warning: ").text(text));
    if granted.wider_than_asked {
        warn(
            "this token reaches further than the command needs; the hub has no narrower one".into(),
        );
    }
    if following.on_disk {
        warn("the runtime directory is not in memory: the token file touches the disk".into());
    }
    if let Some(expect) =
        expect.filter(|expect| !following.variables.is_empty() && *expect > granted.expires_in_s)
    {
        warn(format!(
            "the command is expected to run {}, the token in {} ends after {} and can't be renewed there",
            when::span(expect),
            following.variables.join(", "),
            when::span(granted.expires_in_s)
        ));
    }
}

/// Sets the child's variables.
fn equip(command: &mut Command, following: &Following) {
    let granted = &following.granted;
    let changes = env::changes(
        &following.hub_kind,
        &granted.hub_url,
        &following.path,
        &following.variables,
    );
    let token = following.token.as_ref().map(|answer| &*answer.token);
    for change in changes {
        set(command, change, token);
    }
}

fn set(command: &mut Command, change: EnvChange, token: Option<&Secret>) {
    match change {
        EnvChange::Remove(name) => {
            command.env_remove(name);
        }
        EnvChange::Set(name, value) => {
            command.env(name, value);
        }
        EnvChange::SetToken(name) => {
            if let Some(token) = token {
                // The process library keeps its own copy until the child runs: it can't be wiped.
                command.env(name, token.expose());
            }
        }
    }
}
