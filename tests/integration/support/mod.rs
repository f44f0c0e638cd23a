//! What the tests stand on.

pub mod agents;
pub mod builder;
pub mod desktop;
pub mod http;
pub mod parts;
pub mod traces;
pub mod wait;
pub mod world;

pub use builder::Builder;
pub use world::{Run, World};
