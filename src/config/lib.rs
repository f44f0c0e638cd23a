//! Text to typed settings, with the line and column of each fault. No file is read here.

mod address;
pub mod agent;
pub mod changes;
pub mod digest;
pub mod duration;
mod exchange;
pub mod fault;
mod fields;
mod hub;
pub mod issuer;
mod merge;
pub mod organization;
mod pattern;
mod provider;
mod read;
pub mod remarks;
mod role;
mod suggest;
mod tree;
