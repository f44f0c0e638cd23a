//! Changes, each as its statements. All run inside the one transaction of their group.

mod agent_log;
mod directory;
mod people;
mod teams;
mod unmatched;

use super::rows::{TOKEN, algorithm, int, owner_columns, principal_hash, short, token};
use crate::ends::verification_after;
use crate::{KeyRow, SecretOwner, SecretRow, StoreChange, StoreFault, TokenRow};
use oam_model::feed::FeedEvent;
use oam_model::name::{HubName, Repository};
use oam_model::principal::PrincipalKey;
use rusqlite::{Connection, OptionalExtension, params};

/// Why a batch is undone.
#[derive(Debug)]
pub(super) enum ApplyError {
    /// As the trait tells it: nothing is wrong with the database.
    Told(StoreFault),
    /// The database's own fault.
    Database(rusqlite::Error),
}

impl From<rusqlite::Error> for ApplyError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl From<StoreFault> for ApplyError {
    fn from(fault: StoreFault) -> Self {
        Self::Told(fault)
    }
}

type Done = Result<(), ApplyError>;

/// Whether a change will be refused, by what is there before its batch. Nothing is written: a batch
/// that is refused here need not be undone.
pub(super) fn check(database: &Connection, change: &StoreChange) -> Done {
    match change {
        StoreChange::Issue {
            token,
            epoch: Some(epoch),
        } => same_epoch(database, &token.key, *epoch),
        StoreChange::AtEpoch { key, epoch } => same_epoch(database, key, *epoch),
        StoreChange::End { .. } | StoreChange::Restore { .. } => people::check(database, change),
        StoreChange::RolesChanged { key, .. } | StoreChange::Held { key, .. } => {
            people::is_decided(database, key, change)
        }
        StoreChange::Seen(seen) => unmatched::none(database, seen),
        StoreChange::Unmatched {
            source, subjects, ..
        } => unmatched::check(database, source, subjects),
        StoreChange::Once {
            transmitter, id, ..
        } => {
            if super::read::is_taken(database, transmitter, id)? {
                return Err(ApplyError::Told(StoreFault::Replayed));
            }
            Ok(())
        }
        StoreChange::RecordQuota(quota) => agent_log::within_quota(database, quota),
        StoreChange::AgentLog(row, lines) => agent_log::check(database, row, lines).map(drop),
        StoreChange::PutDirectoryUser { .. }
        | StoreChange::DropDirectoryUser { .. }
        | StoreChange::PutDirectoryGroup { .. }
        | StoreChange::DropDirectoryGroup { .. }
        | StoreChange::PollNoted { .. } => directory::check(database, change),
        _ => Ok(()),
    }
}

/// Carries out one change; tokens that it made inactive go to `revoked`.
pub(super) fn change(
    database: &Connection,
    change: &StoreChange,
    revoked: &mut Vec<TokenRow>,
) -> Done {
    match change {
        StoreChange::Seen(_)
        | StoreChange::TakeOver(_)
        | StoreChange::End { .. }
        | StoreChange::Restore { .. }
        | StoreChange::RolesChanged { .. }
        | StoreChange::Held { .. } => people::change(database, change, revoked),
        StoreChange::Unmatched {
            source,
            subjects,
            event,
        } => unmatched::keep(database, source, subjects, event),
        // Its epoch was compared by `check`: what the same batch changes of the person is the token's own.
        StoreChange::Issue { token, .. } => issue(database, token),
        StoreChange::AtEpoch { .. } => Ok(()),
        StoreChange::RevokeToken { sha256, at_ms } => {
            revoke_token(database, sha256, *at_ms, revoked).map_err(ApplyError::from)
        }
        StoreChange::Unseal(sha256) => unseal(database, sha256),
        StoreChange::Once {
            transmitter,
            id,
            until_ms,
        } => once(database, transmitter, id, *until_ms),
        StoreChange::StreamVerified { transmitter, at_ms } => {
            stream_verified(database, transmitter, *at_ms)
        }
        StoreChange::RecordQuota(quota) => agent_log::count(database, quota),
        StoreChange::AgentLog(row, lines) => agent_log::hold(database, row, lines),
        StoreChange::PutKey(key) => put_key(database, key),
        StoreChange::DropKey(kid) => run(database, "DELETE FROM keys WHERE kid = ?1", [kid]),
        StoreChange::PutSecret(secret) => put_secret(database, secret),
        StoreChange::DropSecret { owner, number } => drop_secret(database, owner, *number),
        StoreChange::PutDirectoryUser { .. }
        | StoreChange::DropDirectoryUser { .. }
        | StoreChange::PutDirectoryGroup { .. }
        | StoreChange::DropDirectoryGroup { .. }
        | StoreChange::PollTaken { .. }
        | StoreChange::PollNoted { .. }
        | StoreChange::ForgetDirectory(_)
        | StoreChange::DirectoryHeard { .. } => directory::change(database, change),
        StoreChange::PutTeam { .. }
        | StoreChange::DropTeam { .. }
        | StoreChange::Account { .. }
        | StoreChange::TeamsRead { .. }
        | StoreChange::TeamsHeard { .. }
        | StoreChange::ForgetTeams(_) => teams::change(database, change),
        StoreChange::PolicyDigest(digest) => run(
            database,
            "INSERT OR REPLACE INTO meta (name, value) VALUES ('policy_digest', ?1)",
            [digest],
        ),
    }
}

