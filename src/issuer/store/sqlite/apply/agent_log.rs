//! The agents' logs as far as they are held.

use super::super::rows::{int, number};
use super::{Done, Undone, run};
use crate::issuer::store::{AgentLogRow, RecordQuota, StoreFault};
use crate::rules::record;
use rusqlite::{Connection, OptionalExtension, params};

/// The log's row and the numbers of the lines, when the lines go on from what is held.
pub(super) fn check(
    database: &Connection,
    row: &AgentLogRow,
    lines: &[String],
) -> Result<(Option<i64>, Vec<i64>), Undone> {
    let held: Option<(i64, i64)> = database
        .prepare_cached(
            "SELECT id, seq FROM agent_logs WHERE source = ?1 AND key = ?2 AND log = ?3",
        )?
        .query_row((row.key.source.as_str(), &row.key.key, &row.log), |found| {
            Ok((found.get(0)?, found.get(1)?))
        })
        .optional()?;
    let held_seq = held.map_or(0, |(_, seq)| seq);
    let mut numbers = Vec::with_capacity(lines.len());
    for line in lines {
        // A line that is withheld has its place in the chain too.
        let (link, _) = record::placed(line).map_err(|_| unreadable())?;
        numbers.push(exact(link.seq)?);
    }
    exact(row.head_seq)?;
    if held_seq > exact(row.seq)? || numbers.iter().any(|seq| *seq <= held_seq) {
        return Err(Undone::Told(StoreFault::Overtaken));
    }
    Ok((held.map(|(id, _)| id), numbers))
}

/// Holds lines that were checked against what was held when they were; another batch that came first
/// makes the whole batch [`StoreFault::Overtaken`], and the caller checks again.
pub(super) fn hold(database: &Connection, row: &AgentLogRow, lines: &[String]) -> Done {
    let (held, numbers) = check(database, row, lines)?;
    run(
        database,
        "INSERT INTO agent_logs (source, key, log, seq, hash, head_seq, at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT DO UPDATE SET seq = excluded.seq, hash = excluded.hash,
             head_seq = excluded.head_seq, at_ms = excluded.at_ms",
        params![
            row.key.source.as_str(),
            row.key.key,
            row.log,
            int(row.seq),
            row.hash,
            int(row.head_seq),
            int(row.at_ms),
        ],
    )?;
    let log = held.unwrap_or_else(|| database.last_insert_rowid());
    for (seq, line) in numbers.into_iter().zip(lines) {
        run(
            database,
            "INSERT INTO agent_records (log, seq, arrived_at_ms, line) VALUES (?1, ?2, ?3, ?4)",
            params![log, seq, int(row.at_ms), line],
        )?;
    }
    Ok(())
}

/// Whether the day's share holds this batch too.
pub(super) fn within_quota(database: &Connection, quota: &RecordQuota) -> Done {
    let used: Option<(u64, u64)> = database
        .prepare_cached(
            "SELECT records, bytes FROM record_quotas WHERE source = ?1 AND key = ?2 AND day = ?3",
        )?
        .query_row(
            params![quota.key.source.as_str(), quota.key.key, int(quota.day)],
            |row| Ok((number(row, 0)?, number(row, 1)?)),
        )
        .optional()?;
    let (records, bytes) = used.unwrap_or((0, 0));
    let fits = records.saturating_add(quota.records) <= quota.most_records
        && bytes.saturating_add(quota.bytes) <= quota.most_bytes;
    if fits {
        Ok(())
    } else {
        Err(Undone::Told(StoreFault::Exhausted))
    }
}

/// Counts this batch.
pub(super) fn count(database: &Connection, quota: &RecordQuota) -> Done {
    run(
        database,
        "INSERT INTO record_quotas (source, key, day, records, bytes) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO UPDATE SET day = excluded.day,
             records = iif(day = excluded.day, records, 0) + excluded.records,
             bytes = iif(day = excluded.day, bytes, 0) + excluded.bytes",
        params![
            quota.key.source.as_str(),
            quota.key.key,
            int(quota.day),
            int(quota.records),
            int(quota.bytes),
        ],
    )
}

/// A number that is a place in a log: one beyond the database's range would be another place than it says.
fn exact(seq: u64) -> Result<i64, Undone> {
    i64::try_from(seq).map_err(|_| Undone::Told(StoreFault::Invalid("its number is too large")))
}

fn unreadable() -> Undone {
    Undone::Told(StoreFault::Invalid("a line of it is not a record"))
}
