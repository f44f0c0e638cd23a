//! `oam exec` against a scripted agent: variables, status, signals, the file's life.

use super::agent::{self, Line, granted, reply, status};
use super::home::{Home, Ran};
use oam_wire::message::{Reply, Request};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

fn following(file: &Path, kind: &str, variables: &[&str], with_token: bool) -> Value {
    let mut answer = json!({
        "type": "following", "granted": granted(), "path": file, "name": "n1",
        "hub_kind": kind, "variables": variables, "on_disk": false
    });
    if with_token {
        let mut token = granted();
        token["token"] = "tok_variable".into();
        answer["token"] = token;
    }
    answer
}

/// A hub of `kind`; the token file is written when it is asked for. `then` goes on on the same
/// connection.
fn hub(
    home: &Home,
    kind: &'static str,
    variables: &'static [&'static str],
    then: impl Fn(&mut Line) + Send + Sync + 'static,
) -> Arc<Mutex<Vec<Request>>> {
    let file = home.path("run/oam/token");
    agent::start(
        home,
        Arc::new(move |request, line| match request {
            Request::Follow { with_token, .. } => {
                fs::write(&file, "tok_file").unwrap();
                line.say(reply(&following(&file, kind, variables, *with_token)));
                then(line);
            }
            _ => line.say(status(kind)),
        }),
    )
}

#[test]
fn the_child_gets_the_file_and_none_of_the_rivals() {
    let home = Home::new();
    let asked = hub(&home, "huggingface", &[], |_| {});
    let mut command = home.oam(&[
        "exec",
        "--token-file",
        "--repo",
        "acme/model",
        "--write",
        "--",
        "sh",
        "-c",
        "env; cat $HF_TOKEN_PATH",
    ]);
    for name in [
        "HF_TOKEN",
        "HUGGING_FACE_HUB_TOKEN",
        "HF_OIDC_RESOURCE",
        "HF_OIDC_ID_TOKEN",
        "HF_HUB_DISABLE_IMPLICIT_TOKEN",
    ] {
        command.env(name, "rival");
    }
    let ran = Ran::of(&command.output().unwrap());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains("tok_file"), "{ran:?}");
    assert!(
        ran.out.contains("HF_ENDPOINT=https://hub.example"),
        "{ran:?}"
    );
    assert!(ran.out.contains("OAM_EXEC=1"), "{ran:?}");
    assert!(!ran.out.contains("rival"), "{ran:?}");
    assert_eq!(
        ran.err,
        "oam: write to acme/model as role publisher, token file renewed until the command ends\n"
    );
    assert!(
        !home.path("run/oam/token").exists(),
        "the file goes with the child"
    );
    let asked = asked.lock().unwrap();
    assert!(asked.iter().any(|r| matches!(
        r,
        Request::Follow {
            with_token: false,
            ..
        }
    )));
}

#[test]
fn a_tool_that_knows_a_variable_gets_it_and_is_warned_when_it_is_too_short() {
    let home = Home::new();
    hub(&home, "github", &["GH_TOKEN"], |_| {});
    let line = [
        "exec",
        "--token-file",
        "--expect",
        "1h",
        "--",
        "sh",
        "-c",
        "echo $GH_TOKEN $GH_HOST ${GITHUB_TOKEN-none}",
    ];
    let output = home
        .oam(&line)
        .env("GITHUB_TOKEN", "rival")
        .output()
        .unwrap();
    let ran = Ran::of(&output);
    assert_eq!(ran.out, "tok_variable hub.example none\n");
    assert!(
        ran.err.contains("token in GH_TOKEN, good for 10 min"),
        "{ran:?}"
    );
    assert!(
        ran.err
            .contains("warning: the command is expected to run 1 h"),
        "{ran:?}"
    );
    assert!(!ran.err.contains("tok_variable"), "{ran:?}");
}

