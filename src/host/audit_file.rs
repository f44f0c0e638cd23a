//! The audit log's files: `<state>/audit/audit.jsonl`, and the full ones before it as
//! `audit-<number of their first entry>.jsonl`, so that names sort in the order of the chain.
//!
//! All of them are kept: a log that forgets by itself can't be told from one that was cut.

mod line_range;
mod tail;

use super::files::{private, private_folder, sync_folder, words};
use oam_agent::ports::AuditFile;
use std::cell::RefCell;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Size at which a new file is begun, unless told otherwise: 8 MiB.
pub const ROTATE_AT: u64 = 8 * 1024 * 1024;

/// The audit log on disk. Opened at the first use, and again after a fault: a disk that was full
/// must not need a restart of the agent.
pub struct DiskAuditFile {
    folder: PathBuf,
    rotate_at: u64,
    inner: RefCell<Inner>,
    /// Where the last reading of many lines ended.
    mark: RefCell<Option<line_range::EntryOffset>>,
}

#[derive(Default)]
struct Inner {
    open: Option<Open>,
    repaired: Option<String>,
}

/// The current file.
struct Open {
    file: File,
    size: u64,
    /// Number of its first entry, when it has one that can be read.
    first: Option<u64>,
    /// Lines were written after the last sync.
    dirty: bool,
}

impl DiskAuditFile {
    /// A log in `<state>/audit` that begins a new file at `rotate_at` bytes ([`ROTATE_AT`]).
    /// Touches nothing yet.
    pub fn new(state: &Path, rotate_at: u64) -> Self {
        Self {
            folder: state.join("audit"),
            rotate_at,
            inner: RefCell::default(),
            mark: RefCell::default(),
        }
    }

    /// All files of the log, oldest first.
    ///
    /// # Errors
    /// Our own words when the folder can't be read; a missing one is an empty log.
    pub fn files(&self) -> Result<Vec<PathBuf>, String> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(fault) if fault.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(fault) => return Err(words("read", &self.folder, &fault)),
        };
        let mut rotated = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|fault| words("read", &self.folder, &fault))?;
            if let Some(first) = entry.file_name().to_str().and_then(first_of_name) {
                rotated.push((first, entry.path()));
            }
        }
        rotated.sort();
        let mut files: Vec<PathBuf> = rotated.into_iter().map(|(_, path)| path).collect();
        let current = self.current();
        if fs::symlink_metadata(&current).is_ok() {
            files.push(current);
        }
        Ok(files)
    }

    fn current(&self) -> PathBuf {
        self.folder.join("audit.jsonl")
    }

    fn opened<'a>(&self, inner: &'a mut Inner) -> Result<&'a mut Open, String> {
        if inner.open.is_none() {
            private_folder(&self.folder)?;
            let (open, cut) = open(&self.current())?;
            sync_folder(&self.folder).map_err(|fault| words("write down", &self.folder, &fault))?;
            if cut.is_some() {
                inner.repaired = cut;
            }
            inner.open = Some(open);
        }
        inner
            .open
            .as_mut()
            .ok_or_else(|| "the audit log is not open".into())
    }

    /// Gives the full file its lasting name. It is synced first, so that the new file's beginning
    /// is never durable before the old one's end.
    fn rotate(&self, open: &Open) -> Result<(), String> {
        let first = open
            .first
            .ok_or("the first line of the audit log can't be read, so it is not rotated")?;
        let target = self.folder.join(format!("audit-{first:012}.jsonl"));
        // A rename would replace a file of that name; only this agent writes here (lock file).
        if fs::symlink_metadata(&target).is_ok() {
            return Err(format!("{} is there already", target.display()));
        }
        let current = self.current();
        open.file
            .sync_all()
            .and_then(|()| fs::rename(&current, &target))
            .map_err(|fault| words("rotate", &current, &fault))
    }
}

impl AuditFile for DiskAuditFile {
    /// Opens the log if it is not open.
    fn repaired(&self) -> Option<String> {
        let mut inner = self.inner.borrow_mut();
        if let Err(words) = self.opened(&mut inner) {
            // The same fault refuses the next append, with these words.
            tracing::warn!("{words}");
        }
        inner.repaired.take()
    }

    fn append(&self, line: &str) -> Result<(), String> {
        if line.is_empty() || line.contains('\n') {
            return Err("a line of the audit log is one line".into());
        }
        let mut bytes = Vec::with_capacity(line.len() + 1);
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);

