//! The issuer: identity in, policy, role token out; revocations pushed to the agents; every request on
//! record under the organization.
//!
//! A request goes `http` → `grant`: `identity` (who), `store` and `policy::admission` (still admitted?),
//! `policy::policy` (may they?), `mint` (a token), `store` (record and token in one transaction), answer.
//! A signal goes `http` → `signals` (verified) → `standing` → `store` → `feed`.

pub mod anchors;
pub mod authorize;
pub mod directory;
pub mod feed;
pub mod files;
#[cfg(any(test, feature = "fixture"))]
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "samples for tests"
)]
pub mod fixture;
pub mod github;
mod given_up;
pub mod grant;
pub mod history;
pub mod http;
pub mod identity;
pub mod keys;
pub mod log;
pub mod metrics;
pub mod mint;
mod once;
mod one_server;
pub mod organization;
pub mod outbound;
pub mod overtaken;
pub mod place;
pub mod process;
pub mod record;
pub mod refused;
pub mod reload;
pub mod scim;
pub mod seal;
pub mod secrets;
pub mod serve;
pub mod signal_processor;
pub mod signals;
pub mod state;
pub mod stream;
pub mod unwritten;
mod upkeep;
pub mod when;
