//! What comes before a sign-in: the organization's published set-up, shown, asked about and written.

use super::files::SetUpFiles;
use super::route::{route, tell_fault_not_in_force};
use super::undo::Undo;
use super::written;
use crate::agent_client::{AgentClient, astray};
use crate::args::{LoginArgs, LoginTarget};
use crate::setup::disk::{self, FileAccess};
use crate::variables;
use oam_config::agent::{Org, Settings};
use oam_config::changes::{ConfigChange, between};
use oam_config::digest::binding;
use oam_config::organization::{issuer_of, issuer_url};
use oam_model::name::OrgName;
use oam_model::organization::{Organization, Route};
use oam_model::refusal::{Refusal, RefusalCode};
use oam_terminal::{Line, Show, Style};
use oam_wire::message::{Reply, Request};
use std::io::{IsTerminal, stderr, stdin};
use std::path::PathBuf;

/// What to sign in to.
pub struct Ready {
    /// The organization; none: the only or default one.
    pub org: Option<OrgName>,
    /// How to take the set-up back when the sign-in comes to nothing.
    pub undo: Option<Undo>,
}

/// Sets up what is to be signed in to.
///
/// # Errors
/// The set-up can't be had, was not wanted, or can't be written. Nothing is changed then.
pub fn ready(show: &Show, args: &LoginArgs, link: &mut AgentClient) -> Result<Ready, Refusal> {
    let route = route(args)?;
    match &args.target {
        Some(LoginTarget::Issuer(typed)) => {
            let organization = publish(link, &issuer_url(typed)?, &route).inspect_err(|_| {
                // What this shell has set and the agent leaves out is a likely cause.
                if let Some(sentence) = variables::ignored_on(&route) {
                    show.say(format!("{sentence}: {}", variables::NEXT));
                }
            })?;
            let files = SetUpFiles::find()?;
            let plan = SetUpPlan::make(&files, &organization, &route)?;
            let undo = plan.carry_out(show, args.yes, link, &organization, By::Url)?;
            Ok(Ready {
                org: Some(organization.org),
                undo,
            })
        }
        Some(LoginTarget::Org(org)) => again(show, args.yes, link, Some(org), &route),
        None => again(show, args.yes, link, None, &route),
    }
}

/// An organization that is set up already: its issuer is asked whether that has changed. Only with a
/// sign-in, because only that may bind the session to something new (promise 9).
fn again(
    show: &Show,
    yes: bool,
    link: &mut AgentClient,
    named: Option<&OrgName>,
    route: &Route,
) -> Result<Ready, Refusal> {
    tell_fault_not_in_force(show, link);
    let ready = |undo| Ready {
        org: named.cloned(),
        undo,
    };
    // Configuration that can't be read is the agent's to tell, as it always did.
    let Ok(files) = SetUpFiles::find() else {
        return Ok(ready(None));
    };
    let Ok(settings) = files.settings(files.user.as_deref()) else {
        return Ok(ready(None));
    };
    let org = named_in(&settings, named);
    if let Some(name) = named.filter(|name| org.is_none() && name.as_str().contains('.')) {
        return Err(Refusal::bad_request(
            format!("no organization is named {name}"),
            format!("to set one up, give its issuer's address: oam login https://{name}"),
        ));
    }
    let Some(issuer) = org.and_then(issuer_of) else {
        if *route != Route::default() {
            return Err(Refusal::bad_request(
                "--ca and --proxy are written where an issuer publishes the set-up, and this one was written by hand",
                "write `ca_file` and `proxy` into config.toml, which `oam config path` names",
            ));
        }
        return Ok(ready(None));
    };
    let name = org.map(|org| org.name.clone());
    let plan = publish(link, issuer, route).and_then(|organization| {
        if name.as_ref() == Some(&organization.org) {
            return Ok((SetUpPlan::make(&files, &organization, route)?, organization));
        }
        Err(renamed(issuer))
    });
    match plan {
        Ok((plan, organization)) => {
            let undo = plan.carry_out(show, yes, link, &organization, By::SignIn)?;
            Ok(ready(undo))
        }
        Err(refusal) => {
            show.say(format!(
                "it could not be seen whether the set-up changed: {}",
                refusal.sentence
            ));
            Ok(ready(None))
        }
    }
}

