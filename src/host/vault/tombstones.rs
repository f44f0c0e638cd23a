//! The tombstones, in the clear beside the sealed file: an end must be writable and readable when
//! the keyring is not there (promise 1). They hold no secret.

use crate::files::{durable_write, words};
use oam_agent::state::Tombstone;
use oam_model::name::OrgName;
use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io::ErrorKind;
use std::path::Path;
use std::time::SystemTime;

/// How the file looks: enough to see that another one was put in its place. All writers rename.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileStamp {
    length: u64,
    modified: Option<SystemTime>,
    inode: u64,
}

/// Looks at it; a missing file has a look of its own.
pub(super) fn look(path: &Path) -> FileStamp {
    let meta = std::fs::symlink_metadata(path).ok();
    FileStamp {
        length: meta.as_ref().map_or(0, Metadata::len),
        modified: meta.as_ref().and_then(|meta| meta.modified().ok()),
        inode: meta.as_ref().map_or(0, inode),
    }
}

#[cfg(unix)]
fn inode(meta: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(meta)
}

#[cfg(not(unix))]
fn inode(_meta: &Metadata) -> u64 {
    0
}

/// Reads them; a missing file is an empty list, an unreadable or garbled one a fault: then nobody
/// knows which sessions are over.
pub(super) fn read(path: &Path) -> Result<BTreeMap<OrgName, Tombstone>, String> {
    let bytes = match super::read_private(path) {
        Ok(bytes) => bytes,
        Err(fault) if fault.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(fault) => return Err(words("read", path, &fault)),
    };
    serde_json::from_slice(&bytes)
        .map_err(|_| format!("{} can't be understood; nothing is served while nobody knows which sessions ended: restore it, or delete it and sign in again", path.display()))
}

/// Writes them durably.
pub(super) fn write(path: &Path, tombstones: &BTreeMap<OrgName, Tombstone>) -> Result<(), String> {
    let bytes = serde_json::to_vec(tombstones)
        .map_err(|_| String::from("the tombstones can't be written as JSON"))?;
    durable_write(path, &bytes, 0o600)
}
