//! Reading on in the log: the lines that the organization does not hold yet.

use super::{read_private, seq_of, words};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Lines from a number on.
#[derive(Clone, Copy)]
pub(super) struct LineRange {
    pub(super) from: u64,
    pub(super) most: usize,
    pub(super) bytes: usize,
}

/// The byte at which an entry begins, so that the next batch does not read the file from its start.
pub(super) struct EntryOffset {
    seq: u64,
    offset: u64,
}

/// Reads the lines that are wanted, over the ends of files.
pub(super) fn lines(
    files: &[PathBuf],
    wanted: LineRange,
    mark: &mut Option<EntryOffset>,
) -> Result<Vec<String>, String> {
    let mut found = Found {
        wanted,
        lines: Vec::new(),
        bytes: 0,
    };
    for (index, path) in files.iter().enumerate() {
        let is_last = index + 1 == files.len();
        // The file after this one begins at or before what is wanted: nothing of it is in here.
        let passed = files.get(index + 1).is_some_and(|next| {
            first_line(next).is_ok_and(|first| first.is_some_and(|first| first <= found.next()))
        });
        if passed {
            continue;
        }
        let at = mark.as_ref().filter(|m| is_last && m.seq == found.next());
        let offset = at.map_or(0, |mark| mark.offset);
        let read =
            read_on(path, offset, &mut found).map_err(|fault| words("read", path, &fault))?;
        *mark = (is_last && !found.lines.is_empty()).then(|| EntryOffset {
            seq: found.next(),
            offset: read,
        });
        if found.is_full() {
            break;
        }
    }
    Ok(found.lines)
}

struct Found {
    wanted: LineRange,
    lines: Vec<String>,
    bytes: usize,
}

impl Found {
    fn next(&self) -> u64 {
        let read = u64::try_from(self.lines.len()).unwrap_or(u64::MAX);
        self.wanted.from.saturating_add(read)
    }

    fn is_full(&self) -> bool {
        self.lines.len() >= self.wanted.most || self.bytes >= self.wanted.bytes
    }

    /// Whether the line fits; the first one always does.
    fn fits(&self, line: &str) -> bool {
        let within = self.bytes + line.len() <= self.wanted.bytes;
        self.lines.len() < self.wanted.most && (within || self.lines.is_empty())
    }
}

/// Reads complete lines from `offset` on, or from the start when what stands there is not the line that
/// is wanted; gives the byte at which it stopped.
fn read_on(path: &Path, offset: u64, found: &mut Found) -> io::Result<u64> {
    let mut file = BufReader::new(read_private(path)?);
    let mut at = file.seek(SeekFrom::Start(offset))?;
    let mut marked = offset > 0;
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        let count = file.read_until(b'\n', &mut bytes)?;
        if count == 0 && std::mem::take(&mut marked) {
            // A new file, shorter than the one that the mark was made in.
            at = file.seek(SeekFrom::Start(0))?;
            continue;
        }
        if bytes.last() != Some(&b'\n') {
            // The end, or a line that is being written.
            return Ok(at);
        }
        let line = String::from_utf8_lossy(&bytes[..count - 1]).into_owned();
        let seq = seq_of(&line);
        if std::mem::take(&mut marked) && seq != Some(found.next()) {
            // The file was rotated since, or written anew.
            at = file.seek(SeekFrom::Start(0))?;
            continue;
        }
        let next = found.next();
        if seq.is_some_and(|seq| seq > next) && found.lines.is_empty() {
            // Lines before it are gone: the organization is to see the gap.
            found.wanted.from = seq.unwrap_or(next);
        }
        // Further on a line with another number ends the batch: the next one begins there.
        let in_order = seq == Some(found.next());
        if in_order {
            if !found.fits(&line) {
                found.bytes = found.bytes.max(found.wanted.bytes);
                return Ok(at);
            }
            found.bytes += line.len();
            found.lines.push(line);
        } else if !found.lines.is_empty() {
            found.bytes = found.bytes.max(found.wanted.bytes);
            return Ok(at);
        }
        at += u64::try_from(count).unwrap_or(0);
    }
}

/// Number of a file's first entry.
fn first_line(path: &Path) -> io::Result<Option<u64>> {
    let mut line = Vec::new();
    // The number stands at the beginning of a line.
    let head = read_private(path)?.take(64);
    BufReader::new(head).read_until(b'\n', &mut line)?;
    Ok(seq_of(&String::from_utf8_lossy(&line)))
}

#[cfg(test)]
mod tests {
    use super::super::DiskAuditFile;
    use oam_agent::ports::AuditFile;

    fn line(seq: u64) -> String {
        format!("{{\"seq\":{seq},\"x\":\"{}\"}}", "y".repeat(40))
    }

    fn numbers(lines: &[String]) -> Vec<u64> {
        lines.iter().map(|l| super::seq_of(l).unwrap()).collect()
    }

    #[test]
    fn batches_go_on_over_rotated_files_without_a_gap() {
        let folder = tempfile::tempdir().unwrap();
        let journal = DiskAuditFile::new(folder.path(), 300);
        for seq in 1..=20 {
            journal.append(&line(seq)).unwrap();
        }
        assert!(journal.files().unwrap().len() > 3);
        let mut all = Vec::new();
        loop {
            let from = all.len() as u64 + 1;
            let batch = journal.lines(from, 3, 10_000).unwrap();
            if batch.is_empty() {
                break;
            }
            assert!(batch.len() <= 3);
            all.extend(numbers(&batch));
        }
        assert_eq!(all, (1..=20).collect::<Vec<_>>());
        // Written after the mark, and after a rotation.
        for seq in 21..=30 {
            journal.append(&line(seq)).unwrap();
            assert_eq!(numbers(&journal.lines(seq, 9, 10_000).unwrap()), [seq]);
        }
        assert_eq!(numbers(&journal.lines(5, 2, 10_000).unwrap()), [5, 6]);
        assert!(journal.lines(31, 9, 10_000).unwrap().is_empty());
    }

    #[test]
    fn a_batch_has_a_size_and_one_line_at_least() {
        let folder = tempfile::tempdir().unwrap();
        let journal = DiskAuditFile::new(folder.path(), 100_000);
        for seq in 1..=9 {
            journal.append(&line(seq)).unwrap();
        }
        let one = line(1).len();
        assert_eq!(numbers(&journal.lines(1, 99, one * 2).unwrap()), [1, 2]);
        assert_eq!(numbers(&journal.lines(3, 99, 1).unwrap()), [3]);
    }

    #[test]
    fn what_is_missing_is_left_out_and_not_invented() {
        let folder = tempfile::tempdir().unwrap();
        let journal = DiskAuditFile::new(folder.path(), 100_000);
        for seq in [4, 5, 8, 9] {
            journal.append(&line(seq)).unwrap();
        }
        assert_eq!(numbers(&journal.lines(1, 99, 10_000).unwrap()), [4, 5]);
        assert_eq!(numbers(&journal.lines(6, 99, 10_000).unwrap()), [8, 9]);
    }
}
