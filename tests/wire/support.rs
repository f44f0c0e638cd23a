//! A served socket whose core is a closure.

use oam_agent::command::{AgentCommand, ClientRequest, EpochGate, GatedReply, ReplySender};
use oam_host::listen::{ListenOutcome, Listening, take};
use oam_host::socket::{ConnectionLimits, serve};
use oam_model::granted::{Granted, Scheme, TokenAnswer};
use oam_model::role::Action;
use oam_model::secret::Secret;
use oam_model::token_request::{HubRef, Intent, TokenRequest};
use oam_wire::client::Client;
use oam_wire::message::{Reply, Request};
use oam_wire::socket_path::SocketPath;
use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Long enough for any machine; a test that meets it has failed.
pub const LONG: Duration = Duration::from_secs(30);

pub struct Agent {
    pub place: SocketPath,
    pub home: tempfile::TempDir,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// A place of its own, in a folder of its own.
pub fn place() -> (tempfile::TempDir, SocketPath) {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().canonicalize().unwrap().join("oam");
    let place = SocketPath::in_folder(folder).unwrap();
    (home, place)
}

impl Agent {
    /// Serves with a core that answers each command by itself.
    pub fn new(limits: ConnectionLimits, core: impl FnMut(AgentCommand) + Send + 'static) -> Self {
        Self::with_mailbox(limits, 64, core)
    }

    /// `room` 0: the core never looks into its mailbox, which holds one command.
    pub fn with_mailbox(
        limits: ConnectionLimits,
        room: usize,
        mut core: impl FnMut(AgentCommand) + Send + 'static,
    ) -> Self {
        let (home, place) = place();
        let ListenOutcome::Ours(listening) = take(&place, None).unwrap() else {
            panic!("the place is taken");
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            let runtime = builder.enable_all().build().unwrap();
            let local = tokio::task::LocalSet::new();
            let Listening { listener, hold } = listening;
            local.block_on(&runtime, async move {
                let listener = tokio::net::UnixListener::from_std(listener).unwrap();
                let (_, others) = mpsc::channel(1);
                let (mailbox, mut commands) = mpsc::channel(room.max(1));
                if room > 0 {
                    tokio::task::spawn_local(async move {
                        while let Some(command) = commands.recv().await {
                            core(command);
                        }
                    });
                    serve(listener, others, mailbox, limits, async {
                        drop(stopped.await);
                    })
                    .await;
                } else {
                    serve(listener, others, mailbox, limits, async {
                        drop(stopped.await);
                    })
                    .await;
                    drop(commands);
                }
            });
            drop(hold);
        });
        let (stop, thread) = (Some(stop), Some(thread));
        Self {
            place,
            home,
            stop,
            thread,
        }
    }

    pub fn client(&self) -> Client {
        Client::connect(&self.place).unwrap()
    }

    /// A connection without our client, for bytes that it would not send.
    pub fn raw(&self) -> UnixStream {
        UnixStream::connect(&self.place.socket).unwrap()
    }

    pub fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.stop();
    }
}

/// One line that the server says; empty when it closed.
pub fn line(stream: &UnixStream) -> String {
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap_or(0);
    line
}

pub fn ask() -> TokenRequest {
    TokenRequest {
        hub: HubRef::Only,
        path: Some("acme/model".into()),
        intent: Intent::Unknown,
        role: None,
    }
}

pub fn get() -> Request {
    let front = "git".to_owned();
    Request::Get { ask: ask(), front }
}

pub fn granted(epoch: u64) -> Granted {
    Granted {
        org: "acme".parse().unwrap(),
        hub: "hub".parse().unwrap(),
        hub_url: "https://hub.example".into(),
        role: "publisher".parse().unwrap(),
        repository: None,
        action: Action::Write,
        wider_than_asked: false,
        expires_at: 1_900_000_000,
        token_sha256: "aa".into(),
        epoch,
        scheme: Scheme::Basic,
        username: "oam".into(),
        expires_in_s: 600,
    }
}

pub fn token_answer(epoch: u64, text: &str) -> TokenAnswer {
    TokenAnswer {
        granted: granted(epoch),
        token: Arc::new(Secret::new(text.to_owned())),
    }
}

/// A token behind this gate.
pub fn token(epoch: u64, text: &str, gate: EpochGate) -> GatedReply {
    let reply = Reply::Token(token_answer(epoch, text));
    GatedReply::gated(reply, &granted(epoch), gate)
}

/// Where the answers go.
pub fn answers_of(command: AgentCommand) -> ReplySender {
    asked(command).answers
}

/// What a client asked.
pub fn asked(command: AgentCommand) -> ClientRequest {
    let AgentCommand::Asked(asked) = command else {
        panic!("nobody asked");
    };
    asked
}

/// Says one thing.
pub fn say(answers: &ReplySender, answer: impl Into<GatedReply>) {
    assert!(answers.try_send(answer.into()).is_ok());
}

/// Answers everything with [`Reply::Done`].
pub fn done(command: AgentCommand) {
    say(&answers_of(command), Reply::Done);
}
