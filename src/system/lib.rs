//! The clocks and randomness: the only sources of them.

pub mod clock;
pub mod leap;
#[cfg(unix)]
pub mod process;
