//! Taking the agent's place: lock, folder, socket (R12, R15).
//!
//! The lock comes first and is held for the agent's life, so that what is found under it is left
//! over and nobody else removes or replaces it meanwhile. The socket is bound under another name and
//! renamed: nobody ever meets one that does not listen yet, and nothing is removed to make room.

use oam_model::refusal::{Refusal, RefusalCode};
use oam_wire::client::Client;
use oam_wire::host::ours_to_make;
use oam_wire::socket_path::{NOT_OURS, SocketPath, Untrusted};
use rustix::fs::{FlockOperation, Mode, OFlags};
use std::fs::{DirBuilder, Metadata, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Longest wait for another agent that is just coming up or going down.
/// Shorter than whoever starts an agent waits for its word, so that it hears why.
pub(super) const OTHER_LIMIT: Duration = Duration::from_secs(4);

/// Pause between looks at it. Nothing tells us of both a freed lock and a new socket at once.
pub(super) const OTHER_PAUSE: Duration = Duration::from_millis(10);

/// Name of the socket until it is renamed; not longer than `agent.sock`, so it fits where that fits.
const UNNAMED: &str = "agent.new";

/// What came of taking the place.
pub enum ListenOutcome {
    /// It is ours.
    Ours(Listening),
    /// Another agent of this user listens there: this one is not needed.
    Theirs,
}

/// A listening socket, and what keeps its place.
///
/// Two values, because they end apart: a connection must be refused, not queued for nobody, from
/// the moment on that the server stops, while the place is kept until all is written down.
pub struct Listening {
    /// For `host/socket.rs`; non-blocking. The only handle: closed, it accepts nobody.
    pub listener: UnixListener,
    /// Dropped last.
    pub hold: Hold,
}

/// The place, held by its lock; the socket is cleared away with it.
pub struct Hold {
    socket: PathBuf,
    /// Device and inode of the socket's name.
    named: Option<(u64, u64)>,
    /// It was passed to us: it stays when we go, and is not ours to make anew.
    passed: bool,
    _lock: OwnedFd,
}

impl Hold {
    /// The path that clients connect to.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Whether that path still leads here. The folder can be removed and made anew while we live, by a
    /// log-out or a cleaner of old files: then nobody finds us any more.
    pub fn is_there(&self) -> bool {
        self.named.is_some() && inode(&self.socket) == self.named
    }

    /// Whether the service manager made the socket.
    pub const fn is_passed(&self) -> bool {
        self.passed
    }
}

fn inode(path: &Path) -> Option<(u64, u64)> {
    let meta = path.symlink_metadata().ok()?;
    Some((meta.dev(), meta.ino()))
}

fn unusable(path: &Path, what: &str, next: impl Into<String>) -> Refusal {
    let shown = path.display().to_string().escape_debug().to_string();
    Refusal::unavailable(format!("the agent can't listen at {shown}: {what}"), next)
}

fn failed(path: &Path, error: &io::Error) -> Refusal {
    unusable(
        path,
        &error.kind().to_string(),
        "look at its owner and mode",
    )
}

/// Takes the place for this process, or finds that another agent has it.
///
/// `passed`: a socket from the service manager ([`passed`]).
///
/// # Errors
/// The folder can't be trusted, something else lies there, or another agent holds the lock and does not answer.
pub fn take(place: &SocketPath, passed: Option<UnixListener>) -> Result<ListenOutcome, Refusal> {
    ours_to_make(&place.folder)
        .map_err(|words| Refusal::unavailable(words, "nothing was made or changed"))?;
    make_folder(&place.folder)?;
    place.check().map_err(|untrusted| match untrusted {
        Untrusted::Open(refusal) => refusal,
        Untrusted::Missing => unusable(
            &place.folder,
            "it can't be made",
            "look at the folder above it",
        ),
    })?;
    let Some(lock) = lock(place, passed.is_some())? else {
        return Ok(ListenOutcome::Theirs);
    };
    if let Some(listener) = passed {
        let address = listener.local_addr().ok();
        let path = address.as_ref().and_then(|address| address.as_pathname());
        let socket = path.unwrap_or(&place.socket).to_path_buf();
        return ours(listener, socket, true, lock);
    }
    if someone_listens(&place.socket)? {
        // A service manager that starts its agent on the first connection: that was ours just now.
        return Ok(ListenOutcome::Theirs);
    }
    ours(bind(place)?, place.socket.clone(), false, lock)
}

fn ours(
    listener: UnixListener,
    socket: PathBuf,
    passed: bool,
    lock: OwnedFd,
) -> Result<ListenOutcome, Refusal> {
    listener
        .set_nonblocking(true)
        .map_err(|error| failed(&socket, &error))?;
    Ok(ListenOutcome::Ours(Listening {
        listener,
        hold: Hold {
            named: inode(&socket),
            socket,
            passed,
            _lock: lock,
        },
    }))
}

/// The socket that systemd or another service manager passed, if one was. Call it before threads
/// start: it clears the variables that named it.
///
/// # Errors
/// What was passed is not a listening socket in the file system (R12: no TCP, no abstract name).
pub fn passed() -> Result<Option<UnixListener>, Refusal> {
    let wrong = || {
        Refusal::unavailable(
            "the service manager passed something that is not a local socket with a path",
            "use the socket unit that comes with oam",
        )
    };
    let mut fds = listenfd::ListenFd::from_env();
    let Some(listener) = fds.take_unix_listener(0).map_err(|_| wrong())? else {
        return Ok(None);
    };
    let address = listener.local_addr().map_err(|_| wrong())?;
    if fds.len() == 1 && address.as_pathname().is_some_and(Path::is_absolute) {
        Ok(Some(listener))
    } else {
        Err(wrong())
    }
}

/// Makes the folder, and those above it where they are missing, for the user alone. An existing one
/// is left as it is: `SocketPath::check` refuses it when it is open, because something may lie in it.
fn make_folder(folder: &Path) -> Result<(), Refusal> {
    let missing: Vec<PathBuf> = folder
        .ancestors()
        .take_while(|path| path.symlink_metadata().is_err())
        .map(Path::to_path_buf)
        .collect();
    for path in missing.iter().rev() {
        match DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => {
                // Whatever the umask took away.
                std::fs::set_permissions(path, Permissions::from_mode(0o700))
                    .map_err(|error| failed(path, &error))?;
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(path, &error)),
        }
    }
    Ok(())
}

