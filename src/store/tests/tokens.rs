//! Tokens, and batches as a whole: all of it or nothing.

use super::audit::{lines, verified};
use super::fixture::*;
use crate::{Batch, EndKind, Store, StoreChange, StoreFault};
use oam_model::audit::AuditEvent;
use oam_model::principal::PrincipalKey;
use oam_policy::account::Author;

pub async fn a_token_and_its_record_are_written_together(store: &dyn Store) {
    let committed = commit(store, exchange("ada", "a1", 0)).await;
    assert_eq!(committed.audit_seq, 1);
    assert_eq!(committed.revoked, []);
    assert_eq!(
        store.token("a1".into()).await.unwrap(),
        Some(token("ada", "a1"))
    );
    assert_eq!(store.token("a2".into()).await.unwrap(), None);
    let lines = lines(store).await;
    assert_eq!(lines.len(), 1);
    assert!(lines[0].contains("\"token_sha256\":\"a1\""), "{}", lines[0]);
    let row = row(store, "ada").await;
    assert_eq!((row.seen, row.epoch), (seen("ada"), 0));
}

pub async fn every_member_of_a_token_is_kept(store: &dyn Store) {
    let mut whole = token("ada", "b1");
    whole.sealed = Some(vec![0, 1, 255]);
    whole.repository = None;
    whole.name = None;
    commit(
        store,
        changes([StoreChange::Issue {
            token: whole.clone(),
            epoch: None,
        }]),
    )
    .await;
    assert_eq!(store.token("b1".into()).await.unwrap(), Some(whole));
}

pub async fn a_token_that_a_hub_gives_again_is_the_later_row(store: &dyn Store) {
    let mut again = token("ada", "h1");
    again.sealed = Some(vec![1]);
    for request in ["first", "second"] {
        again.request_id = request.into();
        let token = again.clone();
        commit(store, changes([StoreChange::Issue { token, epoch: None }])).await;
    }
    let kept = store.token("h1".into()).await.unwrap().unwrap();
    assert_eq!(kept.request_id, "second");
    let live = store.live_tokens(again.key.clone(), NOW).await.unwrap();
    assert_eq!(live.len(), 1, "{live:?}");
}

pub async fn an_issue_that_an_end_overtook_writes_nothing(store: &dyn Store) {
    commit(store, exchange("ada", "a1", 0)).await;
    commit(store, changes([end("ada", EndKind::Session, NOW_MS + 1)])).await;
    assert_eq!(
        refused(store, exchange("ada", "a2", 0)).await,
        StoreFault::Overtaken
    );
    assert_eq!(store.token("a2".into()).await.unwrap(), None);
    assert_eq!(lines(store).await.len(), 1);
    commit(store, exchange("ada", "a3", 1)).await;
    assert_eq!(verified(store).await, 2);
}

pub async fn a_job_has_no_epoch_and_is_still_ended(store: &dyn Store) {
    let job = PrincipalKey {
        source: "actions".parse().unwrap(),
        key: "acme/model:main".into(),
    };
    let mut of_job = token("ada", "j1");
    of_job.key = job.clone();
    commit(
        store,
        changes([StoreChange::Issue {
            token: of_job.clone(),
            epoch: None,
        }]),
    )
    .await;
    assert_eq!(store.person(job.clone()).await.unwrap(), None);
    assert_eq!(store.live_tokens(job.clone(), NOW).await.unwrap(), [of_job]);
    let StoreChange::End { ended, feed, .. } = end("ada", EndKind::Account, NOW_MS) else {
        panic!("an end")
    };
    let committed = commit(
        store,
        changes([StoreChange::End {
            key: job.clone(),
            author: Author::Administrator,
            ended,
            feed,
        }]),
    )
    .await;
    assert_eq!(committed.revoked.len(), 1);
    assert!(
        store
            .live_tokens(job.clone(), NOW)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        store
            .person(job)
            .await
            .unwrap()
            .unwrap()
            .account
            .ended()
            .is_some()
    );
}

