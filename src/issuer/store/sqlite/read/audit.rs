//! Pages of the audit log.
//!
//! Only numbers and times have an index; the other conditions look at every entry between them. An index
//! for each was measured and rejected: every entry touches a random page of every one, which doubled what a
//! token costs to commit, for questions that are asked a few times a year.

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

/// The conditions of one page as they grow.
struct Conditions<'a> {
    words: Vec<String>,
    values: Vec<Box<dyn ToSql + 'a>>,
}

impl<'a> Conditions<'a> {
    /// Adds a value; tells its place.
    fn value(&mut self, value: impl ToSql + 'a) -> usize {
        self.values.push(Box::new(value));
        self.values.len()
    }

    /// Adds a condition on a value that is given. A `+` keeps the planner off the index of times: the page
    /// is in the order of numbers.
    fn when(&mut self, condition: &str, value: Option<impl ToSql + 'a>) {
        if let Some(value) = value {
            let at = self.value(value);
            self.words.push(format!("{condition} ?{at}"));
        }
    }
}

/// Lines after `after`, at most `limit`, that match.
pub(in super::super) fn page(
    database: &Connection,
    filter: &AuditFilter,
    after: u64,
    limit: usize,
) -> Result<Vec<AuditLine>> {
    let mut page = Conditions {
        words: Vec::new(),
        values: vec![Box::new(limited(limit))],
    };
    page.when("seq >", Some(int(start(database, filter, after)?)));
    page.when("seq <=", last(database, filter)?);
    page.when("+at_ms >=", filter.from_ms.map(int));
    page.when("+at_ms <", filter.to_ms.map(int));
    page.when("token =", filter.token_sha256.as_ref());
    page.when("request_id =", filter.request_id.as_ref());
    page.when("repository =", filter.repository.as_ref());
    page.when("role =", filter.role.as_ref());
    if let Some(person) = &filter.person {
        let places: Vec<_> = keys(database, person)?
            .into_iter()
            .map(|key| format!("?{}", page.value(key)))
            .collect();
        page.words
            .push(format!("person IN ({})", places.join(", ")));
    }
    let sql = format!(
        "SELECT seq, line FROM audit WHERE {} ORDER BY seq LIMIT ?1",
        page.words.join(" AND ")
    );
    let values: Vec<&dyn ToSql> = page.values.iter().map(AsRef::as_ref).collect();
    all(database, &sql, values.as_slice(), line)
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
