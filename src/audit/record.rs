//! The hash chain of the audit log (promise 4): making one line, reading one line back.
//!
//! A line is the entry as JSON with `hash` as its last field. The hash is SHA-256 over the bytes of
//! the line without that field, so a line is checked byte by byte as it stands in the file; parsing
//! and writing it anew (the rejected way) would accept any change that parses to the same values,
//! and would break with every field that a later version adds.

mod verify;
mod withheld;

pub use verify::{Fault, FaultKind, KnownEntry, Summary, Verifier, are_missing};
pub use withheld::{of_withheld, withheld};

use aws_lc_rs::digest;
use oam_model::record::EventKind;
use serde::{Deserialize, Serialize};

/// `prev` of the first entry: 64 zeros.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

const TAIL_START: &str = ",\"hash\":\"";
const TAIL_END: &str = "\"}";
const TAIL: usize = TAIL_START.len() + 64 + TAIL_END.len();

/// One line of the log and what the next one needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainEntry {
    /// Number of the entry.
    pub seq: u64,
    /// Its hash, lower-case hex: `prev` of the next one.
    pub hash: String,
    /// The line, without line feed.
    pub line: String,
}

/// The entry without its hash, in the order of [`oam_model::record::Entry`]. The record is any
/// struct: the agent's and the organization's log are chained alike.
#[derive(Serialize)]
struct Body<'a, R> {
    seq: u64,
    prev: &'a str,
    #[serde(flatten)]
    record: &'a R,
}

/// What the chain needs of a line; everything else may come from another version.
#[derive(Deserialize)]
struct Frame<'a> {
    seq: u64,
    #[serde(borrow)]
    prev: &'a str,
    #[serde(default)]
    what: Option<EventKind>,
}

/// The same, for lines whose `what` this version does not know.
#[derive(Deserialize)]
struct Bare<'a> {
    seq: u64,
    #[serde(borrow)]
    prev: &'a str,
}

/// Makes entry number `seq` (from 1) after the one whose hash is `prev`.
///
/// # Errors
/// Our own words when the record can't be written as JSON.
pub fn chain<R: Serialize>(seq: u64, prev: &str, record: &R) -> Result<ChainEntry, String> {
    let mut line = serde_json::to_string(&Body { seq, prev, record })
        .map_err(|_| String::from("the record can't be written as JSON"))?;
    let hash = hex_sha256(line.as_bytes());
    line.pop();
    line.reserve_exact(TAIL);
    line.push_str(TAIL_START);
    line.push_str(&hash);
    line.push_str(TAIL_END);
    Ok(ChainEntry { seq, hash, line })
}

/// Reads one line back (to go on from it) and checks its own hash.
///
/// # Errors
/// What is wrong with the line.
pub fn link(line: &str) -> Result<ChainEntry, FaultKind> {
    let read = read(line.as_bytes())?;
    if !read.intact {
        return Err(FaultKind::Changed);
    }
    Ok(ChainEntry {
        seq: read.seq,
        hash: read.hash.to_owned(),
        line: line.to_owned(),
    })
}

/// The same with the hash that the line names as that of the one before it; also of a line that is
/// withheld, which has its place in the chain and nothing to check.
///
/// # Errors
/// What is wrong with the line.
pub fn placed(line: &str) -> Result<(ChainEntry, String), FaultKind> {
    if let Some(place) = of_withheld(line) {
        return Ok(place);
    }
    Ok((link(line)?, read(line.as_bytes())?.prev.to_owned()))
}

/// A line taken apart.
struct Read<'a> {
    seq: u64,
    prev: &'a str,
    hash: &'a str,
    what: Option<EventKind>,
    /// The hash is the one of the bytes.
    intact: bool,
}

fn read(line: &[u8]) -> Result<Read<'_>, FaultKind> {
    let text = std::str::from_utf8(line).map_err(|_| FaultKind::Unreadable)?;
    let (body, tail) = line
        .len()
        .checked_sub(TAIL)
        .and_then(|at| text.split_at_checked(at))
        .ok_or(FaultKind::Unreadable)?;
    let hash = tail
        .strip_prefix(TAIL_START)
        .and_then(|rest| rest.strip_suffix(TAIL_END))
        .filter(|hash| is_hash(hash))
        .ok_or(FaultKind::Unreadable)?;
    let (seq, prev, what) = match serde_json::from_str::<Frame<'_>>(text) {
        Ok(frame) => (frame.seq, frame.prev, frame.what),
        Err(_) => match serde_json::from_str::<Bare<'_>>(text) {
            Ok(bare) => (bare.seq, bare.prev, None),
            Err(_) => return Err(FaultKind::Unreadable),
        },
    };
    if !is_hash(prev) {
        return Err(FaultKind::Unreadable);
    }
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(body.as_bytes());
    context.update(b"}");
    let intact = hex::encode(context.finish()) == hash;
    Ok(Read {
        seq,
        prev,
        hash,
        what,
        intact,
    })
}

fn is_hash(text: &str) -> bool {
    text.len() == 64
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn hex_sha256(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

#[cfg(test)]
mod tests {
    use super::{FaultKind, GENESIS, chain, hex_sha256, link};
    use oam_model::record::{Entry, EventKind, Record};

    #[test]
    fn a_line_is_the_entry_and_its_hash_covers_every_byte_before_it() {
        let mut record = Record::new(EventKind::Grant, 7);
        record.detail = Some("a \"quoted\" word\n".into());
        let link = chain(3, GENESIS, &record).unwrap();
        let entry: Entry = serde_json::from_str(&link.line).unwrap();
        assert_eq!(
            (entry.seq, entry.prev.as_str(), &entry.hash),
            (3, GENESIS, &link.hash)
        );
        assert_eq!(entry.record, record);
        // The same field order as the noun itself, so that both spell one log.
        assert_eq!(serde_json::to_string(&entry).unwrap(), link.line);
        let body = link
            .line
            .replace(&format!(",\"hash\":\"{}\"", link.hash), "");
        assert_eq!(hex_sha256(body.as_bytes()), link.hash);
        assert!(!link.line.contains('\n'));
    }

    #[test]
    fn the_log_goes_on_from_an_intact_line_only() {
        let made = chain(9, GENESIS, &Record::new(EventKind::Start, 1)).unwrap();
        assert_eq!(link(&made.line).unwrap(), made);
        let changed = made.line.replace("start", "login");
        assert_eq!(link(&changed), Err(FaultKind::Changed));
        for odd in [
            "",
            "{}",
            "\u{0}\u{0}",
            &made.line[1..],
            &format!("{}\r", made.line),
        ] {
            assert_eq!(link(odd), Err(FaultKind::Unreadable), "{odd:?}");
        }
    }

    #[test]
    fn a_kind_of_event_that_this_version_does_not_know_is_still_in_the_chain() {
        let body = format!("{{\"seq\":1,\"prev\":\"{GENESIS}\",\"at_ms\":1,\"what\":\"novelty\"}}");
        let hash = hex_sha256(body.as_bytes());
        let line = format!("{},\"hash\":\"{hash}\"}}", &body[..body.len() - 1]);
        assert_eq!(link(&line).unwrap().seq, 1);
    }
}
