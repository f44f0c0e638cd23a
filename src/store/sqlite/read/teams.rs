//! What GitHub says of teams, and whose account each is.

use super::{all, one};
use crate::sqlite::rows::{PEOPLE, PERSON, int, json, number, number_or_none, person};
use crate::{PersonRow, TeamsState};
use oam_model::name::SourceName;
use oam_policy::teams::Team;
use rusqlite::{Connection, Result, params};

pub(in super::super) fn teams(database: &Connection, source: &SourceName) -> Result<Vec<Team>> {
    all(
        database,
        "SELECT id, name FROM teams WHERE source = ?1 ORDER BY id",
        [source.as_str()],
        |row| {
            Ok(Team {
                id: number(row, 0)?,
                name: row.get(1)?,
            })
        },
    )
}

pub(in super::super) fn members(
    database: &Connection,
    source: &SourceName,
    team: u64,
) -> Result<Vec<u64>> {
    all(
        database,
        "SELECT account FROM team_members WHERE source = ?1 AND team = ?2",
        params![source.as_str(), int(team)],
        |row| number(row, 0),
    )
}

/// Whose accounts these are, of those who came here already.
pub(in super::super) fn people(
    database: &Connection,
    source: &SourceName,
    accounts: &[u64],
) -> Result<Vec<PersonRow>> {
    let sql = format!(
        "SELECT {PERSON} FROM {PEOPLE} WHERE p.source = ?1 AND p.subject <> '' AND p.key IN (
             SELECT o.key FROM json_each(?2) e CROSS JOIN accounts o
                 ON o.source = ?1 AND o.account = e.value)
         ORDER BY p.source, p.key"
    );
    all(database, &sql, (source.as_str(), json(accounts)?), person)
}

pub(in super::super) fn accounts(
    database: &Connection,
    source: &SourceName,
) -> Result<Vec<(String, u64)>> {
    all(
        database,
        "SELECT key, account FROM accounts WHERE source = ?1 ORDER BY key",
        [source.as_str()],
        |row| Ok((row.get(0)?, number(row, 1)?)),
    )
}

/// The stable key of whom an account is.
pub(in super::super) fn owner(
    database: &Connection,
    source: &SourceName,
    account: u64,
) -> Result<Option<String>> {
    one(
        database,
        "SELECT key FROM accounts WHERE source = ?1 AND account = ?2",
        params![source.as_str(), int(account)],
        |row| row.get(0),
    )
}

/// The groups of the teams that an account is in, in order.
pub(in super::super) fn groups(
    database: &Connection,
    source: &SourceName,
    account: u64,
) -> Result<Vec<String>> {
    all(
        database,
        "SELECT t.name FROM team_members m JOIN teams t ON t.source = m.source AND t.id = m.team
         WHERE m.source = ?1 AND m.account = ?2 ORDER BY t.name",
        params![source.as_str(), int(account)],
        |row| row.get(0),
    )
}

pub(in super::super) fn state(database: &Connection, source: &SourceName) -> Result<TeamsState> {
    let count = "SELECT (SELECT count(*) FROM teams WHERE source = ?1),
             (SELECT count(DISTINCT account) FROM team_members WHERE source = ?1),
             (SELECT count(*) FROM accounts WHERE source = ?1)";
    let counted = one(database, count, [source.as_str()], |row| {
        Ok(TeamsState {
            teams: number(row, 0)?,
            members: number(row, 1)?,
            accounts: number(row, 2)?,
            ..TeamsState::default()
        })
    })?;
    let reading = one(
        database,
        "SELECT read_at_ms, heard_at_ms, fault, fault_at_ms FROM team_readings WHERE source = ?1",
        [source.as_str()],
        |row| {
            let fault: Option<String> = row.get(2)?;
            Ok(TeamsState {
                read_at_ms: number_or_none(row, 0)?,
                heard_at_ms: number_or_none(row, 1)?,
                fault: fault.zip(number_or_none(row, 3)?),
                ..TeamsState::default()
            })
        },
    )?;
    let counted = counted.unwrap_or_default();
    Ok(TeamsState {
        teams: counted.teams,
        members: counted.members,
        accounts: counted.accounts,
        ..reading.unwrap_or_default()
    })
}
