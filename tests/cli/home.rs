//! A private home, so that nothing of the person who runs the tests is seen or touched.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

pub struct Home {
    folder: TempDir,
}

impl Home {
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("oam").tempdir().unwrap();
        for name in ["run/oam", "config/oam"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        let state = oam_wire::host::folder(&folder.path().join("state/oam"));
        fs::create_dir_all(state.join("audit")).unwrap();
        #[cfg(unix)]
        for name in ["run", "run/oam"] {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(0o700))
                .unwrap();
        }
        Self { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// In the folder of this host's state.
    pub fn state(&self, name: &str) -> PathBuf {
        oam_wire::host::folder(&self.path("state/oam")).join(name)
    }

    /// The real program in this home. No agent is started by it.
    pub fn oam(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(oam::program("oam"));
        command
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.folder.path())
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("XDG_STATE_HOME", self.path("state"))
            .env("TZ", "UTC")
            .env("OAM_NO_AUTOSTART", "1")
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&self.oam(arguments).output().unwrap())
    }
}

/// What a run left.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// What a child that prints its environment said of this variable; nothing: it has none.
    pub fn variable(&self, name: &str) -> &str {
        let mut pairs = self.out.lines().filter_map(|line| line.split_once('='));
        let found = pairs.find(|(variable, _)| *variable == name);
        found.map_or("", |(_, value)| value)
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|fault| panic!("{fault}: {self:?}"))
    }
}
