//! `oam token` and `oam exec` in a CI job: no agent, no stored secret.

use super::home::{Home, Ran};
use super::issuer::{Issuer, denied, granted};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub const HUB: &str = "https://hub.acme.example";

/// A job with an ID token in the variable.
pub fn job(home: &Home, issuer: &Issuer, arguments: &[&str]) -> Command {
    let mut command = home.oam(arguments);
    command
        .env("OAM_ISSUER", &issuer.base)
        .env("OAM_ID_TOKEN", "job.id.token");
    command
}

pub fn ran(command: &mut Command) -> Ran {
    Ran::of(&command.output().unwrap())
}

/// No folder of a job is left in the home's runtime directory.
pub fn nothing_is_left(home: &Home) {
    let left: Vec<PathBuf> = fs::read_dir(home.path("run"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains("oam-job"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_job_gets_one_token_and_the_json_names_role_rule_end_and_request() {
    let home = Home::new();
    let issuer = Issuer::start("huggingface", HUB, |_| granted("role-tok", 900, "write"));
    let arguments = [
        "token",
        "--repo",
        "acme/model",
        "--write",
        "--role",
        "publisher",
    ];
    let plain = ran(&mut job(&home, &issuer, &arguments));
    assert_eq!(
        (plain.code, plain.out.as_str(), plain.err.as_str()),
        (Some(0), "role-tok\n", "")
    );
    let json = ran(job(&home, &issuer, &arguments).arg("--json")).json();
    assert_eq!(json["token"], "role-tok");
    assert_eq!(json["role"], "publisher");
    assert_eq!(json["rule"], "jobs of acme/model");
    assert_eq!(json["request_id"], "req-7");
    assert_eq!(json["repository"], "acme/model");
    assert!(json["expires_at"].as_u64().is_some(), "{json}");
    let seen = issuer.seen.lock().unwrap();
    assert_eq!(seen[0]["subject_token"], "job.id.token");
    assert_eq!(seen[0]["resource"], format!("{HUB}/acme/model"));
    assert_eq!(seen[0]["audience"], HUB);
    assert_eq!(seen[0]["scope"], "role:publisher write");
}

#[test]
fn the_id_token_is_githubs_or_in_a_file_when_that_is_said() {
    let home = Home::new();
    let issuer = Issuer::start("huggingface", HUB, |_| granted("tok", 900, "read"));
    let base = issuer.base.clone();
    let token = |command: &mut Command| ran(command.args(["--issuer", &base]));
    let got = token(
        home.oam(&["token"])
            .env(
                "ACTIONS_ID_TOKEN_REQUEST_URL",
                format!("{base}/runner?api=2"),
            )
            .env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "runner-secret"),
    );
    assert_eq!(got.code, Some(0), "{got:?}");
    let file = home.path("projected");
    fs::write(&file, "from.a.file\n").unwrap();
    let got = token(&mut home.oam(&["token", "--id-token-file", file.to_str().unwrap()]));
    assert_eq!(got.code, Some(0), "{got:?}");
    let got = token(
        home.oam(&["token", "--id-token-env", "MINE"])
            .env("MINE", "from.my.variable"),
    );
    assert_eq!(got.code, Some(0), "{got:?}");
    let seen = issuer.seen.lock().unwrap();
    let subjects: Vec<&str> = seen.iter().map(|form| &*form["subject_token"]).collect();
    assert_eq!(
        subjects,
        [
            "head.https---issuer-acme-example.sign",
            "from.a.file",
            "from.my.variable"
        ]
    );
}

#[test]
fn a_job_that_may_not_ask_github_is_told_which_permission_is_missing() {
    let home = Home::new();
    let issuer = Issuer::start("huggingface", HUB, |_| granted("tok", 900, "read"));
    let base = issuer.base.as_str();
    let without = ran(home
        .oam(&["token", "--issuer", base])
        .env("GITHUB_ACTIONS", "true"));
    assert_eq!(without.code, Some(2), "{without:?}");
    assert!(without.err.contains("id-token: write"), "{without:?}");
    let refused = ran(home
        .oam(&["token", "--issuer", base])
        .env("ACTIONS_ID_TOKEN_REQUEST_URL", format!("{base}/runner?x=1"))
        .env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "wrong-secret"));
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("id-token: write"), "{refused:?}");
    assert!(!refused.err.contains("wrong-secret"), "{refused:?}");
    assert_eq!(issuer.exchanges(), 0);
}

#[test]
fn a_refused_job_exits_by_the_issuers_code_and_names_the_request() {
    let home = Home::new();
    for (code, exit) in [("denied", 5), ("revoked", 4), ("unavailable", 1)] {
        let issuer = Issuer::start("huggingface", HUB, move |_| denied(code));
        let got = ran(&mut job(
            &home,
            &issuer,
            &["token", "--repo", "acme/other", "--json"],
        ));
        assert_eq!(got.code, Some(exit), "{got:?}");
        assert!(
            got.err
                .contains("no role of this job covers it (request req-8)")
        );
        assert_eq!(got.json()["error"]["code"], code);
        assert!(!got.err.contains("job.id.token"), "{got:?}");
    }
}

#[test]
fn the_child_reads_a_private_file_and_its_status_is_ours() {
    let home = Home::new();
    let issuer = Issuer::start("huggingface", HUB, |_| granted("role-tok", 900, "write"));
    let script = "cat $HF_TOKEN_PATH; stat -c %a $HF_TOKEN_PATH; env; exit 7";
    let mut command = job(
        &home,
        &issuer,
        &[
            "exec",
            "--token-file",
            "--repo",
            "acme/model",
            "--write",
            "--",
            "sh",
            "-c",
            script,
        ],
    );
    command
        .env("HF_TOKEN", "rival")
        .env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "runner-secret");
    let got = ran(&mut command);
    assert_eq!(got.code, Some(7), "{got:?}");
    assert!(got.out.starts_with("role-tok600\n"), "{got:?}");
    assert!(got.out.contains(&format!("HF_ENDPOINT={HUB}\n")), "{got:?}");
    assert!(got.out.contains("runner-secret"), "the job's own stays");
    for gone in ["rival", "OAM_ID_TOKEN", "job.id.token", "=role-tok"] {
        assert!(!got.out.contains(gone), "{gone}: {got:?}");
    }
    assert!(
        got.err.contains("write to acme/model as role publisher"),
        "{got:?}"
    );
    // What finds the grant in the organization's own log.
    let said = "granted because jobs of acme/model, for 15 min, as request req-7";
    assert!(got.err.contains(said), "{said}: {got:?}");
    nothing_is_left(&home);
}

