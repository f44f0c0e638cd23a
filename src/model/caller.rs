//! The process that asks.

use super::token_request::Intent;
use serde::{Deserialize, Serialize};

/// A caller as the operating system describes it, taken while its pidfd is held, so that the
/// process described is the one that is connected (R39).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Caller {
    /// Process id; 0 when the system does not tell.
    pub pid: u32,
    /// User id of the connected process.
    pub uid: u32,
    /// Path of its executable, when readable.
    pub executable: Option<String>,
    /// Names and sub-commands of its ancestors, nearest first, e.g. `["git-remote-https", "git push"]`.
    /// Arguments beyond the sub-command are left out: they can hold secrets.
    #[serde(default)]
    pub ancestry: Vec<String>,
    /// The working repository: the nearest folder with `.git` above the caller's directory.
    pub working_repository: Option<String>,
    /// It runs in the foreground of a terminal: what it says is read there by a person. Not of the record.
    #[serde(skip)]
    pub attended: bool,
}

/// What the ancestry says about reading or writing. Nearest telling ancestor wins.
pub fn intent_of_ancestry(ancestry: &[String]) -> Intent {
    ancestry
        .iter()
        .find_map(|step| intent_of_step(step))
        .unwrap_or(Intent::Unknown)
}

fn intent_of_step(step: &str) -> Option<Intent> {
    match step {
        "git push" | "git-receive-pack" | "git send-pack" | "git-lfs pre-push" | "git lfs push"
        | "git-lfs push" | "git lfs pre-push" => Some(Intent::Write),
        "git clone"
        | "git fetch"
        | "git pull"
        | "git ls-remote"
        | "git remote"
        | "git submodule"
        | "git archive"
        | "git checkout"
        | "git switch"
        | "git restore"
        | "git reset"
        | "git merge"
        | "git rebase"
        | "git fetch-pack"
        | "git lfs fetch"
        | "git-lfs fetch"
        | "git lfs pull"
        | "git-lfs pull"
        | "git lfs smudge"
        | "git-lfs smudge"
        | "git-lfs filter-process"
        | "git lfs filter-process"
        | "git worktree"
        | "git stash" => Some(Intent::Read),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Intent, intent_of_ancestry};

    fn steps(list: &[&str]) -> Vec<String> {
        list.iter().map(|s| (*s).to_owned()).collect()
    }

    #[test]
    fn the_nearest_telling_ancestor_decides() {
        let push = steps(&["git-remote-https", "git push", "bash"]);
        assert_eq!(intent_of_ancestry(&push), Intent::Write);
        // A hook that fetches while a push runs reads.
        let hook = steps(&["git-remote-https", "git fetch", "pre-push", "git push"]);
        assert_eq!(intent_of_ancestry(&hook), Intent::Read);
        assert_eq!(
            intent_of_ancestry(&steps(&["code", "systemd"])),
            Intent::Unknown
        );
    }
}
