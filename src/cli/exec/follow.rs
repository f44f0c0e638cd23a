//! Follows the agent's news about the token file while the child runs.

use super::reconnect::reconnect;
use crate::agent_client::{ANSWER, AgentClient, astray};
use oam_model::refusal::{Refusal, RefusalCode};
use oam_model::token_request::TokenRequest;
use oam_terminal::Talk;
use oam_wire::message::{Following, Reply, Request};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// The child's token file.
#[derive(Clone)]
pub struct TokenFile(Arc<PathBuf>);

impl TokenFile {
    /// The file at `path`.
    pub fn new(path: &str) -> Self {
        Self(Arc::new(PathBuf::from(path)))
    }

    /// Deletes it; one that is gone already is no fault. Its folder is the agent's to clear away.
    pub fn delete(&self) {
        let _ = std::fs::remove_file(&*self.0);
    }

    fn is_at(&self, path: &str) -> bool {
        **self.0 == *path
    }
}

/// Asks for a token file. `again` names the folder from before the connection was lost.
pub fn begin(
    link: &mut AgentClient,
    ask: &TokenRequest,
    again: Option<String>,
    with_token: bool,
) -> Result<Following, Refusal> {
    begin_within(link, ask, again, with_token, ANSWER)
}

fn begin_within(
    link: &mut AgentClient,
    ask: &TokenRequest,
    again: Option<String>,
    with_token: bool,
    deadline: Duration,
) -> Result<Following, Refusal> {
    link.send(Request::Follow {
        ask: ask.clone(),
        again,
        with_token,
    })?;
    match link.next(Some(deadline))? {
        Reply::Following(following) => Ok(following),
        Reply::Withdrawn { refusal } => Err(refusal),
        _ => Err(astray()),
    }
}

/// Reads the agent's news in the background until this program ends.
pub fn watch(
    mut link: AgentClient,
    ask: TokenRequest,
    following: &Following,
    file: TokenFile,
    talk: Talk,
) {
    let name = following.name.clone();
    thread::spawn(move || {
        let mut paused = false;
        let refusal = loop {
            match link.next(None) {
                // The agent has swapped the file by a rename: nothing to do here.
                Ok(Reply::Renewed { .. }) => {
                    if std::mem::take(&mut paused) {
                        talk.say("the session is confirmed again, and the token file is back");
                    }
                }
                // The agent has deleted it. Deleting here, too, could hit the one that came back.
                Ok(Reply::Paused { refusal }) => {
                    paused = true;
                    talk.refusal(&refusal);
                }
                Ok(Reply::Withdrawn { refusal }) => break refusal,
                Ok(_) => break astray(),
                Err(refusal) if refusal.code != RefusalCode::Unreachable => break refusal,
                Err(_) => match reconnect(talk, out_of_reach(), |link, left| {
                    resume(link, &ask, &name, &file, left)
                }) {
                    Ok(found) => link = found,
                    Err(refusal) => break refusal,
                },
            }
        };
        // Deleted before it is told: nothing that reads these lines may find the file.
        file.delete();
        talk.refusal(&refusal);
    });
}

/// Follows the same file as before.
fn resume(
    mut link: AgentClient,
    ask: &TokenRequest,
    name: &str,
    file: &TokenFile,
    left: Duration,
) -> Result<AgentClient, Refusal> {
    let following = begin_within(&mut link, ask, Some(name.to_owned()), false, left)?;
    if file.is_at(&following.path) {
        return Ok(link);
    }
    Err(Refusal::unavailable(
        "the agent came back with another token file, which the running command can't know",
        "run the command again",
    ))
}

fn out_of_reach() -> Refusal {
    Refusal::new(
        RefusalCode::Unreachable,
        "the agent could not be reached for 10 s, so the token file was deleted; the command goes on without it",
        "run `oam doctor`, then the command again",
    )
}

#[cfg(test)]
mod tests {
    use super::TokenFile;

    #[test]
    fn deleting_twice_is_no_fault() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "x").unwrap();
        let file = TokenFile::new(path.to_str().unwrap());
        file.delete();
        assert!(!path.exists());
        file.delete();
        assert!(file.is_at(path.to_str().unwrap()));
    }
}