#[test]
fn the_variable_that_holds_the_id_token_is_not_the_childs_whatever_its_name() {
    let home = Home::new();
    // With a repository the gateway, too, asks for a token before the command starts.
    for (form, action) in [
        (["--hub", "models", "--token-file"], "read"),
        (["--repo", "acme/model", "--write"], "write"),
    ] {
        let issuer = Issuer::start("huggingface", HUB, move |_| {
            granted("role-tok", 900, action)
        });
        let mut arguments = vec!["exec", "--id-token-env", "MINE"];
        arguments.extend(form);
        arguments.extend(["--", "env"]);
        let mut command = job(&home, &issuer, &arguments);
        command
            .env("MINE", "from.my.variable")
            .env("YOURS", "stays");
        let got = ran(&mut command);
        assert_eq!(got.code, Some(0), "{got:?}");
        assert_eq!(
            issuer.seen.lock().unwrap()[0]["subject_token"],
            "from.my.variable"
        );
        assert!(got.out.contains("YOURS=stays\n"), "{got:?}");
        for gone in ["MINE", "from.my.variable", "OAM_ID_TOKEN", "job.id.token"] {
            assert!(!got.out.contains(gone), "{gone}: {got:?}");
        }
    }
}

#[test]
fn a_tool_that_only_knows_a_variable_gets_it() {
    let home = Home::new();
    let issuer = Issuer::start("github", "https://github.com", |_| {
        granted("gh-tok", 900, "read")
    });
    let got = ran(&mut job(
        &home,
        &issuer,
        &[
            "exec",
            "--repo",
            "acme/code",
            "--",
            "sh",
            "-c",
            "echo $GH_TOKEN",
        ],
    ));
    assert_eq!(
        (got.code, got.out.as_str()),
        (Some(0), "gh-tok\n"),
        "{got:?}"
    );
}

/// Waits for the child's word.
fn until(what: &str, mut there: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !there() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::yield_now();
    }
}

/// A child that copies the token's file to `seen` until it is told to stop.
const COPIES: &str = "while [ ! -e stop ]; do cat $HF_TOKEN_PATH > seen.new 2>/dev/null || \
    echo gone > seen.new; mv seen.new seen; done";

#[test]
fn the_file_is_renewed_while_the_child_runs() {
    let home = Home::new();
    let issuer = Issuer::start("huggingface", HUB, |number| {
        let life = if number == 1 { 2 } else { 900 };
        granted(&format!("tok-{number}"), life, "read")
    });
    let arguments = ["exec", "--token-file", "--", "sh", "-c", COPIES];
    let mut child = job(&home, &issuer, &arguments).spawn().unwrap();
    let seen = home.path("seen");
    until("the second token", || {
        fs::read_to_string(&seen).is_ok_and(|text| text == "tok-2")
    });
    fs::write(home.path("stop"), "").unwrap();
    assert!(child.wait().unwrap().success());
    nothing_is_left(&home);
}

