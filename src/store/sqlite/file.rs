//! The database as files: made private, and told from another one that took its place.
//!
//! `SQLite` goes on writing to files that were deleted or replaced underneath it, and what it writes there
//! is lost with the process. So the identity of the files is compared before every group of commits.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Which file this is, whatever its name.
pub(super) type FileIdentity = (u64, u64);

/// Where the write-ahead log of a database lies.
pub(super) fn log_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

/// Removes the write-ahead log and its index; a fault shows when the database is opened.
pub(super) fn remove_log(path: &Path) {
    for ending in ["-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        let _ = fs::remove_file(PathBuf::from(name));
    }
}

/// The identity of what lies at `path`; none when nothing does.
///
/// # Errors
/// The system's, when it can't be looked at.
pub(super) fn identity(path: &Path) -> io::Result<Option<FileIdentity>> {
    match fs::metadata(path) {
        Ok(meta) => Ok(Some(identity_of(&meta))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(unix)]
fn identity_of(meta: &Metadata) -> FileIdentity {
    use std::os::unix::fs::MetadataExt;
    (meta.dev(), meta.ino())
}

/// Elsewhere an open file can't be deleted or replaced: that it is there is enough.
#[cfg(not(unix))]
fn identity_of(_meta: &Metadata) -> FileIdentity {
    (0, 0)
}

/// Makes an empty file that only this user can read, unless there is one; that one is made private.
/// `SQLite` gives its other files the same mode.
///
/// # Errors
/// The system's.
pub(super) fn prepare(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    match options.open(path) {
        Ok(file) => give(&file, path),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => private(path),
        Err(error) => Err(error),
    }
}

/// Writes a small file as a whole: it holds the old text or the new one, whatever happens meanwhile.
///
/// # Errors
/// The system's.
pub(super) fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}", std::process::id()));
    let aside = PathBuf::from(name);
    let written = prepare(&aside).and_then(|()| {
        let mut file = OpenOptions::new().write(true).truncate(true).open(&aside)?;
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(&aside, path)
    });
    if written.is_err() {
        let _ = fs::remove_file(&aside);
    }
    written?;
    sync_folder(path)
}

/// Makes a new name in a folder durable.
///
/// # Errors
/// The system's.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

/// What root makes in the folder of the issuer's user is that user's: the server could not open it otherwise.
#[cfg(unix)]
fn give(file: &File, path: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let folder = fs::metadata(folder.unwrap_or_else(|| Path::new(".")))?;
    let about = file.metadata()?;
    if about.uid() != 0 || folder.uid() == 0 {
        return Ok(());
    }
    fchown(file, Some(folder.uid()), Some(folder.gid()))
}

#[cfg(not(unix))]
fn give(_file: &File, _path: &Path) -> io::Result<()> {
    Ok(())
}

/// A database that others can read is closed to them. One that this user may not change is left as it
/// is: whether it can be used is seen at once.
#[cfg(unix)]
fn private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mut mode = fs::metadata(path)?.permissions();
    if mode.mode() & 0o077 != 0 {
        mode.set_mode(0o600);
        match fs::set_permissions(path, mode) {
            Err(error) if error.kind() != ErrorKind::PermissionDenied => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(not(unix))]
fn private(path: &Path) -> io::Result<()> {
    fs::metadata(path).map(|_| ())
}
