//! What differs between systems, for the command line: signals, groups, permissions, file systems.
//!
//! `host/` has the agent's. This one talks to the agent like anybody else.

#[cfg(not(unix))]
pub use other::{
    SignalForwarder, access_folder, access_options, become_program, before_end, end_as,
    is_in_foreground, is_runnable, own_group,
};
#[cfg(unix)]
pub use unix::{
    SignalForwarder, access_folder, access_options, become_program, before_end, end_as,
    is_in_foreground, is_runnable, own_group,
};

use std::path::Path;

/// Who may do what with a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileAccess {
    /// As the umask says.
    Usual,
    /// Nobody else reads it, nor its folder (R18).
    Private,
    Program,
}

/// Whether a folder lies in memory; the nearest one above that exists counts. `None`: not known.
#[cfg(target_os = "linux")]
pub fn is_in_memory(folder: &Path) -> Option<bool> {
    /// Magic numbers of tmpfs and ramfs, as statfs(2) lists them.
    const MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58f6];
    let there = folder.ancestors().find(|path| path.exists())?;
    let about = rustix::fs::statfs(there).ok()?;
    Some(MEMORY.contains(&u64::try_from(about.f_type).ok()?))
}

/// Whether a folder lies in memory. No such system is known to have one.
#[cfg(not(target_os = "linux"))]
pub fn is_in_memory(_folder: &Path) -> Option<bool> {
    None
}

/// Keeps what the command starts below this process, also where whoever started it has ended (`PR_SET_CHILD_SUBREAPER`,
/// prctl(2)): by the process tree a gateway knows who may use it. Those that end leave an entry in the process table
/// until this process ends.
#[cfg(target_os = "linux")]
pub fn keep_descendants() {
    // Where that fails, a process that was left behind is refused as a stranger.
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
}

/// No other system tells whose a connection is.
#[cfg(not(target_os = "linux"))]
pub fn keep_descendants() {}

#[cfg(unix)]
mod unix {
    use super::FileAccess;
    use rustix::process::{
        Pid, Resource, Rlimit, Signal, WaitId, WaitIdOptions, kill_process, setrlimit, waitid,
    };
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
    use signal_hook::iterator::Signals;
    use std::fs::{DirBuilder, Metadata, OpenOptions};
    use std::io::{self, IsTerminal};
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
    use std::os::unix::process::{CommandExt, ExitStatusExt};
    use std::process::{Child, Command, ExitStatus};
    use std::sync::{Arc, Mutex, PoisonError};
    use std::thread;

    /// Replaces this process by the program; what it answers is why that could not be.
    pub fn become_program(mut command: Command) -> io::Result<u8> {
        Err(command.exec())
    }

    /// Signals that we outlive and pass on. `SIGTSTP` and `SIGWINCH` keep their defaults: the
    /// terminal sends them to the whole group.
    const PASSED_ON: [i32; 6] = [SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGINT, SIGQUIT];

    /// Catches signals from before the child is there until it is gone.
    pub struct SignalForwarder {
        signals: Option<Signals>,
    }

    impl SignalForwarder {
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

    /// Calls `last` when a signal is about to end this process, then ends by it. Until this process
    /// ends otherwise.
    pub fn before_end(last: impl FnOnce() + Send + 'static) {
        let Ok(mut signals) = Signals::new([SIGINT, SIGTERM, SIGHUP]) else {
            return;
        };
        thread::spawn(move || {
            if let Some(number) = signals.forever().next() {
                last();
                let _ = signal_hook::low_level::emulate_default_handler(number);
            }
        });
    }

    /// Whether what is typed at the terminal comes to this process: one in the background is stopped when it reads.
    /// Where the system has no such file (macOS), yes.
    pub fn is_in_foreground() -> bool {
        let about = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        foreground(&about).unwrap_or(true)
    }

    /// `PID (NAME) STATE PARENT GROUP SESSION TERMINAL FOREGROUND-GROUP …`; a name can hold anything.
    fn foreground(about: &str) -> Option<bool> {
        let (_, rest) = about.rsplit_once(')')?;
        let mut words = rest.split_whitespace();
        let group = words.nth(2)?;
        Some(words.nth(2)? == group)
    }

    /// Puts a program into a group of its own: Ctrl-C at our terminal does not reach it.
    pub fn own_group(command: &mut Command) {
        command.process_group(0);
    }

    /// Options that make a new file with this access.
    pub fn access_options(access: FileAccess) -> OpenOptions {
        let mut options = OpenOptions::new();
        options.mode(match access {
            FileAccess::Usual => 0o666,
            FileAccess::Private => 0o600,
            FileAccess::Program => 0o777,
        });
        options
    }

    /// A builder of folders for files with this access.
    pub fn access_folder(access: FileAccess) -> DirBuilder {
        let mut builder = DirBuilder::new();
        if access == FileAccess::Private {
            builder.mode(0o700);
        }
        builder
    }

    /// Whether anybody may run this file.
    pub fn is_runnable(about: &Metadata) -> bool {
        about.is_file() && about.permissions().mode() & 0o111 != 0
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
        use super::{bit, foreground, set_of};
        use signal_hook::consts::SIGHUP;

        #[test]
        fn a_program_in_the_background_is_known() {
            let about = |front: &str| format!("7 (a) b) c) S 1 7 7 34816 {front} 4194304 1");
            assert_eq!(foreground(&about("7")), Some(true));
            assert_eq!(foreground(&about("9")), Some(false));
            assert_eq!(foreground("nothing"), None);
        }

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
mod other {
    use super::FileAccess;
    use std::fs::{DirBuilder, Metadata, OpenOptions};
    use std::io;
    use std::process::{Child, Command, ExitStatus};

    /// Runs the program in place of this one and answers its exit code.
    pub fn become_program(mut command: Command) -> io::Result<u8> {
        let code = command.status()?.code();
        Ok(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
    }

    /// Nothing to pass on here: the console tells every process of its group.
    pub struct SignalForwarder;

    impl SignalForwarder {
        pub fn begin() -> Self {
            Self
        }

        /// Waits for the child.
        pub fn wait(self, child: &mut Child) -> io::Result<ExitStatus> {
            child.wait()
        }
    }

    /// The console ends programs without a word here.
    pub fn before_end(_last: impl FnOnce() + Send + 'static) {}

    /// No child ends by a signal here.
    pub fn end_as(_status: ExitStatus) -> u8 {
        1
    }

    /// The console gives what is typed to whoever reads.
    pub fn is_in_foreground() -> bool {
        true
    }

    /// Groups are the console's matter here.
    pub fn own_group(_command: &mut Command) {}

    /// Options that make a new file; the access list of its folder holds for it.
    pub fn access_options(_access: FileAccess) -> OpenOptions {
        OpenOptions::new()
    }

    /// A builder of folders; the access list of the folder above holds for them.
    pub fn access_folder(_access: FileAccess) -> DirBuilder {
        DirBuilder::new()
    }

    /// Whether this is a file; its name says whether it can be run.
    pub fn is_runnable(about: &Metadata) -> bool {
        about.is_file()
    }
}
