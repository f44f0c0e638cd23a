//! Where the agent's socket lies, and whether its folder can be trusted.

use super::host;
use oam_model::refusal::{Refusal, RefusalCode};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The agent's socket and its folder.
#[derive(Debug, Clone)]
pub struct SocketPath {
    /// `$XDG_RUNTIME_DIR/oam`, or the fallback of the user's own.
    pub folder: PathBuf,
    /// The socket in it.
    pub socket: PathBuf,
    /// The folder of the states of all hosts ([`host::base`]); none: there is nowhere else to look.
    pub base: Option<PathBuf>,
}

/// Longest path of a socket in bytes: `sun_path` less its NUL.
#[cfg(any(target_os = "linux", target_os = "android"))]
const LONGEST: usize = 107;
/// Longest path of a socket in bytes: `sun_path` less its NUL.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const LONGEST: usize = 103;

impl SocketPath {
    /// From the environment; reads no configuration file.
    ///
    /// # Errors
    /// No folder of the user's own is known, or the socket's path would be too long.
    pub fn find() -> Result<Self, Refusal> {
        imp::find(&|name| std::env::var_os(name))
    }

    /// The socket in `folder`.
    ///
    /// # Errors
    /// The path does not fit a socket address. It is refused here, by name, because a cut path
    /// would name another file.
    pub fn in_folder(folder: PathBuf) -> Result<Self, Refusal> {
        let socket = folder.join("agent.sock");
        let length = socket.as_os_str().len();
        if cfg!(unix) && length > LONGEST {
            return Err(Refusal::unavailable(
                format!(
                    "the path of the agent's socket has {length} bytes, {LONGEST} are possible: {}",
                    shown(&socket)
                ),
                "set XDG_RUNTIME_DIR to a shorter path",
            ));
        }
        Ok(Self {
            folder,
            socket,
            base: None,
        })
    }

    /// Whether nobody else can put something into the folder or in its way (R12, R14, R15).
    ///
    /// # Errors
    /// [`Untrusted`]: missing, or by whom it could be changed.
    pub fn check(&self) -> Result<(), Untrusted> {
        imp::check(&self.folder)
    }
}

/// What helps against a folder of somebody else: never its removal, an agent may live in it.
pub const NOT_OURS: &str = "run this as that user, or with a home and XDG_RUNTIME_DIR of your own (`sudo -i` instead of `sudo -E`)";

/// Why a folder is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Untrusted {
    /// It is not there.
    Missing,
    /// It could be changed by others, or can't be looked at.
    Open(Refusal),
}

/// A path for people: control characters are escaped.
pub(crate) fn shown(path: &Path) -> String {
    path.display().to_string().escape_debug().to_string()
}

#[cfg(unix)]
mod imp {
    use super::{
        NOT_OURS, OsString, Path, PathBuf, Refusal, RefusalCode, SocketPath, Untrusted, host, shown,
    };
    use std::fs::Metadata;
    use std::os::unix::fs::MetadataExt;

    /// The user whose agent it is.
    fn own() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    pub(super) fn find(get: &dyn Fn(&str) -> Option<OsString>) -> Result<SocketPath, Refusal> {
        let mut place = SocketPath::in_folder(folder(get, Path::new("/run/user"), own())?)?;
        place.base = host::base(get);
        Ok(place)
    }

