//! What a provider says of people who were not seen yet.

use super::fixture::*;
use crate::{EndKind, PersonSeen, Store, StoreChange, StoreFault};
use oam_model::signal::SignalSubject;
use oam_policy::account::{AccountEvent, Author, Reinstated};
use oam_policy::admission::End;

fn unmatched(subjects: Vec<SignalSubject>, event: AccountEvent) -> StoreChange {
    StoreChange::Unmatched {
        source: "okta".parse().unwrap(),
        subjects,
        event,
    }
}

fn ended(at_ms: u64) -> AccountEvent {
    let reason = "account-disabled".to_owned();
    AccountEvent::Ended(Author::Provider, End { at_ms, reason })
}

fn named(name: impl FnOnce(&mut SignalSubject)) -> SignalSubject {
    let mut subject = SignalSubject::default();
    name(&mut subject);
    subject
}

/// Every name by which a provider can speak of somebody.
fn names(seen: &PersonSeen) -> Vec<SignalSubject> {
    let issuer = Some(seen.issuer.clone());
    vec![
        named(|s| (s.issuer, s.subject) = (issuer, Some(seen.subject.clone()))),
        named(|s| s.subject = Some(seen.subject.clone())),
        named(|s| s.email = seen.email.as_ref().map(|mail| mail.to_uppercase())),
        named(|s| s.key = Some(seen.key.key.clone())),
        named(|s| s.session.clone_from(&seen.session)),
        named(|s| (s.email, s.key) = (seen.email.clone(), Some(seen.key.key.clone()))),
    ]
}

pub async fn a_stranger_is_ended_by_every_name_when_they_come(store: &dyn Store) {
    for (number, name) in (0..6).map(|number| (number, format!("s{number}"))) {
        let spoken = names(&seen(&name)).swap_remove(number);
        let other = named(|s| s.email = Some("other@acme.example".into()));
        let event = ended(NOW_MS + 5);
        commit(store, changes([unmatched(vec![other, spoken], event)])).await;
        assert!(store.is_spoken_of(seen(&name)).await.unwrap());
        // Whoever was admitted without a look at it is refused in the transaction.
        let admitted = exchange(&name, &format!("t-{name}"), 0);
        assert_eq!(refused(store, admitted).await, StoreFault::Overtaken);
        commit(store, changes([StoreChange::TakeOver(seen(&name))])).await;
        let after = row(store, &name).await;
        assert_eq!(after.seen, seen(&name), "{number}");
        let (author, end) = after.account.ended().unwrap();
        assert_eq!((author, end.at_ms), (Author::Provider, NOW_MS + 5));
        assert_eq!(after.epoch, 1);
        commit(store, changes([StoreChange::Seen(seen(&name))])).await;
    }
}

pub async fn a_name_with_one_member_that_differs_is_somebody_else(store: &dyn Store) {
    let (ada, bob) = (seen("ada"), seen("bob"));
    let theirs = |name: fn(&mut SignalSubject, &PersonSeen, &PersonSeen)| {
        let mut subject = SignalSubject::default();
        name(&mut subject, &ada, &bob);
        subject
    };
    let others = vec![
        theirs(|s, ada, _| {
            s.issuer = Some("https://other.example".into());
            s.subject = Some(ada.subject.clone());
        }),
        theirs(|s, ada, bob| {
            (s.subject, s.session) = (Some(ada.subject.clone()), bob.session.clone());
        }),
        theirs(|s, ada, bob| (s.email, s.key) = (ada.email.clone(), Some(bob.key.key.clone()))),
        SignalSubject::default(),
        theirs(|s, ada, _| s.issuer = Some(ada.issuer.clone())),
    ];
    commit(store, changes([unmatched(others, ended(NOW_MS))])).await;
    assert!(!store.is_spoken_of(seen("ada")).await.unwrap());
    commit(store, exchange("ada", "a1", 0)).await;
    let mut nameless = seen("eve");
    (nameless.email, nameless.session) = (None, None);
    assert!(!store.is_spoken_of(nameless).await.unwrap());
}

pub async fn a_strangers_events_come_to_the_same_in_any_order(store: &dyn Store) {
    let restored = |at_ms| AccountEvent::Restored(Reinstated::ByProvider(at_ms));
    for (number, later) in [(0, false), (1, true)] {
        let at_ms = if later { NOW_MS + 1 } else { NOW_MS - 1 };
        for (order, events) in [
            [ended(NOW_MS), restored(at_ms)],
            [restored(at_ms), ended(NOW_MS)],
        ]
        .into_iter()
        .enumerate()
        {
            let name = format!("n{number}-{order}");
            // Each under another name of the same person.
            for (event, subject) in events.into_iter().zip(names(&seen(&name))) {
                commit(store, changes([unmatched(vec![subject], event)])).await;
            }
            commit(store, changes([StoreChange::TakeOver(seen(&name))])).await;
            let account = row(store, &name).await.account;
            assert_eq!(account.ended().is_none(), later, "{name}");
            assert_eq!(account.session.unwrap().at_ms, NOW_MS);
        }
    }
}

pub async fn what_is_said_of_a_stranger_who_came_meanwhile_is_looked_at_again(store: &dyn Store) {
    commit(store, changes([StoreChange::Seen(seen("ada"))])).await;
    let subjects = || vec![names(&seen("eve")).remove(0), names(&seen("ada")).remove(2)];
    let late = changes([unmatched(subjects(), ended(NOW_MS))]);
    assert_eq!(refused(store, late).await, StoreFault::Overtaken);
    assert!(!store.is_spoken_of(seen("eve")).await.unwrap());
}

pub async fn an_order_about_a_stable_key_does_not_hide_what_a_provider_says(store: &dyn Store) {
    commit(store, changes([end("eve", EndKind::Session, NOW_MS - 9)])).await;
    let by_subject = names(&seen("eve")).remove(0);
    commit(store, changes([unmatched(vec![by_subject], ended(NOW_MS))])).await;
    let seen_now = changes([StoreChange::Seen(seen("eve"))]);
    assert_eq!(refused(store, seen_now).await, StoreFault::Overtaken);
    commit(store, changes([StoreChange::TakeOver(seen("eve"))])).await;
    let account = row(store, "eve").await.account;
    assert!(account.ended().is_some());
    assert_eq!(account.session.unwrap().at_ms, NOW_MS);
}
