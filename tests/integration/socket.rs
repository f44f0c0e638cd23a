//! Frames that are no frames, and sockets and folders that are not to be trusted: the real agent
//! and the real helper, and bytes of our own in between.

use crate::support::World;
use crate::support::wait::{LONG, until, until_true};
use crate::support::world::set_mode;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

/// A user who is nobody here.
const OTHER: u32 = 65534;

/// More connections than the agent keeps.
const MANY: usize = 300;

fn socket(world: &World) -> PathBuf {
    world.runtime.join("oam/agent.sock")
}

fn connect(world: &World) -> UnixStream {
    let stream = UnixStream::connect(socket(world)).expect("the agent listens");
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream
}

/// Everything that comes until the agent closes the connection.
fn rest(stream: &mut UnixStream) -> String {
    let mut text = Vec::new();
    // A reset is an end, too: the agent need not have read all that we sent.
    let _ = stream.read_to_end(&mut text);
    String::from_utf8(text).expect("UTF-8")
}

/// The one refusal in an answer.
#[track_caller]
fn refusal(answer: &str) -> Value {
    let frame: Value =
        serde_json::from_str(answer.trim()).unwrap_or_else(|e| panic!("{e}: {answer}"));
    assert_eq!(frame["type"], "refused", "{answer}");
    frame["refusal"].clone()
}

/// The same agent still serves.
#[track_caller]
fn serves(world: &World, pid: &[i64]) {
    assert!(world.token().is_some());
    assert_eq!(world.agents(), pid);
}

#[test]
fn garbage_is_refused_and_others_are_served() {
    let world = World::signed_in();
    let pid = world.agents();
    let garbage: [&[u8]; 9] = [
        b"GET / HTTP/1.1\r\n",
        b"\0\0\0\0\n",
        b"{}\n",
        b"[]\n",
        b"{\"v\":1}\n",
        b"{\"v\":1,\"op\":\"give\"}\n",
        b"{\"v\":1,\"op\":\"get\"}\n",
        b"\xff\xfe{\"v\":1,\"op\":\"status\"}\n",
        b"{\"v\":1,\"op\":\"status\"\n",
    ];
    for bytes in garbage {
        let mut stream = connect(&world);
        stream.write_all(bytes).unwrap();
        let answer = rest(&mut stream);
        let refusal = refusal(&answer);
        assert_eq!(refusal["code"], "bad-request", "{bytes:?}: {answer}");
        serves(&world, &pid);
    }
    let deep = [vec![b'['; 60_000], b"\n".to_vec()].concat();
    let mut stream = connect(&world);
    stream.write_all(&deep).unwrap();
    refusal(&rest(&mut stream));
    let mut stream = connect(&world);
    stream.write_all(b"{\"v\":99,\"op\":\"status\"}\n").unwrap();
    let answer = rest(&mut stream);
    assert!(
        refusal(&answer)["sentence"]
            .as_str()
            .unwrap()
            .contains("99"),
        "{answer}"
    );
    serves(&world, &pid);
}

#[test]
fn a_frame_that_is_too_long_is_refused_before_it_ends() {
    let world = World::signed_in();
    let pid = world.agents();
    let mut stream = connect(&world);
    let piece = [b'x'; 4096];
    let mut sent = 0;
    // Goes on until the agent no longer takes anything.
    while sent < 16 << 20 && stream.write_all(&piece).is_ok() {
        sent += piece.len();
    }
    assert!(sent < 1 << 20, "the agent took {sent} bytes of one frame");
    let answer = rest(&mut stream);
    if !answer.is_empty() {
        assert_eq!(refusal(&answer)["code"], "bad-request");
    }
    serves(&world, &pid);
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid[0])).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak: u64 = peak
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    assert!(peak < 64 * 1024, "{peak} KiB");
}

#[test]
fn a_frame_in_single_bytes_is_answered_and_others_do_not_wait_for_it() {
    let world = World::signed_in();
    let pid = world.agents();
    let mut stream = connect(&world);
    for byte in b"{\"v\":1,\"op\":\"sta" {
        stream.write_all(&[*byte]).unwrap();
    }
    serves(&world, &pid);
    for byte in b"tus\"}\n" {
        stream.write_all(&[*byte]).unwrap();
    }
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line).unwrap();
    assert!(line.contains("\"type\":\"status\""), "{line}");
}

