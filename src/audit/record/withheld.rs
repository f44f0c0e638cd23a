//! The place of an entry in the chain without the entry: what an organization is told of a line that is
//! another organization's. The chain can be followed over it; whoever has the line can show it for the
//! hash.

use super::{ChainEntry, is_hash};
use serde::{Deserialize, Serialize};

/// The whole of such a line, in this order and nothing else.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place<'a> {
    seq: u64,
    prev: &'a str,
    hash: &'a str,
}

/// The place of a line of the log, as a line: `{"seq":7,"prev":"…","hash":"…"}`. None for what is no
/// line of a log.
pub fn withheld(line: &str) -> Option<String> {
    /// What every line has; the rest is what is withheld.
    #[derive(Deserialize)]
    struct Line<'a> {
        seq: u64,
        prev: &'a str,
        hash: &'a str,
    }
    let Line { seq, prev, hash } = serde_json::from_str(line).ok()?;
    if !is_hash(prev) || !is_hash(hash) {
        return None;
    }
    serde_json::to_string(&Place { seq, prev, hash }).ok()
}

/// Reads such a line: the entry's number and hash, and the hash of the one before it. None for every
/// other line, also for an entry whose text was cut away so that its hash no longer fits: an entry
/// always has more members.
pub fn of_withheld(line: &str) -> Option<(ChainEntry, String)> {
    let Place { seq, prev, hash } = serde_json::from_str(line).ok()?;
    let known = Place { seq, prev, hash };
    // In one spelling only, so that a line can't be told in two ways.
    let same = serde_json::to_string(&known).is_ok_and(|spelled| spelled == line);
    (same && is_hash(prev) && is_hash(hash)).then(|| {
        let placed = ChainEntry {
            seq,
            hash: hash.to_owned(),
            line: line.to_owned(),
        };
        (placed, prev.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::super::{GENESIS, chain};
    use super::{of_withheld, withheld};
    use oam_model::record::{EventKind, Record};

    #[test]
    fn a_line_and_its_place_have_the_same_number_and_hashes() {
        let mut record = Record::new(EventKind::Grant, 7);
        record.detail = Some("secret plans".into());
        let made = chain(3, GENESIS, &record).unwrap();
        let place = withheld(&made.line).unwrap();
        assert!(!place.contains("plans") && !place.contains("grant"));
        let (link, prev) = of_withheld(&place).unwrap();
        assert_eq!((link.seq, link.hash, link.line), (3, made.hash, place));
        assert_eq!(prev, GENESIS);
    }

    #[test]
    fn nothing_else_is_read_as_a_place() {
        let made = chain(3, GENESIS, &Record::new(EventKind::Start, 7)).unwrap();
        let place = withheld(&made.line).unwrap();
        for other in [
            made.line.clone(),
            format!(" {place}"),
            place.replace("\"seq\":3", "\"seq\": 3"),
            place.replace(GENESIS, "0"),
            place.replace('}', ",\"x\":1}"),
            String::new(),
        ] {
            assert!(of_withheld(&other).is_none(), "{other}");
        }
        assert!(withheld("{\"seq\":1}").is_none());
    }
}
