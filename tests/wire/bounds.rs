//! What one client can't do to the agent or to others (R27).

use crate::support::{Agent, LONG, answers_of, done, get, line, say};
use oam_host::socket::ConnectionLimits;
use oam_model::refusal::RefusalCode;
use oam_wire::message::{Reply, Request};
use std::io::{Read, Write};
use std::sync::mpsc;
use std::time::Duration;

#[test]
fn garbage_gets_one_refusal_and_the_end() {
    let agent = Agent::new(ConnectionLimits::default(), done);
    for garbage in [
        &b"GET / HTTP/1.1\r\n"[..],
        b"\n",
        b"{}\n",
        b"[]\n",
        b"{\"v\":1,\"op\":\"fly\"}\n",
        b"\xff\xfe\n",
    ] {
        let mut raw = agent.raw();
        raw.write_all(garbage).unwrap();
        assert!(line(&raw).contains("\"bad-request\""), "{garbage:?}");
        assert_eq!(raw.read(&mut [0; 16]).unwrap_or(0), 0);
    }
    assert!(agent.client().ask(get(), LONG).is_ok());
}

#[test]
fn a_frame_that_is_too_long_gets_one_refusal_and_the_end() {
    let agent = Agent::new(ConnectionLimits::default(), done);
    let mut raw = agent.raw();
    // The server closes before it read all of it, so the rest may fail.
    let _ = raw.write_all(&vec![b'x'; 1 << 20]);
    assert!(line(&raw).contains("65536"));
    assert!(agent.client().ask(get(), LONG).is_ok());
}

#[test]
fn a_request_of_another_protocol_is_refused_by_name() {
    let agent = Agent::new(ConnectionLimits::default(), done);
    let mut raw = agent.raw();
    raw.write_all(b"{\"v\":9,\"version\":\"9.9\",\"op\":\"status\"}\n")
        .unwrap();
    assert!(line(&raw).contains("this program is version 9.9"));
    let mut raw = agent.raw();
    raw.write_all(b"{\"v\":9,\"version\":\"9.9\",\"op\":\"retire\"}\n")
        .unwrap();
    assert!(line(&raw).contains("\"done\""));
}

#[test]
fn a_first_request_that_takes_too_long_ends_the_connection() {
    let first = Duration::from_millis(30);
    let agent = Agent::new(
        ConnectionLimits {
            first,
            ..ConnectionLimits::default()
        },
        done,
    );
    let mut silent = agent.raw();
    let mut slow = agent.raw();
    slow.write_all(b"{\"v\":1,").unwrap();
    for raw in [&mut silent, &mut slow] {
        assert_eq!(raw.read(&mut [0; 16]).unwrap_or(0), 0);
    }
}

#[test]
fn an_idle_connection_ends() {
    let idle = Duration::from_millis(30);
    let agent = Agent::new(
        ConnectionLimits {
            idle,
            ..ConnectionLimits::default()
        },
        done,
    );
    let mut raw = agent.raw();
    raw.write_all(b"{\"v\":1,\"op\":\"status\"}\n").unwrap();
    let mut all = String::new();
    raw.read_to_string(&mut all).unwrap();
    assert_eq!(all.lines().count(), 1);
}

#[test]
fn a_half_open_client_gets_its_answer() {
    let agent = Agent::new(ConnectionLimits::default(), done);
    let mut raw = agent.raw();
    raw.write_all(b"{\"v\":1,\"op\":\"status\"}\n").unwrap();
    raw.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(line(&raw).contains("\"done\""));
}

#[test]
fn a_flood_of_idle_connections_shuts_nobody_out() {
    let limits = ConnectionLimits {
        connections: 12,
        reserve: 2,
        ..ConnectionLimits::default()
    };
    let agent = Agent::new(limits, done);
    let mut flood: Vec<_> = (0..60).map(|_| agent.raw()).collect();
    assert!(agent.client().ask(get(), LONG).is_ok());
    // The oldest were sent away.
    assert_eq!(flood[0].read(&mut [0; 16]).unwrap_or(0), 0);
}

#[test]
fn when_all_are_busy_a_newcomer_is_turned_away_with_a_word() {
    let (tell, told) = mpsc::channel();
    let limits = ConnectionLimits {
        connections: 4,
        reserve: 1,
        ..ConnectionLimits::default()
    };
    let agent = Agent::new(limits, move |command| {
        tell.send(answers_of(command)).unwrap();
    });
    let mut waiting = Vec::new();
    let mut replies = Vec::new();
    for _ in 0..4 {
        let mut client = agent.client();
        client.send(Request::Status { proof: false }).unwrap();
        replies.push(told.recv_timeout(LONG).unwrap());
        waiting.push(client);
    }
    let reply = agent.client().next(Some(LONG)).map(|frame| frame.reply);
    assert!(
        matches!(reply, Ok(Reply::Refused { refusal, .. }) if refusal.code == RefusalCode::Busy)
    );
    for reply in replies {
        say(&reply, Reply::Done);
    }
    for mut client in waiting {
        assert!(client.next(Some(LONG)).is_ok());
    }
    assert!(
        agent
            .client()
            .send(Request::Status { proof: false })
            .is_ok()
    );
    drop(told);
}

#[test]
fn a_client_that_never_reads_is_let_go_and_others_are_served() {
    let write = Duration::from_millis(50);
    let agent = Agent::new(
        ConnectionLimits {
            write,
            ..ConnectionLimits::default()
        },
        done,
    );
    let mut raw = agent.raw();
    // Until the server gave up: its side is closed then, and ours can't write any more.
    while raw.write_all(b"{\"v\":1,\"op\":\"status\"}\n").is_ok() {}
    assert!(agent.client().ask(get(), LONG).is_ok());
}

#[test]
fn fifty_thousand_garbage_frames_keep_nobody_waiting_for_ever() {
    let agent = Agent::new(ConnectionLimits::default(), done);
    let socket = agent.place.socket.clone();
    let flood = std::thread::spawn(move || {
        for _ in 0..500 {
            let mut raw = std::os::unix::net::UnixStream::connect(&socket).unwrap();
            let _ = raw.write_all("garbage\n".repeat(100).as_bytes());
        }
    });
    for _ in 0..20 {
        assert!(agent.client().ask(get(), LONG).is_ok());
    }
    flood.join().unwrap();
}

/// Run as a process of its own by the test below: it uses up all descriptors.
#[test]
#[ignore = "run by the test below"]
fn out_of_descriptors() {
    let pause = Duration::from_millis(20);
    let agent = Agent::new(
        ConnectionLimits {
            pause,
            ..ConnectionLimits::default()
        },
        done,
    );
    let mut early = agent.client();
    assert!(early.ask(get(), LONG).is_ok());
    let mut spare = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        spare.push(file);
    }
    // One for our end; none is left for the agent's.
    spare.pop();
    let mut late = agent.raw();
    late.write_all(b"{\"v\":1,\"op\":\"status\"}\n").unwrap();
    assert!(early.ask(get(), LONG).is_ok());
    drop(spare);
    assert!(line(&late).contains("\"done\""));
}

#[test]
fn running_out_of_descriptors_does_not_end_the_server() {
    let program = std::env::current_exe().unwrap();
    let run = "ulimit -n 64; exec \"$0\" --exact bounds::out_of_descriptors --ignored";
    let status = std::process::Command::new("/bin/sh")
        .args(["-c", run])
        .arg(program)
        .status();
    assert!(status.unwrap().success());
}
