//! Waiting for changes by inotify.
//!
//! Watched are the folders of the files, of what they link to, and where a folder is missing its
//! nearest ancestor for new entries. What an event says is not looked at: the files are.

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use tokio::net::unix::pipe::Receiver;

pub(crate) struct SettingsWatch {
    /// The inotify descriptor as something to read from: `AsyncFd`, made for any descriptor, is
    /// unsafe to register by now, and this needs nothing of a pipe but reading.
    kernel: Receiver,
    /// Watched folders and the kernel's number for each.
    folders: BTreeMap<PathBuf, i32>,
}

impl SettingsWatch {
    /// Must be called in the runtime.
    pub(crate) fn new() -> io::Result<Self> {
        let kernel = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        Ok(Self {
            kernel: Receiver::from_owned_fd_unchecked(kernel)?,
            folders: BTreeMap::new(),
        })
    }

    /// Watches what has to be watched for `files` as things are now. Adding a folder a second time
    /// renews it, which also finds one that was deleted and made anew.
    pub(crate) fn arm(&mut self, files: &[PathBuf]) {
        let mut wanted = BTreeMap::new();
        for (folder, flags) in files.iter().flat_map(|file| places(file)) {
            if let Ok(number) = inotify::add_watch(&self.kernel, &folder, flags) {
                wanted.insert(folder, number);
            }
        }
        for number in self.folders.values() {
            if !wanted.values().any(|kept| kept == number) {
                // Fails for a folder that is gone: then the kernel dropped it itself.
                let _ = inotify::remove_watch(&self.kernel, *number);
            }
        }
        self.folders = wanted;
    }

    /// Waits for any event and takes all that are there.
    pub(crate) async fn event(&mut self) -> io::Result<()> {
        let mut buffer = [0; 4096];
        loop {
            self.kernel.readable().await?;
            let mut any = false;
            loop {
                match self.kernel.try_read(&mut buffer) {
                    Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                    Ok(_) => any = true,
                    Err(fault) if fault.kind() == ErrorKind::Interrupted => {}
                    Err(fault) if fault.kind() == ErrorKind::WouldBlock => break,
                    Err(fault) => return Err(fault),
                }
            }
            if any {
                return Ok(());
            }
        }
    }
}

/// Folders to watch for one file.
fn places(file: &Path) -> Vec<(PathBuf, WatchFlags)> {
    let content = WatchFlags::CLOSE_WRITE
        | WatchFlags::MOVE
        | WatchFlags::DELETE
        | WatchFlags::ATTRIB
        | WatchFlags::DELETE_SELF
        | WatchFlags::MOVE_SELF;
    // A link made in the place of the file is a new entry without a write.
    let content = content | WatchFlags::CREATE;
    let arrival =
        WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF;
    // One folder can stand for two files with different wishes: they add up.
    let always = WatchFlags::ONLYDIR | WatchFlags::MASK_ADD;
    let mut places = Vec::new();
    let own = file.parent().unwrap_or(Path::new("/"));
    let target = fs::canonicalize(file).ok();
    for folder in [Some(own), target.as_deref().and_then(Path::parent)]
        .into_iter()
        .flatten()
    {
        if folder.is_dir() {
            places.push((folder.to_owned(), content | always));
        }
    }
    if !own.is_dir()
        && let Some(ancestor) = own.ancestors().find(|folder| folder.is_dir())
    {
        places.push((ancestor.to_owned(), arrival | always));
    }
    places
}
