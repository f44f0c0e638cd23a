use super::{AcceptedBatch, AcceptedHead, BatchError, LARGEST_SEQ, LONGEST_LINE, fit, needs, take};
use crate::record::{ChainEntry, GENESIS, chain, link, withheld};
use oam_model::feed::Upload;
use oam_model::record::{EventKind, Record};
use proptest::prelude::*;

fn log_of(count: u64, detail: &str) -> Vec<ChainEntry> {
    let mut prev = GENESIS.to_owned();
    (1..=count)
        .map(|seq| {
            let mut record = Record::new(EventKind::Grant, 1_000 + seq);
            record.detail = Some(detail.to_owned());
            let link = chain(seq, &prev, &record).unwrap();
            prev.clone_from(&link.hash);
            link
        })
        .collect()
}

fn log(count: u64) -> Vec<ChainEntry> {
    log_of(count, "as it was")
}

fn upload(lines: &[ChainEntry], head: &ChainEntry) -> Upload {
    Upload {
        known_head: None,
        v: 1,
        log: "0".repeat(32),
        head_seq: head.seq,
        head_hash: head.hash.clone(),
        after_seq: 0,
        lines: lines.iter().map(|link| link.line.clone()).collect(),
    }
}

/// The organization's side of one log.
struct Organization {
    held: AcceptedHead,
    lines: Vec<String>,
}

impl Organization {
    fn new() -> Self {
        Self {
            held: AcceptedHead::nothing(),
            lines: Vec::new(),
        }
    }

    fn holding(lines: &[ChainEntry]) -> Self {
        let mut organization = Self::new();
        let taken = organization.take(&upload(lines, lines.last().unwrap()));
        assert_eq!(taken.alarm, None);
        organization
    }

    fn take(&mut self, upload: &Upload) -> AcceptedBatch {
        let kept = needs(&self.held, upload).and_then(|seq| {
            let same = |line: &&String| link(line).unwrap().seq == seq;
            self.lines.iter().find(same).cloned()
        });
        let taken = take(&self.held, upload, kept.as_deref());
        self.held = taken.held.clone();
        self.lines.extend(taken.lines.clone());
        taken
    }
}

fn alarm(taken: &AcceptedBatch) -> &str {
    taken.alarm.as_deref().unwrap_or("none")
}

#[test]
fn a_gap_is_an_alarm_and_what_follows_is_taken() {
    let lines = log(9);
    let mut organization = Organization::holding(&lines[..3]);
    let taken = organization.take(&upload(&lines[5..7], &lines[6]));
    assert_eq!(alarm(&taken), "records 4 to 5 are missing");
    assert_eq!(taken.lines.len(), 2);
    let next = organization.take(&upload(&lines[7..], &lines[8]));
    assert_eq!(next.alarm, None, "one gap is one alarm");
    assert_eq!(organization.held.last.seq, 9);
    // What was missing comes too late to be proven.
    let late = organization.take(&upload(&lines[3..5], &lines[8]));
    assert!(alarm(&late).contains("record 5 is not the one that is held"));
    assert_eq!(late.lines, Vec::<String>::new());
}

#[test]
fn a_line_of_another_organization_keeps_its_place_and_no_other_can_take_it() {
    let lines = log(5);
    let mut sent = upload(&lines, &lines[4]);
    for at in [0, 2, 4] {
        sent.lines[at] = withheld(&sent.lines[at]).unwrap();
    }
    let mut organization = Organization::new();
    let taken = organization.take(&sent);
    assert_eq!(taken.alarm, None);
    assert_eq!((taken.lines.len(), taken.held.last.seq), (5, 5));
    // A made-up place does not hold the chain together.
    let mut forged = upload(&lines, &lines[4]);
    forged.lines[2] = withheld(&log_of(5, "another")[2].line).unwrap();
    let taken = Organization::new().take(&forged);
    assert!(
        alarm(&taken).contains("does not follow"),
        "{}",
        alarm(&taken)
    );
}

#[test]
fn a_log_written_anew_is_an_alarm_and_the_held_one_is_kept() {
    let lines = log(5);
    let forged = log_of(7, "as somebody wants it");
    for (from, to) in [(0, 3), (0, 5), (2, 5), (2, 7), (4, 7)] {
        let mut organization = Organization::holding(&lines);
        let taken = organization.take(&upload(&forged[from..to], &forged[6]));
        assert!(
            alarm(&taken).contains("written anew"),
            "{from}..{to}: {}",
            alarm(&taken)
        );
        assert_eq!(
            organization.lines[..5],
            lines
                .iter()
                .map(|link| link.line.clone())
                .collect::<Vec<_>>()
        );
        assert_eq!(taken.lines.len(), to.saturating_sub(5));
    }
    let mut organization = Organization::holding(&lines);
    let taken = organization.take(&upload(&forged[5..], &forged[6]));
    assert_eq!(
        alarm(&taken),
        "record 6 does not follow from record 5: the log was written anew"
    );
}

