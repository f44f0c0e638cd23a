//! Frames: one JSON object a line, at most [`LIMIT`] bytes with its line feed.
//!
//! No length field exists, so nothing is allocated because somebody said so (R27): the inbox grows
//! with the bytes that really came. Every buffer here can hold a token, so all are wiped, also the
//! old one when a buffer grows (a plain `Vec` would leave a copy behind).

use super::message::{PROTOCOL, ReplyFrame, Request, RequestFrame, VERSION};
use crate::model::refusal::Refusal;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::fmt;
use std::io;
use zeroize::Zeroize;

/// Longest frame in bytes, line feed included.
pub const LIMIT: usize = 64 * 1024;

/// Bytes that a buffer begins with: most frames fit, so most buffers never grow.
const FIRST: usize = 2048;

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

/// Bytes that are wiped when dropped and when they move.
#[derive(Default)]
pub struct Buffer(Vec<u8>);

impl Buffer {
    /// An empty buffer.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Makes room for `more` bytes: the growth is ours, because `Vec` frees the old bytes unwiped.
    fn reserve(&mut self, more: usize) {
        let need = self.0.len().saturating_add(more);
        if need <= self.0.capacity() {
            return;
        }
        let mut larger = Vec::with_capacity(need.max(self.0.capacity() * 2).max(FIRST));
        larger.extend_from_slice(&self.0);
        self.0.zeroize();
        self.0 = larger;
    }

    /// Adds bytes at the end.
    pub fn push(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets the first `count` bytes, and wipes where the rest lay.
    fn forget(&mut self, count: usize) {
        let count = count.min(self.0.len());
        let rest = self.0.len() - count;
        self.0.copy_within(count.., 0);
        self.0[rest..].zeroize();
        self.0.truncate(rest);
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.0
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

/// The whole message first, the envelope only when that fails: the good case parses once.
fn decode<T: DeserializeOwned>(line: &[u8], v: impl Fn(&T) -> u32) -> Result<T, FrameFault> {
    if !line.trim_ascii_start().starts_with(b"{") {
        return Err(FrameFault::Garbage);
    }
    if let Ok(message) = serde_json::from_slice::<T>(line)
        && v(&message) == PROTOCOL
    {
        return Ok(message);
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

/// Bytes that came in, cut into lines. It does no I/O: client and server both feed it.
#[derive(Default)]
pub struct Inbox {
    held: Buffer,
    /// Bytes of `held` that were searched for a line feed already.
    searched: usize,
}

impl Inbox {
    /// An empty inbox.
    pub const fn new() -> Self {
        Self {
            held: Buffer::new(),
            searched: 0,
        }
    }

    /// Takes bytes that came in.
    pub fn take(&mut self, bytes: &[u8]) {
        self.held.push(bytes);
    }

    /// The next whole line without its line feed, if it came.
    ///
    /// # Errors
    /// [`FrameFault::TooLong`] as soon as [`LIMIT`] bytes are there without a line feed among them.
    pub fn next_line(&mut self) -> Result<Option<Buffer>, FrameFault> {
        let bytes = self.held.bytes();
        let within = &bytes[..bytes.len().min(LIMIT)];
        let unseen = within.get(self.searched..).unwrap_or_default();
        let Some(at) = unseen.iter().position(|byte| *byte == b'\n') else {
            self.searched = within.len();
            return if bytes.len() >= LIMIT {
                Err(FrameFault::TooLong)
            } else {
                Ok(None)
            };
        };
        let end = self.searched + at;
        let mut line = Buffer::new();
        line.push(&bytes[..end]);
        self.held.forget(end + 1);
        self.searched = 0;
        Ok(Some(line))
    }

    /// Whether bytes of an unfinished or further line are held.
    pub const fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Whether no more should be read before a line was taken out.
    pub const fn is_full(&self) -> bool {
        self.held.len() >= LIMIT
    }
}

#[cfg(test)]
mod tests {
    use super::{Buffer, FrameFault, Inbox, LIMIT, encode, reply, request};
    use crate::model::ask::{Ask, HubRef, Intent};
    use crate::wire::message::{Reply, ReplyFrame, Request, RequestFrame};
    use proptest::prelude::*;

    fn get(path: String) -> RequestFrame {
        RequestFrame::new(Request::Get {
            ask: Ask {
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
        assert_eq!(bytes.bytes().iter().filter(|b| **b == b'\n').count(), 1);
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
    fn a_line_of_exactly_the_limit_is_taken() {
        let mut inbox = Inbox::new();
        inbox.take(&vec![b'x'; LIMIT - 1]);
        assert!(matches!(inbox.next_line(), Ok(None)));
        inbox.take(b"\n");
        assert_eq!(inbox.next_line().unwrap().unwrap().len(), LIMIT - 1);
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

        #[test]
        fn lines_come_out_the_same_however_the_bytes_are_cut(
            lines in prop::collection::vec("[a-z]{0,40}", 0..8),
            cut in 1usize..17,
        ) {
            let mut all = Vec::new();
            for line in &lines {
                all.extend_from_slice(line.as_bytes());
                all.push(b'\n');
            }
            let mut inbox = Inbox::new();
            let mut out = Vec::new();
            for piece in all.chunks(cut) {
                inbox.take(piece);
                while let Some(line) = inbox.next_line().unwrap() {
                    out.push(String::from_utf8(line.bytes().to_vec()).unwrap());
                }
            }
            prop_assert_eq!(out, lines);
        }

        #[test]
        fn a_buffer_holds_what_was_pushed(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3000), 0..5)) {
            let mut buffer = Buffer::new();
            parts.iter().for_each(|part| buffer.push(part));
            prop_assert_eq!(buffer.bytes(), parts.concat());
        }
    }
}
