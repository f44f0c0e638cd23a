//! Between the words of the wire and those of the core.

use oam_agent::command::{AgentCommand, CommandOutcome, EpochGate, ReportKind, Started, Watched};
use oam_agent::ports::{SessionStore, StoreWish};
use oam_model::caller::Caller;
use oam_model::granted::TokenAnswer;
use oam_model::refusal::{Refusal, RefusalCode};
use oam_wire::message::{Following, Reply, Request, StoreChoice, Watching};
use tokio::sync::oneshot;

/// The reply, and for a token the gate that it must pass with its epoch.
pub(super) fn reply(outcome: CommandOutcome) -> (Reply, Option<(EpochGate, u64)>) {
    let reply = match outcome {
        CommandOutcome::Token(answer, gate) => {
            let epoch = answer.granted.epoch;
            return (Reply::Token(answer), Some((gate, epoch)));
        }
        CommandOutcome::NotOurs => Reply::NotOurs,
        CommandOutcome::Refused(refusal, epoch) => Reply::Refused { refusal, epoch },
        CommandOutcome::Done => Reply::Done,
        CommandOutcome::SignedOut {
            org,
            was_signed_in,
            warning,
            issuer_warning,
        } => Reply::SignedOut {
            org,
            was_signed_in,
            warning,
            issuer_warning,
        },
        CommandOutcome::Status(report) => Reply::Status(report),
        CommandOutcome::Roles(report) => Reply::Roles(report),
        CommandOutcome::Why(report) => Reply::Why(report),
        CommandOutcome::Anchor(report) => Reply::Anchor(report),
        CommandOutcome::Organization(organization) => Reply::Organization { organization },
        CommandOutcome::Provider(report) => Reply::Provider(report),
    };
    (reply, None)
}

pub(super) fn report(kind: ReportKind, reply: oneshot::Sender<CommandOutcome>) -> AgentCommand {
    AgentCommand::Report { kind, reply }
}

pub(super) const fn wish(choice: StoreChoice, or_next_best: bool) -> StoreWish {
    let store = match choice {
        StoreChoice::Keyring => SessionStore::Keyring,
        StoreChoice::Kernel => SessionStore::Kernel,
        StoreChoice::Memory => SessionStore::Memory,
    };
    StoreWish {
        store,
        or_next_best,
    }
}

pub(super) const fn told(store: SessionStore) -> StoreChoice {
    match store {
        SessionStore::Keyring => StoreChoice::Keyring,
        SessionStore::Kernel => StoreChoice::Kernel,
        SessionStore::Memory => StoreChoice::Memory,
    }
}

pub(super) fn following(started: Started, with_token: bool) -> Following {
    let granted = started.granted;
    let token = with_token.then(|| TokenAnswer {
        granted: granted.clone(),
        token: started.token,
    });
    Following {
        granted,
        path: started.path,
        name: started.name,
        hub_kind: started.hub_kind.to_owned(),
        variables: started.variables,
        on_disk: started.on_disk,
        token,
    }
}

/// What a request with one reply asks of the core. None: it has several replies.
pub(super) fn command(
    request: Request,
    caller: Caller,
    reply: oneshot::Sender<CommandOutcome>,
) -> Option<AgentCommand> {
    Some(match request {
        Request::Follow { .. } | Request::Watch { .. } | Request::Login { .. } => return None,
        Request::Get { ask, front } => AgentCommand::Get {
            ask,
            front,
            caller,
            reply,
        },
        Request::Erase { ask, token } => AgentCommand::Erase {
            ask,
            token,
            caller,
            reply,
        },
        Request::Served { org, hub, served } => AgentCommand::Served {
            org,
            hub,
            served,
            caller,
            reply,
        },
        Request::Logout { org } => AgentCommand::Logout { org, caller, reply },
        Request::Status => report(ReportKind::Status, reply),
        Request::Roles => report(ReportKind::Roles, reply),
        Request::Why { ask } => report(ReportKind::Why(ask, caller), reply),
        Request::AcknowledgeLog => AgentCommand::AcknowledgeLog { caller, reply },
        Request::Anchor => report(ReportKind::Anchor, reply),
        Request::Provider { org } => report(ReportKind::Provider(org), reply),
        Request::Organization { url, route } => AgentCommand::Organization { url, route, reply },
        Request::Reload => AgentCommand::Reload { reply },
        Request::Retire => AgentCommand::Retire { reply },
    })
}

pub(super) fn watching(watched: Watched) -> Watching {
    Watching {
        org: watched.org,
        hub: watched.hub,
        hub_url: watched.hub_url,
        hub_kind: watched.hub_kind.to_owned(),
        variables: watched.variables,
        route: watched.route,
        ca_sha256: watched.ca_sha256,
    }
}

pub(super) fn stopping() -> Refusal {
    Refusal::new(
        RefusalCode::Unreachable,
        "the agent is about to end",
        "try again in a moment",
    )
}

pub(super) fn ended_meanwhile() -> Refusal {
    Refusal::new(
        RefusalCode::Ended,
        "the session ended while this was answered",
        "ask again; `oam status` shows why it ended",
    )
}

pub(super) fn too_long() -> Refusal {
    Refusal::unavailable(
        "the answer is too long for one message",
        "ask for less, or shorten the configuration",
    )
}
