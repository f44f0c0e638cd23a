//! Faults of the disk and of the database: nothing is granted, and it goes on when the cause is gone.

use super::*;
use crate::IssuedTokens;
use crate::{AgentLogRow, Batch, StoreChange};
use oam_audit::record::{GENESIS, KnownEntry, chain};
use oam_model::principal::PrincipalKey;
use oam_model::record::{EventKind, Record};
use std::fs;
use std::io::{Seek, SeekFrom, Write};

fn large(sha256: &str) -> Batch {
    let mut batch = exchange("ada", sha256, 0);
    batch.entries[0].detail = Some("x".repeat(1_000_000));
    batch
}

#[test]
fn a_full_disk_grants_nothing_and_goes_on_when_there_is_room() {
    let (_folder, path) = place();
    let store = open(&path);
    wait(commit(&store, exchange("ada", "a1", 0)));
    let limit = |pages: u32| {
        store.in_writer(move |writer| {
            let found =
                writer
                    .connection()
                    .pragma_update_and_check(None, "max_page_count", pages, |row| {
                        row.get::<_, i64>(0)
                    });
            found.unwrap()
        });
    };
    limit(1);
    let words = unavailable(&store, large("a2"));
    assert!(words.contains("is full: make room"), "{words}");
    wait(async {
        assert_eq!(store.token("a2".into()).await.unwrap(), None);
        assert_eq!(verified(&store).await, 1);
    });
    limit(1_000_000);
    wait(async {
        commit(&store, large("a3")).await;
        assert_eq!(verified(&store).await, 2);
    });
}

#[test]
fn one_batch_that_does_not_fit_takes_no_other_with_it() {
    let (_folder, path) = place();
    let store = open(&path);
    wait(commit(&store, exchange("ada", "a1", 0)));
    store.in_writer(|writer| {
        let pages: i64 = writer
            .connection()
            .query_row("PRAGMA page_count", [], |row| row.get(0))
            .unwrap();
        let limit = pages + 60;
        writer
            .connection()
            .pragma_update_and_check(None, "max_page_count", limit, |_| Ok(()))
            .unwrap();
    });
    // They wait while the writer is held up, and so come to one group.
    let (go, gate) = std::sync::mpsc::channel::<()>();
    let job = WriteRequest::Work(Box::new(move |_| gate.recv().unwrap()));
    store.ways.as_ref().unwrap().0.send(job).unwrap();
    let (small, big, last) = std::thread::scope(|scope| {
        let ask = |batch: Batch| {
            let store = &store;
            scope.spawn(move || wait(store.commit(batch)))
        };
        let asked = (
            ask(exchange("ada", "small", 0)),
            ask(large("big")),
            ask(exchange("ada", "last", 0)),
        );
        go.send(()).unwrap();
        (
            asked.0.join().unwrap(),
            asked.1.join().unwrap(),
            asked.2.join().unwrap(),
        )
    });
    assert!(small.is_ok() && last.is_ok(), "{small:?} {last:?}");
    assert!(matches!(big, Err(StoreFault::Unavailable(_))), "{big:?}");
    assert_eq!(wait(verified(&store)), 3);
}

