//! `oam exec` with a gateway: the command holds no token of the hub, and what goes on is cut at the end.

use crate::gateway_git::settings;
use crate::support::connections::{cut_by, hub_port, port};
use crate::support::parts::tool;
use crate::support::wait::until_true;
use crate::support::world::read_line;
use crate::support::{Run, World};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

/// `oam exec OPTIONS -- sh -c SCRIPT`.
fn exec(world: &World, options: &[&str], script: &str) -> Command {
    let mut args = vec!["exec"];
    args.extend(options);
    args.extend(["--", "sh", "-ec", script]);
    let mut command = world.oam_command(&args);
    command
        .current_dir(&world.home)
        .env("HF_HOME", world.home.join("hf"));
    command
}

fn log(world: &World, query: &str) -> Vec<Value> {
    let log = world.hub.ask(&format!("log?{query}"));
    log["log"].as_array().expect("a log").clone()
}

fn run(mut command: Command) -> Run {
    Run::of(&command.output().expect("oam exec"))
}

#[test]
fn git_and_large_files_pass_and_nothing_of_it_stays_in_the_repository() {
    let world = World::signed_in();
    world.git(".", &["lfs", "install", "--skip-repo"]).expect(0);
    let url = world.url("acme/model");
    let script = format!(
        "git clone -q {url} model; cd model; git lfs track '*.bin'; \
         head -c 200000 /dev/zero > w.bin; git add .; git commit -qm weights; git push -q; cd ..; \
         git clone -q {url} again; cmp model/w.bin again/w.bin; env; git config --list"
    );
    let run = run(exec(&world, &[], &script)).expect(0);
    assert!(
        !run.stdout.contains("eyJ"),
        "no token in environment or settings"
    );
    let stored = log(&world, "kind=lfs&method=PUT");
    assert_eq!(stored.len(), 1, "{stored:?}");
    assert_eq!(stored[0]["role"], "model-publisher");
    assert!(
        world
            .records()
            .iter()
            .filter(|record| record["what"] == "grant")
            .all(|record| record["front"] == "gateway")
    );
    assert!(world.token_files().is_empty());
    // No gateway has to do with this one, nor git-lfs, which finds out for itself what a gateway's command is told.
    let clone = world
        .command("git")
        .args(["clone", "-q", &url, "plain"])
        .env("GIT_LFS_SKIP_SMUDGE", "1")
        .output();
    Run::of(&clone.unwrap()).expect(0);
    let plain = settings(&world, "plain");
    assert!(plain.contains(&url), "{plain}");
    let gateway = run
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("HF_ENDPOINT="));
    for clone in ["model", "again"] {
        assert_eq!(settings(&world, clone), plain, "{clone}");
        let args = ["-rFl", gateway.unwrap(), clone];
        let told = world.run("grep", &args).expect(1);
        assert_eq!(told.stdout, "", "the gateway's address");
    }
    let served = &world.last("served")["served"];
    assert_eq!(served["incomplete"], Value::Null, "{served}");
    let repository = &served["repositories"][0];
    assert_eq!(repository["repository"], "acme/model", "{served}");
    assert_eq!(repository["refs"][0], "refs/heads/main", "{served}");
    assert!(repository["sent"].as_u64() > Some(200_000), "{served}");
    assert!(repository["received"].as_u64() > Some(200_000), "{served}");
}

#[test]
fn a_push_without_the_right_is_a_403_with_words_and_no_prompt() {
    let world = World::start();
    world.set_up_git();
    world.login_as("brian");
    let url = world.url("acme/model");
    let script = format!(
        "git clone -q {url} model; cd model; git commit -q --allow-empty -m x; git push -q"
    );
    let run = run(exec(&world, &[], &script));
    assert_ne!(run.code, 0);
    assert!(
        run.stderr.contains("403") && run.stderr.contains("oam: "),
        "{}",
        run.stderr
    );
    assert!(!run.stderr.contains("Username"), "{}", run.stderr);
}

#[test]
fn a_command_that_is_to_read_one_repository_can_do_no_more_than_that() {
    let world = World::signed_in();
    let url = world.url("acme/model");
    let script = format!(
        "git clone -q {url} model; cd model; git commit -q --allow-empty -m x; git push -q && exit 9; exit 0"
    );
    let run = run(exec(&world, &["--repo", "acme/model"], &script)).expect(0);
    let told = "this command was started to read acme/model, and would write to acme/model";
    assert!(run.stderr.contains(told), "{}", run.stderr);
    assert!(log(&world, "action=write").is_empty());
}

