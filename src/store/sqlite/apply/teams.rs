//! What GitHub says of teams, as it is written.

use super::super::read::people::by_key;
use super::super::read::teams::owner;
use super::super::rows::{int, json};
use super::{ApplyError, Done, people, run};
use crate::{PersonRow, StoreChange, StoreFault};
use oam_model::name::SourceName;
use oam_model::principal::PrincipalKey;
use oam_policy::teams::Team;
use rusqlite::{Connection, params};

/// Carries it out.
pub(super) fn change(database: &Connection, change: &StoreChange) -> Done {
    match change {
        StoreChange::PutTeam {
            source,
            team,
            added,
            removed,
        } => put(database, source, team, (added, removed)),
        StoreChange::DropTeam { source, id } => {
            for sql in [
                "DELETE FROM team_members WHERE source = ?1 AND team = ?2",
                "DELETE FROM teams WHERE source = ?1 AND id = ?2",
            ] {
                run(database, sql, params![source.as_str(), int(*id)])?;
            }
            Ok(())
        }
        StoreChange::Account { key, account } => link(database, key, *account),
        StoreChange::TeamsRead {
            source,
            fault: None,
            at_ms,
        } => run(
            database,
            "INSERT INTO team_readings (source, read_at_ms) VALUES (?1, ?2)
             ON CONFLICT DO UPDATE SET read_at_ms = ?2, fault = NULL, fault_at_ms = NULL",
            params![source.as_str(), int(*at_ms)],
        ),
        StoreChange::TeamsRead {
            source,
            fault: Some(why),
            at_ms,
        } => run(
            database,
            "INSERT INTO team_readings (source, fault, fault_at_ms) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET fault = ?2, fault_at_ms = ifnull(fault_at_ms, ?3)",
            params![source.as_str(), why, int(*at_ms)],
        ),
        StoreChange::TeamsHeard { source, at_ms } => run(
            database,
            "INSERT INTO team_readings (source, heard_at_ms) VALUES (?1, ?2)
             ON CONFLICT DO UPDATE SET heard_at_ms = max(ifnull(heard_at_ms, 0), ?2)",
            params![source.as_str(), int(*at_ms)],
        ),
        StoreChange::ForgetTeams(source) => {
            for table in ["team_members", "teams", "accounts", "team_readings"] {
                let sql = format!("DELETE FROM {table} WHERE source = ?1");
                run(database, &sql, [source.as_str()])?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn put(
    database: &Connection,
    source: &SourceName,
    team: &Team,
    (added, removed): (&[u64], &[u64]),
) -> Done {
    let source = source.as_str();
    run(
        database,
        "INSERT INTO teams (source, id, name) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET name = ?3",
        params![source, int(team.id), team.name],
    )?;
    run(
        database,
        "INSERT OR IGNORE INTO team_members (source, account, team)
             SELECT ?1, value, ?2 FROM json_each(?3)",
        params![source, int(team.id), json(added)?],
    )?;
    run(
        database,
        "DELETE FROM team_members WHERE source = ?1 AND team = ?2
             AND account IN (SELECT value FROM json_each(?3))",
        params![source, int(team.id), json(removed)?],
    )
}

fn link(database: &Connection, key: &PrincipalKey, account: Option<u64>) -> Done {
    let Some(account) = account else {
        return run(
            database,
            "DELETE FROM accounts WHERE source = ?1 AND key = ?2",
            (key.source.as_str(), &key.key),
        );
    };
    if owner(database, &key.source, account)?.is_some_and(|owner| owner != key.key) {
        return Err(ApplyError::Told(StoreFault::Taken));
    }
    run(
        database,
        "INSERT INTO accounts (source, key, account) VALUES (?1, ?2, ?3)
         ON CONFLICT (source, key) DO UPDATE SET account = ?3",
        params![key.source.as_str(), key.key, int(account)],
    )?;
    match PersonRow::with_account(by_key(database, key)?.as_ref(), key) {
        Some(row) => people::put(database, &row),
        None => Ok(()),
    }
}