        let mut inner = self.inner.borrow_mut();
        let open = self.opened(&mut inner)?;
        if open.size > 0 && open.size.saturating_add(length) > self.rotate_at {
            match self.rotate(open) {
                Ok(()) => inner.open = None,
                // A longer file is better than a refused push: rotation is tried again next time.
                Err(words) => tracing::warn!("the audit log is not rotated: {words}"),
            }
        }
        let open = self.opened(&mut inner)?;
        match write_whole(&mut open.file, &bytes) {
            Ok(()) => {
                open.size += length;
                open.first = open.first.or_else(|| seq_of(line));
                open.dirty = true;
                Ok(())
            }
            Err(fault) => {
                // Opening it again repairs what is left of a line.
                inner.open = None;
                Err(words("write", &self.current(), &fault))
            }
        }
    }

    fn sync(&self) -> Result<(), String> {
        let current = self.current();
        let mut inner = self.inner.borrow_mut();
        let Some(open) = inner.open.as_mut().filter(|open| open.dirty) else {
            return Ok(());
        };
        let synced = open.file.sync_data();
        let there = still_there(&open.file, &current);
        if synced.is_ok() && there {
            open.dirty = false;
            return Ok(());
        }
        inner.open = None;
        match synced {
            Err(fault) => Err(words("write down", &current, &fault)),
            Ok(()) => Err(format!(
                "{} was deleted or replaced while it was written",
                current.display()
            )),
        }
    }

    fn last_line(&self) -> Result<Option<String>, String> {
        for path in self.files()?.iter().rev() {
            let last = read_private(path).and_then(|mut file| tail::last_line(&mut file));
            match last {
                Ok(Some(line)) => return Ok(Some(line)),
                // Rotated just before a crash: the current file is still empty.
                Ok(None) => {}
                Err(fault) => return Err(words("read", path, &fault)),
            }
        }
        Ok(None)
    }

    fn line(&self, seq: u64) -> Result<Option<String>, String> {
        // The file begins at or before the wanted entry; the current one's name does not tell.
        let files = self.files()?;
        let starts = |path: &PathBuf| {
            path.file_name()
                .and_then(|name| name.to_str())
                .and_then(first_of_name)
        };
        let after = files
            .iter()
            .position(|path| starts(path).is_some_and(|first| first > seq))
            .unwrap_or(files.len());
        for path in files[..after].iter().rev() {
            match read_private(path).and_then(|file| find(file, seq)) {
                Ok(Some(line)) => return Ok(Some(line)),
                Ok(None) => {}
                Err(fault) => return Err(words("read", path, &fault)),
            }
        }
        Ok(None)
    }

    fn each(&self, take: &mut dyn FnMut(&str)) -> Result<(), String> {
        for path in self.files()? {
            let fault = |fault: io::Error| words("read", &path, &fault);
            let mut file = BufReader::new(read_private(&path).map_err(fault)?);
            let mut line = Vec::new();
            while file.read_until(b'\n', &mut line).map_err(fault)? > 0 {
                if line.last() == Some(&b'\n') {
                    take(&String::from_utf8_lossy(&line[..line.len() - 1]));
                }
                line.clear();
            }
        }
        Ok(())
    }

    fn folder(&self) -> String {
        self.folder.display().to_string()
    }

    fn lines(&self, from: u64, most: usize, bytes: usize) -> Result<Vec<String>, String> {
        let wanted = line_range::LineRange { from, most, bytes };
        line_range::lines(&self.files()?, wanted, &mut self.mark.borrow_mut())
    }
}

/// Opens the current file for appending and cuts what a crash left of a last line.
fn open(path: &Path) -> Result<(Open, Option<String>), String> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    private(&mut options, 0o600);
    let prepare = || -> io::Result<(Open, Option<String>)> {
        let mut file = options.open(path)?;
        check(&file.metadata()?)?;
        let cut = tail::repair(&mut file)?;
        let mut first = String::new();
        BufReader::new(read_private(path)?).read_line(&mut first)?;
        let open = Open {
            size: file.metadata()?.len(),
            first: seq_of(&first),
            dirty: cut.is_some(),
            file,
        };
        Ok((open, cut))
    };
    prepare().map_err(|fault| words("open", path, &fault))
}

fn read_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    private(&mut options, 0o600);
    options.open(path)
}

#[cfg(unix)]
fn check(meta: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let own = meta.uid() == rustix::process::geteuid().as_raw();
    if meta.is_file() && own {
        Ok(())
    } else {
        Err(ErrorKind::PermissionDenied.into())
    }
}

#[cfg(not(unix))]
fn check(meta: &Metadata) -> io::Result<()> {
    if meta.is_file() {
        Ok(())
    } else {
        Err(ErrorKind::PermissionDenied.into())
    }
}

/// One write call for the whole line; a short one is undone, so that no later line is glued to it.
fn write_whole(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    let written = loop {
        match file.write(bytes) {
            Err(fault) if fault.kind() == ErrorKind::Interrupted => {}
            other => break other?,
        }
    };
    if written == bytes.len() {
        return Ok(());
    }
    let written = u64::try_from(written).unwrap_or(0);
    let size = file.metadata()?.len();
    file.set_len(size.saturating_sub(written))?;
    // A file system writes less than asked when it has no room for the rest.
    Err(ErrorKind::StorageFull.into())
}

/// Whether the file that is written is still the one that readers find.
#[cfg(unix)]
fn still_there(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let (Ok(own), Ok(found)) = (file.metadata(), fs::symlink_metadata(path)) else {
        return false;
    };
    (own.dev(), own.ino()) == (found.dev(), found.ino())
}

#[cfg(not(unix))]
fn still_there(_file: &File, path: &Path) -> bool {
    path.exists()
}

/// `audit-000000000017.jsonl` → 17.
fn first_of_name(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("audit-")?.strip_suffix(".jsonl")?;
    if digits.len() < 12 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// Number of an entry, read off the beginning of its line, where the chain puts it.
fn seq_of(line: &str) -> Option<u64> {
    let rest = line.strip_prefix("{\"seq\":")?;
    rest.split_once(',')?.0.parse().ok()
}

fn find(file: File, seq: u64) -> io::Result<Option<String>> {
    for line in BufReader::new(file).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        if seq_of(&line) == Some(seq) {
            return Ok(Some(line));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