#[test]
fn a_batch_that_contradicts_itself_is_refused_alone_and_is_no_fault_of_the_database() {
    let (_folder, path) = place();
    let store = open(&path);
    wait(commit(&store, exchange("ada", "a1", 0)));
    let line = chain(1, GENESIS, &Record::new(EventKind::Grant, 1)).unwrap();
    let log = |lines: Vec<String>, seq: u64| {
        let mut bad = exchange("ada", "bad", 0);
        let row = AgentLogRow {
            key: PrincipalKey {
                source: "okta".parse().unwrap(),
                key: "ada".to_owned(),
            },
            log: "l".repeat(32),
            seq,
            hash: line.hash.clone(),
            head_seq: seq,
            at_ms: 1,
            dropped: KnownEntry::none(),
        };
        bad.changes.push(StoreChange::AgentLog(row, lines));
        bad
    };
    let twice = || log(vec![line.line.clone(), line.line.clone()], 1);
    let beyond = || log(vec![line.line.clone()], 1 << 63);
    let (go, gate) = std::sync::mpsc::channel::<()>();
    let job = WriteRequest::Work(Box::new(move |_| gate.recv().unwrap()));
    store.ways.as_ref().unwrap().0.send(job).unwrap();
    let results: Vec<_> = std::thread::scope(|scope| {
        let store = &store;
        let ask = |batch: Batch| scope.spawn(move || wait(store.commit(batch)));
        let asked = vec![
            ask(exchange("ada", "first", 0)),
            ask(twice()),
            ask(beyond()),
            ask(exchange("ada", "last", 0)),
        ];
        go.send(()).unwrap();
        asked.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(results[0].is_ok() && results[3].is_ok(), "{results:?}");
    for bad in &results[1..3] {
        assert!(matches!(bad, Err(StoreFault::Invalid(_))), "{bad:?}");
    }
    assert_eq!(wait(verified(&store)), 3);
    assert_eq!(wait(store.token("bad".into())).unwrap(), None);
}

#[test]
fn a_database_that_can_not_be_written_is_told_and_opened_anew() {
    let (_folder, path) = place();
    let store = open(&path);
    store.in_writer(|writer| {
        writer
            .connection()
            .pragma_update(None, "query_only", "ON")
            .unwrap();
    });
    let words = unavailable(&store, exchange("ada", "a1", 0));
    assert!(words.contains("can't be written"), "{words}");
    wait(commit(&store, exchange("ada", "a2", 0)));
    assert_eq!(wait(verified(&store)), 1);
}

#[test]
fn another_process_that_holds_the_database_is_told() {
    let (_folder, path) = place();
    let store = open(&path);
    store.in_writer(|writer| writer.connection().busy_timeout(Duration::ZERO).unwrap());
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let words = unavailable(&store, exchange("ada", "a1", 0));
    assert!(words.contains("is held by another process"), "{words}");
    other.execute_batch("COMMIT").unwrap();
    wait(commit(&store, exchange("ada", "a2", 0)));
}

#[test]
fn a_damaged_database_grants_nothing_until_a_whole_one_is_in_its_place() {
    let (folder, path) = place();
    let store = open(&path);
    wait(commit(&store, exchange("ada", "a1", 0)));
    drop(store);
    let saved = folder.path().join("saved");
    fs::copy(&path, &saved).unwrap();
    // All but the first page, which names the tables.
    let length = fs::metadata(&path).unwrap().len();
    let mut file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.seek(SeekFrom::Start(4096)).unwrap();
    let rubbish = vec![0xA5; usize::try_from(length - 4096).unwrap()];
    file.write_all(&rubbish).unwrap();
    drop(file);
    let words = match SqliteStore::open(&path, &acme()) {
        Err(refusal) => refusal.sentence,
        Ok(store) => {
            let words = unavailable(&store, exchange("ada", "a2", 0));
            fs::rename(&saved, &path).unwrap();
            wait(commit(&store, exchange("ada", "a3", 0)));
            assert_eq!(wait(verified(&store)), 2);
            words
        }
    };
    assert!(words.contains("is damaged"), "{words}");
}

#[test]
fn a_log_whose_last_entry_was_changed_is_not_gone_on_from() {
    let (_folder, path) = place();
    let store = open(&path);
    wait(commit(&store, exchange("ada", "a1", 0)));
    let raw = Connection::open(&path).unwrap();
    raw.execute("UPDATE audit SET line = replace(line, 'write', 'read')", [])
        .unwrap();
    let words = unavailable(&store, exchange("ada", "a2", 0));
    assert!(
        words.contains("last entry of the audit log is not as it was written"),
        "{words}"
    );
    assert_eq!(wait(store.token("a2".into())).unwrap(), None);
    raw.execute("UPDATE audit SET line = replace(line, 'read', 'write')", [])
        .unwrap();
    wait(commit(&store, exchange("ada", "a3", 0)));
    assert_eq!(wait(verified(&store)), 2);
}
