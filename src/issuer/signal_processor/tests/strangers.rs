//! Signals about people who come later.

use super::super::person::widest;
use super::{NOW_MS, World, by_sub, signal};
use oam_model::signal::{SignalMeaning, SignalSubject};
use oam_policy::claims::fixture::okta;
use oam_store::People;
use oam_store::{PersonSeen, StoreChange};

fn comes(name: &str) -> PersonSeen {
    PersonSeen {
        key: super::key(name),
        issuer: okta().issuer,
        subject: format!("sub-{name}"),
        username: None,
        email: Some(format!("{name}@acme.example")),
        groups: None,
        session: None,
        proven_at: super::NOW,
        at_ms: NOW_MS,
    }
}

#[tokio::test]
async fn a_leaver_who_never_came_is_refused_when_they_come_by_any_name() {
    let world = World::start().await;
    let mut ended = signal(
        SignalMeaning::AccountEnded,
        SignalSubject {
            email: Some("EVE@acme.example".to_owned()),
            ..SignalSubject::default()
        },
    );
    ended.also = vec![by_sub("eve")];
    let applied = world.apply(&ended).await;
    assert!(
        applied
            .alarm
            .is_some_and(|why| why.contains("whoever comes"))
    );
    assert!(world.store.is_spoken_of(comes("eve")).await.unwrap());
    let mut moved = comes("eve");
    moved.email = Some("eve@new.example".to_owned());
    world
        .commit(vec![StoreChange::TakeOver(moved)])
        .await
        .unwrap();
    assert!(world.row("eve").await.account.ended().is_some());
    assert!(world.apply(&ended).await.replayed);
}

/// A token that was made before they signed out is not taken, whoever comes with it first.
#[tokio::test]
async fn a_doubt_about_a_stranger_is_found_when_they_come_and_is_kept_once() {
    let world = World::start().await;
    for session in ["s-1", "s-2"] {
        let subject = SignalSubject {
            session: Some(session.to_owned()),
            ..by_sub("eve")
        };
        let mut left = signal(SignalMeaning::SessionDoubtful, subject);
        (left.id, left.also) = (session.to_owned(), vec![by_sub("eve")]);
        let alarm = world.apply(&left).await.alarm;
        assert!(alarm.is_some_and(|why| why.contains("whoever comes")));
    }
    let in_session = SignalSubject {
        session: Some("s-1".to_owned()),
        ..by_sub("eve")
    };
    let names = [&in_session, &by_sub("eve"), &in_session];
    assert_eq!(widest(names.into_iter()), [by_sub("eve")]);
    // In another session than either.
    let mut comes = comes("eve");
    comes.session = Some("s-3".to_owned());
    assert!(world.store.is_spoken_of(comes.clone()).await.unwrap());
    world
        .commit(vec![StoreChange::TakeOver(comes)])
        .await
        .unwrap();
    let account = world.row("eve").await.account;
    assert_eq!(account.doubt.map(|end| end.at_ms), Some(NOW_MS - 5_000));
    assert!(account.session.is_none() && account.provider.is_none());
}

#[tokio::test]
async fn a_stranger_who_is_back_before_they_come_is_not_refused_and_nobody_is_alarmed() {
    let world = World::start().await;
    world
        .apply(&signal(SignalMeaning::AccountEnded, by_sub("eve")))
        .await;
    let mut back = signal(SignalMeaning::AccountRestored, by_sub("eve"));
    (back.at_ms, back.id) = (NOW_MS - 1_000, "j-2".to_owned());
    assert_eq!(world.apply(&back).await.alarm, None);
    world
        .commit(vec![StoreChange::TakeOver(comes("eve"))])
        .await
        .unwrap();
    let account = world.row("eve").await.account;
    assert_eq!(account.ended(), None);
    assert!(account.session.is_some(), "by a new sign-in only");
}
