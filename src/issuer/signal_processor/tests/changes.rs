//! What is not an end: groups that changed, streams, an administrator's orders.

use super::super::{Order, facts, order};
use super::{NOW_MS, World, by_sub, key, org, roles, signal};
use oam_model::feed::FeedEvent;
use oam_model::signal::{SignalMeaning, SignalSubject};
use oam_store::Revocations;
use oam_store::StoreChange;

#[tokio::test]
async fn lost_groups_withdraw_only_the_roles_that_are_lost() {
    let world = World::start().await;
    let changed = SignalMeaning::ClaimsChanged {
        groups: Some(vec!["sales".to_owned()]),
    };
    let applied = world.apply(&signal(changed, by_sub("ada"))).await;
    assert_eq!(applied.revoked.len(), 1);
    assert_eq!(world.live("ada").await, ["reader"]);
    let row = world.row("ada").await;
    assert_eq!(row.held, roles(&["reader"]));
    assert_eq!(row.seen.groups, Some(vec!["sales".to_owned()]));
    assert_eq!(
        world.events("ada").await,
        [FeedEvent::RolesChanged {
            at_ms: NOW_MS - 5_000,
            held: roles(&["reader"]),
            lost: roles(&["publisher"]),
        }]
    );
    let entries = world.entries().await;
    assert!(entries[1].ends_with("lost: publisher"), "{entries:?}");
}

#[tokio::test]
async fn a_role_by_claims_is_neither_lost_nor_gained_by_groups() {
    let world = World::start().await;
    let held = StoreChange::Held {
        key: key("ada"),
        from: world.row("ada").await.compared(),
        held: roles(&["auditor", "publisher", "reader"]),
        lost: Vec::new(),
        at_ms: 0,
        feed: None,
    };
    world.commit(vec![held]).await.unwrap();
    for (id, name, expected) in [
        ("a", "ada", &["auditor", "reader"][..]),
        ("b", "bob", &["reader"][..]),
    ] {
        let meaning = SignalMeaning::ClaimsChanged {
            groups: Some(Vec::new()),
        };
        let mut changed = signal(meaning, by_sub(name));
        changed.id = id.to_owned();
        world.apply(&changed).await;
        let mut now_held = world.row(name).await.held;
        now_held.sort();
        assert_eq!(now_held, roles(expected), "{name}");
    }
}

#[tokio::test]
async fn an_older_signal_that_arrives_late_does_not_undo_a_younger_one() {
    let world = World::start().await;
    let told = |id: &str, meaning: SignalMeaning, age_ms: u64| {
        let mut told = signal(meaning, by_sub("ada"));
        (told.id, told.at_ms) = (id.to_owned(), NOW_MS - age_ms);
        told
    };
    let groups = |group: &str| SignalMeaning::ClaimsChanged {
        groups: Some(vec![group.to_owned()]),
    };
    world.apply(&told("a", groups("publishers"), 1_000)).await;
    let applied = world.apply(&told("b", groups("sales"), 4_000)).await;
    assert_eq!((applied.people.len(), applied.revoked.len()), (0, 0));
    let row = world.row("ada").await;
    assert_eq!(row.seen.groups, Some(vec!["publishers".to_owned()]));
    assert_eq!(world.live("ada").await, ["publisher", "reader"]);
    let ended = told("c", SignalMeaning::AccountEnded, 500);
    world.apply(&ended).await;
    let restored = |id, age_ms| told(id, SignalMeaning::AccountRestored, age_ms);
    world.apply(&restored("d", 900)).await;
    assert!(world.row("ada").await.account.ended().is_some());
    world.apply(&restored("e", 400)).await;
    assert!(world.row("ada").await.account.ended().is_none());
}

/// The token was made after what the signal tells, and tells the groups of then.
#[tokio::test]
async fn a_signal_older_than_the_evidence_that_is_kept_does_not_change_the_groups() {
    let world = World::start().await;
    let told = |id: &str, at_ms: u64| {
        let meaning = SignalMeaning::ClaimsChanged {
            groups: Some(vec!["sales".to_owned()]),
        };
        let mut told = signal(meaning, by_sub("ada"));
        (told.id, told.at_ms) = (id.to_owned(), at_ms);
        told
    };
    let proven_ms = world.row("ada").await.seen.proven_at * 1000;
    let applied = world.apply(&told("older", proven_ms - 1)).await;
    assert_eq!((applied.people.len(), applied.revoked.len()), (0, 0));
    assert_eq!(world.live("ada").await, ["publisher", "reader"]);
    let row = world.row("ada").await;
    assert_eq!(row.seen.groups, Some(vec!["publishers".to_owned()]));
    // Tokens tell whole seconds: of the same one the signal counts.
    world.apply(&told("later", proven_ms)).await;
    assert_eq!(world.live("ada").await, ["reader"]);
}

