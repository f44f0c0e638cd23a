//! `oam exec` with a gateway, against a scripted agent and a scripted issuer: what the command gets, and what comes of
//! an agent that goes.

use super::agent::{self, Line, granted, reply, status};
use super::home::{Home, Ran};
use super::issuer::{self, Issuer};
use super::job::{HUB, job, nothing_is_left, ran};
use oam_wire::message::Request;
use serde_json::json;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

/// An agent that lets a gateway watch, and gives tokens; `then` goes on on the connection that watches.
fn watching(
    home: &Home,
    then: impl Fn(&mut Line) + Send + Sync + 'static,
) -> Arc<Mutex<Vec<Request>>> {
    agent::start(
        home,
        Arc::new(move |request, line| match request {
            Request::Watch { .. } => {
                line.say(reply(&json!({
                    "type": "watching", "org": "acme", "hub": "hub", "hub_url": "https://hub.example",
                    "hub_kind": "huggingface", "variables": []
                })));
                then(line);
            }
            Request::Get { .. } => {
                let mut token = granted();
                token["type"] = "token".into();
                token["token"] = "tok_kept".into();
                line.say(reply(&token));
            }
            _ => line.say(status("huggingface")),
        }),
    )
}

#[test]
fn a_command_gets_an_address_and_a_capability_and_no_file() {
    let home = Home::new();
    let asked = watching(&home, |_| {});
    let line = [
        "exec",
        "--repo",
        "acme/model",
        "--write",
        "--",
        "sh",
        "-c",
        "env; exit 7",
    ];
    let mut command = home.oam(&line);
    command
        .env("HF_TOKEN", "rival")
        .env("HF_TOKEN_PATH", "rival");
    let ran = Ran::of(&command.output().unwrap());
    assert_eq!(ran.code, Some(7), "{ran:?}");
    let capability = ran.variable("OAM_GATEWAY");
    assert_eq!(capability.len(), 64, "{ran:?}");
    assert_eq!(ran.variable("HF_TOKEN"), capability, "{ran:?}");
    let gateway = ran.variable("HF_ENDPOINT");
    assert!(gateway.starts_with("http://127.0.0.1:"), "{ran:?}");
    for gone in ["rival", "tok_kept", "HF_TOKEN_PATH"] {
        assert!(!ran.out.contains(gone), "{gone}: {ran:?}");
    }
    let told = "oam: write to acme/model as role publisher, through a gateway at 127.0.0.1:";
    assert!(ran.err.starts_with(told), "{ran:?}");
    let asked = asked.lock().unwrap();
    let gets = |r: &Request| matches!(r, Request::Get { front, .. } if front == "gateway");
    assert!(asked.iter().any(gets));
    assert!(
        !asked.iter().any(|r| matches!(r, Request::Follow { .. })),
        "no file is asked for"
    );
}

/// Asks the gateway until its answer has `$1` in it, and says so.
const UNTIL: &str = "until curl -s -H \"Authorization: Bearer $HF_TOKEN\" $HF_ENDPOINT/api/models/acme/model | grep -q \"$0\"; \
     do :; done; echo told";

#[test]
fn an_agent_that_stays_away_closes_the_gateway() {
    let home = Home::new();
    let socket = home.path("run/oam/agent.sock");
    let _asked = watching(&home, move |line| {
        fs::remove_file(&socket).unwrap();
        line.close();
    });
    // Ends by itself when the gateway refuses, which is what is tested; the limit is the test runner's.
    let ran = home.run(&["exec", "--", "sh", "-c", UNTIL, "so the gateway was closed"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "told\n"), "{ran:?}");
    let told = ran.err.matches("could not be reached for 10 s").count();
    assert_eq!(told, 1, "{ran:?}");
}

#[test]
fn a_gateway_that_lost_its_agent_hears_of_the_end_by_the_next_one() {
    let home = Home::new();
    let times = Mutex::new(0);
    let _asked = watching(&home, move |line| {
        let mut times = times.lock().unwrap();
        *times += 1;
        match *times {
            1 => line.close(),
            _ => line.say(reply(&json!({
                "type": "withdrawn", "refusal": {
                    "code": "revoked", "sentence": "access to acme was revoked", "next": "ask acme"
                }
            }))),
        }
    });
    let ran = home.run(&[
        "exec",
        "--",
        "sh",
        "-c",
        UNTIL,
        "access to acme was revoked",
    ]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "told\n"), "{ran:?}");
}

