//! One connection: request in, command to the core, reply out.

mod refusals;

use super::caller::{Peer, repository_of};
use super::connection_quota::ConnectionPermit;
use super::socket::{ConnectionLimits, busy};
use oam_agent::command::{AgentCommand, ClientRequest, EpochGate, GatedReply, Mailbox};
use oam_model::caller::Caller;
use oam_model::refusal::Refusal;
use oam_wire::buffer::{Buffer, Inbox};
use oam_wire::frame::{self, FrameFault};
use oam_wire::message::{Reply, ReplyFrame, Request};
use refusals::{ended_meanwhile, stopping, too_long};
use std::io;
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::task::JoinHandle;
use zeroize::Zeroize;

/// Answers that may wait for a client that reads slowly.
const ANSWERS: usize = 8;

/// The connection is to be closed; there is nobody to tell why.
struct Over;

/// The session whose end keeps a reply from leaving.
type Gate = (EpochGate, u64);

/// A connection that was accepted from a known caller.
pub(super) struct Connection {
    stream: UnixStream,
    inbox: Inbox,
    peer: Peer,
    mailbox: Mailbox,
    limits: ConnectionLimits,
    permit: ConnectionPermit,
    /// The look around in the caller's folder, while the request is still being read.
    looking: Option<JoinHandle<Option<String>>>,
}

impl Connection {
    pub(super) const fn new(
        stream: UnixStream,
        peer: Peer,
        mailbox: Mailbox,
        limits: ConnectionLimits,
        permit: ConnectionPermit,
    ) -> Self {
        let inbox = Inbox::new();
        Self {
            stream,
            inbox,
            peer,
            mailbox,
            limits,
            permit,
            looking: None,
        }
    }

    /// Answers one request after the other until the client goes, is silent for too long, or says
    /// something that is not of the protocol.
    pub(super) async fn run(mut self) {
        let folder = self.peer.folder.take();
        self.looking = folder.map(|folder| tokio::spawn(repository_of(folder)));
        let mut limit = self.limits.first;
        loop {
            self.permit.idle();
            let line = match tokio::time::timeout(limit, self.line()).await {
                Ok(Ok(Some(line))) => frame::request(line.bytes()),
                Ok(Err(fault)) => Err(fault),
                Ok(Ok(None)) | Err(_) => return,
            };
            self.permit.busy();
            let answered = match line {
                Ok(frame) => self.answer(frame.request).await,
                Err(fault) => {
                    let _ = self.refuse(fault.to_client(), 0).await;
                    Err(Over)
                }
            };
            if answered.is_err() {
                return;
            }
            limit = self.limits.idle;
        }
    }

    /// The next line; `None`: the client closed.
    async fn line(&mut self) -> Result<Option<Buffer>, FrameFault> {
        loop {
            if let Some(line) = self.inbox.next_line()? {
                return Ok(Some(line));
            }
            if !self.fill().await {
                return Ok(None);
            }
        }
    }