#[tokio::test]
async fn signals_at_once_are_decided_one_after_the_other() {
    let world = World::start().await;
    let told = |number: u64| {
        let meaning = SignalMeaning::ClaimsChanged {
            groups: Some(vec!["sales".to_owned()]),
        };
        let mut told = signal(meaning, by_sub("ada"));
        (told.id, told.at_ms) = (number.to_string(), NOW_MS - 10 + number);
        told
    };
    let signals = [told(1), told(2), told(3)];
    let [one, two, three] = &signals;
    tokio::join!(world.apply(one), world.apply(two), world.apply(three));
    let row = world.row("ada").await;
    assert_eq!(row.held, roles(&["reader"]));
    assert_eq!(row.groups_changed_at_ms, Some(three.at_ms));
    // The role was lost once.
    assert_eq!(world.events("ada").await.len(), 1);
    let entries = world.entries().await;
    let lost = entries
        .iter()
        .filter(|line| line.ends_with("lost: publisher"));
    assert_eq!(lost.count(), 1, "{entries:?}");
}

#[tokio::test]
async fn unchanged_roles_are_not_news() {
    let world = World::start().await;
    let meaning = SignalMeaning::ClaimsChanged {
        groups: Some(vec!["publishers".to_owned(), "choir".to_owned()]),
    };
    let applied = world.apply(&signal(meaning, by_sub("ada"))).await;
    assert_eq!(applied.revoked.len(), 0);
    assert_eq!(world.events("ada").await, []);
    assert_eq!(world.live("ada").await, ["publisher", "reader"]);
}

#[tokio::test]
async fn a_stream_lives_by_its_verification_and_not_after_it_was_stopped() {
    let world = World::start().await;
    let transmitter = "https://acme.okta.example".to_owned();
    let verified = async || {
        world
            .store
            .stream_verified(transmitter.clone())
            .await
            .unwrap()
    };
    let mut news = signal(SignalMeaning::StreamVerified, SignalSubject::default());
    // A transmitter whose clock is ahead is no evidence from the future.
    news.at_ms = NOW_MS + 30_000;
    assert_eq!(world.apply(&news).await.alarm, None);
    assert_eq!(verified().await, Some(NOW_MS));
    news.meaning = SignalMeaning::StreamStopped;
    news.id = "j-2".to_owned();
    assert!(world.apply(&news).await.alarm.is_some());
    assert_eq!(verified().await, Some(0));
    for (id, meaning, alarms) in [
        ("j-3", SignalMeaning::NotActedOn, true),
        ("j-4", SignalMeaning::Noted, false),
    ] {
        let mut other = signal(meaning, by_sub("ada"));
        other.id = id.to_owned();
        let applied = world.apply(&other).await;
        assert_eq!((applied.alarm.is_some(), applied.people.len()), (alarms, 0));
    }
    assert_eq!(world.live("ada").await.len(), 2);
}

#[tokio::test]
async fn an_administrators_words_are_kept_to_one_line() {
    let world = World::start().await;
    let row = world.row("ada").await;
    let end = Order::EndAccount {
        reason: Some("left\n\u{1b}[31m on Friday ".to_owned()),
    };
    let applied = order(
        &world.store,
        &org(),
        &row.seen.key,
        Some(&row),
        &end,
        NOW_MS,
    )
    .await
    .unwrap();
    assert_eq!(applied.revoked.len(), 2);
    let reason = facts(&world.row("ada").await, None).account.unwrap().reason;
    assert_eq!(reason, "revoked by an administrator (left  [31m on Friday)");
    order(
        &world.store,
        &org(),
        &row.seen.key,
        None,
        &Order::Restore { provider: false },
        NOW_MS,
    )
    .await
    .unwrap();
    let known = facts(&world.row("ada").await, None);
    assert_eq!(
        (known.account.is_some(), known.session.is_some()),
        (false, true)
    );
    let entries = world.entries().await;
    assert!(entries[1].starts_with("restoration 00u-ada"), "{entries:?}");
}