#[test]
fn the_capability_is_good_at_the_gateway_alone() {
    let world = World::signed_in();
    let hub = world.hub.get("url");
    let script = format!(
        "code() {{ curl -s -o /dev/null -w '%{{http_code}}\\n' \"$@\"; }}; \
         code -H \"Authorization: Bearer $HF_TOKEN\" $HF_ENDPOINT/api/models/acme/model; \
         code -H \"Authorization: Bearer $HF_TOKEN\" {hub}/api/models/acme/model; \
         code -H 'Authorization: Bearer x' $HF_ENDPOINT/api/models/acme/model; \
         code -H \"Authorization: Bearer $HF_TOKEN\" -H 'Host: evil.example' $HF_ENDPOINT/api/models/acme/model"
    );
    let run = run(exec(&world, &["--repo", "acme/model"], &script)).expect(0);
    let codes: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(codes, ["200", "401", "403", "403"]);
}

#[test]
fn after_the_sign_out_the_gateway_refuses_with_the_reason() {
    let world = World::signed_in();
    let script = "echo ready; read -r line || true; \
         curl -s -w '%{http_code}' -H \"Authorization: Bearer $HF_TOKEN\" $HF_ENDPOINT/api/models/acme/model";
    let mut child = exec(&world, &["--repo", "acme/model"], script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    assert_eq!(read_line(&mut child), "ready");
    world.oam(&["logout"]).expect(0);
    drop(child.stdin.take());
    let mut said = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    child.wait().unwrap();
    assert!(
        said.ends_with("403") && said.contains("oam login"),
        "{said}"
    );
}

#[test]
fn hf_transfers_with_an_address_and_a_capability() {
    let world = World::signed_in();
    std::fs::write(world.home.join("config.json"), "{}\n").unwrap();
    let hf = tool("HF");
    let script = format!(
        "{hf} upload acme/model config.json; {hf} download acme/model config.json --local-dir got; cmp config.json got/config.json"
    );
    run(exec(&world, &["--repo", "acme/model", "--write"], &script)).expect(0);
    let seen = log(&world, "kind=hf");
    assert!(seen.iter().all(|entry| entry["leaked"] != true), "{seen:?}");
    assert!(seen.iter().any(|entry| entry["role"] == "model-publisher"));
}

/// A child that tells its gateway and waits until its input ends; the gateway's address and capability.
fn waiting(world: &World) -> (Child, String, String) {
    let script = "echo $HF_ENDPOINT $HF_TOKEN; read -r line || true";
    let mut child = exec(world, &["--repo", "acme/model"], script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let line = read_line(&mut child);
    let (address, capability) = line.split_once(' ').unwrap();
    (child, address.to_owned(), capability.to_owned())
}

/// What curl gets with the capability: text and status, then its own exit status.
fn knock(user: Option<&str>, address: &str, capability: &str) -> String {
    let url = format!("{address}/api/models/acme/model");
    let script = "curl -s -w '%{http_code}' -H \"Authorization: Bearer $CAPABILITY\" \"$0\"; echo \" exit $?\"";
    let mut command = match user {
        Some(user) => {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", user, "--clear-groups", "sh"]);
            command
        }
        None => Command::new("sh"),
    };
    let output = command
        .args(["-c", script, &url])
        .env("CAPABILITY", capability)
        .env("no_proxy", "127.0.0.1")
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn another_process_of_this_user_that_knows_address_and_capability_is_refused() {
    let world = World::signed_in();
    let (mut child, address, capability) = waiting(&world);
    let said = knock(None, &address, &capability);
    assert!(
        said.contains("this process is none of them") && said.ends_with("403 exit 0\n"),
        "{said}"
    );
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    assert!(log(&world, "").is_empty(), "the hub was asked nothing");
    assert_eq!(world.last("served")["served"]["turned_away"], 1);
}

#[test]
fn another_user_that_knows_address_and_capability_gets_no_answer_as_root() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let world = World::signed_in();
    let (mut child, address, capability) = waiting(&world);
    let said = knock(Some("65534"), &address, &capability);
    // An empty reply, or a connection that was reset.
    assert!(
        ["000 exit 52\n", "000 exit 56\n"].contains(&said.as_str()),
        "{said}"
    );
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

/// As a program that puts itself into the background: whoever started it has ended before it asks.
#[test]
fn a_process_that_its_parent_left_behind_is_still_one_of_the_command() {
    let world = World::signed_in();
    let script = "mkfifo answer
        OWN='while kill -0 $PARENT 2>/dev/null; do :; done
             curl -s -o /dev/null -w \"%{http_code}\\n\" -H \"Authorization: Bearer $HF_TOKEN\" $HF_ENDPOINT/api/models/acme/model' \
          sh -c 'PARENT=$$ setsid sh -c \"$OWN\" >answer & exit 0'
        cat answer";
    let run = run(exec(&world, &["--repo", "acme/model"], script)).expect(0);
    assert_eq!(run.stdout, "200\n", "{}", run.stderr);
}

/// A company's proxy in the environment is no way to the gateway, nor to a hub on loopback.
#[test]
fn a_proxy_in_the_environment_is_not_asked_for_the_gateway() {
    let world = World::signed_in();
    let url = world.url("acme/model");
    let script = format!(
        "curl -s -o /dev/null -w '%{{http_code}}\\n' -H \"Authorization: Bearer $HF_TOKEN\" $HF_ENDPOINT/api/models/acme/model; \
         git clone -q {url} model; cat model/README.md >/dev/null"
    );
    let mut command = exec(&world, &["--repo", "acme/model"], &script);
    // Nobody listens there.
    for name in [
        "http_proxy",
        "HTTP_PROXY",
        "https_proxy",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ] {
        command.env(name, "http://127.0.0.1:9");
    }
    command.env_remove("no_proxy").env_remove("NO_PROXY");
    let run = run(command).expect(0);
    assert_eq!(run.stdout, "200\n", "{}", run.stderr);
}

#[test]
fn one_child_goes_on_over_three_tokens() {
    let world = World::start();
    // Two seconds beyond the margin of what is handed out.
    world
        .idp
        .control("token-lifetime", &serde_json::json!({"seconds": 62}));
    world.login();
    let script = "while :; do curl -sf -o /dev/null -H \"Authorization: Bearer $HF_TOKEN\" \
         $HF_ENDPOINT/api/models/acme/model || exit 9; read -r line || exit 0; done";
    let mut child = exec(&world, &["--repo", "acme/model"], script)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut tokens = BTreeSet::new();
    until_true("three tokens", || {
        let _ = child.stdin.as_mut().unwrap().write_all(b"on\n");
        for entry in log(&world, "kind=hf") {
            assert_eq!(entry["status"], 200, "{entry}");
            tokens.insert(entry["token"].as_str().unwrap().to_owned());
        }
        tokens.len() >= 3
    });
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    let granted: BTreeSet<String> = world
        .records()
        .iter()
        .filter(|record| record["what"] == "grant" && record["front"] == "gateway")
        .map(|record| record["token_sha256"].as_str().unwrap().to_owned())
        .collect();
    assert!(tokens.is_subset(&granted), "each is on record");
}

#[test]
fn an_open_upload_is_cut_when_the_session_ends() {
    let world = World::signed_in();
    // The first line of a push that never comes to its end.
    let script = "echo $HF_ENDPOINT; { printf ff00; while sleep 0.1; do printf x; done; } | curl -s -o said -w '%{http_code}' -X POST -T - \
         -H Expect: -H \"Authorization: Bearer $HF_TOKEN\" $HF_ENDPOINT/acme/model.git/git-receive-pack || true; \
         echo ' over'";
    let mut child = exec(&world, &[], script)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let gateway = port(&read_line(&mut child));
    until_true("the token for it", || {
        let grants = world.records();
        grants.iter().any(|record| record["front"] == "gateway")
    });
    // Only the cut ends the upload.
    cut_by(&[gateway, hub_port(&world)], || {
        world.oam(&["logout"]).expect(0);
    });
    let mut said = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    child.wait().unwrap();
    assert!(said.contains(" over"), "{said}");
    assert!(!said.starts_with("200"), "{said}");
    let mut told = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut told)
        .unwrap();
    assert!(told.contains("nobody is signed in to acme"), "{told}");
}