#[test]
fn a_frame_that_never_ends_is_given_up() {
    let world = World::signed_in();
    let pid = world.agents();
    let mut stream = connect(&world);
    stream.write_all(b"{\"v\":1,").unwrap();
    // Ends with the agent's deadline, not with ours.
    assert_eq!(rest(&mut stream), "");
    serves(&world, &pid);
}

#[test]
fn flood_of_half_open_and_silent_connections_leaves_room_for_others() {
    let world = World::signed_in();
    let pid = world.agents();
    let mut held = Vec::new();
    for number in 0..MANY {
        let mut stream = connect(&world);
        // Silent, half a frame, or half closed.
        let _ = match number % 3 {
            0 => Ok(()),
            1 => stream.write_all(b"{\"v\":1,\"op\":"),
            _ => stream.shutdown(std::net::Shutdown::Write),
        };
        held.push(stream);
        if number % 50 == 0 {
            serves(&world, &pid);
        }
    }
    serves(&world, &pid);
    drop(held);
    serves(&world, &pid);
    let open = || {
        std::fs::read_dir(format!("/proc/{}/fd", pid[0]))
            .unwrap()
            .count()
    };
    until_true("the connections to be let go", || open() < 60);
}

#[test]
fn a_client_that_never_reads_does_not_hold_up_others() {
    let world = World::signed_in();
    let pid = world.agents();
    let mut stream = connect(&world);
    stream.set_nonblocking(true).unwrap();
    // As many requests as fit; nobody reads the answers.
    while stream.write(b"{\"v\":1,\"op\":\"status\"}\n").is_ok() {}
    for _ in 0..5 {
        serves(&world, &pid);
    }
}

/// Opens what the person closed, so that only the kernel's word about the peer is left.
fn loosen(world: &World) {
    set_mode(world.home.parent().unwrap(), 0o755);
    set_mode(&world.runtime, 0o777);
    set_mode(&world.runtime.join("oam"), 0o777);
    set_mode(&socket(world), 0o777);
}

fn tighten(world: &World) {
    for folder in [world.runtime.clone(), world.runtime.join("oam")] {
        chown(&folder, Some(0), Some(0)).unwrap();
        set_mode(&folder, 0o700);
    }
}

/// Python as another user; its standard output.
fn as_other(script: &str, argument: &Path) -> Child {
    let id = OTHER.to_string();
    std::process::Command::new("setpriv")
        .args(["--reuid", &id, "--regid", &id, "--clear-groups"])
        .args(["/usr/bin/python3", "-c", script])
        .arg(argument)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("setpriv (package util-linux)")
}

const ASK: &str = r#"
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(30)
s.connect(sys.argv[1])
try:
    s.sendall(b'{"v":1,"op":"status"}\n')
    got = s.recv(65536)
except OSError:
    got = b""
print("connected", len(got))
"#;

#[test]
fn another_user_is_refused_even_when_the_modes_are_loosened_as_root() {
    let world = World::signed_in();
    let pid = world.agents();
    loosen(&world);
    let output = as_other(ASK, &socket(&world)).wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said.trim(), "connected 0", "not a byte");
    tighten(&world);
    serves(&world, &pid);
}

/// Listens, says so, and prints what was sent to it once its standard input ends.
const LISTEN: &str = r#"
import os, socket, sys, threading
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o777)
s.listen()
got = []
def serve():
    while True:
        c, _ = s.accept()
        c.settimeout(10)
        try:
            got.append(c.recv(65536))
        except OSError:
            got.append(b"")
        c.close()
