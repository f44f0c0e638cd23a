//! Decisions.

pub mod record;
