//! What is `SQLite`'s own: files, other processes, faults of the disk, a kill in mid-commit.

mod faults;
mod files;
mod killed;
mod restored;

use super::SqliteStore;
use super::writer::{WriteRequest, Writer};
use crate::tests::{
    NOW, NOW_MS, changes, commit, end, entries, exchange, noted, person, seen, verified,
};
use crate::{AuditFilter, EndKind, Store, StoreChange, StoreFault};
use crate::{AuditTrail, IssuedTokens, People, Revocations};
use oam_model::audit::AuditEvent;
use oam_model::name::OrgName;
use oam_model::signal::SignalSubject;
use oam_policy::account::{AccountEvent, Author};
use oam_policy::admission::End;
use rusqlite::Connection;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// Longer than anything takes that works.
const DEADLINE: Duration = Duration::from_mins(2);

fn acme() -> OrgName {
    "acme".parse().unwrap()
}

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("issuer.db");
    (folder, path)
}

fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path, &acme()).unwrap()
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
        .block_on(async { tokio::time::timeout(DEADLINE, future).await })
        .expect("in time")
}

impl SqliteStore {
    /// Runs something in the thread that writes.
    fn in_writer<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Writer) -> T + Send + 'static,
    ) -> T {
        let (tell, told) = std::sync::mpsc::channel();
        let job = WriteRequest::Work(Box::new(move |writer| {
            tell.send(work(writer)).unwrap();
        }));
        self.ways.as_ref().unwrap().0.send(job).unwrap();
        told.recv_timeout(DEADLINE).unwrap()
    }
}

