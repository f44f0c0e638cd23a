//! Writers that decide roles from a row and commit later: whatever came between, they come to the same as one after
//! the other.

use super::super::fixture::*;
use super::Both;
use super::steps::at_ms;
use crate::{Batch, Compared, PersonRow, PersonSeen, StoreChange, StoreFault};
use oam_model::name::RoleName;
use proptest::prelude::*;

/// Who decides. Times are seconds after [`NOW`]; groups are told apart by them.
#[derive(Debug, Clone, Copy)]
enum Writer {
    /// A token shows the groups of its second.
    Token(u64),
    /// A signal tells the groups of its millisecond, half a second later.
    Signal(u64),
    /// A comparison with the policy of now.
    Policy,
}

fn writer() -> impl Strategy<Value = Writer> {
    prop_oneof![
        (0u64..6).prop_map(Writer::Token),
        (0u64..6).prop_map(Writer::Signal),
    ]
}

fn roles(groups: Option<&[String]>, everybody: bool) -> Vec<RoleName> {
    let mut held: Vec<_> = groups
        .iter()
        .copied()
        .flatten()
        .map(|one| role(one))
        .collect();
    held.extend(everybody.then(|| role("reader")));
    held
}

fn lost(before: &[RoleName], held: &[RoleName]) -> Vec<RoleName> {
    let mut before = before.to_vec();
    before.retain(|one| !held.contains(one));
    before
}

/// What a writer decides from a row, by a policy that gives the reader's role to everybody or not.
fn decided(writer: Writer, who: &PersonSeen, row: Option<&PersonRow>, everybody: bool) -> Batch {
    let (key, from) = (who.key.clone(), Compared::of(row));
    let before = row.map_or(&[][..], |row| &row.held);
    let held = |groups: Option<&[String]>, everybody, at_ms| {
        let held = roles(groups, everybody);
        let lost = lost(before, &held);
        (held != before).then(|| StoreChange::Held {
            key: key.clone(),
            from: from.clone(),
            held,
            lost,
            at_ms,
            feed: None,
        })
    };
    match writer {
        Writer::Token(proven) => {
            let seen = PersonSeen {
                proven_at: NOW + proven,
                groups: Some(vec![format!("token-{proven}")]),
                ..who.clone()
            };
            let after = PersonRow::seen(row.cloned(), &seen);
            let is_older = row.is_some_and(|row| seen.proven_at < row.seen.proven_at);
            let counting = after.seen.groups.as_deref();
            let compared = held(counting, everybody, at_ms(proven)).filter(|_| !is_older);
            changes(
                [Some(StoreChange::Seen(seen)), compared]
                    .into_iter()
                    .flatten(),
            )
        }
        Writer::Signal(at) => {
            let at_ms = at_ms(at) + 500;
            let groups = vec![format!("signal-{at}")];
            let late = row.is_some_and(|row| row.has_groups_after(at_ms));
            let told = StoreChange::RolesChanged {
                key,
                from: from.clone(),
                held: roles(Some(&groups), everybody),
                groups: Some(groups),
                at_ms,
                feed: None,
            };
            changes((!late).then_some(told))
        }
        Writer::Policy => {
            let groups = row.and_then(|row| row.seen.groups.as_deref());
            changes(held(groups, everybody, at_ms(9)).filter(|_| row.is_some()))
        }
    }
}

/// What is kept of the roles.
fn kept(both: &Both, who: &PersonSeen) -> Option<(Compared, u64)> {
    let row = both.row(&who.key)?;
    Some((row.compared(), row.epoch))
}

/// One after the other, each by the row that the one before it left.
fn in_turn(both: &Both, who: &PersonSeen, writers: &[Writer], everybody: bool) {
    for writer in writers {
        again(both, who, *writer, everybody);
    }
}

fn again(both: &Both, who: &PersonSeen, writer: Writer, everybody: bool) {
    let row = both.row(&who.key);
    assert!(both.commit(decided(writer, who, row.as_ref(), everybody)));
}

#[test]
fn writers_that_decide_from_the_same_row_come_to_the_same_as_one_after_the_other() {
    let any = (
        prop::collection::vec(writer(), 0..3),
        writer(),
        prop_oneof![2 => writer(), 1 => Just(Writer::Policy)],
        (any::<bool>(), any::<bool>()),
    );
    Both::new().run(96, any, |both, (before, one, other, (was, everybody))| {
        for [first, second] in [[one, other], [other, one]] {
            let (at_once, in_order) = (seen(&both.new_name()), seen(&both.new_name()));
            in_turn(both, &at_once, &before, was);
            in_turn(both, &in_order, &before, was);
            let row = both.row(&at_once.key);
            let batches = [first, second]
                .map(|writer| (writer, decided(writer, &at_once, row.as_ref(), everybody)));
            for (writer, batch) in batches {
                match both.try_commit(batch) {
                    Err(StoreFault::Overtaken) => again(both, &at_once, writer, everybody),
                    outcome => assert_eq!(outcome, Ok(())),
                }
            }
            in_turn(both, &in_order, &[first, second], everybody);
            let (at_once, in_order) = (kept(both, &at_once), kept(both, &in_order));
            assert_eq!(at_once, in_order, "{before:?} {first:?} {second:?}");
        }
    });
}

/// By their times: a signal is later than a token of its second.
#[test]
fn groups_and_roles_are_the_latest_in_whatever_order_they_arrive() {
    let any = prop::collection::vec(writer(), 1..6).prop_flat_map(|told| {
        let shuffled = Just(told.clone()).prop_shuffle();
        (Just(told), shuffled)
    });
    Both::new().run(64, any, |both, (told, shuffled)| {
        let (one, other) = (seen(&both.new_name()), seen(&both.new_name()));
        in_turn(both, &one, &told, false);
        in_turn(both, &other, &shuffled, false);
        let known = |who: &PersonSeen| kept(both, who).map(|(compared, _)| compared);
        assert_eq!(known(&one), known(&other), "{told:?} {shuffled:?}");
        let latest = told.iter().max_by_key(|writer| match writer {
            Writer::Token(proven) => 2 * proven,
            Writer::Signal(at) => 2 * at + 1,
            Writer::Policy => 0,
        });
        let group = latest.map(|writer| match writer {
            Writer::Token(proven) => format!("token-{proven}"),
            Writer::Signal(at) => format!("signal-{at}"),
            Writer::Policy => String::new(),
        });
        let row = both.row(&one.key).unwrap();
        assert_eq!(row.seen.groups, group.map(|group| vec![group]));
    });
}