pub(super) fn renamed(issuer: &str) -> Refusal {
    Refusal::unavailable(
        format!("{issuer} is now the issuer of an organization of another name"),
        format!("run `oam login {issuer}` if that is right"),
    )
}

/// The organization that is meant.
pub(super) fn named_in<'a>(settings: &'a Settings, named: Option<&OrgName>) -> Option<&'a Org> {
    match (named, &settings.default_org, settings.orgs.as_slice()) {
        (Some(name), ..) | (None, Some(name), _) => settings.org(name),
        (None, None, [only]) => Some(only),
        _ => None,
    }
}

pub(super) fn publish(
    link: &mut AgentClient,
    url: &str,
    route: &Route,
) -> Result<Organization, Refusal> {
    let url = url.to_owned();
    let route = (*route != Route::default()).then(|| route.clone());
    match link.ask(Request::Organization { url, route }) {
        Ok(Reply::Organization { organization }) => Ok(*organization),
        Ok(_) => Err(astray()),
        // An agent of today never answers this so: it is one that does not know the question.
        Err(refusal) if refusal.code == RefusalCode::BadRequest => Err(Refusal::unavailable(
            "the running agent is an older one, which can't set up an organization",
            "end running `oam exec` commands, then run `oam status`, which replaces an idle agent",
        )),
        Err(refusal) => Err(refusal),
    }
}

/// What asks for the set-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// A sign-in by the issuer's address: a no ends the command.
    Url,
    /// A sign-in: it goes on with the set-up as it is.
    SignIn,
    /// `oam update`: a no ends the command.
    Update,
}

/// What is to be done.
pub(super) struct SetUpPlan {
    user: Option<String>,
    user_path: PathBuf,
    /// The user's file afterwards; none: it stays.
    text: Option<String>,
    /// There was an organization of this name.
    known: bool,
    pub(super) changes: Vec<ConfigChange>,
    /// What a session of before is bound to changes.
    pub(super) rebinds: bool,
    /// Hubs have addresses that no hub had before.
    pub(super) new_hubs: bool,
    /// Keys that the company decides otherwise.
    enforced: Vec<String>,
}

impl SetUpPlan {
    pub(super) fn make(
        files: &SetUpFiles,
        organization: &Organization,
        route: &Route,
    ) -> Result<Self, Refusal> {
        let user = files.user.as_deref();
        let (text, enforced) = written::with(
            user.unwrap_or_default(),
            files.company.as_deref(),
            organization,
            route,
        )?;
        let find = |settings: Settings| {
            let mut found = settings.orgs.into_iter();
            found.find(|org| org.name == organization.org)
        };
        // A file with a fault says nothing that could be compared; the fault itself is told below.
        let before: Option<Org> = files.settings(user).ok().and_then(find);
        let after = find(files.settings(Some(&text))?);
        let same = before.is_some() && before == after;
        let changes = match (&before, &after) {
            (Some(before), Some(after)) => between(before, after),
            _ => Vec::new(),
        };
        Ok(Self {
            user: files.user.clone(),
            user_path: files.user_path.clone(),
            text: (!same && user != Some(text.as_str())).then_some(text),
            known: before.is_some(),
            new_hubs: match (&before, &after) {
                (Some(before), Some(after)) => after
                    .hubs
                    .iter()
                    .any(|hub| before.hubs.iter().all(|known| known.url != hub.url)),
                _ => false,
            },
            rebinds: before.as_ref().map(binding) != after.as_ref().map(binding),
            changes,
            enforced,
        })
    }

