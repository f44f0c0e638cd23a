//! The two buses, and who says what on them.

use oam_session::screen::{ScreenHints, ScreenState};
use serde::Serialize;
use std::future::{Future, poll_fn};
use std::path::Path;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;
use tokio::time::timeout;
use tokio_stream::Stream as _;

use zbus::zvariant::{DynamicType, OwnedObjectPath, OwnedValue};
use zbus::{Connection, MatchRule, Message, MessageStream};

/// Services that do not answer within this say nothing.
const DEADLINE: Duration = Duration::from_secs(2);

const LOGIND: &str = "org.freedesktop.login1";
/// Who says on the session bus whether the screen saver is on: its name, which is its interface's too, and its object.
/// The first that answers counts: GNOME's settings own the first name and answer this question with an error.
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
const BUS: &str = "org.freedesktop.DBus";

/// What may mean that somebody is back, on the system bus: the hints of a session, or another session.
const OF_LOGIND: [&str; 2] = [
    "type='signal',sender='org.freedesktop.login1',interface='org.freedesktop.DBus.Properties',member='PropertiesChanged',path_namespace='/org/freedesktop/login1/session'",
    "type='signal',sender='org.freedesktop.login1',interface='org.freedesktop.login1.Manager',path='/org/freedesktop/login1'",
];

/// The same on the session bus: a saver goes off, or goes.
fn of_savers() -> Vec<String> {
    let rules = SAVERS.iter().flat_map(|(name, _)| {
        [
            format!("type='signal',interface='{name}',member='ActiveChanged'"),
            format!("type='signal',sender='{BUS}',interface='{BUS}',member='NameOwnerChanged',arg0='{name}'"),
        ]
    });
    rules.collect()
}

/// How the screen of a caller's login session is now; without one, of the user's desktop.
pub(super) async fn state(caller: Option<u32>) -> ScreenState {
    let asked = async { Buses::open().await.hints(caller).await.state() };
    in_time(asked).await
}

/// Waits until somebody is at the user's desktop. No clock runs meanwhile: the services tell when something changes.
pub(super) async fn person() -> ScreenState {
    let opened = async {
        let buses = Buses::open().await;
        // Before the first question, so that no answer is older than what is heard after it.
        let signals = buses.signals().await;
        (buses, signals)
    };
    let Ok((buses, mut signals)) = timeout(DEADLINE, opened).await else {
        return ScreenState::Unknown;
    };
    loop {
        let state = in_time(async { buses.hints(None).await.state() }).await;
        if state.is_in_use() {
            return state;
        }
        if !changed(&mut signals).await {
            return ScreenState::Unknown;
        }
    }
}

async fn in_time(asked: impl Future<Output = ScreenState>) -> ScreenState {
    let answer = timeout(DEADLINE, asked).await;
    answer.unwrap_or_else(|_| {
        tracing::debug!("the desktop did not say in time whether somebody is at the screen");
        ScreenState::Unknown
    })
}

/// Waits for a signal and takes all that have come. `false`: a bus is gone, so none may come any more.
async fn changed(signals: &mut [MessageStream]) -> bool {
    poll_fn(|context| {
        let mut heard = false;
        for signal in signals.iter_mut() {
            loop {
                match Pin::new(&mut *signal).poll_next(context) {
                    Poll::Ready(Some(Ok(_))) => heard = true,
                    Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(false),
                    Poll::Pending => break,
                }
            }
        }
        if heard {
            Poll::Ready(true)
        } else {
            Poll::Pending
        }
    })
    .await
}

/// Connections, where there are such buses.
struct Buses {
    system: Option<Connection>,
    session: Option<Connection>,
}

impl Buses {
    async fn open() -> Self {
        let has = |variable, default: Option<&Path>| {
            std::env::var_os(variable).is_some() || default.is_some_and(Path::exists)
        };
        let runtime =
            std::env::var_os("XDG_RUNTIME_DIR").map(|folder| Path::new(&folder).join("bus"));
        let system = Some(Path::new("/run/dbus/system_bus_socket"));
        let mut buses = Self {
            system: None,
            session: None,
        };
        if has("DBUS_SYSTEM_BUS_ADDRESS", system) {
            buses.system = Connection::system().await.ok();
        }
        if has("DBUS_SESSION_BUS_ADDRESS", runtime.as_deref()) {
            buses.session = Connection::session().await.ok();
        }
        buses
    }

