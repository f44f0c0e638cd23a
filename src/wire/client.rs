//! The blocking client of the agent.

use super::brief::Brief;
use super::buffer::{Buffer, Inbox};
use super::frame;
use super::message::{PROTOCOL, Reply, ReplyFrame, Request, RequestFrame, VERSION};
use super::socket_path::{NOT_OURS, SocketPath, Untrusted, shown};
use super::start;
use super::stream::{self, ConnectError, Stream};
use super::until::Until;
use interprocess::local_socket::traits::Stream as _;
use oam_model::refusal::{Refusal, RefusalCode};
use oam_model::system_error::reason;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use zeroize::Zeroize;

/// Longest wait for a place in the agent's backlog, and for it to take a request.
const SEND_LIMIT: Duration = Duration::from_secs(5);

/// A connection to the agent whose owner was checked (R14).
pub struct Client {
    stream: Stream,
    inbox: Inbox,
    agent_version: Option<String>,
    /// The socket, when it is not the one of the place that was asked for.
    elsewhere: Option<PathBuf>,
}

fn unreachable(sentence: impl Into<String>, next: impl Into<String>) -> Refusal {
    Refusal::new(RefusalCode::Unreachable, sentence, next)
}

fn not_running() -> Refusal {
    unreachable(
        "the agent is not running",
        "start it with `oam-agent`, or run `oam doctor`",
    )
}

impl Client {
    /// Connects to a running agent.
    ///
    /// # Errors
    /// [`RefusalCode::Unreachable`]: it does not run, its folder is open to others, or it is another user's.
    pub fn connect(place: &SocketPath) -> Result<Self, Refusal> {
        Self::try_connect(place)?.ok_or_else(not_running)
    }

    /// Connects, starting the agent that lies beside this program when none runs.
    /// `OAM_NO_AUTOSTART=1` in the environment keeps it from being started.
    ///
    /// # Errors
    /// As [`Self::connect`], and why the agent did not start.
    pub fn connect_or_start(place: &SocketPath) -> Result<Self, Refusal> {
        if let Some(client) = Self::try_connect(place)? {
            return Ok(client);
        }
        if std::env::var_os("OAM_NO_AUTOSTART").is_some_and(|value| value == "1") {
            return Err(not_running());
        }
        // Twice: the first start can find an agent that is just ending, and leave the place to it.
        for _ in 0..2 {
            let holder = start::start()?;
            if let Some(client) = Self::try_connect(place)? {
                return Ok(client);
            }
            // It found another agent with this state, where we do not know to look.
            let Some(place) = holder.as_deref().and_then(SocketPath::of_socket) else {
                continue;
            };
            if let Some(client) = Self::reach(&place)? {
                return Ok(client.found_at(place.socket));
            }
        }
        Err(not_running())
    }

    /// `None`: nobody listens there, nor where the holder of the state says, so one may be started.
    fn try_connect(place: &SocketPath) -> Result<Option<Self>, Refusal> {
        let here = Self::reach(place);
        if let Ok(Some(_)) = here {
            return here;
        }
        match place.elsewhere() {
            Some(there) => match Self::reach(&there) {
                Ok(Some(client)) => Ok(Some(client.found_at(there.socket))),
                _ => here,
            },
            None => here,
        }
    }

    fn found_at(mut self, socket: PathBuf) -> Self {
        self.elsewhere = Some(socket);
        self
    }

    /// The socket of the agent, when it listens elsewhere than where this environment says.
    pub fn elsewhere(&self) -> Option<&Path> {
        self.elsewhere.as_deref()
    }

    fn reach(place: &SocketPath) -> Result<Option<Self>, Refusal> {
        match place.check() {
            Ok(()) => {}
            Err(Untrusted::Missing) => return Ok(None),
            Err(Untrusted::Open(refusal)) => return Err(refusal),
        }
        match stream::connect(place, SEND_LIMIT) {
            Ok(stream) => Ok(Some(Self {
                stream,
                inbox: Inbox::new(),
                agent_version: None,
                elsewhere: None,
            })),
            Err(ConnectError::NotRunning) => Ok(None),
            Err(ConnectError::Foreign) => Err(unreachable(
                format!(
                    "the socket {} is served by another user",
                    shown(&place.socket)
                ),
                format!("nothing was sent; {NOT_OURS}"),
            )),
            Err(ConnectError::Fault(error)) => Err(unreachable(
                format!("the agent can't be reached: {}", reason(error.kind())),
                "try again, then run `oam doctor`",
            )),
        }
    }

