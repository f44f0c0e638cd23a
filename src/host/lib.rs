//! Everything outside the agent: socket, identity provider, exchange, keyring, disk, notices,
//! clock. What differs between systems sits here.

mod ancestry;
pub mod assemble;
pub mod audit_file;
pub mod caller;
mod connection;
mod connection_quota;
pub mod feed;
pub mod files;
pub mod listen;
mod log_file;
pub mod loopback;
pub mod notice;
pub mod oidc;
pub mod process;
mod reserve;
mod screen;
pub mod settings;
pub mod socket;
mod socket_watch;
pub mod state_lock;
pub mod vault;

use oam_client::{clock, exchange, http, organization};