    /// An absolute path in a variable; an empty or relative one counts as unset (XDG base directories).
    fn absolute(get: &dyn Fn(&str) -> Option<OsString>, name: &str) -> Option<PathBuf> {
        get(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    }

    /// Never a shared temporary directory: anybody could be there first.
    pub(super) fn folder(
        get: &dyn Fn(&str) -> Option<OsString>,
        users: &Path,
        own: u32,
    ) -> Result<PathBuf, Refusal> {
        if let Some(runtime) = absolute(get, "XDG_RUNTIME_DIR") {
            return Ok(runtime.join("oam"));
        }
        let usual = users.join(own.to_string());
        if usual
            .symlink_metadata()
            .is_ok_and(|meta| meta.is_dir() && meta.uid() == own)
        {
            return Ok(usual.join("oam"));
        }
        // In this host's part: the socket of another host in a shared home can't be reached.
        host::base(get)
            .map(|base| host::folder(&base).join("run"))
            .ok_or_else(|| {
                Refusal::unavailable(
                    "there is no folder of your own for the agent's socket",
                    "set XDG_RUNTIME_DIR or HOME",
                )
            })
    }

    fn open(path: &Path, what: &str, next: String) -> Untrusted {
        let sentence = format!(
            "the agent's folder {} can't be trusted: {what}",
            shown(path)
        );
        Untrusted::Open(Refusal::new(RefusalCode::Unreachable, sentence, next))
    }

    fn look(path: &Path) -> Result<Metadata, Untrusted> {
        path.symlink_metadata().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Untrusted::Missing,
            _ => open(
                path,
                &format!("{}", error.kind()),
                "look at its owner and mode".into(),
            ),
        })
    }

    pub(super) fn check(folder: &Path) -> Result<(), Untrusted> {
        let meta = look(folder)?;
        real_folder(folder, &meta)?;
        if meta.uid() != own() {
            return Err(open(
                folder,
                &format!("it belongs to another user, number {}", meta.uid()),
                NOT_OURS.into(),
            ));
        }
        if meta.mode() & 0o077 != 0 {
            let next = format!(
                "run `chmod 700 {}` if nobody else put anything into it",
                shown(folder)
            );
            return Err(open(folder, "it is open to other users", next));
        }
        let Some(parent) = folder.parent() else {
            return Ok(());
        };
        // The runtime directory itself must be what it seems; folders above it may be links
        // (`/home` often is one), so they are followed first and then all looked at.
        real_folder(parent, &look(parent)?)?;
        let real = parent.canonicalize().map_err(|error| {
            open(
                parent,
                &format!("{}", error.kind()),
                "look at its owner and mode".into(),
            )
        })?;
        real.ancestors()
            .try_for_each(|above| ancestor(above, own()))
    }

    fn real_folder(path: &Path, meta: &Metadata) -> Result<(), Untrusted> {
        if meta.is_symlink() {
            return Err(open(
                path,
                "it is a symbolic link",
                "set XDG_RUNTIME_DIR to the folder itself".into(),
            ));
        }
        if meta.is_dir() {
            return Ok(());
        }
        Err(open(path, "it is not a folder", "move it away".into()))
    }

    /// Root's or our own, and written by nobody else, unless sticky (then nobody else can replace
    /// what is ours in it).
    fn ancestor(path: &Path, own: u32) -> Result<(), Untrusted> {
        let meta = look(path)?;
        if meta.uid() != 0 && meta.uid() != own {
            return Err(open(
                path,
                &format!("it belongs to another user, number {}", meta.uid()),
                NOT_OURS.into(),
            ));
        }
        if meta.mode() & 0o022 != 0 && meta.mode() & 0o1000 == 0 {
            let next = format!("run `chmod go-w {}`", shown(path));
            return Err(open(path, "other users can write to it", next));
        }
        Ok(())
    }
}

#[cfg(windows)]
mod imp {
    use super::{OsString, Path, PathBuf, Refusal, RefusalCode, SocketPath, Untrusted};

    /// A named pipe has no folder; its access list and the check of its owner stand in for one.
    pub(super) fn find(get: &dyn Fn(&str) -> Option<OsString>) -> Result<SocketPath, Refusal> {
        let user = get("USERNAME").and_then(|name| name.into_string().ok());
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ');
        match user {
            Some(user) if !user.is_empty() && user.chars().all(plain) => Ok(SocketPath {
                folder: PathBuf::from(r"\\.\pipe"),
                socket: PathBuf::from(format!(r"\\.\pipe\oam-agent-{user}")),
                base: None,
            }),
            _ => Err(Refusal::new(
                RefusalCode::Unreachable,
                "the user's name is not known",
                "set USERNAME",
            )),
        }
    }

