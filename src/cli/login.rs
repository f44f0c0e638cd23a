//! `oam login`: the agent makes the address and waits for the browser to come back; the browser is
//! opened here, where the person's display is.

mod challenge;
mod files;
mod kept;
mod paste;
mod route;
mod setup;
mod undo;
mod update;
mod written;

pub use update::run as update;

use super::agent_client::{AgentClient, OtherVersion, astray};
use super::args::{LoginArgs, StoreArg};
use super::{Done, browser, status, when};
use oam_model::name::OrgName;
use oam_model::refusal::Refusal;
use oam_model::sign_in::SignInBy;
use oam_terminal::{Line, Show, Style};
use oam_wire::message::{Reply, Request, StoreChoice};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Signs in. Ctrl-C ends this program, the agent sees the closed connection and cancels.
pub fn run(show: &Show, args: &LoginArgs) -> Done {
    let mut link = AgentClient::open(show, OtherVersion::Replace)?;
    let setup::Ready { org, undo } = setup::ready(show, args, &mut link)?;
    let pending = undo::Pending::begin(undo);
    let manner = Manner {
        by: by(args),
        no_browser: args.no_browser,
        store: args.store,
    };
    let outcome = sign_in(show, manner, &mut link, org);
    if outcome.is_err() {
        pending.give_back();
    }
    pending.settle();
    tell(show, &outcome?);
    Ok(0)
}

/// What a sign-in is told.
#[derive(Clone, Copy)]
struct Manner {
    by: SignInBy,
    no_browser: bool,
    /// Where the session is kept; none: where this machine keeps it best.
    store: Option<StoreArg>,
}

/// By device code where that was asked for, or where no browser can come back to this machine by itself.
fn by(args: &LoginArgs) -> SignInBy {
    if args.device {
        SignInBy::Device
    } else if !args.no_browser && challenge::is_remote() && !browser::is_there() {
        SignInBy::DeviceIfOffered
    } else {
        SignInBy::Browser
    }
}

fn sign_in(
    show: &Show,
    args: Manner,
    link: &mut AgentClient,
    org: Option<OrgName>,
) -> Result<SignedIn, Refusal> {
    link.send(Request::Login {
        org,
        store: match args.store {
            None | Some(StoreArg::Keyring) => StoreChoice::Keyring,
            Some(StoreArg::Kernel) => StoreChoice::Kernel,
            Some(StoreArg::Memory) => StoreChoice::Memory,
        },
        or_next_best: args.store.is_none(),
        by: args.by,
    })?;
    let settled = Arc::new(AtomicBool::new(false));
    let outcome = follow(show, args, link, &settled);
    settled.store(true, Ordering::Relaxed);
    outcome
}

/// Who signed in where, and what they may do there.
struct SignedIn {
    org: OrgName,
    who: String,
    roles: Vec<String>,
    /// Why the roles are not known.
    roles_unread: Option<String>,
}

fn follow(
    show: &Show,
    args: Manner,
    link: &mut AgentClient,
    settled: &Arc<AtomicBool>,
) -> Result<SignedIn, Refusal> {
    loop {
        // No deadline here: the agent knows how long a sign-in may take and refuses when it is over.
        match link.next(None)? {
            Reply::Challenge {
                url,
                org,
                issuer,
                device,
                kept_in,
            } => {
                let elsewhere = kept_in.filter(|_| args.store.is_none());
                if let Some(sentence) = elsewhere.and_then(kept::instead) {
                    show.say(sentence);
                }
                let place = (&*url, &org, &*issuer);
                match device {
                    Some(device) => challenge::device(show, place, &device)?,
                    None if args.by == SignInBy::Device => return Err(no_device(&org)),
                    None => challenge::browser(show, args.no_browser, place, settled)?,
                }
            }
            Reply::SignedIn {
                org,
                subject,
                email,
                roles,
                roles_unread,
            } => {
                let who =
                    email.map_or_else(|| subject.clone(), |email| format!("{email} ({subject})"));
                return Ok(SignedIn {
                    org,
                    who,
                    roles,
                    roles_unread,
                });
            }
            _ => return Err(astray()),
        }
    }
}

/// The agent that runs answers with an address for this machine's browser: it does not know device codes.
fn no_device(org: &OrgName) -> Refusal {
    Refusal::unavailable(
        "the agent that runs is of an earlier version, which has no sign-in by device code",
        format!("end it, or run `oam login {org}` without --device"),
    )
}

fn tell(show: &Show, signed_in: &SignedIn) {
    let SignedIn {
        org, who, roles, ..
    } = signed_in;
    show.line(
        Line::new()
            .look(Style::Good, "signed in")
            .text(format!(" to {org} as {who}")),
    );
    if let Some(why) = &signed_in.roles_unread {
        show.line(format!(
            "roles: not known yet: {why}; `oam roles` asks again"
        ));
    } else if roles.is_empty() {
        show.line("roles: none; ask the administrators for a group that holds one");
    } else {
        show.line(format!("roles: {}", roles.join(", ")));
    }
    // A second connection: the first one belongs to the sign-in. No end is no reason to fail.
    let report =
        AgentClient::open(show, OtherVersion::Name).and_then(|mut link| status::ask(&mut link));
    let mine = report
        .ok()
        .and_then(|report| report.orgs.into_iter().find(|entry| entry.org == *org));
    for warning in mine.iter().flat_map(|mine| &mine.warnings) {
        show.say(Line::new().look(Style::Warn, warning.sentence.clone()));
        show.next(&warning.next);
    }
    if let Some(at) = mine.and_then(|mine| mine.session_ends_at) {
        show.line(format!("session ends {}", status::ends(at, when::now())));
    }
}
