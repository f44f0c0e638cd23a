//! Who is connected (R13, R39).
//!
//! The kernel says so when a connection is accepted. On Linux the process is held by its pidfd:
//! while that says it lives, its number can't belong to another one, so what was read under the
//! number is about the process that is connected.

use super::ancestry;
use oam_model::caller::Caller;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::UnixStream;
use tokio::sync::Semaphore;

/// Folders looked at on the way up to one with `.git` in it.
const FOLDERS: usize = 32;

/// A connected process of this user.
pub struct Peer {
    /// What is known of it.
    pub caller: Caller,
    /// Holds it; none where the system has no such thing or the process is in another namespace.
    held: Option<OwnedFd>,
    /// The folder that git's helper stands in, to be looked around in by [`repository_of`].
    pub folder: Option<PathBuf>,
}

/// Longest wait for a look at folders.
const LOOK_LIMIT: Duration = Duration::from_millis(200);

/// Looks at folders of callers, which can lie on a server that no longer answers: such a look never
/// comes back, and must hold up nobody but its own thread.
pub struct Looks {
    permits: Semaphore,
    /// The last one that waited for a permit or for its look waited in vain.
    stuck: AtomicBool,
}

static LOOKS: Looks = Looks::new();

impl Looks {
    const fn new() -> Self {
        Self {
            permits: Semaphore::const_new(4),
            stuck: AtomicBool::new(false),
        }
    }

    async fn aside<T: Send + 'static>(
        &'static self,
        look: impl FnOnce() -> Option<T> + Send + 'static,
    ) -> Option<T> {
        if self.stuck.load(Ordering::Relaxed) && self.permits.available_permits() == 0 {
            return None;
        }
        let looking = async {
            let permit = self.permits.acquire().await.ok()?;
            let look = tokio::task::spawn_blocking(move || {
                let found = look();
                drop(permit);
                found
            });
            look.await.ok()
        };
        let found = tokio::time::timeout(LOOK_LIMIT, looking).await;
        self.stuck.store(found.is_err(), Ordering::Relaxed);
        found.ok().flatten().flatten()
    }
}

/// The last folder that was looked around in. git runs its helper several times from one folder, and a look aside
/// costs two changes of thread, more than the rest of an answer from a held token.
static LAST: Mutex<Option<Looked>> = Mutex::new(None);

/// How long what was found counts: a repository does not move between two asks of one push.
const LOOKED_FOR: Duration = Duration::from_secs(10);

/// What was found around a folder.
#[derive(Clone)]
struct Looked {
    folder: PathBuf,
    repository: Option<String>,
    at: Instant,
}

/// The repository that this folder lies in; none when it is not known in time.
pub async fn repository_of(folder: PathBuf) -> Option<String> {
    if let Some(known) = looked(&folder, Instant::now()) {
        return known.repository;
    }
    let around = folder.clone();
    let found = LOOKS.aside(move || Some(repository_above(&around))).await?;
    let repository = found.map(|path| path.to_string_lossy().into_owned());
    let looked = Looked {
        folder,
        repository: repository.clone(),
        at: Instant::now(),
    };
    *LAST.lock().unwrap_or_else(PoisonError::into_inner) = Some(looked);
    repository
}

/// What was found around this folder a moment ago.
fn looked(folder: &Path, now: Instant) -> Option<Looked> {
    let last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    last.as_ref()
        .filter(|last| last.folder == folder)
        .filter(|last| now.saturating_duration_since(last.at) < LOOKED_FOR)
        .cloned()
}

/// Why a connection is not served.
#[derive(Debug)]
pub enum NoPeer {
    /// It is another user's (R13): closed before anything is read.
    OtherUser(u32),
    /// The process ended already.
    Gone,
    /// The system does not say who it is.
    Fault(io::Error),
}

impl Peer {
    /// The process at the other end of `stream`.
    ///
    /// # Errors
    /// [`NoPeer`].
    pub fn of(stream: &UnixStream) -> Result<Self, NoPeer> {
        let creds = stream.peer_cred().map_err(NoPeer::Fault)?;
        let own = rustix::process::geteuid().as_raw();
        if creds.uid() != own {
            return Err(NoPeer::OtherUser(creds.uid()));
        }
        let pid = creds
            .pid()
            .and_then(|pid| u32::try_from(pid).ok())
            .unwrap_or(0);
        let held = hold(stream, pid)?;
        let mut caller = Caller {
            pid,
            uid: creds.uid(),
            ..Caller::default()
        };
        let folder = if pid == 0 {
            None
        } else {
            describe(&mut caller)
        };
        let peer = Self {
            caller,
            held,
            folder,
        };
        // Looked at last: what was read above was about this process only if it still lives.
        if peer.alive() {
            Ok(peer)
        } else {
            Err(NoPeer::Gone)
        }
    }

    /// Whether the process still runs. Looked at again before a token leaves.
    pub fn alive(&self) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let Some(held) = &self.held else { return true };
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // A pidfd can be read once the process has ended.
        matches!(
            poll(&mut [PollFd::new(held, PollFlags::IN)], Some(&now)),
            Ok(0)
        )
    }
}