    const fn question(&self, by: By) -> &'static str {
        match (self.known, by) {
            (false, _) => "Set this up and sign in?",
            (true, By::Update) if !self.rebinds => "Take this over?",
            (true, _) => "Take this over and sign in?",
        }
    }

    fn show(&self, show: &Show, organization: &Organization) {
        if self.known {
            show.say(Line::new().look(
                Style::Warn,
                format!("the set-up of {} changed:", organization.org),
            ));
            for change in &self.changes {
                show.say(format!("  {}", change.text));
            }
        } else {
            introduce(show, organization);
        }
    }

    /// Shows, asks and writes.
    pub(super) fn carry_out(
        self,
        show: &Show,
        yes: bool,
        link: &mut AgentClient,
        organization: &Organization,
        by: By,
    ) -> Result<Option<Undo>, Refusal> {
        let org = &organization.org;
        for key in &self.enforced {
            show.say(format!(
                "your company decides `{key}` of {org}, and it stays so"
            ));
        }
        let Some(text) = self.text.clone() else {
            match by {
                By::Url => show.say(format!("{org} is set up already, and nothing changed")),
                By::Update => show.say(format!("{org} is set up as its issuer publishes it")),
                By::SignIn => {}
            }
            return Ok(None);
        };
        self.show(show, organization);
        let replaces = self.changes.iter().any(|change| change.replaces);
        match answer(show, yes, self.question(by), replaces) {
            Answer::Yes => {}
            Answer::No if by != By::SignIn => {
                return Err(Refusal::unavailable(
                    "nothing was set up, because you did not want it",
                    match by {
                        By::Update => format!("run `oam update {org}` again if you do"),
                        _ => format!("run `oam login {}` again if you do", organization.issuer),
                    },
                ));
            }
            Answer::NeedsYes if by != By::SignIn => {
                return Err(Refusal::bad_request(
                    format!("this would replace the set-up of {org}, and nobody is here to ask"),
                    "look at the changes above, then add --yes",
                ));
            }
            Answer::No | Answer::NeedsYes => {
                show.say("the set-up stays as it was; take the changes over with --yes");
                return Ok(None);
            }
        }
        let undo = Undo::new(self.user_path.clone(), self.user.clone(), text.clone());
        // A question can stand for a long time.
        if disk::read_text(&self.user_path)? != self.user {
            return Err(Refusal::unavailable(
                format!("{} was changed meanwhile", self.user_path.display()),
                "run the command again",
            ));
        }
        disk::write(&self.user_path, text.as_bytes(), FileAccess::Private)?;
        show.say(format!("written into {}", self.user_path.display()));
        if let Err(refusal) = reload(link, org) {
            undo.give_back();
            return Err(refusal);
        }
        Ok(self.known.then_some(undo))
    }
}

/// The agent has the new settings when this comes back. By a new connection: the old one may have been
/// silent for too long.
fn reload(link: &mut AgentClient, org: &OrgName) -> Result<(), Refusal> {
    *link = AgentClient::again(link.talk())?;
    link.ask(Request::Reload)?;
    let report = crate::status::ask(link)?;
    if report.orgs.iter().any(|row| row.org == *org) {
        return Ok(());
    }
    Err(Refusal::unavailable(
        "the agent reads another configuration than this command",
        "end the process `oam-agent` and run this again: its XDG_CONFIG_HOME or HOME is another",
    ))
}

fn introduce(show: &Show, organization: &Organization) {
    show.say(
        Line::new()
            .look(Style::Strong, organization.org.to_string())
            .text(format!(", as {} publishes it:", organization.issuer)),
    );
    show.say(format!(
        "  sign-in at {}",
        host(&organization.sign_in.issuer)
    ));
    for hub in &organization.hubs {
        show.say(format!("  hub {} {} ({})", hub.name, hub.url, hub.kind));
    }
    if organization.hubs.is_empty() {
        show.say("  no hub yet");
    }
}

fn host(url: &str) -> String {
    let parsed = url::Url::parse(url).ok();
    let host = parsed.as_ref().and_then(url::Url::host_str);
    host.unwrap_or(url).to_owned()
}

/// What is to happen with a set-up.
enum Answer {
    Yes,
    No,
    /// Nobody is there to ask, and something would be replaced.
    NeedsYes,
}

fn answer(show: &Show, yes: bool, question: &str, replaces: bool) -> Answer {
    if yes {
        return Answer::Yes;
    }
    if !(stdin().is_terminal() && stderr().is_terminal()) {
        return if replaces {
            Answer::NeedsYes
        } else {
            Answer::Yes
        };
    }
    show.question(&format!("{question} [y/N] "));
    let mut line = String::new();
    match stdin().read_line(&mut line) {
        Ok(_) if matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes") => Answer::Yes,
        _ => Answer::No,
    }
}

#[cfg(test)]
mod tests;
