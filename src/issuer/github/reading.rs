//! Reading teams and their members: what is not read to its end is not there at all.

use super::api::{GitHubApp, ListEntry, WholeList};
use super::fault::GitHubFault;
use oam_policy::teams::{EVERYBODY, ListedTeam, Scope, Team, group, is_settled};
use oam_store::Teams;
use std::collections::BTreeSet;

/// Entries in a page: the most that GitHub gives.
const PAGE: &str = "per_page=100";

/// What GitHub says.
pub(super) struct TeamReading {
    /// Teams with all of their members.
    pub(super) teams: Vec<(Team, BTreeSet<u64>)>,
    /// Teams that are no more.
    pub(super) gone: Vec<Team>,
    /// Teams that changed while they were read, and are to be read again.
    pub(super) moved: usize,
}

impl GitHubApp {
    /// Reads what a scope means. The list of teams is read before and after: members are asked for by a name, which
    /// can be another team's by then.
    pub(super) async fn read(
        &self,
        store: &dyn Teams,
        scope: &Scope,
    ) -> Result<TeamReading, GitHubFault> {
        let kept = store.teams(self.source.clone()).await?;
        let before = self.teams().await?;
        let organization = &self.settings.organization;
        let mut read = Vec::new();
        let mut moved = 0;
        for team in scope.chosen(&before) {
            let path = format!("/orgs/{organization}/teams/{}/members", team.slug);
            match self.members(store, team.id, &path).await {
                Ok(members) => read.push((team, members)),
                // Its name is no team's any more.
                Err(GitHubFault::NotAllowed(404)) => moved += 1,
                Err(other) => return Err(other),
            }
        }
        let everybody = if *scope == Scope::All {
            let path = format!("/orgs/{organization}/members");
            Some(self.members(store, EVERYBODY, &path).await?)
        } else {
            None
        };
        let after = self.teams().await?;
        let mut teams = Vec::new();
        for (team, members) in read {
            if is_settled(team, &after) {
                let name = group(organization, &team.slug);
                teams.push((Team { id: team.id, name }, members));
            } else {
                moved += 1;
            }
        }
        teams.extend(everybody.map(|members| {
            let name = organization.clone();
            (
                Team {
                    id: EVERYBODY,
                    name,
                },
                members,
            )
        }));
        Ok(TeamReading {
            teams,
            gone: scope.gone(&kept, [&before, &after]),
            moved,
        })
    }

    async fn teams(&self) -> Result<Vec<ListedTeam>, GitHubFault> {
        let path = format!("/orgs/{}/teams?{PAGE}", self.settings.organization);
        let list = self.list(&path).await?;
        let listed = |entry: ListEntry| {
            let slug = entry.slug.filter(|slug| is_plain(slug));
            let slug = slug.ok_or(GitHubFault::Unreadable("a team has no name"))?;
            Ok(ListedTeam {
                id: entry.id,
                slug,
                parent: entry.parent.map(|parent| parent.id),
            })
        };
        list.entries.into_iter().map(listed).collect()
    }

    /// The members of a team, those of teams that are a part of it included. Pages are not of one moment: who moves to
    /// an earlier page between two requests is on neither, so that whoever would be lost is looked for once more.
    async fn members(
        &self,
        store: &dyn Teams,
        team: u64,
        path: &str,
    ) -> Result<BTreeSet<u64>, GitHubFault> {
        let path = format!("{path}?role=all&{PAGE}");
        let ids = |list: WholeList| list.entries.into_iter().map(|entry| entry.id);
        let list = self.list(&path).await?;
        let many = list.pages > 1;
        let mut members: BTreeSet<u64> = ids(list).collect();
        if many {
            let had = store.team_members(self.source.clone(), team).await?;
            if !had.is_subset(&members) {
                members.extend(ids(self.list(&path).await?));
            }
        }
        Ok(members)
    }
}

/// What may stand in an address as one part of its path.
fn is_plain(slug: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let dots = slug.chars().all(|c| c == '.');
    !slug.is_empty() && slug.len() <= 255 && !dots && slug.chars().all(plain)
}
