//! Starting the agent that was installed with this program.
//!
//! The agent is found by the path of this program and by nothing else: `PATH` and the working
//! directory belong to whoever called us (R26). It says on its standard output that it listens,
//! with one line: `ready`, or the refusal as JSON when it can't. An agent that found another one with
//! the same state says `ready SOCKET`, where that one listens.

use super::until::Until;
use oam_model::refusal::{Refusal, RefusalCode};
use oam_model::system_error::reason;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::time::Duration;

/// The line by which the agent says that it listens.
pub const READY: &str = "ready";

/// Longest wait for that line.
const START_LIMIT: Duration = Duration::from_secs(5);

/// Longest line taken from a starting agent, bytes.
const LINE_LIMIT: usize = 4096;

fn failed(sentence: impl Into<String>, next: impl Into<String>) -> Refusal {
    Refusal::new(RefusalCode::Unreachable, sentence, next)
}

/// Starts the agent and waits until it listens. Answers the socket of another agent that holds the
/// same state and listens elsewhere, if that is what it found.
///
/// # Errors
/// [`RefusalCode::Unreachable`]: not found, did not start, or not in time; else the agent's own refusal.
pub fn start() -> Result<Option<PathBuf>, Refusal> {
    let program = beside(std::env::current_exe()).ok_or_else(|| {
        failed(
            "the agent is not running and `oam-agent` does not lie beside this program",
            "install both together, or start `oam-agent` yourself",
        )
    })?;
    let mut command = Command::new(&program);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .current_dir(program.ancestors().last().unwrap_or(&program));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_none_or(stays_behind) {
            command.env_remove(name);
        }
    }
    let cause = |error: io::Error| {
        failed(
            format!("the agent could not be started: {}", reason(error.kind())),
            "start `oam-agent` yourself to see why",
        )
    };
    let mut child = command.spawn().map_err(cause)?;
    let Some(out) = child.stdout.take() else {
        return Err(cause(io::ErrorKind::BrokenPipe.into()));
    };
    said(&first_line(out, Until::after(START_LIMIT)))
}

/// The agent's program: in the folder of this one, or in `../libexec/oam` where packages put it.
fn beside(this: io::Result<PathBuf>) -> Option<PathBuf> {
    let this = this.ok()?.canonicalize().ok()?;
    let folder = this.parent()?;
    let name = format!("oam-agent{}", std::env::consts::EXE_SUFFIX);
    [
        folder.join(&name),
        folder.join("../libexec/oam").join(&name),
    ]
    .iter()
    .filter_map(|path| path.canonicalize().ok())
    .find(|path| Path::is_file(path))
}

/// Whether a variable is kept from the agent, which lives for weeks: tokens, which must not stand
/// in its environment (R23); all of git's, of which `GIT_CONFIG_PARAMETERS` can hold a header
/// with one; and what says whom TLS trusts and through whom requests go, because whoever comes first would
/// decide that for everybody after (promise 9). By the form of the name: a list is never complete.
fn stays_behind(name: &str) -> bool {
    const ENDS: [&str; 10] = [
        "TOKEN",
        "PASSWORD",
        "PASSWD",
        "SECRET",
        "API_KEY",
        "APIKEY",
        "ACCESS_KEY",
        "SECRET_KEY",
        "PRIVATE_KEY",
        "CREDENTIALS",
    ];
    let upper = name.to_ascii_uppercase();
    let trust = upper.starts_with("SSL_CERT_") || upper.ends_with("_PROXY");
    trust || upper.starts_with("GIT_") || ENDS.iter().any(|end| upper.ends_with(end))
}

fn said(line: &[u8]) -> Result<Option<PathBuf>, Refusal> {
    if line == READY.as_bytes() {
        return Ok(None);
    }
    if let Some(socket) = line.strip_prefix(b"ready ") {
        return Ok(std::str::from_utf8(socket).ok().map(PathBuf::from));
    }
    Err(serde_json::from_slice(line).unwrap_or_else(|_| {
        failed(
            "the agent was started and did not come up",
            "start `oam-agent` yourself to see why, or run `oam doctor`",
        )
    }))
}

