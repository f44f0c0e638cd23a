//! What GitHub says of teams, in memory.

use super::{MemoryStore, Rows};
use crate::{BoxFuture, PersonRow, StoreChange, StoreFault, Teams, TeamsState};
use oam_model::name::SourceName;
use oam_model::principal::PrincipalKey;
use oam_policy::teams::{Team, TeamEvidence};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Default)]
pub(super) struct TeamRows {
    names: BTreeMap<(SourceName, u64), String>,
    /// Source, team, account.
    members: BTreeSet<(SourceName, u64, u64)>,
    accounts: BTreeMap<PrincipalKey, u64>,
    readings: BTreeMap<SourceName, TeamsState>,
}

impl TeamRows {
    fn owner(&self, source: &SourceName, account: u64) -> Option<&PrincipalKey> {
        let mut accounts = self.accounts.iter();
        let found = accounts.find(|(key, one)| key.source == *source && **one == account);
        found.map(|(key, _)| key)
    }

    fn read(&mut self, source: &SourceName, fault: Option<&String>, at_ms: u64) {
        let reading = self.readings.entry(source.clone()).or_default();
        if let Some(why) = fault {
            let since = reading.fault.as_ref().map_or(at_ms, |(_, since)| *since);
            reading.fault = Some((why.clone(), since));
        } else {
            reading.read_at_ms = Some(at_ms);
            reading.fault = None;
        }
    }

    fn groups(&self, source: &SourceName, account: u64) -> Vec<String> {
        let teams = self.members.iter();
        let own = teams.filter(|(of, _, one)| of == source && *one == account);
        let names = own.filter_map(|(of, team, _)| self.names.get(&(of.clone(), *team)));
        let mut groups: Vec<String> = names.cloned().collect();
        groups.sort();
        groups
    }

    /// What is said of a person.
    pub(super) fn evidence(&self, key: &PrincipalKey) -> Option<TeamEvidence> {
        let account = *self.accounts.get(key)?;
        let reading = self.readings.get(&key.source);
        Some(TeamEvidence {
            account,
            groups: self.groups(&key.source, account),
            at_ms: reading.and_then(|one| one.read_at_ms).unwrap_or(0),
        })
    }
}

impl Rows {
    pub(super) fn change_teams(&mut self, change: &StoreChange) -> Result<(), StoreFault> {
        let rows = &mut self.teams;
        match change {
            StoreChange::PutTeam {
                source,
                team,
                added,
                removed,
            } => {
                let (of, id) = (|| source.clone(), team.id);
                rows.names.insert((of(), id), team.name.clone());
                rows.members
                    .extend(added.iter().map(|account| (of(), id, *account)));
                for account in removed {
                    rows.members.remove(&(of(), id, *account));
                }
            }
            StoreChange::DropTeam { source, id } => {
                rows.names.remove(&(source.clone(), *id));
                rows.members
                    .retain(|(of, team, _)| of != source || team != id);
            }
            StoreChange::Account { key, account: None } => {
                rows.accounts.remove(key);
            }
            StoreChange::Account {
                key,
                account: Some(account),
            } => {
                if rows
                    .owner(&key.source, *account)
                    .is_some_and(|owner| owner != key)
                {
                    return Err(StoreFault::Taken);
                }
                rows.accounts.insert(key.clone(), *account);
                let kept = self.person(key);
                if let Some(row) = PersonRow::with_account(kept.as_ref(), key) {
                    self.put_person(row);
                }
            }
            StoreChange::TeamsRead {
                source,
                fault,
                at_ms,
            } => rows.read(source, fault.as_ref(), *at_ms),
            StoreChange::TeamsHeard { source, at_ms } => {
                let reading = rows.readings.entry(source.clone()).or_default();
                reading.heard_at_ms = reading.heard_at_ms.max(Some(*at_ms));
            }
            StoreChange::ForgetTeams(source) => {
                rows.names.retain(|(of, _), _| of != source);
                rows.members.retain(|(of, _, _)| of != source);
                rows.accounts.retain(|key, _| key.source != *source);
                rows.readings.remove(source);
            }
            _ => {}
        }
        Ok(())
    }
}

impl Teams for MemoryStore {
    fn teams(&self, source: SourceName) -> BoxFuture<'_, Vec<Team>> {
        self.read(|rows| {
            let names = rows.teams.names.iter();
            let own = names.filter(|((of, _), _)| *of == source);
            own.map(|((_, id), name)| Team {
                id: *id,
                name: name.clone(),
            })
            .collect()
        })
    }

    fn team_members(&self, source: SourceName, team: u64) -> BoxFuture<'_, BTreeSet<u64>> {
        self.read(|rows| {
            let members = rows.teams.members.iter();
            let own = members.filter(|(of, id, _)| *of == source && *id == team);
            own.map(|(_, _, account)| *account).collect()
        })
    }

    fn team_people(&self, source: SourceName, accounts: Vec<u64>) -> BoxFuture<'_, Vec<PersonRow>> {
        self.read(|rows| {
            let owners = rows.teams.accounts.iter();
            let meant = owners.filter(|(key, one)| key.source == source && accounts.contains(one));
            let known = meant.filter_map(|(key, _)| rows.person(key));
            known.filter(|row| !row.is_never_seen()).collect()
        })
    }

    fn accounts(&self, source: SourceName) -> BoxFuture<'_, Vec<(String, u64)>> {
        self.read(|rows| {
            let accounts = rows.teams.accounts.iter();
            let own = accounts.filter(|(key, _)| key.source == source);
            own.map(|(key, account)| (key.key.clone(), *account))
                .collect()
        })
    }

    fn account_owner(&self, source: SourceName, account: u64) -> BoxFuture<'_, Option<String>> {
        self.read(|rows| {
            let owner = rows.teams.owner(&source, account);
            owner.map(|key| key.key.clone())
        })
    }

    fn account_teams(&self, source: SourceName, account: u64) -> BoxFuture<'_, Vec<String>> {
        self.read(|rows| rows.teams.groups(&source, account))
    }

    fn teams_state(&self, source: SourceName) -> BoxFuture<'_, TeamsState> {
        self.read(|rows| {
            let rows = &rows.teams;
            let members = rows.members.iter().filter(|(of, _, _)| *of == source);
            let members: BTreeSet<u64> = members.map(|(_, _, account)| *account).collect();
            let own = |key: &&PrincipalKey| key.source == source;
            TeamsState {
                teams: rows.names.keys().filter(|(of, _)| *of == source).count() as u64,
                members: members.len() as u64,
                accounts: rows.accounts.keys().filter(own).count() as u64,
                ..rows.readings.get(&source).cloned().unwrap_or_default()
            }
        })
    }
}
