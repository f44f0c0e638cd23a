//! The issuer's two files on disk: read as texts, parsed as a whole, watched.

use crate::config::fault::ConfigFault;
use crate::config::issuer::{Source, read_policy, read_settings};
use crate::model::issuer::IssuerSettings;
use crate::model::policy::Policy;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Longest file that is read, bytes.
pub(super) const LONGEST: u64 = 16 * 1024 * 1024;

/// Both files as read.
pub struct Files {
    /// Settings.
    pub settings: IssuerSettings,
    /// Policy.
    pub policy: Policy,
    /// Text of the policy, for its digest.
    pub policy_text: String,
}

/// Reads and parses both.
///
/// # Errors
/// All faults of the first file that has some.
pub fn read(config: &Path) -> Result<Files, Vec<ConfigFault>> {
    let settings_text = text(config)?;
    let name = config.display().to_string();
    let settings = read_settings(Source {
        name: &name,
        text: &settings_text,
    })?;
    let policy_text = text(Path::new(&settings.policy))?;
    let policy = read_policy(
        Source {
            name: &settings.policy,
            text: &policy_text,
        },
        &settings,
    )?;
    Ok(Files {
        settings,
        policy,
        policy_text,
    })
}

fn text(path: &Path) -> Result<String, Vec<ConfigFault>> {
    let fault = |sentence: String| {
        vec![ConfigFault {
            file: path.display().to_string(),
            line: 0,
            column: 0,
            sentence,
            next: "name a readable text file in UTF-8".to_owned(),
        }]
    };
    let about = std::fs::metadata(path)
        .map_err(|error| fault(format!("it can't be read: {}", error.kind())))?;
    if about.len() > LONGEST {
        return Err(fault("it is larger than 16 MiB".to_owned()));
    }
    std::fs::read_to_string(path)
        .map_err(|error| fault(format!("it can't be read: {}", error.kind())))
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
pub struct Watch(Vec<Stamp>);

impl Watch {
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
    use super::Watch;
    use std::fs;

    #[test]
    fn a_change_a_replacement_and_a_loss_are_each_noticed_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.toml");
        let mut watch = Watch::of([path.as_path()]);
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
