//! The ancestors of a process, as `/proc` shows them.
//!
//! Only names and git's sub-commands are taken: other arguments can hold secrets. It is for the
//! record and for choosing among grants that the person holds, never for widening one (R39).

use oam_model::caller::intent_of_ancestry;
use oam_model::token_request::Intent;
use rustix::fs::{Mode, OFlags};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use zeroize::Zeroize;

/// Longest walk, processes.
const LEVELS: usize = 8;

/// As much of a command line as is looked at, bytes.
const COMMAND_LINE: usize = 4096;

/// Longest name or sub-command kept, characters.
const NAME: usize = 32;

/// One process. The descriptor of its folder in `/proc` belongs to this process for ever: when it
/// ends, reads through it fail, also when the number was given to another one.
struct Process {
    folder: OwnedFd,
    name: String,
    parent: u32,
    /// Clock ticks since boot.
    started: u64,
    /// Its group is the one that its terminal talks to.
    attended: bool,
}

/// What `/proc/PID/stat` says.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    name: String,
    parent: u32,
    started: u64,
    attended: bool,
}

impl Process {
    /// The process, if it is there and belongs to `uid`.
    fn open(pid: u32, uid: u32) -> Option<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(format!("/proc/{pid}"), flags, Mode::empty()).ok()?;
        if rustix::fs::fstat(&folder).ok()?.st_uid != uid {
            return None;
        }
        let mut bytes = [0; 1024];
        let count = read(folder.as_fd(), "stat", &mut bytes)?;
        let Stat {
            name,
            parent,
            started,
            attended,
        } = stat(&bytes[..count])?;
        Some(Self {
            folder,
            name,
            parent,
            started,
            attended,
        })
    }

    /// Its name, with the sub-command when it is git's.
    fn step(self) -> String {
        if !self.name.starts_with("git") {
            return self.name;
        }
        let mut bytes = [0; COMMAND_LINE];
        let count = read(self.folder.as_fd(), "cmdline", &mut bytes).unwrap_or(0);
        let step = step(&self.name, &bytes[..count]);
        bytes.zeroize();
        step
    }
}

fn read(folder: BorrowedFd<'_>, name: &str, bytes: &mut [u8]) -> Option<usize> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(folder, name, flags, Mode::empty()).ok()?;
    rustix::io::read(file, bytes).ok()
}

/// The ancestors of `pid` that belong to `uid`, nearest first. It ends at one that tells reading from
/// writing, and at the first that is neither git's nor a shell: what started that program (a
/// desktop, a terminal) changes neither the answer nor the record, and each level costs a look into
/// `/proc` on the way of every answer.
///
/// Beside them, whether `pid` runs in the foreground of a terminal.
pub fn of(pid: u32, uid: u32) -> (Vec<String>, bool) {
    let mut steps = Vec::new();
    let Some(mut child) = Process::open(pid, uid) else {
        return (steps, false);
    };
    while steps.len() < LEVELS && child.parent > 1 {
        let Some(parent) = Process::open(child.parent, uid) else {
            break;
        };
        // A process younger than its child is another one that got the number of a parent that ended.
        if parent.started > child.started {
            break;
        }
        let (next, started) = (parent.parent, parent.started);
        let step = parent.step();
        let told = intent_of_ancestry(std::slice::from_ref(&step)) != Intent::Unknown;
        let ends = told || !passes(&step);
        steps.push(step);
        if ends {
            break;
        }
        child.parent = next;
        child.started = started;
    }
    (steps, child.attended)
}

/// Whether the cause of a step may lie above it.
fn passes(step: &str) -> bool {
    const SHELLS: [&str; 7] = ["sh", "dash", "bash", "zsh", "ksh", "fish", "busybox"];
    step.starts_with("git") || SHELLS.contains(&step)
}

/// Name, parent, terminal and start of `/proc/PID/stat`. The name stands in parentheses and can hold
/// some itself, so it ends at the last one.
fn stat(bytes: &[u8]) -> Option<Stat> {
    let open = bytes.iter().position(|byte| *byte == b'(')?;
    let close = bytes.iter().rposition(|byte| *byte == b')')?;
    let name = clean(bytes.get(open + 1..close)?);
    let mut fields = std::str::from_utf8(bytes.get(close + 1..)?)
        .ok()?
        .split_ascii_whitespace();
    let parent = fields.nth(1)?.parse().ok()?;
    let group = fields.next()?;
    // Behind the session: the terminal, 0 where there is none, and the group that it talks to.
    let (terminal, foreground) = (fields.nth(1)?, fields.next()?);
    let attended = terminal != "0" && group == foreground;
    let started = fields.nth(13)?.parse().ok()?;
    Some(Stat {
        name,
        parent,
        started,
        attended,
    })
}

