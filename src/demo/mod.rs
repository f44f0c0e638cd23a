//! The demo: an identity provider, a token endpoint and a hub on loopback, seeded; it drives the
//! shipped binaries as separate processes, and no code outside this room knows that it is a demo.

pub mod base64;
pub mod browser;
pub mod cgi;
pub mod exchange;
pub mod hub;
pub mod idp;
pub mod key;
pub mod oauth;
pub mod seed;
pub mod world;
