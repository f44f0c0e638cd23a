//! From what GitHub says to what is kept: each change of a team one durable batch, with what its people lose by it.

use super::accounts;
use super::api::GitHubApp;
use super::fault::GitHubFault;
use crate::overtaken::until_kept;
use crate::scim::provision::DirectoryDraft;
use crate::state::Issuer;
use oam_model::issuer::AccountsBy;
use oam_model::name::SourceName;
use oam_policy::teams::{Scope, Team, TeamChange};
use oam_store::{PersonRow, StoreChange, StoreFault, Teams};
use std::collections::BTreeSet;

/// How often a change is decided anew that others overtake.
const ATTEMPTS: usize = 8;
/// Most members of a change that its entry names.
const NAMED: usize = 10;

/// What a reading comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlannedChange {
    /// A team is made or changed.
    Put(TeamChange),
    /// It is no more, and these accounts are not in it.
    Drop(Team, BTreeSet<u64>),
}

/// Reads, and tells what would change; the second is how many teams have to be read again.
///
/// # Errors
/// Nothing changes.
pub async fn plan(
    store: &dyn Teams,
    app: &GitHubApp,
    scope: &Scope,
) -> Result<(Vec<PlannedChange>, usize), GitHubFault> {
    let read = app.read(store, scope).await?;
    let kept = store.teams(app.source.clone()).await?;
    let mut planned = Vec::new();
    for (team, members) in read.teams {
        let had = store.team_members(app.source.clone(), team.id).await?;
        let before = kept.iter().find(|known| known.id == team.id);
        let before = before.map(|known| (known, &had));
        planned.extend(TeamChange::of(before, team, &members).map(PlannedChange::Put));
    }
    for team in read.gone {
        let had = store.team_members(app.source.clone(), team.id).await?;
        planned.push(PlannedChange::Drop(team, had));
    }
    Ok((planned, read.moved))
}

/// Reads, and keeps what changed.
///
/// # Errors
/// What could not be read or kept; what was read to its end is kept all the same.
pub async fn sync(issuer: &Issuer, app: &GitHubApp, scope: &Scope) -> Result<(), GitHubFault> {
    // Another fault than GitHub's: it keeps nobody from being taken out of a team.
    let accounts = match &app.settings.accounts {
        AccountsBy::File(path) => accounts::by_file(issuer, &app.source, path).await,
        AccountsBy::Claim(_) => Ok(()),
    };
    let (planned, moved) = plan(&*issuer.store, app, scope).await?;
    for change in &planned {
        apply(issuer, &app.source, change).await?;
    }
    accounts?;
    match moved {
        0 => Ok(()),
        moved => Err(GitHubFault::Moved(moved)),
    }
}

/// Keeps a change, with what follows for its people.
///
/// # Errors
/// The store is not there.
pub async fn apply(
    issuer: &Issuer,
    source: &SourceName,
    change: &PlannedChange,
) -> Result<(), StoreFault> {
    let _alone = issuer.directories.turn().await;
    until_kept(ATTEMPTS, || attempt(issuer, source, change)).await
}

async fn attempt(
    issuer: &Issuer,
    source: &SourceName,
    change: &PlannedChange,
) -> Result<(), StoreFault> {
    let live_config = issuer.live_config();
    let mut draft = DirectoryDraft::new(issuer, None, source, &live_config);
    match change {
        PlannedChange::Put(change) => {
            let kept = StoreChange::PutTeam {
                source: source.clone(),
                team: change.team.clone(),
                added: change.added.clone(),
                removed: change.removed.clone(),
            };
            draft.change(kept, None, detail(change));
            let name = &change.team.name;
            for row in people(issuer, source, &change.removed).await? {
                let was = change.was.as_ref().unwrap_or(name);
                let why = format!("GitHub took them out of {was}");
                draft.team_roles(&row, Some(was), None, &why);
            }
            for row in people(issuer, source, &change.added).await? {
                let why = format!("GitHub put them into {name}");
                draft.team_roles(&row, None, Some(name), &why);
            }
            if change.is_renamed() {
                let members = issuer.store.team_members(source.clone(), change.team.id);
                let members = members.await?.into_iter();
                let stay: Vec<u64> = members.filter(|id| !change.removed.contains(id)).collect();
                let was = change.was.as_ref();
                let why = format!("GitHub renamed {} to {name}", was.map_or("", |was| was));
                for row in people(issuer, source, &stay).await? {
                    draft.team_roles(&row, was, Some(name), &why);
                }
            }
        }
        PlannedChange::Drop(team, had) => {
            let kept = StoreChange::DropTeam {
                source: source.clone(),
                id: team.id,
            };
            let Team { id, name } = team;
            draft.change(kept, None, format!("team {name} ({id}) is no more"));
            let had: Vec<u64> = had.iter().copied().collect();
            let why = format!("GitHub has no team {name} any more");
            for row in people(issuer, source, &had).await? {
                draft.team_roles(&row, Some(name), None, &why);
            }
        }
    }
    draft.commit().await
}

async fn people(
    issuer: &Issuer,
    source: &SourceName,
    accounts: &[u64],
) -> Result<Vec<PersonRow>, StoreFault> {
    if accounts.is_empty() {
        return Ok(Vec::new());
    }
    let people = issuer.store.team_people(source.clone(), accounts.to_vec());
    people.await
}

fn detail(change: &TeamChange) -> String {
    let Team { id, name } = &change.team;
    let what = match &change.was {
        None => "was made".to_owned(),
        Some(was) if was != name => format!("was renamed from {was}"),
        Some(_) => "was changed".to_owned(),
    };
    let mut words = vec![format!("team {name} ({id}) {what}")];
    for (word, accounts) in [("added", &change.added), ("removed", &change.removed)] {
        if accounts.is_empty() {
            continue;
        }
        let first = accounts.iter().take(NAMED).map(u64::to_string);
        let named: Vec<String> = first.collect();
        let more = if accounts.len() > NAMED { ", …" } else { "" };
        let count = accounts.len();
        words.push(format!("{word} {count}: {}{more}", named.join(", ")));
    }
    words.join("; ")
}
