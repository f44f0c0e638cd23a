//! Where the agent's socket lies.

use crate::model::refusal::Refusal;
use std::path::PathBuf;

/// The agent's socket and its folder.
#[derive(Debug, Clone)]
pub struct Place {
    /// `$XDG_RUNTIME_DIR/oam`, or the fallback of the user's own.
    pub folder: PathBuf,
    /// The socket in it.
    pub socket: PathBuf,
}

impl Place {
    /// From the environment; reads no configuration file.
    pub fn find() -> Result<Self, Refusal> {
        Err(Refusal::unavailable("no place", "set XDG_RUNTIME_DIR"))
    }
}
