//! The shipped binaries and git as separate processes: started, read line by line, ended.

use super::reporter::Failure;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// The programs that ship together.
const SHIPPED: [&str; 4] = ["oam", "oam-agent", "oam-issuer", "git-credential-oam"];
/// Longest run of one command.
pub const DEADLINE: Duration = Duration::from_secs(30);
/// How long output is still read after a process ended: a daemon that it started may hold the pipe.
const AFTERWARDS: Duration = Duration::from_millis(300);

/// The folder of the shipped binaries and the environment in which all processes run.
#[derive(Debug, Clone)]
pub struct Programs {
    folder: PathBuf,
    environment: Vec<(String, String)>,
}

/// A line that a process wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputLine {
    /// On standard output.
    Out(String),
    /// On standard error.
    Err(String),
}

impl OutputLine {
    pub fn text(&self) -> &str {
        match self {
            Self::Out(text) | Self::Err(text) => text,
        }
    }
}

/// A process that ended.
#[derive(Debug)]
pub struct Ran {
    /// The command, for people.
    pub command: String,
    /// Exit code; none: a signal.
    pub code: Option<i32>,
    /// Everything it wrote.
    pub lines: Vec<OutputLine>,
    /// How long it ran.
    pub took: Duration,
}

impl Ran {
    /// Standard output as one text.
    pub fn stdout(&self) -> String {
        let out = self.lines.iter().filter_map(|line| match line {
            OutputLine::Out(text) => Some(text.as_str()),
            OutputLine::Err(_) => None,
        });
        out.collect::<Vec<_>>().join("\n")
    }

    /// Standard error, line by line.
    pub fn stderr(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().filter_map(|line| match line {
            OutputLine::Err(text) => Some(text.as_str()),
            OutputLine::Out(_) => None,
        })
    }

    /// A failure that shows the command, how it ended and what it wrote.
    pub fn failure(&self, what: impl Into<String>) -> Failure {
        let code = self
            .code
            .map_or("a signal".to_owned(), |code| code.to_string());
        let head = format!("$ {}  (exit {code})", self.command);
        let lines = self.lines.iter().map(|line| line.text().to_owned());
        Failure {
            what: what.into(),
            details: std::iter::once(head).chain(lines).collect(),
        }
    }

    /// Itself, if it exited with `code`.
    ///
    /// # Errors
    /// [`Self::failure`] with `what`.
    pub fn expect(self, code: i32, what: &str) -> Result<Self, Failure> {
        if self.code == Some(code) {
            Ok(self)
        } else {
            Err(self.failure(what))
        }
    }
}

/// A process that runs; dropping it kills it.
pub struct Running {
    child: Child,
    command: String,
    began: Instant,
    lines: UnboundedReceiver<OutputLine>,
    seen: Vec<OutputLine>,
    /// The readers of its output. They end with this, so that whoever still writes gets a broken
    /// pipe: grandchildren do not outlive a demo that was stopped.
    _readers: JoinSet<()>,
}

impl Programs {
    /// Those beside this program.
    ///
    /// # Errors
    /// Names the one that is not there.
    pub fn beside_us(environment: Vec<(String, String)>) -> Result<Self, Failure> {
        let us = std::env::current_exe()
            .ok()
            .and_then(|us| us.parent().map(Path::to_path_buf));
        let folder = us.ok_or_else(|| Failure::new("this program can't tell where it lies"))?;
        Self::in_folder(folder, environment)
    }

    /// Those in `folder`.
    ///
    /// # Errors
    /// Names the one that is not there.
    pub fn in_folder(folder: PathBuf, environment: Vec<(String, String)>) -> Result<Self, Failure> {
        let programs = Self {
            folder,
            environment,
        };
        for name in SHIPPED {
            let path = programs.path(name);
            if !path.is_file() {
                let path = path.display();
                let text = format!(
                    "{path} is missing: a demo needs all programs in one folder, so install the package oam-issuer, too, or unpack both tarballs there"
                );
                return Err(Failure::new(text));
            }
        }
        Ok(programs)
    }

    /// The same programs in another environment.
    #[must_use]
    pub fn with_environment(&self, environment: Vec<(String, String)>) -> Self {
        Self {
            folder: self.folder.clone(),
            environment,
        }
    }

    /// Where they lie.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The environment of every process.
    pub fn environment(&self) -> &[(String, String)] {
        &self.environment
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder
            .join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
    }

    /// Starts a program in `folder`; a shipped one is taken from beside us, others from PATH.
    ///
    /// # Errors
    /// It can't be started.
    pub fn start(&self, folder: &Path, program: &str, args: &[&str]) -> Result<Running, Failure> {
        let path = if SHIPPED.contains(&program) {
            self.path(program)
        } else {
            program.into()
        };
        let shown = args
            .iter()
            .map(|arg| shown(arg))
            .collect::<Vec<_>>()
            .join(" ");
        let command = format!("{program} {shown}");
        let mut child = Command::new(path)
            .args(args)
            .current_dir(folder)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Failure::new(format!("{program} can't be started: {error}")))?;
        let (sender, lines) = unbounded_channel();
        let mut readers = JoinSet::new();
        if let Some(out) = child.stdout.take() {
            readers.spawn(read_lines(out, OutputLine::Out, sender.clone()));
        }
        if let Some(err) = child.stderr.take() {
            readers.spawn(read_lines(err, OutputLine::Err, sender));
        }
        Ok(Running {
            child,
            command,
            began: Instant::now(),
            lines,
            seen: Vec::new(),
            _readers: readers,
        })
    }

    /// Runs a program to its end.
    ///
    /// # Errors
    /// It can't be started, or does not end within [`DEADLINE`].
    pub async fn run(&self, folder: &Path, program: &str, args: &[&str]) -> Result<Ran, Failure> {
        self.start(folder, program, args)?.end(DEADLINE).await
    }
}

