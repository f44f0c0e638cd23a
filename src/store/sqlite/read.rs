//! Questions with short answers, each by an index.

pub(super) mod audit;
pub(super) mod directory;
pub(super) mod people;
pub(super) mod teams;

use super::generation::DbGeneration;
use super::rows::{self, AGENT_LOG, TOKEN, int, key, owner_columns};
use crate::{AgentLogRow, Cursor, FeedOfAll, FeedPage, KeyRow, SecretOwner, SecretRow, TokenRow};
use oam_audit::history::History;
use oam_audit::record::{self, KnownEntry};
use oam_model::principal::PrincipalKey;
use rusqlite::{Connection, OptionalExtension, Result, Row, params};

/// All rows of a statement.
fn all<T>(
    database: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
    row: impl FnMut(&Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    database
        .prepare_cached(sql)?
        .query_map(params, row)?
        .collect()
}

/// The row of a statement, if there is one.
fn one<T>(
    database: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
    row: impl FnOnce(&Row<'_>) -> Result<T>,
) -> Result<Option<T>> {
    database
        .prepare_cached(sql)?
        .query_row(params, row)
        .optional()
}

fn meta(database: &Connection, name: &str) -> Result<Option<String>> {
    one(
        database,
        "SELECT value FROM meta WHERE name = ?1",
        [name],
        |row| row.get(0),
    )
}

/// Whether this id was taken once.
pub(super) fn is_taken(database: &Connection, transmitter: &str, id: &str) -> Result<bool> {
    let sql = "SELECT 1 FROM once WHERE transmitter = ?1 AND id = ?2";
    let taken: Option<i64> = one(database, sql, (transmitter, id), |row| row.get(0))?;
    Ok(taken.is_some())
}

pub(super) fn token(database: &Connection, sha256: &str) -> Result<Option<TokenRow>> {
    let sql = format!("SELECT {TOKEN} FROM tokens WHERE hash = ?1 AND sha256 = ?2");
    one(
        database,
        &sql,
        params![rows::short(&[sha256]), sha256],
        rows::token,
    )
}

pub(super) fn live_tokens(
    database: &Connection,
    principal: &PrincipalKey,
    now_s: u64,
) -> Result<Vec<TokenRow>> {
    let live = "revoked_at_ms IS NULL AND expires_at_s > ?3";
    tokens_of(database, principal, live, now_s)
}

pub(super) fn outstanding_tokens(
    database: &Connection,
    principal: &PrincipalKey,
    now_s: u64,
) -> Result<Vec<TokenRow>> {
    let over = "sealed IS NOT NULL AND (revoked_at_ms IS NOT NULL OR expires_at_s <= ?3)";
    tokens_of(database, principal, over, now_s)
}

fn tokens_of(
    database: &Connection,
    principal: &PrincipalKey,
    condition: &str,
    now_s: u64,
) -> Result<Vec<TokenRow>> {
    let sql = format!(
        "SELECT {TOKEN} FROM tokens
         WHERE claimant = ?4 AND source = ?1 AND key = ?2 AND {condition}
         ORDER BY expires_at_s, sha256"
    );
    all(
        database,
        &sql,
        params![
            principal.source.as_str(),
            principal.key,
            int(now_s),
            rows::principal_hash(principal)
        ],
        rows::token,
    )
}

pub(super) fn due_at_hubs(
    database: &Connection,
    now_s: u64,
    revoked_until_ms: u64,
    limit: usize,
) -> Result<Vec<TokenRow>> {
    // Of each hub some: one that does not answer must not keep the others waiting.
    let sql = format!(
        "SELECT {TOKEN} FROM (
             SELECT *, row_number() OVER (PARTITION BY hub
                 ORDER BY revoked_at_ms IS NULL, revoked_at_ms, expires_at_s, sha256) AS place
             FROM tokens
             WHERE sealed IS NOT NULL AND (revoked_at_ms <= ?2
                 OR (revoked_at_ms IS NULL AND expires_at_s <= ?1)))
         WHERE place <= ?3 ORDER BY place, hub"
    );
    let values = params![int(now_s), int(revoked_until_ms), limited(limit)];
    all(database, &sql, values, rows::token)
}

/// The feed of one subject, of one moment.
pub(super) fn feed(
    database: &Connection,
    place: &DbGeneration,
    subject: &PrincipalKey,
    after: Option<&Cursor>,
) -> Result<FeedPage> {
    let moment = database.unchecked_transaction()?;
    let head = one(
        &moment,
        "SELECT seq FROM sqlite_sequence WHERE name = 'feed'",
        [],
        |row| rows::number(row, 0),
    )?
    .unwrap_or(0);
    let pruned: u64 = meta(&moment, "feed_pruned")?
        .and_then(|seq| seq.parse().ok())
        .unwrap_or(0);
    let mut page = FeedPage {
        reset: false,
        events: Vec::new(),
        head: Cursor {
            generation: place.generation.to_string(),
            seq: head,
        },
    };
    let Some(after) = after else { return Ok(page) };
    if *after.generation != *place.generation || after.seq > head || after.seq < pruned {
        page.reset = true;
        return Ok(page);
    }
    page.events = all(
        &moment,
        "SELECT seq, event FROM feed WHERE source = ?1 AND key = ?2 AND seq > ?3 ORDER BY seq",
        params![subject.source.as_str(), subject.key, int(after.seq)],
        |row| Ok((rows::number(row, 0)?, rows::parsed(row, 1)?)),
    )?;
    Ok(page)
}

/// The feed of all subjects.
pub(super) fn feed_of_all(
    database: &Connection,
    place: &DbGeneration,
    after: u64,
    limit: usize,
) -> Result<FeedOfAll> {
    let events = all(
        database,
        "SELECT seq, source, key, event FROM feed WHERE seq > ?1 ORDER BY seq LIMIT ?2",
        params![int(after), limited(limit)],
        |row| Ok((rows::number(row, 0)?, key(row, 1)?, rows::parsed(row, 3)?)),
    )?;
    Ok(FeedOfAll {
        generation: place.generation.to_string(),
        events,
    })
}

/// A limit as the database takes it.
fn limited(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

pub(super) fn stream_verified(database: &Connection, transmitter: &str) -> Result<Option<u64>> {
    one(
        database,
        "SELECT verified_at_ms FROM streams WHERE transmitter = ?1",
        [transmitter],
        |row| rows::number(row, 0),
    )
}

pub(super) fn agent_log(
    database: &Connection,
    principal: &PrincipalKey,
    log: &str,
) -> Result<Option<AgentLogRow>> {
    one(
        database,
        &format!("SELECT {AGENT_LOG} FROM agent_logs WHERE source = ?1 AND key = ?2 AND log = ?3"),
        (principal.source.as_str(), &principal.key, log),
        rows::agent_log,
    )
}

pub(super) fn agent_logs(
    database: &Connection,
    after: u64,
    limit: usize,
) -> Result<Vec<(u64, AgentLogRow)>> {
    all(
        database,
        &format!("SELECT {AGENT_LOG}, id FROM agent_logs WHERE id > ?1 ORDER BY id LIMIT ?2"),
        params![int(after), limited(limit)],
        |row| Ok((rows::number(row, 9)?, rows::agent_log(row)?)),
    )
}

pub(super) fn agent_logs_of(database: &Connection, principal: &PrincipalKey) -> Result<u64> {
    let count = one(
        database,
        "SELECT count(*) FROM agent_logs WHERE source = ?1 AND key = ?2",
        (principal.source.as_str(), &principal.key),
        |row| rows::number(row, 0),
    )?;
    Ok(count.unwrap_or(0))
}

/// Who sent a log first.
pub(super) fn agent_log_owner(database: &Connection, log: &str) -> Result<Option<PrincipalKey>> {
    one(
        database,
        "SELECT source, key FROM agent_logs WHERE log = ?1 ORDER BY id LIMIT 1",
        [log],
        |row| key(row, 0),
    )
}

pub(super) fn agent_record(
    database: &Connection,
    principal: &PrincipalKey,
    log: &str,
    seq: u64,
) -> Result<Option<String>> {
    one(
        database,
        "SELECT r.line FROM agent_records r JOIN agent_logs l ON l.id = r.log
         WHERE l.source = ?1 AND l.key = ?2 AND l.log = ?3 AND r.seq = ?4",
        params![principal.source.as_str(), principal.key, log, int(seq)],
        |row| row.get(0),
    )
}

pub(super) fn agent_records(
    database: &Connection,
    after: u64,
    limit: usize,
) -> Result<Vec<(u64, PrincipalKey, String, String)>> {
    all(
        database,
        "SELECT r.arrival, l.source, l.key, l.log, r.line FROM agent_records r
         JOIN agent_logs l ON l.id = r.log WHERE r.arrival > ?1 ORDER BY r.arrival LIMIT ?2",
        params![int(after), limited(limit)],
        |row| {
            Ok((
                rows::number(row, 0)?,
                key(row, 1)?,
                row.get(3)?,
                row.get(4)?,
            ))
        },
    )
}

pub(super) fn keys(database: &Connection) -> Result<Vec<KeyRow>> {
    all(
        database,
        "SELECT kid, algorithm, sealed, public, made_at_ms, signs_from_ms, gone_at_ms FROM keys
         ORDER BY signs_from_ms, kid",
        [],
        rows::signing_key,
    )
}

pub(super) fn secrets(database: &Connection, owner: &SecretOwner) -> Result<Vec<SecretRow>> {
    let (kind, owner) = owner_columns(owner);
    all(
        database,
        "SELECT kind, owner, number, value, hub, made_at_ms, until_ms FROM secrets
         WHERE kind = ?1 AND owner = ?2 ORDER BY number DESC",
        (kind, owner),
        rows::secret,
    )
}

pub(super) fn secret_owners(database: &Connection) -> Result<Vec<SecretOwner>> {
    all(
        database,
        "SELECT DISTINCT kind, owner FROM secrets ORDER BY kind DESC, owner",
        [],
        rows::owner,
    )
}

pub(super) fn policy_digest(database: &Connection) -> Result<Option<String>> {
    meta(database, "policy_digest")
}

/// How often the database was restored, and where its log ends.
pub(super) fn history(database: &Connection) -> Result<History> {
    let restored = meta(database, "restored_at")?.unwrap_or_default();
    let last = one(
        database,
        "SELECT seq, line FROM audit ORDER BY seq DESC LIMIT 1",
        [],
        |row| Ok((rows::number(row, 0)?, row.get::<_, String>(1)?)),
    )?;
    Ok(History {
        restored_at: serde_json::from_str(&restored).unwrap_or_default(),
        last: last.map(|(seq, line)| KnownEntry {
            seq,
            hash: hash_of(&line),
        }),
        marked: meta(database, "marked")?.is_some(),
    })
}

/// The hash of an audit entry.
pub(super) fn audit_hash(database: &Connection, seq: u64) -> Result<Option<String>> {
    let line: Option<String> = one(
        database,
        "SELECT line FROM audit WHERE seq = ?1",
        [int(seq)],
        |row| row.get(0),
    )?;
    Ok(line.map(|line| hash_of(&line)))
}

/// One that is not as it was written has no hash that anybody knows.
fn hash_of(line: &str) -> String {
    record::link(line).map_or_else(|_| String::new(), |link| link.hash)
}
