//! The fronts, by cases that are data: arguments, standard input and the agent's answer in;
//! standard output, standard error, exit code and what the agent was asked out.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

use oam_helper::git;
use oam_model::granted::Scheme;
use oam_model::refusal::{Refusal, RefusalCode};
use oam_model::secret::Secret;
use oam_wire::brief::{Brief, BriefToken};
use oam_wire::message::Request;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What holds, with its rule.
    name: String,
    args: Vec<String>,
    #[serde(default)]
    stdin: String,
    /// Bytes after `stdin`, for what TOML can't hold.
    #[serde(default)]
    stdin_bytes: Vec<u8>,
    /// Then this text so many times.
    #[serde(default)]
    stdin_repeat: Option<(String, usize)>,
    #[serde(default)]
    answer: Answer,
    /// The request as JSON; empty: the agent must not be asked.
    #[serde(default)]
    asked: String,
    #[serde(default)]
    stdout: String,
    #[serde(default)]
    stderr: String,
    /// Instead of `stderr`, where only a part matters.
    #[serde(default)]
    stderr_has: Option<String>,
    #[serde(default)]
    exit: u8,
}

#[derive(Deserialize, Default, Clone, Copy, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    /// The agent must not be asked.
    #[default]
    None,
    Basic,
    Bearer,
    /// A token with a line feed in it.
    Broken,
    Refused,
    /// A refusal with terminal escapes in it.
    Coloured,
    NotOurs,
    Done,
    Unreachable,
}

fn token(scheme: Scheme, text: &str) -> Brief {
    Brief::Token(BriefToken {
        scheme,
        username: "oam".into(),
        token: Secret::new(text.to_owned()),
        expires_at: 1_900_000_000,
    })
}

fn give(answer: Answer) -> Result<Brief, Refusal> {
    let refused = |sentence: &str| Brief::Refused(Refusal::denied(sentence, "ask for the role"));
    Ok(match answer {
        Answer::Basic => token(Scheme::Basic, "t0ken"),
        Answer::Bearer => token(Scheme::Bearer, "t0ken"),
        Answer::Broken => token(Scheme::Basic, "t0ken\nhost=other.example"),
        Answer::Refused => refused("no role covers acme/model"),
        Answer::Coloured => refused("no \u{1b}[31mrole\u{202e}\n"),
        Answer::NotOurs => Brief::NotOurs,
        Answer::Done => Brief::Done,
        Answer::None | Answer::Unreachable => {
            let code = RefusalCode::Unreachable;
            return Err(Refusal::new(code, "the agent is not running", "start it"));
        }
    })
}

fn check(file: &str, case: &Case) {
    let what = format!("{file}: {}", case.name);
    let mut input = case.stdin.clone().into_bytes();
    input.extend_from_slice(&case.stdin_bytes);
    if let Some((text, count)) = &case.stdin_repeat {
        input.extend_from_slice(text.repeat(*count).as_bytes());
    }
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let mut asked = String::new();
    let mut ask = |request: Request| {
        assert!(asked.is_empty(), "{what}: asked twice");
        asked = serde_json::to_string(&request).unwrap();
        give(case.answer)
    };
    let exit = git::run(
        &case.args,
        &mut &input[..],
        &mut stdout,
        &mut stderr,
        &mut ask,
    );
    assert_eq!(
        String::from_utf8(stdout).unwrap(),
        case.stdout,
        "{what}: stdout"
    );
    let stderr = String::from_utf8(stderr).unwrap();
    match &case.stderr_has {
        Some(part) => assert!(stderr.contains(part), "{what}: stderr: {stderr}"),
        None => assert_eq!(stderr, case.stderr, "{what}: stderr"),
    }
    assert_eq!(exit, case.exit, "{what}: exit");
    if case.answer == Answer::None {
        assert_eq!(asked, "", "{what}: the agent was asked");
    } else {
        assert_ne!(asked, "", "{what}: the agent was not asked");
    }
    if !case.asked.is_empty() {
        assert_eq!(asked, case.asked, "{what}: asked");
    }
}

#[test]
fn every_case_of_the_fronts_holds() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fronts");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let file: File = toml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        for case in &file.case {
            check(&name, case);
            count += 1;
        }
    }
    assert!(count >= 50, "only {count} cases were found");
}
