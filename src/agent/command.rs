//! What the outside asks the core, and what it gets back: in the words of the wire.

use oam_config::agent::Settings;
use oam_model::caller::Caller;
use oam_model::granted::Granted;
use oam_model::refusal::Refusal;
use oam_session::screen::ScreenState;
use oam_wire::message::{Reply, Request};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;

/// One thing that the core is told.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every command is the large one: a box would be made for each"
)]
pub enum AgentCommand {
    /// A client asks.
    Asked(ClientRequest),
    /// New settings, or the reason why an edit was not taken.
    Configured(Result<Arc<Settings>, String>),
}

/// What a client asks.
pub struct ClientRequest {
    pub request: Request,
    /// Who asks.
    pub caller: Caller,
    pub answers: ReplySender,
}

/// Whether a command may wait until roles are read, or a sign-in under way is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WaitPolicy {
    /// It waits if that may change its answer.
    Waits,
    /// It has waited: it is answered by what is known.
    IsOver,
    /// It would wait for a person, and nobody is at its screen: it is answered by what is known.
    Nobody(ScreenState),
}

/// Where answers go: one, or several for [`Request::Follow`], [`Request::Watch`] and [`Request::Login`], which end when
/// the receiver is dropped.
pub type ReplySender = mpsc::Sender<GatedReply>;

/// One answer.
pub struct GatedReply {
    pub reply: Reply,
    /// With a token: the gate that must be looked at as the last step before the socket write, and the epoch that it
    /// must let through (promise 1).
    pub gate: Option<(EpochGate, u64)>,
}

impl GatedReply {
    /// An answer with a token.
    pub fn gated(reply: Reply, granted: &Granted, gate: EpochGate) -> Self {
        let gate = Some((gate, granted.epoch));
        Self { reply, gate }
    }
}

impl From<Reply> for GatedReply {
    fn from(reply: Reply) -> Self {
        Self { reply, gate: None }
    }
}

impl From<Refusal> for GatedReply {
    /// A refusal that no session's epoch has to do with.
    fn from(refusal: Refusal) -> Self {
        refused(refusal, 0).into()
    }
}

/// A refusal, and the epoch that it was made in.
pub(super) const fn refused(refusal: Refusal, epoch: u64) -> Reply {
    Reply::Refused { refusal, epoch }
}

/// Answers; whoever has gone is told nothing.
pub(super) fn say(answers: &ReplySender, answer: impl Into<GatedReply>) {
    let _ = answers.try_send(answer.into());
}

/// The epoch of one organization's session, shared with the tasks that write answers.
#[derive(Clone, Default)]
pub struct EpochGate(Arc<AtomicU64>);

impl EpochGate {
    /// A gate at `epoch`.
    pub fn new(epoch: u64) -> Self {
        Self(Arc::new(AtomicU64::new(epoch)))
    }

    /// Moves on: answers of earlier epochs stay in.
    pub fn set(&self, epoch: u64) {
        self.0.store(epoch, Ordering::Release);
    }

    /// The epoch now.
    pub fn now(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Whether an answer of `epoch` may still leave.
    pub fn lets(&self, epoch: u64) -> bool {
        self.now() == epoch
    }
}

/// How the outside reaches the core. A full mailbox is a refusal, not a wait.
pub type Mailbox = mpsc::Sender<AgentCommand>;
