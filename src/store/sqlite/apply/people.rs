//! People as they are seen, end, are restored, and change their groups and roles. What a change makes of a row is
//! decided by [`StoreChange::step`]; here it is read and written.

use super::super::read::people::{by_key, unmatched};
use super::super::rows::{TOKEN, int, json, number, principal_hash, token};
use super::{Done, append, run};
use crate::ends::changes_something;
use crate::person::SessionRow;
use crate::step::Ends;
use crate::{PersonRow, PersonSeen, StoreChange, TokenRow};
use oam_model::principal::PrincipalKey;
use oam_policy::admission::End;
use rusqlite::{Connection, OptionalExtension, Result, params};

/// The epoch of a principal; of one who was never seen it is 0.
pub(super) fn epoch(database: &Connection, key: &PrincipalKey) -> Result<u64> {
    let epoch: Option<i64> = database
        .prepare_cached("SELECT epoch FROM people WHERE source = ?1 AND key = ?2")?
        .query_row((key.source.as_str(), &key.key), |row| row.get(0))
        .optional()?;
    Ok(u64::try_from(epoch.unwrap_or(0)).unwrap_or(0))
}

/// Refuses an administrator's order that changes nothing.
pub(super) fn check(database: &Connection, change: &StoreChange) -> Done {
    if let Some((key, order)) = change.order() {
        let row = by_key(database, key)?;
        let account = row.map(|row| row.account).unwrap_or_default();
        changes_something(&account, &order)?;
    }
    Ok(())
}

/// Refuses roles that were decided from something else than what is kept.
pub(super) fn is_decided(database: &Connection, key: &PrincipalKey, change: &StoreChange) -> Done {
    let row = by_key(database, key)?;
    Ok(change.is_decided_from(row.as_ref())?)
}

/// Carries out a change of somebody.
pub(super) fn change(
    database: &Connection,
    change: &StoreChange,
    revoked: &mut Vec<TokenRow>,
) -> Done {
    let Some(key) = change.person() else {
        return Ok(());
    };
    let kept = by_key(database, key)?;
    let (said, seen) = match change {
        StoreChange::TakeOver(seen) => (unmatched(database, seen)?, Some(seen)),
        StoreChange::Seen(seen) => (Vec::new(), Some(seen)),
        _ => (Vec::new(), None),
    };
    let seen = seen.filter(|seen| PersonRow::tells_a_session(kept.as_ref(), seen));
    let Some(step) = change.step(kept, &said) else {
        return Ok(());
    };
    put(database, &step.row)?;
    if let Some(seen) = seen {
        session(database, seen)?;
    }
    if let Some(ends) = step.ends {
        revoked.extend(inactive(database, key, &ends)?);
    }
    let mut feed = step.feed.into_iter();
    feed.try_for_each(|event| append(database, key, event))
}

pub(super) fn put(database: &Connection, row: &PersonRow) -> Done {
    let at = |end: &Option<End>| end.as_ref().map(|end| int(end.at_ms));
    let (seen, account) = (&row.seen, &row.account);
    run(
        database,
        "INSERT INTO people (source, key, claimant, issuer, subject, username, email, groups, session,
             proven_at_s, seen_at_ms, held, epoch, groups_changed_at_ms, account_at_ms, account_reason,
             account_restored_at_ms, admin_at_ms, admin_reason, session_at_ms, session_reason,
             doubt_at_ms, doubt_reason, directory_at_ms, directory_reason)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,
             ?20, ?21, ?22, ?23, ?24, ?25)
         ON CONFLICT (source, key) DO UPDATE SET issuer = ?4, subject = ?5, username = ?6, email = ?7,
             groups = ?8, session = ?9, proven_at_s = ?10, seen_at_ms = ?11, held = ?12, epoch = ?13,
             groups_changed_at_ms = ?14, account_at_ms = ?15, account_reason = ?16,
             account_restored_at_ms = ?17, admin_at_ms = ?18, admin_reason = ?19, session_at_ms = ?20,
             session_reason = ?21, doubt_at_ms = ?22, doubt_reason = ?23, directory_at_ms = ?24,
             directory_reason = ?25",
        params![
            seen.key.source.as_str(),
            seen.key.key,
            principal_hash(&seen.key),
            seen.issuer,
            seen.subject,
            seen.username,
            seen.email,
            seen.groups.as_deref().map(json).transpose()?,
            seen.session,
            int(seen.proven_at),
            int(seen.at_ms),
            json(&row.held)?,
            int(row.epoch),
            row.groups_changed_at_ms.map(int),
            at(&account.provider),
            account.provider.as_ref().map(|end| &end.reason),
            account.provider_restored_at_ms.map(int),
            at(&account.administrator),
            account.administrator.as_ref().map(|end| &end.reason),
            at(&account.session),
            account.session.as_ref().map(|end| &end.reason),
            at(&account.doubt),
            account.doubt.as_ref().map(|end| &end.reason),
            at(&account.directory),
            account.directory.as_ref().map(|end| &end.reason),
        ],
    )
}

/// Remembers the session of a sight.
fn session(database: &Connection, seen: &PersonSeen) -> Done {
    let Some(sid) = seen.session.as_deref() else {
        return Ok(());
    };
    let person: i64 = database
        .prepare_cached("SELECT id FROM people WHERE source = ?1 AND key = ?2")?
        .query_row((seen.key.source.as_str(), &seen.key.key), |row| row.get(0))?;
    let known: Vec<SessionRow> = database
        .prepare_cached("SELECT sid, first_s FROM sessions WHERE person = ?1 ORDER BY number")?
        .query_map([person], |row| {
            Ok(SessionRow {
                sid: row.get(0)?,
                first_s: number(row, 1)?,
            })
        })?
        .collect::<Result<_>>()?;
    let after = SessionRow::used(known.clone(), sid, seen.proven_at);
    let stays = |sid: &str| after.iter().any(|one| one.sid == sid);
    for gone in known.iter().filter(|one| !stays(&one.sid)) {
        run(
            database,
            "DELETE FROM sessions WHERE person = ?1 AND sid = ?2",
            params![person, gone.sid],
        )?;
    }
    let Some(last) = after.last() else {
        return Ok(());
    };
    run(
        database,
        "INSERT INTO sessions (person, sid, number, first_s)
         VALUES (?1, ?2, 1 + ifnull((SELECT max(number) FROM sessions WHERE person = ?1), 0), ?3)
         ON CONFLICT DO UPDATE SET number = excluded.number, first_s = excluded.first_s",
        params![person, last.sid, int(last.first_s)],
    )
}

/// Makes tokens of a principal inactive; tells those that live at that moment.
fn inactive(database: &Connection, key: &PrincipalKey, ends: &Ends<'_>) -> Result<Vec<TokenRow>> {
    let sql = format!(
        "UPDATE tokens SET revoked_at_ms = ?3
         WHERE claimant = ?6 AND source = ?1 AND key = ?2 AND revoked_at_ms IS NULL
             AND expires_at_s > ?4 AND (?5 IS NULL OR role NOT IN (SELECT value FROM json_each(?5)))
         RETURNING {TOKEN}"
    );
    let mut statement = database.prepare_cached(&sql)?;
    let rows = statement.query_map(
        params![
            key.source.as_str(),
            key.key,
            int(ends.at_ms),
            int(ends.at_ms / 1000),
            ends.but.map(json).transpose()?,
            principal_hash(key),
        ],
        token,
    )?;
    rows.collect()
}
