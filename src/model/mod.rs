//! The nouns of OAM: what is asked, by whom, for which role, and why it was refused.
//!
//! Nothing here reads a clock, a file or the network; every other room builds on these types.

pub mod answer;
pub mod ask;
pub mod caller;
pub mod granted;
pub mod identity;
pub mod name;
pub mod order;
pub mod record;
pub mod refusal;
pub mod report;
pub mod role;
pub mod secret;
pub mod settings;
pub mod standing;
pub mod time;
