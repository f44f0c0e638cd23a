//! A scripted agent: it speaks the real protocol and gives the answers that a test wants.

use super::home::Home;
use oam_wire::message::{Reply, ReplyFrame, Request, RequestFrame, VERSION};
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// Answers one request on its connection.
pub type Script = dyn Fn(&Request, &mut Line) + Send + Sync;

/// One connection.
pub struct Line(UnixStream, Arc<Mutex<String>>);

impl Line {
    pub fn say(&mut self, reply: Reply) {
        let mut frame = ReplyFrame::new(reply);
        frame.version.clone_from(&self.1.lock().unwrap());
        let mut text = serde_json::to_string(&frame).unwrap();
        text.push('\n');
        // The client may have gone: that is for the test to see.
        let _ = self.0.write_all(text.as_bytes());
    }

    /// Ends as an old agent does: the next one is of our version.
    pub fn retire(&mut self) {
        self.say(Reply::Done);
        VERSION.clone_into(&mut self.1.lock().unwrap());
        self.close();
    }

    /// Closes the connection.
    pub fn close(&self) {
        let _ = self.0.shutdown(std::net::Shutdown::Both);
    }
}

/// Starts to answer in `home`. The requests are kept for the test to look at.
pub fn start(home: &Home, script: Arc<Script>) -> Arc<Mutex<Vec<Request>>> {
    start_as(home, VERSION, script)
}

/// The same as an agent of `version`, until it has answered that it ends.
pub fn start_as(home: &Home, version: &str, script: Arc<Script>) -> Arc<Mutex<Vec<Request>>> {
    let version = Arc::new(Mutex::new(version.to_owned()));
    let listener = UnixListener::bind(home.path("run/oam/agent.sock")).unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&asked);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (script, kept) = (Arc::clone(&script), Arc::clone(&kept));
            let version = Arc::clone(&version);
            thread::spawn(move || serve(stream, &version, &script, &kept));
        }
    });
    asked
}

fn serve(
    stream: UnixStream,
    version: &Arc<Mutex<String>>,
    script: &Arc<Script>,
    kept: &Arc<Mutex<Vec<Request>>>,
) {
    let mut line = Line(stream.try_clone().unwrap(), Arc::clone(version));
    for text in BufReader::new(stream).lines().map_while(Result::ok) {
        let frame: RequestFrame = serde_json::from_str(&text).unwrap();
        if matches!(frame.request, Request::Anchor) {
            line.say(anchor());
            continue;
        }
        // Kept before it is answered: a test that has seen the answer finds the request.
        let copy: RequestFrame = serde_json::from_str(&text).unwrap();
        kept.lock().unwrap().push(copy.request);
        script(&frame.request, &mut line);
    }
}

fn anchor() -> Reply {
    reply(&json!({
        "type": "anchor", "folder": "/nowhere", "sequence": 0, "hash": "", "anchored_sequence": 0,
        "anchored_hash": "", "anchored_in": "memory"
    }))
}

/// A reply from JSON, as it crosses the wire.
pub fn reply(value: &serde_json::Value) -> Reply {
    serde_json::from_value(value.clone()).unwrap()
}

/// A signed-in organization with one hub.
pub fn status(hub_kind: &str) -> Reply {
    reply(&json!({
        "type": "status", "agent_version": "1", "agent_pid": 1, "store": "memory", "warnings": [],
        "orgs": [{
            "org": "acme", "issuer": "https://idp.example", "standing": "active", "detail": null,
            "next": null, "subject": "ada\u{1b}]0;x\u{7}", "email": null, "signed_in_at": 1,
            "last_proof_at": 1, "session_ends_at": 4_000_000_000_u64, "epoch": 1,
            "roles": ["publisher"],
            "hubs": [{"hub": "hub", "url": "https://hub.example", "kind": hub_kind}],
            "tokens": []
        }]
    }))
}

/// What was granted, without a token.
pub fn granted() -> serde_json::Value {
    json!({
        "org": "acme", "hub": "hub", "hub_url": "https://hub.example", "role": "publisher",
        "repository": "acme/model", "action": "write", "wider_than_asked": false,
        "expires_at": 4_000_000_000_u64, "token_sha256": "00", "epoch": 1, "scheme": "basic",
        "username": "oam", "expires_in_s": 600
    })
}
