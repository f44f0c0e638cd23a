//! Older copies, backups and restores.

use super::files::beside;
use super::*;
use crate::IssuedTokens;
use crate::sqlite::{self, DatabaseFiles, RestoreResult};
use oam_model::audit::AuditRecord;
use std::fs;

fn entry() -> AuditRecord {
    AuditRecord::new(AuditEvent::DatabaseRestored, acme(), NOW_MS)
}

/// The operator's word for what lies there.
pub(super) fn accepted(path: &Path) -> RestoreResult {
    sqlite::accept(&path.into(), &acme(), &entry()).unwrap()
}

fn issue(path: &Path, token: &str) {
    let store = open(path);
    wait(commit(&store, exchange("ada", token, 0)));
}

fn misfit(path: &Path) -> Option<String> {
    open(path).misfit().map(|refusal| refusal.sentence.clone())
}

#[test]
fn a_database_that_is_closed_stands_in_its_own_file_alone() {
    let (folder, path) = place();
    let other = open(&path);
    issue(&path, "a1");
    let copy = folder.path().join("copy");
    fs::copy(&path, &copy).unwrap();
    drop(other);
    let store = open(&copy);
    assert!(wait(store.token("a1".into())).unwrap().is_some());
}

#[test]
fn an_older_copy_put_back_by_hand_is_not_served_until_the_operator_says_so() {
    let (folder, path) = place();
    issue(&path, "a1");
    let copy = folder.path().join("copy");
    fs::copy(&path, &copy).unwrap();
    let store = open(&path);
    wait(commit(
        &store,
        changes([end("ada", EndKind::Account, NOW_MS)]),
    ));
    wait(commit(&store, exchange("bob", "b1", 0)));
    drop(store);
    assert_eq!(misfit(&path), None);
    fs::copy(&copy, &path).unwrap();
    let words = misfit(&path).unwrap();
    assert!(
        words.contains("ends at entry 1") && words.contains("knows entry 2"),
        "{words}"
    );
    // A command that looks at it, or writes to it, does not make it fit.
    issue(&path, "c1");
    issue(&path, "c2");
    assert!(misfit(&path).unwrap().contains("another than its marker"));
    let restored = accepted(&path);
    assert_eq!(restored.history.generation(), 1);
    assert_eq!(misfit(&path), None);
    // The copy is of an earlier generation now, and found again.
    fs::copy(&copy, &path).unwrap();
    assert!(misfit(&path).unwrap().contains("of a later restore"));
}

#[test]
fn a_marker_that_is_gone_is_missed_and_a_database_of_before_there_were_markers_is_not() {
    let (_folder, path) = place();
    issue(&path, "a1");
    fs::remove_file(beside(&path, "-marker")).unwrap();
    assert!(misfit(&path).unwrap().contains("is gone"));
    Connection::open(&path)
        .unwrap()
        .execute("DELETE FROM meta WHERE name = 'marked'", [])
        .unwrap();
    assert_eq!(misfit(&path), None);
    assert!(beside(&path, "-marker").exists());
}

#[test]
fn the_marker_may_lie_where_a_folder_that_is_put_back_does_not_take_it_along() {
    let (folder, path) = place();
    let elsewhere = tempfile::tempdir().unwrap();
    let files = DatabaseFiles::new(&path, Some(&elsewhere.path().join("marker")));
    let store = SqliteStore::open(files.clone(), &acme()).unwrap();
    wait(commit(&store, exchange("ada", "a1", 0)));
    drop(store);
    assert!(!beside(&path, "-marker").exists());
    let saved = folder.path().join("saved");
    fs::copy(&path, &saved).unwrap();
    let store = SqliteStore::open(files.clone(), &acme()).unwrap();
    wait(commit(&store, exchange("ada", "a2", 0)));
    drop(store);
    fs::rename(&saved, &path).unwrap();
    assert!(
        SqliteStore::open_existing(files, &acme())
            .unwrap()
            .misfit()
            .is_some()
    );
}

#[test]
fn a_backup_of_a_served_database_is_whole_and_goes_back_as_a_new_generation() {
    let (folder, path) = place();
    let saved = folder.path().join("b.db");
    let store = open(&path);
    wait(commit(&store, exchange("ada", "a1", 0)));
    let made = sqlite::backup(&path, &acme(), &saved).unwrap();
    assert_eq!(made.history.position().seq, 1);
    assert_eq!(
        Ok(made.clone()),
        sqlite::inspect(&saved, &acme()).map_err(|r| r.sentence)
    );
    wait(commit(&store, exchange("ada", "a2", 0)));
    // The same name again: the new backup takes the place of the old one.
    assert_eq!(
        sqlite::backup(&path, &acme(), &saved)
            .unwrap()
            .history
            .position()
            .seq,
        2
    );
    wait(commit(&store, exchange("ada", "a3", 0)));
    let files = DatabaseFiles::from(&path);
    let restored = sqlite::put_in_place(&files, &acme(), &saved, &entry()).unwrap();
    assert_eq!(restored.history.restored_at, [2]);
    // A server that runs goes on with it.
    wait(async {
        let after = commit(&store, exchange("ada", "a4", 0)).await;
        assert_eq!(after.audit_seq, 4);
        assert!(store.token("a2".into()).await.unwrap().is_some());
        assert_eq!(store.token("a3".into()).await.unwrap(), None);
        assert_eq!(verified(&store).await, 4);
    });
    drop(store);
    assert_eq!(misfit(&path), None);
    let aside = restored.aside.unwrap();
    let before = sqlite::inspect(&aside, &acme()).unwrap();
    assert_eq!(before.history.position().seq, 3);
    // The same backup once more is of a later generation than the one before it.
    let again = sqlite::put_in_place(&files, &acme(), &saved, &entry()).unwrap();
    assert_eq!(again.history.generation(), 2);
    assert_eq!(misfit(&path), None);
}

#[test]
fn a_backup_takes_the_place_of_nothing_else_and_what_is_none_is_not_restored() {
    let (folder, path) = place();
    issue(&path, "a1");
    let at = |name: &str| folder.path().join(name);
    fs::write(at("notes"), "notes").unwrap();
    let words = |path: &Path| match sqlite::inspect(path, &acme()) {
        Ok(found) => panic!("{found:?}"),
        Err(refusal) => refusal.sentence,
    };
    for to in [at("notes"), path.clone()] {
        let refusal = sqlite::backup(&path, &acme(), &to).unwrap_err();
        assert!(
            refusal.sentence.contains("no earlier backup"),
            "{}",
            refusal.sentence
        );
    }
    assert_eq!(fs::read(at("notes")).unwrap(), b"notes");
    assert!(words(&at("notes")).contains("is no database"));
    assert!(words(&at("none")).contains("is not there"));
    drop(SqliteStore::open(&at("other"), &"other".parse().unwrap()).unwrap());
    assert!(words(&at("other")).contains("belongs to the organization other"));
    sqlite::backup(&path, &acme(), &at("b.db")).unwrap();
    Connection::open(at("b.db"))
        .unwrap()
        .execute("UPDATE audit SET line = replace(line, 'ada', 'bob')", [])
        .unwrap();
    assert!(words(&at("b.db")).contains("not as it was written"));
    let cut = fs::read(&path).unwrap();
    fs::write(at("cut"), &cut[..cut.len() / 2]).unwrap();
    sqlite::inspect(&at("cut"), &acme()).unwrap_err();
}
