//! Everything outside the agent.

#[cfg(unix)]
pub mod ancestry;
#[cfg(unix)]
pub mod caller;
#[cfg(unix)]
mod connection;
#[cfg(unix)]
pub mod listen;
#[cfg(unix)]
pub mod process;
#[cfg(unix)]
mod seats;
#[cfg(unix)]
pub mod socket;
#[cfg(unix)]
mod translate;
