//! The files: made private, whose they are, gone, replaced.

use super::*;
use crate::{Committed, Cursor};
use crate::{IssuedTokens, People, Policies, Revocations};
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn refusal(path: &Path, org: &str) -> String {
    match SqliteStore::open(path, &org.parse().unwrap()) {
        Ok(_) => panic!("opened"),
        Err(refusal) => refusal.sentence,
    }
}

/// A consistent copy, as an administrator makes one.
pub(super) fn backup(path: &Path, to: &Path) {
    Connection::open(path)
        .unwrap()
        .execute("VACUUM INTO ?1", [to.to_str().unwrap()])
        .unwrap();
}

pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    PathBuf::from(format!("{}{ending}", path.display()))
}

#[test]
fn the_files_are_private_whatever_they_were() {
    let (_folder, path) = place();
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let store = open(&path);
    wait(commit(&store, exchange("ada", "a1", 0)));
    for file in [path.clone(), beside(&path, "-wal"), beside(&path, "-shm")] {
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
}

#[test]
fn what_root_makes_in_the_folder_of_another_user_is_that_users() {
    use std::os::unix::fs::{MetadataExt, chown};
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let (folder, path) = place();
    chown(folder.path(), Some(65_534), Some(65_534)).unwrap();
    let store = open(&path);
    wait(commit(&store, exchange("ada", "a1", 0)));
    for ending in ["", "-wal", "-shm"] {
        assert_eq!(
            fs::metadata(beside(&path, ending)).unwrap().uid(),
            65_534,
            "{ending}"
        );
    }
    drop(store);
    assert_eq!(
        fs::metadata(beside(&path, "-marker")).unwrap().uid(),
        65_534
    );
}

#[test]
fn a_database_that_is_not_ours_is_refused_by_name() {
    let (folder, path) = place();
    drop(open(&path));
    assert!(refusal(&path, "other").contains("belongs to the organization acme, not to other"));
    Connection::open(&path)
        .unwrap()
        .pragma_update(None, "user_version", 999)
        .unwrap();
    assert!(refusal(&path, "acme").contains("has version 999, and this program knows up to "));
    let nowhere = folder.path().join("none/issuer.db");
    assert!(refusal(&nowhere, "acme").contains("is not there"));
    assert!(refusal(folder.path(), "acme").contains("is a folder"));
    let text = folder.path().join("notes.txt");
    fs::write(
        &text,
        "not a database, but long enough to be taken for one".repeat(40),
    )
    .unwrap();
    assert!(refusal(&text, "acme").contains("is damaged"));
}

#[test]
fn a_command_begins_no_database() {
    let (_folder, path) = place();
    let refusal = SqliteStore::open_existing(&path, &acme()).err().unwrap();
    assert!(refusal.sentence.contains("is not there"));
    assert!(!path.exists());
    drop(open(&path));
    assert!(SqliteStore::open_existing(&path, &acme()).is_ok());
}

#[test]
fn a_database_that_was_moved_away_is_not_begun_anew_and_goes_on_when_it_is_back() {
    let (folder, path) = place();
    let store = open(&path);
    wait(commit(&store, exchange("ada", "a1", 0)));
    let aside = folder.path().join("aside");
    fs::rename(&path, &aside).unwrap();
    let words = unavailable(&store, exchange("ada", "a2", 0));
    assert!(words.contains("was deleted or moved away"), "{words}");
    assert!(words.contains("restore the last backup"), "{words}");
    assert!(!path.exists());
    // Nor is anything read from a file that nobody finds.
    assert!(wait(store.token("a1".into())).is_err());
    fs::rename(&aside, &path).unwrap();
    wait(async {
        commit(&store, exchange("ada", "a3", 0)).await;
        assert!(store.token("a1".into()).await.unwrap().is_some());
        assert_eq!(store.token("a2".into()).await.unwrap(), None);
        assert_eq!(verified(&store).await, 2);
    });
}

#[test]
fn an_idle_store_notices_by_itself_that_its_file_is_gone() {
    let (folder, path) = place();
    let store = open(&path);
    wait(async {
        let mut heard = store.changes();
        // Its readers have their files open.
        assert_eq!(store.policy_digest().await, Ok(None));
        fs::rename(&path, folder.path().join("aside")).unwrap();
        // A reader that was not open yet can tell only that it finds nothing.
        let told = |words: &str| words.contains("was deleted or moved away");
        while !matches!(store.policy_digest().await, Err(StoreFault::Unavailable(words)) if told(&words))
        {
            tokio::task::yield_now().await;
        }
        heard.mark_unchanged();
        fs::rename(folder.path().join("aside"), &path).unwrap();
        heard.changed().await.unwrap();
        assert_eq!(store.policy_digest().await, Ok(None));
    });
}

#[test]
fn a_copy_put_in_place_is_refused_until_it_is_accepted_and_cursors_of_before_are_reset() {
    let (folder, path) = place();
    let saved = folder.path().join("saved");
    let store = open(&path);
    let cursor: Cursor = wait(async {
        commit(&store, exchange("ada", "a1", 0)).await;
        backup(&path, &saved);
        commit(&store, exchange("ada", "a2", 0)).await;
        commit(&store, changes([end("ada", EndKind::Session, NOW_MS)])).await;
        store.feed(person("ada"), None).await.unwrap().head
    });
    store.in_writer(Writer::mark);
    fs::rename(&saved, &path).unwrap();
    let words = unavailable(&store, exchange("ada", "a4", 0));
    assert!(
        words.contains("older than the one that was served"),
        "{words}"
    );
    assert!(words.contains("oam-issuer restore --accept"), "{words}");
    super::restored::accepted(&path);
    wait(async {
        let after: Committed = commit(&store, exchange("ada", "a3", 0)).await;
        assert_eq!(after.audit_seq, 3);
        assert!(store.token("a1".into()).await.unwrap().is_some());
        assert_eq!(store.token("a2".into()).await.unwrap(), None);
        assert_eq!(verified(&store).await, 3);
        // A number that will be given again must not hide what it is given to.
        commit(&store, changes([end("ada", EndKind::Account, NOW_MS)])).await;
        let page = store.feed(person("ada"), Some(cursor)).await.unwrap();
        assert!(page.reset);
    });
    drop(store);
    let check: String = Connection::open(&path)
        .unwrap()
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(check, "ok");
}

#[test]
fn a_file_of_another_organization_put_in_place_is_refused_until_it_is_ours() {
    let (folder, path) = place();
    let other = folder.path().join("other");
    drop(SqliteStore::open(&other, &"other".parse().unwrap()).unwrap());
    let saved = folder.path().join("saved");
    let store = open(&path);
    wait(commit(&store, exchange("ada", "a1", 0)));
    backup(&path, &saved);
    fs::rename(&other, &path).unwrap();
    let words = unavailable(&store, exchange("ada", "a2", 0));
    assert!(
        words.contains("belongs to the organization other"),
        "{words}"
    );
    fs::rename(&saved, &path).unwrap();
    wait(commit(&store, exchange("ada", "a2", 0)));
    assert_eq!(wait(verified(&store)), 2);
}

#[test]
fn a_write_ahead_log_that_was_deleted_takes_nothing_with_it() {
    let (_folder, path) = place();
    let store = open(&path);
    wait(commit(&store, exchange("ada", "a1", 0)));
    fs::remove_file(beside(&path, "-wal")).unwrap();
    wait(commit(&store, exchange("ada", "a2", 0)));
    let other = open(&path);
    assert_eq!(wait(verified(&other)), 2);
    assert_eq!(wait(verified(&store)), 2);
}

/// Version 1 did not tell by whose word an account ended, but the words of an administrator's end.
#[test]
fn ends_of_a_database_of_version_1_get_their_authors() {
    let (_folder, path) = place();
    let old = Connection::open(&path).unwrap();
    old.execute_batch(include_str!("../1.sql")).unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    for (key, reason) in [
        ("00u-ada", "revoked by an administrator (left)"),
        ("00u-bob", "account-disabled"),
    ] {
        old.execute(
            "INSERT INTO people (source, key, issuer, subject, proven_at_s, seen_at_ms, claimant,
                 account_at_ms, account_reason) VALUES ('okta', ?1, '', '', 0, 0, 0, 7, ?2)",
            (key, reason),
        )
        .unwrap();
    }
    drop(old);
    let store = open(&path);
    for (name, by_administrator) in [("ada", true), ("bob", false)] {
        let row = wait(store.person(person(name))).unwrap().unwrap();
        let account = row.account;
        assert_eq!(account.administrator.is_some(), by_administrator, "{name}");
        assert_eq!(account.ended_by_provider().is_some(), !by_administrator);
        assert_eq!(account.session.map(|end| end.at_ms), Some(7));
    }
}