#[test]
fn a_batch_that_leaps_over_records_that_are_held_is_an_alarm() {
    let lines = log(6);
    let mut organization = Organization::holding(&lines[..5]);
    let batch = [lines[0].clone(), lines[5].clone()];
    let taken = organization.take(&upload(&batch, &lines[5]));
    assert_eq!(alarm(&taken), "records 2 to 5 are left out of the batch");
    assert_eq!(organization.held.last.seq, 6);
}

#[test]
fn a_head_behind_what_is_held_is_one_alarm() {
    let lines = log(5);
    let mut organization = Organization::holding(&lines);
    let cut = organization.take(&upload(&[], &lines[2]));
    assert_eq!(
        alarm(&cut),
        "the log ends at record 3, and record 5 had been written"
    );
    assert_eq!(organization.held.last.seq, 5);
    let again = organization.take(&upload(&[], &lines[2]));
    assert_eq!(again.alarm, None);
}

#[test]
fn a_head_that_was_told_and_cut_before_it_was_sent_is_an_alarm() {
    let lines = log(9);
    let mut organization = Organization::new();
    organization.take(&upload(&lines[..3], &lines[8]));
    let cut = organization.take(&upload(&lines[3..5], &lines[4]));
    assert_eq!(
        alarm(&cut),
        "the log ends at record 5, and record 9 had been written"
    );
    assert_eq!(organization.held.last.seq, 5);
}

#[test]
fn a_head_with_another_hash_is_an_alarm() {
    let lines = log(3);
    let other = log_of(3, "another");
    let mut organization = Organization::holding(&lines);
    let taken = organization.take(&upload(&[], &other[2]));
    assert!(alarm(&taken).contains("another hash at the head"));
    let sent = Organization::new().take(&upload(&lines, &other[2]));
    assert!(alarm(&sent).contains("another hash at the head"));
    let behind = Organization::new().take(&upload(&lines, &lines[1]));
    assert!(alarm(&behind).contains("the log's head is told as 2"));
}

#[test]
fn a_line_that_is_no_record_is_left_out_and_leaves_a_gap() {
    let lines = log(4);
    let mut batch = upload(&lines, &lines[3]);
    batch.lines[1] = batch.lines[1].replace("as it was", "as it is!");
    let taken = take(&AcceptedHead::nothing(), &batch, None);
    assert_eq!(
        alarm(&taken),
        "line 2 of the batch was changed after it was written; record 2 is missing"
    );
    assert_eq!(taken.lines.len(), 3);
    batch.lines[1] = "{}".into();
    let taken = take(&AcceptedHead::nothing(), &batch, None);
    assert!(alarm(&taken).starts_with("line 2 of the batch is not a record"));
}

#[test]
fn an_empty_batch_of_an_empty_log_is_nothing() {
    let empty = Upload {
        known_head: None,
        v: 1,
        log: "0".repeat(32),
        head_seq: 0,
        head_hash: GENESIS.to_owned(),
        after_seq: 0,
        lines: vec![],
    };
    let taken = take(&AcceptedHead::nothing(), &empty, None);
    assert_eq!((taken.held, taken.alarm), (AcceptedHead::nothing(), None));
}

#[test]
fn a_database_that_began_anew_or_is_a_backup_takes_nothing_until_the_agent_goes_back() {
    let lines = log(9);
    for mut organization in [Organization::new(), Organization::holding(&lines[..3])] {
        let held = organization.held.clone();
        let mut next = upload(&lines[6..], &lines[8]);
        next.after_seq = 6;
        assert_eq!(needs(&held, &next), None);
        let taken = organization.take(&next);
        assert_eq!((taken.alarm, taken.lines.len()), (None, 0));
        assert_eq!(taken.held, held, "nothing is to be written");
        let from = usize::try_from(held.last.seq).unwrap();
        let mut again = upload(&lines[from..], &lines[8]);
        again.after_seq = held.last.seq;
        let taken = organization.take(&again);
        assert_eq!((taken.alarm, taken.held.last.seq), (None, 9));
    }
}

