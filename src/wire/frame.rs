//! Frames: one JSON object a line, at most [`LIMIT`] bytes with its line feed.
//!
//! No length field exists, so nothing is allocated because somebody said so (R27): the inbox grows
//! with the bytes that really came.

use super::brief::{Brief, Flat};
use super::buffer::Buffer;
use super::message::{PROTOCOL, ReplyFrame, Request, RequestFrame, VERSION};
use oam_model::refusal::Refusal;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::fmt;
use std::io;

/// Longest frame in bytes, line feed included.
pub const LIMIT: usize = 64 * 1024;

/// Why bytes are not a frame that we take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FrameFault {
    /// More than [`LIMIT`] bytes without a line feed, or a message that does not fit.
    TooLong,
    /// Not one JSON object of the protocol.
    Garbage,
    /// The other side speaks another version of the protocol.
    Version {
        /// Product version of the other side, plain characters only; empty when it did not say.
        version: String,
        /// Its protocol.
        protocol: u32,
    },
}

impl fmt::Display for FrameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "a message is longer than {LIMIT} bytes"),
            Self::Garbage => f.write_str("a message is not of the agent's protocol"),
            Self::Version { version, protocol } => {
                let named = if version.is_empty() {
                    "unknown"
                } else {
                    version
                };
                write!(f, "version {named} (protocol {protocol})")
            }
        }
    }
}

impl std::error::Error for FrameFault {}

impl FrameFault {
    /// What the agent answers to a client whose frame it does not take.
    pub fn to_client(&self) -> Refusal {
        match self {
            Self::Version { .. } => Refusal::bad_request(
                format!(
                    "this program is {self}, the agent is version {VERSION} (protocol {PROTOCOL})"
                ),
                "install the same version of both, or end the process `oam-agent`",
            ),
            Self::TooLong | Self::Garbage => Refusal::bad_request(
                self.to_string(),
                "use the programs that came with this agent",
            ),
        }
    }

    /// What a client says about a reply that it does not take.
    pub fn from_agent(&self) -> Refusal {
        match self {
            Self::Version { .. } => Refusal::unavailable(
                format!(
                    "the agent is {self}, this program is version {VERSION} (protocol {PROTOCOL})"
                ),
                "end the process `oam-agent`; the next program that needs it starts the new one",
            ),
            Self::TooLong | Self::Garbage => Refusal::unavailable(
                format!("the agent's answer can't be read: {self}"),
                "install the same version of the agent and of this program",
            ),
        }
    }
}

/// A frame being written: refuses to grow past [`LIMIT`].
struct Outgoing(Buffer);

impl io::Write for Outgoing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() >= LIMIT {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The bytes of one message, line feed included.
///
/// # Errors
/// [`FrameFault::TooLong`].
pub fn encode(message: &impl Serialize) -> Result<Buffer, FrameFault> {
    let mut out = Outgoing(Buffer::new());
    serde_json::to_writer(&mut out, message).map_err(|_| FrameFault::TooLong)?;
    out.0.push(b"\n");
    Ok(out.0)
}

/// What every frame of every version has.
#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    v: u32,
    #[serde(default)]
    version: String,
    #[serde(default)]
    op: String,
}

/// Reads a request.
///
/// # Errors
/// [`FrameFault`]. A request to retire is read from any version: it is how an old agent is replaced.
pub fn request(line: &[u8]) -> Result<RequestFrame, FrameFault> {
    match decode::<RequestFrame>(line, |frame| frame.v) {
        Err(FrameFault::Version { version, protocol }) if asks_to_retire(line) => {
            Ok(RequestFrame {
                v: protocol,
                version,
                request: Request::Retire,
            })
        }
        other => other,
    }
}

fn asks_to_retire(line: &[u8]) -> bool {
    serde_json::from_slice::<Envelope>(line).is_ok_and(|envelope| envelope.op == "retire")
}

/// Reads a reply.
///
/// # Errors
/// [`FrameFault`].
pub fn reply(line: &[u8]) -> Result<ReplyFrame, FrameFault> {
    decode(line, |frame: &ReplyFrame| frame.v)
}

/// Reads a reply as a helper needs it ([`Brief`]); also its sender's version.
///
/// # Errors
/// [`FrameFault`].
pub fn brief(line: &[u8]) -> Result<(Brief, String), FrameFault> {
    flat(line)?.understood().ok_or(FrameFault::Garbage)
}

/// The fields of such a reply, before they are looked at.
pub(super) fn flat(line: &[u8]) -> Result<Flat, FrameFault> {
    decode(line, |flat: &Flat| flat.v)
}

