//! One connection: request in, command to the core, reply out.

use super::caller::{Peer, repository_of};
use super::connection_quota::ConnectionPermit;
use super::socket::{ConnectionLimits, busy};
use super::translate::{self, ended_meanwhile, following, stopping, told, too_long, wish};
use oam_agent::command::{
    AgentCommand, CommandOutcome, EpochGate, LoginNews, LoginRequest, Mailbox, News,
};
use oam_model::caller::Caller;
use oam_model::refusal::Refusal;
use oam_wire::buffer::{Buffer, Inbox};
use oam_wire::frame::{self, FrameFault};
use oam_wire::message::{Reply, ReplyFrame, Request};
use std::io;
use tokio::net::UnixStream;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use zeroize::Zeroize;

/// News that may wait for a client that reads slowly.
const NEWS: usize = 8;

/// The connection is to be closed; there is nobody to tell why.
struct Over;

/// The session whose end keeps a reply from leaving.
type Gate<'a> = Option<(&'a EpochGate, u64)>;

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
        let (sender, news) = mpsc::channel(NEWS);
        match request {
            Request::Follow {
                ask,
                again,
                with_token,
            } => {
                let command = AgentCommand::Follow {
                    ask,
                    again,
                    caller,
                    news: sender,
                };
                self.follow(command, news, with_token).await
            }
            Request::Watch { ask } => {
                let command = AgentCommand::Watch {
                    ask,
                    caller,
                    news: sender,
                };
                self.follow(command, news, false).await
            }
            Request::Login {
                org,
                store,
                or_next_best,
                by,
            } => {
                let (sender, news) = mpsc::channel(NEWS);
                let command = AgentCommand::Login(LoginRequest {
                    org,
                    store: wish(store, or_next_best),
                    by,
                    caller,
                    news: sender,
                });
                self.login(command, news).await
            }
            request => self.answer_once(request, caller).await,
        }
    }

    async fn answer_once(&mut self, request: Request, caller: Caller) -> Result<(), Over> {
        let (reply, outcome) = oneshot::channel();
        let Some(command) = translate::command(request, caller, reply) else {
            return Ok(());
        };
        if let Err(refusal) = self.hand_over(command) {
            return self.refuse(refusal, 0).await;
        }
        match outcome.await {
            Ok(outcome) => self.tell(outcome).await,
            Err(_) => self.refuse(stopping(), 0).await,
        }
    }

    /// Never waits: a full mailbox is a refusal.
    fn hand_over(&self, command: AgentCommand) -> Result<(), Refusal> {
        self.mailbox.try_send(command).map_err(|error| match error {
            TrySendError::Full(_) => busy(),
            TrySendError::Closed(_) => stopping(),
        })
    }

    async fn tell(&mut self, outcome: CommandOutcome) -> Result<(), Over> {
        match translate::reply(outcome) {
            (reply, Some((gate, epoch))) => self.write(reply, Some((&gate, epoch))).await,
            (reply, None) => self.write(reply, None).await,
        }
    }

    /// A following that never began ends with [`Reply::Refused`], one that did with [`Reply::Withdrawn`].
    async fn follow(
        &mut self,
        command: AgentCommand,
        mut news: mpsc::Receiver<News>,
        with_token: bool,
    ) -> Result<(), Over> {
        if let Err(refusal) = self.hand_over(command) {
            return self.refuse(refusal, 0).await;
        }
        let mut began = false;
        loop {
            let heard = tokio::select! {
                heard = news.recv() => heard,
                () = self.gone() => return Err(Over),
            };
            match heard {
                Some(News::Following(started, gate)) => {
                    let epoch = started.granted.epoch;
                    let reply = Reply::Following(following(*started, with_token));
                    began = self.write_while(reply, Some((&gate, epoch))).await?;
                    if !began {
                        return Ok(());
                    }
                }
                Some(News::Watching(watched)) => {
                    let watching = translate::watching(*watched);
                    self.write(Reply::Watching(watching), None).await?;
                    began = true;
                }
                Some(News::Renewed { expires_at }) => {
                    self.write(Reply::Renewed { expires_at }, None).await?;
                }
                Some(News::NotOurs) => return self.write(Reply::NotOurs, None).await,
                Some(News::Paused(refusal)) if began => {
                    self.write(Reply::Paused { refusal }, None).await?;
                }
                Some(News::Withdrawn(refusal)) if began => {
                    return self.write(Reply::Withdrawn { refusal }, None).await;
                }
                Some(News::Paused(refusal) | News::Withdrawn(refusal)) => {
                    return self.refuse(refusal, 0).await;
                }
                None if began => {
                    return self
                        .write(
                            Reply::Withdrawn {
                                refusal: stopping(),
                            },
                            None,
                        )
                        .await;
                }
                None => return self.refuse(stopping(), 0).await,
            }
        }
    }

    async fn login(
        &mut self,
        command: AgentCommand,
        mut news: mpsc::Receiver<LoginNews>,
    ) -> Result<(), Over> {
        if let Err(refusal) = self.hand_over(command) {
            return self.refuse(refusal, 0).await;
        }
        loop {
            let heard = tokio::select! {
                heard = news.recv() => heard,
                () = self.gone() => return Err(Over),
            };
            match heard {
                Some(LoginNews::Challenge {
                    url,
                    org,
                    issuer,
                    device,
                    kept_in,
                }) => {
                    let challenge = Reply::Challenge {
                        url,
                        org,
                        issuer,
                        device,
                        kept_in: Some(told(kept_in)),
                    };
                    self.write(challenge, None).await?;
                }
                Some(LoginNews::SignedIn {
                    org,
                    subject,
                    email,
                    roles,
                    unread,
                }) => {
                    return self
                        .write(
                            Reply::SignedIn {
                                org,
                                subject,
                                email,
                                roles,
                                roles_unread: unread,
                            },
                            None,
                        )
                        .await;
                }
                Some(LoginNews::Refused(refusal)) => return self.refuse(refusal, 0).await,
                None => return self.refuse(stopping(), 0).await,
            }
        }
    }

    async fn refuse(&mut self, refusal: Refusal, epoch: u64) -> Result<(), Over> {
        self.write(Reply::Refused { refusal, epoch }, None).await
    }

    async fn write(&mut self, reply: Reply, gate: Gate<'_>) -> Result<(), Over> {
        self.write_while(reply, gate).await.map(|_| ())
    }

    /// Writes a reply. One with a token leaves only while its caller lives and its epoch stands;
    /// `false`: the session ended meanwhile, and a refusal left in its stead.
    async fn write_while(&mut self, reply: Reply, gate: Gate<'_>) -> Result<bool, Over> {
        let bytes = match frame::encode(&ReplyFrame::new(reply)) {
            Ok(bytes) => bytes,
            Err(_) => encode_refusal(too_long(), 0)?,
        };
        if self.write_bytes(bytes.bytes(), gate).await? {
            return Ok(true);
        }
        let epoch = gate.map_or(0, |(gate, _)| gate.now());
        let bytes = encode_refusal(ended_meanwhile(), epoch)?;
        self.write_bytes(bytes.bytes(), None).await?;
        Ok(false)
    }

    /// `false`: the session ended before the first byte left.
    async fn write_bytes(&self, bytes: &[u8], gate: Gate<'_>) -> Result<bool, Over> {
        let writing = async {
            let mut rest = bytes;
            while !rest.is_empty() {
                self.stream.writable().await.map_err(|_| Over)?;
                // From here to the system call nothing else runs on this thread (promise 1).
                if let Some((gate, epoch)) = gate {
                    if !self.peer.alive() {
                        return Err(Over);
                    }
                    if !gate.lets(epoch) {
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

fn encode_refusal(refusal: Refusal, epoch: u64) -> Result<Buffer, Over> {
    frame::encode(&ReplyFrame::new(Reply::Refused { refusal, epoch })).map_err(|_| Over)
}
