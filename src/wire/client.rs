//! The blocking client of the agent.

use super::message::{ReplyFrame, Request};
use super::place::Place;
use crate::model::refusal::{Refusal, RefusalCode};
use std::time::Duration;

/// A connection to the agent whose owner was checked (R14).
pub struct Client {}

fn not_yet() -> Refusal {
    Refusal::new(RefusalCode::Unreachable, "the agent can't be reached", "start it")
}

impl Client {
    /// Connects to a running agent.
    pub fn connect(_place: &Place) -> Result<Self, Refusal> {
        Err(not_yet())
    }

    /// Connects, starting the agent that lies beside this program when none runs.
    pub fn connect_or_start(_place: &Place) -> Result<Self, Refusal> {
        Err(not_yet())
    }

    /// One request, one reply.
    pub fn ask(&mut self, _request: Request, _deadline: Duration) -> Result<ReplyFrame, Refusal> {
        Err(not_yet())
    }

    /// Sends a request whose replies are read with [`Self::next`].
    pub fn send(&mut self, _request: Request) -> Result<(), Refusal> {
        Err(not_yet())
    }

    /// The next reply; no deadline: waits for as long as the agent lives.
    pub fn next(&mut self, _deadline: Option<Duration>) -> Result<ReplyFrame, Refusal> {
        Err(not_yet())
    }
}
