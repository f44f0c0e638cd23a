//! Room that is kept on the disk for what must be written also when it is full: a refresh token that the
//! provider has already rotated, and the tombstone of an end.

use super::files::{private, words};
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Many times a sealed state or a file of tombstones.
const ROOM: usize = 64 * 1024;

fn place(folder: &Path) -> PathBuf {
    folder.join("reserve")
}

/// Writes; where that fails, once more with the room that was kept. It is kept anew after each success: what
/// was replaced has left its own room free.
pub(super) fn with_room(
    folder: &Path,
    write: impl Fn() -> Result<(), String>,
) -> Result<(), String> {
    let written = write().or_else(|why| match fs::remove_file(place(folder)) {
        Ok(()) => write(),
        Err(_) => Err(why),
    });
    if written.is_ok()
        && let Err(why) = keep(folder)
    {
        tracing::debug!("no room is kept for a full disk: {why}");
    }
    written
}

/// Keeps the room, unless it is kept. Not synced: nobody reads it, and its size is looked at each time.
fn keep(folder: &Path) -> Result<(), String> {
    let path = place(folder);
    let there = fs::symlink_metadata(&path).is_ok_and(|meta| meta.len() >= ROOM as u64);
    if there {
        return Ok(());
    }
    let said = |fault: &std::io::Error| words("write", &path, fault);
    match fs::remove_file(&path) {
        Err(fault) if fault.kind() != ErrorKind::NotFound => return Err(said(&fault)),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    private(&mut options, 0o600);
    let mut file = options.open(&path).map_err(|fault| said(&fault))?;
    // No hole: a file system gives room to what was written only. Nor anything that it could compress.
    let mut bytes = vec![0; ROOM];
    oam_system::clock::fill(&mut bytes);
    file.write_all(&bytes).map_err(|fault| {
        // Half of it is of no use here, and may be of use to others.
        let _ = fs::remove_file(&path);
        said(&fault)
    })
}

#[cfg(test)]
mod tests {
    use super::{ROOM, place, with_room};
    use std::cell::Cell;
    use std::fs;

    #[test]
    fn what_finds_no_room_is_written_into_the_room_that_was_kept_and_it_is_kept_anew() {
        let home = tempfile::tempdir().unwrap();
        let tries = Cell::new(0);
        let full_but_for_the_reserve = || {
            tries.set(tries.get() + 1);
            if place(home.path()).exists() {
                return Err("the disk is full".to_owned());
            }
            Ok(())
        };
        with_room(home.path(), || Ok(())).unwrap();
        let kept = || fs::metadata(place(home.path())).map(|meta| meta.len());
        assert_eq!(kept().unwrap(), ROOM as u64);
        with_room(home.path(), full_but_for_the_reserve).unwrap();
        assert_eq!((tries.get(), kept().unwrap()), (2, ROOM as u64));
    }

    #[test]
    fn a_fault_without_a_reserve_is_told_at_once_and_one_that_stays_after_the_second_try() {
        let home = tempfile::tempdir().unwrap();
        let tries = Cell::new(0);
        let broken = || {
            tries.set(tries.get() + 1);
            Err("it is read-only".to_owned())
        };
        assert!(with_room(home.path(), broken).is_err());
        assert_eq!(tries.get(), 1);
        with_room(home.path(), || Ok(())).unwrap();
        assert!(with_room(home.path(), broken).is_err());
        assert_eq!(tries.get(), 3);
    }

    #[test]
    fn a_reserve_that_a_crash_cut_short_is_kept_anew() {
        let home = tempfile::tempdir().unwrap();
        fs::write(place(home.path()), "half").unwrap();
        with_room(home.path(), || Ok(())).unwrap();
        assert_eq!(fs::metadata(place(home.path())).unwrap().len(), ROOM as u64);
    }
}
