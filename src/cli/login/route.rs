//! How a sign-in goes out, and whether the configuration that says so is in force.

use crate::agent_client::AgentClient;
use crate::args::LoginArgs;
use oam_model::organization::Route;
use oam_model::refusal::{Refusal, RefusalCode};
use oam_terminal::{Line, Show, Style};
use oam_wire::message::Request;
use std::path::Path;

/// The roots and proxy of the command line. The files' whole paths: the agent has another working folder.
pub(super) fn route(args: &LoginArgs) -> Result<Route, Refusal> {
    Ok(Route {
        ca_file: whole(
            args.ca.as_deref(),
            "give --ca the PEM file of your company's certificate authority",
        )?,
        proxy: args.proxy.clone(),
        proxy_auth_file: whole(
            args.proxy_auth_file.as_deref(),
            "give --proxy-auth-file a file of yours alone with one line, USER:PASSWORD",
        )?,
    })
}

fn whole(given: Option<&Path>, next: &str) -> Result<Option<String>, Refusal> {
    let Some(given) = given else {
        return Ok(None);
    };
    let found = given.canonicalize().ok();
    let path = found.and_then(|path| path.into_os_string().into_string().ok());
    let unread = || Refusal::bad_request(format!("{} can't be read", given.display()), next);
    path.ok_or_else(unread).map(Some)
}

/// An edit with a fault is not in force, whatever else it corrects: who signs in now would do it by the
/// settings of before. An agent that does not know the question says nothing of it.
pub(super) fn tell_fault_not_in_force(show: &Show, link: &mut AgentClient) {
    match link.ask(Request::Reload) {
        Err(refusal) if refusal.code != RefusalCode::BadRequest => {
            let sentence = format!(
                "the configuration has a fault and is not in force, the settings of before are: {}",
                refusal.sentence
            );
            show.say(Line::new().look(Style::Warn, sentence));
            show.next(&refusal.next);
        }
        _ => {}
    }
}