#[test]
fn a_job_gets_an_address_and_a_capability_and_keeps_its_own_secrets_from_the_command() {
    let home = Home::new();
    let issuer = Issuer::start("huggingface", HUB, |_| {
        issuer::granted("role-tok", 900, "write")
    });
    let mut command = job(
        &home,
        &issuer,
        &[
            "exec",
            "--repo",
            "acme/model",
            "--write",
            "--",
            "sh",
            "-c",
            "env; exit 7",
        ],
    );
    command
        .env("HF_TOKEN", "rival")
        .env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "runner-secret");
    let got = ran(&mut command);
    assert_eq!(got.code, Some(7), "{got:?}");
    let capability = got.variable("OAM_GATEWAY");
    assert_eq!(capability.len(), 64, "{got:?}");
    assert_eq!(got.variable("HF_TOKEN"), capability, "{got:?}");
    let gateway = got.variable("HF_ENDPOINT");
    assert!(gateway.starts_with("http://127.0.0.1:"), "{got:?}");
    assert!(got.out.contains("runner-secret"), "the job's own stays");
    for gone in [
        "rival",
        "OAM_ID_TOKEN",
        "job.id.token",
        "role-tok",
        "HF_TOKEN_PATH",
    ] {
        assert!(!got.out.contains(gone), "{gone}: {got:?}");
    }
    let told = "write to acme/model as role publisher, through a gateway at 127.0.0.1:";
    assert!(got.err.contains(told), "{got:?}");
    assert_eq!(issuer.exchanges(), 1, "before the command starts");
    nothing_is_left(&home);
}

/// A hub that answers one request with two bytes; its address.
fn small_hub() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).unwrap();
        }
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        stream.write_all(answer.as_bytes()).unwrap();
    });
    format!("http://{address}")
}

#[test]
fn what_passed_the_gateway_of_a_job_stands_in_its_log() {
    let home = Home::new();
    let issuer = Issuer::start("huggingface", &small_hub(), |_| {
        issuer::granted("role-tok", 900, "read")
    });
    let script = "ask() { curl -sS -H \"Authorization: Bearer $HF_TOKEN\" $HF_ENDPOINT/api/models/$1; }; \
        ask acme/model; ask acme/other";
    let line = ["exec", "--repo", "acme/model", "--", "sh", "-c", script];
    let got = ran(&mut job(&home, &issuer, &line));
    assert!(got.out.starts_with("{}oam: "), "{got:?}");
    let passed = "oam: passed the gateway for acme/model: 1 read and 0 writes, 0 B sent, 2 B received\n\
        oam: the gateway turned away 1 request\n";
    assert!(got.err.ends_with(passed), "{got:?}");
}

#[test]
fn git_has_a_capability_for_the_gateways_address_alone() {
    let home = Home::new();
    let issuer = Issuer::start("git", HUB, |_| issuer::granted("git-tok", 900, "write"));
    // Another helper of the person's: it must not be handed the capability.
    fs::write(
        home.path(".gitconfig"),
        format!(
            "[credential]\n\thelper = \"!cat >> {} ; true\"\n",
            home.path("spy").display()
        ),
    )
    .unwrap();
    let script = "line=$(git config --get-regexp '^url\\..*\\.insteadof$')\n\
        echo \"LED=${line##* }\"; gateway=${line#url.}; gateway=${gateway%%/.insteadof*}\n\
        fill() { printf 'url=%s\\n\\n' $1 | git credential fill; }\n\
        fill $gateway > mine; git credential approve < mine\n\
        fill https://hub.acme.example > theirs 2>/dev/null\n\
        echo \"AT=$gateway\"; env; git config one.two";
    let mut command = job(
        &home,
        &issuer,
        &[
            "exec",
            "--repo",
            "acme/code",
            "--write",
            "--",
            "sh",
            "-c",
            script,
        ],
    );
    command
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "one.two")
        .env("GIT_CONFIG_VALUE_0", "three");
    let got = ran(&mut command);
    assert_eq!(got.code, Some(0), "{got:?}");
    assert_eq!(got.variable("LED"), format!("{HUB}/"), "{got:?}");
    let gateway = got.variable("AT");
    assert!(gateway.starts_with("http://127.0.0.1:"), "{got:?}");
    let capability = got.variable("OAM_GATEWAY");
    assert_eq!(capability.len(), 64, "{got:?}");
    let mine = fs::read_to_string(home.path("mine")).unwrap();
    let password = format!("password={capability}\n");
    assert!(mine.contains(&password), "{mine} {got:?}");
    let theirs = fs::read_to_string(home.path("theirs")).unwrap();
    assert!(!theirs.contains("password="), "{theirs}");
    let spied = fs::read_to_string(home.path("spy")).unwrap_or_default();
    assert!(!spied.contains(capability), "{spied}");
    assert!(
        got.out.ends_with("three\n"),
        "what was set before stays: {got:?}"
    );
    assert!(!got.out.contains("git-tok"), "{got:?}");
    nothing_is_left(&home);
}
