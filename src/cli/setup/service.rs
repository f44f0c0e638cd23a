//! `oam setup service`: the agent under the person's service manager. Without it the first command
//! that needs the agent starts it; with it the service manager holds the socket and restarts it.

use super::disk::{self, FileAccess};
use super::report::{SetupChange, SetupReport};
use super::surroundings::Surroundings;
use super::{SetupWhat, path_text};
use oam_model::refusal::Refusal;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Stands in every file that we write. No option is named: two hyphens may not stand in an XML
/// comment.
const MARK: &str = "Written by `oam setup service`, which also removes it.";

const SERVICE: &str = include_str!("../../../packaging/systemd/oam-agent.service");
const SOCKET: &str = include_str!("../../../packaging/systemd/oam-agent.socket");
const PLIST: &str = include_str!("../../../packaging/launchd/org.oam.agent.plist");

/// Where the packaged texts look for the agent.
const PACKAGED_UNIT: &str = "/usr/bin/oam-agent";
const PACKAGED_PLIST: &str = "/usr/local/bin/oam-agent";

/// A file to be there, and its text.
type Text = (PathBuf, String);

/// Writes and enables the service, or takes it back.
pub(super) fn run(around: &Surroundings, undo: bool) -> Result<SetupReport, Refusal> {
    if cfg!(windows) {
        return Err(Refusal::unavailable(
            "there is no service for Windows",
            "nothing is needed: the first command starts the agent",
        ));
    }
    let mut report = SetupReport::new(SetupWhat::Service, undo);
    if cfg!(target_os = "macos") {
        launchd(around, undo, &mut report)?;
    } else {
        systemd(around, undo, &mut report)?;
    }
    Ok(report)
}

fn systemd(around: &Surroundings, undo: bool, report: &mut SetupReport) -> Result<(), Refusal> {
    let folder = around.config_home.join("systemd").join("user");
    let names = ["oam-agent.service", "oam-agent.socket"];
    let files = names.map(|name| folder.join(name));
    if undo {
        undo_systemd(around, &files, report)
    } else {
        do_systemd(around, files, report)
    }
}

fn do_systemd(
    around: &Surroundings,
    [service, socket]: [PathBuf; 2],
    report: &mut SetupReport,
) -> Result<(), Refusal> {
    let agent = around.own_program("oam-agent")?;
    // A package's own units name the same program: a copy of them would only grow old.
    let packaged =
        agent == Path::new(PACKAGED_UNIT) && around.system_units.join("oam-agent.socket").is_file();
    if !packaged {
        let word = unit_word(&agent)?;
        let line = format!("ExecStart={PACKAGED_UNIT}\n");
        let texts = [
            (
                service,
                marked(&SERVICE.replace(&line, &format!("ExecStart={word}\n"))),
            ),
            (socket, marked(SOCKET)),
        ];
        write_all(&texts, report)?;
    }
    let enable = ["--user", "enable", "--now", "oam-agent.socket"];
    let done = systemctl(around, &["--user", "daemon-reload"]) && systemctl(around, &enable);
    if !done {
        report.next.push(
            "run `systemctl --user daemon-reload && systemctl --user enable --now oam-agent.socket` \
             in your own session: the service manager did not answer here"
                .to_owned(),
        );
    }
    Ok(())
}

fn undo_systemd(
    around: &Surroundings,
    files: &[PathBuf; 2],
    report: &mut SetupReport,
) -> Result<(), Refusal> {
    let ours = ours(files)?;
    let packaged = around.system_units.join("oam-agent.socket").is_file();
    if ours.is_empty() && !packaged {
        return Ok(());
    }
    let units = [
        "--user",
        "disable",
        "--now",
        "oam-agent.socket",
        "oam-agent.service",
    ];
    let stopped = systemctl(around, &units);
    remove_all(ours, report)?;
    if !(stopped && systemctl(around, &["--user", "daemon-reload"])) {
        report.next.push(
            "run `systemctl --user disable --now oam-agent.socket` and `systemctl --user daemon-reload` \
             in your own session: the service manager did not answer here"
                .to_owned(),
        );
    }
    Ok(())
}

