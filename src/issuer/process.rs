//! What the issuer does to itself: hardening, signals, readiness (R16).

use oam_model::refusal::Refusal;
use rustix::process::{Resource, Rlimit, setrlimit};
use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// No memory of ours in a core file or under another process's hands, and no file of ours for
/// others. Before any key is read.
///
/// # Errors
/// The system refused one of it: the issuer must not go on then.
pub fn harden() -> Result<(), Refusal> {
    let refused = |what: &'static str| {
        move |error: rustix::io::Errno| {
            Refusal::unavailable(
                format!(
                    "the issuer can't protect its memory: {what}: {}",
                    io::Error::from(error).kind()
                ),
                "look for a sandbox that forbids it",
            )
        }
    };
    // A piped core_pattern ignores the limit; a process that is not dumpable is not piped either.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)
        .map_err(refused("not dumpable"))?;
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none).map_err(refused("no core file"))?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    Ok(())
}

/// As many open files as the system allows us: 10,000 feeds are 10,000 sockets, and the usual soft
/// limit is 1,024. Answers the limit that holds now.
pub fn raise_open_files() -> u64 {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let now = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    now.unwrap_or(u64::MAX)
}

/// The limit of open files that holds now.
pub fn open_files() -> u64 {
    rustix::process::getrlimit(Resource::Nofile)
        .current
        .unwrap_or(u64::MAX)
}

/// A panic says where, never what: its message could quote a value.
pub fn quiet_panics() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map_or_else(
            || "at an unknown place".to_owned(),
            |at| format!("at {}:{}", at.file(), at.line()),
        );
        let _ =
            io::stderr().write_all(format!("oam-issuer: a fault of its own {place}\n").as_bytes());
    }));
}

/// The signals that the issuer heeds.
pub struct Signals {
    term: Signal,
    interrupt: Signal,
    hangup: Signal,
    // A file-size limit must be an error of the write (then nothing is granted), not our death.
    _too_large: Signal,
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// SIGTERM, SIGINT: end in order.
    Stop,
    /// SIGHUP: read the policy again.
    Reload,
}

impl Signals {
    /// Takes the handlers over.
    ///
    /// # Errors
    /// The handlers can't be installed. Needs a tokio runtime with I/O.
    pub fn take() -> io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            _too_large: signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?,
        })
    }

    /// The next signal.
    pub async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.term.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.hangup.recv() => Asked::Reload,
        }
    }
}

/// Tells the service manager about us (`sd_notify`): `READY=1`, `STOPPING=1`, `STATUS=…`. Nothing
/// happens without one.
pub fn notify(state: &str) {
    let Some(place) = std::env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    let sent = UnixDatagram::unbound().and_then(|socket| {
        #[cfg(target_os = "linux")]
        if let Some(name) = place.to_str().and_then(|text| text.strip_prefix('@')) {
            use std::os::linux::net::SocketAddrExt;
            let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
            return socket.send_to_addr(state.as_bytes(), &address);
        }
        socket.send_to(state.as_bytes(), &place)
    });
    if let Err(error) = sent {
        tracing::warn!(kind = %error.kind(), "the service manager could not be told");
    }
}

/// Room for this user on the disk of a folder, bytes; none where it can't be told.
pub fn free_room(folder: &std::path::Path) -> Option<u64> {
    let about = rustix::fs::statvfs(folder).ok()?;
    Some(about.f_bavail.saturating_mul(about.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::{Resource, harden, raise_open_files};

    #[test]
    fn a_hardened_process_leaves_no_core_and_is_not_dumpable() {
        harden().unwrap();
        assert_eq!(rustix::process::getrlimit(Resource::Core).current, Some(0));
        #[cfg(target_os = "linux")]
        assert_eq!(
            rustix::process::dumpable_behavior(),
            Ok(rustix::process::DumpableBehavior::NotDumpable)
        );
    }

    #[test]
    fn the_limit_of_open_files_is_as_high_as_allowed() {
        let raised = raise_open_files();
        let limit = rustix::process::getrlimit(Resource::Nofile);
        assert_eq!(limit.current.unwrap_or(u64::MAX), raised);
    }
}
