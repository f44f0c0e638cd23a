//! What the tests stand on.

pub mod desktop;
pub mod http;
pub mod parts;
pub mod running;
pub mod traces;
pub mod wait;
pub mod world;

pub use world::{Builder, Run, World};