fn clean(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars()
        .filter(|c| !c.is_control())
        .take(NAME)
        .collect()
}

/// `git push`, `git lfs push`, `git-lfs pre-push`, `git-remote-https`. The kernel's name has 15
/// bytes at most; the command line completes it when it begins the same.
fn step(name: &str, command_line: &[u8]) -> String {
    let mut args = command_line.split(|byte| *byte == 0);
    let first = args.next().unwrap_or_default();
    let full = clean(
        first
            .rsplit(|byte| *byte == b'/')
            .next()
            .unwrap_or_default(),
    );
    let mut step = if full.starts_with(name) {
        full
    } else {
        name.to_owned()
    };
    let words = match step.as_str() {
        "git" | "git-lfs" => sub_command(args),
        _ => None,
    };
    if let Some(words) = words {
        step.push(' ');
        step.push_str(&words);
    }
    step
}

/// The first argument that is no option; for `lfs` with the one after it.
fn sub_command<'a>(mut args: impl Iterator<Item = &'a [u8]>) -> Option<String> {
    const WITH_VALUE: [&[u8]; 8] = [
        b"-C",
        b"-c",
        b"--git-dir",
        b"--work-tree",
        b"--namespace",
        b"--super-prefix",
        b"--config-env",
        b"--attr-source",
    ];
    loop {
        let arg = args.next()?;
        if WITH_VALUE.contains(&arg) {
            args.next();
        } else if !arg.starts_with(b"-") {
            let word = plain_word(arg)?;
            let further = if word == "lfs" {
                args.next().and_then(plain_word)
            } else {
                None
            };
            return Some(
                further.map_or_else(|| word.to_owned(), |further| format!("{word} {further}")),
            );
        }
    }
}

/// Sub-commands are lower-case words; anything else may be an argument that says too much.
fn plain_word(arg: &[u8]) -> Option<&str> {
    let plain = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-';
    let fits = !arg.is_empty() && arg.len() <= NAME && arg.iter().all(plain);
    if fits {
        std::str::from_utf8(arg).ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{stat, step};
    use proptest::prelude::*;

    fn told(name: &str, args: &[&str]) -> String {
        step(name, args.join("\0").as_bytes())
    }

    #[test]
    fn the_sub_command_is_found_behind_options_with_values() {
        assert_eq!(told("git", &["git", "push", "origin"]), "git push");
        let long = [
            "/usr/bin/git",
            "-C",
            "push",
            "-c",
            "a.b=fetch",
            "--git-dir",
            "x",
            "--no-pager",
            "fetch",
            "--all",
        ];
        assert_eq!(told("git", &long), "git fetch");
        assert_eq!(
            told("git", &["git", "--git-dir=x", "clone", "u"]),
            "git clone"
        );
        assert_eq!(
            told("git", &["git", "lfs", "push", "origin"]),
            "git lfs push"
        );
        assert_eq!(
            told("git-lfs", &["git-lfs", "pre-push", "o"]),
            "git-lfs pre-push"
        );
        assert_eq!(told("git", &["git"]), "git");
    }

    #[test]
    fn a_cut_name_is_completed_and_a_false_one_is_not_taken() {
        let args = [
            "/usr/lib/git-core/git-remote-https",
            "origin",
            "https://u:secret@h/x",
        ];
        assert_eq!(told("git-remote-http", &args), "git-remote-https");
        assert_eq!(told("git", &["evil", "push"]), "git push");
    }

    #[test]
    fn an_argument_that_could_hold_a_secret_is_not_kept() {
        assert_eq!(told("git", &["git", "https://u:secret@h/x"]), "git");
        assert_eq!(told("git", &["git", "TOKEN"]), "git");
    }

    #[test]
    fn a_name_with_parentheses_and_line_feeds_does_not_shift_the_fields() {
        let rest = "S 7 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4711 1 2";
        let line = format!("12 (a) R 99 (\nb) {rest}");
        let read = |line: &str| stat(line.as_bytes()).unwrap();
        assert_eq!(
            read(&line),
            super::Stat {
                name: "a) R 99 (b".into(),
                parent: 7,
                started: 4711,
                attended: false,
            }
        );
        let at = |rest: &str| read(&line.replace("7 1 1 0 -1", rest)).attended;
        assert!(at("7 12 1 34816 12"), "in the foreground");
        assert!(!at("7 12 1 34816 99"), "behind another program");
        assert!(!at("7 12 1 0 12"), "without a terminal");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_a_parent_that_is_older() {
        let uid = rustix::process::geteuid().as_raw();
        let (steps, _) = super::of(std::process::id(), uid);
        assert!(!steps.is_empty() && steps.len() <= super::LEVELS);
        assert!(super::of(std::process::id(), uid + 1).0.is_empty());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_crash(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = stat(&bytes);
            let _ = step("git", &bytes);
        }
    }
}
