//! What a set-up needs to know about this machine and this person, as arguments: tests give a
//! private home.

use crate::system::is_runnable;
use oam_model::refusal::Refusal;
use std::env;
use std::path::{Path, PathBuf};

/// Folders and programs.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The person's home.
    pub home: PathBuf,
    /// `$XDG_CONFIG_HOME`.
    pub config_home: PathBuf,
    /// `$XDG_DATA_HOME`.
    pub data_home: PathBuf,
    /// `$XDG_STATE_HOME`.
    pub state_home: PathBuf,
    /// The absolute entries of `PATH`; others would run what lies in the folder somebody stands in.
    pub path: Vec<PathBuf>,
    /// The folder of `oam`, `oam-agent` and `git-credential-oam`.
    pub programs: PathBuf,
    /// `$SHELL`.
    pub shell: Option<String>,
    /// `$GIT_CONFIG_GLOBAL`.
    pub git_config_global: Option<PathBuf>,
    /// Where a package puts user units.
    pub system_units: PathBuf,
}

impl Surroundings {
    /// From the environment. On macOS too the XDG folders: git and shells look there as well.
    pub fn find() -> Result<Self, Refusal> {
        let absolute = |name: &str| {
            env::var_os(name)
                .map(PathBuf::from)
                .filter(|p| p.is_absolute())
        };
        let home = directories::BaseDirs::new()
            .map(|dirs| dirs.home_dir().to_owned())
            .filter(|home| home.is_absolute())
            .ok_or_else(|| Refusal::unavailable("your home directory is not known", "set HOME"))?;
        let path: Vec<PathBuf> = env::var_os("PATH")
            .map(|path| {
                env::split_paths(&path)
                    .filter(|p| p.is_absolute())
                    .collect()
            })
            .unwrap_or_default();
        Ok(Self {
            config_home: absolute("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config")),
            data_home: absolute("XDG_DATA_HOME").unwrap_or_else(|| home.join(".local/share")),
            state_home: absolute("XDG_STATE_HOME").unwrap_or_else(|| home.join(".local/state")),
            programs: programs(&path)?,
            path,
            shell: env::var("SHELL").ok(),
            git_config_global: env::var_os("GIT_CONFIG_GLOBAL").map(PathBuf::from),
            system_units: PathBuf::from("/usr/lib/systemd/user"),
            home,
        })
    }

    /// The absolute path of a program that `accept` takes, as the shell would find it.
    pub(super) fn program(&self, name: &str, accept: impl Fn(&Path) -> bool) -> Option<PathBuf> {
        let name = format!("{name}{}", env::consts::EXE_SUFFIX);
        self.path
            .iter()
            .map(|folder| folder.join(&name))
            .find(|path| path.metadata().is_ok_and(|about| is_runnable(&about)) && accept(path))
    }

    /// One of our own programs, which has to be there.
    pub(super) fn own_program(&self, name: &str) -> Result<PathBuf, Refusal> {
        let path = self
            .programs
            .join(format!("{name}{}", env::consts::EXE_SUFFIX));
        if path.is_file() {
            return Ok(path);
        }
        Err(Refusal::unavailable(
            format!("{} is not there", path.display()),
            "install the programs of OAM together, in one folder",
        ))
    }

    /// Where our wrappers lie.
    pub(super) fn wrappers(&self) -> PathBuf {
        self.data_home.join("oam").join("bin")
    }
}

/// The folder of this program. The one in `PATH` is preferred where it leads here by a link: what
/// lies behind it often has a version in its name and is gone after the next update.
fn programs(path: &[PathBuf]) -> Result<PathBuf, Refusal> {
    let unknown = |_| {
        Refusal::unavailable(
            "this program does not know its own path",
            "run it by its absolute path",
        )
    };
    let this = env::current_exe().map_err(unknown)?;
    let name = this.file_name().unwrap_or_default();
    let same = |folder: &&PathBuf| {
        let real = |path: &Path| path.canonicalize().ok();
        real(&folder.join(name)).is_some_and(|found| Some(found) == real(&this))
            && folder
                .join(format!("git-credential-oam{}", env::consts::EXE_SUFFIX))
                .is_file()
    };
    let folder = path
        .iter()
        .find(same)
        .map(PathBuf::as_path)
        .or_else(|| this.parent());
    Ok(folder.unwrap_or_else(|| Path::new("/")).to_owned())
}

/// A private home for the tests of all set-ups.
#[cfg(test)]
#[cfg(unix)]
pub(super) mod private {
    use super::Surroundings;
    use crate::setup::disk;
    use std::fs;
    use std::path::{Path, PathBuf};

    /// A home, its surroundings, and the folder that is deleted at the end.
    pub(in crate::setup) struct TemporaryHome {
        pub(in crate::setup) around: Surroundings,
        pub(in crate::setup) folder: tempfile::TempDir,
    }

    impl TemporaryHome {
        /// With our three programs in `opt` and the system's programs in `PATH`.
        pub(in crate::setup) fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let home = folder.path().join("home");
            let programs = folder.path().join("opt");
            fs::create_dir_all(&home).unwrap();
            for name in ["oam", "oam-agent", "git-credential-oam"] {
                program(&programs.join(name), "#!/bin/sh\n");
            }
            let mut path = vec![folder.path().join("bin")];
            path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
            let around = Surroundings {
                config_home: home.join(".config"),
                data_home: home.join(".local/share"),
                state_home: home.join(".local/state"),
                path,
                programs,
                shell: Some("/bin/bash".into()),
                git_config_global: None,
                system_units: folder.path().join("units"),
                home,
            };
            Self { around, folder }
        }

        /// A file in the home.
        pub(in crate::setup) fn file(&self, name: &str) -> PathBuf {
            self.around.home.join(name)
        }

        /// A program in the first folder of `PATH`.
        pub(in crate::setup) fn program(&self, name: &str, text: &str) -> PathBuf {
            let path = self.folder.path().join("bin").join(name);
            program(&path, text);
            path
        }
    }

    fn program(path: &Path, text: &str) {
        disk::write(path, text.as_bytes(), disk::FileAccess::Program).unwrap();
    }
}
