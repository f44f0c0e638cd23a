//! `oam setup git`: per hub, git asks our helper and no other, with the repository's path.
//!
//! What was there is remembered in `setup-git.json` before anything is changed, so that a run that
//! is killed can still be undone.

mod file;
mod plan;
#[cfg(test)]
mod tests;

use super::disk::{self, FileAccess};
use super::report::{SetupChange, SetupReport};
use super::surroundings::Surroundings;
use super::{SetupWhat, path_text, quoted};
use file::GitConfig;
use oam_model::refusal::Refusal;
use oam_model::report::HubRow;
use plan::{GitPlan, Memory, plan};
use std::path::{Path, PathBuf};

/// Sets git up for `hubs`, or restores what was there.
pub(super) fn run(
    hubs: &[HubRow],
    around: &Surroundings,
    undo: bool,
) -> Result<SetupReport, Refusal> {
    let mut report = SetupReport::new(SetupWhat::Git, undo);
    let remembered_at = around.state_home.join("oam").join("setup-git.json");
    let memory = recall(&remembered_at)?;
    let path = global_file(around);
    if let Some(other) = memory
        .file
        .as_ref()
        .filter(|f| !undo && **f != disk::name(&path))
    {
        return Err(Refusal::unavailable(
            format!(
                "`oam setup git` wrote {other}, and git now uses {}",
                path.display()
            ),
            "run `oam setup git --undo` first, then this again",
        ));
    }
    let git = around.program("git", |_| true).ok_or_else(|| {
        Refusal::unavailable(
            "there is no `git` in PATH",
            "install git, then run this again",
        )
    })?;
    // An undo works on the file that was written, wherever git looks today.
    let path = match memory.file.as_ref().filter(|_| undo) {
        Some(path) => PathBuf::from(path),
        None => path,
    };
    let config = GitConfig::new(&git, &path, &around.home);
    let wanted: &[HubRow] = if undo { &[] } else { hubs };
    let helper = if undo {
        String::new()
    } else {
        command(&around.own_program("git-credential-oam")?)?
    };
    let mut plan = plan(wanted, &helper, &config.read()?, &memory);
    plan.memory.made = memory.made || (memory.file.is_none() && !path.exists());
    plan.memory.file = Some(disk::name(&path));
    let changed = apply(&config, &plan, &remembered_at, &memory)?;
    if changed {
        report.changes = changes(&plan, &path);
    }
    if !undo {
        advise(&config, hubs, &mut report)?;
    }
    Ok(report)
}

/// Remembers, then changes. When nothing of ours is left in the file, the memory goes last.
/// Tells whether the file is another than before.
fn apply(
    config: &GitConfig<'_>,
    plan: &GitPlan,
    remembered_at: &Path,
    before: &Memory,
) -> Result<bool, Refusal> {
    // What is to be restored stays in memory until it is.
    let both = plan.memory.with(before);
    if both != *before {
        remember(remembered_at, &both)?;
    }
    let changed = config.write(&plan.changes)?;
    if plan.memory.settings.is_empty() {
        config.remove_if_empty(plan.memory.made)?;
        disk::remove(remembered_at)?;
    } else if plan.memory != both {
        remember(remembered_at, &plan.memory)?;
    }
    Ok(changed)
}

fn remember(at: &Path, memory: &Memory) -> Result<(), Refusal> {
    let text = serde_json::to_vec_pretty(memory).map_err(|_| forgotten(at))?;
    disk::write(at, &text, FileAccess::Private)
}

fn recall(path: &Path) -> Result<Memory, Refusal> {
    match disk::read(path)? {
        None => Ok(Memory::default()),
        Some(bytes) => serde_json::from_slice(&bytes).map_err(|_| forgotten(path)),
    }
}

fn forgotten(path: &Path) -> Refusal {
    Refusal::unavailable(
        format!(
            "{} does not tell what git's configuration was before",
            path.display()
        ),
        "look at `git config --global --get-regexp credential`, then remove the file",
    )
}

/// The file that `git config --global` writes. Named by us, because git versions differ in which
/// of the two they read.
fn global_file(around: &Surroundings) -> PathBuf {
    if let Some(path) = around
        .git_config_global
        .as_ref()
        .filter(|p| p.is_absolute())
    {
        return path.clone();
    }
    let usual = around.home.join(".gitconfig");
    let other = around.config_home.join("git").join("config");
    if !usual.exists() && other.exists() {
        return other;
    }
    usual
}

/// The helper as a shell command that becomes the helper: git runs it by `sh -c` in any case, and
/// `exec` saves the shell a fork (measured: 5 % of a whole `git credential fill`; a short name, for
/// which git runs itself once more, costs 50 %).
pub(super) fn command(helper: &Path) -> Result<String, Refusal> {
    let text = path_text(helper)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | '+');
    if text.starts_with('/') && text.chars().all(plain) {
        return Ok(format!("!exec {text}"));
    }
    Ok(format!("!exec {}", quoted(&text.replace('\\', "/"))))
}

fn changes(plan: &GitPlan, path: &Path) -> Vec<SetupChange> {
    plan.changes
        .iter()
        .map(|change| SetupChange {
            file: disk::name(path),
            key: Some(change.key.clone()),
            before: change.before.clone(),
            after: change.after.clone(),
        })
        .collect()
}

/// What a person has to do by hand: helpers that still come after ours get a copy of each token.
fn advise(
    config: &GitConfig<'_>,
    hubs: &[HubRow],
    report: &mut SetupReport,
) -> Result<(), Refusal> {
    if hubs.is_empty() {
        report
            .next
            .push("add a hub to the configuration: there is none".to_owned());
    }
    let now = config.read()?;
    let mut later: Vec<String> = hubs
        .iter()
        .flat_map(|hub| now.later_helpers(&hub.url))
        .collect();
    later.sort();
    later.dedup();
    for key in later {
        report.next.push(format!(
            "move `{key}` above the sections of your hubs in {}: git would hand it a copy of each token",
            config.path().display()
        ));
    }
    Ok(())
}
