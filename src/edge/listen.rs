//! Taking the agent's place: lock, folder, socket (R12, R15).
//!
//! The lock comes first and is held for the agent's life, so that what is found under it is left
//! over and nobody else removes or replaces it meanwhile. The socket is bound under another name and
//! renamed: nobody ever meets one that does not listen yet, and nothing is removed to make room.

use crate::model::refusal::{Refusal, RefusalCode};
use crate::wire::client::Client;
use crate::wire::place::{Place, Untrusted};
use rustix::fs::{FlockOperation, Mode, OFlags};
use std::fs::{DirBuilder, Metadata, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Longest wait for another agent that is just coming up or going down.
const OTHER_LIMIT: Duration = Duration::from_secs(5);

/// Pause between looks at it. Nothing tells us of both a freed lock and a new socket at once.
const OTHER_PAUSE: Duration = Duration::from_millis(10);

/// Name of the socket until it is renamed; not longer than `agent.sock`, so it fits where that fits.
const UNNAMED: &str = "agent.new";

/// What came of taking the place.
pub enum Taken {
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
    /// For `edge/socket.rs`; non-blocking. The only handle: closed, it accepts nobody.
    pub listener: UnixListener,
    /// Dropped last.
    pub hold: Hold,
}

/// The place, held by its lock; the socket is cleared away with it.
pub struct Hold {
    place: Place,
    /// Device and inode of the socket that we bound; none: it was passed to us and stays.
    bound: Option<(u64, u64)>,
    _lock: OwnedFd,
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
pub fn take(place: &Place, passed: Option<UnixListener>) -> Result<Taken, Refusal> {
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
        return Ok(Taken::Theirs);
    };
    if let Some(listener) = passed {
        return ours(listener, place, None, lock);
    }
    if someone_listens(&place.socket)? {
        // A service manager that starts its agent on the first connection: that was ours just now.
        return Ok(Taken::Theirs);
    }
    let listener = bind(place)?;
    let meta = look(&place.socket)?;
    let bound = meta.map(|meta| (meta.dev(), meta.ino()));
    ours(listener, place, bound, lock)
}

fn ours(
    listener: UnixListener,
    place: &Place,
    bound: Option<(u64, u64)>,
    lock: OwnedFd,
) -> Result<Taken, Refusal> {
    listener
        .set_nonblocking(true)
        .map_err(|error| failed(&place.socket, &error))?;
    Ok(Taken::Ours(Listening {
        listener,
        hold: Hold {
            place: place.clone(),
            bound,
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
/// is left as it is: `Place::check` refuses it when it is open, because something may lie in it.
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
fn lock(place: &Place, activated: bool) -> Result<Option<OwnedFd>, Refusal> {
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
                "another agent of this user runs and gives no answer",
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
            "remove it",
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

fn bind(place: &Place) -> Result<UnixListener, Refusal> {
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
        let there = self.place.socket.symlink_metadata().ok();
        if there.is_some_and(|meta| Some((meta.dev(), meta.ino())) == self.bound) {
            let _ = std::fs::remove_file(&self.place.socket);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Listening, Taken, take};
    use crate::model::refusal::Refusal;
    use crate::wire::client::Client;
    use crate::wire::place::Place;
    use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;

    fn place() -> (tempfile::TempDir, Place) {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().canonicalize().unwrap().join("deep/oam");
        let place = Place::in_folder(folder).unwrap();
        (home, place)
    }

    fn ours(place: &Place) -> Listening {
        match take(place, None).unwrap() {
            Taken::Ours(listening) => listening,
            Taken::Theirs => panic!("somebody else is there"),
        }
    }

    fn refusal(place: &Place) -> Refusal {
        take(place, None).err().unwrap()
    }

    fn mode(path: &std::path::Path) -> u32 {
        path.symlink_metadata().unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn folder_and_socket_are_for_the_user_alone_and_gone_after_an_orderly_end() {
        let (_home, place) = place();
        let listening = ours(&place);
        assert_eq!(mode(&place.folder), 0o700);
        assert_eq!(mode(place.folder.parent().unwrap()), 0o700);
        assert_eq!(mode(&place.socket), 0o600);
        assert_eq!(mode(&place.folder.join("agent.lock")), 0o600);
        assert!(!place.folder.join("agent.new").exists());
        assert!(Client::connect(&place).is_ok());
        drop(listening);
        assert!(!place.socket.exists());
        assert!(Client::connect(&place).is_err());
    }

    #[test]
    fn a_server_that_stops_accepts_nobody_while_it_still_holds_the_place() {
        let (_home, place) = place();
        let Listening { listener, hold } = ours(&place);
        drop(listener);
        assert!(Client::connect(&place).is_err(), "queued for nobody");
        assert!(place.folder.join("agent.lock").exists());
        drop(hold);
        assert!(!place.socket.exists());
    }

    #[test]
    fn a_live_agent_is_respected() {
        let (_home, place) = place();
        let first = ours(&place);
        assert!(matches!(take(&place, None).unwrap(), Taken::Theirs));
        assert!(Client::connect(&place).is_ok());
        drop(first);
        drop(ours(&place));
    }

    #[test]
    fn a_live_socket_without_a_lock_is_respected_too() {
        let (_home, place) = place();
        drop(ours(&place));
        let _other = UnixListener::bind(&place.socket).unwrap();
        assert!(matches!(take(&place, None).unwrap(), Taken::Theirs));
    }

    #[test]
    fn a_socket_left_over_is_replaced() {
        let (_home, place) = place();
        drop(ours(&place));
        drop(UnixListener::bind(&place.socket).unwrap());
        drop(UnixListener::bind(place.folder.join("agent.new")).unwrap());
        let listening = ours(&place);
        assert!(Client::connect(&place).is_ok());
        drop(listening);
    }

    #[test]
    fn something_that_is_no_socket_is_never_deleted() {
        let (_home, place) = place();
        drop(ours(&place));
        for name in ["agent.sock", "agent.new"] {
            let path = place.folder.join(name);
            std::fs::write(&path, "precious").unwrap();
            assert!(
                refusal(&place)
                    .sentence
                    .contains("something else than a socket")
            );
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
            std::fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn a_link_in_place_of_lock_or_socket_is_refused() {
        let (home, place) = place();
        drop(ours(&place));
        let target = home.path().join("target");
        symlink(&target, &place.socket).unwrap();
        assert!(refusal(&place).sentence.contains("something else"));
        std::fs::remove_file(&place.socket).unwrap();
        std::fs::remove_file(place.folder.join("agent.lock")).unwrap();
        symlink(&target, place.folder.join("agent.lock")).unwrap();
        let _ = refusal(&place);
        assert!(!target.exists());
    }

    #[test]
    fn an_open_folder_is_refused_and_not_mended() {
        let (_home, place) = place();
        drop(ours(&place));
        std::fs::set_permissions(&place.folder, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(refusal(&place).sentence.contains("open to other users"));
        assert_eq!(mode(&place.folder), 0o755);
    }

    #[test]
    fn a_passed_socket_is_served_and_stays() {
        let (_home, place) = place();
        drop(ours(&place));
        let passed = UnixListener::bind(&place.socket).unwrap();
        let taken = take(&place, Some(passed)).unwrap();
        assert!(matches!(taken, Taken::Ours(_)));
        assert!(Client::connect(&place).is_ok());
        drop(taken);
        assert!(
            place
                .socket
                .symlink_metadata()
                .unwrap()
                .file_type()
                .is_socket()
        );
    }
}
