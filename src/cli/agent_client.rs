//! The connection to the agent, for all commands.

use oam_model::refusal::{Refusal, RefusalCode};
use oam_terminal::{Show, Talk};
use oam_wire::client::Client;
use oam_wire::message::{Reply, ReplyFrame, Request, VERSION};
use oam_wire::socket_path::SocketPath;
use std::time::Duration;

/// How long one answer may take: a proof on ask and an exchange lie in it.
pub const ANSWER: Duration = Duration::from_mins(1);

/// How long an old agent may take to leave.
const RETIRE: Duration = Duration::from_secs(5);

/// What to do about an agent of another version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtherVersion {
    /// Name it, and have it replaced when it is idle.
    Replace,
    /// Name it only: the command is in somebody's script and must not cost a restart.
    Name,
}

/// A connection.
pub struct AgentClient {
    client: Client,
    talk: Talk,
}

impl AgentClient {
    /// Connects, starts the agent where needed, and deals with one of another version.
    pub fn open(show: &Show, other: OtherVersion) -> Result<Self, Refusal> {
        let place = SocketPath::find()?;
        let talk = show.talk();
        let _starting = talk.waiting("the agent");
        let (mut client, mut hello) = greet(&place)?;
        if matches!(&hello, Err(refusal) if refusal.code == RefusalCode::Unreachable) {
            // An agent that is just ending still takes connections. Once more: this starts another.
            (client, hello) = greet(&place)?;
        }
        let Some(version) = client.other_version() else {
            return hello.map(|_| Self { client, talk });
        };
        let note = format!("the agent is version {version}, this is version {VERSION}");
        if other == OtherVersion::Name {
            show.say(note);
            return hello.map(|_| Self { client, talk });
        }
        let client = replace(show, &place, client, &note)?;
        Ok(Self { client, talk })
    }

    /// Reaches the agent once more after the connection was lost, whatever its version.
    pub fn again(talk: Talk) -> Result<Self, Refusal> {
        let client = Client::connect_or_start(&SocketPath::find()?)?;
        Ok(Self { client, talk })
    }

    /// Who is told what is waited for.
    pub const fn talk(&self) -> Talk {
        self.talk
    }

    /// One request, one reply; a refusal is the error.
    pub fn ask(&mut self, request: Request) -> Result<Reply, Refusal> {
        let _waiting = self.talk.waiting(awaited(&request));
        settled(self.client.ask(request, ANSWER)?)
    }

    /// Sends a request with several replies.
    pub fn send(&mut self, request: Request) -> Result<(), Refusal> {
        self.client.send(request)
    }

    /// The next reply; a refusal is the error.
    pub fn next(&mut self, deadline: Option<Duration>) -> Result<Reply, Refusal> {
        let _waiting = deadline.map(|_| self.talk.waiting(TOKEN));
        settled(self.client.next(deadline)?)
    }
}

const TOKEN: &str = "the token, for which the agent asks the identity provider and the issuer";

/// Who keeps the person waiting when the answer takes long.
const fn awaited(request: &Request) -> &'static str {
    match request {
        Request::Get { .. } | Request::Follow { .. } => TOKEN,
        Request::Logout { .. } => {
            "the identity provider and the issuer, which are told of the sign-out"
        }
        Request::Roles | Request::Why { .. } => "the issuer, which the agent asks for your roles",
        Request::Organization { .. } => "the issuer",
        Request::Login { .. } | Request::Provider { .. } | Request::Status { proof: true } => {
            "the identity provider"
        }
        Request::Erase { .. }
        | Request::Watch { .. }
        | Request::Serving { .. }
        | Request::Served { .. }
        | Request::Status { proof: false }
        | Request::Anchor
        | Request::AcknowledgeLog
        | Request::Reload
        | Request::Retire => "the agent",
    }
}

/// Connects and asks for the head of the log: the cheapest question, and every answer carries the
/// version, also the one that is refused because its protocol is another.
fn greet(place: &SocketPath) -> Result<(Client, Result<ReplyFrame, Refusal>), Refusal> {
    let mut client = Client::connect_or_start(place)?;
    let hello = client.ask(Request::Anchor, ANSWER);
    Ok((client, hello))
}

/// Has the agent replaced by ours; one that is busy stays.
fn replace(show: &Show, place: &SocketPath, old: Client, note: &str) -> Result<Client, Refusal> {
    let refusal = match old.replace(place, RETIRE) {
        Ok(client) => {
            show.say(format!("{note}; it was replaced"));
            return Ok(client);
        }
        Err(refusal) => refusal,
    };
    if refusal.code == RefusalCode::Unreachable {
        return Err(refusal);
    }
    show.say(format!("{note}; it stays for now: {}", refusal.sentence));
    Client::connect_or_start(place)
}

/// A reply, or the refusal that it carries.
pub fn settled(frame: ReplyFrame) -> Result<Reply, Refusal> {
    match frame.reply {
        Reply::Refused { refusal, .. } => Err(refusal),
        Reply::NotOurs => Err(Refusal::no_hub()),
        reply => Ok(reply),
    }
}

/// The words for an answer that does not belong to the question.
pub fn astray() -> Refusal {
    Refusal::unavailable(
        "the agent answered something else than was asked",
        "run `oam doctor`: client and agent may be of different versions",
    )
}
