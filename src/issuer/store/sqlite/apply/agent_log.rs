//! The agents' logs as far as they are held.

use super::super::rows::int;
use super::{Done, Undone, run};
use crate::issuer::store::{AgentLogRow, StoreFault};
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
        numbers.push(int(link.seq));
    }
    if held_seq > int(row.seq) || numbers.iter().any(|seq| *seq <= held_seq) {
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

fn unreadable() -> Undone {
    Undone::Told(StoreFault::Unavailable(
        "a line of an agent's log is not an entry: it must be checked before it is held".to_owned(),
    ))
}
