//! A private home for the demo's processes: nothing of the person's own settings is read or written.

use super::reporter::Failure;
use super::seed;
use std::fs;
use std::path::{Path, PathBuf};
use tokio::process::Command;

/// Longest runtime folder that leaves room for the socket's name: an address holds 104 bytes on
/// some systems, and the agent binds under a temporary name first.
const RUNTIME_BYTES: usize = 60;

/// Two private folders; dropping this deletes both.
pub struct Home {
    /// Home, work tree and the hub's repositories.
    root: PathBuf,
    /// `XDG_RUNTIME_DIR`: of its own, because its path must be short and it should lie in memory.
    runtime: PathBuf,
}

impl Drop for Home {
    fn drop(&mut self) {
        for folder in [&self.root, &self.runtime] {
            // Nothing is left to do about a folder that can't be deleted; it is private in any case.
            let _ = fs::remove_dir_all(folder);
        }
    }
}

impl Home {
    /// Makes the folders.
    ///
    /// # Errors
    /// No place for them.
    pub async fn make() -> Result<Self, Failure> {
        let root = private_folder(&std::env::temp_dir()).await?;
        let runtime = match runtime_folder().await {
            Ok(folder) => folder,
            Err(failure) => {
                let _ = fs::remove_dir_all(&root);
                return Err(failure);
            }
        };
        let home = Self { root, runtime };
        for folder in [
            home.home(),
            home.config(),
            home.work(),
            home.hub().join("home"),
            home.company().join("home"),
            home.job().join("home"),
        ] {
            fs::create_dir_all(&folder).map_err(|error| {
                Failure::new(format!("the private home can't be made: {error}"))
            })?;
        }
        let identity = format!(
            "[user]\n\tname = {}\n\temail = {}\n[init]\n\tdefaultBranch = main\n",
            seed::ADA.name,
            seed::ADA.email
        );
        home.write(&home.home().join(".gitconfig"), &identity)?;
        let job = "[user]\n\tname = Release job\n\temail = ci@acme.example\n";
        home.write(&home.job().join("home/.gitconfig"), job)?;
        Ok(home)
    }

    /// Where everything but the socket lies.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `HOME`.
    pub fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    /// Folder of `config.toml`.
    pub fn config(&self) -> PathBuf {
        self.home().join(".config").join("oam")
    }

    /// Where the person works.
    pub fn work(&self) -> PathBuf {
        self.root.join("work")
    }

    /// `GIT_PROJECT_ROOT` of the hub.
    pub fn hub(&self) -> PathBuf {
        self.root.join("hub")
    }

    /// Where the issuer's settings, policy and database lie.
    pub fn company(&self) -> PathBuf {
        self.root.join("company")
    }

    /// Where the CI job runs: another machine, as it were.
    pub fn job(&self) -> PathBuf {
        self.root.join("job")
    }

    /// The folder of the agent's socket, to see whether one was ever started.
    pub fn agent(&self) -> PathBuf {
        self.runtime.join("oam")
    }

    /// Writes a file.
    ///
    /// # Errors
    /// The system's, in words.
    pub fn write(&self, path: &Path, text: &str) -> Result<(), Failure> {
        fs::write(path, text)
            .map_err(|error| Failure::new(format!("{} can't be written: {error}", path.display())))
    }

    /// The whole environment of the person's processes. Nothing is inherited but PATH: no proxy, no
    /// D-Bus, no `GIT_*`, no token, so the demo runs alike on every machine.
    pub fn environment(&self) -> Vec<(String, String)> {
        let home = self.home();
        let below = |name: &str| home.join(name).display().to_string();
        let mut all = bare_environment(&home);
        for (name, value) in [
            ("XDG_CONFIG_HOME", below(".config")),
            ("XDG_STATE_HOME", below(".local/state")),
            ("XDG_DATA_HOME", below(".local/share")),
            ("XDG_CACHE_HOME", below(".cache")),
            ("XDG_RUNTIME_DIR", self.runtime.display().to_string()),
        ] {
            all.push((name.to_owned(), value));
        }
        all
    }

    /// The environment of the issuer: nothing of the person's.
    pub fn company_environment(&self) -> Vec<(String, String)> {
        bare_environment(&self.company().join("home"))
    }

