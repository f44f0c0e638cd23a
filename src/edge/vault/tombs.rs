//! The tombstones, in the clear beside the sealed file: an end must be writable and readable when
//! the keyring is not there (promise 1). They hold no secret.

use crate::agent::state::Tombstone;
use crate::edge::files::{durable_write, words};
use crate::model::name::OrgName;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

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
