//! The agent's messages where nobody reads its stderr: a file in its state folder that does not grow for ever. The
//! record of who got what is the audit log; this one is for who looks for a fault, and holds no token and no body (R24).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The file that is written to.
const NAME: &str = "agent.log";
/// The one of before.
const BEFORE: &str = "agent.log.1";
/// So large it becomes, bytes; with the one of before twice that.
const BOUND: u64 = 512 * 1024;

/// The log.
pub struct LogFile {
    folder: PathBuf,
    file: File,
    written: u64,
}

impl LogFile {
    /// Opens it in `folder`, to go on at its end.
    ///
    /// # Errors
    /// It can't be opened.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let file = append(&folder.join(NAME))?;
        Ok(Self {
            folder: folder.to_owned(),
            written: file.metadata()?.len(),
            file,
        })
    }

    fn turn(&mut self) -> io::Result<()> {
        let path = self.folder.join(NAME);
        fs::rename(&path, self.folder.join(BEFORE))?;
        self.file = append(&path)?;
        self.written = 0;
        Ok(())
    }
}

fn append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.written > 0 && self.written + bytes.len() as u64 > BOUND {
            self.turn()?;
        }
        self.file.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::{BEFORE, BOUND, LogFile, NAME};
    use std::io::Write;

    #[test]
    fn the_log_has_a_bound_and_goes_on_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let size = |name: &str| folder.path().join(name).metadata().map_or(0, |m| m.len());
        let line = [b'x'; 1024];
        for _ in 0..4 {
            let mut log = LogFile::open(folder.path()).unwrap();
            for _ in 0..500 {
                log.write_all(&line).unwrap();
            }
        }
        assert!(size(NAME) > 0 && size(NAME) <= BOUND);
        assert_eq!(size(BEFORE), BOUND);
        assert_eq!(folder.path().read_dir().unwrap().count(), 2);
    }
}
