//! What a shell completes: the real shells, with the script that the program prints and the program that it asks.

use super::agent::{self, granted, reply, status};
use super::home::{Home, Ran};
use oam_wire::message::Request;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

const CONFIG: &str = r#"
[orgs.acme]
issuer = "https://idp.acme.example"
client_id = "oam"
[orgs.acme.exchange]
kind = "rfc8693"
token_endpoint = "https://tokens.acme.example/oauth/token"
[orgs.acme.hubs.models]
url = "https://hub.acme.example"
kind = "huggingface"
[orgs.acme.hubs.code]
url = "https://git.acme.example"
"#;

/// A home with a configuration and an agent; what the agent was asked.
fn desk() -> (Home, Arc<Mutex<Vec<Request>>>) {
    let home = Home::new();
    fs::write(home.path("config/oam/config.toml"), CONFIG).unwrap();
    let asked = agent::start(
        &home,
        Arc::new(|_, line| {
            let mut answer = serde_json::to_value(status("git")).unwrap();
            let mut token = granted();
            token["state"] = "held".into();
            answer["orgs"][0]["tokens"] = json!([token]);
            line.say(reply(&answer));
        }),
    );
    (home, asked)
}

/// Runs a line of a shell that has the script's text in `$1`, with the program in its `PATH`.
fn in_shell(home: &Home, shell: &str, options: &[&str], line: &str) -> Ran {
    let script = home.run(&["completions", shell]);
    assert_eq!(script.code, Some(0), "{script:?}");
    let file = home.path(&format!("_{shell}"));
    fs::write(&file, script.out).unwrap();
    let folder = Path::new(oam::program("oam")).parent().unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let folders = [folder.to_owned()].into_iter();
    let path = std::env::join_paths(folders.chain(std::env::split_paths(&path))).unwrap();
    let environment = home.oam(&[]);
    let mut command = Command::new(shell);
    command
        .args(options)
        .args(["-c", line])
        .arg(shell)
        .arg(&file);
    command.env_clear().current_dir(home.path(""));
    for (name, value) in environment.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    Ran::of(&command.env("PATH", path).output().unwrap())
}

/// What bash offers for the last of these words.
fn bash(home: &Home, words: &[&str]) -> Vec<String> {
    let typed = words.join(" ");
    let last = words.len() - 1;
    let (word, before) = (words[last], words[last - 1]);
    let line = format!(
        "source \"$1\"; COMP_WORDS=({typed} ); COMP_WORDS[{last}]='{word}'; COMP_CWORD={last}; COMP_TYPE=9
         _clap_complete_oam oam '{word}' '{before}'; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    );
    let ran = in_shell(home, "bash", &["--norc"], &line);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{ran:?}");
    ran.out.lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_what_only_this_machine_knows() {
    let (home, asked) = desk();
    assert_eq!(bash(&home, &["oam", "login", "ac"]), ["acme"]);
    assert_eq!(
        bash(&home, &["oam", "token", "--hub", ""]),
        ["models", "code"]
    );
    assert!(
        asked.lock().unwrap().is_empty(),
        "the configuration is enough"
    );
    assert_eq!(
        bash(&home, &["oam", "token", "--role", "pub"]),
        ["publisher"]
    );
    assert_eq!(bash(&home, &["oam", "why", "ac"]), ["acme/model"]);
    assert_eq!(bash(&home, &["oam", "setup", "gi"]), ["git"]);
    let asked = asked.lock().unwrap();
    assert!(!asked.is_empty());
    assert!(
        asked
            .iter()
            .all(|request| matches!(request, Request::Status { .. }))
    );
}

#[test]
fn repositories_of_late_are_completed_without_an_agent_and_nothing_is_said() {
    let home = Home::new();
    let entry = |seq: u64, repository: &str| {
        json!({"seq": seq, "prev": "00", "hash": "00",
            "at_ms": 1, "what": "grant", "repository": repository})
        .to_string()
    };
    let lines = [
        entry(1, "acme/old"),
        entry(2, "acme/new"),
        "no record".to_owned(),
        entry(3, "acme/old"),
        entry(4, "other/thing"),
    ];
    fs::write(home.state("audit/audit.jsonl"), lines.join("\n") + "\n").unwrap();
    assert_eq!(
        bash(&home, &["oam", "exec", "--repo", "acme/"]),
        ["acme/old", "acme/new"]
    );
    assert_eq!(bash(&home, &["oam", "token", "--role", ""]), [""]);
}

#[test]
fn zsh_and_fish_complete_the_same() {
    let (home, _asked) = desk();
    // As a file in `fpath`, which is the body of the function that is called at the first press.
    let zsh = "compdef() { : }; _describe() { print -l -- ${(P)3} }
        mkdir -p f; cp $1 f/_oam; fpath=($PWD/f); autoload -U _oam
        words=(oam token --hub ''); CURRENT=4; _oam
        words=(oam login ac); CURRENT=3; _clap_dynamic_completer_oam";
    let ran = in_shell(&home, "zsh", &["-f"], zsh);
    assert_eq!(ran.err, "", "{ran:?}");
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(
        lines,
        [
            "models:https://hub.acme.example",
            "code:https://git.acme.example",
            "acme:https://idp.acme.example"
        ]
    );
    let fish =
        "source $argv[2]; complete -C 'oam token --hub '; complete -C 'oam token --role pub'";
    let ran = in_shell(&home, "fish", &["--no-config"], fish);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(
        lines,
        [
            "models\thttps://hub.acme.example",
            "code\thttps://git.acme.example",
            "publisher\tof acme"
        ],
        "{ran:?}"
    );
}
