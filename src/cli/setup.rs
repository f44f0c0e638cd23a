//! `oam setup`: connects OAM to git, to `hf`, to the service manager and to the shell, and takes it
//! back with `--undo`. Every one is idempotent and shows what it changes.

pub(crate) mod disk;
mod git;
mod hf;
mod report;
mod service;
mod shell;
mod surroundings;

use super::Done;
use super::agent_client::{AgentClient, OtherVersion};
use super::args::{SetupArgs, SetupWhat};
use super::status;
use oam_model::name::HubName;
use oam_model::refusal::Refusal;
use oam_model::report::HubRow;
use oam_terminal::{Line, Show, Style};
use report::SetupReport;
use std::path::Path;
use surroundings::Surroundings;

/// Connects, or takes back, and shows what was changed.
pub fn run(show: &Show, args: &SetupArgs) -> Done {
    let around = Surroundings::find()?;
    let mut hubs = Vec::new();
    if args.what.needs_hubs(args.undo) {
        let mut link = AgentClient::open(show, OtherVersion::Replace)?;
        let report = status::ask(&mut link)?;
        hubs.extend(report.orgs.into_iter().flat_map(|org| org.hubs));
    }
    let report = set_up(args.what, args.undo, &hubs, &around)?;
    if show.json() {
        show.value(&report);
        return Ok(0);
    }
    for line in report.lines() {
        let look = match line.get(..4) {
            Some("  - ") => Style::Bad,
            Some("  + ") => Style::Good,
            _ => Style::Plain,
        };
        show.line(Line::new().look(look, line));
    }
    for step in &report.next {
        show.next(step);
    }
    Ok(0)
}

impl SetupWhat {
    /// The word of the command line.
    const fn word(self) -> &'static str {
        match self {
            Self::Git => "git",
            Self::Hf => "hf",
            Self::Service => "service",
            Self::Shell => "shell",
        }
    }

    /// Whether [`set_up`] needs the agent's list of hubs. An undo never does: it has to work when
    /// the agent is gone.
    const fn needs_hubs(self, undo: bool) -> bool {
        matches!(self, Self::Git) && !undo
    }
}

/// Connects `what`, or takes it back. `hubs` are those of all organizations
/// (see [`SetupWhat::needs_hubs`]). Nothing is printed: the report tells what was changed.
fn set_up(
    what: SetupWhat,
    undo: bool,
    hubs: &[HubRow],
    around: &Surroundings,
) -> Result<SetupReport, Refusal> {
    match what {
        SetupWhat::Git => git::run(hubs, around, undo),
        SetupWhat::Hf => hf::run(around, undo),
        SetupWhat::Service => service::run(around, undo),
        SetupWhat::Shell => shell::run(around, undo),
    }
}

/// The line for `credential.URL.helper` with which git reads its answer for `hub` from a file of
/// `oam exec`.
///
/// # Errors
/// The helper is not beside this program.
pub fn git_helper(hub: &HubName, answer: &Path) -> Result<String, Refusal> {
    let program = Surroundings::find()?.own_program("git-credential-oam")?;
    let command = git::command(&program)?;
    let answer = quoted(path_text(answer)?);
    Ok(format!("{command} --hub {hub} --token-file {answer}"))
}

/// Text as one word of a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// A path as text; a refusal when it is none, because it is to be written into a text file.
fn path_text(path: &Path) -> Result<&str, Refusal> {
    path.to_str()
        .filter(|text| !text.chars().any(char::is_control))
        .ok_or_else(|| {
            Refusal::unavailable(
                format!("the path {} can't be written into a file", path.display()),
                "install OAM in a folder with a plain name",
            )
        })
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_quoted_path_is_one_word_to_the_shell() {
        for text in ["/plain", "/a b", "/it's", "/$(x)`y`\"z\"", "/a\\b;&|"] {
            let said = std::process::Command::new("sh")
                .args(["-c", &format!("printf %s {}", quoted(text))])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8_lossy(&said.stdout), text);
        }
    }
}
