//! `oam-issuer github`: the teams of the organization at GitHub, as they are kept and as they are read.

use super::opening;
use crate::database::{self, Database};
use crate::show::{Line, Printer};
use clap::{Args, Subcommand};
use oam_issuer::files;
use oam_issuer::github::{self, GitHubApp, GitHubFault, PlannedChange, apply, plan};
use oam_issuer::outbound::OutboundClient;
use oam_issuer::serve;
use oam_issuer::when::when;
use oam_model::audit::{AuditEvent, AuditRecord};
use oam_model::issuer::IssuerSettings;
use oam_model::name::SourceName;
use oam_model::refusal::Refusal;
use oam_policy::teams::Scope;
use oam_store::{Batch, Store, StoreChange, Teams, TeamsState};
use oam_system::clock;
use oam_terminal::moment::of_rfc3339;
use serde::Serialize;
use std::sync::Arc;

/// `oam-issuer github`.
#[derive(Debug, Args)]
pub struct GitHubArgs {
    /// What to do.
    #[command(subcommand)]
    pub what: GitHubWhat,
}

/// What to do with teams.
#[derive(Debug, Subcommand)]
pub enum GitHubWhat {
    /// Show how many teams are known of each organization, and when they were read.
    #[command(after_help = "Example:\n  oam-issuer github list --json")]
    List,
    /// Read all teams now, and show what changed. A server that runs does it by itself.
    #[command(
        after_help = "Examples:\n  oam-issuer github read okta --dry-run\n  oam-issuer github read okta --json | jq '.changes[]'"
    )]
    Read {
        /// The source.
        source: SourceName,
        /// Only show what would change.
        #[arg(long)]
        dry_run: bool,
    },
    /// Forget all teams of a source, and whose account each is. While they are configured they are read again.
    #[command(after_help = "Example:\n  oam-issuer github forget okta")]
    Forget {
        /// The source.
        source: SourceName,
    },
}

/// `github list --json`.
#[derive(Serialize)]
struct ListReport {
    organizations: Vec<OrganizationReport>,
}

#[derive(Serialize)]
struct OrganizationReport {
    source: SourceName,
    organization: String,
    teams: u64,
    members: u64,
    /// Accounts of which is known whose they are.
    accounts: u64,
    read_at: Option<String>,
    heard_at: Option<String>,
    /// Why it can't be read.
    fault: Option<String>,
}

/// `github read --json`.
#[derive(Serialize)]
struct ReadReport {
    dry_run: bool,
    changes: Vec<ChangeReport>,
    /// Teams that changed while they were read, and are to be read again.
    moved: usize,
}

#[derive(Serialize)]
struct ChangeReport {
    team: u64,
    group: String,
    /// `made`, `changed`, `renamed` or `gone`.
    what: &'static str,
    was: Option<String>,
    added: Vec<u64>,
    removed: Vec<u64>,
}

/// Runs it.
pub fn run(show: &Printer, args: &GitHubArgs) -> u8 {
    show.done(match &args.what {
        GitHubWhat::List => list(show),
        GitHubWhat::Read { source, dry_run } => read(show, source, *dry_run),
        GitHubWhat::Forget { source } => forget(show, source),
    })
}

fn read(show: &Printer, source: &SourceName, dry_run: bool) -> Result<u8, Refusal> {
    let settings = opening::settings(show)?;
    let outside = Arc::new(OutboundClient::new(&settings)?);
    let apps = github::apps(&settings, &outside)?;
    let app = apps.get(source).ok_or_else(|| unknown(&settings))?;
    let read = files::read(show.config());
    let files = read.map_err(|faults| opening::told(show, show.config(), &faults))?;
    let waiting = show.waiting("GitHub, which is asked");
    let report = opening::wait(async {
        let issuer = serve::open(files).await?;
        let planned = plan(&*issuer.store, app, &Scope::All).await;
        let (changes, moved) = planned.map_err(|fault| refusal(app, &fault))?;
        if !dry_run {
            for change in &changes {
                let kept = apply(&issuer, source, change).await;
                kept.map_err(|fault| fault.refusal())?;
            }
        }
        Ok::<_, Refusal>(ReadReport {
            dry_run,
            changes: changes.into_iter().map(change).collect(),
            moved,
        })
    })??;
    drop(waiting);
    if show.json() {
        show.value(&report);
    } else {
        tell(show, &report);
    }
    Ok(0)
}

fn refusal(app: &GitHubApp, fault: &GitHubFault) -> Refusal {
    let organization = &app.settings.organization;
    Refusal::unavailable(
        format!(
            "the teams of {organization} can't be read: {}",
            fault.sentence()
        ),
        fault.next(),
    )
}

