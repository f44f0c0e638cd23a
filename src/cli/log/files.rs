//! The files of the log, oldest first, line by line.

use oam_model::refusal::Refusal;
use oam_model::system_error::reason;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// The file that is written to.
pub const CURRENT: &str = "audit.jsonl";

/// Longer lines are no record: they are cut here, so that a damaged file can't fill the memory.
const LONGEST: u64 = 1024 * 1024;

/// The log's files: rotated ones by the number in their name, then the current one.
///
/// # Errors
/// The folder is there and can't be read.
pub fn list(folder: &Path) -> Result<Vec<PathBuf>, Refusal> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(folder, &error)),
    };
    let mut rotated = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| unreadable(folder, &error))?;
        if let Some(number) = entry.file_name().to_str().and_then(number) {
            rotated.push((number, entry.path()));
        }
    }
    rotated.sort();
    let current = folder.join(CURRENT);
    let mut files: Vec<PathBuf> = rotated.into_iter().map(|(_, path)| path).collect();
    if current.exists() {
        files.push(current);
    }
    Ok(files)
}

/// `audit-000000000042.jsonl` → 42.
fn number(name: &str) -> Option<u64> {
    name.strip_prefix("audit-")?
        .strip_suffix(".jsonl")?
        .parse()
        .ok()
}

/// Gives every line, without its line feed, until `take` answers false.
///
/// # Errors
/// A file that can't be read.
pub fn each_line(folder: &Path, mut take: impl FnMut(&[u8]) -> bool) -> Result<(), Refusal> {
    for path in list(folder)? {
        let mut on = true;
        each_of(&path, |line, _| {
            on = take(line);
            on
        })?;
        if !on {
            break;
        }
    }
    Ok(())
}

/// Gives every line of one file and whether it ended with a line feed, until `take` answers false.
///
/// # Errors
/// The file can't be read.
pub fn each_of(path: &Path, mut take: impl FnMut(&[u8], bool) -> bool) -> Result<(), Refusal> {
    let fault = |error: io::Error| unreadable(path, &error);
    let mut reader = BufReader::new(File::open(path).map_err(fault)?);
    let mut line = Vec::new();
    loop {
        line.clear();
        let count = io::Read::take(&mut reader, LONGEST)
            .read_until(b'\n', &mut line)
            .map_err(fault)?;
        if count == 0 {
            return Ok(());
        }
        let whole = line.last() == Some(&b'\n');
        if whole {
            line.pop();
        }
        if !take(&line, whole) {
            return Ok(());
        }
    }
}

/// Gives every whole line of one file from a byte on, and tells up to which byte it was read. A file that is
/// shorter than that is another one, and read from its beginning.
///
/// # Errors
/// The file can't be read.
pub fn each_from(path: &Path, from: u64, mut take: impl FnMut(&[u8])) -> Result<u64, Refusal> {
    let fault = |error: io::Error| unreadable(path, &error);
    let mut file = File::open(path).map_err(fault)?;
    let mut at = if file.metadata().map_err(fault)?.len() < from {
        0
    } else {
        from
    };
    file.seek(SeekFrom::Start(at)).map_err(fault)?;
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    loop {
        line.clear();
        let count = io::Read::take(&mut reader, LONGEST)
            .read_until(b'\n', &mut line)
            .map_err(fault)?;
        if line.pop_if(|last| *last == b'\n').is_none() && (count as u64) < LONGEST {
            return Ok(at);
        }
        at += count as u64;
        take(&line);
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Refusal {
    Refusal::unavailable(
        format!(
            "{} could not be read: {}",
            path.display(),
            reason(error.kind())
        ),
        "make the audit log's folder readable by its owner",
    )
}

#[cfg(test)]
mod tests {
    use super::{each_line, list};
    use std::fs;

    #[test]
    fn files_come_in_the_order_of_the_chain() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        put("audit.jsonl", "e\n");
        put("audit-000000000100.jsonl", "c\nd\n");
        put("audit-000000000001.jsonl", "a\nb\n");
        put("audit-x.jsonl", "no\n");
        put("other.txt", "no\n");
        let mut lines = String::new();
        each_line(folder.path(), |line| {
            lines.push_str(std::str::from_utf8(line).unwrap());
            true
        })
        .unwrap();
        assert_eq!(lines, "abcde");
        assert_eq!(list(&folder.path().join("none")).unwrap().len(), 0);
    }
}