/// The words of a commit that fails because of the database.
fn unavailable(store: &SqliteStore, batch: crate::Batch) -> String {
    match wait(store.commit(batch)) {
        Err(StoreFault::Unavailable(words)) => words,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_write_ahead_log_is_copied_beside_the_commits_and_begins_again() {
    let (_folder, path) = place();
    let store = open(&path);
    let mut large = noted(AuditEvent::Refusal, NOW_MS);
    large.detail = Some("x".repeat(400_000));
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    let mut count = 0;
    wait(async {
        // Several times what the log may hold.
        while size(&path) < 4 * 8_000 * 4096 {
            commit(&store, entries([large.clone()])).await;
            count += 1;
        }
        assert_eq!(verified(&store).await, count);
    });
    let log = size(&path.with_extension("db-wal"));
    assert!(log < 3 * 8_000 * 4096, "{log} bytes");
}

#[test]
fn two_handles_on_one_file_make_one_chain_and_hear_of_each_other() {
    let (_folder, path) = place();
    let (server, command) = (open(&path), open(&path));
    wait(async {
        let mut heard = server.changes();
        for number in 0..20 {
            heard.mark_unchanged();
            commit(&command, exchange("ada", &format!("c{number}"), 0)).await;
            heard.changed().await.unwrap();
            commit(&server, exchange("bob", &format!("s{number}"), 0)).await;
        }
        assert_eq!(verified(&server).await, 40);
        assert_eq!(verified(&command).await, 40);
        // An end by the command overtakes what the server has admitted.
        commit(&command, changes([end("bob", EndKind::Account, NOW_MS)])).await;
        assert_eq!(
            server.commit(exchange("bob", "late", 0)).await,
            Err(StoreFault::Overtaken)
        );
    });
}

#[test]
fn many_writers_of_two_handles_at_once_keep_one_chain() {
    let (_folder, path) = place();
    let handles = [open(&path), open(&path)];
    std::thread::scope(|scope| {
        for (number, store) in handles.iter().enumerate() {
            for task in 0..4 {
                scope.spawn(move || {
                    for count in 0..25 {
                        let sha256 = format!("{number}-{task}-{count}");
                        wait(store.commit(exchange("ada", &sha256, 0))).unwrap();
                    }
                });
            }
        }
    });
    assert_eq!(wait(verified(&handles[0])), 200);
}

#[test]
fn what_may_be_forgotten_is_and_old_cursors_are_reset() {
    const DAY: u64 = 86_400;
    let (_folder, path) = place();
    let store = open(&path);
    wait(async {
        commit(&store, exchange("ada", "old", 0)).await;
        let once = |id: &str, until_ms| {
            changes([StoreChange::Once {
                transmitter: "t".into(),
                id: id.into(),
                until_ms,
            }])
        };
        commit(&store, once("short", NOW_MS + 1_000)).await;
        commit(&store, once("long", NOW_MS + 30 * DAY * 1000)).await;
        let old = store.feed(person("ada"), None).await.unwrap().head;
        commit(&store, changes([end("ada", EndKind::Session, NOW_MS)])).await;
        let kept = store.feed(person("ada"), None).await.unwrap().head;
        let late = NOW_MS + 5 * DAY * 1000;
        commit(&store, changes([end("ada", EndKind::Session, late)])).await;
        let sweep = |now_s: u64| store.in_writer(move |writer| writer.sweep(now_s * 1000));

        assert_eq!(sweep(NOW + DAY), Ok(false));
        assert!(store.token("old".into()).await.unwrap().is_some());
        assert_eq!(sweep(NOW + DAY + 601), Ok(false));
        assert_eq!(store.token("old".into()).await.unwrap(), None);
        commit(&store, once("short", NOW_MS)).await;
        assert_eq!(
            store.commit(once("long", NOW_MS)).await,
            Err(StoreFault::Replayed)
        );

        assert_eq!(sweep(NOW + 8 * DAY), Ok(false));
        let page = store.feed(person("ada"), Some(old)).await.unwrap();
        assert!(page.reset, "what came after it is forgotten");
        let page = store.feed(person("ada"), Some(kept)).await.unwrap();
        assert_eq!((page.reset, page.events.len()), (false, 1));
        // Everything forgotten: the numbers go on all the same.
        assert_eq!(sweep(NOW + 30 * DAY), Ok(false));
        commit(&store, changes([end("ada", EndKind::Session, late)])).await;
        let head = store.feed(person("ada"), None).await.unwrap().head;
        assert_eq!(head.seq, 3);
        assert_eq!(verified(&store).await, 1);
    });
}

#[test]
fn a_doubt_about_somebody_who_never_came_is_forgotten_and_an_end_is_not() {
    const DAY_MS: u64 = 86_400_000;
    let (_folder, path) = place();
    let store = open(&path);
    let end = || End {
        at_ms: NOW_MS,
        reason: String::new(),
    };
    let said = |name: &str, event| StoreChange::Unmatched {
        source: person(name).source,
        subjects: vec![SignalSubject {
            key: Some(person(name).key),
            ..SignalSubject::default()
        }],
        event,
    };
    wait(async {
        let both = [
            said("ada", AccountEvent::Doubted(end())),
            said("eve", AccountEvent::Doubted(end())),
            said("eve", AccountEvent::Ended(Author::Provider, end())),
        ];
        commit(&store, changes(both)).await;
        let spoken = async |name| store.is_spoken_of(seen(name)).await.unwrap();
        let sweep = |days: u64| {
            let at_ms = NOW_MS + days * DAY_MS + 1;
            store.in_writer(move |writer| writer.sweep(at_ms))
        };
        assert_eq!(sweep(29), Ok(false));
        assert!(spoken("ada").await && spoken("eve").await);
        assert_eq!(sweep(30), Ok(false));
        assert!(!spoken("ada").await && spoken("eve").await);
    });
}

#[test]
fn a_prune_that_was_killed_is_finished_by_the_sweep() {
    let (_folder, path) = place();
    let store = open(&path);
    wait(async {
        let batch = (0..5_000).map(|n| noted(AuditEvent::Refusal, NOW_MS + n));
        commit(&store, entries(batch)).await;
        store.prune(NOW_MS + 10, NOW_MS + 9_000).await.unwrap();
    });
    drop(store);
    // As if the process had ended after it wrote what it is going to drop.
    let raw = Connection::open(&path).unwrap();
    raw.execute(
        "UPDATE meta SET value = '4500' WHERE name = 'audit_pruned'",
        [],
    )
    .unwrap();
    drop(raw);
    let store = open(&path);
    assert_eq!(store.in_writer(|writer| writer.sweep(NOW_MS)), Ok(true));
    while store.in_writer(|writer| writer.sweep(NOW_MS)) == Ok(true) {}
    let first = wait(store.audit(AuditFilter::default(), 0, 1)).unwrap();
    assert_eq!(first[0].seq, 4_501);
}
