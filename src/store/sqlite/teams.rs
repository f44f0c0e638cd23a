//! [`Teams`] in `SQLite`.

use super::SqliteStore;
use super::read::teams as read;
use super::reader::Kind;
use crate::{BoxFuture, PersonRow, Teams, TeamsState};
use oam_model::name::SourceName;
use oam_policy::teams::Team;
use std::collections::BTreeSet;

impl Teams for SqliteStore {
    fn teams(&self, source: SourceName) -> BoxFuture<'_, Vec<Team>> {
        self.read(Kind::Search, move |database, _| {
            read::teams(database, &source)
        })
    }

    fn team_members(&self, source: SourceName, team: u64) -> BoxFuture<'_, BTreeSet<u64>> {
        self.read(Kind::Search, move |database, _| {
            let members = read::members(database, &source, team)?;
            Ok(members.into_iter().collect())
        })
    }

    fn team_people(&self, source: SourceName, accounts: Vec<u64>) -> BoxFuture<'_, Vec<PersonRow>> {
        self.read(Kind::Search, move |database, _| {
            read::people(database, &source, &accounts)
        })
    }

    fn accounts(&self, source: SourceName) -> BoxFuture<'_, Vec<(String, u64)>> {
        self.read(Kind::Search, move |database, _| {
            read::accounts(database, &source)
        })
    }

    fn account_owner(&self, source: SourceName, account: u64) -> BoxFuture<'_, Option<String>> {
        self.read(Kind::Key, move |database, _| {
            read::owner(database, &source, account)
        })
    }

    fn account_teams(&self, source: SourceName, account: u64) -> BoxFuture<'_, Vec<String>> {
        self.read(Kind::Key, move |database, _| {
            read::groups(database, &source, account)
        })
    }

    fn teams_state(&self, source: SourceName) -> BoxFuture<'_, TeamsState> {
        self.read(Kind::Search, move |database, _| {
            read::state(database, &source)
        })
    }
}
