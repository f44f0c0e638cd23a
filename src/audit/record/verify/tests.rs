use super::{FaultKind, KnownEntry, Summary, Verifier};
use crate::record::{GENESIS, chain};
use oam_model::record::{EventKind, Record};
use proptest::prelude::*;

/// A log of `count` entries, grants and refusals in turn.
fn log(count: u64) -> Vec<String> {
    log_of(count, "")
}

fn log_of(count: u64, detail: &str) -> Vec<String> {
    let mut prev = GENESIS.to_owned();
    (1..=count)
        .map(|seq| {
            let what = if seq % 2 == 1 {
                EventKind::Grant
            } else {
                EventKind::Refusal
            };
            let mut record = Record::new(what, 1_000 + seq);
            record.detail = Some(format!("number {seq} {detail}"));
            let link = chain(seq, &prev, &record).unwrap();
            prev = link.hash;
            link.line
        })
        .collect()
}

fn known(lines: &[String]) -> Option<KnownEntry> {
    let line = lines.last()?;
    let head = super::super::link(line).unwrap();
    Some(KnownEntry {
        seq: head.seq,
        hash: head.hash,
    })
}

fn verify(known: Option<KnownEntry>, files: &[&[String]]) -> Summary {
    let mut verifier = Verifier::new(known);
    for (number, file) in files.iter().enumerate() {
        verifier.file(&format!("file {number}"));
        for line in *file {
            verifier.line(line.as_bytes());
        }
    }
    verifier.finish()
}

fn kinds(summary: &Summary) -> Vec<FaultKind> {
    summary.faults.iter().map(|fault| fault.kind).collect()
}

#[test]
fn an_untouched_log_over_several_files_is_intact() {
    let lines = log(9);
    let summary = verify(
        known(&lines[..7]),
        &[&lines[..3], &lines[3..6], &lines[6..]],
    );
    assert!(summary.intact(), "{:?}", summary.faults);
    assert_eq!((summary.first, summary.last, summary.count), (1, 9, 9));
    assert_eq!((summary.grants, summary.refusals), (5, 4));
    assert_eq!(summary.anchored_up_to, 7);
    assert_eq!(summary.last_hash, known(&lines).unwrap().hash);
    assert!(verify(None, &[]).intact());
}

#[test]
fn a_missing_rotated_file_is_told_at_the_file_that_follows_it() {
    let lines = log(9);
    let summary = verify(None, &[&lines[..3], &lines[6..]]);
    assert_eq!(kinds(&summary), [FaultKind::Missing]);
    assert_eq!(
        (summary.faults[0].file.as_str(), summary.faults[0].line),
        ("file 1", 1)
    );
    assert!(summary.faults[0].sentence.contains("entries 4 to 6"));
    let first_gone = verify(None, &[&lines[3..]]);
    assert_eq!(kinds(&first_gone), [FaultKind::Missing]);
}

#[test]
fn a_cut_tail_is_seen_only_with_an_anchor_and_named_then() {
    let lines = log(5);
    assert!(verify(None, &[&lines[..3]]).intact());
    let summary = verify(known(&lines), &[&lines[..3]]);
    assert_eq!(kinds(&summary), [FaultKind::Cut]);
    assert_eq!(summary.anchored_up_to, 0);
    // Deleted as a whole.
    assert_eq!(kinds(&verify(known(&lines), &[])), [FaultKind::Cut]);
}

#[test]
fn a_log_written_anew_with_fitting_hashes_differs_at_the_anchor() {
    let lines = log(5);
    let other = log_of(6, "forged");
    assert!(verify(None, &[&other]).intact());
    let summary = verify(known(&lines), &[&other]);
    assert_eq!(kinds(&summary), [FaultKind::Rewritten]);
}

#[test]
fn a_line_whose_hash_was_made_to_fit_breaks_the_next_one() {
    let mut lines = log(5);
    lines[2] = log_of(5, "forged")[2].clone();
    // Its own `prev` is that of the forged log, and the next line names the old hash.
    assert_eq!(
        kinds(&verify(None, &[&lines])),
        [FaultKind::Unchained, FaultKind::Unchained]
    );
    let mut record = Record::new(EventKind::Grant, 9);
    record.detail = Some("forged".into());
    let prev = known(&log(2)).unwrap().hash;
    lines = log(5);
    lines[2] = chain(3, &prev, &record).unwrap().line;
    let summary = verify(None, &[&lines]);
    assert_eq!(kinds(&summary), [FaultKind::Unchained]);
    assert_eq!(summary.faults[0].seq, Some(4));
}

