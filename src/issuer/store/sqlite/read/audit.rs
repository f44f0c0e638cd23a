//! Pages of the audit log.
//!
//! A page is read by one index: the most telling condition uses its own, in the order of the numbers,
//! and the others only filter (a `+` before a column keeps the planner off its index). So a page costs
//! what is on it, wherever in the log it lies.

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

/// The statement of one page as it grows.
struct Page<'a> {
    conditions: Vec<String>,
    values: Vec<Box<dyn ToSql + 'a>>,
    /// A condition leads already, by its index.
    led: bool,
}

impl<'a> Page<'a> {
    /// Adds a value; tells its place.
    fn value(&mut self, value: impl ToSql + 'a) -> usize {
        self.values.push(Box::new(value));
        self.values.len()
    }

    /// What keeps a column off its index when another one leads.
    fn off(&mut self) -> &'static str {
        if std::mem::replace(&mut self.led, true) {
            "+"
        } else {
            ""
        }
    }

    fn equal(&mut self, column: &str, value: Option<&'a String>) {
        if let Some(value) = value {
            let (off, at) = (self.off(), self.value(value));
            self.conditions.push(format!("{off}{column} = ?{at}"));
        }
    }

    fn time(&mut self, comparison: &str, time: Option<u64>) {
        if let Some(time) = time {
            let at = self.value(int(time));
            self.conditions.push(format!("+at_ms {comparison} ?{at}"));
        }
    }

    /// The statement; a branch for each stable key, so that each is read in order and they are merged.
    fn sql(&self, branches: &[String]) -> String {
        let conditions = self.conditions.join(" AND ");
        let branch = |more: &str| format!("SELECT seq, line FROM audit WHERE {conditions}{more}");
        let branches: Vec<_> = branches.iter().map(|more| branch(more)).collect();
        format!("{} ORDER BY seq LIMIT ?2", branches.join(" UNION ALL "))
    }
}

/// Lines after `after`, at most `limit`, that match.
pub(in super::super) fn page(
    database: &Connection,
    filter: &AuditFilter,
    after: u64,
    limit: usize,
) -> Result<Vec<AuditLine>> {
    let after = int(start(database, filter, after)?);
    let mut page = Page {
        conditions: vec!["seq > ?1".to_owned()],
        values: vec![Box::new(after), Box::new(limited(limit))],
        led: false,
    };
    page.equal("token", filter.token_sha256.as_ref());
    page.equal("request_id", filter.request_id.as_ref());
    let mut branches = vec![String::new()];
    if let Some(person) = &filter.person {
        let off = page.off();
        branches = keys(database, person)?
            .into_iter()
            .map(|key| format!(" AND {off}person = ?{}", page.value(key)))
            .collect();
    }
    page.equal("repository", filter.repository.as_ref());
    page.equal("role", filter.role.as_ref());
    page.time(">=", filter.from_ms);
    page.time("<", filter.to_ms);
    let values: Vec<&dyn ToSql> = page.values.iter().map(AsRef::as_ref).collect();
    all(database, &page.sql(&branches), values.as_slice(), line)
}

/// More people than this are not meant by one text.
const PEOPLE: i64 = 100;

/// What the column may hold for the text: itself, or the stable key of those who have or had that name,
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
        rusqlite::params![text, source, key, PEOPLE],
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
