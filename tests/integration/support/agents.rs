//! The agents of a world, found without asking them: a question would start one.

use super::wait::until;
use super::world::{World, alive};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// What lets another process see what an agent did: a kill between two of these calls leaves the
/// same behind as a kill at the second of them.
const SEEN_FROM_OUTSIDE: &str = "?open,openat,write,writev,?pwrite64,sendto,sendmsg,recvfrom,recvmsg,connect,accept4,bind,listen,\
     shutdown,fsync,fdatasync,?rename,?renameat,?renameat2,?unlink,unlinkat,?mkdir,mkdirat,ftruncate,?chmod,fchmod";

impl World {
    /// Process ids of all agents of this home that run.
    pub fn agents(&self) -> Vec<i64> {
        let ours = format!("HOME={}", self.home.display());
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let Ok(pid) = entry.file_name().to_string_lossy().parse::<i64>() else {
                continue;
            };
            let name = std::fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            let environ = std::fs::read(entry.path().join("environ")).unwrap_or_default();
            if name.trim() == "oam-agent"
                && environ.split(|b| *b == 0).any(|v| v == ours.as_bytes())
                && alive(pid)
            {
                found.push(pid);
            }
        }
        found
    }

    /// Kills every agent of this home, without a word to it, and waits until they are gone.
    pub fn kill_agents(&self) {
        for pid in self.agents() {
            let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
        }
        // A zombie's threads still hold its socket for a moment; the lock goes with the last of them.
        until("the agents to be gone", Duration::from_secs(10), || {
            let lock = File::open(self.runtime.join("oam/agent.lock"));
            let free = lock.map_or(true, |lock| lock.try_lock().is_ok());
            (free && self.agents().is_empty()).then_some(())
        });
    }

    /// The file under which the session is sealed.
    pub fn sealed(&self) -> Vec<u8> {
        std::fs::read(self.state().join("sealed")).unwrap_or_default()
    }

    /// The durable record of ended sessions.
    pub fn tombstones(&self) -> String {
        std::fs::read_to_string(self.state().join("tombstones.json")).unwrap_or_default()
    }
}

/// strace on a running agent: notes its calls, or kills it at the entry of one.
pub struct Trap {
    strace: Child,
    stderr: BufReader<File>,
    agent: i64,
}

impl Trap {
    /// Kills `agent` when it enters `call` for the `nth` time from now on. (strace counts each
    /// system call by itself.)
    pub fn set(agent: i64, call: &str, nth: usize) -> Self {
        let inject = format!("inject={call}:signal=KILL:when={nth}");
        Self::attach(
            agent,
            &[
                "-o",
                "/dev/null",
                "-e",
                &format!("trace={call}"),
                "-e",
                &inject,
            ],
        )
    }

    /// Writes the calls of `agent` that others can see to `file`.
    pub fn note(agent: i64, file: &Path) -> Self {
        let trace = format!("trace={SEEN_FROM_OUTSIDE}");
        Self::attach(agent, &["-o", file.to_str().unwrap(), "-e", &trace])
    }

    fn attach(agent: i64, args: &[&str]) -> Self {
        let mut strace = Command::new("strace")
            .arg("-f")
            .args(args)
            .args(["-p", &agent.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("strace (package strace)");
        let descriptor = std::os::fd::OwnedFd::from(strace.stderr.take().unwrap());
        let mut stderr = BufReader::new(File::from(descriptor));
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        assert!(line.contains("attached"), "{line}");
        Self {
            strace,
            stderr,
            agent,
        }
    }

    /// The agent in the trap.
    pub const fn agent(&self) -> i64 {
        self.agent
    }

    /// Takes the trap away from an agent that lives on, so that all was written down.
    pub fn release(mut self) {
        let _ = Command::new("kill")
            .args(["-INT", &self.strace.id().to_string()])
            .status();
        let _ = self.stderr.read_to_end(&mut Vec::new());
        let _ = self.strace.wait();
    }
}

impl Drop for Trap {
    fn drop(&mut self) {
        let _ = self.strace.kill();
        let _ = self.strace.wait();
    }
}

/// How often each call stands in a file of [`Trap::note`].
pub fn calls(file: &Path) -> BTreeMap<String, usize> {
    let mut calls = BTreeMap::new();
    for line in std::fs::read_to_string(file).unwrap().lines() {
        let call = line.split_once(' ').map_or("", |(_, rest)| rest.trim());
        let name = call.split('(').next().unwrap_or_default();
        if call.contains('(')
            && name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        {
            *calls.entry(name.to_owned()).or_default() += 1;
        }
    }
    calls
}
