//! Pages of the audit log.
//!
//! Only numbers and times have an index; the other conditions look at every line between them. An index
//! for each was measured and rejected: every entry touches a random page of every one, which doubled what a
//! token costs to commit, for questions that are asked a few times a year. Columns of their own for what is
//! asked after were rejected too: they could say something else than the line that is proven.

use super::{all, one};
use crate::filter::LineFilter;
use crate::sqlite::rows::{int, number};
use crate::{AuditFilter, AuditLine};
use rusqlite::{Connection, Result, params};

/// Lines after `after`, at most `limit`, that match.
pub(in super::super) fn page(
    database: &Connection,
    filter: &AuditFilter,
    after: u64,
    limit: usize,
) -> Result<Vec<AuditLine>> {
    let person = filter.person.as_deref();
    let keys = person.map(|text| keys(database, text)).transpose()?;
    let wanted = LineFilter::new(filter, keys.as_deref())
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    let sql = "SELECT seq, line FROM audit
         WHERE seq > ?1 AND seq <= ?2 AND +at_ms >= ?3 AND +at_ms < ?4 ORDER BY seq";
    let mut statement = database.prepare_cached(sql)?;
    let mut rows = statement.query(params![
        int(start(database, filter, after)?),
        last(database, filter)?.unwrap_or(i64::MAX),
        int(filter.from_ms.unwrap_or(0)),
        int(filter.to_ms.unwrap_or(u64::MAX)),
    ])?;
    let mut page = Vec::new();
    while page.len() < limit
        && let Some(row) = rows.next()?
    {
        let line = row.get_ref(1)?.as_str()?;
        if wanted.is_in(line.as_bytes()) {
            page.push(AuditLine {
                seq: number(row, 0)?,
                line: line.to_owned(),
            });
        }
    }
    Ok(page)
}

/// More people than this are not meant by one text.
const PEOPLE: i64 = 100;

/// What a line may name somebody by for the text: itself, or the stable key of those who have or had that name,
/// subject or e-mail. `source:key` means its key.
fn keys(database: &Connection, text: &str) -> Result<Vec<String>> {
    let (source, key) = text.split_once(':').unwrap_or(("", ""));
    all(
        database,
        "SELECT ?1 UNION SELECT person FROM names WHERE name = ?1
         UNION SELECT key FROM people WHERE subject = ?1
         UNION SELECT key FROM people WHERE username = ?1 COLLATE NOCASE
         UNION SELECT key FROM people WHERE email = ?1 COLLATE NOCASE
         UNION SELECT key FROM people WHERE source = ?2 AND key = ?3
         LIMIT ?4",
        params![text, source, key, PEOPLE],
        |row| row.get(0),
    )
}

/// Where to begin. A first page with a time goes straight to the first entry of that time, instead of
/// reading everything before it.
fn start(database: &Connection, filter: &AuditFilter, after: u64) -> Result<u64> {
    let Some(from) = filter.from_ms.filter(|_| after == 0) else {
        return Ok(after);
    };
    let first = one(
        database,
        "SELECT ifnull(min(seq), 9223372036854775807) FROM audit INDEXED BY audit_by_time WHERE at_ms >= ?1",
        [int(from)],
        |row| number(row, 0),
    )?;
    Ok(first.map_or(after, |first| first.saturating_sub(1)))
}

/// Where to end: nothing behind the last entry from before that time can match.
fn last(database: &Connection, filter: &AuditFilter) -> Result<Option<i64>> {
    let Some(to) = filter.to_ms else {
        return Ok(None);
    };
    one(
        database,
        "SELECT ifnull(max(seq), 0) FROM audit INDEXED BY audit_by_time WHERE at_ms < ?1",
        [int(to)],
        |row| row.get(0),
    )
}
