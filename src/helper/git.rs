//! `git-credential-oam [--hub NAME] get|store|erase`: git's credential protocol.
//!
//! The exit code is 0 also for a refusal: git 2.47 reads `quit=1` whatever the code is and says
//! nothing of the code, while other programs take a failing helper for a broken one.

mod answer;
mod parse;
mod reach;

pub use reach::Reach;

use crate::plain::plain;
use oam_model::name::HubName;
use oam_model::refusal::Refusal;
use oam_model::token_request::{HubRef, Intent, TokenRequest};
use oam_wire::brief::Brief;
use oam_wire::buffer::Buffer;
use oam_wire::message::{Request, VERSION};
use parse::{CredentialInput, Malformed};
use std::io::{Read, Write};
use std::time::Duration;

/// From start to exit, reading standard input included (R9).
pub const DEADLINE: Duration = Duration::from_secs(10);

const HELP: &str = "\
Usage: git-credential-oam [--hub NAME] [--token-file PATH] get|store|erase

Answers git with a short-lived role token of the agent. git runs it; `oam setup git` sets it up.

  --hub NAME         the host belongs to this hub: when no token can be had, git stops instead of asking
  --token-file PATH  the token is in this file, which `oam exec` keeps in a CI job: no agent is asked
  --help             this text
  --version          the version

OAM_NO_AUTOSTART=1 in the environment keeps `get` from starting the agent.
";

/// What git wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Get,
    Store,
    Erase,
    /// One that git may have in the future: silence (R8).
    Unknown,
}

/// The arguments, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Call {
    Help,
    Version,
    Wrong(&'static str),
    Run {
        operation: Operation,
        /// `oam setup git` says that the host is ours.
        hub: Option<HubName>,
        /// `oam exec` in a CI job says where the answer lies.
        file: Option<String>,
    },
}

impl Call {
    fn of(args: &[String]) -> Self {
        let mut hub = None;
        let mut file = None;
        let mut operation = None;
        let mut rest = args.iter().map(String::as_str);
        while let Some(arg) = rest.next() {
            let name = match arg {
                "--help" | "-h" => return Self::Help,
                "--version" | "-V" => return Self::Version,
                "--token-file" => {
                    match rest.next() {
                        Some(path) => file = Some(path.to_owned()),
                        None => return Self::Wrong("--token-file needs the path of a file"),
                    }
                    continue;
                }
                "--hub" => rest.next(),
                _ => match arg.strip_prefix("--hub=") {
                    Some(name) => Some(name),
                    None if arg.starts_with('-') => return Self::Wrong("unknown option"),
                    None if operation.is_some() => return Self::Wrong("more than one operation"),
                    None => {
                        operation = Some(Operation::of(arg));
                        continue;
                    }
                },
            };
            match name.and_then(|name| name.parse().ok()) {
                Some(name) => hub = Some(name),
                None => return Self::Wrong("--hub needs the name of a hub"),
            }
        }
        operation.map_or(Self::Wrong("no operation"), |operation| Self::Run {
            operation,
            hub,
            file,
        })
    }
}

impl Operation {
    fn of(word: &str) -> Self {
        match word {
            "get" => Self::Get,
            "store" => Self::Store,
            "erase" => Self::Erase,
            _ => Self::Unknown,
        }
    }
}

/// Where the answer goes.
struct Out<'a> {
    stdout: &'a mut dyn Write,
    stderr: &'a mut dyn Write,
}

impl Out<'_> {
    /// One write: git reads whole lines, and a buffer in between would keep a copy of the token.
    /// A reader that is gone needs no answer.
    fn answer(&mut self, bytes: &[u8]) {
        let _ = self
            .stdout
            .write_all(bytes)
            .and_then(|()| self.stdout.flush());
    }

    /// Two lines: what happened, what to do.
    fn words(&mut self, refusal: &Refusal) {
        let (what, next) = (plain(&refusal.sentence), plain(&refusal.next));
        let _ = self
            .stderr
            .write_all(format!("oam: {what}\noam: {next}\n").as_bytes());
    }

    /// `quit=1` only where the host is known to be ours (R8).
    fn refuse(&mut self, refusal: &Refusal, ours: bool) {
        self.words(refusal);
        if ours {
            self.answer(b"quit=1\n");
        }
    }
}

/// Runs one call of the helper; the result is its exit code.
///
/// `ask` reaches the agent. Its error is a refusal made on this side: the agent was not reached,
/// so whether the host is ours is known by `--hub` only.
pub fn run(
    args: &[String],
    stdin: &mut dyn Read,
    stdout: &mut dyn Write,
    stderr: &mut dyn Write,
    ask: &mut dyn FnMut(Request) -> Result<Brief, Refusal>,
) -> u8 {
    let mut out = Out { stdout, stderr };
    match Call::of(args) {
        Call::Help => out.answer(HELP.as_bytes()),
        Call::Version => out.answer(format!("git-credential-oam {VERSION}\n").as_bytes()),
        Call::Wrong(why) => {
            let _ = out
                .stderr
                .write_all(format!("oam: {why}\n{HELP}").as_bytes());
            return 2;
        }
        Call::Run { operation, hub, .. } => match operation {
            Operation::Get => get(stdin, &mut out, hub.as_ref(), ask),
            Operation::Erase => erase(stdin, ask),
            // Read, so that git does not write into a closed pipe; nothing of it is kept.
            Operation::Store => drop(parse::read(stdin)),
            Operation::Unknown => {}
        },
    }
    0
}

