use super::Keeping;
use crate::listen::{self, Listening};
use crate::state_lock::{LockOutcome, StateLock, take};
use oam_agent::command::{AgentCommand, Mailbox};
use oam_model::refusal::Refusal;
use oam_wire::client::Client;
use oam_wire::host::Holder;
use oam_wire::message::{Reply, Request};
use oam_wire::socket_path::SocketPath;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::sync::mpsc;

/// Longest wait for what must happen.
const LONG: Duration = Duration::from_secs(20);

struct Agent {
    _home: tempfile::TempDir,
    runtime: PathBuf,
    place: SocketPath,
    lock: Rc<StateLock>,
    listener: UnixListener,
    others: mpsc::Receiver<UnixListener>,
    commands: mpsc::Receiver<AgentCommand>,
}

impl Agent {
    /// An agent that listens, and looks after its path.
    fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().canonicalize().unwrap();
        let LockOutcome::Ours(lock) = take(&root.join("state/oam"), None).unwrap() else {
            panic!("the state is new");
        };
        let lock = Rc::new(lock);
        let runtime = root.join("runtime");
        let place = SocketPath::in_folder(runtime.join("oam")).unwrap();
        let listen::ListenOutcome::Ours(Listening { listener, hold }) =
            listen::take(&place, None).unwrap()
        else {
            panic!("the place is new");
        };
        lock.record(&place.socket);
        let (anew, others) = mpsc::channel(1);
        let (mailbox, commands): (Mailbox, _) = mpsc::channel(8);
        let keeping = Keeping::new(place.clone(), hold, Rc::clone(&lock), anew, mailbox);
        tokio::task::spawn_local(async move { keeping.run().await });
        Self {
            _home: home,
            runtime,
            place,
            lock,
            listener: UnixListener::from_std(listener).unwrap(),
            others,
            commands,
        }
    }

    /// The socket that was bound in place of the one that is gone.
    async fn bound_anew(&mut self) {
        let other = tokio::time::timeout(LONG, self.others.recv()).await;
        self.listener = other.unwrap().unwrap();
    }

    async fn asked_to_end(&mut self, reply: Reply) {
        let command = tokio::time::timeout(LONG, self.commands.recv()).await;
        let Some(AgentCommand::Asked(asked)) = command.unwrap() else {
            panic!("another command");
        };
        assert!(matches!(asked.request, Request::Retire));
        assert!(asked.answers.try_send(reply.into()).is_ok());
    }

    fn recorded(&self) -> Option<PathBuf> {
        Holder::read(self.lock.folder()).unwrap().socket()
    }
}

fn story(steps: impl Future<Output = ()>) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, steps);
}

#[test]
fn a_socket_whose_path_was_removed_is_bound_anew() {
    story(async {
        let mut agent = Agent::start();
        tokio::task::yield_now().await;
        std::fs::remove_dir_all(&agent.place.folder).unwrap();
        agent.bound_anew().await;
        assert!(Client::connect(&agent.place).is_ok());
        std::fs::remove_file(&agent.place.socket).unwrap();
        agent.bound_anew().await;
        assert!(Client::connect(&agent.place).is_ok());
    });
}

#[test]
fn an_agent_whose_runtime_folder_is_gone_is_asked_to_end() {
    story(async {
        let mut agent = Agent::start();
        tokio::task::yield_now().await;
        std::fs::remove_dir_all(&agent.runtime).unwrap();
        agent.asked_to_end(Reply::Done).await;
        // Nothing is bound for an agent that ends.
        assert!(agent.others.recv().await.is_none());
        assert!(!agent.runtime.exists());
    });
}

#[test]
fn one_that_is_in_use_listens_in_the_state_folder_until_the_runtime_folder_is_back() {
    story(async {
        let mut agent = Agent::start();
        tokio::task::yield_now().await;
        std::fs::remove_dir_all(&agent.runtime).unwrap();
        let busy = Refusal::unavailable("in use", "wait");
        let busy = Reply::Refused {
            refusal: busy,
            epoch: 0,
        };
        agent.asked_to_end(busy).await;
        agent.bound_anew().await;
        let refuge = SocketPath::of_socket(&agent.recorded().unwrap()).unwrap();
        assert!(refuge.folder.starts_with(agent.lock.folder()));
        assert!(Client::connect(&refuge).is_ok());
        std::fs::create_dir(&agent.runtime).unwrap();
        agent.bound_anew().await;
        assert_eq!(agent.recorded().as_ref(), Some(&agent.place.socket));
        assert!(Client::connect(&agent.place).is_ok());
        assert!(!refuge.socket.exists());
    });
}
