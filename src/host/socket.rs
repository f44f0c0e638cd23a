//! The socket server: accepts, knows its caller, bounds what anybody can take (R13, R27).

use super::caller::{NoPeer, Peer};
use super::connection::Connection;
use super::connection_quota::{ConnectionPermit, ConnectionQuota};
use oam_agent::command::Mailbox;
use oam_model::refusal::{Refusal, RefusalCode};
use oam_wire::frame;
use oam_wire::message::{Reply, ReplyFrame};
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// What a client may take.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// Connections at once.
    pub connections: usize,
    /// Of these, kept for callers that come while nobody who is there can be sent away.
    pub reserve: usize,
    /// From accept to the end of the first request.
    pub first: Duration,
    /// From an answer to the end of the next request.
    pub idle: Duration,
    /// From the first to the last byte of an answer.
    pub write: Duration,
    /// Longest pause after a failed accept when no connection ends meanwhile.
    pub pause: Duration,
    /// Longest wait for answers in the works when the server stops.
    pub drain: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            connections: 256,
            reserve: 8,
            first: Duration::from_secs(10),
            idle: Duration::from_mins(1),
            write: Duration::from_secs(5),
            pause: Duration::from_secs(1),
            drain: Duration::from_secs(1),
        }
    }
}

/// Serves until `stop` resolves, then lets answers in the works leave. What comes in by `others` takes
/// the listener's place: a socket that was bound anew.
///
/// Must run inside a `LocalSet`, on the thread of the core: between the last look at an epoch and
/// the write of an answer nothing else runs, so no end of a session can come in between (promise 1).
pub async fn serve(
    mut listener: UnixListener,
    mut others: mpsc::Receiver<UnixListener>,
    mailbox: Mailbox,
    limits: ConnectionLimits,
    stop: impl Future<Output = ()>,
) {
    let quota = ConnectionQuota::default();
    let mut tasks = JoinSet::new();
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stop => break,
            Some(_) = tasks.join_next() => continue,
            Some(other) = others.recv() => {
                listener = other;
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                admit(stream, &mailbox, limits, &quota, &mut tasks);
                // A flood of connections must not keep those that are there from being answered.
                tokio::task::yield_now().await;
            }
            Err(error) => {
                // No descriptors left, most likely: accept would fail again at once.
                tracing::warn!(kind = %error.kind(), "a connection could not be accepted");
                let pause = tokio::time::timeout(limits.pause, quota.freed());
                tokio::select! {
                    () = &mut stop => break,
                    _ = pause => {}
                }
            }
        }
    }
    drop(listener);
    while quota.free_one() {}
    let answered = async { while tasks.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(limits.drain, answered).await;
}

fn admit(
    stream: UnixStream,
    mailbox: &Mailbox,
    limits: ConnectionLimits,
    quota: &ConnectionQuota,
    tasks: &mut JoinSet<()>,
) {
    let peer = match Peer::of(&stream) {
        Ok(peer) => peer,
        Err(NoPeer::OtherUser(uid)) => {
            tracing::warn!(uid, "another user's connection was closed");
            return;
        }
        Err(NoPeer::Gone) => return,
        Err(NoPeer::Fault(error)) => {
            tracing::warn!(kind = %error.kind(), "a connection without a known caller was closed");
            return;
        }
    };
    if quota.count() >= limits.connections.saturating_sub(limits.reserve) {
        quota.free_one();
    }
    if quota.count() >= limits.connections {
        turn_away(&stream);
        return;
    }
    let permit = quota.take();
    let number = permit.number();
    let connection = Connection::new(stream, peer, mailbox.clone(), limits, permit);
    let task = tasks.spawn_local(connection.run());
    ConnectionPermit::belongs_to(quota, number, task);
}

/// Says why, if the socket takes it at once; nobody is waited for here.
fn turn_away(stream: &UnixStream) {
    let refusal = busy();
    let frame = ReplyFrame::new(Reply::Refused { refusal, epoch: 0 });
    if let Ok(bytes) = frame::encode(&frame) {
        let _ = stream.try_write(bytes.bytes());
    }
}

/// Too much at once.
pub(super) fn busy() -> Refusal {
    Refusal::new(
        RefusalCode::Busy,
        "the agent has too much to do at once",
        "try again in a moment",
    )
}