fn change(change: PlannedChange) -> ChangeReport {
    match change {
        PlannedChange::Put(change) => ChangeReport {
            what: match &change.was {
                None => "made",
                Some(_) if change.is_renamed() => "renamed",
                Some(_) => "changed",
            },
            was: change.was.clone().filter(|_| change.is_renamed()),
            team: change.team.id,
            group: change.team.name,
            added: change.added,
            removed: change.removed,
        },
        PlannedChange::Drop(team, had) => ChangeReport {
            what: "gone",
            was: None,
            team: team.id,
            group: team.name,
            added: Vec::new(),
            removed: had.into_iter().collect(),
        },
    }
}

fn tell(show: &Printer, report: &ReadReport) {
    let rows: Vec<Vec<Line>> = report
        .changes
        .iter()
        .map(|one| {
            let was = one.was.as_ref().map(|was| format!(" from {was}"));
            vec![
                Line::from(one.group.as_str()),
                Line::from(format!("{}{}", one.what, was.unwrap_or_default())),
                Line::from(format!("+{} -{}", one.added.len(), one.removed.len())),
            ]
        })
        .collect();
    if rows.is_empty() {
        show.say("nothing is other than it is kept");
    } else {
        show.table(&["GROUP", "WHAT", "MEMBERS"], &rows);
    }
    if report.moved > 0 {
        show.say(format!(
            "{} teams changed while they were read: run the command again",
            report.moved
        ));
    }
    if report.dry_run && !report.changes.is_empty() {
        show.say("nothing of it was kept");
    }
}

fn list(show: &Printer) -> Result<u8, Refusal> {
    let Database {
        settings, store, ..
    } = database::open(show)?;
    let mut organizations = Vec::new();
    for source in &settings.sources {
        let Some(github) = &source.github else {
            continue;
        };
        let state = opening::wait(store.teams_state(source.name.clone()))?;
        let state = state.map_err(|fault| fault.refusal())?;
        organizations.push(report(
            source.name.clone(),
            github.organization.clone(),
            state,
        ));
    }
    if show.json() {
        show.value(&ListReport { organizations });
        return Ok(0);
    }
    if organizations.is_empty() {
        show.say("no source has teams at GitHub: `[sources.NAME.github]` in the configuration gives it some");
        return Ok(0);
    }
    let header = [
        "SOURCE",
        "ORGANIZATION",
        "TEAMS",
        "MEMBERS",
        "ACCOUNTS",
        "READ",
    ];
    let rows: Vec<Vec<Line>> = organizations.iter().map(columns).collect();
    show.table(&header, &rows);
    for one in &organizations {
        if let Some(fault) = &one.fault {
            show.say(format!("{} can't be read: {fault}", one.organization));
        }
    }
    Ok(0)
}

fn report(source: SourceName, organization: String, state: TeamsState) -> OrganizationReport {
    OrganizationReport {
        source,
        organization,
        teams: state.teams,
        members: state.members,
        accounts: state.accounts,
        read_at: state.read_at_ms.map(when),
        heard_at: state.heard_at_ms.map(when),
        fault: state.fault.map(|(why, _)| why),
    }
}

fn columns(one: &OrganizationReport) -> Vec<Line> {
    let read = one.read_at.as_deref().map(of_rfc3339);
    vec![
        Line::from(one.source.as_str()),
        Line::from(one.organization.as_str()),
        Line::from(one.teams.to_string()),
        Line::from(one.members.to_string()),
        Line::from(one.accounts.to_string()),
        Line::from(read.unwrap_or_else(|| "never".to_owned())),
    ]
}

fn forget(show: &Printer, source: &SourceName) -> Result<u8, Refusal> {
    let Database { org, store, .. } = database::open(show)?;
    let state = opening::wait(store.teams_state(source.clone()))?;
    let state = state.map_err(|fault| fault.refusal())?;
    if state == TeamsState::default() {
        return Err(Refusal::bad_request(
            format!("no teams of {source} are known"),
            "see which there are with `oam-issuer github list`",
        ));
    }
    let words = format!("{} teams and {} accounts", state.teams, state.accounts);
    let entry = AuditRecord {
        source: Some(source.clone()),
        detail: Some(format!("forgotten by an administrator: {words} at GitHub")),
        ..AuditRecord::new(AuditEvent::Directory, org, clock::now_ms())
    };
    let batch = Batch {
        changes: vec![StoreChange::ForgetTeams(source.clone())],
        entries: vec![entry],
    };
    let forgotten = opening::wait(store.commit(batch))?;
    forgotten.map_err(|fault| fault.refusal())?;
    show.say(format!("{words} of {source} are forgotten"));
    Ok(0)
}

fn unknown(settings: &IssuerSettings) -> Refusal {
    let sources = settings.sources.iter().filter(|one| one.github.is_some());
    let names: Vec<&str> = sources.map(|one| one.name.as_str()).collect();
    if names.is_empty() {
        return Refusal::bad_request(
            "no source has teams at GitHub",
            "add `[sources.NAME.github]` to the configuration, then run the command again",
        );
    }
    Refusal::bad_request(
        "this source has no teams at GitHub",
        format!("use one of {}", names.join(", ")),
    )
}