pub async fn a_signal_is_taken_once(store: &dyn Store) {
    let signal = |id: &str| Batch {
        changes: vec![
            StoreChange::Once {
                transmitter: "https://ssf.example".into(),
                id: id.to_owned(),
                until_ms: NOW_MS,
            },
            end("ada", EndKind::Session, NOW_MS),
        ],
        entries: vec![noted(AuditEvent::Signal, NOW_MS)],
    };
    let is_taken = |id: &str| store.is_taken("https://ssf.example".into(), id.into());
    assert!(!is_taken("s1").await.unwrap());
    commit(store, signal("s1")).await;
    assert!(is_taken("s1").await.unwrap());
    let elsewhere = store.is_taken("https://other.example".into(), "s1".into());
    assert!(!elsewhere.await.unwrap());
    assert_eq!(refused(store, signal("s1")).await, StoreFault::Replayed);
    assert_eq!(row(store, "ada").await.epoch, 1);
    assert_eq!(lines(store).await.len(), 1);
    commit(store, signal("s2")).await;
    assert_eq!(row(store, "ada").await.epoch, 2);
}

pub async fn a_batch_that_fails_late_leaves_nothing(store: &dyn Store) {
    commit(
        store,
        changes([StoreChange::Once {
            transmitter: "t".into(),
            id: "x".into(),
            until_ms: 1,
        }]),
    )
    .await;
    let mut batch = exchange("ada", "a1", 0);
    batch.changes.push(StoreChange::PolicyDigest("new".into()));
    batch.changes.push(end("ada", EndKind::Account, NOW_MS));
    batch.changes.push(StoreChange::Once {
        transmitter: "t".into(),
        id: "x".into(),
        until_ms: 1,
    });
    assert_eq!(refused(store, batch).await, StoreFault::Replayed);
    assert_eq!(store.person(person("ada")).await.unwrap(), None);
    assert_eq!(store.token("a1".into()).await.unwrap(), None);
    assert_eq!(store.policy_digest().await.unwrap(), None);
    assert_eq!(lines(store).await, Vec::<String>::new());
    let page = store.feed(person("ada"), None).await.unwrap();
    assert_eq!(page.head.seq, 0);
}

pub async fn many_at_once_keep_the_chain_whole_and_only_bad_ones_fail(store: &dyn Store) {
    commit(
        store,
        changes([StoreChange::Once {
            transmitter: "t".into(),
            id: "taken".into(),
            until_ms: 1,
        }]),
    )
    .await;
    let batches: Vec<_> = (0..400)
        .map(|number| {
            let mut batch = exchange(&format!("p{}", number % 7), &format!("t{number}"), 0);
            if number % 10 == 3 {
                batch.changes.push(StoreChange::Once {
                    transmitter: "t".into(),
                    id: "taken".into(),
                    until_ms: 1,
                });
            }
            batch
        })
        .collect();
    let waiting: Vec<_> = batches
        .into_iter()
        .map(|batch| store.commit(batch))
        .collect();
    let mut numbers = Vec::new();
    for (number, result) in together(waiting).await.into_iter().enumerate() {
        match result {
            Ok(committed) => {
                assert_ne!(number % 10, 3);
                numbers.push(committed.audit_seq);
            }
            Err(fault) => {
                assert_eq!((number % 10, fault), (3, StoreFault::Replayed));
            }
        }
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=360).collect::<Vec<u64>>());
    assert_eq!(verified(store).await, 360);
    for number in 0..400 {
        let found = store.token(format!("t{number}")).await.unwrap();
        assert_eq!(found.is_some(), number % 10 != 3, "{number}");
    }
}

/// Waits for all of them at once.
async fn together<T>(waiting: Vec<crate::BoxFuture<'_, T>>) -> Vec<Result<T, StoreFault>> {
    let mut waiting: Vec<_> = waiting.into_iter().map(Ok).collect();
    std::future::poll_fn(move |context| {
        let mut all = true;
        for slot in &mut waiting {
            if let Ok(future) = slot {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(result) => *slot = Err(Some(result)),
                    std::task::Poll::Pending => all = false,
                }
            }
        }
        if !all {
            return std::task::Poll::Pending;
        }
        std::task::Poll::Ready(
            waiting
                .iter_mut()
                .filter_map(|slot| slot.as_mut().err().and_then(Option::take))
                .collect(),
        )
    })
    .await
}

