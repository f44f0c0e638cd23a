//! What the directories say of people and groups.

use super::{all, limited, one};
use crate::sqlite::rows::{PEOPLE, PERSON, int, json, named, number, number_or_none, person};
use crate::{
    DirectoryFilter, DirectoryGroup, DirectoryPage, DirectoryState, DirectoryUser, PersonRow,
    PollState,
};
use oam_model::name::SourceName;
use rusqlite::{Connection, Result, Row, ToSql, params};

const USER: &str = "u.source, u.id, u.key, u.user_name, u.external_id, u.active, u.attributes, \
     u.version, u.created_at_ms, u.changed_at_ms, u.kind, (SELECT json_group_array(email) FROM \
         (SELECT email FROM directory_emails WHERE directory_user = u.number ORDER BY place))";

const GROUP: &str = "u.source, u.id, u.name, u.display_name, u.external_id, u.version, \
     u.created_at_ms, u.changed_at_ms";

fn user(row: &Row<'_>) -> Result<DirectoryUser> {
    Ok(DirectoryUser {
        source: named(row, 0)?,
        id: row.get(1)?,
        key: row.get(2)?,
        user_name: row.get(3)?,
        external_id: row.get(4)?,
        active: row.get(5)?,
        attributes: row.get(6)?,
        version: number(row, 7)?,
        created_at_ms: number(row, 8)?,
        changed_at_ms: number(row, 9)?,
        kind: crate::sqlite::rows::evidence_kind(row, 10)?,
        emails: crate::sqlite::rows::parsed(row, 11)?,
    })
}

fn group(row: &Row<'_>) -> Result<DirectoryGroup> {
    Ok(DirectoryGroup {
        source: named(row, 0)?,
        id: row.get(1)?,
        name: row.get(2)?,
        display_name: row.get(3)?,
        external_id: row.get(4)?,
        version: number(row, 5)?,
        created_at_ms: number(row, 6)?,
        changed_at_ms: number(row, 7)?,
    })
}

/// The version of a record in one of the two tables.
pub(in super::super) fn version(
    database: &Connection,
    table: &'static str,
    source: &SourceName,
    id: &str,
) -> Result<Option<u64>> {
    let sql = format!("SELECT version FROM {table} WHERE source = ?1 AND id = ?2");
    one(database, &sql, (source.as_str(), id), |row| number(row, 0))
}

pub(in super::super) fn user_by_id(
    database: &Connection,
    source: &SourceName,
    id: &str,
) -> Result<Option<DirectoryUser>> {
    let sql = format!("SELECT {USER} FROM directory_users u WHERE u.source = ?1 AND u.id = ?2");
    one(database, &sql, (source.as_str(), id), user)
}

/// Another record with the key or the user name of this one.
pub(in super::super) fn twin(
    database: &Connection,
    wanted: &DirectoryUser,
) -> Result<Option<DirectoryUser>> {
    let sql = format!(
        "SELECT {USER} FROM directory_users u
         WHERE u.source = ?1 AND (u.key = ?2 OR u.user_name = ?3) AND u.id <> ?4
         ORDER BY u.number LIMIT 1"
    );
    one(
        database,
        &sql,
        (
            wanted.source.as_str(),
            &wanted.key,
            &wanted.user_name,
            &wanted.id,
        ),
        user,
    )
}

pub(in super::super) fn users(
    database: &Connection,
    source: &SourceName,
    filter: &DirectoryFilter,
    (skip, limit): (u64, usize),
) -> Result<DirectoryPage<DirectoryUser>> {
    let conditions = [
        (&filter.name, "u.user_name = ?"),
        (
            &filter.email,
            "u.number IN (SELECT directory_user FROM directory_emails WHERE email = ?)",
        ),
    ];
    let from = (USER, "directory_users");
    page(
        database,
        source,
        filter,
        &conditions,
        from,
        (skip, limit),
        user,
    )
}

pub(in super::super) fn groups(
    database: &Connection,
    source: &SourceName,
    filter: &DirectoryFilter,
    (skip, limit): (u64, usize),
) -> Result<DirectoryPage<DirectoryGroup>> {
    let conditions = [(&filter.name, "u.display_name = ?")];
    let from = (GROUP, "directory_groups");
    page(
        database,
        source,
        filter,
        &conditions,
        from,
        (skip, limit),
        group,
    )
}