#[test]
fn a_half_written_last_line_is_told_apart_from_tampering() {
    let lines = log(2);
    let mut verifier = Verifier::new(None);
    verifier.file("audit.jsonl");
    verifier.line(lines[0].as_bytes());
    verifier.rest(&lines[1].as_bytes()[..20]);
    let summary = verifier.finish();
    assert_eq!(kinds(&summary), [FaultKind::Partial]);
    assert_eq!(summary.count, 1);
}

#[test]
fn a_destroyed_log_is_told_by_its_first_faults() {
    let garbage = vec![String::from("x"); 150];
    let summary = verify(None, &[&garbage]);
    assert_eq!((summary.faults.len(), summary.more_faults), (100, 50));
}

proptest! {
    #[test]
    fn any_changed_byte_is_found(count in 1u64..8, at in any::<prop::sample::Index>(), place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let lines = log(count);
        let mut raw: Vec<Vec<u8>> = lines.iter().map(|line| line.clone().into_bytes()).collect();
        let line = at.index(raw.len());
        let position = place.index(raw[line].len());
        prop_assume!(byte != raw[line][position]);
        raw[line][position] = byte;
        let mut verifier = Verifier::new(known(&lines));
        for line in &raw {
            verifier.line(line);
        }
        prop_assert!(!verifier.finish().intact());
    }

    #[test]
    fn any_removed_line_is_found(count in 1u64..9, at in any::<prop::sample::Index>()) {
        let mut lines = log(count);
        let anchor = known(&lines);
        lines.remove(at.index(lines.len()));
        prop_assert!(!verify(anchor, &[&lines]).intact());
    }

    #[test]
    fn any_two_swapped_lines_are_found_even_without_an_anchor(count in 2u64..9, a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>()) {
        let mut lines = log(count);
        let (a, b) = (a.index(lines.len()), b.index(lines.len()));
        prop_assume!(a != b);
        lines.swap(a, b);
        prop_assert!(!verify(None, &[&lines]).intact());
    }

    #[test]
    fn any_line_put_in_a_second_time_is_found_even_without_an_anchor(count in 1u64..9, from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>()) {
        let mut lines = log(count);
        let copy = lines[from.index(lines.len())].clone();
        lines.insert(to.index(lines.len() + 1), copy);
        prop_assert!(!verify(None, &[&lines]).intact());
    }

    #[test]
    fn any_foreign_line_put_in_is_found(count in 1u64..9, to in any::<prop::sample::Index>()) {
        let mut lines = log(count);
        let anchor = known(&lines);
        let at = to.index(lines.len() + 1);
        // The best a forger can do for this place: right number, right predecessor.
        let prev = known(&lines[..at]).map_or_else(|| GENESIS.to_owned(), |known| known.hash);
        let seq = u64::try_from(at).unwrap() + 1;
        let forged = chain(seq, &prev, &Record::new(EventKind::Proof, 5)).unwrap().line;
        lines.insert(at, forged);
        let summary = verify(anchor, &[&lines]);
        // After the anchored end it is a continuation, which only a later anchor can refute.
        prop_assert_eq!(summary.intact(), seq == count + 1);
    }

    #[test]
    fn any_cut_tail_is_found_with_an_anchor(count in 1u64..9, keep in any::<prop::sample::Index>()) {
        let lines = log(count);
        let keep = keep.index(lines.len());
        prop_assert!(!verify(known(&lines), &[&lines[..keep]]).intact());
    }

    #[test]
    fn no_split_into_files_is_a_fault(count in 1u64..9, at in any::<prop::sample::Index>()) {
        let lines = log(count);
        let at = at.index(lines.len() + 1);
        prop_assert!(verify(known(&lines), &[&lines[..at], &lines[at..]]).intact());
    }

    #[test]
    fn no_input_makes_the_verifier_fall_over(lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..120), 0..6)) {
        let mut verifier = Verifier::new(None);
        for line in &lines {
            verifier.line(line);
        }
        let summary = verifier.finish();
        prop_assert_eq!(summary.intact(), lines.is_empty());
    }
}
