use super::{History, Position, Verdict, judge, replaces};
use crate::record::KnownEntry;
use proptest::prelude::*;

/// A database as a list of entries, and what it says of itself.
#[derive(Debug, Clone, Default)]
struct Database {
    entries: Vec<String>,
    restored_at: Vec<u64>,
}

impl Database {
    fn write(&mut self, number: u64) {
        self.entries.push(format!("entry {number}"));
    }

    fn history(&self) -> History {
        History {
            restored_at: self.restored_at.clone(),
            last: self.entries.last().map(|hash| KnownEntry {
                seq: self.entries.len() as u64,
                hash: hash.clone(),
            }),
            marked: true,
        }
    }

    fn judge(&self, known: &Position) -> Verdict {
        let there = known.seq.checked_sub(1);
        let there = there.and_then(|at| self.entries.get(usize::try_from(at).unwrap()));
        judge(&self.history(), known, there.map(String::as_str))
    }
}

#[derive(Debug, Clone, Copy)]
enum Act {
    Write,
    Backup,
    /// The backup is put in place by hand.
    Copy,
    /// By the command, which says so.
    Restore,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        6 => Just(Act::Write),
        2 => Just(Act::Backup),
        1 => Just(Act::Copy),
        1 => Just(Act::Restore),
    ];
    prop::collection::vec(act, 1..40)
}

proptest! {
    /// Somebody who keeps the last head by the rule of [`replaces`] finds every copy at once, and takes no
    /// restore and nothing that was written for one.
    #[test]
    fn a_copy_is_found_by_what_others_remember_and_a_restore_is_taken(acts in acts()) {
        let mut live = Database::default();
        let mut backup = Database::default();
        let mut kept: Option<Position> = None;
        for (number, act) in acts.into_iter().enumerate() {
            match act {
                Act::Write => live.write(number as u64),
                Act::Backup => backup = live.clone(),
                Act::Restore => {
                    let beyond = live.history().generation();
                    live = backup.clone();
                    live.restored_at = live.history().restored(beyond).restored_at;
                }
                Act::Copy => {
                    let lost = backup.history().position() != live.history().position();
                    live = backup.clone();
                    if let Some(kept) = &kept {
                        prop_assert_eq!(live.judge(kept) == Verdict::Older, lost);
                    }
                    // The operator's word: what lies there is meant.
                    let beyond = kept.as_ref().map_or(0, |kept| kept.generation);
                    live.restored_at = live.history().restored(beyond).restored_at;
                }
            }
            let told = live.history().position();
            if let Some(kept) = &kept {
                prop_assert!(matches!(live.judge(kept), Verdict::Held | Verdict::GivenUp));
            }
            if replaces(&told, kept.as_ref()) {
                kept = Some(told.clone());
            }
            // What is kept is always the last that was told.
            prop_assert_eq!(kept.as_ref(), Some(&told));
        }
    }
}

fn at(generation: u64, seq: u64, hash: &str) -> Position {
    Position {
        generation,
        seq,
        hash: hash.into(),
    }
}

#[test]
fn a_rolled_back_database_that_was_written_on_is_another() {
    let mut live = Database::default();
    (0..9).for_each(|number| live.write(number));
    let kept = live.history().position();
    live.entries.truncate(4);
    assert_eq!(live.judge(&kept), Verdict::Older);
    (10..20).for_each(|number| live.write(number));
    assert_eq!(live.judge(&kept), Verdict::Another);
}

#[test]
fn what_was_dropped_by_age_is_held() {
    let live = Database {
        entries: (0..9).map(|n| n.to_string()).collect(),
        restored_at: Vec::new(),
    };
    assert_eq!(judge(&live.history(), &at(0, 3, "x"), None), Verdict::Held);
}

#[test]
fn a_restore_is_of_a_later_generation_than_all_that_is_known() {
    let backup = History {
        restored_at: vec![3],
        last: Some(KnownEntry {
            seq: 7,
            hash: "h".into(),
        }),
        marked: true,
    };
    let restored = backup.restored(4);
    assert_eq!(restored.restored_at, [3, 7, 7, 7, 7]);
    assert_eq!(restored.generation(), 5);
    // What was written in any of the generations that the backup does not know was given up.
    for generation in 1..5 {
        assert_eq!(
            judge(&restored, &at(generation, 8, "x"), None),
            Verdict::GivenUp
        );
        assert_eq!(
            judge(&restored, &at(generation, 7, "h"), Some("h")),
            Verdict::Held
        );
    }
    assert_eq!(judge(&restored, &at(6, 1, "x"), None), Verdict::Older);
    let absurd = History::default().restored(u64::MAX);
    assert_eq!(absurd.generation(), 10_001);
}