fn run(database: &Connection, sql: &str, params: impl rusqlite::Params) -> Done {
    database.prepare_cached(sql)?.execute(params)?;
    Ok(())
}

fn unseal(database: &Connection, sha256: &str) -> Done {
    run(
        database,
        "UPDATE tokens SET sealed = NULL WHERE hash = ?1 AND sha256 = ?2",
        params![short(&[sha256]), sha256],
    )
}

fn same_epoch(database: &Connection, key: &PrincipalKey, epoch: u64) -> Done {
    if people::epoch(database, key)? == epoch {
        Ok(())
    } else {
        Err(ApplyError::Told(StoreFault::Overtaken))
    }
}

/// A token that a hub gives a second time is the later row. Our own are never the same twice.
fn issue(database: &Connection, token: &TokenRow) -> Done {
    let hash = short(&[&token.sha256]);
    if token.sealed.is_some() {
        run(
            database,
            "DELETE FROM tokens WHERE hash = ?1 AND sha256 = ?2",
            params![hash, token.sha256],
        )?;
    }
    run(
        database,
        "INSERT INTO tokens (sha256, source, key, name, role, hub, repository, action,
             issued_at_s, expires_at_s, request_id, revoked_at_ms, sealed, hash, claimant)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        params![
            token.sha256,
            token.key.source.as_str(),
            token.key.key,
            token.name,
            token.role.as_str(),
            token.hub.as_str(),
            token.repository.as_ref().map(Repository::as_str),
            token.action.word(),
            int(token.issued_at),
            int(token.expires_at),
            token.request_id,
            token.revoked_at_ms.map(int),
            token.sealed,
            hash,
            principal_hash(&token.key),
        ],
    )
}

fn revoke_token(
    database: &Connection,
    sha256: &str,
    at_ms: u64,
    revoked: &mut Vec<TokenRow>,
) -> rusqlite::Result<()> {
    let sql = format!(
        "UPDATE tokens SET revoked_at_ms = ?2
         WHERE hash = ?3 AND sha256 = ?1 AND revoked_at_ms IS NULL RETURNING {TOKEN}"
    );
    let row = database
        .prepare_cached(&sql)?
        .query_row(params![sha256, int(at_ms), short(&[sha256])], token)
        .optional()?;
    // One that expired is dead at its hub too.
    revoked.extend(row.filter(|row| row.expires_at > at_ms / 1000));
    Ok(())
}

/// Appends to the feed of one subject.
fn append(database: &Connection, key: &PrincipalKey, event: &FeedEvent) -> Done {
    let at_ms = match event {
        FeedEvent::Heartbeat { sent_at_ms, .. } => *sent_at_ms,
        FeedEvent::Revoked { at_ms, .. }
        | FeedEvent::Doubt { at_ms, .. }
        | FeedEvent::RolesChanged { at_ms, .. } => *at_ms,
        FeedEvent::Head { .. } | FeedEvent::Reset {} => 0,
    };
    run(
        database,
        "INSERT INTO feed (source, key, at_ms, event) VALUES (?1, ?2, ?3, ?4)",
        params![
            key.source.as_str(),
            key.key,
            int(at_ms),
            super::rows::json(event)?
        ],
    )
}

fn once(database: &Connection, transmitter: &str, id: &str, until_ms: u64) -> Done {
    let written = database
        .prepare_cached(
            "INSERT OR IGNORE INTO once (transmitter, id, until_ms) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![transmitter, id, int(until_ms)])?;
    if written == 0 {
        return Err(ApplyError::Told(StoreFault::Replayed));
    }
    Ok(())
}

fn put_key(database: &Connection, key: &KeyRow) -> Done {
    run(
        database,
        "INSERT OR REPLACE INTO keys (kid, algorithm, sealed, public, made_at_ms, signs_from_ms, gone_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            key.kid,
            algorithm(key.algorithm),
            key.sealed,
            key.public,
            int(key.made_at_ms),
            int(key.signs_from_ms),
            key.gone_at_ms.map(int),
        ],
    )
}

fn stream_verified(database: &Connection, transmitter: &str, at_ms: u64) -> Done {
    let kept = super::read::stream_verified(database, transmitter)?;
    run(
        database,
        "INSERT OR REPLACE INTO streams (transmitter, verified_at_ms) VALUES (?1, ?2)",
        params![transmitter, int(verification_after(kept, at_ms))],
    )
}

fn drop_secret(database: &Connection, owner: &SecretOwner, number: u64) -> Done {
    let (kind, owner) = owner_columns(owner);
    run(
        database,
        "DELETE FROM secrets WHERE kind = ?1 AND owner = ?2 AND number = ?3",
        params![kind, owner, int(number)],
    )
}

fn put_secret(database: &Connection, secret: &SecretRow) -> Done {
    let (kind, owner) = owner_columns(&secret.owner);
    run(
        database,
        "INSERT OR REPLACE INTO secrets (kind, owner, number, value, hub, made_at_ms, until_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            kind,
            owner,
            int(secret.number),
            secret.value,
            secret.hub.as_ref().map(HubName::as_str),
            int(secret.made_at_ms),
            secret.until_ms.map(int),
        ],
    )
}
