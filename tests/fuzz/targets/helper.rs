//! git's credential helper: any input, any answer of the agent. Nothing but the lines that git knows
//! leaves it, and no token unless the agent gave one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oam_helper::git;
use oam_model::token_request::HubRef;
use oam_model::granted::Scheme;
use oam_model::refusal::Refusal;
use oam_model::secret::Secret;
use oam_wire::brief::{Brief, BriefToken};
use oam_wire::message::Request;

const CALLS: [&[&str]; 5] = [
    &["get"],
    &["--hub", "models", "get"],
    &["erase"],
    &["store"],
    &["capability"],
];

const KEYS: [&str; 7] = [
    "capability[]=authtype",
    "authtype=Bearer",
    "credential=",
    "username=",
    "password=",
    "ephemeral=1",
    "password_expiry_utc=",
];

fn reply(kind: u8, words: &str) -> Result<Brief, Refusal> {
    let token = |scheme| BriefToken {
        scheme,
        username: words.chars().rev().collect(),
        token: Secret::new(words.to_owned()),
        expires_at: 1_900_000_000,
    };
    match kind % 7 {
        0 => Ok(Brief::Token(token(Scheme::Basic))),
        1 => Ok(Brief::Token(token(Scheme::Bearer))),
        2 => Ok(Brief::Refused(Refusal::unavailable(words, words))),
        3 => Ok(Brief::NotOurs),
        4 => Ok(Brief::Done),
        5 => Ok(Brief::Other),
        _ => Err(Refusal::bad_request(words, words)),
    }
}

fuzz_target!(|data: &[u8]| {
    // call, kind of reply, length of its words, the words, then what git says
    let [call, kind, length, rest @ ..] = data else {
        return;
    };
    let (words, mut stdin) = rest.split_at(usize::from(*length).min(rest.len()));
    let words = String::from_utf8_lossy(words);
    let args: Vec<String> = CALLS[usize::from(*call) % CALLS.len()]
        .iter()
        .map(|arg| (*arg).to_owned())
        .collect();
    let (mut stdout, mut stderr, mut asked) = (Vec::new(), Vec::new(), 0);
    let code = git::run(
        &args,
        &mut stdin,
        &mut stdout,
        &mut stderr,
        &mut |request| {
            asked += 1;
            if let Request::Get { ask, .. } | Request::Erase { ask, .. } = &request {
                let HubRef::Url { protocol, host } = &ask.hub else {
                    panic!("the helper asks by address");
                };
                assert!(!protocol.is_empty() && !host.is_empty());
                assert!(!format!("{protocol}{host}").contains(['\n', '\r', '\0']));
            }
            reply(*kind, &words)
        },
    );
    assert_eq!(code, 0);
    assert!(asked <= 1);

    let said = String::from_utf8(stdout).expect("an answer is text");
    assert!(said.is_empty() || said.ends_with('\n'));
    let lines: Vec<&str> = said.lines().collect();
    if lines != ["quit=1"] {
        for line in &lines {
            assert!(KEYS.iter().any(|key| line.starts_with(key)), "{line:?}");
            assert!(!line.contains(char::is_control), "{line:?}");
        }
        assert!(
            lines.is_empty() || (asked == 1 && kind % 7 < 2 && args.ends_with(&["get".into()]))
        );
    }
    let told = String::from_utf8(stderr).expect("a sentence is text");
    assert!(told.is_empty() || told.lines().count() == 2, "{told:?}");
    assert!(
        !told.contains(|c: char| c.is_control() && c != '\n'),
        "{told:?}"
    );
});