/// A whole script is of no use in a line of output.
fn shown(arg: &str) -> &str {
    if arg.contains('\n') { "…" } else { arg }
}

async fn read_lines<R>(from: R, kind: fn(String) -> OutputLine, to: UnboundedSender<OutputLine>)
where
    R: AsyncRead + Unpin + Send + 'static,
{
    let mut reader = BufReader::new(from);
    let mut bytes = Vec::new();
    // By bytes, not as text: one letter that is not UTF-8 must not end the reading.
    while reader
        .read_until(b'\n', &mut bytes)
        .await
        .is_ok_and(|read| read > 0)
    {
        let text = String::from_utf8_lossy(&bytes);
        if to
            .send(kind(text.trim_end_matches(['\r', '\n']).to_owned()))
            .is_err()
        {
            return;
        }
        bytes.clear();
    }
}

impl Running {
    /// Reads on until `pick` finds what it looks for. `None`: the output ended without it.
    ///
    /// # Errors
    /// Nothing was found within `limit`; the failure shows what was written.
    pub async fn until<T>(
        &mut self,
        limit: Duration,
        what: &str,
        mut pick: impl FnMut(&OutputLine) -> Option<T>,
    ) -> Result<Option<T>, Failure> {
        let ends = tokio::time::Instant::now() + limit;
        loop {
            match tokio::time::timeout_at(ends, self.lines.recv()).await {
                Ok(Some(line)) => {
                    let found = pick(&line);
                    self.seen.push(line);
                    if found.is_some() {
                        return Ok(found);
                    }
                }
                Ok(None) => return Ok(None),
                Err(_) => return Err(self.late(what, limit)),
            }
        }
    }

    /// Waits for the end of the process.
    ///
    /// # Errors
    /// It does not end within `limit`: it is killed then.
    pub async fn end(mut self, limit: Duration) -> Result<Ran, Failure> {
        let Ok(status) = timeout(limit, self.exit()).await else {
            return Err(self.late("it did not end", limit));
        };
        let status = status
            .map_err(|error| Failure::new(format!("`{}` was lost: {error}", self.command)))?;
        let took = self.began.elapsed();
        while let Ok(Some(line)) = timeout(AFTERWARDS, self.lines.recv()).await {
            self.seen.push(line);
        }
        Ok(Ran {
            command: self.command,
            code: status.code(),
            lines: self.seen,
            took,
        })
    }

    async fn exit(&mut self) -> std::io::Result<std::process::ExitStatus> {
        loop {
            tokio::select! {
                status = self.child.wait() => return status,
                Some(line) = self.lines.recv() => self.seen.push(line),
            }
        }
    }

    fn late(&self, what: &str, limit: Duration) -> Failure {
        let head = format!("$ {}  (still running)", self.command);
        let lines = self.seen.iter().map(|line| line.text().to_owned());
        Failure {
            what: format!("{what} within {} s", limit.as_secs()),
            details: std::iter::once(head).chain(lines).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{DEADLINE, OutputLine, Programs};
    use std::path::Path;
    use std::time::Duration;

    fn programs() -> Programs {
        let path = ("PATH".to_owned(), std::env::var("PATH").unwrap());
        Programs {
            folder: "/nonexistent".into(),
            environment: vec![path],
        }
    }

    #[tokio::test]
    async fn output_and_exit_code_are_kept_and_the_environment_is_ours_alone() {
        let script = "echo one; echo two >&2; echo ${HOME-none}; exit 7";
        let ran = programs()
            .run(Path::new("/"), "sh", &["-c", script])
            .await
            .unwrap();
        assert_eq!((ran.code, ran.stdout().as_str()), (Some(7), "one\nnone"));
        assert_eq!(ran.stderr().collect::<Vec<_>>(), ["two"]);
        let failure = ran.expect(0, "it failed").unwrap_err();
        assert!(failure.details[0].ends_with("(exit 7)") && failure.details.len() == 4);
    }

    #[tokio::test]
    async fn a_daemon_that_keeps_the_pipe_open_does_not_hold_us() {
        let script = "sleep 60 & echo $!";
        let ran = programs()
            .run(Path::new("/"), "sh", &["-c", script])
            .await
            .unwrap();
        assert_eq!(ran.code, Some(0));
        let pid = ran.stdout();
        programs()
            .run(Path::new("/"), "kill", &[&pid])
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn a_line_is_seen_while_the_process_still_runs() {
        let mut running = programs()
            .start(Path::new("/"), "sh", &["-c", "echo ready; exec sleep 60"])
            .unwrap();
        let ready = |line: &OutputLine| (line.text() == "ready").then_some(());
        assert_eq!(
            running
                .until(DEADLINE, "no line came", ready)
                .await
                .unwrap(),
            Some(())
        );
        let failure = running.end(Duration::from_millis(1)).await.unwrap_err();
        assert!(failure.details.contains(&"ready".to_owned()));
    }

    #[test]
    fn a_missing_program_is_named() {
        let folder = tempfile::TempDir::new().unwrap();
        for name in ["oam", "oam-issuer", "git-credential-oam"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let failure = Programs::in_folder(folder.path().to_path_buf(), Vec::new()).unwrap_err();
        assert!(
            failure.what.contains("oam-agent is missing"),
            "{}",
            failure.what
        );
    }
}
