//! The configuration files: where they lie, reading them, noticing a change.

mod trust;
#[cfg(target_os = "linux")]
pub(super) mod watch;

use super::files::words;
use directories::ProjectDirs;
use oam_agent::ports::Configuration;
use oam_config::agent::{Org, Settings, SourceText, read};
use oam_config::organization::effective;
use oam_model::organization::Organization;
use std::fs::{self, Metadata, OpenOptions};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A configuration is a few KiB; anything beyond this is a mistake.
const LARGEST: u64 = 1024 * 1024;

/// The company's file and the user's.
pub struct SettingsFiles {
    /// The company's first.
    paths: Vec<PathBuf>,
    /// How the files looked when they were last read.
    seen: Option<Vec<Stamp>>,
    #[cfg(target_os = "linux")]
    watch: Option<watch::SettingsWatch>,
}

/// The files of this machine and user, read when somebody asks for it.
pub struct StandardFiles;

impl Configuration for StandardFiles {
    fn load(&self) -> Result<Settings, String> {
        SettingsFiles::standard().load()
    }

    fn effective(&self, published: &Organization) -> Result<Org, String> {
        let files = SettingsFiles::standard();
        let company = files.paths.first().map(|path| text(path)).transpose()?;
        effective(published, company.flatten().as_deref())
    }
}

/// How a file looks from outside; `None`: it is not there.
type Stamp = Option<Look>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    modified: Option<SystemTime>,
    size: u64,
    /// Device, inode, change time: another file renamed into the place, or a change of its mode.
    #[cfg(unix)]
    identity: (u64, u64, i64, i64),
}

impl SettingsFiles {
    /// The files of this machine and user. The environment can't name another company file: any
    /// program could then take the company's rules away.
    pub fn standard() -> Self {
        let user = ProjectDirs::from("", "", "oam")
            .map(|folders| folders.config_dir().join("config.toml"));
        Self::new(PathBuf::from("/etc/oam/config.toml"), user)
    }

    /// These files; `user` is `None` when the user has no configuration folder.
    pub fn new(company: PathBuf, user: Option<PathBuf>) -> Self {
        Self {
            paths: std::iter::once(company).chain(user).collect(),
            seen: None,
            #[cfg(target_os = "linux")]
            watch: None,
        }
    }

    /// Where the user's file belongs.
    pub fn user_file(&self) -> Option<&Path> {
        self.paths.get(1).map(PathBuf::as_path)
    }

    /// Reads, merges and checks them; a file that is not there says nothing.
    ///
    /// # Errors
    /// All faults, one a line; or why a file can't be read or trusted.
    pub fn load(&mut self) -> Result<Settings, String> {
        // Looked at before they are read: a change in between then counts as a later one.
        self.seen = Some(self.look());
        let mut texts = Vec::new();
        for path in &self.paths {
            texts.push((path.display().to_string(), text(path)?));
        }
        let mut sources = texts
            .iter()
            .map(|(name, text)| text.as_deref().map(|text| SourceText { name, text }));
        let (company, user) = (sources.next().flatten(), sources.next().flatten());
        let settings = read(company, user).map_err(|faults| {
            let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
            lines.join("\n")
        })?;
        Ok(trust::known(settings))
    }

    /// Whether a file looks otherwise than when [`SettingsFiles::load`] last read it. Two `stat`
    /// calls; for systems without [`SettingsFiles::next_change`].
    pub fn changed(&self) -> bool {
        self.seen.as_ref().is_some_and(|seen| *seen != self.look())
    }

