//! Folders of the configuration and the log, and programs by name.

use super::system;
use oam_wire::host;
use std::env;
use std::path::{Path, PathBuf};

/// The company's configuration.
pub fn company_config() -> PathBuf {
    if cfg!(windows) {
        let base = env::var_os("ProgramData").unwrap_or_else(|| "C:\\ProgramData".into());
        return PathBuf::from(base).join("oam").join("config.toml");
    }
    PathBuf::from("/etc/oam/config.toml")
}

/// The user's configuration, in the platform's configuration directory.
pub fn user_config() -> Option<PathBuf> {
    // As the agent has it: on Windows a folder deeper than `%APPDATA%\oam`.
    let dirs = directories::ProjectDirs::from("", "", "oam")?;
    Some(dirs.config_dir().join("config.toml"))
}

/// The folder of this host's audit log when no agent tells it.
pub fn audit_folder() -> Option<PathBuf> {
    let base = host::base(&|name| env::var_os(name)).or_else(|| {
        let dirs = directories::BaseDirs::new()?;
        let state = dirs.state_dir().unwrap_or_else(|| dirs.data_local_dir());
        Some(state.join("oam"))
    })?;
    let own = host::folder(&base).join("audit");
    // What an earlier version wrote for all hosts, until an agent moves it.
    let earlier = base.join("audit");
    Some(if !own.exists() && earlier.exists() {
        earlier
    } else {
        own
    })
}

/// The absolute path of a program, as the shell would find it. Empty and relative entries of `PATH`
/// are skipped: a program must not come from the folder that somebody stands in (R26).
pub fn program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    program_in(name, env::split_paths(&path))
}

/// Whether a shell would find a program of this name, in whatever entry of `PATH`.
pub fn is_on_path(name: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let there = |folder: PathBuf| {
        let exe = cfg!(windows) && folder.join(format!("{name}.exe")).exists();
        exe || folder.join(name).exists()
    };
    env::split_paths(&path).any(there)
}

fn program_in(name: &str, folders: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    let given = Path::new(name);
    if given.components().count() > 1 {
        return (given.is_absolute() && is_program(given)).then(|| given.to_owned());
    }
    folders
        .filter(|folder| folder.is_absolute())
        .flat_map(|folder| {
            let exe = cfg!(windows).then(|| folder.join(format!("{name}.exe")));
            exe.into_iter().chain([folder.join(name)])
        })
        .find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|about| system::is_runnable(&about))
}

#[cfg(test)]
mod tests {
    use super::program_in;
    use std::path::PathBuf;

    #[test]
    fn a_program_never_comes_from_a_relative_folder() {
        let here = |list: &[&str]| {
            list.iter()
                .map(PathBuf::from)
                .collect::<Vec<_>>()
                .into_iter()
        };
        assert_eq!(program_in("sh", here(&["", ".", "bin"])), None);
        assert_eq!(program_in("./sh", here(&["/bin"])), None);
        #[cfg(unix)]
        assert_eq!(
            program_in("sh", here(&["", "/bin"])),
            Some("/bin/sh".into())
        );
    }
}
