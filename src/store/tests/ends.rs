//! Ends, restorations and lost roles.

use super::fixture::*;
use crate::{EndKind, Store, StoreChange, StoreFault};
use oam_model::feed::FeedEvent;
use oam_policy::account::Reinstated;

pub async fn every_kind_of_end_makes_tokens_inactive_and_is_told(store: &dyn Store) {
    for (number, kind) in [EndKind::Doubt, EndKind::Session, EndKind::Account]
        .into_iter()
        .enumerate()
    {
        let (first, second) = (format!("{number}-1"), format!("{number}-2"));
        let before = store.feed(person("ada"), None).await.unwrap().head;
        let epoch = number as u64;
        commit(store, exchange("ada", &first, epoch)).await;
        commit(store, exchange("ada", &second, epoch)).await;
        commit(store, exchange("bob", &format!("{number}-bob"), 0)).await;
        let at_ms = NOW_MS + 1 + epoch;
        let committed = commit(store, changes([end("ada", kind, at_ms)])).await;
        let mut ended: Vec<_> = committed.revoked.iter().map(|row| &*row.sha256).collect();
        ended.sort_unstable();
        assert_eq!(ended, [&*first, &*second], "{kind:?}");
        assert!(
            committed
                .revoked
                .iter()
                .all(|row| row.revoked_at_ms == Some(at_ms))
        );
        let row = row(store, "ada").await;
        assert_eq!(row.epoch, epoch + 1);
        let kept = match kind {
            EndKind::Doubt => row.account.doubt,
            EndKind::Session => row.account.session,
            EndKind::Account => row.account.administrator,
        };
        let kept = kept.unwrap();
        assert_eq!(kept.at_ms, at_ms);
        let page = store.feed(person("ada"), Some(before)).await.unwrap();
        assert_eq!(page.events.len(), 1, "{kind:?}");
        let live = store.live_tokens(person("bob"), NOW).await.unwrap();
        assert_eq!(live.len(), number + 1, "another person's tokens live on");
    }
}

pub async fn an_earlier_end_that_arrives_late_does_not_take_back_a_later_one(store: &dyn Store) {
    commit(store, changes([end("ada", EndKind::Session, NOW_MS)])).await;
    commit(
        store,
        changes([end("ada", EndKind::Session, NOW_MS - 60_000)]),
    )
    .await;
    let row = row(store, "ada").await;
    let session = row.account.session.unwrap();
    assert_eq!(session.at_ms, NOW_MS);
    assert_eq!(session.reason, format!("Session at {NOW_MS}"));
    assert_eq!(row.epoch, 2, "it is an end all the same");
}

pub async fn somebody_who_was_never_seen_can_be_ended(store: &dyn Store) {
    commit(store, changes([end("eve", EndKind::Account, NOW_MS)])).await;
    commit(store, changes([StoreChange::Seen(seen("eve"))])).await;
    let row = row(store, "eve").await;
    assert_eq!(row.epoch, 1);
    assert!(row.account.ended().is_some());
    assert_eq!(row.seen, seen("eve"));
}

pub async fn a_restored_account_needs_a_new_sign_in(store: &dyn Store) {
    commit(store, exchange("ada", "a1", 0)).await;
    commit(store, changes([end("ada", EndKind::Account, NOW_MS)])).await;
    commit(store, changes([restore("ada")])).await;
    let after = row(store, "ada").await;
    assert_eq!(after.account.ended(), None);
    let session = after.account.session.unwrap();
    assert_eq!(session.at_ms, NOW_MS);
    assert_eq!(session.reason, format!("Account at {NOW_MS}"));
    assert_eq!(after.epoch, 1);
    let token = store.token("a1".into()).await.unwrap().unwrap();
    assert!(token.revoked_at_ms.is_some(), "what was ended stays ended");
    // A later end of a session is not moved back, and who is not ended is not changed.
    commit(store, changes([end("ada", EndKind::Session, NOW_MS + 9)])).await;
    let again = refused(store, changes([restore("ada")])).await;
    assert_eq!(again, StoreFault::Unchanged);
    assert_eq!(
        row(store, "ada").await.account.session.unwrap().at_ms,
        NOW_MS + 9
    );
}