    pub(super) fn check(_folder: &Path) -> Result<(), Untrusted> {
        Ok(())
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::imp::folder;
    use super::{SocketPath, Untrusted};
    use std::ffi::OsString;
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
    use std::path::{Path, PathBuf};

    fn env<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<OsString> + 'a {
        move |name| {
            let found = pairs.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| OsString::from(value))
        }
    }

    fn found(pairs: &[(&str, &str)]) -> PathBuf {
        folder(&env(pairs), Path::new("/nonexistent"), 1000).unwrap()
    }

    #[test]
    fn the_runtime_directory_comes_first_and_only_when_absolute() {
        let home = ("HOME", "/home/a");
        assert_eq!(
            found(&[("XDG_RUNTIME_DIR", "/run/x"), home]),
            Path::new("/run/x/oam")
        );
        let host = |base: &str| crate::host::folder(Path::new(base)).join("run");
        let fallback = host("/home/a/.local/state/oam");
        assert_eq!(found(&[("XDG_RUNTIME_DIR", ""), home]), fallback);
        assert_eq!(found(&[("XDG_RUNTIME_DIR", "run"), home]), fallback);
        assert_eq!(found(&[("XDG_STATE_HOME", "/s"), home]), host("/s/oam"));
        assert!(folder(&env(&[]), Path::new("/nonexistent"), 1000).is_err());
    }

    #[test]
    fn a_path_that_does_not_fit_a_socket_address_is_refused() {
        let long = PathBuf::from("/").join("x".repeat(110));
        let refusal = SocketPath::in_folder(long).unwrap_err();
        assert!(refusal.next.contains("XDG_RUNTIME_DIR"));
        let just = PathBuf::from("/").join("x".repeat(107 - "//agent.sock".len()));
        assert!(SocketPath::in_folder(just).is_ok());
    }

    fn made(mode: u32) -> (tempfile::TempDir, SocketPath) {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().canonicalize().unwrap().join("run/oam");
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let place = SocketPath::in_folder(path).unwrap();
        (home, place)
    }

    #[test]
    fn a_private_folder_is_trusted_and_a_missing_one_is_only_missing() {
        let (_home, place) = made(0o700);
        assert_eq!(place.check(), Ok(()));
        let other = SocketPath::in_folder(place.folder.join("deeper")).unwrap();
        assert_eq!(other.check(), Err(Untrusted::Missing));
    }

    fn words(place: &SocketPath) -> String {
        match place.check() {
            Err(Untrusted::Open(refusal)) => refusal.sentence,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_open_folder_is_refused_by_name() {
        for mode in [0o755, 0o770, 0o701] {
            let (_home, place) = made(mode);
            assert!(words(&place).contains("open to other users"));
            assert!(words(&place).contains("run/oam"));
        }
    }

    #[test]
    fn a_symlinked_folder_or_runtime_directory_is_refused() {
        let (home, place) = made(0o700);
        let link = home.path().join("link");
        symlink(&place.folder, &link).unwrap();
        assert!(words(&SocketPath::in_folder(link).unwrap()).contains("symbolic link"));
        let runtime = home.path().join("runtime");
        symlink(place.folder.parent().unwrap(), &runtime).unwrap();
        assert!(
            words(&SocketPath::in_folder(runtime.join("oam")).unwrap()).contains("symbolic link")
        );
    }

    #[test]
    fn a_folder_that_others_can_write_above_it_is_refused_unless_sticky() {
        let (_home, place) = made(0o700);
        let above = place.folder.parent().unwrap();
        let mode = |mode| std::fs::set_permissions(above, std::fs::Permissions::from_mode(mode));
        mode(0o777).unwrap();
        assert!(words(&place).contains("other users can write"));
        mode(0o1777).unwrap();
        assert_eq!(place.check(), Ok(()));
    }

    #[test]
    fn a_file_in_the_folders_place_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("oam");
        std::fs::write(&file, "").unwrap();
        assert!(words(&SocketPath::in_folder(file).unwrap()).contains("not a folder"));
    }
}
