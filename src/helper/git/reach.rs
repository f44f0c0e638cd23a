//! How the git helper reaches the agent.

use super::{Call, Operation};
use oam_model::refusal::{Refusal, RefusalCode};
use oam_wire::brief::Brief;
use oam_wire::client::Client;
use oam_wire::kept;
use oam_wire::message::Request;
use oam_wire::socket_path::SocketPath;
use oam_wire::until::Until;
use std::path::PathBuf;
use std::time::Duration;

/// Longest wait of `erase`: git waits for it, and nothing is lost when it is cut.
const ERASE_LIMIT: Duration = Duration::from_secs(2);

/// A connection made before standard input is read, so that the agent looks at its caller meanwhile.
pub struct Reach {
    early: Option<Client>,
    /// The answer lies in this file, and there is no agent.
    file: Option<PathBuf>,
    until: Until,
}

impl Reach {
    /// Connects if these arguments will need the agent and it runs; starts nothing yet.
    pub fn early(args: &[String], until: Until) -> Self {
        let (wanted, file) = match Call::of(args) {
            Call::Run {
                operation, file, ..
            } => (
                file.is_none() && matches!(operation, Operation::Get | Operation::Erase),
                file.map(PathBuf::from),
            ),
            Call::Help | Call::Version | Call::Wrong(_) => (false, None),
        };
        let reach = || {
            SocketPath::find()
                .and_then(|place| Client::connect(&place))
                .ok()
        };
        let early = if wanted { reach() } else { None };
        Self { early, file, until }
    }

    /// One request, one reply. Only `get` starts the agent.
    ///
    /// # Errors
    /// The agent was not reached, or what it said can't be read.
    pub fn ask(&mut self, request: Request) -> Result<Brief, Refusal> {
        if let Some(file) = &self.file {
            return kept::ask(file, request);
        }
        let erases = matches!(request, Request::Erase { .. });
        let most = if erases { ERASE_LIMIT } else { super::DEADLINE };
        if let Some(client) = self.early.take() {
            // A connection that the agent let go while we read standard input is made again, once.
            let again = match &request {
                Request::Get { ask, front } => Some((ask.clone(), front.clone())),
                _ => None,
            };
            return match (self.on(client, request, most), again) {
                (Err(refusal), Some((ask, front))) if refusal.code == RefusalCode::Unreachable => {
                    let client = Client::connect_or_start(&SocketPath::find()?)?;
                    self.on(client, Request::Get { ask, front }, most)
                }
                (result, _) => result,
            };
        }
        let place = SocketPath::find()?;
        let client = if erases {
            Client::connect(&place)?
        } else {
            Client::connect_or_start(&place)?
        };
        self.on(client, request, most)
    }

    fn on(&self, mut client: Client, request: Request, most: Duration) -> Result<Brief, Refusal> {
        let left = self.until.at_most(most);
        if left.is_zero() {
            return Err(Refusal::new(
                RefusalCode::Unreachable,
                "the agent did not answer in time",
                "try again; `oam status` shows what it waits for",
            ));
        }
        client.ask_brief(request, left)
    }
}
