//! What the tests stand on.

pub mod agents;
pub mod desktop;
pub mod http;
pub mod parts;
pub mod wait;
pub mod world;

pub use world::{Builder, Run, World};