#[test]
fn a_gap_that_the_agent_made_is_an_alarm_whatever_it_says_that_is_held() {
    let lines = log(9);
    let mut organization = Organization::holding(&lines[..3]);
    for after_seq in [0, 2, 3] {
        let mut gap = upload(&lines[5..7], &lines[8]);
        gap.after_seq = after_seq;
        let taken = take(&organization.held, &gap, None);
        assert_eq!(alarm(&taken), "records 4 to 5 are missing", "{after_seq}");
    }
    let mut lie = upload(&lines[5..7], &lines[8]);
    lie.after_seq = 5;
    assert_eq!(organization.take(&lie).lines.len(), 0, "it gains nothing");
}

proptest! {
    #[test]
    fn an_honest_log_is_taken_whole_however_it_is_cut_into_batches(
        count in 1u64..30,
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 1usize..8), 1..20),
    ) {
        let lines = log(count);
        let mut organization = Organization::new();
        let mut written = 0;
        for (from, length) in cuts {
            // An agent sends from anywhere that is held already, when an answer was lost.
            let held = usize::try_from(organization.held.last.seq).unwrap();
            let from = from.index(held + 1);
            let to = (from + length).min(lines.len());
            written = written.max(to);
            let taken = organization.take(&upload(&lines[from..to], &lines[written - 1]));
            prop_assert_eq!(taken.alarm, None);
        }
        let sent: Vec<_> = lines[..organization.lines.len()].iter().map(|link| link.line.clone()).collect();
        prop_assert_eq!(&organization.lines, &sent);
    }

    #[test]
    fn whatever_is_sent_what_is_held_is_never_replaced_and_a_difference_is_told(
        held in 1usize..8,
        pool in prop::collection::vec((any::<bool>(), 0usize..10), 0..12),
        head in 0usize..10,
    ) {
        let (real, forged) = (log(10), log_of(10, "forged"));
        let mut organization = Organization::holding(&real[..held]);
        let before = organization.lines.clone();
        let lines: Vec<_> = pool.iter().map(|(real_one, at)| if *real_one { real[*at].clone() } else { forged[*at].clone() }).collect();
        let taken = organization.take(&upload(&lines, &real[head]));
        prop_assert_eq!(&organization.lines[..held], &before[..]);
        let mut last = u64::try_from(held).unwrap();
        for line in &taken.lines {
            let seq = link(line).unwrap().seq;
            prop_assert!(seq > last);
            last = seq;
        }
        prop_assert_eq!(organization.held.last.seq, last);
        let honest = pool.iter().all(|(real_one, _)| *real_one)
            && pool.windows(2).all(|pair| pair[1].1 == pair[0].1 + 1)
            && pool.first().is_none_or(|(_, at)| *at <= held)
            && u64::try_from(head).unwrap() + 1 >= last;
        prop_assert_eq!(taken.alarm.is_none(), honest, "{:?}", taken.alarm);
    }
}

#[test]
fn an_alarm_is_short_however_many_faults_a_batch_has() {
    let mut lines: Vec<String> = (0..2_000).map(|n| format!("no record {n}")).collect();
    let real = log(3);
    lines.push(real[2].line.clone());
    let batch = Upload {
        lines,
        ..upload(&[], &real[2])
    };
    let alarm = take(&AcceptedHead::nothing(), &batch, None).alarm.unwrap();
    assert!(alarm.len() < 1_000, "{alarm}");
    assert!(alarm.ends_with("faults more"), "{alarm}");
}

#[test]
fn numbers_and_lines_that_no_agent_writes_are_told_before_anything_else() {
    let good = log(2);
    assert_eq!(fit(&upload(&good, &good[1])), Ok(()));
    for seq in [LARGEST_SEQ + 1, 1 << 63, u64::MAX] {
        let beyond = chain(seq, GENESIS, &Record::new(EventKind::Grant, 1)).unwrap();
        assert_eq!(fit(&upload(&[beyond], &good[1])), Err(BatchError::Number));
        let mut head = upload(&good, &good[1]);
        head.head_seq = seq;
        assert_eq!(fit(&head), Err(BatchError::Number));
        let mut after = upload(&good, &good[1]);
        after.after_seq = seq;
        assert_eq!(fit(&after), Err(BatchError::Number));
    }
    let long = log_of(1, &"x".repeat(LONGEST_LINE));
    assert_eq!(fit(&upload(&long, &long[0])), Err(BatchError::Line));
}