#[test]
fn a_file_hub_with_variables_is_asked_once_more_for_the_token() {
    let home = Home::new();
    let asked = hub(&home, "huggingface", &["MY_TOKEN"], |_| {});
    let ran = home.run(&["exec", "--token-file", "--", "sh", "-c", "echo $MY_TOKEN"]);
    assert_eq!(ran.out, "tok_variable\n", "{ran:?}");
    let follows = |wanted: bool| {
        let asked = asked.lock().unwrap();
        asked
            .iter()
            .filter(|r| matches!(r, Request::Follow { with_token, .. } if *with_token == wanted))
            .count()
    };
    assert_eq!((follows(false), follows(true)), (1, 1));
}

#[test]
fn the_childs_exit_status_is_ours() {
    let home = Home::new();
    hub(&home, "huggingface", &[], |_| {});
    for code in [0, 7, 255] {
        let ran = home.run(&[
            "exec",
            "--token-file",
            "--",
            "sh",
            "-c",
            &format!("exit {code}"),
        ]);
        assert_eq!(ran.code, Some(code));
    }
    for signal in [15, 9, 6] {
        let script = format!("kill -{signal} $$");
        let status = home
            .oam(&["exec", "--token-file", "--", "sh", "-c", &script])
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert_eq!(status.signal(), Some(signal), "{status:?}");
    }
}

#[test]
fn signals_reach_the_child_and_its_answer_counts() {
    for (name, number) in [
        ("TERM", 15),
        ("HUP", 1),
        ("USR1", 10),
        ("INT", 2),
        ("QUIT", 3),
    ] {
        let home = Home::new();
        hub(&home, "huggingface", &[], |_| {});
        // `read` returns when the trap has run: no time is involved.
        let script = format!(
            "trap 'echo got {name}; exit 42' {name}; echo ready; while :; do read x <&3; done 3<&0"
        );
        let mut child = home
            .oam(&["exec", "--token-file", "--", "sh", "-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "ready");
        let pid = rustix::process::Pid::from_child(&child);
        let signal = rustix::process::Signal::from_named_raw(number).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), format!("got {name}"));
        assert_eq!(child.wait().unwrap().code(), Some(42), "{name}");
    }
}

#[test]
fn a_hangup_that_was_ignored_stays_ignored() {
    let home = Home::new();
    hub(&home, "huggingface", &[], |_| {});
    let oam = oam::program("oam");
    let inner = "kill -HUP $$; echo survived";
    let outer = format!("trap '' HUP; exec {oam} exec --token-file -- sh -c '{inner}'");
    // The same home and variables, through a shell that ignores the signal.
    let template = home.oam(&[]);
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &outer]).env_clear();
    for (name, value) in template.get_envs() {
        command.env(name, value.unwrap());
    }
    let ran = Ran::of(&command.output().unwrap());
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (Some(0), "survived\n"),
        "{ran:?}"
    );
}

#[test]
fn no_descriptor_of_ours_reaches_the_child() {
    let home = Home::new();
    hub(&home, "huggingface", &[], |_| {});
    let list = "for f in /proc/$$/fd/*; do echo ${f##*/}; done";
    let ours = home.run(&["exec", "--token-file", "--", "sh", "-c", list]);
    // What a shell has that this test starts itself: its own, and what the runner passed on.
    let plain = std::process::Command::new("sh")
        .args(["-c", list])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(ours.out, Ran::of(&plain).out, "{ours:?}");
}

#[test]
fn a_withdrawal_deletes_the_file_and_is_told_once_while_the_child_goes_on() {
    let home = Home::new();
    hub(&home, "huggingface", &[], |line| {
        line.say(Reply::Renewed {
            expires_at: 4_000_000_100,
        });
        line.say(reply(&json!({"type": "withdrawn", "refusal": {
            "code": "revoked", "sentence": "access to acme was revoked", "next": "ask why"
        }})));
    });
    let wait = "while [ -e $HF_TOKEN_PATH ]; do :; done; echo gone; exit 5";
    let ran = home.run(&["exec", "--token-file", "--", "sh", "-c", wait]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(5), "gone\n"), "{ran:?}");
}

