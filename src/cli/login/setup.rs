//! What comes before a sign-in: the organization's published set-up, shown, asked about and written.

use super::changes::{Change, between};
use super::files::Files;
use super::route::{route, tell_fault_not_in_force};
use super::undo::Undo;
use super::written;
use crate::cli::args::{LoginArgs, LoginTarget};
use crate::cli::link::{Link, astray};
use crate::cli::setup::disk::{self, Access};
use crate::cli::show::{Line, Look, Show};
use crate::config::agent::{Org, Settings};
use crate::config::organization::{issuer_of, issuer_url};
use crate::model::name::OrgName;
use crate::model::organization::{Organization, Route};
use crate::model::refusal::{Refusal, RefusalCode};
use crate::wire::message::{Reply, Request};
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
pub fn ready(show: &Show, args: &LoginArgs, link: &mut Link) -> Result<Ready, Refusal> {
    let route = route(args)?;
    match &args.target {
        Some(LoginTarget::Issuer(typed)) => {
            let organization = publish(link, &issuer_url(typed)?, &route)?;
            let files = Files::find()?;
            let plan = Plan::make(&files, &organization, &route)?;
            let undo = plan.carry_out(show, args.yes, link, &organization, true)?;
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
    link: &mut Link,
    named: Option<&OrgName>,
    route: &Route,
) -> Result<Ready, Refusal> {
    tell_fault_not_in_force(show, link);
    let ready = |undo| Ready {
        org: named.cloned(),
        undo,
    };
    // Configuration that can't be read is the agent's to tell, as it always did.
    let Ok(files) = Files::find() else {
        return Ok(ready(None));
    };
    let Ok(settings) = files.settings(files.user.as_deref()) else {
        return Ok(ready(None));
    };
    let org = match (named, &settings.default_org, settings.orgs.as_slice()) {
        (Some(name), ..) | (None, Some(name), _) => settings.org(name),
        (None, None, [only]) => Some(only),
        _ => None,
    };
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
            return Ok((Plan::make(&files, &organization, route)?, organization));
        }
        Err(Refusal::unavailable(
            format!("{issuer} is now the issuer of an organization of another name"),
            format!("run `oam login {issuer}` if that is right"),
        ))
    });
    match plan {
        Ok((plan, organization)) => {
            let undo = plan.carry_out(show, yes, link, &organization, false)?;
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

fn publish(link: &mut Link, url: &str, route: &Route) -> Result<Organization, Refusal> {
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

/// What is to be done.
struct Plan {
    user: Option<String>,
    user_path: PathBuf,
    /// The user's file afterwards; none: it stays.
    text: Option<String>,
    /// There was an organization of this name.
    known: bool,
    changes: Vec<Change>,
    /// Keys that the company decides otherwise.
    enforced: Vec<String>,
}

impl Plan {
    fn make(files: &Files, organization: &Organization, route: &Route) -> Result<Self, Refusal> {
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
            changes,
            enforced,
        })
    }

    /// Shows, asks and writes. `asked_for`: the person named the issuer, so a no ends the command;
    /// otherwise the sign-in goes on with the set-up as it is.
    fn carry_out(
        self,
        show: &Show,
        yes: bool,
        link: &mut Link,
        organization: &Organization,
        asked_for: bool,
    ) -> Result<Option<Undo>, Refusal> {
        let org = &organization.org;
        for key in &self.enforced {
            show.say(format!(
                "your company decides `{key}` of {org}, and it stays so"
            ));
        }
        let Some(text) = self.text else {
            if asked_for {
                show.say(format!("{org} is set up already, and nothing changed"));
            }
            return Ok(None);
        };
        if self.known {
            show.say(Line::new().look(Look::Warn, format!("the set-up of {org} changed:")));
            for change in &self.changes {
                show.say(format!("  {}", change.text));
            }
        } else {
            introduce(show, organization);
        }
        let replaces = self.changes.iter().any(|change| change.replaces);
        match answer(show, yes, self.known, replaces) {
            Answer::Yes => {}
            Answer::No if asked_for => {
                return Err(Refusal::unavailable(
                    "nothing was set up, because you did not want it",
                    format!("run `oam login {}` again if you do", organization.issuer),
                ));
            }
            Answer::NeedsYes if asked_for => {
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
        disk::write(&self.user_path, text.as_bytes(), Access::Private)?;
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
fn reload(link: &mut Link, org: &OrgName) -> Result<(), Refusal> {
    *link = Link::again()?;
    link.ask(Request::Reload)?;
    let report = crate::cli::status::ask(link)?;
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
            .look(Look::Strong, organization.org.to_string())
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

fn answer(show: &Show, yes: bool, known: bool, replaces: bool) -> Answer {
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
    let verb = if known {
        "Take this over"
    } else {
        "Set this up"
    };
    show.question(&format!("{verb} and sign in? [y/N] "));
    let mut line = String::new();
    match stdin().read_line(&mut line) {
        Ok(_) if matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes") => Answer::Yes,
        _ => Answer::No,
    }
}

/// A published set-up for tests.
#[cfg(test)]
pub(super) fn acme() -> Organization {
    serde_json::from_value(serde_json::json!({
        "v": 1, "org": "acme", "issuer": "https://issuer.acme.example",
        "sign_in": {"issuer": "https://login.acme.example", "client_id": "oam",
            "scopes": ["openid"], "redirect_path": "/callback", "groups_claim": "groups",
            "subject": "id-token", "fresh_s": 60, "lease_s": 600, "session_age_s": 604_800,
            "device_login": false},
        "token_endpoint": "https://issuer.acme.example/oauth/token",
        "revocation_endpoint": "https://issuer.acme.example/oauth/revoke",
        "roles_endpoint": "https://issuer.acme.example/v1/roles",
        "why_endpoint": "https://issuer.acme.example/v1/why",
        "feed_endpoint": "https://issuer.acme.example/v1/feed",
        "records_endpoint": "https://issuer.acme.example/v1/records",
        "job_audience": "https://issuer.acme.example",
        "hubs": [{"name": "models", "url": "https://hub.acme.example", "kind": "huggingface",
            "username": "hf_user"}]
    }))
    .unwrap()
}

#[cfg(test)]
mod tests {
    use super::{Files, Plan, Route, acme};
    use std::fs;

    fn files(company: &str, user: &str) -> (tempfile::TempDir, Files) {
        let home = tempfile::tempdir().unwrap();
        let (a, b) = (home.path().join("company"), home.path().join("user"));
        if !company.is_empty() {
            fs::write(&a, company).unwrap();
        }
        if !user.is_empty() {
            fs::write(&b, user).unwrap();
        }
        let files = Files::at(a, b).unwrap();
        (home, files)
    }

    #[test]
    fn what_the_companys_file_sets_up_already_is_not_written_again() {
        let (_home, none) = files("", "");
        let text = Plan::make(&none, &acme(), &Route::default())
            .unwrap()
            .text
            .unwrap();
        let (_home, company) = files(&text, "");
        let plan = Plan::make(&company, &acme(), &Route::default()).unwrap();
        assert!(plan.text.is_none() && plan.changes.is_empty());
    }

    #[test]
    fn an_organization_of_this_name_elsewhere_is_shown_as_what_it_was() {
        let (_home, none) = files("", "");
        let text = Plan::make(&none, &acme(), &Route::default())
            .unwrap()
            .text
            .unwrap();
        let (_home, other) = files("", &text.replace("issuer.acme.example", "evil.example"));
        let plan = Plan::make(&other, &acme(), &Route::default()).unwrap();
        assert!(plan.known && plan.changes.iter().any(|change| change.replaces));
        let said: Vec<&str> = plan.changes.iter().map(|c| c.text.as_str()).collect();
        assert!(
            said[0].contains("https://evil.example -> https://issuer.acme.example"),
            "{said:?}"
        );
    }

    #[test]
    fn a_hub_that_another_organization_has_is_refused_before_anything_is_written() {
        let other = "[orgs.other]\nissuer = \"https://l.example\"\nclient_id = \"x\"\n\
            [orgs.other.exchange]\nkind = \"rfc8693\"\ntoken_endpoint = \"https://t.example\"\n\
            [orgs.other.hubs.mine]\nurl = \"https://hub.acme.example\"\n";
        let (_home, taken) = files("", other);
        let refusal = Plan::make(&taken, &acme(), &Route::default())
            .err()
            .unwrap();
        assert!(
            refusal.sentence.contains("same host and port"),
            "{refusal:?}"
        );
    }
}
