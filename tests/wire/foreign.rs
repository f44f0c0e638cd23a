//! Other users, foreign sockets, agents of another version (R13, R14).

use crate::support::{Agent, LONG, done, get, line, place};
use oam_host::listen::{ListenOutcome, take};
use oam_host::socket::ConnectionLimits;
use oam_model::refusal::RefusalCode;
use oam_wire::client::Client;
use oam_wire::message::Request;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const NOBODY: u32 = 65_534;

fn root() -> bool {
    rustix::process::geteuid().is_root()
}

fn open_to_all(path: &Path) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
}

/// Runs an ignored test of this file as another user, from a copy that this user can read.
fn as_nobody(home: &Path, test: &str, path: &Path) -> Child {
    open_to_all(home);
    let copy = home.join(format!("copy-{test}"));
    std::fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    let mut command = Command::new(&copy);
    command.args([
        "--exact",
        &format!("foreign::{test}"),
        "--ignored",
        "--nocapture",
    ]);
    command
        .env("PEER_SOCKET", path)
        .current_dir("/")
        .uid(NOBODY)
        .gid(NOBODY);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
#[ignore = "run by another_user_is_closed_before_anything_is_read"]
fn connect_as_another_user() {
    let mut stream = UnixStream::connect(std::env::var_os("PEER_SOCKET").unwrap()).unwrap();
    let _ = stream.write_all(b"{\"v\":1,\"op\":\"status\"}\n");
    assert_eq!(stream.read(&mut [0; 16]).unwrap_or(0), 0);
}

#[test]
fn another_user_is_closed_before_anything_is_read() {
    if !root() {
        eprintln!("left out: only root can be another user");
        return;
    }
    let agent = Agent::new(ConnectionLimits::default(), |_| {
        panic!("the keeper was asked")
    });
    open_to_all(&agent.place.folder);
    open_to_all(&agent.place.socket);
    let mut child = as_nobody(
        agent.home.path(),
        "connect_as_another_user",
        &agent.place.socket,
    );
    assert!(child.wait().unwrap().success());
}

#[test]
#[ignore = "run by a_socket_of_another_user_gets_no_byte"]
fn listen_as_another_user() {
    let listener = UnixListener::bind(std::env::var_os("PEER_SOCKET").unwrap()).unwrap();
    println!("listening");
    let (mut stream, _) = listener.accept().unwrap();
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all);
    assert!(all.is_empty());
}

#[test]
fn a_socket_of_another_user_gets_no_byte() {
    if !root() {
        eprintln!("left out: only root can be another user");
        return;
    }
    let (home, place) = place();
    drop(take(&place, None).unwrap());
    let foreign = home.path().join("foreign.sock");
    let mut child = as_nobody(home.path(), "listen_as_another_user", &foreign);
    let mut heard = Vec::new();
    let out = child.stdout.as_mut().unwrap();
    while !String::from_utf8_lossy(&heard).contains("listening") {
        let mut byte = [0];
        out.read_exact(&mut byte).unwrap();
        heard.push(byte[0]);
    }
    std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::rename(&foreign, &place.socket).unwrap();
    let refusal = Client::connect(&place).err().unwrap();
    assert!(refusal.sentence.contains("another user"), "{refusal:?}");
    assert!(child.wait().unwrap().success());
    // A server does not take its place either.
    assert!(
        take(&place, None)
            .err()
            .unwrap()
            .sentence
            .contains("another user")
    );
}

/// An agent that says this once, whatever it is asked.
fn saying(
    reply: &'static str,
) -> (
    tempfile::TempDir,
    oam_wire::socket_path::SocketPath,
    std::thread::JoinHandle<String>,
) {
    let (home, place) = place();
    drop(take(&place, None).unwrap());
    let listener = UnixListener::bind(&place.socket).unwrap();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // Before its last word, as an agent that ends: who comes after it finds nobody.
        drop(listener);
        let asked = line(&stream);
        stream.write_all(reply.as_bytes()).unwrap();
        asked
    });
    (home, place, thread)
}

