//! One file a command.

pub mod setup;
