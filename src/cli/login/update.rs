//! `oam update`: takes over what the company changed in the set-up that its issuer publishes.

use super::files::SetUpFiles;
use super::setup::{By, SetUpPlan, named_in, publish, renamed};
use super::undo::Pending;
use super::{Manner, sign_in, tell};
use crate::Done;
use crate::agent_client::{AgentClient, OtherVersion};
use crate::args::{StoreArg, UpdateArgs};
use crate::status;
use oam_config::organization::issuer_of;
use oam_model::name::OrgName;
use oam_model::organization::Route;
use oam_model::refusal::Refusal;
use oam_model::report::StatusReport;
use oam_model::sign_in::SignInBy;
use oam_terminal::Show;
use serde::Serialize;

/// `oam update --json`.
#[derive(Serialize)]
struct Updated<'a> {
    org: &'a OrgName,
    /// One line each; empty: nothing changed.
    changes: Vec<&'a str>,
    /// A sign-in came with it.
    signed_in: bool,
}

/// Asks the issuer, shows what changed, writes it and, where the session is bound to what changed, signs in.
pub fn run(show: &Show, args: &UpdateArgs) -> Done {
    let mut link = AgentClient::open(show, OtherVersion::Replace)?;
    let files = SetUpFiles::find()?;
    let settings = files.settings(files.user.as_deref())?;
    let org = named_in(&settings, args.org.as_ref()).ok_or_else(|| which(args.org.as_ref()))?;
    let issuer = issuer_of(org).ok_or_else(|| by_hand(&org.name))?;
    let organization = publish(&mut link, issuer, &Route::default())?;
    if organization.org != org.name {
        return Err(renamed(issuer));
    }
    let plan = SetUpPlan::make(&files, &organization, &Route::default())?;
    let texts: Vec<String> = plan.changes.iter().map(|c| c.text.clone()).collect();
    let new_hubs = plan.new_hubs;
    let before = status::ask(&mut link)?;
    let signs_in = plan.rebinds && somebody(&before, &org.name);
    let undo = plan.carry_out(show, args.yes, &mut link, &organization, By::Update)?;
    if signs_in {
        let manner = Manner {
            by: SignInBy::Browser,
            no_browser: args.no_browser,
            store: Some(store(&before)),
        };
        let pending = Pending::begin(undo);
        let outcome = sign_in(show, manner, &mut link, Some(org.name.clone()));
        if outcome.is_err() {
            pending.give_back();
        }
        pending.settle();
        let signed_in = outcome?;
        if !show.json() {
            tell(show, &signed_in);
        }
    }
    if new_hubs {
        show.next("run `oam setup git`, which connects git to the hubs that are new");
    }
    if show.json() {
        show.value(&Updated {
            org: &org.name,
            changes: texts.iter().map(String::as_str).collect(),
            signed_in: signs_in,
        });
    } else if texts.is_empty() {
        show.line(format!("{}: nothing changed", org.name));
    } else if !signs_in {
        show.line(format!("{}: the new set-up is in force", org.name));
    }
    Ok(0)
}

/// Whether somebody is signed in: only a session that is there is bound to anything.
fn somebody(report: &StatusReport, org: &OrgName) -> bool {
    let mut orgs = report.orgs.iter();
    orgs.any(|entry| entry.org == *org && entry.subject.is_some())
}

/// The session stays where it is kept.
fn store(report: &StatusReport) -> StoreArg {
    match report.store.as_str() {
        "kernel" => StoreArg::Kernel,
        "memory" => StoreArg::Memory,
        _ => StoreArg::Keyring,
    }
}

fn which(named: Option<&OrgName>) -> Refusal {
    match named {
        Some(name) => Refusal::bad_request(
            format!("no organization is named {name}"),
            "run `oam status`, which names them",
        ),
        None => Refusal::bad_request(
            "no organization is named, and it is not clear which one is meant",
            "give its name: oam update ORG; `oam status` names them",
        ),
    }
}

fn by_hand(org: &OrgName) -> Refusal {
    Refusal::bad_request(
        format!("the set-up of {org} was written by hand: no issuer publishes it"),
        "change it in config.toml; `oam config path` names the file",
    )
}
