//! The bytes of every message: a change of these files is a change of the protocol.

use oam_wire::frame::{self, FrameFault};

fn lines(name: &str) -> Vec<String> {
    let path = format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn every_request_is_written_as_it_was_read() {
    for line in lines("requests.jsonl") {
        let read =
            frame::request(line.as_bytes()).unwrap_or_else(|fault| panic!("{fault}: {line}"));
        let written = frame::encode(&read).unwrap();
        assert_eq!(
            String::from_utf8_lossy(written.bytes()),
            format!("{line}\n")
        );
    }
}

#[test]
fn every_reply_is_written_as_it_was_read() {
    for line in lines("replies.jsonl") {
        let read = frame::reply(line.as_bytes()).unwrap_or_else(|fault| panic!("{fault}: {line}"));
        let written = frame::encode(&read).unwrap();
        assert_eq!(
            String::from_utf8_lossy(written.bytes()),
            format!("{line}\n")
        );
    }
}

#[test]
fn requests_of_older_and_newer_programs_are_read() {
    for line in lines("older.jsonl").iter().chain(&lines("newer.jsonl")) {
        assert!(frame::request(line.as_bytes()).is_ok(), "{line}");
    }
}

#[test]
fn another_protocol_is_a_named_fault() {
    let line = br#"{"v":2,"version":"9.0.0","op":"status"}"#;
    let fault = frame::request(line).err().unwrap();
    assert!(matches!(fault, FrameFault::Version { protocol: 2, .. }));
    let refusal = fault.to_client();
    assert!(
        refusal.sentence.contains("9.0.0") && refusal.sentence.contains(oam_wire::message::VERSION)
    );
}
