//! Small looks at the system.

use crate::places;
use std::path::Path;
use std::process::{Command, Stdio};

/// What a program prints, when it succeeds.
pub fn output(program: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether `2.47.3` is at least `major.minor`.
pub fn is_at_least(version: &str, major: u32, minor: u32) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
    let found = (parts.next().flatten(), parts.next().flatten());
    found >= (Some(major), Some(minor))
}

/// Whether somebody sits at a desktop of this machine. Elsewhere than on Linux there always is one.
pub fn has_desktop() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let away = set("SSH_CONNECTION") || set("SSH_TTY");
    !cfg!(target_os = "linux") || ((set("DISPLAY") || set("WAYLAND_DISPLAY")) && !away)
}

/// Whether somebody shows notifications, or would be started for it. `None`: not known.
pub fn has_notifications() -> Option<bool> {
    if !cfg!(target_os = "linux") {
        return Some(true);
    }
    let tool = places::program("dbus-send")?;
    let ask = |method: &str| {
        let method = format!("org.freedesktop.DBus.{method}");
        output(
            &tool,
            &[
                "--session",
                "--print-reply=literal",
                "--reply-timeout=2000",
                "--dest=org.freedesktop.DBus",
                "/org/freedesktop/DBus",
                &method,
            ],
        )
    };
    let named = |list: Option<String>| {
        list.is_some_and(|text| {
            text.split_whitespace()
                .any(|word| word == "org.freedesktop.Notifications")
        })
    };
    Some(named(ask("ListNames")) || named(ask("ListActivatableNames")))
}

/// Whether the memory of a process is kept out of swap. `None`: the system does not tell.
pub fn keeps_out_of_swap(pid: u32) -> Option<bool> {
    locked(&std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
}

/// From `/proc/PID/status`.
fn locked(status: &str) -> Option<bool> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmLck:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib > 0)
}

#[cfg(test)]
mod tests {
    use super::{is_at_least, locked};

    #[test]
    fn whether_memory_is_locked_is_read_from_what_the_system_says() {
        let status = |kib| format!("Name:\toam-agent\nVmSize:\t 1 kB\nVmLck:\t     {kib} kB\n");
        assert_eq!(locked(&status(5312)), Some(true));
        assert_eq!(locked(&status(0)), Some(false));
        assert_eq!(locked("Name:\tsh\n"), None);
    }

    #[test]
    fn versions_compare_by_number() {
        assert!(is_at_least("2.39.5", 2, 39));
        assert!(is_at_least("2.47.3 (Apple Git-1)", 2, 39));
        assert!(is_at_least("3.0", 2, 39));
        assert!(!is_at_least("2.9.1", 2, 39));
        assert!(!is_at_least("", 2, 39));
    }
}