fn get(
    stdin: &mut dyn Read,
    out: &mut Out<'_>,
    hub: Option<&HubName>,
    ask: &mut dyn FnMut(Request) -> Result<Brief, Refusal>,
) {
    let input = match understood(stdin) {
        Ok(Some(input)) => input,
        Ok(None) => return,
        Err(fault) => return out.refuse(&fault.refusal(), hub.is_some()),
    };
    let request = Request::Get {
        ask: input.ask,
        front: "git".to_owned(),
    };
    match ask(request) {
        Ok(Brief::Token(token)) => match answer::granted(&token, input.authtype) {
            Ok(bytes) => out.answer(bytes.bytes()),
            Err(refusal) => out.refuse(&refusal, true),
        },
        Ok(Brief::Refused(refusal)) => out.refuse(&refusal, true),
        Ok(Brief::NotOurs) => not_ours(out, hub),
        Ok(Brief::Done | Brief::Other) => out.refuse(&answer::unexpected(), hub.is_some()),
        Err(refusal) => out.refuse(&refusal, hub.is_some()),
    }
}

/// Silence, so that git goes on to its other helpers; but where the set-up says that the host is
/// ours, the prompt that follows would be a riddle without a word.
fn not_ours(out: &mut Out<'_>, hub: Option<&HubName>) {
    if let Some(hub) = hub {
        out.words(&Refusal::bad_request(
            format!(
                "git is set up to ask the hub {hub} here, but no configured hub has this address"
            ),
            "run `oam setup git` again",
        ));
    }
}

/// Waits for the agent's word, because git's next `get` must not see the same token again; what it
/// says changes nothing.
fn erase(stdin: &mut dyn Read, ask: &mut dyn FnMut(Request) -> Result<Brief, Refusal>) {
    let Ok(Some(Understood {
        ask: about,
        token: Some(token),
        ..
    })) = understood(stdin)
    else {
        return;
    };
    let _ = ask(Request::Erase { ask: about, token });
}

/// What was read, as an ask.
struct Understood {
    ask: TokenRequest,
    authtype: bool,
    token: Option<oam_model::secret::Secret>,
}

fn understood(stdin: &mut dyn Read) -> Result<Option<Understood>, Malformed> {
    let bytes: Buffer = parse::read(stdin)?;
    let Some(CredentialInput {
        protocol,
        host,
        path,
        authtype,
        token,
    }) = parse::parse(bytes.bytes())?
    else {
        return Ok(None);
    };
    let ask = TokenRequest {
        hub: HubRef::Url { protocol, host },
        path,
        intent: Intent::Unknown,
        role: None,
    };
    Ok(Some(Understood {
        ask,
        authtype,
        token,
    }))
}

#[cfg(test)]
mod tests {
    use super::{Call, Operation};

    fn call(args: &[&str]) -> Call {
        Call::of(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn the_hub_is_taken_in_both_spellings_and_must_be_a_name() {
        for args in [
            &["--hub", "hf", "get"][..],
            &["--hub=hf", "get"],
            &["get", "--hub=hf"],
        ] {
            let hub = Some("hf".parse().unwrap());
            assert_eq!(
                call(args),
                Call::Run {
                    operation: Operation::Get,
                    hub,
                    file: None,
                }
            );
        }
        assert!(matches!(call(&["--hub", "../x", "get"]), Call::Wrong(_)));
        assert!(matches!(call(&["get", "--hub"]), Call::Wrong(_)));
    }

    #[test]
    fn a_token_file_is_named_by_its_path() {
        let file = Some("/run/job/answer".to_owned());
        assert_eq!(
            call(&["--token-file", "/run/job/answer", "get"]),
            Call::Run {
                operation: Operation::Get,
                hub: None,
                file,
            }
        );
        assert!(matches!(call(&["get", "--token-file"]), Call::Wrong(_)));
    }

    #[test]
    fn an_operation_of_the_future_is_not_a_wrong_call() {
        let operation = Operation::Unknown;
        assert_eq!(
            call(&["capability"]),
            Call::Run {
                operation,
                hub: None,
                file: None,
            }
        );
        assert!(matches!(call(&[]), Call::Wrong(_)));
        assert!(matches!(call(&["--frob", "get"]), Call::Wrong(_)));
        assert!(matches!(call(&["get", "get"]), Call::Wrong(_)));
    }
}
