//! What the audit log says of itself when its beginning was dropped, so that what is left still proves
//! where it goes on from.

use super::record::Known;

const BEGIN: &str = "entries up to ";
const MIDDLE: &str = " were dropped by age; the chain goes on from their last hash ";

/// The words of the entry that is written before entries up to `last` are dropped.
pub fn words(last: &Known) -> String {
    format!("{BEGIN}{}{MIDDLE}{}", last.seq, last.hash)
}

/// Reads them back; none for other words.
pub fn read(detail: &str) -> Option<Known> {
    let (seq, hash) = detail.strip_prefix(BEGIN)?.split_once(MIDDLE)?;
    let plain = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    let whole = hash.len() == 64 && hash.bytes().all(plain);
    Some(Known {
        seq: seq.parse().ok()?,
        hash: whole.then(|| hash.to_owned())?,
    })
}

#[cfg(test)]
mod tests {
    use super::{Known, read, words};

    #[test]
    fn what_was_dropped_is_read_back_exactly() {
        let last = Known {
            seq: 120,
            hash: "5f".repeat(32),
        };
        assert_eq!(read(&words(&last)), Some(last));
        for odd in ["", "entries up to 3", "entries up to x were dropped"] {
            assert_eq!(read(odd), None, "{odd:?}");
        }
        let short = Known {
            seq: 1,
            hash: "5f".into(),
        };
        assert_eq!(read(&words(&short)), None);
    }
}