    /// The environment of the CI job: no agent, no keyring, no secret.
    pub fn job_environment(&self) -> Vec<(String, String)> {
        bare_environment(&self.job().join("home"))
    }

    /// The environment of the hub's git: another home, so that it shares nothing with the person's.
    pub fn hub_environment(&self) -> Vec<(String, String)> {
        bare_environment(&self.hub().join("home"))
    }
}

fn bare_environment(home: &Path) -> Vec<(String, String)> {
    let mut all = vec![("HOME".to_owned(), home.display().to_string())];
    for (name, value) in [
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("LC_ALL", "C"),
    ] {
        all.push((name.to_owned(), value.to_owned()));
    }
    // The last two only exist where programs do not start without them.
    for name in ["PATH", "SYSTEMROOT", "TEMP"] {
        if let Ok(value) = std::env::var(name) {
            all.push((name.to_owned(), value));
        }
    }
    all
}

/// The first short place in memory, else the temporary folder.
async fn runtime_folder() -> Result<PathBuf, Failure> {
    let own = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let places = own
        .into_iter()
        .chain(["/dev/shm".into(), std::env::temp_dir(), "/tmp".into()]);
    for place in places.filter(|place| place.is_absolute() && place.is_dir()) {
        match private_folder(&place).await {
            Ok(folder) if folder.as_os_str().len() <= RUNTIME_BYTES => return Ok(folder),
            Ok(folder) => {
                let _ = fs::remove_dir(folder);
            }
            // Not writable, or not there: the next one.
            Err(_) => {}
        }
    }
    Err(Failure::new(
        "no short temporary folder for the agent's socket was found; set XDG_RUNTIME_DIR",
    ))
}

/// A new folder that only its owner can enter. `mktemp` makes it so in one step on every Unix, and
/// it keeps modes, which only Unix has, out of this crate.
async fn private_folder(place: &Path) -> Result<PathBuf, Failure> {
    let template = place.join("oam-demo.XXXXXX");
    let mut command = Command::new("mktemp");
    command.arg("-d").arg(&template).kill_on_drop(true);
    let made = command
        .output()
        .await
        .map_err(|error| Failure::new(format!("mktemp can't be run: {error}")))?;
    let path = PathBuf::from(String::from_utf8_lossy(&made.stdout).trim_end());
    if !made.status.success() || !path.is_dir() {
        return Err(Failure::new(format!(
            "no private folder could be made in {}",
            place.display()
        )));
    }
    // Symbolic links on the way (as /tmp on macOS) would make an agent refuse its folder.
    fs::canonicalize(&path)
        .map_err(|error| Failure::new(format!("{} is lost: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::{Home, RUNTIME_BYTES};

    #[tokio::test]
    async fn the_home_is_private_short_and_gone_afterwards() {
        let home = Home::make().await.unwrap();
        let (root, runtime) = (home.root.clone(), home.runtime.clone());
        for folder in [&root, &runtime] {
            let listed = std::process::Command::new("ls")
                .arg("-ld")
                .arg(folder)
                .output()
                .unwrap();
            let listed = String::from_utf8(listed.stdout).unwrap();
            assert!(listed.starts_with("drwx------"), "{listed}");
        }
        assert!(runtime.as_os_str().len() <= RUNTIME_BYTES);
        drop(home);
        assert!(!root.exists() && !runtime.exists());
    }

    #[tokio::test]
    async fn the_environment_inherits_path_and_nothing_else_of_the_person() {
        let home = Home::make().await.unwrap();
        let environment = home.environment();
        let own: Vec<&str> = environment.iter().map(|(name, _)| name.as_str()).collect();
        for name in [
            "http_proxy",
            "DBUS_SESSION_BUS_ADDRESS",
            "GIT_DIR",
            "HF_TOKEN",
            "GIT_CONFIG_GLOBAL",
        ] {
            assert!(!own.contains(&name), "{name}");
        }
        let root = home.root().display().to_string();
        let homes = environment
            .iter()
            .filter(|(name, _)| name == "HOME" || name.ends_with("_HOME"));
        assert!(
            homes.clone().count() == 5 && homes.clone().all(|(_, value)| value.starts_with(&root))
        );
    }
}
