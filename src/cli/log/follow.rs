//! `oam log --follow`: the records that come.

use super::files;
use crate::Done;
use oam_model::record::Entry;
use oam_model::refusal::Refusal;
use oam_terminal::Show;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// How often the log is looked at: a person reads along.
const PAUSE: Duration = Duration::from_millis(300);

/// The end of the log.
pub(super) struct Tail<'a> {
    folder: &'a Path,
    /// The newest file that is written no more.
    rotated: Option<PathBuf>,
    /// How much of the current file was read, bytes.
    read: u64,
}

impl<'a> Tail<'a> {
    pub(super) const fn new(folder: &'a Path) -> Self {
        Self {
            folder,
            rotated: None,
            read: 0,
        }
    }

    /// Gives every record after number `last`, until nobody reads any more.
    ///
    /// # Errors
    /// The log can't be read.
    pub(super) fn run(
        mut self,
        show: &Show,
        mut last: u64,
        mut take: impl FnMut(&Entry, &[u8]),
    ) -> Done {
        while !show.is_over() {
            self.news(|line| {
                if let Ok(entry) = serde_json::from_slice::<Entry>(line)
                    && entry.seq > last
                {
                    last = entry.seq;
                    take(&entry, line);
                }
            })?;
            thread::sleep(PAUSE);
        }
        Ok(0)
    }

    /// Gives every whole line that came since the last look. The file that was current then may have another
    /// name by now: it is read again, and who takes the lines knows those of before by their numbers.
    fn news(&mut self, mut take: impl FnMut(&[u8])) -> Result<(), Refusal> {
        let mut closed = files::list(self.folder)?;
        let current = closed.pop_if(|path| path.ends_with(files::CURRENT));
        let newest = closed.last().cloned();
        if newest != self.rotated {
            let known = closed
                .iter()
                .position(|path| Some(path) == self.rotated.as_ref());
            for path in &closed[known.map_or(0, |at| at + 1)..] {
                files::each_of(path, |line, _| {
                    take(line);
                    true
                })?;
            }
            (self.rotated, self.read) = (newest, 0);
        }
        if let Some(path) = current {
            self.read = files::each_from(&path, self.read, &mut take)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Tail;
    use std::fs::{self, OpenOptions};
    use std::io::Write;

    #[test]
    fn lines_come_once_they_are_whole_and_over_a_change_of_files() {
        let folder = tempfile::tempdir().unwrap();
        let current = folder.path().join("audit.jsonl");
        let add = |text: &str| {
            let mut file = OpenOptions::new()
                .create(true)
                .append(true)
                .open(&current)
                .unwrap();
            file.write_all(text.as_bytes()).unwrap();
        };
        let mut tail = Tail::new(folder.path());
        let mut news = || {
            let mut seen = Vec::new();
            tail.news(|line| seen.push(String::from_utf8(line.to_vec()).unwrap()))
                .unwrap();
            seen.join(" ")
        };
        assert_eq!(news(), "", "no log yet");
        add("a\nb\nhal");
        assert_eq!(news(), "a b");
        add("f\n");
        assert_eq!(news(), "half");
        add("c\n");
        fs::rename(&current, folder.path().join("audit-000000000001.jsonl")).unwrap();
        add("d\n");
        assert_eq!(
            news(),
            "a b half c d",
            "what was current is read again as a whole"
        );
        assert_eq!(news(), "");
    }
}