fn launchd(around: &Surroundings, undo: bool, report: &mut SetupReport) -> Result<(), Refusal> {
    let file = around.home.join("Library/LaunchAgents/org.oam.agent.plist");
    if undo {
        let ours = ours(std::slice::from_ref(&file))?;
        if !ours.is_empty() {
            run_quietly(around, "launchctl", &["unload", "-w", path_text(&file)?]);
            remove_all(ours, report)?;
        }
        return Ok(());
    }
    let agent = around.own_program("oam-agent")?;
    write_all(&[(file.clone(), plist(path_text(&agent)?))], report)?;
    if !run_quietly(around, "launchctl", &["load", "-w", path_text(&file)?]) {
        report
            .next
            .push(format!("run `launchctl load -w {}`", file.display()));
    }
    Ok(())
}

/// The launch agent's text. The mark stands at its end: nothing may precede an XML declaration.
fn plist(agent: &str) -> String {
    let escaped = agent
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let text = PLIST.replace(
        &format!("<string>{PACKAGED_PLIST}</string>"),
        &format!("<string>{escaped}</string>"),
    );
    format!("{text}<!-- {MARK} -->\n")
}

fn marked(unit: &str) -> String {
    format!("# {MARK}\n{unit}")
}

/// A path as one word of `ExecStart=` (systemd.service(5)): `%` would begin a specifier; the program's
/// own word knows no variables, so `$` stays. systemd takes no quotes and backslashes in it at all.
fn unit_word(path: &Path) -> Result<String, Refusal> {
    let text = path_text(path)?;
    if text.contains(['"', '\'', '\\']) {
        return Err(Refusal::unavailable(
            format!("systemd takes no quotes in the path {text}"),
            "install OAM in a folder without quotes and backslashes in its name",
        ));
    }
    let escaped = text.replace('%', "%%");
    Ok(if escaped.contains(char::is_whitespace) {
        format!("\"{escaped}\"")
    } else {
        escaped
    })
}

fn is_ours(bytes: &[u8]) -> bool {
    String::from_utf8_lossy(bytes).contains(MARK)
}

/// Those of `files` that are there and ours, with their lines.
fn ours(files: &[PathBuf]) -> Result<Vec<Text>, Refusal> {
    let mut ours = Vec::new();
    for file in files {
        if let Some(bytes) = disk::read(file)?.filter(|bytes| is_ours(bytes)) {
            ours.push((file.clone(), String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    Ok(ours)
}

/// Writes all files or, when one of them is somebody's own, none.
fn write_all(texts: &[Text], report: &mut SetupReport) -> Result<(), Refusal> {
    let mut old = Vec::new();
    for (path, _) in texts {
        let there = disk::read(path)?;
        if there.as_ref().is_some_and(|bytes| !is_ours(bytes)) {
            return Err(Refusal::unavailable(
                format!("{} was not written by OAM", path.display()),
                "move it away, then run this again",
            ));
        }
        old.push(there.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()));
    }
    for ((path, text), old) in texts.iter().zip(old) {
        if old.as_ref() == Some(text) {
            continue;
        }
        disk::write(path, text.as_bytes(), FileAccess::Usual)?;
        report.changes.push(SetupChange {
            file: disk::name(path),
            key: None,
            before: lines(&old.unwrap_or_default()),
            after: lines(text),
        });
    }
    Ok(())
}

fn remove_all(files: Vec<Text>, report: &mut SetupReport) -> Result<(), Refusal> {
    for (path, text) in files {
        disk::remove(&path)?;
        report.changes.push(SetupChange {
            file: disk::name(&path),
            key: None,
            before: lines(&text),
            after: Vec::new(),
        });
    }
    Ok(())
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

fn systemctl(around: &Surroundings, arguments: &[&str]) -> bool {
    run_quietly(around, "systemctl", arguments)
}

/// Runs a program; whether it was there and went well. What it says would be about a missing
/// session bus, which the next step puts in words.
fn run_quietly(around: &Surroundings, program: &str, arguments: &[&str]) -> bool {
    let Some(program) = around.program(program, |_| true) else {
        return false;
    };
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
