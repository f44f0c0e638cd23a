//! `oam login`: the agent makes the address and waits for the browser to come back; the browser is
//! opened here, where the person's display is.

mod files;
mod route;
mod setup;
mod undo;
mod update;
mod written;

pub use update::run as update;

use super::args::{LoginArgs, StoreArg};
use super::link::{Link, OtherVersion, astray};
use super::{Done, browser, status, when};
use oam_model::name::OrgName;
use oam_model::refusal::{Refusal, RefusalCode};
use oam_terminal::{Line, Look, Show};
use oam_wire::message::{Reply, Request, StoreChoice};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// A sign-in that has not come back after this may be looking at an error of the provider.
const UNREGISTERED: Duration = Duration::from_secs(5);

/// Signs in. Ctrl-C ends this program, the agent sees the closed connection and cancels.
pub fn run(show: &Show, args: &LoginArgs) -> Done {
    let mut link = Link::open(show, OtherVersion::Replace)?;
    let setup::Ready { org, undo } = setup::ready(show, args, &mut link)?;
    let pending = undo::Pending::begin(undo);
    let manner = Manner {
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
    no_browser: bool,
    store: StoreArg,
}

fn sign_in(
    show: &Show,
    args: Manner,
    link: &mut Link,
    org: Option<OrgName>,
) -> Result<SignedIn, Refusal> {
    link.send(Request::Login {
        org,
        store: match args.store {
            StoreArg::Keyring => StoreChoice::Keyring,
            StoreArg::Kernel => StoreChoice::Kernel,
            StoreArg::Memory => StoreChoice::Memory,
        },
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
    link: &mut Link,
    settled: &Arc<AtomicBool>,
) -> Result<SignedIn, Refusal> {
    loop {
        // No deadline here: the agent knows how long a sign-in may take and refuses when it is over.
        match link.next(None)? {
            Reply::Challenge { url, org, issuer } => {
                challenge(show, args, (&url, &org, &issuer), settled)?;
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

fn challenge(
    show: &Show,
    args: Manner,
    (url, org, issuer): (&str, &OrgName, &str),
    settled: &Arc<AtomicBool>,
) -> Result<(), Refusal> {
    if !browser::is_openable(url) {
        return Err(Refusal::new(
            RefusalCode::Unavailable,
            format!("{issuer} has an authorization address that no browser should open"),
            "check the issuer in the configuration",
        ));
    }
    show.say(format!("signing in to {org} at {issuer}"));
    let opened = !args.no_browser && launch(show, url, settled);
    let lead = if opened {
        "If no browser opens, open: "
    } else {
        "Open in a browser: "
    };
    // On stdout with --no-browser, so that a script can take it; it holds no secret.
    if args.no_browser {
        show.say("open this address in a browser:");
        show.line(url);
    } else {
        show.say(Line::new().text(lead).look(Look::Strong, url));
    }
    if let Some(port) = elsewhere(url) {
        show.say(format!(
            "the browser comes back to port {port} of this machine; from another one, first run: ssh -L {port}:127.0.0.1:{port} THIS-MACHINE"
        ));
    }
    show.say("waiting for the browser; Ctrl-C cancels");
    if let Some(hint) = unregistered(url) {
        let settled = Arc::clone(settled);
        // Nobody waits for it: it ends with the program.
        thread::spawn(move || {
            thread::sleep(UNREGISTERED);
            if !settled.load(Ordering::Relaxed) {
                Show::new(false).say(hint);
            }
        });
    }
    Ok(())
}

/// Opens the browser and tells if it fails while the sign-in waits.
fn launch(show: &Show, url: &str, settled: &Arc<AtomicBool>) -> bool {
    match browser::open(url) {
        None => {
            show.say("no browser was found");
            false
        }
        Some(Err(name)) => {
            show.say(format!("the browser {name} could not be started"));
            false
        }
        Some(Ok(mut child)) => {
            let settled = Arc::clone(settled);
            // Not waited for: many browsers stay in the foreground. The thread ends with the program.
            thread::spawn(move || {
                let failed = child.wait().is_ok_and(|status| !status.success());
                if failed && !settled.load(Ordering::Relaxed) {
                    Show::new(false)
                        .say("the browser command failed; open the address above by hand");
                }
            });
            true
        }
    }
}

/// The port that the browser comes back to, when the person most likely sits at another machine.
fn elsewhere(url: &str) -> Option<u16> {
    std::env::var_os("SSH_CONNECTION")?;
    redirect_port(url)
}

fn redirect_port(url: &str) -> Option<u16> {
    url::Url::parse(&parameter(url, "redirect_uri")?)
        .ok()?
        .port()
}

fn parameter(url: &str, name: &str) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    let found = url.query_pairs().find(|(key, _)| key == name);
    found.map(|(_, value)| value.into_owned())
}

/// What to register where the provider shows a page of its own about it: no answer of it comes back here.
fn unregistered(url: &str) -> Option<String> {
    let (redirect, client) = (
        parameter(url, "redirect_uri")?,
        parameter(url, "client_id")?,
    );
    Some(format!(
        "if the provider shows an error: register {redirect} for the client {client} there, and set `redirect_port` where it compares ports"
    ))
}

fn tell(show: &Show, signed_in: &SignedIn) {
    let SignedIn {
        org, who, roles, ..
    } = signed_in;
    show.line(
        Line::new()
            .look(Look::Good, "signed in")
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
    let report = Link::open(show, OtherVersion::Name).and_then(|mut link| status::ask(&mut link));
    let mine = report
        .ok()
        .and_then(|report| report.orgs.into_iter().find(|entry| entry.org == *org));
    for warning in mine.iter().flat_map(|mine| &mine.warnings) {
        show.say(Line::new().look(Look::Warn, warning.sentence.clone()));
        show.next(&warning.next);
    }
    if let Some(at) = mine.and_then(|mine| mine.session_ends_at) {
        show.line(format!("session ends {}", status::ends(at, when::now())));
    }
}

#[cfg(test)]
mod tests {
    use super::{redirect_port, unregistered};

    #[test]
    fn the_port_that_the_browser_comes_back_to_is_found() {
        let url =
            "https://idp/auth?client_id=x&redirect_uri=http%3A%2F%2F127.0.0.1%3A40123%2Fcallback";
        assert_eq!(redirect_port(url), Some(40123));
        assert_eq!(redirect_port("https://idp/auth"), None);
        let hint = unregistered(url).unwrap();
        for said in [
            "http://127.0.0.1:40123/callback",
            "the client x",
            "`redirect_port`",
        ] {
            assert!(hint.contains(said), "{said}: {hint}");
        }
    }
}
