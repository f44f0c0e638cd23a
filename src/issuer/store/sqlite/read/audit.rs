//! Pages of the audit log.
//!
//! A page is read by one index at most: the most telling condition uses its own, in the order of the
//! numbers, and the others only filter (a `+` before a column keeps the planner off its index). So a
//! page costs what is on it, wherever in the log it lies.

use super::{all, limited, one};
use crate::issuer::store::sqlite::rows::{int, number};
use crate::issuer::store::{AuditFilter, AuditLine};
use rusqlite::{Connection, Result, Row, ToSql};

fn line(row: &Row<'_>) -> Result<AuditLine> {
    Ok(AuditLine {
        seq: number(row, 0)?,
        line: row.get(1)?,
    })
}

/// Lines after `after`, at most `limit`, that match.
pub(in super::super) fn page(
    database: &Connection,
    filter: &AuditFilter,
    after: u64,
    limit: usize,
) -> Result<Vec<AuditLine>> {
    let after = int(start(database, filter, after)?);
    let limit = limited(limit);
    let (from, to) = (filter.from_ms.map(int), filter.to_ms.map(int));
    let mut values: Vec<&dyn ToSql> = vec![&after, &limit];
    let mut conditions = vec!["seq > ?1".to_owned()];
    let mut led = false;
    let members = [
        (&filter.token_sha256, "token"),
        (&filter.request_id, "request_id"),
    ];
    for (member, column) in members {
        if let Some(text) = member {
            values.push(text);
            conditions.push(format!("{}{column} = ?{}", off(&mut led), values.len()));
        }
    }
    // A person is named in two columns, so that leading by one of them takes a branch for each.
    let person = filter.person.as_ref().map(|person| {
        values.push(person);
        (values.len(), !std::mem::replace(&mut led, true))
    });
    let members = [(&filter.repository, "repository"), (&filter.role, "role")];
    for (member, column) in members {
        if let Some(text) = member {
            values.push(text);
            conditions.push(format!("{}{column} = ?{}", off(&mut led), values.len()));
        }
    }
    for (member, comparison) in [(&from, "+at_ms >="), (&to, "+at_ms <")] {
        if let Some(time) = member {
            values.push(time);
            conditions.push(format!("{comparison} ?{}", values.len()));
        }
    }
    let conditions = conditions.join(" AND ");
    let sql = match person {
        None => branch(&conditions, ""),
        Some((at, false)) => branch(
            &conditions,
            &format!(
                " AND (+person IN ({}) OR +name = ?{at} COLLATE NOCASE)",
                keys(at)
            ),
        ),
        Some((at, true)) => format!(
            "{} UNION {}",
            branch(&conditions, &format!(" AND person IN ({})", keys(at))),
            branch(&conditions, &format!(" AND name = ?{at} COLLATE NOCASE")),
        ),
    };
    let sql = format!("{sql} ORDER BY seq LIMIT ?2");
    all(database, &sql, values.as_slice(), line)
}

/// The first condition leads by its index; the later ones stay off theirs.
fn off(led: &mut bool) -> &'static str {
    if std::mem::replace(led, true) {
        "+"
    } else {
        ""
    }
}

fn branch(conditions: &str, more: &str) -> String {
    format!("SELECT seq, line FROM audit WHERE {conditions}{more}")
}

/// The stable keys that the text means: itself, what follows `source:`, and those of people with that
/// subject, user name or e-mail.
fn keys(at: usize) -> String {
    format!(
        "SELECT ?{at} UNION SELECT key FROM people WHERE subject = ?{at}
         UNION SELECT key FROM people WHERE username = ?{at} COLLATE NOCASE
         UNION SELECT key FROM people WHERE email = ?{at} COLLATE NOCASE
         UNION SELECT key FROM people WHERE source || ':' || key = ?{at}
             AND key = substr(?{at}, instr(?{at}, ':') + 1)"
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
