//! `oam logout`.

use super::Done;
use super::agent_client::{AgentClient, OtherVersion, astray};
use super::args::LogoutArgs;
use oam_terminal::{Line, Show, Style};
use oam_wire::message::{Reply, Request};

/// Signs out. A revocation that failed at the provider is told, and the exit code is 1: the person
/// may believe that the session is gone everywhere.
pub fn run(show: &Show, args: LogoutArgs) -> Done {
    let mut link = AgentClient::open(show, OtherVersion::Replace)?;
    let Reply::SignedOut {
        org,
        was_signed_in,
        warning,
        issuer_warning,
    } = link.ask(Request::Logout { org: args.org })?
    else {
        return Err(astray());
    };
    let sentence = if was_signed_in {
        format!("signed out of {org}; nothing of the session is left on this machine")
    } else {
        format!("nobody was signed in to {org}")
    };
    show.line(sentence);
    let code = u8::from(warning.is_some() || issuer_warning.is_some());
    if let Some(warning) = warning {
        let sentence =
            format!("the session could not be revoked at the identity provider: {warning}");
        show.say(Line::new().look(Style::Warn, sentence));
        show.next("end the session at the identity provider, on its page of your sessions");
    }
    if let Some(warning) = issuer_warning {
        let sentence = format!("the issuer could not be told of the sign-out: {warning}");
        show.say(Line::new().look(Style::Warn, sentence));
        show.next("nothing here can use the session; its last token is over within the hour");
    }
    Ok(code)
}
