//! Text to typed settings, with the line and column of each fault. No file is read here.

pub mod agent;
pub mod digest;
pub mod duration;
pub mod fault;
