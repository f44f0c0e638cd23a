//! The end of identities and sessions: nothing that was given before stays active.

use super::super::rows::{TOKEN, claimant, int, token};
use super::{Done, append, people, run};
use crate::issuer::store::{EndKind, Ended, TokenRow};
use crate::model::claimant::ClaimantKey;
use crate::model::feed::FeedEvent;
use crate::model::name::RoleName;
use rusqlite::{Connection, Result, params};

/// Ends: epoch + 1, every live token inactive, the feed appended. A later end of the same kind is kept
/// when an earlier one arrives after it.
pub(super) fn end(
    database: &Connection,
    key: &ClaimantKey,
    ended: &Ended,
    feed: &FeedEvent,
    revoked: &mut Vec<TokenRow>,
) -> Done {
    people::known(database, key, ended.at_ms)?;
    let sql = match ended.kind {
        EndKind::Account => {
            "UPDATE people SET epoch = epoch + 1,
                 account_reason = CASE WHEN ifnull(account_at_ms, -1) > ?3 THEN account_reason ELSE ?4 END,
                 account_at_ms = max(ifnull(account_at_ms, -1), ?3)
             WHERE source = ?1 AND key = ?2"
        }
        EndKind::Session => {
            "UPDATE people SET epoch = epoch + 1,
                 session_reason = CASE WHEN ifnull(session_at_ms, -1) > ?3 THEN session_reason ELSE ?4 END,
                 session_at_ms = max(ifnull(session_at_ms, -1), ?3)
             WHERE source = ?1 AND key = ?2"
        }
        EndKind::Doubt => {
            "UPDATE people SET epoch = epoch + 1,
                 doubt_reason = CASE WHEN ifnull(doubt_at_ms, -1) > ?3 THEN doubt_reason ELSE ?4 END,
                 doubt_at_ms = max(ifnull(doubt_at_ms, -1), ?3)
             WHERE source = ?1 AND key = ?2"
        }
    };
    run(
        database,
        sql,
        params![key.source.as_str(), key.key, int(ended.at_ms), ended.reason],
    )?;
    revoked.extend(inactive(database, key, None, ended.at_ms)?);
    append(database, key, feed)
}

/// The account may be used again by a new sign-in: its end stays as the end of every session so far.
pub(super) fn restore(database: &Connection, key: &ClaimantKey) -> Done {
    run(
        database,
        "UPDATE people SET
             session_reason = CASE WHEN ifnull(session_at_ms, -1) > account_at_ms
                 THEN session_reason ELSE account_reason END,
             session_at_ms = max(ifnull(session_at_ms, -1), account_at_ms),
             account_at_ms = NULL, account_reason = NULL
         WHERE source = ?1 AND key = ?2 AND account_at_ms IS NOT NULL",
        (key.source.as_str(), &key.key),
    )
}

/// Makes the tokens of these roles inactive.
pub(super) fn roles_lost(
    database: &Connection,
    key: &ClaimantKey,
    lost: &[RoleName],
    at_ms: u64,
) -> Result<Vec<TokenRow>> {
    let mut revoked = Vec::new();
    for role in lost {
        revoked.extend(inactive(database, key, Some(role), at_ms)?);
    }
    Ok(revoked)
}

/// Makes tokens of a claimant (of one role) inactive; tells those that live at that moment. Also tokens
/// issued after the moment that the signal tells: it is late, and they are younger than what ended.
fn inactive(
    database: &Connection,
    key: &ClaimantKey,
    role: Option<&RoleName>,
    at_ms: u64,
) -> Result<Vec<TokenRow>> {
    let sql = format!(
        "UPDATE tokens SET revoked_at_ms = ?3
         WHERE claimant = ?6 AND source = ?1 AND key = ?2 AND revoked_at_ms IS NULL
             AND expires_at_s > ?4 AND (?5 IS NULL OR role = ?5)
         RETURNING {TOKEN}"
    );
    let mut statement = database.prepare_cached(&sql)?;
    let rows = statement.query_map(
        params![
            key.source.as_str(),
            key.key,
            int(at_ms),
            int(at_ms / 1000),
            role.map(RoleName::as_str),
            claimant(key),
        ],
        token,
    )?;
    rows.collect()
}