#[test]
fn an_agent_of_another_protocol_is_named() {
    let (_home, place, thread) = saying("{\"v\":2,\"version\":\"7.1\",\"type\":\"glow\"}\n");
    let mut client = Client::connect(&place).unwrap();
    let refusal = client.ask(get(), LONG).err().unwrap();
    assert!(
        refusal
            .sentence
            .contains("the agent is version 7.1 (protocol 2)"),
        "{refusal:?}"
    );
    assert!(thread.join().unwrap().contains("\"op\":\"get\""));
}

#[test]
fn an_agent_of_another_version_and_the_same_protocol_is_known() {
    let (_home, place, thread) = saying("{\"v\":1,\"version\":\"0.0.9\",\"type\":\"done\"}\n");
    let mut client = Client::connect(&place).unwrap();
    assert!(client.ask(Request::Status { proof: false }, LONG).is_ok());
    assert_eq!(client.other_version(), Some("0.0.9"));
    thread.join().unwrap();
}

#[test]
fn answers_that_are_cut_or_garbage_or_missing_are_refusals() {
    for (reply, code) in [
        ("", RefusalCode::Unreachable),
        ("{\"v\":1,\"type\":\"done\"}", RefusalCode::Unreachable),
        ("nonsense\n", RefusalCode::Unavailable),
    ] {
        let (_home, place, thread) = saying(reply);
        let mut client = Client::connect(&place).unwrap();
        assert_eq!(client.ask(get(), LONG).err().unwrap().code, code, "{reply}");
        thread.join().unwrap();
    }
    // One that takes the request and says nothing.
    let agent = Agent::with_mailbox(ConnectionLimits::default(), 0, drop);
    let refusal = agent
        .client()
        .ask(get(), Duration::from_millis(20))
        .err()
        .unwrap();
    assert!(refusal.sentence.contains("in time"));
}

#[test]
fn nobody_there_is_a_refusal_with_a_next_step() {
    let (_home, place) = place();
    let refusal = Client::connect(&place).err().unwrap();
    assert_eq!(refusal.code, RefusalCode::Unreachable);
    assert!(refusal.next.contains("oam"));
    let mut agent = Agent::new(ConnectionLimits::default(), done);
    agent.stop();
    assert!(Client::connect(&agent.place).is_err());
}

#[test]
fn two_agents_started_at_once_are_one() {
    let (_home, place) = place();
    let taken: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..6)
            .map(|_| scope.spawn(|| take(&place, None).unwrap()))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let ours = taken
        .iter()
        .filter(|taken| matches!(taken, ListenOutcome::Ours(_)))
        .count();
    assert_eq!(ours, 1);
}

#[test]
fn an_agent_that_is_busy_stays_and_one_that_retires_is_followed_by_the_one_beside() {
    let refused = "{\"v\":1,\"type\":\"refused\",\"epoch\":0,\"refusal\":{\"code\":\"busy\",\"sentence\":\"a\",\"next\":\"b\"}}\n";
    let (_home, place, thread) = saying(refused);
    let client = Client::connect(&place).unwrap();
    let refusal = client.replace(&place, LONG).err().unwrap();
    assert_eq!(refusal.code, RefusalCode::Busy);
    thread.join().unwrap();
    // Also one whose protocol is another: its answer can't be read, its end can be seen.
    let (_home, place, thread) = saying("{\"v\":2,\"version\":\"7.1\",\"type\":\"done\"}\n");
    let client = Client::connect(&place).unwrap();
    let refusal = client.replace(&place, LONG).err().unwrap();
    assert!(
        refusal.sentence.contains("does not lie beside"),
        "{refusal:?}"
    );
    assert!(thread.join().unwrap().contains("\"op\":\"retire\""));
}
