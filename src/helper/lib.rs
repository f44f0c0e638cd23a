//! Fronts: bytes in, ask out, answer in, bytes out. Reader, writer and closure are given.

pub mod env;
pub mod git;
pub mod hf;
pub mod past;
pub mod plain;
