//! People as they are seen, and their groups and roles.

use super::super::rows::{claimant, int, json, number_or_none};
use super::{Done, Undone, run};
use crate::issuer::store::PersonSeen;
use crate::model::claimant::ClaimantKey;
use crate::model::name::RoleName;
use rusqlite::{Connection, OptionalExtension, Result, params};

/// How many sessions of a person are remembered, to match a logout.
const SESSIONS: i64 = 16;

/// The epoch of a claimant; of one who was never seen it is 0.
pub(super) fn epoch(database: &Connection, key: &ClaimantKey) -> Result<u64> {
    let epoch: Option<i64> = database
        .prepare_cached("SELECT epoch FROM people WHERE source = ?1 AND key = ?2")?
        .query_row((key.source.as_str(), &key.key), |row| row.get(0))
        .optional()?;
    Ok(u64::try_from(epoch.unwrap_or(0)).unwrap_or(0))
}

/// What is kept of a person that a new sight of them is compared with.
struct Before {
    id: i64,
    session: Option<String>,
    proven_at: u64,
    groups_changed_at_ms: Option<u64>,
}

fn before(database: &Connection, key: &ClaimantKey) -> Result<Option<Before>> {
    database
        .prepare_cached(
            "SELECT id, session, proven_at_s, groups_changed_at_ms FROM people WHERE source = ?1 AND key = ?2",
        )?
        .query_row((key.source.as_str(), &key.key), |row| {
            Ok(Before {
                id: row.get(0)?,
                session: row.get(1)?,
                proven_at: number_or_none(row, 2)?.unwrap_or(0),
                groups_changed_at_ms: number_or_none(row, 3)?,
            })
        })
        .optional()
}

/// A person was seen. Older evidence than what is kept changes nothing but the time of the last sight
/// and the sessions; groups of a later signal stay until evidence that is later than it.
pub(super) fn seen(database: &Connection, seen: &PersonSeen) -> Done {
    let groups = seen.groups.as_deref().map(json).transpose()?;
    let Some(before) = before(database, &seen.key)? else {
        run(
            database,
            "INSERT INTO people (source, key, issuer, subject, username, email, groups, session,
                 proven_at_s, seen_at_ms, claimant)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            params![
                seen.key.source.as_str(),
                seen.key.key,
                seen.issuer,
                seen.subject,
                seen.username,
                seen.email,
                groups,
                seen.session,
                int(seen.proven_at),
                int(seen.at_ms),
                claimant(&seen.key),
            ],
        )?;
        return session(database, database.last_insert_rowid(), seen);
    };
    if seen.session != before.session {
        session(database, before.id, seen)?;
    }
    if seen.proven_at < before.proven_at {
        return run(
            database,
            "UPDATE people SET seen_at_ms = max(seen_at_ms, ?2) WHERE id = ?1",
            params![before.id, int(seen.at_ms)],
        );
    }
    let later = before
        .groups_changed_at_ms
        .is_none_or(|changed| seen.proven_at.saturating_mul(1000) > changed);
    run(
        database,
        "UPDATE people SET issuer = ?2, subject = ?3, username = ?4, email = ?5, session = ?6,
             proven_at_s = ?7, seen_at_ms = max(seen_at_ms, ?8),
             groups = CASE WHEN ?9 THEN ?10 ELSE groups END,
             groups_changed_at_ms = CASE WHEN ?9 THEN NULL ELSE groups_changed_at_ms END
         WHERE id = ?1",
        params![
            before.id,
            seen.issuer,
            seen.subject,
            seen.username,
            seen.email,
            seen.session,
            int(seen.proven_at),
            int(seen.at_ms),
            later,
            groups,
        ],
    )
}

/// Remembers a session, the newest last, and forgets the oldest beyond [`SESSIONS`].
fn session(database: &Connection, person: i64, seen: &PersonSeen) -> Done {
    let Some(sid) = seen.session.as_deref() else {
        return Ok(());
    };
    run(
        database,
        "INSERT INTO sessions (person, sid, number, first_s)
         VALUES (?1, ?2, 1 + ifnull((SELECT max(number) FROM sessions WHERE person = ?1), 0), ?3)
         ON CONFLICT DO UPDATE SET number = excluded.number, first_s = min(first_s, excluded.first_s)",
        params![person, sid, int(seen.proven_at)],
    )?;
    let count: i64 = database
        .prepare_cached("SELECT count(*) FROM sessions WHERE person = ?1")?
        .query_row([person], |row| row.get(0))?;
    if count <= SESSIONS {
        return Ok(());
    }
    run(
        database,
        "DELETE FROM sessions WHERE person = ?1 AND sid NOT IN
             (SELECT sid FROM sessions WHERE person = ?1 ORDER BY number DESC LIMIT ?2)",
        params![person, SESSIONS],
    )
}

/// Makes sure that there is a row: somebody may be ended before they were ever seen, and must find
/// that when they come.
pub(super) fn known(database: &Connection, key: &ClaimantKey, at_ms: u64) -> Done {
    run(
        database,
        "INSERT OR IGNORE INTO people (source, key, issuer, subject, proven_at_s, seen_at_ms, claimant)
         VALUES (?1, ?2, '', '', 0, ?3, ?4)",
        params![key.source.as_str(), key.key, int(at_ms), claimant(key)],
    )
}

/// The groups and roles are others. No groups: they are unknown from now on. An older signal that arrives
/// late does not take back the groups of a younger one: whether it counted.
pub(super) fn roles_changed(
    database: &Connection,
    key: &ClaimantKey,
    groups: Option<&[String]>,
    held: &[RoleName],
    at_ms: u64,
) -> Result<bool, Undone> {
    known(database, key, at_ms)?;
    let groups = groups.map(json).transpose()?;
    let mut update = database.prepare_cached(
        "UPDATE people SET groups = ?3, held = ?4, groups_changed_at_ms = ?5
         WHERE source = ?1 AND key = ?2 AND ifnull(groups_changed_at_ms, 0) <= ?5",
    )?;
    let updated = update.execute(params![
        key.source.as_str(),
        key.key,
        groups,
        json(held)?,
        int(at_ms)
    ])?;
    Ok(updated > 0)
}

/// Something ended: a token that was decided before and is committed after this is refused.
pub(super) fn overtake(database: &Connection, key: &ClaimantKey) -> Done {
    run(
        database,
        "UPDATE people SET epoch = epoch + 1 WHERE source = ?1 AND key = ?2",
        (key.source.as_str(), &key.key),
    )
}

/// Only the roles are others.
pub(super) fn held(
    database: &Connection,
    key: &ClaimantKey,
    held: &[RoleName],
    at_ms: u64,
) -> Done {
    known(database, key, at_ms)?;
    run(
        database,
        "UPDATE people SET held = ?3 WHERE source = ?1 AND key = ?2",
        params![key.source.as_str(), key.key, json(held)?],
    )
}
