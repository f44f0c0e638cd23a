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
use zbus::zvariant::OwnedObjectPath;
use zbus::{Connection, fdo, interface};

const DESKTOP: &str = "/org/freedesktop/login1/session/desktop";
const SSH: &str = "/org/freedesktop/login1/session/ssh";
/// Screen savers: the name, which is the interface's too, and the object.
const SAVERS: [(&str, &str); 5] = [
    (
        "org.freedesktop.ScreenSaver",
        "/org/freedesktop/ScreenSaver",
    ),
    ("org.gnome.ScreenSaver", "/org/gnome/ScreenSaver"),
    ("org.cinnamon.ScreenSaver", "/org/cinnamon/ScreenSaver"),
    ("org.mate.ScreenSaver", "/org/mate/ScreenSaver"),
    ("org.xfce.ScreenSaver", "/org/xfce/ScreenSaver"),
];

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

/// Whose screen saver runs.
#[derive(Debug, Clone, Copy)]
pub enum Saver {
    /// KDE and others.
    Freedesktop,
    /// Something else of GNOME has the name that others use, and answers no question.
    Gnome,
    /// Its own name alone.
    Cinnamon,
    /// Its own name alone.
    Mate,
    /// Its own name alone.
    Xfce,
}

/// What a test changes.
enum Change {
    Hint(Hint, bool),
    Saver(Saver),
}

/// What is answered, and how often it was asked.
#[derive(Default)]
struct Facts {
    hints: [AtomicBool; 3],
    /// Number of the saver that answers.
    saver: AtomicUsize,
    /// Callers are in the session over ssh.
    over_ssh: AtomicBool,
    looks: AtomicUsize,
    callers: AtomicUsize,
}

impl Facts {
    fn hint(&self, hint: Hint) -> bool {
        self.hints[hint as usize].load(Ordering::SeqCst)
    }

    fn saver(&self) -> usize {
        self.saver.load(Ordering::SeqCst)
    }

    fn is_active(&self, saver: usize) -> fdo::Result<bool> {
        if saver == self.saver() {
            return Ok(self.hint(Hint::Saver));
        }
        Err(fdo::Error::NotSupported("no saver".into()))
    }
}

/// The services, until this is dropped.
pub struct ScreenServices {
    facts: Arc<Facts>,
    set: Option<UnboundedSender<Change>>,
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
                while let Some(change) = sets.recv().await {
                    match change {
                        Change::Hint(hint, on) => {
                            served.hints[hint as usize].store(on, Ordering::SeqCst);
                            tell(&bus, hint, on, served.saver()).await.unwrap();
                        }
                        Change::Saver(saver) => exchange(&bus, saver, &served).await.unwrap(),
                    }
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
        self.change(Change::Hint(hint, on));
        super::wait::until_true("the hint", || self.facts.hint(hint) == on);
    }

    /// Has this saver run in place of the one before.
    pub fn runs(&self, saver: Saver) {
        self.change(Change::Saver(saver));
        super::wait::until_true("the saver", || self.facts.saver() == saver as usize);
    }

    fn change(&self, change: Change) {
        self.set.as_ref().unwrap().send(change).ok().unwrap();
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
        .serve_at(SAVERS[0].1, Freedesktop(of()))?
        .serve_at(SAVERS[1].1, Gnome(of()))?
        .serve_at(SAVERS[2].1, Cinnamon(of()))?
        .serve_at(SAVERS[3].1, Mate(of()))?
        .serve_at(SAVERS[4].1, Xfce(of()))?
        .name("org.freedesktop.login1")?
        .name(SAVERS[0].0)?
        .build()
        .await
}

/// The first name stays taken on GNOME.
async fn exchange(bus: &Connection, saver: Saver, facts: &Facts) -> zbus::Result<()> {
    let number = saver as usize;
    bus.request_name(SAVERS[number].0).await?;
    if !matches!(saver, Saver::Freedesktop | Saver::Gnome) {
        bus.release_name(SAVERS[0].0).await?;
    }
    facts.saver.store(number, Ordering::SeqCst);
    Ok(())
}

async fn tell(bus: &Connection, hint: Hint, on: bool, saver: usize) -> zbus::Result<()> {
    let objects = bus.object_server();
    match hint {
        Hint::Saver => {
            let (name, path) = SAVERS[saver];
            let nobody = None::<&str>;
            bus.emit_signal(nobody, path, name, "ActiveChanged", &(on,))
                .await
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

macro_rules! saver {
    ($name:ident, $interface:tt) => {
        struct $name(Arc<Facts>);

        #[interface(name = $interface)]
        impl $name {
            fn get_active(&self) -> fdo::Result<bool> {
                self.0.is_active(Saver::$name as usize)
            }
        }
    };
}

saver!(Freedesktop, "org.freedesktop.ScreenSaver");
saver!(Gnome, "org.gnome.ScreenSaver");
saver!(Cinnamon, "org.cinnamon.ScreenSaver");
saver!(Mate, "org.mate.ScreenSaver");
saver!(Xfce, "org.xfce.ScreenSaver");