    /// Waits until a file looks otherwise than when it was last read. Costs nothing while nothing
    /// happens: the kernel tells, there is no timer. May be dropped and called again at any time.
    /// Never ready where the system can't tell (see [`SettingsFiles::changed`]).
    #[cfg(target_os = "linux")]
    pub async fn next_change(&mut self) {
        loop {
            if self.watch.is_none() {
                match watch::SettingsWatch::new() {
                    Ok(watch) => self.watch = Some(watch),
                    Err(fault) => {
                        tracing::warn!("changes of the configuration are not noticed: {fault}");
                        return std::future::pending().await;
                    }
                }
            }
            let Some(watch) = &mut self.watch else {
                return;
            };
            // Armed before looking, so that no change falls in between.
            watch.arm(&self.paths);
            if self.seen.as_ref() != Some(&look(&self.paths)) {
                return;
            }
            if let Err(fault) = watch.event().await {
                tracing::warn!("changes of the configuration are not noticed: {fault}");
                return std::future::pending().await;
            }
        }
    }

    /// Never ready: this system is asked by [`SettingsFiles::changed`].
    #[cfg(not(target_os = "linux"))]
    pub async fn next_change(&mut self) {
        std::future::pending().await
    }

    fn look(&self) -> Vec<Stamp> {
        look(&self.paths)
    }
}

fn look(paths: &[PathBuf]) -> Vec<Stamp> {
    paths
        .iter()
        .map(|path| {
            #[cfg(unix)]
            use std::os::unix::fs::MetadataExt;
            let meta = fs::metadata(path).ok()?;
            Some(Look {
                modified: meta.modified().ok(),
                size: meta.len(),
                #[cfg(unix)]
                identity: (meta.dev(), meta.ino(), meta.ctime(), meta.ctime_nsec()),
            })
        })
        .collect()
}

/// The text of a file that only its owner, this user or root, can write. A symlink is followed:
/// people keep their configuration elsewhere and link to it.
fn text(path: &Path) -> Result<Option<String>, String> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // A pipe in its place must not hold up the agent.
        let flags = rustix::fs::OFlags::NONBLOCK.bits();
        options.custom_flags(i32::try_from(flags).unwrap_or(0));
    }
    let file = match options.open(path) {
        Ok(file) => file,
        Err(fault) if absent(&fault) => return Ok(None),
        Err(fault) => return Err(words("read", path, &fault)),
    };
    let meta = file
        .metadata()
        .map_err(|fault| words("read", path, &fault))?;
    if !meta.is_file() {
        return Err(format!("{} is not a file; remove it", path.display()));
    }
    trusted(path, &meta)?;
    if let Some(folder) = fs::canonicalize(path)
        .ok()
        .as_deref()
        .and_then(Path::parent)
    {
        let meta = fs::metadata(folder).map_err(|fault| words("read", folder, &fault))?;
        trusted(folder, &meta)?;
    }
    let mut text = String::new();
    match file.take(LARGEST + 1).read_to_string(&mut text) {
        Err(fault) if fault.kind() == ErrorKind::InvalidData => {
            Err(format!("{} is not UTF-8; save it as such", path.display()))
        }
        Err(fault) => Err(words("read", path, &fault)),
        Ok(length) if u64::try_from(length).is_ok_and(|length| length > LARGEST) => Err(format!(
            "{} is larger than 1 MiB; make it smaller",
            path.display()
        )),
        Ok(_) => Ok(Some(text)),
    }
}

fn absent(fault: &std::io::Error) -> bool {
    matches!(fault.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

#[cfg(unix)]
fn trusted(path: &Path, meta: &Metadata) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt;
    let shown = path.display();
    let own = rustix::process::geteuid().as_raw();
    if meta.uid() != own && meta.uid() != 0 {
        return Err(format!(
            "{shown} belongs to another user, who could send your session elsewhere; replace it by one of your own"
        ));
    }
    // In a folder with the sticky bit others can't replace what is not theirs.
    let sticky = meta.is_dir() && meta.mode() & 0o1000 != 0;
    if meta.mode() & 0o022 != 0 && !sticky {
        return Err(format!(
            "{shown} can be written by others, who could send your session elsewhere; run `chmod go-w {shown}`"
        ));
    }
    Ok(())
}

#[cfg(not(unix))]
fn trusted(_path: &Path, _meta: &Metadata) -> Result<(), String> {
    Ok(())
}

#[cfg(test)]
mod tests;