#[test]
fn the_file_goes_when_the_issuer_takes_the_right_away_and_stays_when_it_is_only_busy() {
    let home = Home::new();
    let issuer = Issuer::start("huggingface", HUB, |number| match number {
        1 => granted("tok-1", 2, "read"),
        2 => (503, serde_json::json!({"error": "temporarily_unavailable"})),
        3 => granted("tok-3", 2, "read"),
        _ => denied("revoked"),
    });
    let arguments = ["exec", "--token-file", "--", "sh", "-c", COPIES];
    let child = job(&home, &issuer, &arguments)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let seen = home.path("seen");
    let says = |word: &str| fs::read_to_string(&seen).is_ok_and(|text| text.trim_end() == word);
    until("the third token", || says("tok-3"));
    until("the end", || issuer.exchanges() >= 4 && says("gone"));
    fs::write(home.path("stop"), "").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the child's own end");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        told.contains("no role of this job covers it (request req-8)"),
        "{told}"
    );
    nothing_is_left(&home);
}

#[test]
fn git_asks_the_helper_for_the_jobs_hub_alone_and_no_secret_is_in_an_argument() {
    let home = Home::new();
    let issuer = Issuer::start("git", HUB, |_| granted("git-tok", 900, "write"));
    // Another helper of the person's: it must not be handed the token.
    fs::write(
        home.path(".gitconfig"),
        format!(
            "[credential]\n\thelper = \"!cat >> {} ; true\"\n",
            home.path("spy").display()
        ),
    )
    .unwrap();
    let script = "fill() { printf 'protocol=https\\nhost=%s\\n\\n' $1 | git credential fill; }\n\
        fill hub.acme.example > mine\n\
        GIT_TERMINAL_PROMPT=0 fill other.example > theirs 2>/dev/null\n\
        git config --get-all credential.https://hub.acme.example.helper; env; git config one.two";
    let mut command = job(
        &home,
        &issuer,
        &[
            "exec",
            "--token-file",
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
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "one.two")
        .env("GIT_CONFIG_VALUE_0", "three");
    let got = ran(&mut command);
    assert_eq!(got.code, Some(0), "{got:?}");
    let mine = fs::read_to_string(home.path("mine")).unwrap();
    assert!(mine.contains("password=git-tok\n"), "{mine} {got:?}");
    assert!(mine.contains("username=hf_user\n"), "{mine}");
    assert!(
        !fs::read_to_string(home.path("theirs"))
            .unwrap()
            .contains("git-tok")
    );
    assert!(
        got.out.ends_with("three\n"),
        "what was set before stays: {got:?}"
    );
    assert!(got.out.contains("--token-file"), "{got:?}");
    assert!(!got.out.contains("git-tok"), "{got:?}");
    let spied = fs::read_to_string(home.path("spy")).unwrap_or_default();
    assert!(!spied.contains("git-tok"), "{spied}");
    nothing_is_left(&home);
}

#[test]
fn a_token_that_the_hub_rejects_is_not_given_to_git_again() {
    let home = Home::new();
    let issuer = Issuer::start("git", HUB, |_| granted("git-tok", 900, "read"));
    let script = "printf 'protocol=https\\nhost=hub.acme.example\\nusername=hf_user\\npassword=git-tok\\n\\n' | git credential reject\n\
        printf 'protocol=https\\nhost=hub.acme.example\\n\\n' | git credential fill";
    let arguments = ["exec", "--token-file", "--", "sh", "-c", script];
    let mut command = job(&home, &issuer, &arguments);
    let got = ran(command.env("GIT_TERMINAL_PROMPT", "0"));
    assert_ne!(got.code, Some(0), "{got:?}");
    assert!(
        got.err
            .contains("the hub did not take the token of this job"),
        "{got:?}"
    );
    assert!(!got.out.contains("git-tok"), "{got:?}");
}

#[test]
fn the_folder_is_open_to_nobody_else_and_signals_end_the_child_and_then_us() {
    use std::os::unix::process::ExitStatusExt;
    let home = Home::new();
    let issuer = Issuer::start("huggingface", HUB, |_| granted("tok", 900, "read"));
    let script = "dirname $HF_TOKEN_PATH > there.new; mv there.new there; exec sleep 600";
    let arguments = ["exec", "--token-file", "--", "sh", "-c", script];
    let mut child = job(&home, &issuer, &arguments).spawn().unwrap();
    let there = home.path("there");
    until("the child", || there.exists());
    let folder = PathBuf::from(fs::read_to_string(&there).unwrap().trim_end());
    assert_eq!(
        fs::metadata(&folder).unwrap().permissions().mode() & 0o777,
        0o700
    );
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(15));
    nothing_is_left(&home);
}