pub async fn a_token_that_is_revoked_stays_known(store: &dyn Store) {
    commit(store, exchange("ada", "a1", 0)).await;
    commit(store, exchange("ada", "a2", 0)).await;
    let revoke = |sha256: &str, at_ms| {
        changes([StoreChange::RevokeToken {
            sha256: sha256.to_owned(),
            at_ms,
        }])
    };
    let committed = commit(store, revoke("a1", NOW_MS + 5)).await;
    let mut row = token("ada", "a1");
    row.revoked_at_ms = Some(NOW_MS + 5);
    assert_eq!(committed.revoked, [row.clone()]);
    assert_eq!(store.token("a1".into()).await.unwrap(), Some(row.clone()));
    // A second time, and one that nobody knows: nothing to do, nothing wrong.
    assert_eq!(commit(store, revoke("a1", NOW_MS + 9)).await.revoked, []);
    assert_eq!(commit(store, revoke("zz", NOW_MS + 9)).await.revoked, []);
    assert_eq!(store.token("a1".into()).await.unwrap(), Some(row));
    let live = store.live_tokens(person("ada"), NOW).await.unwrap();
    assert_eq!(live, [token("ada", "a2")]);
    let later = store.live_tokens(person("ada"), NOW + 600).await.unwrap();
    assert!(later.is_empty(), "one that expires now is over");
    // One that expired needs no revocation at its hub.
    assert_eq!(
        commit(store, revoke("a2", NOW_MS + 600_000)).await.revoked,
        []
    );
}

pub async fn tokens_that_are_over_are_due_at_their_hubs_while_they_are_kept(store: &dyn Store) {
    let kept = |sha256: &str, expires_at| {
        let mut batch = exchange("ada", sha256, 0);
        if let [_, StoreChange::Issue { token, .. }] = &mut batch.changes[..] {
            token.sealed = Some(vec![1, 2, 3]);
            token.expires_at = expires_at;
        }
        batch
    };
    commit(store, exchange("ada", "unkept", 0)).await;
    commit(store, kept("later", NOW + 600)).await;
    commit(store, kept("soon", NOW + 300)).await;
    let due = async |now_s, limit| -> Vec<String> {
        let rows = store.due_at_hubs(now_s, NOW_MS, limit).await.unwrap();
        rows.into_iter().map(|row| row.sha256).collect()
    };
    assert!(due(NOW + 299, 9).await.is_empty());
    assert_eq!(due(NOW + 300, 9).await, ["soon"]);
    assert_eq!(due(NOW + 600, 9).await, ["soon", "later"]);
    assert_eq!(due(NOW + 600, 1).await, ["soon"]);
    // One that is revoked is due at once.
    let revoke = StoreChange::RevokeToken {
        sha256: "later".into(),
        at_ms: NOW_MS,
    };
    commit(store, changes([revoke])).await;
    assert_eq!(due(NOW, 9).await, ["later"]);
    let outstanding = async |name, now_s| -> Vec<String> {
        let rows = store.outstanding_tokens(person(name), now_s).await.unwrap();
        rows.into_iter().map(|row| row.sha256).collect()
    };
    assert_eq!(outstanding("ada", NOW).await, ["later"]);
    assert_eq!(outstanding("ada", NOW + 300).await, ["soon", "later"]);
    assert!(outstanding("bob", NOW + 300).await.is_empty());
    let left_alone = store.due_at_hubs(NOW, NOW_MS - 1, 9).await.unwrap();
    assert_eq!(left_alone, [], "whoever revoked it is telling its hub");
    // It comes before those that were over longer, and one hub does not crowd out another.
    assert_eq!(due(NOW + 600, 1).await, ["later"]);
    let mut other = kept("other", NOW + 300);
    if let [_, StoreChange::Issue { token, .. }] = &mut other.changes[..] {
        token.hub = "other".parse().unwrap();
    }
    commit(store, other).await;
    assert_eq!(due(NOW + 600, 1).await, ["later", "other"]);
    commit(store, changes([StoreChange::Unseal("other".into())])).await;
    commit(store, changes([StoreChange::Unseal("later".into())])).await;
    assert_eq!(due(NOW + 600, 9).await, ["soon"]);
    let row = store.token("later".into()).await.unwrap().unwrap();
    assert_eq!((row.sealed, row.revoked_at_ms), (None, Some(NOW_MS)));
}
