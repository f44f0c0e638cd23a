//! Long and large transfers behind a gateway. A small seed runs with the other tests; the full figure is
//! `OAM_TRANSFER_MB=2048 OAM_TRANSFER_S=200 bash tests/run gateway_transfers`.

use crate::support::builder::Builder;
use crate::support::nginx::Nginx;
use crate::support::parts::tool;
use crate::support::port::Port;
use crate::support::wait::until_true;
use crate::support::world::read_line;
use crate::support::{Run, World};
use serde_json::{Value, json};
use std::borrow::BorrowMut;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A number from the environment.
fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name)
        .ok()
        .map_or(usual, |text| text.parse().expect("a number"))
}

/// A file of so many megabytes.
fn large(world: &World, megabytes: u64) {
    let mut file = File::create(world.home.join("large.bin")).unwrap();
    // Not all zeros: what comes back must be what was sent.
    let mut block = vec![0; 1 << 20];
    for at in 0..megabytes {
        block[..8].copy_from_slice(&at.to_le_bytes());
        file.write_all(&block).unwrap();
    }
}

/// Somebody whose tokens are handed out for one second and serve a gateway for five, before a slow hub.
fn slow_world() -> World {
    let world = World::start();
    world.idp.control("token-lifetime", &json!({"seconds": 61}));
    world.login();
    let megabytes = setting("OAM_TRANSFER_MB", 4);
    large(&world, megabytes);
    // What the hub takes and gives a second for it to last as long as wanted.
    let rate = (megabytes << 20) / setting("OAM_TRANSFER_S", 7);
    world
        .hub
        .control("options", &json!({"bytes_per_second": rate}));
    world
}

/// `oam exec OPTIONS -- sh -c SCRIPT`.
fn exec(world: &World, options: &[&str], script: &str) -> Command {
    let mut args = vec!["exec"];
    args.extend(options);
    args.extend(["--", "sh", "-ec", script]);
    let mut command = world.oam_command(&args);
    command
        .env("HF_HOME", world.home.join("hf"))
        .env("HF_HUB_DISABLE_UPDATE_CHECK", "1");
    command
}

fn run(mut command: impl BorrowMut<Command>) -> Run {
    Run::of(&command.borrow_mut().output().expect("oam exec"))
}

fn log(world: &World, query: &str) -> Vec<Value> {
    let log = world.hub.ask(&format!("log?{query}"));
    log["log"].as_array().expect("a log").clone()
}

/// The tokens (SHA-256) that the hub took for such requests.
fn tokens(world: &World, query: &str) -> BTreeSet<String> {
    let seen = log(world, query);
    let taken = seen.iter().filter(|entry| entry["status"] == 200);
    taken
        .filter_map(|entry| entry["token"].as_str().map(str::to_owned))
        .collect()
}