/// The lease ended; a proof brings the file back, so neither the file nor the connection is given up.
#[test]
fn a_withdrawal_that_is_not_for_good_is_told_once_and_the_file_may_come_back() {
    let home = Home::new();
    let (file, seen) = (home.path("run/oam/token"), home.path("seen"));
    let mark = seen.clone();
    hub(&home, "huggingface", &[], move |line| {
        let news = |kind, code, sentence| {
            reply(&json!({"type": kind, "refusal": {
                "code": code, "sentence": sentence, "next": "wait"
            }}))
        };
        line.say(news("paused", "unproven", "acme can not be proven"));
        fs::write(&file, "tok_again").unwrap();
        line.say(Reply::Renewed {
            expires_at: 4_000_000_100,
        });
        while !mark.exists() {
            std::thread::yield_now();
        }
        line.say(news("withdrawn", "revoked", "access to acme was revoked"));
    });
    let script = format!(
        "until [ \"$(cat $HF_TOKEN_PATH 2>/dev/null)\" = tok_again ]; do :; done; : > {}; \
         while [ -e $HF_TOKEN_PATH ]; do :; done; exit 5",
        seen.display()
    );
    let ran = home.run(&[
        "exec",
        "--token-file",
        "--",
        "timeout",
        "60",
        "sh",
        "-c",
        &script,
    ]);
    assert_eq!(ran.code, Some(5), "{ran:?}");
    assert_eq!(ran.err.matches("can not be proven").count(), 1, "{ran:?}");
}

#[test]
fn a_lost_connection_is_taken_up_again_under_the_same_name() {
    let home = Home::new();
    let file = home.path("run/oam/token");
    let again = home.path("again");
    let times = Mutex::new(0);
    let mark = again.clone();
    let asked = agent::start(
        &home,
        Arc::new(move |request, line| match request {
            Request::Follow { .. } => {
                let mut times = times.lock().unwrap();
                *times += 1;
                fs::write(&file, "tok").unwrap();
                line.say(reply(&following(&file, "huggingface", &[], false)));
                match *times {
                    1 => line.close(),
                    _ => fs::write(&mark, "").unwrap(),
                }
            }
            _ => line.say(status("huggingface")),
        }),
    );
    let wait = format!(
        "while [ ! -e {} ]; do :; done; cat $HF_TOKEN_PATH",
        again.display()
    );
    let ran = home.run(&["exec", "--token-file", "--", "sh", "-c", &wait]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "tok"), "{ran:?}");
    let asked = asked.lock().unwrap();
    let named =
        |r: &Request| matches!(r, Request::Follow { again: Some(name), .. } if name == "n1");
    assert!(asked.iter().any(named));
}

#[test]
fn an_agent_that_stays_away_costs_the_child_its_file() {
    let home = Home::new();
    let socket = home.path("run/oam/agent.sock");
    hub(&home, "huggingface", &[], move |line| {
        fs::remove_file(&socket).unwrap();
        line.close();
    });
    // Ends by itself when the file goes, which is what is tested; the limit is the test runner's.
    let wait = "while [ -e $HF_TOKEN_PATH ]; do :; done; echo gone";
    let ran = home.run(&["exec", "--token-file", "--", "sh", "-c", wait]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "gone\n"), "{ran:?}");
}

#[test]
fn a_refused_ask_runs_nothing() {
    let home = Home::new();
    agent::start(
        &home,
        Arc::new(|request, line| match request {
            Request::Follow { .. } => {
                line.say(reply(&json!({"type": "refused", "epoch": 1, "refusal": {
                    "code": "denied", "sentence": "no role of yours covers it", "next": "ask"
                }})));
            }
            _ => line.say(status("huggingface")),
        }),
    );
    let ran = home.run(&["exec", "--token-file", "--", "sh", "-c", "echo ran"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(5), ""));
}

#[test]
fn a_command_that_cannot_be_run_is_126_and_leaves_no_file() {
    let home = Home::new();
    hub(&home, "huggingface", &[], |_| {});
    fs::write(home.path("tool"), "").unwrap();
    let ran = home.run(&["exec", "--token-file", "--", "./tool"]);
    assert_eq!(ran.code, Some(126), "{ran:?}");
    assert!(!home.path("run/oam/token").exists());
}
