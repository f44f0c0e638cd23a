//! Commands against a scripted agent.

use super::agent::{self, granted, reply, status};
use super::home::{Home, Ran};
use oam_wire::message::Request;
use serde_json::json;
use std::fs;
use std::sync::Arc;

#[test]
fn status_shows_who_and_what_and_nothing_acts_on_the_terminal() {
    let home = Home::new();
    agent::start(&home, Arc::new(|_, line| line.say(status("git"))));
    let ran = home.run(&["status"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains("acme: active"), "{ran:?}");
    assert!(ran.out.contains("publisher"), "{ran:?}");
    assert!(!ran.out.contains('\u{1b}'), "{ran:?}");
    let ran = home.run(&["status", "--json"]);
    assert!(!ran.out.contains('\u{1b}'), "{ran:?}");
    assert_eq!(ran.json()["orgs"][0]["subject"], "ada\u{1b}]0;x\u{7}");
}

#[test]
fn a_token_of_another_hub_is_told_by_its_hub_and_one_of_before_is_no_warning() {
    let home = Home::new();
    agent::start(
        &home,
        Arc::new(|_, line| {
            let mut answer = serde_json::to_value(status("git")).unwrap();
            let mut token = granted();
            token["state"] = "outstanding-until".into();
            answer["orgs"][0]["tokens"] = json!([token]);
            line.say(reply(&answer));
        }),
    );
    let ran = home.run(&["status", "--color", "always"]);
    assert!(ran.out.contains("HUB"), "{ran:?}");
    let row = ran.out.lines().find(|line| line.contains("acme/model"));
    let row = row.unwrap();
    assert!(row.contains("publisher  hub  acme/model  write"), "{row}");
    assert!(
        row.contains("held by nobody here") && !row.contains("\u{1b}[33m"),
        "{row}"
    );
    assert_eq!(home.run(&["status", "--short"]).out, "acme\n");
    assert_eq!(home.run(&["whoami"]).out, home.run(&["status"]).out);
}

#[test]
fn a_diagnosis_is_listed_before_it_is_written_and_holds_no_secret() {
    let home = Home::new();
    agent::start(&home, Arc::new(|_, line| line.say(status("git"))));
    let jwt = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhZGEifQ.MEUCIQDx1plantedPLANTED";
    let plain = "pl4nted-pass";
    let config = format!(
        "# {plain}\nproxy = \"http://me:{plain}@proxy.example:1\"\nmy_secret = \"{plain}\"\n"
    );
    fs::write(home.path("config/oam/config.toml"), config).unwrap();
    fs::write(
        home.state("agent.log"),
        format!("INFO starts\nWARN token {jwt} hf_{plain}\n"),
    )
    .unwrap();
    let run = |arguments: &[&str]| {
        let mut command = home.oam(arguments);
        command.env("OAM_ID_TOKEN", jwt).env("HF_TOKEN", plain);
        super::home::Ran::of(&command.output().unwrap())
    };
    let ran = run(&["diagnose"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for part in ["system", "doctor", "status", "config", "agent-log"] {
        assert!(ran.out.contains(part), "{ran:?}");
    }
    assert!(!home.path("report.json").exists());
    let ran = run(&["diagnose", "--to", "report.json"]);
    assert!(ran.out.contains("agent-log"), "{ran:?}");
    let text = fs::read_to_string(home.path("report.json")).unwrap();
    let parts: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(parts[4]["content"][0], "INFO starts");
    let set = parts[0]["content"]["variables"].as_array().unwrap();
    assert!(set.contains(&json!("OAM_ID_TOKEN")));
    for secret in [jwt, plain, "eyJzdWIi", "ada"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    assert_eq!(
        run(&["diagnose", "--to", "report.json"]).code,
        Some(2),
        "nothing is overwritten"
    );
}

#[test]
fn what_takes_long_is_named() {
    let home = Home::new();
    let (told, seen) = std::sync::mpsc::channel::<()>();
    let seen = std::sync::Mutex::new(seen);
    agent::start(
        &home,
        Arc::new(move |_, line| {
            // Answers only after the person was told: else the test waits for ever, and is ended.
            let _ = seen.lock().unwrap().recv();
            line.say(reply(&json!({"type": "roles", "roles": []})));
        }),
    );
    let mut child = home
        .oam(&["roles"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    let mut err = std::io::BufReader::new(child.stderr.take().unwrap());
    std::io::BufRead::read_line(&mut err, &mut first).unwrap();
    assert_eq!(
        first,
        "oam: waiting for the issuer, which the agent asks for your roles\n"
    );
    told.send(()).unwrap();
    assert!(child.wait_with_output().unwrap().status.success());
}

#[test]
fn the_log_is_followed_until_nobody_reads() {
    use std::io::{BufRead, BufReader, Write};
    let home = Home::new();
    let path = home.state("audit/audit.jsonl");
    let record = |seq: u32, hub: &str| {
        format!(
            r#"{{"seq":{seq},"prev":"","at_ms":1800000000000,"what":"refusal","hub":"{hub}","refusal":"denied","hash":""}}"#
        ) + "\n"
    };
    fs::write(&path, record(1, "one")).unwrap();
    let mut child = home
        .oam(&["log", "-f"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    assert!(lines.next().unwrap().starts_with("TIME"));
    assert!(lines.next().unwrap().contains("one"));
    let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(record(2, "two").as_bytes()).unwrap();
    assert_eq!(
        lines.next().unwrap(),
        "2027-01-15 08:00:00+00:00  refused: denied  two"
    );
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_refusal_keeps_its_code_its_words_and_its_exit_code() {
    let refused = |code: &str| {
        json!({"type": "refused", "epoch": 1, "refusal": {
            "code": code, "sentence": "it was refused", "next": "do this"
        }})
    };
    for (code, exit) in [
        ("revoked", 4),
        ("ended", 3),
        ("signed-out", 3),
        ("unproven", 3),
        ("denied", 5),
        ("unavailable", 1),
        ("busy", 1),
    ] {
        let home = Home::new();
        let answer = refused(code);
        agent::start(&home, Arc::new(move |_, line| line.say(reply(&answer))));
        let ran = home.run(&["token", "--json"]);
        assert_eq!(ran.code, Some(exit), "{code}");
        assert_eq!(ran.json()["error"]["code"], code);
        assert_eq!(ran.err, "oam: it was refused\nnext: do this\n");
    }
}

#[test]
fn a_token_goes_out_once_and_reads_unless_told_otherwise() {
    let home = Home::new();
    let asked = agent::start(
        &home,
        Arc::new(|_, line| {
            let mut answer = granted();
            answer["type"] = "token".into();
            answer["token"] = "tok_secret".into();
            line.say(reply(&answer));
        }),
    );
    let ran = home.run(&["token", "--repo", "https://hub.example/acme/model.git"]);
    assert_eq!(
        (ran.code, ran.out.as_str(), ran.err.as_str()),
        (Some(0), "tok_secret\n", "")
    );
    let ran = home.run(&["token", "--write", "--role", "publisher", "--json"]);
    assert_eq!(ran.json()["token"], "tok_secret");
    let asked: Vec<String> = asked
        .lock()
        .unwrap()
        .iter()
        .map(|request| serde_json::to_string(request).unwrap())
        .collect();
    assert!(asked[0].contains(r#""intent":"read""#), "{asked:?}");
    assert!(asked[0].contains(r#""host":"hub.example""#), "{asked:?}");
    assert!(asked[1].contains(r#""intent":"write""#), "{asked:?}");
}

#[test]
fn why_exits_with_the_code_that_the_ask_would_get() {
    let home = Home::new();
    agent::start(
        &home,
        Arc::new(|_, line| {
            line.say(reply(&json!({
                "type": "why", "hub": "hub", "org": "acme", "repository": "acme/model",
                "action": "write", "role": null, "rule": null,
                "refusal": {"code": "denied", "sentence": "no role of yours writes", "next": "ask"}
            })));
        }),
    );
    let ran = home.run(&["why", "acme/model", "--write"]);
    assert_eq!(ran.code, Some(5));
    assert!(
        ran.out.contains("refused: no role of yours writes"),
        "{ran:?}"
    );
    let ran = home.run(&["why", "acme/model", "--write", "--json"]);
    assert_eq!(
        (ran.code, &ran.json()["refusal"]["code"]),
        (Some(5), &json!("denied"))
    );
}

#[test]
fn an_idle_agent_of_another_version_is_named_and_replaced() {
    let home = Home::new();
    agent::start_as(
        &home,
        "0.0.1",
        Arc::new(|request, line| match request {
            Request::Retire => line.retire(),
            _ => line.say(status("git")),
        }),
    );
    let ran = home.run(&["status"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.err
            .starts_with("oam: the agent is version 0.0.1, this is version "),
        "{ran:?}"
    );
    assert!(ran.err.contains("; it was replaced\n"), "{ran:?}");
    assert_eq!(home.run(&["status"]).err, "", "the new one is ours");
}

#[test]
fn a_busy_agent_of_another_version_stays_and_scripts_never_replace_one() {
    let home = Home::new();
    let asked = agent::start_as(
        &home,
        "0.0.1",
        Arc::new(|request, line| match request {
            Request::Retire => line.say(reply(&json!({"type": "refused", "epoch": 1, "refusal": {
                "code": "busy", "sentence": "a child uses a token", "next": "wait"
            }}))),
            Request::Get { .. } => {
                let mut answer = granted();
                answer["type"] = "token".into();
                answer["token"] = "tok".into();
                line.say(reply(&answer));
            }
            _ => line.say(status("git")),
        }),
    );
    let ran = home.run(&["token"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "tok\n"), "{ran:?}");
    assert!(ran.err.contains("version 0.0.1"), "{ran:?}");
    let retired = || {
        asked
            .lock()
            .unwrap()
            .iter()
            .any(|r| matches!(r, Request::Retire))
    };
    assert!(!retired());
    let ran = home.run(&["status"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.err.contains("it stays for now: a child uses a token"),
        "{ran:?}"
    );
    assert!(retired());
}

#[test]
fn every_command_and_topic_has_its_manual_page() {
    let home = Home::new();
    let pages = home.path("man");
    fs::create_dir(&pages).unwrap();
    let ran = home.run(&["man", pages.to_str().unwrap()]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for name in ["oam.1", "oam-exec.1", "oam-config-check.1"] {
        let text = fs::read_to_string(pages.join(name)).unwrap();
        assert!(text.contains(".TH"), "{name}");
        let in_a_job = text.contains("IN A CI JOB") && text.contains("issuer");
        assert_eq!(in_a_job, name == "oam-exec.1", "{name}");
    }
    for name in ["oam-roles.7", "oam-company.7", "oam-json.7"] {
        let text = fs::read_to_string(pages.join(name)).unwrap();
        assert!(text.contains(".TH") && text.contains(".SH NAME"), "{name}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn doctor_asks_for_notifications_only_where_somebody_sits_at_a_desktop() {
    let home = Home::new();
    let told = |set: &[(&str, &str)]| {
        let mut doctor = home.oam(&["doctor"]);
        let ran = Ran::of(&doctor.envs(set.iter().copied()).output().unwrap());
        ran.out.contains("notifications")
    };
    assert!(!told(&[]));
    assert!(told(&[("DISPLAY", ":7")]));
    assert!(told(&[("WAYLAND_DISPLAY", "wayland-7")]));
    assert!(!told(&[
        ("DISPLAY", ":10"),
        ("SSH_CONNECTION", "192.0.2.7 5 192.0.2.8 22")
    ]));
}
