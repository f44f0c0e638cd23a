use super::{Account, AccountEvent, Author, Reinstated};
use crate::admission::End;
use proptest::prelude::*;

fn end(at_ms: u64, reason: u8) -> End {
    End {
        at_ms,
        reason: format!("reason {reason}"),
    }
}

/// An event of the provider, which may arrive in any order.
fn told() -> impl Strategy<Value = AccountEvent> {
    (0u8..4, 0u64..8, 0u8..3).prop_map(|(kind, at_ms, reason)| match kind {
        0 => AccountEvent::Ended(Author::Provider, end(at_ms, reason)),
        1 => AccountEvent::SessionEnded(end(at_ms, reason)),
        2 => AccountEvent::Doubted(end(at_ms, reason)),
        _ => AccountEvent::Restored(Reinstated::ByProvider(at_ms)),
    })
}

/// An order of an administrator or a word of the directory: all of them have one order.
fn ordered() -> impl Strategy<Value = AccountEvent> {
    (0u8..4, 0u64..8, 0u8..3).prop_map(|(kind, at_ms, reason)| match kind {
        0 => AccountEvent::Ended(Author::Administrator, end(at_ms, reason)),
        1 => AccountEvent::Restored(Reinstated::ByAdministrator),
        2 => AccountEvent::Ended(Author::Directory, end(at_ms, reason)),
        _ => AccountEvent::Restored(Reinstated::ByDirectory),
    })
}

fn all(events: &[AccountEvent]) -> Account {
    events.iter().fold(Account::default(), Account::after)
}

/// Whether the provider's account is ended, told from all its events by their times alone.
fn by_time(events: &[AccountEvent]) -> bool {
    let ended = events.iter().filter_map(|event| match event {
        AccountEvent::Ended(Author::Provider, end) => Some(end.at_ms),
        _ => None,
    });
    let restored = events.iter().filter_map(|event| match event {
        AccountEvent::Restored(Reinstated::ByProvider(at_ms)) => Some(*at_ms),
        _ => None,
    });
    let (ended, restored) = (ended.max(), restored.max());
    ended.is_some() && ended >= restored
}

/// The provider's events in an order, with an administrator's orders strewn in.
fn interleaved(
    told: &[AccountEvent],
    ordered: &[AccountEvent],
    places: &[usize],
) -> Vec<AccountEvent> {
    let mut events = told.to_vec();
    let mut at = 0;
    for (order, place) in ordered.iter().zip(places) {
        at = (at + place).min(events.len());
        events.insert(at, order.clone());
        at += 1;
    }
    events
}

proptest! {
    #[test]
    fn in_any_order_and_twice_the_answer_is_the_one_by_the_events_times(
        (told, shuffled) in prop::collection::vec(told(), 0..8)
            .prop_flat_map(|told| (Just(told.clone()), Just(told).prop_shuffle())),
        ordered in prop::collection::vec(ordered(), 0..4),
        places in prop::collection::vec((0usize..5, 0usize..5), 4),
        again in 0usize..8,
    ) {
        let (one, other): (Vec<usize>, Vec<usize>) = places.into_iter().unzip();
        let account = all(&interleaved(&told, &ordered, &one));
        let mut twice = shuffled;
        twice.extend(told.get(again).cloned());
        prop_assert_eq!(&account, &all(&interleaved(&twice, &ordered, &other)));
        prop_assert_eq!(account.ended_by_provider().is_some(), by_time(&told));
        let stands = |author, lifts| {
            let own = |event: &&AccountEvent| {
                let ends = matches!(event, AccountEvent::Ended(by, _) if *by == author);
                ends || **event == AccountEvent::Restored(lifts)
            };
            let last = ordered.iter().rfind(own);
            matches!(last, Some(AccountEvent::Ended(..)))
        };
        let administrator = stands(Author::Administrator, Reinstated::ByAdministrator);
        let directory = stands(Author::Directory, Reinstated::ByDirectory);
        prop_assert_eq!(account.administrator.is_some(), administrator);
        prop_assert_eq!(account.directory.is_some(), directory);
        let ended = administrator || directory || by_time(&told);
        prop_assert_eq!(account.ended().is_some(), ended);
    }

    #[test]
    fn what_was_ended_needs_a_later_sign_in_also_after_it_is_lifted(
        events in prop::collection::vec(prop_oneof![told(), ordered()], 0..12),
    ) {
        let ends = events.iter().filter_map(|event| match event {
            AccountEvent::Ended(_, end) | AccountEvent::SessionEnded(end) => Some(end.at_ms),
            AccountEvent::Doubted(_) | AccountEvent::Restored(_) => None,
        });
        prop_assert_eq!(all(&events).session.map(|end| end.at_ms), ends.max());
    }
}

#[test]
fn a_directory_lifts_neither_an_administrators_end_nor_a_providers() {
    let all_three = all(&[
        AccountEvent::Ended(Author::Directory, end(1, 0)),
        AccountEvent::Ended(Author::Provider, end(2, 1)),
        AccountEvent::Ended(Author::Administrator, end(3, 2)),
    ]);
    assert_eq!(all_three.ended(), Some((Author::Administrator, &end(3, 2))));
    let active = all_three.after(&AccountEvent::Restored(Reinstated::ByDirectory));
    assert_eq!(active.directory, None);
    assert_eq!(active.ended(), Some((Author::Administrator, &end(3, 2))));
    let restored = active.after(&AccountEvent::Restored(Reinstated::ByAdministrator));
    assert_eq!(restored.ended(), Some((Author::Provider, &end(2, 1))));
    let deleted = restored.after(&AccountEvent::Ended(Author::Directory, end(4, 0)));
    assert_eq!(deleted.ended(), Some((Author::Directory, &end(4, 0))));
    let lifted = deleted.after(&AccountEvent::Restored(Reinstated::ForProvider(9)));
    assert_eq!(lifted.ended(), None);
}

#[test]
fn each_author_lifts_only_its_own_end() {
    let both = all(&[
        AccountEvent::Ended(Author::Administrator, end(1, 0)),
        AccountEvent::Ended(Author::Provider, end(2, 1)),
    ]);
    let enabled = both
        .clone()
        .after(&AccountEvent::Restored(Reinstated::ByProvider(3)));
    assert_eq!(enabled.ended(), Some((Author::Administrator, &end(1, 0))));
    let restored = both.after(&AccountEvent::Restored(Reinstated::ByAdministrator));
    assert_eq!(restored.ended(), Some((Author::Provider, &end(2, 1))));
    // Also with a clock that was set back.
    let lifted = restored.after(&AccountEvent::Restored(Reinstated::ForProvider(0)));
    assert_eq!(lifted.ended(), None);
}