pub async fn tokens_of_lost_roles_end_and_others_live_on(store: &dyn Store) {
    commit(store, exchange("ada", "a1", 0)).await;
    let mut reader = token("ada", "a2");
    reader.role = role("reader");
    commit(
        store,
        changes([StoreChange::Issue {
            token: reader.clone(),
            epoch: Some(0),
        }]),
    )
    .await;
    let before = store.feed(person("ada"), None).await.unwrap().head;
    let feed = FeedEvent::RolesChanged {
        at_ms: NOW_MS + 7,
        held: vec![role("reader")],
        lost: vec![role("publisher")],
    };
    let committed = commit(
        store,
        changes([StoreChange::RolesChanged {
            key: person("ada"),
            from: compared(store, "ada").await,
            groups: Some(vec!["other".into()]),
            held: vec![role("reader")],
            at_ms: NOW_MS + 7,
            feed: Some(feed.clone()),
        }]),
    )
    .await;
    assert_eq!(committed.revoked.len(), 1);
    assert_eq!(committed.revoked[0].sha256, "a1");
    assert_eq!(
        store.live_tokens(person("ada"), NOW).await.unwrap(),
        [reader]
    );
    let row = row(store, "ada").await;
    assert_eq!(row.held, [role("reader")]);
    assert_eq!(row.epoch, 1, "what was decided before is overtaken");
    let late = exchange("ada", "late", 0);
    assert_eq!(refused(store, late).await, StoreFault::Overtaken);
    let at_epoch = |epoch| StoreChange::AtEpoch {
        key: person("ada"),
        epoch,
    };
    let older = |epoch| changes([StoreChange::Seen(seen("ada")), at_epoch(epoch)]);
    assert_eq!(refused(store, older(0)).await, StoreFault::Overtaken);
    commit(store, older(1)).await;
    let page = store.feed(person("ada"), Some(before)).await.unwrap();
    assert_eq!(page.events.len(), 1);
    assert_eq!(page.events[0].1, feed);
}

pub async fn groups_of_a_signal_count_until_younger_evidence(store: &dyn Store) {
    commit(store, changes([StoreChange::Seen(seen("ada"))])).await;
    let changed = async |groups: Option<Vec<String>>, at_ms| {
        changes([StoreChange::RolesChanged {
            key: person("ada"),
            from: compared(store, "ada").await,
            groups,
            held: vec![],
            at_ms,
            feed: None,
        }])
    };
    commit(
        store,
        changed(Some(vec!["new".into()]), NOW_MS + 1500).await,
    )
    .await;
    let after = row(store, "ada").await;
    assert_eq!(after.seen.groups, Some(vec!["new".to_owned()]));
    assert_eq!(after.groups_changed_at_ms, Some(NOW_MS + 1500));
    // The same token again, and one of the same second: they tell the old groups.
    for proven_at in [NOW, NOW + 1] {
        let mut old = seen("ada");
        old.proven_at = proven_at;
        old.at_ms += 5_000;
        commit(store, changes([StoreChange::Seen(old)])).await;
        let kept = row(store, "ada").await;
        assert_eq!(kept.seen.groups, Some(vec!["new".to_owned()]));
        assert_eq!(kept.seen.at_ms, NOW_MS + 5_000);
    }
    let mut young = seen("ada");
    (young.proven_at, young.groups) = (NOW + 2, Some(vec!["newest".into()]));
    commit(store, changes([StoreChange::Seen(young)])).await;
    let after = row(store, "ada").await;
    assert_eq!(after.seen.groups, Some(vec!["newest".to_owned()]));
    assert_eq!(after.groups_changed_at_ms, None);
    // A signal that does not name the groups makes them unknown, which is not the empty list.
    commit(store, changed(None, NOW_MS + 9_000).await).await;
    assert_eq!(row(store, "ada").await.seen.groups, None);
    commit(store, changed(Some(vec![]), NOW_MS + 9_500).await).await;
    // One that is older, and late.
    commit(
        store,
        changed(Some(vec!["old".into()]), NOW_MS + 9_499).await,
    )
    .await;
    assert_eq!(row(store, "ada").await.seen.groups, Some(vec![]));
}

