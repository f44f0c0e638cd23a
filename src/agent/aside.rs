//! Calls that run aside on the agent's thread; what they bring comes back as an event.

use super::answers::PortAnswer;
use std::future::Future;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, spawn_local};

/// Where answers come back to.
#[derive(Clone)]
pub(super) struct Aside(mpsc::UnboundedSender<PortAnswer>);

impl Aside {
    /// With the end at which the answers arrive.
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<PortAnswer>) {
        let (answers, arrive) = mpsc::unbounded_channel();
        (Self(answers), arrive)
    }

    /// Runs a call; its answer comes back by itself.
    pub(super) fn run(&self, call: impl Future<Output = PortAnswer> + 'static) -> AbortHandle {
        let answers = self.clone();
        let task = spawn_local(async move { answers.send(call.await) });
        task.abort_handle()
    }

    /// An answer before the call is over.
    pub(super) fn send(&self, answer: PortAnswer) {
        let _ = self.0.send(answer);
    }
}
