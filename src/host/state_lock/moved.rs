//! What an earlier version kept for all hosts together moves into this host's folder, once.

use super::StateLock;
use crate::files::{sync_folder, words};
use oam_model::refusal::Refusal;
use oam_wire::client::Client;
use oam_wire::socket_path::SocketPath;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

impl StateLock {
    /// Moves the state of an earlier version here. An agent of that version, which knows nothing of
    /// this lock, still uses it: then it is the holder, and its place is answered.
    ///
    /// # Errors
    /// That agent does not answer, or something can't be moved.
    pub(super) fn take_over(&self, base: &Path) -> Result<Option<SocketPath>, Refusal> {
        let left: Vec<PathBuf> = names(base)
            .into_iter()
            .filter(|name| self.folder.join(name).symlink_metadata().is_err())
            .collect();
        if left.is_empty() {
            return Ok(None);
        }
        for folder in earlier_sockets(base) {
            if let Some(theirs) = still_runs(&folder)? {
                return Ok(Some(theirs));
            }
        }
        for name in left {
            let (from, to) = (base.join(&name), self.folder.join(&name));
            fs::rename(&from, &to).map_err(|fault| unmoved(&from, &fault))?;
        }
        // The new name is durable before the old one is gone.
        sync_folder(&self.folder)
            .and_then(|()| sync_folder(base))
            .map_err(|fault| unmoved(base, &fault))?;
        Ok(None)
    }
}

fn unmoved(path: &Path, fault: &std::io::Error) -> Refusal {
    Refusal::unavailable(
        words("move", path, fault),
        "make room or repair the folder, then try again",
    )
}

/// What is there of an earlier version, in the order in which it moves: the tombstones first, so that
/// a session never comes without the record of its end.
fn names(base: &Path) -> Vec<PathBuf> {
    let there = |name: &&str| base.join(name).symlink_metadata().is_ok();
    let mut names: Vec<PathBuf> = ["tombstones.json", "audit"]
        .iter()
        .filter(|name| there(name))
        .map(PathBuf::from)
        .collect();
    let entries = fs::read_dir(base).into_iter().flatten().flatten();
    names.extend(
        entries
            .map(|entry| PathBuf::from(entry.file_name()))
            .filter(|name| {
                name.to_str()
                    .is_some_and(|name| name == "sealed" || name.starts_with("sealed.unreadable"))
            }),
    );
    names
}

/// Where an agent of an earlier version can have its socket and its lock.
fn earlier_sockets(base: &Path) -> Vec<PathBuf> {
    let user = rustix::process::geteuid().as_raw().to_string();
    let mut folders = vec![
        base.join("run"),
        Path::new("/run/user").join(user).join("oam"),
    ];
    folders.extend(SocketPath::find().map(|place| place.folder));
    folders
}

/// Whether an agent holds the lock beside this socket.
fn still_runs(folder: &Path) -> Result<Option<SocketPath>, Refusal> {
    let path = folder.join("agent.lock");
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(fault) if fault.kind() == ErrorKind::NotFound => return Ok(None),
        Err(fault) => return Err(unmoved(&path, &fault)),
    };
    if file.try_lock().is_ok() {
        return Ok(None);
    }
    let place = SocketPath::in_folder(folder.to_owned())?;
    // The refusal of one that does not answer says what to do.
    Client::connect(&place).map(|_| Some(place))
}
