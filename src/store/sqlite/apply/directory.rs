//! What directories say of people and groups, as it is written.

use super::super::read::directory::{group_by_name, number_of_group, twin, version};
use super::super::read::people::by_key;
use super::super::rows::{int, json};
use super::{ApplyError, Done, people, run};
use crate::directory::same_version;
use crate::{DirectoryGroup, DirectoryUser, PersonRow, StoreChange, StoreFault};
use oam_model::name::SourceName;
use rusqlite::{Connection, params};

/// Whether a change of a record will be refused.
pub(super) fn check(database: &Connection, change: &StoreChange) -> Done {
    if let StoreChange::PollNoted {
        source,
        from: Some(from),
        ..
    } = change
    {
        let kept = super::super::read::directory::poll(database, source)?;
        return kept.is_noted(from).map_err(ApplyError::Told);
    }
    let Some((source, id, from)) = change.directory_record() else {
        return Ok(());
    };
    let kept = match change {
        StoreChange::PutDirectoryUser { .. } | StoreChange::DropDirectoryUser { .. } => {
            version(database, "directory_users", source, id)?
        }
        _ => version(database, "directory_groups", source, id)?,
    };
    same_version(from, kept)?;
    match change {
        StoreChange::PutDirectoryUser { user, .. } if twin(database, user)?.is_some() => {
            return Err(ApplyError::Told(StoreFault::Taken));
        }
        StoreChange::PutDirectoryGroup { group, added, .. } => {
            let twin = group_by_name(database, source, &group.name)?;
            if twin.is_some_and(|twin| twin.id != group.id) {
                return Err(ApplyError::Told(StoreFault::Taken));
            }
            let known = super::super::read::directory::known(database, source, added)?;
            if known.len() != added.len() {
                return Err(ApplyError::Told(StoreFault::Overtaken));
            }
        }
        _ => {}
    }
    Ok(())
}

/// Carries it out.
pub(super) fn change(database: &Connection, change: &StoreChange) -> Done {
    match change {
        StoreChange::PutDirectoryUser { user, .. } => put_user(database, user),
        StoreChange::DropDirectoryUser {
            source, id, at_ms, ..
        } => drop_user(database, source, id, *at_ms),
        StoreChange::PutDirectoryGroup {
            group,
            added,
            removed,
            renamed,
            ..
        } => put_group(database, group, (added, removed), *renamed),
        StoreChange::DropDirectoryGroup {
            source, id, at_ms, ..
        } => drop_group(database, source, id, *at_ms),
        StoreChange::ForgetDirectory(source) => forget(database, source),
        StoreChange::DirectoryHeard { source, at_ms } => run(
            database,
            "INSERT INTO directories (source, heard_at_ms) VALUES (?1, ?2)
             ON CONFLICT DO UPDATE SET heard_at_ms = max(heard_at_ms, ?2)",
            params![source.as_str(), int(*at_ms)],
        ),
        StoreChange::PollTaken {
            source,
            as_of_ms,
            groups,
        } => taken(database, source, *as_of_ms, *groups),
        StoreChange::PollNoted { source, state, .. } => run(
            database,
            "INSERT INTO directory_polls (source, state) VALUES (?1, ?2)
             ON CONFLICT DO UPDATE SET state = ?2",
            params![source.as_str(), json(state)?],
        ),
        _ => Ok(()),
    }
}

fn put_user(database: &Connection, user: &DirectoryUser) -> Done {
    let source = user.source.as_str();
    run(
        database,
        "INSERT INTO directory_users (source, id, key, user_name, external_id, active, attributes,
             version, created_at_ms, changed_at_ms, kind)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT (source, id) DO UPDATE SET key = ?3, user_name = ?4, external_id = ?5, active = ?6,
             attributes = ?7, version = ?8, changed_at_ms = ?10, kind = ?11",
        params![
            source,
            user.id,
            user.key,
            user.user_name,
            user.external_id,
            user.active,
            user.attributes,
            int(user.version),
            int(user.created_at_ms),
            int(user.changed_at_ms),
            user.kind.word(),
        ],
    )?;
    let of = "directory_user = (SELECT number FROM directory_users WHERE source = ?1 AND id = ?2)";
    run(
        database,
        &format!("DELETE FROM directory_emails WHERE {of}"),
        (source, &user.id),
    )?;
    for (place, email) in (0i64..).zip(&user.emails) {
        run(
            database,
            "INSERT INTO directory_emails (email, directory_user, place)
             SELECT ?3, number, ?4 FROM directory_users WHERE source = ?1 AND id = ?2",
            params![source, user.id, email, place],
        )?;
    }
    let kept = by_key(database, &user.principal())?;
    if let Some(row) = PersonRow::known_by_directory(kept, user) {
        people::put(database, &row)?;
    }
    changed(database, &user.source, user.changed_at_ms)
}

