//! The person's state on this host: which folder it is, and which agent holds it.
//!
//! The state lies in `…/oam/MACHINE-ID`, because a home can be shared by hosts, and what two agents
//! write at once would look like forgery. The agent holds a lock of the kernel in it and writes down
//! where it listens. A client looks there only when nobody listens at its own socket: the agent may
//! have been started where `XDG_RUNTIME_DIR` was another one.

use super::socket_path::SocketPath;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The file whose lock is the state's, in the host's folder. What is written in it only informs.
pub const LOCK: &str = "agent.lock";

/// The folder's name on a machine that has no id of its own.
pub const NAMELESS: &str = "no-machine-id";

/// Most that is read of the file, bytes.
#[cfg(unix)]
const LONGEST: u64 = 4096;

/// The folder of the states of all hosts, from the environment: `$XDG_STATE_HOME/oam`, or what the
/// platform has for it.
pub fn base(get: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let absolute = |name: &str| {
        get(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    if cfg!(target_os = "macos") {
        return absolute("HOME").map(|home| home.join("Library/Application Support/oam"));
    }
    absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .map(|state| state.join("oam"))
}

/// The folder of this host's state in `base`.
pub fn folder(base: &Path) -> PathBuf {
    base.join(name(&["/etc/machine-id", "/var/lib/dbus/machine-id"]))
}

/// The machine's id (machine-id(5)) from the first of `files` that holds one, else [`NAMELESS`].
fn name(files: &[&str]) -> String {
    files
        .iter()
        .filter_map(|file| std::fs::read(file).ok())
        .find_map(|text| machine_id(&text))
        .unwrap_or_else(|| NAMELESS.to_owned())
}

fn machine_id(text: &[u8]) -> Option<String> {
    let id = text.trim_ascii();
    let hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let sound = id.len() == 32 && id.iter().all(hex) && id.iter().any(|byte| *byte != b'0');
    if sound {
        String::from_utf8(id.to_vec()).ok()
    } else {
        None
    }
}

/// What an agent wrote down about itself when it took the lock.
#[cfg(unix)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder(Vec<u8>);

#[cfg(unix)]
impl Holder {
    /// Reads it from the host's folder; none when there is no such file of our own.
    pub fn read(folder: &Path) -> Option<Self> {
        use std::io::Read;
        use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let mut options = std::fs::OpenOptions::new();
        options
            .read(true)
            .custom_flags(i32::try_from(flags.bits()).ok()?);
        let file = options.open(folder.join(LOCK)).ok()?;
        let meta = file.metadata().ok()?;
        if !meta.is_file() || meta.uid() != rustix::process::geteuid().as_raw() {
            return None;
        }
        let mut text = Vec::new();
        file.take(LONGEST).read_to_end(&mut text).ok()?;
        Some(Self(text))
    }

    /// One of its lines: `pid`, `host`, `boot`, `socket`.
    pub fn line(&self, name: &str) -> Option<&[u8]> {
        self.0
            .split(|byte| *byte == b'\n')
            .find_map(|line| line.strip_prefix(name.as_bytes())?.strip_prefix(b" "))
    }

    /// Where it says that it listens.
    pub fn socket(&self) -> Option<PathBuf> {
        use std::os::unix::ffi::OsStrExt;
        let path = PathBuf::from(std::ffi::OsStr::from_bytes(self.line("socket")?));
        if path.is_absolute() { Some(path) } else { None }
    }
}

/// Whether what is missing of `folder` would be made among what is the user's own. Looked at before
/// anything is made: root with somebody's HOME would leave folders that keep that person out.
///
/// # Errors
/// The folder above it that belongs to somebody else, with its path and what to do.
#[cfg(unix)]
pub fn ours_to_make(folder: &Path) -> Result<(), String> {
    use super::socket_path::NOT_OURS;
    use std::os::unix::fs::MetadataExt;
    let own = rustix::process::geteuid().as_raw();
    // Root's folders (`/home`, `/tmp`) say nothing: whose place it is, the first other one says.
    let owner = folder
        .ancestors()
        .filter_map(|above| Some((above, std::fs::metadata(above).ok()?.uid())))
        .find(|(_, uid)| *uid != 0);
    match owner {
        Some((above, uid)) if uid != own => Err(format!(
            "{} belongs to another user, number {uid}, and nothing is made there; {NOT_OURS}",
            above.display()
        )),
        _ => Ok(()),
    }
}

/// Access lists guard a user's folders there.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn ours_to_make(_folder: &Path) -> Result<(), String> {
    Ok(())
}

impl SocketPath {
    /// Where the agent that holds this host's state says that it listens, when that is not here.
    /// Asked only when nobody listens here: it costs two files read.
    #[cfg(unix)]
    pub fn elsewhere(&self) -> Option<Self> {
        let base = self.base.as_ref()?;
        let socket = Holder::read(&folder(base))?.socket()?;
        Self::of_socket(&socket).filter(|place| place.socket != self.socket)
    }

    /// A pipe is the user's, whatever the environment.
    #[cfg(windows)]
    pub const fn elsewhere(&self) -> Option<Self> {
        None
    }

    /// The place whose socket this is.
    pub fn of_socket(socket: &Path) -> Option<Self> {
        let place = Self::in_folder(socket.parent()?.to_path_buf()).ok()?;
        Some(place).filter(|place| place.socket == socket)
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::{Holder, LOCK, NAMELESS, SocketPath, base, folder, machine_id, name};
    use std::ffi::OsString;
    use std::path::{Path, PathBuf};

    #[test]
    fn a_host_is_named_by_its_machine_id_and_only_by_a_sound_one() {
        let id = "3d1219c7c4c5404aaa1f6d2a48adfda4";
        assert_eq!(
            machine_id(format!("{id}\n").as_bytes()).as_deref(),
            Some(id)
        );
        for odd in [
            "",
            "uninitialized\n",
            "00000000000000000000000000000000\n",
            "../../../../../../../../../../x1",
            "3d1219c7c4c5404aaa1f6d2a48adfda4x",
        ] {
            assert_eq!(machine_id(odd.as_bytes()), None, "{odd}");
        }
        assert_eq!(name(&["/nonexistent"]), NAMELESS);
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("machine-id");
        std::fs::write(&file, id).unwrap();
        assert_eq!(name(&["/nonexistent", file.to_str().unwrap()]), id);
    }

    #[cfg(not(target_os = "macos"))]
    #[test]
    fn the_state_lies_in_the_state_home_and_only_when_it_is_absolute() {
        let with = |pairs: &[(&str, &str)]| {
            base(&|name| {
                let found = pairs.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| OsString::from(value))
            })
        };
        let home = ("HOME", "/home/a");
        let usual = Some(PathBuf::from("/home/a/.local/state/oam"));
        assert_eq!(with(&[home]), usual);
        assert_eq!(with(&[("XDG_STATE_HOME", "state"), home]), usual);
        assert_eq!(
            with(&[("XDG_STATE_HOME", "/s"), home]),
            Some(PathBuf::from("/s/oam"))
        );
        assert_eq!(with(&[]), None);
    }

    #[test]
    fn what_the_holder_wrote_is_read_line_by_line_and_never_through_a_link() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Holder::read(folder.path()), None);
        let lock = folder.path().join(LOCK);
        std::fs::write(&lock, "pid 7\nhost vm\nsocket /run/x y/agent.sock\n").unwrap();
        let holder = Holder::read(folder.path()).unwrap();
        assert_eq!(holder.line("pid"), Some(&b"7"[..]));
        assert_eq!(holder.line("boot"), None);
        assert_eq!(
            holder.socket().as_deref(),
            Some(Path::new("/run/x y/agent.sock"))
        );
        std::fs::write(&lock, "socket agent.sock").unwrap();
        assert_eq!(Holder::read(folder.path()).unwrap().socket(), None);
        let link = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(&lock, link.path().join(LOCK)).unwrap();
        assert_eq!(Holder::read(link.path()), None);
    }

    #[test]
    fn the_place_of_the_holder_is_found_when_it_is_another() {
        let home = tempfile::tempdir().unwrap();
        let place = SocketPath::in_folder(home.path().join("run/oam")).unwrap();
        let base = home.path().join("state/oam");
        let state = folder(&base);
        std::fs::create_dir_all(&state).unwrap();
        let mut other = SocketPath::in_folder(home.path().join("other/oam")).unwrap();
        assert!(other.elsewhere().is_none(), "it knows of no state");
        other.base = Some(base);
        assert!(other.elsewhere().is_none(), "nobody holds it");
        let lock = state.join(LOCK);
        for (path, found) in [
            (&place.socket, Some(&place.socket)),
            (&other.socket, None),
            (&PathBuf::from("/run/agent.other"), None),
        ] {
            std::fs::write(&lock, format!("pid 1\nsocket {}\n", path.display())).unwrap();
            let there = other.elsewhere().map(|place| place.socket);
            assert_eq!(there.as_ref(), found);
        }
    }
}
