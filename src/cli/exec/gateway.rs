//! `oam exec` with a gateway: the child gets an address and a capability, and no token.

mod door;
mod job;
mod past;
mod source;
mod sum;

use super::child;
use super::reconnect::reconnect;
use crate::Done;
use crate::agent_client::{ANSWER, AgentClient, astray};
use crate::args::ExecArgs;
use door::Door;
pub(super) use job::run as run_job;
use oam_gateway::count::Counts;
use oam_gateway::held::Held;
use oam_gateway::source::{HubOperation, Target};
use oam_helper::env;
use oam_http::Via;
use oam_model::granted::Granted;
use oam_model::name::{HubName, OrgName};
use oam_model::refusal::{Refusal, RefusalCode};
use oam_model::served::ServedTraffic;
use oam_model::token_request::{HubRef, Intent, TokenRequest, repository_of_path};
use oam_terminal::{Line, Show, Style, Talk};
use oam_wire::message::{Reply, Request, Watching};
use source::AgentTokens;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// How long a token of the agent serves further requests: the end of the session is told at once, a role that was lost
/// is found by the next question.
const HELD: Duration = Duration::from_secs(5);

/// Whether a gateway comes into question, as far as is known before the agent names the hub.
pub(super) fn may_serve(args: &ExecArgs, kind: Option<&str>) -> bool {
    !args.token_file && kind.is_none_or(|kind| env::takes_gateway(kind, "", &[]))
}

/// Whether it does.
pub(super) fn serves(watching: &Watching) -> bool {
    env::takes_gateway(&watching.hub_kind, &watching.hub_url, &watching.variables)
}

/// Makes the connection one that hears of the session's end.
pub(super) fn watch(link: &mut AgentClient, ask: &TokenRequest) -> Result<Watching, Refusal> {
    link.send(Request::Watch { ask: ask.clone() })?;
    match link.next(Some(ANSWER))? {
        Reply::Watching(watching) => Ok(watching),
        Reply::Withdrawn { refusal } => Err(refusal),
        _ => Err(astray()),
    }
}

/// Runs the command behind a gateway.
pub(super) fn run(
    show: &Show,
    mut command: Command,
    link: AgentClient,
    (ask, is_hf): (TokenRequest, bool),
    watching: &Watching,
) -> Done {
    let named = TokenRequest {
        hub: HubRef::Name(watching.hub.clone()),
        path: ask.path_at(&watching.hub_url).map(str::to_owned),
        ..ask
    };
    let counts = Arc::new(Counts::default());
    let tokens = AgentTokens::new(
        named.clone(),
        (watching.org.clone(), Arc::clone(&counts)),
        show.talk(),
    );
    // A command whose right is known to be missing is not started.
    let first = is_hf || named.path.is_some();
    let granted = first.then(|| tokens.first()).transpose()?;
    let source = Held::new(Arc::new(tokens.clone()), HELD);
    let served = (source, counts);
    let door = Door::open(&watching.hub_url, &via(watching), served, limit(&named))?;
    tell(show, &door, granted.as_ref(), &watching.hub, named.intent);
    if !is_hf {
        past::warn(show, &watching.hub_url);
    }
    door.equip(&mut command, &watching.hub_kind, &watching.hub_url);
    door.beside(tokens.report());
    let (end, talk) = (door.end(), show.talk());
    thread::spawn(move || {
        let (refusal, link) = until_the_end(link, &named, talk, &tokens);
        // Cut before it is told.
        let _ = end.send(Some(Arc::new(refusal.clone())));
        talk.refusal(&refusal);
        // Open for as long as this program runs: by its closing the agent knows of a kill.
        if let Some(mut link) = link {
            let _ = link.next(None);
        }
    });
    let (org, hub) = (watching.org.clone(), watching.hub.clone());
    Ok(child::run(show, command, || {
        record(show, org, hub, door.served());
    }))
}

/// A repository that is named, by the person or by the arguments of `hf`, is what the command is for, and no other.
fn limit(named: &TokenRequest) -> Option<Target> {
    let repository = repository_of_path(named.path.as_deref()?).ok()??;
    Some(Target {
        repository: Some(repository),
        operation: match named.intent {
            Intent::Write => HubOperation::Write,
            Intent::Read | Intent::Unknown => HubOperation::Read,
        },
    })
}

/// Has the agent put the sum on record. The command is over: that it can't be told changes nothing any more.
fn record(show: &Show, org: OrgName, hub: HubName, served: ServedTraffic) {
    if served.is_empty() {
        return;
    }
    let told = AgentClient::again(show.talk())
        .and_then(|mut link| link.ask(Request::Served { org, hub, served }));
    if let Err(refusal) = told {
        let warning = Line::new().look(Style::Warn, "warning: ");
        show.say(warning.text(format!(
            "what passed the gateway is not on record: {}",
            refusal.sentence
        )));
    }
}

/// Says what the command gets.
fn tell(show: &Show, door: &Door, granted: Option<&Granted>, hub: &HubName, intent: Intent) {
    let verb = if intent == Intent::Write {
        "write to"
    } else {
        "read"
    };
    let line = match granted {
        Some(granted) => {
            let what = granted
                .repository
                .as_ref()
                .map_or_else(|| granted.hub.to_string(), ToString::to_string);
            Line::new()
                .text(format!("{verb} {what} as role "))
                .look(Style::Strong, granted.role.to_string())
        }
        None => Line::new().text(format!("{hub} as your roles allow")),
    };
    show.say(line.text(format!(
        ", through a gateway at {} until the command ends",
        door.own
    )));
}

/// The hub's TLS is the organization's: its roots, bound to what they were when they were trusted, and its proxy.
fn via(watching: &Watching) -> Via {
    Via {
        ca_file: watching.route.ca_file.clone(),
        ca_sha256: watching.ca_sha256.clone(),
        proxy: watching.route.proxy.clone(),
        proxy_auth_file: watching.route.proxy_auth_file.clone(),
    }
}

/// Waits for the end of the session, also of another agent where the first one goes; with the connection that told it.
fn until_the_end(
    mut link: AgentClient,
    ask: &TokenRequest,
    talk: Talk,
    tokens: &AgentTokens,
) -> (Refusal, Option<AgentClient>) {
    loop {
        match link.next(None) {
            Ok(Reply::Withdrawn { refusal }) | Err(refusal)
                if refusal.code != RefusalCode::Unreachable =>
            {
                return (refusal, Some(link));
            }
            // The agent is stopping, or gone.
            Ok(Reply::Withdrawn { .. }) | Err(_) => {
                match reconnect(talk, out_of_reach(), |mut link, _| {
                    watch(&mut link, ask).map(|_| link)
                }) {
                    // It is another agent, which was told nothing.
                    Ok(found) => {
                        link = found;
                        tokens.tell_again();
                    }
                    Err(refusal) => return (refusal, None),
                }
            }
            Ok(_) => return (astray(), Some(link)),
        }
    }
}

fn out_of_reach() -> Refusal {
    Refusal::new(
        RefusalCode::Unreachable,
        "the agent could not be reached for 10 s, so the gateway was closed; the command goes on without it",
        "run `oam doctor`, then the command again",
    )
}
