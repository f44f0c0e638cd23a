//! The issuer: identity in, policy, role token out; revocations pushed to the agents; every request on
//! record under the organization.
//!
//! A request goes `http` → `grant`: `identity` (who), `store` and `rules::admission` (still admitted?),
//! `rules::policy` (may they?), `mint` (a token), `store` (record and token in one transaction), answer.
//! A signal goes `http` → `signals` (verified) → `standing` → `store` → `feed`.

pub mod args;
pub mod command;
pub mod serve;
pub mod show;
pub mod store;
