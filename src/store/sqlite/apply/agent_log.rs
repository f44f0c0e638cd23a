//! The agents' logs as far as they are held.

use super::super::rows::{int, number};
use super::{ApplyError, Done, run};
use crate::agent_log::DayUse;
use crate::{AgentLogRow, RecordQuota};
use oam_model::principal::PrincipalKey;
use rusqlite::{Connection, OptionalExtension, Result, params};

/// The log's row and the numbers of the lines, when the lines go on from what is held.
pub(super) fn check(
    database: &Connection,
    row: &AgentLogRow,
    lines: &[String],
) -> std::result::Result<(Option<i64>, Vec<u64>), ApplyError> {
    let held: Option<(i64, u64)> = database
        .prepare_cached(
            "SELECT id, seq FROM agent_logs WHERE source = ?1 AND key = ?2 AND log = ?3",
        )?
        .query_row((row.key.source.as_str(), &row.key.key, &row.log), |found| {
            Ok((found.get(0)?, number(found, 1)?))
        })
        .optional()?;
    let numbers = row.numbers(held.map_or(0, |(_, seq)| seq), lines)?;
    Ok((held.map(|(id, _)| id), numbers))
}

/// Holds lines that were checked against what was held when they were; another batch that came first
/// makes the whole batch overtaken, and the caller checks again.
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
            // Never a number that was dropped: what is deleted by number would be deleted with it.
            "INSERT INTO agent_records (arrival, log, seq, arrived_at_ms, line) VALUES (1 + max(
                 ifnull((SELECT max(arrival) FROM agent_records), 0),
                 ifnull((SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'records_pruned'), 0)),
                 ?1, ?2, ?3, ?4)",
            params![log, int(seq), int(row.at_ms), line],
        )?;
    }
    Ok(())
}

fn used(database: &Connection, key: &PrincipalKey) -> Result<Option<DayUse>> {
    database
        .prepare_cached(
            "SELECT day, records, bytes FROM record_quotas WHERE source = ?1 AND key = ?2",
        )?
        .query_row((key.source.as_str(), &key.key), |row| {
            Ok(DayUse {
                day: number(row, 0)?,
                records: number(row, 1)?,
                bytes: number(row, 2)?,
            })
        })
        .optional()
}

/// Whether the day's share holds this batch too.
pub(super) fn within_quota(database: &Connection, quota: &RecordQuota) -> Done {
    quota.counted(used(database, &quota.key)?)?;
    Ok(())
}

/// Counts this batch.
pub(super) fn count(database: &Connection, quota: &RecordQuota) -> Done {
    let after = quota.counted(used(database, &quota.key)?)?;
    run(
        database,
        "INSERT OR REPLACE INTO record_quotas (source, key, day, records, bytes)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            quota.key.source.as_str(),
            quota.key.key,
            int(after.day),
            int(after.records),
            int(after.bytes),
        ],
    )
}
