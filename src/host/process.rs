//! What the agent does to itself: standard streams, signals (R19, R23).

use oam_model::refusal::Refusal;
use oam_system::process::{ProcessSignal, ProcessSignals};
use oam_wire::start::READY;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// Leaves the terminal and working directory of whoever started us: its Ctrl-C is not for us.
pub fn detach() {
    // Fails when we lead a session already, which is what we want.
    let _ = rustix::process::setsid();
    let _ = std::env::set_current_dir("/");
}

/// Says that the agent listens, to whoever started it (`wire/start.rs`).
pub fn say_ready() {
    say(READY.as_bytes());
}

/// Says that another agent has the state and listens there.
pub fn say_ready_at(socket: &Path) {
    say(format!("{READY} {}", socket.display()).as_bytes());
}

/// Prints a text that was asked for; answers the exit code.
pub fn say_text(text: &str) -> u8 {
    let mut out = io::stdout();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    u8::from(written.is_err())
}

/// Says why the agent does not come up.
pub fn say_refusal(refusal: &Refusal) {
    say(&serde_json::to_vec(refusal).unwrap_or_default());
}

fn say(line: &[u8]) {
    let mut out = io::stdout();
    let _ = out
        .write_all(&[line, b"\n"].concat())
        .and_then(|()| out.flush());
}

/// Lets go of the standard streams: whoever started us may wait for their end.
///
/// # Errors
/// `/dev/null` can't be opened.
pub fn leave_streams() -> io::Result<()> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    Ok(())
}

/// Resolves when the system or a person wants the agent to end (SIGTERM, SIGINT). A hang-up is
/// ignored by then: it is the terminal's that we left.
///
/// # Errors
/// The handlers can't be installed. Needs a tokio runtime with I/O.
pub fn ending() -> io::Result<impl Future<Output = ()>> {
    let mut signals = ProcessSignals::take()?;
    Ok(async move { while signals.next().await != ProcessSignal::Stop {} })
}
