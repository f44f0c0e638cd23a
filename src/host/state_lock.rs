//! The lock on this host's state: one agent at a time, whatever environment it was started in.
//!
//! Two agents of one state would both renew the one refresh token, which a provider takes for theft,
//! and both write the one log. So the lock lies in the state's folder, not in the socket's, is taken
//! before anything there is read, and is the kernel's: it goes with the process. It is a record lock
//! of the open file (`F_OFD_SETLK`), which NFS carries to the server. What is written in the file
//! (pid, host, boot, socket) only informs: a pid means nothing in another namespace or on another host.

mod moved;

use super::files::private_folder;
use super::listen::{OTHER_LIMIT, OTHER_PAUSE};
use oam_model::refusal::{Refusal, RefusalCode};
use oam_wire::client::Client;
use oam_wire::host::{self, Holder, LOCK, NAMELESS, ours_to_make};
use oam_wire::message::{Reply, Request};
use oam_wire::socket_path::{SocketPath, Untrusted};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What came of taking the lock.
pub enum LockOutcome {
    /// The state is ours until the lock is dropped.
    Ours(StateLock),
    /// An agent that answers there has it.
    Theirs(SocketPath),
}

/// The lock, held.
pub struct StateLock {
    folder: PathBuf,
    file: File,
}

/// Takes the lock of this host's state in `base` ([`host::base`]), or finds the agent that holds it.
///
/// `passed`: the path of the service manager's socket. Then the holder is asked to leave: who
/// connected there waits for us, and nobody else will answer.
///
/// # Errors
/// The folder is another user's or can't be locked, or the holder does not answer; it is named.
pub fn take(base: &Path, passed: Option<&Path>) -> Result<LockOutcome, Refusal> {
    let folder = host::folder(base);
    let unusable = |words| Refusal::unavailable(words, "nothing was made or changed there");
    ours_to_make(&folder).map_err(unusable)?;
    for part in [base, &folder] {
        let repair = "repair the folder, then try again";
        private_folder(part).map_err(|words| Refusal::unavailable(words, repair))?;
    }
    let began = Instant::now();
    let mut asked = false;
    loop {
        let file = open(&folder)?;
        if lock(&file).map_err(|error| not_lockable(&folder, &error))? {
            let lock = StateLock { folder, file };
            if !lock.is_ours() {
                // Deleted just before it was locked: there may be another one now.
                return take(base, passed);
            }
            if let Some(theirs) = lock.take_over(base)? {
                return Ok(LockOutcome::Theirs(theirs));
            }
            return Ok(LockOutcome::Ours(lock));
        }
        let holder = Holder::read(&folder);
        let place = holder.as_ref().and_then(Holder::socket);
        // Through the service manager's own socket we would only meet ourselves.
        let place = place.filter(|socket| Some(socket.as_path()) != passed);
        let place = place.as_deref().and_then(SocketPath::of_socket);
        // Named at once: nobody connects there until it is put right.
        if let Some(Err(Untrusted::Open(refusal))) = place.as_ref().map(SocketPath::check) {
            return Err(refusal);
        }
        if let Some((place, client)) =
            place.and_then(|p| Some((p.clone(), Client::connect(&p).ok()?)))
        {
            if passed.is_none() {
                return Ok(LockOutcome::Theirs(place));
            }
            if !std::mem::replace(&mut asked, true) && !leaves(client) {
                return Err(held(&folder, holder.as_ref()));
            }
        }
        if began.elapsed() > OTHER_LIMIT {
            return Err(held(&folder, holder.as_ref()));
        }
        std::thread::sleep(OTHER_PAUSE);
    }
}

/// Asks an agent to end; `false`: it has something in the works and stays.
fn leaves(mut client: Client) -> bool {
    let reply = client.ask(Request::Retire, OTHER_LIMIT);
    !matches!(
        reply.map(|frame| frame.reply),
        Ok(Reply::Refused { .. }) | Err(_)
    )
}

impl StateLock {
    /// The folder of this host's state.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether the file that is locked is still the one that others would lock.
    pub fn is_ours(&self) -> bool {
        let named = self.folder.join(LOCK).symlink_metadata();
        match (named, self.file.metadata()) {
            (Ok(named), Ok(held)) => (named.dev(), named.ino()) == (held.dev(), held.ino()),
            _ => false,
        }
    }