fn page<T>(
    database: &Connection,
    source: &SourceName,
    filter: &DirectoryFilter,
    own: &[(&Option<String>, &str)],
    (columns, table): (&str, &str),
    (skip, limit): (u64, usize),
    row: impl FnMut(&Row<'_>) -> Result<T>,
) -> Result<DirectoryPage<T>> {
    let both = [
        (&filter.id, "u.id = ?"),
        (&filter.external_id, "u.external_id = ?"),
    ];
    let mut conditions = vec!["u.source = ?"];
    let source = source.as_str();
    let mut values: Vec<&dyn ToSql> = vec![&source];
    for (value, condition) in both.iter().chain(own) {
        if let Some(text) = value {
            conditions.push(condition);
            values.push(text);
        }
    }
    let conditions = conditions.join(" AND ");
    let moment = database.unchecked_transaction()?;
    let total = one(
        &moment,
        &format!("SELECT count(*) FROM {table} u WHERE {conditions}"),
        values.as_slice(),
        |row| number(row, 0),
    )?;
    let (limit, skip) = (limited(limit), int(skip));
    values.push(&limit);
    values.push(&skip);
    let sql = format!(
        "SELECT {columns} FROM {table} u WHERE {conditions} ORDER BY u.number LIMIT ? OFFSET ?"
    );
    Ok(DirectoryPage {
        total: total.unwrap_or(0),
        rows: all(&moment, &sql, values.as_slice(), row)?,
    })
}

pub(in super::super) fn group_by_id(
    database: &Connection,
    source: &SourceName,
    id: &str,
) -> Result<Option<DirectoryGroup>> {
    let sql = format!("SELECT {GROUP} FROM directory_groups u WHERE u.source = ?1 AND u.id = ?2");
    one(database, &sql, (source.as_str(), id), group)
}

pub(in super::super) fn group_by_name(
    database: &Connection,
    source: &SourceName,
    name: &str,
) -> Result<Option<DirectoryGroup>> {
    let sql = format!("SELECT {GROUP} FROM directory_groups u WHERE u.source = ?1 AND u.name = ?2");
    one(database, &sql, (source.as_str(), name), group)
}

pub(in super::super) fn number_of_group(
    database: &Connection,
    source: &SourceName,
    id: &str,
) -> Result<Option<i64>> {
    one(
        database,
        "SELECT number FROM directory_groups WHERE source = ?1 AND id = ?2",
        (source.as_str(), id),
        |row| row.get(0),
    )
}

pub(in super::super) fn members(
    database: &Connection,
    source: &SourceName,
    group: &str,
) -> Result<Vec<String>> {
    all(
        database,
        "SELECT u.id FROM directory_groups g JOIN directory_members m ON m.directory_group = g.number
             JOIN directory_users u ON u.number = m.directory_user
         WHERE g.source = ?1 AND g.id = ?2 ORDER BY u.number",
        (source.as_str(), group),
        |row| row.get(0),
    )
}

/// Which of these ids are users.
pub(in super::super) fn known(
    database: &Connection,
    source: &SourceName,
    ids: &[String],
) -> Result<Vec<String>> {
    all(
        database,
        "SELECT u.id FROM json_each(?2) e CROSS JOIN directory_users u
             ON u.source = ?1 AND u.id = e.value ORDER BY u.number",
        (source.as_str(), json(ids)?),
        |row| row.get(0),
    )
}

/// Of these users those who came here already.
pub(in super::super) fn seen(
    database: &Connection,
    source: &SourceName,
    ids: &[String],
) -> Result<Vec<PersonRow>> {
    let sql = format!(
        "SELECT {PERSON} FROM {PEOPLE} WHERE p.source = ?1 AND p.subject <> '' AND p.key IN (
             SELECT u.key FROM json_each(?2) e CROSS JOIN directory_users u
                 ON u.source = ?1 AND u.id = e.value)
         ORDER BY p.source, p.key"
    );
    all(database, &sql, (source.as_str(), json(ids)?), person)
}

pub(in super::super) fn state(
    database: &Connection,
    source: &SourceName,
) -> Result<DirectoryState> {
    let state = one(
        database,
        "SELECT (SELECT count(*) FROM directory_users WHERE source = ?1),
             (SELECT count(*) FROM directory_groups WHERE source = ?1),
             (SELECT heard_at_ms FROM directories WHERE source = ?1),
             (SELECT changed_at_ms FROM directories WHERE source = ?1)",
        params![source.as_str()],
        |row| {
            Ok(DirectoryState {
                users: number(row, 0)?,
                groups: number(row, 1)?,
                heard_at_ms: number_or_none(row, 2)?,
                changed_at_ms: number_or_none(row, 3)?,
            })
        },
    )?;
    Ok(state.unwrap_or_default())
}

pub(in super::super) fn poll(database: &Connection, source: &SourceName) -> Result<PollState> {
    let state = one(
        database,
        "SELECT as_of_ms, state FROM directory_polls WHERE source = ?1",
        params![source.as_str()],
        |row| {
            Ok(PollState {
                as_of_ms: number_or_none(row, 0)?,
                ..crate::sqlite::rows::parsed(row, 1)?
            })
        },
    )?;
    Ok(state.unwrap_or_default())
}
