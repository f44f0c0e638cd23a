//! What real programs have under way when the identity ends, or when they are killed.

use crate::support::connections::{cut_by, hub_port, port, until_they_stand_still};
use crate::support::parts::tool;
use crate::support::wait::until_true;
use crate::support::world::read_line;
use crate::support::{Run, World};
use serde_json::{Value, json};
use std::fs::File;
use std::process::{Child, Command, Stdio};

/// `oam exec -- sh -c SCRIPT`, whose first line of output is the gateway's address; the gateway's port.
fn start(world: &World, script: &str) -> (Child, u16) {
    let script = format!("echo $HF_ENDPOINT; {script}");
    let mut child = world
        .oam_command(&["exec", "--", "sh", "-ec", &script])
        .env("HF_HOME", world.home.join("hf"))
        .env("HF_HUB_DISABLE_UPDATE_CHECK", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let gateway = port(&read_line(&mut child));
    (child, gateway)
}

fn sign_out(world: &World) {
    world.oam(&["logout"]).expect(0);
}

fn ended(child: Child) -> Run {
    Run::of(&child.wait_with_output().unwrap())
}

fn head(world: &World) -> Value {
    world.hub.ask("head?path=acme/model")["head"].clone()
}

/// A hub that stops such requests behind the look at their token, before it reads their bodies.
fn hold(world: &World, method: &str, path: &str) {
    let hold = json!({"path": path, "method": method, "at": "authorized", "count": 1});
    world.hub.control("hold", &hold);
}

fn until_held(world: &World, method: &str) {
    let wait = format!("wait?held=1&method={method}&deadline_ms=30000");
    world.hub.ask(&wait);
}

/// A text of so many megabytes. The hub's client sends it with the commit itself, so through the gateway.
fn upload_by_hf(world: &World, megabytes: u64) -> String {
    world
        .hub
        .control("options", &json!({"lfs_threshold": 1_u64 << 30}));
    let file = File::create(world.home.join("large.txt")).unwrap();
    file.set_len(megabytes << 20).unwrap();
    hold(world, "POST", "/commit/main");
    format!("{} upload acme/model large.txt", tool("HF"))
}

#[test]
fn an_upload_by_hf_is_cut_before_a_hub_that_does_not_read_it() {
    let world = World::signed_in();
    let before = head(&world);
    let (child, gateway) = start(&world, &upload_by_hf(&world, 64));
    until_held(&world, "POST");
    let ports = [gateway, hub_port(&world)];
    until_they_stand_still(&ports);
    cut_by(&ports, || sign_out(&world));
    let run = ended(child);
    assert_ne!(run.code, 0);
    assert!(
        run.stderr.contains("nobody is signed in to acme"),
        "{}",
        run.stderr
    );
    assert_eq!(head(&world), before, "nothing was committed");
}

#[test]
fn a_large_file_of_git_is_cut_while_the_hub_takes_it_slowly() {
    let world = World::signed_in();
    world.git(".", &["lfs", "install", "--skip-repo"]).expect(0);
    let before = head(&world);
    let slow = json!({"bytes_per_second": 1 << 20});
    world.hub.control("options", &slow);
    let file = File::create(world.home.join("large.bin")).unwrap();
    file.set_len(64 << 20).unwrap();
    hold(&world, "PUT", "objects/[0-9a-f]{64}$");
    let url = world.url("acme/model");
    let (child, gateway) = start(
        &world,
        &format!(
            "git clone -q {url} model; cp large.bin model; cd model; git add .; git commit -qm large; git push -q"
        ),
    );
    until_held(&world, "PUT");
    world.hub.control("release", &json!({}));
    cut_by(&[gateway, hub_port(&world)], || sign_out(&world));
    let run = ended(child);
    assert_ne!(run.code, 0);
    assert!(
        run.stderr.contains("nobody is signed in to acme"),
        "{}",
        run.stderr
    );
    assert_eq!(head(&world), before, "nothing was pushed");
}

#[test]
fn a_download_is_cut_also_when_its_child_does_not_read_it() {
    let world = World::signed_in();
    world
        .git(".", &["clone", "-q", &world.url("acme/model"), "model"])
        .expect(0);
    let file = File::create(world.home.join("model/large.txt")).unwrap();
    file.set_len(64 << 20).unwrap();
    world.git("model", &["add", "."]).expect(0);
    world.git("model", &["commit", "-qm", "large"]).expect(0);
    world.git("model", &["push", "-q"]).expect(0);
    // curl waits until somebody reads from the pipe, and nobody does.
    let (mut child, gateway) = start(
        &world,
        "mkfifo unread; exec 4<>unread; \
         curl -s -H \"Authorization: Bearer $HF_TOKEN\" $HF_ENDPOINT/acme/model/resolve/main/large.txt >unread & \
         read -r line || true; kill $! || true",
    );
    let ports = [gateway, hub_port(&world)];
    until_they_stand_still(&ports);
    cut_by(&ports, || sign_out(&world));
    drop(child.stdin.take());
    ended(child).expect(0);
}

#[test]
fn an_hf_that_is_killed_in_the_middle_of_an_upload_leaves_a_whole_record_and_no_connection() {
    let world = World::signed_in();
    let before = head(&world);
    let upload = upload_by_hf(&world, 64);
    let (mut child, gateway) = start(&world, &format!("echo $$; exec {upload}"));
    let pid = read_line(&mut child);
    until_held(&world, "POST");
    let ports = [gateway, hub_port(&world)];
    until_they_stand_still(&ports);
    let kill = || {
        let kill = Command::new("kill").args(["-9", &pid]).status();
        assert!(kill.unwrap().success());
    };
    cut_by(&ports, kill);
    // 128 and the number of SIGKILL.
    ended(child).expect(137);
    let sums = || {
        let mut records = world.records();
        records.retain(|record| record["what"] == "served");
        records
    };
    until_true("the record", || !sums().is_empty());
    let sums = sums();
    assert_eq!(sums.len(), 1, "{sums:?}");
    let served = &sums[0]["served"];
    assert_eq!(served["incomplete"], Value::Null, "{served}");
    let repository = &served["repositories"][0];
    assert_eq!(repository["repository"], "acme/model", "{served}");
    assert!(repository["writes"].as_u64() > Some(0), "{served}");
    assert!(repository["sent"].as_u64() > Some(1 << 16), "{served}");
    world.hub.control("release", &json!({}));
    assert_eq!(head(&world), before, "nothing was committed");
}