    /// The agent's product version, known after its first reply.
    pub fn agent_version(&self) -> Option<&str> {
        self.agent_version.as_deref()
    }

    /// The version of an agent that is not ours, after its first reply.
    pub fn other_version(&self) -> Option<&str> {
        self.agent_version().filter(|version| *version != VERSION)
    }

    /// One request, one reply.
    ///
    /// # Errors
    /// [`RefusalCode::Unreachable`] when no reply came in time; another protocol by name.
    pub fn ask(&mut self, request: Request, deadline: Duration) -> Result<ReplyFrame, Refusal> {
        let until = Until::after(deadline);
        self.send(request)?;
        self.receive(until)
    }

    /// Sends a request whose replies are read with [`Self::next`].
    ///
    /// # Errors
    /// [`RefusalCode::BadRequest`] when it is too long for a frame, else [`RefusalCode::Unreachable`].
    pub fn send(&mut self, request: Request) -> Result<(), Refusal> {
        let bytes = frame::encode(&RequestFrame::new(request)).map_err(|fault| {
            Refusal::bad_request(format!("this can't be asked: {fault}"), "shorten the path")
        })?;
        self.stream
            .write_all(bytes.bytes())
            .map_err(|error| lost(&error))
    }

    /// The next reply. Without a deadline it waits for as long as the agent lives.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn next(&mut self, deadline: Option<Duration>) -> Result<ReplyFrame, Refusal> {
        self.receive(deadline.map_or_else(Until::ever, Until::after))
    }

    /// One request, one reply, read as a helper needs it.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn ask_brief(&mut self, request: Request, deadline: Duration) -> Result<Brief, Refusal> {
        let until = Until::after(deadline);
        self.send(request)?;
        let line = self.line(until)?;
        let read = frame::brief(line.bytes());
        let (brief, version) = read.map_err(|fault| fault.from_agent())?;
        self.agent_version = Some(version);
        Ok(brief)
    }

    fn receive(&mut self, until: Until) -> Result<ReplyFrame, Refusal> {
        let line = self.line(until)?;
        let frame = frame::reply(line.bytes()).map_err(|fault| fault.from_agent())?;
        self.agent_version = Some(frame.version.clone());
        Ok(frame)
    }

    fn line(&mut self, until: Until) -> Result<Buffer, Refusal> {
        loop {
            let line = self.inbox.next_line();
            if let Some(line) = line.map_err(|fault| fault.from_agent())? {
                return Ok(line);
            }
            self.fill(until).map_err(|error| lost(&error))?;
        }
    }

    /// Reads what there is into the inbox.
    fn fill(&mut self, until: Until) -> io::Result<()> {
        let left = until.left()?;
        if cfg!(unix) || left.is_none() {
            self.stream.set_recv_timeout(left)?;
        }
        let mut piece = [0; 2048]; // a reply with a signed token, whole
        let result = loop {
            match self.stream.read(&mut piece) {
                Ok(0) => break Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    self.inbox.take(&piece[..count]);
                    break Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        piece.zeroize();
        result
    }

    /// Asks this agent, of whatever version, to end, waits until it did, and starts and reaches
    /// the one beside this program.
    ///
    /// # Errors
    /// It has something in the works and stays ([`RefusalCode::Busy`] or its own words), or no new one came up.
    pub fn replace(mut self, place: &SocketPath, deadline: Duration) -> Result<Self, Refusal> {
        let until = Until::after(deadline);
        self.send(Request::Retire)?;
        // An answer of another protocol says no more than the end of the stream that follows it.
        let reply = self.receive(until).map(|frame| frame.reply);
        if let Ok(Reply::Refused { refusal, .. }) = reply {
            return Err(refusal);
        }
        loop {
            match self.fill(until) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => break,
                Err(error) => return Err(lost(&error)),
            }
        }
        Self::connect_or_start(place)
    }
}

fn lost(error: &io::Error) -> Refusal {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::TimedOut | Kind::WouldBlock => unreachable(
            "the agent did not answer in time",
            "try again; `oam status` shows what it waits for",
        ),
        Kind::UnexpectedEof | Kind::BrokenPipe | Kind::ConnectionReset => unreachable(
            "the agent closed the connection without an answer",
            "try again, then run `oam doctor`",
        ),
        other => unreachable(
            format!("the connection to the agent failed: {other} (protocol {PROTOCOL})"),
            "try again, then run `oam doctor`",
        ),
    }
}