    /// Writes down who holds it and where it listens. A failure costs only that agents and clients of
    /// another environment refuse without that word.
    pub fn record(&self, socket: &Path) {
        let mut text = format!(
            "pid {}\nhost {}\nboot {}\nsocket ",
            std::process::id(),
            host_name(),
            boot()
        )
        .into_bytes();
        let path = socket.as_os_str().as_bytes();
        if !path.contains(&b'\n') {
            text.extend_from_slice(path);
        }
        text.push(b'\n');
        let written = self
            .file
            .write_all_at(&text, 0)
            .and_then(|()| self.file.set_len(text.len() as u64));
        if let Err(fault) = written {
            tracing::warn!(
                "where the agent listens could not be written down: {}",
                fault.kind()
            );
        }
    }
}

impl Drop for StateLock {
    /// Nobody needs to try the socket of an agent that has ended.
    fn drop(&mut self) {
        let _ = self.file.set_len(0);
    }
}

fn open(folder: &Path) -> Result<File, Refusal> {
    let path = folder.join(LOCK);
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(i32::try_from(flags.bits()).unwrap_or(0));
    options.open(&path).map_err(|error| {
        Refusal::unavailable(
            format!("{} can't be opened: {}", path.display(), error.kind()),
            "look at its owner and mode, and at the room on its disk",
        )
    })
}

/// `false`: somebody else has it.
#[cfg(target_os = "linux")]
fn lock(file: &File) -> io::Result<bool> {
    use nix::errno::Errno;
    use nix::fcntl::{FcntlArg, fcntl};
    use nix::libc;
    let short = |value: libc::c_int| libc::c_short::try_from(value).map_err(io::Error::other);
    let whole = libc::flock {
        l_type: short(libc::F_WRLCK)?,
        l_whence: short(libc::SEEK_SET)?,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    match fcntl(file, FcntlArg::F_OFD_SETLK(&whole)) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES | Errno::EINTR) => Ok(false),
        // A kernel or sandbox without such locks; there is no other host behind it.
        Err(Errno::EINVAL) => lock_whole(file),
        Err(error) => Err(error.into()),
    }
}

/// `false`: somebody else has it.
#[cfg(not(target_os = "linux"))]
fn lock(file: &File) -> io::Result<bool> {
    lock_whole(file)
}

fn lock_whole(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(std::fs::TryLockError::WouldBlock) => Ok(false),
        Err(std::fs::TryLockError::Error(error)) => Err(error),
    }
}

fn not_lockable(folder: &Path, error: &io::Error) -> Refusal {
    Refusal::unavailable(
        format!(
            "the state in {} can't be locked: {}",
            folder.display(),
            error.kind()
        ),
        "set XDG_STATE_HOME to a folder on a local disk, or have the locks of that file system repaired",
    )
}

/// Names the holder: it can be out of reach, in another namespace or on another host.
fn held(folder: &Path, holder: Option<&Holder>) -> Refusal {
    let said = |name| {
        let line = holder.and_then(|holder| holder.line(name));
        line.map_or_else(
            || "unknown".to_owned(),
            |text| String::from_utf8_lossy(text).escape_debug().to_string(),
        )
    };
    let (pid, there, socket) = (said("pid"), said("host"), said("socket"));
    let sentence = format!(
        "another agent holds the state in {} and can't be reached: process {pid} on {there}, socket {socket}",
        folder.display()
    );
    let nameless = folder.ends_with(NAMELESS);
    let next = if there != host_name() && nameless {
        "give this machine an id of its own (`systemd-machine-id-setup`): it has none, and shares its home with that one"
    } else if there != host_name() {
        "give this machine an id of its own: it has the same /etc/machine-id as that one, and they share a home"
    } else if said("boot") != boot() {
        "wait until the file server has let go of that machine's lock, then try again"
    } else {
        "set XDG_RUNTIME_DIR as that agent has it, or end it there, then try again"
    };
    Refusal::new(RefusalCode::Busy, sentence, next)
}

fn host_name() -> String {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().escape_debug().to_string()
}

/// The kernel's id of this boot; empty where it has none.
fn boot() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests;
