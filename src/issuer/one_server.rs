//! One server for a database: a second one would sign, prune and anchor beside the first. Commands are no servers.

use oam_model::refusal::Refusal;
use oam_model::system_error::reason;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

/// Held for as long as the server runs; the system gives it back when it ends, however that happens.
#[derive(Debug)]
pub(super) struct OneServer(#[expect(dead_code, reason = "it is held, not used")] File);

/// Takes the place of the one server of `database`.
///
/// # Errors
/// Another one has it, or the file beside the database can't be made.
pub(super) fn take(database: &Path) -> Result<OneServer, Refusal> {
    let mut path = database.as_os_str().to_owned();
    path.push(".serving");
    let path = Path::new(&path);
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    let file = options.open(path).map_err(|error| {
        Refusal::unavailable(
            format!("{} can't be made: {}", path.display(), reason(error.kind())),
            "let the database's folder belong to the user that serves",
        )
    })?;
    match file.try_lock() {
        Ok(()) => Ok(OneServer(file)),
        Err(TryLockError::WouldBlock) => Err(Refusal::unavailable(
            format!("another server serves {} already", database.display()),
            "end that one (`systemctl stop oam-issuer`), or name another `database`",
        )),
        Err(TryLockError::Error(error)) => Err(Refusal::unavailable(
            format!(
                "{} can't be locked: {}",
                path.display(),
                reason(error.kind())
            ),
            "put the database on a file system with locks",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::take;

    #[test]
    fn a_second_server_of_a_database_is_refused_and_the_next_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("issuer.db");
        let first = take(&database).unwrap();
        let refusal = take(&database).unwrap_err();
        assert!(refusal.sentence.contains("serves"), "{refusal:?}");
        drop(first);
        assert!(take(&database).is_ok());
    }
}