/// The tokens that gateways asked for, by the agent's record.
fn granted(world: &World) -> BTreeSet<String> {
    let records = world.records();
    let grants = records
        .iter()
        .filter(|record| record["what"] == "grant" && record["front"] == "gateway");
    grants
        .map(|record| record["token_sha256"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn an_upload_and_a_download_by_hf_outlive_their_tokens() {
    let world = slow_world();
    let hf = tool("HF");
    let script = format!("{hf} upload acme/model large.bin");
    run(exec(&world, &[], &script)).expect(0);
    let first = tokens(&world, "path=/preupload/");
    let last = tokens(&world, "path=/commit/main");
    assert_eq!((first.len(), last.len()), (1, 1));
    assert!(
        first.is_disjoint(&last),
        "the commit has a token of its own"
    );
    let script = format!(
        "{hf} download acme/model large.bin --local-dir got; cmp large.bin got/large.bin; \
         {hf} download acme/model README.md --local-dir got"
    );
    run(exec(&world, &["--repo", "acme/model"], &script)).expect(0);
    let used = tokens(&world, "kind=hf");
    assert!(used.len() >= 3, "{used:?}");
    assert!(used.is_subset(&granted(&world)), "each is on record");
    assert!(log(&world, "").iter().all(|entry| entry["leaked"] != true));
}

#[test]
fn large_files_of_git_pass_over_more_than_two_tokens() {
    let world = slow_world();
    world.git(".", &["lfs", "install", "--skip-repo"]).expect(0);
    let url = world.url("acme/model");
    let script = format!(
        "git clone -q {url} model; cp large.bin model; cd model; git add .; git commit -qm large; git push -q; cd ..; \
         git clone -q {url} again; cmp large.bin again/large.bin"
    );
    run(exec(&world, &[], &script)).expect(0);
    let mut used = tokens(&world, "kind=lfs");
    used.extend(tokens(&world, "kind=git"));
    assert!(used.len() >= 3, "{used:?}");
    assert!(used.is_subset(&granted(&world)), "each is on record");
    let served = &world.last("served")["served"]["repositories"][0];
    let bytes = setting("OAM_TRANSFER_MB", 4) << 20;
    for way in ["sent", "received"] {
        assert!(served[way].as_u64() > Some(bytes), "{way}: {served}");
    }
}

#[test]
fn a_hub_that_goes_and_comes_back_in_the_middle_of_a_push_is_found_again() {
    let world = World::signed_in();
    world.git(".", &["lfs", "install", "--skip-repo"]).expect(0);
    large(&world, 4);
    let hold =
        json!({"path": "objects/[0-9a-f]{64}$", "method": "PUT", "at": "authorized", "count": 1});
    world.hub.control("hold", &hold);
    let script = format!(
        "git clone -q {} model; cp large.bin model; cd model; git add .; git commit -qm large; git push -q",
        world.url("acme/model")
    );
    let child = exec(&world, &[], &script)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    world.hub.ask("wait?held=1&method=PUT&deadline_ms=30000");
    world.hub.control("down", &json!({}));
    world.hub.control("up", &json!({}));
    world.hub.control("release", &json!({}));
    Run::of(&child.wait_with_output().unwrap()).expect(0);
    assert_ne!(world.hub.ask("head?path=acme/model")["head"], Value::Null);
    assert!(!tokens(&world, "path=git-receive-pack").is_empty());
}

/// A child that asks the hub once for each line it gets, and says the status.
fn asking(world: &World) -> Child {
    asking_with(world, &[])
}

fn asking_with(world: &World, environment: &[(&str, &str)]) -> Child {
    let script = "while read -r line; do curl -s -o /dev/null -w '%{http_code}\\n' -H \"Authorization: Bearer $HF_TOKEN\" \
         $HF_ENDPOINT/api/models/acme/model || true; done";
    exec(world, &["--repo", "acme/model"], script)
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn ask(child: &mut Child) -> String {
    child.stdin.as_mut().unwrap().write_all(b"on\n").unwrap();
    read_line(child)
}

#[test]
fn a_gateway_goes_on_after_its_agent_was_killed() {
    let world = World::signed_in();
    let mut child = asking(&world);
    assert_eq!(ask(&mut child), "200");
    world.kill_agent("-9");
    // A gateway's next question starts the agent, and its session is kept by the keyring.
    until_true("the hub's answer", || ask(&mut child) == "200");
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

/// Agent, gateway and command on a machine whose wall clock is set while they run; time goes on as it does.
#[test]
fn a_clock_that_jumps_loses_neither_the_session_nor_the_hub() {
    let world = World::signed_in();
    let clock = world.home.join("clock");
    // In one step, as the clock is read at any time.
    let set = |offset: &str| {
        let next = world.home.join("clock.next");
        std::fs::write(&next, format!("{offset}\n")).unwrap();
        std::fs::rename(&next, &clock).unwrap();
    };
    set("+0");
    let preload = world.run("faketime", &["-f", "+1d", "printenv", "LD_PRELOAD"]);
    let preload = preload.expect(0).stdout;
    let environment = [
        ("LD_PRELOAD", preload.trim()),
        ("FAKETIME_TIMESTAMP_FILE", clock.to_str().unwrap()),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    world.kill_agent("-TERM");
    let mut child = asking_with(&world, &environment);
    assert_eq!(ask(&mut child), "200");
    let pid = world.agent_pid();
    for offset in ["+600", "-600", "+0"] {
        set(offset);
        assert_eq!(ask(&mut child), "200", "{offset}");
        let mut token = world.oam_command(&["token", "--repo", "acme/model", "--json"]);
        run(token.envs(environment)).expect(0);
    }
    assert_eq!(world.agent_pid(), pid, "it is the agent whose clock jumped");
    let jumped: BTreeSet<u64> = world
        .records()
        .iter()
        .filter_map(|record| Some(record["at_ms"].as_u64()? / 300_000))
        .collect();
    assert!(jumped.len() > 1, "its clock did jump: {jumped:?}");
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

/// A certificate for 127.0.0.1 by a company's own authority: `ca.pem`, `hub.pem`, `hub.key`.
fn certificates(folder: &Path) {
    let openssl = |args: &str| {
        let run = Command::new("openssl")
            .args(args.split(' '))
            .current_dir(folder)
            .output()
            .expect("openssl");
        assert!(
            run.status.success(),
            "{}",
            String::from_utf8_lossy(&run.stderr)
        );
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(&format!(
        "req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=acme"
    ));
    openssl(&format!(
        "req {key} -keyout hub.key -out hub.csr -subj /CN=hub -addext subjectAltName=IP:127.0.0.1"
    ));
    openssl(
        "x509 -req -in hub.csr -CA ca.pem -CAkey ca.key -out hub.pem -days 2 -copy_extensions copy",
    );
}

#[test]
fn a_hub_with_a_certificate_of_the_companys_own_is_reached_and_no_other_is() {
    let port = Port::take();
    let folder = tempfile::Builder::new().prefix("oam-t").tempdir().unwrap();
    certificates(folder.path());
    let hub = format!("https://127.0.0.1:{}", port.number);
    let (url, ca) = (hub.clone(), folder.path().join("ca.pem"));
    let world = Builder::default()
        .hub(json!({"audience": hub}))
        .config(move |text| {
            let inner = text
                .lines()
                .find(|line| line.starts_with("url = "))
                .unwrap();
            let text = text.replace(inner, &format!("url = \"{url}\""));
            let trust = format!("[orgs.acme]\nca_file = \"{}\"\n", ca.display());
            text.replacen("[orgs.acme]\n", &trust, 1)
        })
        .start();
    let inner = world.hub.get("url").rsplit_once(':').unwrap().1;
    let inner = inner.parse().unwrap();
    let nginx = Nginx::with_tls(folder.path(), &port, inner);
    world.login();
    let ask = "curl -s -H \"Authorization: Bearer $HF_TOKEN\" $HF_ENDPOINT/api/models/acme/model";
    let script = format!("{ask}; git clone -q {hub}/acme/model");
    let good = run(exec(&world, &["--repo", "acme/model"], &script)).expect(0);
    assert!(good.stdout.contains("\"modelId\""), "{}", good.stdout);
    assert!(world.home.join("model/README.md").exists());
    // The same host with a certificate of somebody else.
    drop(nginx);
    let other = tempfile::Builder::new().prefix("oam-t").tempdir().unwrap();
    certificates(other.path());
    let _nginx = Nginx::with_tls(other.path(), &port, inner);
    let before = log(&world, "").len();
    let bad = run(exec(&world, &["--repo", "acme/model"], ask)).expect(0);
    for why in [
        "no connection to the hub could be made",
        "certificate is not trusted",
        "CN=hub",
        "CN=acme",
    ] {
        assert!(bad.stdout.contains(why), "{}", bad.stdout);
    }
    assert_eq!(log(&world, "").len(), before, "the hub was asked nothing");
}
