//! Which process holds a socket, among the descendants of one.

use std::collections::HashMap;
use std::fs;

/// Whether `root` or a descendant of it holds the socket. `None`: `/proc` does not tell.
pub(super) fn holds(root: u32, inode: u32) -> Option<bool> {
    let socket = format!("socket:[{inode}]");
    fs::read_dir("/proc/self/fd").ok()?;
    // The kernel's own list is quick, and may leave out a child while another one ends (proc(5)): it can only find.
    if is_below(root, &socket, &listed) {
        return Some(true);
    }
    let all = children_of_all();
    let children = |pid: u32| all.get(&pid).cloned().unwrap_or_default();
    Some(is_below(root, &socket, &children))
}

fn is_below(root: u32, socket: &str, children: &dyn Fn(u32) -> Vec<u32>) -> bool {
    let mut waiting = vec![root];
    while let Some(pid) = waiting.pop() {
        if has(pid, socket) {
            return true;
        }
        waiting.extend(children(pid));
    }
    false
}

/// Whether the process has it open. One that can't be looked into has nothing.
fn has(pid: u32, socket: &str) -> bool {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten();
    let mut links = descriptors
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok());
    links.any(|link| link.as_os_str() == socket)
}

/// The children of all its threads.
fn listed(pid: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten();
    let lists = threads
        .flatten()
        .filter_map(|entry| fs::read_to_string(entry.path().join("children")).ok());
    lists
        .flat_map(|list| {
            list.split_ascii_whitespace()
                .filter_map(|pid| pid.parse().ok())
                .collect::<Vec<_>>()
        })
        .collect()
}

/// All processes by their parent.
fn children_of_all() -> HashMap<u32, Vec<u32>> {
    let mut all: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        let parent =
            pid.and_then(|pid: u32| parent(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?));
        if let (Some(pid), Some(parent)) = (pid, parent) {
            all.entry(parent).or_default().push(pid);
        }
    }
    all
}

/// `PID (NAME) STATE PARENT …`; a name can hold anything.
fn parent(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{children_of_all, listed, parent};

    #[test]
    fn both_lists_know_this_processs_child() {
        let mut child = std::process::Command::new("sleep")
            .arg("600")
            .spawn()
            .unwrap();
        let own = std::process::id();
        assert!(children_of_all()[&own].contains(&child.id()));
        let quick = listed(own);
        assert!(
            quick.is_empty() || quick.contains(&child.id()),
            "not every kernel has it"
        );
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_name_with_parentheses_and_spaces_does_not_hide_the_parent() {
        assert_eq!(parent("12 (a) 9 (b) S 7 12 12 0"), Some(7));
        assert_eq!(parent("12 (a"), None);
    }
}