/// The lock, or none when another agent has it and answers.
fn lock(place: &SocketPath, activated: bool) -> Result<Option<OwnedFd>, Refusal> {
    let path = place.folder.join("agent.lock");
    let flags =
        OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let mode = Mode::RUSR | Mode::WUSR;
    let file =
        rustix::fs::open(&path, flags, mode).map_err(|error| failed(&path, &error.into()))?;
    let began = Instant::now();
    loop {
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Some(file)),
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {}
            Err(error) => return Err(failed(&path, &error.into())),
        }
        // An activated agent would only meet its own socket: it waits for the lock.
        if !activated && Client::connect(place).is_ok() {
            return Ok(None);
        }
        if began.elapsed() > OTHER_LIMIT {
            return Err(Refusal::new(
                RefusalCode::Busy,
                "another agent of this user runs at this socket and gives no answer",
                "end the process `oam-agent` and try again",
            ));
        }
        std::thread::sleep(OTHER_PAUSE);
    }
}

fn look(path: &Path) -> Result<Option<Metadata>, Refusal> {
    match path.symlink_metadata() {
        Ok(meta) => Ok(Some(meta)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(path, &error)),
    }
}

/// Our own socket at `path`, if one is there. Anything else is never touched.
fn own_socket(path: &Path) -> Result<bool, Refusal> {
    let Some(meta) = look(path)? else {
        return Ok(false);
    };
    if !meta.file_type().is_socket() {
        return Err(unusable(
            path,
            "something else than a socket lies there",
            "move it away",
        ));
    }
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(unusable(
            path,
            "the socket there belongs to another user",
            NOT_OURS,
        ));
    }
    Ok(true)
}

/// Whether somebody accepts connections there. A refused connection is a socket left over by an
/// agent that was killed.
fn someone_listens(path: &Path) -> Result<bool, Refusal> {
    if !own_socket(path)? {
        return Ok(false);
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(false),
        Err(error) => Err(failed(path, &error)),
    }
}

fn bind(place: &SocketPath) -> Result<UnixListener, Refusal> {
    let unnamed = place.folder.join(UNNAMED);
    let fault = |error: io::Error| failed(&place.socket, &error);
    if own_socket(&unnamed)? {
        // Ours from a start that was cut short: we hold the lock, so nobody is using it.
        std::fs::remove_file(&unnamed).map_err(fault)?;
    }
    let listener = UnixListener::bind(&unnamed).map_err(fault)?;
    // The folder is closed to others meanwhile, so the mode given by the umask is never met.
    std::fs::set_permissions(&unnamed, Permissions::from_mode(0o600)).map_err(fault)?;
    std::fs::rename(&unnamed, &place.socket).map_err(fault)?;
    Ok(listener)
}

impl Drop for Hold {
    /// Removes the socket if it is still the one that we bound. The lock is let go after that.
    fn drop(&mut self) {
        if !self.passed && self.is_there() {
            let _ = std::fs::remove_file(&self.socket);
        }
    }
}

#[cfg(test)]
mod tests;
