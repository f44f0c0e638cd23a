//! Fronts: bytes in, ask out, answer in, bytes out. Reader, writer and closure are given.

pub mod git;
pub mod plain;
