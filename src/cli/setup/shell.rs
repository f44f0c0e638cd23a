//! `oam setup shell`: a marked block at the end of the shell's start files that puts the folder of
//! our wrappers first in `PATH`.

use super::disk::{self, FileAccess};
use super::report::{SetupChange, SetupReport};
use super::surroundings::Surroundings;
use super::{SetupWhat, path_text, quoted};
use oam_model::refusal::Refusal;
use std::path::{Path, PathBuf};

const START: &str = "# >>> oam >>>";
const END: &str = "# <<< oam <<<";
/// Said in the first line of the block, so that an undo gives back every byte without a memory of
/// its own: a file that we made goes, and so does a line end that we had to add.
const CREATED: &str = " (oam made this file)";
const JOINED: &str = " (oam ended the line above)";

/// Writes the blocks, or removes them.
pub(super) fn run(around: &Surroundings, undo: bool) -> Result<SetupReport, Refusal> {
    let mut report = SetupReport::new(SetupWhat::Shell, undo);
    let folder = around.wrappers();
    let block = block(path_text(&folder)?);
    for path in files(around, undo) {
        change(&path, &block, undo, &mut report)?;
    }
    if undo {
        return Ok(report);
    }
    if shell_name(around) == "fish" {
        report.next.push(format!(
            "run in fish: fish_add_path --prepend {}",
            quoted(&disk::name(&folder))
        ));
    }
    if !report.changes.is_empty() {
        report
            .next
            .push("open a new shell, or read the changed file in this one with `.`".to_owned());
    }
    Ok(report)
}

fn change(path: &Path, block: &str, undo: bool, report: &mut SetupReport) -> Result<(), Refusal> {
    let there = disk::read(path)?;
    let old = there.as_deref().unwrap_or_default();
    let (rest, found) = without_block(old).map_err(|line| {
        Refusal::unavailable(
            format!("{}:{line}: the block of OAM has no end", path.display()),
            format!("write `{END}` where it ends, or remove it by hand"),
        )
    })?;
    let new = if undo {
        rest
    } else {
        with_block(&rest, there.is_none() || found.made, block)
    };
    if there.as_deref() == Some(&new) {
        return Ok(());
    }
    if undo && found.made && new.is_empty() {
        disk::remove(path)?;
    } else if undo && there.is_none() {
        return Ok(());
    } else {
        disk::write(path, &new, FileAccess::Usual)?;
    }
    report.changes.push(SetupChange {
        file: disk::name(path),
        key: None,
        before: found.lines,
        after: if undo {
            Vec::new()
        } else {
            block.lines().map(str::to_owned).collect()
        },
    });
    Ok(())
}

/// The start files to change: those that are there, and the one of the person's own shell.
fn files(around: &Surroundings, undo: bool) -> Vec<PathBuf> {
    let own = match shell_name(around) {
        "zsh" => ".zshrc",
        "bash" => ".bashrc",
        _ => ".profile",
    };
    [".bashrc", ".zshrc", ".profile"]
        .into_iter()
        .filter(|name| (*name == own && !undo) || around.home.join(name).exists())
        .map(|name| around.home.join(name))
        .collect()
}

fn shell_name(around: &Surroundings) -> &str {
    let shell = around.shell.as_deref().unwrap_or_default();
    shell.rsplit('/').next().unwrap_or_default()
}

/// The lines between the marks. The folder comes first even if it is in `PATH` already: behind the
/// real program it would do nothing.
fn block(folder: &str) -> String {
    let folder = quoted(folder);
    format!(
        "# Written by `oam setup shell`; `oam setup shell --undo` removes it.\n\
         case $PATH in {folder}:*) ;; *) PATH={folder}:$PATH; export PATH ;; esac\n"
    )
}

/// What was found of an earlier block.
#[derive(Debug, Default)]
struct Found {
    /// Its lines without the marks.
    lines: Vec<String>,
    /// The file is ours.
    made: bool,
}

/// The file without the block; the line of a block without an end.
fn without_block(text: &[u8]) -> Result<(Vec<u8>, Found), usize> {
    let mut rest: Vec<u8> = Vec::with_capacity(text.len());
    let mut found = Found::default();
    let mut open = None;
    for (index, line) in text.split_inclusive(|b| *b == b'\n').enumerate() {
        let words = String::from_utf8_lossy(line);
        let words = words.trim_end();
        if open.is_some() {
            if words == END {
                open = None;
            } else {
                found.lines.push(words.to_owned());
            }
        } else if let Some(note) = words.strip_prefix(START) {
            open = Some(index + 1);
            found.made |= note == CREATED;
            if note == JOINED && rest.last() == Some(&b'\n') {
                rest.pop();
            }
        } else {
            rest.extend_from_slice(line);
        }
    }
    open.map_or(Ok((rest, found)), Err)
}

fn with_block(rest: &[u8], made: bool, block: &str) -> Vec<u8> {
    let mut new = rest.to_vec();
    let joined = rest.last().is_some_and(|last| *last != b'\n');
    let note = if joined {
        new.push(b'\n');
        JOINED
    } else if made && rest.is_empty() {
        CREATED
    } else {
        ""
    };
    new.extend_from_slice(format!("{START}{note}\n{block}{END}\n").as_bytes());
    new
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
