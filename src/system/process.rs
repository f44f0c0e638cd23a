//! What a program of ours does to itself: hardening, panics, signals (R16, R17).

use oam_model::refusal::Refusal;
use rustix::process::{Resource, Rlimit, setrlimit};
use std::fs::File;
use std::io::{self, Write};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// No memory of ours in a core file or under another process's hands, and no file of ours for
/// others. Before any key or token is read, in the foreground too. `who`: as a refusal names
/// the program, "the agent".
///
/// # Errors
/// The system refused one of it: the program must not go on then.
pub fn harden(who: &str) -> Result<(), Refusal> {
    let refused = |what: &'static str| {
        let who = who.to_owned();
        move |error: rustix::io::Errno| {
            Refusal::unavailable(
                format!(
                    "{who} can't protect its memory: {what}: {}",
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
pub fn quiet_panics(program: &'static str) {
    std::panic::set_hook(Box::new(move |info| {
        let place = info.location().map_or_else(
            || "at an unknown place".to_owned(),
            |at| format!("at {}:{}", at.file(), at.line()),
        );
        let _ =
            io::stderr().write_all(format!("{program}: a fault of its own {place}\n").as_bytes());
    }));
}

/// A panic is the end of this process at once and without a word, however the program was built: for one that reads
/// what strangers wrote by a library that panics, and whose end is its answer.
pub fn abort_at_panics() {
    std::panic::set_hook(Box::new(|_| std::process::abort()));
}

/// This process gets no more memory than so many bytes; beyond it an allocation fails, which ends it.
///
/// # Errors
/// The system refused it.
pub fn limit_memory(bytes: u64) -> io::Result<()> {
    // What is written to: threads' stacks and the allocator's arenas, and not the program's text.
    let limit = Rlimit {
        current: Some(bytes),
        maximum: Some(bytes),
    };
    Ok(setrlimit(Resource::Data, limit)?)
}

/// The standard input without a buffer of its own: what is read of it is nowhere else.
///
/// # Errors
/// It is closed.
pub fn plain_input() -> io::Result<File> {
    use std::os::fd::AsFd as _;
    Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?))
}

/// The signals that a server heeds.
pub struct ProcessSignals {
    term: Signal,
    interrupt: Signal,
    hangup: Signal,
    // A file-size limit must be an error of the write (then nothing is granted), not our death.
    _too_large: Signal,
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessSignal {
    /// SIGTERM, SIGINT: end in order.
    Stop,
    /// SIGHUP: read the settings again.
    Reload,
}

impl ProcessSignals {
    /// Takes the handlers over.
    ///
    /// # Errors
    /// The handlers can't be installed. Needs a tokio runtime with I/O.
    pub fn take() -> io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            _too_large: signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?,
        })
    }

    /// The next signal.
    pub async fn next(&mut self) -> ProcessSignal {
        tokio::select! {
            _ = self.term.recv() => ProcessSignal::Stop,
            _ = self.interrupt.recv() => ProcessSignal::Stop,
            _ = self.hangup.recv() => ProcessSignal::Reload,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{abort_at_panics, harden, limit_memory, lock_memory};

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

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_whose_memory_is_limited_ends_beyond_it_and_so_it_does_at_a_panic() {
        use std::os::unix::process::ExitStatusExt as _;
        for (name, aborts) in [
            ("limited_beyond", true),
            ("panicking", true),
            ("limited_within", false),
        ] {
            let ran = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", &format!("process::tests::{name}"), "--ignored"])
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&ran.stdout);
            // SIGABRT.
            assert_eq!(ran.status.signal() == Some(6), aborts, "{name}: {said}");
            assert_eq!(said.contains("1 passed"), !aborts, "{name}: {said}");
        }
    }

    /// Memory that is written to, so that nobody leaves it out.
    fn taken(mebibytes: usize) -> usize {
        let all = vec![1u8; mebibytes << 20];
        std::hint::black_box(&all).len()
    }

    #[test]
    #[ignore = "run by the test above"]
    fn limited_beyond() {
        limit_memory(256 << 20).unwrap();
        taken(300);
    }

    #[test]
    #[ignore = "run by the test above"]
    fn limited_within() {
        limit_memory(256 << 20).unwrap();
        taken(100);
    }

    #[test]
    #[ignore = "run by the test above"]
    fn panicking() {
        abort_at_panics();
        let none: Option<u8> = std::hint::black_box(None);
        none.unwrap();
    }

    #[test]
    #[ignore = "run by the test above"]
    fn hardened() {
        harden("the test").unwrap();
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