/// The first line that comes before the deadline, without its line feed; what came when it ends early.
#[cfg(unix)]
fn first_line(mut out: ChildStdout, until: Until) -> Vec<u8> {
    let mut line = Vec::new();
    let mut piece = [0; 256];
    while line.len() < LINE_LIMIT && super::until::readable(&out, until).is_ok() {
        match out.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => line.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
        if let Some(end) = line.iter().position(|byte| *byte == b'\n') {
            line.truncate(end);
            break;
        }
    }
    line
}

/// A pipe can't be polled there, so a thread reads it.
#[cfg(windows)]
fn first_line(out: ChildStdout, until: Until) -> Vec<u8> {
    use std::io::BufRead;
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut line = Vec::new();
        let mut out = io::BufReader::new(out.take(LINE_LIMIT as u64));
        if out.read_until(b'\n', &mut line).is_ok() {
            let _ = send.send(line.trim_ascii_end().to_vec());
        }
    });
    receive
        .recv_timeout(until.at_most(START_LIMIT))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{beside, said, stays_behind};
    use oam_model::refusal::{Refusal, RefusalCode};
    use std::path::PathBuf;

    #[test]
    fn variables_with_tokens_or_trust_stay_behind_and_others_go_along() {
        for name in [
            "HF_TOKEN",
            "HUGGING_FACE_HUB_TOKEN",
            "GH_TOKEN",
            "gitlab_token",
            "AWS_SECRET_ACCESS_KEY",
            "GIT_CONFIG_PARAMETERS",
            "GIT_DIR",
            "PGPASSWORD",
            "OPENAI_API_KEY",
            "CLIENT_SECRET",
            "SSL_CERT_FILE",
            "SSL_CERT_DIR",
            "HTTPS_PROXY",
            "https_proxy",
            "all_proxy",
            "NO_PROXY",
        ] {
            assert!(stays_behind(name), "{name}");
        }
        for name in [
            "HOME",
            "PATH",
            "DISPLAY",
            "DBUS_SESSION_BUS_ADDRESS",
            "HF_TOKEN_PATH",
            "LANG",
        ] {
            assert!(!stays_behind(name), "{name}");
        }
    }

    #[test]
    fn the_agent_is_found_beside_this_program_or_in_libexec_and_nowhere_else() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().canonicalize().unwrap();
        let (bin, libexec) = (root.join("bin"), root.join("libexec/oam"));
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::create_dir_all(&libexec).unwrap();
        let this = bin.join("git-credential-oam");
        std::fs::write(&this, "").unwrap();
        assert_eq!(beside(Ok(this.clone())), None);
        let name = format!("oam-agent{}", std::env::consts::EXE_SUFFIX);
        std::fs::write(libexec.join(&name), "").unwrap();
        assert_eq!(beside(Ok(this.clone())), Some(libexec.join(&name)));
        std::fs::write(bin.join(&name), "").unwrap();
        assert_eq!(beside(Ok(this)), Some(bin.join(&name)));
    }

    #[test]
    fn the_words_of_an_agent_that_can_not_start_are_passed_on() {
        assert_eq!(said(b"ready"), Ok(None));
        let socket = PathBuf::from("/run/x/oam/agent.sock");
        assert_eq!(said(b"ready /run/x/oam/agent.sock"), Ok(Some(socket)));
        let why = Refusal::unavailable("the configuration has a fault", "see line 3");
        let line = serde_json::to_vec(&why).unwrap();
        assert_eq!(said(&line), Err(why));
        for line in [&b""[..], b"readyx", b"{}"] {
            assert_eq!(said(line).unwrap_err().code, RefusalCode::Unreachable);
        }
    }
}