    async fn hints(&self, caller: Option<u32>) -> ScreenHints {
        let mut hints = ScreenHints::default();
        let desktop = self.display_session().await;
        let own = match (&self.system, caller) {
            (Some(system), Some(caller)) => session_of(system, caller).await,
            _ => None,
        };
        // A session over ssh has a person of its own, whatever the desktop's screen does.
        let elsewhere = own.is_some() && own != desktop;
        if let (Some(system), Some(session)) = (&self.system, own.or(desktop)) {
            hints.locked = hint(system, &session, "LockedHint").await;
            hints.idle = hint(system, &session, "IdleHint").await;
        }
        if let (Some(bus), false) = (&self.session, elsewhere) {
            hints.saver = saver(bus).await;
        }
        hints
    }

    /// The user's session with a desktop. The agent is in none itself where the service manager started it.
    async fn display_session(&self) -> Option<OwnedObjectPath> {
        let system = self.system.as_ref()?;
        let uid = rustix::process::geteuid().as_raw();
        let user: OwnedObjectPath = manager(system, "GetUser", &(uid,)).await?;
        let display = property(system, &user, "User", "Display").await?;
        let (_, session) = <(String, OwnedObjectPath)>::try_from(display).ok()?;
        (session.as_str() != "/").then_some(session)
    }

    async fn signals(&self) -> Vec<MessageStream> {
        let mut signals = Vec::new();
        let of_logind = OF_LOGIND.map(str::to_owned).to_vec();
        for (bus, rules) in [(&self.system, of_logind), (&self.session, of_savers())] {
            let Some(bus) = bus else { continue };
            for rule in &rules {
                let Ok(rule) = MatchRule::try_from(rule.as_str()) else {
                    continue;
                };
                signals.extend(MessageStream::for_match_rule(rule, bus, None).await);
            }
        }
        signals
    }
}

/// One method of logind's manager that names an object.
async fn manager(
    system: &Connection,
    method: &str,
    body: &(impl Serialize + DynamicType),
) -> Option<OwnedObjectPath> {
    let of = "org.freedesktop.login1.Manager";
    let call = system.call_method(
        Some(LOGIND),
        "/org/freedesktop/login1",
        Some(of),
        method,
        body,
    );
    call.await.ok()?.body().deserialize().ok()
}

async fn session_of(system: &Connection, caller: u32) -> Option<OwnedObjectPath> {
    manager(system, "GetSessionByPID", &(caller,)).await
}

async fn hint(system: &Connection, session: &OwnedObjectPath, name: &str) -> Option<bool> {
    bool::try_from(property(system, session, "Session", name).await?).ok()
}

async fn property(
    system: &Connection,
    object: &OwnedObjectPath,
    of: &str,
    name: &str,
) -> Option<OwnedValue> {
    let of = format!("{LOGIND}.{of}");
    let by = Some("org.freedesktop.DBus.Properties");
    let asked = (of, name);
    let call = system.call_method(Some(LOGIND), object, by, "Get", &asked);
    call.await.ok()?.body().deserialize().ok()
}

/// Whether the screen saver is on, by the first that says so.
async fn saver(bus: &Connection) -> Option<bool> {
    for (name, path) in SAVERS {
        if let Some(active) = is_active(bus, name, path).await {
            return Some(active);
        }
    }
    None
}

/// One that does not run is not started for it.
async fn is_active(bus: &Connection, name: &str, path: &str) -> Option<bool> {
    let asked = (name,);
    let runs = bus.call_method(
        Some(BUS),
        "/org/freedesktop/DBus",
        Some(BUS),
        "NameHasOwner",
        &asked,
    );
    let runs: Message = runs.await.ok()?;
    if !runs.body().deserialize::<bool>().ok()? {
        return None;
    }
    let active = bus.call_method(Some(name), path, Some(name), "GetActive", &());
    active.await.ok()?.body().deserialize().ok()
}
