//! An answer kept in a private file instead of given by an agent: how git is served in a CI job.
//!
//! The file holds one reply, byte for byte as an agent would send it, so a helper reads it like any
//! other. `oam exec` writes it, swaps it by a rename and puts a refusal there when it is over. An empty
//! file stands for a token that the hub did not take.

use super::brief::{Brief, Flat};
use super::buffer::Buffer;
use super::frame::{self, LIMIT};
use super::message::Request;
use oam_model::refusal::{Refusal, RefusalCode};
use oam_model::secret::Secret;
use oam_model::system_error::reason;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use zeroize::Zeroize;

/// Answers a helper's request from the file at `path`.
///
/// # Errors
/// The file is gone or holds no reply.
pub fn ask(path: &Path, request: Request) -> Result<Brief, Refusal> {
    let flat = read(path)?;
    match request {
        Request::Get { ask, .. } => {
            if flat.is_token() && !ask.is_at(&flat.hub_url) {
                return Ok(Brief::NotOurs);
            }
            let (brief, _) = flat.understood().ok_or_else(unreadable)?;
            Ok(brief)
        }
        Request::Erase { token, .. } => {
            if flat.holds(&token) {
                reject(path)?;
            }
            Ok(Brief::Done)
        }
        _ => Ok(Brief::Other),
    }
}

fn read(path: &Path) -> Result<Flat, Refusal> {
    let bytes = bytes(path).map_err(|error| {
        if error.kind() == ErrorKind::NotFound {
            return Refusal::new(
                RefusalCode::Unavailable,
                "the token of this job was withdrawn",
                "look above for the reason that `oam exec` gave, and run the job again",
            );
        }
        Refusal::unavailable(
            format!(
                "the token file of this job can't be read: {}",
                reason(error.kind())
            ),
            "run the command as the user who started `oam exec`",
        )
    })?;
    if bytes.is_empty() {
        return Err(Refusal::new(
            RefusalCode::Rejected,
            "the hub did not take the token of this job",
            "ask the organization whether the hub trusts its issuer, and whether the role covers this",
        ));
    }
    frame::flat(bytes.bytes()).map_err(|_| unreadable())
}

fn bytes(path: &Path) -> io::Result<Buffer> {
    let mut file = File::open(path)?.take(LIMIT as u64);
    let mut held = Buffer::new();
    let mut piece = [0; 1024];
    let result = loop {
        match file.read(&mut piece) {
            Ok(0) => break Ok(()),
            Ok(count) => held.push(&piece[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => break Err(error),
        }
    };
    piece.zeroize();
    result.map(|()| held)
}

/// Empties the file: so little that a helper needs no writer of messages for it.
///
/// git-lfs asks again without end, so a token that the hub did not take is never given twice: an empty
/// file says so until `oam exec` brings the next token.
fn reject(path: &Path) -> Result<(), Refusal> {
    File::create(path).map(drop).map_err(|error| {
        Refusal::unavailable(
            format!(
                "the token file of this job can't be changed: {}",
                reason(error.kind())
            ),
            "run the command as the user who started `oam exec`",
        )
    })
}

fn unreadable() -> Refusal {
    Refusal::unavailable(
        "the token file of this job holds no answer",
        "use the programs that came with this `oam`",
    )
}

impl Flat {
    fn is_token(&self) -> bool {
        self.token.is_some()
    }

    fn holds(&self, token: &Secret) -> bool {
        self.token.as_ref().is_some_and(|held| held.matches(token))
    }
}

#[cfg(test)]
mod tests {
    use super::{Brief, Request, ask};
    use crate::message::{Reply, ReplyFrame};
    use oam_model::granted::{Granted, Scheme, TokenAnswer};
    use oam_model::refusal::RefusalCode;
    use oam_model::role::Action;
    use oam_model::secret::Secret;
    use oam_model::token_request::{HubRef, Intent, TokenRequest};
    use std::path::Path;
    use std::sync::Arc;

    fn url(protocol: &str, host: &str) -> HubRef {
        HubRef::Url {
            protocol: protocol.into(),
            host: host.into(),
        }
    }

    fn asked(hub: HubRef) -> TokenRequest {
        TokenRequest {
            hub,
            path: None,
            intent: Intent::Unknown,
            role: None,
        }
    }

    fn get(path: &Path, host: &str) -> Result<Brief, super::Refusal> {
        let front = "git".to_owned();
        let ask_ = asked(url("https", host));
        ask(path, Request::Get { ask: ask_, front })
    }

    fn erase(path: &Path, token: &str) {
        let token = Secret::new(token.to_owned());
        let ask_ = asked(url("https", "hub.example"));
        assert!(matches!(
            ask(path, Request::Erase { ask: ask_, token }),
            Ok(Brief::Done)
        ));
    }

    fn kept(folder: &Path) -> std::path::PathBuf {
        let granted = Granted {
            org: "acme".parse().unwrap(),
            hub: "models".parse().unwrap(),
            hub_url: "https://hub.example".into(),
            role: "publisher".parse().unwrap(),
            repository: None,
            action: Action::Write,
            wider_than_asked: false,
            expires_at: 9,
            token_sha256: String::new(),
            epoch: 0,
            scheme: Scheme::Basic,
            username: "oam".into(),
            expires_in_s: 1,
        };
        let token = Arc::new(Secret::new("t0ken".into()));
        let reply = Reply::Token(TokenAnswer { granted, token });
        let path = folder.join("answer");
        let bytes = super::frame::encode(&ReplyFrame::new(reply)).unwrap();
        std::fs::write(&path, bytes.bytes()).unwrap();
        path
    }

    #[test]
    fn the_token_is_for_its_own_hub_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = kept(folder.path());
        let Ok(Brief::Token(token)) = get(&path, "HUB.example:443") else {
            panic!("no token");
        };
        assert_eq!((token.token.expose(), token.expires_at), ("t0ken", 9));
        for other in [
            "evil.example",
            "hub.example.evil.example",
            "hub.example:8443",
            "",
        ] {
            assert!(matches!(get(&path, other), Ok(Brief::NotOurs)), "{other}");
        }
    }

    #[test]
    fn a_token_that_the_hub_did_not_take_is_not_given_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = kept(folder.path());
        erase(&path, "another");
        assert!(matches!(get(&path, "hub.example"), Ok(Brief::Token(_))));
        erase(&path, "t0ken");
        let refusal = get(&path, "hub.example").err().unwrap();
        assert_eq!(refusal.code, RefusalCode::Rejected);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "");
    }

    #[test]
    fn a_file_that_is_gone_or_broken_is_a_refusal() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answer");
        let gone = get(&path, "hub.example").err().unwrap();
        assert!(gone.sentence.contains("withdrawn"));
        std::fs::write(&path, "rubbish").unwrap();
        assert!(get(&path, "hub.example").is_err());
    }
}
