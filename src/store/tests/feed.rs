//! The feed: cursors, and what wakes its streams.

use super::fixture::*;
use crate::{Cursor, EndKind, Store};
use oam_model::feed::FeedEvent;

pub async fn a_cursor_gives_what_came_after_it_for_its_subject_only(store: &dyn Store) {
    let begin = store.feed(person("ada"), None).await.unwrap();
    assert_eq!(
        (begin.reset, begin.events.len(), begin.head.seq),
        (false, 0, 0)
    );
    commit(store, changes([end("ada", EndKind::Doubt, NOW_MS)])).await;
    commit(store, changes([end("bob", EndKind::Session, NOW_MS)])).await;
    commit(store, changes([end("ada", EndKind::Session, NOW_MS + 1)])).await;
    let page = store
        .feed(person("ada"), Some(begin.head.clone()))
        .await
        .unwrap();
    assert!(!page.reset);
    assert!(matches!(page.events[0], (1, FeedEvent::Doubt { .. })));
    assert!(matches!(page.events[1], (3, FeedEvent::Revoked { .. })));
    assert_eq!(page.events.len(), 2);
    let middle = Cursor {
        seq: 1,
        ..page.head.clone()
    };
    let rest = store.feed(person("ada"), Some(middle)).await.unwrap();
    assert_eq!(rest.events, page.events[1..]);
    let end = store.feed(person("ada"), Some(rest.head)).await.unwrap();
    assert_eq!((end.reset, end.events.len()), (false, 0));
    let only_where = store.feed(person("ada"), None).await.unwrap();
    assert_eq!((only_where.events.len(), only_where.head), (0, page.head));
}

pub async fn an_unknown_cursor_is_reset_and_tells_no_old_events(store: &dyn Store) {
    commit(store, changes([end("ada", EndKind::Session, NOW_MS)])).await;
    let head = store.feed(person("ada"), None).await.unwrap().head;
    let ahead = Cursor {
        seq: head.seq + 1,
        ..head.clone()
    };
    let foreign = Cursor {
        generation: "0000000000000000".into(),
        seq: 0,
    };
    for cursor in [ahead, foreign] {
        let page = store.feed(person("ada"), Some(cursor)).await.unwrap();
        assert!(page.reset);
        assert_eq!(page.events, []);
        assert_eq!(page.head, head);
    }
}

pub async fn one_task_can_follow_the_feed_of_all(store: &dyn Store) {
    for name in ["ada", "bob", "ada"] {
        commit(store, changes([end(name, EndKind::Session, NOW_MS)])).await;
    }
    let all = store.feed_of_all(0, 2).await.unwrap();
    let told: Vec<_> = all
        .events
        .iter()
        .map(|(seq, key, _)| (*seq, key.clone()))
        .collect();
    assert_eq!(told, [(1, person("ada")), (2, person("bob"))]);
    assert_eq!(store.feed_of_all(2, 9).await.unwrap().events.len(), 1);
    assert_eq!(store.feed_of_all(3, 9).await.unwrap().events.len(), 0);
    let head = store.feed(person("ada"), None).await.unwrap().head;
    assert_eq!(all.generation, head.generation);
}

pub async fn a_commit_is_seen_by_who_watches(store: &dyn Store) {
    let mut changes_seen = store.changes();
    changes_seen.mark_unchanged();
    let before = *changes_seen.borrow();
    commit(store, changes([end("ada", EndKind::Session, NOW_MS)])).await;
    changes_seen.changed().await.unwrap();
    assert!(*changes_seen.borrow_and_update() > before);
}