/// The whole message first, the envelope only when that fails: the good case parses once.
fn decode<T: DeserializeOwned>(line: &[u8], v: impl Fn(&T) -> u32) -> Result<T, FrameFault> {
    if !line.trim_ascii_start().starts_with(b"{") {
        return Err(FrameFault::Garbage);
    }
    match serde_json::from_slice::<T>(line) {
        Ok(message) if v(&message) == PROTOCOL => return Ok(message),
        _ => {}
    }
    match serde_json::from_slice::<Envelope>(line) {
        Ok(envelope) if envelope.v != PROTOCOL && envelope.v != 0 => Err(FrameFault::Version {
            version: plain_version(&envelope.version),
            protocol: envelope.v,
        }),
        _ => Err(FrameFault::Garbage),
    }
}

/// The other side's words are shown to people: only what a version number needs is kept.
fn plain_version(text: &str) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+');
    text.chars().filter(plain).take(32).collect()
}

#[cfg(test)]
mod tests {
    use super::super::buffer::Inbox;
    use super::{FrameFault, LIMIT, encode, reply, request};
    use crate::message::{Reply, ReplyFrame, Request, RequestFrame};
    use oam_model::token_request::{HubRef, Intent, TokenRequest};
    use proptest::prelude::*;

    fn get(path: String) -> RequestFrame {
        RequestFrame::new(Request::Get {
            ask: TokenRequest {
                hub: HubRef::Only,
                path: Some(path),
                intent: Intent::Unknown,
                role: None,
            },
            front: "git".into(),
        })
    }

    #[test]
    fn a_frame_is_one_line_and_reads_back() {
        let bytes = encode(&get("acme/line\nfeed".into())).unwrap();
        let feed = bytes.bytes().iter().position(|byte| *byte == b'\n');
        assert_eq!(feed, Some(bytes.len() - 1));
        let mut inbox = Inbox::new();
        inbox.take(bytes.bytes());
        let line = inbox.next_line().unwrap().unwrap();
        let Request::Get { ask, .. } = request(line.bytes()).unwrap().request else {
            panic!("another request");
        };
        assert_eq!(ask.path.as_deref(), Some("acme/line\nfeed"));
        assert!(inbox.is_empty());
    }

    #[test]
    fn a_message_longer_than_the_limit_is_refused_on_both_sides() {
        assert_eq!(
            encode(&get("x".repeat(LIMIT))).err(),
            Some(FrameFault::TooLong)
        );
        let mut inbox = Inbox::new();
        inbox.take(&vec![b'x'; LIMIT - 1]);
        assert!(matches!(inbox.next_line(), Ok(None)));
        inbox.take(b"x");
        assert_eq!(inbox.next_line().err(), Some(FrameFault::TooLong));
    }

    #[test]
    fn another_protocol_is_named_and_retire_is_read_from_any() {
        let fault = reply(br#"{"v":7,"version":"9.0\u001b[1m","type":"done"}"#).err();
        let version = "9.01m".to_owned();
        assert_eq!(
            fault,
            Some(FrameFault::Version {
                version,
                protocol: 7
            })
        );
        assert!(request(br#"{"v":7,"op":"status"}"#).is_err());
        let retire = request(br#"{"v":7,"version":"9","op":"retire","why":1}"#).unwrap();
        assert!(matches!(retire.request, Request::Retire));
    }

    #[test]
    fn unknown_fields_are_ignored_and_other_shapes_are_garbage() {
        assert!(request(br#"{"v":1,"op":"status","later":[1,2]}"#).is_ok());
        for bad in [
            "",
            "{}",
            "null",
            "[]",
            "1",
            "{\"v\":1}",
            "{\"v\":1,\"op\":\"fly\"}",
            "GET / HTTP/1.1",
            "{\"v\":1,\"op\":\"status\"}x",
        ] {
            assert_eq!(
                request(bad.as_bytes()).err(),
                Some(FrameFault::Garbage),
                "{bad}"
            );
        }
    }

    #[test]
    fn deep_nesting_is_garbage_and_not_a_crash() {
        let deep = format!("{{\"v\":1,\"op\":\"status\",\"x\":{}", "[".repeat(60_000));
        assert_eq!(request(deep.as_bytes()).err(), Some(FrameFault::Garbage));
    }

    #[test]
    fn every_reply_without_content_reads_back() {
        for sent in [Reply::NotOurs, Reply::Done] {
            let bytes = encode(&ReplyFrame::new(sent)).unwrap();
            assert!(reply(bytes.bytes().trim_ascii_end()).is_ok());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_crash(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = request(&bytes);
            let _ = reply(&bytes);
        }

    }
}
