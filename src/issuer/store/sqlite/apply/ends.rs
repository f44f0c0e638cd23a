//! The end of identities and sessions: nothing that was given before stays active.

use super::super::rows::{TOKEN, claimant, int, json, token};
use super::{Done, Undone, append, people, run};
use crate::issuer::store::{Change, EndKind, Ended, StoreFault, TokenRow};
use crate::model::claimant::ClaimantKey;
use crate::model::feed::FeedEvent;
use crate::model::name::RoleName;
use crate::rules::account::{Account, Author, Event, Restored};
use crate::rules::admission::End;
use rusqlite::{Connection, Result, params};

fn account(database: &Connection, key: &ClaimantKey) -> Result<Account> {
    let row = super::super::read::people::by_key(database, key)?;
    Ok(row.map(|row| row.account).unwrap_or_default())
}

/// Refuses an administrator's order that changes nothing.
pub(super) fn check(database: &Connection, change: &Change) -> Done {
    let (key, event) = match change {
        Change::End {
            key,
            author: Author::Administrator,
            ended,
            ..
        } if ended.kind == EndKind::Account => (key, event(Author::Administrator, ended)),
        Change::Restore { key, restored } if !matches!(restored, Restored::ByProvider(_)) => {
            (key, Event::Restored(*restored))
        }
        _ => return Ok(()),
    };
    let before = account(database, key)?;
    let after = before.clone().after(&event);
    // An order to lift an end that is not there moves the time of the lifting only.
    if before.ended() == after.ended() && before.administrator == after.administrator {
        return Err(Undone::Told(StoreFault::Unchanged));
    }
    Ok(())
}

fn event(author: Author, ended: &Ended) -> Event {
    let end = End {
        at_ms: ended.at_ms,
        reason: ended.reason.clone(),
    };
    match ended.kind {
        EndKind::Account => Event::Ended(author, end),
        EndKind::Session => Event::SessionEnded(end),
        EndKind::Doubt => Event::Doubted(end),
    }
}

/// An end or the lifting of one.
pub(super) fn account_event(
    database: &Connection,
    change: &Change,
    revoked: &mut Vec<TokenRow>,
) -> Done {
    match change {
        Change::End {
            key,
            author,
            ended,
            feed,
        } => end(database, key, *author, ended, feed, revoked),
        // The account may be used again by a new sign-in.
        Change::Restore { key, restored } => put(database, key, &Event::Restored(*restored)),
        _ => Ok(()),
    }
}

/// Ends: epoch + 1, every live token inactive, the feed appended.
fn end(
    database: &Connection,
    key: &ClaimantKey,
    author: Author,
    ended: &Ended,
    feed: &FeedEvent,
    revoked: &mut Vec<TokenRow>,
) -> Done {
    people::known(database, key, ended.at_ms)?;
    put(database, key, &event(author, ended))?;
    people::overtake(database, key)?;
    revoked.extend(inactive(database, key, None, ended.at_ms)?);
    append(database, key, feed)
}

/// Applies an event to what is kept at this moment.
pub(super) fn put(database: &Connection, key: &ClaimantKey, event: &Event) -> Done {
    let after = account(database, key)?.after(event);
    let at = |end: &Option<End>| end.as_ref().map(|end| int(end.at_ms));
    let reason = |end: &Option<End>| end.as_ref().map(|end| end.reason.clone());
    run(
        database,
        "UPDATE people SET account_at_ms = ?3, account_reason = ?4, account_restored_at_ms = ?5,
             admin_at_ms = ?6, admin_reason = ?7, session_at_ms = ?8, session_reason = ?9,
             doubt_at_ms = ?10, doubt_reason = ?11
         WHERE source = ?1 AND key = ?2",
        params![
            key.source.as_str(),
            key.key,
            at(&after.provider),
            reason(&after.provider),
            after.provider_restored_at_ms.map(int),
            at(&after.administrator),
            reason(&after.administrator),
            at(&after.session),
            reason(&after.session),
            at(&after.doubt),
            reason(&after.doubt),
        ],
    )
}

/// Other groups, or other roles with the groups as they are.
pub(super) fn roles_event(
    database: &Connection,
    change: &Change,
    revoked: &mut Vec<TokenRow>,
) -> Done {
    match change {
        Change::RolesChanged {
            key,
            groups,
            held,
            at_ms,
            feed,
        } => {
            if !people::roles_changed(database, key, groups.as_deref(), held, *at_ms)? {
                return Ok(());
            }
            people::overtake(database, key)?;
            roles(database, key, held, *at_ms, feed.as_ref(), revoked)
        }
        Change::Held {
            key,
            held,
            lost,
            at_ms,
            feed,
        } => {
            people::held(database, key, held, *at_ms)?;
            if !lost.is_empty() {
                people::overtake(database, key)?;
            }
            roles(database, key, held, *at_ms, feed.as_ref(), revoked)
        }
        _ => Ok(()),
    }
}

/// Makes the live tokens inactive whose role is none of these, and tells the feed. Which those are is told by
/// the tokens: one can have been issued since the roles were compared.
fn roles(
    database: &Connection,
    key: &ClaimantKey,
    held: &[RoleName],
    at_ms: u64,
    feed: Option<&FeedEvent>,
    revoked: &mut Vec<TokenRow>,
) -> Done {
    revoked.extend(inactive(database, key, Some(&json(held)?), at_ms)?);
    feed.iter().try_for_each(|feed| append(database, key, feed))
}

/// Makes tokens of a claimant inactive, of all roles but `held` (a JSON list) where it is given; tells those that live at that moment. Also tokens
/// issued after the moment that the signal tells: it is late, and they are younger than what ended.
fn inactive(
    database: &Connection,
    key: &ClaimantKey,
    held: Option<&str>,
    at_ms: u64,
) -> Result<Vec<TokenRow>> {
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
            int(at_ms),
            int(at_ms / 1000),
            held,
            claimant(key),
        ],
        token,
    )?;
    rows.collect()
}