pub async fn older_evidence_does_not_take_back_what_is_known(store: &dyn Store) {
    commit(store, changes([StoreChange::Seen(seen("ada"))])).await;
    let mut old = seen("ada");
    old.proven_at = NOW - 100;
    old.email = Some("old@acme.example".into());
    old.groups = Some(vec!["old".into()]);
    commit(store, changes([StoreChange::Seen(old)])).await;
    assert_eq!(row(store, "ada").await.seen, seen("ada"));
}

pub async fn an_order_that_changes_nothing_is_not_written(store: &dyn Store) {
    let ended = || changes([end("ada", EndKind::Account, NOW_MS)]);
    commit(store, ended()).await;
    assert_eq!(refused(store, ended()).await, StoreFault::Unchanged);
    assert_eq!(row(store, "ada").await.epoch, 1);
    commit(store, changes([restore("ada")])).await;
    let again = refused(store, changes([restore("ada")])).await;
    assert_eq!(again, StoreFault::Unchanged);
    commit(store, ended()).await;
    assert!(row(store, "ada").await.account.ended().is_some());
}

/// Both were written at once: neither was decided by a row that the other had changed.
pub async fn an_end_and_a_restoration_come_to_the_same_in_either_order(store: &dyn Store) {
    let ended = |name: &str| told(name, EndKind::Account, NOW_MS + 2);
    let restored = |name: &str, at_ms| StoreChange::Restore {
        key: person(name),
        restored: Reinstated::ByProvider(at_ms),
    };
    for (number, later) in [(0, 1), (1, 3)] {
        let (one, other) = (format!("one-{number}"), format!("other-{number}"));
        for name in [&one, &other] {
            commit(store, changes([StoreChange::Seen(seen(name))])).await;
        }
        let at_ms = NOW_MS + later;
        commit(store, changes([ended(&one), restored(&one, at_ms)])).await;
        commit(store, changes([restored(&other, at_ms), ended(&other)])).await;
        let (one, other) = (row(store, &one).await, row(store, &other).await);
        assert_eq!(one.account, other.account);
        assert_eq!(one.account.ended().is_some(), later == 1);
    }
}

pub async fn a_restoration_of_somebody_who_was_never_seen_counts_when_an_older_end_arrives(
    store: &dyn Store,
) {
    let restored = StoreChange::Restore {
        key: person("eve"),
        restored: Reinstated::ByProvider(NOW_MS),
    };
    commit(store, changes([restored])).await;
    commit(store, changes([told("eve", EndKind::Account, NOW_MS - 1)])).await;
    assert_eq!(row(store, "eve").await.account.ended(), None);
    assert!(store.find_people(String::new()).await.unwrap().is_empty());
}

pub async fn a_role_that_was_issued_since_roles_were_compared_ends_with_it(store: &dyn Store) {
    commit(store, exchange("ada", "a1", 0)).await;
    let changed = StoreChange::RolesChanged {
        key: person("ada"),
        from: compared(store, "ada").await,
        groups: Some(vec!["sales".into()]),
        held: vec![role("reader")],
        at_ms: NOW_MS,
        feed: None,
    };
    let committed = commit(store, changes([changed])).await;
    assert_eq!(
        committed.revoked.len(),
        1,
        "though no role was known as held"
    );
    let late = exchange("ada", "late", 0);
    assert_eq!(refused(store, late).await, StoreFault::Overtaken);
}

pub async fn a_session_is_as_old_as_its_first_evidence(store: &dyn Store) {
    let since = || store.session_since(person("ada"), "sid-ada".into());
    assert_eq!(since().await.unwrap(), None);
    for later in [10, 0, 20] {
        let mut again = seen("ada");
        again.proven_at += later;
        commit(store, changes([StoreChange::Seen(again)])).await;
    }
    // Evidence of the same session that arrives late.
    assert_eq!(since().await.unwrap(), Some(NOW));
}
