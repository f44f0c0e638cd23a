//! How an agent comes up: by many clients at once, by the service manager, over one of another
//! version, with a moved clock.

use crate::support::parts::{package, tool};
use crate::support::wait::until_true;
use crate::support::world::{alive, set_mode};
use crate::support::{Builder, World};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

#[test]
fn many_helpers_on_a_machine_without_an_agent_start_exactly_one() {
    let world = World::signed_in();
    world.kill_agents();
    let host = world.hub.get("url").trim_start_matches("http://");
    let ask = world.home.join("ask");
    std::fs::write(
        &ask,
        format!("protocol=http\nhost={host}\npath=acme/model\n\n"),
    )
    .unwrap();
    let helpers: Vec<Child> = (0..20)
        .map(|_| {
            world
                .command(oam::program("git-credential-oam"))
                .args(["--hub", "hub", "get"])
                .stdin(std::fs::File::open(&ask).unwrap())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for helper in helpers {
        let output = helper.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            said.contains("password="),
            "{said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    assert_eq!(world.agents().len(), 1);
    let starts = world.records();
    let starts = starts.iter().filter(|r| r["what"] == "start").count();
    assert_eq!(starts, 2, "the one that was killed and the one that serves");
    world.oam(&["log", "--verify"]).expect(0);
}

#[test]
fn agents_started_at_once_by_hand_leave_one_that_serves() {
    let world = World::signed_in();
    world.kill_agents();
    let agents: Vec<Child> = (0..8)
        .map(|_| {
            world
                .command(oam::program("oam-agent"))
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    let pids: Vec<i64> = agents.iter().map(|agent| i64::from(agent.id())).collect();
    until_true("all but one to leave", || {
        pids.iter().filter(|pid| alive(**pid)).count() == 1
    });
    assert!(world.token().is_some());
    assert!(pids.contains(&world.agent_pid()));
    world.kill_agents();
    for mut agent in agents {
        agent.wait().unwrap();
    }
}

/// `systemd-socket-activate` with the agent's socket, in this person's environment.
fn activated(world: &World) -> Child {
    let folder = world.runtime.join("oam");
    std::fs::create_dir_all(&folder).unwrap();
    set_mode(&folder, 0o700);
    let socket = folder.join("agent.sock");
    let mut command = world.command(tool("SYSTEMD_SOCKET_ACTIVATE"));
    command.arg("-l").arg(&socket);
    for name in ["HOME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"] {
        command.args(["-E", name]);
    }
    let manager = command
        .arg(oam::program("oam-agent"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("systemd-socket-activate (package systemd)");
    until_true("the socket", || socket.exists());
    manager
}

#[test]
fn the_service_managers_socket_is_served_and_stays() {
    let world = World::start();
    let mut manager = activated(&world);
    world.login();
    world.oam(&["setup", "git"]).expect(0);
    world
        .git(".", &["clone", "-q", &world.url("acme/model"), "model"])
        .expect(0);
    // systemd-socket-activate becomes the agent: nobody else started one.
    assert_eq!(world.agent_pid(), i64::from(manager.id()));
    world.kill_agent("-TERM");
    manager.wait().unwrap();
    assert!(
        world.runtime.join("oam/agent.sock").exists(),
        "it is the manager's"
    );
    let mut manager = activated_again(&world);
    assert!(world.token().is_some(), "the session is the same");
    assert_eq!(world.agent_pid(), i64::from(manager.id()));
    world.kill_agents();
    manager.wait().unwrap();
}

fn activated_again(world: &World) -> Child {
    std::fs::remove_file(world.runtime.join("oam/agent.sock")).unwrap();
    activated(world)
}

#[test]
fn systemd_takes_our_units() {
    let folder = tempfile::tempdir().unwrap();
    for unit in ["oam-agent.service", "oam-agent.socket"] {
        let from = package().join("packaging/systemd").join(unit);
        // Where this test's agent lies: systemd looks whether the program is there.
        let text = std::fs::read_to_string(from).unwrap();
        let text = text.replace("/usr/bin/oam-agent", oam::program("oam-agent"));
        std::fs::write(folder.path().join(unit), text).unwrap();
    }
    let output = std::process::Command::new("systemd-analyze")
        .args(["--user", "--man=no", "verify"])
        .args(["oam-agent.service", "oam-agent.socket"].map(|unit| folder.path().join(unit)))
        .env("XDG_RUNTIME_DIR", folder.path())
        .env("HOME", folder.path())
        .output()
        .expect("systemd-analyze (package systemd)");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(!said.contains("oam-agent"), "{said}");
}

#[test]
fn systemd_takes_the_issuers_unit() {
    let folder = tempfile::tempdir().unwrap();
    let unit = "oam-issuer.service";
    let text = std::fs::read_to_string(package().join("packaging/systemd").join(unit)).unwrap();
    // Where this test's issuer lies: systemd looks whether the program is there.
    let text = text.replace("/usr/bin/oam-issuer", oam::program("oam-issuer"));
    std::fs::write(folder.path().join(unit), text).unwrap();
    let output = std::process::Command::new("systemd-analyze")
        .args(["--man=no", "verify"])
        .arg(folder.path().join(unit))
        .output()
        .expect("systemd-analyze (package systemd)");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(!said.contains("oam-issuer"), "{said}");
}

/// The shipped programs, but saying that they are of version 0.0.9.
fn older_programs(world: &World) -> PathBuf {
    let folder = world.home.join("older");
    std::fs::create_dir(&folder).unwrap();
    for program in [oam::program("oam-agent"), oam::program("oam")] {
        let mut bytes = std::fs::read(program).unwrap();
        let version = env!("CARGO_PKG_VERSION").as_bytes();
        let older = &b"0.0.9"[..];
        assert_eq!(version.len(), older.len());
        let places: Vec<usize> = bytes
            .windows(version.len())
            .enumerate()
            .filter_map(|(at, window)| (window == version).then_some(at))
            .collect();
        for at in places {
            bytes[at..at + older.len()].copy_from_slice(older);
        }
        let to = folder.join(Path::new(program).file_name().unwrap());
        std::fs::write(&to, bytes).unwrap();
        set_mode(&to, 0o700);
    }
    folder
}

#[test]
fn an_agent_of_another_version_serves_is_named_and_replaced_when_idle() {
    let world = World::start();
    let older = older_programs(&world);
    let run = world.run(older.join("oam").to_str().unwrap(), &["login", "acme"]);
    run.expect(0);
    let pid = world.agents()[0];
    assert!(world.token().is_some(), "git does not care");
    let named = world
        .oam(&["token", "--hub", "hub", "--repo", "acme/model"])
        .expect(0);
    assert!(
        named.stderr.contains("the agent is version 0.0.9"),
        "{}",
        named.stderr
    );
    assert_eq!(world.agents(), [pid], "a script must not cost a restart");
    let replaced = world.oam(&["status"]).expect(0);
    assert!(
        replaced.stderr.contains("it was replaced"),
        "{}",
        replaced.stderr
    );
    let now = world.agents();
    assert_eq!(now.len(), 1);
    assert_ne!(now, [pid]);
    assert!(world.token().is_some(), "the session is the same");
    assert_eq!(world.idp.count("code"), 1);
    assert_eq!(world.oam(&["status"]).expect(0).stderr, "");
}

#[test]
fn a_busy_agent_of_another_version_is_named_and_stays() {
    let world = World::start();
    let older = older_programs(&world);
    world
        .run(older.join("oam").to_str().unwrap(), &["login", "acme"])
        .expect(0);
    let pid = world.agents();
    let mut child = world
        .oam_command(&["exec", "--token-file", "--repo", "acme/model", "--", "cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until_true("the token file", || !world.token_files().is_empty());
    let login = world.oam(&["login", "acme"]).expect(0);
    assert!(
        login.stderr.contains("it stays for now"),
        "{}",
        login.stderr
    );
    assert_eq!(world.agents(), pid);
    assert!(!world.token_files().is_empty(), "the child goes on");
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_session_past_its_age_has_ended_whatever_the_provider_says() {
    let world = Builder::default()
        .config(|text| text.replace("lease = \"10m\"", "lease = \"10m\"\nsession_age = \"7d\""))
        .start();
    world.login();
    assert!(world.token().is_some());
    world.kill_agents();
    let mut agent = world
        .command("faketime")
        .args(["-f", "+8d", oam::program("oam-agent"), "--foreground"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("faketime (package faketime)");
    // Not the socket, which lies there since the last agent was killed.
    let mut line = String::new();
    let mut said = BufReader::new(agent.stdout.take().unwrap());
    said.read_line(&mut line).unwrap();
    assert_eq!(line.trim(), "ready");
    let refreshes = world.idp.count("refresh");
    let run = world.helper("get", "path=acme/model\n");
    assert!(!run.stdout.contains("password="), "{}", run.stdout);
    assert!(run.stderr.contains("oam login acme"), "{}", run.stderr);
    assert_eq!(world.idp.count("refresh"), refreshes, "nobody was asked");
    assert_eq!(world.status()["standing"], "ended");
    // An end is an end: a clock that is set back brings nothing back.
    world.kill_agents();
    agent.wait().unwrap();
    assert_eq!(world.token(), None);
    assert_eq!(world.status()["standing"], "ended");
}
