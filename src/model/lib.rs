//! The nouns of OAM: what is asked, by whom, for which role, and why it was refused.
//!
//! Nothing here reads a clock, a file or the network; every other crate builds on these types.

#![warn(missing_docs)]

pub mod answer;
pub mod audit;
pub mod caller;
pub mod count;
pub mod directory;
pub mod feed;
pub mod granted;
pub mod identity;
pub mod issuer;
pub mod job;
pub mod line;
pub mod log_break;
pub mod name;
pub mod notice;
pub mod organization;
pub mod policy;
pub mod principal;
pub mod record;
pub mod refusal;
pub mod report;
pub mod role;
pub mod secret;
pub mod served;
pub mod settings;
pub mod sign_in;
pub mod signal;
pub mod standing;
pub mod system_error;
pub mod time;
pub mod token_key;
pub mod token_request;
