//! Git's configuration file, read and written by git itself.

use super::plan::{Current, ValueChange};
use crate::setup::disk::{self, FileAccess};
use oam_model::refusal::Refusal;
use oam_model::system_error::reason;
use std::ffi::OsStr;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// One configuration file and the git that knows its syntax.
pub(super) struct GitConfig<'a> {
    git: &'a Path,
    path: PathBuf,
    folder: &'a Path,
}

impl<'a> GitConfig<'a> {
    /// The file at `path`; git runs in `folder`.
    pub(super) fn new(git: &'a Path, path: &Path, folder: &'a Path) -> Self {
        Self {
            git,
            // A link stays a link: what it leads to is replaced.
            path: path.canonicalize().unwrap_or_else(|_| path.to_owned()),
            folder,
        }
    }

    /// Where it lies.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Its `credential.` settings.
    pub(super) fn read(&self) -> Result<Current, Refusal> {
        if !self.path.exists() {
            return Ok(Current::default());
        }
        Ok(Current {
            own: self.list("--no-includes")?,
            all: self.list("--includes")?,
        })
    }

    fn list(&self, includes: &str) -> Result<Vec<(String, String)>, Refusal> {
        let output = self.run(
            &self.path,
            &[includes, "--null", "--get-regexp", "^credential\\."],
        )?;
        // 1: no such key.
        if output.status.code() == Some(1) && output.stdout.is_empty() {
            return Ok(Vec::new());
        }
        if !output.status.success() {
            return Err(self.unreadable());
        }
        let text = String::from_utf8(output.stdout).map_err(|_| self.unreadable())?;
        Ok(text
            .split_terminator('\0')
            .map(|entry| match entry.split_once('\n') {
                Some((key, value)) => (key.to_owned(), value.to_owned()),
                // A key without `=` means yes.
                None => (entry.to_owned(), "true".to_owned()),
            })
            .collect())
    }

    /// Carries out all changes or none: git works on a copy, which then replaces the file. The copy
    /// is git's own lock file, so no other git writes meanwhile. Tells whether the file is another
    /// than before: moving a section to the end does nothing when it is there already, or when
    /// other settings in it keep it where it is.
    pub(super) fn write(&self, changes: &[ValueChange]) -> Result<bool, Refusal> {
        if changes.is_empty() {
            return Ok(false);
        }
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(".lock");
        let lock = self.path.with_file_name(name);
        self.lock(&lock)?;
        let done = changes
            .iter()
            .try_for_each(|change| self.remove(&lock, change))
            .and_then(|()| {
                changes
                    .iter()
                    .try_for_each(|change| self.add(&lock, change))
            })
            .and_then(|()| Ok(disk::read(&lock)? != disk::read(&self.path)?))
            .and_then(|changed| {
                if changed {
                    self.replace_by(&lock)?;
                }
                Ok(changed)
            });
        if !matches!(done, Ok(true)) {
            let _ = fs::remove_file(&lock);
        }
        done
    }

    /// Removes the file when `made` by us and nothing is left in it.
    pub(super) fn remove_if_empty(&self, made: bool) -> Result<(), Refusal> {
        if made && disk::read(&self.path)?.is_some_and(|bytes| bytes.is_empty()) {
            disk::remove(&self.path)?;
        }
        Ok(())
    }

    fn replace_by(&self, lock: &Path) -> Result<(), Refusal> {
        let renamed = fs::File::open(lock)
            .and_then(|file| file.sync_all())
            .and_then(|()| fs::rename(lock, &self.path));
        renamed.map_err(|error| disk::failed("write", &self.path, &error))
    }

    fn lock(&self, lock: &Path) -> Result<(), Refusal> {
        disk::ours(&self.path)?;
        if let Some(folder) = lock.parent() {
            fs::create_dir_all(folder).map_err(|error| disk::failed("create", folder, &error))?;
        }
        let mut file = match disk::create(lock, FileAccess::Usual) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                return Err(Refusal::unavailable(
                    format!("another git is writing {}", self.path.display()),
                    format!(
                        "wait for it and run this again; if none runs, remove {}",
                        lock.display()
                    ),
                ));
            }
            Err(error) => return Err(disk::failed("write", lock, &error)),
        };
        let copied = match fs::read(&self.path) {
            // Permissions first: the file may hold secrets of others.
            Ok(bytes) => fs::metadata(&self.path)
                .and_then(|about| file.set_permissions(about.permissions()))
                .and_then(|()| file.write_all(&bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        };
        copied.map_err(|error| {
            let _ = fs::remove_file(lock);
            disk::failed("copy", &self.path, &error)
        })
    }

    fn remove(&self, file: &Path, change: &ValueChange) -> Result<(), Refusal> {
        let output = self.run(file, &["--unset-all", &change.key])?;
        // 5: it was not there.
        if output.status.success() || output.status.code() == Some(5) {
            return Ok(());
        }
        Err(self.unwritable(change))
    }

    fn add(&self, file: &Path, change: &ValueChange) -> Result<(), Refusal> {
        for value in &change.after {
            if !self
                .run(file, &["--add", &change.key, value])?
                .status
                .success()
            {
                return Err(self.unwritable(change));
            }
        }
        Ok(())
    }

    fn run(&self, file: &Path, arguments: &[&str]) -> Result<Output, Refusal> {
        Command::new(self.git)
            .args([OsStr::new("config"), OsStr::new("--file"), file.as_os_str()])
            .args(arguments)
            .current_dir(self.folder)
            .env_remove("GIT_CONFIG")
            .env_remove("GIT_DIR")
            .env_remove("GIT_CONFIG_PARAMETERS")
            .stdin(Stdio::null())
            .output()
            .map_err(|error| {
                Refusal::unavailable(
                    format!(
                        "could not run {}: {}",
                        self.git.display(),
                        reason(error.kind())
                    ),
                    "look at whether git works, then run this again",
                )
            })
    }

    fn unreadable(&self) -> Refusal {
        Refusal::unavailable(
            format!("git can't read {}", self.path.display()),
            format!(
                "`git config --file {} --list` tells the line",
                self.path.display()
            ),
        )
    }

    fn unwritable(&self, change: &ValueChange) -> Refusal {
        Refusal::unavailable(
            format!(
                "git could not set `{}` in {}",
                change.key,
                self.path.display()
            ),
            "look at the file's syntax and permissions; nothing was changed",
        )
    }
}
