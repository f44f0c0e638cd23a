//! What may be forgotten: tokens that expired a day ago, signals that can't be replayed any more,
//! events of the feed that are older than a week, and doubts about people who never came.

use super::prune;
use super::rows::int;
use rusqlite::{Connection, OptionalExtension, params};

const DAY_MS: u64 = 86_400_000;

/// Expired tokens are kept this long, so that an introspection can still say whose it was. One that is
/// kept sealed stays until its hub was told, or it has expired there too.
const TOKENS_MS: u64 = DAY_MS;

/// An agent that was away longer reads its roles anew.
const FEED_MS: u64 = 7 * DAY_MS;

/// A doubt asks for a newer token: a provider's token that is older than this is over anyway.
const DOUBTS_MS: u64 = 30 * DAY_MS;

/// Rows of each kind deleted at once: a commit that waits meanwhile waits milliseconds.
const CHUNK: i64 = 1_000;

/// Forgets some; tells whether there is more. Runs inside a transaction.
pub(super) fn some(database: &Connection, now_ms: u64) -> rusqlite::Result<bool> {
    let tokens = database
        .prepare_cached(
            "DELETE FROM tokens WHERE rowid IN
                 (SELECT rowid FROM tokens WHERE expires_at_s < ?1 AND sealed IS NULL
                  ORDER BY expires_at_s LIMIT ?2)",
        )?
        .execute(params![int(now_ms.saturating_sub(TOKENS_MS) / 1000), CHUNK])?;
    let once = database
        .prepare_cached(
            "DELETE FROM once WHERE (transmitter, id) IN
                 (SELECT transmitter, id FROM once WHERE until_ms < ?1 ORDER BY until_ms LIMIT ?2)",
        )?
        .execute(params![int(now_ms), CHUNK])?;
    let doubts = database
        .prepare_cached(
            "DELETE FROM unmatched WHERE (source, issuer, subject, email, key, session) IN
                 (SELECT source, issuer, subject, email, key, session FROM unmatched
                  WHERE account_at_ms IS NULL AND account_restored_at_ms IS NULL
                      AND session_at_ms IS NULL AND doubt_at_ms < ?1
                  ORDER BY doubt_at_ms LIMIT ?2)",
        )?
        .execute(params![int(now_ms.saturating_sub(DOUBTS_MS)), CHUNK])?;
    let feed = feed(database, now_ms)?;
    let pruned = prune::go_on(database)?;
    let full = |count: usize| i64::try_from(count).is_ok_and(|count| count >= CHUNK);
    Ok(full(tokens) || full(once) || full(doubts) || full(feed) || pruned)
}

/// Only a beginning of the feed is dropped, so that one number says what is gone.
fn feed(database: &Connection, now_ms: u64) -> rusqlite::Result<usize> {
    let kept: Option<i64> = database
        .prepare_cached("SELECT seq FROM feed WHERE at_ms >= ?1 ORDER BY seq LIMIT 1")?
        .query_row([int(now_ms.saturating_sub(FEED_MS))], |row| row.get(0))
        .optional()?;
    let last: Option<i64> = database
        .prepare_cached(
            "SELECT max(seq) FROM (SELECT seq FROM feed WHERE seq < ?1 ORDER BY seq LIMIT ?2)",
        )?
        .query_row(params![kept.unwrap_or(i64::MAX), CHUNK], |row| row.get(0))?;
    let Some(last) = last else { return Ok(0) };
    database
        .prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES ('feed_pruned', ?1)")?
        .execute([last.to_string()])?;
    database
        .prepare_cached("DELETE FROM feed WHERE seq <= ?1")?
        .execute([last])
}