/// The pidfd that the kernel took at connect (Linux 6.5); before that by number, at once.
#[cfg(target_os = "linux")]
fn hold(stream: &UnixStream, pid: u32) -> Result<Option<OwnedFd>, NoPeer> {
    use nix::sys::socket::{getsockopt, sockopt::PeerPidfd};
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    match getsockopt(stream, PeerPidfd) {
        Ok(held) => return Ok(Some(held)),
        Err(nix::errno::Errno::ESRCH | nix::errno::Errno::EINVAL) => return Err(NoPeer::Gone),
        Err(_) => {}
    }
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    match pid.map(|pid| pidfd_open(pid, PidfdFlags::empty())) {
        Some(Ok(held)) => Ok(Some(held)),
        Some(Err(rustix::io::Errno::SRCH)) => Err(NoPeer::Gone),
        // Without either call (a sandbox, an old kernel) the connection itself is all there is.
        Some(Err(_)) | None => Ok(None),
    }
}

#[cfg(not(target_os = "linux"))]
fn hold(_stream: &UnixStream, _pid: u32) -> Result<Option<OwnedFd>, NoPeer> {
    Ok(None)
}

/// What `/proc` says of it, which is never far away; answers the folder of git's helper.
fn describe(caller: &mut Caller) -> Option<PathBuf> {
    let pid = caller.pid;
    let executable = std::fs::read_link(format!("/proc/{pid}/exe")).ok();
    (caller.ancestry, caller.attended) = ancestry::of(pid, caller.uid);
    // Only git's helper is run in the repository that it asks for; looking at folders costs most.
    let asks = executable.as_deref().is_some_and(is_git_helper);
    caller.executable = executable.map(|path| path.to_string_lossy().into_owned());
    if asks {
        std::fs::read_link(format!("/proc/{pid}/cwd")).ok()
    } else {
        None
    }
}

fn is_git_helper(executable: &Path) -> bool {
    let name = executable
        .file_name()
        .map(std::ffi::OsStr::as_encoded_bytes);
    name.is_some_and(|name| name.starts_with(b"git-credential-oam"))
}

/// The nearest folder with `.git` in it (a folder, or a file in a worktree or submodule).
fn repository_above(folder: &Path) -> Option<PathBuf> {
    let mut above = folder.ancestors().take(FOLDERS);
    above
        .find(|path| path.join(".git").symlink_metadata().is_ok())
        .map(Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::{LOOKED_FOR, Looks, Peer, looked, repository_above, repository_of};
    use std::time::Instant;
    use tokio::net::UnixStream;

    fn inside<T>(future: impl Future<Output = T>) -> T {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap().block_on(future)
    }

    #[test]
    fn a_folder_that_was_looked_at_a_moment_ago_is_not_looked_at_again() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("deep");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::create_dir(home.path().join(".git")).unwrap();
        let repository = Some(home.path().to_string_lossy().into_owned());
        assert_eq!(inside(repository_of(folder.clone())), repository);
        let now = Instant::now();
        assert_eq!(looked(&folder, now).unwrap().repository, repository);
        assert!(looked(home.path(), now).is_none(), "another folder");
        assert!(looked(&folder, now + LOOKED_FOR).is_none(), "too long ago");
    }

    #[test]
    fn a_connected_process_is_known_by_the_kernels_word() {
        inside(async {
            let (one, _other) = UnixStream::pair().unwrap();
            let peer = Peer::of(&one).unwrap();
            assert_eq!(peer.caller.pid, std::process::id());
            assert_eq!(peer.caller.uid, rustix::process::geteuid().as_raw());
            assert!(peer.alive());
            #[cfg(target_os = "linux")]
            {
                let own = std::env::current_exe().unwrap();
                assert_eq!(peer.caller.executable.as_deref(), own.to_str());
                assert!(peer.held.is_some());
            }
        });
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_that_ended_is_not_alive() {
        let mut child = std::process::Command::new("/bin/sh")
            .args(["-c", "read x"])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        let held = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).unwrap();
        let peer = Peer {
            caller: oam_model::caller::Caller::default(),
            held: Some(held),
            folder: None,
        };
        assert!(peer.alive());
        child.wait().unwrap();
        assert!(!peer.alive());
    }

    #[test]
    fn a_look_that_never_comes_back_holds_up_nobody_else() {
        static LOOKS: Looks = Looks::new();
        let (lasts, end) = std::sync::mpsc::channel::<()>();
        let end = std::sync::Arc::new(std::sync::Mutex::new(end));
        inside(async {
            for _ in 0..4 {
                let end = std::sync::Arc::clone(&end);
                let look = LOOKS.aside(move || end.lock().ok()?.recv().ok());
                assert!(look.await.is_none());
            }
            // All four hang: nobody waits for a fifth.
            assert!(LOOKS.aside(|| Some(1)).await.is_none());
            drop(lasts);
            let back = LOOKS.permits.acquire_many(4).await.unwrap();
            drop(back);
            assert_eq!(LOOKS.aside(|| Some(1)).await, Some(1));
        });
    }

    #[test]
    fn the_repository_is_the_nearest_folder_with_git_in_it() {
        let home = tempfile::tempdir().unwrap();
        let deep = home.path().join("work/sub/deep");
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::create_dir(home.path().join("work/.git")).unwrap();
        assert_eq!(repository_above(&deep), Some(home.path().join("work")));
        std::fs::write(home.path().join("work/sub/.git"), "gitdir: x").unwrap();
        assert_eq!(repository_above(&deep), Some(home.path().join("work/sub")));
    }
}
