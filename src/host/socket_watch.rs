//! Keeps the agent to be found: a socket whose path leads elsewhere is bound anew.
//!
//! A log-out or a cleaner of old files can remove the runtime folder under a living agent. It would
//! live on unseen, and renew the session beside the next one.

use super::listen::{Hold, ListenOutcome, Listening, take};
#[cfg(target_os = "linux")]
use super::settings::watch::SettingsWatch;
use super::state_lock::StateLock;
use oam_agent::command::{AgentCommand, ClientRequest, Mailbox};
use oam_model::caller::Caller;
use oam_wire::message::{Reply, Request};
use oam_wire::socket_path::SocketPath;
use std::cell::RefCell;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::sync::mpsc;

/// A folder is removed file by file: what was made anew in the middle of that would be in its way.
const REMOVAL: Duration = Duration::from_millis(300);

/// Where the kernel does not tell of changes the path is looked at this often.
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// Nothing tells of changes here.
#[cfg(not(target_os = "linux"))]
struct SettingsWatch;

#[cfg(not(target_os = "linux"))]
impl SettingsWatch {
    fn new() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn arm(&mut self, _files: &[std::path::PathBuf]) {}

    async fn event(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// What is kept of the agent's place while it serves.
pub(super) struct Keeping {
    /// Where the environment says that the socket lies.
    place: SocketPath,
    /// Where it lies now; none while there is no way to be found.
    hold: RefCell<Option<Hold>>,
    lock: Rc<StateLock>,
    listeners: mpsc::Sender<UnixListener>,
    mailbox: Mailbox,
}

impl Keeping {
    pub(super) const fn new(
        place: SocketPath,
        hold: Hold,
        lock: Rc<StateLock>,
        listeners: mpsc::Sender<UnixListener>,
        mailbox: Mailbox,
    ) -> Self {
        Self {
            place,
            hold: RefCell::new(Some(hold)),
            lock,
            listeners,
            mailbox,
        }
    }

    /// Looks after the path until it is dropped, or the agent was asked to end.
    pub(super) async fn run(&self) {
        let own = self
            .hold
            .borrow()
            .as_ref()
            .map(|hold| hold.socket().to_owned());
        let Some(own) = own else { return };
        let mut watch = SettingsWatch::new().ok();
        loop {
            if let Some(watch) = &mut watch {
                // Armed before looking, so that no change falls in between.
                watch.arm(std::slice::from_ref(&own));
            }
            if !self.is_found_at(&own) && !self.found_again(&own).await {
                return;
            }
            match &mut watch {
                Some(armed) => {
                    if armed.event().await.is_err() {
                        watch = None;
                    }
                }
                None => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
    }

    fn is_found_at(&self, path: &Path) -> bool {
        let hold = self.hold.borrow();
        hold.as_ref()
            .is_some_and(|hold| hold.socket() == path && hold.is_there())
    }

    /// `false`: there is nothing more to look after, the agent ends.
    async fn found_again(&self, own: &Path) -> bool {
        tokio::time::sleep(REMOVAL).await;
        let passed = self.hold.borrow().as_ref().is_some_and(Hold::is_passed);
        // The service manager's socket is its to make; where the folder's parent is gone, the person
        // has logged out, and nobody but the system makes that one.
        let may = !passed && self.place.folder.parent().is_some_and(Path::is_dir);
        if may && self.bind(&self.place).await.is_ok() {
            tracing::info!(
                "the socket was removed, and bound anew at {}",
                own.display()
            );
            return true;
        }
        let elsewhere = self.lock.folder().join("run");
        let Some(refuge) = SocketPath::in_folder(elsewhere).ok() else {
            return !self.ends().await;
        };
        if self.is_found_at(&refuge.socket) {
            return true;
        }
        if self.ends().await {
            return false;
        }
        // It is in use: who looks for the holder of the state finds it there.
        if self.bind(&refuge).await.is_err() {
            tracing::warn!("the socket was removed, and there is no other place for it");
        }
        true
    }

    async fn bind(&self, place: &SocketPath) -> io::Result<()> {
        // Its lock must not stand in our own way.
        self.hold.borrow_mut().take();
        let taken = take(place, None);
        let Ok(ListenOutcome::Ours(Listening { listener, hold })) = taken else {
            return Err(io::ErrorKind::AddrInUse.into());
        };
        let listener = UnixListener::from_std(listener)?;
        self.lock.record(hold.socket());
        self.hold.replace(Some(hold));
        let sent = self.listeners.send(listener).await;
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    /// Asks the agent to end in order; `false`: it has something in the works.
    async fn ends(&self) -> bool {
        let (answers, mut heard) = mpsc::channel(1);
        let retire = AgentCommand::Asked(ClientRequest {
            request: Request::Retire,
            caller: Caller::default(),
            answers,
        });
        if self.mailbox.send(retire).await.is_err() {
            return true;
        }
        let reply = heard.recv().await.map(|answer| answer.reply);
        !matches!(reply, Some(Reply::Refused { .. }))
    }

    /// Gives the place up: the socket goes.
    pub(super) fn release(&self) {
        self.hold.borrow_mut().take();
    }
}

#[cfg(test)]
mod tests;
