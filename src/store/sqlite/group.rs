//! Several batches in one transaction: each is written or refused, and none pays for another.

use super::apply::{self, ApplyError};
use super::chain::ChainHead;
use super::words;
use crate::{Batch, Committed, StoreFault};
use rusqlite::{Connection, Error, ErrorCode};
use std::path::Path;

/// One transaction; rolled back as a whole when `work` or the commit fails. Gives back the version of the
/// data and the log's end, for the next one.
pub(super) fn within<T>(
    database: &Connection,
    (known, head): (i64, Option<ChainHead>),
    work: impl FnOnce(&Connection, &mut ChainHead) -> Result<T, ApplyError>,
) -> Result<(T, i64, ChainHead), ApplyError> {
    statement(database, "BEGIN IMMEDIATE")?;
    let done = || -> Result<(T, i64, ChainHead), ApplyError> {
        let version = data_version(database)?;
        let mut head = match head {
            Some(head) if version == known => head,
            _ => ChainHead::load(database)?,
        };
        let value = work(database, &mut head)?;
        statement(database, "COMMIT")?;
        Ok((value, version, head))
    };
    let done = done();
    // Some faults end the transaction by themselves.
    if done.is_err() && !database.is_autocommit() {
        let _ = statement(database, "ROLLBACK");
    }
    done
}

/// Writes batches, without a way back for each: what can be refused is refused before anything of its
/// batch is written. A savepoint for each was measured: the copies of pages that it keeps cost as much
/// again as the writing.
///
/// # Errors
/// A fault that only appeared while writing; the whole transaction is undone.
pub(super) fn together(
    database: &Connection,
    head: &mut ChainHead,
    batches: &[Batch],
) -> Result<Vec<Result<Committed, StoreFault>>, ApplyError> {
    let mut results = Vec::with_capacity(batches.len());
    for batch in batches {
        let checked = batch
            .changes
            .iter()
            .try_for_each(|change| apply::check(database, change));
        results.push(match checked {
            Ok(()) => Ok(written(database, head, batch)?),
            Err(ApplyError::Told(fault)) => Err(fault),
            Err(undone) => return Err(undone),
        });
    }
    Ok(results)
}

/// Writes batches with a way back for each, so that one that is bad takes no other with it.
///
/// # Errors
/// Something went wrong that undoes the whole transaction.
pub(super) fn separately(
    path: &Path,
    database: &Connection,
    head: &mut ChainHead,
    batches: &[Batch],
) -> Result<Vec<Result<Committed, StoreFault>>, ApplyError> {
    let mut results = Vec::with_capacity(batches.len());
    for batch in batches {
        statement(database, "SAVEPOINT batch")?;
        let before = head.clone();
        let done = together(database, head, std::slice::from_ref(batch));
        results.push(match done {
            Ok(mut done) => done.pop().unwrap_or(Err(words::closed())),
            Err(undone) => {
                // Fails where the fault has ended the transaction itself.
                statement(database, "ROLLBACK TO batch")?;
                *head = before;
                Err(told(path, undone))
            }
        });
        statement(database, "RELEASE batch")?;
    }
    Ok(results)
}

fn written(
    database: &Connection,
    head: &mut ChainHead,
    batch: &Batch,
) -> Result<Committed, ApplyError> {
    let mut committed = Committed::default();
    for change in &batch.changes {
        apply::change(database, change, &mut committed.revoked).map_err(of_the_change)?;
    }
    for entry in &batch.entries {
        head.append(database, entry)?;
        committed.audit_seq = head.seq;
    }
    Ok(committed)
}

/// A value that the database does not take is the change's fault and not the database's.
fn of_the_change(undone: ApplyError) -> ApplyError {
    let ApplyError::Database(error) = &undone else {
        return undone;
    };
    let code = error.sqlite_error_code();
    let refused = matches!(
        code,
        Some(ErrorCode::ConstraintViolation | ErrorCode::TooBig | ErrorCode::TypeMismatch)
    ) || matches!(error, Error::ToSqlConversionFailure(_));
    if refused {
        return ApplyError::Told(StoreFault::Invalid("it contradicts what is kept already"));
    }
    undone
}

fn statement(database: &Connection, sql: &str) -> rusqlite::Result<()> {
    database.prepare_cached(sql)?.execute([]).map(drop)
}

/// Moves when another connection committed.
pub(super) fn data_version(database: &Connection) -> rusqlite::Result<i64> {
    database
        .prepare_cached("PRAGMA data_version")?
        .query_row([], |row| row.get(0))
}

/// The fault as the trait tells it.
pub(super) fn told(path: &Path, undone: ApplyError) -> StoreFault {
    match undone {
        ApplyError::Told(fault) => fault,
        ApplyError::Database(error) => words::fault(path, &error),
    }
}
