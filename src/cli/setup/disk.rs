//! Files of the person that a set-up writes: whole or not at all.

use crate::system::{access_folder, access_options};
use oam_model::refusal::Refusal;
use oam_wire::host::ours_to_make;

pub(crate) use crate::system::FileAccess;
use oam_model::system_error::reason;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// The bytes of a file; none when it is not there.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, Refusal> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path, &error)),
    }
}

/// The text of a file; none when it is not there.
pub(crate) fn read_text(path: &Path) -> Result<Option<String>, Refusal> {
    let Some(bytes) = read(path)? else {
        return Ok(None);
    };
    String::from_utf8(bytes).map(Some).map_err(|_| {
        Refusal::unavailable(
            format!("{} is not UTF-8", path.display()),
            "save it as a text file in UTF-8",
        )
    })
}

/// Writes a file by a temporary one beside it, flushed and renamed over it. A symbolic link stays
/// one: people keep their dot files in repositories.
pub(crate) fn write(path: &Path, bytes: &[u8], access: FileAccess) -> Result<(), Refusal> {
    let path = &path.canonicalize().unwrap_or_else(|_| path.to_owned());
    ours(path)?;
    if let Some(folder) = path.parent() {
        create_folder(folder, access)?;
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".oam-{}", std::process::id()));
    let temporary = path.with_file_name(name);
    let written =
        write_new(&temporary, bytes, path, access).and_then(|()| fs::rename(&temporary, path));
    written.map_err(|error| {
        let _ = fs::remove_file(&temporary);
        failed("write", path, &error)
    })
}

fn write_new(at: &Path, bytes: &[u8], over: &Path, access: FileAccess) -> std::io::Result<()> {
    // Left by a run that was killed; the process id in its name is ours now.
    let _ = fs::remove_file(at);
    let mut file = create(at, access)?;
    if let Ok(about) = fs::metadata(over) {
        file.set_permissions(about.permissions())?;
    }
    file.write_all(bytes)?;
    file.sync_all()
}

/// Refuses a path among somebody else's: root with their HOME would leave them a file that is not theirs.
pub(super) fn ours(path: &Path) -> Result<(), Refusal> {
    ours_to_make(path).map_err(|words| Refusal::unavailable(words, "nothing was written"))
}

/// Removes a file; whether it was there.
pub(crate) fn remove(path: &Path) -> Result<bool, Refusal> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed("remove", path, &error)),
    }
}

/// A new file that must not exist yet.
pub(super) fn create(path: &Path, access: FileAccess) -> std::io::Result<File> {
    access_options(access)
        .write(true)
        .create_new(true)
        .open(path)
}

fn create_folder(folder: &Path, access: FileAccess) -> Result<(), Refusal> {
    access_folder(access)
        .recursive(true)
        .create(folder)
        .map_err(|error| failed("create", folder, &error))
}

/// The refusal for a file that could not be handled.
pub(super) fn failed(verb: &str, path: &Path, error: &std::io::Error) -> Refusal {
    Refusal::unavailable(
        format!(
            "could not {verb} {}: {}",
            path.display(),
            reason(error.kind())
        ),
        "look at the file's owner, permissions and disk, then run the command again",
    )
}

/// A file's path as text for a report.
pub(super) fn name(path: &Path) -> String {
    PathBuf::from(path).display().to_string()
}
