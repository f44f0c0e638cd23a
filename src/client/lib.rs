//! What an agent and a CI job alike ask of token endpoints and issuers, over the one HTTP client: the exchange, what an
//! organization publishes, and the checks of every answer.

pub mod clock;
pub mod exchange;
pub mod http;
pub mod job;
pub mod organization;
pub mod words;