    /// Waits for bytes and takes them in. `false`: no more will come. Nothing is lost when it is cancelled.
    async fn fill(&mut self) -> bool {
        loop {
            if self.stream.readable().await.is_err() {
                return false;
            }
            let mut piece = [0; 4096];
            let read = self.stream.try_read(&mut piece);
            if let Ok(count @ 1..) = read {
                self.inbox.take(&piece[..count]);
                piece.zeroize();
                return true;
            }
            match read {
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                    ) => {}
                Ok(_) | Err(_) => return false,
            }
        }
    }

    /// Resolves when the client is gone; what it says meanwhile waits for its turn.
    async fn gone(&mut self) {
        while !self.inbox.is_full() && self.fill().await {}
    }

    /// Who asks, with the repository that it stands in.
    async fn caller(&mut self) -> Caller {
        if let Some(looking) = self.looking.take() {
            self.peer.caller.working_repository = looking.await.ok().flatten();
        }
        self.peer.caller.clone()
    }

    async fn answer(&mut self, request: Request) -> Result<(), Over> {
        let caller = self.caller().await;
        let (answers, heard) = mpsc::channel(ANSWERS);
        let watches = matches!(request, Request::Watch { .. });
        let follows = watches || matches!(request, Request::Follow { .. });
        let several = follows || matches!(request, Request::Login { .. });
        let asked = AgentCommand::Asked(ClientRequest {
            request,
            caller,
            answers,
        });
        if let Err(refusal) = self.hand_over(asked) {
            return self.refuse(refusal, 0).await;
        }
        if several {
            self.relay(heard, follows, watches).await
        } else {
            self.answer_once(heard).await
        }
    }

    async fn answer_once(&mut self, mut heard: mpsc::Receiver<GatedReply>) -> Result<(), Over> {
        match heard.recv().await {
            Some(GatedReply { reply, gate }) => self.write_while(reply, gate).await.map(|_| ()),
            None => self.refuse(stopping(), 0).await,
        }
    }

    /// Never waits: a full mailbox is a refusal.
    fn hand_over(&self, command: AgentCommand) -> Result<(), Refusal> {
        self.mailbox.try_send(command).map_err(|error| match error {
            TrySendError::Full(_) => busy(),
            TrySendError::Closed(_) => stopping(),
        })
    }

    /// Passes on one answer after the other. A following that never began ends with [`Reply::Refused`], one that did with
    /// [`Reply::Withdrawn`]. One that watches ends with the client: the core hears by it that the gateway is gone.
    async fn relay(
        &mut self,
        mut heard: mpsc::Receiver<GatedReply>,
        follows: bool,
        watches: bool,
    ) -> Result<(), Over> {
        let mut began = false;
        loop {
            let answer = tokio::select! {
                answer = heard.recv() => answer,
                () = self.gone() => return Err(Over),
            };
            let Some(GatedReply { reply, gate }) = answer else {
                let refusal = stopping();
                return if began {
                    self.write(Reply::Withdrawn { refusal }).await
                } else {
                    self.refuse(refusal, 0).await
                };
            };
            let reply = match reply {
                Reply::Paused { refusal } | Reply::Withdrawn { refusal } if !began => {
                    return self.refuse(refusal, 0).await;
                }
                reply => reply,
            };
            let last = is_last(&reply) && !(watches && began);
            if !self.write_while(reply, gate).await? || last {
                return Ok(());
            }
            began = follows;
        }
    }

    async fn refuse(&mut self, refusal: Refusal, epoch: u64) -> Result<(), Over> {
        self.write(Reply::Refused { refusal, epoch }).await
    }

    async fn write(&mut self, reply: Reply) -> Result<(), Over> {
        self.write_while(reply, None).await.map(|_| ())
    }

    /// Writes a reply. One with a token leaves only while its caller lives and its epoch stands;
    /// `false`: the session ended meanwhile, and a refusal left in its stead.
    async fn write_while(&mut self, reply: Reply, gate: Option<Gate>) -> Result<bool, Over> {
        let bytes = match frame::encode(&ReplyFrame::new(reply)) {
            Ok(bytes) => bytes,
            Err(_) => encode_refusal(too_long(), 0)?,
        };
        if self.write_bytes(bytes.bytes(), gate.as_ref()).await? {
            return Ok(true);
        }
        let epoch = gate.map_or(0, |(gate, _)| gate.now());
        let bytes = encode_refusal(ended_meanwhile(), epoch)?;
        self.write_bytes(bytes.bytes(), None).await?;
        Ok(false)
    }

    /// `false`: the session ended before the first byte left.
    async fn write_bytes(&self, bytes: &[u8], gate: Option<&Gate>) -> Result<bool, Over> {
        let writing = async {
            let mut rest = bytes;
            while !rest.is_empty() {
                self.stream.writable().await.map_err(|_| Over)?;
                // From here to the system call nothing else runs on this thread (promise 1).
                if let Some((gate, epoch)) = gate {
                    if !self.peer.alive() {
                        return Err(Over);
                    }
                    if !gate.lets(*epoch) {
                        // Half a frame can't be read as a token, and closing leaves it so.
                        return if rest.len() == bytes.len() {
                            Ok(false)
                        } else {
                            Err(Over)
                        };
                    }
                }
                match self.stream.try_write(rest) {
                    Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                    Err(error)
                        if matches!(
                            error.kind(),
                            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                        ) => {}
                    Err(_) => return Err(Over),
                }
            }
            Ok(true)
        };
        tokio::time::timeout(self.limits.write, writing)
            .await
            .unwrap_or(Err(Over))
    }
}

/// Whether nothing follows this one of several answers.
const fn is_last(reply: &Reply) -> bool {
    !matches!(
        reply,
        Reply::Following(_)
            | Reply::Watching(_)
            | Reply::Renewed { .. }
            | Reply::Paused { .. }
            | Reply::Challenge { .. }
    )
}

fn encode_refusal(refusal: Refusal, epoch: u64) -> Result<Buffer, Over> {
    frame::encode(&ReplyFrame::new(Reply::Refused { refusal, epoch })).map_err(|_| Over)
}
