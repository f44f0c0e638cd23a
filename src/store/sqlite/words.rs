//! What went wrong with the database, in our own words and with the next step.

use crate::StoreFault;
use oam_model::refusal::{Refusal, RefusalCode};
use rusqlite::{Error, ErrorCode};
use std::path::Path;

/// What happened and what to do, for one fault of the database.
fn parts(error: &Error) -> (&'static str, &'static str) {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => (
            "is full",
            "make room on its disk; the issuer goes on by itself",
        ),
        Some(ErrorCode::ReadOnly) => (
            "can't be written",
            "make it and its folder writable for the issuer's user; the issuer goes on by itself",
        ),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            "is held by another process",
            "end the process that has it open, or try again",
        ),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => (
            "is damaged",
            "keep a copy of it, put the last backup in its place and restart the issuer",
        ),
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => (
            "can't be opened",
            "let the issuer's user read and write it and its folder",
        ),
        Some(ErrorCode::SystemIoFailure) => (
            "could not be read or written by the system",
            "look at the disk and at the system's log; the issuer goes on by itself when it works again",
        ),
        Some(ErrorCode::ConstraintViolation) => (
            "does not take this change",
            "report this: it is a fault of the issuer",
        ),
        Some(ErrorCode::OutOfMemory) => ("got no memory", "give the issuer more memory"),
        _ if matches!(error, Error::FromSqlConversionFailure(..)) => (
            "holds a value that this version can't read",
            "run the version of oam-issuer that wrote it",
        ),
        _ => (
            "failed",
            "look at the disk and at the system's log, then try again",
        ),
    }
}

/// The fault as a commit or a read tells it.
pub(super) fn fault(path: &Path, error: &Error) -> StoreFault {
    let (what, next) = parts(error);
    StoreFault::Unavailable(format!("the database {} {what}: {next}", path.display()))
}

/// The fault as opening tells it.
pub(super) fn refusal(path: &Path, error: &Error) -> Refusal {
    let (what, next) = parts(error);
    refused(path, what, next)
}

/// A refusal about the database at `path`.
pub(super) fn refused(path: &Path, what: &str, next: &str) -> Refusal {
    Refusal::new(
        RefusalCode::Unavailable,
        format!("the database {} {what}", path.display()),
        next,
    )
}

/// A refusal in one piece, as the store tells it while it runs.
pub(super) fn as_fault(refusal: &Refusal) -> StoreFault {
    StoreFault::Unavailable(format!("{}: {}", refusal.sentence, refusal.next))
}

/// Why the database that was open can't be used any more.
pub(super) fn gone(path: &Path) -> Refusal {
    refused(
        path,
        "was deleted or moved away while it was open; a new one is not begun in its place",
        "put it back, or restore the last backup there; the issuer goes on by itself",
    )
}

/// The threads of the store ended.
pub(super) fn closed() -> StoreFault {
    StoreFault::Unavailable("the store is closed: restart the issuer".to_owned())
}

/// More is waiting than can be written soon.
pub(super) fn busy() -> StoreFault {
    StoreFault::Unavailable(
        "more waits for the database than it can write: try again in some seconds".to_owned(),
    )
}
