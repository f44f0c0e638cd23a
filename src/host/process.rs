//! What the agent does to itself: hardening, standard streams, signals (R16, R19, R23).

use oam_model::refusal::Refusal;
use oam_wire::start::READY;
use rustix::process::{Resource, Rlimit, setrlimit};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use tokio::signal::unix::{SignalKind, signal};

/// No memory of ours in a core file or under another process's hands, and no file of ours for
/// others. Before any secret is read, in the foreground too.
///
/// # Errors
/// The system refused one of it: the agent must not go on then.
pub fn harden() -> Result<(), Refusal> {
    let refused = |what: &str| {
        let what = what.to_owned();
        move |error: rustix::io::Errno| {
            Refusal::unavailable(
                format!(
                    "the agent can't protect its memory: {what}: {}",
                    io::Error::from(error).kind()
                ),
                "look for a sandbox that forbids it",
            )
        }
    };
    // A piped core_pattern ignores the limit; a process that is not dumpable is not piped either.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)
        .map_err(refused("not dumpable"))?;
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none).map_err(refused("no core file"))?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    Ok(())
}

/// Keeps all memory of this process out of swap, where its limit allows that (R17); `false`: it does
/// not. Only without a limit: with one, an allocation beyond it would fail later, and end the agent.
pub fn lock_memory() -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::mm::{MlockAllFlags, mlockall};
        let unlimited = rustix::process::getrlimit(Resource::Memlock)
            .current
            .is_none();
        // Pages are locked as they are touched: what is never used takes no memory.
        let all = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
        unlimited && mlockall(all).is_ok()
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    false
}

/// A panic says where, never what: its message could quote a value.
pub fn quiet_panics() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map_or_else(
            || "at an unknown place".to_owned(),
            |at| format!("at {}:{}", at.file(), at.line()),
        );
        let _ =
            io::stderr().write_all(format!("oam-agent: a fault of its own {place}\n").as_bytes());
    }));
}

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
    let mut term = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    // A file-size limit must be an error of the write (then nothing is granted), not our death.
    let too_large = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?;
    Ok(async move {
        let _held = too_large;
        loop {
            tokio::select! {
                _ = term.recv() => return,
                _ = interrupt.recv() => return,
                got = hangup.recv() => if got.is_none() { return },
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{harden, lock_memory};

    #[test]
    fn a_hardened_process_leaves_no_core_and_is_not_dumpable() {
        // In a process of its own: the other tests need theirs as it is.
        let ran = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "process::tests::hardened", "--ignored"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ran.stdout);
        assert!(ran.status.success(), "{said}");
        assert!(said.contains("1 passed"), "a test that has moved: {said}");
    }

    #[test]
    #[ignore = "run by the test above"]
    fn hardened() {
        harden().unwrap();
        let core = rustix::process::getrlimit(rustix::process::Resource::Core);
        assert_eq!((core.current, core.maximum), (Some(0), Some(0)));
        #[cfg(target_os = "linux")]
        assert!(matches!(
            rustix::process::dumpable_behavior(),
            Ok(rustix::process::DumpableBehavior::NotDumpable)
        ));
        #[cfg(target_os = "linux")]
        {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let limit = rustix::process::getrlimit(rustix::process::Resource::Memlock);
            let locked = lock_memory();
            assert!(
                !locked || limit.current.is_none(),
                "within a limit it would fail later"
            );
            let now = std::fs::read_to_string("/proc/self/status").unwrap();
            let line = |text: &str| {
                text.lines()
                    .find(|l| l.starts_with("VmLck"))
                    .map(String::from)
            };
            assert_eq!(locked, line(&status) != line(&now));
        }
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("x");
        std::fs::write(&path, "").unwrap();
        let mode = std::os::unix::fs::MetadataExt::mode(&path.metadata().unwrap());
        assert_eq!(mode & 0o777, 0o600);
    }
}
