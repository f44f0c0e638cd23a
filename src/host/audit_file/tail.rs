//! The end of a log file, read backwards: a file of any length costs one or two reads.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

const STEP: u64 = 16 * 1024;
/// Of a line that was cut off this much is told.
const SHOWN: u64 = 512;

/// The last complete line, without its line feed. What follows it is left alone.
pub(super) fn last_line(file: &mut File) -> io::Result<Option<String>> {
    let size = file.metadata()?.len();
    let Some(end) = line_feed_before(file, size)? else {
        return Ok(None);
    };
    let start = line_feed_before(file, end)?.map_or(0, |at| at + 1);
    let mut line = vec![0; usize::try_from(end - start).map_err(io::Error::other)?];
    file.seek(SeekFrom::Start(start))?;
    file.read_exact(&mut line)?;
    Ok(Some(String::from_utf8_lossy(&line).into_owned()))
}

/// Cuts what stands after the last line feed, and tells what it was.
pub(super) fn repair(file: &mut File) -> io::Result<Option<String>> {
    let size = file.metadata()?.len();
    let whole = line_feed_before(file, size)?.map_or(0, |at| at + 1);
    if whole == size {
        return Ok(None);
    }
    let mut shown = Vec::new();
    file.seek(SeekFrom::Start(whole))?;
    file.by_ref().take(SHOWN).read_to_end(&mut shown)?;
    file.set_len(whole)?;
    let text: String = String::from_utf8_lossy(&shown)
        .chars()
        .map(|c| if c.is_control() { '.' } else { c })
        .collect();
    Ok(Some(format!(
        "the last line of the audit log was cut off in mid-write and was taken out ({} bytes): {text}",
        size - whole
    )))
}

/// Place of the last line feed before `end`.
fn line_feed_before(file: &mut File, end: u64) -> io::Result<Option<u64>> {
    let mut end = end;
    let mut block = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(STEP);
        block.clear();
        file.seek(SeekFrom::Start(start))?;
        file.by_ref().take(end - start).read_to_end(&mut block)?;
        if let Some(at) = block.iter().rposition(|byte| *byte == b'\n') {
            return Ok(Some(start + u64::try_from(at).unwrap_or(0)));
        }
        end = start;
    }
    Ok(None)
}