threading.Thread(target=serve, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
print(len(got), sum(map(len, got)))
"#;

#[test]
fn another_users_socket_in_our_place_is_sent_nothing_and_not_removed_as_root() {
    let world = World::signed_in();
    world.kill_agents();
    std::fs::remove_file(socket(&world)).unwrap();
    set_mode(world.home.parent().unwrap(), 0o755);
    set_mode(&world.runtime, 0o777);
    set_mode(&world.runtime.join("oam"), 0o777);
    let mut impostor = as_other(LISTEN, &socket(&world));
    let mut out = BufReader::new(impostor.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert_eq!(line.trim(), "ready");
    tighten(&world);

    let run = world.helper("get", "path=acme/model\n");
    assert!(run.stdout.contains("quit=1") && !run.stdout.contains("password="));
    assert!(run.stderr.contains("another user"), "{}", run.stderr);
    for command in [&["status"][..], &["login", "acme"], &["logout", "acme"]] {
        let run = world.oam(command);
        assert_eq!(run.code, 6, "{}", run.stderr);
        assert!(run.stderr.contains("another user"), "{}", run.stderr);
    }
    let agent = world.run(oam::program("oam-agent"), &[]);
    assert!(agent.stdout.contains("another user"), "{}", agent.stdout);
    assert_eq!(socket(&world).symlink_metadata().unwrap().uid(), OTHER);
    assert!(world.agents().is_empty());

    drop(impostor.stdin.take());
    line.clear();
    out.read_line(&mut line).unwrap();
    assert!(line.trim().ends_with(" 0"), "connections and bytes: {line}");
    impostor.wait().unwrap();
    std::fs::remove_file(socket(&world)).unwrap();
    assert!(world.token().is_some());
}

#[test]
fn something_else_in_the_sockets_place_is_named_and_not_deleted() {
    let world = World::signed_in();
    world.kill_agents();
    std::fs::remove_file(socket(&world)).unwrap();
    std::fs::write(socket(&world), "precious").unwrap();
    let run = world.helper("get", "path=acme/model\n");
    assert!(!run.stdout.contains("password="));
    assert!(
        run.stderr.contains("something else than a socket"),
        "{}",
        run.stderr
    );
    assert_eq!(std::fs::read_to_string(socket(&world)).unwrap(), "precious");
    std::fs::remove_file(socket(&world)).unwrap();
    assert!(world.token().is_some());
    let kind = socket(&world).symlink_metadata().unwrap();
    assert!(kind.file_type().is_socket());
    assert_eq!(kind.permissions().mode() & 0o777, 0o600);
}

/// Helper, command line and agent all refuse with these words, and none mends what it found.
#[track_caller]
fn refused_by_all(world: &World, words: &str) {
    let helper = world.helper("get", "path=acme/model\n");
    assert!(helper.stdout.contains("quit=1") && !helper.stdout.contains("password="));
    assert!(helper.stderr.contains(words), "{}", helper.stderr);
    let status = world.oam(&["status"]);
    assert_eq!(status.code, 6, "{}", status.stderr);
    assert!(status.stderr.contains(words), "{}", status.stderr);
    let agent = world.run(oam::program("oam-agent"), &[]);
    assert_ne!(agent.code, 0);
    assert!(agent.stdout.contains(words), "{}", agent.stdout);
}

#[test]
fn a_symlinked_runtime_directory_is_refused_by_name() {
    let world = World::signed_in();
    world.kill_agents();
    let aside = world.home.join("aside");
    let folder = world.runtime.join("oam");
    std::fs::rename(&folder, &aside).unwrap();
    symlink(&aside, &folder).unwrap();
    refused_by_all(&world, "symbolic link");
    std::fs::remove_file(&folder).unwrap();
    std::fs::rename(&aside, &folder).unwrap();
    assert!(world.token().is_some());
}

#[test]
fn a_runtime_directory_that_is_open_to_others_is_refused_by_name() {
    let world = World::signed_in();
    let folder = world.runtime.join("oam");
    for mode in [0o755, 0o777, 0o710] {
        set_mode(&folder, mode);
        refused_by_all(&world, "open to other users");
        assert_eq!(
            folder.symlink_metadata().unwrap().permissions().mode() & 0o777,
            mode
        );
    }
    set_mode(&folder, 0o700);
    set_mode(&world.runtime, 0o777);
    refused_by_all(&world, "other users can write to it");
    set_mode(&world.runtime, 0o700);
    assert!(world.token().is_some());
}

#[test]
fn another_users_runtime_directory_is_refused_by_name_as_root() {
    let world = World::signed_in();
    world.kill_agents();
    let folder = world.runtime.join("oam");
    chown(&folder, Some(OTHER), Some(OTHER)).unwrap();
    refused_by_all(&world, "belongs to another user");
    tighten(&world);
    until("a token", LONG, || world.token());
}
