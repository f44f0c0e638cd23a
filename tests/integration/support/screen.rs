//! A stand-in of logind and of a screen saver, on the private bus: one person, one desktop, and the hints that a test
//! sets. The other session is one over ssh.

#![allow(
    clippy::unused_self,
    reason = "a method of a D-Bus object has one, whether it looks at it or not"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use zbus::object_server::SignalEmitter;
use zbus::zvariant::OwnedObjectPath;
use zbus::{Connection, fdo, interface};

const DESKTOP: &str = "/org/freedesktop/login1/session/desktop";
const SSH: &str = "/org/freedesktop/login1/session/ssh";
const SAVER: &str = "/org/freedesktop/ScreenSaver";

/// One hint.
#[derive(Debug, Clone, Copy)]
pub enum Hint {
    /// logind's `LockedHint` of the desktop.
    Locked,
    /// logind's `IdleHint` of the desktop.
    Idle,
    /// The screen saver is on.
    Saver,
}

/// What is answered, and how often it was asked.
#[derive(Default)]
struct Facts {
    hints: [AtomicBool; 3],
    /// Callers are in the session over ssh.
    over_ssh: AtomicBool,
    looks: AtomicUsize,
    callers: AtomicUsize,
}

impl Facts {
    fn hint(&self, hint: Hint) -> bool {
        self.hints[hint as usize].load(Ordering::SeqCst)
    }
}

/// The services, until this is dropped.
pub struct ScreenServices {
    facts: Arc<Facts>,
    set: Option<UnboundedSender<(Hint, bool)>>,
    thread: Option<JoinHandle<()>>,
}

impl ScreenServices {
    /// Takes both names on the bus at `address`.
    pub fn start(address: &str) -> Self {
        let facts = Arc::new(Facts::default());
        let (set, mut sets) = unbounded_channel();
        let (ready, started) = std::sync::mpsc::channel();
        let (address, served) = (address.to_owned(), Arc::clone(&facts));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let bus = serve(&address, &served).await.unwrap();
                ready.send(()).unwrap();
                while let Some((hint, on)) = sets.recv().await {
                    served.hints[hint as usize].store(on, Ordering::SeqCst);
                    tell(&bus, hint, on).await.unwrap();
                }
            });
        });
        started.recv().expect("the services start");
        Self {
            facts,
            set: Some(set),
            thread: Some(thread),
        }
    }

    /// Sets a hint and tells it by its signal.
    pub fn set(&self, hint: Hint, on: bool) {
        self.set.as_ref().unwrap().send((hint, on)).unwrap();
        super::wait::until_true("the hint", || self.facts.hint(hint) == on);
    }

    /// Whether callers are in a session over ssh from now on.
    pub fn callers_over_ssh(&self, ssh: bool) {
        self.facts.over_ssh.store(ssh, Ordering::SeqCst);
    }

    /// How often it was looked whether the desktop is locked.
    pub fn looks(&self) -> usize {
        self.facts.looks.load(Ordering::SeqCst)
    }

    /// How often a caller's session was asked for.
    pub fn callers(&self) -> usize {
        self.facts.callers.load(Ordering::SeqCst)
    }
}

impl Drop for ScreenServices {
    fn drop(&mut self) {
        self.set.take();
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

async fn serve(address: &str, facts: &Arc<Facts>) -> zbus::Result<Connection> {
    let of = || Arc::clone(facts);
    zbus::connection::Builder::address(address)?
        .serve_at("/org/freedesktop/login1", Manager(of()))?
        .serve_at("/org/freedesktop/login1/user/me", User)?
        .serve_at(DESKTOP, Session(of()))?
        .serve_at(SSH, Session(Arc::default()))?
        .serve_at(SAVER, Saver(of()))?
        .name("org.freedesktop.login1")?
        .name("org.freedesktop.ScreenSaver")?
        .build()
        .await
}

async fn tell(bus: &Connection, hint: Hint, on: bool) -> zbus::Result<()> {
    let objects = bus.object_server();
    match hint {
        Hint::Saver => {
            let saver = objects.interface::<_, Saver>(SAVER).await?;
            Saver::active_changed(saver.signal_emitter(), on).await
        }
        Hint::Locked | Hint::Idle => {
            let session = objects.interface::<_, Session>(DESKTOP).await?;
            let emitter = session.signal_emitter();
            let of = session.get().await;
            if matches!(hint, Hint::Locked) {
                of.locked_hint_changed(emitter).await
            } else {
                of.idle_hint_changed(emitter).await
            }
        }
    }
}

fn path(of: &str) -> OwnedObjectPath {
    OwnedObjectPath::try_from(of).unwrap()
}

struct Manager(Arc<Facts>);

#[interface(name = "org.freedesktop.login1.Manager")]
impl Manager {
    fn get_user(&self, uid: u32) -> OwnedObjectPath {
        // One user lives in a test.
        let _ = uid;
        path("/org/freedesktop/login1/user/me")
    }

    #[zbus(name = "GetSessionByPID")]
    fn get_session_by_pid(&self, pid: u32) -> fdo::Result<OwnedObjectPath> {
        self.0.callers.fetch_add(1, Ordering::SeqCst);
        if self.0.over_ssh.load(Ordering::SeqCst) {
            return Ok(path(SSH));
        }
        Err(fdo::Error::Failed(format!("{pid} is in no session")))
    }
}

struct User;

#[interface(name = "org.freedesktop.login1.User")]
impl User {
    #[zbus(property)]
    fn display(&self) -> (String, OwnedObjectPath) {
        ("desktop".into(), path(DESKTOP))
    }
}

struct Session(Arc<Facts>);

#[interface(name = "org.freedesktop.login1.Session")]
impl Session {
    #[zbus(property)]
    fn locked_hint(&self) -> bool {
        self.0.looks.fetch_add(1, Ordering::SeqCst);
        self.0.hint(Hint::Locked)
    }

    #[zbus(property)]
    fn idle_hint(&self) -> bool {
        self.0.hint(Hint::Idle)
    }
}

struct Saver(Arc<Facts>);

#[interface(name = "org.freedesktop.ScreenSaver")]
impl Saver {
    fn get_active(&self) -> bool {
        self.0.hint(Hint::Saver)
    }

    #[zbus(signal)]
    async fn active_changed(emitter: &SignalEmitter<'_>, active: bool) -> zbus::Result<()>;
}
