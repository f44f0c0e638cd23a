//! What was told on the desktop, in the clear beside the tombstones: it is needed where the keyring is away, too, and
//! holds no secret.

use crate::files::{durable_write, private_folder};
use oam_agent::notice_memory::NoticeMemory;
use std::path::Path;

const FILE: &str = "notices.json";

/// Nothing where it is missing or garbled: then something is told twice.
pub(super) fn read(folder: &Path) -> NoticeMemory {
    let bytes = super::read_private(&folder.join(FILE));
    let read = bytes.map(|bytes| serde_json::from_slice(&bytes).ok());
    read.ok().flatten().unwrap_or_default()
}

/// Writes it, if that can be done.
pub(super) fn keep(folder: &Path, memory: &NoticeMemory) {
    if let Err(why) = private_folder(folder).and_then(|()| write(folder, memory)) {
        tracing::debug!("what was told on the desktop is not kept: {why}");
    }
}

fn write(folder: &Path, memory: &NoticeMemory) -> Result<(), String> {
    let bytes = serde_json::to_vec(memory)
        .map_err(|_| String::from("what was told can't be written as JSON"))?;
    durable_write(&folder.join(FILE), &bytes, 0o600)
}
