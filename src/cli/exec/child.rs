//! The child: found, started, signalled, waited for; its status becomes ours.

use crate::cli::places;
use crate::cli::show::Show;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, ExitStatus};

/// As shells have it: the command is not there.
const NOT_FOUND: u8 = 127;
/// As shells have it: the command can't be run.
const NOT_RUNNABLE: u8 = 126;

/// Looks whether the command can be started, and tells if not.
///
/// # Errors
/// The exit code of a shell in the same case.
pub fn find(show: &Show, program: &OsStr) -> Result<(), u8> {
    let path = Path::new(program);
    let by_path = path.components().count() > 1;
    let found = if by_path {
        path.exists()
    } else {
        program.to_str().is_none_or(places::is_on_path)
    };
    if found {
        return Ok(());
    }
    tell(show, program, ErrorKind::NotFound);
    Err(NOT_FOUND)
}

/// Runs `command` to its end; `after` is called once it is gone or could not be started.
pub fn run(show: &Show, mut command: Command, after: impl FnOnce()) -> u8 {
    let watch = signals::Watch::begin();
    let spawned = command.spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => {
            after();
            tell(show, command.get_program(), error.kind());
            return if error.kind() == ErrorKind::NotFound {
                NOT_FOUND
            } else {
                NOT_RUNNABLE
            };
        }
    };
    // The variables with the token lie in here.
    drop(command);
    let status = watch.wait(&mut child);
    after();
    match status {
        Ok(status) => code(status),
        Err(error) => {
            show.say(format!(
                "the command's end could not be seen: {}",
                error.kind()
            ));
            1
        }
    }
}

fn tell(show: &Show, program: &OsStr, kind: ErrorKind) {
    let name = program.to_string_lossy();
    if kind == ErrorKind::NotFound {
        show.say(format!("the command {name} is not there"));
        show.next("check its spelling and PATH");
    } else {
        show.say(format!("the command {name} can't be run: {kind}"));
        show.next("check that it is a program and that you may run it");
    }
}

/// The exit code; a child that a signal ended ends us by the same signal, so that whoever started
/// us sees the same.
fn code(status: ExitStatus) -> u8 {
    if let Some(code) = status.code() {
        return u8::try_from(code).unwrap_or(1);
    }
    signals::end_as(status)
}

#[cfg(unix)]
mod signals {
    use rustix::process::{
        Pid, Resource, Rlimit, Signal, WaitId, WaitIdOptions, kill_process, setrlimit, waitid,
    };
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
    use signal_hook::iterator::Signals;
    use std::io::{self, IsTerminal};
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Child, ExitStatus};
    use std::sync::{Arc, Mutex, PoisonError};
    use std::thread;

    /// Signals that we outlive and pass on. `SIGTSTP` and `SIGWINCH` keep their defaults: the
    /// terminal sends them to the whole group.
    const PASSED_ON: [i32; 6] = [SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGINT, SIGQUIT];

    /// Catches signals from before the child is there until it is gone.
    pub struct Watch {
        signals: Option<Signals>,
    }

    impl Watch {
        /// Begins to catch. A signal that was ignored when we came (`nohup`, a shell's background
        /// job) is left so: a handler would become the default in the child.
        pub fn begin() -> Self {
            let ignored = ignored();
            let list = PASSED_ON
                .into_iter()
                .filter(|signal| ignored & bit(*signal) == 0);
            Self {
                signals: Signals::new(list).ok(),
            }
        }

        /// Waits for the child and passes signals on meanwhile.
        pub fn wait(self, child: &mut Child) -> io::Result<ExitStatus> {
            let pid = Pid::from_child(child);
            let target = Arc::new(Mutex::new(Some(pid)));
            if let Some(signals) = self.signals {
                pass_on(signals, Arc::clone(&target));
            }
            // Seen, not reaped: its number can't be given to another process while somebody may
            // still signal it.
            while let Err(fault) = waitid(
                WaitId::Pid(pid),
                WaitIdOptions::EXITED | WaitIdOptions::NOWAIT,
            ) {
                if fault != rustix::io::Errno::INTR {
                    break;
                }
            }
            *target.lock().unwrap_or_else(PoisonError::into_inner) = None;
            child.wait()
        }
    }

    fn pass_on(mut signals: Signals, target: Arc<Mutex<Option<Pid>>>) {
        // The terminal sends these two to the whole group: passing them on would double them.
        let at_terminal = io::stdin().is_terminal() || io::stderr().is_terminal();
        thread::spawn(move || {
            for number in signals.forever() {
                if at_terminal && matches!(number, SIGINT | SIGQUIT) {
                    continue;
                }
                let held = target.lock().unwrap_or_else(PoisonError::into_inner);
                if let (Some(pid), Some(signal)) = (*held, Signal::from_named_raw(number)) {
                    // A child that is just gone needs no signal.
                    let _ = kill_process(pid, signal);
                }
            }
        });
    }

    const fn bit(signal: i32) -> u64 {
        1 << (signal - 1)
    }

    /// Signals ignored by this process, as a set. Where the system has no such file (macOS), none.
    fn ignored() -> u64 {
        std::fs::read_to_string("/proc/self/status")
            .ok()
            .and_then(|text| set_of(&text))
            .unwrap_or(0)
    }

    fn set_of(status: &str) -> Option<u64> {
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("SigIgn:"))?;
        u64::from_str_radix(line.trim(), 16).ok()
    }

    /// Ends this process by the signal that ended the child; if that fails, as a shell would.
    pub fn end_as(status: ExitStatus) -> u8 {
        let number = status.signal().unwrap_or(0);
        // The child has left its own core, where it may; ours would hold the token.
        let none = Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        let _ = setrlimit(Resource::Core, none);
        let _ = signal_hook::low_level::emulate_default_handler(number);
        u8::try_from(128 + number).unwrap_or(1)
    }

    #[cfg(test)]
    mod tests {
        use super::{bit, set_of};
        use signal_hook::consts::SIGHUP;

        #[test]
        fn ignored_signals_are_read_from_the_systems_own_words() {
            let status = "Name:\toam\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n";
            let set = set_of(status).unwrap();
            assert_ne!(set & bit(SIGHUP), 0);
            assert_eq!(set & bit(signal_hook::consts::SIGTERM), 0);
            assert_eq!(set_of("nothing"), None);
        }
    }
}

#[cfg(not(unix))]
mod signals {
    use std::io;
    use std::process::{Child, ExitStatus};

    /// Nothing to pass on here: the console tells every process of its group.
    pub struct Watch;

    impl Watch {
        /// Begins.
        pub fn begin() -> Self {
            Self
        }

        /// Waits for the child.
        pub fn wait(self, child: &mut Child) -> io::Result<ExitStatus> {
            child.wait()
        }
    }

    /// No child ends by a signal here.
    pub fn end_as(_status: ExitStatus) -> u8 {
        1
    }
}
