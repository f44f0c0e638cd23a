//! The issuer's two files on disk: read as texts, parsed as a whole, watched.

use oam_config::fault::ConfigFault;
use oam_config::issuer::{SourceText, read_policy, read_settings};
use oam_model::issuer::IssuerSettings;
use oam_model::policy::Policy;
use oam_model::system_error::reason;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Longest file that is read, bytes.
const LONGEST: u64 = 16 * 1024 * 1024;

/// Both files as read.
pub struct IssuerFiles {
    pub settings: IssuerSettings,
    pub policy: Policy,
    /// Text of the policy, for its digest.
    pub policy_text: String,
}

/// Reads and parses both.
///
/// # Errors
/// All faults of the first file that has some.
pub fn read(config: &Path) -> Result<IssuerFiles, Vec<ConfigFault>> {
    let settings_text = text(config).map_err(|unread| unread.fault(config))?;
    let name = config.display().to_string();
    let settings = read_settings(SourceText {
        name: &name,
        text: &settings_text,
    })?;
    let path = Path::new(&settings.policy);
    let policy_text = text(path).map_err(|unread| unread.fault(path))?;
    let policy = read_policy(
        SourceText {
            name: &settings.policy,
            text: &policy_text,
        },
        &settings,
    )?;
    Ok(IssuerFiles {
        settings,
        policy,
        policy_text,
    })
}

/// A file's text. The server and every command read with it: what one takes, the others take too.
///
/// # Errors
/// It can't be read, is longer than the server reads, or is not UTF-8.
pub fn text(path: &Path) -> Result<String, FileError> {
    let mut bytes = Vec::new();
    // Not by its size on disk: a pipe or a device tells none.
    let read = File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes));
    read.map_err(|error| FileError::Fault(error.kind()))?;
    if bytes.len() as u64 > LONGEST {
        return Err(FileError::Long);
    }
    String::from_utf8(bytes).map_err(|_| FileError::Fault(ErrorKind::InvalidData))
}

/// Why a file was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileError {
    /// The system's word.
    Fault(ErrorKind),
    /// It is longer than `LONGEST`.
    Long,
}

impl FileError {
    /// What stands after the file's name.
    pub fn words(self) -> String {
        match self {
            Self::Fault(kind) => format!("can't be read: {}", reason(kind)),
            Self::Long => format!("is larger than {} MiB", LONGEST >> 20),
        }
    }

    /// What helps.
    pub const fn next(self) -> &'static str {
        match self {
            Self::Fault(_) => {
                "name a readable text file in UTF-8; --config names the issuer's configuration"
            }
            Self::Long => "make it smaller: name groups, not people",
        }
    }

    fn fault(self, path: &Path) -> Vec<ConfigFault> {
        vec![ConfigFault {
            file: path.display().to_string(),
            line: 0,
            column: 0,
            sentence: format!("it {}", self.words()),
            next: self.next().to_owned(),
        }]
    }
}

/// The first fault in one line, for `/readyz` and the log.
pub fn words(faults: &[ConfigFault]) -> String {
    let Some(first) = faults.first() else {
        return "the configuration can't be read".to_owned();
    };
    let place = match first.line {
        0 => first.file.clone(),
        line => format!("{}:{line}:{}", first.file, first.column),
    };
    let more = match faults.len() {
        1 => String::new(),
        several => format!(" (and {} more)", several - 1),
    };
    format!("{place}: {}{more}", first.sentence)
}

/// What tells a file from the one of before, without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    path: PathBuf,
    changed: Option<SystemTime>,
    size: u64,
    inode: u64,
}

/// Files that are looked at now and then.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileWatch(Vec<Stamp>);

impl FileWatch {
    /// The files as they are now. A file that is not there has a stamp too.
    pub fn of<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Self {
        let stamp = |path: &Path| {
            let about = std::fs::metadata(path).ok();
            Stamp {
                path: path.to_owned(),
                changed: about.as_ref().and_then(|about| about.modified().ok()),
                size: about.as_ref().map_or(0, std::fs::Metadata::len),
                inode: about.as_ref().map_or(0, MetadataExt::ino),
            }
        };
        Self(paths.into_iter().map(stamp).collect())
    }

    /// Looks again: whether anything is different.
    pub fn moved(&mut self) -> bool {
        let now = Self::of(self.0.iter().map(|stamp| stamp.path.as_path()));
        let moved = now != *self;
        *self = now;
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::{FileError, FileWatch, LONGEST, text};
    use std::fs::{self, File};
    use std::io::ErrorKind;
    use std::path::Path;

    #[test]
    fn a_file_is_read_up_to_a_length_whatever_its_size_says() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.toml");
        fs::write(&path, "a = 1\n").unwrap();
        assert_eq!(text(&path).as_deref(), Ok("a = 1\n"));
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(LONGEST + 1)
            .unwrap();
        assert_eq!(text(&path), Err(FileError::Long));
        // A device has no size and no end.
        assert_eq!(text(Path::new("/dev/zero")), Err(FileError::Long));
        fs::write(&path, b"\xff").unwrap();
        assert_eq!(text(&path), Err(FileError::Fault(ErrorKind::InvalidData)));
        fs::remove_file(&path).unwrap();
        assert_eq!(text(&path), Err(FileError::Fault(ErrorKind::NotFound)));
    }

    #[test]
    fn a_change_a_replacement_and_a_loss_are_each_noticed_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.toml");
        let mut watch = FileWatch::of([path.as_path()]);
        assert!(!watch.moved());
        fs::write(&path, "one").unwrap();
        assert!(watch.moved());
        assert!(!watch.moved());
        let other = folder.path().join("new");
        fs::write(&other, "two").unwrap();
        fs::rename(&other, &path).unwrap();
        assert!(watch.moved());
        fs::remove_file(&path).unwrap();
        assert!(watch.moved());
        assert!(!watch.moved());
    }
}