fn drop_user(database: &Connection, source: &SourceName, id: &str, at_ms: u64) -> Done {
    run(
        database,
        "UPDATE directory_groups SET version = version + 1, changed_at_ms = ?3 WHERE number IN (
             SELECT m.directory_group FROM directory_members m JOIN directory_users u
                 ON u.number = m.directory_user WHERE u.source = ?1 AND u.id = ?2)",
        params![source.as_str(), id, int(at_ms)],
    )?;
    run(
        database,
        "DELETE FROM directory_users WHERE source = ?1 AND id = ?2",
        (source.as_str(), id),
    )?;
    changed(database, source, at_ms)
}

fn put_group(
    database: &Connection,
    group: &DirectoryGroup,
    (added, removed): (&[String], &[String]),
    renamed: bool,
) -> Done {
    let source = group.source.as_str();
    let at_ms = int(group.changed_at_ms);
    run(
        database,
        "INSERT INTO directory_groups (source, id, name, display_name, external_id, version,
             created_at_ms, changed_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (source, id) DO UPDATE SET name = ?3, display_name = ?4, external_id = ?5,
             version = ?6, changed_at_ms = ?8",
        params![
            source,
            group.id,
            group.name,
            group.display_name,
            group.external_id,
            int(group.version),
            int(group.created_at_ms),
            at_ms,
        ],
    )?;
    let Some(number) = number_of_group(database, &group.source, &group.id)? else {
        return Ok(());
    };
    let users = "SELECT u.number FROM json_each(?2) e CROSS JOIN directory_users u
         ON u.source = ?1 AND u.id = e.value";
    for ids in [added, removed] {
        run(
            database,
            &format!("UPDATE directory_users SET groups_at_ms = ?3 WHERE number IN ({users})"),
            params![source, json(ids)?, at_ms],
        )?;
    }
    if renamed {
        told(database, number, at_ms)?;
    }
    run(
        database,
        &format!(
            "INSERT OR IGNORE INTO directory_members (directory_group, directory_user)
             SELECT ?3, number FROM ({users})"
        ),
        params![source, json(added)?, number],
    )?;
    run(
        database,
        &format!(
            "DELETE FROM directory_members WHERE directory_group = ?3 AND directory_user IN ({users})"
        ),
        params![source, json(removed)?, number],
    )?;
    changed(database, &group.source, group.changed_at_ms)
}

/// Something is said of the groups of every member.
fn told(database: &Connection, group: i64, at_ms: i64) -> Done {
    run(
        database,
        "UPDATE directory_users SET groups_at_ms = ?2 WHERE number IN (
             SELECT directory_user FROM directory_members WHERE directory_group = ?1)",
        params![group, at_ms],
    )
}

fn drop_group(database: &Connection, source: &SourceName, id: &str, at_ms: u64) -> Done {
    if let Some(number) = number_of_group(database, source, id)? {
        told(database, number, int(at_ms))?;
        run(
            database,
            "DELETE FROM directory_groups WHERE number = ?1",
            [number],
        )?;
    }
    changed(database, source, at_ms)
}

fn forget(database: &Connection, source: &SourceName) -> Done {
    for table in [
        "directory_groups",
        "directory_users",
        "directories",
        "directory_polls",
    ] {
        let sql = format!("DELETE FROM {table} WHERE source = ?1");
        run(database, &sql, [source.as_str()])?;
    }
    Ok(())
}

/// A reading was written as a whole.
fn taken(database: &Connection, source: &SourceName, as_of_ms: u64, groups: bool) -> Done {
    run(
        database,
        "INSERT INTO directory_polls (source, as_of_ms, state) VALUES (?1, ?2, '{}')
         ON CONFLICT DO UPDATE SET as_of_ms = max(ifnull(as_of_ms, 0), ?2)",
        params![source.as_str(), int(as_of_ms)],
    )?;
    // Without groups, what an earlier reading said of them is no word of today.
    let told = groups.then(|| int(as_of_ms));
    run(
        database,
        "UPDATE directory_users SET groups_at_ms = ?2
         WHERE source = ?1 AND kind = 'poll' AND (groups_at_ms IS NULL) = (?2 IS NOT NULL)",
        params![source.as_str(), told],
    )
}

/// A directory that changes something was heard too.
fn changed(database: &Connection, source: &SourceName, at_ms: u64) -> Done {
    run(
        database,
        "INSERT INTO directories (source, heard_at_ms, changed_at_ms) VALUES (?1, ?2, ?2)
         ON CONFLICT DO UPDATE SET heard_at_ms = max(heard_at_ms, ?2),
             changed_at_ms = max(ifnull(changed_at_ms, 0), ?2)",
        params![source.as_str(), int(at_ms)],
    )
}
