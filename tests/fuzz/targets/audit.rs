//! The audit log: any bytes are checked without a crash, and a log that was edited in any way, with
//! its last entry known, is never found intact (promise 4).
#![no_main]

use libfuzzer_sys::fuzz_target;
use oam_model::record::{EventKind, Record};
use oam_audit::record::{GENESIS, KnownEntry, Summary, Verifier, chain, link};

fn verify(log: &[u8], known: Option<KnownEntry>) -> Summary {
    let mut verifier = Verifier::new(known);
    verifier.file("audit.jsonl");
    let mut rest = log;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
        verifier.line(&rest[..at]);
        rest = &rest[at + 1..];
    }
    verifier.rest(rest);
    verifier.finish()
}

fn written() -> (Vec<u8>, KnownEntry) {
    let (mut log, mut prev, mut seq) = (Vec::new(), GENESIS.to_owned(), 0);
    for what in [
        EventKind::Start,
        EventKind::Grant,
        EventKind::Refusal,
        EventKind::Grant,
    ] {
        seq += 1;
        let made = chain(seq, &prev, &Record::new(what, 1000 + seq)).expect("a record is JSON");
        log.extend_from_slice(made.line.as_bytes());
        log.push(b'\n');
        prev = made.hash;
    }
    (log, KnownEntry { seq, hash: prev })
}

/// Edits of four bytes: kind, place (two), byte.
fn edited(mut log: Vec<u8>, edits: &[u8]) -> Vec<u8> {
    for edit in edits.chunks_exact(4).take(64) {
        let at = usize::from(u16::from_le_bytes([edit[1], edit[2]])) % (log.len() + 1);
        let lines = |log: &[u8], at: usize| {
            log[..at]
                .iter()
                .rposition(|b| *b == b'\n')
                .map_or(0, |at| at + 1)
        };
        match edit[0] % 5 {
            0 if at < log.len() => log[at] = edit[3],
            1 => log.insert(at, edit[3]),
            2 if at < log.len() => drop(log.remove(at)),
            3 => log.truncate(at),
            // A whole line is taken out.
            _ => {
                let from = lines(&log, at);
                let to = log[from..]
                    .iter()
                    .position(|b| *b == b'\n')
                    .map_or(log.len(), |to| from + to + 1);
                log.drain(from..to);
            }
        }
    }
    log
}

fuzz_target!(|data: &[u8]| {
    let summary = verify(data, None);
    assert!(summary.faults.len() <= Verifier::MAX_FAULTS);
    for line in data.split(|byte| *byte == b'\n') {
        if let Ok(text) = std::str::from_utf8(line)
            && let Ok(found) = link(text)
        {
            assert_eq!(found.line, text);
        }
    }
    let (log, known) = written();
    let now = edited(log.clone(), data);
    assert_eq!(verify(&now, Some(known)).intact(), now == log);
});
