//! Private files: durable writing, folders of the user's own, token files for `oam exec`.

use oam_agent::ports::ChildTokenFiles;
use oam_model::secret::Secret;
use oam_model::system_error;
use oam_system::clock;
use oam_wire::host::ours_to_make;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Writes `bytes` to `path` so that after a crash at any instant either the old or the new content
/// is there, whole: temp file, fsync, rename, fsync of the folder. `mode` holds on Unix.
///
/// # Errors
/// Our own words, with the path.
pub fn durable_write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), String> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let temp = write_temp(path, bytes, mode, true)?;
    settle(&temp, path)?;
    sync_folder(folder).map_err(|fault| words("write down", folder, &fault))
}

/// Deletes `path` durably; a missing one is no fault.
///
/// # Errors
/// Our own words, with the path.
pub fn durable_remove(path: &Path) -> Result<(), String> {
    match fs::remove_file(path) {
        Ok(()) => {}
        Err(fault) if fault.kind() == ErrorKind::NotFound => return Ok(()),
        Err(fault) => return Err(words("delete", path, &fault)),
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    sync_folder(folder).map_err(|fault| words("write down", folder, &fault))
}

/// Makes the folder's entries durable.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    // A folder can't be opened for that on Windows, and needs not.
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Creates a new private file beside `path` with `bytes` in it.
fn write_temp(path: &Path, bytes: &[u8], mode: u32, sync: bool) -> Result<PathBuf, String> {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| format!("{} has no usable file name", path.display()))?;
    let mut random = [0; 16];
    clock::fill(&mut random);
    let temp = path.with_file_name(format!(".{name}.{:032x}.tmp", u128::from_ne_bytes(random)));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    private(&mut options, mode);
    let write = |mut file: File| {
        file.write_all(bytes)?;
        if sync { file.sync_all() } else { Ok(()) }
    };
    match options.open(&temp).and_then(write) {
        Ok(()) => Ok(temp),
        Err(fault) => {
            let _ = fs::remove_file(&temp);
            Err(words("write", path, &fault))
        }
    }
}

fn settle(temp: &Path, path: &Path) -> Result<(), String> {
    fs::rename(temp, path).map_err(|fault| {
        let _ = fs::remove_file(temp);
        words("write", path, &fault)
    })
}

/// Deletes temp files that a killed writer left in `folder`.
pub fn sweep_temps(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_temp = name
            .to_str()
            .and_then(|name| name.strip_prefix('.')?.strip_suffix(".tmp"))
            .and_then(|name| name.rsplit_once('.'))
            .is_some_and(|(_, random)| is_name(random));
        if is_temp {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Sets what a private file is opened with: its mode, and no symlink at the end of its path (R18).
pub(super) fn private(options: &mut OpenOptions, mode: u32) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let flags = (rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK).bits();
        options
            .mode(mode)
            .custom_flags(i32::try_from(flags).unwrap_or(0));
    }
    #[cfg(not(unix))]
    let _ = (options, mode);
}

/// Makes sure that `folder` is there, a real folder of this user, open to nobody else. Missing
/// ancestors are created likewise; existing ones may be symlinks.
///
/// # Errors
/// Our own words, with the path and what to do.
pub fn private_folder(folder: &Path) -> Result<(), String> {
    ours_to_make(folder)?;
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder
        .create(folder)
        .map_err(|fault| words("create", folder, &fault))?;
    check_folder(folder)
}

#[cfg(unix)]
fn check_folder(folder: &Path) -> Result<(), String> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let meta = fs::symlink_metadata(folder).map_err(|fault| words("read", folder, &fault))?;
    let shown = folder.display();
    if !meta.is_dir() {
        return Err(format!(
            "{shown} is not a folder; move it away and try again"
        ));
    }
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(format!(
            "{shown} belongs to another user, number {}: as that user use it, or as root give it back with `chown -R`",
            meta.uid()
        ));
    }
    if meta.mode() & 0o077 != 0 {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
            .map_err(|fault| words("close to others", folder, &fault))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_folder(_folder: &Path) -> Result<(), String> {
    Ok(())
}

/// Words for a failed call: the system's own text of the error kind, never a content.
pub(super) fn words(verb: &str, path: &Path, fault: &io::Error) -> String {
    format!("can't {verb} {}: {}", path.display(), reason(fault))
}

fn reason(fault: &io::Error) -> &'static str {
    #[cfg(unix)]
    if fault.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) {
        return "a symbolic link stands there";
    }
    system_error::reason(fault.kind())
}

/// The name of a token file's folder: 128 bits as exactly 32 lower-case hex digits, so that a name
/// off the wire can't lead anywhere else.
fn is_name(name: &str) -> bool {
    name.len() == 32
        && name
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// Token files `<runtime folder>/exec/<name>/token` for children of `oam exec`.
#[derive(Debug, Clone)]
pub struct TokenFiles {
    runtime: PathBuf,
    root: PathBuf,
}

impl TokenFiles {
    /// `runtime`: the agent's own folder in the runtime directory (`$XDG_RUNTIME_DIR/oam`).
    pub fn new(runtime: &Path) -> Self {
        Self {
            runtime: runtime.to_owned(),
            root: runtime.join("exec"),
        }
    }

    fn place(&self, name: &str) -> Result<PathBuf, String> {
        if is_name(name) {
            Ok(self.root.join(name))
        } else {
            Err("the name of a token file is 32 lower-case hex digits".into())
        }
    }
}

impl ChildTokenFiles for TokenFiles {
    fn put(&self, name: &str, token: &Secret) -> Result<String, String> {
        let folder = self.place(name)?;
        for part in [&self.runtime, &self.root, &folder] {
            private_folder(part)?;
        }
        let path = folder.join("token");
        // No fsync: it lies in memory, and after a crash of the machine nobody may use it.
        let temp = write_temp(&path, token.expose().as_bytes(), 0o600, false)?;
        settle(&temp, &path)?;
        path.into_os_string()
            .into_string()
            .map_err(|_| "the runtime directory's path is not UTF-8".into())
    }

    fn withdraw(&self, name: &str) -> Result<(), String> {
        remove_whole(&self.place(name)?)
    }

    fn sweep(&self) -> Result<(), String> {
        remove_whole(&self.root)
    }

    #[cfg(target_os = "linux")]
    fn in_memory(&self) -> bool {
        const TMPFS: u64 = 0x0102_1994;
        const RAMFS: u64 = 0x8584_58f6;
        // The folder may not be there yet: its nearest ancestor tells.
        let kind = self
            .root
            .ancestors()
            .find_map(|folder| rustix::fs::statfs(folder).ok())
            .and_then(|found| u64::try_from(found.f_type).ok());
        matches!(kind, Some(TMPFS | RAMFS))
    }

    #[cfg(not(target_os = "linux"))]
    fn in_memory(&self) -> bool {
        // macOS and Windows have no such place by default.
        false
    }
}

/// Deletes a folder with all in it, never through a symlink; a missing one is no fault.
fn remove_whole(folder: &Path) -> Result<(), String> {
    let gone = match fs::symlink_metadata(folder) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(folder),
        Ok(_) => fs::remove_file(folder),
        Err(fault) => Err(fault),
    };
    match gone {
        Err(fault) if fault.kind() != ErrorKind::NotFound => Err(words("delete", folder, &fault)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
